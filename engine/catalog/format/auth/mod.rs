//! `auth` of a blueprint: a file for each mode, or for several that are alike.

mod mode;
mod answer;
mod sign;
mod request;
mod token;
mod basic;
mod oauth2;
mod client_credentials;
mod oauth1;
mod session;
mod jwt;
mod sigv4;
mod signature;
mod modes;

pub use modes::{OWNED, Signed, auth, saved};
