//! The template language: text → [`Template`](crate::model::template::Template), and templates ×
//! [`Scope`] → values. Pure, bounded, without the environment.
//!
//! `functions` lists the helpers; `check` finds at load time what a template cannot see; `demand`
//! finds what it reads.

mod scope;
pub mod functions;
mod parse;
mod fuel;
mod values;
mod helpers;
mod evaluate;
mod place;
pub mod knowledge;
pub mod check;
pub mod demand;

pub use evaluate::{boolean, evaluate, text, value};
pub use parse::parse;
pub use place::{base_url, form, header, path, query};
pub use scope::{Error, Fault, Scope};

#[cfg(test)]
mod tests;
