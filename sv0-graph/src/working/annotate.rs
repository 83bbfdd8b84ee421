//! What enrichment sets on nodes of other sources: kept apart, and replaced whole by the next run.

use std::sync::Arc;

use super::{Working, lookup, set_prop, unwrap};
use crate::batch::Annotation;
use crate::store::StoreError;
use crate::value::Value;
use crate::view::GraphView;

impl Working {
    /// Replaces everything that enrichment set before.
    pub(super) fn annotate(&mut self, mut annotations: Vec<Annotation>) -> Result<(), StoreError> {
        let schema = self.schema.clone();
        let (Some(classified), Some(tags)) = (schema.node_prop("classified"), schema.node_prop("tags")) else {
            return Ok(());
        };
        for id in self.nodes(None).map_err(unwrap)? {
            let Value::List(set) = self.node_prop(id, classified).map_err(unwrap)? else { continue };
            let Some(mut n) = self.node_rec(id)? else { continue };
            for entry in set.iter() {
                let what = entry.split('=').next().unwrap_or("");
                match what.strip_prefix("tag:") {
                    Some(tag) => {
                        let own = lookup(&n.props, tags);
                        let kept: Vec<Arc<str>> = own.as_list().iter().filter(|t| &***t != tag).cloned().collect();
                        let kept = if kept.is_empty() { Value::Null } else { Value::List(kept.into()) };
                        set_prop(&mut n.props, tags, kept);
                    }
                    None => {
                        if let Some(p) = schema.node_prop(what) {
                            set_prop(&mut n.props, p, Value::Null);
                        }
                    }
                }
            }
            set_prop(&mut n.props, classified, Value::Null);
            self.staged.insert(id, Some(n));
        }
        annotations.sort_by(|a, b| {
            (&a.node, &a.prop, &a.by).cmp(&(&b.node, &b.prop, &b.by)).then_with(|| a.value.total_cmp(&b.value))
        });
        for a in annotations {
            let (Some(id), Some(p)) = (self.lookup(&a.node)?, schema.node_prop(&a.prop)) else { continue };
            let Some(mut n) = self.node_rec(id)? else { continue };
            let mut set: Vec<Arc<str>> = lookup(&n.props, classified).as_list().to_vec();
            if p == tags {
                let mut all: Vec<Arc<str>> = lookup(&n.props, tags).as_list().to_vec();
                for t in a.value.as_list() {
                    if !all.contains(t) {
                        all.push(t.clone());
                        set.push(format!("tag:{t}={}", a.by).into());
                    }
                }
                all.sort();
                set_prop(&mut n.props, tags, Value::List(all.into()));
            } else if schema.node_properties().get(usize::from(p.0)).is_some_and(|d| a.value.fits(d.ty)) {
                // A source's own word stays.
                let own = lookup(&n.props, p);
                if !(own.is_null() || own.as_str() == Some("unknown")) {
                    continue;
                }
                set_prop(&mut n.props, p, a.value);
                set.push(format!("{}={}", a.prop, a.by).into());
            }
            set_prop(&mut n.props, classified, Value::List(set.into()));
            self.staged.insert(id, Some(n));
        }
        Ok(())
    }
}
