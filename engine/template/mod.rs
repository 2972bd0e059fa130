//! The template language: text → [`Template`](crate::model::template::Template), and templates ×
//! [`Scope`] → values.
//!
//! `parse` reads handlebars expressions at load. `check` tells at load what cannot be there when
//! the template runs, `demand` which parts of an answer it reads. `evaluate` computes: a lone
//! expression keeps its type, absent is not null, nothing is true but `true`. `place` encodes by
//! where a value goes. `functions` are the helpers.

mod scope;
pub mod functions;
mod describe;
mod complaint;
mod cursor;
mod reader;
mod parse;
mod evaluate;
mod shape;
mod owned;
mod place;
pub mod knowledge;
pub mod check;
pub mod demand;
pub mod project;

pub use self::{
    describe::{is_constant, template_reads_input as reads_input},
    evaluate::{boolean, text, value},
    owned::{Owned, value_path},
    parse::parse,
    place::{base_url, endpoint_url, form, header, path, query},
    scope::{Error, Fault, Scope},
    shape::evaluate,
};
