//! JSON Schemas: compiled, applied, with defaults filled in.
