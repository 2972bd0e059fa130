//! `/metrics`: figures of this process for Prometheus.

use std::fs;

use crate::{
    http::reply,
    model::http::{CONTENT_TYPE, HeaderMap, HeaderValue, Method},
    server::{
        ask::Ask,
        counts::gauge,
        guard::Access,
        route::{Answering, Row},
    },
};

/// See the module.
pub static ROWS: &[Row] =
    &[Row { method: Some(Method::GET), path: "/metrics", access: Access::Key, handle: metrics }];

fn metrics(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        ask.query(&[])?;
        let mut out = String::new();
        ask.shared.counts.write(&mut out);
        let is_stale = ask.shared.reload.stands().config == "stale";
        let stale = "Whether the files are broken, and what they were before is in use.";
        gauge(&mut out, "engine_config_stale", stale, is_stale.into());
        if let Some(bytes) = resident() {
            gauge(&mut out, "process_resident_memory_bytes", "Memory in use.", bytes);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let count = u64::try_from(open.count()).unwrap_or(u64::MAX);
            gauge(&mut out, "process_open_fds", "Open files.", count);
        }
        let mut headers = HeaderMap::new();
        let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        headers.insert(CONTENT_TYPE, text);
        Ok(reply(200, headers, out))
    })
}

/// `VmRSS` of `proc_pid_status(5)`, in bytes.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}
