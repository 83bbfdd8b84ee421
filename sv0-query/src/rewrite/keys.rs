//! `key-lookup`.

use std::collections::BTreeSet;

use super::{Context, Place, declared_from, each_match, slots};
use crate::ast::CmpOp;
use crate::plan::{CExpr, Linear, MatchOp, Slot};

pub(super) fn run(l: &mut Linear, _: Place, cx: &mut Context<'_>) {
    if cx.keyed {
        each_match(&mut l.ops, &mut keys);
    }
}

fn keys(m: &mut MatchOp) {
    for i in 0..m.patterns.len() {
        let unbound = declared_from(m, i);
        let p = &mut m.patterns[i];
        for e in slots::ends(&p.tree).into_iter().flatten() {
            let elem = &mut p.elems[e];
            let Some(slot) = elem.slot else { continue };
            elem.key = elem.filters.iter().find_map(|f| key(f, slot, &unbound)).cloned();
        }
    }
}

/// The value in `slot.id = value`, if it is known before the pattern is matched.
pub(super) fn key<'e>(c: &'e CExpr, slot: Slot, unbound: &BTreeSet<Slot>) -> Option<&'e CExpr> {
    let CExpr::Cmp(CmpOp::Eq, a, b) = c else { return None };
    let is_id = |e: &CExpr| {
        matches!(e, CExpr::Prop { base, name, node: None, .. }
            if &**name == "id" && matches!(&**base, CExpr::Slot(s) if *s == slot))
    };
    let value = if is_id(a) {
        b
    } else if is_id(b) {
        a
    } else {
        return None;
    };
    let mut reads = BTreeSet::new();
    slots::of_expr(value, &mut reads);
    (reads.is_disjoint(unbound) && !slots::has_subquery(value)).then_some(value)
}
