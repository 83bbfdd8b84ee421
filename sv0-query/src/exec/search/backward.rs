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
            if let Some(before) = found.take() {
                match &mut ends {
                    Some(e) => e.keep(&before),
                    None => ends = Some(before),
                }
            }
            self.charge(ids as u64 / 8)?;
            let mut seen = Bits::new(ids);
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
}
