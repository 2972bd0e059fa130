//! A sandbox that is being served.

use serde::Serialize;

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sandbox {
    /// `name:vN`
    pub blueprint: String,
    /// The base URL.
    pub url: String,
    /// The vendor's page.
    pub authorization_url: String,
    /// RFC 6749, section 3.2.
    pub token_url: String,
    /// RFC 8628, section 3.1.
    pub device_authorization_url: String,
    /// RFC 7009.
    pub revocation_url: String,
}
