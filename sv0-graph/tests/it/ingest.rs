//! What gets in, what doesn't, and what is removed.

use std::sync::Arc;

use sv0_graph::{
    Annotation, EdgeInput, GraphBatch, GraphView, NodeInput, NodeKey, NodeType, Schema, Scope, SourceRecord, Store,
    Value, Working,
};

pub fn key(id: &str) -> NodeKey {
    NodeKey::new("t", id)
}

pub fn batch(nodes: &[(&str, NodeType)], edges: &[(&str, &str, &str)]) -> GraphBatch {
    let mut b = GraphBatch::new("t", 1_000_000);
    b.records.push(SourceRecord { operation: "GET /all".into(), sha256: "ab".into(), ..SourceRecord::default() });
    for (i, (id, ty)) in nodes.iter().enumerate() {
        b.nodes.push(NodeInput::new(key(id), *ty, "k").at(0, format!("/nodes/{i}")));
    }
    for (i, (ty, from, to)) in edges.iter().enumerate() {
        b.edges.push(EdgeInput::new(ty, key(from), key(to)).at(0, format!("/edges/{i}")));
    }
    b
}

fn working() -> Working {
    Working::new(Arc::new(Schema::canonical()))
}

#[test]
fn reports_everything_that_the_schema_forbids_and_takes_nothing() {
    let mut b = batch(
        &[("i", NodeType::Identity), ("a", NodeType::Automation), ("r", NodeType::Resource)],
        &[("RUNS_AS", "i", "a"), ("RUN_AS", "a", "i"), ("OWNED_BY", "a", "gone"), ("RUNS_AS", "a", "i")],
    );
    b.nodes[0].props.push(("staus".into(), Value::str("active")));
    b.nodes[1].props.push(("status".into(), Value::Int(3)));
    b.nodes[2].props.push(("tags".into(), Value::list(["tier_zer0"])));
    b.nodes[2].props.push(("gains".into(), Value::list(["x"])));
    let mut w = working();
    let text = w.apply(vec![b], false).unwrap_err().to_string();
    for part in [
        "edge `RUNS_AS` may not go from identity `t:i` to automation `t:a`; allowed are automation → identity",
        "record `GET /all` at `/edges/0`",
        "unknown edge type `RUN_AS`; did you mean `RUNS_AS`",
        "there is no node `t:gone`",
        "unknown property `staus` on node `t:i`; did you mean `status`",
        "property `status` on node `t:a` is a int, declared is string",
        "undeclared tag `tier_zer0` on node `t:r`; did you mean `tier_zero`?",
        "property `gains` on node `t:r` is sv0's own",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    assert!(w.nodes(None).unwrap().is_empty());
}

#[test]
fn lenient_keeps_what_fits_and_never_deletes_what_it_refuses() {
    let mut w = working();
    let good = batch(&[("i", NodeType::Identity), ("a", NodeType::Automation)], &[("RUNS_AS", "a", "i")]);
    w.apply(vec![good.clone()], false).unwrap();
    let mut again = good;
    again.complete.push(Scope { types: NodeType::ALL.to_vec(), scope: "all".into(), within: None });
    again.nodes[0].props.push(("staus".into(), Value::str("active")));
    again.edges.push(EdgeInput::new("RUNS_AS", key("i"), key("a")));
    let refused = w.apply(vec![again], true).unwrap();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(w.find(&key("i")).unwrap().is_some());
}

#[test]
fn removal_only_inside_what_was_observed_completely() {
    let mut w = working();
    let all = batch(
        &[
            ("i", NodeType::Identity),
            ("j", NodeType::Identity),
            ("a", NodeType::Automation),
            ("b", NodeType::Automation),
        ],
        &[("RUNS_AS", "a", "i"), ("RUNS_AS", "b", "j")],
    );
    w.apply(vec![all], false).unwrap();
    // An incomplete listing removes nothing.
    w.apply(vec![batch(&[("i", NodeType::Identity)], &[])], false).unwrap();
    assert_eq!(w.nodes(None).unwrap().len(), 4);
    // A complete one of identities removes the identity that is gone, with its edges, and no automation.
    let mut b = batch(&[("i", NodeType::Identity)], &[]);
    b.complete.push(Scope { types: vec![NodeType::Identity], scope: "tenant".into(), within: None });
    w.apply(vec![b], false).unwrap();
    assert!(w.find(&key("j")).unwrap().is_none());
    assert_eq!(w.nodes(Some(NodeType::Automation)).unwrap().len(), 2);
    // Two batches of one source, each complete, are one listing.
    let complete = |id| {
        let mut b = batch(&[(id, NodeType::Identity)], &[]);
        b.complete.push(Scope { types: vec![NodeType::Identity], scope: "tenant".into(), within: None });
        b
    };
    w.apply(vec![complete("x"), complete("y")], false).unwrap();
    let left: Vec<_> = w.nodes(Some(NodeType::Identity)).unwrap();
    assert_eq!(left.len(), 2);
}

#[test]
fn parallel_edges_are_told_apart_by_their_key() {
    let mut b = batch(&[("i", NodeType::Identity), ("p", NodeType::Permission)], &[("HAS_PERMISSION", "i", "p")]);
    let mut second = EdgeInput::new("HAS_PERMISSION", key("i"), key("p"));
    second.key = "two".into();
    b.edges.push(second.clone());
    b.edges.push(second);
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    assert_eq!(t.commit("x").unwrap().snapshot.info().edges, 2);
}

#[test]
fn annotations_never_overwrite_a_source_and_are_replaced_whole() {
    let mut w = working();
    let mut b = batch(&[("i", NodeType::Identity), ("j", NodeType::Identity)], &[]);
    b.nodes[0].props.push(("environment".into(), Value::str("production")));
    w.apply(vec![b], false).unwrap();
    let annotate = |prop: &str, value: Value| {
        let mut b = GraphBatch::new("derived", 0);
        let one = |id: &str| Annotation { node: key(id), prop: prop.into(), value: value.clone(), by: "line".into() };
        b.annotations = Some(vec![one("i"), one("j")]);
        b
    };
    w.apply(vec![annotate("environment", Value::str("test"))], false).unwrap();
    let env = |w: &Working, id| w.text(w.find(&key(id)).unwrap().unwrap(), "environment").unwrap();
    assert_eq!((&*env(&w, "i"), &*env(&w, "j")), ("production", "test"));
    w.apply(vec![annotate("tags", Value::list(["external"]))], false).unwrap();
    assert_eq!((&*env(&w, "i"), &*env(&w, "j")), ("production", ""));
}

#[test]
fn schema_holds_the_model() {
    let s = Schema::canonical();
    let allows = |t: &str, a, b| s.edge_type(s.edge_type_id(t).unwrap()).allows(a, b);
    assert_eq!(NodeType::ALL.len(), 9);
    assert_eq!(s.edge_types().iter().filter(|t| t.class == sv0_graph::EdgeClass::Escalation).count(), 13);
    assert!(allows("RUNS_AS", NodeType::Automation, NodeType::Identity));
    assert!(!allows("RUNS_AS", NodeType::Identity, NodeType::Automation));
    assert!(!allows("OWNED_BY", NodeType::Permission, NodeType::Owner));
    assert!(allows("SAME_AS", NodeType::Credential, NodeType::Credential));
    let mut names: Vec<_> = s.edge_types().iter().map(|t| &t.name).collect();
    names.dedup();
    assert_eq!(names.len(), 42);
}
