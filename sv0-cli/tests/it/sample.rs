//! The main job on the sample: every condition is found, every healthy twin isn't, nothing else is.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::{root, sv0, text};

fn pairs(list: &Json, subject: impl Fn(&Json) -> String) -> BTreeSet<(String, String)> {
    list.as_array().unwrap().iter().map(|x| (x["category"].as_str().unwrap().to_owned(), subject(x))).collect()
}

#[test]
fn the_sample_has_every_condition_and_its_healthy_twin() {
    let o = sv0(&["assess", "samples/acme", "--format", "json"]);
    assert!(o.status.success(), "{}", text(&o.stderr));
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    let expected: Json =
        serde_json::from_str(&std::fs::read_to_string(root().join("samples/acme/expected.json")).unwrap()).unwrap();
    let key = |x: &Json| {
        let k = &x["subject"]["key"];
        format!("{}:{}", k["source"].as_str().unwrap(), k["id"].as_str().unwrap())
    };
    let plain = |x: &Json| x["subject"].as_str().unwrap().to_owned();
    let got = pairs(&doc["findings"], key);
    let (found, not_found, may) =
        (pairs(&expected["found"], plain), pairs(&expected["not_found"], plain), pairs(&expected["may"], plain));
    assert_eq!(found.difference(&got).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "missing");
    assert_eq!(not_found.intersection(&got).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "healthy twins");
    let listed: BTreeSet<_> = found.union(&may).cloned().collect();
    assert_eq!(got.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "unlisted");
    // What authenticates, once each: not the app registrations, not the foreign accounts, not the join's other half.
    assert_eq!(doc["inventory"]["nhi"], 35);
    assert_eq!(doc["inventory"]["legacy_identities"], 37);
    for f in doc["findings"].as_array().unwrap() {
        let path = &f["path"];
        assert!(path.is_null() || path["length"] == path["edges"].as_array().unwrap().len());
        for e in path["edges"].as_array().into_iter().flatten() {
            assert!(!e["records"].as_array().unwrap().is_empty(), "an edge without a record: {e}");
        }
    }
    assert!(!doc["authority_paths"].as_array().unwrap().is_empty());
    assert!(!doc["ownership_gaps"].as_array().unwrap().is_empty());
}

#[test]
fn same_input_same_bytes() {
    let a = sv0(&["assess", "samples/acme", "--format", "json"]);
    let b = sv0(&["assess", "samples/acme", "--format", "json"]);
    assert_eq!(a.stdout, b.stdout);
    let dir = tempfile::tempdir().unwrap();
    let store = |n: &str| {
        let p = dir.path().join(n);
        assert!(sv0(&["ingest", "samples/acme", "--store", p.to_str().unwrap()]).status.success());
        std::fs::read(p).unwrap()
    };
    assert_eq!(store("a.sv0"), store("b.sv0"));
}

#[test]
fn a_stored_graph_gives_the_same_findings() {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("acme.sv0");
    let p = p.to_str().unwrap();
    assert!(sv0(&["ingest", "samples/acme", "--store", p]).status.success());
    let a = sv0(&["check", p, "--format", "json"]);
    let b = sv0(&["assess", "samples/acme", "--format", "json"]);
    assert_eq!(text(&a.stdout), text(&b.stdout));
    let o = sv0(&["verify", p, "--format", "json"]);
    assert!(o.status.success());
    let failing = sv0(&["check", p, "--fail-on", "critical", "--format", "table"]);
    assert_eq!(failing.status.code(), Some(1));
    assert!(text(&failing.stdout).contains("CRITICAL"));
}
