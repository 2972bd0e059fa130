//! Lists the shipped blueprints and actions, so that adding one is dropping a file.

use std::{env, fs, io, path::Path};

#[expect(clippy::disallowed_methods, reason = "this is how cargo tells a build script where it is")]
fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let mut files = Vec::new();
    for top in ["blueprints", "actions"] {
        println!("cargo::rerun-if-changed={top}");
        for folder in sorted(&Path::new(&root).join(top))? {
            for file in sorted(&folder)? {
                if file.extension().is_some_and(|ending| ending == "yaml") {
                    files.push(file);
                }
            }
        }
    }
    let mut text = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?.display().to_string();
        let name = name.replace('\\', "/");
        let lean = Path::new(&out).join(format!("lean-{number}.yaml"));
        fs::write(&lean, without_asides(&fs::read_to_string(file)?))?;
        text.push_str(&format!(
            "    ({name:?}, include_str!({:?}), include_str!({:?})),\n",
            file.display().to_string(),
            lean.display().to_string()
        ));
    }
    text.push(']');
    fs::write(Path::new(&out).join("builtin.rs"), text)
}

/// The file without what a run never reads, line numbers kept. Our own files are written in blocks,
/// so that a top-level key stands at the beginning of a line; a test compares both forms.
fn without_asides(text: &str) -> String {
    let mut lean = String::with_capacity(text.len());
    let mut aside = false;
    for line in text.lines() {
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            aside = ["notes:", "tests:", "sandbox:"].iter().any(|key| line.starts_with(key));
            if line.starts_with("sandbox:") {
                // That there is one is worth knowing.
                lean.push_str("sandbox: {routes: []}");
            }
        }
        if !aside {
            lean.push_str(line);
        }
        lean.push('\n');
    }
    lean
}

fn sorted(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut all: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    all.sort();
    Ok(all)
}
