//! Every byte of a small store set to every other value, every truncation, extensions.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sv0_graph::vfs::{MemoryFile, MemoryVfs, Vfs, VfsFile};
use sv0_graph::{GraphBatch, NodeInput, NodeKey, NodeType, Schema, Snapshot, Store};

use super::dump::dump;
use super::{Context, Report, no_panic, over_seeds};
use crate::vfs::Sabotage;

const PATH: &str = "/store/g.sv0";

/// The smallest store that has something in it.
fn small(bytes: &Arc<MemoryFile>) {
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), bytes.clone());
    let mut store = Store::open_or_create_in(Arc::new(vfs), PATH, Schema::bare()).unwrap();
    let mut batch = GraphBatch::new("t", 1);
    batch.nodes.push(NodeInput::new(NodeKey::new("t", "i"), NodeType::Identity, "k"));
    let mut t = store.begin().unwrap();
    t.stage(vec![batch]).unwrap();
    t.commit("").unwrap();
}

/// What an untouched store gives.
struct Good {
    hash: String,
    text: String,
}

impl Good {
    fn of(s: &Snapshot) -> Self {
        Self { hash: s.content_hash(), text: dump(s).unwrap() }
    }
}

/// What opening a mutant gave.
enum Outcome {
    Detected,
    Harmless,
}

fn open(vfs: &Arc<dyn Vfs>, good: &Good) -> Result<Outcome, String> {
    no_panic(|| {
        let Ok(store) = Store::open_in(vfs.clone(), PATH) else { return Ok(Outcome::Detected) };
        match store.verify() {
            Err(_) => return Ok(Outcome::Detected),
            Ok(r) if !r.problems.is_empty() => return Ok(Outcome::Detected),
            Ok(_) => {}
        }
        let s = store.latest();
        let text = dump(&s).map_err(|e| format!("verify found nothing and reading fails: {e}"))?;
        if s.content_hash() == good.hash && text == good.text {
            Ok(Outcome::Harmless)
        } else {
            Err("another graph, and nothing noticed".to_owned())
        }
    })?
}

fn note(report: &mut Report, ctx: &Context, what: &str, outcome: Result<Outcome, String>) {
    report.add("mutants", 1);
    match outcome {
        Ok(Outcome::Detected) => report.add("detected", 1),
        Ok(Outcome::Harmless) => report.add("harmless", 1),
        Err(e) => {
            if e.starts_with("panic") {
                report.add("panics", 1);
            }
            report.violation(format!("{what}: {e}\n    {}", ctx.repeat("bytes", ctx.seed, 255)));
        }
    }
}

/// The lane; `--count` is the number of other values that each byte gets, 255 being all of them.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    let file = Arc::new(MemoryFile::default());
    small(&file);
    let bytes = file.bytes();
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), file);
    let good = Good::of(&Store::open_in(Arc::new(vfs), PATH).unwrap().latest());
    let values = ctx.amount(255, 255).clamp(1, 255);
    let blocks = bytes.len().div_ceil(64) as u64;
    // A "seed" is a block of 64 places here.
    let whole = Context { seed: 0, ..ctx.clone() };
    let mut report = over_seeds(&whole, "bytes", ("blocks", blocks, Some(1)), |block| {
        let mut report = Report::new("bytes");
        report.add("blocks", 1);
        mutate(ctx, &bytes, block as usize * 64, values, &good, &mut report);
        report
    });
    report.counts.remove("blocks");
    report.seeds = None;
    report.add("bytes of the store", bytes.len() as u64);
    report.add("values of each byte", values);
    lengths(ctx, &bytes, &good, &mut report);
    report
}

fn mutate(ctx: &Context, bytes: &[u8], from: usize, values: u64, good: &Good, report: &mut Report) {
    let file = Arc::new(MemoryFile::new(bytes.to_vec()));
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), file.clone());
    let mut vfs: Arc<dyn Vfs> = Arc::new(vfs);
    if let Some(Sabotage::BitFlip) = ctx.sabotage {
        vfs = another(bytes);
    }
    for (at, byte) in bytes.iter().enumerate().skip(from).take(64) {
        for n in 0..values {
            // Spread over all other values, whatever the number.
            let other = byte.wrapping_add(1 + (n * 255 / values) as u8);
            file.write_at(at as u64, &[other]).unwrap();
            note(report, ctx, &format!("byte {at} set to {other}"), open(&vfs, good));
        }
        file.write_at(at as u64, &[*byte]).unwrap();
        if report.failures() > 20 {
            return;
        }
    }
}

/// The control: where each mutant is the sound store of another graph, each must be reported.
fn another(bytes: &[u8]) -> Arc<dyn Vfs> {
    let other = MemoryVfs::default();
    other.put(Path::new(PATH), Arc::new(MemoryFile::new(bytes.to_vec())));
    let other: Arc<dyn Vfs> = Arc::new(other);
    let mut store = Store::open_or_create_in(other.clone(), PATH, Schema::bare()).unwrap();
    let mut batch = GraphBatch::new("t", 1);
    batch.nodes.push(NodeInput::new(NodeKey::new("t", "j"), NodeType::Identity, "k"));
    let mut t = store.begin().unwrap();
    t.stage(vec![batch]).unwrap();
    t.commit("").unwrap();
    drop(store);
    other
}

fn lengths(ctx: &Context, bytes: &[u8], good: &Good, report: &mut Report) {
    let next = AtomicU64::new(0);
    let truncations = bytes.len() as u64;
    let all = std::sync::Mutex::new(std::mem::take(report));
    std::thread::scope(|s| {
        for _ in 0..ctx.threads {
            s.spawn(|| {
                let mut mine = Report::new("bytes");
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let (what, mutant) = if n < truncations {
                        (format!("cut to {n} bytes"), bytes[..n as usize].to_vec())
                    } else if n < truncations + 2 * 4096 {
                        let (more, fill) = ((n - truncations) / 2 + 1, if n.is_multiple_of(2) { 0 } else { 0xff });
                        let mut longer = bytes.to_vec();
                        longer.resize(bytes.len() + more as usize, fill);
                        (format!("{more} bytes {fill:#x} appended"), longer)
                    } else {
                        break;
                    };
                    let vfs = MemoryVfs::default();
                    vfs.put(Path::new(PATH), Arc::new(MemoryFile::new(mutant)));
                    let vfs: Arc<dyn Vfs> = Arc::new(vfs);
                    note(&mut mine, ctx, &what, open(&vfs, good));
                    mine.add(if n < truncations { "truncations" } else { "extensions" }, 1);
                }
                all.lock().unwrap().merge(mine);
            });
        }
    });
    *report = all.into_inner().unwrap();
}
