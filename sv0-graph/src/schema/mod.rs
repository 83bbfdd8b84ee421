//! The schema as data: node types, edge types with their class, flow and allowed pairs, typed properties, tags.
//!
//! The canonical catalogue stands in `canonical.rs`; a product that embeds sv0 may add edge types and properties of
//! its own. The nine node types are closed (ADR-006).

mod canonical;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The nine node types, decided by what a thing does.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum NodeType {
    /// Authenticates: a non-human identity.
    Identity,
    /// Executes logic, doesn't itself authenticate.
    Automation,
    /// Says where data or trust goes.
    Connection,
    /// Authentication material.
    Credential,
    /// A person or team that answers for things.
    Owner,
    /// A named bundle of authority, or a group that holds grants.
    Role,
    /// One grant or statement.
    Permission,
    /// What is acted on, and what contains it.
    Resource,
    /// Something happened.
    ExecutionEvidence,
}

impl NodeType {
    /// All nine, in their stored order.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Automation,
        Self::Connection,
        Self::Credential,
        Self::Owner,
        Self::Role,
        Self::Permission,
        Self::Resource,
        Self::ExecutionEvidence,
    ];

    /// The type's name as it stands in files and queries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Automation => "automation",
            Self::Connection => "connection",
            Self::Credential => "credential",
            Self::Owner => "owner",
            Self::Role => "role",
            Self::Permission => "permission",
            Self::Resource => "resource",
            Self::ExecutionEvidence => "execution_evidence",
        }
    }

    /// What the type is, in a phrase.
    #[must_use]
    pub fn doc(self) -> &'static str {
        match self {
            Self::Identity => "authenticates; a non-human identity (the NHI count counts these and nothing else)",
            Self::Automation => "executes logic, doesn't itself authenticate",
            Self::Connection => "says where data or trust goes; neither authenticates nor executes nor holds a secret",
            Self::Credential => "authentication material",
            Self::Owner => "a person or team that answers for things (the contract's human_identity)",
            Self::Role => "a named bundle of authority, or a group that holds grants",
            Self::Permission => "one grant or statement, with its effect and conditions kept together",
            Self::Resource => "what is acted on, and what contains it",
            Self::ExecutionEvidence => "something happened, aggregated; or what was collected (coverage)",
        }
    }

    /// The type with this stored number.
    #[must_use]
    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.get(usize::from(n)).copied()
    }

    /// The type's bit in a set of types.
    #[must_use]
    pub fn bit(self) -> u16 {
        1 << (self as u8)
    }
}

impl fmt::Display for NodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NodeType {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|t| t.name() == s).ok_or(())
    }
}

/// What an edge means for authority.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum EdgeClass {
    /// Whoever controls the start can act through to the end.
    Authority,
    /// A grant at the start covers the end.
    Hierarchy,
    /// No authority flows.
    Reference,
    /// Who answers for it, what guards it.
    Governance,
    /// It acted.
    Evidence,
    /// Derived: authority that can be gained.
    Escalation,
}

impl EdgeClass {
    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Authority, Self::Hierarchy, Self::Reference, Self::Governance, Self::Evidence, Self::Escalation];

    /// The class's name, which is also the type group's name in queries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Hierarchy => "hierarchy",
            Self::Reference => "reference",
            Self::Governance => "governance",
            Self::Evidence => "evidence",
            Self::Escalation => "escalation",
        }
    }
}

/// The direction in which authority flows, relative to the stored edge.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Along the edge.
    Forward,
    /// Against the edge.
    Backward,
    /// Both ways.
    Both,
}

/// A property's type.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PropType {
    /// true or false
    Bool,
    /// 64-bit integer
    Int,
    /// 64-bit float
    Float,
    /// text
    Str,
    /// microseconds since 1970, UTC
    Timestamp,
    /// list of texts
    StrList,
    /// any value, kept as JSON text (open schemas)
    Any,
}

impl PropType {
    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Str => "string",
            Self::Timestamp => "timestamp",
            Self::StrList => "list of strings",
            Self::Any => "any",
        }
    }
}

/// The version that an open schema states.
const OPEN: &str = "open";
/// The column of an open schema that holds a node's labels. No property of a user's has a colon in its name.
const LABELS: &str = ":labels";

/// Index of an edge type in its schema.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
pub struct EdgeTypeId(pub u16);

/// Index of a property in its schema (nodes and edges have lists of their own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropId(pub u16);

/// An edge type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct EdgeType {
    /// Its name, e.g. `RUNS_AS`.
    pub name: String,
    /// Its class.
    pub class: EdgeClass,
    /// Where authority flows.
    pub flow: Flow,
    /// The allowed (from, to) pairs.
    pub pairs: Vec<(NodeType, NodeType)>,
    /// What it says.
    pub doc: String,
}

impl EdgeType {
    /// Whether an edge of this type may go from `from` to `to`.
    #[must_use]
    pub fn allows(&self, from: NodeType, to: NodeType) -> bool {
        self.pairs.contains(&(from, to))
    }
}

/// A typed property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: PropType,
    /// What it says.
    pub doc: String,
}

/// The catalogue that a store is made with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "SchemaData", into = "SchemaData")]
pub struct Schema {
    data: SchemaData,
    edge_index: HashMap<String, EdgeTypeId>,
    node_props: HashMap<String, PropId>,
    edge_props: HashMap<String, PropId>,
}

#[derive(Debug, Clone, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct SchemaData {
    version: String,
    edge_types: Vec<EdgeType>,
    node_properties: Vec<Property>,
    edge_properties: Vec<Property>,
    tags: Vec<String>,
    kinds: Vec<(NodeType, Vec<String>)>,
    #[serde(default)]
    groups: Vec<TypeGroup>,
}

/// A named set of edge types, for queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct TypeGroup {
    /// Its name, e.g. `auth`.
    pub name: String,
    /// Its members.
    pub types: Vec<EdgeTypeId>,
}

impl From<SchemaData> for Schema {
    fn from(data: SchemaData) -> Self {
        let index = |props: &[Property]| -> HashMap<String, PropId> {
            props.iter().zip(0u16..).map(|(p, i)| (p.name.clone(), PropId(i))).collect()
        };
        Self {
            edge_index: data.edge_types.iter().zip(0u16..).map(|(e, i)| (e.name.clone(), EdgeTypeId(i))).collect(),
            node_props: index(&data.node_properties),
            edge_props: index(&data.edge_properties),
            data,
        }
    }
}

impl From<Schema> for SchemaData {
    fn from(s: Schema) -> Self {
        s.data
    }
}

impl Schema {
    /// The canonical NormalizedGraph schema.
    #[must_use]
    pub fn canonical() -> Self {
        canonical::schema().into()
    }

    /// The schema's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.data.version
    }

    /// All edge types, by id.
    #[must_use]
    pub fn edge_types(&self) -> &[EdgeType] {
        &self.data.edge_types
    }

    /// The ids of all edge types.
    pub fn edge_type_ids(&self) -> impl Iterator<Item = EdgeTypeId> + use<> {
        (0..u16::try_from(self.data.edge_types.len()).unwrap_or(u16::MAX)).map(EdgeTypeId)
    }

    /// One edge type.
    ///
    /// # Panics
    /// Never for an id that this schema gave out; an id of another schema answers with the first type.
    #[must_use]
    pub fn edge_type(&self, id: EdgeTypeId) -> &EdgeType {
        &self.data.edge_types[usize::from(id.0).min(self.data.edge_types.len() - 1)]
    }

    /// The edge type of this name.
    #[must_use]
    pub fn edge_type_id(&self, name: &str) -> Option<EdgeTypeId> {
        self.edge_index.get(name).copied()
    }

    /// The node properties, by id.
    #[must_use]
    pub fn node_properties(&self) -> &[Property] {
        &self.data.node_properties
    }

    /// The edge properties, by id.
    #[must_use]
    pub fn edge_properties(&self) -> &[Property] {
        &self.data.edge_properties
    }

    /// The node property of this name.
    #[must_use]
    pub fn node_prop(&self, name: &str) -> Option<PropId> {
        self.node_props.get(name).copied()
    }

    /// The edge property of this name.
    #[must_use]
    pub fn edge_prop(&self, name: &str) -> Option<PropId> {
        self.edge_props.get(name).copied()
    }

    /// The declared tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.data.tags
    }

    /// The known kinds by node type (an open vocabulary; these complete names and catch typing errors in queries).
    #[must_use]
    pub fn kinds(&self) -> &[(NodeType, Vec<String>)] {
        &self.data.kinds
    }

    /// Adds an edge type; an existing name is replaced by a type with the union of the pairs.
    pub fn add_edge_type(&mut self, mut ty: EdgeType) -> EdgeTypeId {
        if let Some(&id) = self.edge_index.get(&ty.name) {
            let old = &mut self.data.edge_types[usize::from(id.0)];
            ty.pairs.retain(|p| !old.pairs.contains(p));
            old.pairs.append(&mut ty.pairs);
            return id;
        }
        let id = EdgeTypeId(u16::try_from(self.data.edge_types.len()).unwrap_or(u16::MAX));
        self.edge_index.insert(ty.name.clone(), id);
        self.data.edge_types.push(ty);
        id
    }

    /// Declares a node property; an existing name keeps its number and must have the same type.
    ///
    /// # Errors
    /// The type that the name has already, if it is another.
    pub fn add_node_property(&mut self, p: Property) -> Result<PropId, PropType> {
        add_property(&mut self.data.node_properties, &mut self.node_props, p)
    }

    /// Declares an edge property; an existing name keeps its number and must have the same type.
    ///
    /// # Errors
    /// The type that the name has already, if it is another.
    pub fn add_edge_property(&mut self, p: Property) -> Result<PropId, PropType> {
        add_property(&mut self.data.edge_properties, &mut self.edge_props, p)
    }

    /// Declares a kind of a node type.
    pub fn add_kind(&mut self, ty: NodeType, kind: &str) {
        let list = match self.data.kinds.iter_mut().find(|(t, _)| *t == ty) {
            Some((_, list)) => list,
            None => {
                self.data.kinds.push((ty, Vec::new()));
                match self.data.kinds.last_mut() {
                    Some((_, list)) => list,
                    None => return,
                }
            }
        };
        if !list.iter().any(|k| k == kind) {
            list.push(kind.to_owned());
        }
    }

    /// Declares a tag.
    pub fn add_tag(&mut self, tag: &str) {
        if !self.data.tags.iter().any(|t| t == tag) {
            self.data.tags.push(tag.to_owned());
        }
    }

    /// Declares a named set of edge types; an existing name is replaced.
    pub fn add_group(&mut self, group: TypeGroup) {
        self.data.groups.retain(|g| g.name != group.name);
        self.data.groups.push(group);
    }

    /// The named sets of edge types.
    #[must_use]
    pub fn groups(&self) -> &[TypeGroup] {
        &self.data.groups
    }

    /// The nine node types with a `kind`, and nothing else: for a product that declares all of its own.
    #[must_use]
    pub fn bare() -> Self {
        let mut s = Self::empty();
        let kind = Property { name: "kind".to_owned(), ty: PropType::Str, doc: "what it is".to_owned() };
        // The name is new.
        let _ = s.add_node_property(kind);
        s
    }

    /// A permissive schema, for graphs that somebody wrote down to try something out: a node carries any labels, several or
    /// none, properties hold values of any kind, edge types and properties are whatever the graph has. All nodes are of one
    /// type.
    #[must_use]
    pub fn open() -> Self {
        let mut s = Self::empty();
        OPEN.clone_into(&mut s.data.version);
        let labels = Property { name: LABELS.to_owned(), ty: PropType::StrList, doc: "the labels".to_owned() };
        // The name is new.
        let _ = s.add_node_property(labels);
        s
    }

    /// Whether this is an open schema ([`Schema::open`]).
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.data.version == OPEN
    }

    /// The list property that holds a node's labels beside its type and kind: `tags`, or an open schema's own.
    #[must_use]
    pub fn labels_column(&self) -> &'static str {
        if self.is_open() { LABELS } else { "tags" }
    }

    /// Whether everything of `other` is in here, with the same numbers: what a store of `other` holds can be read.
    #[must_use]
    pub fn extends(&self, other: &Self) -> bool {
        let (a, b) = (&self.data, &other.data);
        let types = b.edge_types.iter().zip(&a.edge_types).all(|(o, n)| {
            (&o.name, o.class, o.flow) == (&n.name, n.class, n.flow) && o.pairs.iter().all(|p| n.pairs.contains(p))
        });
        let props = |old: &[Property], new: &[Property]| {
            old.len() <= new.len() && old.iter().zip(new).all(|(o, n)| (&o.name, o.ty) == (&n.name, n.ty))
        };
        types
            && b.edge_types.len() <= a.edge_types.len()
            && props(&b.node_properties, &a.node_properties)
            && props(&b.edge_properties, &a.edge_properties)
            && b.tags.iter().all(|t| a.tags.contains(t))
    }

    /// No types and no properties.
    pub(crate) fn empty() -> Self {
        SchemaData {
            version: String::new(),
            edge_types: Vec::new(),
            node_properties: Vec::new(),
            edge_properties: Vec::new(),
            tags: Vec::new(),
            kinds: Vec::new(),
            groups: Vec::new(),
        }
        .into()
    }

    /// As it is stored: an rkyv archive of flat lists.
    pub(crate) fn to_archive(&self) -> Vec<u8> {
        rkyv::to_bytes::<rkyv::rancor::Error>(&self.data).map(|v| v.to_vec()).unwrap_or_default()
    }

    /// Reads an archive, checked; `None` where it isn't a schema that a store can have.
    pub(crate) fn from_archive(bytes: &[u8]) -> Option<Self> {
        let mut aligned = rkyv::util::AlignedVec::<16>::new();
        aligned.extend_from_slice(bytes);
        let data = rkyv::from_bytes::<SchemaData, rkyv::rancor::Error>(&aligned).ok()?;
        // Numbers from 0xfff0 on are the store's own columns.
        let fits = |n: usize| n < 0xfff0;
        let whole = fits(data.edge_types.len())
            && fits(data.node_properties.len())
            && fits(data.edge_properties.len())
            && data.groups.iter().flat_map(|g| &g.types).all(|t| usize::from(t.0) < data.edge_types.len());
        let schema = Self::from(data);
        (whole && (schema.is_open() || schema.node_prop("kind").is_some())).then_some(schema)
    }

    /// The names nearest to `name` among `among`, best first, at most three.
    pub fn nearest<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let lower = name.to_lowercase();
        let mut scored: Vec<(f64, &str)> = among
            .into_iter()
            .map(|c| {
                let cl = c.to_lowercase();
                let mut s = strsim::jaro_winkler(&lower, &cl);
                if cl.contains(&lower) || lower.contains(&cl) {
                    s = s.max(0.85);
                }
                (s, c)
            })
            .filter(|(s, _)| *s > 0.75)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        scored.dedup_by(|a, b| a.1 == b.1);
        scored.into_iter().take(3).map(|(_, c)| c.to_owned()).collect()
    }
}

fn add_property(
    list: &mut Vec<Property>,
    index: &mut HashMap<String, PropId>,
    p: Property,
) -> Result<PropId, PropType> {
    if let Some(&id) = index.get(&p.name) {
        let have = list.get(usize::from(id.0)).map_or(p.ty, |q| q.ty);
        return if have == p.ty { Ok(id) } else { Err(have) };
    }
    let id = PropId(u16::try_from(list.len()).unwrap_or(u16::MAX));
    index.insert(p.name.clone(), id);
    list.push(p);
    Ok(id)
}
