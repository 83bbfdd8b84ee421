//! What is written: a small world that changes from commit to commit, by seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sv0_graph::vfs::Vfs;
use sv0_graph::{
    EdgeInput, GraphBatch, Keep, NodeInput, NodeKey, NodeType, Schema, Scope, SourceRecord, State as EdgeState, Store,
    StoreError, Value,
};

use super::dump::dump;
use super::state::State;
use crate::generate::Rng;

/// Compacts a store.
pub type Compact = fn(&mut Store) -> Result<(), StoreError>;

/// The store's compaction. All lanes take it from here.
pub const COMPACT: Option<Compact> = Some(|store| store.compact(&Keep::Newest(3)).map(|_| ()));

/// A step of a workload.
#[derive(Debug, Clone)]
pub enum Step {
    /// A writer opens the store, creating it if it isn't there. One that was open is closed before.
    Open,
    /// Batches are committed.
    Commit(Vec<GraphBatch>, String),
    /// The store is compacted.
    Compact(Compact),
    /// A reader opens the store and reads everything.
    Read,
}

/// Where a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Opening.
    Open,
    /// Beginning a transaction.
    Begin,
    /// Staging.
    Stage,
    /// Committing.
    Commit,
    /// Compacting.
    Compact,
    /// Reading.
    Read,
}

/// A step that failed.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Where.
    pub at: Stage,
    /// The store's error; none where `verify` listed problems.
    pub error: Option<StoreError>,
    /// In words.
    pub text: String,
}

impl Trouble {
    fn at(at: Stage) -> impl FnOnce(StoreError) -> Self {
        move |e| Self { at, text: format!("{at:?}: {e}"), error: Some(e) }
    }
}

/// A writer (and a reader) at work.
#[derive(Debug)]
pub struct Session {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    /// The writer's store.
    pub store: Option<Store>,
}

impl Session {
    /// Nothing is open yet.
    #[must_use]
    pub fn new(vfs: Arc<dyn Vfs>, path: &Path) -> Self {
        Self { vfs, path: path.to_owned(), store: None }
    }

    /// Does a step.
    ///
    /// # Errors
    /// Where and why it failed.
    pub fn step(&mut self, step: &Step) -> Result<(), Trouble> {
        match step {
            Step::Open => {
                self.store = None;
                let opened = Store::open_or_create_in(self.vfs.clone(), &self.path, Schema::canonical());
                self.store = Some(opened.map_err(Trouble::at(Stage::Open))?);
            }
            Step::Commit(batches, name) => {
                let mut t = self.writer().begin().map_err(Trouble::at(Stage::Begin))?;
                t.stage(batches.clone()).map_err(Trouble::at(Stage::Stage))?;
                t.commit(name).map_err(Trouble::at(Stage::Commit))?;
            }
            Step::Compact(f) => f(self.writer()).map_err(Trouble::at(Stage::Compact))?,
            Step::Read => {
                let store = Store::open_in(self.vfs.clone(), &self.path).map_err(Trouble::at(Stage::Read))?;
                dump(&store.latest()).map_err(|e| Trouble::at(Stage::Read)((*e.0).clone()))?;
                let report = store.verify().map_err(Trouble::at(Stage::Read))?;
                if let Some(p) = report.problems.first() {
                    return Err(Trouble { at: Stage::Read, error: None, text: p.clone() });
                }
            }
        }
        Ok(())
    }

    /// The writer's store, which a step opened before.
    ///
    /// # Panics
    /// If no step opened it.
    pub fn writer(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    /// What the writer's store holds; nothing where none is open.
    ///
    /// # Errors
    /// What reading it meets.
    pub fn state(&self) -> Result<Option<State>, StoreError> {
        self.store.as_ref().map(State::of).transpose()
    }
}

/// A create, `commits` commits with compactions and reopenings among them.
#[must_use]
pub fn steps(seed: u64, commits: u32) -> Vec<Step> {
    let mut r = Rng::new(seed);
    let mut all = vec![Step::Open];
    for i in 0..commits {
        all.push(Step::Commit(batches(&mut r, i), format!("commit {i} of {seed}")));
        if r.one_in(5) {
            all.push(Step::Open);
        }
        if let Some(f) = COMPACT.filter(|_| r.one_in(3) || i + 1 == commits) {
            all.push(Step::Compact(f));
        }
    }
    all
}

/// Three, since a writer's view costs memory by the group.
const TYPES: [(NodeType, &str, &str); 3] = [
    (NodeType::Identity, "i", "entra.service_principal"),
    (NodeType::Automation, "a", "k"),
    (NodeType::Owner, "o", "k"),
];

const EDGES: [(&str, usize, usize); 6] = [
    ("CAN_ASSUME", 0, 0),
    ("SAME_AS", 0, 0),
    ("RUNS_AS", 1, 0),
    ("INVOKES", 1, 1),
    ("OWNED_BY", 1, 2),
    ("OWNED_BY", 0, 2),
];

/// What a commit stages: one or two sources; most list some types completely, so that what isn't listed goes.
#[must_use]
pub fn batches(r: &mut Rng, time: u32) -> Vec<GraphBatch> {
    let both = r.one_in(4);
    let first = r.below(2);
    [first, 1 - first].into_iter().take(1 + usize::from(both)).map(|s| batch(r, ["t", "u"][s], time)).collect()
}

fn batch(r: &mut Rng, source: &str, time: u32) -> GraphBatch {
    let mut b = GraphBatch::new(source, i64::from(time) * 1_000_000);
    b.system = "test".into();
    b.records.push(SourceRecord {
        sha256: format!("{:064x}", r.below(4)),
        connector: "testkit".into(),
        operation: "GET /things".into(),
        ..SourceRecord::default()
    });
    if r.one_in(2) {
        // The same record has the same page whenever it has one.
        let page = format!("{{\"page\":\"{}\",\"text\":\"{}\"}}", b.records[0].sha256, "seite ".repeat(20));
        b.pages.insert(0, page.into());
    }
    let mut there: Vec<Vec<NodeKey>> = Vec::new();
    for (ty, prefix, kind) in TYPES {
        let mut keys = Vec::new();
        for i in 0..6 {
            if r.one_in(3) {
                continue;
            }
            let key = NodeKey::new(source, format!("{prefix}{i}"));
            let mut node = NodeInput::new(key.clone(), ty, kind).at(0, format!("/{prefix}/{i}"));
            if r.one_in(2) {
                node = node.with("name", Value::str(format!("näme {}", r.below(50))));
            }
            if r.one_in(3) {
                node = node.with("count", Value::Int(r.below(9) as i64 - 4));
            }
            if r.one_in(4) {
                node = node.with("public", Value::Bool(r.one_in(2)));
            }
            if r.one_in(4) {
                node = node.with("created_at", Value::Timestamp(r.below(1000) as i64));
            }
            keys.push(key);
            b.nodes.push(node);
        }
        there.push(keys);
    }
    for i in 0..r.below(24) {
        let (ty, from, to) = EDGES[r.below(EDGES.len())];
        let (f, t) = (&there[from], &there[to]);
        if f.is_empty() || t.is_empty() {
            continue;
        }
        let mut e = EdgeInput::new(ty, f[r.below(f.len())].clone(), t[r.below(t.len())].clone());
        e.key = format!("k{}", i % 7).into();
        if r.one_in(3) {
            e.state = EdgeState::Conditional;
            e.condition = Some(format!("if {}", r.below(5)).into());
        }
        if r.one_in(4) {
            e = e.with("via", Value::str(format!("via {}", r.below(20))));
        }
        b.edges.push(e.at(0, format!("/edges/{i}")));
    }
    if !r.one_in(3) {
        let types = TYPES.iter().map(|t| t.0).filter(|_| !r.one_in(4)).collect();
        b.complete.push(Scope { types, scope: "all".into(), within: None });
    }
    b
}
