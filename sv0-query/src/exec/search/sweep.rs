//! Reachability from very many nodes: blocks of starts in parallel, handed on in order. The same rows come whatever the number
//! of threads.

use std::sync::Arc;

use fixedbitset::FixedBitSet;
use rayon::prelude::*;
use sv0_graph::Adjacency;

/// Starts of one block.
pub(super) const BLOCK: usize = 64;
/// Blocks that are computed at a time: with `MOST`, as long as nobody looks at the clock.
pub(super) const BLOCKS: usize = 16;
/// Adjacency entries after which a block is left to whoever asked: what one block holds is bounded by it.
const MOST: u64 = 1 << 18;

/// A hop, as plain data.
pub(super) struct Step {
    pub adjacency: Arc<Adjacency>,
    pub min: u32,
    pub max: Option<u32>,
}

/// What a sweep goes over: hops, and which nodes pass at each station (all, where it is `None`).
pub(super) struct Sweep {
    pub steps: Vec<Step>,
    pub pass: Vec<Option<Arc<FixedBitSet>>>,
    pub ids: usize,
    /// Only how many ends each start has.
    pub tally: bool,
}

/// What a block of starts reaches.
#[derive(Default)]
pub(super) struct Block {
    /// By start: how many ends it has. Shorter than the block where there was too much.
    pub counts: Vec<u32>,
    /// The ends of all starts, one behind the other; nothing if they are only counted, but for each start's first.
    pub ends: Vec<u32>,
    /// Adjacency entries.
    pub touched: u64,
}

impl Sweep {
    /// Blocks of these starts, in order.
    pub(super) fn blocks(&self, starts: &[u32]) -> Vec<Block> {
        starts.par_chunks(BLOCK).map(|c| self.block(c)).collect()
    }

    fn block(&self, starts: &[u32]) -> Block {
        let mut out = Block::default();
        let mut seen: Vec<FixedBitSet> = self.steps.iter().map(|_| FixedBitSet::with_capacity(self.ids)).collect();
        let mut reached: Vec<Vec<u32>> = vec![Vec::new(); self.steps.len()];
        let mut from = Vec::new();
        for s in starts {
            let before = out.ends.len();
            let n = self.one(*s, &mut seen, &mut reached, &mut from, &mut out);
            for (seen, reached) in seen.iter_mut().zip(&mut reached) {
                if reached.len() > self.ids / 64 {
                    seen.clear();
                } else {
                    reached.iter().for_each(|n| seen.remove(*n as usize));
                }
                reached.clear();
            }
            match n {
                Some(n) => out.counts.push(n),
                None => {
                    out.ends.truncate(before);
                    return out;
                }
            }
        }
        out
    }

    fn passes(&self, station: usize, node: u32) -> bool {
        self.pass[station].as_ref().is_none_or(|p| p.contains(node as usize))
    }

    /// One start; `None` where the block has done too much.
    fn one(
        &self,
        start: u32,
        seen: &mut [FixedBitSet],
        reached: &mut [Vec<u32>],
        from: &mut Vec<u32>,
        out: &mut Block,
    ) -> Option<u32> {
        from.clear();
        if !self.passes(0, start) {
            return Some(0);
        }
        from.push(start);
        let mut ends = 0;
        for (i, step) in self.steps.iter().enumerate() {
            let last = i + 1 == self.steps.len();
            let (seen, reached) = (&mut seen[i], &mut reached[i]);
            if step.min == 0 {
                for n in from.iter() {
                    if !seen.put(*n as usize) {
                        reached.push(*n);
                    }
                }
            }
            // Level by level; the first are those where it begins.
            let (mut begin, mut depth) = (0, 0);
            while step.max.is_none_or(|m| depth < m) {
                depth += 1;
                let end = reached.len();
                let mut visit = |n: u32, reached: &mut Vec<u32>| {
                    let all = step.adjacency.of(n);
                    out.touched += all.len() as u64 + 1;
                    for o in all {
                        if !seen.put(*o as usize) {
                            reached.push(*o);
                        }
                    }
                    out.touched <= MOST
                };
                let mut done = true;
                if depth == 1 {
                    done = from.iter().all(|n| visit(*n, reached));
                } else {
                    for at in begin..end {
                        done = visit(reached[at], reached);
                        if !done {
                            break;
                        }
                    }
                }
                if !done {
                    return None;
                }
                begin = end;
                if reached.len() == end {
                    break;
                }
            }
            if last {
                for n in reached.iter().filter(|n| self.passes(i + 1, **n)) {
                    ends += 1;
                    if !self.tally || ends == 1 {
                        out.ends.push(*n);
                    }
                }
            } else {
                from.clear();
                from.extend(reached.iter().copied().filter(|n| self.passes(i + 1, *n)));
                if from.is_empty() {
                    return Some(0);
                }
            }
        }
        Some(ends)
    }
}
