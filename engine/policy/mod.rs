//! Decisions: pure functions over the nouns, told the time.
