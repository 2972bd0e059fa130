//! Sign-ins under way.

use serde_json::Value;

use crate::{
    model::time::Timestamp,
    store::{
        memory::{
            accounts,
            state::{Memory, SignIn},
        },
        ports::{
            StoreFuture,
            accounts::NewAccount,
            consents::{Consent, ConsentResult, ConsentTake, Consents},
        },
    },
};

impl Consents for Memory {
    fn put(&self, consent: Consent) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            let sign_in = SignIn { taken: false, result: None, consent };
            state.consents.insert(sign_in.consent.state_hash.clone(), sign_in);
            Ok(())
        })
    }

    fn take<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentTake> {
        self.at_once(move |state| {
            let now = self.clock.now();
            Ok(match state.consents.get_mut(state_hash) {
                None => ConsentTake::Unknown,
                Some(one) if one.taken => ConsentTake::Used,
                Some(one) if one.consent.expires_at <= now => ConsentTake::Expired,
                Some(one) => {
                    one.taken = true;
                    ConsentTake::Taken(Box::new(one.consent.clone()))
                }
            })
        })
    }

    fn finish<'a>(
        &'a self,
        state_hash: &'a str,
        result: Value,
        account: Option<NewAccount>,
    ) -> StoreFuture<'a, ()> {
        self.at_once(move |state| {
            if let Some(account) = account {
                accounts::add(state, &*self.clock, account)?;
            }
            if let Some(one) = state.consents.get_mut(state_hash) {
                one.taken = true;
                one.result = Some(result);
            }
            Ok(())
        })
    }

    fn result<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentResult> {
        self.at_once(move |state| {
            Ok(match state.consents.get(state_hash).map(|one| &one.result) {
                None => ConsentResult::Unknown,
                Some(None) => ConsentResult::Pending,
                Some(Some(result)) => ConsentResult::Done(result.clone()),
            })
        })
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let all = state.consents.len();
            state.consents.retain(|_, one| one.consent.expires_at >= before);
            Ok((all - state.consents.len()) as u64)
        })
    }
}
