//! Accounts, their pages, and a damaged one.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use crate::{
    clock::Clock,
    model::{
        account::{AccountStatus, EndUser},
        name::ConnectionId,
        time::Timestamp,
    },
    store::{
        error::Error,
        ports::accounts::{AccountFilter, AccountOrder, AccountQuery, Choice, NewAccount, Use},
        suite::subject::{Subject, add, is, key, new, open},
    },
};

cases! { accounts:
    accounts_come_back_as_they_went
    one_is_chosen_by_being_alone_or_default
    pages_are_filtered_sorted_and_whole
    a_status_that_is_filtered_by_is_the_one_that_is_shown
    a_change_needs_the_version_that_it_was_made_from
    uses_are_noted_by_what_they_were
    a_damaged_row_harms_itself_alone
}

/// A case.
pub async fn accounts_come_back_as_they_went(subject: Subject) {
    let store = &subject.store;
    let mut given = new("slack", "User@x.com|a b", "t1");
    let account = &mut given.connection.account;
    account.connection_config = json!({"b": 1, "a": 12_345_678_901_234_567_890_u64});
    account.metadata = json!({"team": "blue"});
    account.tags = BTreeMap::from([("plan".to_owned(), "pro".to_owned())]);
    account.end_user =
        Some(EndUser { id: "u1".to_owned(), email: None, display_name: Some("U".to_owned()) });
    account.scopes = Some(vec!["read".to_owned()]);
    account.account_id = Some("U1".to_owned());
    account.sandbox = true;
    let stored = add(store, given.clone()).await;
    assert!(stored.number > 0);
    let found = open(store, &stored.key()).await;
    let mut expected = given.connection.account.clone();
    expected.number = stored.number;
    expected.credential_names = vec!["access_token".to_owned()];
    expected.expires_at = Some(Timestamp(9));
    assert_eq!(format!("{:?}", found.account), format!("{expected:?}"));
    assert_eq!(found.secrets.credentials, given.connection.secrets.credentials);
    assert!(store.accounts.get(&key("slack", "bob")).await.unwrap().is_none());
    let twice =
        store.accounts.add_many(vec![given.clone(), new("slack", "b", "t2")]).await.unwrap();
    assert!(matches!(twice[0], Err(Error::Exists { .. })));
    assert!(twice[1].is_ok(), "one that is refused keeps none of the others out");
    // Replaced: new credentials, the same account.
    subject.clock.pass(Duration::from_secs(1));
    let mut again = new("slack", "User@x.com|a b", "t3");
    again.replace = true;
    let replaced = add(store, again).await;
    assert_eq!(replaced.number, stored.number);
    assert_eq!(replaced.incarnation, stored.incarnation);
    assert_eq!(replaced.metadata, json!({"team": "blue"}));
    assert_eq!((replaced.tags.len(), replaced.end_user.is_some()), (1, true));
    assert!(is(&open(store, &stored.key()).await, "t3"));
    assert!(store.accounts.retire(&stored.key(), false).await.unwrap());
    assert!(!store.accounts.retire(&stored.key(), false).await.unwrap());
    let anew = add(store, given).await;
    assert_ne!(anew.number, stored.number, "a number is given once");
}

/// A case.
pub async fn uses_are_noted_by_what_they_were(subject: Subject) {
    let store = &subject.store;
    let at = key("slack", "a");
    add(store, new("slack", "a", "t")).await;
    let noted = async || {
        // What waits is written before what comes behind it.
        store.leases.release("none", "me").await.unwrap();
        let account = store.accounts.get(&at).await.unwrap().unwrap();
        (account.last_fetched_at, account.last_used_at)
    };
    let first = Some(subject.clock.now());
    store.accounts.touch(at.clone(), Use::Fetch);
    assert_eq!(noted().await, (first, None));
    subject.clock.pass(Duration::from_secs(1));
    let second = Some(subject.clock.now());
    store.accounts.touch(at.clone(), Use::Run);
    assert_eq!(noted().await, (second, second));
    subject.clock.pass(Duration::from_secs(1));
    store.accounts.touch(at.clone(), Use::Fetch);
    assert_eq!(noted().await, (Some(subject.clock.now()), second));
}

/// A case.
pub async fn one_is_chosen_by_being_alone_or_default(subject: Subject) {
    let store = &subject.store;
    let slack = "slack".parse().unwrap();
    let choose = || store.accounts.choose(&slack);
    assert!(matches!(choose().await.unwrap(), Choice::None));
    add(store, new("github", "default", "t")).await;
    add(store, new("slack", "b", "t")).await;
    let one = |choice: Choice| {
        let Choice::One(account) = choice else { panic!("{choice:?}") };
        account.id
    };
    assert_eq!(one(choose().await.unwrap()), "b");
    add(store, new("slack", "a", "t")).await;
    let choice = choose().await.unwrap();
    let Choice::Several(ids) = choice else { panic!("{choice:?}") };
    assert_eq!(ids, ["a", "b"]);
    add(store, new("slack", "default", "t")).await;
    assert_eq!(one(choose().await.unwrap()), "default");
}

/// A case.
pub async fn pages_are_filtered_sorted_and_whole(subject: Subject) {
    let store = &subject.store;
    for number in 0..25_i64 {
        let mut one =
            new(if number % 5 == 0 { "github" } else { "slack" }, &format!("c{number:02}"), "t");
        one.connection.account.created_at = Timestamp(number / 2);
        let plan = if number % 2 == 0 { "pro" } else { "free" };
        one.connection.account.tags.insert("plan".to_owned(), plan.to_owned());
        one.connection.account.account_name = Some(format!("Name {number}"));
        add(store, one).await;
    }
    let read = async |filter: AccountFilter, order: AccountOrder| -> Vec<ConnectionId> {
        let mut query = AccountQuery { filter, order, after: None, limit: 4 };
        let mut ids = Vec::new();
        loop {
            let page = store.accounts.page(query.clone()).await.unwrap();
            ids.extend(page.accounts.into_iter().map(|account| account.id));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return ids,
            }
        }
    };
    let all = read(AccountFilter::default(), AccountOrder::Name).await;
    assert_eq!((all.len(), &*all[0], &*all[5]), (25, "c00", "c01"));
    let id = |number: u32| format!("c{number:02}").parse().unwrap();
    let mut made: Vec<ConnectionId> = (0..25).rev().map(id).collect();
    let newest = read(AccountFilter::default(), AccountOrder::Created).await;
    assert_eq!(newest, made, "those of one moment by their numbers");
    // The one that was changed last comes first.
    subject.clock.pass(Duration::from_secs(1));
    let third = store.accounts.get(&key("slack", "c03")).await.unwrap().unwrap();
    store.accounts.change(third).await.unwrap();
    made.retain(|other| *other != id(3));
    made.insert(0, id(3));
    assert_eq!(read(AccountFilter::default(), AccountOrder::Updated).await, made);
    let github =
        AccountFilter { integration: Some("github".to_owned()), ..AccountFilter::default() };
    let newest = ["c20", "c15", "c10", "c05", "c00"];
    assert_eq!(read(github.clone(), AccountOrder::Updated).await, newest);
    assert_eq!(read(github.clone(), AccountOrder::Created).await, newest);
    let by_name = ["c00", "c05", "c10", "c15", "c20"];
    assert_eq!(read(github.clone(), AccountOrder::Name).await, by_name);
    let tags = BTreeMap::from([("plan".to_owned(), "pro".to_owned())]);
    let pro = AccountFilter { tags, ..github };
    assert_eq!(read(pro.clone(), AccountOrder::Name).await, ["c00", "c10", "c20"]);
    assert_eq!(store.accounts.count(pro).await.unwrap(), 3);
    let named = AccountFilter { search: Some("nAME 7".to_owned()), ..AccountFilter::default() };
    assert_eq!(read(named, AccountOrder::Name).await, ["c07"]);
    let mut school = new("slack", "school", "t");
    school.connection.account.account_name = Some("École".to_owned());
    add(store, school).await;
    for (text, found) in [("École", 1), ("éCOLE", 0), ("ÉCOLE", 1)] {
        let search = Some(text.to_owned());
        let filter = AccountFilter { search, ..AccountFilter::default() };
        assert_eq!(store.accounts.count(filter).await.unwrap(), found, "{text}");
    }
}

/// A case. An account has one status, for lists and for filters alike.
pub async fn a_status_that_is_filtered_by_is_the_one_that_is_shown(subject: Subject) {
    let store = &subject.store;
    let all = [
        AccountStatus::Active,
        AccountStatus::NeedsAuthorization,
        AccountStatus::Revoked,
        AccountStatus::Damaged,
    ];
    for number in 0..24 {
        let mut one = new("slack", &format!("c{number:02}"), "t");
        one.connection.account.status = all[number % 3];
        let stored = add(store, one).await;
        if number % 4 == 3 {
            (subject.damage)(&stored.key());
        }
    }
    let mut query = AccountQuery { limit: 100, ..AccountQuery::default() };
    let shown = store.accounts.page(query.clone()).await.unwrap().accounts;
    assert_eq!(shown.iter().filter(|one| one.status == AccountStatus::Damaged).count(), 6);
    for status in all {
        let expected: Vec<_> =
            shown.iter().filter(|one| one.status == status).map(|one| one.id.clone()).collect();
        assert_eq!(expected.len(), 6, "{status:?}");
        query.filter.status = Some(status);
        query.limit = 4;
        query.after = None;
        let count = store.accounts.count(query.filter.clone()).await.unwrap();
        assert_eq!(count, 6, "{status:?}");
        let mut found = Vec::new();
        for full in [4, 2] {
            let page = store.accounts.page(query.clone()).await.unwrap();
            assert_eq!(page.accounts.len(), full, "{status:?}");
            found.extend(page.accounts.into_iter().map(|one| one.id));
            query.after = page.next;
        }
        assert_eq!(found, expected, "{status:?}");
    }
}

/// A case.
pub async fn a_change_needs_the_version_that_it_was_made_from(subject: Subject) {
    let store = &subject.store;
    let mut first = add(store, new("slack", "alice", "t")).await;
    let second = first.clone();
    first.metadata = json!({"a": 1});
    first.tags.insert("x".to_owned(), "y".to_owned());
    first.account_id = Some("acct".to_owned());
    first.connection_config = json!({"site": "north"});
    let changed = store.accounts.change(first).await.unwrap();
    let values = (changed.account_id.as_deref(), &changed.connection_config);
    assert_eq!(values, (Some("acct"), &json!({"site": "north"})));
    assert_eq!((changed.version, &changed.metadata, changed.tags.len()), (2, &json!({"a": 1}), 1));
    let overtaken = store.accounts.change(second).await;
    assert!(matches!(overtaken, Err(Error::Changed { .. })));
    let opened = open(store, &changed.key()).await;
    assert_eq!(opened.secrets.generation, 1, "metadata is no token");
}

/// A case.
pub async fn a_damaged_row_harms_itself_alone(subject: Subject) {
    let store = &subject.store;
    for id in ["one", "two", "three"] {
        add(store, new("slack", id, id)).await;
    }
    let broken = key("slack", "three");
    (subject.damage)(&broken);
    let page = store.accounts.page(AccountQuery { limit: 9, ..AccountQuery::default() });
    let status: Vec<_> =
        page.await.unwrap().accounts.iter().map(|one| (one.id.clone(), one.status)).collect();
    let (fine, damaged) = (AccountStatus::Active, AccountStatus::Damaged);
    let expected = [("one", fine), ("three", damaged), ("two", fine)];
    assert_eq!(status, expected.map(|(id, status)| (id.parse().unwrap(), status)));
    let shown = store.accounts.get(&broken).await.unwrap().unwrap();
    assert_eq!(shown.status, damaged);
    let filter = AccountFilter { status: Some(damaged), ..AccountFilter::default() };
    assert_eq!(store.accounts.count(filter).await.unwrap(), 1);
    assert!(matches!(store.secrets.open(&broken).await, Err(Error::Tampered { .. })));
    assert!(is(&open(store, &key("slack", "one")).await, "one"));
    let again = NewAccount { replace: true, ..new("slack", "three", "mended") };
    assert_eq!(add(store, again).await.status, fine);
    assert!(is(&open(store, &broken).await, "mended"));
    (subject.damage)(&broken);
    assert!(store.accounts.retire(&broken, false).await.unwrap());
}
