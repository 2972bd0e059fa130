//! Keys: the wrong one, a lost one, and one that takes over.

use std::{fs, time::Duration};

use crate::{
    diagnostic::Explain,
    model::secret::Secret,
    store::{
        ports::{
            accounts::AccountQuery,
            secrets::{Basis, LeaseAnswer, LeaseAsk, NewTokens},
        },
        rotation,
        suite::{
            on_disk::{folder, open_at, refused, store, wait},
            subject::{add, is, key, new, open},
        },
    },
    vault::KeySource,
};

#[test]
fn only_the_right_key_opens_a_store() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    let token_key = one.ring.token_key();
    drop(one);
    let before = fs::read(&path).unwrap();
    let text = fs::read_to_string(folder.path().join("key")).unwrap();
    let other = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    assert_eq!(refused(&path, KeySource::Text(Secret::new(other.to_owned()))), "store.wrong-key");
    assert_eq!(fs::read(&path).unwrap(), before, "nothing was written");
    assert_eq!(refused(&path, KeySource::Text(Secret::new("hello".to_owned()))), "store.key");
    let right = open_at(&path, KeySource::Text(Secret::new(text))).unwrap();
    assert_eq!(right.ring.token_key(), token_key);
    drop(right);
    let moved = folder.path().join("elsewhere");
    fs::rename(folder.path().join("key"), &moved).unwrap();
    assert_eq!(refused(&path, KeySource::Beside), "store.key");
    assert!(!folder.path().join("key").exists(), "no second key for sealed rows");
    let file = || KeySource::File(moved.clone());
    let found = open_at(&path, file()).unwrap();
    assert!(is(&wait(open(&found, &key("slack", "alice"))), "t"));
    drop(found);
    fs::write(&moved, "x".repeat(5000)).unwrap();
    assert_eq!(refused(&path, file()), "store.key");
    let missing = KeySource::File(folder.path().join("none"));
    assert_eq!(refused(&folder.path().join("new.db"), missing), "store.key");
}

#[test]
fn a_lost_key_harms_only_what_it_sealed() {
    let folder = folder();
    let one = store(&folder);
    wait(add(&one, new("slack", "old", "t1")));
    drop(one);
    let file = folder.path().join("key");
    let old = fs::read_to_string(&file).unwrap();
    // A rotation that stopped before anything was sealed again, and then the old key was lost.
    let one = store(&folder);
    assert!(wait(one.sealing.advance(true)).unwrap());
    wait(add(&one, new("slack", "new", "t2")));
    drop(one);
    let both = fs::read_to_string(&file).unwrap();
    fs::write(&file, both.replace(old.trim(), "")).unwrap();
    let one = store(&folder);
    let page = wait(one.accounts.page(AccountQuery { limit: 9, ..AccountQuery::default() }));
    let status: Vec<_> = page
        .unwrap()
        .accounts
        .iter()
        .map(|one| format!("{} {}", one.id, one.status.as_str()))
        .collect();
    assert_eq!(status, ["new active", "old damaged"]);
    assert!(is(&wait(open(&one, &key("slack", "new"))), "t2"));
    let rotated = wait(rotation::rotate(&one)).unwrap();
    assert!(rotated.made && rotated.resealed == 1, "{rotated:?}");
    assert!(wait(rotation::forget(&one)).unwrap().removed == 1);
    assert!(is(&wait(open(&one, &key("slack", "new"))), "t2"));
    fs::write(&file, format!("{}{old}", fs::read_to_string(&file).unwrap())).unwrap();
    drop(one);
    assert!(is(&wait(open(&store(&folder), &key("slack", "old"))), "t1"), "found again");
}

#[test]
fn who_cannot_seal_gets_no_lease() {
    let folder = folder();
    let one = store(&folder);
    let added = wait(add(&one, new("slack", "alice", "t")));
    let file = folder.path().join("key");
    let old = fs::read_to_string(&file).unwrap();
    // Another process has begun a rotation, with a key that this one cannot find.
    assert!(wait(store(&folder).sealing.advance(true)).unwrap());
    let both = fs::read_to_string(&file).unwrap();
    fs::write(&file, old).unwrap();
    let key = key("slack", "alice");
    let ask = LeaseAsk {
        key: key.clone(),
        incarnation: added.incarnation,
        generation: 1,
        holder: "one".to_owned(),
        term: Duration::from_mins(1),
    };
    assert_eq!(wait(one.secrets.lease(ask.clone())).unwrap_err().code(), "store.wrong-key");
    fs::write(&file, both).unwrap();
    assert!(matches!(wait(one.secrets.lease(ask)), Ok(LeaseAnswer::Granted(_))));
}

#[test]
fn a_key_that_takes_over_in_mid_refresh_loses_no_token() {
    let folder = folder();
    let one = store(&folder);
    let added = wait(add(&one, new("slack", "alice", "t1")));
    let ask = LeaseAsk {
        key: added.key(),
        incarnation: added.incarnation,
        generation: 1,
        holder: "one".to_owned(),
        term: Duration::from_mins(1),
    };
    let lease = |generation| {
        let answer = wait(one.secrets.lease(LeaseAsk { generation, ..ask.clone() })).unwrap();
        let LeaseAnswer::Granted(connection) = answer else { panic!("{answer:?}") };
        let credentials = new("slack", "alice", "renewed").connection.secrets.credentials;
        let basis = Basis::of(&connection);
        NewTokens { basis, credentials, scopes: None, saved: serde_json::Map::new() }
    };
    // All is sealed again between the lease and the answer.
    let tokens = lease(1);
    assert_eq!(wait(rotation::rotate(&one)).unwrap().resealed, 1);
    assert!(wait(one.secrets.keep(tokens)).unwrap());
    let found = wait(open(&one, &ask.key));
    assert!(is(&found, "renewed"));
    assert_eq!(found.secrets.generation, 2);
    // Another process takes a key into use that this one cannot find.
    let tokens = lease(2);
    let file = folder.path().join("key");
    let old = fs::read_to_string(&file).unwrap();
    assert!(wait(store(&folder).sealing.advance(true)).unwrap());
    fs::write(&file, old).unwrap();
    assert!(wait(one.secrets.keep(tokens)).unwrap(), "better sealed with an older key than lost");
    assert_eq!(wait(open(&one, &ask.key)).secrets.generation, 3);
}
