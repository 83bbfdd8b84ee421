//! A reader that the system gives less and less memory: each section is read whole or refused by a typed error, and what
//! was refused once is read when there is room.

use std::fmt::Write as _;
use std::path::Path;

use sv0_graph::{GraphBatch, NodeInput, NodeKey, NodeType, Schema, Store, StoreError, Value};

use super::process::{Running, command};
use super::{Context, Report};
use crate::generate::Rng;

/// Nodes in the store that is read, each with a text of [`TEXT`] bytes.
const NODES: usize = 4096;
const TEXT: usize = 8192;
/// The steps of the limit, bytes.
const STEP: u64 = 2 << 20;

/// The lane; `--count` is the number of limits.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    let mut report = Report::new("memory");
    report.seeds = Some((ctx.seed, ctx.seed));
    let dir = tempfile::Builder::new().prefix("sv0-memory").tempdir_in(&ctx.dir).unwrap();
    let path = dir.path().join("wide.sv0");
    if let Err(e) = wide(&path, ctx.seed) {
        report.violation(format!("the store can't be made: {e}"));
        return report;
    }
    let mut whole: Option<String> = None;
    // From no room at all to twice the largest section, so that both ends are seen.
    let enough = (NODES * TEXT) as u64 * 2 / STEP;
    for i in 0..ctx.amount(enough, enough * 4) {
        let headroom = i * STEP * enough / ctx.amount(enough, enough * 4);
        let mut child = Running::start(command(ctx, "starve", &path, &["--headroom", &headroom.to_string()]));
        let (said, status) = child.rest();
        report.add("limits", 1);
        let (Some(first), Some(then), 2) = (said.first(), said.get(1), said.len()) else {
            report.violation(format!("{headroom} bytes more: {status} after {said:?}"));
            continue;
        };
        if first.starts_with("ERR OutOfMemory") {
            report.add("typed errors", 1);
        } else if first == then {
            report.add("read under the limit", 1);
        } else {
            report.violation(format!("{headroom} bytes more: {first:?}"));
        }
        if !then.starts_with("READ ") || whole.get_or_insert_with(|| then.clone()) != then || !status.success() {
            report.violation(format!("{headroom} bytes more, then all: {then:?}, {status}"));
        }
    }
    if report.get("typed errors") == 0 || report.get("read under the limit") == 0 {
        report.violation("the limits were all too low, or all too high".to_owned());
    }
    report
}

/// A store with one large section.
fn wide(path: &Path, seed: u64) -> Result<(), StoreError> {
    let mut r = Rng::new(seed);
    let mut b = GraphBatch::new("wide", 1);
    for i in 0..NODES {
        let mut n = NodeInput::new(NodeKey::new("wide", format!("{i}")), NodeType::Resource, "bucket");
        let mut text = String::with_capacity(TEXT);
        while text.len() < TEXT {
            let _ = write!(text, "{:08x}", r.below(1 << 32));
        }
        n.props.push(("name".into(), Value::str(text)));
        b.nodes.push(n);
    }
    let mut store = Store::open_or_create(path, Schema::canonical())?;
    let mut txn = store.begin()?;
    txn.stage(vec![b])?;
    txn.commit("wide").map(drop)
}
