//! The store and the parser, timed: build, open, look-up, parse. Ratios count, not times.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sv0_benches::organisation;
use sv0_graph::{GraphView, NodeKey, Schema, Store};
use sv0_query::Query;

fn store(c: &mut Criterion) {
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
    let _ = std::fs::remove_file(&path);
}

criterion_group!(benches, store);
criterion_main!(benches);
