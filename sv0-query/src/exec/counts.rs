//! How many rows a subquery has: what it reads of the row around it is often one node, and asked about it again the answer
//! is known. Where EXISTS is asked about very many nodes, it is answered for all of them at once.

use rustc_hash::FxHashMap;
use sv0_graph::GraphView;

use super::search::Reaching;
use super::{Exec, Row};
use crate::diag::QueryError;
use crate::plan::Sub;
use crate::val::Val;

/// Asked so often, it is looked at whether answers come again.
const MANY: u64 = 1 << 12;
/// A search for all nodes is begun once those for single ones took so great a part of what it takes.
const SHARE: u64 = 8;
/// What an answer takes, in bytes.
const ENTRY: u64 = 32;
/// What a search costs beside its entries, in entries.
const SEARCH: u64 = 8;

/// What a subquery that reads one node counted for each.
#[derive(Debug, Default)]
pub(super) struct Counts {
    known: FxHashMap<u64, i64>,
    asked: u64,
    found: u64,
    /// It isn't asked about the same nodes again.
    useless: bool,
    /// What searches for single nodes took, in adjacency entries.
    spent: u64,
    all: All,
}

/// Whether all nodes were asked about at once.
#[derive(Debug, Default)]
enum All {
    #[default]
    NotYet,
    /// It would take so many entries.
    Costs(u64),
    Never,
    Known(std::rc::Rc<Reaching>),
}

impl Counts {
    fn of(&mut self, node: u64) -> Option<i64> {
        if self.useless {
            return None;
        }
        let n = self.known.get(&node).copied();
        self.asked += 1;
        self.found += u64::from(n.is_some());
        n
    }

    /// Answers with the bytes that it takes, and with those that it gives back.
    fn note(&mut self, node: u64, n: i64) -> (u64, u64) {
        if self.useless {
            return (0, 0);
        }
        if self.asked >= MANY && self.found < self.asked / 16 {
            let before = std::mem::take(&mut self.known);
            self.useless = true;
            return (0, ENTRY * before.len() as u64);
        }
        let new = self.known.insert(node, n).is_none();
        (if new { ENTRY } else { 0 }, 0)
    }
}

impl<G: GraphView> Exec<'_, G> {
    /// How many rows a subquery has; `most` are enough.
    pub(super) fn counted(&self, s: &Sub, most: Option<i64>, row: &mut Row) -> Result<i64, QueryError> {
        let node = match s.free.and_then(|slot| row.get(slot)) {
            Some(Val::Node(g, n)) => Some((*g, *n)),
            _ => None,
        };
        let Some((g, n)) = node else { return self.count_rows(s, most, row) };
        let (place, key) = (std::ptr::from_ref(s).addr(), u64::from(g) << 32 | u64::from(n));
        let all = {
            let mut counts = self.counts.borrow_mut();
            let m = counts.entry(place).or_default();
            if let All::Known(all) = &m.all {
                Some(all.clone())
            } else {
                if let Some(n) = m.of(key) {
                    return Ok(n);
                }
                None
            }
        };
        if let (Some(all), Some(from)) = (all, s.chain_of_free())
            && let Some(there) = self.reaches_end(&all, from, (g, n), row)?
        {
            return Ok(i64::from(there));
        }
        let before = self.work.get();
        let found = self.count_rows(s, most, row)?;
        let spent = self.work.get() - before + SEARCH;
        let ((taken, given), due) = {
            let mut counts = self.counts.borrow_mut();
            let m = counts.entry(place).or_default();
            m.spent += spent;
            let due = match m.all {
                All::NotYet => most == Some(1) && m.spent >= MANY,
                All::Costs(c) => m.spent >= c / SHARE,
                _ => false,
            };
            (m.note(key, found), due)
        };
        self.release(given);
        self.charge(taken)?;
        if due {
            let next = self.ask_all(s, place, row)?;
            if let Some(m) = self.counts.borrow_mut().get_mut(&place) {
                m.all = next;
            }
        }
        Ok(found)
    }

    /// What it costs to ask about all nodes at once; or the answer, once that is no more than what was spent.
    fn ask_all(&self, s: &Sub, place: usize, row: &mut Row) -> Result<All, QueryError> {
        let Some(from) = s.chain_of_free() else { return Ok(All::Never) };
        let spent = self.counts.borrow().get(&place).map_or(0, |m| m.spent);
        match self.reaching_cost(from)? {
            None => Ok(All::Never),
            Some(c) if spent < c / SHARE => Ok(All::Costs(c)),
            // Not where that alone might be more than the query may touch.
            Some(c) if self.budget.max_work.is_some_and(|m| m.saturating_sub(self.work.get()) / 4 < c) => {
                Ok(All::Never)
            }
            Some(_) => Ok(self.reaching(from, row)?.map_or(All::Never, |r| All::Known(r.into()))),
        }
    }

    fn count_rows(&self, s: &Sub, most: Option<i64>, row: &mut Row) -> Result<i64, QueryError> {
        let mut n = 0;
        if most != Some(0) {
            self.subquery(s, row, &mut |_, _| {
                n += 1;
                most.is_some_and(|m| n >= m)
            })?;
        }
        Ok(n)
    }
}
