//! Takes tokens back at the vendor (RFC 7009, or the blueprint's own request).

use serde_json::json;

use crate::{
    auth::{
        ground::Ground,
        request,
        send::{self, Granted, Parties},
    },
    model::{
        auth::{AuthMode, AuthRequest},
        blueprint::Integration,
    },
};

/// What came of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// The vendor took the tokens back.
    Done,
    /// The blueprint knows no way.
    Unknown,
    /// It did not work this time.
    Failed(String),
}

/// Asks the vendor to take the tokens of a connection back.
pub async fn revoke(parties: Parties<'_>) -> Revoked {
    let Some(revoke) = way(&parties.integration.blueprint.auth.mode) else {
        return Revoked::Unknown;
    };
    let ground = Ground::new(parties.integration, parties.connection, parties.now);
    let request = match request::own_request(revoke, parties.integration, &ground, &json!({})) {
        Ok(request) => request,
        Err(fault) => return Revoked::Failed(fault.message),
    };
    match send::send(parties, &request, revoke.accept, &[]).await {
        // What the vendor does not know any more is taken back already (RFC 7009, section 2.2).
        Ok(_) | Err(Granted::Dead { .. }) => Revoked::Done,
        Err(
            Granted::NotNow { reason, .. }
            | Granted::Refused { reason }
            | Granted::Impossible { reason },
        ) => Revoked::Failed(reason),
        Err(Granted::Pending(_) | Granted::Tokens(_)) => {
            Revoked::Failed("the endpoint gave an answer to another question".to_owned())
        }
    }
}

/// Whether the blueprint knows a way.
pub fn can_revoke(integration: &Integration) -> bool {
    way(&integration.blueprint.auth.mode).is_some()
}

fn way(mode: &AuthMode) -> Option<&AuthRequest> {
    match mode {
        AuthMode::OAuth2(oauth) => oauth.revoke.as_ref(),
        AuthMode::ClientCredentials(cc) => cc.revoke.as_ref(),
        AuthMode::Session(session) => session.revoke.as_ref(),
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::Basic { .. }
        | AuthMode::OAuth1(_)
        | AuthMode::Jwt(_)
        | AuthMode::AwsSigv4(_)
        | AuthMode::Signature(_) => None,
    }
}
