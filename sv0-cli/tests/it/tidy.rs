//! What the architecture forbids, checked on the sources.

use std::fs;
use std::path::Path;

use crate::root;

/// The workspace crates that each may depend on.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("sv0-graph", &[]),
    ("sv0-query", &["sv0-graph"]),
    ("sv0-rules", &["sv0-query"]),
    ("sv0-connectors", &["sv0-graph"]),
    ("sv0-cli", &["sv0-connectors", "sv0-graph", "sv0-query", "sv0-rules"]),
];

#[test]
fn crates_depend_in_one_direction() {
    for (name, allowed) in DIRECTIONS {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let normal = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in normal.lines().filter(|l| l.starts_with("sv0-")) {
            let dep = line.split(['.', ' ', '=']).next().unwrap();
            assert!(allowed.contains(&dep), "{name} may not depend on {dep}");
        }
    }
}

fn sources(dir: &Path, f: &mut dyn FnMut(&Path, &str)) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for p in entries {
        if p.is_dir() {
            sources(&p, f);
        } else if p.extension().is_some_and(|e| e == "rs") {
            f(&p, &fs::read_to_string(&p).unwrap());
        }
    }
}

#[test]
fn unsafe_stands_where_it_may() {
    let allowed = ["store/map.rs", "store/media.rs", "store/mod.rs", "sv0-cli/src/load.rs"];
    for (name, _) in DIRECTIONS {
        sources(&root().join(name).join("src"), &mut |p, text| {
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            if code.clone().any(|l| l.contains("unsafe {") || l.contains("unsafe fn")) {
                let path = p.display().to_string();
                assert!(allowed.iter().any(|a| path.ends_with(a)), "unsafe in {path}");
            }
        });
    }
}

#[test]
fn the_graph_knows_no_rule_word_and_the_query_no_file() {
    sources(&root().join("sv0-graph/src"), &mut |p, text| {
        for word in ["orphan", "dormant", "finding"] {
            assert!(!text.to_lowercase().contains(word), "`{word}` in {}", p.display());
        }
    });
    for name in ["sv0-query", "sv0-rules"] {
        sources(&root().join(name).join("src"), &mut |p, text| {
            for word in ["std::net", "SystemTime", "Instant::now", "std::env::var"] {
                assert!(!text.contains(word), "`{word}` in {}", p.display());
            }
            assert!(name != "sv0-query" || !text.contains("std::fs"), "std::fs in {}", p.display());
        });
    }
}

#[test]
fn a_room_holds_one_thing() {
    for (name, _) in DIRECTIONS {
        sources(&root().join(name).join("src"), &mut |p, text| {
            let lines = text.lines().count();
            assert!(lines <= 800, "{} has {lines} lines", p.display());
        });
    }
}

#[test]
fn the_readme_says_what_works() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains("cargo run --release -- assess samples/acme") && readme.contains("cargo test --workspace"));
    for link in readme.split("](").skip(1).map(|l| l.split(')').next().unwrap()) {
        assert!(root().join(link).exists(), "README links to {link}");
    }
}
