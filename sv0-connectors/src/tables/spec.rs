//! The schema file: what the key columns are called, what the other columns mean, and what the schema lacks (TOML).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sv0_graph::schema::{EdgeType, Property};
use sv0_graph::{EdgeClass, Flow, NodeType, PropType, Schema, TypeGroup};

use super::columns::near;
use super::discover::node_type;
use super::{CONDITION, EVIDENCE, KEY, STATE, TablesError};

/// A schema file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Spec {
    pub(super) keys: Keys,
    pub(super) node_columns: BTreeMap<String, ColumnSpec>,
    pub(super) edge_columns: BTreeMap<String, ColumnSpec>,
    edge_types: BTreeMap<String, EdgeTypeSpec>,
    kinds: BTreeMap<String, Vec<String>>,
    groups: BTreeMap<String, Vec<String>>,
    tags: Vec<String>,
}

/// The key columns' names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keys {
    /// A node's id.
    pub(super) node: String,
    /// The id of the node that an edge starts at.
    pub(super) from: String,
    /// The id of the node that an edge ends at.
    pub(super) to: String,
    /// What tells parallel edges apart; a table may lack it.
    pub(super) edge: String,
}

impl Default for Keys {
    fn default() -> Self {
        Self { node: "id".to_owned(), from: "src_id".to_owned(), to: "dst_id".to_owned(), edge: "key".to_owned() }
    }
}

/// What a column means.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ColumnSpec {
    ignore: bool,
    #[serde(rename = "as")]
    part: Option<Part>,
    #[serde(rename = "type")]
    ty: Option<Type>,
    property: Option<String>,
    unit: Option<Unit>,
    separator: Option<String>,
    doc: Option<String>,
}

/// A fixed part of an edge.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Evidence,
    State,
    Condition,
    Key,
}

/// A property's type, as the schema file writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Int,
    Float,
    Bool,
    String,
    Timestamp,
    List,
}

impl From<Type> for PropType {
    fn from(t: Type) -> Self {
        match t {
            Type::Int => Self::Int,
            Type::Float => Self::Float,
            Type::Bool => Self::Bool,
            Type::String => Self::Str,
            Type::Timestamp => Self::Timestamp,
            Type::List => Self::StrList,
        }
    }
}

/// How a column writes timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    /// Seconds since 1970.
    S,
    /// Milliseconds since 1970.
    Ms,
    /// Microseconds since 1970.
    Us,
    /// Text, as in `2026-01-31T12:00:00Z`.
    Rfc3339,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeTypeSpec {
    class: Option<EdgeClass>,
    flow: Option<Flow>,
    #[serde(default)]
    pairs: Vec<(String, String)>,
    #[serde(default)]
    doc: String,
}

/// What a declared column becomes.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    /// Nothing: it isn't read.
    Ignored,
    /// A fixed part of an edge, by the name of its column.
    Part(&'static str),
    /// A property.
    Property {
        /// Its name.
        name: String,
        /// How timestamps are written, if that is said.
        unit: Option<Unit>,
        /// What stands between a list's items in one cell.
        separator: Option<String>,
    },
}

/// Reads a schema file.
pub(super) fn read(path: &Path) -> Result<Spec, TablesError> {
    let text = std::fs::read_to_string(path).map_err(TablesError::io(path))?;
    toml::from_str(&text).map_err(|e| TablesError::file(path, e.to_string().trim_end()))
}

impl ColumnSpec {
    /// What the column called `column` becomes.
    pub(super) fn meaning(&self, column: &str) -> Meaning {
        if self.ignore {
            return Meaning::Ignored;
        }
        match self.part {
            Some(Part::Evidence) => Meaning::Part(EVIDENCE),
            Some(Part::State) => Meaning::Part(STATE),
            Some(Part::Condition) => Meaning::Part(CONDITION),
            Some(Part::Key) => Meaning::Part(KEY),
            None => Meaning::Property {
                name: self.property.clone().unwrap_or_else(|| column.to_owned()),
                unit: self.unit,
                separator: self.separator.clone(),
            },
        }
    }

    /// The property to declare, if it declares one; `have` is the type of the property in the schema. Fails where the
    /// entry contradicts itself or the schema.
    fn declares(
        &self,
        table: &str,
        column: &str,
        have: impl Fn(&str) -> Option<PropType>,
    ) -> Result<Option<Property>, String> {
        let wrong = |why: String| format!("[{table}.{column}]: {why}");
        let says = self.ty.is_some() || self.property.is_some() || self.unit.is_some() || self.separator.is_some();
        if self.ignore && (says || self.part.is_some()) {
            return Err(wrong("`ignore = true` stands alone".to_owned()));
        }
        if self.part.is_some() && table == "node_columns" {
            return Err(wrong("`as` is for [edge_columns]; a node has no fixed parts but its key".to_owned()));
        }
        if self.part.is_some() && says {
            return Err(wrong("`as` stands alone: evidence, state, condition and key are texts".to_owned()));
        }
        if self.ignore || self.part.is_some() {
            return Ok(None);
        }
        let name = self.property.as_deref().unwrap_or(column);
        if name.is_empty() || name.starts_with(':') {
            return Err(wrong(format!("`{name}` can't be a property's name")));
        }
        let said = self.ty.map(PropType::from);
        let ty = match (said, have(name)) {
            (Some(t), Some(h)) if t != h => {
                return Err(wrong(format!(
                    "property `{name}` is {}, not {}; leave `type` out, or give the column another `property`",
                    h.name(),
                    t.name()
                )));
            }
            (Some(t), _) | (None, Some(t)) => t,
            (None, None) => {
                return Err(wrong(format!(
                    "`{name}` isn't in the schema, so it needs `type` (int, float, bool, string, timestamp, list), or \
                     `ignore = true`"
                )));
            }
        };
        if self.unit.is_some() && ty != PropType::Timestamp {
            return Err(wrong(format!("`unit` is for timestamps, and property `{name}` is {}", ty.name())));
        }
        if self.separator.is_some() && ty != PropType::StrList {
            return Err(wrong(format!("`separator` is for lists, and property `{name}` is {}", ty.name())));
        }
        if self.separator.as_deref() == Some("") {
            return Err(wrong("`separator` is empty".to_owned()));
        }
        Ok(Some(Property { name: name.to_owned(), ty, doc: self.doc.clone().unwrap_or_default() }))
    }
}

impl Spec {
    /// Adds to the schema what the file declares.
    pub(super) fn extend(&self, schema: &mut Schema) -> Result<(), String> {
        self.check_keys()?;
        for (name, column) in &self.node_columns {
            let have = |p: &str| {
                schema.node_prop(p).and_then(|id| schema.node_properties().get(usize::from(id.0))).map(|p| p.ty)
            };
            if let Some(p) = column.declares("node_columns", name, have)? {
                schema
                    .add_node_property(p)
                    .map_err(|t| format!("[node_columns.{name}]: the property is {}", t.name()))?;
            }
        }
        for (name, column) in &self.edge_columns {
            let have = |p: &str| {
                schema.edge_prop(p).and_then(|id| schema.edge_properties().get(usize::from(id.0))).map(|p| p.ty)
            };
            if let Some(p) = column.declares("edge_columns", name, have)? {
                schema
                    .add_edge_property(p)
                    .map_err(|t| format!("[edge_columns.{name}]: the property is {}", t.name()))?;
            }
        }
        for (name, ty) in &self.edge_types {
            add_edge_type(schema, name, ty).map_err(|why| format!("[edge_types.{name}]: {why}"))?;
        }
        for (ty, kinds) in &self.kinds {
            let ty = node_type(ty).map_err(|why| format!("[kinds]: {why}"))?;
            kinds.iter().for_each(|k| schema.add_kind(ty, k));
        }
        self.tags.iter().for_each(|t| schema.add_tag(t));
        for (name, members) in &self.groups {
            add_group(schema, name, members).map_err(|why| format!("[groups] {name}: {why}"))?;
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), String> {
        let k = &self.keys;
        if [&k.node, &k.from, &k.to, &k.edge].iter().any(|n| n.is_empty()) {
            return Err("[keys]: a column's name is empty".to_owned());
        }
        if k.from == k.to || k.from == k.edge || k.to == k.edge {
            return Err("[keys]: `from`, `to` and `edge` are three columns".to_owned());
        }
        let twice = |table: &str, key: &str| format!("[{table}.{key}]: `{key}` is a key column already, by [keys]");
        if self.node_columns.contains_key(&k.node) {
            return Err(twice("node_columns", &k.node));
        }
        match [&k.from, &k.to].into_iter().find(|n| self.edge_columns.contains_key(*n)) {
            Some(n) => Err(twice("edge_columns", n)),
            None => Ok(()),
        }
    }
}

fn add_edge_type(schema: &mut Schema, name: &str, ty: &EdgeTypeSpec) -> Result<(), String> {
    let pairs: Vec<(NodeType, NodeType)> =
        ty.pairs.iter().map(|(a, b)| Ok((node_type(a)?, node_type(b)?))).collect::<Result<_, String>>()?;
    let (class, flow) = match schema.edge_type_id(name).map(|id| schema.edge_type(id)) {
        Some(have) => {
            if ty.class.is_some_and(|c| c != have.class) || ty.flow.is_some_and(|f| f != have.flow) {
                return Err(format!(
                    "it is in the schema already, of class {}, and stays so; leave `class` and `flow` out, or give it \
                     another name",
                    have.class.name()
                ));
            }
            (have.class, have.flow)
        }
        None => {
            let classes = EdgeClass::ALL.map(EdgeClass::name).join(", ");
            let class = ty.class.ok_or_else(|| format!("a new edge type needs `class` ({classes})"))?;
            if pairs.is_empty() {
                return Err("a new edge type needs `pairs`, as in `pairs = [[\"identity\", \"role\"]]`".to_owned());
            }
            (class, ty.flow.unwrap_or(Flow::Forward))
        }
    };
    schema.add_edge_type(EdgeType { name: name.to_owned(), class, flow, pairs, doc: ty.doc.clone() });
    Ok(())
}

fn add_group(schema: &mut Schema, name: &str, members: &[String]) -> Result<(), String> {
    if EdgeClass::ALL.iter().any(|c| c.name() == name) || schema.edge_type_id(name).is_some() {
        return Err("an edge class or an edge type has this name already".to_owned());
    }
    let types = members
        .iter()
        .map(|m| {
            schema.edge_type_id(m).ok_or_else(|| {
                let near = near(m, schema.edge_types().iter().map(|t| t.name.as_str()));
                format!("edge type `{m}` isn't in the schema{near}; declare it under [edge_types.{m}]")
            })
        })
        .collect::<Result<_, String>>()?;
    schema.add_group(TypeGroup { name: name.to_owned(), types });
    Ok(())
}
