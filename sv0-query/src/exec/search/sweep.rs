//! Reachability from very many nodes: blocks of starts in parallel, in order. The same comes out whatever the number of
//! threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use sv0_graph::Adjacency;

use super::marks::Bits;

/// Ends after which a block is left to whoever asked: what one block holds is bounded by it.
const MOST_ENDS: usize = 1 << 18;
/// After so many adjacency entries a block looks whether it is still wanted.
const LOOK: u64 = 1 << 15;

/// A hop, as plain data.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub adjacency: Arc<Adjacency>,
    pub min: u32,
    pub max: Option<u32>,
}

/// Whole numbers by node id.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub values: Vec<i64>,
    /// Null in all others; `None` where all have a number.
    pub known: Option<Bits>,
}

/// A condition on a start and an end, as a table over what it asks of each.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub of_start: Vec<u16>,
    pub of_end: Vec<u16>,
    /// By the start's number, then the end's.
    pub holds: Vec<bool>,
    pub width: usize,
}

/// What is made of the ends of a start.
pub(super) enum Ends {
    /// They are listed.
    Listed,
    /// They are counted, and the first is listed.
    Counted,
    /// They are summed up.
    Folded { numbers: Vec<Arc<Numbers>>, pairs: Vec<Pairs>, apart: bool },
}

/// What a sweep goes over: hops, and which nodes pass at each station (all, where it is `None`).
pub(super) struct Sweep {
    pub steps: Vec<Step>,
    pub pass: Vec<Option<Arc<Bits>>>,
    pub ids: usize,
    pub ends: Ends,
    /// Adjacency entries after which a block is left to whoever asked.
    pub most: u64,
    /// Nobody waits for it any more.
    pub halt: AtomicBool,
}

/// A sum over ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Sum {
    /// How many aren't null.
    pub known: u64,
    pub sum: i128,
    pub min: i64,
    pub max: i64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { known: 0, sum: 0, min: i64::MAX, max: i64::MIN }
    }
}

/// What a block of starts reaches.
#[derive(Default)]
pub(super) struct Block {
    /// By start: how many ends it has. Shorter than the block where there was too much.
    pub counts: Vec<u32>,
    /// The ends of all starts, one behind the other; of counted ones the first of each start; nothing of summed ones.
    pub ends: Vec<u32>,
    /// By start, and by number that is summed up.
    pub sums: Vec<Sum>,
    /// Adjacency entries.
    pub touched: u64,
}

impl Block {
    pub(super) fn bytes(&self) -> u64 {
        (size_of_val(&*self.counts) + size_of_val(&*self.ends) + size_of_val(&*self.sums)) as u64
    }
}

/// What a thread uses for one start after the other.
struct Scratch {
    seen: Vec<Bits>,
    reached: Vec<Vec<u32>>,
    from: Vec<u32>,
}

impl Sweep {
    /// Blocks of so many of these starts, in order.
    pub(super) fn blocks(&self, starts: &[u32], size: usize) -> Vec<Block> {
        let scratch = || Scratch {
            seen: self.steps.iter().map(|_| Bits::new(self.ids)).collect(),
            reached: vec![Vec::new(); self.steps.len()],
            from: Vec::new(),
        };
        starts.par_chunks(size.max(1)).map_init(scratch, |s, c| self.block(c, s)).collect()
    }

    fn block(&self, starts: &[u32], s: &mut Scratch) -> Block {
        let mut out = Block::default();
        for start in starts {
            let (ends, sums) = (out.ends.len(), out.sums.len());
            let n = self.one(*start, s, &mut out);
            for (seen, reached) in s.seen.iter_mut().zip(&mut s.reached) {
                seen.forget(reached);
                reached.clear();
            }
            match n {
                Some(n) if out.ends.len() <= MOST_ENDS => out.counts.push(n),
                _ => {
                    out.ends.truncate(ends);
                    out.sums.truncate(sums);
                    return out;
                }
            }
        }
        out
    }

    fn passes(&self, station: usize, node: u32) -> bool {
        self.pass.get(station).is_none_or(|p| p.as_ref().is_none_or(|p| p.has(node)))
    }

    /// One start; `None` where the block has done too much.
    fn one(&self, start: u32, s: &mut Scratch, out: &mut Block) -> Option<u32> {
        let Scratch { seen, reached, from } = s;
        from.clear();
        if self.passes(0, start) {
            from.push(start);
        }
        for (i, ((step, seen), reached)) in self.steps.iter().zip(seen).zip(reached).enumerate() {
            if i > 0 {
                from.retain(|n| self.passes(i, *n));
            }
            if from.is_empty() {
                break;
            }
            if step.min == 0 {
                reached.extend(from.iter().copied().filter(|n| seen.put(*n)));
            }
            let (mut begin, mut depth) = (0, 0);
            while step.max.is_none_or(|m| depth < m) {
                depth += 1;
                let end = reached.len();
                // The first level's are those where the hop begins.
                let level = if depth == 1 { from.len() } else { end - begin };
                for at in 0..level {
                    let n = if depth == 1 { from[at] } else { reached[begin + at] };
                    let all = step.adjacency.of(n);
                    let before = out.touched;
                    out.touched += all.len() as u64 + 1;
                    for o in all {
                        if seen.put(*o) {
                            reached.push(*o);
                        }
                    }
                    if before / LOOK != out.touched / LOOK
                        && (out.touched > self.most || self.halt.load(Ordering::Relaxed))
                    {
                        return None;
                    }
                }
                begin = end;
                if reached.len() == end {
                    break;
                }
            }
            from.clear();
            from.extend_from_slice(reached);
        }
        let last = self.steps.len();
        from.retain(|n| self.passes(last, *n));
        Some(self.sum_up(start, from, out))
    }

    /// Notes the ends of a start; how many there are.
    pub(super) fn sum_up(&self, start: u32, ends: &mut Vec<u32>, out: &mut Block) -> u32 {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        match &self.ends {
            Ends::Listed => out.ends.extend_from_slice(ends),
            Ends::Counted => out.ends.extend(ends.first()),
            Ends::Folded { numbers, pairs, apart } => {
                for p in pairs {
                    let row = usize::from(p.of_start.get(start as usize).copied().unwrap_or(0)) * p.width;
                    let holds = p.holds.get(row..row + p.width).unwrap_or(&[]);
                    ends.retain(|e| {
                        let e = p.of_end.get(*e as usize).copied().unwrap_or(0);
                        holds.get(usize::from(e)).copied().unwrap_or(false)
                    });
                }
                if *apart {
                    ends.retain(|e| *e != start);
                }
                out.sums.extend(numbers.iter().map(|n| n.of(ends)));
            }
        }
        short(ends.len())
    }
}

impl Numbers {
    fn of(&self, nodes: &[u32]) -> Sum {
        let mut s = Sum::default();
        for n in nodes {
            if self.known.as_ref().is_none_or(|k| k.has(*n))
                && let Some(v) = self.values.get(*n as usize)
            {
                s.known += 1;
                s.sum += i128::from(*v);
                s.min = s.min.min(*v);
                s.max = s.max.max(*v);
            }
        }
        s
    }
}
