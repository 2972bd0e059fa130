//! Runs actions.
