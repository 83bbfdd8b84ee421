//! What a query may be asked about before it runs: products, scans of everything, paths listed where reaching would do.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Binder, Scope, uses};
use crate::ast::{Element, Expr, Match, PathPattern};
use crate::diag::{Code, Diagnostic};

/// A scan of more nodes than this is worth a warning.
const MANY: u64 = 100_000;

impl Binder<'_> {
    fn doubt(&mut self, d: Diagnostic) {
        // One remark of a kind at a place is enough.
        if !self.warnings.contains(&d) {
            self.warnings.push(d);
        }
    }

    /// Patterns that nothing connects make a product of rows.
    pub(super) fn lint_product(&mut self, m: &Match, earlier: &Scope, filter: &[Expr]) {
        let names = |p: &PathPattern| {
            let mut out = BTreeSet::new();
            uses::term_names(&p.term, &mut out);
            out.extend(p.var.iter().map(|v| v.text.clone()));
            out
        };
        let sets: Vec<BTreeSet<Arc<str>>> = m.patterns.iter().map(names).collect();
        let mut reached: BTreeSet<Arc<str>> = earlier.keys().cloned().collect();
        let rows_before = !earlier.is_empty();
        let mut open: Vec<usize> = (0..sets.len()).collect();
        if !rows_before && let Some(first) = sets.first() {
            reached.extend(first.iter().cloned());
            open.retain(|i| *i != 0);
        }
        loop {
            // A condition over both sides connects them, too.
            let connected = |i: &usize| {
                let set: &BTreeSet<Arc<str>> = &sets[*i];
                set.iter().any(|n| reached.contains(n))
                    || filter.iter().any(|c| {
                        let v = uses::variables(c);
                        v.iter().any(|n| set.contains(n)) && v.iter().any(|n| reached.contains(n))
                    })
            };
            let Some(i) = open.iter().copied().find(connected) else { break };
            reached.extend(sets[i].iter().cloned());
            open.retain(|o| *o != i);
        }
        if let Some(p) = open.first().and_then(|i| m.patterns.get(*i))
            && sets.iter().any(|s| !s.is_empty())
        {
            let what = "nothing connects this pattern with the rest: every row is combined with each of its matches";
            let d = Diagnostic::new(Code::Doubtful, p.span, what);
            self.doubt(d.help("name a node that both have, or compare their properties in WHERE"));
        }
    }

    /// A search that starts at every node of a large graph.
    pub(super) fn lint_scan(&mut self, p: &PathPattern, scope: &Scope, filter: &[Expr]) {
        let anchored = |e: Option<&Element>| {
            let Some(Element::Node(n)) = e else { return false };
            let f = &n.filler;
            let by_name = f.var.as_ref().is_some_and(|v| {
                scope.contains_key(&v.text) || filter.iter().any(|c| uses::variables(c).contains(&v.text))
            });
            f.label.is_some() || !f.props.is_empty() || f.filter.is_some() || by_name
        };
        if anchored(p.term.first()) || anchored(p.term.last()) || p.term.len() < 2 {
            return;
        }
        if let Some(n) = (self.set.count)(None).filter(|n| *n > MANY) {
            let d = Diagnostic::new(Code::Doubtful, p.span, format!("the search starts at each of {n} nodes"));
            self.doubt(d.help("give an end a label, a property or an id"));
        }
    }
}
