//! Projection: grouping, aggregates, DISTINCT, ORDER BY, OFFSET and LIMIT.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use rustc_hash::FxHashSet;

use sv0_graph::GraphView;

use super::search::Sum;
use super::{Exec, GO, Row};
use crate::diag::{Code, QueryError};
use crate::plan::{AggKind, Aggregate, CExpr, EndArg, Grouping, MatchOp, Op, Project, Whole};
use crate::val::Val;

/// An aggregate's running state.
struct Running {
    count: i64,
    sum: Total,
    best: Val,
    items: Vec<Val>,
    seen: HashSet<Vec<u8>>,
    /// Nodes that were seen, by graph and id.
    nodes: FxHashSet<u64>,
}

/// A sum; of whole numbers it is exact, in whatever order they come.
#[derive(Debug, Clone, Copy)]
enum Total {
    Int(i128),
    Float(f64),
}

impl Total {
    #[expect(clippy::cast_precision_loss, reason = "mixed sums are floats")]
    fn float(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(f) => f,
        }
    }
}

impl Running {
    fn new() -> Self {
        Self {
            count: 0,
            sum: Total::Int(0),
            best: Val::Null,
            items: Vec::new(),
            seen: HashSet::new(),
            nodes: FxHashSet::default(),
        }
    }
}

impl Running {
    /// Many whole numbers at once.
    fn add(&mut self, kind: AggKind, s: Sum) {
        self.count += i64::try_from(s.known).unwrap_or(i64::MAX);
        match kind {
            AggKind::Sum | AggKind::Avg => {
                self.sum = match self.sum {
                    Total::Int(n) => Total::Int(n + s.sum),
                    f @ Total::Float(_) => Total::Float(f.float() + Total::Int(s.sum).float()),
                }
            }
            AggKind::Min | AggKind::Max if s.known > 0 => {
                let v = Val::Int(if kind == AggKind::Min { s.min } else { s.max });
                let want = if kind == AggKind::Min { Ordering::Less } else { Ordering::Greater };
                if self.best.is_null() || v.total_cmp(&self.best) == want {
                    self.best = v;
                }
            }
            _ => {}
        }
    }
}

struct GroupRow {
    row: Row,
    running: Vec<Running>,
}

/// Groups in the order of their first rows.
#[derive(Default)]
struct Groups {
    index: HashMap<Vec<u8>, usize>,
    groups: Vec<GroupRow>,
    key: Vec<u8>,
}

impl<G: GraphView> Exec<'_, G> {
    pub(super) fn project(
        &self,
        p: &Project,
        before: &[Op],
        input: Vec<Row>,
        held: &mut u64,
    ) -> Result<Vec<Row>, QueryError> {
        let outer = input.first().cloned();
        let (skip, limit) = self.bounds(p)?;
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        // Rows with their sort keys, if there are any.
        let mut rows: Vec<(Vec<Val>, Row)> = Vec::new();
        let most = limit.map(|l| l.saturating_add(skip));
        if let Some(g) = &p.grouping {
            let mut all = Groups::default();
            let flow = self.grouped(p, g, before, input, &mut all, held);
            match flow {
                // Aggregates over a part of the rows would be wrong.
                Err(e) if p.top && self.cut(&e) => return Ok(Vec::new()),
                flow => flow?,
            }
            let mut groups = all.groups;
            if groups.is_empty() && g.keys.is_empty() {
                let running = g.aggregates.iter().map(|_| Running::new()).collect();
                let row = outer.unwrap_or_else(|| vec![Val::Unset; self.plan.slots]);
                groups.push(GroupRow { row, running });
            }
            for mut gr in groups {
                for (a, state) in g.aggregates.iter().zip(gr.running) {
                    gr.row[a.slot] = result(a, state)?;
                }
                self.items(p, &mut gr.row, Some(&g.keys))?;
                rows.push((self.sort_keys(p, &mut gr.row)?, gr.row));
            }
            if p.distinct {
                let mut seen = HashSet::new();
                rows.retain(|(_, r)| seen.insert(items_key(p, r)));
            }
        } else {
            let mut seen = HashSet::new();
            let flow = self.stream_all(before, input, &mut |r| {
                let mut out = r.clone();
                self.items(p, &mut out, None)?;
                if p.distinct {
                    p.items.iter().try_for_each(|(s, _)| self.reads(&out[*s]))?;
                    let key = items_key(p, &out);
                    let bytes = 2 * key.len() as u64 + 64;
                    if !seen.insert(key) {
                        return GO;
                    }
                    self.charge(bytes)?;
                    *held += bytes;
                }
                let keys = self.sort_keys(p, &mut out)?;
                let out = kept(p, &out);
                let keyed: u64 = keys.iter().map(Val::weight).sum();
                self.charge(keyed)?;
                let bytes = keyed + self.hold(&out, p.items.iter().map(|i| i.0))?;
                *held += bytes;
                rows.push((keys, out));
                // Of many rows only the first are wanted: the others go now and then.
                if let Some(most) = most
                    && rows.len() >= most.saturating_mul(2).saturating_add(1024)
                {
                    self.step(rows.len() as u64)?;
                    sort(p, &mut rows);
                    let gone = (rows.len() - most) as u64;
                    rows.truncate(most);
                    let bytes = (*held / (most as u64 + gone)).saturating_mul(gone);
                    *held -= bytes;
                    self.release(bytes);
                    self.unhold(gone);
                }
                GO
            });
            match flow {
                Err(e) if p.top && self.cut(&e) => {}
                flow => _ = flow?,
            }
        }
        sort(p, &mut rows);
        if skip > 0 {
            rows.drain(..skip.min(rows.len()));
        }
        if let Some(l) = limit {
            rows.truncate(l);
        }
        Ok(rows.into_iter().map(|(_, r)| r).collect())
    }

    /// All rows into their groups.
    fn grouped(
        &self,
        p: &Project,
        g: &Grouping,
        before: &[Op],
        input: Vec<Row>,
        all: &mut Groups,
        held: &mut u64,
    ) -> Result<(), QueryError> {
        if let (Some(Whole::Ends(over)), [row]) = (g.whole.as_deref(), input.as_slice()) {
            let mut row = row.clone();
            let done = self.fold(before, over, &mut row, &mut |r, n, sums| {
                let i = self.group_of(p, g, r, all, held)?;
                let mut sums = sums.iter();
                for ((a, state), arg) in g.aggregates.iter().zip(&mut all.groups[i].running).zip(&over.args) {
                    match arg {
                        EndArg::Number => state.count += i64::try_from(n).unwrap_or(i64::MAX),
                        EndArg::Start => {
                            let weight = self.weight.replace(if a.distinct { 1 } else { n });
                            let bytes = self.accumulate(a, state, r);
                            self.weight.set(weight);
                            *held += bytes?;
                        }
                        EndArg::Prop(_) => state.add(a.kind, sums.next().copied().unwrap_or_default()),
                    }
                }
                Ok(())
            })?;
            if done {
                return Ok(());
            }
        }
        if let (Some(Whole::Texts(slot)), [Op::Match(m)], [row]) = (g.whole.as_deref(), before, input.as_slice())
            && self.by_texts(p, g, m, *slot, &mut row.clone(), all, held)?
        {
            return Ok(());
        }
        let flow = self.stream_all(before, input, &mut |r| {
            let i = self.group_of(p, g, r, all, held)?;
            for (a, state) in g.aggregates.iter().zip(&mut all.groups[i].running) {
                *held += self.accumulate(a, state, r)?;
            }
            GO
        });
        flow.map(|_| ())
    }

    /// Counts nodes by their texts' codes; answers whether the graph has them.
    #[expect(clippy::too_many_arguments, reason = "a grouping, what it groups, and its groups")]
    fn by_texts(
        &self,
        p: &Project,
        g: &Grouping,
        m: &MatchOp,
        slot: usize,
        row: &mut Row,
        all: &mut Groups,
        held: &mut u64,
    ) -> Result<bool, QueryError> {
        // So many groups are told apart in a table; rows in pieces, between which the clock is looked at.
        const MOST: u64 = 1 << 16;
        const PIECE: usize = 1 << 14;
        let [pattern] = m.patterns.as_slice() else { return Ok(false) };
        let Some(e) = pattern.lone.map(|e| &pattern.nfa.elems[e]).filter(|_| !self.is_open(m.graph)) else {
            return Ok(false);
        };
        if self.profile.is_some() {
            return Ok(false);
        }
        row[slot] = Val::Unset;
        self.at.set(pattern.span);
        let ty = e.label.as_ref().and_then(crate::plan::one_type);
        let (mut keys, mut groups, mut bytes) = (Vec::new(), 1u64, 0);
        for (_, k) in &g.keys {
            let CExpr::Prop { node: Some(prop), .. } = k else { return Ok(false) };
            let Some(codes) = self.graph(m.graph).codes(ty, *prop)? else { return Ok(false) };
            groups = groups.saturating_mul(u64::from(codes.bound()));
            bytes += codes.bytes() as u64;
            keys.push(codes);
        }
        if groups > MOST {
            return Ok(false);
        }
        let bytes = bytes + 16 * groups;
        self.charge(bytes)?;
        // By group: its first node, and how many there are; and the groups in the order of their first nodes.
        let mut counts = vec![(0u32, 0u64); usize::try_from(groups).unwrap_or(0)];
        let mut order = Vec::new();
        let plain = e.filters.is_empty() && matches!(e.label, None | Some(crate::plan::CLabel::Type(_)));
        let starts = self.starts(e, m.graph, row)?;
        for piece in starts.chunks(PIECE) {
            self.step(piece.len() as u64)?;
            for n in piece {
                if !plain && !self.node_fits(e, m.graph, *n, row)? {
                    continue;
                }
                let group = keys.iter().fold(0, |at, k| at * k.bound() as usize + k.of(*n) as usize);
                let Some(c) = counts.get_mut(group) else { continue };
                if c.1 == 0 {
                    c.0 = *n;
                    order.push(group);
                }
                c.1 += 1;
            }
        }
        for (first, n) in order.into_iter().filter_map(|g| counts.get(g)) {
            row[slot] = Val::Node(m.graph, *first);
            let i = self.group_of(p, g, row, all, held)?;
            for state in &mut all.groups[i].running {
                state.count += i64::try_from(*n).unwrap_or(i64::MAX);
            }
        }
        self.release(bytes);
        Ok(true)
    }

    /// The group of a row, new where there is none yet; sets the keys' slots.
    fn group_of(
        &self,
        p: &Project,
        g: &Grouping,
        r: &mut Row,
        all: &mut Groups,
        held: &mut u64,
    ) -> Result<usize, QueryError> {
        let Groups { index, groups, key } = all;
        key.clear();
        for (slot, e) in &g.keys {
            let v = self.eval(e, r)?;
            self.reads(&v)?;
            v.group_key(key);
            r[*slot] = v;
        }
        let there = if g.keys.is_empty() { (!groups.is_empty()).then_some(0) } else { index.get(key).copied() };
        if let Some(i) = there {
            return Ok(i);
        }
        *held += self.hold(r, g.keys.iter().map(|k| k.0))?;
        let bytes = (g.aggregates.len() * 2 * size_of::<Running>() + 2 * key.len() + 64) as u64;
        self.charge(bytes)?;
        *held += bytes;
        index.insert(key.clone(), groups.len());
        let running = g.aggregates.iter().map(|_| Running::new()).collect();
        groups.push(GroupRow { row: kept(p, r), running });
        Ok(groups.len() - 1)
    }

    /// OFFSET and LIMIT.
    pub(super) fn bounds(&self, p: &Project) -> Result<(usize, Option<usize>), QueryError> {
        if p.skip.is_none() && p.limit.is_none() {
            return Ok((0, None));
        }
        let mut nothing = vec![Val::Unset; self.plan.slots];
        let mut bound = |e: &Option<CExpr>, what: &str| -> Result<Option<usize>, QueryError> {
            let Some(e) = e else { return Ok(None) };
            match self.eval(e, &mut nothing)? {
                Val::Int(n) if n >= 0 => Ok(Some(usize::try_from(n).unwrap_or(usize::MAX))),
                Val::Int(_) => {
                    let code = if matches!(e, CExpr::Param(_)) { Code::Parameter } else { Code::Value };
                    Err(QueryError::run(code, None, format!("{what} must be a whole number that isn't negative")))
                }
                v => Err(QueryError::run(
                    if matches!(e, CExpr::Param(_)) { Code::Parameter } else { Code::Value },
                    None,
                    format!("{what} must be a whole number that isn't negative, not a {}", v.kind()),
                )),
            }
        };
        Ok((bound(&p.skip, "OFFSET")?.unwrap_or(0), bound(&p.limit, "LIMIT")?))
    }

    fn sort_keys(&self, p: &Project, row: &mut Row) -> Result<Vec<Val>, QueryError> {
        p.order.iter().map(|(e, ..)| self.eval(e, row)).collect()
    }

    /// Sets the columns' slots; keys that grouping computed already stay.
    pub(super) fn items(
        &self,
        p: &Project,
        row: &mut Row,
        keys: Option<&Vec<(usize, CExpr)>>,
    ) -> Result<(), QueryError> {
        // Each column has a slot of its own that no other reads.
        for (slot, e) in &p.items {
            if keys.is_none_or(|k| k.iter().all(|(s, _)| s != slot)) {
                let v = self.eval(e, row)?;
                row[*slot] = if matches!(v, Val::Unset) { Val::Null } else { v };
            } else if matches!(row[*slot], Val::Unset) {
                row[*slot] = Val::Null;
            }
        }
        Ok(())
    }

    fn accumulate(&self, a: &Aggregate, s: &mut Running, row: &mut Row) -> Result<u64, QueryError> {
        let v = match &a.arg {
            None => {
                s.count += i64::try_from(self.weight.get()).unwrap_or(i64::MAX);
                return Ok(0);
            }
            Some(e) => self.eval(e, row)?,
        };
        if v.is_null() {
            return Ok(0);
        }
        let mut bytes = 0;
        if let (true, Val::Node(g, n)) = (a.distinct, &v) {
            bytes += 32;
            if !s.nodes.insert(u64::from(*g) << 32 | u64::from(*n)) {
                return Ok(0);
            }
        } else if a.distinct {
            let mut key = Vec::new();
            self.reads(&v)?;
            v.group_key(&mut key);
            bytes += 2 * key.len() as u64 + 64;
            if !s.seen.insert(key) {
                return Ok(0);
            }
        }
        s.count += i64::try_from(self.weight.get()).unwrap_or(i64::MAX);
        match a.kind {
            AggKind::Count => {}
            AggKind::Sum | AggKind::Avg => {
                s.sum = match (s.sum, &v) {
                    (Total::Int(x), Val::Int(y)) => Total::Int(x + i128::from(*y)),
                    (x, y) => match number(y) {
                        Some(y) => Total::Float(x.float() + y),
                        None => {
                            let m = format!("sum and avg take numbers, not a {}", v.kind());
                            return Err(QueryError::run(Code::Value, Some(a.span), m));
                        }
                    },
                };
            }
            AggKind::Min | AggKind::Max => {
                let want = if a.kind == AggKind::Min { Ordering::Less } else { Ordering::Greater };
                if s.best.is_null() || v.total_cmp(&s.best) == want {
                    s.best = v;
                }
            }
            AggKind::Collect => {
                // Its place twice: while the list grows, and while it's copied at its end.
                bytes += v.weight() + size_of::<Val>() as u64;
                s.items.push(v);
            }
        }
        if bytes > 0 {
            self.charge(bytes)?;
        }
        Ok(bytes)
    }
}

fn number(v: &Val) -> Option<f64> {
    match v {
        #[expect(clippy::cast_precision_loss, reason = "mixed sums are floats")]
        Val::Int(n) => Some(*n as f64),
        Val::Float(f) => Some(*f),
        _ => None,
    }
}

fn result(a: &Aggregate, s: Running) -> Result<Val, QueryError> {
    Ok(match a.kind {
        AggKind::Count => Val::Int(s.count),
        AggKind::Sum => match s.sum {
            Total::Int(n) => match i64::try_from(n) {
                Ok(n) => Val::Int(n),
                Err(_) => return Err(QueryError::run(Code::Value, Some(a.span), "the sum overflows")),
            },
            Total::Float(f) => Val::Float(f),
        },
        AggKind::Avg if s.count == 0 => Val::Null,
        #[expect(clippy::cast_precision_loss, reason = "an average is a float")]
        AggKind::Avg => Val::Float(s.sum.float() / s.count as f64),
        AggKind::Min | AggKind::Max => s.best,
        AggKind::Collect => Val::List(s.items.into()),
    })
}

pub(super) fn items_key(p: &Project, row: &Row) -> Vec<u8> {
    let mut k = Vec::new();
    for (slot, _) in &p.items {
        row[*slot].group_key(&mut k);
    }
    k
}

/// By the sort keys; rows with the same keys keep their order.
fn sort(p: &Project, rows: &mut [(Vec<Val>, Row)]) {
    rows.sort_by(|(a, _), (b, _)| {
        p.order
            .iter()
            .zip(a.iter().zip(b))
            .map(|((_, desc, nulls_first), (x, y))| match (x.is_null(), y.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if *nulls_first {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, true) => {
                    if *nulls_first {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                _ if *desc => y.total_cmp(x),
                _ => x.total_cmp(y),
            })
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    });
}

/// A row of what is still asked for.
fn kept(p: &Project, r: &Row) -> Row {
    let mut row = vec![Val::Unset; r.len()];
    p.keep.iter().for_each(|s| row[*s] = r[*s].clone());
    row
}
