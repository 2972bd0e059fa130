//! The three formats, 1:1 with their YAML. A spec type may not do anything but be read: all
//! meaning is in `resolve`. Doc comments are what editors show.

pub mod common;
pub mod step;
pub mod action;
pub mod sign;
pub mod auth;
pub mod blueprint;
pub mod integration;
