//! Tables of CSV, NDJSON and Parquet: content, errors with their text, discovery, the schema file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sv0_connectors::sv0_graph::bulk::{ColumnData, Table, TableSlice};
use sv0_connectors::sv0_graph::{EdgeClass, Flow, NodeType, PropType, Schema};
use sv0_connectors::tables::{EdgeArg, Inputs, NodeArg, Tables, edge_arg, node_arg, open};
use tempfile::TempDir;

pub(crate) struct Dir(TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), text).unwrap();
        self
    }
    /// Opens the folder, with `schema.toml` if there is one.
    pub(crate) fn open(&self) -> Result<Tables, String> {
        let spec = Some(self.path("schema.toml")).filter(|p| p.exists());
        let inputs = Inputs { folders: vec![self.0.path().to_owned()], spec, ..Inputs::default() };
        open(&inputs, Schema::canonical()).map_err(|e| self.short(&e.to_string()))
    }
    /// What is wrong with the folder.
    pub(crate) fn wrong(&self) -> String {
        match self.open() {
            Ok(_) => panic!("opened"),
            Err(e) => e,
        }
    }
    /// What is wrong with the first table's rows.
    pub(crate) fn wrong_row(&self) -> String {
        let tables = self.open().unwrap();
        let table = tables.nodes.iter().map(|t| &t.table).chain(tables.edges.iter().map(|t| &t.table)).next().unwrap();
        self.short(&table.read(&mut |_| Ok(())).unwrap_err().to_string())
    }
    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "").replace(&self.0.path().display().to_string(), "DIR")
    }
}

pub(crate) fn slices(table: &dyn Table) -> Vec<TableSlice> {
    let mut all = Vec::new();
    table
        .read(&mut |s| {
            all.push(s);
            Ok(())
        })
        .unwrap();
    all
}

/// Each row's keys, and its known values by column.
pub(crate) fn content(table: &dyn Table) -> Vec<(Vec<String>, BTreeMap<String, String>)> {
    let mut rows = Vec::new();
    for s in slices(table) {
        assert!(s.keys.iter().all(|k| k.len() == s.rows) && s.columns.iter().all(|c| c.data.len() == s.rows));
        for r in 0..s.rows {
            let known = s.columns.iter().filter(|c| c.known.as_ref().is_none_or(|k| k[r]));
            let values = known.map(|c| (c.name.to_string(), value(&c.data, r))).collect();
            rows.push((s.keys.iter().map(|k| k.get(r).to_owned()).collect(), values));
        }
    }
    rows
}

fn value(data: &ColumnData, r: usize) -> String {
    match data {
        ColumnData::Bool(v) => v[r].to_string(),
        ColumnData::Int(v) => v[r].to_string(),
        ColumnData::Float(v) => format!("{:?}", v[r]),
        ColumnData::Timestamp(v) => format!("@{}", v[r]),
        ColumnData::Text(t) => t.get(r).to_owned(),
        ColumnData::Coded { codes, dictionary } => dictionary.get(codes[r] as usize).to_owned(),
        ColumnData::TextList { ends, items } => {
            let from = if r == 0 { 0 } else { ends[r - 1] };
            let items: Vec<&str> = (from..ends[r]).map(|i| items.get(i as usize)).collect();
            format!("{items:?}")
        }
    }
}

fn row(keys: &[&str], values: &[(&str, &str)]) -> (Vec<String>, BTreeMap<String, String>) {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    (keys.iter().map(|k| (*k).to_owned()).collect(), values)
}

pub(crate) const SPEC: &str = r#"
[node_columns.created_at]
unit = "s"
[node_columns.tags]
separator = ";"
[node_columns.risk]
type = "float"
[node_columns.nid]
type = "int"
property = "number"
[node_columns.junk]
ignore = true
[edge_columns]
evidence_kind = { as = "evidence" }
st = { as = "state" }
cond = { as = "condition" }
since = { type = "timestamp", unit = "ms" }
"#;

pub(crate) fn nodes_content() -> Vec<(Vec<String>, BTreeMap<String, String>)> {
    vec![
        row(
            &["i:1"],
            &[
                ("name", "Zoë \"Z\", the\nfirst"),
                ("number", "7"),
                ("risk", "0.5"),
                ("public", "true"),
                ("created_at", "@1700000000000000"),
                ("last_seen", "@1767225600000000"),
                ("tags", r#"["a", "b c"]"#),
            ],
        ),
        row(&["i:2"], &[("risk", "2.0"), ("public", "false")]),
        row(&["i:3"], &[("number", "-1"), ("tags", r#"["x"]"#)]),
    ]
}

pub(crate) fn edges_content() -> Vec<(Vec<String>, BTreeMap<String, String>)> {
    vec![
        row(
            &["i:1", "r:1"],
            &[
                (":key", "k1"),
                (":evidence", "direct"),
                (":state", "conditional"),
                (":condition", "mfa"),
                ("since", "@5000"),
            ],
        ),
        row(&["i:1", "r:1"], &[(":key", "k2"), ("eligible", "true")]),
    ]
}

#[test]
fn csv_and_ndjson_give_the_same() {
    let csv = Dir::new();
    csv.write("schema.toml", SPEC)
        .write(
            "nodes_identity.csv",
            "\u{feff}id,name,nid,risk,public,created_at,last_seen,tags,junk\r\n\
             i:1,\"Zoë \"\"Z\"\", the\nfirst\",7,0.5,true,1700000000,2026-01-01T00:00:00Z,a;b c,1\r\n\
             i:2,\"\",,2,False,,,,\"2,3\"\r\n\
             i:3,,-1,,,,,x,\r\n",
        )
        .write(
            "edges_HAS_ROLE__identity__role.csv",
            "src_id,dst_id,key,evidence_kind,st,cond,since,eligible\n\
             i:1,r:1,k1,direct,conditional,mfa,5,\ni:1,r:1,k2,,,,,true\n",
        );
    let json = Dir::new();
    json.write("schema.toml", SPEC)
        .write(
            "nodes_identity.ndjson",
            r#"{"id": "i:1", "name": "Zoë \"Z\", the\nfirst", "nid": 7, "risk": 0.5, "public": true, "created_at": 1700000000, "last_seen": "2026-01-01T01:00:00+01:00", "tags": ["a", "b c"], "junk": {"x": [1]}}

{"risk": 2, "id": "i:2", "name": "", "public": false, "tags": null}
{"id": "i:3", "nid": -1, "tags": ["x"]}"#,
        )
        .write(
            "edges_HAS_ROLE__identity__role.jsonl",
            r#"{"src_id": "i:1", "dst_id": "r:1", "key": "k1", "evidence_kind": "direct", "st": "conditional", "cond": "mfa", "since": 5}
{"dst_id": "r:1", "src_id": "i:1", "key": "k2", "eligible": true}
"#,
        );
    for dir in [csv, json] {
        let t = dir.open().unwrap();
        assert_eq!(content(&*t.nodes[0].table), nodes_content());
        assert_eq!(content(&*t.edges[0].table), edges_content());
        assert_eq!((t.edges[0].from, t.edges[0].to, &*t.edges[0].ty), (NodeType::Identity, NodeType::Role, "HAS_ROLE"));
        let number = t.schema.node_prop("number").unwrap();
        assert_eq!(t.schema.node_properties()[usize::from(number.0)].ty, PropType::Int);
        assert!(t.nodes[0].table.bytes() > 100 && t.nodes[0].table.name().contains("nodes_identity."));
    }
}

#[test]
fn slices_are_bounded_and_say_where_they_begin() {
    let mut csv = "id,nid\n".to_owned();
    let mut json = String::new();
    for i in 0..70_000 {
        csv += &format!("i{i},{i}\n");
        json += &format!("{{\"id\": {i}, \"nid\": {i}}}\n");
    }
    let dir = Dir::new();
    dir.write("schema.toml", SPEC).write("nodes_identity.csv", csv).write("nodes_role.ndjson", json);
    let t = dir.open().unwrap();
    for (table, first) in t.nodes.iter().zip([2, 1]) {
        let s = slices(&*table.table);
        assert_eq!(
            s.iter().map(|s| (s.rows, s.first_line)).collect::<Vec<_>>(),
            [(65_536, first), (4464, 65_536 + first)]
        );
        assert_eq!(s[1].keys[0].get(4463).trim_start_matches('i'), "69999");
        assert!(s[1].columns[0].known.is_none());
    }
}

#[test]
fn the_sink_can_stop_it() {
    let dir = Dir::new();
    dir.write("nodes_identity.csv", "id\na\n");
    let t = dir.open().unwrap();
    let stop = sv0_connectors::sv0_graph::bulk::TableError { file: "f".into(), line: None, reason: "full".into() };
    assert_eq!(t.nodes[0].table.read(&mut |_| Err(stop.clone())).unwrap_err().to_string(), "f: full");
}

#[test]
fn units() {
    let spec = |unit: &str| format!("[node_columns.created_at]\nunit = \"{unit}\"\n");
    for (unit, cell) in [("s", "1700000000"), ("ms", "1700000000000"), ("us", "1700000000000000")] {
        let dir = Dir::new();
        dir.write("schema.toml", spec(unit)).write("nodes_owner.csv", format!("id,created_at\na,{cell}\n"));
        let t = dir.open().unwrap();
        assert_eq!(content(&*t.nodes[0].table), [row(&["a"], &[("created_at", "@1700000000000000")])]);
    }
    let dir = Dir::new();
    dir.write("schema.toml", spec("rfc3339")).write("nodes_owner.csv", "id,created_at\na,2023-11-14T22:13:20.5Z\n");
    let t = dir.open().unwrap();
    assert_eq!(content(&*t.nodes[0].table), [row(&["a"], &[("created_at", "@1700000000500000")])]);
}

#[test]
fn cells_that_are_wrong() {
    let csv = [
        (
            "id,created_at\na,2023\n",
            "nodes_owner.csv, line 2: column `created_at`: integers as a timestamp need a unit; write in the schema file: `unit = \"s\"` (or \"ms\", \"us\") for this column",
        ),
        (
            "id,created_at\na,\nb,soon\n",
            "nodes_owner.csv, line 3: column `created_at`: not a timestamp as RFC 3339, as in 2026-01-31T12:00:00Z",
        ),
        ("id,count\n\"a\nb\",1\nc,1.5\n", "nodes_owner.csv, line 4: column `count`: not a 64-bit integer"),
        ("id,public\na,yes\n", "nodes_owner.csv, line 2: column `public`: not a truth: write true or false"),
        ("id,name\n,x\n", "nodes_owner.csv, line 2: the key `id` is empty"),
        ("id,name\na,x,y\n", "nodes_owner.csv, line 2: 3 cells, and the header has 2 columns"),
    ];
    for (text, error) in csv {
        let dir = Dir::new();
        dir.write("nodes_owner.csv", text);
        assert_eq!(dir.wrong_row(), error);
    }
    let dir = Dir::new();
    dir.write("nodes_owner.csv", b"id,name\na,\xff\n");
    assert_eq!(dir.wrong_row(), "nodes_owner.csv, line 2: not UTF-8");
    let dir = Dir::new();
    dir.write("schema.toml", SPEC).write("nodes_owner.csv", "id,risk\na,NaN\n");
    assert_eq!(
        dir.wrong_row(),
        "nodes_owner.csv, line 2: column `risk`: not a finite number; leave it out where it isn't known"
    );
    let json = [
        (
            "{\"id\": \"a\"}\n{\"id\": \"b\", \"count\": \"1\"}",
            "nodes_owner.ndjson, line 2: column `count`: a text, and an integer would be right",
        ),
        ("{\"id\": \"a\", \"count\": 1.5}", "nodes_owner.ndjson, line 1: column `count`: an integer would be right"),
        (
            "{\"id\": \"a\", \"name\": {}}",
            "nodes_owner.ndjson, line 1: invalid type: map, expected another value in column `name`: a text would be right",
        ),
        (
            "{\"id\": \"a\", \"tags\": [1]}",
            "nodes_owner.ndjson, line 1: invalid type: integer `1`, expected a text as an item in column `tags`: a list of texts would be right",
        ),
        (
            "{\"id\": \"a\", \"created_at\": 1}",
            "nodes_owner.ndjson, line 1: column `created_at`: integers as a timestamp need a unit; write in the schema file: `unit = \"s\"` (or \"ms\", \"us\") for this column",
        ),
        ("{\"id\": \"a\", \"id\": \"b\"}", "nodes_owner.ndjson, line 1: key `id` stands twice"),
        ("{\"id\": \"a\"}\n{\"name\": \"b\"}", "nodes_owner.ndjson, line 2: the key `id` is empty"),
    ];
    for (text, error) in json {
        let dir = Dir::new();
        dir.write("nodes_owner.ndjson", text);
        assert_eq!(dir.wrong_row(), error);
    }
}

#[test]
fn a_row_without_an_end_is_an_error() {
    let mut text = b"id,name\na,\"".to_vec();
    text.resize(text.len() + (65 << 20), b'x');
    let dir = Dir::new();
    dir.write("nodes_owner.csv", &text);
    assert_eq!(dir.wrong_row(), "nodes_owner.csv: a row of more than 64 MiB; is a quote not closed?");
    let dir = Dir::new();
    text.splice(..9, *b"\"");
    dir.write("nodes_owner.ndjson", &text);
    assert_eq!(dir.wrong(), "nodes_owner.ndjson, line 1: a line of more than 64 MiB; each line is one JSON object");
}

#[test]
fn files_that_are_wrong() {
    let cases = [
        ("nodes_owner.csv", "", "nodes_owner.csv: empty; its first line names the columns"),
        (
            "nodes_owner.csv",
            "name,nam\n",
            "nodes_owner.csv, line 1: column `nam` isn't a node property (near: name); write in the schema file: `[node_columns.nam]` with `ignore = true`, or with `type = \"string\"` (or int, float, bool, timestamp, list); no column `id`, the key; if another column is it, write in the schema file: `[keys]` with `node = \"…\"` (the columns are name, nam)",
        ),
        ("nodes_owner.csv", "id,name,name\n", "nodes_owner.csv, line 1: column `name` stands twice"),
        (
            "nodes_owner.csv",
            "id,tags\n",
            "nodes_owner.csv, line 1: column `tags`: a text as a list needs a separator; write in the schema file: `separator = \";\"` for this column",
        ),
        (
            "edges_HAS_ROLE__owner__role.csv",
            "src_id,dst_id,evidence\n",
            "edges_HAS_ROLE__owner__role.csv, line 1: column `evidence` isn't an edge property; write in the schema file: `[edge_columns.evidence]` with `ignore = true`, or `as = \"evidence\"`, or with `type = \"string\"` (or int, float, bool, timestamp, list)",
        ),
        (
            "edges_HAS_ROLE__owner__role.csv",
            "src_id,dst\n",
            "edges_HAS_ROLE__owner__role.csv, line 1: column `dst` isn't an edge property (near: dst_id); write in the schema file: `[edge_columns.dst]` with `ignore = true`, or with `type = \"string\"` (or int, float, bool, timestamp, list); no column `dst_id`, the key; if another column is it, write in the schema file: `[keys]` with `to = \"…\"` (the columns are src_id, dst)",
        ),
        (
            "edges_HAS_ROL__owner__role.csv",
            "src_id,dst_id\n",
            "edges_HAS_ROL__owner__role.csv: edge type `HAS_ROL` isn't in the schema (near: HAS_ROLE); declare it in the schema file: `[edge_types.HAS_ROL]` with `class = \"authority\"` (or hierarchy, reference, governance, evidence, escalation) and `pairs = [[\"owner\", \"role\"]]`",
        ),
        (
            "edges_RUNS_AS__role__identity.csv",
            "src_id,dst_id\n",
            "edges_RUNS_AS__role__identity.csv: `RUNS_AS` doesn't go from role to identity, but automation -> identity; to allow it write in the schema file: `[edge_types.RUNS_AS]` with `pairs = [[\"role\", \"identity\"]]`",
        ),
        (
            "nodes_owner.ndjson",
            "{\"id\": \"a\"}\n{\"id\": \"b\", \"nid\": 1}\n",
            "nodes_owner.ndjson, line 2: column `nid` isn't a node property (near: id, sid); write in the schema file: `[node_columns.nid]` with `ignore = true`, or with `type = \"string\"` (or int, float, bool, timestamp, list)",
        ),
        (
            "nodes_owner.ndjson",
            "{\"id\": \"a\"}\n[1]\n",
            "nodes_owner.ndjson, line 2: invalid type: sequence, expected an object",
        ),
        (
            "nodes_owner.ndjson",
            "{\"id\": \"a\",}\n",
            "nodes_owner.ndjson, line 1: trailing comma at character 12; each line is one JSON object",
        ),
        (
            "nodes_owner.ndjson",
            "{\"name\": \"a\"}\n",
            "nodes_owner.ndjson: no column `id`, the key; if another column is it, write in the schema file: `[keys]` with `node = \"…\"` (the columns are name)",
        ),
        (
            "nodes_person.csv",
            "id\n",
            "nodes_person.csv: `person` isn't a node type (near: permission); the nine are identity, automation, connection, credential, owner, role, permission, resource, execution_evidence",
        ),
        (
            "people.csv",
            "id\n",
            "people.csv: its name doesn't say which table it is; tables are named `nodes_TYPE.EXT` and `edges_TYPE__FROM__TO.EXT`, or listed in a manifest.json",
        ),
        (
            "notes.txt",
            "",
            "DIR: no tables in here; tables are named `nodes_TYPE.EXT` and `edges_TYPE__FROM__TO.EXT`, or listed in a manifest.json",
        ),
    ];
    for (name, text, error) in cases {
        let dir = Dir::new();
        dir.write(name, text);
        assert_eq!(dir.wrong(), error);
    }
    // All tables that are wrong are named at once.
    let dir = Dir::new();
    dir.write("nodes_owner.csv", "name\n").write("nodes_role.csv", "name\n").write("nodes_identity.csv", "id\n");
    assert_eq!(dir.wrong().lines().count(), 2);
    // An empty file of objects is an empty table.
    let dir = Dir::new();
    dir.write("nodes_owner.ndjson", "");
    assert!(content(&*dir.open().unwrap().nodes[0].table).is_empty());
}

#[test]
fn a_folder_is_read_in_order_and_a_table_once() {
    let dir = Dir::new();
    dir.write("meta.json", "{}")
        .write("nodes_role.csv", "id\n")
        .write("nodes_identity.jsonl", "")
        .write("edges_MEMBER_OF__role__role.csv", "src_id,dst_id\n")
        .write("edges_HAS_ROLE__role__role.csv", "src_id,dst_id\n");
    let t = dir.open().unwrap();
    assert_eq!(t.nodes.iter().map(|n| n.ty).collect::<Vec<_>>(), [NodeType::Identity, NodeType::Role]);
    assert_eq!(t.edges.iter().map(|e| &*e.ty).collect::<Vec<_>>(), ["HAS_ROLE", "MEMBER_OF"]);
    dir.write("nodes_role.ndjson", "");
    assert!(
        dir.wrong().starts_with("nodes_role.ndjson: the same table as nodes_role.csv, in another format"),
        "{}",
        dir.wrong()
    );
    let twice = NodeArg { ty: NodeType::Role, path: dir.path("nodes_role.csv") };
    let inputs = Inputs { nodes: vec![twice.clone(), twice], ..Inputs::default() };
    let error = open(&inputs, Schema::canonical()).err().unwrap().to_string();
    assert!(error.ends_with("nodes_role.csv: given twice; a file is one table"), "{error}");
    let nothing = open(&Inputs::default(), Schema::canonical()).err().unwrap().to_string();
    assert!(nothing.starts_with("no tables to load"), "{nothing}");
}

#[test]
fn a_manifest_says_what_to_load() {
    let dir = Dir::new();
    fs::create_dir(dir.path("sub")).unwrap();
    dir.write("sub/people.csv", "id\np\n").write("grants.csv", "src_id,dst_id\n").write("other.csv", "x\n").write(
        "manifest.json",
        r#"{"nodes": [{"type": "owner", "path": "sub/people.csv"}],
            "edges": [{"type": "HAS_ROLE", "from": "owner", "to": "role", "path": "grants.csv"}]}"#,
    );
    let t = dir.open().unwrap();
    assert_eq!((t.nodes.len(), t.edges.len(), t.nodes[0].ty), (1, 1, NodeType::Owner));
    dir.write("manifest.json", r#"{"nodes": [{"type": "owner", "path": "../people.csv"}]}"#);
    assert_eq!(
        dir.wrong(),
        "manifest.json: `../people.csv` leaves the folder; give a file elsewhere by its own argument"
    );
    dir.write("manifest.json", r#"{"nodes": [{"type": "owner", "file": "people.csv"}]}"#);
    assert_eq!(
        dir.wrong(),
        "manifest.json: unknown field `file`, expected `type` or `path` at line 1 column 35; a manifest is {\"nodes\": \
         [{\"type\", \"path\"}], \"edges\": [{\"type\", \"from\", \"to\", \"path\"}]}"
    );
    dir.write("manifest.json", r#"{"nodes": [{"type": "owner", "path": "missing.csv"}]}"#);
    assert_eq!(dir.wrong(), "missing.csv: No such file or directory (os error 2)");
}

#[test]
fn arguments() {
    assert_eq!(node_arg("owner=a=b.csv").unwrap(), NodeArg { ty: NodeType::Owner, path: "a=b.csv".into() });
    let edge = EdgeArg { ty: "X".into(), from: NodeType::Owner, to: NodeType::Role, path: "x.csv".into() };
    assert_eq!(edge_arg("X:owner:role=x.csv").unwrap(), edge);
    assert_eq!(
        node_arg("x.csv").unwrap_err(),
        "`x.csv`: a node table is given as `TYPE=FILE`, as in `identity=people.csv`"
    );
    assert_eq!(
        edge_arg("X:owner=x.csv").unwrap_err(),
        "`X:owner=x.csv`: an edge table is given as `TYPE:from:to=FILE`, as in `HAS_ROLE:identity:role=grants.csv`"
    );
    assert!(node_arg("Role=x.csv").unwrap_err().starts_with("`Role` isn't a node type (near: role"));
    let file = Dir::new();
    file.write("x.txt", "");
    let inputs = Inputs { nodes: vec![NodeArg { ty: NodeType::Role, path: file.path("x.txt") }], ..Inputs::default() };
    let error = open(&inputs, Schema::canonical()).err().unwrap().to_string();
    assert!(error.ends_with("not a table: the file's name ends in .csv, .ndjson, .jsonl or .parquet"), "{error}");
}

#[test]
fn schema_files_that_are_wrong() {
    let cases = [
        (
            "[node_columns.x]\n",
            "[node_columns.x]: `x` isn't in the schema, so it needs `type` (int, float, bool, string, timestamp, list), or `ignore = true`",
        ),
        (
            "[node_columns.name]\ntype = \"int\"\n",
            "[node_columns.name]: property `name` is string, not int; leave `type` out, or give the column another `property`",
        ),
        (
            "[node_columns.name]\nunit = \"s\"\n",
            "[node_columns.name]: `unit` is for timestamps, and property `name` is string",
        ),
        (
            "[node_columns.name]\nseparator = \"s\"\n",
            "[node_columns.name]: `separator` is for lists, and property `name` is string",
        ),
        ("[node_columns.tags]\nseparator = \"\"\n", "[node_columns.tags]: `separator` is empty"),
        ("[node_columns.x]\nignore = true\ntype = \"int\"\n", "[node_columns.x]: `ignore = true` stands alone"),
        (
            "[node_columns.x]\nas = \"state\"\n",
            "[node_columns.x]: `as` is for [edge_columns]; a node has no fixed parts but its key",
        ),
        (
            "[edge_columns.x]\nas = \"state\"\ntype = \"int\"\n",
            "[edge_columns.x]: `as` stands alone: evidence, state, condition and key are texts",
        ),
        ("[node_columns.id]\nignore = true\n", "[node_columns.id]: `id` is a key column already, by [keys]"),
        ("[keys]\nfrom = \"dst_id\"\n", "[keys]: `from`, `to` and `edge` are three columns"),
        ("[keys]\nnode = \"\"\n", "[keys]: a column's name is empty"),
        (
            "[edge_types.X]\npairs = [[\"role\", \"role\"]]\n",
            "[edge_types.X]: a new edge type needs `class` (authority, hierarchy, reference, governance, evidence, escalation)",
        ),
        (
            "[edge_types.X]\nclass = \"authority\"\n",
            "[edge_types.X]: a new edge type needs `pairs`, as in `pairs = [[\"identity\", \"role\"]]`",
        ),
        (
            "[edge_types.HAS_ROLE]\nclass = \"evidence\"\n",
            "[edge_types.HAS_ROLE]: it is in the schema already, of class authority, and stays so; leave `class` and `flow` out, or give it another name",
        ),
        (
            "[groups]\ng = [\"HAS_ROL\"]\n",
            "[groups] g: edge type `HAS_ROL` isn't in the schema (near: HAS_ROLE); declare it under [edge_types.HAS_ROL]",
        ),
        ("[groups]\nauthority = []\n", "[groups] authority: an edge class or an edge type has this name already"),
        (
            "[kinds]\npeople = []\n",
            "[kinds]: `people` isn't a node type; the nine are identity, automation, connection, credential, owner, role, permission, resource, execution_evidence",
        ),
    ];
    for (spec, error) in cases {
        let dir = Dir::new();
        dir.write("schema.toml", spec).write("nodes_owner.csv", "id\n");
        assert_eq!(dir.wrong(), format!("schema.toml: {error}"));
    }
    let dir = Dir::new();
    dir.write("schema.toml", "[node_columns.x]\ntyp = \"int\"\n").write("nodes_owner.csv", "id\n");
    assert!(dir.wrong().contains("unknown field `typ`") && dir.wrong().contains("line 2"), "{}", dir.wrong());
    let dir = Dir::new();
    dir.write("schema.toml", "[edge_columns]\na = { as = \"state\" }\nb = { as = \"state\" }\n")
        .write("edges_HAS_ROLE__role__role.csv", "src_id,dst_id,a,b\n");
    assert!(dir.wrong().ends_with("columns `a` and `b` both give `:state`"), "{}", dir.wrong());
}

#[test]
fn the_peers_schema_file() {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/schema.toml");
    let dir = Dir::new();
    dir.write("schema.toml", fs::read(spec).unwrap())
        .write(
            "nodes_automation.csv",
            "\"id\",\"nid\",\"name\",\"kind\",\"system\",\"status\",\"sensitivity\",\"data_domain\",\"created_at\",\"last_seen\"\n\
             \"aut:1\",1500,\"auto\",\"flow\",\"aws\",\"active\",\"low\",\"HR\",1632460437,1759572133\n",
        )
        .write(
            "edges_owned_by__automation__owner.csv",
            "\"src_id\",\"dst_id\",\"src\",\"dst\",\"since\",\"evidence_kind\",\"weight\"\n\
             \"aut:1\",\"own:1\",1,2,1704404927,\"direct\",0.8743\n",
        );
    let t = dir.open().unwrap();
    let edge =
        row(&["aut:1", "own:1"], &[(":evidence", "direct"), ("since", "@1704404927000000"), ("weight", "0.8743")]);
    assert_eq!(content(&*t.edges[0].table), [edge]);
    assert_eq!(content(&*t.nodes[0].table)[0].1["nid"], "1500");
    let s = &t.schema;
    assert_eq!(s.groups().iter().map(|g| (g.name.as_str(), g.types.len())).collect::<Vec<_>>(), [("auth", 12)]);
    let own = s.edge_types().len() - Schema::canonical().edge_types().len();
    let owned = s.edge_type(s.edge_type_id("owned_by").unwrap());
    assert_eq!((own, owned.class, owned.flow, owned.pairs.len()), (16, EdgeClass::Governance, Flow::Forward, 3));
}

#[test]
fn a_schema_file_extends_the_schema() {
    let dir = Dir::new();
    dir.write(
        "schema.toml",
        r#"
tags = ["crown_jewel"]
[keys]
node = "uid"
from = "a"
to = "b"
edge = "n"
[edge_types.HAS_ROLE]
pairs = [["connection", "role"]]
[edge_types.REACHES]
class = "reference"
flow = "backward"
pairs = [["resource", "resource"]]
doc = "a network path"
[kinds]
role = ["acme.role"]
[groups]
net = ["REACHES", "CONNECTS_TO"]
"#,
    )
    .write("nodes_connection.csv", "uid,name\nc,x\n")
    .write("edges_HAS_ROLE__connection__role.csv", "n,b,a\n1,r,c\n");
    let t = dir.open().unwrap();
    assert_eq!(content(&*t.nodes[0].table), [row(&["c"], &[("name", "x")])]);
    assert_eq!(content(&*t.edges[0].table), [row(&["c", "r"], &[(":key", "1")])]);
    let reaches = t.schema.edge_type(t.schema.edge_type_id("REACHES").unwrap());
    assert_eq!(
        (reaches.class, reaches.flow, reaches.doc.as_str()),
        (EdgeClass::Reference, Flow::Backward, "a network path")
    );
    assert!(t.schema.tags().iter().any(|t| t == "crown_jewel"));
    assert!(t.schema.kinds().iter().any(|(ty, k)| *ty == NodeType::Role && k.iter().any(|k| k == "acme.role")));
    assert_eq!(t.schema.groups()[0].types.len(), 2);
}
