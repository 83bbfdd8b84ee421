//! The real account in `../shared`, where it is there: every principal's verdict, against a table made independently.

use std::path::Path;

use serde_json::Value as Json;
use sv0_connectors::sv0_graph::{GraphView, NodeType};

use crate::escalation::{gain, stage};

#[test]
fn labelled_account() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/aws/iam-vulnerable/account-authorization-details.json");
    let Ok(text) = std::fs::read_to_string(&data) else {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", data.display());
        return;
    };
    let doc: Json = serde_json::from_str(&text).unwrap();
    let w = stage(&doc, None);
    let mut lines = Vec::new();
    for n in w.nodes(Some(NodeType::Identity)).unwrap() {
        let kind = w.text(n, "kind").unwrap();
        if !matches!(&*kind, "aws.role" | "aws.user") {
            continue;
        }
        let arn = w.key(n).unwrap().id;
        let tags = w.prop(n, "tags").unwrap();
        let verdict = if tags.as_list().iter().any(|t| &**t == "administrator") {
            "administrator".to_owned()
        } else if tags.as_list().iter().any(|t| &**t == "service_linked") {
            "service-linked".to_owned()
        } else {
            gain(&w, &arn).map_or("no".to_owned(), |g| g.0)
        };
        lines.push(format!("{verdict}\t{arn}"));
    }
    lines.sort();
    assert_eq!(lines.len(), 122);
    if let Some(out) = std::env::var_os("SV0_DUMP") {
        std::fs::write(out, lines.join("\n")).unwrap();
    }
}
