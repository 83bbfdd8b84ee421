//! Reading many sections before they are needed, each once and by one thread; and taking over what was read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::{Body, Chunk, Inner, Kind, Snapshot, key_parts};

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
                let _ = cell.set(Box::new(Ok(chunk.in_map(self.map.as_ref()))));
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

    /// The nodes whose key may have this hash.
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> {
        let inner = &self.0;
        inner.key_sections(hash).into_iter().flat_map(move |section| match inner.chunk(section) {
            Ok(Some(Chunk { body: Body::Keys(keys), bytes })) => {
                keys.find(bytes.as_slice(), hash, inner.partition_bits()).iter().copied()
            }
            _ => [].iter().copied(),
        })
    }

    /// The sections that a choice by kind and the parts of the key takes.
    pub(crate) fn sections_where(&self, mut choose: impl FnMut(Kind, u16, u16, u16) -> bool) -> Vec<u64> {
        let chosen = |key: &u64| {
            let (a, b, group) = key_parts(*key);
            Kind::of(*key).is_some_and(|k| choose(k, a, b, group))
        };
        self.0.manifest.chunks.iter().map(|c| c.key).filter(chosen).collect()
    }

    /// The sections that a key with this hash is looked up in.
    pub(crate) fn key_sections(&self, hash: u64) -> [u64; 2] {
        self.0.key_sections(hash)
    }
}
