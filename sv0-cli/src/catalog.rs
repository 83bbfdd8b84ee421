//! The graphs that a query may read: a store's snapshots by number, name or time, differences of two, and graphs that
//! somebody wrote down.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sv0_graph::adhoc::AdhocGraph;
use sv0_graph::{Compared, Graph, GraphView, NodeKey, Schema, Snapshot, Store};
use sv0_query::ast::GraphRef;
use sv0_query::{Code, Diagnostic, QueryError};

use crate::failure::Failure;
use crate::load;

/// What may stand around a snapshot's name.
const QUOTES: [char; 3] = ['\'', '"', '`'];

/// What queries run on.
pub(crate) struct Catalog {
    store: Option<Store>,
    snapshot: Snapshot,
    /// Graphs that `USE $$name` stands for: a snapshot, or `diff(a, b)`.
    pub params: BTreeMap<String, String>,
}

impl Catalog {
    pub(crate) fn open(path: &Path, at: Option<&str>) -> Result<Self, Failure> {
        let store = load::open(path)?;
        let snapshot = load::snapshot(&store, at)?;
        Ok(Self { store: Some(store), snapshot, params: BTreeMap::new() })
    }

    /// A graph in JSON, without a store. `-` is standard input.
    pub(crate) fn written_down(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = if path == Path::new("-") {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(path)
        };
        let text = text.map_err(|e| Failure::input(format!("{shown}: {e}")))?;
        let graph = AdhocGraph::parse(&text).map_err(|e| Failure::input(format!("{shown}: {e}")))?;
        let mut store = Store::in_memory(graph.schema())?;
        let mut txn = store.begin()?;
        txn.stage(vec![graph.batch()])?;
        let snapshot = txn.commit("graph")?.snapshot;
        Ok(Self { store: None, snapshot, params: BTreeMap::new() })
    }

    pub(crate) fn at(&mut self, which: &str) -> Result<(), Failure> {
        match &self.store {
            Some(s) => self.snapshot = load::snapshot(s, Some(which))?,
            None => return Err(Failure::input("a graph that was written down has no snapshots")),
        }
        Ok(())
    }

    pub(crate) fn schema(&self) -> &Schema {
        self.snapshot.schema()
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn default_graph(&self) -> Graph {
        self.snapshot.clone().into()
    }

    /// Opens a graph that a query names.
    pub(crate) fn graph(&self, g: &GraphRef) -> Result<Graph, QueryError> {
        let Some(store) = &self.store else {
            return Err(unknown(g, "a graph that was written down has no snapshots"));
        };
        if let GraphRef::Diff(a, b, _) = g {
            return self.difference(store, g, self.snapshot_of(store, a)?, self.snapshot_of(store, b)?);
        }
        if let GraphRef::Param(n) = g
            && let Some((a, b)) = self.params.get(&*n.text).and_then(|v| arguments(v))
        {
            return self.difference(store, g, named(store, g, a)?, named(store, g, b)?);
        }
        Ok(self.snapshot_of(store, g)?.into())
    }

    /// Whether a graph compares two snapshots.
    pub(crate) fn is_difference(&self, g: &GraphRef) -> bool {
        match g {
            GraphRef::Diff(..) => true,
            GraphRef::Param(n) => self.params.get(&*n.text).is_some_and(|v| arguments(v).is_some()),
            _ => false,
        }
    }

    fn difference(&self, store: &Store, g: &GraphRef, a: Snapshot, b: Snapshot) -> Result<Graph, QueryError> {
        let diff = store.diff(a.number(), b.number()).map_err(|e| unknown(g, &e.to_string()))?;
        Ok(Compared::new(diff).into())
    }

    fn snapshot_of(&self, store: &Store, g: &GraphRef) -> Result<Snapshot, QueryError> {
        match g {
            GraphRef::Number(n, _) => named(store, g, &n.to_string()),
            GraphRef::Snapshot(n) | GraphRef::Name(n) => named(store, g, &n.text),
            GraphRef::Time(t, _) => {
                let all = store.snapshots();
                let found = all.iter().rev().find(|s| s.1 <= *t).map(|s| s.0);
                let n = found.ok_or_else(|| unknown(g, "the store has no snapshot of that time or before"))?;
                store.snapshot(n).map_err(|e| unknown(g, &e.to_string()))
            }
            GraphRef::Param(n) => match self.params.get(&*n.text) {
                Some(v) => named(store, g, v),
                // The snapshot before, as for `check`.
                None if &*n.text == "baseline" => {
                    let all = store.snapshots();
                    let before = all.iter().rev().find(|s| s.0 < self.snapshot.number()).map(|s| s.0);
                    let n = before.ok_or_else(|| unknown(g, "there is no earlier snapshot"))?;
                    store.snapshot(n).map_err(|e| unknown(g, &e.to_string()))
                }
                None => Err(unknown(g, &format!("give it: `--param '$${}=SNAP'`", n.text))),
            },
            GraphRef::Diff(..) => Err(unknown(g, "a difference of differences")),
        }
    }

    /// The node that a text means: `source:id`, an id, or a name, each only where it is one node's.
    pub(crate) fn node(&self, text: &str) -> Result<u32, Failure> {
        let s = &self.snapshot;
        let sources = s.sources();
        let mut found = Vec::new();
        if let Some(k) = NodeKey::parse(text, sources.iter().map(|x| &**x)) {
            found.extend(s.find(&k)?);
        }
        if found.is_empty() {
            for source in &sources {
                found.extend(s.find(&NodeKey::new(source.clone(), text))?);
            }
        }
        if found.is_empty() {
            for n in s.nodes(None)? {
                if &*s.text(n, "name")? == text {
                    found.push(n);
                }
            }
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => {
                let mut names = Vec::new();
                for n in s.nodes(None)?.into_iter().take(100_000) {
                    names.extend([s.key(n)?.id.to_string(), s.text(n, "name")?.to_string()]);
                }
                let near = Schema::nearest(text, names.iter().map(String::as_str));
                let hint =
                    if near.is_empty() { String::new() } else { format!("; did you mean `{}`?", near.join("`, `")) };
                Err(Failure::input(format!("there is no node `{text}`{hint}")))
            }
            many => {
                let mut keys = Vec::new();
                for n in many.iter().take(5) {
                    keys.push(s.key(*n)?.to_string());
                }
                Err(Failure::input(format!("`{text}` is {} nodes: {}", many.len(), keys.join(", "))))
            }
        }
    }
}

fn unknown(g: &GraphRef, why: &str) -> QueryError {
    QueryError {
        diagnostics: vec![Diagnostic {
            code: Code::UnknownName,
            message: format!("unknown graph `{}`: {why}", g.name()),
            span: Some(g.span()),
            help: None,
        }],
    }
}

/// A snapshot by what a query calls it: its name, number or date, `snap_12`, `snap_2026_05_14`.
fn named(store: &Store, g: &GraphRef, name: &str) -> Result<Snapshot, QueryError> {
    let mut why = String::new();
    let plain = name.strip_prefix("snap_").map(|n| n.replace('_', "-"));
    for n in std::iter::once(name.to_owned()).chain(plain) {
        match load::snapshot(store, Some(n.trim())) {
            Ok(s) => return Ok(s),
            Err(e) => why = e.to_string(),
        }
    }
    Err(unknown(g, &why))
}

/// The two of `diff(a, b)`.
fn arguments(text: &str) -> Option<(&str, &str)> {
    let (a, b) = text.trim().strip_prefix("diff(")?.strip_suffix(')')?.split_once(',')?;
    let (a, b) = (a.trim().trim_matches(QUOTES), b.trim().trim_matches(QUOTES));
    (!a.is_empty() && !b.is_empty()).then_some((a, b))
}

/// The names of the graphs that a query reads beside its default one.
pub(crate) fn names(refs: &[GraphRef]) -> Vec<Arc<str>> {
    refs.iter().map(|g| g.name().into()).collect()
}
