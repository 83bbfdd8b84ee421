//! `early-stop`.

use super::{Context, Place, each_expr};
use crate::ast::CmpOp;
use crate::plan::{CExpr, Linear};
use crate::val::Val;

pub(super) fn run(l: &mut Linear, _: Place, _: &mut Context<'_>) {
    each_expr(&mut l.ops, &mut |e| {
        if let Some(at_least) = decided(e) {
            *e = at_least;
        }
    });
}

/// `COUNT { … } > 3` as: there are at least four.
fn decided(e: &mut CExpr) -> Option<CExpr> {
    let CExpr::Cmp(op, a, b) = e else { return None };
    let (sub, n, op) = match (&mut **a, &mut **b) {
        (CExpr::Count(s), CExpr::Const(Val::Int(n))) => (s, *n, *op),
        (CExpr::Const(Val::Int(n)), CExpr::Count(s)) => {
            let turned = match *op {
                CmpOp::Lt => CmpOp::Gt,
                CmpOp::Le => CmpOp::Ge,
                CmpOp::Gt => CmpOp::Lt,
                CmpOp::Ge => CmpOp::Le,
                o => o,
            };
            (s, *n, turned)
        }
        _ => return None,
    };
    let (least, negated) = match op {
        CmpOp::Gt => (n.checked_add(1)?, false),
        CmpOp::Ge => (n, false),
        CmpOp::Lt => (n, true),
        CmpOp::Le => (n.checked_add(1)?, true),
        CmpOp::Eq | CmpOp::Ne => return None,
    };
    let at_least = CExpr::CountAtLeast(sub.clone(), least);
    Some(if negated { CExpr::Not(Box::new(at_least)) } else { at_least })
}
