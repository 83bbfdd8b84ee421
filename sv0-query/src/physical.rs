//! The last step of planning: each pattern's automaton, forwards and backwards, from its elements as the rewrites left them.

use std::collections::BTreeSet;

use sv0_graph::Direction;

use crate::ast::Span;
use crate::diag::{Code, Diagnostic};
use crate::plan::{CExpr, Elem, Linear, Move, Nfa, Op, Pattern, Plan, Slot, Tree};
use crate::rewrite::{Place, each_expr, each_linear, each_pattern, slots};

mod chain;
mod fold;

/// Automata beyond this many states aren't built.
const MAX_STATES: usize = 20_000;

/// Builds all automata of a plan; answers with what can't be built.
pub(crate) fn build_all(plan: &mut Plan) -> Vec<Diagnostic> {
    let (mut errors, mut states) = (Vec::new(), 0);
    each_linear(&mut plan.parts, Place::Top, &mut |l, _| kept(l));
    each_pattern(plan, &mut |p| {
        p.first = end(&p.tree, &p.elems, false);
        p.last = end(&p.tree, &p.elems, true);
        p.nfa = automaton(p, false, &mut states, &mut errors);
        p.reversed = automaton(p, true, &mut states, &mut errors);
        p.looks_back = p.nfa.looks_back();
        p.chain = chain::chain(p);
        p.hop = chain::only_hop(p);
        p.lone = lone(p);
        p.turned = turned(p);
    });
    each_linear(&mut plan.parts, Place::Top, &mut |l, _| {
        fold::over_ends(l);
        each_expr(&mut l.ops, &mut free);
    });
    errors
}

/// What a subquery reads of the row around it.
fn free(e: &mut CExpr) {
    let (CExpr::Exists(s) | CExpr::Count(s) | CExpr::CountAtLeast(s, _) | CExpr::Value(s)) = e else { return };
    let (mut reads, mut own) = (BTreeSet::new(), BTreeSet::new());
    slots::of_linear(&s.linear, &mut reads);
    slots::set_by_ops(&s.linear.ops, &mut own);
    let mut outer = reads.difference(&own);
    s.free = outer.next().copied().filter(|_| outer.next().is_none());
}

/// A chain from its other end. Of ends that are only counted it matters which they are.
fn turned(p: &Pattern) -> Option<Box<Pattern>> {
    let mut chain = p.chain.clone().filter(|_| !p.tally)?;
    chain.stations.reverse();
    chain.hops.reverse();
    chain.stable.reverse();
    let mut t = p.clone();
    std::mem::swap(&mut t.nfa, &mut t.reversed);
    std::mem::swap(&mut t.first, &mut t.last);
    t.chain = Some(chain);
    Some(Box::new(t))
}

/// The one node element of a pattern that is no more.
fn lone(p: &Pattern) -> Option<usize> {
    let at = match &p.tree {
        Tree::Node(i) => *i,
        Tree::Seq(ts) => match ts.as_slice() {
            [Tree::Node(i)] => *i,
            _ => return None,
        },
        _ => return None,
    };
    let plain = p.selector.is_none() && p.path_slot.is_none() && p.post.is_empty() && p.groups.is_empty();
    let own = p.binds.iter().all(|s| Some(*s) == p.elems[at].slot);
    (plain && own && !p.alternatives && !p.legacy).then_some(at)
}

/// What the rows that a projection gathers are still asked for.
fn kept(l: &mut Linear) {
    for i in 0..l.ops.len() {
        let mut keep: BTreeSet<Slot> = l.output.iter().copied().collect();
        slots::of_ops(l.ops.get(i + 1..).unwrap_or(&[]), &mut keep);
        let Some(Op::Project(p)) = l.ops.get_mut(i) else { continue };
        keep.extend(p.items.iter().map(|(s, _)| *s));
        p.filter.iter().for_each(|e| slots::of_expr(e, &mut keep));
        if let Some(g) = &p.grouping {
            // Columns and sort keys are computed of a group's row.
            keep.extend(g.keys.iter().map(|(s, _)| *s).chain(g.aggregates.iter().map(|a| a.slot)));
            p.items
                .iter()
                .map(|(_, e)| e)
                .chain(p.order.iter().map(|(e, ..)| e))
                .for_each(|e| slots::of_expr(e, &mut keep));
        }
        p.keep = keep.into_iter().collect();
    }
}

/// The node element at an end; one that any node fits where there is none.
fn end(t: &Tree, elems: &[Elem], last: bool) -> Elem {
    let at = match t {
        Tree::Node(i) => Some(i),
        Tree::Seq(ts) => match if last { ts.last() } else { ts.first() } {
            Some(Tree::Node(i)) => Some(i),
            _ => None,
        },
        _ => None,
    };
    at.map_or_else(Elem::default, |i| elems[*i].clone())
}

fn automaton(p: &Pattern, reversed: bool, states: &mut usize, errors: &mut Vec<Diagnostic>) -> Nfa {
    let mut nfa = Nfa { elems: p.elems.clone(), moves: vec![Vec::new()], start: 0, accept: 0 };
    if reversed {
        for e in &mut nfa.elems {
            e.steps.iter_mut().for_each(|(_, d)| *d = flip(*d));
            e.steps.sort_unstable();
        }
    }
    let mut ok = *states <= 3 * MAX_STATES;
    nfa.accept = build(&p.tree, &mut nfa.moves, 0, reversed, &mut ok);
    *states += nfa.moves.len();
    if !ok {
        errors.push(too_long(p.span));
    }
    nfa
}

fn too_long(span: Span) -> Diagnostic {
    let m = format!("the quantifiers unroll to more than {MAX_STATES} steps");
    Diagnostic::new(Code::Pattern, span, m).help("lower the bound, or leave it out")
}

fn flip(d: Direction) -> Direction {
    match d {
        Direction::Out => Direction::In,
        Direction::In => Direction::Out,
    }
}

fn build(t: &Tree, moves: &mut Vec<Vec<Move>>, from: usize, rev: bool, ok: &mut bool) -> usize {
    if moves.len() > MAX_STATES {
        *ok = false;
        return from;
    }
    fn state(moves: &mut Vec<Vec<Move>>) -> usize {
        moves.push(Vec::new());
        moves.len() - 1
    }
    let eps = |to: usize| Move::Eps { to, reset: Vec::new(), check: None };
    match t {
        Tree::Node(elem) => {
            let to = state(moves);
            moves[from].push(Move::Node { elem: *elem, to });
            to
        }
        Tree::Edge(elem) => {
            let to = state(moves);
            moves[from].push(Move::Edge { elem: *elem, to });
            to
        }
        Tree::Seq(ts) => {
            let mut at = from;
            if rev {
                for t in ts.iter().rev() {
                    at = build(t, moves, at, rev, ok);
                }
            } else {
                for t in ts {
                    at = build(t, moves, at, rev, ok);
                }
            }
            at
        }
        Tree::Alt(ts) => {
            let end = state(moves);
            for t in ts {
                let s = state(moves);
                moves[from].push(eps(s));
                let e = build(t, moves, s, rev, ok);
                moves[e].push(eps(end));
            }
            end
        }
        Tree::Repeat { inner, min, max, reset, check, .. } => {
            let once = |moves: &mut Vec<Vec<Move>>, at: usize, ok: &mut bool| {
                let body = state(moves);
                moves[at].push(Move::Eps { to: body, reset: reset.clone(), check: None });
                let end = build(inner, moves, body, rev, ok);
                let out = state(moves);
                moves[end].push(Move::Eps { to: out, reset: Vec::new(), check: check.clone() });
                out
            };
            let mut at = from;
            for _ in 0..*min {
                at = once(moves, at, ok);
                if !*ok {
                    return at;
                }
            }
            match max {
                None => {
                    let hub = state(moves);
                    moves[at].push(eps(hub));
                    let body = state(moves);
                    moves[hub].push(Move::Eps { to: body, reset: reset.clone(), check: None });
                    let end = build(inner, moves, body, rev, ok);
                    moves[end].push(Move::Eps { to: hub, reset: Vec::new(), check: check.clone() });
                    let out = state(moves);
                    moves[hub].push(eps(out));
                    out
                }
                Some(n) => {
                    let out = state(moves);
                    moves[at].push(eps(out));
                    for _ in *min..*n {
                        at = once(moves, at, ok);
                        moves[at].push(eps(out));
                        if !*ok {
                            break;
                        }
                    }
                    out
                }
            }
        }
    }
}
