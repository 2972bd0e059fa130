//! Single owners.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection as Database, OptionalExtension};

use crate::{
    clock::Clock,
    store::{
        ports::{StoreFuture, leases::Leases},
        process,
        sqlite::{
            fault::Fault,
            file::Sqlite,
            secrets::{End, here, ms},
        },
    },
};

impl Leases for Sqlite {
    fn take<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        term: Duration,
    ) -> StoreFuture<'a, Option<i64>> {
        let wanted = Wanted { key: key.to_owned(), holder: here(holder), term };
        let clock = Arc::clone(&self.clock);
        self.record(move |db| take(db, &*clock, &wanted))
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        let (key, holder) = (key.to_owned(), here(holder));
        self.record(move |db| {
            // The row stays, and with it the fence.
            db.prepare_cached(
                "UPDATE leases SET holder = '', until = 0, boot = '', boot_until = 0
                WHERE key = ?1 AND holder = ?2",
            )?
            .execute([key, holder])?;
            Ok(())
        })
    }
}

/// A lease that is asked for.
struct Wanted {
    key: String,
    holder: String,
    term: Duration,
}

fn take(db: &Database, clock: &dyn Clock, wanted: &Wanted) -> Result<Option<i64>, Fault> {
    let Wanted { key, holder, term } = wanted;
    let row = db
        .prepare_cached("SELECT fence, holder, until, boot, boot_until FROM leases WHERE key = ?1")?
        .query_row([key], |row| {
            let lease = process::Lease {
                holder: row.get(1)?,
                until: row.get(2)?,
                boot: row.get(3)?,
                boot_until: row.get(4)?,
            };
            Ok((row.get::<_, i64>(0)?, lease))
        })
        .optional()?;
    let (fence, lease) = row.unwrap_or_default();
    let mine = lease.holder == *holder;
    if !mine && lease.holds(clock.now().0, ms(clock.boot()), ms(*term)) {
        return Ok(None);
    }
    let (fence, end) = (fence + i64::from(!mine), End::of(clock, *term));
    db.prepare_cached(
        "INSERT INTO leases (key, holder, fence, until, boot, boot_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, fence = excluded.fence,
            until = excluded.until, boot = excluded.boot, boot_until = excluded.boot_until",
    )?
    .execute((key, holder, fence, end.wall, end.boot, end.boot_until))?;
    Ok(Some(fence))
}
