//! Bulk load: the same graph as by batches, the same bytes by any number of threads and with a spill.

use std::path::Path;
use std::sync::Arc;

use sv0_graph::bulk::{
    Column, ColumnData, EdgeTable, LoadError, LoadInput, LoadOptions, NodeTable, Table, TableError, TableSlice, Texts,
};
use sv0_graph::{
    EdgeInput, Evidence, GraphBatch, GraphView, NodeInput, NodeKey, NodeType, Schema, Snapshot, State, Store,
    StoreError, Value,
};
use tempfile::TempDir;

use crate::model::Random;

#[derive(Clone)]
struct Memory(String, Vec<TableSlice>);

impl Table for Memory {
    fn name(&self) -> String {
        self.0.clone()
    }
    fn bytes(&self) -> u64 {
        self.1.iter().map(|s| s.rows as u64 * 30).sum()
    }
    fn read(&self, sink: &mut dyn FnMut(TableSlice) -> Result<(), TableError>) -> Result<(), TableError> {
        self.1.iter().try_for_each(|s| sink(s.clone()))
    }
}

fn texts(items: impl IntoIterator<Item = String>) -> Texts {
    let mut t = Texts::new();
    items.into_iter().for_each(|s| assert!(t.push(&s)));
    t
}

fn column(name: &str, data: ColumnData) -> Column {
    Column { name: name.into(), data, known: None }
}

/// An organisation of identities and roles, in slices of uneven size.
fn organisation(identities: usize, roles: usize, edges: usize) -> (Vec<(NodeType, Memory)>, Memory) {
    let mut r = Random(7);
    let mut nodes = Vec::new();
    for (ty, n, p) in [(NodeType::Identity, identities, "i"), (NodeType::Role, roles, "r")] {
        let mut slices = Vec::new();
        let mut at = 0;
        while at < n {
            let rows = (1 + r.below(40_000) as usize).min(n - at);
            let known: Vec<bool> = (0..rows).map(|_| r.below(4) > 0).collect();
            let lists: Vec<u64> = (0..rows).map(|_| r.below(3)).collect();
            let mut end = 0;
            slices.push(TableSlice {
                rows,
                keys: vec![texts((at..at + rows).map(|i| format!("{p}{i}")))],
                columns: vec![
                    column("name", ColumnData::Text(texts((at..at + rows).map(|i| format!("name {}", i * 7))))),
                    Column {
                        name: "status".into(),
                        data: ColumnData::Coded {
                            codes: (0..rows).map(|i| (i % 2) as u32).collect(),
                            dictionary: texts(["active".to_owned(), "disabled".to_owned()]),
                        },
                        known: Some(known.clone()),
                    },
                    column("count", ColumnData::Int((at..at + rows).map(|i| i as i64 * 3 - 50).collect())),
                    Column {
                        name: "created_at".into(),
                        data: ColumnData::Timestamp((at..at + rows).map(|i| i as i64 * 1_000_000).collect()),
                        known: Some(known),
                    },
                    column(
                        "tags",
                        ColumnData::TextList {
                            ends: lists
                                .iter()
                                .map(|n| {
                                    end += *n as u32;
                                    end
                                })
                                .collect(),
                            items: texts(lists.iter().flat_map(|n| {
                                ["external", "tier_zero"][..*n as usize].iter().map(|s| (*s).to_owned())
                            })),
                        },
                    ),
                ],
                first_line: at as u64 + 1,
            });
            at += rows;
        }
        nodes.push((ty, Memory(format!("nodes_{p}"), slices)));
    }
    let mut slices = Vec::new();
    let mut at = 0;
    while at < edges {
        let rows = (1 + r.below(3_000) as usize).min(edges - at);
        slices.push(TableSlice {
            rows,
            keys: vec![
                texts((0..rows).map(|_| format!("i{}", r.below(identities as u64)))),
                texts((0..rows).map(|_| format!("r{}", r.below(roles as u64)))),
            ],
            columns: vec![
                column(":key", ColumnData::Text(texts((0..rows).map(|i| format!("{}", at + i))))),
                column(
                    ":evidence",
                    ColumnData::Coded {
                        codes: (0..rows).map(|i| (i % 3) as u32).collect(),
                        dictionary: texts(["temporal", "direct", "structural"].map(str::to_owned)),
                    },
                ),
                column(":state", ColumnData::Text(texts((0..rows).map(|i| State::ALL[i % 3].name().to_owned())))),
                column("via", ColumnData::Text(texts((0..rows).map(|i| format!("v{}", i % 5))))),
                column("weight", ColumnData::Float((0..rows).map(|i| (i % 100) as f64 / 8.0).collect())),
            ],
            first_line: at as u64 + 1,
        });
        at += rows;
    }
    (nodes, Memory("edges".to_owned(), slices))
}

fn schema() -> Schema {
    let mut s = Schema::canonical();
    let weight =
        sv0_graph::schema::Property { name: "weight".into(), ty: sv0_graph::PropType::Float, doc: String::new() };
    s.add_edge_property(weight).unwrap();
    s
}

fn input(nodes: &[(NodeType, Memory)], edges: &[Memory]) -> LoadInput {
    LoadInput {
        source: "t".into(),
        system: "".into(),
        observed_at: Some(5),
        schema: schema(),
        nodes: nodes.iter().map(|(ty, m)| NodeTable { ty: *ty, table: Box::new(m.clone()) }).collect(),
        edges: edges
            .iter()
            .map(|m| EdgeTable {
                ty: "HAS_ROLE".into(),
                from: NodeType::Identity,
                to: NodeType::Role,
                table: Box::new(m.clone()),
            })
            .collect(),
    }
}

fn load(path: &Path, input: &LoadInput, threads: usize, memory: usize) -> Result<Snapshot, LoadError> {
    let mut store = Store::open_or_create(path, Schema::canonical()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| store.load(input, LoadOptions { memory, progress: None }, "load")).map(|l| l.commit.snapshot)
}

/// What the batches say of the same rows.
fn by_batches(nodes: &[(NodeType, Memory)], edges: &Memory) -> Snapshot {
    let mut b = GraphBatch::new("t", 5);
    let cell = |c: &Column, i: usize| -> Value {
        if c.known.as_ref().is_some_and(|k| !k[i]) {
            return Value::Null;
        }
        match &c.data {
            ColumnData::Int(v) => Value::Int(v[i]),
            ColumnData::Float(v) => Value::Float(v[i]),
            ColumnData::Timestamp(v) => Value::Timestamp(v[i]),
            ColumnData::Bool(v) => Value::Bool(v[i]),
            ColumnData::Text(t) => Value::str(t.get(i)),
            ColumnData::Coded { codes, dictionary } => Value::str(dictionary.get(codes[i] as usize)),
            ColumnData::TextList { ends, items } => {
                let from = if i == 0 { 0 } else { ends[i - 1] };
                Value::list((from..ends[i]).map(|n| Arc::<str>::from(items.get(n as usize))))
            }
        }
    };
    for (ty, m) in nodes {
        for s in &m.1 {
            for i in 0..s.rows {
                let mut n =
                    NodeInput { key: NodeKey::new("t", s.keys[0].get(i)), ty: *ty, props: vec![], origins: vec![] };
                n.props = s.columns.iter().map(|c| (c.name.clone(), cell(c, i))).collect();
                b.nodes.push(n);
            }
        }
    }
    for s in &edges.1 {
        for i in 0..s.rows {
            let mut e =
                EdgeInput::new("HAS_ROLE", NodeKey::new("t", s.keys[0].get(i)), NodeKey::new("t", s.keys[1].get(i)));
            for c in &s.columns {
                let v = cell(c, i);
                let text = v.as_str().unwrap_or("").to_owned();
                match &*c.name {
                    ":key" => e.key = text.into(),
                    ":evidence" => e.evidence = Evidence::parse(&text).unwrap(),
                    ":state" => e.state = State::parse(&text).unwrap(),
                    _ => e.props.push((c.name.clone(), v)),
                }
            }
            b.edges.push(e);
        }
    }
    let mut store = Store::in_memory(schema()).unwrap();
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    t.commit("x").unwrap().snapshot
}

/// As `model::dump`, without the records.
fn plain(s: &Snapshot) -> String {
    let text = crate::model::dump(s);
    text.lines()
        .map(|l| {
            let cut = l.find("[(SourceRecord").or_else(|| l.rfind("[]")).unwrap_or(l.len());
            let l = if l.starts_with("  ") && l.contains(" = ") { l } else { &l[..cut] };
            format!("{l}\n")
        })
        .collect()
}

#[test]
fn a_load_is_the_same_graph_as_batches() {
    let (nodes, edges) = organisation(3000, 200, 8000);
    let dir = TempDir::new().unwrap();
    let s = load(&dir.path().join("a.sv0"), &input(&nodes, std::slice::from_ref(&edges)), 2, 1 << 30).unwrap();
    assert_eq!((s.info().nodes, s.info().edges, s.time()), (3200, 8000, 5));
    let other = by_batches(&nodes, &edges);
    assert!(plain(&s) == plain(&other), "the loaded graph differs");
    let st = s.statistics().unwrap();
    assert_eq!(st, other.statistics().unwrap());
    assert_eq!(s.node_changes(NodeType::Identity).unwrap().added.len(), 3000);
    let has_role = s.schema().edge_type_id("HAS_ROLE").unwrap();
    assert_eq!(s.edge_changes(has_role).unwrap().added.len(), 8000);
    let i1 = s.find(&NodeKey::new("t", "i1")).unwrap().unwrap();
    assert_eq!(s.node_records(i1).unwrap()[0].0.operation, "load nodes identity");
    // And the store goes on from there.
    let mut store = Store::open_or_create(dir.path().join("a.sv0"), Schema::canonical()).unwrap();
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    let mut b = GraphBatch::new("t", 9);
    b.nodes.push(NodeInput::new(NodeKey::new("t", "i1"), NodeType::Identity, "k"));
    b.edges.push(EdgeInput::new("CAN_ASSUME", NodeKey::new("t", "i1"), NodeKey::new("t", "i2")));
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    let c = t.commit("more").unwrap();
    assert_eq!((c.changes["identity"].changed, c.changes["CAN_ASSUME"].added), (1, 1));
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let (nodes, edges) = organisation(150_000, 9000, 30_000);
    let dir = TempDir::new().unwrap();
    let input = input(&nodes, &[edges]);
    let mut bytes = None;
    for threads in [1, 2, 4, 8] {
        let path = dir.path().join(format!("{threads}.sv0"));
        load(&path, &input, threads, 1 << 30).unwrap();
        let b = std::fs::read(&path).unwrap();
        assert!(bytes.get_or_insert_with(|| b.clone()) == &b, "{threads} threads");
    }
}

#[test]
fn a_spill_gives_the_same_graph_and_leaves_nothing_behind() {
    let (nodes, edges) = organisation(140_000, 3000, 60_000);
    let dir = TempDir::new().unwrap();
    let input = input(&nodes, &[edges]);
    let whole = load(&dir.path().join("whole.sv0"), &input, 2, 1 << 30).unwrap();
    let spilled = load(&dir.path().join("spilled.sv0"), &input, 2, 200_000).unwrap();
    assert_eq!(whole.content_hash(), spilled.content_hash());
    // The same bytes: whether there is a spill depends on the memory and the threads.
    let bytes = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert!(bytes("whole.sv0") == bytes("spilled.sv0"));
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn what_does_not_fit_is_said_and_nothing_is_loaded() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.sv0");
    let (nodes, edges) = organisation(100, 20, 50);
    let fails = |input: &LoadInput, text: &str| {
        let e = load(&path, input, 2, 1 << 30).unwrap_err().to_string();
        assert!(e.contains(text), "{e}\n{text}");
        assert_eq!(Store::open(&path).unwrap().latest().number(), 0);
    };
    let mut bad = edges.clone();
    bad.1[0].keys[1] = texts((0..bad.1[0].rows).map(|_| "nobody".to_owned()));
    fails(&input(&nodes, &[bad]), "there is no role with the id `nobody`");
    let mut bad = edges.clone();
    bad.1[0].columns[3].name = "vai".into();
    fails(&input(&nodes, &[bad]), "column `vai` isn't a property");
    let mut bad = nodes.clone();
    bad[0].1.1[0].columns[2].data = ColumnData::Float(vec![0.0; bad[0].1.1[0].rows]);
    fails(&input(&bad, &[]), "column `count` holds float, the schema says int");
    let mut bad = nodes.clone();
    let again = bad[0].1.1[0].clone();
    bad[0].1.1.push(again);
    fails(&input(&bad, &[]), "occurs twice");
    let mut bad = nodes.clone();
    bad[1].1.1[0].keys[0] = texts((0..bad[1].1.1[0].rows).map(|i| format!("i{i}")));
    fails(&input(&bad, &[]), "is that of a node of type");
    let mut other = input(&nodes, &[]);
    other.schema = Schema::canonical();
    let ty = EdgeTable {
        ty: "RUNS_AS".into(),
        from: NodeType::Identity,
        to: NodeType::Role,
        table: Box::new(edges.clone()),
    };
    other.edges.push(ty);
    fails(&other, "may not go from identity to role; allowed are automation → identity");
    let twice = input(&nodes, &[edges.clone(), edges]);
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let loaded = store.load(&twice, LoadOptions::default(), "x").unwrap();
    assert_eq!((loaded.duplicates, loaded.commit.snapshot.info().edges), (50, 50));
    assert!(matches!(store.load(&twice, LoadOptions::default(), "x"), Err(LoadError::NotEmpty)));
    let mut t = store.begin().unwrap();
    assert!(matches!(t.extend_schema(&Schema::canonical()), Err(StoreError::SchemaNotExtended)));
}
