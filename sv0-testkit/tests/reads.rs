//! What is read of a store, counted: nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use sv0_graph::vfs::MemoryVfs;
use sv0_graph::{EdgeInput, GraphBatch, NodeInput, NodeKey, NodeType, Schema, Store, Value};
use sv0_testkit::vfs::{Op, RecordingVfs};

/// An organisation with something different in each round.
fn batch(round: usize) -> GraphBatch {
    let key = |i: usize| NodeKey::new("t", format!("{i}"));
    let mut b = GraphBatch::new("t", 1 + round as i64);
    for i in 0..4000 {
        let name = if i % 1000 == round { format!("renamed {round}") } else { format!("name {i}") };
        b.nodes.push(NodeInput::new(key(i), NodeType::Identity, "k").with("name", Value::str(name)));
        b.edges.push(EdgeInput::new("CAN_ASSUME", key(i), key((i * 7 + 1) % 4000)));
    }
    b
}

/// The sections' places that are read from the mark on.
fn read(ops: &[Op], from: u64) -> Vec<u64> {
    ops.iter().filter_map(|o| if let Op::Read(_, at, _) = o { (*at >= from).then_some(*at) } else { None }).collect()
}

#[test]
fn commits_of_one_process_read_each_section_once() {
    let vfs = Arc::new(RecordingVfs::new(Arc::new(MemoryVfs::default())));
    let mut store = Store::open_or_create_in(vfs.clone(), "a.sv0", Schema::canonical()).unwrap();
    let mut commit = |round: usize| {
        let mut t = store.begin().unwrap();
        t.stage(vec![batch(round)]).unwrap();
        t.commit("c").unwrap();
        store.sections()
    };
    // The header and its slots are read again at each commit; sections begin behind them.
    let data = 3 * 4096;
    let first: BTreeSet<u64> = commit(0).iter().map(|s| s.offset).collect();
    let before = vfs.log().len();
    let second: BTreeSet<u64> = commit(1).iter().map(|s| s.offset).collect();
    let reads = read(&vfs.log()[before..], data);
    let once: BTreeSet<u64> = reads.iter().copied().collect();
    assert_eq!(reads.len(), once.len(), "the second commit reads a section twice");
    // It compares everything, so it read what the first wrote.
    assert!(once.iter().filter(|at| first.contains(at)).count() > 5, "{once:?}");
    let before = vfs.log().len();
    commit(2);
    let reads = read(&vfs.log()[before..], data);
    let again: Vec<u64> = reads.iter().copied().filter(|at| once.contains(at)).collect();
    assert_eq!(again, Vec::<u64>::new(), "the third commit reads what the second had read");
    assert!(reads.iter().any(|at| second.contains(at) && !first.contains(at)), "and reads what the second wrote");
}
