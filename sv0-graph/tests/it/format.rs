//! `FORMAT.md` against the files that are written: its tables are read, and a store with every kind of section is taken
//! apart by them, without the crate's own reader (and without rkyv, but for the statistics).
//!
//! What isn't checked, because the public interface doesn't show it: the content of the `schema` archive, the order of
//! writes and what is assumed of the medium (the reliability lanes of the test kit do that), the thresholds of `Auto`,
//! the writer's choices of slope and coding, the limits table but for the kinds and the column numbers, that exactly the
//! numbers from 0xfff0 on are kept (only those in use are seen), and reader and writer flags that a build knows (there
//! are none).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roaring::{RoaringBitmap, RoaringTreemap};
use sv0_graph::schema::Property;
use sv0_graph::vfs::{MemoryFile, MemoryVfs};
use sv0_graph::{
    Direction, EdgeId, EdgeInput, EdgeTypeId, GraphBatch, GraphView, Keep, Layout, NodeInput, NodeType, Origin,
    PropType, Schema, Scope, Snapshot, SourceRecord, State, Store, StoreError, Trust, TypeStatistics, Value,
};

use crate::ingest::key;
use crate::model::dump;

const DOC: &str = include_str!("../../FORMAT.md");
const PATH: &str = "/format.sv0";

// ---- the document ----

type Table = Vec<Vec<String>>;

/// The tables under a heading, up to the next heading; cells without backticks, the first line left out.
fn tables(heading: &str) -> Vec<Table> {
    let mut lines = DOC.lines().skip_while(|l| *l != heading);
    assert!(lines.next().is_some(), "no heading `{heading}`");
    let mut out: Vec<Table> = Vec::new();
    let mut inside = false;
    for l in lines.take_while(|l| !l.starts_with('#')) {
        if !l.starts_with('|') {
            inside = false;
            continue;
        }
        if !inside {
            out.push(Vec::new());
            inside = true;
        }
        let cells = l.trim_matches('|').split('|').map(|c| c.trim().replace('`', "")).collect();
        out.last_mut().unwrap().push(cells);
    }
    // Head and rule.
    out.iter_mut().for_each(|t| drop(t.drain(..2)));
    out
}

fn table(heading: &str, n: usize) -> Table {
    tables(heading).swap_remove(n)
}

fn number(text: &str) -> usize {
    match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap_or_else(|_| panic!("`{text}` isn't a number")),
    }
}

/// Fixed fields by what the document says of them: (offset, type, name, what).
struct Fields(Table);

impl Fields {
    /// The offset of the field whose description begins so, or whose name it is.
    fn at(&self, what: &str, ty: &str) -> usize {
        let row = self
            .0
            .iter()
            .find(|r| r[2] == what || r[2].starts_with(&format!("{what}:")) || r[2].starts_with(&format!("{what},")));
        let row = row.unwrap_or_else(|| panic!("no field `{what}` in {:?}", self.0));
        assert_eq!(row[1], ty, "{what}");
        number(&row[0])
    }
}

/// Number and name of each kind of section.
fn kinds() -> BTreeMap<u16, String> {
    table("## Sections", 0).iter().map(|r| (number(&r[0]) as u16, r[1].clone())).collect()
}

fn kind(name: &str) -> u16 {
    *kinds().iter().find(|(_, n)| *n == name).unwrap_or_else(|| panic!("no kind `{name}`")).0
}

/// A column of the store's own, by its number in the document.
fn own(of: &str, name: &str) -> u16 {
    let t = table("## Sections", 1);
    number(&t.iter().find(|r| r[1] == of && r[2] == name).unwrap_or_else(|| panic!("no column `{name}`"))[0]) as u16
}

fn own_type(of: &str, column: u16) -> Option<String> {
    let t = table("## Sections", 1);
    let row = t.iter().find(|r| r[1] == of && number(&r[0]) == usize::from(column))?;
    Some(row[3].split([';', ':']).next().unwrap().to_owned())
}

fn node_types() -> BTreeMap<u8, String> {
    table("## Nodes, groups, edges", 0).iter().map(|r| (number(&r[0]) as u8, r[1].clone())).collect()
}

// ---- a store with every kind of section and of column ----

fn node(i: usize, round: usize) -> NodeInput {
    let ty = if i.is_multiple_of(3) { NodeType::Automation } else { NodeType::Identity };
    let mut n = NodeInput::new(key(&format!("n{i}")), ty, "k");
    for (skip, name, value) in [
        (5, "name", Value::str(format!("nämé {i} {round}"))),
        (3, "status", Value::str(["active", "disabled"][i % 2])),
        (4, "public", Value::Bool(i.is_multiple_of(2))),
        (7, "count", Value::Int(i as i64 * 7 - 50)),
        (6, "created_at", Value::Timestamp(i as i64 * 1_000_003)),
        (5, "tags", Value::list(["tier_zero", "external"][..i % 3].iter().copied())),
    ] {
        if i % skip != 1 {
            n = n.with(name, value);
        }
    }
    n.origins.push(Origin { record: 0, pointer: format!("/value/{i}/a{round}").into() });
    if i.is_multiple_of(4) {
        n.origins.push(Origin { record: 0, pointer: format!("/x#y/{i}").into() });
    }
    n
}

fn edge(i: usize, j: usize, round: usize) -> Option<EdgeInput> {
    let ty = match (i.is_multiple_of(3), j.is_multiple_of(3)) {
        (true, false) => "RUNS_AS",
        (false, false) => "CAN_ASSUME",
        _ => return None,
    };
    let mut e = EdgeInput::new(ty, key(&format!("n{i}")), key(&format!("n{j}")));
    e.key = ["", "a"][i % 2].into();
    e.condition = (i.is_multiple_of(4)).then(|| format!("if {round}").into());
    e.state = State::ALL[i % 3];
    e.origins.push(Origin { record: 0, pointer: format!("/e/{i}").into() });
    Some(e.with("via", Value::str("task")))
}

fn page(round: usize) -> String {
    format!("{{\"round\":{round},\"text\":\"{}\"}}", "ab".repeat(50))
}

fn batch(round: usize, nodes: impl Iterator<Item = usize>, all: usize) -> GraphBatch {
    let mut b = GraphBatch::new("t", 1_000 + round as i64);
    b.system = "system".into();
    b.legacy_identities = 7;
    b.records.push(SourceRecord { operation: format!("GET /{round}"), ..SourceRecord::default() });
    b.pages.insert(0, page(round).into());
    for i in nodes {
        b.nodes.push(node(i, round));
        b.edges.extend([7, 11].into_iter().filter_map(|k| edge(i, (i * k + 1) % all, round)));
    }
    b
}

struct Made {
    store: Store,
    file: Arc<MemoryFile>,
}

fn made() -> Made {
    let mut schema = Schema::canonical();
    for name in ["score", "ratio"] {
        schema.add_node_property(Property { name: name.into(), ty: PropType::Float, doc: String::new() }).unwrap();
    }
    let file = Arc::new(MemoryFile::default());
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), file.clone());
    let mut store = Store::open_or_create_in(Arc::new(vfs), PATH, schema).unwrap();
    // 1,100 texts that don't repeat, floats that do and don't.
    let mut first = batch(1, 0..34, 34);
    first.nodes.extend((0..1100usize).map(|i| {
        NodeInput::new(key(&format!("resource-{}", i * i)), NodeType::Resource, ["bucket", "table"][i % 2])
            .with("score", Value::Float(i as f64 / 3.0))
            .with("ratio", Value::Float([0.25, 0.5][i % 2]))
    }));
    // Nodes and edges that say something else; then some that go, and new ones.
    let second = batch(2, 5..12, 34);
    let mut third = batch(3, (0..38).filter(|i| ![3, 9].contains(i) && (*i % 3 == 0 || *i >= 34)), 38);
    third.complete.push(Scope { types: vec![NodeType::Automation], scope: "all".into(), within: None });
    for (b, layout, name) in [
        (first, Layout::Fresh, "short"),
        (second, Layout::Patches, "a name of more than eight bytes, and of more than sixty-four: it is long"),
        (third, Layout::Patches, "third"),
    ] {
        let mut t = store.begin().unwrap();
        t.stage(vec![b]).unwrap();
        t.commit_as(name, layout).unwrap();
    }
    Made { store, file }
}

// ---- bytes by hand ----

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().unwrap())
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().unwrap())
}

fn hash_at(b: &[u8], at: usize) -> [u8; 32] {
    b[at..at + 32].try_into().unwrap()
}

fn blake3(b: &[u8]) -> [u8; 32] {
    *blake3::hash(b).as_bytes()
}

/// The slot in charge: where it stands.
fn current_slot(b: &[u8]) -> usize {
    let slots = slot_copies();
    let f = Fields(table("### Slot", 0));
    let sequence = f.at("sequence", "u64");
    let valid = |at: usize| blake3(&b[at..at + 64]) == hash_at(b, at + f.at("BLAKE3 of bytes 0 to 63", "32 bytes"));
    slots.into_iter().flatten().filter(|at| valid(*at)).max_by_key(|at| u64_at(b, at + sequence)).unwrap() / 4096 * 4096
}

/// Where both copies of both slots stand.
fn slot_copies() -> [[usize; 2]; 2] {
    let layout = table("## Layout", 0);
    let at = |name: &str| number(&layout.iter().find(|r| r[2] == name).unwrap_or_else(|| panic!("{name}"))[0]);
    [[at("slot 0, first copy"), at("slot 0, second copy")], [at("slot 1, first copy"), at("slot 1, second copy")]]
}

/// A list in an archive: where its items are, and how many.
fn list(b: &[u8], at: usize) -> (usize, usize) {
    let from = at as i64 + i64::from(u32_at(b, at).cast_signed());
    (usize::try_from(from).unwrap(), u32_at(b, at + 4) as usize)
}

fn string(b: &[u8], at: usize) -> String {
    let text = if b[at] & 0xc0 == 0x80 {
        let stored = u32_at(b, at);
        let len = (stored & 0x3f | (stored & !0xff) >> 2) as usize;
        let from = (at as i64 + i64::from(u32_at(b, at + 4).cast_signed())) as usize;
        &b[from..from + len]
    } else {
        let own = &b[at..at + 8];
        &own[..own.iter().position(|c| *c == 0xff).unwrap_or(8)]
    };
    String::from_utf8(text.to_vec()).unwrap()
}

/// Blocks of a section.
struct Cursor<'a> {
    b: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn raw(&mut self, len: usize) -> &'a [u8] {
        assert!(self.at.is_multiple_of(8), "a block begins at a multiple of 8");
        let out = &self.b[self.at..self.at + len];
        let end = (self.at + len).next_multiple_of(8);
        assert!(self.b[self.at + len..end].iter().all(|c| *c == 0), "padding is zero");
        self.at = end;
        out
    }

    fn u32s(&mut self, n: usize) -> Vec<u32> {
        self.raw(n * 4).chunks(4).map(|c| u32_at(c, 0)).collect()
    }

    fn u64s(&mut self, n: usize) -> Vec<u64> {
        self.raw(n * 8).chunks(8).map(|c| u64_at(c, 0)).collect()
    }

    fn bits(&mut self, n: usize) -> Vec<bool> {
        let words = self.u64s(n.div_ceil(64));
        (0..n).map(|i| words[i / 64] >> (i % 64) & 1 == 1).collect()
    }

    /// The values, and the width.
    fn packed_width(&mut self) -> (Vec<i64>, u32) {
        let head = self.u32s(2);
        let line = self.u64s(2);
        let (count, width) = (head[0] as usize, head[1] as usize);
        assert!(width <= 64);
        let words = self.u64s((count * width).div_ceil(64));
        let value = |i: usize| {
            let bit = |n: usize| words[n / 64] >> (n % 64) & 1;
            let residual = (0..width).fold(0u64, |r, k| r | bit(i * width + k) << k);
            line[0].wrapping_add(line[1].wrapping_mul(i as u64)).wrapping_add(residual).cast_signed()
        };
        ((0..count).map(value).collect(), head[1])
    }

    fn packed(&mut self) -> Vec<i64> {
        self.packed_width().0
    }

    fn texts(&mut self) -> Vec<String> {
        let ends = self.packed();
        let all = self.raw(ends.last().map_or(0, |e| *e as usize));
        spans(&ends).map(|r| String::from_utf8(all[r].to_vec()).unwrap()).collect()
    }

    fn dictionary(&mut self) -> Vec<String> {
        let t = self.texts();
        assert!(t.is_sorted_by(|a, b| a < b), "a dictionary ascends and its texts are distinct");
        t
    }

    fn end(self) {
        assert_eq!(self.at, self.b.len(), "the last block ends the section");
    }
}

fn spans(ends: &[i64]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    (0..ends.len()).map(|i| (if i == 0 { 0 } else { ends[i - 1] as usize })..ends[i] as usize)
}

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Value(Value),
    Origins(Vec<(u32, String)>),
}

/// A column by hand: its kind's number, and its cells. `ty` is what the document calls the type.
fn column(c: &mut Cursor<'_>, ty: &str) -> (u32, Vec<Cell>) {
    let head = c.u32s(4);
    let (kind, rows) = (head[0], head[2] as usize);
    assert_eq!(head[3], 0);
    let known = match head[1] {
        0 => vec![true; rows],
        1 => c.bits(rows),
        n => panic!("known {n}"),
    };
    let kinds = table("### Columns", 0);
    let said = kinds.iter().find(|r| number(&r[0]) == kind as usize).unwrap_or_else(|| panic!("no column kind {kind}"));
    assert_eq!(said[2], ty, "type of a column of kind {kind}");
    let values: Vec<Value> = match &*said[1] {
        "bool" => c.bits(rows).into_iter().map(Value::Bool).collect(),
        "int" => c.packed().into_iter().map(Value::Int).collect(),
        "timestamp" => c.packed().into_iter().map(Value::Timestamp).collect(),
        "float" => c.u64s(rows).into_iter().map(|w| Value::Float(f64::from_bits(w))).collect(),
        "float coded" => {
            let n = c.u32s(2);
            assert_eq!(n[1], 0);
            let values = c.u64s(n[0] as usize);
            assert!(values.is_sorted_by(|a, b| a < b));
            c.packed().into_iter().map(|i| Value::Float(f64::from_bits(values[i as usize]))).collect()
        }
        "text" => c.texts().into_iter().map(Value::str).collect(),
        "text coded" => {
            let d = c.dictionary();
            let code = |i: i64| if i == 0 { Value::Null } else { Value::str(d[i as usize - 1].clone()) };
            c.packed().into_iter().map(code).collect()
        }
        "list" => {
            let ends = c.packed();
            let d = c.dictionary();
            let items = c.packed();
            spans(&ends).map(|r| Value::list(items[r].iter().map(|i| d[*i as usize - 1].clone()))).collect()
        }
        "origins" => {
            let ends = c.packed();
            let records = c.packed();
            let templates = c.dictionary();
            let codes = c.packed();
            let number_ends = c.packed();
            let numbers = c.packed();
            let all: Vec<(u32, String)> = spans(&number_ends)
                .enumerate()
                .map(|(i, r)| {
                    let t = &templates[codes[i] as usize];
                    let pointer = match t.strip_prefix('~') {
                        Some(t) => numbers[r].iter().fold(t.to_owned(), |t, n| t.replacen('#', &n.to_string(), 1)),
                        None => t.strip_prefix('=').unwrap().to_owned(),
                    };
                    (records[i] as u32, pointer)
                })
                .collect();
            assert_eq!(ends.len(), rows);
            return (kind, spans(&ends).map(|r| Cell::Origins(all[r].to_vec())).collect());
        }
        other => panic!("a column kind `{other}` that this test can't read"),
    };
    assert_eq!(values.len(), rows);
    let cells = values.into_iter().zip(known).map(|(v, k)| Cell::Value(if k { v } else { Value::Null }));
    (kind, cells.collect())
}

#[derive(Debug, Clone)]
struct Reference {
    offset: usize,
    len: usize,
    rows: u32,
    aux: u32,
    hash: [u8; 32],
}

type Key = (u16, u16, u16, u16);

/// A snapshot by hand.
struct Parsed<'a> {
    file: &'a [u8],
    manifest: &'a [u8],
    root: usize,
    fields: Fields,
    refs: BTreeMap<Key, Reference>,
}

/// A field's row, by its name.
fn field(t: &Table, name: &str, ty: &str) -> usize {
    let row = t.iter().find(|r| r[2] == name).unwrap_or_else(|| panic!("no field `{name}`"));
    assert_eq!(row[1], ty, "{name}");
    number(&row[0])
}

fn parse(file: &[u8]) -> Parsed<'_> {
    let slot = current_slot(file);
    let f = Fields(table("### Slot", 0));
    let offset = u64_at(file, slot + f.at("offset of the manifest", "u64")) as usize;
    let len = u64_at(file, slot + f.at("length of the manifest", "u64")) as usize;
    let manifest = &file[offset..offset + len];
    assert_eq!(blake3(manifest), hash_at(file, slot + f.at("BLAKE3 of the manifest", "32 bytes")));
    assert!(DOC.split_whitespace().collect::<Vec<_>>().join(" ").contains("The root is its last 88 bytes:"));
    let root = len - 88;
    let fields = table("## Manifest", 0);
    let r = table("## Manifest", 4);
    let bits = table("## Manifest", 5);
    let shift =
        |what: &str| number(bits.iter().find(|b| b[1].starts_with(what)).unwrap()[0].split('-').nth(1).unwrap());
    let (items, count) = list(manifest, root + field(&fields, "chunks", "list of references"));
    let mut refs = BTreeMap::new();
    let mut last = None;
    for at in (0..count).map(|i| items + i * 64) {
        let key = u64_at(manifest, at + field(&r, "key", "u64"));
        assert!(last < Some(key), "references ascend");
        last = Some(key);
        let part = |what: &str| (key >> shift(what)) as u16;
        refs.insert(
            (part("kind"), part("a"), part("b"), part("group")),
            Reference {
                offset: u64_at(manifest, at + field(&r, "offset", "u64")) as usize,
                len: u64_at(manifest, at + field(&r, "len", "u64")) as usize,
                rows: u32_at(manifest, at + field(&r, "rows", "u32")),
                aux: u32_at(manifest, at + field(&r, "aux", "u32")),
                hash: hash_at(manifest, at + field(&r, "hash", "32 bytes")),
            },
        );
    }
    Parsed { file, manifest, root, fields: Fields(fields), refs }
}

impl<'a> Parsed<'a> {
    fn field(&self, name: &str, ty: &str) -> usize {
        self.root + field(&self.fields.0, name, ty)
    }

    fn section(&self, key: Key) -> Option<(&Reference, Cursor<'a>)> {
        let r = self.refs.get(&key)?;
        Some((r, Cursor { b: &self.file[r.offset..r.offset + r.len], at: 0 }))
    }

    fn of(&self, name: &str) -> Vec<Key> {
        let k = kind(name);
        self.refs.keys().filter(|key| key.0 == k).copied().collect()
    }

    /// Base and patch of a column: the cells of the rows that either has.
    fn cells(&self, base: Key, patch: Key, ty: &str, seen: &mut BTreeSet<u32>) -> BTreeMap<u32, Cell> {
        let mut out = BTreeMap::new();
        if let Some((r, mut c)) = self.section(base) {
            let (kind, cells) = column(&mut c, ty);
            c.end();
            seen.insert(kind);
            assert_eq!((cells.len(), r.aux), (r.rows as usize, 0));
            out.extend((0u32..).zip(cells));
        }
        if let Some((r, mut c)) = self.section(patch) {
            let (rows, width) = c.packed_width();
            assert!(width >= 1 && rows.is_sorted_by(|a, b| a < b));
            let (kind, cells) = column(&mut c, ty);
            c.end();
            seen.insert(kind);
            assert_eq!((cells.len(), rows.len(), r.aux), (r.rows as usize, cells.len(), 0));
            out.extend(rows.iter().map(|r| *r as u32).zip(cells));
        }
        out
    }

    /// The merged adjacency of one type and group: (row, other end, ordinal).
    fn rows(&self, ty: u16, group: u16, inward: bool) -> Vec<(u32, u32, u32)> {
        let (base, patch) =
            if inward { ("adjacency_in", "adjacency_in_patch") } else { ("adjacency_out", "adjacency_out_patch") };
        let mut places = Vec::new();
        if let Some((r, mut c)) = self.section((kind(base), ty, 0, group)) {
            let head = c.u32s(2);
            assert_eq!((head[0], head[1]), (r.rows, r.aux));
            let starts = c.u32s(head[0] as usize + 1);
            let others = c.u32s(head[1] as usize);
            let ordinals: Vec<u32> =
                if inward { c.packed().iter().map(|o| *o as u32).collect() } else { (0..head[1]).collect() };
            c.end();
            assert_eq!((starts[0], starts[starts.len() - 1]), (0, head[1]));
            for (row, w) in (0u32..).zip(starts.windows(2)) {
                let span = w[0] as usize..w[1] as usize;
                assert!(others[span.clone()].is_sorted());
                places.extend(span.map(|i| (row, others[i], ordinals[i])));
            }
        }
        let Some((r, mut c)) = self.section((kind(patch), ty, 0, group)) else { return places };
        let base_edges = self.refs.get(&(kind("adjacency_out"), ty, 0, group)).map_or(0, |r| r.aux);
        let head = c.u32s(2);
        let (gone, width) = c.packed_width();
        assert!(width >= 1 && gone.is_sorted_by(|a, b| a < b));
        let added: Vec<(u32, u32, u32)> = c.u32s(head[0] as usize * 3).chunks(3).map(|a| (a[0], a[1], a[2])).collect();
        let by_ordinal = c.u32s(head[0] as usize);
        c.end();
        assert_eq!((r.rows, r.aux), (head[0], gone.len() as u32));
        assert!(added.is_sorted_by(|a, b| a < b));
        assert!(by_ordinal.iter().map(|i| added[*i as usize].2).is_sorted());
        if inward {
            assert_eq!(head[1], 0xffff_ffff);
        } else {
            assert!(added.iter().all(|a| a.2 >= base_edges && a.2 < head[1]));
        }
        let kept = (0i64..).zip(places).filter(|(i, _)| !gone.contains(i)).map(|(_, p)| p);
        // Stable: of equal neighbours the base's come first.
        let mut all: Vec<(u32, u32, u32)> = kept.chain(added).collect();
        all.sort_by_key(|(row, other, _)| (*row, *other));
        all
    }
}

// ---- the tests ----

#[test]
fn header_and_slots_are_as_the_document_says() {
    let m = made();
    let b = m.file.bytes();
    let h = Fields(table("### Header", 0));
    let magic = table("### Header", 0)[0][2].clone();
    let magic: Vec<u8> =
        magic.trim_start_matches("magic: ").split(' ').map(|x| u8::from_str_radix(x, 16).unwrap()).collect();
    assert_eq!((magic.len(), &b[..16]), (16, &magic[..]));
    let said = |what: &str| {
        let (name, value) = what.split_once(", ").unwrap();
        (h.at(name, "u32"), number(value))
    };
    for row in table("### Header", 0).iter().filter(|r| r[1] == "u32") {
        let (at, value) = said(&row[2]);
        assert_eq!(u32_at(&b, at) as usize, value, "{}", row[2]);
    }
    assert_eq!(m.store.info().format_version, u32_at(&b, h.at("version", "u32")));
    assert!(DOC.starts_with(&format!("# The store's file format, version {}\n", m.store.info().format_version)));
    assert_eq!(blake3(&b[..32]), hash_at(&b, h.at("BLAKE3 of bytes 0 to 31", "32 bytes")));
    assert!(b[64..4096].iter().all(|c| *c == 0));
    // Creation was sequence 1 in slot 0, so the third commit is sequence 4 in slot 1.
    let f = Fields(table("### Slot", 0));
    let [zero, one] = slot_copies();
    for (copies, sequence) in [(zero, 3), (one, 4)] {
        for at in copies {
            assert_eq!(u64_at(&b, at + f.at("sequence", "u64")), sequence);
            assert_eq!(b[at..at + 96], b[copies[0]..copies[0] + 96], "both copies");
            assert_eq!(blake3(&b[at..at + 64]), hash_at(&b, at + f.at("BLAKE3 of bytes 0 to 63", "32 bytes")));
        }
        assert!(b[copies[0] + 96..copies[1]].iter().chain(&b[copies[1] + 96..copies[0] + 4096]).all(|c| *c == 0));
    }
    assert_eq!(current_slot(&b), one[0]);
    let committed = u64_at(&b, one[0] + f.at("committed length", "u64"));
    let end = u64_at(&b, one[0] + f.at("offset of the manifest", "u64"))
        + u64_at(&b, one[0] + f.at("length of the manifest", "u64"));
    assert_eq!((committed, m.store.info().file_bytes), (end.next_multiple_of(16), committed));
    assert_eq!(b.len() as u64, committed.next_multiple_of(4096));
    assert!(b[end as usize..].iter().all(|c| *c == 0));
    // The manifest that the slot names is the one that the store read.
    let place = &m.store.sections()[0];
    assert_eq!(
        (&*place.name, place.hash),
        ("manifest", hash_at(&b, one[0] + f.at("BLAKE3 of the manifest", "32 bytes")))
    );
    assert_eq!(place.offset, u64_at(&b, one[0] + f.at("offset of the manifest", "u64")));
}

#[test]
fn sections_and_their_names_are_as_the_document_says() {
    let m = made();
    let b = m.file.bytes();
    let p = parse(&b);
    let names = kinds();
    // Exactly the kinds that there are: every one occurs in this store, and the next number is refused.
    assert_eq!(names.values().cloned().collect::<BTreeSet<_>>(), m.store.info().sections.into_keys().collect());
    assert_eq!(names.len(), table("## Sections", 0).len());
    let first = number(&table("## Layout", 0).last().unwrap()[0]);
    let listed = m.store.sections();
    assert_eq!(listed.len(), p.refs.len() + 1);
    for (place, (key, r)) in listed[1..].iter().zip(&p.refs) {
        let (k, x, y, g) = key;
        assert_eq!(place.name, format!("{}[{x},{y},{g}]", names[k]));
        assert_eq!((place.offset as usize, place.bytes as usize, place.hash), (r.offset, r.len, r.hash));
        assert!(r.offset >= first && r.offset.is_multiple_of(16), "{}", place.name);
        assert_eq!(blake3(&b[r.offset..r.offset + r.len]), r.hash, "{}", place.name);
    }
    // Column numbers of the store's own.
    let mut seen: BTreeSet<(String, u16)> = BTreeSet::new();
    for (kind, a, b, _) in p.refs.keys() {
        match &*names[kind] {
            "node_column" | "node_patch" if *a >= 0xfff0 => seen.insert(("nodes".into(), *a)),
            "edge_column" | "edge_patch" if *b >= 0xfff0 => seen.insert(("edges".into(), *b)),
            _ => true,
        };
    }
    let said = table("## Sections", 1).iter().map(|r| (r[1].clone(), number(&r[0]) as u16)).collect();
    assert_eq!(seen, said);
    // Parameters that a kind doesn't use are 0.
    for row in table("## Sections", 0) {
        for key in p.of(&row[1]) {
            for (part, said) in [(key.1, &row[2]), (key.2, &row[3]), (key.3, &row[4])] {
                assert!(said != "0" || part == 0, "{key:?}");
            }
            assert!(row[6] != "0" || p.refs[&key].aux == 0, "{key:?}");
        }
    }
}

#[test]
fn the_manifest_is_as_the_document_says() {
    let m = made();
    let b = m.file.bytes();
    let p = parse(&b);
    let (s, raw) = (m.store.latest(), p.manifest);
    let info = s.info();
    assert_eq!(u32_at(raw, p.field("number", "u32")), s.number());
    assert_eq!(u64_at(raw, p.field("time", "i64")).cast_signed(), info.time);
    assert_eq!(string(raw, p.field("name", "string")), s.name());
    let (at, groups) = list(raw, p.field("group_types", "list of u8"));
    let types: Vec<String> = raw[at..at + groups].iter().map(|t| node_types()[t].clone()).collect();
    let (at, n) = list(raw, p.field("group_rows", "list of u32"));
    assert_eq!(n, groups);
    let rows: Vec<u32> = (0..n).map(|i| u32_at(raw, at + i * 4)).collect();
    for n in s.nodes(None).unwrap() {
        let (group, row) = ((n >> 16) as usize, n & 0xffff);
        assert!(row < rows[group]);
        assert_eq!(s.node_type(n).unwrap().name(), types[group]);
    }
    assert_eq!(s.id_bound(), ((groups - 1) << 16) + rows[groups - 1] as usize);
    for (number, name) in node_types() {
        assert_eq!(NodeType::ALL[usize::from(number)].name(), name);
    }
    assert_eq!(node_types().len(), NodeType::ALL.len());
    let counts = |name: &str| {
        let (at, n) = list(raw, p.field(name, "list of u64"));
        (0..n).map(|i| u64_at(raw, at + i * 8)).collect::<Vec<u64>>()
    };
    assert_eq!(counts("node_counts").iter().sum::<u64>(), info.nodes);
    for (t, n) in NodeType::ALL.iter().zip(counts("node_counts")) {
        assert_eq!(info.nodes_by_type[t], n);
    }
    for (t, n) in s.schema().edge_types().iter().zip(counts("edge_counts")) {
        assert_eq!(info.edges_by_type[&t.name], n);
    }
    let per_section: u32 = p.of("records").iter().map(|k| p.refs[k].rows).sum();
    assert_eq!(u32_at(raw, p.field("records", "u32")), per_section);
    let t = table("## Manifest", 2);
    let (at, n) = list(raw, p.field("sources", "list of sources"));
    assert_eq!(n, info.sources.len());
    for (i, said) in info.sources.iter().enumerate() {
        let at = at + i * 48;
        assert_eq!(string(raw, at + field(&t, "name", "string")), said.name);
        assert_eq!(string(raw, at + field(&t, "system", "string")), said.system);
        assert_eq!(u64_at(raw, at + field(&t, "observed_at", "i64")).cast_signed(), said.observed_at);
        let (from, n) = list(raw, at + field(&t, "complete", "list of strings"));
        assert_eq!((0..n).map(|i| string(raw, from + i * 8)).collect::<Vec<_>>(), said.complete);
        assert_eq!(u32_at(raw, at + field(&t, "records", "u32")), said.records);
    }
    let legacy = u64_at(raw, at + field(&t, "legacy", "u64"));
    assert_eq!((legacy, info.legacy_identities), (7, 7));
    let t = table("## Manifest", 3);
    let (at, n) = list(raw, p.field("history", "list of history entries"));
    let said = m.store.snapshots();
    assert_eq!(n, said.len() - 1);
    for (i, (number, time, name)) in said[..n].iter().enumerate() {
        let at = at + i * 72;
        assert_eq!(u32_at(raw, at + field(&t, "number", "u32")), *number);
        assert_eq!(u64_at(raw, at + field(&t, "time", "i64")).cast_signed(), *time);
        assert_eq!(string(raw, at + field(&t, "name", "string")), *name);
        let from = u64_at(raw, at + field(&t, "offset", "u64")) as usize;
        let len = u64_at(raw, at + field(&t, "len", "u64")) as usize;
        assert_eq!(blake3(&b[from..from + len]), hash_at(raw, at + field(&t, "hash", "32 bytes")));
    }
    // The content hash, as the document defines it.
    let mut h = blake3::Hasher::new();
    for ((k, x, y, g), r) in p.refs.iter().filter(|(k, _)| k.0 != kind("changes")) {
        let key = u64::from(*k) << 48 | u64::from(*x) << 32 | u64::from(*y) << 16 | u64::from(*g);
        h.update(&key.to_le_bytes());
        h.update(&r.hash);
    }
    assert_eq!(h.finalize().to_hex().to_string(), s.content_hash());
    // Sizes that the document names in the text.
    for size in ["Source, 48 bytes:", "History entry, 72 bytes:", "Reference to a section, 64 bytes:"] {
        assert!(DOC.contains(size), "{size}");
    }
}

#[test]
fn pages_stand_as_the_document_says() {
    let m = made();
    let b = m.file.bytes();
    let p = parse(&b);
    let mut found = Vec::new();
    for k in p.of("pages") {
        let (r, mut c) = p.section(k).unwrap();
        let (records, ends) = (c.packed(), c.packed());
        assert_eq!((records.len(), records[0]), (r.rows as usize, i64::from(r.aux)));
        let len = u64_at(c.raw(8), 0) as usize;
        let block = lz4_flex::block::decompress(c.raw(len), *ends.last().unwrap() as usize).unwrap();
        let starts = std::iter::once(&0).chain(&ends);
        let text = |(from, to): (&i64, &i64)| String::from_utf8(block[*from as usize..*to as usize].to_vec()).unwrap();
        found.extend(records.iter().map(|r| *r as u32).zip(starts.zip(&ends).map(text)));
    }
    let s = m.store.latest();
    let kept: Vec<(u32, String)> = (0..s.record_count()).filter_map(|r| Some((r, s.page(r).unwrap()?))).collect();
    assert!(kept.len() > 1);
    assert_eq!(found, kept);
}

fn record(p: &Parsed<'_>, number: u32) -> SourceRecord {
    for k in p.of("records") {
        let (r, mut c) = p.section(k).unwrap();
        if number >= r.aux && number < r.aux + r.rows {
            return serde_json::from_str(&c.texts()[(number - r.aux) as usize]).unwrap();
        }
    }
    panic!("no record {number}");
}

fn found(p: &Parsed<'_>, cell: Option<&Cell>) -> Vec<(SourceRecord, String)> {
    match cell {
        Some(Cell::Origins(list)) => list.iter().map(|(r, at)| (record(p, *r), at.clone())).collect(),
        None => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn value(cells: &BTreeMap<u32, Cell>, row: u32) -> Value {
    match cells.get(&row) {
        Some(Cell::Value(v)) => v.clone(),
        None => Value::Null,
        other => panic!("{other:?}"),
    }
}

#[test]
fn node_columns_and_indexes_come_out_by_hand() {
    let m = made();
    let b = m.file.bytes();
    let p = parse(&b);
    let s = m.store.latest();
    let mut seen = BTreeSet::new();
    let (id, source, origins) = (own("nodes", "external id"), own("nodes", "source"), own("nodes", "origins"));
    let mut live = Vec::new();
    for k in p.of("alive") {
        let (g, first) = (k.3, u32::from(k.3) << 16);
        let (r, mut c) = p.section(k).unwrap();
        let alive: Vec<u32> =
            (0u32..).zip(c.bits(r.rows as usize)).filter(|(_, a)| *a).map(|(row, _)| first | row).collect();
        c.end();
        let cells = |column: u16, ty: &str, seen: &mut BTreeSet<u32>| {
            p.cells((kind("node_column"), column, 0, g), (kind("node_patch"), column, 0, g), ty, seen)
        };
        let own_cells: Vec<BTreeMap<u32, Cell>> = [id, source, origins]
            .into_iter()
            .map(|column| cells(column, &own_type("nodes", column).unwrap(), &mut seen))
            .collect();
        for n in &alive {
            let row = n & 0xffff;
            let key = s.key(*n).unwrap();
            assert_eq!(value(&own_cells[0], row).as_str(), Some(&*key.id));
            assert_eq!(value(&own_cells[1], row).as_str(), Some(&*key.source));
            assert_eq!(found(&p, own_cells[2].get(&row)), s.node_records(*n).unwrap());
        }
        for (column, prop) in (0u16..).zip(s.schema().node_properties()) {
            let cells = cells(column, prop.ty.name(), &mut seen);
            for n in &alive {
                assert_eq!(value(&cells, n & 0xffff), s.prop(*n, &prop.name).unwrap(), "{} of {n}", prop.name);
            }
            // Of the base alone.
            let index = (kind("value_index"), column, 0, g);
            let Some((r, mut c)) = p.section(index) else { continue };
            let (values, ends) = (c.dictionary(), c.packed());
            let maps = c.raw(ends.last().map_or(0, |e| *e as usize));
            c.end();
            assert_eq!(values.len(), r.rows as usize);
            let named = DOC.contains(&format!("`{}`", prop.name));
            assert!(named && values.len() <= 256);
            let base = p.cells((kind("node_column"), column, 0, g), (0, 0, 0, 0), prop.ty.name(), &mut seen);
            let holds = |v: &Value, text: &str| v.as_str() == Some(text) || v.as_list().iter().any(|t| &**t == text);
            for (text, range) in values.iter().zip(spans(&ends)) {
                let map = RoaringBitmap::deserialize_from(&maps[range]).unwrap();
                let slow = base.iter().filter(|(_, c)| matches!(c, Cell::Value(v) if holds(v, text)));
                assert_eq!(map.iter().collect::<Vec<_>>(), slow.map(|(r, _)| *r).collect::<Vec<_>>(), "{text}");
            }
        }
        live.extend(alive);
    }
    assert_eq!(live, s.nodes(None).unwrap());
    let said: BTreeSet<u32> = table("### Columns", 0).iter().map(|r| number(&r[0]) as u32).collect();
    assert_eq!(seen, said, "every kind of column occurs");
    // Keys.
    let name = "sv0 key index, format version 1.";
    assert!(DOC.contains(&format!("`{name}`")));
    let partitions = u32_at(p.manifest, p.field("key_partitions", "u32"));
    let bits = partitions.trailing_zeros();
    let mut index: BTreeMap<u16, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
    for k in p.of("key_index") {
        let (r, mut c) = p.section(k).unwrap();
        let (hashes, ids) = (c.u32s(r.rows as usize), c.u32s(r.rows as usize));
        c.end();
        assert!(hashes.is_sorted());
        index.insert(k.3, (hashes, ids));
    }
    let (r, mut c) = p.section((kind("key_delta"), 0, 0, 0)).unwrap();
    let (hashes, ids) = (c.u64s(r.rows as usize), c.u32s(r.rows as usize));
    c.end();
    assert!(hashes.is_sorted());
    for n in live {
        let key = s.key(n).unwrap();
        let mut h = blake3::Hasher::new_keyed(name.as_bytes().try_into().unwrap());
        h.update(&(key.source.len() as u64).to_le_bytes());
        h.update(key.source.as_bytes());
        h.update(key.id.as_bytes());
        let hash = u64_at(h.finalize().as_bytes(), 0);
        let partition = hash.checked_shr(64 - bits).unwrap_or(0) as u16;
        let narrow = ((hash << bits) >> 32) as u32;
        let indexed = index.get(&partition).is_some_and(|(h, i)| h.iter().zip(i).any(|(h, i)| (*h, *i) == (narrow, n)));
        let beside = hashes.iter().zip(&ids).any(|(h, i)| (*h, *i) == (hash, n));
        assert!(indexed ^ beside, "{key}");
    }
}

#[test]
fn edges_come_out_by_hand() {
    let m = made();
    let b = m.file.bytes();
    let p = parse(&b);
    let s = m.store.latest();
    let groups = p.of("alive").len() as u16;
    let mut seen = BTreeSet::new();
    let (mut all, mut removed, mut added) = (0, 0, 0);
    for k in [kind("adjacency_out_patch"), kind("adjacency_in_patch")] {
        let of = p.refs.iter().filter(|(key, _)| key.0 == k).map(|(_, r)| r);
        let sums = of.fold((0, 0), |s, r| (s.0 + r.rows, s.1 + r.aux));
        (added, removed) = (added + sums.0, removed + sums.1);
    }
    assert!(added > 0 && removed > 0, "patches add and remove");
    for ty in 0..s.schema().edge_types().len() as u16 {
        for (g, inward) in (0..groups).flat_map(|g| [(g, false), (g, true)]) {
            let mut rows: BTreeMap<u32, Vec<(u32, EdgeId)>> = BTreeMap::new();
            for (row, other, ordinal) in p.rows(ty, g, inward) {
                // An edge's id is made of its type, its start's group and its ordinal.
                let group = if inward { other >> 16 } else { u32::from(g) };
                let id = u64::from(ty) << 48 | u64::from(group) << 32 | u64::from(ordinal);
                rows.entry(row).or_default().push((other, EdgeId(id)));
            }
            let dir = if inward { Direction::In } else { Direction::Out };
            for n in s.nodes(None).unwrap().into_iter().filter(|n| n >> 16 == u32::from(g)) {
                let mut said = Vec::new();
                s.expand(n, EdgeTypeId(ty), dir, &mut |o, e| said.push((o, e))).unwrap();
                assert_eq!(rows.remove(&(n & 0xffff)).unwrap_or_default(), said, "{ty} {dir:?} of {n}");
            }
            assert!(rows.is_empty(), "dead nodes have no edges");
        }
        // Columns run along ordinals.
        for g in 0..groups {
            let cells = |column: u16, ty_name: &str, seen: &mut BTreeSet<u32>| {
                p.cells((kind("edge_column"), ty, column, g), (kind("edge_patch"), ty, column, g), ty_name, seen)
            };
            let own_cells = |name: &str, seen: &mut BTreeSet<u32>| {
                let column = own("edges", name);
                cells(column, &own_type("edges", column).unwrap(), seen)
            };
            let by_name: BTreeMap<&str, BTreeMap<u32, Cell>> =
                ["key", "sources", "origins", "condition", "evidence", "state"]
                    .into_iter()
                    .map(|n| (n, own_cells(n, &mut seen)))
                    .collect();
            let props: Vec<BTreeMap<u32, Cell>> = (0u16..)
                .zip(s.schema().edge_properties())
                .map(|(column, prop)| cells(column, prop.ty.name(), &mut seen))
                .collect();
            for (row, other, ordinal) in p.rows(ty, g, false) {
                all += 1;
                let e = EdgeId(u64::from(ty) << 48 | u64::from(g) << 32 | u64::from(ordinal));
                let r = s.edge(e).unwrap();
                assert_eq!((r.from, r.to), (u32::from(g) << 16 | row, other));
                assert_eq!(value(&by_name["key"], ordinal).as_str().unwrap_or(""), &*r.key);
                assert_eq!(value(&by_name["condition"], ordinal).as_str(), r.condition.as_deref());
                assert_eq!(value(&by_name["evidence"], ordinal), Value::Int(r.evidence as i64));
                assert_eq!(value(&by_name["state"], ordinal), Value::Int(r.state as i64));
                assert_eq!(value(&by_name["sources"], ordinal), Value::list(["t"]));
                assert_eq!(found(&p, by_name["origins"].get(&ordinal)), s.edge_records(e).unwrap());
                for (cells, prop) in props.iter().zip(s.schema().edge_properties()) {
                    let id = s.schema().edge_prop(&prop.name).unwrap();
                    assert_eq!(value(cells, ordinal), s.edge_prop(e, id).unwrap());
                }
            }
        }
    }
    assert_eq!(all, s.info().edges);
    // Evidence and state, as the document numbers them.
    for (name, said) in
        [("evidence", sv0_graph::Evidence::ALL.map(sv0_graph::Evidence::name)), ("state", State::ALL.map(State::name))]
    {
        let row = table("## Sections", 1).into_iter().find(|r| r[2] == name).unwrap();
        let list: Vec<String> = said.iter().enumerate().map(|(i, n)| format!("{i} {n}")).collect();
        assert_eq!(row[3], format!("int: {}", list.join(", ")));
    }
    // What the commit changed.
    for k in p.of("changes") {
        let (r, mut c) = p.section(k).unwrap();
        let sets: Vec<RoaringTreemap> = (0..3)
            .map(|_| {
                let len = c.u64s(1)[0] as usize;
                RoaringTreemap::deserialize_from(c.raw(len)).unwrap()
            })
            .collect();
        c.end();
        let said = match k.1 {
            0 => s.node_changes(NodeType::ALL[usize::from(k.2)]).unwrap(),
            1 => s.edge_changes(EdgeTypeId(k.2)).unwrap(),
            n => panic!("{n}"),
        };
        assert_eq!((&sets[0], &sets[1], &sets[2]), (&said.added, &said.changed, &said.removed));
        assert_eq!(u64::from(r.rows), sets.iter().map(RoaringTreemap::len).sum::<u64>());
    }
    let (r, c) = p.section((kind("statistics"), 0, 0, 0)).unwrap();
    let mut aligned = rkyv::util::AlignedVec::<16>::new();
    aligned.extend_from_slice(c.b);
    let list = rkyv::from_bytes::<Vec<TypeStatistics>, rkyv::rancor::Error>(&aligned).unwrap();
    assert_eq!((&list[..], r.rows as usize), (s.statistics().unwrap(), list.len()));
}

// ---- how files are told apart ----

fn open(bytes: Vec<u8>) -> Result<Store, StoreError> {
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), Arc::new(MemoryFile::new(bytes)));
    Store::open_in(Arc::new(vfs), PATH)
}

fn open_to_write(bytes: Vec<u8>) -> Result<Store, StoreError> {
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), Arc::new(MemoryFile::new(bytes)));
    Store::open_or_create_in(Arc::new(vfs), PATH, Schema::canonical())
}

/// Another u32 in the header, its hash put right or not.
fn header(bytes: &[u8], at: usize, n: u32, seal: bool) -> Vec<u8> {
    let mut b = bytes.to_vec();
    b[at..at + 4].copy_from_slice(&n.to_le_bytes());
    if seal {
        let hash = blake3(&b[..32]);
        b[32..64].copy_from_slice(&hash);
    }
    b
}

#[test]
fn versions_flags_and_slots_are_told_apart_as_the_document_says() {
    let m = made();
    let b = m.file.bytes();
    let h = Fields(table("### Header", 0));
    let (version, reader, writer) = (h.at("version", "u32"), h.at("reader flags", "u32"), h.at("writer flags", "u32"));
    let current = m.store.info().format_version;
    let unsupported = |b: Vec<u8>, n: u32| {
        matches!(open(b), Err(StoreError::UnsupportedVersion { found, min, max })
            if (found, min, max) == (n, current, current))
    };
    let corrupt = |b: Vec<u8>| matches!(open(b), Err(StoreError::Corrupt { .. }));
    let versions = table("## Versions", 0);
    assert_eq!(versions[0][0], format!("version {current}, hash holds"));
    assert!(open(b.clone()).is_ok());
    for sealed in [true, false] {
        assert!(unsupported(header(&b, version, current + 1, sealed), current + 1));
    }
    assert!(unsupported(header(&b, version, 1, true), 1));
    assert!(corrupt(header(&b, version, 1, false)));
    assert!(corrupt(header(&b, h.at("page size", "u32"), 8192, true)));
    for (at, reads) in [(reader, false), (writer, true)] {
        let flagged = header(&b, at, 1 << 7, true);
        assert_eq!(open(flagged.clone()).is_ok(), reads);
        assert!(matches!(open_to_write(flagged), Err(StoreError::UnsupportedFeatures { unknown: 128 })));
    }
    assert!(matches!(open(vec![0; 9000]), Err(StoreError::NotAStore)));
    assert!(matches!(open(b[..63].to_vec()), Err(StoreError::NotAStore)));
    assert!(matches!(open(b[..12287].to_vec()), Err(StoreError::Truncated { expected: 12288, found: 12287 })));
    assert!(matches!(open(b[..b.len() - 1].to_vec()), Err(StoreError::Truncated { .. })));
    // One copy is enough. Both damaged are damage; one torn beside one that was never written is a flip that didn't come
    // to its end, and the other slot counts.
    let [old, new] = slot_copies();
    let spoilt = |list: &[usize]| {
        let mut b = b.clone();
        list.iter().for_each(|at| b[*at] ^= 1);
        b
    };
    for copy in new {
        assert_eq!(open(spoilt(&[copy])).unwrap().latest().number(), 3);
    }
    assert!(corrupt(spoilt(&new)));
    assert!(corrupt(spoilt(&old)));
    assert!(corrupt(spoilt(&[old, new].concat())));
    for (torn, empty) in [(new[0], new[1]), (new[1], new[0])] {
        let mut b = spoilt(&[torn]);
        b[empty..empty + 96].fill(0);
        assert_eq!(open(b).unwrap().latest().number(), 2);
    }
    // A writer puts a damaged copy right.
    let file = Arc::new(MemoryFile::new(spoilt(&new[..1])));
    let vfs = MemoryVfs::default();
    vfs.put(Path::new(PATH), file.clone());
    drop(Store::open_or_create_in(Arc::new(vfs), PATH, Schema::canonical()).unwrap());
    assert_eq!(file.bytes(), b);
    // A kind of section that isn't in the document.
    let next = kinds().last_key_value().unwrap().0 + 1;
    let slot = current_slot(&b);
    let f = Fields(table("### Slot", 0));
    let offset = u64_at(&b, slot + f.at("offset of the manifest", "u64")) as usize;
    let p = parse(&b);
    let (items, count) = list(p.manifest, p.field("chunks", "list of references"));
    let mut other = b.clone();
    let at = offset + items + (count - 1) * 64;
    let key = u64_at(&other, at) & 0xffff_ffff_ffff | u64::from(next) << 48;
    other[at..at + 8].copy_from_slice(&key.to_le_bytes());
    let hash = blake3(&other[offset..offset + p.manifest.len()]);
    for copy in new {
        let at = copy + f.at("BLAKE3 of the manifest", "32 bytes");
        other[at..at + 32].copy_from_slice(&hash);
        let seal = blake3(&other[copy..copy + 64]);
        other[copy + 64..copy + 96].copy_from_slice(&seal);
    }
    let said = open(other).unwrap_err().to_string();
    assert!(said.contains("manifest") && said.contains("unknown section"), "{said}");
}

#[test]
fn same_input_same_bytes_and_compaction_keeps_the_content() {
    let (a, mut b) = (made(), made());
    assert_eq!(a.file.bytes(), b.file.bytes());
    let (hash, text) = (b.store.latest().content_hash(), dump(&b.store.latest()));
    b.store.compact(&Keep::Newest(2)).unwrap();
    assert_eq!((b.store.latest().content_hash(), dump(&b.store.latest())), (hash, text));
    // Slot 0 is in charge of a compacted file, one sequence on.
    let vfs = MemoryVfs::default();
    let file = Arc::new(MemoryFile::new(a.file.bytes()));
    vfs.put(Path::new(PATH), file);
    let vfs = Arc::new(vfs);
    Store::open_or_create_in(vfs.clone(), PATH, Schema::canonical()).unwrap().compact(&Keep::All).unwrap();
    let bytes = vfs.get(Path::new(PATH)).unwrap().bytes();
    let [zero, one] = slot_copies();
    assert_eq!((current_slot(&bytes), u64_at(&bytes, zero[0])), (zero[0], 5));
    assert!(bytes[one[0]..one[0] + 4096].iter().all(|c| *c == 0));
}

#[test]
fn the_document_avoids_words_that_mean_something_else_here() {
    let text = DOC.to_lowercase();
    for word in [concat!("orp", "han"), concat!("dor", "mant"), concat!("fin", "ding")] {
        assert!(!text.contains(word), "{word}");
    }
}

// ---- the golden file ----

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The newest snapshot's text, and what is known of each.
fn whole(store: &Store) -> String {
    let mut out = String::new();
    for (number, time, name) in store.snapshots() {
        let s: Snapshot = store.snapshot(number).unwrap();
        let hash = blake3::hash(dump(&s).as_bytes()).to_hex();
        let info = s.info();
        out += &format!("snapshot {number} {time} {name:?} nodes {} edges {} dump {hash}\n", info.nodes, info.edges);
    }
    let s = store.latest();
    let pages = (0..s.record_count()).filter_map(|r| s.page(r).unwrap().map(|p| format!("page {r} {p}\n")));
    out + &dump(&s) + &pages.collect::<String>()
}

/// Files that earlier builds wrote; the newest holds every kind of section.
const GOLDEN: [&str; 2] = ["v2", "v2-pages"];

/// Writes the newest golden file: `SV0_WRITE_GOLDEN=1 cargo test -p sv0-graph --test it golden`. The others, and those of
/// a released version, are never written again.
fn write_if_asked() {
    if std::env::var_os("SV0_WRITE_GOLDEN").is_none() {
        return;
    }
    let m = made();
    let name = GOLDEN[GOLDEN.len() - 1];
    std::fs::create_dir_all(golden("")).unwrap();
    std::fs::write(golden(&format!("{name}.sv0")), m.file.bytes()).unwrap();
    std::fs::write(golden(&format!("{name}.txt")), whole(&m.store)).unwrap();
}

#[test]
fn the_golden_files_open() {
    write_if_asked();
    for name in GOLDEN {
        let file = golden(&format!("{name}.sv0"));
        let store = Store::open(&file).unwrap();
        assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
        let text = std::fs::read_to_string(golden(&format!("{name}.txt"))).unwrap();
        assert!(whole(&store) == text, "{name}.sv0 says something else than {name}.txt");
        Store::open(&file).unwrap().trusted(Trust::Full).unwrap();
        // A copy can be written to.
        let mut copy = open_to_write(std::fs::read(&file).unwrap()).unwrap();
        let mut t = copy.begin().unwrap();
        t.stage(vec![batch(9, 0..4, 34)]).unwrap();
        assert_eq!(t.commit("more").unwrap().snapshot.number(), 4);
        assert_eq!(copy.verify().unwrap().problems, Vec::<String>::new());
    }
    let newest = Store::open(golden(&format!("{}.sv0", GOLDEN[GOLDEN.len() - 1]))).unwrap();
    assert_eq!(newest.info().sections.len(), kinds().len());
}
