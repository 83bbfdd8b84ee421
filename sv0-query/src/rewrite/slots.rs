//! Which slots are read where.

use std::collections::BTreeSet;

use crate::plan::{CExpr, Linear, Op, Pattern, Slot, Tree};

/// Slots that an expression reads, those that its subqueries bind themselves included.
pub(crate) fn of_expr(e: &CExpr, out: &mut BTreeSet<Slot>) {
    match e {
        CExpr::Slot(s) => _ = out.insert(*s),
        CExpr::Exists(s) | CExpr::Count(s) | CExpr::CountAtLeast(s, _) | CExpr::Value(s) => of_linear(&s.linear, out),
        _ => {}
    }
    e.children().into_iter().for_each(|c| of_expr(c, out));
}

pub(crate) fn of_linear(l: &Linear, out: &mut BTreeSet<Slot>) {
    of_ops(&l.ops, out);
    out.extend(l.output.iter().copied());
}

/// Slots that operators set.
pub(crate) fn set_by_ops(ops: &[Op], out: &mut BTreeSet<Slot>) {
    for op in ops {
        match op {
            Op::Match(m) => out.extend(m.binds.iter().chain(m.patterns.iter().flat_map(|p| &p.binds))),
            Op::Optional { ops, binds } => {
                out.extend(binds);
                set_by_ops(ops, out);
            }
            Op::Call { parts, into, .. } => {
                out.extend(into);
                parts.iter().for_each(|(_, l)| set_by_ops(&l.ops, out));
            }
            Op::Let(items) => out.extend(items.iter().map(|(s, _)| *s)),
            Op::For { slot, position, .. } => out.extend(position.iter().map(|(s, _)| *s).chain([*slot])),
            Op::Project(p) => {
                out.extend(p.items.iter().map(|(s, _)| *s));
                if let Some(g) = &p.grouping {
                    out.extend(g.keys.iter().map(|(s, _)| *s).chain(g.aggregates.iter().map(|a| a.slot)));
                }
            }
            Op::Filter(_) => {}
        }
        op.exprs().into_iter().for_each(|e| set_by_expr(e, out));
    }
}

fn set_by_expr(e: &CExpr, out: &mut BTreeSet<Slot>) {
    match e {
        CExpr::ListPred { slot, .. } | CExpr::ListComp { slot, .. } => _ = out.insert(*slot),
        CExpr::Exists(s) | CExpr::Count(s) | CExpr::CountAtLeast(s, _) | CExpr::Value(s) => {
            set_by_ops(&s.linear.ops, out);
        }
        _ => {}
    }
    e.children().into_iter().for_each(|c| set_by_expr(c, out));
}

/// Slots that operators read; an element's slot counts: it may have been bound before.
pub(crate) fn of_ops(ops: &[Op], out: &mut BTreeSet<Slot>) {
    for op in ops {
        match op {
            Op::Match(m) => m.patterns.iter().for_each(|p| bound_by(p, out)),
            Op::Optional { ops, .. } => of_ops(ops, out),
            Op::Call { parts, .. } => parts.iter().for_each(|(_, l)| of_linear(l, out)),
            _ => {}
        }
        op.exprs().into_iter().for_each(|e| of_expr(e, out));
    }
}

/// Slots that a pattern's own conditions read.
pub(super) fn of_pattern(p: &Pattern, out: &mut BTreeSet<Slot>) {
    p.exprs().into_iter().for_each(|e| of_expr(e, out));
}

/// Slots that a match of a pattern sets, or finds set.
pub(super) fn bound_by(p: &Pattern, out: &mut BTreeSet<Slot>) {
    out.extend(p.elems.iter().filter_map(|e| e.slot));
    out.extend(p.groups.iter().map(|g| g.0));
    out.extend(p.path_slot);
}

/// The elements through which every match goes once.
pub(super) fn single(t: &Tree, out: &mut Vec<usize>) {
    match t {
        Tree::Node(i) | Tree::Edge(i) => out.push(*i),
        Tree::Seq(ts) => ts.iter().for_each(|t| single(t, out)),
        Tree::Alt(_) | Tree::Repeat { .. } => {}
    }
}

/// Slots that begin anew with each iteration.
pub(super) fn iterated(t: &Tree, out: &mut BTreeSet<Slot>) {
    match t {
        Tree::Node(_) | Tree::Edge(_) => {}
        Tree::Seq(ts) | Tree::Alt(ts) => ts.iter().for_each(|t| iterated(t, out)),
        Tree::Repeat { inner, reset, .. } => {
            out.extend(reset);
            iterated(inner, out);
        }
    }
}

/// The elements at a pattern's ends, where they are nodes.
pub(super) fn ends(t: &Tree) -> [Option<usize>; 2] {
    let node = |t: Option<&Tree>| match t {
        Some(Tree::Node(i)) => Some(*i),
        _ => None,
    };
    match t {
        Tree::Seq(ts) => [node(ts.first()), node(ts.last())],
        t => [node(Some(t)), node(Some(t))],
    }
}

/// Whether a subquery stands in an expression.
pub(crate) fn has_subquery(e: &CExpr) -> bool {
    matches!(e, CExpr::Exists(_) | CExpr::Count(_) | CExpr::CountAtLeast(..) | CExpr::Value(_))
        || e.children().into_iter().any(has_subquery)
}
