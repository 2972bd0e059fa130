//! The functions of the template language. All are pure: no I/O, no environment, no clock but the
//! time of the run. `table` lists them with their documentation.

pub mod args;
mod compare;
mod text;
mod list;
mod object;
mod convert;
pub mod encode;
mod date;
mod mime;
mod row;
mod table;

pub use self::{
    row::{Code, Form, Function, Gives, MANY, Named, Reads},
    table::{ALL, find},
};
