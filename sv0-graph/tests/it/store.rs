//! The single file: commit, reopen, snapshots, lock, damage.

use sv0_graph::{GraphBatch, GraphView, NodeInput, NodeType, Schema, Scope, Snapshot, Store, StoreError, Value};
use tempfile::TempDir;

use crate::ingest::{batch, key};
use crate::model::dump;

fn sample() -> GraphBatch {
    let mut b = batch(
        &[("i", NodeType::Identity), ("j", NodeType::Identity), ("a", NodeType::Automation), ("o", NodeType::Owner)],
        &[("RUNS_AS", "a", "i"), ("OWNED_BY", "a", "o"), ("CAN_ASSUME", "i", "j"), ("CAN_ASSUME", "j", "i")],
    );
    b.nodes[0] = b.nodes[0]
        .clone()
        .with("tags", Value::list(["tier_zero"]))
        .with("created_at", Value::Timestamp(5))
        .with("name", Value::str("ünïcode"))
        .with("public", Value::Bool(true))
        .with("count", Value::Int(-7));
    b.edges[0].condition = Some("if".into());
    b.edges[0].state = sv0_graph::State::Conditional;
    b.edges[0].props.push(("via".into(), Value::str("task")));
    b
}

fn commit(store: &mut Store, b: GraphBatch, name: &str) -> Snapshot {
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    t.commit(name).unwrap().snapshot
}

#[test]
fn commit_and_reopen() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let first = commit(&mut store, sample(), "one");
    let text = dump(&first);
    assert!(
        text.contains("ünïcode") && text.contains("Timestamp(5)") && text.contains("task") && text.contains("/edges/0")
    );
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(dump(&store.latest()), text);
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    // SAFETY: the file lies in this test's own folder and nobody else writes to it.
    let mapped = unsafe { Store::map(&path) }.unwrap();
    assert_eq!(dump(&mapped.latest()), text);
    assert_eq!(store.latest().info().nodes_by_type[&NodeType::Identity], 2);
    assert!(matches!(Store::open(&path).unwrap().begin(), Err(StoreError::ReadOnly)));
}

#[test]
fn snapshots_stay_as_they_were_and_share_what_is_unchanged() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let first = commit(&mut store, sample(), "one");
    let before = dump(&first);
    let mut b = GraphBatch::new("t", 2_000_000);
    b.complete.push(Scope { types: vec![NodeType::Automation], scope: "all".into(), within: None });
    b.nodes.push(NodeInput::new(key("new"), NodeType::Credential, "k"));
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    let c = t.commit("two").unwrap();
    assert_eq!(c.changes["automation"].removed, 1);
    assert_eq!(c.changes["RUNS_AS"].removed, 1);
    assert_eq!(c.changes["credential"].added, 1);
    assert_eq!(dump(&first), before);
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.snapshots().iter().map(|s| (s.0, s.2.as_str())).collect::<Vec<_>>(), [(1, "one"), (2, "two")]);
    assert_eq!(dump(&store.snapshot(1).unwrap()), before);
    assert!(store.latest().find(&key("a")).unwrap().is_none());
    assert!(matches!(store.snapshot(3), Err(StoreError::UnknownSnapshot { .. })));
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn same_input_same_bytes_whatever_the_order_in_a_batch() {
    let bytes = |b: GraphBatch| {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("g.sv0");
        commit(&mut Store::open_or_create(&path, Schema::canonical()).unwrap(), b, "one");
        std::fs::read(path).unwrap()
    };
    let mut shuffled = sample();
    shuffled.nodes.reverse();
    shuffled.edges.reverse();
    assert_eq!(bytes(sample()), bytes(shuffled));
}

#[test]
fn same_batches_same_bytes_by_any_number_of_threads_and_in_any_order() {
    let edge = |ty, a: u32, b: u32| sv0_graph::EdgeInput::new(ty, key(&format!("n{a}")), key(&format!("n{b}")));
    let batches = |reverse: bool| -> Vec<GraphBatch> {
        (0..3u32)
            .map(|round| {
                let mut b = GraphBatch::new("t", i64::from(round));
                for i in (0..3000).filter(|i| round == 0 || i % 40 == round) {
                    let n = NodeInput::new(key(&format!("n{i}")), NodeType::Identity, "k");
                    b.nodes.push(n.with("name", Value::str(format!("{round} {}", i % 7))));
                    b.edges.push(edge("CAN_ASSUME", i, (i * 31 + round) % 3000));
                }
                if reverse {
                    b.nodes.reverse();
                    b.edges.reverse();
                }
                b
            })
            .collect()
    };
    let bytes = |threads: usize, reverse: bool| {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("g.sv0");
        let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| batches(reverse).into_iter().for_each(|b| drop(commit(&mut store, b, "x"))));
        std::fs::read(path).unwrap()
    };
    let first = bytes(1, false);
    for threads in [1, 2, 4, 8] {
        assert!(bytes(threads, true) == first, "{threads} threads");
    }
}

#[test]
fn one_writer() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let first = Store::open_or_create(&path, Schema::canonical()).unwrap();
    assert!(matches!(Store::open_or_create(&path, Schema::canonical()), Err(StoreError::Locked)));
    assert!(Store::open(&path).is_ok());
    drop(first);
    Store::open_or_create(&path, Schema::canonical()).unwrap();
}

#[test]
fn every_damaged_byte_is_detected_or_harmless() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let good = dump(&commit(&mut Store::open_or_create(&path, Schema::canonical()).unwrap(), sample(), "one"));
    let bytes = std::fs::read(&path).unwrap();
    let copy = dir.path().join("h.sv0");
    let (mut detected, mut harmless) = (0, 0);
    for at in 0..bytes.len() {
        // Padding between the fixed parts means nothing; look at a few of its bytes only.
        if bytes[at] == 0 && at % 97 != 0 {
            continue;
        }
        let mut b = bytes.clone();
        b[at] ^= 0x5a;
        std::fs::write(&copy, &b).unwrap();
        match Store::open(&copy) {
            Err(_) => detected += 1,
            Ok(s) if !s.verify().unwrap().problems.is_empty() => detected += 1,
            Ok(s) => {
                assert_eq!(dump(&s.latest()), good, "byte {at}");
                harmless += 1;
            }
        }
    }
    assert!(detected > 1000 && harmless > 0, "{detected} detected, {harmless} harmless");
}

#[test]
fn every_truncation_is_detected() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    commit(&mut Store::open_or_create(&path, Schema::canonical()).unwrap(), sample(), "one");
    let bytes = std::fs::read(&path).unwrap();
    for len in (0..bytes.len()).step_by(61).chain([bytes.len() - 1]) {
        std::fs::write(&path, &bytes[..len]).unwrap();
        match Store::open(&path) {
            Err(StoreError::Truncated { .. } | StoreError::NotAStore) => {}
            other => panic!("{len}: {other:?}"),
        }
    }
    let mut newer = bytes.clone();
    newer[16] = 3;
    std::fs::write(&path, newer).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::UnsupportedVersion { found: 3, max: 2, .. })));
}

#[test]
fn a_torn_flip_opens_at_the_old_snapshot() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    commit(&mut store, sample(), "one");
    let old = std::fs::read(&path).unwrap();
    commit(&mut store, batch(&[("n", NodeType::Owner)], &[]), "two");
    drop(store);
    let new = std::fs::read(&path).unwrap();
    // Crash before the flip: the data is there, the slots are the old ones.
    let mut crashed = new.clone();
    crashed[..12288].copy_from_slice(&old[..12288]);
    std::fs::write(&path, &crashed).unwrap();
    assert_eq!(Store::open(&path).unwrap().latest().number(), 1);
    // The next writer goes on from there.
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let s = commit(&mut store, batch(&[("m", NodeType::Owner)], &[]), "two again");
    assert_eq!((s.number(), s.info().nodes), (2, 5));
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    // A file that was begun and never became a store is begun anew.
    drop(store);
    std::fs::write(&path, vec![0u8; 12288]).unwrap();
    Store::open_or_create(&path, Schema::canonical()).unwrap();
}

#[test]
fn groups_hold_one_type_and_many_ids() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let mut b = GraphBatch::new("t", 0);
    for i in 0..70_000 {
        b.nodes.push(NodeInput::new(key(&format!("n{i}")), NodeType::Identity, "k"));
    }
    b.nodes.push(NodeInput::new(key("r"), NodeType::Resource, "k"));
    let s = commit(&mut store, b, "big");
    assert_eq!(s.info().nodes, 70_001);
    let n = s.find(&key("n69999")).unwrap().unwrap();
    assert_eq!(s.node_type(n), Some(NodeType::Identity));
    assert_eq!(s.node_type(s.find(&key("r")).unwrap().unwrap()), Some(NodeType::Resource));
    assert_eq!(s.find(&key("n70000")).unwrap(), None);
}
