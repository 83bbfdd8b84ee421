//! The same question with each path pattern written from its other end: a query must give the same rows. For tests.

use std::collections::BTreeSet;

use crate::ast::{
    Clause, Dir, Element, Expr, ExprKind, Filler, Linear, Match, Projection, Query, Selector, Subquery, Term,
};

/// The query with all of its patterns turned, and whether that asks the same.
pub(crate) fn reversed(q: &Query) -> Option<Query> {
    let mut out = q.clone();
    let mut same = true;
    linear(&mut out.first, &mut same);
    out.rest.iter_mut().for_each(|(_, l)| linear(l, &mut same));
    same.then_some(out)
}

fn linear(l: &mut Linear, same: &mut bool) {
    l.clauses.iter_mut().for_each(|c| clause(c, same));
}

fn clause(c: &mut Clause, same: &mut bool) {
    match c {
        Clause::Match(m) => matching(m, same),
        Clause::Optional(b) => b.clauses.iter_mut().for_each(|c| clause(c, same)),
        Clause::Call(c) => match reversed(&c.body) {
            Some(body) => *c.body = body,
            None => *same = false,
        },
        Clause::Use(_) => {}
        Clause::Filter(e) => expr(e, same),
        Clause::Let(items) => items.iter_mut().for_each(|(_, e)| expr(e, same)),
        Clause::For { list, .. } => expr(list, same),
        Clause::With(p, filter) => {
            projection(p, same);
            filter.iter_mut().for_each(|e| expr(e, same));
        }
        Clause::Return(p) => projection(p, same),
    }
}

fn projection(p: &mut Projection, same: &mut bool) {
    // Which rows are kept, and in which order values are collected, follows from the order of the search.
    *same &= p.skip.is_none() && p.limit.is_none();
    for e in p.items.iter_mut().map(|i| &mut i.expr).chain(p.order.iter_mut().map(|s| &mut s.expr)) {
        e.walk(&mut |x| {
            *same &= !matches!(&x.kind, ExprKind::Call { name, .. } if matches!(&**name, "collect" | "collect_list"));
        });
        expr(e, same);
    }
}

fn matching(m: &mut Match, same: &mut bool) {
    for p in &mut m.patterns {
        // A path and a group list have a direction; of several paths a selector's one may be another.
        let mut listed = BTreeSet::new();
        inner_names(&p.term, p.selector.is_some_and(|s| s != Selector::All), false, &mut listed);
        *same &= p.var.is_none() && !p.legacy && listed.is_empty();
        term(&mut p.term, same);
    }
    m.filter.iter_mut().for_each(|e| expr(e, same));
}

/// Names of what has a direction or may be chosen.
fn inner_names(t: &Term, selected: bool, repeated: bool, out: &mut BTreeSet<std::sync::Arc<str>>) {
    let last = t.len().saturating_sub(1);
    for (i, e) in t.iter().enumerate() {
        let mut names = BTreeSet::new();
        match e {
            Element::Node(n) => {
                if repeated || selected && i > 0 && i < last {
                    names.extend(n.filler.var.iter().map(|v| v.text.clone()));
                }
            }
            Element::Edge(e, q) => {
                if repeated || selected || q.is_some_and(|q| !q.optional) {
                    names.extend(e.filler.var.iter().map(|v| v.text.clone()));
                }
            }
            Element::Group(g) => {
                let repeated = repeated || g.quantifier.is_some_and(|q| !q.optional);
                g.alternatives.iter().for_each(|t| inner_names(t, selected, repeated, &mut names));
            }
        }
        out.extend(names);
    }
}

fn term(t: &mut Term, same: &mut bool) {
    t.reverse();
    for e in t {
        match e {
            Element::Node(n) => filler(&mut n.filler, same),
            Element::Edge(e, _) => {
                e.dir = match e.dir {
                    Dir::Right => Dir::Left,
                    Dir::Left => Dir::Right,
                    Dir::Any => Dir::Any,
                };
                filler(&mut e.filler, same);
            }
            Element::Group(g) => {
                g.alternatives.iter_mut().for_each(|t| term(t, same));
                g.filter.iter_mut().for_each(|e| expr(e, same));
            }
        }
    }
}

fn filler(f: &mut Filler, same: &mut bool) {
    f.props.iter_mut().for_each(|(_, e)| expr(e, same));
    f.filter.iter_mut().for_each(|e| expr(e, same));
}

fn expr(e: &mut Expr, same: &mut bool) {
    if let ExprKind::Exists(s) | ExprKind::Count(s) | ExprKind::Value(s) = &mut e.kind {
        let Subquery { linear: l, bare } = &mut **s;
        // Written as EXISTS it might bind variables.
        *same &= !*bare;
        linear(l, same);
    }
    e.children_mut().into_iter().for_each(|c| expr(c, same));
}
