//! OAuth 1.0 signatures (RFC 5849, section 3).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::{model::sign::SignatureMethod, sign::digest};

/// Section 3.6: everything but unreserved characters.
const ENCODE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who signs, and with what.
pub struct Signer<'a> {
    /// How.
    pub method: SignatureMethod,
    /// `oauth_consumer_key`
    pub consumer_key: &'a str,
    /// Its secret.
    pub consumer_secret: &'a str,
    /// `oauth_token` and its secret, once there is one.
    pub token: Option<(&'a str, &'a str)>,
    /// Shown in the header, not signed.
    pub realm: Option<&'a str>,
    /// `oauth_nonce`
    pub nonce: &'a str,
    /// `oauth_timestamp`, seconds since 1970.
    pub timestamp: i64,
    /// `oauth_callback`, `oauth_verifier`: of the two requests that get tokens.
    pub more: &'a [(&'a str, &'a str)],
}

impl Signer<'_> {
    /// The `Authorization` field of a request. `form`: the fields of a form body, decoded.
    pub fn header(&self, http_method: &str, url: &Url, form: &[(String, String)]) -> String {
        let protocol = self.protocol();
        let signature = self.signature(http_method, url, form, &protocol);
        let mut fields = Vec::new();
        if let Some(realm) = self.realm {
            fields.push(format!("realm=\"{}\"", realm.replace(['"', '\\', '\r', '\n'], "")));
        }
        let signature = ("oauth_signature".to_owned(), signature);
        for (name, value) in protocol.iter().chain([&signature]) {
            fields.push(format!("{}=\"{}\"", encode(name), encode(value)));
        }
        format!("OAuth {}", fields.join(", "))
    }

    /// Section 3.1.
    fn protocol(&self) -> Vec<(String, String)> {
        let mut fields = vec![("oauth_consumer_key", self.consumer_key.to_owned())];
        fields.extend(self.token.map(|(token, _)| ("oauth_token", token.to_owned())));
        fields.push(("oauth_signature_method", self.method.as_str().to_owned()));
        if self.method != SignatureMethod::Plaintext {
            fields.push(("oauth_timestamp", self.timestamp.to_string()));
            fields.push(("oauth_nonce", self.nonce.to_owned()));
        }
        fields.push(("oauth_version", "1.0".to_owned()));
        fields.extend(self.more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Section 3.4.
    fn signature(
        &self,
        http_method: &str,
        url: &Url,
        form: &[(String, String)],
        protocol: &[(String, String)],
    ) -> String {
        let token_secret = self.token.map_or("", |(_, secret)| secret);
        let key = format!("{}&{}", encode(self.consumer_secret), encode(token_secret));
        let base = || base_string(http_method, url, form, protocol);
        match self.method {
            SignatureMethod::Plaintext => key,
            SignatureMethod::HmacSha1 => {
                STANDARD.encode(digest::hmac_sha1(key.as_bytes(), base().as_bytes()))
            }
            SignatureMethod::HmacSha256 => {
                STANDARD.encode(digest::hmac_sha256(key.as_bytes(), base().as_bytes()))
            }
        }
    }
}

/// Section 3.4.1.
fn base_string(
    http_method: &str,
    url: &Url,
    form: &[(String, String)],
    protocol: &[(String, String)],
) -> String {
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut pairs: Vec<(String, String)> = query
        .iter()
        .chain(form)
        .chain(protocol)
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let normal: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // The URL type drops default ports and puts scheme and host into lower case, as 3.4.1.2 asks.
    let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
    format!("{}&{}&{}", http_method.to_ascii_uppercase(), encode(&place), encode(&normal.join("&")))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer<'a>(method: SignatureMethod) -> Signer<'a> {
        Signer {
            method,
            consumer_key: "dpf43f3p2l4k3l03",
            consumer_secret: "kd94hf93k423kf44",
            token: None,
            realm: Some("Photos"),
            nonce: "",
            timestamp: 0,
            more: &[],
        }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// Section 3.4.1.1.
    #[test]
    fn the_base_string_is_that_of_the_rfc() {
        let form = [("c2".to_owned(), String::new()), ("a3".to_owned(), "2 q".to_owned())];
        let protocol = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let url = url("http://EXAMPLE.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        assert_eq!(
            base_string("post", &url, &form, &protocol),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D\
             %253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce\
             %3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth\
             _token%3Dkkk9d7dh3k39sjv7"
        );
    }

    /// Section 1.2, third request; it carries no `oauth_version`, so the parts are signed by hand.
    #[test]
    fn the_signature_is_that_of_the_rfc() {
        let signer = Signer {
            nonce: "chapoH",
            timestamp: 137_131_202,
            token: Some(("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")),
            ..signer(SignatureMethod::HmacSha1)
        };
        let photos = url("http://photos.example.net/photos?file=vacation.jpg&size=original");
        let protocol: Vec<_> =
            signer.protocol().into_iter().filter(|(name, _)| name != "oauth_version").collect();
        assert_eq!(
            signer.signature("GET", &photos, &[], &protocol),
            "MdpQcU8iPSUjWoN/UDMsK2sui9I="
        );
    }

    /// What `oauthlib` 3 makes of the same requests.
    #[test]
    fn signatures_are_those_of_oauthlib() {
        let first = Signer {
            nonce: "wIjqoxSySZ",
            timestamp: 137_131_200,
            more: &[("oauth_callback", "http://printer.example.com/ready")],
            ..signer(SignatureMethod::HmacSha1)
        };
        let header = first.header("POST", &url("https://photos.example.net/initiate"), &[]);
        assert!(
            header.contains("oauth_signature=\"Ae5qaZSGh%2B%2BmD7Ju4KPbLBGn1ok%3D\""),
            "{header}"
        );
        let odd = Signer {
            nonce: "n1",
            timestamp: 1_700_000_000,
            token: Some(("tok/en", "s&s")),
            realm: Some("R"),
            ..signer(SignatureMethod::HmacSha256)
        };
        let form = [("c2", ""), ("a3", "2 q"), ("x", "+~*")];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let at = url("https://api.example.net:8443/a%20b/c?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        let header = odd.header("POST", &at, &form);
        let wanted = "oauth_signature=\"EWKc3mTMZ1lbr7f9NxHDn7X%2BvqxD%2F9gEoOoQp%2F0zbqU%3D\"";
        assert!(header.contains(wanted), "{header}");
        assert!(header.contains("oauth_token=\"tok%2Fen\""), "{header}");
    }

    #[test]
    fn plaintext_and_realm() {
        let signer = Signer { token: Some(("t", "s&")), ..signer(SignatureMethod::Plaintext) };
        assert_eq!(
            signer.header("GET", &url("https://x.example/"), &[]),
            "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_token=\"t\", \
             oauth_signature_method=\"PLAINTEXT\", oauth_version=\"1.0\", \
             oauth_signature=\"kd94hf93k423kf44%26s%2526\""
        );
    }
}
