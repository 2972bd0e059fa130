//! Runs the tests that stand in blueprints and actions.
