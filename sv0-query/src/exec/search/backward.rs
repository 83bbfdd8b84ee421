//! From which nodes a chain has an end: searched once from all ends, where EXISTS is asked about very many nodes.

use sv0_graph::GraphView;

use super::super::{Exec, Row};
use super::marks::Bits;
use crate::diag::{Code, QueryError};
use crate::plan::{Chain, Op, Pattern, Sub};
use crate::val::Val;

/// The nodes from which a pattern has an end.
#[derive(Debug)]
pub(in super::super) struct Reaching {
    nodes: Bits,
    graph: u8,
}

/// A pattern whose start is a given variable, and its chain.
pub(in super::super) type From<'p> = (&'p Pattern, &'p Chain, u8);

impl Sub {
    /// The chain that the whole subquery is, from the variable that it reads.
    pub(in super::super) fn chain_of_free(&self) -> Option<From<'_>> {
        let [Op::Match(m)] = self.linear.ops.as_slice() else { return None };
        let [p] = m.patterns.as_slice() else { return None };
        if m.optional || !m.filter.is_empty() {
            return None;
        }
        let turned = p.turned.as_deref();
        let p =
            [Some(p), turned].into_iter().flatten().find(|p| p.first.slot.is_some() && p.first.slot == self.free)?;
        let chain = p.chain.as_ref().filter(|c| !c.back)?;
        // The first station is the variable itself.
        let stable = chain.stable.get(1..).is_some_and(|s| s.iter().all(|s| *s));
        let once = chain.stations.get(1..)?.iter().flatten().all(|e| p.nfa.elems[*e].slot != self.free);
        (stable && once).then_some((p, chain, m.graph))
    }
}

impl<G: GraphView> Exec<'_, G> {
    /// How many adjacency entries a search from all ends touches at most.
    pub(in super::super) fn reaching_cost(&self, (p, chain, graph): From<'_>) -> Result<Option<u64>, QueryError> {
        // A node's test takes as long as some entries.
        const TEST: u64 = 8;
        let mut cost = 0;
        for e in chain.stations.iter().skip(1).flatten().map(|e| &p.nfa.elems[*e]) {
            let ty = e.label.as_ref().and_then(crate::plan::one_type);
            if !e.filters.is_empty() {
                cost += TEST * self.graph(graph).node_count(ty).unwrap_or(0);
            }
        }
        for h in &chain.hops {
            let Some(t) = self.graph(graph).topology(&p.reversed.elems[h.elem].steps)? else { return Ok(None) };
            cost += t.edges();
        }
        Ok(Some(cost))
    }

    /// All nodes from which a chain has an end. `None` where the graph has no arrays, or a condition can't be asked of every node.
    pub(in super::super) fn reaching(
        &self,
        (p, chain, graph): From<'_>,
        row: &mut Row,
    ) -> Result<Option<Reaching>, QueryError> {
        let Some(mut reach) = self.take_out(p, chain, graph)? else { return Ok(None) };
        let mut found: Option<Bits> = None;
        let mut outcome = Ok(true);
        // Of sets that are made on the way.
        let mut bytes = 0;
        for (i, hop) in chain.hops.iter().enumerate().rev() {
            let Some(a) = self.graph(graph).adjacency(&p.reversed.elems[hop.elem].steps, true)? else {
                outcome = Ok(false);
                break;
            };
            let ids = a.ids();
            let mut ends = match self.station(&mut reach, p, chain, i + 1, graph, ids, row) {
                Ok(s) => s,
                // Perhaps of a node that nobody comes to.
                Err(e) if e.code() == Code::Value => {
                    outcome = Ok(false);
                    break;
                }
                Err(e) => {
                    outcome = Err(e);
                    break;
                }
            };
            bytes += ends.as_ref().map_or(0, |e| e.bytes() as u64);
            if let Some(before) = found.take() {
                match &mut ends {
                    Some(e) => e.keep(&before),
                    None => ends = Some(before),
                }
            }
            let mut seen = Bits::new(ids);
            bytes += seen.bytes() as u64;
            self.charge(seen.bytes() as u64)?;
            let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let mut level: Vec<u32> = match &ends {
                Some(e) => e.iter().collect(),
                None => (0..short(ids)).filter(|n| !a.of(*n).is_empty()).collect(),
            };
            let mut next = Vec::new();
            let mut depth = 0;
            while !level.is_empty() && hop.max.is_none_or(|m| depth < m) {
                depth += 1;
                for n in &level {
                    let all = a.of(*n);
                    self.work(all.len() as u64 + 1)?;
                    for o in all {
                        if seen.put(*o) {
                            next.push(*o);
                        }
                    }
                }
                self.note_frontier(next.len());
                std::mem::swap(&mut level, &mut next);
                next.clear();
            }
            if hop.min == 0 {
                match ends {
                    Some(e) => seen.add(&e),
                    // Every node is its own end.
                    None => {
                        outcome = Ok(false);
                        break;
                    }
                }
            }
            found = Some(seen);
        }
        // One set stays.
        let last = found.as_ref().map_or(0, |b| b.bytes() as u64);
        self.release(bytes.saturating_sub(last));
        self.put_back(p, graph, reach);
        Ok(if outcome? { found.map(|nodes| Reaching { nodes, graph }) } else { None })
    }

    /// Whether a node has an end, given all that have; `None` for a node of another graph.
    pub(in super::super) fn reaches_end(
        &self,
        all: &Reaching,
        (p, chain, graph): From<'_>,
        node: (u8, u32),
        row: &mut Row,
    ) -> Result<Option<bool>, QueryError> {
        if node.0 != all.graph || graph != all.graph {
            return Ok(None);
        }
        if !all.nodes.has(node.1) {
            return Ok(Some(false));
        }
        debug_assert!(p.first.slot.is_some_and(|s| matches!(row[s], Val::Node(..))), "the start is the variable");
        match chain.stations[0].map(|e| &p.nfa.elems[e]) {
            Some(e) => self.node_fits(e, graph, node.1, row).map(Some),
            None => Ok(Some(true)),
        }
    }

    /// Whether a search from a start may come to an end at all: once searches for a pattern have taken as long as it takes,
    /// all nodes are found from which any of its edges lead to any of its ends, and no others are searched from.
    pub(super) fn may_end(&self, p: &Pattern, graph: u8, start: u32, row: &mut Row) -> Result<bool, QueryError> {
        let place = (std::ptr::from_ref(p).addr(), graph);
        let due = match self.mays.borrow_mut().entry(place).or_default() {
            May::Known(all) => return Ok(all.has(start)),
            May::Never => return Ok(true),
            May::Spent { spent, cost } => *spent >= *cost,
        };
        if due {
            let next = self.may(p, graph, row)?;
            let may = match &next {
                May::Known(all) => all.has(start),
                _ => true,
            };
            self.mays.borrow_mut().insert(place, next);
            return Ok(may);
        }
        Ok(true)
    }

    /// Notes what a search took.
    pub(super) fn searched(&self, p: &Pattern, graph: u8, entries: u64) {
        let place = (std::ptr::from_ref(p).addr(), graph);
        if let Some(May::Spent { spent, .. }) = self.mays.borrow_mut().get_mut(&place) {
            *spent += entries;
        }
    }

    fn may(&self, p: &Pattern, graph: u8, row: &mut Row) -> Result<May, QueryError> {
        let e = &p.last;
        let mut reads = std::collections::BTreeSet::new();
        e.filters.iter().for_each(|f| crate::rewrite::slots::of_expr(f, &mut reads));
        let own = e.slot.is_none_or(|s| p.binds.contains(&s)) && reads.iter().all(|s| Some(*s) == e.slot);
        if !own || e.key.is_some() || (e.label.is_none() && e.filters.is_empty()) {
            return Ok(May::Never);
        }
        let mut steps: Vec<_> = p.reversed.elems.iter().flat_map(|e| e.steps.iter().copied()).collect();
        steps.sort_unstable();
        steps.dedup();
        let (g, ty) = (self.graph(graph), e.label.as_ref().and_then(crate::plan::one_type));
        let Some(t) = g.topology(&steps)? else { return Ok(May::Never) };
        let cost = t.edges() / 4 + 8 * g.node_count(ty).unwrap_or(0);
        let place = (std::ptr::from_ref(p).addr(), graph);
        if let Some(May::Spent { spent, .. }) = self.mays.borrow().get(&place)
            && *spent < cost
        {
            return Ok(May::Spent { spent: *spent, cost });
        }
        // Not where that alone might be more than the query may touch.
        if self.budget.max_work.is_some_and(|m| m.saturating_sub(self.work.get()) / 4 < t.edges()) {
            return Ok(May::Never);
        }
        let Some(a) = g.adjacency(&steps, true)? else { return Ok(May::Never) };
        let candidates = match self.by_index(e, graph, u64::MAX, row)? {
            Some(found) => found.into(),
            None => self.candidates(graph, ty)?,
        };
        self.charge(a.ids() as u64 / 8)?;
        let mut seen = Bits::new(a.ids());
        let mut open = Vec::new();
        for n in candidates.iter() {
            match self.node_fits(e, graph, *n, row) {
                Ok(true) => {
                    seen.put(*n);
                    open.push(*n);
                }
                Ok(false) => {}
                // Perhaps of a node that nobody comes to.
                Err(e) if e.code() == Code::Value => return Ok(May::Never),
                Err(e) => return Err(e),
            }
        }
        while let Some(n) = open.pop() {
            let all = a.of(n);
            self.work(all.len() as u64 + 1)?;
            open.extend(all.iter().copied().filter(|o| seen.put(*o)));
        }
        Ok(May::Known(seen))
    }
}

/// Whether it is known from where a pattern may come to an end.
#[derive(Debug)]
pub(in super::super) enum May {
    /// What searches took so far, and from when on it pays to know.
    Spent {
        spent: u64,
        cost: u64,
    },
    Never,
    Known(Bits),
}

impl Default for May {
    fn default() -> Self {
        // So much is spent before it is asked what it would cost.
        Self::Spent { spent: 0, cost: 1 << 12 }
    }
}
