//! `reachability`, and the remark where it could have been.

use std::collections::BTreeSet;

use super::{Context, Place, slots};
use crate::diag::{Code, Diagnostic};
use crate::plan::{AggKind, CExpr, Linear, Op, Project, Slot, Tree};

pub(super) fn run(l: &mut Linear, place: Place, _: &mut Context<'_>) {
    for i in 0..l.ops.len() {
        if insensitive(l, i, place)
            && let Some(p) = only_ends(l, i)
            && let Some(Op::Match(m)) = l.ops.get_mut(i)
            && let Some(p) = m.patterns.get_mut(p)
            // Whether there is one at all is soon told of single hops, too.
            && (p.quantified || place == Place::Exists)
        {
            p.ends_only = p.post.is_empty();
        }
    }
    distinct_pairs(l);
}

/// Pairs of ends come once each: where both are columns, no row comes twice.
fn distinct_pairs(l: &mut Linear) {
    let Some((Op::Match(m), rest)) = l.ops.split_first_mut() else { return };
    let [p] = m.patterns.as_slice() else { return };
    if !p.ends_only {
        return;
    }
    let ends = slots::ends(&p.tree).map(|e| e.and_then(|e| p.elems[e].slot));
    // A filter takes rows away and changes none.
    let direct = matches!(rest.first(), Some(Op::Project(_))) && m.filter.is_empty();
    let Some(Op::Project(project)) = rest.iter_mut().find(|o| !matches!(o, Op::Filter(_))) else { return };
    let mut tally = false;
    let is = |e: &CExpr, s: Slot| matches!(e, CExpr::Slot(c) if *c == s);
    let column = |s: Slot| project.items.iter().any(|(_, e)| is(e, s));
    // Nor does an end within the group of the other.
    if let Some(g) = &mut project.grouping {
        for (own, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            if let (Some(own), Some(other)) = (own, other)
                && g.keys.iter().any(|(_, e)| is(e, own))
            {
                for a in g.aggregates.iter_mut().filter(|a| a.arg.as_ref().is_some_and(|e| is(e, other))) {
                    a.distinct = false;
                }
            }
        }
    }
    if let Some(g) = &project.grouping
        && let [_, Some(end)] = ends
        && direct
    {
        let reads = |e: &CExpr| {
            let mut reads = BTreeSet::new();
            slots::of_expr(e, &mut reads);
            reads.contains(&end)
        };
        let counts = |a: &crate::plan::Aggregate| {
            a.kind == AggKind::Count && !a.distinct && a.arg.as_ref().is_none_or(|e| is(e, end))
        };
        // What a key computes itself isn't to be counted so often.
        tally = !g.keys.iter().any(|(_, e)| reads(e) || slots::has_subquery(e)) && g.aggregates.iter().all(counts);
    }
    if project.grouping.is_none() && ends.iter().all(|e| e.is_some_and(&column)) {
        project.distinct = false;
    }
    if let Some(p) = m.patterns.first_mut() {
        p.tally = tally;
    }
}

/// Every path is listed although only the ends are used.
pub(super) fn lint(l: &mut Linear, place: Place, cx: &mut Context<'_>) {
    if place != Place::Top {
        return;
    }
    for i in 0..l.ops.len() {
        if let Some(p) = only_ends(l, i)
            && let Some(Op::Match(m)) = l.ops.get(i)
            && let Some(p) = m.patterns.get(p)
            && !p.ends_only
            && is_long(&p.tree)
            && !insensitive(l, i, place)
        {
            let m = "each path gives a row although only its ends are used: there may be very many";
            let d = Diagnostic::new(Code::Doubtful, p.span, m);
            let d = d.help("write `RETURN DISTINCT …`, or `ANY SHORTEST` before the pattern");
            if !cx.warnings.contains(&d) {
                cx.warnings.push(d);
            }
        }
    }
}

/// The last pattern of the MATCH at a place, if it is quantified and nothing but its ends is used.
fn only_ends(l: &Linear, at: usize) -> Option<usize> {
    let Some(Op::Match(m)) = l.ops.get(at) else { return None };
    let (p, others) = m.patterns.split_last()?;
    if p.selector.is_some() || p.own_mode || m.optional {
        return None;
    }
    let mut used: BTreeSet<Slot> = l.output.iter().copied().collect();
    slots::of_ops(l.ops.get(at + 1..).unwrap_or(&[]), &mut used);
    m.filter.iter().for_each(|c| slots::of_expr(c, &mut used));
    for o in others {
        slots::bound_by(o, &mut used);
        slots::of_pattern(o, &mut used);
    }
    let mut inner = BTreeSet::new();
    slots::bound_by(p, &mut inner);
    for e in slots::ends(&p.tree).into_iter().flatten() {
        if let Some(s) = p.elems[e].slot {
            inner.remove(&s);
        }
    }
    inner.is_disjoint(&used).then_some(m.patterns.len() - 1)
}

/// Whether it makes no difference to what follows how often a row comes.
fn insensitive(l: &Linear, at: usize, place: Place) -> bool {
    let mut behind = l.ops.iter().skip(at + 1).enumerate();
    let first = behind.find_map(|(i, o)| if let Op::Project(p) = o { Some((at + 1 + i, p)) } else { None });
    let last = |i: usize| i + 1 == l.ops.len();
    match first {
        None => place == Place::Exists,
        // Whether there is a row doesn't depend on how often it comes, unless some are passed over or asked about.
        Some((i, p)) if place == Place::Exists && last(i) => set_like(p) || (p.skip.is_none() && p.filter.is_none()),
        Some((_, p)) => set_like(p),
    }
}

/// Whether a projection's result is the same for a bag of rows and for its set.
fn set_like(p: &Project) -> bool {
    match &p.grouping {
        Some(g) => g.aggregates.iter().all(|a| a.distinct || matches!(a.kind, AggKind::Min | AggKind::Max)),
        None => p.distinct,
    }
}

/// Whether a pattern may take many hops.
fn is_long(t: &Tree) -> bool {
    match t {
        Tree::Node(_) | Tree::Edge(_) => false,
        Tree::Seq(ts) | Tree::Alt(ts) => ts.iter().any(is_long),
        Tree::Repeat { inner, max, .. } => max.is_none_or(|m| m > 4) || is_long(inner),
    }
}
