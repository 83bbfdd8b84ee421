//! Figures of a store that was made by `sv0 load`: opening, lookups, a small commit. Works on a copy.
//!
//! `cargo run --release -p sv0-benches --bin store -- org.sv0`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a measuring program prints, reads the clock and stops at what goes wrong"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use sv0_graph::{GraphBatch, GraphView, NodeInput, NodeKey, NodeType, PropId, Schema, Snapshot, Store, Value};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[allow(unsafe_code)]
fn map(path: &Path) -> Store {
    // SAFETY: the copy belongs to this program alone.
    unsafe { Store::map(path) }.unwrap()
}

/// Opens, looks one key up, reads four of its properties; prints the two times in microseconds.
fn first_lookup(path: &Path, key: &NodeKey, mapped: bool) {
    let t = Instant::now();
    let store = if mapped { map(path) } else { Store::open(path).unwrap() };
    let opened = t.elapsed();
    let s = store.latest();
    let n = s.find(key).unwrap().unwrap();
    for p in ["name", "system", "status", "kind"] {
        black_box(s.prop(n, p).unwrap());
    }
    println!("{} {}", opened.as_micros(), t.elapsed().as_micros());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args[0] == "first" {
        first_lookup(Path::new(&args[1]), &NodeKey::new(args[2].as_str(), args[3].as_str()), args[4] == "map");
        return;
    }
    if args.get(1).is_some_and(|a| a == "opens") {
        let t = Instant::now();
        (0..500).for_each(|_| drop(black_box(map(Path::new(&args[0])))));
        println!("open, mapped, repeated: {:?}", t.elapsed() / 500);
        return;
    }
    let dir = tempfile::tempdir_in(Path::new(&args[0]).parent().unwrap()).unwrap();
    let path = dir.path().join("copy.sv0");
    std::fs::copy(&args[0], &path).unwrap();
    let store = map(&path);
    let s = store.latest();
    let info = s.info();
    println!("{} nodes, {} edges, {} bytes", info.nodes, info.edges, store.info().file_bytes);
    let mut r = Random(1);
    if args.get(1).is_some_and(|a| a == "commits") {
        drop((s, store));
        small_commits(&path, &mut r, args.get(2).map_or(20, |n| n.parse().unwrap()));
        return;
    }
    let all = s.nodes(None).unwrap();
    let keys: Vec<NodeKey> = (0..10_000).map(|_| s.key(all[r.below(all.len())]).unwrap()).collect();
    for mode in ["map", "open"] {
        let (mut open, mut first) = (Vec::new(), Vec::new());
        for k in &keys[..21] {
            let out = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["first", path.to_str().unwrap(), &k.source, &k.id, mode])
                .output()
                .unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            let mut n = text.split_whitespace().map(|n| Duration::from_micros(n.parse().unwrap()));
            open.push(n.next().unwrap());
            first.push(n.next().unwrap());
        }
        println!(
            "{mode}, fresh process: open {:?}, to the first lookup {:?} (medians of 21)",
            median(open),
            median(first)
        );
    }
    // Warm lookups by key.
    for k in &keys {
        s.find(k).unwrap();
    }
    let t = Instant::now();
    for k in &keys {
        black_box(s.find(k).unwrap());
    }
    println!("lookup by key, warm: {} ns", t.elapsed().as_nanos() / keys.len() as u128);
    drop((s, store));
    small_commits(&path, &mut r, 5);
}

/// Commits in one process: the first on a store that nobody has read yet, the others on what the one before had read.
#[allow(unsafe_code)]
fn small_commits(path: &Path, r: &mut Random, rounds: i64) {
    // SAFETY: the copy belongs to this program alone.
    let mut store = unsafe { Store::map_or_create(path, Schema::canonical()) }.unwrap();
    for round in 0..rounds {
        // By a handle of its own, so that making the change reads nothing for the commit.
        let b = small_change(&map(path).latest(), r, round);
        let before = store.info().file_bytes;
        let t = Instant::now();
        let mut txn = store.begin().unwrap();
        txn.stage(vec![b]).unwrap();
        let staged = t.elapsed();
        let c = txn.commit("small").unwrap();
        let took = t.elapsed();
        let changed: u64 = c.changes.values().map(|c| c.added + c.changed + c.removed).sum();
        println!(
            "commit {} of {changed} changes (0.1 %): {took:?} ({staged:?} of it staging), {} bytes, {:.2} % of the file",
            round + 1,
            c.bytes_written,
            c.bytes_written as f64 * 100.0 / before as f64
        );
    }
}

/// 0.1 % of the graph: of the nodes a property, of the edges half changed and half new.
fn small_change(s: &Snapshot, r: &mut Random, round: i64) -> GraphBatch {
    let all = s.nodes(None).unwrap();
    let mut b = GraphBatch::new("load", 2_000_000_000_000_000 + round);
    for _ in 0..all.len() / 1000 {
        b.nodes.push(input(s, all[r.below(all.len())]));
    }
    let edges = s.info().edges as usize / 1000;
    let types: Vec<_> = s.schema().edge_type_ids().collect();
    let mut added = 0;
    while added < edges {
        let node = all[r.below(all.len())];
        for ty in &types {
            let mut ends = Vec::new();
            s.expand(node, *ty, sv0_graph::Direction::Out, &mut |o, _| ends.push(o)).unwrap();
            if let Some(o) = ends.first() {
                // A second edge beside one that is there.
                let name = &s.schema().edge_type(*ty).name;
                let mut e = sv0_graph::EdgeInput::new(name, s.key(node).unwrap(), s.key(*o).unwrap());
                if added % 2 == 0 {
                    e.key = format!("round {round}").into();
                } else {
                    e.condition = Some("changed".into());
                }
                b.edges.push(e);
                added += 1;
            }
        }
    }
    b
}

fn input(s: &Snapshot, node: u32) -> NodeInput {
    let mut n = NodeInput {
        key: s.key(node).unwrap(),
        ty: s.node_type(node).unwrap_or(NodeType::Resource),
        props: vec![],
        origins: vec![],
    };
    for (i, p) in (0u16..).zip(s.schema().node_properties()) {
        let v = match (&*p.name, s.node_prop(node, PropId(i)).unwrap()) {
            ("status", _) => Value::str("rotated"),
            (_, v) => v,
        };
        if !v.is_null() {
            n.props.push((p.name.as_str().into(), v));
        }
    }
    n
}
