//! What a grouping takes of the ends of a chain, summed up by start on all threads: no row is made for an end.

use std::collections::HashMap;
use std::sync::Arc;

use sv0_graph::GraphView;

use super::super::{Exec, GO, Row};
use super::reach::Reach;
use super::sweep::{Block, Ends, Pairs, Sum, Sweep};
use crate::diag::{Code, QueryError};
use crate::plan::{CExpr, EndArg, MatchOp, Op, OverEnds, PairTest, Slot};
use crate::val::Val;

/// For fewer starts rows are made.
const FEW: usize = 64;
/// A table over what a condition asks of a start and of an end is at most this.
const TABLE: usize = 1 << 14;

/// Gets the row of a start, the number of its ends, and for each property of them that is summed up its sum.
type Starts<'f> = &'f mut dyn FnMut(&mut Row, u64, &[Sum]) -> Result<(), QueryError>;

/// By node the number of what is asked of it, and by number one such node.
type Asked = (Vec<u16>, Vec<u32>);

impl<'a, G: GraphView> Exec<'a, G> {
    /// Answers whether it could; `f` gets each start that has ends, in order.
    pub(in super::super) fn fold(
        &self,
        before: &[Op],
        over: &OverEnds,
        row: &mut Row,
        f: Starts<'_>,
    ) -> Result<bool, QueryError> {
        let Some((Op::Match(m), renaming)) = before.split_first() else { return Ok(false) };
        let [p] = m.patterns.as_slice() else { return Ok(false) };
        let Some(chain) = &p.chain else { return Ok(false) };
        self.at.set(p.span);
        m.binds.iter().for_each(|s| row[*s] = Val::Unset);
        let starts = self.starts(&p.first, m.graph, row)?;
        if starts.len() < FEW || self.fewer_ends(p, m.graph, starts.len(), row)?.is_some() {
            return Ok(false);
        }
        let clock = || self.budget.clock.map_or(0, |c| c());
        let (work, began) = (self.work.get(), clock());
        let Some(mut reach) = self.take_out(p, chain, m.graph)? else { return Ok(false) };
        let (mut rows, mut bytes) = (0, 0);
        let done = match self.folded(&mut reach, m, over, &starts, row, &mut bytes) {
            Ok(Some(sweep)) => {
                self.fold_starts(&mut reach, &sweep, m, renaming, over, &starts, row, &mut |row, n, s| {
                    rows += n;
                    f(row, n, s)
                })
            }
            Ok(None) => Ok(false),
            Err(e) => Err(e),
        };
        self.put_back(p, m.graph, reach);
        self.release(bytes);
        if let (Ok(true), Some(profile)) = (&done, &self.profile) {
            let mut all = profile.borrow_mut();
            for (i, op) in before.iter().enumerate() {
                let m = all.entry(std::ptr::from_ref(op).addr()).or_default();
                m.rows += rows;
                m.peak_bytes = m.peak_bytes.max(self.held.get());
                if i == 0 {
                    m.adjacency_entries += self.work.get() - work;
                    m.elapsed_us += clock().saturating_sub(began);
                }
            }
        }
        done
    }

    /// The sweep, with what it sums up; `None` where a property isn't a number, or a condition asks too much.
    fn folded(
        &self,
        reach: &mut Reach<'a>,
        m: &MatchOp,
        over: &OverEnds,
        starts: &[u32],
        row: &mut Row,
        bytes: &mut u64,
    ) -> Result<Option<Sweep>, QueryError> {
        let (p, graph) = (&m.patterns[0], m.graph);
        let Some(chain) = &p.chain else { return Ok(None) };
        let Some(mut sweep) = self.plain(reach, p, chain, graph, starts.len(), Ends::Listed, row)? else {
            return Ok(None);
        };
        // Numbers and tables by id: they go when all is summed up.
        let numbers = over.args.iter().filter(|a| matches!(a, EndArg::Prop(_))).count();
        *bytes = (sweep.ids * (8 * numbers + 4 * over.pairs.len())) as u64;
        self.charge(*bytes)?;
        let ends: Vec<u32> = match sweep.pass.last() {
            Some(Some(pass)) => pass.iter().collect(),
            _ => self.candidates(graph, None)?.to_vec(),
        };
        let (mut numbers, mut pairs) = (Vec::new(), Vec::new());
        for a in &over.args {
            if let EndArg::Prop(e) = a {
                match self.numbers(e, over.end, graph, &ends, sweep.ids, row)? {
                    Some(n) => numbers.push(Arc::new(n)),
                    None => return Ok(None),
                }
            }
        }
        for t in &over.pairs {
            match self.table(m, t, over, starts, &ends, sweep.ids, row) {
                Ok(Some(t)) => pairs.push(t),
                Ok(None) => return Ok(None),
                // Perhaps of two nodes that never meet.
                Err(e) if e.code() == Code::Value => return Ok(None),
                Err(e) => return Err(e),
            }
        }
        sweep.ends = Ends::Folded { numbers, pairs, apart: over.apart };
        Ok(Some(sweep))
    }

    #[expect(clippy::too_many_arguments, reason = "a pattern, what stands behind it, and what the match so far is")]
    fn fold_starts(
        &self,
        reach: &mut Reach<'a>,
        sweep: &Sweep,
        m: &MatchOp,
        renaming: &[Op],
        over: &OverEnds,
        starts: &[u32],
        row: &mut Row,
        f: Starts<'_>,
    ) -> Result<bool, QueryError> {
        let (p, graph) = (&m.patterns[0], m.graph);
        let Some(chain) = &p.chain else { return Ok(false) };
        let width = over.args.iter().filter(|a| matches!(a, EndArg::Prop(_))).count();
        let mut one = |row: &mut Row, start: u32, n: u32, sums: &[Sum]| -> Result<(), QueryError> {
            if n == 0 {
                return Ok(());
            }
            if let Some(s) = over.start {
                row[s] = Val::Node(graph, start);
            }
            for i in &over.firsts {
                if self.eval(&m.filter[*i], row)?.truth() != Some(true) {
                    return Ok(());
                }
            }
            for op in renaming {
                let Op::Project(r) = op else { continue };
                for (slot, e) in r.items.iter().filter(|(s, _)| !over.aliases.contains(s)) {
                    row[*slot] = self.eval(e, row)?;
                }
            }
            f(row, u64::from(n), sums)
        };
        let flow = self.windows(reach, sweep, starts, row, &mut |reach, starts, block, row| {
            for (i, (start, n)) in starts.iter().zip(&block.counts).enumerate() {
                let sums = block.sums.get(i * width..(i + 1) * width).unwrap_or(&[]);
                one(row, *start, *n, sums)?;
            }
            // What the block left.
            for start in starts.get(block.counts.len()..).unwrap_or(&[]) {
                if !self.passes(reach, p, chain, 0, graph, *start, row)? {
                    continue;
                }
                let mut ends = Vec::new();
                let flow = self.hops(reach, p, chain, graph, row, *start, &mut |end, _| {
                    ends.push(end);
                    GO
                });
                reach.forget();
                let _ = flow?;
                let mut left = Block::default();
                let n = sweep.sum_up(*start, &mut ends, &mut left);
                one(row, *start, n, &left.sums)?;
            }
            GO
        });
        if let Some(s) = over.start {
            row[s] = Val::Unset;
        }
        flow.map(|_| true)
    }

    /// A condition over what it asks of starts and of ends; `None` where that is too much for a table.
    #[expect(clippy::too_many_arguments, reason = "a condition, and all it may be asked of")]
    fn table(
        &self,
        m: &MatchOp,
        t: &PairTest,
        over: &OverEnds,
        starts: &[u32],
        ends: &[u32],
        ids: usize,
        row: &mut Row,
    ) -> Result<Option<Pairs>, QueryError> {
        let Some(start) = over.start else { return Ok(None) };
        let Some((of_start, firsts)) = self.asked(&t.of_start, start, m.graph, starts, ids, row)? else {
            return Ok(None);
        };
        let Some((of_end, lasts)) = self.asked(&t.of_end, over.end, m.graph, ends, ids, row)? else { return Ok(None) };
        if firsts.len() * lasts.len() > TABLE {
            return Ok(None);
        }
        let mut holds = Vec::with_capacity(firsts.len() * lasts.len());
        for a in &firsts {
            for b in &lasts {
                self.step(1)?;
                row[start] = Val::Node(m.graph, *a);
                row[over.end] = Val::Node(m.graph, *b);
                let v = self.eval(&m.filter[t.filter], row);
                (row[start], row[over.end]) = (Val::Unset, Val::Unset);
                holds.push(v?.truth() == Some(true));
            }
        }
        Ok(Some(Pairs { of_start, of_end, holds, width: lasts.len() }))
    }

    /// Numbers nodes by what these expressions say of them; and one node for each number.
    fn asked(
        &self,
        of: &[CExpr],
        slot: Slot,
        graph: u8,
        nodes: &[u32],
        ids: usize,
        row: &mut Row,
    ) -> Result<Option<Asked>, QueryError> {
        let (mut numbers, mut firsts) = (vec![0u16; ids], Vec::new());
        let mut known: HashMap<Vec<u8>, u16> = HashMap::new();
        let mut key = Vec::new();
        for n in nodes {
            self.step(1)?;
            key.clear();
            row[slot] = Val::Node(graph, *n);
            for e in of {
                match self.eval(e, row) {
                    Ok(v) => v.group_key(&mut key),
                    Err(e) => {
                        row[slot] = Val::Unset;
                        return Err(e);
                    }
                }
            }
            row[slot] = Val::Unset;
            let number = match known.get(&key) {
                Some(k) => *k,
                None => {
                    let Ok(k) = u16::try_from(firsts.len()) else { return Ok(None) };
                    if firsts.len() >= TABLE {
                        return Ok(None);
                    }
                    known.insert(key.clone(), k);
                    firsts.push(*n);
                    k
                }
            };
            if let Some(place) = numbers.get_mut(*n as usize) {
                *place = number;
            }
        }
        Ok(Some((numbers, firsts)))
    }
}
