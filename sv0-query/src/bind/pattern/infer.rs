//! Label inference: which types can stand where, by the schema.

use super::super::{Binder, Scope, VarKind, list};
use super::{ALL_TYPES, flip};
use crate::ast::PathPattern;
use crate::diag::{Code, Diagnostic};
use crate::plan::{CLabel, Elem, Tree};
use sv0_graph::{Direction, EdgeTypeId, NodeType};

#[derive(Clone, Copy)]
pub(super) struct Inference {
    last: Option<(usize, u16)>,
    reported: bool,
}

impl Binder<'_> {
    pub(super) fn infer(&mut self, tree: &Tree, elems: &[Elem], scope: &mut Scope, p: &PathPattern) {
        let mut state = Inference { last: None, reported: false };
        self.flow(tree, elems, ALL_TYPES, scope, &mut state);
        let _ = p;
    }

    pub(super) fn flow(&mut self, t: &Tree, elems: &[Elem], mask: u16, scope: &mut Scope, st: &mut Inference) -> u16 {
        match t {
            Tree::Node(i) => {
                let e = &elems[*i];
                let mut own = e.label.as_ref().map_or(ALL_TYPES, |l| self.label_mask(l));
                if let Some(s) = e.slot
                    && let Some(v) = scope.values().find(|v| v.slot == s)
                    && let VarKind::Node(m) = v.kind
                {
                    own &= m;
                }
                let out = mask & own;
                if out == 0 && mask != 0 && own != 0 && !st.reported {
                    st.reported = true;
                    if let Some((edge, from)) = st.last {
                        self.impossible(&elems[edge], from, Some(own));
                    }
                }
                if let Some(s) = e.slot
                    && let Some(v) = scope.values_mut().find(|v| v.slot == s)
                    && let VarKind::Node(m) = &mut v.kind
                    && out != 0
                {
                    *m = out;
                }
                out
            }
            Tree::Edge(i) => {
                let out = self.step_mask(&elems[*i], mask);
                if out == 0 && mask != 0 && !st.reported && !elems[*i].steps.is_empty() {
                    st.reported = true;
                    self.impossible(&elems[*i], mask, None);
                }
                st.last = Some((*i, mask));
                out
            }
            Tree::Seq(ts) => ts.iter().fold(mask, |m, t| self.flow(t, elems, m, scope, st)),
            Tree::Alt(ts) => {
                let quiet = Inference { last: st.last, reported: true };
                ts.iter().fold(0, |m, t| {
                    let mut q = Inference { ..quiet };
                    m | self.flow(t, elems, mask, scope, &mut q)
                })
            }
            Tree::Repeat { inner, min, max, .. } => {
                let mut out = if *min == 0 { mask } else { 0 };
                let mut at = mask;
                let rounds = max.unwrap_or(*min + 18).min(min + 18);
                for i in 1..=rounds {
                    let mut q = Inference { last: st.last, reported: st.reported || i > 1 || *min == 0 };
                    let mut throwaway = scope.clone();
                    at = self.flow(inner, elems, at, &mut throwaway, &mut q);
                    st.last = q.last;
                    st.reported |= i == 1 && *min > 0 && q.reported;
                    if i >= *min {
                        out |= at;
                    }
                    if at == 0 {
                        break;
                    }
                }
                out
            }
        }
    }

    pub(super) fn step_mask(&self, e: &Elem, mask: u16) -> u16 {
        let mut out = 0;
        for (t, d) in &e.steps {
            for (from, to) in &self.set.schema.edge_type(*t).pairs {
                let (a, b) = if *d == Direction::Out { (from, to) } else { (to, from) };
                if mask & a.bit() != 0 {
                    out |= b.bit();
                }
            }
        }
        out
    }

    pub(super) fn label_mask(&self, l: &CLabel) -> u16 {
        match l {
            CLabel::Type(t) => t.bit(),
            CLabel::Kind(k) => self
                .set
                .schema
                .kinds()
                .iter()
                .find(|(_, kinds)| kinds.iter().any(|x| **x == **k))
                .map_or(ALL_TYPES, |(t, _)| t.bit()),
            CLabel::And(a, b) => self.label_mask(a) & self.label_mask(b),
            CLabel::Or(a, b) => self.label_mask(a) | self.label_mask(b),
            CLabel::Not(a) => match &**a {
                CLabel::Type(t) => ALL_TYPES & !t.bit(),
                _ => ALL_TYPES,
            },
            _ => ALL_TYPES,
        }
    }

    pub(super) fn impossible(&mut self, e: &Elem, from: u16, to: Option<u16>) {
        let names = |m: u16| {
            NodeType::ALL.into_iter().filter(|t| m & t.bit() != 0).map(NodeType::name).collect::<Vec<_>>().join("|")
        };
        let schema = self.set.schema;
        let mut types: Vec<EdgeTypeId> = e.steps.iter().map(|s| s.0).collect();
        types.dedup();
        let written = if types.len() <= 4 {
            list(types.iter().map(|t| schema.edge_type(*t).name.as_str()))
        } else {
            format!("{} edge types", types.len())
        };
        let ends = match to {
            Some(t) if t != ALL_TYPES => format!("from {} to {}", names(from), names(t)),
            _ => format!("at {}", names(from)),
        };
        let m = format!("this can never match: the schema allows no edge {written} {ends}");
        let pairs: Vec<String> = types
            .iter()
            .take(4)
            .map(|t| {
                format!("{}: {}", schema.edge_type(*t).name, sv0_graph::check::pairs_text(&schema.edge_type(*t).pairs))
            })
            .collect();
        let mut help = format!("allowed are {}", pairs.join("; "));
        let backwards: Vec<(EdgeTypeId, Direction)> = e.steps.iter().map(|(t, d)| (*t, flip(*d))).collect();
        let turned = self.step_mask(&Elem { steps: backwards, ..e.clone() }, from);
        if turned & to.unwrap_or(ALL_TYPES) != 0 {
            help.push_str("; the edge fits in the other direction");
        }
        let d = Diagnostic::new(Code::Schema, e.span, m).help(help);
        if self.set.strict { self.error(d) } else { self.warnings.push(d) }
    }
}
