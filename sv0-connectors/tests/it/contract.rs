//! The contract's reader: what is wrong is said with its line.

use sv0_connectors::contract::{self, MAX_LINE};
use sv0_connectors::sv0_graph::{NodeType, Schema};

const HEADER: &str = r#"{"sv0":1,"source":"t","observed_at":"2026-01-01T00:00:00Z","records":[{"ref":"r1","operation":"GET /x","sha256":"00"}]}"#;

fn read(body: &str) -> Result<contract_result::Batch, String> {
    let text = format!("{HEADER}\n{body}");
    contract::read(&mut text.as_bytes(), "f", &Schema::canonical())
        .map_err(|e| e.iter().map(|e| format!("{}: {}", e.line, e.reason)).collect::<Vec<_>>().join("\n"))
}

mod contract_result {
    pub type Batch = sv0_connectors::sv0_graph::GraphBatch;
}

#[test]
fn maps_human_identity_and_splits_the_legacy_type() {
    let b = read(concat!(
        r#"{"node":{"id":"a","type":"human_identity","kind":"user","record":["r1","/0"]}}"#,
        "\n",
        r#"{"node":{"id":"b","type":"autonomous_identity","props":{"identitySubtype":"REST Message"}}}"#,
    ))
    .unwrap();
    assert_eq!(b.nodes[0].ty, NodeType::Owner);
    assert_eq!(b.nodes[1].ty, NodeType::Connection);
    assert_eq!(b.legacy_identities, 1);
    assert_eq!(&*b.nodes[0].origins[0].pointer, "/0");
}

#[test]
fn says_what_is_wrong_with_each_line() {
    let e = read(concat!(
        r#"{"node":{"id":"a","type":"identty"}}"#,
        "\n{\n",
        r#"{"node":{"id":"b","type":"autonomous_identity","identitySubtype":"Robot"}}"#,
        "\n",
        r#"{"edge":{"type":"OWNED_BY","from":"a","to":"b","evidence":"hearsay"}}"#,
        "\n",
        r#"{"node":{"id":"c","type":"identity","props":{"created_at":"yesterday"},"record":["r9","/"]}}"#,
        "\n",
        r#"{"node":{"id":"c","type":"identity","props":{"created_at":"yesterday"}}}"#,
    ))
    .unwrap_err();
    for part in [
        "2: node `a`: unknown node type `identty`",
        "3: ",
        "4: node `b`: unknown identitySubtype `Robot`",
        "5: edge OWNED_BY from `a` to `b`: `evidence` is `hearsay`; known are direct, structural, temporal",
        "6: record `r9` isn't among the header's records",
        "7: node `c`: property `created_at` isn't an RFC 3339 timestamp",
    ] {
        assert!(e.contains(part), "{part}\n---\n{e}");
    }
}

#[test]
fn bounds_lines_and_refuses_bytes_that_are_not_utf8() {
    let mut text = format!("{HEADER}\n").into_bytes();
    text.extend(b"{\"node\":{\"id\":\"\xff\"}}\n");
    let e = contract::read(&mut text.as_slice(), "f", &Schema::canonical()).unwrap_err();
    assert_eq!((e[0].line, e[0].reason.as_str()), (2, "isn't UTF-8 (at byte 15)"));
    // An endless line is read to the bound and no further.
    let mut input = std::io::BufReader::new(std::io::Read::chain(
        format!("{HEADER}\n").into_bytes().leak() as &[u8],
        std::io::Read::take(std::io::repeat(b'x'), 1 << 40),
    ));
    let e = contract::read(&mut input, "f", &Schema::canonical()).unwrap_err();
    assert!(e[0].reason.starts_with("longer than 16 MiB"), "{e:?}");
    assert_eq!(e[0].line, 2);
    assert_eq!(MAX_LINE, 16 << 20);
}

#[test]
fn refuses_other_versions_and_empty_files() {
    let schema = Schema::canonical();
    let e = contract::read(&mut &b""[..], "f", &schema).unwrap_err();
    assert!(e[0].reason.contains("empty"));
    let v2 = HEADER.replace("\"sv0\":1", "\"sv0\":2");
    let e = contract::read(&mut v2.as_bytes(), "f", &schema).unwrap_err();
    assert!(e[0].reason.contains("version 2"), "{e:?}");
}
