//! Typed tables for a bulk load: CSV, NDJSON and Parquet files, one per node type and per edge type and pair.
//!
//! | room | holds |
//! |---|---|
//! | `spec` | the schema file: key columns, columns, edge types, kinds, groups, tags |
//! | `discover` | which files are which tables: arguments, `manifest.json`, names in a folder |
//! | `columns` | what each column of a file becomes |
//! | `convert` | cells to typed columns, shared by the text formats |
//! | `csv`, `ndjson`, `parquet` | a reader each |
//! | `arrow` | Arrow arrays to typed columns, for `parquet` |
//!
//! An empty text isn't known, in every format, so that the formats give the same; only an empty list is an empty list.
//! Nothing is read whole: a slice is of at most 65,536 rows, and of about 64 MiB.
//!
//! An edge's fixed parts are handed over as text columns with a colon before the name: [`EVIDENCE`], [`STATE`],
//! [`CONDITION`] and [`KEY`] (which tells parallel edges apart).

#[cfg(feature = "parquet")]
mod arrow;
mod columns;
mod convert;
mod csv;
mod discover;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;
mod spec;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sv0_graph::Schema;
pub use sv0_graph::bulk::{EdgeTable, NodeTable};
use sv0_graph::bulk::{Table, TableError};

use columns::Rules;
pub use discover::{EdgeArg, NodeArg, edge_arg, node_arg};
use discover::{EdgeFile, Format};

/// The column of an edge's evidence: `direct`, `structural`, `temporal`.
pub const EVIDENCE: &str = ":evidence";
/// The column of an edge's state: `unconditional`, `conditional`, `latent`.
pub const STATE: &str = ":state";
/// The column of an edge's condition.
pub const CONDITION: &str = ":condition";
/// The column that tells parallel edges apart.
pub const KEY: &str = ":key";

/// The rows that a slice has at most.
const SLICE_ROWS: usize = 65_536;
/// The bytes of a file that one slice is made of, about at most; also the longest row.
const SLICE_BYTES: usize = 64 << 20;

/// What to load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Node tables.
    pub nodes: Vec<NodeArg>,
    /// Edge tables.
    pub edges: Vec<EdgeArg>,
    /// Folders of tables.
    pub folders: Vec<PathBuf>,
    /// The schema file.
    pub spec: Option<PathBuf>,
}

/// Opened tables, in the order of their files' names.
pub struct Tables {
    /// The schema, with what the schema file adds.
    pub schema: Schema,
    /// Node tables.
    pub nodes: Vec<NodeTable>,
    /// Edge tables.
    pub edges: Vec<EdgeTable>,
}

/// Why tables couldn't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TablesError {
    /// The system's.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What was asked for can't be read as tables.
    #[error("{0}")]
    Input(String),
    /// A folder, a manifest or a schema file says something that can't be.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// Tables whose columns can't be understood.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Tables(Vec<TableError>),
}

impl TablesError {
    fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), reason: reason.into() }
    }
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Opens tables: finds them, reads the schema file, extends `schema` by it and checks every table's columns, so that what a
/// header says wrong is said before anything is loaded. All tables that can't be understood are named at once.
///
/// # Errors
/// [`TablesError`].
pub fn open(inputs: &Inputs, mut schema: Schema) -> Result<Tables, TablesError> {
    let spec = inputs.spec.as_deref().map_or_else(|| Ok(spec::Spec::default()), spec::read)?;
    spec.extend(&mut schema)
        .map_err(|reason| TablesError::File { path: inputs.spec.clone().unwrap_or_default(), reason })?;
    let found = discover::find(inputs)?;
    let rules = [Arc::new(Rules::nodes(&spec, &schema)), Arc::new(Rules::edges(&spec, &schema))];
    let mut wrong = Vec::new();
    let mut nodes = Vec::new();
    for n in found.nodes {
        match table(&n.path, &rules[0]) {
            Ok(table) => nodes.push(NodeTable { ty: n.ty, table }),
            Err(e) => wrong.push(e),
        }
    }
    let mut edges = Vec::new();
    for e in found.edges {
        if let Err(reason) = allowed(&schema, &e) {
            wrong.push(TableError { file: e.path.display().to_string(), line: None, reason });
            continue;
        }
        match table(&e.path, &rules[1]) {
            Ok(table) => edges.push(EdgeTable { ty: e.ty.into(), from: e.from, to: e.to, table }),
            Err(e) => wrong.push(e),
        }
    }
    if wrong.is_empty() { Ok(Tables { schema, nodes, edges }) } else { Err(TablesError::Tables(wrong)) }
}

/// Whether the schema knows the edge type and lets it go between these node types.
fn allowed(schema: &Schema, e: &EdgeFile) -> Result<(), String> {
    let pair = format!("[\"{}\", \"{}\"]", e.from, e.to);
    let Some(id) = schema.edge_type_id(&e.ty) else {
        let near = columns::near(&e.ty, schema.edge_types().iter().map(|t| t.name.as_str()));
        return Err(format!(
            "edge type `{ty}` isn't in the schema{near}; declare it in the schema file: `[edge_types.{ty}]` with `class = \
             \"authority\"` (or hierarchy, reference, governance, evidence, escalation) and `pairs = [{pair}]`",
            ty = e.ty
        ));
    };
    let ty = schema.edge_type(id);
    if ty.allows(e.from, e.to) {
        return Ok(());
    }
    let pairs: Vec<String> = ty.pairs.iter().map(|(a, b)| format!("{a} -> {b}")).collect();
    Err(format!(
        "`{}` doesn't go from {} to {}, but {}; to allow it write in the schema file: `[edge_types.{}]` with `pairs = [{pair}]`",
        e.ty,
        e.from,
        e.to,
        pairs.join(", "),
        e.ty
    ))
}

fn table(path: &Path, rules: &Arc<Rules>) -> Result<Box<dyn Table>, TableError> {
    let source = Source::new(path)?;
    match Format::of(path) {
        Some(Format::Csv) => Ok(Box::new(csv::CsvTable::open(source, rules)?)),
        Some(Format::Ndjson) => Ok(Box::new(ndjson::NdjsonTable::open(source, rules)?)),
        #[cfg(feature = "parquet")]
        Some(Format::Parquet) => Ok(Box::new(parquet::ParquetTable::open(source, rules)?)),
        #[cfg(not(feature = "parquet"))]
        Some(Format::Parquet) => {
            Err(source.error(None, "this build doesn't read Parquet: build with the feature `parquet`, or use CSV"))
        }
        None => Err(source.error(None, discover::FORMATS)),
    }
}

/// A table's file.
struct Source {
    path: PathBuf,
    bytes: u64,
}

impl Source {
    fn new(path: &Path) -> Result<Self, TableError> {
        let source = Self { path: path.to_owned(), bytes: 0 };
        let meta = std::fs::metadata(path).map_err(|e| source.error(None, e.to_string()))?;
        if !meta.is_file() {
            return Err(source.error(None, "not a file"));
        }
        Ok(Self { bytes: meta.len(), ..source })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn open(&self) -> Result<File, TableError> {
        File::open(&self.path).map_err(|e| self.error(None, e.to_string()))
    }

    fn error(&self, line: Option<u64>, reason: impl Into<String>) -> TableError {
        TableError { file: self.name(), line, reason: reason.into() }
    }
}
