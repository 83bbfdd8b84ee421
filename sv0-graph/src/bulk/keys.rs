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
    count: usize,
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
        let mut table = Self { slots: vec![(0, 0); capacity], mask: capacity - 1, ids, per, count, seed };
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

    /// The number of the id with this hash.
    fn probe(&self, h: u64, text: &str) -> Option<u32> {
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

    /// Adds the number of each of these ids, plus `base`, to `out`; the other answer is the first row that names nothing.
    ///
    /// Columns of keys often follow the table's own order: then the next id is tried before it is searched. Where they
    /// don't, a block of ids is searched at a time, so that the cache misses overlap.
    pub(crate) fn resolve(&self, keys: &Texts, base: u32, out: &mut Vec<u32>) -> Result<(), usize> {
        const BLOCK: usize = 64;
        const TRUST: u32 = 16;
        out.reserve(keys.len());
        let mut keys = keys.iter().enumerate().peekable();
        // The id before, and its number.
        let mut last: Option<(&str, u32)> = None;
        let mut trust = 0u32;
        let mut block: Vec<(usize, &str, u64, usize)> = Vec::with_capacity(BLOCK);
        let mut slots: Vec<(u32, u32)> = Vec::with_capacity(BLOCK);
        while keys.peek().is_some() {
            while trust > 0
                && let Some((row, key)) = keys.next()
            {
                let number = match last {
                    Some((text, n)) if text == key => n,
                    Some((_, n)) if (n as usize) + 1 < self.count && self.text(n + 1) == key => {
                        trust = TRUST;
                        n + 1
                    }
                    _ => {
                        trust -= 1;
                        self.probe(self.hash(key), key).ok_or(row)?
                    }
                };
                last = Some((key, number));
                out.push(base + number);
            }
            // Each with how many equal ones follow it.
            block.clear();
            while block.len() < BLOCK
                && let Some((row, key)) = keys.next()
            {
                let mut more = 0;
                while keys.next_if(|(_, k)| *k == key).is_some() {
                    more += 1;
                }
                block.push((row, key, self.hash(key), more));
            }
            slots.clear();
            slots.extend(block.iter().map(|(_, _, h, _)| self.slots[*h as usize & self.mask]));
            let mut in_order = 0;
            for ((row, key, h, more), (tag, n)) in block.iter().zip(&slots) {
                let at_once = n.checked_sub(1).filter(|n| *tag == (h >> 32) as u32 && self.text(*n) == *key);
                let number = at_once.or_else(|| self.probe(*h, key)).ok_or(*row)?;
                in_order += usize::from(last.is_some_and(|(_, l)| l.checked_add(1) == Some(number)));
                last = Some((key, number));
                out.extend(std::iter::repeat_n(base + number, more + 1));
            }
            if in_order * 2 > block.len() {
                trust = TRUST;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers by a search one by one.
    fn plainly(t: &KeyTable, keys: &Texts) -> Result<Vec<u32>, usize> {
        keys.iter().enumerate().map(|(row, k)| t.probe(t.hash(k), k).map(|n| n + 7).ok_or(row)).collect()
    }

    #[test]
    fn columns_of_keys_resolve_as_one_by_one_whatever_their_order() {
        let id = |i: usize| format!("node {i}");
        let parts: Vec<Texts> = (0..4)
            .map(|p| (p * 500..(p + 1) * 500).map(id).collect::<Vec<_>>().iter().map(String::as_str).collect())
            .collect();
        let table = KeyTable::new(parts, 500).unwrap();
        let column = |rows: &[usize]| {
            let texts: Vec<String> = rows.iter().map(|i| id(*i)).collect();
            texts.iter().map(String::as_str).collect::<Texts>()
        };
        let scattered: Vec<usize> = (0..3000).map(|i| i * 7919 % 2000).collect();
        let in_order: Vec<usize> = (0..2000).flat_map(|i| vec![i; i % 3]).collect();
        let mixed: Vec<usize> = in_order.iter().chain(&scattered).chain(&in_order[300..]).copied().collect();
        for rows in [vec![], vec![5], vec![5; 200], (0..2000).collect(), scattered, in_order, mixed] {
            for bad in [None, Some(0), Some(63), Some(64), Some(rows.len().saturating_sub(1))] {
                let mut rows = rows.clone();
                if let Some(r) = bad.and_then(|b| rows.get_mut(b)) {
                    *r = 99_999;
                }
                let keys = column(&rows);
                let mut out = vec![1, 2];
                let got = table.resolve(&keys, 7, &mut out).map(|()| out[2..].to_vec());
                assert_eq!(got, plainly(&table, &keys));
            }
        }
    }
}
