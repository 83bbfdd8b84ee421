//! Projection: grouping, aggregates, DISTINCT, ORDER BY, OFFSET and LIMIT.

use std::cmp::Ordering;

use super::{Reference, Row};
use sv0_query::Val;
use sv0_query::ast::{Expr, ExprKind, Projection};

impl Reference<'_> {
    /// Rows behind a projection, with the values of its columns.
    pub(super) fn project(&self, p: &Projection, rows: &[Row], outer: &Row) -> Vec<(Row, Vec<Val>)> {
        assert!(!p.star && p.group_by.is_none(), "RETURN * / GROUP BY");
        let aggregate = |e: &Expr| matches!(&e.kind, ExprKind::Call { name, .. } if ["count", "collect", "min", "max", "sum"].contains(&&**name));
        let mut out: Vec<(Row, Vec<Val>, Row)> = Vec::new();
        if p.items.iter().any(|i| aggregate(&i.expr)) {
            let mut groups: Vec<(Vec<Val>, Vec<Row>)> = Vec::new();
            for r in rows {
                let key: Vec<Val> =
                    p.items.iter().filter(|i| !aggregate(&i.expr)).map(|i| self.eval(&i.expr, r)).collect();
                match groups.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, g)) => g.push(r.clone()),
                    None => groups.push((key, vec![r.clone()])),
                }
            }
            if groups.is_empty() && p.items.iter().all(|i| aggregate(&i.expr)) {
                groups.push((Vec::new(), Vec::new()));
            }
            for (key, members) in groups {
                let mut key = key.into_iter();
                let values: Vec<Val> = p
                    .items
                    .iter()
                    .map(|i| if aggregate(&i.expr) { self.aggregate(&i.expr, &members) } else { key.next().unwrap() })
                    .collect();
                out.push((Row::new(), values, Row::new()));
            }
        } else {
            for r in rows {
                out.push((Row::new(), p.items.iter().map(|i| self.eval(&i.expr, r)).collect(), r.clone()));
            }
        }
        for (r, values, _) in &mut out {
            *r = outer.clone();
            r.extend(p.items.iter().map(|i| i.name.text.to_string()).zip(values.iter().cloned()));
        }
        if p.distinct {
            let mut seen: Vec<Vec<Val>> = Vec::new();
            out.retain(|(_, v, _)| {
                !seen.contains(v) && {
                    seen.push(v.clone());
                    true
                }
            });
        }
        if !p.order.is_empty() {
            let keys = |r: &(Row, Vec<Val>, Row)| -> Vec<Val> {
                let mut scope = r.2.clone();
                scope.extend(r.0.clone());
                p.order.iter().map(|s| self.eval(&s.expr, &scope)).collect()
            };
            out.sort_by(|a, b| {
                p.order
                    .iter()
                    .zip(keys(a).iter().zip(keys(b).iter()))
                    .map(|(s, (x, y))| {
                        let first = s.nulls_first.unwrap_or(s.descending);
                        match (x, y) {
                            (Val::Null, Val::Null) => Ordering::Equal,
                            (Val::Null, _) => {
                                if first {
                                    Ordering::Less
                                } else {
                                    Ordering::Greater
                                }
                            }
                            (_, Val::Null) => {
                                if first {
                                    Ordering::Greater
                                } else {
                                    Ordering::Less
                                }
                            }
                            _ if s.descending => y.total_cmp(x),
                            _ => x.total_cmp(y),
                        }
                    })
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            });
        }
        let number = |e: &Option<Expr>, default: usize| match e.as_ref().map(|e| self.eval(e, &Row::new())) {
            Some(Val::Int(n)) => usize::try_from(n).unwrap(),
            _ => default,
        };
        let (skip, limit) = (number(&p.skip, 0), number(&p.limit, usize::MAX));
        out.into_iter().skip(skip).take(limit).map(|(r, v, _)| (r, v)).collect()
    }

    fn aggregate(&self, e: &Expr, members: &[Row]) -> Val {
        let ExprKind::Call { name, args, distinct, star } = &e.kind else { panic!("aggregate") };
        if *star {
            return Val::Int(i64::try_from(members.len()).unwrap());
        }
        let mut values: Vec<Val> =
            members.iter().map(|r| self.eval(&args[0], r)).filter(|v| !matches!(v, Val::Null)).collect();
        if *distinct {
            let mut seen: Vec<Val> = Vec::new();
            values.retain(|v| {
                !seen.contains(v) && {
                    seen.push(v.clone());
                    true
                }
            });
        }
        match &**name {
            "count" => Val::Int(i64::try_from(values.len()).unwrap()),
            "min" => values.into_iter().min_by(Val::total_cmp).unwrap_or(Val::Null),
            "max" => values.into_iter().max_by(Val::total_cmp).unwrap_or(Val::Null),
            // Collected values come in no promised order; the comparison sorts them.
            "collect" => {
                values.sort_by(Val::total_cmp);
                Val::List(values.into())
            }
            n => panic!("{n}"),
        }
    }
}
