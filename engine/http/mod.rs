//! The server kit: listeners, limits, pages. It carries the sandbox and the callback of a sign-in.

pub mod html;
pub mod server;

pub use server::{Handler, Limits, Reply, Request, Server, Unread, reply};
