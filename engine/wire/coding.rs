//! Content codings of answers (RFC 9110, section 8.4): gzip, deflate, brotli.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::body::Body;
use tower_http::decompression::{Decompression, DecompressionBody};
use tower_service::Service;

/// What a request asks for whose answer is to be decoded.
pub const ACCEPTED: &str = "gzip,deflate,br";

/// The answer without its coding, and without the fields that tell of it; as it is, if it has none
/// or an unknown one.
pub async fn decoded<B: Body + Unpin>(response: Response<B>) -> Response<DecompressionBody<B>> {
    match Decompression::new(Answered(Some(response))).call(Request::new(())).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
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
