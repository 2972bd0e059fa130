//! Puts credentials on requests and keeps them fresh.
