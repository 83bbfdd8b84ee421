//! Snapshots by number, time and name; what differs between any two; compaction.

use std::collections::BTreeSet;

use sv0_graph::{
    EdgeInput, GraphBatch, GraphView, Keep, NodeInput, NodeType, Schema, Scope, Snapshot, Store, StoreError, Trust,
    Value,
};
use tempfile::TempDir;

use crate::ingest::key;
use crate::model::{Random, dump};

/// Twelve rounds of a small organisation that changes.
fn rounds(store: &mut Store, count: u64) -> Vec<Snapshot> {
    let mut r = Random(3);
    (1..=count)
        .map(|round| {
            let mut b = GraphBatch::new("t", i64::try_from(round).unwrap() * 1_000_000);
            b.complete.push(Scope { types: NodeType::ALL.to_vec(), scope: "all".into(), within: None });
            let live: Vec<u64> = (0..30).filter(|_| r.below(5) > 0).collect();
            for i in &live {
                let n = NodeInput::new(key(&format!("n{i}")), NodeType::Identity, "k");
                b.nodes.push(n.with("name", Value::str(format!("{}", r.below(3)))));
            }
            for _ in 0..40 {
                let (a, c) = (live[r.below(live.len() as u64) as usize], live[r.below(live.len() as u64) as usize]);
                let mut e = EdgeInput::new("CAN_ASSUME", key(&format!("n{a}")), key(&format!("n{c}")));
                e.state = sv0_graph::State::ALL[r.below(3) as usize];
                b.edges.push(e);
            }
            let mut t = store.begin().unwrap();
            t.stage(vec![b]).unwrap();
            t.commit(&format!("round {round}")).unwrap().snapshot
        })
        .collect()
}

#[test]
fn snapshots_are_found_by_number_time_and_name() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    rounds(&mut store, 4);
    assert_eq!(store.at_time(2_500_000).unwrap().unwrap().number(), 2);
    assert_eq!(store.at_time(4_000_000).unwrap().unwrap().number(), 4);
    assert!(store.at_time(999_999).unwrap().is_none());
    assert_eq!(store.named("round 3").unwrap().unwrap().number(), 3);
    assert!(store.named("round 9").unwrap().is_none());
}

/// What differs, found by looking at everything.
fn naive(a: &Snapshot, b: &Snapshot) -> BTreeSet<String> {
    let facts = |s: &Snapshot| -> BTreeSet<(String, String)> {
        let mut out = BTreeSet::new();
        for n in s.nodes(None).unwrap() {
            let k = s.key(n).unwrap().to_string();
            out.insert((format!("node {k} {n}"), format!("{:?}", s.prop(n, "name").unwrap())));
            for t in s.schema().edge_type_ids() {
                s.expand(n, t, sv0_graph::Direction::Out, &mut |o, e| {
                    let r = s.edge(e).unwrap();
                    out.insert((format!("edge {n} {o} {}", r.key), format!("{:?}{:?}", r.state, r.evidence)));
                })
                .unwrap();
            }
        }
        out
    };
    let (x, y) = (facts(a), facts(b));
    x.symmetric_difference(&y).map(|(k, _)| k.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn any_two_snapshots_differ_as_looking_at_everything_says() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let all = rounds(&mut store, 8);
    for a in 1..=8u32 {
        for b in a..=8 {
            let d = store.diff(a, b).unwrap();
            let mut found = BTreeSet::new();
            for n in d.nodes.values().flat_map(|c| c.added.iter().chain(&c.changed).chain(&c.removed)) {
                let s = if d.to.node_type(*n).is_some() { &d.to } else { &d.from };
                found.insert(format!("node {} {n}", s.key(*n).unwrap()));
            }
            for e in d.edges.values().flatten() {
                found.insert(format!("edge {} {}", e.from, e.to));
            }
            let want = naive(&all[a as usize - 1], &all[b as usize - 1]);
            let want: BTreeSet<String> = want.iter().map(|s| s.trim_end().to_owned()).collect();
            assert_eq!(found, want, "{a} to {b}");
        }
    }
    assert!(matches!(store.diff(3, 2), Err(StoreError::UnknownSnapshot { .. })));
}

#[test]
fn compaction_keeps_what_it_is_told_and_disturbs_nobody() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let all = rounds(&mut store, 8);
    let texts: Vec<String> = all.iter().map(dump).collect();
    let hashes: Vec<String> = all.iter().map(Snapshot::content_hash).collect();
    let reader = Store::open(&path).unwrap();
    let old = reader.snapshot(2).unwrap();
    let diff = store.diff(3, 6).unwrap().counts();
    let c = store.compact(&Keep::Numbers(vec![3, 6])).unwrap();
    assert_eq!((c.kept, c.dropped), (3, 5));
    assert!(c.after < c.before);
    let check = |store: &Store| {
        assert_eq!(store.snapshots().iter().map(|s| s.0).collect::<Vec<_>>(), [3, 6, 8]);
        for n in [3u32, 6, 8] {
            let s = store.snapshot(n).unwrap();
            assert_eq!(dump(&s), texts[n as usize - 1]);
            assert_eq!(s.content_hash(), hashes[n as usize - 1]);
        }
        assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
        // The change sets are against the snapshot that is now the one before.
        assert_eq!(store.diff(3, 6).unwrap().counts(), diff);
        assert!(matches!(store.snapshot(2), Err(StoreError::UnknownSnapshot { .. })));
    };
    check(&store);
    check(&Store::open(&path).unwrap());
    // Who had the old file open still has it.
    assert_eq!(dump(&old), texts[1]);
    assert_eq!(dump(&reader.snapshot(5).unwrap()), texts[4]);
    assert_eq!(dump(&all[0]), texts[0]);
    // The writer goes on, and still holds the lock.
    assert!(matches!(Store::open_or_create(&path, Schema::canonical()), Err(StoreError::Locked)));
    let more = rounds(&mut store, 1);
    assert_eq!(more[0].number(), 9);
    assert_eq!(store.compact(&Keep::Newest(1)).unwrap().kept, 1);
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    drop(store);
    let store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    assert_eq!(store.snapshots().len(), 1);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    // In memory, too.
    let mut memory = Store::in_memory(Schema::canonical()).unwrap();
    let all = rounds(&mut memory, 3);
    memory.compact(&Keep::Newest(2)).unwrap();
    assert_eq!(dump(&memory.snapshot(2).unwrap()), dump(&all[1]));
    assert_eq!(memory.compact(&Keep::All).unwrap().dropped, 0);
}

#[test]
fn full_trust_finds_at_open_what_lazy_trust_finds_at_the_first_touch() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    rounds(&mut Store::open_or_create(&path, Schema::canonical()).unwrap(), 2);
    Store::open(&path).unwrap().trusted(Trust::Full).unwrap();
    // The ids: no open reads them.
    let store = Store::open(&path).unwrap();
    let place = store.sections().into_iter().find(|s| s.name == "node_column[65535,0,0]").unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(place.offset).unwrap() + 40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let lazy = Store::open(&path).and_then(|s| s.trusted(Trust::Lazy)).unwrap().latest();
    let first = lazy.nodes(None).unwrap()[0];
    let corrupt = |e: &StoreError| matches!(e, StoreError::Corrupt { section, offset, .. } if *section == place.name && *offset == place.offset);
    assert!(lazy.key(first).is_err_and(|e| corrupt(&e.0)));
    assert!(Store::open(&path).and_then(|s| s.trusted(Trust::Full)).is_err_and(|e| corrupt(&e)));
}

#[test]
fn a_container_can_be_a_scope() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let batch = |subscriptions: &[(&str, &[&str])], complete: Option<&str>| {
        let mut b = GraphBatch::new("t", 0);
        for (s, vaults) in subscriptions {
            b.nodes.push(NodeInput::new(key(s), NodeType::Resource, "azure.subscription"));
            for v in *vaults {
                b.nodes.push(NodeInput::new(key(v), NodeType::Resource, "azure.vault"));
                b.edges.push(EdgeInput::new("CONTAINS", key(s), key(v)));
            }
        }
        if let Some(within) = complete {
            b.complete.push(Scope {
                types: vec![NodeType::Resource],
                scope: "subscription".into(),
                within: Some(within.into()),
            });
        }
        b
    };
    let mut commit = |b: GraphBatch| {
        let mut t = store.begin().unwrap();
        t.stage(vec![b]).unwrap();
        let s = t.commit("x").unwrap().snapshot;
        let mut ids: Vec<String> = s.nodes(None).unwrap().iter().map(|n| s.key(*n).unwrap().id.to_string()).collect();
        ids.sort();
        ids.join(" ")
    };
    assert_eq!(commit(batch(&[("s1", &["a", "b"]), ("s2", &["c"])], None)), "a b c s1 s2");
    // Only what the one subscription held goes.
    assert_eq!(commit(batch(&[("s1", &["a"])], Some("s1"))), "a c s1 s2");
    // An unknown container held nothing.
    assert_eq!(commit(batch(&[("s1", &[])], Some("nowhere"))), "a c s1 s2");
    assert_eq!(commit(batch(&[("s2", &[])], Some("s2"))), "a s1 s2");
}
