//! The thin slice, timed: build, open, look-up, expand, reach, parse. Ratios count, not times.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sv0_graph::{EdgeInput, GraphBatch, GraphView, NodeInput, NodeKey, NodeType, Schema, Store};
use sv0_query::{CheckOptions, Query, RunOptions};

/// Identities in groups of ten, groups nested, a grant at the top.
fn organisation(n: usize) -> GraphBatch {
    let key = |k: String| NodeKey::new("bench", k);
    let mut b = GraphBatch::new("bench", 0);
    for i in 0..n {
        b.nodes.push(NodeInput::new(key(format!("i{i}")), NodeType::Identity, "entra.service_principal"));
        b.edges.push(EdgeInput::new("MEMBER_OF", key(format!("i{i}")), key(format!("g{}", i / 10))));
    }
    let groups = n.div_ceil(10);
    for g in 0..groups {
        b.nodes.push(NodeInput::new(key(format!("g{g}")), NodeType::Role, "entra.group"));
        if g > 0 {
            b.edges.push(EdgeInput::new("MEMBER_OF", key(format!("g{g}")), key(format!("g{}", g / 4))));
        }
    }
    b
}

fn slice(c: &mut Criterion) {
    let batch = organisation(10_000);
    c.bench_function("build 10k", |b| {
        b.iter(|| {
            let mut s = Store::in_memory(Schema::canonical()).unwrap();
            let mut t = s.begin().unwrap();
            t.stage(vec![batch.clone()]).unwrap();
            black_box(t.commit("x").unwrap().bytes_written)
        });
    });
    let path = std::env::temp_dir().join("sv0-bench.sv0");
    let _ = std::fs::remove_file(&path);
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let mut t = store.begin().unwrap();
    t.stage(vec![batch]).unwrap();
    let snapshot = t.commit("x").unwrap().snapshot;
    c.bench_function("open", |b| b.iter(|| black_box(Store::open(&path).unwrap().latest().number())));
    let key = NodeKey::new("bench", "i7777");
    c.bench_function("lookup by key", |b| b.iter(|| black_box(snapshot.find(&key).unwrap())));
    let q = "MATCH (i:identity {id: 'i7777'})-[:MEMBER_OF]->{1,20}(g) RETURN count(DISTINCT g) AS n";
    c.bench_function("parse", |b| b.iter(|| black_box(Query::parse(q).unwrap())));
    // As long as a query may be: what takes longest of what was tried.
    for (name, part) in [("parse 64 KiB, brackets", ", (((((((((1)))))))))"), ("parse 64 KiB, numbers", ", 1")] {
        let text = format!("RETURN [1{}] AS x", part.repeat(65_000 / part.len()));
        c.bench_function(name, |b| b.iter(|| black_box(Query::parse(&text).unwrap())));
    }
    let prepared = Query::parse(q).unwrap().prepare(&snapshot, &CheckOptions::default()).unwrap();
    c.bench_function("reach from one", |b| {
        b.iter(|| black_box(prepared.run(&snapshot, &RunOptions::default()).unwrap().rows.len()));
    });
    let _ = std::fs::remove_file(&path);
}

criterion_group!(benches, slice);
criterion_main!(benches);
