//! The ids of one node type's table, to be found by text.

use super::table::Texts;

/// An open-addressing table over texts that lie in one buffer.
#[derive(Debug)]
pub(crate) struct KeyTable {
    /// (tag, number + 1); (0, 0) is free. Twice as many as texts, at least.
    slots: Vec<(u32, u32)>,
    mask: usize,
    pub(crate) ids: Vec<Texts>,
    /// How many texts each buffer but the last holds.
    per: usize,
    seed: u64,
}

impl KeyTable {
    /// Of all ids, in buffers of `per` each (the last may be shorter). The other answer is an id that
    /// occurs twice.
    pub(crate) fn new(ids: Vec<Texts>, per: usize) -> Result<Self, String> {
        let count: usize = ids.iter().map(Texts::len).sum();
        // Keyed by all ids together: whoever chooses texts that collide changes the key by doing so.
        let mut h = blake3::Hasher::new();
        for t in &ids {
            h.update(t.bytes());
        }
        let seed = h.finalize().as_bytes().first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let capacity = (count * 2).next_power_of_two().max(16);
        let mut table = Self { slots: vec![(0, 0); capacity], mask: capacity - 1, ids, per, seed };
        let mut number = 0usize;
        for part in 0..table.ids.len() {
            for i in 0..table.ids[part].len() {
                let text = table.ids[part].get(i);
                let h = table.hash(text);
                let tag = (h >> 32) as u32;
                let mut at = h as usize & table.mask;
                loop {
                    let (t, n) = table.slots[at];
                    if n == 0 {
                        break;
                    }
                    if t == tag && table.text(n - 1) == text {
                        return Err(text.to_owned());
                    }
                    at = (at + 1) & table.mask;
                }
                number += 1;
                table.slots[at] = (tag, u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        Ok(table)
    }

    fn hash(&self, text: &str) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut h = foldhash::fast::FixedState::with_seed(self.seed).build_hasher();
        h.write(text.as_bytes());
        h.finish()
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        let n = number as usize;
        self.ids[n / self.per].get(n % self.per)
    }

    /// The number of an id.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        let h = self.hash(text);
        let tag = (h >> 32) as u32;
        let mut at = h as usize & self.mask;
        loop {
            let (t, n) = self.slots[at];
            if n == 0 {
                return None;
            }
            if t == tag && self.text(n - 1) == text {
                return Some(n - 1);
            }
            at = (at + 1) & self.mask;
        }
    }
}
