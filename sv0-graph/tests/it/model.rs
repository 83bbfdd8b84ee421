//! Random batches over many commits, in every layout, against a graph that was built at once.

use std::collections::{BTreeMap, BTreeSet};

use sv0_graph::{
    Direction, EdgeInput, Evidence, GraphBatch, GraphView, Layout, NodeInput, NodeType, Origin, Schema, Scope,
    Snapshot, SourceRecord, State, Store, Value,
};

use crate::ingest::key;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

const TYPES: [NodeType; 3] = [NodeType::Identity, NodeType::Automation, NodeType::Resource];

fn type_of(i: u64) -> NodeType {
    TYPES[(i % 3) as usize]
}

fn node(r: &mut Random, i: u64) -> NodeInput {
    let mut n = NodeInput::new(key(&format!("n{i}")), type_of(i), ["k.a", "k.b"][r.below(2) as usize]);
    for (name, value) in [
        ("name", Value::str(format!("name {}", r.below(5)))),
        ("count", Value::Int(r.below(1000) as i64 - 500)),
        ("public", Value::Bool(r.below(2) == 0)),
        ("created_at", Value::Timestamp(r.next() as i64)),
        ("tags", Value::list(["tier_zero", "external"][..r.below(3) as usize].iter().copied())),
        ("status", Value::str(["active", "disabled"][r.below(2) as usize])),
    ] {
        if r.below(3) > 0 {
            n = n.with(name, value);
        }
    }
    if r.below(2) == 0 {
        n.origins.push(Origin { record: 0, pointer: format!("/value/{}", r.below(9)).into() });
    }
    n
}

fn edge(r: &mut Random, a: u64, b: u64) -> Option<EdgeInput> {
    let ty = match (type_of(a), type_of(b)) {
        (NodeType::Automation, NodeType::Identity) => "RUNS_AS",
        (NodeType::Identity, NodeType::Identity) => "CAN_ASSUME",
        (NodeType::Resource, NodeType::Resource) => "CONTAINS",
        (NodeType::Automation, NodeType::Automation) => "INVOKES",
        _ => return None,
    };
    let mut e = EdgeInput::new(ty, key(&format!("n{a}")), key(&format!("n{b}")));
    e.key = ["", "", "one", "two"][r.below(4) as usize].into();
    e.evidence = Evidence::ALL[r.below(3) as usize];
    e.state = State::ALL[r.below(3) as usize];
    if r.below(3) == 0 {
        e.condition = Some("if".into());
    }
    if r.below(3) == 0 {
        e = e.with("via", Value::str(["task", "system"][r.below(2) as usize]));
    }
    if r.below(2) == 0 {
        e.origins.push(Origin { record: 0, pointer: format!("/e/{}/x", r.below(5)).into() });
    }
    Some(e)
}

/// What a graph says, without ids.
pub fn dump(s: &Snapshot) -> String {
    let mut out = String::new();
    let mut nodes: Vec<(String, u32)> =
        s.nodes(None).unwrap().into_iter().map(|n| (s.key(n).unwrap().to_string(), n)).collect();
    nodes.sort();
    for (k, n) in nodes {
        assert_eq!(s.find(&s.key(n).unwrap()).unwrap(), Some(n));
        out += &format!("{k} {:?} {:?}\n", s.node_type(n), s.node_records(n).unwrap());
        for p in s.schema().node_properties() {
            let v = s.prop(n, &p.name).unwrap();
            if !v.is_null() {
                out += &format!("  {} = {v:?}\n", p.name);
            }
        }
        for t in s.schema().edge_type_ids() {
            for dir in [Direction::Out, Direction::In] {
                let mut edges = Vec::new();
                let mut last = None;
                s.expand(n, t, dir, &mut |o, e| {
                    assert!(last < Some((o, e)), "neighbours ascend");
                    last = Some((o, e));
                    edges.push((o, e));
                })
                .unwrap();
                let mut lines: Vec<String> = edges
                    .into_iter()
                    .map(|(o, e)| {
                        let r = s.edge(e).unwrap();
                        assert_eq!(s.ends(e).unwrap(), (r.from, r.to));
                        assert_eq!(if dir == Direction::Out { (n, o) } else { (o, n) }, (r.from, r.to));
                        assert!(s.edges_between(r.from, t, r.to).unwrap().contains(&e));
                        let via = s.edge_prop(e, s.schema().edge_prop("via").unwrap()).unwrap();
                        format!(
                            "  {dir:?} {} {} {:?} {:?} {:?} {via:?} {:?}\n",
                            s.schema().edge_type(t).name,
                            s.key(o).unwrap(),
                            (&r.key, r.evidence, r.state),
                            r.condition,
                            s.sources(),
                            s.edge_records(e).unwrap()
                        )
                    })
                    .collect();
                lines.sort();
                out += &lines.concat();
            }
        }
    }
    out
}

/// The whole truth as one complete batch.
fn whole(nodes: &BTreeMap<u64, NodeInput>, edges: &BTreeMap<String, EdgeInput>) -> GraphBatch {
    let mut b = GraphBatch::new("t", 0);
    b.records.push(SourceRecord { operation: "GET /all".into(), ..SourceRecord::default() });
    b.nodes = nodes.values().cloned().collect();
    b.edges = edges.values().cloned().collect();
    b
}

fn identity(e: &EdgeInput) -> String {
    format!("{} {} {} {}", e.ty, e.from, e.to, e.key)
}

#[test]
fn many_commits_in_any_layout_are_the_graph_built_at_once() {
    for seed in 0..30 {
        for layout in [Layout::Patches, Layout::Fresh, Layout::Auto] {
            let mut r = Random(seed);
            let mut store = Store::in_memory(Schema::canonical()).unwrap();
            let mut nodes: BTreeMap<u64, NodeInput> = BTreeMap::new();
            let mut edges: BTreeMap<String, EdgeInput> = BTreeMap::new();
            let mut history = Vec::new();
            for round in 0..8 {
                let (before_nodes, before_edges) = (nodes.clone(), edges.clone());
                // Some nodes go; their edges with them.
                let gone: BTreeSet<u64> = (0..40).filter(|_| round > 0 && r.below(12) == 0).collect();
                nodes.retain(|i, _| !gone.contains(i));
                let alive = |k: &str, nodes: &BTreeMap<u64, NodeInput>| {
                    k.strip_prefix("n").and_then(|n| n.parse().ok()).is_some_and(|n: u64| nodes.contains_key(&n))
                };
                for i in 0..40 {
                    if r.below(if round == 0 { 2 } else { 8 }) == 0 {
                        nodes.insert(i, node(&mut r, i));
                    }
                }
                edges.retain(|_, e| {
                    alive(&e.from.id, &nodes) && alive(&e.to.id, &nodes) && (round == 0 || r.below(10) > 0)
                });
                for _ in 0..if round == 0 { 120 } else { 15 } {
                    let (a, b) = (r.below(40), r.below(40));
                    if nodes.contains_key(&a)
                        && nodes.contains_key(&b)
                        && let Some(e) = edge(&mut r, a, b)
                    {
                        edges.insert(identity(&e), e);
                    }
                }
                let mut b = whole(&nodes, &edges);
                b.complete.push(Scope { types: NodeType::ALL.to_vec(), scope: "all".into(), within: None });
                let mut t = store.begin().unwrap();
                t.stage(vec![b.clone()]).unwrap();
                let c = t.commit_as(&format!("{round}"), layout).unwrap();
                // Against a graph that never saw anything else.
                let mut fresh = Store::in_memory(Schema::canonical()).unwrap();
                let mut t = fresh.begin().unwrap();
                t.stage(vec![b]).unwrap();
                let text = dump(&c.snapshot);
                assert_eq!(text, dump(&t.commit("x").unwrap().snapshot), "seed {seed} round {round} {layout:?}");
                let problems = store.verify().unwrap().problems;
                assert_eq!(problems, Vec::<String>::new(), "seed {seed} round {round} {layout:?}");
                // The change sets say what was done.
                let s = &c.snapshot;
                for ty in TYPES {
                    let set = s.node_changes(ty).unwrap();
                    let of = |m: &BTreeMap<u64, NodeInput>| -> BTreeMap<u64, NodeInput> {
                        m.iter().filter(|(i, _)| type_of(**i) == ty).map(|(i, n)| (*i, n.clone())).collect()
                    };
                    let (old, new) = (of(&before_nodes), of(&nodes));
                    let added = new.keys().filter(|k| !old.contains_key(k)).count();
                    let removed = old.keys().filter(|k| !new.contains_key(k)).count();
                    assert_eq!((set.added.len(), set.removed.len()), (added as u64, removed as u64));
                    let changed = new.iter().filter(|(k, n)| old.get(k).is_some_and(|o| sorted(o) != sorted(n)));
                    assert_eq!(set.changed.len(), changed.count() as u64, "seed {seed} round {round}");
                }
                let mut counts = (0, 0);
                for t in s.schema().edge_type_ids() {
                    let set = s.edge_changes(t).unwrap();
                    counts = (counts.0 + set.added.len(), counts.1 + set.removed.len());
                    for e in set.added.iter().chain(set.changed.iter()) {
                        s.edge(sv0_graph::EdgeId(e)).unwrap();
                    }
                }
                let added = edges.keys().filter(|k| !before_edges.contains_key(*k)).count() as u64;
                let removed = before_edges.keys().filter(|k| !edges.contains_key(*k)).count() as u64;
                assert_eq!(counts, (added, removed), "seed {seed} round {round} {layout:?}");
                // Values by index.
                for value in ["active", "disabled"] {
                    let status = s.schema().node_prop("status").unwrap();
                    let slow: Vec<u32> = s
                        .nodes(None)
                        .unwrap()
                        .into_iter()
                        .filter(|n| s.node_prop(*n, status).unwrap().as_str() == Some(value))
                        .collect();
                    assert_eq!(s.nodes_where(status, value).unwrap().iter().collect::<Vec<_>>(), slow);
                }
                let tags = s.schema().node_prop("tags").unwrap();
                let slow = s
                    .nodes(None)
                    .unwrap()
                    .into_iter()
                    .filter(|n| s.node_prop(*n, tags).unwrap().as_list().iter().any(|t| &**t == "external"));
                assert_eq!(
                    s.nodes_where(tags, "external").unwrap().iter().collect::<Vec<_>>(),
                    slow.collect::<Vec<_>>()
                );
                history.push(text);
            }
            let sections = store.info().sections;
            for kind in ["node_patch", "adjacency_out_patch", "adjacency_in_patch", "edge_patch"] {
                assert_eq!(sections.contains_key(kind), layout == Layout::Patches, "{kind} {layout:?}");
            }
            for (i, text) in (1..).zip(&history) {
                assert_eq!(&dump(&store.snapshot(i).unwrap()), text, "seed {seed} snapshot {i}");
            }
        }
    }
}

fn sorted(n: &NodeInput) -> Vec<String> {
    let mut p: Vec<String> = n.props.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
    p.sort();
    p
}
