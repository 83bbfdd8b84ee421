//! Which files are which tables: arguments, a folder's `manifest.json`, or the names of the files in it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use sv0_graph::NodeType;

use super::columns::near;
use super::{Inputs, TablesError};

/// What the formats are, for messages.
pub(super) const FORMATS: &str = "not a table: the file's name ends in .csv, .ndjson, .jsonl or .parquet";
const NAMES: &str = "tables are named `nodes_TYPE.EXT` and `edges_TYPE__FROM__TO.EXT`, or listed in a manifest.json";

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// RFC 4180 with a header row.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// By the file's name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// A node table that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeArg {
    /// The node type.
    pub ty: NodeType,
    /// The file.
    pub path: PathBuf,
}

/// An edge table that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeArg {
    /// The edge type's name.
    pub ty: String,
    /// The type of the nodes that they start at.
    pub from: NodeType,
    /// The type of the nodes that they end at.
    pub to: NodeType,
    /// The file.
    pub path: PathBuf,
}

pub(super) type EdgeFile = EdgeArg;

/// The tables of some inputs.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) nodes: Vec<NodeArg>,
    pub(super) edges: Vec<EdgeArg>,
}

/// Reads `type=PATH`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn node_arg(text: &str) -> Result<NodeArg, String> {
    let (ty, path) = text
        .split_once('=')
        .filter(|(_, p)| !p.is_empty())
        .ok_or_else(|| format!("`{text}`: a node table is given as `TYPE=FILE`, as in `identity=people.csv`"))?;
    Ok(NodeArg { ty: node_type(ty)?, path: path.into() })
}

/// Reads `TYPE:from:to=PATH`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn edge_arg(text: &str) -> Result<EdgeArg, String> {
    let wrong = || {
        format!("`{text}`: an edge table is given as `TYPE:from:to=FILE`, as in `HAS_ROLE:identity:role=grants.csv`")
    };
    let (what, path) = text.split_once('=').filter(|(_, p)| !p.is_empty()).ok_or_else(wrong)?;
    let parts: Vec<&str> = what.split(':').collect();
    match parts.as_slice() {
        [ty, from, to] if !ty.is_empty() => {
            Ok(EdgeArg { ty: (*ty).to_owned(), from: node_type(from)?, to: node_type(to)?, path: path.into() })
        }
        _ => Err(wrong()),
    }
}

/// The node type of this name.
pub(super) fn node_type(name: &str) -> Result<NodeType, String> {
    name.parse().map_err(|()| {
        let names = NodeType::ALL.map(NodeType::name);
        let near = near(name, names);
        format!("`{name}` isn't a node type{near}; the nine are {}", names.join(", "))
    })
}

/// All tables of the inputs, in the order of their files' names.
pub(super) fn find(inputs: &Inputs) -> Result<Found, TablesError> {
    let mut found = Found { nodes: inputs.nodes.clone(), edges: inputs.edges.clone() };
    for folder in &inputs.folders {
        let manifest = folder.join("manifest.json");
        if manifest.is_file() { by_manifest(folder, &manifest, &mut found)? } else { by_names(folder, &mut found)? }
    }
    if found.nodes.is_empty() && found.edges.is_empty() {
        return Err(TablesError::Input(format!("no tables to load: {NAMES}")));
    }
    found.nodes.sort_by(|a, b| order(&a.path).cmp(&order(&b.path)));
    found.edges.sort_by(|a, b| order(&a.path).cmp(&order(&b.path)));
    let mut paths: Vec<&Path> =
        found.nodes.iter().map(|n| &*n.path).chain(found.edges.iter().map(|e| &*e.path)).collect();
    paths.sort_unstable();
    match paths.windows(2).find(|w| w[0] == w[1]) {
        Some(w) => Err(TablesError::file(w[0], "given twice; a file is one table")),
        None => Ok(found),
    }
}

fn order(path: &Path) -> (Option<&std::ffi::OsStr>, &Path) {
    (path.file_name(), path)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    nodes: Vec<ManifestNodes>,
    #[serde(default)]
    edges: Vec<ManifestEdges>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestNodes {
    #[serde(rename = "type")]
    ty: String,
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestEdges {
    #[serde(rename = "type")]
    ty: String,
    from: String,
    to: String,
    path: PathBuf,
}

fn by_manifest(folder: &Path, manifest: &Path, found: &mut Found) -> Result<(), TablesError> {
    let text = std::fs::read_to_string(manifest).map_err(TablesError::io(manifest))?;
    let wrong = |reason: String| TablesError::file(manifest, reason);
    let m: Manifest = serde_json::from_str(&text).map_err(|e| {
        wrong(format!(
            "{e}; a manifest is {{\"nodes\": [{{\"type\", \"path\"}}], \"edges\": [{{\"type\", \"from\", \"to\", \"path\"}}]}}"
        ))
    })?;
    let inside = |path: PathBuf| {
        if path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
            Ok(folder.join(path))
        } else {
            Err(wrong(format!("`{}` leaves the folder; give a file elsewhere by its own argument", path.display())))
        }
    };
    for n in m.nodes {
        found.nodes.push(NodeArg { ty: node_type(&n.ty).map_err(wrong)?, path: inside(n.path)? });
    }
    for e in m.edges {
        found.edges.push(EdgeArg {
            ty: e.ty,
            from: node_type(&e.from).map_err(wrong)?,
            to: node_type(&e.to).map_err(wrong)?,
            path: inside(e.path)?,
        });
    }
    Ok(())
}

fn by_names(folder: &Path, found: &mut Found) -> Result<(), TablesError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(TablesError::io(folder))? {
        let path = entry.map_err(TablesError::io(folder))?.path();
        if Format::of(&path).is_some() && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let before = found.nodes.len() + found.edges.len();
    let mut stems: HashMap<String, PathBuf> = HashMap::new();
    for path in paths {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        if let Some(first) = stems.insert(stem.clone(), path.clone()) {
            return Err(TablesError::file(
                &path,
                format!(
                    "the same table as {}, in another format; remove one, or list what to load in a manifest.json",
                    first.display()
                ),
            ));
        }
        let wrong = |reason: String| TablesError::file(&path, reason);
        if let Some(ty) = stem.strip_prefix("nodes_") {
            found.nodes.push(NodeArg { ty: node_type(ty).map_err(wrong)?, path: path.clone() });
            continue;
        }
        // From the right, so that an edge type's name may have two underscores.
        let parts: Option<Vec<&str>> = stem.strip_prefix("edges_").map(|rest| rest.rsplitn(3, "__").collect());
        match parts.as_deref() {
            Some([to, from, ty]) if !ty.is_empty() => found.edges.push(EdgeArg {
                ty: (*ty).to_owned(),
                from: node_type(from).map_err(wrong)?,
                to: node_type(to).map_err(wrong)?,
                path: path.clone(),
            }),
            _ => return Err(wrong(format!("its name doesn't say which table it is; {NAMES}"))),
        }
    }
    if found.nodes.len() + found.edges.len() == before {
        return Err(TablesError::file(folder, format!("no tables in here; {NAMES}")));
    }
    Ok(())
}
