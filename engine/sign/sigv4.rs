//! AWS Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use http::header::InvalidHeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::{
    model::{
        http::{AUTHORIZATION, Fields, HeaderMap},
        time::Timestamp,
    },
    sign::digest::{hmac_sha256, sha256},
    value::hex,
};

const ENCODE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who signs, for which service.
pub struct Signer<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret_access_key: &'a str,
    /// Of temporary credentials.
    pub session_token: Option<&'a str>,
    /// Such as `eu-central-1`.
    pub region: &'a str,
    /// Such as `dynamodb`.
    pub service: &'a str,
    /// When the request is sent.
    pub now: Timestamp,
}

impl Signer<'_> {
    /// Puts `x-amz-date`, the session token and `authorization` on. The request must be final: what
    /// changes afterwards makes the signature wrong. Without a body its content is not signed, which
    /// S3 alone accepts.
    pub fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<(), InvalidHeaderValue> {
        let time = stamp(self.now);
        let hash =
            body.map_or_else(|| "UNSIGNED-PAYLOAD".to_owned(), |body| hex::encode(&sha256(body)));
        headers.insert("x-amz-date", time.as_str().try_into()?);
        if let Some(token) = self.session_token {
            headers.insert("x-amz-security-token", token.try_into()?);
        }
        if self.service == "s3" {
            headers.insert("x-amz-content-sha256", hash.as_str().try_into()?);
        }
        let signed = signed_headers(url, headers);
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut canonical = format!(
            "{method}\n{}\n{}\n",
            canonical_path(url, self.service == "s3"),
            canonical_query(url)
        );
        for (name, value) in &signed {
            canonical.push_str(&format!("{name}:{value}\n"));
        }
        canonical.push_str(&format!("\n{names}\n{hash}"));
        let date = time.get(..8).unwrap_or_default();
        let credential_scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{credential_scope}\n{}",
            hex::encode(&sha256(canonical.as_bytes()))
        );
        let key = [date, self.region, self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{}", self.secret_access_key).into_bytes(), |key, part| {
                hmac_sha256(&key, part.as_bytes())
            });
        let signature = hex::encode(&hmac_sha256(&key, text.as_bytes()));
        let field = format!(
            "AWS4-HMAC-SHA256 Credential={}/{credential_scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        headers.insert(AUTHORIZATION, field.try_into()?);
        Ok(())
    }
}

/// `20150830T123600Z`
fn stamp(now: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(now.0)
        .map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string())
        .unwrap_or_default()
}

/// The host, the content's type and everything of Amazon's own; by name.
fn signed_headers(url: &Url, headers: &HeaderMap) -> Vec<(String, String)> {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut fields = vec![("host".to_owned(), host)];
    for (name, value) in headers.fields() {
        if name == "content-type" || name.starts_with("x-amz-") {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            fields.push((name.to_owned(), words.join(" ")));
        }
    }
    fields.sort();
    fields
}

/// Each segment encoded, twice except for S3.
fn canonical_path(url: &Url, once: bool) -> String {
    let path = if url.path().is_empty() { "/" } else { url.path() };
    let segment = |segment: &str| {
        let plain = percent_decode_str(segment).collect::<Vec<u8>>();
        let single = percent_encoding::percent_encode(&plain, ENCODE).to_string();
        if once { single } else { utf8_percent_encode(&single, ENCODE).to_string() }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn canonical_query(url: &Url) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODE).to_string();
    // Not `query_pairs`: a plus sign is a plus sign here.
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut pairs: Vec<(String, String)> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(&plain(name)), encode(&plain(value))))
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(
        signer: &Signer<'_>,
        (method, url, headers): (&str, &str, &[(&str, &str)]),
        body: &str,
    ) -> String {
        let mut headers: HeaderMap =
            headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        signer
            .sign(method, &Url::parse(url).unwrap(), &mut headers, Some(body.as_bytes()))
            .unwrap();
        let field = headers.text("authorization").unwrap();
        field.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    fn suite(service: &str) -> Signer<'_> {
        Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session_token: None,
            region: "us-east-1",
            service,
            // 2015-08-30T12:36:00Z
            now: Timestamp(1_440_938_160_000),
        }
    }

    /// The signature test suite that AWS publishes (`aws-sig-v4-test-suite`), and the worked
    /// example of its documentation (`ListUsers` of IAM).
    #[test]
    fn signatures_are_those_that_aws_publishes() {
        let suite_of = suite("service");
        for (request, body, wanted) in [
            (
                ("GET", "https://example.amazonaws.com/", &[][..]),
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                ("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", &[]),
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                ("POST", "https://example.amazonaws.com/", &[]),
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                (
                    "POST",
                    "https://example.amazonaws.com/",
                    &[("content-type", "application/x-www-form-urlencoded")],
                ),
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            assert_eq!(signature(&suite_of, request, body), wanted, "{request:?}");
        }
        let iam = suite("iam");
        let request = (
            "GET",
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")][..],
        );
        assert_eq!(
            signature(&iam, request, ""),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    /// What AWS's own SDK (`botocore`) makes of the same requests.
    #[test]
    fn signatures_are_those_of_the_sdk() {
        let service = suite("service");
        for (url, wanted) in [
            (
                "https://example.amazonaws.com/%E1%88%B4/a%20b",
                "9ce58cc1ce2cc3a2388a68b96ac805167dcfc7d34fcd030c5c079032d80be1b3",
            ),
            (
                "https://example.amazonaws.com/?a=b%2Bc&A=%20d",
                "30171077d21e3aadea6645a7597e0ac26e2505ce5eeeb650efd439af8f277861",
            ),
        ] {
            assert_eq!(signature(&service, ("GET", url, &[]), ""), wanted, "{url}");
        }
        let dynamo = Signer { session_token: Some("a-token"), ..suite("dynamodb") };
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "DynamoDB_20120810.ListTables"),
        ];
        assert_eq!(
            signature(
                &dynamo,
                ("POST", "https://dynamodb.us-east-1.amazonaws.com/", &headers),
                "{}"
            ),
            "e476d36133f159716162e8d2ddeb191dcbed46d5cfcf06ef6a932b9ce37c30b6"
        );
    }

    #[test]
    fn paths_of_s3_are_encoded_once() {
        let url = Url::parse("https://bucket.s3.amazonaws.com/a%20b/c%2Bd").unwrap();
        assert_eq!(canonical_path(&url, true), "/a%20b/c%2Bd");
        assert_eq!(canonical_path(&url, false), "/a%2520b/c%252Bd");
    }

    #[test]
    fn temporary_credentials_sign_their_token_too() {
        let signer = Signer { session_token: Some("a-token"), ..suite("service") };
        let mut headers = HeaderMap::new();
        signer
            .sign("GET", &Url::parse("https://h:8443/a b").unwrap(), &mut headers, Some(b""))
            .unwrap();
        let field = headers.text("authorization").unwrap();
        assert!(field.contains("SignedHeaders=host;x-amz-date;x-amz-security-token"), "{field}");
    }
}
