//! Reading many sections before they are needed, each once and by one thread; and taking over what was read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::{Body, Chunk, Inner, Kind, NodeKey, Snapshot, StoreError, key_parts};

impl Inner {
    /// Takes over what `old` has read and checked of sections that both have. `old` is the snapshot that this one was
    /// committed on: its bounds are this one's, or narrower.
    pub(super) fn inherit(&self, old: &Self) {
        let mut at = 0;
        for (i, c) in self.manifest.chunks.iter().enumerate() {
            while old.manifest.chunks.get(at).is_some_and(|o| o.key < c.key) {
                at += 1;
            }
            if old.manifest.chunks.get(at) == Some(c)
                && let Some(found) = old.cells.get(at).and_then(OnceLock::get)
                && let Ok(chunk) = &**found
                && let Some(cell) = self.cells.get(i)
            {
                let _ = cell.set(Box::new(Ok(chunk.clone())));
            }
        }
    }
}

impl Snapshot {
    /// Reads and checks sections on all of rayon's threads, each once, the longest first. What can't be read says so again
    /// where it is needed.
    pub(crate) fn warm(&self, keys: impl IntoIterator<Item = u64>) {
        let inner = &self.0;
        let mut cold: Vec<usize> = keys
            .into_iter()
            .filter_map(|k| inner.position(k))
            .filter(|i| inner.cells.get(*i).is_some_and(|c| c.get().is_none()))
            .collect();
        cold.sort_unstable();
        cold.dedup();
        cold.sort_by_key(|i| std::cmp::Reverse(inner.manifest.chunks[*i].len));
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(i) = cold.get(next.fetch_add(1, Ordering::Relaxed)) {
                let _ = inner.chunk_at(*i);
            }
        };
        (0..rayon::current_num_threads().min(cold.len())).into_par_iter().for_each(|_| work());
    }

    /// The nodes that keys may name, by the key index alone: its partitions are read first, each once.
    pub(crate) fn candidates(&self, keys: &[&NodeKey]) -> Vec<Candidate> {
        let inner = &self.0;
        let hashes: Vec<u64> = keys.par_iter().map(|k| NodeKey::hash64(&k.source, &k.id)).collect();
        self.warm(hashes.iter().flat_map(|h| inner.key_sections(*h)));
        let one = |hash: u64| {
            let mut found = Candidate::None;
            for section in inner.key_sections(hash) {
                // What can't be read says so where the key is looked up.
                let Ok(chunk) = inner.chunk(section) else { return Candidate::Many };
                if let Some(Chunk { body: Body::Keys(keys), bytes }) = chunk {
                    for id in keys.find(bytes.as_slice(), hash, inner.partition_bits()) {
                        found = if found == Candidate::None { Candidate::One(*id) } else { Candidate::Many };
                    }
                }
            }
            found
        };
        hashes.into_par_iter().map(one).collect()
    }

    /// The live node with a key, of which the index said this.
    pub(crate) fn confirm(&self, key: &NodeKey, candidate: &Candidate) -> Result<Option<u32>, StoreError> {
        match *candidate {
            Candidate::None => Ok(None),
            Candidate::One(id) => Ok((self.0.alive(id)? && self.0.has_key(id, key)?).then_some(id)),
            Candidate::Many => self.0.find(key),
        }
    }

    /// The sections that a choice by kind and the parts of the key takes.
    pub(crate) fn sections_where(&self, mut choose: impl FnMut(Kind, u16, u16, u16) -> bool) -> Vec<u64> {
        let chosen = |key: &u64| {
            let (a, b, group) = key_parts(*key);
            Kind::of(*key).is_some_and(|k| choose(k, a, b, group))
        };
        self.0.manifest.chunks.iter().map(|c| c.key).filter(chosen).collect()
    }
}

/// What the key index says of a key's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    None,
    One(u32),
    /// Several, or it can't be told.
    Many,
}

impl Candidate {
    /// The group of the node that it may be.
    pub(crate) fn groups(&self) -> Option<u16> {
        match self {
            Self::One(id) => Some(super::group(*id)),
            Self::None | Self::Many => None,
        }
    }
}
