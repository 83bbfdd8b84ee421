//! Bulk load: typed tables, one per node type and per edge type, straight into a new store.
//!
//! Tables are read in parallel, a type each; a node's id follows the order of its table's rows, an edge's place its ends.
//! The file is the same for any number of threads. What doesn't fit the memory cap is spilled to a file beside the store.
//!
//! | room | holds |
//! |---|---|
//! | `table` | what a reader of tables hands over: columns of values |
//! | `rows` | rows gathered from slices |
//! | `keys` | ids to be found by text |
//! | `load` | tables to sections |
//! | `ordered` | sections of several threads in a fixed order |
//! | `spill` | edges beyond the memory cap |

mod keys;
mod load;
mod ordered;
mod rows;
mod spill;
mod table;

use std::collections::BTreeMap;
use std::sync::Mutex;

use rayon::prelude::*;

pub use load::{EdgeTable, LoadError, LoadInput, LoadOptions, LoadProgress, NodeTable};
pub use table::{Column, ColumnData, Table, TableError, TableSlice, Texts};

use crate::schema::{EdgeTypeId, NodeType};
use crate::store::changes::{AllChanges, ChangeSet};
use crate::store::commit::Encoded;
use crate::store::encode;
use crate::store::format::Kind;
use crate::store::write::{self, Appender};
use crate::store::{Commit, Store, StoreError, edge_id};
use crate::working::Working;
use load::{Edges, Nodes, Numbering, Shared};
use ordered::Ordered;
use spill::Spill;

/// What a load did.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The snapshot, the counts, the bytes.
    pub commit: Commit,
    /// Rows of edges left out because an earlier row had the same type, ends and key.
    pub duplicates: u64,
}

impl Store {
    /// Loads tables into a store that holds nothing yet, as its first snapshot. All or nothing: an error leaves the store
    /// as it was.
    ///
    /// # Errors
    /// [`LoadError`]: the store isn't empty, a table can't be read or doesn't fit the schema, or what the store says.
    pub fn load(&mut self, input: &LoadInput, options: LoadOptions<'_>, name: &str) -> Result<Loaded, LoadError> {
        if self.latest().number() != 0 {
            return Err(LoadError::NotEmpty);
        }
        let working = self.begin()?.into_working();
        let mut duplicates = 0;
        let commit = self.write_with::<LoadError>(name, |appender, target| {
            let (working, encoded, more) = run(input, options, working, appender, target)?;
            duplicates = more;
            Ok((working, encoded))
        })?;
        Ok(Loaded { commit, duplicates })
    }
}

/// By size, the largest first: two threads then end at about the same time.
fn largest_first<K: Ord + Copy, T>(groups: BTreeMap<K, Vec<T>>, bytes: impl Fn(&T) -> u64) -> Vec<(K, Vec<T>)> {
    let mut list: Vec<(K, Vec<T>)> = groups.into_iter().collect();
    list.sort_by_key(|(k, tables)| (std::cmp::Reverse(tables.iter().map(&bytes).sum::<u64>()), *k));
    list
}

fn run(
    input: &LoadInput,
    options: LoadOptions<'_>,
    mut working: Working,
    appender: &mut Appender<'_>,
    target: &crate::store::Target<'_>,
) -> Result<(Working, Encoded, u64), LoadError> {
    working.extend(&input.schema).map_err(|()| LoadError::Schema)?;
    let schema = working.schema.clone();
    let s = Shared::new(&schema, input, options);
    let mut nodes: BTreeMap<NodeType, Vec<(u32, &NodeTable)>> = BTreeMap::new();
    for t in &input.nodes {
        let record = encode::count(working.records.len());
        working.records.push(load::record(&*t.table, format!("load nodes {}", t.ty), input));
        nodes.entry(t.ty).or_default().push((record, t));
    }
    let mut edges: BTreeMap<EdgeTypeId, Vec<(u32, &EdgeTable)>> = BTreeMap::new();
    for t in &input.edges {
        let record = encode::count(working.records.len());
        let Some(ty) = schema.edge_type_id(&t.ty) else {
            return Err(LoadError::UnknownEdgeType { file: t.table.name(), ty: t.ty.clone() });
        };
        if !schema.edge_type(ty).allows(t.from, t.to) {
            return Err(LoadError::ForbiddenEdge {
                file: t.table.name(),
                ty: t.ty.clone(),
                from: t.from,
                to: t.to,
                allowed: crate::check::pairs_text(&schema.edge_type(ty).pairs),
            });
        }
        let operation = format!("load edges {} from {} to {}", t.ty, t.from, t.to);
        working.records.push(load::record(&*t.table, operation, input));
        edges.entry(ty).or_default().push((record, t));
    }
    let nodes = largest_first(nodes, |(_, t)| t.table.bytes());
    let ordered = Ordered::new(appender, nodes.len());
    let mut tables = ordered_map(&nodes, |i, (ty, tables)| -> Result<Nodes, LoadError> {
        let n = load::nodes(&s, *ty, tables, &mut |sealed| ordered.put(i, sealed))?;
        let groups = u16::try_from(n.group_rows.len()).unwrap_or(u16::MAX);
        ordered.finish(i, groups)?;
        Ok(n)
    })?;
    let firsts = ordered.firsts();
    let mut encoded = Encoded::default();
    encoded.node_counts.resize(NodeType::ALL.len(), 0);
    encoded.edge_counts.resize(schema.edge_types().len(), 0);
    let mut changes = AllChanges::default();
    let mut hashes: Vec<(u64, u32)> = Vec::new();
    // In the order of their groups.
    let mut by_first: Vec<(&mut Nodes, &u16)> = tables.iter_mut().zip(&firsts).collect();
    by_first.sort_by_key(|(n, first)| (**first, n.group_rows.len()));
    for (n, first) in by_first {
        if working.group_types.len() + n.group_rows.len() >= usize::from(u16::MAX) {
            let which = "the number of groups of nodes";
            return Err(StoreError::Limit { which, max: u64::from(u16::MAX) }.into());
        }
        let set = changes.nodes.entry(n.ty as u16).or_default();
        for (rows, g) in n.group_rows.iter().zip(u64::from(*first)..) {
            working.group_types.push(n.ty);
            working.group_rows.push(*rows);
            set.added.insert_range(g << 16..(g << 16) + u64::from(*rows));
            encoded.node_counts[n.ty as usize] += u64::from(*rows);
        }
        hashes.extend(std::mem::take(&mut n.hashes).into_iter().zip(u32::from(*first) << 16..));
    }
    let numbering = Numbering {
        keys: tables.iter().map(|n| (n.ty, &n.keys)).collect(),
        groups: tables.iter().zip(&firsts).map(|(n, f)| (n.ty, *f)).collect(),
        group_rows: &working.group_rows,
        group_types: &working.group_types,
    };
    unique(&numbering, &mut hashes)?;
    let (keys, partitions) = encode::encode_keys(hashes);
    encoded.key_partitions = partitions;
    for chunk in &keys {
        appender.put(chunk)?;
    }
    drop(keys);
    let edges = largest_first(edges, |(_, t)| t.table.bytes());
    let ordered = Ordered::new(appender, edges.len());
    // Every type may hold its share, whatever the number of threads: what is spilled doesn't depend on it.
    let cap = options.memory / edges.len().max(1);
    let loaded = ordered_map(&edges, |i, (ty, tables)| -> Result<Edges, LoadError> {
        let mut spill = Spill::new(target.vfs, target.beside(&format!("load-{}", ty.0)), cap);
        let e = load::edges(&s, &numbering, *ty, tables, &mut spill, &mut |sealed| ordered.put(i, sealed))?;
        ordered.finish(i, 0)?;
        Ok(e)
    })?;
    let mut statistics = Vec::new();
    let mut duplicates = 0;
    for e in loaded {
        encoded.edge_counts[usize::from(e.ty.0)] = e.count;
        duplicates += e.read - e.count;
        statistics.extend(e.statistics);
        let set: &mut ChangeSet = changes.edges.entry(e.ty.0).or_default();
        for (g, n) in e.by_group {
            let first = edge_id(e.ty, g, 0).0;
            set.added.insert_range(first..first + u64::from(n));
        }
    }
    statistics.sort_by_key(|s| (s.edge_type, s.from, s.to));
    let texts: Vec<String> = working.records.iter().map(encode::record_text).collect();
    encoded.put.extend(encode::encode_records(0, 0, &texts)?);
    encoded.put.push(encode::encode_schema(&schema));
    encoded.put.push(encode::encode_statistics(&statistics));
    encoded.put.extend(write::change_sections(&changes));
    encoded.dropped.extend([Kind::Schema.key(0, 0, 0)]);
    encoded.changes = changes;
    let observed_at = input.observed_at.unwrap_or_else(|| tables.iter().map(|n| n.newest).max().unwrap_or(0));
    working.time = observed_at;
    let state = working.sources.entry(input.source.to_string()).or_default();
    state.system = input.system.to_string();
    state.observed_at = observed_at;
    state.records = encode::count(working.records.len());
    state.complete = NodeType::ALL.iter().map(|t| format!("{t} (load)")).collect();
    Ok((working, encoded, duplicates))
}

/// Keys are unique over all types: equal hashes are looked at.
fn unique(n: &Numbering<'_>, hashes: &mut [(u64, u32)]) -> Result<(), LoadError> {
    hashes.par_sort_unstable();
    for w in hashes.windows(2) {
        if w[0].0 == w[1].0 {
            let text = |id: u32| {
                let (ty, first) = n
                    .groups
                    .iter()
                    .filter(|(_, f)| u32::from(**f) <= id >> 16)
                    .max_by_key(|(_, f)| **f)
                    .map_or((NodeType::Resource, 0), |(t, f)| (*t, *f));
                (ty, n.keys.get(&ty).map_or("", |k| k.text(id - (u32::from(first) << 16))))
            };
            let ((a, x), (b, y)) = (text(w[0].1), text(w[1].1));
            if x == y {
                let reason = format!("the id `{x}` is that of a node of type {a} and of one of type {b}");
                return Err(TableError { file: "the node tables".to_owned(), line: None, reason }.into());
            }
        }
    }
    Ok(())
}

/// Runs the types on rayon's threads, each taken in order as a thread is free; the first error, by order, wins.
fn ordered_map<T: Sync, R: Send>(
    list: &[T],
    f: impl Fn(usize, &T) -> Result<R, LoadError> + Sync,
) -> Result<Vec<R>, LoadError> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<R, LoadError>>> = Mutex::new(BTreeMap::new());
    let failed = std::sync::atomic::AtomicBool::new(false);
    let work = || {
        while !failed.load(std::sync::atomic::Ordering::Relaxed) {
            let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(item) = list.get(i) else { return };
            let r = f(i, item);
            if r.is_err() {
                failed.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(i, r);
        }
    };
    (0..rayon::current_num_threads()).into_par_iter().for_each(|_| work());
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    // An error makes the other types stop early: it is reported, not what is missing because of it.
    if let Some(i) = done.iter().find(|(_, r)| r.is_err()).map(|(i, _)| *i)
        && let Some(Err(e)) = done.remove(&i)
    {
        return Err(e);
    }
    done.into_values().collect()
}
