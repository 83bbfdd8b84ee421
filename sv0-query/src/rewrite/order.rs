//! `join-order`.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Context, Place, each_match, keys, slots};
use crate::plan::{CExpr, Linear, MatchOp, Pattern, Slot};

pub(super) fn run(l: &mut Linear, _: Place, cx: &mut Context<'_>) {
    each_match(&mut l.ops, &mut |m| order(m, cx));
}

/// Connected patterns first, the most selective one at the start; one that asks about another's elements behind it.
fn order(m: &mut MatchOp, cx: &Context<'_>) {
    if m.patterns.len() < 2 || m.patterns.iter().enumerate().any(|(i, p)| is_conditional(p, i, m)) {
        return;
    }
    // What isn't placed yet.
    let mut unbound: BTreeSet<Slot> = super::declared_from(m, 0);
    let mut left: Vec<Pattern> = std::mem::take(&mut m.patterns);
    while !left.is_empty() {
        let ready = |i: usize| {
            let mut others = BTreeSet::new();
            for (_, o) in left.iter().enumerate().filter(|(j, _)| *j != i) {
                slots::bound_by(o, &mut others);
            }
            let p = &left[i];
            let known = |e: &CExpr, own: Option<Slot>| {
                let mut reads = BTreeSet::new();
                slots::of_expr(e, &mut reads);
                reads.iter().all(|s| Some(*s) == own || !unbound.contains(s) || !others.contains(s))
            };
            // What a whole path is asked sees all that the path binds.
            let mut own = BTreeSet::new();
            slots::bound_by(p, &mut own);
            let whole = |e: &CExpr| {
                let mut reads = BTreeSet::new();
                slots::of_expr(e, &mut reads);
                reads.iter().all(|s| own.contains(s) || !unbound.contains(s))
            };
            p.elems.iter().all(|e| e.filters.iter().all(|f| known(f, e.slot)))
                && p.tree.conditions().into_iter().all(|c| known(c, None))
                && p.post.iter().all(whole)
        };
        let best = (0..left.len())
            .filter(|i| ready(*i))
            .max_by_key(|i| (says(&left[*i], &m.filter, &unbound, cx), Reverse(*i)))
            .unwrap_or(0);
        let mut p = left.remove(best);
        // Whoever comes first binds what several name.
        let mut own = BTreeSet::new();
        slots::bound_by(&p, &mut own);
        p.binds =
            own.intersection(&unbound).copied().chain(p.binds.iter().copied().filter(|s| !own.contains(s))).collect();
        unbound.retain(|s| !own.contains(s));
        m.patterns.push(p);
    }
    // What was bound first isn't bound again.
    let mut seen: BTreeSet<Slot> = BTreeSet::new();
    for p in &mut m.patterns {
        p.binds.retain(|s| seen.insert(*s));
    }
}

/// Whether another pattern names what this one binds on some ways only: it is null on the others, and the order decides.
fn is_conditional(p: &Pattern, at: usize, m: &MatchOp) -> bool {
    let mut single = Vec::new();
    slots::single(&p.tree, &mut single);
    let mut inner = BTreeSet::new();
    slots::iterated(&p.tree, &mut inner);
    let some = p.elems.iter().enumerate().filter(|(i, _)| !single.contains(i)).filter_map(|(_, e)| e.slot);
    let some: BTreeSet<Slot> = some.filter(|s| !inner.contains(s)).collect();
    let mut others = BTreeSet::new();
    for (_, o) in m.patterns.iter().enumerate().filter(|(i, _)| *i != at) {
        slots::bound_by(o, &mut others);
    }
    !some.is_disjoint(&others)
}

/// How much is known of where a pattern may start: the better end counts, then how few nodes there are.
fn says(p: &Pattern, filter: &[CExpr], unbound: &BTreeSet<Slot>, cx: &Context<'_>) -> (u8, Reverse<u64>) {
    let mut best = (0, Reverse(u64::MAX));
    for e in slots::ends(&p.tree).into_iter().flatten() {
        let e = &p.elems[e];
        let free = e.slot.is_none_or(|s| unbound.contains(&s));
        let asks = |c: &CExpr| {
            let mut reads = BTreeSet::new();
            slots::of_expr(c, &mut reads);
            e.slot.is_some_and(|s| reads.remove(&s)) && reads.is_disjoint(unbound)
        };
        let keyed = |c: &CExpr| cx.keyed && e.slot.is_some_and(|s| keys::key(c, s, unbound).is_some());
        let rank = if !free {
            4
        } else if e.filters.iter().chain(filter).any(keyed) {
            3
        } else if !e.filters.is_empty() || filter.iter().any(asks) {
            2
        } else {
            u8::from(e.label.is_some())
        };
        let nodes = match rank {
            0..=2 => (cx.count)(e.label.as_ref().and_then(crate::plan::one_type)).unwrap_or(u64::MAX),
            _ => 0,
        };
        best = best.max((rank, Reverse(nodes)));
    }
    best
}
