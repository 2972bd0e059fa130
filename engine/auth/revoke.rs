//! Takes tokens back at the vendor (RFC 7009, or the blueprint's own request), and forgets them.

use serde_json::json;

use crate::{
    auth::{
        lease::{Lease, Need, World, broken, lease, read},
        request,
        scope::SignInScope,
        send::{self, TokenOutcome, TokenRequest},
    },
    model::{
        account::{AccountStatus, Connection},
        auth::{AuthMode, AuthRequest},
        blueprint::Integration,
        failure::{Code, Failure},
    },
    render::shell,
    store::{Basis, Retraction},
};

/// How often a write whose fate is unknown is tried.
const WRITES: u32 = 3;
/// What is forgotten when the vendor took it back.
const TOKENS: [&str; 2] = ["access_token", "refresh_token"];

/// What came of a revocation at the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// The vendor took the tokens back.
    Done,
    /// The blueprint names no request for it.
    Unknown,
    /// It did not work this time.
    Failed(String),
}

/// Asks the vendor to take the tokens of a connection back.
pub async fn revoke(with: TokenRequest<'_>) -> Revoked {
    let Some(revoke) = revocation(&with.integration.blueprint.auth.mode) else {
        return Revoked::Unknown;
    };
    let roots = SignInScope::new(with.integration, with.connection, with.now);
    let request = match request::own_request(revoke, &roots, &json!({})) {
        Ok(request) => request,
        Err(fault) => return Revoked::Failed(fault.message),
    };
    match send::send(with, &request, revoke.accept, &[]).await {
        // What the vendor does not know any more is taken back already (RFC 7009, section 2.2).
        Ok(_) | Err(TokenOutcome::Dead { .. }) => Revoked::Done,
        Err(
            TokenOutcome::NotNow { reason, .. }
            | TokenOutcome::Refused { reason }
            | TokenOutcome::Impossible { reason },
        ) => Revoked::Failed(reason),
        Err(TokenOutcome::Pending(_) | TokenOutcome::Tokens(_) | TokenOutcome::Rotated { .. }) => {
            Revoked::Failed("the endpoint answered another question".to_owned())
        }
    }
}

/// Whether the blueprint names a request that takes tokens back.
pub fn can_revoke(integration: &Integration) -> bool {
    revocation(&integration.blueprint.auth.mode).is_some()
}

fn revocation(mode: &AuthMode) -> Option<&AuthRequest> {
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

/// Takes the tokens of a stored connection back, whichever it has by now, and marks it `revoked`.
///
/// Under the lease of a refresh: neither does one spend the tokens meanwhile, nor does one that
/// comes later bring them back.
pub async fn once(world: &World, integration: &Integration, of: &Basis) -> Result<(), Failure> {
    let need = |connection: &Connection| {
        Ok(match connection.account.status {
            AccountStatus::Revoked => Need::Nothing,
            AccountStatus::Active | AccountStatus::NeedsAuthorization | AccountStatus::Damaged => {
                Need::Lease
            }
        })
    };
    let (connection, leased) = match lease(world, of, need).await? {
        Lease::Granted(connection, leased) => (connection, leased),
        Lease::NotNeeded(_) => return Ok(()),
    };
    let revoked = if connection.account.sandbox {
        Revoked::Done
    } else {
        let now = world.clock.now();
        let connection = &*connection;
        let with = TokenRequest { wire: &*leased, integration, connection, now, secrets: &[] };
        leased.during(revoke(with)).await
    };
    let refused = match revoked {
        Revoked::Done => return forget(world, *connection).await,
        Revoked::Unknown => {
            let message =
                format!("`{}` knows no way to take tokens back", integration.blueprint.id);
            Failure::new(Code::InvalidInput, message)
                .with_hint("do it at the vendor's site, then `engine connections delete`")
        }
        Revoked::Failed(reason) => Failure::new(
            Code::ProviderError,
            format!("the vendor did not take the tokens back: {reason}"),
        ),
    };
    leased.release().await;
    Err(refused)
}

/// Removes tokens that were taken back from the store, if they are still what it holds.
async fn forget(world: &World, mut connection: Connection) -> Result<(), Failure> {
    let basis = Basis::of(&connection);
    let credentials = &mut connection.secrets.credentials;
    credentials.fields.retain(|name, _| !TOKENS.contains(&name.as_str()));
    credentials.raw = None;
    credentials.expires_at = None;
    let retraction = Retraction {
        basis: basis.clone(),
        credentials: connection.secrets.credentials,
        reason: "its tokens were taken back".to_owned(),
    };
    let mut tries = 1;
    loop {
        match world.secrets.retract(retraction.clone()).await {
            Ok(true) => return Ok(()),
            Ok(false) => break,
            // Whether it was written is not known: if it was, the repeat finds it done.
            Err(_) if tries < WRITES => tries += 1,
            Err(error) => {
                let Failure { message, .. } = broken(&error);
                let message = format!(
                    "the vendor took the tokens of {} back, and that could not be stored: {message}",
                    basis.key
                );
                return Err(Failure::new(Code::Internal, message)
                    .with_hint("make the store writable, and revoke the connection again"));
            }
        }
    }
    let found = read(world, &basis).await.map_err(|failure| {
        let message = format!("the tokens were taken back; {}", failure.message);
        Failure { message, ..failure }
    })?;
    if found.account.status == AccountStatus::Revoked {
        return Ok(());
    }
    let (name, id) = (shell::word(&basis.key.integration), shell::word(&basis.key.id));
    let message = format!(
        "the tokens of {} were taken back, and it was given new ones meanwhile, which it keeps",
        basis.key
    );
    Err(Failure::new(Code::Conflict, message).with_hint(format!(
        "to take those back as well: `engine connections revoke {name} --connection={id}`"
    )))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt;
    use serde_json::json;

    use crate::{
        auth::scene::{Scene, tokens},
        model::{
            account::{AccountStatus, Connection},
            failure::{Code, Failure},
        },
        store::{Basis, NewAccount, Store, suite},
    };

    /// What happens in the store while the vendor works on its answer.
    type Meanwhile = Arc<Mutex<Option<(Store, fn(&Store))>>>;

    async fn scene(meanwhile: fn(&Store)) -> (Scene, Connection) {
        let hands = Meanwhile::default();
        let taken = Arc::clone(&hands);
        let scene = Scene::new(move |_| {
            if let Some((store, meanwhile)) = taken.lock().unwrap().take() {
                meanwhile(&store);
            }
            Ok((200, json!({})))
        });
        let connection = scene.connect().await;
        *hands.lock().unwrap() = Some((scene.subject.store.clone(), meanwhile));
        (scene, connection)
    }

    async fn revoke(scene: &Scene, of: &Connection) -> Result<(), Failure> {
        scene.keeper.revoke(&scene.integration, Basis::of(of)).await
    }

    #[tokio::test]
    async fn tokens_that_were_taken_back_are_forgotten_and_the_rest_stays() {
        let (scene, seen) = scene(|_| {}).await;
        // What was changed since it was looked at is no concern of the revocation.
        let mut edited = seen.account.clone();
        edited.metadata = json!({"plan": "x"});
        scene.subject.store.accounts.change(edited).await.unwrap();
        revoke(&scene, &seen).await.unwrap();
        let stored = scene.stored().await;
        assert_eq!(stored.account.status, AccountStatus::Revoked);
        assert_eq!(stored.account.metadata, json!({"plan": "x"}));
        assert!(stored.secrets.credentials.fields.is_empty());
        assert!(stored.secrets.credentials.raw.is_none());
        revoke(&scene, &seen).await.unwrap();
        assert_eq!(scene.asked(), 1, "there is nothing left to take back");
    }

    #[tokio::test]
    async fn the_tokens_that_are_stored_by_then_are_taken_back() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let seen = scene.connect().await;
        scene.refresh(&seen, true).await;
        revoke(&scene, &seen).await.unwrap();
        let sent = scene.last();
        assert!(sent.contains("refresh-2"), "{sent}");
        assert_eq!(scene.stored().await.account.status, AccountStatus::Revoked);
        // Nothing refreshes it any more.
        assert!(scene.keeper.renew(&scene.integration, &seen).await.is_err());
        assert_eq!(scene.asked(), 2);
    }

    #[tokio::test]
    async fn a_sign_in_meanwhile_keeps_its_tokens_and_is_told_of() {
        let (scene, seen) = scene(|store| {
            let new = NewAccount { replace: true, ..suite::new("hubspot", "default", "newer") };
            suite::add(store, new).now_or_never().unwrap();
        })
        .await;
        let failure = revoke(&scene, &seen).await.unwrap_err();
        assert_eq!(failure.code, Code::Conflict);
        assert!(failure.message.contains("given new ones meanwhile"), "{}", failure.message);
        let stored = scene.stored().await;
        assert!(suite::is(&stored, "newer"));
        assert_eq!(stored.account.status, AccountStatus::Active);
    }

    #[tokio::test]
    async fn an_account_that_is_deleted_meanwhile_stays_deleted() {
        let (scene, seen) = scene(|store| {
            let key = suite::key("hubspot", "default");
            store.accounts.retire(&key, false).now_or_never().unwrap().unwrap();
        })
        .await;
        let failure = revoke(&scene, &seen).await.unwrap_err();
        assert!(failure.message.contains("does not exist any more"), "{}", failure.message);
        let key = suite::key("hubspot", "default");
        assert!(scene.subject.store.accounts.get(&key).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_refusal_gives_the_lease_back_and_changes_nothing() {
        let scene = Scene::new(|number| match number {
            1 => Ok((503, json!({}))),
            _ => Ok(tokens(number)),
        });
        let seen = scene.connect().await;
        let failure = revoke(&scene, &seen).await.unwrap_err();
        assert_eq!(failure.code, Code::ProviderError);
        assert!(suite::is(&scene.stored().await, "access-1"));
        assert!(scene.keeper.renew(&scene.integration, &seen).await.is_ok(), "it is free again");
    }

    #[tokio::test]
    async fn a_sandbox_connection_asks_nobody() {
        let scene = Scene::new(|_| panic!("nobody is asked"));
        let mut new = suite::new("hubspot", "default", "t");
        new.connection.account.sandbox = true;
        suite::add(&scene.subject.store, new).await;
        revoke(&scene, &scene.stored().await).await.unwrap();
        assert_eq!(scene.stored().await.account.status, AccountStatus::Revoked);
    }

    #[tokio::test]
    async fn tokens_that_wait_for_the_disk_are_those_that_are_taken_back() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let seen = scene.connect().await;
        scene.refuse(usize::MAX);
        assert!(scene.keeper.renew(&scene.integration, &seen).await.is_ok());
        let failure = revoke(&scene, &seen).await.unwrap_err();
        assert!(failure.message.contains("not stored yet"), "{}", failure.message);
        scene.refuse(0);
        revoke(&scene, &seen).await.unwrap();
        assert!(scene.last().contains("refresh-2"), "{}", scene.last());
    }

    #[tokio::test]
    async fn a_blueprint_without_a_way_says_what_to_do() {
        let mut scene = Scene::new(|_| panic!("nobody is asked"));
        scene.change(|oauth| oauth.revoke = None);
        let seen = scene.connect().await;
        let failure = revoke(&scene, &seen).await.unwrap_err();
        assert_eq!(failure.code, Code::InvalidInput);
        assert!(failure.hint.unwrap().contains("vendor's site"));
        assert!(suite::is(&scene.stored().await, "access-1"));
    }
}
