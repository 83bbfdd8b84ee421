//! Sections by key: a small open-addressing table over a manifest's sorted list.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use super::format::ChunkRef;

/// How far a key may stand from its place. Keys come from a file and may be made to collide: then the sorted list is
/// searched instead.
const REACH: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// Index + 1 into the list; 0 is free.
    slots: Vec<u32>,
    shift: u32,
}

fn place(key: u64, shift: u32) -> usize {
    usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15).checked_shr(shift).unwrap_or(0)).unwrap_or(0)
}

impl Lookup {
    pub(crate) fn new(chunks: &[ChunkRef]) -> Self {
        let bits = chunks.len().saturating_mul(4).next_power_of_two().max(16).trailing_zeros();
        let (capacity, shift) = (1usize << bits, 64u32.saturating_sub(bits));
        let mut slots = vec![0u32; capacity.saturating_add(REACH)];
        for (c, n) in chunks.iter().zip(1u32..) {
            let from = place(c.key, shift);
            let free = slots.iter_mut().skip(from).take(REACH).find(|s| **s == 0);
            match free {
                Some(s) => *s = n,
                None => return Self::default(),
            }
        }
        Self { slots, shift }
    }

    /// The index of a key.
    pub(crate) fn find(&self, chunks: &[ChunkRef], key: u64) -> Option<usize> {
        if self.slots.is_empty() {
            return chunks.binary_search_by_key(&key, |c| c.key).ok();
        }
        let from = place(key, self.shift);
        for s in self.slots.get(from..from.saturating_add(REACH)).unwrap_or(&[]) {
            let i = usize::try_from(*s).ok()?.checked_sub(1)?;
            if chunks.get(i).is_some_and(|c| c.key == key) {
                return Some(i);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there_and_nothing_else() {
        let chunk = |key| ChunkRef { key, offset: 0, len: 0, rows: 0, aux: 0, hash: [0; 32] };
        for step in [1u64, 65_536, 1 << 32, 0x0001_0001_0001] {
            let list: Vec<ChunkRef> = (0..3000).map(|i| chunk(i * step)).collect();
            for l in [Lookup::new(&list), Lookup::default()] {
                for i in 0..3000u64 {
                    assert_eq!(l.find(&list, i * step), usize::try_from(i).ok());
                    assert_eq!(l.find(&list, i * step + step / 2 + 7_777_777_777), None);
                }
            }
        }
        assert_eq!(Lookup::new(&[]).find(&[], 5), None);
    }
}
