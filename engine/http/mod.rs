//! The server kit: listeners, limits, pages. It carries the server, the sandbox and the callback of
//! a sign-in.

pub mod html;
mod limits;
mod message;
mod requests;
mod connection;
pub mod server;

pub use limits::Limits;
pub use message::{Reply, Request, Unread, reply};
pub use server::{Handler, Server};
