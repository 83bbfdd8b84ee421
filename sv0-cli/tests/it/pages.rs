//! The examples of the language's pages run as they stand: a block of a query answers, a block with an error code is refused
//! with that code.

use std::path::Path;

use crate::{root, sv0, text};

/// The blocks of a page: the word behind the fence, and what stands in it.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(word) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|l| !l.starts_with("```")).collect();
            out.push((word.to_owned(), inside.join("\n")));
        }
    }
    out
}

#[test]
fn examples_of_the_language() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("acme.sv0").to_str().unwrap().to_owned();
    for day in ["samples/acme/2026-05-01", "samples/acme/2026-11-20"] {
        assert!(sv0(&["ingest", day, "--store", &store]).status.success());
    }
    let (mut ran, mut refused) = (0, 0);
    for page in ["docs/language.md", "docs/coming-from-cypher.md"] {
        let content = std::fs::read_to_string(Path::new(&root()).join(page)).unwrap();
        for (word, block) in blocks(&content) {
            let (query, error) = match block.split_once("\nerror[") {
                Some((q, e)) => (q, Some(&e[..7])),
                None => (block.split("\nwarning:").next().unwrap(), None),
            };
            if !word.is_empty() && (word != "text" || error.is_none()) || query.starts_with("error[") {
                continue;
            }
            let o = sv0(&["query", &store, query, "--format", "json"]);
            match error {
                None => {
                    assert!(o.status.success(), "{page}\n{query}\n{}", text(&o.stderr));
                    ran += 1;
                }
                Some(code) => {
                    assert!(!o.status.success(), "{page}\n{query}");
                    assert!(text(&o.stderr).contains(code), "{page}\n{query}\n{}", text(&o.stderr));
                    refused += 1;
                }
            }
        }
    }
    assert!(ran >= 17 && refused >= 3, "{ran} ran, {refused} were refused");
}
