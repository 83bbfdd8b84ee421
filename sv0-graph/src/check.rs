//! Validation of batches against the schema. Everything that is wrong is reported, not only the first.

use std::collections::HashMap;
use std::fmt;

use crate::batch::{GraphBatch, Origin};
use crate::key::NodeKey;
use crate::schema::{NodeType, Schema};

/// Where in the input a refused thing stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The batch's source.
    pub source: String,
    /// The record's operation.
    pub operation: String,
    /// JSON pointer into the record.
    pub pointer: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source `{}`", self.source)?;
        if !self.operation.is_empty() {
            write!(f, ", record `{}`", self.operation)?;
        }
        if !self.pointer.is_empty() {
            write!(f, " at `{}`", self.pointer)?;
        }
        Ok(())
    }
}

/// What is wrong with one node or edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The schema doesn't allow an edge of this type between these types.
    #[error("edge `{ty}` may not go from {from_type} `{from}` to {to_type} `{to}`; allowed are {allowed}")]
    ForbiddenEdge {
        /// The edge type.
        ty: String,
        /// Start.
        from: NodeKey,
        /// The start's type.
        from_type: NodeType,
        /// End.
        to: NodeKey,
        /// The end's type.
        to_type: NodeType,
        /// The pairs that the type allows.
        allowed: String,
    },
    /// No such edge type.
    #[error("unknown edge type `{ty}`{}", did_you_mean(.nearest))]
    UnknownEdgeType {
        /// The name.
        ty: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// An end that no batch and no snapshot holds.
    #[error("edge `{ty}` from `{from}` to `{to}`: there is no node `{missing}`")]
    DanglingEnd {
        /// The edge type.
        ty: String,
        /// Start.
        from: NodeKey,
        /// End.
        to: NodeKey,
        /// Which of the two is missing.
        missing: NodeKey,
    },
    /// A property that the schema doesn't declare.
    #[error("unknown property `{prop}` on {on}{}", did_you_mean(.nearest))]
    UnknownProperty {
        /// The name.
        prop: String,
        /// The thing that carries it.
        on: String,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// A value of another type than declared.
    #[error("property `{prop}` on {on} is a {found}, declared is {expected}")]
    PropertyType {
        /// The name.
        prop: String,
        /// The thing that carries it.
        on: String,
        /// What was found.
        found: &'static str,
        /// What is declared.
        expected: &'static str,
    },
    /// One key with two node types.
    #[error("node `{key}` is seen as {first} and as {second}")]
    TypeConflict {
        /// The key.
        key: NodeKey,
        /// One type.
        first: NodeType,
        /// The other.
        second: NodeType,
    },
    /// A property that only enrichment sets.
    #[error("property `{prop}` on {on} is sv0's own: a source can't set it")]
    ReservedProperty {
        /// The name.
        prop: String,
        /// The thing that carries it.
        on: String,
    },
    /// An undeclared tag.
    #[error("undeclared tag `{tag}` on node `{key}`{}", did_you_mean(.nearest))]
    UnknownTag {
        /// The tag.
        tag: String,
        /// The node.
        key: NodeKey,
        /// The nearest names.
        nearest: Vec<String>,
    },
    /// A record index beyond the batch's records.
    #[error("{on} cites record {record}, the batch has {records}")]
    UnknownRecord {
        /// The thing that cites.
        on: String,
        /// The index.
        record: u32,
        /// How many there are.
        records: usize,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let names: Vec<String> = nearest.iter().map(|n| format!("`{n}`")).collect();
    format!("; did you mean {}?", names.join(" or "))
}

/// One problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong.
    pub problem: Problem,
    /// Where.
    pub place: Place,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.problem, self.place)
    }
}

/// All that is wrong with a set of batches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 50;
        write!(f, "{} problem{}", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        for v in self.0.iter().take(SHOWN) {
            write!(f, "\n  {v}")?;
        }
        if self.0.len() > SHOWN {
            write!(f, "\n  … and {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// Properties that come from annotations alone.
const RESERVED: &[&str] = &["classified", "gains", "gain_state"];

/// Which nodes and edges of the batches to leave out (lenient ingestion), and why.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub violations: Vec<Violation>,
    pub bad_nodes: std::collections::HashSet<(usize, usize)>,
    pub bad_edges: std::collections::HashSet<(usize, usize)>,
}

/// Checks batches that are to be staged together. `existing` tells the type of a node that is in the graph already.
pub(crate) fn check(
    schema: &Schema,
    batches: &[GraphBatch],
    existing: impl Fn(&NodeKey) -> Option<NodeType>,
) -> Checked {
    let mut out = Checked::default();
    let mut types: HashMap<&NodeKey, NodeType> = HashMap::new();
    for (b, batch) in batches.iter().enumerate() {
        for (n, node) in batch.nodes.iter().enumerate() {
            let before = out.violations.len();
            let place = || place(batch, &node.origins);
            let seen = types.get(&node.key).copied().or_else(|| existing(&node.key));
            match seen {
                Some(first) if first != node.ty => out.violations.push(Violation {
                    problem: Problem::TypeConflict { key: node.key.clone(), first, second: node.ty },
                    place: place(),
                }),
                _ => {
                    types.insert(&node.key, node.ty);
                }
            }
            let on = || format!("node `{}`", node.key);
            for (name, value) in &node.props {
                let declared = schema.node_prop(name).map(|p| &schema.node_properties()[usize::from(p.0)]);
                let names = schema.node_properties().iter().map(|p| p.name.as_str());
                if let Some(problem) = check_prop(name, value, declared, names, &on) {
                    out.violations.push(Violation { problem, place: place() });
                }
                if RESERVED.contains(&&**name) && !schema.is_open() {
                    let problem = Problem::ReservedProperty { prop: name.to_string(), on: on() };
                    out.violations.push(Violation { problem, place: place() });
                }
                if &**name == "tags" && !schema.is_open() {
                    for tag in value.as_list().iter().filter(|t| !schema.tags().iter().any(|d| **d == ***t)) {
                        let nearest = Schema::nearest(tag, schema.tags().iter().map(String::as_str));
                        let problem = Problem::UnknownTag { tag: tag.to_string(), key: node.key.clone(), nearest };
                        out.violations.push(Violation { problem, place: place() });
                    }
                }
            }
            check_origins(batch, &node.origins, &on, &mut out.violations);
            if out.violations.len() > before {
                out.bad_nodes.insert((b, n));
            }
        }
    }
    for (b, batch) in batches.iter().enumerate() {
        for (e, edge) in batch.edges.iter().enumerate() {
            let before = out.violations.len();
            let place = || place(batch, &edge.origins);
            let on = || format!("edge `{}` from `{}` to `{}`", edge.ty, edge.from, edge.to);
            match schema.edge_type_id(&edge.ty) {
                None => {
                    let nearest = Schema::nearest(&edge.ty, schema.edge_types().iter().map(|t| t.name.as_str()));
                    let problem = Problem::UnknownEdgeType { ty: edge.ty.to_string(), nearest };
                    out.violations.push(Violation { problem, place: place() });
                }
                Some(id) => {
                    let find = |k: &NodeKey| types.get(k).copied().or_else(|| existing(k));
                    let dangling = |missing: &NodeKey| Problem::DanglingEnd {
                        ty: edge.ty.to_string(),
                        from: edge.from.clone(),
                        to: edge.to.clone(),
                        missing: missing.clone(),
                    };
                    let ty = schema.edge_type(id);
                    match (find(&edge.from), find(&edge.to)) {
                        (Some(f), Some(t)) if ty.allows(f, t) => {}
                        (Some(f), Some(t)) => {
                            let problem = Problem::ForbiddenEdge {
                                ty: edge.ty.to_string(),
                                from: edge.from.clone(),
                                from_type: f,
                                to: edge.to.clone(),
                                to_type: t,
                                allowed: pairs_text(&ty.pairs),
                            };
                            out.violations.push(Violation { problem, place: place() });
                        }
                        (f, t) => {
                            if f.is_none() {
                                out.violations.push(Violation { problem: dangling(&edge.from), place: place() });
                            }
                            if t.is_none() && edge.to != edge.from {
                                out.violations.push(Violation { problem: dangling(&edge.to), place: place() });
                            }
                        }
                    }
                }
            }
            for (name, value) in &edge.props {
                let declared = schema.edge_prop(name).map(|p| &schema.edge_properties()[usize::from(p.0)]);
                let names = schema.edge_properties().iter().map(|p| p.name.as_str());
                if let Some(problem) = check_prop(name, value, declared, names, &on) {
                    out.violations.push(Violation { problem, place: place() });
                }
            }
            check_origins(batch, &edge.origins, &on, &mut out.violations);
            if out.violations.len() > before {
                out.bad_edges.insert((b, e));
            }
        }
    }
    out
}

/// The pairs in words, grouped by start.
#[must_use]
pub fn pairs_text(pairs: &[(NodeType, NodeType)]) -> String {
    pairs.iter().map(|(f, t)| format!("{f} → {t}")).collect::<Vec<_>>().join(", ")
}

fn place(batch: &GraphBatch, origins: &[Origin]) -> Place {
    let first = origins.first();
    Place {
        source: batch.source.to_string(),
        operation: first
            .and_then(|o| batch.records.get(o.record as usize))
            .map(|r| r.operation.clone())
            .unwrap_or_default(),
        pointer: first.map(|o| o.pointer.to_string()).unwrap_or_default(),
    }
}

fn check_prop<'a>(
    name: &str,
    value: &crate::value::Value,
    declared: Option<&crate::schema::Property>,
    names: impl Iterator<Item = &'a str>,
    on: &dyn Fn() -> String,
) -> Option<Problem> {
    match declared {
        None => {
            Some(Problem::UnknownProperty { prop: name.to_owned(), on: on(), nearest: Schema::nearest(name, names) })
        }
        Some(p) if !value.fits(p.ty) => Some(Problem::PropertyType {
            prop: name.to_owned(),
            on: on(),
            found: value.type_name(),
            expected: p.ty.name(),
        }),
        Some(_) => None,
    }
}

fn check_origins(batch: &GraphBatch, origins: &[Origin], on: &dyn Fn() -> String, out: &mut Vec<Violation>) {
    for o in origins.iter().filter(|o| o.record as usize >= batch.records.len()) {
        out.push(Violation {
            problem: Problem::UnknownRecord { on: on(), record: o.record, records: batch.records.len() },
            place: place(batch, origins),
        });
    }
}
