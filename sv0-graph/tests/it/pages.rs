//! Pages that the store keeps beside their records.

use std::sync::Arc;

use sv0_graph::{GraphBatch, GraphView, Keep, NodeInput, NodeKey, NodeType, Schema, SourceRecord, Store, StoreError};
use tempfile::TempDir;

fn record(i: usize) -> SourceRecord {
    SourceRecord { sha256: format!("{i:064x}"), operation: format!("GET /{i}"), ..SourceRecord::default() }
}

fn page(i: usize) -> Arc<str> {
    format!("{{\"page\":{i},\"text\":\"{}ä\"}}", "value ".repeat(i % 300)).into()
}

/// A batch of records, every one with a node, those in `kept` with their page.
fn batch(time: i64, records: std::ops::Range<usize>, kept: impl Fn(usize) -> bool) -> GraphBatch {
    let mut b = GraphBatch::new("t", time);
    for (n, i) in (0u32..).zip(records) {
        b.records.push(record(i));
        if kept(i) {
            b.pages.insert(n, page(i));
        }
        b.nodes.push(NodeInput::new(NodeKey::new("t", format!("{i}")), NodeType::Resource, "k").at(n, "/x"));
    }
    b
}

fn commit(store: &mut Store, b: GraphBatch) -> u64 {
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    t.commit("c").unwrap().bytes_written
}

/// Each node leads to its record and, if that is kept, its page.
fn holds(store: &Store, all: usize, kept: impl Fn(usize) -> bool) {
    let s = store.latest();
    assert_eq!(s.record_count() as usize, all);
    for i in 0..all {
        let n = s.find(&NodeKey::new("t", format!("{i}"))).unwrap().unwrap();
        let [(r, pointer)] = &s.node_origins(n).unwrap()[..] else { panic!("node {i}") };
        assert_eq!((&s.record(*r).unwrap(), &**pointer), (&record(i), "/x"));
        assert_eq!(s.page(*r).unwrap().as_deref(), kept(i).then(|| page(i)).as_deref(), "record {i}");
    }
    assert!(s.page(s.record_count()).unwrap().is_none());
}

#[test]
fn pages_are_kept_once_found_by_their_record_and_survive_reopening_and_compaction() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("p.sv0");
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let odd = |i: usize| i % 2 == 1;
    commit(&mut store, batch(1, 0..3000, odd));
    holds(&store, 3000, odd);
    // The same again: neither the records nor their pages are written twice.
    let again = commit(&mut store, batch(2, 0..3000, odd));
    assert!(again < 16 << 10, "{again}");
    // Some more, and pages of records that had none.
    let more = |i: usize| odd(i) || !(100..3000).contains(&i);
    commit(&mut store, batch(3, 0..3100, more));
    holds(&store, 3100, more);
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    store.compact(&Keep::Newest(1)).unwrap();
    holds(&store, 3100, more);
    drop(store);
    let store = Store::open(&path).unwrap();
    holds(&store, 3100, more);
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    let size = store.info().sections["pages"].bytes;
    let raw: usize = (0..3100).filter(|i| more(*i)).map(|i| page(i).len()).sum();
    assert!(size * 5 < raw as u64, "{size} of {raw}");
}

#[test]
fn the_order_of_records_and_batches_does_not_show_and_a_page_too_long_is_refused() {
    let write = |reverse: bool| {
        let mut b = batch(1, 0..50, |_| true);
        if reverse {
            let n = b.records.len();
            b.records.reverse();
            b.pages = b.pages.into_iter().map(|(i, p)| ((n - 1) as u32 - i, p)).collect();
            b.nodes.iter_mut().flat_map(|x| &mut x.origins).for_each(|o| o.record = (n - 1) as u32 - o.record);
        }
        let mut store = Store::in_memory(Schema::canonical()).unwrap();
        commit(&mut store, b);
        store.latest().content_hash()
    };
    assert_eq!(write(false), write(true));
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let mut b = batch(1, 0..1, |_| false);
    b.pages.insert(0, "x".repeat((64 << 20) + 1).into());
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    assert!(matches!(t.commit("c"), Err(StoreError::Limit { which: "the length of a page", .. })));
    // A page of its own block, and one that no record has.
    let mut b = batch(1, 0..2, |_| false);
    let long: Arc<str> = "y".repeat(3 << 20).into();
    b.pages.insert(1, long.clone());
    b.pages.insert(7, "nobody's".into());
    commit(&mut store, b);
    assert_eq!((store.latest().page(0).unwrap(), store.latest().page(1).unwrap().as_deref()), (None, Some(&*long)));
}
