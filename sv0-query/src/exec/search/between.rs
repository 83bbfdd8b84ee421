//! Shortest paths between two known nodes along one quantified edge: breadth-first from both ends, always on from the side with
//! fewer nodes.

use std::ops::ControlFlow;

use rustc_hash::{FxHashMap, FxHashSet};
use sv0_graph::{EdgeId, GraphView};

use super::super::{Exec, Flow, GO, Row};
use super::{Sink, Used};
use crate::diag::QueryError;
use crate::plan::{ChainHop, Elem, Pattern};

/// Ends of which each is searched on its own.
const FEW: usize = 16;

/// One side of the search: nodes with their distance.
struct Side {
    at: FxHashMap<u32, u32>,
    level: Vec<u32>,
    depth: u32,
}

impl Side {
    fn new(node: u32) -> Self {
        Self { at: FxHashMap::from_iter([(node, 0)]), level: vec![node], depth: 0 }
    }
}

/// The nodes of the shortest paths, by their distance from the start.
type Layers = Vec<FxHashSet<u32>>;

impl<G: GraphView> Exec<'_, G> {
    /// The shortest paths from a start to the ends that a pattern names; all, or the first of each pair. `None` where it
    /// names no end, or the two are one.
    #[expect(clippy::too_many_arguments, reason = "a pattern, where it starts, and what the match so far is")]
    pub(super) fn between(
        &self,
        p: &Pattern,
        hop: &ChainHop,
        all: bool,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Result<Option<ControlFlow<()>>, QueryError> {
        let bound = p.last.slot.is_some_and(|s| !matches!(row[s], crate::val::Val::Unset));
        if !bound && p.last.key.is_none() {
            return Ok(None);
        }
        let ends = self.starts(&p.last, graph, row)?;
        if ends.len() > FEW || ends.contains(&start) {
            return Ok(None);
        }
        for end in ends.iter() {
            let mut undo = Vec::new();
            let fits = self
                .test_node(&p.first, graph, start, row, &mut undo)
                .and_then(|ok| Ok(ok && self.test_node(&p.last, graph, *end, row, &mut undo)?));
            Self::undo(row, &mut undo, 0);
            if !fits? {
                continue;
            }
            let mut charged = 0;
            let layers = self.layers(p, hop, graph, start, *end, &mut charged);
            let flow = match layers {
                Ok(Some(layers)) => self.along_layers(p, hop, all, graph, start, *end, &layers, row, used, sink),
                Ok(None) => GO,
                Err(e) => Err(e),
            };
            self.release(charged);
            if flow?.is_break() {
                return Ok(Some(ControlFlow::Break(())));
            }
        }
        Ok(Some(ControlFlow::Continue(())))
    }

    /// The nodes of all shortest paths between two nodes, by distance.
    fn layers(
        &self,
        p: &Pattern,
        hop: &ChainHop,
        graph: u8,
        start: u32,
        end: u32,
        charged: &mut u64,
    ) -> Result<Option<Layers>, QueryError> {
        let (forward, backward) = (&p.nfa.elems[hop.elem], &p.reversed.elems[hop.elem]);
        let (mut from, mut to) = (Side::new(start), Side::new(end));
        let most = hop.max.unwrap_or(u32::MAX);
        let meeting: Vec<u32> = loop {
            if from.level.is_empty() || to.level.is_empty() || from.depth.saturating_add(to.depth) >= most {
                return Ok(None);
            }
            let (side, other, elem) =
                if from.level.len() <= to.level.len() { (&mut from, &to, forward) } else { (&mut to, &from, backward) };
            self.widen(side, elem, graph)?;
            let bytes = 24 * (side.level.len() as u64);
            self.charge(bytes)?;
            *charged += bytes;
            self.note_frontier(side.level.len());
            // Both sides are whole up to their depth, so the first to meet are on shortest paths.
            let met: Vec<u32> = side.level.iter().copied().filter(|n| other.at.contains_key(n)).collect();
            if !met.is_empty() {
                break met;
            }
        };
        let length = meeting.first().map_or(0, |n| from.at[n] + to.at[n]);
        let mut layers: Layers = vec![FxHashSet::default(); length as usize + 1];
        for n in meeting.iter().filter(|n| from.at[*n] + to.at[*n] == length) {
            layers[from.at[n] as usize].insert(*n);
        }
        // From where they met back to the start, and on to the end.
        let middle = meeting.first().map_or(0, |n| from.at[n] as usize);
        for d in (0..middle).rev() {
            let mut found = FxHashSet::default();
            for n in &layers[d + 1] {
                self.expand(backward, graph, *n, &mut |_, o| {
                    if from.at.get(&o).is_some_and(|at| *at as usize == d) {
                        found.insert(o);
                    }
                })?;
            }
            layers[d] = found;
        }
        for d in middle..length as usize {
            let mut found = FxHashSet::default();
            for n in &layers[d] {
                self.expand(forward, graph, *n, &mut |_, o| {
                    if to.at.get(&o).is_some_and(|left| *left as usize == length as usize - d - 1) {
                        found.insert(o);
                    }
                })?;
            }
            layers[d + 1] = found;
        }
        Ok(Some(layers))
    }

    fn widen(&self, side: &mut Side, elem: &Elem, graph: u8) -> Result<(), QueryError> {
        side.depth += 1;
        let mut next = Vec::new();
        for n in std::mem::take(&mut side.level) {
            self.expand(elem, graph, n, &mut |_, o| {
                if let std::collections::hash_map::Entry::Vacant(e) = side.at.entry(o) {
                    e.insert(side.depth);
                    next.push(o);
                }
            })?;
        }
        side.level = next;
        Ok(())
    }

    /// The paths along the layers in their order: by edge type, node and edge, hop by hop.
    #[expect(clippy::too_many_arguments, reason = "as `between`")]
    fn along_layers(
        &self,
        p: &Pattern,
        hop: &ChainHop,
        all: bool,
        graph: u8,
        start: u32,
        end: u32,
        layers: &Layers,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let elem = &p.nfa.elems[hop.elem];
        let steps = |n: u32, d: usize| -> Result<Vec<(EdgeId, u32)>, QueryError> {
            let mut out = Vec::new();
            if let Some(next) = layers.get(d + 1) {
                self.expand(elem, graph, n, &mut |e, o| {
                    if next.contains(&o) {
                        out.push((e, o));
                    }
                })?;
            }
            Ok(out)
        };
        let mut edges: Vec<EdgeId> = Vec::new();
        let mut stack = vec![steps(start, 0)?.into_iter()];
        let mut found = 0;
        let want = if all { u32::MAX } else { 1 };
        while let Some(top) = stack.last_mut() {
            let Some((edge, node)) = top.next() else {
                stack.pop();
                edges.pop();
                continue;
            };
            edges.push(edge);
            if stack.len() + 1 < layers.len() {
                let next = steps(node, stack.len())?;
                stack.push(next.into_iter());
                continue;
            }
            self.work(edges.len() as u64)?;
            if self.witness(p, graph, start, end, &edges, row, used, want, &mut found, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if found > 0 && !all {
                return GO;
            }
            edges.pop();
        }
        GO
    }
}
