//! The page at which a sign-in ends whose callback comes to a server.

use crate::{
    connect::{CallbackParams, Page},
    engine::{
        candidate::signed_in,
        finish::{Finished, SignInCallback},
        parts::Engine,
    },
    error::Error,
};

impl Engine {
    /// Takes a callback by the query of its URL; what the browser is shown: a status, and HTML.
    pub async fn sign_in_page(&self, query: &str) -> Result<(u16, String), Error> {
        let params = CallbackParams::of_query(query);
        let callback = SignInCallback { params, cookie: None };
        let page = match self.finish_sign_in(callback).await? {
            Finished::Ended { result, .. } => match *result {
                Ok(account) => Page::done(signed_in(&account)),
                Err(failure) => Page::failed(failure.message),
            },
            Finished::Refused(text) => Page::failed(text),
        };
        Ok((page.status, page.html()))
    }
}
