//! Settings, fully resolved.
