//! Damage: of a row, of the file, and files that are none of ours.

use std::fs;

use rusqlite::Connection as Database;

use crate::{
    store::{
        error::Error,
        ports::accounts::AccountQuery,
        suite::{
            on_disk::{folder, open_at, refused, store, wait},
            subject::{add, is, key, new, open},
        },
    },
    vault::KeySource,
};

#[test]
fn rows_that_were_moved_do_not_open() {
    let folder = folder();
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    wait(add(&one, new("slack", "bob", "t")));
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    let bob = "account = (SELECT number FROM accounts WHERE id = 'bob')";
    for change in [
        // Whoever moves a row on purpose moves its checksum as well.
        format!(
            "UPDATE secrets SET (sealed, checksum) = (SELECT sealed, checksum FROM secrets WHERE NOT {bob}) WHERE {bob}"
        ),
        format!("UPDATE secrets SET sealed = x'' WHERE {bob}"),
        format!("DELETE FROM secrets WHERE {bob}"),
    ] {
        raw.execute(&change, []).unwrap();
        let opened = wait(one.secrets.open(&key("slack", "bob")));
        assert!(matches!(opened, Err(Error::Tampered { .. })), "{change}");
        let shown = wait(one.accounts.get(&key("slack", "bob"))).unwrap().unwrap();
        assert_eq!(shown.status.as_str(), "damaged", "{change}");
        assert!(is(&wait(open(&one, &key("slack", "alice"))), "t"));
    }
}

#[test]
fn files_that_are_no_store_are_refused_untouched() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    fs::write(&path, "this is a text that is long enough to be taken for a header".repeat(9))
        .unwrap();
    assert_eq!(refused(&path, KeySource::Beside), "store.corrupt");
    fs::remove_file(&path).unwrap();
    let foreign = Database::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(foreign);
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path, KeySource::Beside), "store.corrupt");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!folder.path().join("key").exists());
    fs::remove_file(&path).unwrap();
    drop(store(&folder));
    let raw = Database::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert_eq!(refused(&path, KeySource::Beside), "store.newer");
    let in_the_way = folder.path().join("folder");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(refused(&in_the_way, KeySource::Beside), "store.unusable");
    assert_eq!(refused(&path.join("below"), KeySource::Beside), "store.unusable");
}

#[test]
fn a_damaged_store_is_an_error_and_no_panic() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    let one = store(&folder);
    let many = (0..200).map(|number| new("slack", &format!("c{number}"), "t")).collect();
    wait(one.accounts.add_many(many)).unwrap();
    drop(one);
    let whole = fs::read(&path).unwrap();
    for (name, bytes) in [
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("cut in the head", whole[..50].to_vec()),
        ("overwritten", [&whole[..4096], &vec![0xa5; whole.len() - 4096]].concat()),
    ] {
        fs::write(&path, bytes).unwrap();
        let query = AccountQuery { limit: 1000, ..AccountQuery::default() };
        let found = open_at(&path, KeySource::Beside)
            .and_then(|store| wait(store.accounts.page(query)).map(|_| ()));
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{name}: {found:?}");
    }
}
