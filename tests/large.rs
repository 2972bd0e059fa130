//! A gigabyte each way in less than 64 MB of memory: `cargo test --test large`.
#![expect(dead_code, reason = "other tests use the rest of the support")]

mod support;

#[test]
fn a_gigabyte_passes_in_little_memory() {
    support::large::pass_in_little_memory(1 << 30);
}
