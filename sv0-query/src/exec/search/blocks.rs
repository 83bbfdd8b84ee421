//! Many starts of one chain: windows of blocks, each computed on all threads while the one before is handed on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use sv0_graph::{Adjacency, GraphView};

use super::super::{Exec, Flow, GO, Row};
use super::marks::Bits;
use super::reach::Reach;
use super::sweep::{Block, Ends, Step, Sweep};
use super::{Sink, Used};
use crate::diag::{Code, QueryError};
use crate::plan::{CExpr, Chain, Pattern};
use crate::val::Val;

/// What a window is to touch and to hold, about: so long nobody may look at the clock.
const WINDOW_ENTRIES: u64 = 1 << 22;
const WINDOW_ENDS: u64 = 1 << 20;

/// How many starts make a window, and how many a block: by what those before took.
struct Pace {
    window: usize,
    starts: u64,
    touched: u64,
    ends: u64,
}

impl Pace {
    const LEAST: usize = 8;
    const MOST: usize = 1 << 14;

    fn new() -> Self {
        Self { window: 256, starts: 0, touched: 0, ends: 0 }
    }

    fn block(&self) -> usize {
        (self.window / 32).clamp(1, 64)
    }

    fn note(&mut self, starts: usize, blocks: &[Block]) {
        self.starts += starts as u64;
        self.touched += blocks.iter().map(|b| b.touched).sum::<u64>();
        self.ends += blocks.iter().map(|b| b.ends.len() as u64).sum::<u64>();
        let each = |most: u64, all: u64| most.saturating_mul(self.starts) / (all + self.starts);
        let window = each(WINDOW_ENTRIES, self.touched).min(each(WINDOW_ENDS, self.ends));
        self.window = usize::try_from(window).unwrap_or(Self::MOST).clamp(Self::LEAST, Self::MOST);
    }
}

/// Gets the starts of a block and what came of them.
type Each<'f, 'g> = &'f mut dyn FnMut(&mut Reach<'g>, &[u32], &mut Block, &mut Row) -> Flow;

impl<'a, G: GraphView> Exec<'a, G> {
    /// The rows of many starts, in order.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    pub(super) fn sweep(
        &self,
        reach: &mut Reach<'a>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: &[u32],
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let ends = if p.tally { Ends::Counted } else { Ends::Listed };
        let Some(sweep) = self.plain(reach, p, chain, graph, starts.len(), ends, row)? else {
            return self.one_by_one(reach, p, chain, graph, starts, row, used, sink);
        };
        self.windows(reach, &sweep, starts, row, &mut |reach, starts, block, row| {
            self.hand_on(reach, p, chain, graph, starts, block, row, used, sink)
        })
    }

    /// Window by window; `each` gets the blocks in order.
    pub(super) fn windows(
        &self,
        reach: &mut Reach<'a>,
        sweep: &Sweep,
        starts: &[u32],
        row: &mut Row,
        each: Each<'_, 'a>,
    ) -> Flow {
        // Each thread has sets of its own.
        let sets = (rayon::current_num_threads() * sweep.steps.len() * sweep.ids / 8) as u64;
        self.charge(sets)?;
        let flow = self.all_windows(reach, sweep, starts, row, each);
        self.release(sets);
        flow
    }

    fn all_windows(
        &self,
        reach: &mut Reach<'a>,
        sweep: &Sweep,
        starts: &[u32],
        row: &mut Row,
        each: Each<'_, 'a>,
    ) -> Flow {
        let mut pace = Pace::new();
        let (mut present, mut rest) = starts.split_at(starts.len().min(pace.window));
        let mut size = pace.block();
        let (mut ready, _) = self.meanwhile(sweep, present, size, || GO)?;
        loop {
            pace.note(present.len(), &ready);
            let (next, behind) = rest.split_at(rest.len().min(pace.window));
            let next_size = pace.block();
            let (blocks, flow) = self.meanwhile(sweep, next, next_size, || {
                let held = ready.iter().map(Block::bytes).sum();
                self.charge(held)?;
                let mut flow = GO;
                for (starts, block) in present.chunks(size).zip(&mut ready) {
                    flow = self.work(block.touched).and_then(|()| each(reach, starts, block, row));
                    if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                        break;
                    }
                }
                self.release(held);
                flow
            })?;
            if flow.is_break() || next.is_empty() {
                return Ok(flow);
            }
            (ready, present, rest, size) = (blocks, next, behind, next_size);
        }
    }

    /// Computes blocks, and does something else meanwhile; what comes of it decides whether the blocks are still wanted.
    fn meanwhile(
        &self,
        sweep: &Sweep,
        starts: &[u32],
        size: usize,
        other: impl FnOnce() -> Flow,
    ) -> Result<(Vec<Block>, ControlFlow<()>), QueryError> {
        if starts.is_empty() {
            return other().map(|flow| (Vec::new(), flow));
        }
        let (mut blocks, mut outcome) = (Vec::new(), Ok(()));
        let done = AtomicBool::new(false);
        let (tell, told) = channel();
        let out = rayon::in_place_scope(|s| {
            let (blocks, done) = (&mut blocks, &done);
            s.spawn(move |_| {
                *blocks = sweep.blocks(starts, size);
                done.store(true, Ordering::Release);
                let _ = tell.send(());
            });
            let out = other();
            if !matches!(&out, Ok(ControlFlow::Continue(()))) {
                sweep.halt.store(true, Ordering::Relaxed);
            }
            while !done.load(Ordering::Acquire) {
                // On a thread of the pool the blocks may be waiting for this very thread.
                if rayon::yield_now() == Some(rayon::Yield::Executed) {
                    continue;
                }
                match told.recv_timeout(Duration::from_millis(1)) {
                    Err(RecvTimeoutError::Timeout) if outcome.is_ok() => {
                        outcome = self.poll();
                        if outcome.is_err() {
                            sweep.halt.store(true, Ordering::Relaxed);
                        }
                    }
                    // Done, or whoever was at it is gone.
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
            out
        });
        let out = out?;
        outcome.map(|()| (blocks, out))
    }

    /// The rows of a block, in order; what the block left is done here.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn hand_on(
        &self,
        reach: &mut Reach<'a>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: &[u32],
        block: &Block,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let start_slot = p.first.slot.filter(|s| matches!(row[*s], Val::Unset));
        let mut ends = block.ends.iter();
        let mut flow = GO;
        'all: for (start, n) in starts.iter().zip(&block.counts) {
            if let Some(s) = start_slot {
                row[s] = Val::Node(graph, *start);
            }
            let rows = if p.tally { u32::from(*n > 0) } else { *n };
            for end in ends.by_ref().take(rows as usize) {
                let weight = self.weight.replace(if p.tally { u64::from(*n) } else { 1 });
                flow = self.end_of(p, chain, graph, *start, *end, row, used, sink);
                self.weight.set(weight);
                if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                    break 'all;
                }
            }
        }
        if let Some(s) = start_slot {
            row[s] = Val::Unset;
        }
        if !matches!(flow, Ok(ControlFlow::Continue(()))) {
            return flow;
        }
        let rest = starts.get(block.counts.len()..).unwrap_or(&[]);
        self.one_by_one(reach, p, chain, graph, rest, row, used, sink)
    }

    /// A chain as plain data that any thread may read: all hops in one array each, without what leads to no end, and all
    /// stations as bits.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    pub(super) fn plain(
        &self,
        reach: &mut Reach<'a>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: usize,
        ends: Ends,
        row: &mut Row,
    ) -> Result<Option<Sweep>, QueryError> {
        let most = self.budget.max_work.map_or(u64::MAX, |m| m.saturating_sub(self.work.get()));
        let halt = AtomicBool::new(false);
        if let Some((steps, pass, ids)) = reach.plain.clone() {
            return Ok(Some(Sweep { steps, pass, ids, ends, most, halt }));
        }
        let mut arrays = Vec::new();
        for i in 0..chain.hops.len() {
            let Some(a) = self.array(reach, i)? else { return Ok(None) };
            arrays.push(a);
        }
        let ids = arrays.first().map_or(0, |a| a.ids());
        let mut pass = Vec::new();
        for station in 0..chain.stations.len() {
            match self.station(reach, p, chain, station, graph, ids, row) {
                Ok(s) => pass.push(s.map(Arc::new)),
                // Perhaps of a node that nobody comes to.
                Err(e) if e.code() == Code::Value => return Ok(None),
                Err(e) => return Err(e),
            }
        }
        // To leave out what leads nowhere takes a look at each edge: for so many starts, and within what the query may touch.
        const PER_START: u64 = 1 << 10;
        let edges = arrays.iter().map(|a| a.edges() as u64).sum::<u64>();
        let worth = edges <= PER_START.saturating_mul(starts as u64) && edges <= most / 4;
        // What the next hop may begin with; nothing is known of the last station but whether a node passes.
        let mut wanted: Option<Bits> = pass.last().and_then(|p| p.as_deref().cloned()).filter(|_| worth);
        for (i, spec) in chain.hops.iter().enumerate().rev() {
            if let Some(w) = wanted {
                self.work(arrays[i].edges() as u64)?;
                let useful = if spec.max == Some(1) { w } else { self.useful(&arrays[i], w)? };
                arrays[i] = Arc::new(arrays[i].filtered(|o| useful.has(o)));
                self.charge(arrays[i].bytes() as u64)?;
            }
            let (own, optional) = (pass[i].as_deref(), spec.min == 0);
            wanted = match (worth, optional) {
                (false, _) => None,
                (true, true) => own.cloned(),
                (true, false) => Some(self.beginning(&arrays[i], own)?),
            };
        }
        let steps = arrays.into_iter().zip(&chain.hops);
        let steps: Vec<Step> = steps.map(|(adjacency, h)| Step { adjacency, min: h.min, max: h.max }).collect();
        reach.plain = Some((steps.clone(), pass.clone(), ids));
        Ok(Some(Sweep { steps, pass, ids, ends, most, halt }))
    }

    /// The nodes from which one of these is reached, and these.
    fn useful(&self, a: &Adjacency, mut found: Bits) -> Result<Bits, QueryError> {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        // Edges mostly lead to what stands behind in the file: from the end on it's soon done.
        const ROUNDS: usize = 4;
        for _ in 0..ROUNDS {
            let mut more = false;
            for n in (0..short(a.ids())).rev() {
                if n & 0xffff == 0 {
                    self.poll()?;
                }
                if !found.has(n) && a.of(n).iter().any(|o| found.has(*o)) {
                    found.put(n);
                    more = true;
                }
            }
            if !more {
                return Ok(found);
            }
        }
        // Any that leads anywhere.
        for n in (0..short(a.ids())).filter(|n| !a.of(*n).is_empty()) {
            found.put(n);
        }
        Ok(found)
    }

    /// The nodes from which a hop leads anywhere, of those that may stand there.
    fn beginning(&self, a: &Adjacency, own: Option<&Bits>) -> Result<Bits, QueryError> {
        self.poll()?;
        let mut out = Bits::new(a.ids());
        for n in 0..u32::try_from(a.ids()).unwrap_or(u32::MAX) {
            if !a.of(n).is_empty() && own.is_none_or(|p| p.has(n)) {
                out.put(n);
            }
        }
        Ok(out)
    }

    /// Which nodes pass a station; `None` where all do.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    pub(super) fn station(
        &self,
        reach: &mut Reach<'a>,
        p: &Pattern,
        chain: &Chain,
        station: usize,
        graph: u8,
        ids: usize,
        row: &mut Row,
    ) -> Result<Option<Bits>, QueryError> {
        let Some(e) = chain.stations[station].map(|e| &p.nfa.elems[e]) else { return Ok(None) };
        if e.label.is_none() && e.filters.is_empty() {
            return Ok(None);
        }
        let ty = e.label.as_ref().and_then(crate::plan::one_type);
        let candidates = match self.by_index(e, graph, u64::MAX, row)? {
            Some(found) => found.into(),
            None => self.candidates(graph, ty)?,
        };
        let typed = matches!(e.label, Some(crate::plan::CLabel::Type(_)) | None);
        let mut out = Bits::new(ids);
        self.charge(out.bytes() as u64)?;
        if typed && e.filters.is_empty() {
            candidates.iter().for_each(|n| _ = out.put(*n));
            return Ok(Some(out));
        }
        for n in candidates.iter() {
            if self.passes(reach, p, chain, station, graph, *n, row)? {
                out.put(*n);
            }
        }
        Ok(Some(out))
    }

    /// Whole numbers, or nulls, of a property of these nodes; `None` where it is something else of any.
    pub(super) fn numbers(
        &self,
        e: &CExpr,
        slot: usize,
        graph: u8,
        nodes: &[u32],
        ids: usize,
        row: &mut Row,
    ) -> Result<Option<super::sweep::Numbers>, QueryError> {
        let mut out = super::sweep::Numbers { values: vec![0; ids], known: None };
        let mut nulls = Vec::new();
        for n in nodes {
            self.step(1)?;
            row[slot] = Val::Node(graph, *n);
            let v = self.eval(e, row);
            row[slot] = Val::Unset;
            match v? {
                Val::Int(v) => {
                    if let Some(place) = out.values.get_mut(*n as usize) {
                        *place = v;
                    }
                }
                Val::Null => nulls.push(*n),
                _ => return Ok(None),
            }
        }
        if !nulls.is_empty() {
            let mut known = Bits::new(ids);
            nodes.iter().for_each(|n| _ = known.put(*n));
            let mut gone = Bits::new(ids);
            nulls.iter().for_each(|n| _ = gone.put(*n));
            known.remove(&gone);
            out.known = Some(known);
        }
        Ok(Some(out))
    }
}
