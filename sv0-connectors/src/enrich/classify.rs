//! Classification by a declarative pack: environment, sensitivity, data domain, tags. First match by priority; what a
//! source says itself is never overwritten, and the deciding line is kept.

use std::collections::BTreeMap;

use serde::Deserialize;
use sv0_graph::{Direction, GraphError, GraphView, NodeType, Value};

use super::Output;

const BUILT_IN: &str = include_str!("classification.toml");

/// A pack of lines.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    #[serde(default)]
    priority: i64,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    types: Vec<NodeType>,
    #[serde(default)]
    kinds: Vec<String>,
    #[serde(default)]
    systems: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    line: Vec<Line>,
}

/// Why a pack can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Not TOML of this shape.
    #[error("classification pack: {0}")]
    Malformed(String),
    /// A line sets what isn't classified.
    #[error("classification line `{line}` sets `{prop}`; it may set environment, sensitivity, data_domain")]
    Property {
        /// The line.
        line: String,
        /// What it sets.
        prop: String,
    },
    /// A line without a condition would match everything.
    #[error("classification line `{0}` has no condition")]
    NoCondition(String),
}

impl Pack {
    /// The built-in pack.
    ///
    /// # Errors
    /// Never for a released build: a test reads it.
    pub fn built_in() -> Result<Self, PackError> {
        Self::parse(BUILT_IN)
    }

    /// A pack from TOML.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn parse(text: &str) -> Result<Self, PackError> {
        let f: File = toml::from_str(text).map_err(|e| PackError::Malformed(e.to_string()))?;
        for l in &f.line {
            let allowed = ["environment", "sensitivity", "data_domain"];
            if let Some(p) = l.set.keys().find(|k| !allowed.contains(&k.as_str())) {
                return Err(PackError::Property { line: l.id.clone(), prop: p.clone() });
            }
            if l.kinds.is_empty()
                && l.words.is_empty()
                && l.names.is_empty()
                && l.hosts.is_empty()
                && l.systems.is_empty()
            {
                return Err(PackError::NoCondition(l.id.clone()));
            }
        }
        let mut lines = f.line;
        lines.sort_by_key(|l| l.priority);
        Ok(Self { lines })
    }

    /// Adds a pack whose lines come first among those of their priority.
    #[must_use]
    pub fn extended_by(self, other: Self) -> Self {
        let mut lines = other.lines;
        lines.extend(self.lines);
        lines.sort_by_key(|l| l.priority);
        Self { lines }
    }
}

fn words(name: &str) -> Vec<String> {
    name.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

pub(super) fn run<G: GraphView>(view: &G, pack: &Pack, out: &mut Output) -> Result<(), GraphError> {
    for node in view.nodes(None)? {
        let Some(ty) = view.node_type(node) else { continue };
        let key = view.key(node)?;
        if &*key.source == super::SOURCE {
            continue;
        }
        // What an earlier enrichment set isn't the source's own word.
        let set_before = view.prop(node, "classified")?;
        let ours = |prop: &str| set_before.as_list().iter().any(|e| e.split('=').next() == Some(prop));
        let (kind, system) = (view.text(node, "kind")?, view.text(node, "system")?);
        let (name, host) = (view.text(node, "name")?, view.text(node, "host")?);
        let name_words = words(&name);
        let mut decided: Vec<&str> = Vec::new();
        for l in &pack.lines {
            let fits = (l.types.is_empty() || l.types.contains(&ty))
                && (l.kinds.is_empty() || l.kinds.iter().any(|k| **k == *kind))
                && (l.systems.is_empty() || l.systems.iter().any(|s| **s == *system))
                && (l.words.is_empty() || l.words.iter().any(|w| name_words.contains(w)))
                && (l.names.is_empty() || l.names.iter().any(|n| **n == *name))
                && (l.hosts.is_empty() || l.hosts.iter().any(|h| **h == *host || **h == *name));
            if !fits {
                continue;
            }
            for (prop, v) in &l.set {
                let own = view.text(node, prop)?;
                let unsaid = own.is_empty() || &*own == "unknown" || ours(prop);
                if unsaid && !decided.contains(&prop.as_str()) {
                    decided.push(prop);
                    out.annotate(key.clone(), prop, Value::str(v.as_str()), &l.id);
                }
            }
            if !l.tags.is_empty() {
                out.annotate(key.clone(), "tags", Value::list(l.tags.iter().map(String::as_str)), &l.id);
            }
        }
        if ty == NodeType::Resource && !decided.contains(&"environment") {
            inherit(view, node, &key, &ours, out)?;
        }
    }
    Ok(())
}

/// A resource that says nothing of its environment has its container's, the nearest that says one.
fn inherit<G: GraphView>(
    view: &G,
    node: u32,
    key: &sv0_graph::NodeKey,
    ours: &dyn Fn(&str) -> bool,
    out: &mut Output,
) -> Result<(), GraphError> {
    let own = view.text(node, "environment")?;
    if !(own.is_empty() || &*own == "unknown" || ours("environment")) {
        return Ok(());
    }
    let Some(contains) = view.schema().edge_type_id("CONTAINS") else { return Ok(()) };
    let mut at = node;
    for _ in 0..16 {
        let mut parents = Vec::new();
        view.expand(at, contains, Direction::In, &mut |p, _| parents.push(p))?;
        let [parent] = parents.as_slice() else { return Ok(()) };
        let env = view.text(*parent, "environment")?;
        if !env.is_empty() && &*env != "unknown" {
            out.annotate(key.clone(), "environment", Value::Str(env), &format!("container {}", view.key(*parent)?));
            return Ok(());
        }
        at = *parent;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_pack_reads() {
        assert!(Pack::built_in().unwrap().lines.len() > 10);
    }

    #[test]
    fn whole_words_only() {
        assert!(words("orders-PROD-eu").contains(&"prod".to_owned()));
        assert!(!words("productivity-suite").contains(&"prod".to_owned()));
    }

    #[test]
    fn refuses_lines_that_match_everything() {
        let e = Pack::parse("[[line]]\nid='x'\nset={environment='production'}\n").unwrap_err();
        assert_eq!(e, PackError::NoCondition("x".into()));
        assert!(matches!(
            Pack::parse("[[line]]\nid='x'\nwords=['a']\nset={status='x'}\n"),
            Err(PackError::Property { .. })
        ));
    }
}
