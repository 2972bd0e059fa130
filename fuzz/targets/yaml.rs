//! Any bytes as a YAML file: a tree or diagnostics, never a panic, a hang or a stack overflow.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = engine::catalog::yaml::source("fuzz.yaml".to_owned(), bytes.to_vec()) {
        match engine::catalog::yaml::parse(&file) {
            Ok(tree) => drop(tree.to_json()),
            Err(diagnostics) => drop(engine::diagnostic::render::text(&diagnostics, false)),
        }
    }
});
