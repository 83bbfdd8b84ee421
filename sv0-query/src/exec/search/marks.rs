//! Sets of nodes: bits by id, and a form for sets that mostly stay small.

use rustc_hash::FxHashSet;

/// Bits by node id.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn new(ids: usize) -> Self {
        Self(vec![0; ids.div_ceil(64)])
    }

    pub(super) fn has(&self, n: u32) -> bool {
        self.0.get((n >> 6) as usize).is_some_and(|w| w >> (n & 63) & 1 == 1)
    }

    /// Sets a bit; whether it was clear. Of an id that there isn't, never.
    #[inline]
    pub(super) fn put(&mut self, n: u32) -> bool {
        let Some(w) = self.0.get_mut((n >> 6) as usize) else { return false };
        let bit = 1 << (n & 63);
        let new = *w & bit == 0;
        *w |= bit;
        new
    }

    /// Clears the bits of these.
    pub(super) fn forget(&mut self, nodes: &[u32]) {
        if nodes.len() > self.0.len() {
            self.0.fill(0);
            return;
        }
        for n in nodes {
            if let Some(w) = self.0.get_mut((n >> 6) as usize) {
                *w = 0;
            }
        }
    }

    /// Clears the bits that are set in another.
    pub(super) fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
    }

    /// Clears the bits that aren't set in another.
    pub(super) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    /// Sets the bits that are set in another.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// The ids whose bits are set, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0u32..).step_by(64).zip(&self.0).flat_map(|(first, w)| {
            let mut w = *w;
            std::iter::from_fn(move || {
                let n = (w != 0).then(|| first + w.trailing_zeros())?;
                w &= w - 1;
                Some(n)
            })
        })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

/// A set of nodes that costs what is in it, until that is much: then it is bits.
#[derive(Debug, Default)]
pub(super) struct Marks {
    few: FxHashSet<u32>,
    many: Option<Bits>,
    ids: usize,
}

impl Marks {
    /// One in so many ids is much.
    const SHARE: usize = 4096;

    pub(super) fn new(ids: usize) -> Self {
        Self { few: FxHashSet::default(), many: None, ids }
    }

    pub(super) fn has(&self, n: u32) -> bool {
        match &self.many {
            Some(b) => b.has(n),
            None => self.few.contains(&n),
        }
    }

    /// Puts a node in; whether it wasn't.
    #[inline]
    pub(super) fn put(&mut self, n: u32) -> bool {
        if let Some(b) = &mut self.many {
            return b.put(n);
        }
        let new = self.few.insert(n);
        if self.few.len() > self.ids / Self::SHARE {
            self.spread();
        }
        new
    }

    /// As bits from now on.
    pub(super) fn spread(&mut self) -> &mut Bits {
        let few = std::mem::take(&mut self.few);
        let ids = self.ids;
        self.many.get_or_insert_with(|| {
            let mut b = Bits::new(ids);
            few.iter().for_each(|n| _ = b.put(*n));
            b
        })
    }

    /// Takes these out, which are all there are.
    pub(super) fn forget(&mut self, nodes: &[u32]) {
        self.few.clear();
        if let Some(b) = &mut self.many {
            b.forget(nodes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_what_was_put_in() {
        let mut m = Marks::new(1 << 20);
        let nodes: Vec<u32> = (0..5000).map(|i| i * 197).collect();
        for (i, n) in nodes.iter().enumerate() {
            assert!(m.put(*n) && !m.put(*n) && m.has(*n) && !m.has(*n + 1));
            assert_eq!(m.many.is_some(), i + 1 > (1 << 20) / Marks::SHARE);
        }
        assert_eq!(m.spread().iter().collect::<Vec<_>>(), nodes);
        m.forget(&nodes);
        assert!(nodes.iter().all(|n| !m.has(*n)));
        // Ids that there aren't.
        assert!(!m.put(1 << 20) && !m.has(u32::MAX));
    }

    #[test]
    fn bits_are_removed_and_listed() {
        let (mut a, mut b) = (Bits::new(300), Bits::new(300));
        [0, 63, 64, 299].iter().for_each(|n| assert!(a.put(*n)));
        [63, 299, 5].iter().for_each(|n| _ = b.put(*n));
        a.remove(&b);
        assert_eq!(a.iter().collect::<Vec<_>>(), [0, 64]);
    }
}
