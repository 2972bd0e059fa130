//! Whether the token endpoint may be asked for a connection at all.

use std::time::Duration;

use crate::{
    model::{
        account::{AccountStatus, Connection},
        auth::AuthMode,
        blueprint::Integration,
        failure::{Code, Failure},
        time::Timestamp,
    },
    render::shell,
};

/// A stored pause that lies further ahead was written by a clock that was wrong.
pub const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Another refresh failed a moment ago.
pub fn paused(connection: &Connection, now: Timestamp) -> Option<Failure> {
    let account = &connection.account;
    let until = account.refresh_retry_at?;
    if until <= now || until > now.plus(LONGEST_PAUSE) {
        return None;
    }
    let reason = account.refresh_failure.as_deref().unwrap_or("it failed a moment ago");
    let mut failure = Failure::new(Code::ProviderError, reason.to_owned());
    failure.retry_at = Some(until);
    Some(failure)
}

/// Whether there is any point in asking the endpoint.
pub fn may_refresh(integration: &Integration, connection: &Connection) -> Result<(), Failure> {
    if connection.account.status != AccountStatus::Active {
        let reason = connection
            .account
            .status_reason
            .as_deref()
            .unwrap_or_else(|| why(connection.account.status));
        return Err(unauthorized(connection, reason));
    }
    let mode = &integration.blueprint.auth.mode;
    let has = |name: &str| connection.credential(name).is_some_and(|token| !token.is_empty());
    let missing = integration.missing.first().filter(|_| !has("client_id"));
    if let Some((field, variable)) = missing {
        let message =
            format!("the token has to be refreshed, and `{field}` needs the variable `{variable}`");
        let hint = format!("set `{variable}` in the environment or in `.env`");
        return Err(Failure::new(Code::Unauthorized, message).with_hint(hint));
    }
    if matches!(mode, AuthMode::OAuth2(_)) && !has("refresh_token") {
        return Err(unauthorized(connection, "there is no refresh token"));
    }
    let named = matches!(mode, AuthMode::OAuth2(_) | AuthMode::ClientCredentials(_));
    if named && integration.oauth_client_id.is_none() && !has("client_id") {
        let message = format!(
            "the token has to be refreshed, and `{}` has no `oauth_client_id`",
            integration.name
        );
        return Err(Failure::new(Code::Unauthorized, message)
            .with_hint("give `oauth_client_id` and `oauth_client_secret` in integrations.yaml"));
    }
    Ok(())
}

/// Why an account in a state cannot be used, where the account does not say.
pub fn why(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "it is not in use",
        AccountStatus::NeedsAuthorization => "its credentials do not work any more",
        AccountStatus::Revoked => "its tokens were taken back",
        AccountStatus::Damaged => "its credentials do not open",
    }
}

/// The failure of a connection that a person has to mend.
pub fn unauthorized(connection: &Connection, reason: &str) -> Failure {
    let (integration, id) = (&connection.account.integration, &connection.account.id);
    Failure::new(
        Code::Unauthorized,
        format!("connection `{id}` of `{integration}` needs authorization: {reason}"),
    )
    .with_hint(sign_in_again(integration, id))
}

/// What to do about a connection whose person has to come.
pub fn sign_in_again(integration: &str, id: &str) -> String {
    let (integration, id) = (shell::word(integration), shell::word(id));
    format!("sign in again: `engine connect {integration} --connection={id}`")
}
