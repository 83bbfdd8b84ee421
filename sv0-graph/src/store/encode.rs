//! A staged graph, as chunks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::error::StoreError;
use super::format::Kind;
use crate::key::NodeKey;
use crate::schema::{PropId, PropType};
use crate::value::Value;
use crate::working::{EdgeRec, GROUP, NodeRec, Working};

/// A chunk to be written.
pub(crate) struct Chunk {
    pub key: u64,
    pub rows: u32,
    pub aux: u32,
    pub bytes: Vec<u8>,
}

/// Codes of all strings that the store holds. Code 0 is "none"; codes never change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dictionary {
    pub codes: HashMap<Arc<str>, u32>,
    pub chunks: u16,
}

impl Dictionary {
    fn code(&self, s: &str) -> u32 {
        self.codes.get(s).copied().unwrap_or(0)
    }
}

/// How many nodes a partition of the key index holds, about.
const PARTITION: usize = 4096;

/// Encodes the graph. New strings get codes in sorted order; `dictionary` is brought up to date, and the chunk of its
/// new strings is among the result. Chunks of earlier strings aren't: they never change.
pub(crate) fn encode(g: &Working, dictionary: &mut Dictionary) -> Result<(Vec<Chunk>, u32), StoreError> {
    let mut out = Vec::new();
    add_strings(g, dictionary, &mut out)?;
    let dict = &*dictionary;
    for (group, _) in (0u16..=u16::MAX).zip(&g.group_types) {
        encode_nodes(g, dict, group, &mut out)?;
    }
    for (ty, table) in (0u16..).zip(&g.edges) {
        let mut order: Vec<Ordered<'_>> = table.out.iter().map(|(k, s)| (k, *s)).collect();
        order.sort();
        encode_edges(g, dict, ty, &order, &mut out);
    }
    let partitions = encode_keys(g, &mut out);
    encode_records(g, &mut out)?;
    let schema = serde_json::to_vec(&*g.schema).unwrap_or_default();
    out.push(Chunk { key: Kind::Schema.key(0, 0, 0), rows: 1, aux: 0, bytes: schema });
    out.sort_by_key(|c| c.key);
    Ok((out, partitions))
}

fn add_strings(g: &Working, dict: &mut Dictionary, out: &mut Vec<Chunk>) -> Result<(), StoreError> {
    let mut fresh: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut see = |s: &Arc<str>| {
        if !dict.codes.contains_key(s) {
            fresh.insert(s.clone());
        }
    };
    let see_value = |v: &Value, see: &mut dyn FnMut(&Arc<str>)| match v {
        Value::Str(s) => see(s),
        Value::List(l) => l.iter().for_each(see),
        _ => {}
    };
    for n in g.nodes.iter().flatten() {
        see(&n.key.source);
        n.origins.iter().for_each(|(_, p)| see(p));
        n.props.iter().for_each(|(_, v)| see_value(v, &mut see));
    }
    for t in &g.edges {
        for slot in t.out.values() {
            let ((_, _, key), rec) = &t.slots[*slot as usize];
            see(key);
            see(&rec.source);
            rec.condition.iter().for_each(&mut see);
            rec.origins.iter().for_each(|(_, p)| see(p));
            rec.props.iter().for_each(|(_, v)| see_value(v, &mut see));
        }
    }
    if fresh.is_empty() {
        return Ok(());
    }
    let base = u32::try_from(dict.codes.len()).unwrap_or(u32::MAX);
    let bytes = heap(fresh.iter().map(|s| &**s))?;
    let rows = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
    out.push(Chunk { key: Kind::Dictionary.key(0, 0, dict.chunks), rows, aux: base, bytes });
    dict.chunks = dict
        .chunks
        .checked_add(1)
        .ok_or(StoreError::Limit { which: "the number of commits without compaction", max: 65_535 })?;
    for (s, i) in fresh.into_iter().zip(1u32..) {
        dict.codes.insert(s, base + i);
    }
    Ok(())
}

fn encode_nodes(g: &Working, dict: &Dictionary, group: u16, out: &mut Vec<Chunk>) -> Result<(), StoreError> {
    let rows = g.group_rows[usize::from(group)];
    let first = usize::from(group) * GROUP;
    let nodes: Vec<Option<&NodeRec>> =
        (first..first + rows as usize).map(|i| g.nodes.get(i).and_then(Option::as_ref)).collect();
    let mut push = |kind: Kind, a: u16, bytes: Vec<u8>| {
        out.push(Chunk { key: kind.key(a, 0, group), rows, aux: 0, bytes });
    };
    push(Kind::Alive, 0, bitmap(nodes.iter().map(Option::is_some)));
    push(Kind::ExternalId, 0, heap(nodes.iter().map(|n| n.map_or("", |n| &*n.key.id)))?);
    push(Kind::Source, 0, words(nodes.iter().map(|n| n.map_or(0, |n| dict.code(&n.key.source)))));
    let used: BTreeSet<PropId> = nodes.iter().flatten().flat_map(|n| n.props.iter().map(|(p, _)| *p)).collect();
    for p in used {
        let values = nodes.iter().map(|n| n.and_then(|n| find(&n.props, p)));
        push(Kind::NodeProp, p.0, column(values, g.schema.node_properties()[usize::from(p.0)].ty, dict));
    }
    let origins: Vec<&[(u32, Arc<str>)]> = nodes.iter().map(|n| n.map_or(&[][..], |n| &n.origins)).collect();
    push(Kind::NodeOrigin, 0, origin_rows(&origins, dict));
    Ok(())
}

type Ordered<'a> = (&'a (u32, u32, Arc<str>), u32);

fn encode_edges(g: &Working, dict: &Dictionary, ty: u16, order: &[Ordered<'_>], out: &mut Vec<Chunk>) {
    let table = &g.edges[usize::from(ty)];
    // By group of the start.
    let mut positions: BTreeMap<(u32, u32, &str), u32> = BTreeMap::new();
    let mut at = 0;
    while at < order.len() {
        let group = order[at].0.0 as usize / GROUP;
        let end = at + order[at..].partition_point(|(k, _)| k.0 as usize / GROUP == group);
        let part = &order[at..end];
        let recs: Vec<&EdgeRec> = part.iter().map(|(_, s)| &table.slots[*s as usize].1).collect();
        let edges = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let rows = g.group_rows[group];
        let key = |kind: Kind, b: u16| kind.key(ty, b, u16::try_from(group).unwrap_or(u16::MAX));
        let starts = offsets(rows, group, part.iter().map(|(k, _)| k.0));
        let mut bytes = words([rows, edges].into_iter().chain(starts));
        bytes.extend(words(part.iter().map(|(k, _)| k.1)));
        out.push(Chunk { key: key(Kind::Out, 0), rows, aux: edges, bytes });
        let mut meta = words(recs.iter().map(|r| u32::from(r.evidence as u8) | u32::from(r.state as u8) << 8));
        meta.extend(words(part.iter().map(|(k, _)| dict.code(&k.2))));
        meta.extend(words(recs.iter().map(|r| r.condition.as_ref().map_or(0, |c| dict.code(c)))));
        meta.extend(words(recs.iter().map(|r| dict.code(&r.source))));
        out.push(Chunk { key: key(Kind::EdgeMeta, 0), rows: edges, aux: 0, bytes: meta });
        let used: BTreeSet<PropId> = recs.iter().flat_map(|r| r.props.iter().map(|(p, _)| *p)).collect();
        for p in used {
            let values = recs.iter().map(|r| find(&r.props, p));
            let bytes = column(values, g.schema.edge_properties()[usize::from(p.0)].ty, dict);
            out.push(Chunk { key: key(Kind::EdgeProp, p.0), rows: edges, aux: 0, bytes });
        }
        let origins: Vec<&[(u32, Arc<str>)]> = recs.iter().map(|r| &r.origins[..]).collect();
        out.push(Chunk { key: key(Kind::EdgeOrigin, 0), rows: edges, aux: 0, bytes: origin_rows(&origins, dict) });
        for ((k, _), pos) in part.iter().zip(0u32..) {
            positions.insert((k.0, k.1, &k.2), pos);
        }
        at = end;
    }
    // By group of the end.
    let inward: Vec<&(u32, u32, Arc<str>)> = table.inward.keys().collect();
    let mut at = 0;
    while at < inward.len() {
        let group = inward[at].0 as usize / GROUP;
        let end = at + inward[at..].partition_point(|k| k.0 as usize / GROUP == group);
        let part = &inward[at..end];
        let rows = g.group_rows[group];
        let edges = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let starts = offsets(rows, group, part.iter().map(|k| k.0));
        let mut bytes = words([rows, edges].into_iter().chain(starts));
        bytes.extend(words(part.iter().map(|k| k.1)));
        bytes.extend(words(part.iter().map(|k| positions.get(&(k.1, k.0, &*k.2)).copied().unwrap_or(0))));
        let key = Kind::In.key(ty, 0, u16::try_from(group).unwrap_or(u16::MAX));
        out.push(Chunk { key, rows, aux: edges, bytes });
        at = end;
    }
}

fn encode_keys(g: &Working, out: &mut Vec<Chunk>) -> u32 {
    let live = g.index.len();
    let partitions = live.div_ceil(PARTITION).next_power_of_two().min(1 << 16);
    let mut keys: Vec<(u64, u32)> =
        g.index.iter().map(|(k, id): (&NodeKey, &u32)| (NodeKey::hash64(&k.source, &k.id), *id)).collect();
    keys.sort_unstable();
    let shift = 64 - partitions.trailing_zeros();
    for p in 0..partitions {
        let of = |h: u64| if shift == 64 { 0 } else { usize::try_from(h >> shift).unwrap_or(0) };
        let from = keys.partition_point(|(h, _)| of(*h) < p);
        let to = keys.partition_point(|(h, _)| of(*h) <= p);
        let part = &keys[from..to];
        let mut bytes: Vec<u8> = part.iter().flat_map(|(h, _)| h.to_le_bytes()).collect();
        bytes.extend(words(part.iter().map(|(_, id)| *id)));
        let key = Kind::KeyIndex.key(0, 0, u16::try_from(p).unwrap_or(u16::MAX));
        out.push(Chunk { key, rows: u32::try_from(part.len()).unwrap_or(u32::MAX), aux: 0, bytes });
    }
    u32::try_from(partitions).unwrap_or(u32::MAX)
}

/// Records stand in chunks of this many, so that a commit rewrites the last one at most.
pub(crate) const RECORDS_PER_CHUNK: usize = 1024;

fn encode_records(g: &Working, out: &mut Vec<Chunk>) -> Result<(), StoreError> {
    for (i, part) in (0u16..).zip(g.records.chunks(RECORDS_PER_CHUNK)) {
        let texts: Vec<String> = part.iter().map(|r| serde_json::to_string(r).unwrap_or_default()).collect();
        let bytes = heap(texts.iter().map(String::as_str))?;
        let rows = u32::try_from(part.len()).unwrap_or(u32::MAX);
        out.push(Chunk { key: Kind::Records.key(0, 0, i), rows, aux: 0, bytes });
    }
    Ok(())
}

fn find(props: &[(PropId, Value)], p: PropId) -> Option<&Value> {
    props.binary_search_by_key(&p, |(q, _)| *q).ok().map(|i| &props[i].1)
}

fn offsets(rows: u32, group: usize, sorted: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut counts = vec![0u32; rows as usize + 1];
    for id in sorted {
        counts[id as usize - group * GROUP + 1] += 1;
    }
    for i in 1..counts.len() {
        counts[i] += counts[i - 1];
    }
    counts
}

fn words(items: impl IntoIterator<Item = u32>) -> Vec<u8> {
    items.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn bitmap(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut out: Vec<u64> = Vec::new();
    for (i, b) in bits.enumerate() {
        if i % 64 == 0 {
            out.push(0);
        }
        if b && let Some(w) = out.last_mut() {
            *w |= 1 << (i % 64);
        }
    }
    out.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn heap<'a>(items: impl Iterator<Item = &'a str> + Clone) -> Result<Vec<u8>, StoreError> {
    let total: usize = items.clone().map(str::len).sum();
    if u32::try_from(total).is_err() {
        return Err(StoreError::Limit { which: "the text of one chunk", max: u64::from(u32::MAX) });
    }
    let mut at = 0u32;
    let mut out = at.to_le_bytes().to_vec();
    for s in items.clone() {
        at += u32::try_from(s.len()).unwrap_or(0);
        out.extend_from_slice(&at.to_le_bytes());
    }
    for s in items {
        out.extend_from_slice(s.as_bytes());
    }
    Ok(out)
}

/// A column: texts as codes (0 is null); the rest with a bitmap of what is known.
fn column<'a>(values: impl Iterator<Item = Option<&'a Value>> + Clone, ty: PropType, dict: &Dictionary) -> Vec<u8> {
    if ty == PropType::Str {
        return words(values.map(|v| v.and_then(Value::as_str).map_or(0, |s| dict.code(s))));
    }
    let mut out = bitmap(values.clone().map(|v| v.is_some_and(|v| !v.is_null())));
    match ty {
        PropType::Bool => out.extend(bitmap(values.map(|v| matches!(v, Some(Value::Bool(true)))))),
        PropType::StrList => {
            let mut at = 0u32;
            let mut ends = vec![0u32];
            let mut codes = Vec::new();
            for v in values {
                for s in v.map_or(&[][..], Value::as_list) {
                    codes.push(dict.code(s));
                    at += 1;
                }
                ends.push(at);
            }
            out.extend(words(ends));
            out.extend(words(codes));
        }
        _ => out.extend(values.flat_map(|v| {
            match v {
                Some(Value::Int(n) | Value::Timestamp(n)) => *n,
                Some(Value::Float(f)) => i64::from_le_bytes(f.to_le_bytes()),
                _ => 0,
            }
            .to_le_bytes()
        })),
    }
    out
}

fn origin_rows(rows: &[&[(u32, Arc<str>)]], dict: &Dictionary) -> Vec<u8> {
    let mut at = 0u32;
    let mut ends = vec![0u32];
    for r in rows {
        at += u32::try_from(r.len()).unwrap_or(0);
        ends.push(at);
    }
    let mut out = words(ends);
    out.extend(words(rows.iter().flat_map(|r| r.iter().flat_map(|(rec, p)| [*rec, dict.code(p)]))));
    out
}
