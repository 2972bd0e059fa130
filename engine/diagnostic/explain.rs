//! What every error of the engine can be asked.

/// What every error of the engine can be asked.
pub trait Explain: std::error::Error {
    /// A stable code, such as `call.input-invalid`; `docs/errors.md` has an entry for each.
    fn code(&self) -> &'static str;
    /// What the reader can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
}
