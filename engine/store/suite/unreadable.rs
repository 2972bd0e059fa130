//! Columns that nobody can read: one row is harmed, not its table.

use rusqlite::Connection as Database;
use serde_json::json;

use crate::{
    model::{
        account::{AccountKey, AccountStatus},
        time::Timestamp,
    },
    store::{
        error::Error,
        ports::{
            accounts::{AccountFilter, AccountQuery, NewAccount},
            consents::{ConsentResult, ConsentTake},
            runs::RunFilter,
        },
        rotation,
        suite::{
            on_disk::{folder, store, wait},
            records::{attempt, consent, run},
            subject::{add, is, key, new, open},
        },
    },
};

/// Each in its turn: shown as damaged beside the sound one, not used, replaced, deleted.
#[test]
fn a_column_that_cannot_be_read_harms_its_account_alone() {
    let folder = folder();
    let one = store(&folder);
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    let (bad, other) = (key("slack", "bad"), key("slack", "other"));
    wait(add(&one, new("slack", "other", "t")));
    for (table, change) in [
        ("accounts", "metadata = '{'"),
        ("accounts", "connection_config = 'x'"),
        ("accounts", "scopes = '{}'"),
        ("accounts", "scopes = '['"),
        ("accounts", "status = 'asleep'"),
        ("accounts", "incarnation = CAST(x'ff' AS TEXT)"),
        ("accounts", "account_name = CAST(x'ff' AS TEXT)"),
        ("accounts", "end_user_id = CAST(x'ff' AS TEXT)"),
        ("accounts", "failures = -1"),
        ("secrets", "names = '['"),
        ("secrets", "refresh_failure = CAST(x'ff' AS TEXT)"),
    ] {
        let number = wait(add(&one, new("slack", "bad", "t"))).number;
        let (account, harm) = match table {
            "secrets" => ("account", format!("UPDATE secrets SET {change}")),
            _ => ("number", format!("UPDATE accounts SET {change}")),
        };
        raw.execute(&format!("{harm} WHERE {account} = ?1"), [number]).unwrap();
        let page = wait(one.accounts.page(AccountQuery { limit: 9, ..AccountQuery::default() }));
        let status: Vec<_> = page.unwrap().accounts.iter().map(|one| one.status.as_str()).collect();
        assert_eq!(status, ["damaged", "active"], "{change}");
        for (wanted, id) in [(AccountStatus::Damaged, "bad"), (AccountStatus::Active, "other")] {
            let filter = AccountFilter { status: Some(wanted), ..AccountFilter::default() };
            assert_eq!(wait(one.accounts.count(filter.clone())).unwrap(), 1, "{change}");
            let query = AccountQuery { filter, limit: 9, ..AccountQuery::default() };
            let page = wait(one.accounts.page(query)).unwrap();
            assert_eq!((page.accounts.len(), &*page.accounts[0].id), (1, id), "{change}");
        }
        let used = wait(one.secrets.open(&bad));
        assert!(matches!(used, Err(Error::Tampered { .. })), "{change}");
        assert!(is(&wait(open(&one, &other)), "t"), "{change}");
        let again = NewAccount { replace: true, ..new("slack", "bad", "mended") };
        assert_eq!(wait(add(&one, again)).status.as_str(), "active", "{change}");
        assert!(is(&wait(open(&one, &bad)), "mended"), "{change}");
        raw.execute(&format!("{harm} WHERE {account} = ?1"), [number]).unwrap();
        assert!(wait(one.accounts.retire(&bad, false)).unwrap(), "{change}");
    }
}

/// Its sealing key is lost, or its row was changed.
#[test]
fn a_sign_in_that_does_not_open_harms_itself_alone() {
    let folder = folder();
    let one = store(&folder);
    for hash in ["lost", "sound"] {
        let consent = consent(hash, Timestamp(i64::MAX));
        wait(one.consents.put(consent)).unwrap();
    }
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    // The id of the key that sealed it.
    let harm = "UPDATE consents SET sealed = CAST(substr(sealed, 1, 1) || x'0000000000000000'
        || substr(sealed, 10) AS BLOB) WHERE state_hash = 'lost'";
    assert_eq!(raw.execute(harm, []).unwrap(), 1);
    assert!(matches!(wait(one.consents.take("lost")), Err(Error::Tampered { .. })));
    assert!(matches!(wait(one.consents.take("sound")), Ok(ConsentTake::Taken(_))));
    // Who waits for it can be told.
    wait(one.consents.finish("lost", json!({"failed": 1}), None)).unwrap();
    assert_eq!(wait(one.consents.take("lost")), Ok(ConsentTake::Used));
    assert_eq!(wait(one.consents.result("lost")), Ok(ConsentResult::Done(json!({"failed": 1}))));
}

#[test]
fn an_account_whose_name_cannot_be_read_is_known_by_its_number() {
    let folder = folder();
    let one = store(&folder);
    for id in ["a", "b", "c", "d"] {
        wait(add(&one, new("slack", id, id)));
    }
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    raw.execute_batch("UPDATE accounts SET id = CAST(x'62ff' AS TEXT) WHERE id = 'b'").unwrap();
    let (mut query, mut found) = (AccountQuery { limit: 2, ..AccountQuery::default() }, vec![]);
    loop {
        let page = wait(one.accounts.page(query.clone())).unwrap();
        found.extend(page.accounts.into_iter().map(|account| account.id.to_string()));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, ["a", "#2", "c", "d"]);
    let rotated = wait(rotation::rotate(&one)).unwrap();
    assert_eq!((rotated.made, rotated.resealed), (true, 3));
    let numbered = AccountKey::numbered(2);
    let shown = wait(one.accounts.get(&numbered)).unwrap().unwrap();
    assert_eq!((shown.status, shown.key()), (AccountStatus::Damaged, numbered.clone()));
    assert!(matches!(wait(one.secrets.open(&numbered)), Err(Error::Tampered { .. })));
    // The others are known by their names.
    let other = AccountKey::numbered(1);
    assert!(wait(one.accounts.get(&other)).unwrap().is_none());
    assert!(!wait(one.accounts.retire(&other, false)).unwrap());
    assert!(wait(one.accounts.retire(&numbered, true)).unwrap());
    assert!(wait(one.accounts.get(&numbered)).unwrap().is_none());
    assert_eq!(wait(one.accounts.count(AccountFilter::default())).unwrap(), 3);
}

#[test]
fn a_record_of_a_newer_version_is_shown_and_hides_no_other() {
    let folder = folder();
    let one = store(&folder);
    for (id, at) in [("known", 1), ("newer", 2), ("broken", 3)] {
        wait(one.runs.begin(run(id, at))).unwrap();
    }
    wait(one.runs.finish(run("newer", 2), vec![attempt(0)])).unwrap();
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    raw.execute_batch(
        r#"UPDATE runs SET status = 'paused', failure = '{"code": "quota", "message": "used up"}'
            WHERE id = 'newer';
        UPDATE runs SET status = 'failed', failure = '[1' WHERE id = 'broken';
        UPDATE attempts SET detail = '{', outcome = 'later';"#,
    )
    .unwrap();
    let page = wait(one.runs.page(RunFilter { limit: 9, ..RunFilter::default() })).unwrap();
    let shown: Vec<_> = page
        .iter()
        .map(|run| {
            let message = run.failure.as_ref().map(|failure| failure.message.as_str());
            (run.id.as_str(), run.status.as_str(), message)
        })
        .collect();
    let newer = ("newer", "failed", Some("quota: used up"));
    assert_eq!(shown, [("broken", "failed", Some("[1")), newer, ("known", "running", None)]);
    assert_eq!(wait(one.runs.attempts("newer")).unwrap()[0].outcome, "unknown");
}
