//! What connectors produce: nodes by key, edges by keys, the records that show them, and what was observed completely.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::key::NodeKey;
use crate::schema::NodeType;
use crate::value::Value;

/// On what an edge stands. Strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Evidence {
    /// An API field states it.
    #[default]
    Direct,
    /// Derived by parsing or joining.
    Structural,
    /// From activity.
    Temporal,
}

impl Evidence {
    /// All, strongest first.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Structural, Self::Temporal];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Structural => "structural",
            Self::Temporal => "temporal",
        }
    }

    /// By name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == s)
    }
}

/// Whether the authority holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum State {
    /// It holds.
    #[default]
    Unconditional,
    /// It holds if a residual condition does.
    Conditional,
    /// It would hold, but lacks a target today.
    Latent,
}

impl State {
    /// All, strongest first.
    pub const ALL: [Self; 3] = [Self::Unconditional, Self::Conditional, Self::Latent];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::Conditional => "conditional",
            Self::Latent => "latent",
        }
    }

    /// By name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == s)
    }
}

/// One API response page that was read (its allowlisted form's hash, and where it came from).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct SourceRecord {
    /// SHA-256 of the kept page, lower-case hex.
    pub sha256: String,
    /// SHA-256 of the input file that it came from.
    #[serde(default)]
    pub file_sha256: String,
    /// The connector that read it.
    pub connector: String,
    /// The operation, e.g. `GET /servicePrincipals`.
    pub operation: String,
    /// The call's parameters, canonical JSON.
    #[serde(default)]
    pub params: String,
    /// Account, tenant, subscription or instance.
    #[serde(default)]
    pub account: String,
    /// Region, if it has one.
    #[serde(default)]
    pub region: String,
    /// When the page was fetched, RFC 3339; empty if the input doesn't say.
    #[serde(default)]
    pub fetched_at: String,
}

/// Where in a record something was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Index into the batch's records.
    pub record: u32,
    /// JSON pointer.
    pub pointer: Arc<str>,
}

/// A node as a connector saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeInput {
    /// Its key.
    pub key: NodeKey,
    /// Its type.
    pub ty: NodeType,
    /// Properties by name.
    pub props: Vec<(Arc<str>, Value)>,
    /// Where it was found.
    pub origins: Vec<Origin>,
}

impl NodeInput {
    /// A node with its kind.
    #[must_use]
    pub fn new(key: NodeKey, ty: NodeType, kind: &str) -> Self {
        Self { key, ty, props: vec![("kind".into(), Value::str(kind))], origins: Vec::new() }
    }

    /// Sets a property (nulls are left out).
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        if !value.is_null() {
            self.props.push((name.into(), value));
        }
        self
    }

    /// Says where it was found.
    #[must_use]
    pub fn at(mut self, record: u32, pointer: impl Into<Arc<str>>) -> Self {
        self.origins.push(Origin { record, pointer: pointer.into() });
        self
    }
}

/// An edge as a connector saw it. Its identity is (type, from, to, key).
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeInput {
    /// The edge type's name.
    pub ty: Arc<str>,
    /// Where it starts.
    pub from: NodeKey,
    /// Where it ends.
    pub to: NodeKey,
    /// Tells parallel edges of one type apart.
    pub key: Arc<str>,
    /// On what it stands.
    pub evidence: Evidence,
    /// Whether it holds now.
    pub state: State,
    /// The residual condition of a conditional edge.
    pub condition: Option<Arc<str>>,
    /// Properties by name.
    pub props: Vec<(Arc<str>, Value)>,
    /// Where it was found.
    pub origins: Vec<Origin>,
}

impl EdgeInput {
    /// A direct, unconditional edge.
    #[must_use]
    pub fn new(ty: &str, from: NodeKey, to: NodeKey) -> Self {
        Self {
            ty: ty.into(),
            from,
            to,
            key: "".into(),
            evidence: Evidence::Direct,
            state: State::Unconditional,
            condition: None,
            props: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Sets a property (nulls are left out).
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        if !value.is_null() {
            self.props.push((name.into(), value));
        }
        self
    }

    /// Says where it was found.
    #[must_use]
    pub fn at(mut self, record: u32, pointer: impl Into<Arc<str>>) -> Self {
        self.origins.push(Origin { record, pointer: pointer.into() });
        self
    }
}

/// What a batch observed completely: what its source held of these types before and isn't in the batch was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Node types (with the edges that start at them).
    pub types: Vec<NodeType>,
    /// The scope's name as the connector says it, e.g. `tenant`.
    pub scope: String,
    /// The id, in the same source, of the container that was observed completely (what it held, however deep, is the
    /// scope); `None`: the whole source. A container that the graph doesn't know yet held nothing.
    pub within: Option<Arc<str>>,
}

/// The one way into the store.
#[derive(Debug, Clone, Default)]
pub struct GraphBatch {
    /// The source, e.g. `entra:acme`. Every node's key names its own source; edges belong to the batch's source.
    pub source: Arc<str>,
    /// The platform's name, for reports.
    pub system: Arc<str>,
    /// When the source was observed, microseconds since 1970, UTC.
    pub observed_at: i64,
    /// What was observed completely.
    pub complete: Vec<Scope>,
    /// The pages.
    pub records: Vec<SourceRecord>,
    /// Pages to keep in the store, by the index of their record: their allowlisted form, up to 64 MiB each. A record whose
    /// page stays in its archive has none here, and is kept as a hash.
    pub pages: BTreeMap<u32, Arc<str>>,
    /// The nodes.
    pub nodes: Vec<NodeInput>,
    /// The edges.
    pub edges: Vec<EdgeInput>,
    /// How many things that don't authenticate the legacy classification called identities.
    pub legacy_identities: u64,
    /// What enrichment sets on nodes of other sources; kept apart from what they said of themselves, and replaced whole
    /// by the next batch that has `annotations`.
    pub annotations: Option<Vec<Annotation>>,
}

/// A property that enrichment sets on a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// The node.
    pub node: NodeKey,
    /// The property; `tags` adds to the node's own.
    pub prop: Arc<str>,
    /// Its value.
    pub value: Value,
    /// What decided it: the line of a classification pack, a derivation.
    pub by: Arc<str>,
}

impl GraphBatch {
    /// An empty batch of `source`, observed at `observed_at` (microseconds since 1970, UTC).
    pub fn new(source: impl Into<Arc<str>>, observed_at: i64) -> Self {
        Self { source: source.into(), observed_at, ..Self::default() }
    }
}
