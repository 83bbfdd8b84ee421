//! From a pattern's shape to its automaton.

use super::super::Binder;
use super::{MAX_STATES, Tree, flip};
use crate::ast::Span;
use crate::diag::{Code, Diagnostic};
use crate::plan::{Elem, Move, Nfa};

impl Binder<'_> {
    pub(super) fn end_elem(&self, t: &Tree, elems: &[Elem], last: bool) -> Elem {
        let any = Elem { slot: None, label: None, steps: Vec::new(), filters: Vec::new(), span: (0, 0), key: None };
        match t {
            Tree::Node(i) => elems[*i].clone(),
            Tree::Seq(ts) => {
                let end = if last { ts.last() } else { ts.first() };
                match end {
                    Some(Tree::Node(i)) => elems[*i].clone(),
                    _ => any,
                }
            }
            _ => any,
        }
    }

    pub(super) fn automaton(&mut self, tree: &Tree, elems: &[Elem], reversed: bool, span: Span) -> Nfa {
        let mut nfa = Nfa { elems: elems.to_vec(), moves: vec![Vec::new()], start: 0, accept: 0 };
        if reversed {
            for e in &mut nfa.elems {
                let mut steps: Vec<_> = e.steps.iter().map(|(t, d)| (*t, flip(*d))).collect();
                steps.sort();
                e.steps = steps;
            }
        }
        let mut ok = self.states <= 3 * MAX_STATES;
        nfa.accept = build(tree, &mut nfa.moves, 0, reversed, &mut ok);
        self.states += nfa.moves.len();
        if !ok {
            let d =
                Diagnostic::new(Code::Pattern, span, format!("the quantifiers unroll to more than {MAX_STATES} steps"));
            self.errors.push(d.help("lower the bound, or leave it out"));
        }
        nfa
    }
}

pub(super) fn build(t: &Tree, moves: &mut Vec<Vec<Move>>, from: usize, rev: bool, ok: &mut bool) -> usize {
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
        Tree::Repeat { inner, min, max, reset, check } => {
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
