//! The neighbours along some steps, for searches that visit many nodes: the file's own arrays, without a call a node.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

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

/// The steps of a search: edge types with a direction.
type Steps = [(EdgeTypeId, Direction)];

/// Neighbours in one array, kept by a snapshot for all searches along the same steps.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<KeptArray>>);

#[derive(Debug)]
struct KeptArray {
    steps: Box<Steps>,
    /// Nodes that searches visited along these steps.
    visits: u64,
    array: Option<Arc<Adjacency>>,
}

impl Kept {
    /// So many arrays at most, of so many bytes together but for the one used last; and so many steps whose visits are
    /// counted.
    const ARRAYS: usize = 16;
    const BYTES: usize = 1 << 29;
    const COUNTED: usize = 32;

    /// What is known of these steps, moved to the front.
    fn entry<T>(&self, steps: &Steps, f: impl FnOnce(&mut KeptArray) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter().position(|k| *k.steps == *steps) {
            Some(at) => all.get_mut(..=at).unwrap_or_default().rotate_right(1),
            None => {
                all.truncate(Self::COUNTED.saturating_sub(1));
                all.insert(0, KeptArray { steps: steps.into(), visits: 0, array: None });
            }
        }
        let out = match all.first_mut() {
            Some(k) => f(k),
            None => f(&mut KeptArray { steps: steps.into(), visits: 0, array: None }),
        };
        let (mut arrays, mut bytes) = (0usize, 0usize);
        for k in all.iter_mut() {
            let Some(a) = &k.array else { continue };
            arrays = arrays.saturating_add(1);
            bytes = bytes.saturating_add(a.bytes());
            if arrays > Self::ARRAYS || (arrays > 1 && bytes > Self::BYTES) {
                k.array = None;
            }
        }
        out
    }
}

impl Snapshot {
    /// The neighbours along these steps in one array: kept for all searches of this snapshot, once they have visited a
    /// quarter as many nodes as there are ids ([`Self::visited`]), or `now`. Those used last are kept, 16 of
    /// 512 MB together at most; each takes four bytes an edge and four an id, outside of any query's budget.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn adjacency(&self, steps: &Steps, now: bool) -> Result<Option<Arc<Adjacency>>, StoreError> {
        let kept = self.kept();
        let enough = self.id_bound() as u64 / 4;
        let (found, often) = kept.entry(steps, |k| (k.array.clone(), k.visits >= enough));
        if found.is_some() || !(now || often) {
            return Ok(found);
        }
        let made = self.topology(steps)?.merged().map(Arc::new);
        kept.entry(steps, |k| k.array.clone_from(&made));
        Ok(made)
    }

    /// Notes that a search visited so many nodes along these steps.
    pub fn visited(&self, steps: &Steps, nodes: u64) {
        self.kept().entry(steps, |k| k.visits = k.visits.saturating_add(nodes));
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
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let group = |g: usize| {
            let (mut ends, mut others) = (Vec::with_capacity(1 << 16), Vec::new());
            let first = short(g << 16);
            for node in first..=first | 0xffff {
                self.each(node, &mut |o| others.push(o));
                ends.push(short(others.len()));
            }
            (ends, others)
        };
        let parts: Vec<(Vec<u32>, Vec<u32>)> = (0..self.groups.len()).into_par_iter().map(group).collect();
        Adjacency::joined(parts)
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

    /// No node has an id as great as this.
    #[must_use]
    pub fn ids(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The same without the neighbours that `keep` refuses.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(u32) -> bool + Sync) -> Self {
        const AT_A_TIME: usize = 1 << 16;
        let part = |nodes: &[u32]| {
            let (mut ends, mut others) = (Vec::with_capacity(nodes.len()), Vec::new());
            // `nodes` are where each begins; the last one's end is the next part's first.
            for w in nodes.windows(2) {
                let all = match *w {
                    [a, b] => self.others.get(idx(a)..idx(b)).unwrap_or(&[]),
                    _ => &[],
                };
                others.extend(all.iter().copied().filter(|o| keep(*o)));
                ends.push(u32::try_from(others.len()).unwrap_or(u32::MAX));
            }
            (ends, others)
        };
        let bounds: Vec<(usize, usize)> =
            (0..self.ids()).step_by(AT_A_TIME).map(|a| (a, self.ids().min(a.saturating_add(AT_A_TIME)))).collect();
        let parts: Vec<(Vec<u32>, Vec<u32>)> =
            bounds.into_par_iter().map(|(a, b)| part(self.starts.get(a..=b).unwrap_or(&[]))).collect();
        // Never more than there are.
        Self::joined(parts).unwrap_or_else(|| self.clone())
    }

    /// Parts behind each other: where each node's neighbours end in its part, and the part's neighbours. `None` for more than
    /// can be numbered.
    fn joined(parts: Vec<(Vec<u32>, Vec<u32>)>) -> Option<Self> {
        let edges = parts.iter().map(|(_, others)| others.len()).sum::<usize>();
        if edges >= u32::MAX as usize {
            return None;
        }
        let nodes = parts.iter().map(|(ends, _)| ends.len()).sum::<usize>();
        let (mut starts, mut others) = (Vec::with_capacity(nodes.saturating_add(1)), Vec::with_capacity(edges));
        starts.push(0);
        for (ends, own) in parts {
            let before = u32::try_from(others.len()).unwrap_or(u32::MAX);
            starts.extend(ends.into_iter().map(|e: u32| before.saturating_add(e)));
            others.extend(own);
        }
        Some(Self { starts, others })
    }

    /// How many edges there are.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.others.len()
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.starts).saturating_add(size_of_val(&*self.others))
    }
}
