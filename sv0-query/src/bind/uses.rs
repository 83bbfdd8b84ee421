//! Which names are used where: for the reachability plan, and for the grouping rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Scope;
use crate::ast::{Clause, Element, Expr, ExprKind, Filler, Match, Projection, Term};
use crate::plan::AGGREGATES;

pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.iter().any(|(n, _)| *n == name)
}

fn projection_names(p: &Projection, out: &mut BTreeSet<Arc<str>>, star: &mut bool) {
    *star |= p.star;
    p.items.iter().for_each(|i| expr_names(&i.expr, out));
    p.order.iter().for_each(|s| expr_names(&s.expr, out));
    out.extend(p.group_by.iter().flatten().map(|n| n.text.clone()));
}

pub(crate) fn match_names(m: &Match, out: &mut BTreeSet<Arc<str>>) {
    for p in &m.patterns {
        out.extend(p.var.iter().map(|v| v.text.clone()));
        term_names(&p.term, out);
    }
    m.filter.iter().for_each(|e| expr_names(e, out));
}

pub(crate) fn term_names(t: &Term, out: &mut BTreeSet<Arc<str>>) {
    for e in t {
        match e {
            Element::Node(n) => filler_names(&n.filler, out),
            Element::Edge(e, _) => filler_names(&e.filler, out),
            Element::Group(g) => {
                g.alternatives.iter().for_each(|a| term_names(a, out));
                g.filter.iter().for_each(|e| expr_names(e, out));
            }
        }
    }
}

fn filler_names(f: &Filler, out: &mut BTreeSet<Arc<str>>) {
    out.extend(f.var.iter().map(|v| v.text.clone()));
    f.props.iter().for_each(|(_, e)| expr_names(e, out));
    f.filter.iter().for_each(|e| expr_names(e, out));
}

/// All names in an expression, those in subqueries included.
pub(crate) fn expr_names(e: &Expr, out: &mut BTreeSet<Arc<str>>) {
    e.walk(&mut |x| match &x.kind {
        ExprKind::Var(v) => {
            out.insert(v.clone());
        }
        ExprKind::Exists(s) | ExprKind::Count(s) | ExprKind::Value(s) => {
            let mut star = false;
            s.linear.clauses.iter().for_each(|c| clause_names(c, out, &mut star));
        }
        _ => {}
    });
}

/// All names in a clause.
fn clause_names(c: &Clause, out: &mut BTreeSet<Arc<str>>, star: &mut bool) {
    match c {
        Clause::Match(m) => match_names(m, out),
        Clause::Optional(b) => b.clauses.iter().for_each(|c| clause_names(c, out, star)),
        Clause::Call(c) => {
            out.extend(c.vars.iter().flatten().map(|v| v.text.clone()));
            let linears = std::iter::once(&c.body.first).chain(c.body.rest.iter().map(|r| &r.1));
            linears.flat_map(|l| &l.clauses).for_each(|c| clause_names(c, out, star));
        }
        Clause::Use(_) => {}
        Clause::Filter(e) => expr_names(e, out),
        Clause::Let(items) => items.iter().for_each(|(_, e)| expr_names(e, out)),
        Clause::For { list, .. } => expr_names(list, out),
        Clause::With(p, f) => {
            projection_names(p, out, star);
            f.iter().for_each(|e| expr_names(e, out));
        }
        Clause::Return(p) => projection_names(p, out, star),
    }
}

/// Variables of an expression, as a set.
pub(crate) fn variables(e: &Expr) -> BTreeSet<Arc<str>> {
    let mut out = BTreeSet::new();
    expr_names(e, &mut out);
    out
}

pub(crate) fn has_variable(e: &Expr, scope: &Scope) -> bool {
    variables(e).iter().any(|v| scope.contains_key(v))
}

/// Variables outside of any aggregate call and of any expression that is grouped by.
pub(crate) fn variables_outside_aggregates(e: &Expr, keyed: &dyn Fn(&Expr) -> bool) -> Vec<Arc<str>> {
    fn go(e: &Expr, keyed: &dyn Fn(&Expr) -> bool, out: &mut Vec<Arc<str>>) {
        match &e.kind {
            _ if keyed(e) => {}
            ExprKind::Call { name, .. } if is_aggregate(name) => {}
            ExprKind::Var(v) => out.push(v.clone()),
            ExprKind::ListPred(_, var, list, pred) => {
                go(list, keyed, out);
                let mut inner = Vec::new();
                go(pred, keyed, &mut inner);
                out.extend(inner.into_iter().filter(|v| *v != var.text));
            }
            ExprKind::ListComp { var, list, filter, map } => {
                go(list, keyed, out);
                let mut inner = Vec::new();
                filter.iter().chain(map.iter()).for_each(|e| go(e, keyed, &mut inner));
                out.extend(inner.into_iter().filter(|v| *v != var.text));
            }
            _ => e.children().into_iter().for_each(|c| go(c, keyed, out)),
        }
    }
    let mut out = Vec::new();
    go(e, keyed, &mut out);
    out
}
