//! Requests that may be under way at once.

use std::sync::Arc;

use rusqlite::Connection as Database;

use crate::{
    clock::Clock,
    store::{
        ports::{
            StoreFuture,
            permits::{PermitAsk, Permits},
        },
        process,
        sqlite::{
            fault::Fault,
            file::Sqlite,
            secrets::{End, here, ms},
        },
    },
};

impl Permits for Sqlite {
    fn hold(&self, ask: PermitAsk) -> StoreFuture<'_, u32> {
        let clock = Arc::clone(&self.clock);
        self.record(move |db| hold(db, &*clock, &ask))
    }
}

fn hold(db: &Database, clock: &dyn Clock, ask: &PermitAsk) -> Result<u32, Fault> {
    let PermitAsk { bucket, holder, most, wanted, term } = ask;
    let me = here(holder);
    let mut statement = db.prepare_cached(
        "SELECT holder, places, until, boot, boot_until FROM permits WHERE bucket = ?1",
    )?;
    let all: Vec<(process::Lease, u32)> = statement
        .query_map([bucket], |row| {
            let lease = process::Lease {
                holder: row.get(0)?,
                until: row.get(2)?,
                boot: row.get(3)?,
                boot_until: row.get(4)?,
            };
            Ok((lease, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut free = *most;
    for (lease, places) in all.iter().filter(|(lease, _)| lease.holder != me) {
        if lease.holds(clock.now().0, ms(clock.boot()), ms(*term)) {
            free = free.saturating_sub(*places);
        } else {
            remove(db, bucket, &lease.holder)?;
        }
    }
    let places = free.min(*wanted);
    if places == 0 {
        remove(db, bucket, &me)?;
        return Ok(0);
    }
    let end = End::of(clock, *term);
    db.prepare_cached(
        "INSERT INTO permits (bucket, holder, places, until, boot, boot_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (bucket, holder) DO UPDATE SET places = excluded.places,
            until = excluded.until, boot = excluded.boot, boot_until = excluded.boot_until",
    )?
    .execute((bucket, me, places, end.wall, end.boot, end.boot_until))?;
    Ok(places)
}

fn remove(db: &Database, bucket: &str, holder: &str) -> Result<(), Fault> {
    let sql = "DELETE FROM permits WHERE bucket = ?1 AND holder = ?2";
    db.prepare_cached(sql)?.execute([bucket, holder])?;
    Ok(())
}
