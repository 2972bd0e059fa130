//! Every row there is. The first that fits answers; a file of rows is a line here.

use crate::server::{actions, callback, health, keys, metrics, proxy, route::Row, runs, status};

/// Every row there is.
pub static TABLE: &[&[Row]] = &[
    proxy::ROWS,
    actions::ROWS,
    runs::ROWS,
    keys::ROWS,
    status::ROWS,
    callback::ROWS,
    health::ROWS,
    metrics::ROWS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::http::Method, server::guard::Access};

    #[test]
    fn a_key_that_only_reads_changes_nothing() {
        for row in TABLE.iter().copied().flatten() {
            let reads = row.method.as_ref() == Some(&Method::GET);
            // These look at what the action or the method does.
            let looks = row.path.starts_with("/proxy/") || row.path.starts_with("/actions/");
            let refused = matches!(row.access, Access::WholeChange(_));
            assert!(reads || looks || refused, "{:?} {}", row.method, row.path);
        }
    }
}
