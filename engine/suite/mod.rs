//! Runs the tests that stand in blueprints and actions: the real rules, the real executor, a
//! scripted peer and a virtual clock.

mod report;
mod clock;
mod compare;
mod wire;
mod rules;
mod actions;

pub use actions::run as actions;
pub use clock::VirtualClock;
pub use report::CaseReport;
pub use rules::run as rules;
