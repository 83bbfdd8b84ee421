//! The neighbours along some steps, for searches that visit many nodes: the file's own arrays, without a call a node.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use super::array::idx;
use super::merged::Rows;
use super::{Snapshot, StoreError, group, row};
use crate::schema::EdgeTypeId;
use crate::view::Direction;

/// The neighbours of one group's nodes along one step.
enum Part<'g> {
    /// As they stand in the file: where each row's neighbours begin, and all neighbours.
    Plain { starts: &'g [u32], others: &'g [u32] },
    /// With what later commits changed.
    Patched(Rows<'g>),
}

/// The neighbours of every node along some steps (edge types with a direction), read in place.
pub struct Topology<'g> {
    /// By group.
    groups: Vec<Vec<Part<'g>>>,
}

impl std::fmt::Debug for Topology<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topology").field("groups", &self.groups.len()).finish()
    }
}

impl Snapshot {
    /// The neighbours along these steps.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn topology(&self, steps: &[(EdgeTypeId, Direction)]) -> Result<Topology<'_>, StoreError> {
        let mut groups = Vec::new();
        for g in 0..u16::try_from(self.manifest().group_types.len()).unwrap_or(u16::MAX) {
            let mut parts = Vec::new();
            for (ty, dir) in steps {
                let rows = self.rows(*ty, *dir, g)?;
                match (rows.base, rows.patch) {
                    (None, None) => {}
                    (Some((bytes, csr)), None) => {
                        parts.push(Part::Plain { starts: csr.starts(bytes), others: csr.others(bytes) });
                    }
                    _ => parts.push(Part::Patched(rows)),
                }
            }
            groups.push(parts);
        }
        Ok(Topology { groups })
    }
}

impl Topology<'_> {
    /// No node of the snapshot has an id as great as this.
    #[must_use]
    pub fn ids(&self) -> usize {
        self.groups.len() << 16
    }

    /// Calls `f` with each neighbour of a node, those along the first step first; answers with how many there are.
    pub fn each(&self, node: u32, f: &mut impl FnMut(u32)) -> u64 {
        let mut n = 0u64;
        for part in self.groups.get(usize::from(group(node))).into_iter().flatten() {
            match part {
                Part::Plain { starts, others } => {
                    let r = row(node);
                    if let (Some(a), Some(b)) = (starts.get(r), starts.get(r.saturating_add(1)))
                        && let Some(neighbours) = others.get(idx(*a)..idx(*b))
                    {
                        n += neighbours.len() as u64;
                        neighbours.iter().for_each(|o| f(*o));
                    }
                }
                Part::Patched(rows) => rows.each(row(node), &mut |other, _, _| {
                    n += 1;
                    f(other);
                }),
            }
        }
        n
    }

    /// How many edges there are along the steps, about.
    #[must_use]
    pub fn edges(&self) -> u64 {
        let of = |p: &Part<'_>| match p {
            Part::Plain { others, .. } => others.len() as u64,
            Part::Patched(rows) => rows.base.map_or(0, |(_, csr)| csr.edges as u64),
        };
        self.groups.iter().flatten().map(of).sum()
    }

    /// The same in one array, for searches that visit all of it many times; `None` for more edges than such an array numbers.
    #[must_use]
    pub fn merged(&self) -> Option<Adjacency> {
        // What patches add isn't counted by `edges`.
        if self.edges() > u64::from(u32::MAX / 2) {
            return None;
        }
        let ids = self.ids();
        let mut starts = Vec::with_capacity(ids.saturating_add(1));
        let mut others = Vec::with_capacity(usize::try_from(self.edges()).unwrap_or(0));
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        for node in 0..short(ids) {
            starts.push(short(others.len()));
            self.each(node, &mut |o| others.push(o));
        }
        starts.push(short(others.len()));
        (others.len() < u32::MAX as usize).then_some(Adjacency { starts, others })
    }
}

/// Neighbours in one array ([`Topology::merged`]).
#[derive(Debug, Clone)]
pub struct Adjacency {
    starts: Vec<u32>,
    others: Vec<u32>,
}

impl Adjacency {
    /// A node's neighbours.
    #[must_use]
    #[inline]
    pub fn of(&self, node: u32) -> &[u32] {
        let at = idx(node);
        match (self.starts.get(at), self.starts.get(at.saturating_add(1))) {
            (Some(a), Some(b)) => self.others.get(idx(*a)..idx(*b)).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.starts).saturating_add(size_of_val(&*self.others))
    }
}
