//! The load itself: tables to sections, types in parallel, sections in a fixed order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::keys::KeyTable;
use super::rows::{GrowingColumn, Pick};
use super::spill::Spill;
use super::table::{Column, ColumnData, Table, TableError, TableSlice, Texts};
use crate::batch::{Evidence, SourceRecord, State};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, Schema};
use crate::store::array::Buffer;
use crate::store::column;
use crate::store::encode::{self, NewChunk, count};
use crate::store::format::{Kind, edge_column, node_column};
use crate::store::{StoreError, TypeStatistics};
use crate::working::GROUP;

/// A table of nodes of one type.
pub struct NodeTable {
    /// Their type.
    pub ty: NodeType,
    /// The rows; one key column.
    pub table: Box<dyn Table>,
}

/// A table of edges of one type between two node types.
pub struct EdgeTable {
    /// The edge type's name.
    pub ty: Arc<str>,
    /// The type of the starts.
    pub from: NodeType,
    /// The type of the ends.
    pub to: NodeType,
    /// The rows; two key columns.
    pub table: Box<dyn Table>,
}

/// What is loaded.
pub struct LoadInput {
    /// The source that all nodes and edges belong to.
    pub source: Arc<str>,
    /// The platform's name, for reports.
    pub system: Arc<str>,
    /// When it was observed, microseconds since 1970, UTC; `None`: the newest timestamp of any node.
    pub observed_at: Option<i64>,
    /// The store's schema, or one that extends it.
    pub schema: Schema,
    /// Tables of nodes.
    pub nodes: Vec<NodeTable>,
    /// Tables of edges.
    pub edges: Vec<EdgeTable>,
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// What is being done.
    pub phase: &'static str,
    /// Bytes of tables read, about.
    pub done: u64,
    /// Bytes of all tables.
    pub all: u64,
}

/// Bounds and callbacks of a load.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// Bytes of edges held in memory before they are spilled to a file beside the store. Beside these a load holds every
    /// node's id (about 40 bytes and the id's text a node) and the sections being written.
    pub memory: usize,
    /// Called now and then, from any thread.
    pub progress: Option<&'a (dyn Fn(LoadProgress) + Sync)>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        Self { memory: 2 << 30, progress: None }
    }
}

impl std::fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoadOptions {{ memory: {} }}", self.memory)
    }
}

/// Why a load failed. The store is as it was.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The store holds nodes already.
    #[error("the store isn't empty: a bulk load makes a new one; add to a store with an ingestion")]
    NotEmpty,
    /// A table can't be read.
    #[error("{0}")]
    Table(#[from] TableError),
    /// The schema isn't the store's, nor one that adds to it.
    #[error("the schema isn't the store's with something added: declare what is new, and leave what is there")]
    Schema,
    /// An edge type that the schema doesn't have.
    #[error("{file}: unknown edge type `{ty}`; declare it in the schema file")]
    UnknownEdgeType {
        /// The table.
        file: String,
        /// The name.
        ty: Arc<str>,
    },
    /// A pair of node types that the edge type doesn't allow.
    #[error("{file}: edge `{ty}` may not go from {from} to {to}; allowed are {allowed}")]
    ForbiddenEdge {
        /// The table.
        file: String,
        /// The edge type.
        ty: Arc<str>,
        /// The starts' type.
        from: NodeType,
        /// The ends' type.
        to: NodeType,
        /// What the schema allows.
        allowed: String,
    },
    /// What the store says.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Everything that a load's tasks share.
pub(super) struct Shared<'a> {
    pub schema: &'a Schema,
    pub input: &'a LoadInput,
    pub options: LoadOptions<'a>,
    done: AtomicU64,
    all: u64,
}

impl<'a> Shared<'a> {
    pub(super) fn new(schema: &'a Schema, input: &'a LoadInput, options: LoadOptions<'a>) -> Self {
        let nodes = input.nodes.iter().map(|t| &t.table);
        let all = nodes.chain(input.edges.iter().map(|t| &t.table)).map(|t| t.bytes()).sum();
        Self { schema, input, options, done: AtomicU64::new(0), all }
    }

    /// Counts a table's bytes as its rows go by; the last call of a table tops up what is left.
    fn advance(&self, phase: &'static str, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes).min(self.all);
        if let Some(f) = self.options.progress {
            f(LoadProgress { phase, done, all: self.all });
        }
    }
}

/// Sections, with their hashes, taken in the thread that made them.
pub(super) type Sealed = Vec<(NewChunk, [u8; 32])>;

/// A section with its hash.
pub(super) fn seal(chunk: NewChunk) -> (NewChunk, [u8; 32]) {
    let hash = *blake3::hash(&chunk.bytes).as_bytes();
    (chunk, hash)
}

/// A node type's sections, group by group; the groups are numbered from 0.
pub(super) struct Nodes {
    pub ty: NodeType,
    pub group_rows: Vec<u32>,
    pub keys: KeyTable,
    /// Hash of each key, in order of ids.
    pub hashes: Vec<u64>,
    /// The newest timestamp of any node.
    pub newest: i64,
}

fn error(file: &dyn Table, line: u64, reason: String) -> TableError {
    TableError { file: file.name(), line: Some(line), reason }
}

/// Reads all tables of one node type.
pub(super) fn nodes(
    s: &Shared<'_>,
    ty: NodeType,
    tables: &[(u32, &NodeTable)],
    sink: &mut dyn FnMut(Sealed) -> Result<(), StoreError>,
) -> Result<Nodes, LoadError> {
    let mut g = Group { s, ids: Texts::new(), columns: Vec::new(), records: Vec::new() };
    let (mut group_rows, mut newest) = (Vec::new(), 0i64);
    let mut ids: Vec<Texts> = Vec::new();
    for (record, t) in tables {
        let mut rows = 0u64;
        let share = Share::new(s, "nodes", t.table.bytes());
        let mut failed = None;
        t.table
            .read(&mut |slice: TableSlice| {
                let [keys] = &slice.keys[..] else {
                    return Err(error(&*t.table, slice.first_line, "a table of nodes has one key column".to_owned()));
                };
                check(&slice, keys.len(), s.schema, false, &*t.table)?;
                for c in &slice.columns {
                    if let ColumnData::Timestamp(v) = &c.data {
                        let known = |i: usize| c.known.as_ref().is_none_or(|k| k[i]);
                        let here = v.iter().enumerate().filter(|(i, _)| known(*i)).map(|(_, t)| *t).max();
                        newest = newest.max(here.unwrap_or(0));
                    }
                }
                let mut from = 0;
                while from < slice.rows {
                    let to = (from + GROUP - g.ids.len()).min(slice.rows);
                    if !g.append(&slice, from..to, *record) {
                        let reason = "a column changes its type, or a group's text exceeds 4 GiB".to_owned();
                        return Err(error(&*t.table, slice.first_line, reason));
                    }
                    from = to;
                    if g.ids.len() == GROUP
                        && let Err(e) = sink(g.flush(&mut group_rows, &mut ids))
                    {
                        failed = Some(e);
                        return Err(error(&*t.table, slice.first_line, "the store can't be written".to_owned()));
                    }
                }
                rows += slice.rows as u64;
                share.rows(rows);
                Ok(())
            })
            .map_err(|e| failed.take().map_or(LoadError::Table(e), LoadError::Store))?;
        share.end();
    }
    if !g.ids.is_empty() {
        sink(g.flush(&mut group_rows, &mut ids))?;
    }
    let source = &s.input.source;
    let hashes = ids.iter().flat_map(Texts::iter).map(|id| NodeKey::hash64(source, id)).collect();
    let keys = KeyTable::new(ids, GROUP).map_err(|id| {
        let file = tables.first().map(|(_, t)| t.table.name()).unwrap_or_default();
        TableError { file, line: None, reason: format!("the {ty} id `{id}` occurs twice") }
    })?;
    Ok(Nodes { ty, group_rows, keys, hashes, newest })
}

/// How much of a table's bytes was counted.
struct Share<'a, 'b> {
    s: &'a Shared<'b>,
    phase: &'static str,
    bytes: u64,
    counted: std::cell::Cell<u64>,
}

impl<'a, 'b> Share<'a, 'b> {
    fn new(s: &'a Shared<'b>, phase: &'static str, bytes: u64) -> Self {
        Self { s, phase, bytes, counted: std::cell::Cell::new(0) }
    }

    /// So many rows are read; a row is taken for 24 bytes until the table ends.
    fn rows(&self, rows: u64) {
        let now = rows.saturating_mul(24).min(self.bytes);
        let before = self.counted.replace(now.max(self.counted.get()));
        self.s.advance(self.phase, now.saturating_sub(before));
    }

    fn end(&self) {
        let before = self.counted.replace(self.bytes);
        self.s.advance(self.phase, self.bytes.saturating_sub(before));
    }
}

fn check(slice: &TableSlice, keys: usize, schema: &Schema, edges: bool, file: &dyn Table) -> Result<(), TableError> {
    let bad = |reason: String| Err(error(file, slice.first_line, reason));
    if keys != slice.rows {
        return bad(format!("{keys} keys for {} rows", slice.rows));
    }
    for c in &slice.columns {
        if c.data.len() != slice.rows || c.known.as_ref().is_some_and(|k| k.len() != slice.rows) {
            return bad(format!("column `{}` has {} values for {} rows", c.name, c.data.len(), slice.rows));
        }
        if edges && c.name.starts_with(':') {
            let known = [":evidence", ":state", ":condition", ":key"].contains(&&*c.name);
            if !known || c.data.prop_type() != crate::schema::PropType::Str {
                return bad(format!("column `{}` isn't one of :evidence, :state, :condition, :key with texts", c.name));
            }
            continue;
        }
        let (list, id) = if edges {
            (schema.edge_properties(), schema.edge_prop(&c.name))
        } else {
            (schema.node_properties(), schema.node_prop(&c.name))
        };
        let Some(p) = id.and_then(|p| list.get(usize::from(p.0))) else {
            return bad(format!("column `{}` isn't a property of the schema", c.name));
        };
        if p.ty != c.data.prop_type() {
            let (found, want) = (c.data.prop_type().name(), p.ty.name());
            return bad(format!("column `{}` holds {found}, the schema says {want}", c.name));
        }
        let known = |i: usize| c.known.as_ref().is_none_or(|k| k[i]);
        let broken = match &c.data {
            ColumnData::Coded { codes, dictionary } => {
                codes.iter().enumerate().any(|(i, n)| *n as usize >= dictionary.len() && known(i))
            }
            ColumnData::TextList { ends, items } => {
                !ends.is_sorted() || ends.last().is_some_and(|e| *e as usize > items.len())
            }
            _ => false,
        };
        if broken {
            return bad(format!("column `{}` has a number beyond its texts", c.name));
        }
    }
    Ok(())
}

/// The rows of one group of nodes.
struct Group<'a, 'b> {
    s: &'a Shared<'b>,
    ids: Texts,
    columns: Vec<GrowingColumn>,
    /// The record of each run of rows.
    records: Vec<(u32, usize)>,
}

impl Group<'_, '_> {
    fn append(&mut self, slice: &TableSlice, range: Range<usize>, record: u32) -> bool {
        match self.records.last_mut() {
            Some((r, n)) if *r == record => *n += range.len(),
            _ => self.records.push((record, range.len())),
        }
        let before = self.ids.len();
        slice.keys.first().is_some_and(|k| self.ids.extend_from(k, range.clone()))
            && append(&mut self.columns, &slice.columns, before, &range)
    }

    fn flush(&mut self, group_rows: &mut Vec<u32>, ids: &mut Vec<Texts>) -> Sealed {
        let mut sealed = Sealed::new();
        let g = u16::try_from(group_rows.len()).unwrap_or(u16::MAX);
        let n = self.ids.len();
        let rows = count(n);
        let mut put = |key: u64, rows: u32, bytes: Vec<u8>| {
            sealed.push(seal(NewChunk { key, rows, aux: 0, bytes }));
        };
        let alive = encode::encode_alive(g, rows, (0..n).map(|_| true));
        put(alive.key, rows, alive.bytes);
        let fixed = |f: &dyn Fn(&mut Buffer)| {
            let mut b = Buffer::default();
            f(&mut b);
            b.into_bytes()
        };
        let external = fixed(&|b| column::encode_texts(b, self.ids.iter().map(Some)));
        put(Kind::NodeColumn.key(node_column::EXTERNAL_ID, 0, g), rows, external);
        let source = fixed(&|b| column::encode_constant_text(b, n, &self.s.input.source));
        put(Kind::NodeColumn.key(node_column::SOURCE, 0, g), rows, source);
        let origins = fixed(&|b| encode_records(b, &self.records));
        put(Kind::NodeColumn.key(node_column::ORIGINS, 0, g), rows, origins);
        for c in &mut self.columns {
            let Some(p) = self.s.schema.node_prop(&c.name) else { continue };
            if let Some(bytes) = c.encode(&Pick::Range(0..n)) {
                put(Kind::NodeColumn.key(p.0, 0, g), rows, bytes);
                if encode::indexed(self.s.schema, p.0)
                    && let Some((values, bytes)) = c.value_index()
                {
                    put(Kind::ValueIndex.key(p.0, 0, g), values, bytes);
                }
            }
            c.clear();
        }
        self.records.clear();
        group_rows.push(rows);
        ids.push(std::mem::take(&mut self.ids));
        sealed
    }
}

fn encode_records(b: &mut Buffer, runs: &[(u32, usize)]) {
    match runs {
        [(record, n)] => column::encode_constant_origin(b, *n, *record),
        _ => {
            let rows: Vec<[(u32, Arc<str>); 1]> =
                runs.iter().flat_map(|(r, n)| (0..*n).map(|_| [(*r, Arc::from(""))])).collect();
            column::encode_origins(b, rows.iter().map(|r| &r[..]));
        }
    }
}

/// Appends a slice's columns; a column that some slices lack is unknown there.
pub(super) fn append(columns: &mut Vec<GrowingColumn>, slice: &[Column], before: usize, range: &Range<usize>) -> bool {
    for c in slice {
        if !columns.iter().any(|g| g.name == c.name) {
            let mut new = GrowingColumn::like(c);
            new.skip(before);
            columns.push(new);
        }
    }
    columns.iter_mut().all(|g| match slice.iter().find(|c| c.name == g.name) {
        Some(c) => g.append(c, range.clone()),
        None => {
            g.skip(range.len());
            true
        }
    })
}

/// An edge type's sections and what is counted of it.
pub(super) struct Edges {
    pub ty: EdgeTypeId,
    pub statistics: Vec<TypeStatistics>,
    /// Edges kept.
    pub count: u64,
    /// Rows read: more than are kept where several have one identity.
    pub read: u64,
    /// Group of the start, and how many edges.
    pub by_group: Vec<(u16, u32)>,
}

/// Ids by number within a node type.
pub(super) struct Numbering<'a> {
    pub keys: BTreeMap<NodeType, &'a KeyTable>,
    /// A type's groups, in order.
    pub groups: BTreeMap<NodeType, u16>,
    pub group_rows: &'a [u32],
    pub group_types: &'a [NodeType],
}

impl Numbering<'_> {
    /// The ids of a column of keys.
    fn resolve(&self, ty: NodeType, keys: &Texts, out: &mut Vec<u32>) -> Result<(), usize> {
        let (Some(table), Some(first)) = (self.keys.get(&ty), self.groups.get(&ty)) else {
            return if keys.is_empty() { Ok(()) } else { Err(0) };
        };
        table.resolve(keys, u32::from(*first) << 16, out)
    }
}

/// Edges as they were read: ends, columns, and the record of each run of rows.
#[derive(Default)]
pub(super) struct EdgeRows {
    pub from: Vec<u32>,
    pub to: Vec<u32>,
    pub columns: Vec<GrowingColumn>,
    pub records: Vec<(u32, usize)>,
}

impl EdgeRows {
    fn bytes(&self) -> usize {
        self.from.len() * 8 + self.columns.iter().map(GrowingColumn::bytes).sum::<usize>()
    }

    fn key(&self, row: u32) -> &str {
        self.columns.iter().find(|c| &*c.name == ":key").and_then(|c| c.text(row as usize)).unwrap_or("")
    }

    /// The order by (from, to, key); `None` where the rows stand in it.
    pub(super) fn order(&self) -> Option<Vec<u32>> {
        let keyed = self.columns.iter().any(|c| &*c.name == ":key");
        let pair = |i: u32| (self.from[i as usize], self.to[i as usize]);
        let sorted = self.from.windows(2).zip(self.to.windows(2)).all(|(f, t)| (f[0], t[0]) < (f[1], t[1]));
        if sorted {
            return None;
        }
        let mut order: Vec<u32> = (0..count(self.from.len())).collect();
        // Rows of one identity stay as they were read: the first of them is kept.
        order.par_sort_by(|a, b| {
            let by_key = || if keyed { self.key(*a).cmp(self.key(*b)) } else { std::cmp::Ordering::Equal };
            pair(*a).cmp(&pair(*b)).then_with(by_key)
        });
        order.dedup_by(|b, a| pair(*a) == pair(*b) && (!keyed || self.key(*a) == self.key(*b)));
        Some(order)
    }

    /// The record of a row.
    fn record(&self, row: u32) -> u32 {
        let mut row = row as usize;
        for (r, n) in &self.records {
            if row < *n {
                return *r;
            }
            row -= n;
        }
        0
    }

    /// The columns of the picked rows, which all start in group `g`.
    pub(super) fn encode(&self, s: &Shared<'_>, ty: EdgeTypeId, g: u16, pick: &Pick<'_>) -> Result<Sealed, TableError> {
        let n = pick.len();
        let mut sealed = Vec::new();
        let mut put = |column: u16, bytes: Vec<u8>| {
            let key = Kind::EdgeColumn.key(ty.0, column, g);
            sealed.push(seal(NewChunk { key, rows: count(n), aux: 0, bytes }));
        };
        let fixed = |f: &dyn Fn(&mut Buffer)| {
            let mut b = Buffer::default();
            f(&mut b);
            b.into_bytes()
        };
        put(edge_column::SOURCES, fixed(&|b| column::encode_constant_list(b, n, &s.input.source)));
        let records: Vec<u32> = match (&self.records[..], pick) {
            ([(record, _)], _) => vec![*record; n.min(1)],
            (_, Pick::List(list)) => list.iter().map(|i| self.record(*i)).collect(),
            (_, Pick::Range(r)) => (count(r.start)..count(r.end)).map(|i| self.record(i)).collect(),
        };
        // By the group's own rows, whatever else the type has.
        let origins = match records.first() {
            Some(first) if records.iter().all(|r| r == first) => {
                fixed(&|b| column::encode_constant_origin(b, n, *first))
            }
            _ => {
                let rows: Vec<[(u32, Arc<str>); 1]> = records.iter().map(|r| [(*r, Arc::from(""))]).collect();
                fixed(&|b| column::encode_origins(b, rows.iter().map(|r| &r[..])))
            }
        };
        put(edge_column::ORIGINS, origins);
        let class = |name: &str, number: &dyn Fn(Option<&str>) -> Option<i64>, allowed: &str| match self
            .columns
            .iter()
            .find(|c| &*c.name == name)
        {
            None => Ok(fixed(&|b| column::encode_constant_int(b, n, 0))),
            Some(c) => match c.mapped(pick, number) {
                Some(v) => Ok(fixed(&|b| column::encode_ints(b, crate::schema::PropType::Int, None, &v))),
                None => Err(TableError {
                    file: s.schema.edge_type(ty).name.clone(),
                    line: None,
                    reason: format!("column `{name}` holds something else than {allowed}"),
                }),
            },
        };
        let evidence = |t: Option<&str>| t.map_or(Some(0), |t| Evidence::parse(t).map(|e| i64::from(e as u8)));
        let state = |t: Option<&str>| t.map_or(Some(0), |t| State::parse(t).map(|e| i64::from(e as u8)));
        put(edge_column::EVIDENCE, class(":evidence", &evidence, "direct, structural or temporal")?);
        put(edge_column::STATE, class(":state", &state, "unconditional, conditional or latent")?);
        for c in &self.columns {
            let column = match &*c.name {
                ":evidence" | ":state" => continue,
                ":condition" => edge_column::CONDITION,
                ":key" => edge_column::KEY,
                name => match s.schema.edge_prop(name) {
                    Some(p) => p.0,
                    None => continue,
                },
            };
            if let Some(bytes) = c.encode(pick) {
                put(column, bytes);
            }
        }
        // By number: after a spill columns come in another order.
        sealed.sort_by_key(|(c, _)| c.key);
        Ok(sealed)
    }
}

/// Reads all tables of one edge type.
pub(super) fn edges(
    s: &Shared<'_>,
    n: &Numbering<'_>,
    ty: EdgeTypeId,
    tables: &[(u32, &EdgeTable)],
    spill: &mut Spill<'_>,
    sink: &mut dyn FnMut(Sealed) -> Result<(), StoreError>,
) -> Result<Edges, LoadError> {
    let mut rows = EdgeRows::default();
    // What a file says of its rows is believed as far as its bytes and the memory cap go.
    let said = tables.iter().map(|(_, t)| t.table.rows().unwrap_or(0).min(t.table.bytes())).sum::<u64>();
    let expected = usize::try_from(said).unwrap_or(usize::MAX).min(spill.cap / 32);
    rows.from.reserve_exact(expected);
    rows.to.reserve_exact(expected);
    for (record, t) in tables {
        let mut read = 0u64;
        let share = Share::new(s, "edges", t.table.bytes());
        let mut failed = None;
        t.table
            .read(&mut |slice: TableSlice| {
                let [from, to] = &slice.keys[..] else {
                    return Err(error(&*t.table, slice.first_line, "a table of edges has two key columns".to_owned()));
                };
                check(&slice, from.len(), s.schema, true, &*t.table)?;
                check(&slice, to.len(), s.schema, true, &*t.table)?;
                let before = rows.from.len();
                for (ty, keys, out) in [(t.from, from, &mut rows.from), (t.to, to, &mut rows.to)] {
                    n.resolve(ty, keys, out).map_err(|row| {
                        let reason = format!("there is no {ty} with the id `{}`", keys.get(row));
                        error(&*t.table, slice.first_line + row as u64, reason)
                    })?;
                }
                let fits = append(&mut rows.columns, &slice.columns, before, &(0..slice.rows));
                if before == 0 {
                    rows.columns.iter_mut().for_each(|c| c.reserve(expected));
                }
                if !fits {
                    let reason = "a column changes its type, or its text exceeds 4 GiB".to_owned();
                    return Err(error(&*t.table, slice.first_line, reason));
                }
                match rows.records.last_mut() {
                    Some((r, n)) if r == record => *n += slice.rows,
                    _ => rows.records.push((*record, slice.rows)),
                }
                read += slice.rows as u64;
                share.rows(read);
                // Numbers of rows are 32 bits wide.
                if rows.bytes() > spill.cap || rows.from.len() > 1 << 31 {
                    let full = std::mem::take(&mut rows);
                    if let Err(e) = spill.take(full) {
                        failed = Some(e);
                        return Err(error(&*t.table, slice.first_line, "the spill file can't be written".to_owned()));
                    }
                }
                Ok(())
            })
            .map_err(|e| failed.take().map_or(LoadError::Table(e), LoadError::Store))?;
        share.end();
    }
    if spill.is_used() {
        spill.take(rows)?;
        return spill.finish(s, n, ty, sink);
    }
    let order = rows.order();
    let (from, to) = match &order {
        None => (std::borrow::Cow::Borrowed(&rows.from), std::borrow::Cow::Borrowed(&rows.to)),
        Some(o) => {
            let pick = Pick::List(o);
            (
                std::borrow::Cow::Owned(pick.of(&rows.from).into_owned()),
                std::borrow::Cow::Owned(pick.of(&rows.to).into_owned()),
            )
        }
    };
    let by_end = encode::by_end(&to);
    let outward = encode::encode_out(ty.0, n.group_rows, &from, &to);
    let inward = encode::encode_in(ty.0, n.group_rows, &from, &to, &by_end);
    let groups = encode::by_group(&from);
    // In the order of a spill: group by group what runs along the starts, then what runs along the ends.
    let along = outward
        .into_par_iter()
        .zip(groups.par_iter())
        .map(|(out, (g, range))| {
            let pick = match &order {
                None => Pick::Range(range.clone()),
                Some(o) => Pick::List(&o[range.clone()]),
            };
            let mut sealed = vec![seal(out)];
            sealed.extend(rows.encode(s, ty, *g, &pick)?);
            Ok(sealed)
        })
        .collect::<Vec<Result<Sealed, TableError>>>();
    // The first error in order, whichever thread was first.
    let along = along.into_iter().collect::<Result<Vec<Sealed>, TableError>>()?;
    let mut sealed: Sealed = along.into_iter().flatten().collect();
    sealed.extend(inward.into_par_iter().map(seal).collect::<Vec<_>>());
    sink(sealed)?;
    Ok(Edges {
        ty,
        read: rows.from.len() as u64,
        statistics: encode::statistics(ty.0, n.group_types, &from, &to, &by_end),
        count: from.len() as u64,
        by_group: groups.into_iter().map(|(g, r)| (g, count(r.len()))).collect(),
    })
}

/// The record of a table: the file as it was read.
pub(super) fn record(table: &dyn Table, operation: String, input: &LoadInput) -> SourceRecord {
    SourceRecord {
        sha256: table.sha256(),
        file_sha256: table.sha256(),
        connector: "load".to_owned(),
        operation,
        params: serde_json::json!({ "file": table.name() }).to_string(),
        account: input.source.to_string(),
        region: String::new(),
        fetched_at: String::new(),
    }
}
