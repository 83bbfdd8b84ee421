//! What a commit added, changed and removed, as bitmaps.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;

use super::array::Buffer;

/// Of one node type (node ids) or one edge type (edge ids: the added and the changed as in the snapshot, the removed as
/// in the one before).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChangeSet {
    /// New.
    pub added: RoaringTreemap,
    /// With other properties, another state or other evidence.
    pub changed: RoaringTreemap,
    /// Gone.
    pub removed: RoaringTreemap,
}

/// How many of a type were added, changed, removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeCounts {
    /// New.
    pub added: u64,
    /// With other properties or another state.
    pub changed: u64,
    /// Gone.
    pub removed: u64,
}

impl ChangeSet {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// How many.
    #[must_use]
    pub fn counts(&self) -> ChangeCounts {
        ChangeCounts { added: self.added.len(), changed: self.changed.len(), removed: self.removed.len() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut b = Buffer::default();
        for map in [&self.added, &self.changed, &self.removed] {
            let mut bytes = Vec::new();
            // Writing to memory doesn't fail.
            let _ = map.serialize_into(&mut bytes);
            b.u64s(&[bytes.len() as u64]);
            b.bytes(&bytes);
        }
        b.into_bytes()
    }
}

/// All change sets of a commit, by node type and edge type.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct AllChanges {
    pub nodes: BTreeMap<u16, ChangeSet>,
    pub edges: BTreeMap<u16, ChangeSet>,
}
