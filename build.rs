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
    for file in &files {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?.display().to_string();
        let name = name.replace('\\', "/");
        let file = file.display().to_string();
        text.push_str(&format!("    ({name:?}, include_str!({file:?})),\n"));
    }
    text.push(']');
    fs::write(Path::new(&out).join("builtin.rs"), text)
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
