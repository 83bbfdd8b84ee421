//! What a pattern's shape says.

use crate::ast::{Element, Term};
use crate::plan::Tree;

pub(super) fn is_quantified(t: &Term) -> bool {
    t.iter().any(|e| match e {
        Element::Node(_) => false,
        Element::Edge(_, q) => q.is_some(),
        Element::Group(g) => g.quantifier.is_some() || g.alternatives.iter().any(is_quantified),
    })
}

pub(super) fn is_unbounded(t: &Tree) -> bool {
    match t {
        Tree::Node(_) | Tree::Edge(_) => false,
        Tree::Seq(ts) | Tree::Alt(ts) => ts.iter().any(is_unbounded),
        Tree::Repeat { inner, max, .. } => max.is_none() || is_unbounded(inner),
    }
}

pub(super) fn always_moves(t: &Tree) -> bool {
    match t {
        Tree::Node(_) => false,
        Tree::Edge(_) => true,
        Tree::Seq(ts) => ts.iter().any(always_moves),
        Tree::Alt(ts) => ts.iter().all(always_moves),
        Tree::Repeat { inner, min, .. } => *min > 0 && always_moves(inner),
    }
}
