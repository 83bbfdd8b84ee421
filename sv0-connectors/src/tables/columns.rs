//! What each column of a file becomes: a key, a property, a fixed part of an edge, or nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sv0_graph::schema::Property;
use sv0_graph::{PropType, Schema};

use super::KEY;
use super::spec::{ColumnSpec, Meaning, Spec, Unit};

/// ` (near: a, b)`, or nothing.
pub(super) fn near<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> String {
    match Schema::nearest(name, among) {
        n if n.is_empty() => String::new(),
        n => format!(" (near: {})", n.join(", ")),
    }
}

/// What a column's cells become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Float,
    Str,
    /// Written so; `None`: not said, which does for texts and for typed timestamps.
    Timestamp(Option<Unit>),
    /// With this between the items of a cell; `None`: not said.
    List(Option<String>),
}

/// What one column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The key column of this number.
    Key(usize),
    /// The column of this number in the slices.
    Value(usize),
    /// It isn't read.
    Ignored,
}

/// A column of the slices.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Its name in the file.
    pub(super) source: String,
    /// The property's name in the schema, or of an edge's fixed part.
    pub(super) name: Arc<str>,
    /// What its cells become.
    pub(super) kind: Kind,
}

/// What all columns of a file become.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The key columns' names in the file.
    pub(super) keys: Vec<String>,
    /// One a column of the file.
    pub(super) targets: Vec<Target>,
    /// The columns of the slices.
    pub(super) columns: Vec<Wanted>,
}

enum Resolved {
    Key(usize),
    Value(Arc<str>, Kind),
    Ignored,
}

/// What columns of node tables, or of edge tables, may be.
#[derive(Debug)]
pub(super) struct Rules {
    edges: bool,
    keys: Vec<String>,
    edge_key: Option<String>,
    declared: BTreeMap<String, ColumnSpec>,
    properties: HashMap<String, PropType>,
}

impl Rules {
    /// For node tables.
    pub(super) fn nodes(spec: &Spec, schema: &Schema) -> Self {
        Self {
            edges: false,
            keys: vec![spec.keys.node.clone()],
            edge_key: None,
            declared: spec.node_columns.clone(),
            properties: types(schema.node_properties()),
        }
    }

    /// For edge tables.
    pub(super) fn edges(spec: &Spec, schema: &Schema) -> Self {
        Self {
            edges: true,
            keys: vec![spec.keys.from.clone(), spec.keys.to.clone()],
            edge_key: Some(spec.keys.edge.clone()),
            declared: spec.edge_columns.clone(),
            properties: types(schema.edge_properties()),
        }
    }

    /// The names of the key columns.
    pub(super) fn key_names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    fn table(&self) -> &'static str {
        if self.edges { "edge_columns" } else { "node_columns" }
    }

    /// What a file with these columns gives; or what is wrong with them, all at once.
    pub(super) fn layout<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Layout, String> {
        let mut layout = Layout { keys: self.keys.clone(), targets: Vec::new(), columns: Vec::new() };
        let mut wrong = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            if seen.contains(&name) {
                wrong.push(format!("column `{name}` stands twice"));
                continue;
            }
            seen.push(name);
            match self.resolve(name) {
                Ok(Resolved::Key(i)) => layout.targets.push(Target::Key(i)),
                Ok(Resolved::Ignored) => layout.targets.push(Target::Ignored),
                Ok(Resolved::Value(property, kind)) => {
                    if let Some(other) = layout.columns.iter().find(|c| c.name == property) {
                        wrong.push(format!("columns `{}` and `{name}` both give `{property}`", other.source));
                        continue;
                    }
                    layout.targets.push(Target::Value(layout.columns.len()));
                    layout.columns.push(Wanted { source: name.to_owned(), name: property, kind });
                }
                Err(why) => wrong.push(why),
            }
        }
        for (key, says) in self.keys.iter().zip(if self.edges { ["from", "to"] } else { ["node", ""] }) {
            if !seen.contains(&key.as_str()) {
                wrong.push(format!(
                    "no column `{key}`, the key; if another column is it, write in the schema file: `[keys]` with `{says} = \
                     \"…\"` (the columns are {})",
                    seen.join(", ")
                ));
            }
        }
        if wrong.is_empty() { Ok(layout) } else { Err(wrong.join("; ")) }
    }

    /// Whether a file may have this column.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        self.resolve(name).map(drop)
    }

    fn resolve(&self, name: &str) -> Result<Resolved, String> {
        if let Some(i) = self.keys.iter().position(|k| k == name) {
            return Ok(Resolved::Key(i));
        }
        let (property, unit, separator) = match self.declared.get(name).map(|c| c.meaning(name)) {
            Some(Meaning::Ignored) => return Ok(Resolved::Ignored),
            Some(Meaning::Part(part)) => return Ok(Resolved::Value(part.into(), Kind::Str)),
            Some(Meaning::Property { name, unit, separator }) => (name, unit, separator),
            None if self.edge_key.as_deref() == Some(name) => return Ok(Resolved::Value(KEY.into(), Kind::Str)),
            None => (name.to_owned(), None, None),
        };
        let Some(ty) = self.properties.get(&property) else { return Err(self.unknown(name)) };
        let kind = match ty {
            PropType::Bool => Kind::Bool,
            PropType::Int => Kind::Int,
            PropType::Float => Kind::Float,
            PropType::Str | PropType::Any => Kind::Str,
            PropType::Timestamp => Kind::Timestamp(unit),
            PropType::StrList => Kind::List(separator),
        };
        Ok(Resolved::Value(property.into(), kind))
    }

    fn unknown(&self, name: &str) -> String {
        let what = if self.edges { "an edge" } else { "a node" };
        let mut names: Vec<&str> =
            self.properties.keys().map(String::as_str).chain(self.keys.iter().map(String::as_str)).collect();
        names.sort_unstable();
        let part = match name {
            "evidence" | "evidence_kind" if self.edges => ", or `as = \"evidence\"`",
            "state" if self.edges => ", or `as = \"state\"`",
            "condition" if self.edges => ", or `as = \"condition\"`",
            _ => "",
        };
        format!(
            "column `{name}` isn't {what} property{}; write in the schema file: `[{}.{name}]` with `ignore = true`{part}, or with \
             `type = \"string\"` (or int, float, bool, timestamp, list)",
            near(name, names),
            self.table()
        )
    }
}

/// What to write where an integer column is to be a timestamp and its unit isn't said.
pub(super) const NEEDS_UNIT: &str = "integers as a timestamp need a unit; write in the schema file: `unit = \"s\"` (or \"ms\", \
                                     \"us\") for this column";
/// What to write where a text is to be a list and its separator isn't said.
pub(super) const NEEDS_SEPARATOR: &str =
    "a text as a list needs a separator; write in the schema file: `separator = \";\"` for this column";

fn types(properties: &[Property]) -> HashMap<String, PropType> {
    properties.iter().map(|p| (p.name.clone(), p.ty)).collect()
}
