//! The engine, timed beside the obvious way to do it: expand, reach, shortest, group, rules. Ratios count, not times.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use sv0_benches::{QUERIES, reach_plainly, snapshot};
use sv0_connectors::enrich::{self, Pack};
use sv0_connectors::sources::{self, ReadOptions};
use sv0_graph::{Direction, EdgeClass, GraphView, NodeKey, NodeType, Schema, Store};
use sv0_query::{Budget, CheckOptions, Query, RunOptions};
use sv0_rules::{CheckInput, RulePack, check};

fn engine(c: &mut Criterion) {
    let g = snapshot(10_000).unwrap();
    let schema = g.schema();
    let authority: Vec<_> =
        schema.edge_type_ids().filter(|t| schema.edge_type(*t).class == EdgeClass::Authority).collect();
    let members = schema.edge_type_id("MEMBER_OF").unwrap();
    let all = g.nodes(Some(NodeType::Identity)).unwrap();
    c.bench_function("expand 10k nodes", |b| {
        b.iter(|| {
            let mut n = 0u64;
            for node in &all {
                g.expand(*node, members, Direction::Out, &mut |o, _| n += u64::from(o)).unwrap();
            }
            black_box(n)
        });
    });
    let one = [g.find(&NodeKey::new("bench", "i7777")).unwrap().unwrap()];
    c.bench_function("reach from one, baseline", |b| {
        b.iter(|| black_box(reach_plainly(&g, &one, &authority, 20, NodeType::Resource).unwrap()));
    });
    c.bench_function("reach from all, baseline", |b| {
        b.iter(|| black_box(reach_plainly(&g, &all, &authority, 8, NodeType::Resource).unwrap()));
    });
    let options = RunOptions { budget: Budget { max_work: None, ..Budget::default() }, ..RunOptions::default() };
    for (name, query) in QUERIES {
        let prepared = Query::parse(query).unwrap().prepare(&g, &CheckOptions::default()).unwrap();
        c.bench_function(name, |b| b.iter(|| black_box(prepared.run(&g, &options).unwrap().rows.len())));
        if *name == "reach from one" {
            // What the language costs a call that isn't prepared.
            c.bench_function("reach from one, parsed and planned anew", |b| {
                b.iter(|| {
                    let prepared = Query::parse(query).unwrap().prepare(&g, &CheckOptions::default()).unwrap();
                    black_box(prepared.run(&g, &options).unwrap().rows.len())
                });
            });
        }
    }
}

/// The rule set on the sample organisation.
fn rules(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let read = sources::read(&[root.join("samples/acme")], &Schema::canonical(), &ReadOptions::default()).unwrap();
    for (_, batches) in read.observations {
        let known: Vec<_> = store.latest().sources();
        let mut txn = store.begin().unwrap();
        txn.stage(sources::link(batches, &known)).unwrap();
        let now = txn.view().time();
        let derived = enrich::run(txn.view(), &Pack::built_in().unwrap(), now).unwrap();
        txn.stage(vec![derived]).unwrap();
        txn.commit("sample").unwrap();
    }
    let snapshot = store.latest();
    let pack = RulePack::built_in(snapshot.schema()).unwrap();
    let input = CheckInput { graph: &snapshot, baseline: None, as_of: snapshot.time() };
    c.bench_function("rules, sample", |b| {
        b.iter(|| black_box(check(&pack, &input, &Default::default()).unwrap().findings.len()));
    });
}

criterion_group!(benches, engine, rules);
criterion_main!(benches);
