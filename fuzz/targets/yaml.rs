//! Any bytes as a YAML file: a tree or diagnostics, never a panic, a hang or a stack overflow;
//! and what is read quickly is what the whole parser reads.

#![no_main]

use engine::catalog::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = engine::catalog::yaml::source("fuzz.yaml".to_owned(), bytes.to_vec()) {
        let (read, thorough) = (yaml::parse(&file), yaml::thorough(&file));
        match (read, thorough) {
            // Places and all.
            (Ok(tree), Ok(same)) => assert_eq!(format!("{tree:?}"), format!("{same:?}")),
            (Err(diagnostics), Err(same)) => {
                let text = engine::diagnostic::render::text(&diagnostics, false);
                assert_eq!(text, engine::diagnostic::render::text(&same, false));
            }
            (read, thorough) => panic!("{read:?} {thorough:?}"),
        }
    }
});
