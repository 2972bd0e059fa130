//! The keys of the server.

use crate::{
    model::api_key::ApiKey,
    store::{
        memory::state::Memory,
        ports::{StoreFuture, keys::Keys},
    },
};

impl Keys for Memory {
    fn create(&self, key: ApiKey) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            let (keys, revision) = &mut state.keys;
            keys.push(key);
            *revision += 1;
            Ok(())
        })
    }

    fn by_hash<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<ApiKey>> {
        self.at_once(move |state| Ok(state.keys.0.iter().find(|key| key.hash == hash).cloned()))
    }

    fn list(&self) -> StoreFuture<'_, Vec<ApiKey>> {
        self.at_once(|state| {
            let mut keys = state.keys.0.clone();
            keys.sort_by(|one, other| other.id.cmp(&one.id));
            keys.truncate(1000);
            Ok(keys)
        })
    }

    fn revoke<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<ApiKey>> {
        self.at_once(move |state| {
            let (keys, revision) = &mut state.keys;
            let Some(key) = keys.iter_mut().find(|key| key.id == id) else { return Ok(None) };
            if key.revoked_at.is_none() {
                key.revoked_at = Some(self.clock.now());
                *revision += 1;
            }
            Ok(Some(key.clone()))
        })
    }

    fn revision(&self) -> StoreFuture<'_, i64> {
        self.at_once(|state| Ok(state.keys.1))
    }

    fn used(&self, id: String) {
        let now = self.clock.now();
        if let Some(key) = self.state().keys.0.iter_mut().find(|key| key.id == id) {
            key.last_used_at = Some(now);
        }
    }
}
