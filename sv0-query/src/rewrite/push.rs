//! `push-filters`.

use std::collections::BTreeSet;

use super::{Context, Place, declared_from, each_match, slots};
use crate::plan::{Linear, MatchOp};

pub(super) fn run(l: &mut Linear, _: Place, _: &mut Context<'_>) {
    each_match(&mut l.ops, &mut push);
}

/// A condition that sees one element of a pattern, and otherwise what is bound before the pattern, goes to the element.
fn push(m: &mut MatchOp) {
    for i in 0..m.patterns.len() {
        let unbound = declared_from(m, i);
        let p = &mut m.patterns[i];
        let mut elems = Vec::new();
        slots::single(&p.tree, &mut elems);
        // A selector chooses for each pair of ends: what holds of an end may be asked before, what holds of the rest not.
        if p.selector.is_some() {
            elems.retain(|e| slots::ends(&p.tree).contains(&Some(*e)));
        }
        for e in elems {
            let Some(slot) = p.elems[e].slot.filter(|s| p.binds.contains(s)) else { continue };
            let (mine, rest) = std::mem::take(&mut m.filter).into_iter().partition(|c| {
                let mut reads = BTreeSet::new();
                slots::of_expr(c, &mut reads);
                reads.remove(&slot) && reads.is_disjoint(&unbound) && !slots::has_subquery(c)
            });
            m.filter = rest;
            p.elems[e].filters.extend::<Vec<_>>(mine);
        }
    }
}
