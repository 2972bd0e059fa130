//! JSON Schemas: compiled, applied, with defaults filled in. Draft 2020-12, formats asserted,
//! nothing is ever fetched, patterns take linear time. Messages quote no value.

mod words;
mod compile;
mod format;
mod quick;
mod apply;
mod fill;

pub use self::{
    apply::{Violation, check},
    compile::{Problem, compile},
    fill::{coerce, fill_defaults},
};
