//! Everything checked: every section of every snapshot, and what they say of each other.

use std::collections::BTreeMap;

use super::Store;
use super::chunk::{Body, Chunk};
use super::error::StoreError;
use super::format::{Kind, key_parts};
use super::snapshot::{Snapshot, edge_id, group};
use crate::schema::NodeType;
use crate::value::Value;
use crate::view::{Direction, GraphView};
use crate::working::unwrap;

/// What a full verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Snapshots read.
    pub snapshots: u64,
    /// Sections read.
    pub sections: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What doesn't hold; empty if all does.
    pub problems: Vec<String>,
}

impl Store {
    /// Reads and checks everything in every snapshot: hashes, structure, references.
    ///
    /// # Errors
    /// The system's; what is wrong with the file is in the report.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        let mut report = VerifyReport::default();
        for (number, ..) in self.snapshots() {
            let s = match self.snapshot(number) {
                Ok(s) => s,
                Err(e) => {
                    report.problems.push(format!("snapshot {number}: {e}"));
                    continue;
                }
            };
            report.snapshots += 1;
            report.sections += s.manifest().chunks.len() as u64;
            report.bytes += s.manifest().chunks.iter().map(|c| c.len).sum::<u64>();
            let problems = s.check_all();
            if problems.is_empty() {
                match s.check_references() {
                    Ok(bad) => report.problems.extend(bad.into_iter().map(|b| format!("snapshot {number}: {b}"))),
                    Err(e) => report.problems.push(format!("snapshot {number}: {e}")),
                }
            }
            report.problems.extend(problems.into_iter().map(|p| format!("snapshot {number}: {p}")));
        }
        Ok(report)
    }
}

impl Snapshot {
    /// Checks across sections: ends of edges are live and of an allowed type, both directions agree, keys find nodes.
    pub(crate) fn check_references(&self) -> Result<Vec<String>, StoreError> {
        const SHOWN: usize = 20;
        let m = self.manifest();
        let mut bad = Vec::new();
        let live = self.nodes(None).map_err(unwrap)?;
        let mut by_type: BTreeMap<NodeType, u64> = BTreeMap::new();
        for node in &live {
            if let Some(t) = self.node_type(*node) {
                *by_type.entry(t).or_default() += 1;
            }
        }
        for (t, n) in NodeType::ALL.into_iter().zip(&m.node_counts) {
            if by_type.get(&t).copied().unwrap_or(0) != *n {
                bad.push(format!("count of {t}"));
            }
        }
        for c in m.chunks_of(Kind::Pages) {
            if let Some(Chunk { body: Body::Pages(pages), bytes }) = self.chunk(c.key)?
                && !pages.is_sound(bytes.as_slice())
                && bad.len() < SHOWN
            {
                bad.push(format!("pages from record {} on", c.aux));
            }
        }
        for c in m.chunks_of(Kind::ValueIndex) {
            let (column, _, g) = key_parts(c.key);
            let Some(Chunk { body: Body::ValueIndex { values, rows }, bytes }) = self.chunk(c.key)? else { continue };
            let Some(Chunk { body: Body::Column(own), bytes: cells }) =
                self.chunk(Kind::NodeColumn.key(column, 0, g))?
            else {
                bad.push(format!("value index of column {column} in group {g}"));
                continue;
            };
            let mut found: BTreeMap<std::sync::Arc<str>, Vec<u32>> = BTreeMap::new();
            for row in 0..own.rows {
                let value = own.value(cells.as_slice(), row);
                let texts = match &value {
                    Value::Str(s) => std::slice::from_ref(s),
                    Value::List(l) => l,
                    _ => &[],
                };
                for t in texts {
                    let rows = found.entry(t.clone()).or_default();
                    let row = u32::try_from(row).unwrap_or(u32::MAX);
                    if rows.last() != Some(&row) {
                        rows.push(row);
                    }
                }
            }
            let same = found.len() == rows.len()
                && found.iter().zip(&rows[..]).enumerate().all(|(i, ((value, want), have))| {
                    values.get(bytes.as_slice(), i) == &**value && have.iter().eq(want.iter().copied())
                });
            if !same && bad.len() < SHOWN {
                bad.push(format!("value index of column {column} in group {g}"));
            }
        }
        for ty in self.schema().edge_type_ids() {
            let edge_type = self.schema().edge_type(ty);
            let (mut out, mut inward) = (0u64, 0u64);
            for g in 0..u16::try_from(m.group_types.len()).unwrap_or(u16::MAX) {
                for dir in [Direction::Out, Direction::In] {
                    let rows = self.rows(ty, dir, g)?;
                    if rows.base.is_none() && rows.patch.is_none() {
                        continue;
                    }
                    for r in 0..m.group_rows[usize::from(g)] {
                        let node = u32::from(g) << 16 | r;
                        rows.each(r as usize, &mut |other, ordinal, _| {
                            let (from, to) = if dir == Direction::Out { (node, other) } else { (other, node) };
                            let (a, b) = (self.node_type(from), self.node_type(to));
                            let fits = matches!((a, b), (Some(a), Some(b)) if edge_type.allows(a, b));
                            if !fits && bad.len() < SHOWN {
                                bad.push(format!("edge {} from {from} to {to}", edge_type.name));
                            }
                            if dir == Direction::Out {
                                out += 1;
                            } else {
                                inward += 1;
                            }
                            let edge = edge_id(ty, group(from), ordinal);
                            if !self.ends(edge).is_ok_and(|e| e == (from, to)) && bad.len() < SHOWN {
                                bad.push(format!("ordinal of {} from {from} to {to}", edge_type.name));
                            }
                        });
                    }
                }
            }
            let counted = m.edge_counts.get(usize::from(ty.0)).copied().unwrap_or(0);
            if out != counted || inward != counted {
                bad.push(format!("count of {}", edge_type.name));
            }
        }
        for node in live {
            if self.find(&self.key(node).map_err(unwrap)?).map_err(unwrap)? != Some(node) && bad.len() < SHOWN {
                bad.push(format!("key index of node {node}"));
            }
        }
        Ok(bad)
    }
}
