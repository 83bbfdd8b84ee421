//! Conformance suites: our own cases, the shared suites (`SV0_SHARED=folder`), and any further files
//! (`SV0_CASES="a.jsonl b.json"`, `SV0_SKIP=list.tsv`). `conformance/README.md` describes the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sv0_testkit::conformance::{Case, SkipList, Summary, read, run_case, run_cases, run_file};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conformance").join(name)
}

/// A path as it is given: from the working folder, or from the workspace's.
fn given(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if !Path::new(path).exists() && root.exists() { root } else { path.into() }
}

/// The shared folder, if the caller has it.
fn shared() -> Option<PathBuf> {
    let found = std::env::var("SV0_SHARED").ok().filter(|s| !s.is_empty());
    if found.is_none() {
        println!("SV0_SHARED isn't set: the shared suites don't run");
    }
    found.map(|s| given(&s).join("conformance"))
}

fn check(name: &str, summary: &Summary) {
    let report = summary.report(50);
    println!("{name}: {report}");
    assert!(summary.is_good(), "{name}: {report}");
}

#[test]
fn own_cases() {
    let cases = read(&here("own.jsonl")).unwrap();
    let kinds: BTreeSet<&str> =
        cases.iter().flat_map(|(_, c)| c.iter().flat_map(|c| c.expect.iter().map(|e| e.kind()))).collect();
    let all = [
        "empty",
        "equal",
        "error",
        "node_ids",
        "non_empty",
        "path_edge_types",
        "path_lengths",
        "path_node_ids",
        "row_count",
        "rows",
        "scalar",
        "sequence",
    ];
    assert!(kinds.iter().eq(&all), "{kinds:?}");
    check("own.jsonl", &run_cases(&cases, &SkipList::default()));
}

#[test]
fn further_files() {
    let Ok(files) = std::env::var("SV0_CASES") else {
        println!("SV0_CASES isn't set: no further files run");
        return;
    };
    let skip = std::env::var("SV0_SKIP").ok().filter(|s| !s.is_empty());
    let skip = skip.map_or_else(SkipList::default, |s| SkipList::read(given(&s)).unwrap());
    let mut wrong = Vec::new();
    for f in files.split(|c: char| c == ':' || c.is_whitespace()).filter(|f| !f.is_empty()) {
        let summary = run_file(&given(f), &skip);
        let report = format!("{f}: {}", summary.report(50));
        println!("{report}");
        if !summary.is_good() {
            wrong.push(report);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn opencypher_tck() {
    let Some(dir) = shared() else { return };
    let skip = SkipList::read(here("tck-skip.tsv")).unwrap();
    let summary = run_file(&dir.join("opencypher-tck/core_dev.jsonl"), &skip);
    check("core_dev.jsonl", &summary);
    assert_eq!(summary.total(), 1361);
    assert!(summary.absent.is_empty(), "the skip list has what the suite hasn't: {:?}", summary.absent);
}

/// What Kùzu answers, and where that isn't what ISO says (the marked cases), what a brute force does.
#[test]
fn kuzu_semantics() {
    let Some(dir) = shared() else { return };
    let summary = run_file(&dir.join("kuzu_semantic.json"), &SkipList::default());
    check("kuzu_semantic.json", &summary);
    assert_eq!(summary.passed, 38);
}

/// They parse, check leniently and are planned; what writes is refused as such.
#[test]
fn real_queries() {
    let Some(dir) = shared() else { return };
    let skip = SkipList::read(here("real-skip.tsv")).unwrap();
    let mut total = 0;
    for f in ["bhlib.json", "githound.json", "carto-docs.json"] {
        let summary = run_file(&dir.join("real-queries").join(f), &skip);
        check(f, &summary);
        total += summary.total();
    }
    assert_eq!(total, 325);
}

/// Each kind of expectation, and one like it that doesn't hold: the harness must tell them apart.
#[test]
fn what_is_wrong_fails() {
    let graph = json!({
        "nodes": [
            {"id": "a", "labels": ["A"], "props": {"v": 1}},
            {"id": "b", "labels": ["A", "B"], "props": {"v": [1, "x"]}},
        ],
        "edges": [{"id": "e", "src": "a", "dst": "b", "type": "T", "props": {"w": 0.5}}],
    });
    let path = "MATCH p = ()-[:T]->() RETURN p";
    let both: [(&str, Json, Json); 15] = [
        ("MATCH (n:A) RETURN n.v AS v", json!({"rows": [["[1, 'x']"], ["1"]]}), json!({"rows": [["1"], ["1"]]})),
        (
            "MATCH (n:B) RETURN n",
            json!({"rows": [["(:B:A {v: [1, 'x']})"]]}),
            json!({"rows": [["(:B {v: [1, 'x']})"]]}),
        ),
        (
            "MATCH (n:B) RETURN n.v AS v",
            json!({"rows": [["['x', 1]"]], "list_order_insensitive": true}),
            json!({"rows": [["['x', 1]"]]}),
        ),
        (
            "UNWIND [2, 1] AS x RETURN x ORDER BY x",
            json!({"kind": "sequence", "rows": [["1"], ["2"]]}),
            json!({"kind": "rows", "ordered": true, "rows": [["2"], ["1"]]}),
        ),
        ("RETURN 1 AS x", json!({"columns": ["x"], "rows": [["1"]]}), json!({"columns": ["y"], "rows": [["1"]]})),
        (path, json!({"rows": [["<(:A {v: 1})-[:T {w: 0.5}]->(:A:B {v: [1, 'x']})>"]]}), json!({"rows": [["<()>"]]})),
        (path, json!({"path_node_ids": [["a", "b"]]}), json!({"path_node_ids": [["b", "a"]]})),
        (path, json!({"path_edge_types": [["T"]]}), json!({"path_edge_types": [["S"]]})),
        (path, json!({"path_lengths": [1]}), json!({"path_lengths": [1, 1]})),
        ("MATCH (n:A) RETURN n", json!({"node_ids": ["b", "a"]}), json!({"node_ids": ["b"]})),
        ("MATCH (n:A) RETURN n", json!({"row_count": 2}), json!({"row_count": 1})),
        ("MATCH (n:B) RETURN n.v[0]", json!({"scalar": 1}), json!({"scalar": "'1'"})),
        ("MATCH (n:A) RETURN n", json!("non_empty"), json!("empty")),
        (
            "MATCH (x)-->(y) RETURN x",
            json!({"equal": ["MATCH (y)<--(x) RETURN x"]}),
            json!({"equal": ["MATCH (x)-->(y) RETURN y"]}),
        ),
        (
            "RETURN x",
            json!({"error": "a SyntaxError should be raised at compile time: UndefinedVariable"}),
            json!({"error": "a SyntaxError should be raised at compile time: VariableAlreadyBound"}),
        ),
    ];
    for (query, right, wrong) in both {
        let run = |e: &Json| {
            let case = json!({"id": "c", "graph": graph, "query": query, "expect": e});
            Case::from_json(&case).and_then(|c| run_case(&c))
        };
        assert_eq!(run(&right), Ok(()), "{query}");
        assert!(run(&wrong).is_err(), "{query}: {wrong} holds too");
    }
}

/// A skipped case that passes is a failure, and so is one that can't be read.
#[test]
fn skip_lists_are_held_to() {
    let case = |id: &str, n: usize| {
        let c = json!({"id": id, "query": "RETURN 1 AS x", "expect": {"row_count": n}});
        (id.to_owned(), Case::from_json(&c))
    };
    let bad = ("bad".to_owned(), Case::from_json(&json!({"id": "bad", "query": "RETURN 1"})));
    let cases = [case("good", 1), case("wrong", 2), case("skipped", 2), case("surprise", 1), bad];
    let skip = SkipList::parse("skipped\twhy\nsurprise\twhy\nelsewhere\twhy\n").unwrap();
    let s = run_cases(&cases, &skip);
    assert_eq!((s.passed, s.skipped, s.total()), (1, 1, 5));
    assert_eq!(s.failed.iter().map(|f| &*f.0).collect::<Vec<_>>(), ["wrong", "bad"]);
    assert_eq!((s.surprising, s.absent), (vec!["surprise".to_owned()], vec!["elsewhere".to_owned()]));
}
