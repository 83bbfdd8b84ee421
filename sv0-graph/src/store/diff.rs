//! What changed between any two snapshots, from the change sets in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Store;
use super::changes::{AllChanges, ChangeCounts};
use super::error::StoreError;
use super::format::edge_column;
use super::snapshot::Snapshot;
use crate::schema::{EdgeTypeId, NodeType};
use crate::value::Value;
use crate::view::{EdgeId, GraphView};
use crate::working::{Working, base_node};

/// An edge that differs: its identity, and its id in each of the two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EdgeChange {
    /// Where it starts. Node ids are the same in all snapshots of a store.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// Its key.
    pub key: Arc<str>,
    /// In the earlier snapshot; `None`: it is new.
    pub old: Option<EdgeId>,
    /// In the later snapshot; `None`: it is gone.
    pub new: Option<EdgeId>,
}

/// Nodes of one type that differ, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeChanges {
    /// In the later snapshot only.
    pub added: Vec<u32>,
    /// With other properties.
    pub changed: Vec<u32>,
    /// In the earlier snapshot only.
    pub removed: Vec<u32>,
}

/// What differs between two snapshots of a store.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The earlier.
    pub from: Snapshot,
    /// The later.
    pub to: Snapshot,
    /// By node type; types without a change are left out.
    pub nodes: BTreeMap<NodeType, NodeChanges>,
    /// By edge type, ascending; types without a change are left out.
    pub edges: BTreeMap<EdgeTypeId, Vec<EdgeChange>>,
}

impl Diff {
    /// How many of each type, by its name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, ChangeCounts> {
        super::counts(self.to.schema(), &self.change_sets())
    }

    pub(crate) fn change_sets(&self) -> AllChanges {
        let mut out = AllChanges::default();
        for (ty, n) in &self.nodes {
            let set = out.nodes.entry(*ty as u16).or_default();
            set.added.extend(n.added.iter().map(|i| u64::from(*i)));
            set.changed.extend(n.changed.iter().map(|i| u64::from(*i)));
            set.removed.extend(n.removed.iter().map(|i| u64::from(*i)));
        }
        for (ty, list) in &self.edges {
            let set = out.edges.entry(ty.0).or_default();
            for e in list {
                match (e.old, e.new) {
                    (_, Some(new)) if e.old.is_some() => _ = set.changed.insert(new.0),
                    (_, Some(new)) => _ = set.added.insert(new.0),
                    (Some(old), None) => _ = set.removed.insert(old.0),
                    (None, None) => {}
                }
            }
        }
        out
    }
}

impl Store {
    /// What changed from snapshot `a` to the later snapshot `b`. It takes time by what the commits in between changed,
    /// not by the graph's size.
    ///
    /// # Errors
    /// [`StoreError::UnknownSnapshot`] (also where `a` is later than `b`), or what reading the snapshots meets.
    pub fn diff(&self, a: u32, b: u32) -> Result<Diff, StoreError> {
        let (from, to) = (self.snapshot(a)?, self.snapshot(b)?);
        let all: Vec<u32> = self.snapshots().iter().map(|s| s.0).collect();
        if a > b {
            let have = format!("{b} before {a}: name the earlier one first");
            return Err(StoreError::UnknownSnapshot { wanted: format!("{a} before {b}"), have });
        }
        let mut nodes: BTreeMap<NodeType, BTreeSet<u32>> = BTreeMap::new();
        let mut edges: BTreeMap<EdgeTypeId, BTreeSet<(u32, u32, Arc<str>)>> = BTreeMap::new();
        let mut before = from.clone();
        for number in all.into_iter().filter(|n| *n > a && *n <= b) {
            let s = if number == b { to.clone() } else { self.snapshot(number)? };
            for ty in NodeType::ALL {
                let set = s.node_changes(ty)?;
                let ids = set.added.iter().chain(&set.changed).chain(&set.removed);
                nodes.entry(ty).or_default().extend(ids.filter_map(|i| u32::try_from(i).ok()));
            }
            for ty in s.schema().edge_type_ids() {
                let set = s.edge_changes(ty)?;
                let touched = edges.entry(ty).or_default();
                for e in set.added.iter().chain(&set.changed) {
                    touched.insert(identity(&s, EdgeId(e))?);
                }
                for e in &set.removed {
                    touched.insert(identity(&before, EdgeId(e))?);
                }
            }
            before = s;
        }
        let mut out = Diff { from, to, nodes: BTreeMap::new(), edges: BTreeMap::new() };
        for (ty, ids) in nodes {
            let changes = node_changes(&out.from, &out.to, ids)?;
            if changes != NodeChanges::default() {
                out.nodes.insert(ty, changes);
            }
        }
        for (ty, identities) in edges {
            let mut list = Vec::new();
            for (f, t, key) in identities {
                let find = |s: &Snapshot| {
                    let known = usize::from(ty.0) < s.schema().edge_types().len();
                    if known { s.find_edge(ty, f, t, &key) } else { Ok(None) }
                };
                let (old, new) = (find(&out.from)?, find(&out.to)?);
                let same = match (old, new) {
                    (None, None) => true,
                    (Some(o), Some(n)) => {
                        Working::base_edge(&out.from, o)?.says_the_same(&Working::base_edge(&out.to, n)?)
                    }
                    _ => false,
                };
                if !same {
                    list.push(EdgeChange { from: f, to: t, key, old, new });
                }
            }
            if !list.is_empty() {
                out.edges.insert(ty, list);
            }
        }
        Ok(out)
    }
}

fn identity(s: &Snapshot, e: EdgeId) -> Result<(u32, u32, Arc<str>), StoreError> {
    let (from, to) = s.ends(e)?;
    let key = match s.edge_cell(e, edge_column::KEY)? {
        Value::Str(k) => k,
        _ => "".into(),
    };
    Ok((from, to, key))
}

fn node_changes(a: &Snapshot, b: &Snapshot, ids: BTreeSet<u32>) -> Result<NodeChanges, StoreError> {
    let mut out = NodeChanges::default();
    for id in ids {
        match (base_node(a, id)?, base_node(b, id)?) {
            (None, Some(_)) => out.added.push(id),
            (Some(_), None) => out.removed.push(id),
            (Some(o), Some(n)) if o.props != n.props => out.changed.push(id),
            _ => {}
        }
    }
    Ok(out)
}
