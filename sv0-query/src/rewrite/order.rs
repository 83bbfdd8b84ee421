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
    if m.patterns.len() < 2 {
        return;
    }
    // What isn't placed yet.
    let mut unbound: BTreeSet<Slot> = super::declared_from(m, 0);
    let mut left: Vec<Pattern> = std::mem::take(&mut m.patterns);
    while !left.is_empty() {
        let ready = |p: &Pattern| {
            let (mut reads, mut own) = (BTreeSet::new(), BTreeSet::new());
            slots::of_pattern(p, &mut reads);
            slots::bound_by(p, &mut own);
            reads.iter().all(|s| own.contains(s) || !unbound.contains(s))
        };
        let best = (0..left.len())
            .filter(|i| ready(&left[*i]))
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
