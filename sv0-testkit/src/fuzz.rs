//! What fuzz targets do with their bytes. A panic is a finding.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use sv0_graph::vfs::{MemoryFile, MemoryVfs};
use sv0_graph::{
    EdgeInput, GraphBatch, GraphView, Layout, NodeInput, NodeKey, NodeType, Origin, Schema, SectionPlace, SourceRecord,
    Store, Value,
};

const PATH: &str = "/fuzz.sv0";
/// The two pages of header slots, and the second copy in each.
const SLOTS: [usize; 2] = [4096, 8192];
const COPY: usize = 512;

/// A sound store with every kind of section, and where they lie.
struct Base {
    bytes: Vec<u8>,
    sections: Vec<SectionPlace>,
    slot: usize,
}

fn key(i: usize) -> NodeKey {
    NodeKey::new("t", format!("n{i}"))
}

fn batch(from: usize, to: usize, round: usize) -> GraphBatch {
    let mut b = GraphBatch::new("t", 1);
    b.records.push(SourceRecord { operation: format!("GET /{round}"), ..SourceRecord::default() });
    b.pages.insert(0, format!("{{\"round\":{round},\"text\":\"{}\"}}", "ab".repeat(50)).into());
    for i in from..to {
        let ty = if i % 3 == 0 { NodeType::Automation } else { NodeType::Identity };
        let mut n = NodeInput::new(key(i), ty, "k")
            .with("name", Value::str(format!("name {i} {round}")))
            .with("status", Value::str(["active", "disabled"][i % 2]))
            .with("public", Value::Bool(i % 2 == 0))
            .with("count", Value::Int(i as i64 * 7))
            .with("created_at", Value::Timestamp(i as i64 * 1_000_003))
            .with("tags", Value::list(["external"]));
        n.origins.push(Origin { record: 0, pointer: format!("/value/{i}").into() });
        b.nodes.push(n);
    }
    for i in from..to {
        let j = (i * 7 + 1) % to.max(1);
        let mut e = match (i.is_multiple_of(3), j.is_multiple_of(3)) {
            (true, false) => EdgeInput::new("RUNS_AS", key(i), key(j)),
            (false, false) => EdgeInput::new("CAN_ASSUME", key(i), key(j)),
            _ => continue,
        };
        e.key = ["", "a"][i % 2].into();
        e.condition = (i % 4 == 0).then(|| format!("if {round}").into());
        e.origins.push(Origin { record: 0, pointer: format!("/e/{i}").into() });
        b.edges.push(e.with("via", Value::str("task")));
    }
    b
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let file = Arc::new(MemoryFile::default());
        let vfs = MemoryVfs::default();
        vfs.put(Path::new(PATH), file.clone());
        let mut store = Store::open_or_create_in(Arc::new(vfs), PATH, Schema::canonical()).unwrap();
        for (round, (from, to)) in [(0, 30), (5, 12), (28, 34)].into_iter().enumerate() {
            let mut t = store.begin().unwrap();
            t.stage(vec![batch(from, to, round)]).unwrap();
            t.commit_as("x", if round == 0 { Layout::Fresh } else { Layout::Patches }).unwrap();
        }
        let (bytes, sections) = (file.bytes(), store.sections());
        let sequence = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let slot = *SLOTS.iter().max_by_key(|s| sequence(**s)).unwrap();
        Base { bytes, sections, slot }
    })
}

fn change(bytes: &mut [u8], at: usize, op: u8, value: u8) {
    if bytes.is_empty() {
        return;
    }
    let at = at % bytes.len();
    let wide: u32 = match value % 8 {
        0 => 0,
        1 => u32::MAX,
        2 => 1 << 31,
        3 => 0xffff,
        4 => 0x1_0000,
        n => u32::from(n),
    };
    match op % 4 {
        0 => bytes[at] = value,
        1 => bytes[at] ^= value,
        _ => {
            let at = at & !3;
            if let Some(word) = bytes.get_mut(at..at + 4) {
                let old = u32::from_le_bytes(word.try_into().unwrap());
                let new = if op % 4 == 2 { wide } else { old.wrapping_add(wide) };
                word.copy_from_slice(&new.to_le_bytes());
            }
        }
    }
}

/// A text that may be a query: parsed, checked, printed, read again, run on a small graph with little to spend. Whatever it
/// is, nothing may panic, and the printed form must be a query that prints the same.
pub fn query(text: &str) {
    use sv0_query::{Budget, CheckOptions, Query, RunOptions, Stop};
    let Ok(q) = Query::parse(text) else { return };
    let printed = q.canonical();
    // What is printed may be longer than what may be read.
    if let Ok(again) = Query::parse(&printed) {
        assert_eq!(again.canonical(), printed, "{text}");
    }
    let snapshot = query_graph();
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        (asked.get() > 16).then_some(Stop::Timeout)
    };
    for lenient in [false, true] {
        let options = CheckOptions { lenient, ..CheckOptions::default() };
        let Ok(p) = q.prepare(snapshot, &options) else { continue };
        let _ = p.explain(snapshot).to_string();
        let budget = Budget {
            max_work: Some(20_000),
            max_rows: 2_000,
            max_memory: 4 << 20,
            stop: Some(&stop),
            ..Budget::default()
        };
        let params = p.parameters().iter().map(|n| (n.clone(), sv0_query::Val::Int(1))).collect();
        let _ = p.run(snapshot, &RunOptions { params, budget, ..RunOptions::default() });
    }
}

/// A small graph with a bit of everything.
fn query_graph() -> &'static sv0_graph::Snapshot {
    static GRAPH: std::sync::OnceLock<sv0_graph::Snapshot> = std::sync::OnceLock::new();
    GRAPH.get_or_init(|| {
        let mut r = crate::generate::Rng::new(7);
        crate::graph::snapshot(&crate::generate::graph(&mut r), 0)
    })
}

/// A store that somebody changed and sealed again: sections, manifest and slot are changed as `data` says and all hashes
/// put right. Whatever comes of it, nothing may panic.
pub fn resealed(data: &[u8]) {
    let base = base();
    let mut bytes = base.bytes.clone();
    let manifest = &base.sections[0];
    let range = |s: &SectionPlace| s.offset as usize..(s.offset + s.bytes) as usize;
    let mut touched = vec![false; base.sections.len()];
    let mut later: Vec<(usize, usize, u8, u8)> = Vec::new();
    for c in data.chunks_exact(7) {
        let target = usize::from(u16::from_le_bytes([c[0], c[1]])) % (base.sections.len() + 1);
        let at = usize::from(c[2]) | usize::from(c[3]) << 8 | usize::from(c[4]) << 16;
        if target == 0 || target == base.sections.len() {
            // Of the manifest and the slot: after the sections' hashes are in.
            later.push((target, at, c[5], c[6]));
            continue;
        }
        touched[target] = true;
        change(&mut bytes[range(&base.sections[target])], at, c[5], c[6]);
    }
    for (s, _) in base.sections.iter().zip(&touched).skip(1).filter(|(_, t)| **t) {
        let hash = *blake3::hash(&bytes[range(s)]).as_bytes();
        let m = &mut bytes[range(manifest)];
        if let Some(at) = m.windows(32).position(|w| w == s.hash) {
            m[at..at + 32].copy_from_slice(&hash);
        }
    }
    for (_, at, op, value) in later.iter().filter(|l| l.0 == 0) {
        change(&mut bytes[range(manifest)], *at, *op, *value);
    }
    let hash = *blake3::hash(&bytes[range(manifest)]).as_bytes();
    let mut slot = bytes[base.slot..base.slot + 64].to_vec();
    slot[32..64].copy_from_slice(&hash);
    for (_, at, op, value) in later.iter().filter(|l| l.0 != 0) {
        change(&mut slot[..32], *at, *op, *value);
    }
    slot.extend_from_slice(blake3::hash(&slot).as_bytes());
    for at in [base.slot, base.slot + COPY] {
        bytes[at..at + 96].copy_from_slice(&slot);
    }
    exercise(bytes);
}

/// Everything that a host does with a store.
fn exercise(bytes: Vec<u8>) {
    let vfs = Arc::new(MemoryVfs::default());
    vfs.put(Path::new(PATH), Arc::new(MemoryFile::new(bytes)));
    let Ok(store) = Store::open_in(vfs.clone(), PATH) else { return };
    let _ = store.info();
    let _ = store.verify();
    let s = store.latest();
    let _ = s.statistics();
    let _ = crate::reliability::dump::dump(&s);
    if let Some(p) = s.schema().node_prop("status") {
        let _ = s.nodes_where(p, "active");
    }
    let _ = s.find(&key(3));
    let all = store.snapshots();
    if let (Some(a), Some(b)) = (all.first(), all.last()) {
        let _ = store.diff(a.0, b.0).map(|d| d.counts());
    }
    drop((s, store));
    let Ok(mut store) = Store::open_or_create_in(vfs, PATH, Schema::canonical()) else { return };
    if let Ok(mut t) = store.begin()
        && t.stage(vec![batch(3, 9, 9)]).is_ok()
    {
        let _ = t.commit_as("y", Layout::Patches);
    }
    let _ = store.compact(&sv0_graph::Keep::Newest(2));
}
