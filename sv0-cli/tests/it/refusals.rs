//! Bad input: a clear error, exit code 2, and the store as it was.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use crate::{sv0, text};

const HEADER: &str = r#"{"sv0":1,"source":"t","observed_at":"2026-01-01T00:00:00Z","records":[{"ref":"r1","operation":"GET /x","sha256":"00"}]}"#;

#[test]
fn a_bad_batch_is_refused_and_the_store_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("g.sv0");
    let s = store.to_str().unwrap();
    let input = dir.path().join("in");
    fs::create_dir(&input).unwrap();
    let file = input.join("x.ndjson");
    let good = r#"{"node":{"id":"i","type":"identity","record":["r1","/0"]}}"#;
    fs::write(&file, format!("{HEADER}\n{good}\n")).unwrap();
    assert!(sv0(&["ingest", input.to_str().unwrap(), "--store", s]).status.success());
    let before = fs::read(&store).unwrap();
    let bodies: &[(&str, &[&str])] = &[
        (
            r#"{"node":{"id":"a","type":"automation"}}
{"edge":{"type":"RUNS_AS","from":"i","to":"a","record":["r1","/1"]}}"#,
            &[
                "edge `RUNS_AS` may not go from identity `t:i` to automation `t:a`",
                "automation → identity",
                "GET /x",
                "/1",
            ],
        ),
        (r#"{"node":{"id":"a","type":"identiy"}}"#, &["x.ndjson:3:", "unknown node type `identiy`", "`identity`"]),
        (r#"{"edge":{"type":"RUNS_AZ","from":"i","to":"i"}}"#, &["unknown edge type `RUNS_AZ`", "`RUNS_AS`"]),
        (r#"{"edge":{"type":"CAN_ASSUME","from":"i","to":"gone"}}"#, &["there is no node `t:gone`"]),
    ];
    for (body, parts) in bodies {
        fs::write(&file, format!("{HEADER}\n{good}\n{body}\n")).unwrap();
        let o = sv0(&["ingest", input.to_str().unwrap(), "--store", s]);
        let err = text(&o.stderr);
        assert_eq!(o.status.code(), Some(2), "{err}");
        for p in *parts {
            assert!(err.contains(p), "{p}\n---\n{err}");
        }
        assert_eq!(fs::read(&store).unwrap(), before, "{body}");
    }
    // Bytes that aren't UTF-8.
    let mut bytes = format!("{HEADER}\n").into_bytes();
    bytes.extend(b"{\"node\":{\"id\":\"\xc3\x28\",\"type\":\"identity\"}}\n");
    fs::write(&file, bytes).unwrap();
    let o = sv0(&["ingest", input.to_str().unwrap(), "--store", s]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("x.ndjson:2: isn't UTF-8"));
    // A line of 1 GiB: as a sparse file it costs no disk, and its reading stops at the bound.
    let mut f = BufWriter::new(File::create(&file).unwrap());
    writeln!(f, "{HEADER}").unwrap();
    f.into_inner().unwrap().set_len(1 << 30).unwrap();
    let o = sv0(&["ingest", input.to_str().unwrap(), "--store", s]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("x.ndjson:2: longer than 16 MiB"), "{}", text(&o.stderr));
    // A folder with nothing in it.
    fs::remove_file(&file).unwrap();
    let o = sv0(&["assess", input.to_str().unwrap()]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("nothing here that sv0 understands"));
    assert_eq!(fs::read(&store).unwrap(), before);
}

#[test]
fn usage_and_files_that_are_none() {
    assert_eq!(sv0(&["assess"]).status.code(), Some(2));
    let o = sv0(&["assess", "no/such/folder"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("no/such/folder"));
    let o = sv0(&["query", "README.md", "RETURN 1 AS x"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("not an sv0 store"));
    let o = sv0(&["rules", "show", "orphaned-automaton"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("did you mean `orphaned-automation`"));
}
