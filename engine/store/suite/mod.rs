//! What every store must do, whatever it is made of: each case runs on each adapter.

/// Each case on each adapter.
macro_rules! cases {
    ($room:ident: $($case:ident)*) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $case() {
                crate::store::suite::$room::$case(crate::store::suite::memory()).await;
            })*
        }
        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                crate::store::suite::$room::$case(crate::store::suite::sqlite().await).await;
            })*
        }
    };
}

pub mod subject;
pub mod accounts;
pub mod renewals;
pub mod records;
mod on_disk;
mod keys;
mod damage;
mod unreadable;

pub use subject::{Still, Subject, add, is, key, memory, new, open, sqlite};

// Provoked: a stale fence in each guarded write · a late success after a verdict · two successes of
// one parent · a sign-in and an account of the same name during a refresh · a lost answer · a
// damaged row. Kills and stops: tests/kills.rs.
