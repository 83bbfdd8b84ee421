//! Values of parameters: all that are named, none beside them, each of the kind that the query compares it with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bind::Expected;
use crate::bind::kinds::Scalar;
use crate::diag::{Code, Diagnostic, QueryError};
use crate::plan::Plan;
use crate::time;
use crate::val::Val;

/// The values in the plan's order.
pub(crate) fn values(plan: &Plan, given: &BTreeMap<Arc<str>, Val>) -> Result<Vec<Val>, QueryError> {
    let mut errors = Vec::new();
    let mut error = |message: String, help: Option<String>| {
        errors.push(Diagnostic { code: Code::Parameter, message, span: None, help });
    };
    let mut out = Vec::with_capacity(plan.params.len());
    for (name, expected) in plan.params.iter().zip(&plan.expected) {
        let Some(v) = given.get(name) else {
            let unused = given.keys().filter(|k| !plan.params.contains(k)).map(|k| &**k);
            let near = sv0_graph::Schema::nearest(name, unused.collect::<Vec<_>>());
            let help = near.first().map_or_else(
                || format!("give it with `--param {name}=…`"),
                |n| format!("`{n}` is given; did you mean `${n}`?"),
            );
            error(format!("parameter `${name}` has no value"), Some(help));
            continue;
        };
        match expected {
            None => out.push(v.clone()),
            Some(Expected { kind, because }) => match fit(v, *kind) {
                Some(v) => out.push(v),
                None => {
                    let m = format!("parameter `${name}` must be a {}, not a {}", describe(*kind), described(v));
                    error(m, Some(format!("it stands beside `{because}`")));
                }
            },
        }
    }
    for extra in given.keys().filter(|k| !plan.params.contains(k)) {
        let near = sv0_graph::Schema::nearest(extra, plan.params.iter().map(|p| &**p));
        let help = near.first().map(|n| format!("did you mean `{n}`?"));
        error(format!("the query has no parameter `${extra}`"), help);
    }
    if errors.is_empty() { Ok(out) } else { Err(QueryError { diagnostics: errors }) }
}

/// A value as one of a kind: a text where a time stands is read as one.
fn fit(v: &Val, kind: Scalar) -> Option<Val> {
    match (kind, v) {
        (_, Val::Null | Val::Unset) => Some(Val::Null),
        (Scalar::Bool, Val::Bool(_))
        | (Scalar::Int | Scalar::Float, Val::Int(_) | Val::Float(_))
        | (Scalar::Str, Val::Str(_))
        | (Scalar::Timestamp | Scalar::Date, Val::Timestamp(_) | Val::Date(_))
        | (Scalar::Duration, Val::Duration { .. })
        | (Scalar::List, Val::List(_)) => Some(v.clone()),
        (Scalar::Timestamp, Val::Str(s)) => time::parse_timestamp(s).map(Val::Timestamp),
        (Scalar::Date, Val::Str(s)) => time::parse_date(s).map(Val::Date),
        (Scalar::Duration, Val::Str(s)) => time::parse_duration(s),
        (Scalar::ListOf(of), Val::List(l)) => {
            l.iter().map(|v| fit(v, *of)).collect::<Option<Vec<_>>>().map(|l| Val::List(l.into()))
        }
        _ => None,
    }
}

fn describe(kind: Scalar) -> String {
    match kind {
        Scalar::ListOf(of) => format!("list, each of it a {}", of.name()),
        k => k.name().to_owned(),
    }
}

fn described(v: &Val) -> String {
    match v {
        Val::List(l) => l.iter().find(|v| !v.is_null()).map_or("list".into(), |v| format!("list with a {}", v.kind())),
        v => v.kind().to_owned(),
    }
}
