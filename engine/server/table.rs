//! Every row there is. The first that fits answers; a file of rows is a line here.

use crate::server::{health, route::Row};

/// Every row there is.
pub static TABLE: &[&[Row]] = &[health::ROWS];
