//! The staged edges of one type: what a transaction adds, changes and takes away.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::batch::{Evidence, State};
use crate::schema::PropId;
use crate::value::Value;
use crate::view::EdgeId;

/// All that is stored of an edge beside its identity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EdgeRec {
    /// Who states it, ascending.
    pub sources: Vec<Arc<str>>,
    pub evidence: Evidence,
    pub state: State,
    pub condition: Option<Arc<str>>,
    pub props: Vec<(PropId, Value)>,
    pub origins: Vec<(u32, Arc<str>)>,
}

impl EdgeRec {
    /// Whether two claims differ in nothing but who states them and in which records.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        (self.evidence, self.state, &self.condition, &self.props)
            == (other.evidence, other.state, &other.condition, &other.props)
    }
}

/// (from, to, key): what an edge is, within its type.
pub(crate) type Identity = (u32, u32, Arc<str>);

#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub identity: Identity,
    pub rec: EdgeRec,
    /// The edge of the snapshot below that this one stands for, and what it says there.
    pub base: Option<(EdgeId, EdgeRec)>,
}

/// Edges of one type over a snapshot's. Slots are never reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct EdgeTable {
    pub slots: Vec<Slot>,
    pub out: BTreeMap<Identity, u32>,
    pub inward: BTreeMap<Identity, u32>,
    /// Edges of the snapshot below that are gone, or for which a slot stands.
    pub hidden: HashSet<EdgeId>,
}

impl EdgeTable {
    pub(crate) fn get(&self, identity: &Identity) -> Option<&Slot> {
        self.out.get(identity).and_then(|s| self.slots.get(*s as usize))
    }

    /// Puts an edge in; `base` is the snapshot's edge of this identity, if it has one that isn't hidden.
    pub(crate) fn insert(&mut self, identity: Identity, rec: EdgeRec, base: Option<(EdgeId, EdgeRec)>) {
        if let Some(slot) = self.out.get(&identity).and_then(|s| self.slots.get_mut(*s as usize)) {
            slot.rec = rec;
            return;
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let (from, to, key) = identity.clone();
        self.out.insert(identity.clone(), slot);
        self.inward.insert((to, from, key), slot);
        self.hidden.extend(base.as_ref().map(|(e, _)| *e));
        self.slots.push(Slot { identity, rec, base });
    }

    /// Takes a staged edge away; what it stood for below stays hidden.
    pub(crate) fn remove(&mut self, id: &Identity) {
        self.inward.remove(&(id.1, id.0, id.2.clone()));
        self.out.remove(id);
    }

    /// The slots that stand, in order of their identity.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &Slot> {
        self.out.values().filter_map(|s| self.slots.get(*s as usize))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty() && self.hidden.is_empty()
    }
}

/// The range of all identities whose first part is `node`.
pub(crate) fn of(node: u32) -> std::ops::Range<Identity> {
    (node, 0, Arc::from(""))..(node.saturating_add(1), 0, Arc::from(""))
}
