//! The one integration-test binary: the real `engine` in real folders, against real servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests may")]
#![expect(clippy::too_many_lines, reason = "tests may")]

mod support;
/// The rules of the house, read off the sources.
mod house;
/// Every broken file of `diagnostics/`, and exactly what we say about it.
mod diagnostics;
/// The shipped blueprints and actions: sound, tested, and playable in their sandboxes.
mod shipped;
/// Scenarios as files: a scripted vendor, calls, and what must come.
mod scenarios;
/// The formats, by a project in files.
mod formats;
/// Files as they are found: pipes, and nothing but faults.
mod files;
/// The commands: what they print, and how they exit.
mod commands;
/// What a run does over the wire: retries, limits, pages, hosts, redirects, damage.
mod runs;
/// Limits that several processes on one store keep together.
mod limits;
/// One exchange: bytes, methods, streams, and no write that is lost.
mod exchange;
/// The way out through a proxy.
mod proxies;
/// Writes behind TLS, over HTTP/1.1 and HTTP/2.
mod secure;
/// Tokens: refreshed once, stored before they are used, never lost.
mod refresh;
/// Marked secrets go through everything, and are found nowhere.
mod secrets;
/// Prompts at a terminal: unseen, of several lines, ended by signals.
#[cfg(target_os = "linux")]
mod prompts;
/// A disk that fills up while tokens are refreshed.
#[cfg(target_os = "linux")]
mod full_disk;
/// The store: corrupt, foreign, newer, locked, full.
mod stores;
/// Signing in: browser, device, form.
mod signing_in;
/// Connections: proven, deleted, moved; the keys that seal them.
mod connections;
/// Every helper of the template language.
mod helpers;
/// The examples of the guides.
mod docs;
/// Each way to sign in, as it arrives at a vendor.
mod modes;
/// The server: requests, limits, how it stops.
#[cfg(target_os = "linux")]
mod serve;
/// The server, for those who have a key.
#[cfg(target_os = "linux")]
mod serve_api;
/// Its proxy.
#[cfg(target_os = "linux")]
mod serve_proxy;
/// What is signed on the way to a vendor.
mod signed;
