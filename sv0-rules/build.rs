//! Compiles the built-in pack in: one folder a rule.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a build script talks to cargo so")]

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("rules");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut folders: Vec<_> =
        fs::read_dir(&root).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    let mut out = String::from("pub(crate) const BUILT_IN: &[(&str, &str, &str)] = &[\n");
    for f in folders {
        println!("cargo:rerun-if-changed={}", f.display());
        let name = f.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rule = f.join("rule.toml");
        let tests = f.join("tests.json");
        println!("cargo:rerun-if-changed={}", rule.display());
        println!("cargo:rerun-if-changed={}", tests.display());
        if rule.exists() {
            let tests = if tests.exists() {
                format!("include_str!({:?})", tests.display().to_string())
            } else {
                "\"[]\"".to_owned()
            };
            let _ = writeln!(out, "    ({name:?}, include_str!({:?}), {tests}),", rule.display().to_string());
        }
    }
    out.push_str("];\n");
    let to = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("pack.rs");
    if let Err(e) = fs::write(&to, out) {
        println!("cargo:warning={}: {e}", to.display());
    }
}
