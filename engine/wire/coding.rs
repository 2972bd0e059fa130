//! Content codings of answers (RFC 9110, section 8.4): gzip, deflate, brotli.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_ENCODING};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use tower_http::decompression::{Decompression, DecompressionBody};
use tower_service::Service;

/// What a request asks for whose answer is to be decoded.
pub const ACCEPTED: &str = "gzip,deflate,br";

/// The names of codings, and what else they are called (RFC 9110, sections 8.4.1 and 18.6).
const NAMES: [(&str, &str); 4] =
    [("gzip", "gzip"), ("x-gzip", "gzip"), ("deflate", "deflate"), ("br", "br")];

/// Names of codings are compared without case, and some have two.
fn normalize(headers: &mut HeaderMap) {
    let Some(coding) = headers.get(CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()) else {
        return;
    };
    let mut names = NAMES.iter().filter(|(name, _)| coding.trim().eq_ignore_ascii_case(name));
    if let Some((_, name)) = names.next().filter(|(_, name)| coding != *name) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
}

/// The answer without its coding, and without the fields that tell of it; as it is, if it has none
/// or an unknown one.
pub async fn decoded<B: Body + Unpin>(mut response: Response<B>) -> Response<DecompressionBody<B>> {
    normalize(response.headers_mut());
    match Decompression::new(Answered(Some(response))).call(Request::new(())).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// What a beginning of a coded body says, as far as it can be decoded: at most `most` bytes.
pub async fn beginning(headers: &HeaderMap, coded: Bytes, most: usize) -> Bytes {
    let mut response = Response::new(Full::new(coded));
    response.headers_mut().clone_from(headers);
    let mut body = decoded(response).await.into_body();
    let mut read = BytesMut::new();
    // It breaks off where the beginning does.
    while let Some(Ok(frame)) = body.frame().await
        && read.len() < most
    {
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
    }
    read.truncate(most);
    read.freeze()
}

/// A service that has answered already: the library decodes what comes out of one.
struct Answered<B>(Option<Response<B>>);

impl<B: Unpin> Service<Request<()>> for Answered<B> {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Self;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<()>) -> Self {
        Self(self.0.take())
    }
}

impl<B: Unpin> Future for Answered<B> {
    type Output = Result<Response<B>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_decoded_as_far_as_it_goes() {
        // `printf '{"error":"no"}' | gzip -n9`
        let whole: &[u8] = &[
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x4a, 0x2d,
            0x2a, 0xca, 0x2f, 0x52, 0xb2, 0x52, 0xca, 0xcb, 0x57, 0xaa, 0x05, 0x00, 0x50, 0x45,
            0xd4, 0x79, 0x0e, 0x00, 0x00, 0x00,
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = |coding: &str, bytes: &[u8], most: usize| {
            let mut headers = HeaderMap::new();
            headers.insert("content-encoding", coding.parse().unwrap());
            runtime.block_on(beginning(&headers, Bytes::copy_from_slice(bytes), most))
        };
        for name in ["gzip", "GZIP", "Gzip", "x-gzip", "X-GZip "] {
            assert_eq!(read(name, whole, 100), r#"{"error":"no"}"#, "{name}");
        }
        assert_eq!(read("gzip", whole, 8), r#"{"error""#);
        assert!(read("gzip", &whole[..20], 100).len() <= 14);
        assert_eq!(read("identity", b"plain", 100), "plain");
        assert_eq!(read("gzip", b"not gzip", 100), "");
    }
}
