//! What doors show: serialisable values in the names of the files and columns.
//!
//! The facade returns them, the command line prints them, and a server answers with them. Records
//! of `model` that are shown as they are kept ([`crate::model::failure::Failure`],
//! [`crate::model::record::AttemptRecord`]) serialise themselves. No value here holds a secret; a
//! foreign dialect lives with its door.

mod diagnostic;
mod error;
mod listing;
mod shown;
mod headers;
mod answer;
mod connection;
mod plan;
mod run;
mod test;
mod setting;
mod keys;
mod api_key;
mod status;
mod sandbox;
mod import;
mod starter;

pub use answer::{Answer, AnswerHead, SavedAnswer};
pub use api_key::{ApiKey, AuditEntry, CreatedApiKey};
pub use connection::{
    Connection, ConnectionRow, ConnectionTest, CredentialNames, DeletedConnection, Deletion,
    EndUser, InspectedConnection, Organization,
};
pub use diagnostic::{Check, Diagnostic, Problems};
pub use error::{ErrorBody, ErrorDetail, MoreOfRun};
pub use import::{Import, RefusedLine};
pub use keys::{Key, Keys};
pub use listing::{Action, Blueprint, Input, Inputs, Integration, Searched};
pub use plan::{Planned, PlannedBody, PlannedRequest};
pub use run::{Attempts, Run, RunEnvelope};
pub use sandbox::Sandbox;
pub use setting::Setting;
pub use shown::{Origin, Shown, ShownValue};
pub use starter::{Starter, StarterFile};
pub use status::Status;
pub use test::{TestCase, TestFile, TestReport};
