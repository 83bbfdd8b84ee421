//! The executor: streams rows through the operators of a plan.

mod counts;
mod eval;
mod flow;
mod func;
mod project;
mod search;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use sv0_graph::{EdgeId, GraphView, NodeType};

use crate::ast::{SetOp, Span};
use crate::diag::{Code, QueryError};
use crate::elements::stored;
use crate::explain::Measured;
use crate::plan::{MatchOp, Op, Plan};
use crate::val::Val;

pub(crate) type Row = Vec<Val>;
pub(crate) type Flow = Result<ControlFlow<()>, QueryError>;
pub(crate) const GO: Flow = Ok(ControlFlow::Continue(()));

/// Why a host stops a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The time is up.
    Timeout,
    /// The caller changed its mind.
    Cancelled,
}

/// A query's bounds. Nothing is capped silently: a bound that is met ends the query with an error that names the
/// pattern element that was at work.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// Adjacency entries touched.
    pub max_work: Option<u64>,
    /// Rows held or returned.
    pub max_rows: u64,
    /// Bytes held, about.
    pub max_memory: u64,
    /// Asked every 4,096 steps; how a host keeps time without this crate reading a clock.
    pub stop: Option<&'a dyn Fn() -> Option<Stop>>,
    /// What was found until a bound is met is the result, marked as truncated, instead of an error. Aggregates over a part
    /// of the rows would be wrong: a query that aggregates has no rows then.
    pub truncate: bool,
    /// Told every 4,096 steps how far the query is.
    pub progress: Option<&'a dyn Fn(Stats)>,
    /// A clock in microseconds, for `PROFILE`.
    pub clock: Option<&'a dyn Fn() -> u64>,
}

impl Default for Budget<'_> {
    fn default() -> Self {
        Self {
            max_work: Some(50_000_000),
            max_rows: 100_000,
            max_memory: 256 << 20,
            stop: None,
            truncate: false,
            progress: None,
            clock: None,
        }
    }
}

impl std::fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Budget({:?}, {}, {})", self.max_work, self.max_rows, self.max_memory)
    }
}

/// Where and why a result was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncated {
    /// The bound that was met.
    pub reason: Code,
    /// In words.
    pub message: String,
    /// The pattern that was at work.
    pub at: Option<Span>,
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Adjacency entries touched.
    pub adjacency_entries: u64,
    /// The most bytes held, about.
    pub peak_bytes: u64,
}

/// By the place of an expression: the keys of a list's values, and whether null is among them.
type Members = HashMap<usize, Option<(HashSet<Vec<u8>>, bool)>>;

/// Live nodes by graph and type.
type Candidates = HashMap<(u8, Option<NodeType>), Rc<Vec<u32>>>;

/// Searches along chains, by the place of their pattern and by graph.
type Reaches<'g> = FxHashMap<(usize, u8), search::reach::Reach<'g>>;

/// By subquery that reads one node: what it counted.
type AllCounts = FxHashMap<usize, counts::Counts>;

pub(crate) struct Exec<'a, G> {
    pub plan: &'a Plan,
    pub graphs: &'a [&'a G],
    /// By graph: whether its schema is an open one.
    open: Vec<bool>,
    pub params: Vec<Val>,
    /// The caller's time; each graph has its own otherwise.
    pub now: Option<i64>,
    pub budget: Budget<'a>,
    work: Cell<u64>,
    steps: Cell<u64>,
    held: Cell<u64>,
    peak: Cell<u64>,
    rows: Cell<u64>,
    at: Cell<Span>,
    candidates: RefCell<Candidates>,
    regexes: RefCell<HashMap<Arc<str>, Option<Arc<regex::Regex>>>>,
    /// By expression: the members of a list that stays the same, and whether null is among them.
    members: RefCell<Members>,
    truncated: RefCell<Option<Truncated>>,
    /// By operator: what it did.
    profile: Option<RefCell<HashMap<usize, Measured>>>,
    frontier: Cell<u64>,
    /// How many rows the present one stands for.
    weight: Cell<u64>,
    /// By pattern and graph: what searches along its chain share.
    reaches: RefCell<Reaches<'a>>,
    /// By subquery.
    counts: RefCell<AllCounts>,
    /// By pattern and graph: from where it may come to an end.
    mays: RefCell<FxHashMap<(usize, u8), search::May>>,
}

impl<'a, G: GraphView> Exec<'a, G> {
    pub(crate) fn new(
        plan: &'a Plan,
        graphs: &'a [&'a G],
        params: Vec<Val>,
        now: Option<i64>,
        budget: Budget<'a>,
    ) -> Self {
        Self {
            plan,
            graphs,
            open: graphs.iter().map(|g| g.schema().is_open()).collect(),
            params,
            now,
            budget,
            work: Cell::new(0),
            steps: Cell::new(0),
            held: Cell::new(0),
            peak: Cell::new(0),
            rows: Cell::new(0),
            at: Cell::new((0, 0)),
            candidates: RefCell::default(),
            regexes: RefCell::default(),
            members: RefCell::default(),
            truncated: RefCell::default(),
            profile: None,
            frontier: Cell::new(0),
            weight: Cell::new(1),
            reaches: RefCell::default(),
            counts: RefCell::default(),
            mays: RefCell::default(),
        }
    }

    /// Measures each operator.
    pub(crate) fn profiled(mut self) -> Self {
        self.profile = Some(RefCell::default());
        self
    }

    /// What an operator of the plan did.
    pub(crate) fn measured(&self, op: &Op) -> Option<Measured> {
        let all = self.profile.as_ref()?.borrow();
        Some(all.get(&std::ptr::from_ref(op).addr()).copied().unwrap_or_default())
    }

    pub(crate) fn truncated(&self) -> Option<Truncated> {
        self.truncated.borrow().clone()
    }

    /// Whether an error is a bound at which the result may be cut; notes it then.
    pub(crate) fn cut(&self, e: &QueryError) -> bool {
        let bound = matches!(e.code(), Code::Timeout | Code::WorkBudget | Code::MemoryBudget | Code::RowBudget);
        // A part of what is taken away or required would let wrong rows in.
        let sound = self.plan.parts.iter().all(|(op, _)| matches!(op, None | Some(SetOp::Union | SetOp::UnionAll)));
        if !(self.budget.truncate && bound && sound) {
            return false;
        }
        if let Some(d) = e.diagnostics.first() {
            let note = Truncated { reason: d.code, message: d.message.clone(), at: d.span };
            self.truncated.borrow_mut().get_or_insert(note);
        }
        true
    }

    /// What was cut is done with: its bounds were met.
    fn over(&self) -> bool {
        self.truncated.borrow().is_some()
    }

    pub(crate) fn note_frontier(&self, states: usize) {
        self.frontier.set(self.frontier.get().max(states as u64));
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { adjacency_entries: self.work.get(), peak_bytes: self.peak.get() }
    }

    pub(crate) fn graph(&self, g: u8) -> &'a G {
        self.graphs[usize::from(g)]
    }

    /// Whether a graph's schema is an open one.
    pub(crate) fn is_open(&self, g: u8) -> bool {
        self.open[usize::from(g)]
    }

    /// A value that a graph stores.
    pub(crate) fn stored(&self, g: u8, v: sv0_graph::Value) -> Val {
        stored(self.open[usize::from(g)], v)
    }

    /// Counts adjacency entries.
    pub(crate) fn work(&self, n: u64) -> Result<(), QueryError> {
        let before = self.work.get();
        let now = before + n;
        self.work.set(now);
        if self.budget.max_work.is_some_and(|m| now > m) && !self.over() {
            let m = format!("work budget of {} adjacency entries exhausted", self.budget.max_work.unwrap_or(0));
            return Err(self.stopped(Code::WorkBudget, &m));
        }
        if before >> 12 != now >> 12 {
            self.poll()?;
        }
        Ok(())
    }

    /// Counts what is done beside the graph: rows that a list makes, elements of lists, nodes that are tested. Nothing
    /// bounds their number but the caller's clock.
    pub(crate) fn step(&self, n: u64) -> Result<(), QueryError> {
        let before = self.steps.get();
        let now = before.saturating_add(n);
        self.steps.set(now);
        if before >> 12 != now >> 12 { self.poll() } else { Ok(()) }
    }

    /// [`Exec::step`] by how much there is to read: long texts and lists take longer.
    pub(crate) fn reads(&self, v: &Val) -> Result<(), QueryError> {
        match v {
            Val::Str(s) if s.len() > 64 => self.step(s.len() as u64 / 64),
            Val::List(l) if l.len() > 1 => self.step(l.len() as u64),
            _ => Ok(()),
        }
    }

    /// Refuses what is about to be made if there is no room for it beside what is held.
    pub(crate) fn room(&self, bytes: u64, span: Span) -> Result<(), QueryError> {
        let all = self.held.get().saturating_add(bytes);
        self.peak.set(self.peak.get().max(all.min(self.budget.max_memory)));
        if all > self.budget.max_memory {
            let m = format!("a value of {bytes} bytes exceeds the memory budget of {}", self.budget.max_memory);
            return Err(QueryError::run(Code::MemoryBudget, Some(span), m));
        }
        Ok(())
    }

    /// A list of what was gathered and isn't counted yet: for a moment it's there twice.
    pub(crate) fn list(&self, items: Vec<Val>, span: Span) -> Result<Val, QueryError> {
        self.room(size_of_val(&*items) as u64, span)?;
        Ok(Val::List(items.into()))
    }

    pub(crate) fn poll(&self) -> Result<(), QueryError> {
        if let Some(progress) = self.budget.progress {
            progress(self.stats());
        }
        if self.over() {
            return Ok(());
        }
        match self.budget.stop.and_then(|s| s()) {
            None => Ok(()),
            Some(Stop::Timeout) => Err(self.stopped(Code::Timeout, "out of time")),
            Some(Stop::Cancelled) => Err(self.stopped(Code::Cancelled, "cancelled")),
        }
    }

    fn stopped(&self, code: Code, what: &str) -> QueryError {
        match self.at.get() {
            (0, 0) => QueryError::run(code, None, what),
            span => QueryError::run(code, Some(span), format!("{what} while matching this pattern")),
        }
    }

    /// Counts a row; the bound is on how many are there.
    pub(super) fn row(&self, rows: u64) -> Result<(), QueryError> {
        if rows > self.budget.max_rows && !self.over() {
            return Err(self.stopped(Code::RowBudget, &format!("more than {} rows", self.budget.max_rows)));
        }
        if rows.is_multiple_of(1024) { self.poll() } else { Ok(()) }
    }

    /// Counts what is held, and rows.
    pub(crate) fn hold(&self, row: &[Val], slots: impl Iterator<Item = usize>) -> Result<u64, QueryError> {
        self.rows.set(self.rows.get() + 1);
        self.row(self.rows.get())?;
        // The row's own allocation, and its place in a list that grows: there twice for a moment.
        const PLACE: u64 = 2 * size_of::<(Row, Row)>() as u64 + 16;
        let bytes = slots.map(|s| row[s].weight()).sum::<u64>() + size_of_val(row) as u64 + PLACE;
        self.charge(bytes)?;
        Ok(bytes)
    }

    /// Rows that were held are gone; their bytes are given back apart.
    pub(super) fn unhold(&self, rows: u64) {
        self.rows.set(self.rows.get().saturating_sub(rows));
    }

    /// [`Exec::hold`] for a row of a result, of which only these columns are kept.
    pub(super) fn hold_row(&self, row: &[Val], output: &[usize]) -> Result<u64, QueryError> {
        self.rows.set(self.rows.get() + 1);
        self.row(self.rows.get())?;
        const PLACE: u64 = 2 * size_of::<Row>() as u64 + 16;
        let bytes = output.iter().map(|s| row[*s].weight()).sum::<u64>() + PLACE;
        self.charge(bytes)?;
        Ok(bytes)
    }

    pub(crate) fn charge(&self, bytes: u64) -> Result<(), QueryError> {
        let held = self.held.get() + bytes;
        self.held.set(held);
        self.peak.set(self.peak.get().max(held));
        if held > self.budget.max_memory && !self.over() {
            let m = format!("memory budget of {} bytes exhausted", self.budget.max_memory);
            return Err(self.stopped(Code::MemoryBudget, &m));
        }
        Ok(())
    }

    pub(crate) fn release(&self, bytes: u64) {
        self.held.set(self.held.get().saturating_sub(bytes));
    }

    fn combine(&self, op: SetOp, a: Vec<Vec<Val>>, b: Vec<Vec<Val>>) -> Result<Vec<Vec<Val>>, QueryError> {
        let key = |row: &[Val]| -> Result<Vec<u8>, QueryError> {
            let mut k = Vec::new();
            for v in row {
                self.outer_key(v, &mut k)?;
            }
            Ok(k)
        };
        if op == SetOp::UnionAll {
            return Ok(a.into_iter().chain(b).collect());
        }
        let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut seen: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut out = Vec::new();
        if op == SetOp::Union {
            for row in a.into_iter().chain(b) {
                if seen.insert(key(&row)?, 1).is_none() {
                    out.push(row);
                }
            }
            return Ok(out);
        }
        for row in &b {
            *counts.entry(key(row)?).or_default() += 1;
        }
        for row in a {
            let k = key(&row)?;
            let there = counts.get(&k).copied().unwrap_or(0);
            let before = seen.entry(k.clone()).or_default();
            *before += 1;
            let nth = *before;
            let keep = match op {
                SetOp::Except => there == 0 && nth == 1,
                SetOp::ExceptAll => nth > there,
                SetOp::Intersect => there > 0 && nth == 1,
                _ => nth <= there,
            };
            if keep {
                out.push(row);
            }
        }
        Ok(out)
    }

    /// Nodes, edges and paths compare by their outer keys, so that results of several graphs can be combined.
    fn outer_key(&self, v: &Val, out: &mut Vec<u8>) -> Result<(), QueryError> {
        if self.graphs.len() < 2 {
            v.group_key(out);
            return Ok(());
        }
        let text = |s: &str, out: &mut Vec<u8>| {
            out.extend((s.len() as u64).to_le_bytes());
            out.extend(s.as_bytes());
        };
        let node = |g: u8, n: u32, out: &mut Vec<u8>| -> Result<(), QueryError> {
            let k = self.graph(g).key(n)?;
            text(&k.source, out);
            text(&k.id, out);
            Ok(())
        };
        let edge = |g: u8, e: EdgeId, out: &mut Vec<u8>| -> Result<(), QueryError> {
            let r = self.graph(g).edge(e)?;
            text(&self.graph(g).schema().edge_type(r.ty).name, out);
            text(&r.key, out);
            node(g, r.from, out)?;
            node(g, r.to, out)
        };
        match v {
            Val::Node(g, n) => {
                out.push(b'n');
                node(*g, *n, out)?;
            }
            Val::Edge(g, e) => {
                out.push(b'e');
                edge(*g, *e, out)?;
            }
            Val::Path(p) => {
                out.push(b'p');
                out.extend((p.nodes.len() as u64).to_le_bytes());
                p.nodes.iter().try_for_each(|n| node(p.graph, *n, out))?;
                p.edges.iter().try_for_each(|e| edge(p.graph, *e, out))?;
            }
            Val::List(l) => {
                out.push(b'l');
                out.extend((l.len() as u64).to_le_bytes());
                l.iter().try_for_each(|v| self.outer_key(v, out))?;
            }
            v => {
                out.push(b'v');
                v.group_key(out);
            }
        }
        Ok(())
    }

    /// Hands on what an operator makes of one row.
    fn operator(&self, op: &Op, row: &mut Row, next: &mut dyn FnMut(&mut Row) -> Flow) -> Flow {
        match op {
            Op::Filter(e) => {
                if self.eval(e, row)?.truth() == Some(true) {
                    next(row)
                } else {
                    GO
                }
            }
            Op::Let(items) => {
                let mut bytes = 0;
                for (slot, e) in items {
                    row[*slot] = self.eval(e, row)?;
                    // What isn't made here is held where it was made.
                    if !matches!(
                        e,
                        crate::plan::CExpr::Slot(_) | crate::plan::CExpr::Param(_) | crate::plan::CExpr::Const(_)
                    ) {
                        bytes += row[*slot].weight();
                    }
                }
                self.charge(bytes)?;
                let flow = next(row);
                self.release(bytes);
                flow
            }
            Op::For { slot, list, position } => {
                let items = match self.eval(list, row)? {
                    Val::List(l) => l,
                    Val::Null => return GO,
                    one => vec![one].into(),
                };
                let bytes = items.iter().map(Val::weight).sum();
                self.charge(bytes)?;
                for (i, item) in (0i64..).zip(items.iter()) {
                    self.step(1)?;
                    row[*slot] = item.clone();
                    if let Some((p, first)) = position {
                        row[*p] = Val::Int(first + i);
                    }
                    if next(row)?.is_break() {
                        self.release(bytes);
                        return Ok(ControlFlow::Break(()));
                    }
                }
                self.release(bytes);
                GO
            }
            Op::Match(m) => self.match_op(m, row, next),
            Op::Optional { ops, binds } => {
                let mut any = false;
                let flow = self.stream(ops, &[], row, &mut |r| {
                    any = true;
                    next(r)
                })?;
                if flow.is_continue() && !any {
                    binds.iter().for_each(|s| row[*s] = Val::Null);
                    return next(row);
                }
                Ok(flow)
            }
            Op::Call { optional, parts, into } => {
                let mut found = self.parts(parts, row, false)?;
                if found.is_empty() && *optional {
                    found.push(vec![Val::Null; into.len()]);
                }
                let bytes = found.iter().flatten().map(Val::weight).sum();
                self.charge(bytes)?;
                for values in found {
                    self.step(1)?;
                    for (slot, v) in into.iter().zip(values) {
                        row[*slot] = v;
                    }
                    if next(row)?.is_break() {
                        self.release(bytes);
                        return Ok(ControlFlow::Break(()));
                    }
                }
                self.release(bytes);
                GO
            }
            Op::Project(_) => GO,
        }
    }

    fn match_op(&self, m: &MatchOp, row: &mut Row, sink: &mut dyn FnMut(&mut Row) -> Flow) -> Flow {
        for s in &m.binds {
            row[*s] = Val::Unset;
        }
        let mut any = false;
        let mut used: FxHashSet<EdgeId> = FxHashSet::default();
        let flow = self.patterns(m, 0, row, &mut used, &mut |r| {
            for f in &m.filter {
                if self.eval(f, r)?.truth() != Some(true) {
                    return GO;
                }
            }
            any = true;
            sink(r)
        })?;
        if flow.is_continue() && m.optional && !any {
            for s in &m.binds {
                row[*s] = Val::Null;
            }
            return sink(row);
        }
        Ok(flow)
    }

    fn patterns(
        &self,
        m: &MatchOp,
        i: usize,
        row: &mut Row,
        used: &mut FxHashSet<EdgeId>,
        sink: &mut dyn FnMut(&mut Row) -> Flow,
    ) -> Flow {
        let Some(p) = m.patterns.get(i) else { return sink(row) };
        self.at.set(p.span);
        self.find_paths(p, m.graph, row, used, &mut |r, u| self.patterns(m, i + 1, r, u, sink))
    }

    /// All live nodes, of a type or all.
    pub(crate) fn candidates(&self, g: u8, ty: Option<NodeType>) -> Result<Rc<Vec<u32>>, QueryError> {
        if let Some(c) = self.candidates.borrow().get(&(g, ty)) {
            return Ok(c.clone());
        }
        let list = Rc::new(self.graph(g).nodes(ty)?);
        self.charge((list.len() * 4) as u64)?;
        self.candidates.borrow_mut().insert((g, ty), list.clone());
        Ok(list)
    }
}

pub(crate) fn finished(v: &Val) -> Val {
    if matches!(v, Val::Unset) { Val::Null } else { v.clone() }
}
