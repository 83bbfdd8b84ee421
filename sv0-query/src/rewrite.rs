//! What is changed in a logical plan before its automata are built: by passes, each with a name, each to be switched off.
//! None changes an answer.
//!
//! | pass | what it does |
//! |---|---|
//! | `join-order` | the patterns of a MATCH run in the order of how much they are known to say |
//! | `push-filters` | a condition on one element is tested where the element is met |
//! | `key-lookup` | `n.id = …` finds the node by its key |
//! | `reachability` | where only a path's ends are used and not how often, one witness a pair is searched |
//! | `direction` | enumeration starts at the end with fewer nodes |
//! | `early-stop` | `COUNT { … } > n` stops behind the row that decides |

use std::collections::BTreeSet;

use sv0_graph::NodeType;

use crate::Rewrites;
use crate::ast::SetOp;
use crate::diag::Diagnostic;
use crate::plan::{CExpr, Linear, MatchOp, Op, Pattern, Plan, Slot};

mod keys;
mod order;
mod push;
mod reach;
pub(crate) mod slots;
mod stop;

/// What passes may ask.
pub(crate) struct Context<'a> {
    pub rewrites: Rewrites,
    /// Whether `n.id` is the node's key.
    pub keyed: bool,
    /// How many nodes of a type there are, or in all.
    pub count: &'a dyn Fn(Option<NodeType>) -> Option<u64>,
    /// What is doubtful about the plan.
    pub warnings: Vec<Diagnostic>,
}

/// Where the rows of a pipeline go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// To the caller.
    Top,
    /// Into another pipeline, or they are counted.
    Rows,
    /// Only whether there is one matters.
    Exists,
}

struct Pass {
    name: &'static str,
    run: fn(&mut Linear, Place, &mut Context<'_>),
}

/// In the order in which they run.
const PASSES: [Pass; 6] = [
    Pass { name: "join-order", run: order::run },
    Pass { name: "push-filters", run: push::run },
    Pass { name: "key-lookup", run: keys::run },
    Pass { name: "reachability", run: reach::run },
    Pass { name: "direction", run: direction },
    Pass { name: "early-stop", run: stop::run },
];

/// Runs the passes that are on.
pub(crate) fn apply(plan: &mut Plan, cx: &mut Context<'_>) {
    for pass in &PASSES {
        if cx.rewrites.is_on(pass.name) {
            each_linear(&mut plan.parts, Place::Top, &mut |l, place| (pass.run)(l, place, cx));
        }
    }
    each_linear(&mut plan.parts, Place::Top, &mut |l, place| reach::lint(l, place, cx));
}

/// The search may start at either end.
fn direction(l: &mut Linear, _: Place, _: &mut Context<'_>) {
    each_match(&mut l.ops, &mut |m| m.patterns.iter_mut().for_each(|p| p.reversible = true));
}

/// Calls `f` with every pipeline, those of subqueries first.
pub(crate) fn each_linear(parts: &mut [(Option<SetOp>, Linear)], place: Place, f: &mut dyn FnMut(&mut Linear, Place)) {
    for (_, l) in parts {
        linear(l, place, f);
    }
}

fn linear(l: &mut Linear, place: Place, f: &mut dyn FnMut(&mut Linear, Place)) {
    each_expr(&mut l.ops, &mut |e| {
        let (sub, place) = match e {
            CExpr::Exists(s) => (s, Place::Exists),
            CExpr::Count(s) | CExpr::CountAtLeast(s, _) | CExpr::Value(s) => (s, Place::Rows),
            _ => return,
        };
        linear(&mut sub.linear, place, f);
    });
    calls(&mut l.ops, f);
    f(l, place);
}

fn calls(ops: &mut [Op], f: &mut dyn FnMut(&mut Linear, Place)) {
    for op in ops {
        match op {
            Op::Call { parts, .. } => each_linear(parts, Place::Rows, f),
            Op::Optional { ops, .. } => calls(ops, f),
            _ => {}
        }
    }
}

/// Calls `f` with every MATCH of these operators, those in OPTIONAL blocks included, subqueries not.
fn each_match(ops: &mut [Op], f: &mut dyn FnMut(&mut MatchOp)) {
    for op in ops {
        match op {
            Op::Match(m) => f(m),
            Op::Optional { ops, .. } => each_match(ops, f),
            _ => {}
        }
    }
}

/// Calls `f` with every expression of these operators and all below it; subqueries' own not.
pub(crate) fn each_expr(ops: &mut [Op], f: &mut dyn FnMut(&mut CExpr)) {
    fn go(e: &mut CExpr, f: &mut dyn FnMut(&mut CExpr)) {
        e.children_mut().into_iter().for_each(|c| go(c, f));
        f(e);
    }
    for op in ops {
        if let Op::Optional { ops, .. } = op {
            each_expr(ops, f);
        }
        op.exprs_mut().into_iter().for_each(|e| go(e, f));
    }
}

/// Calls `f` with every path pattern of a plan.
pub(crate) fn each_pattern(plan: &mut Plan, f: &mut dyn FnMut(&mut Pattern)) {
    each_linear(&mut plan.parts, Place::Top, &mut |l, _| {
        each_match(&mut l.ops, &mut |m| m.patterns.iter_mut().for_each(&mut *f));
    });
}

/// What the patterns of a MATCH bind from this one on.
fn declared_from(m: &MatchOp, first: usize) -> BTreeSet<Slot> {
    m.patterns.iter().skip(first).flat_map(|p| p.binds.iter().copied()).collect()
}
