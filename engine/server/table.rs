//! Every row there is. The first that fits answers; a file of rows is a line here.

use crate::server::{actions, callback, health, keys, proxy, route::Row, runs, status};

/// Every row there is.
pub static TABLE: &[&[Row]] = &[
    proxy::ROWS,
    actions::ROWS,
    runs::ROWS,
    keys::ROWS,
    status::ROWS,
    callback::ROWS,
    health::ROWS,
];
