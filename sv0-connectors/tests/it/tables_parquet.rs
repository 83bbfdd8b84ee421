//! Parquet tables, written by Arrow's own writer.

use std::fs::File;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use sv0_connectors::sv0_graph::bulk::ColumnData;

use crate::tables::{Dir, SPEC, content, edges_content, nodes_content, slices};

fn write(dir: &Dir, name: &str, columns: Vec<(&str, ArrayRef)>, rows_a_group: usize) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(rows_a_group))
        .build();
    let mut writer =
        ArrowWriter::try_new(File::create(dir.path(name)).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn strings(v: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(v.to_vec()))
}

fn lists(v: &[Option<&[&str]>]) -> ArrayRef {
    let mut b = ListBuilder::new(StringBuilder::new());
    for row in v {
        row.unwrap_or_default().iter().for_each(|s| b.values().append_value(s));
        b.append(row.is_some());
    }
    Arc::new(b.finish())
}

#[test]
fn parquet_gives_what_the_others_give() {
    let dir = Dir::new();
    dir.write("schema.toml", SPEC);
    let nodes: Vec<(&str, ArrayRef)> = vec![
        ("id", strings(&[Some("i:1"), Some("i:2"), Some("i:3")])),
        ("name", strings(&[Some("Zoë \"Z\", the\nfirst"), Some(""), None])),
        ("nid", Arc::new(Int32Array::from(vec![Some(7), None, Some(-1)]))),
        ("risk", Arc::new(Float64Array::from(vec![Some(0.5), Some(2.0), None]))),
        ("public", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("created_at", Arc::new(Int64Array::from(vec![Some(1_700_000_000), None, None]))),
        (
            "last_seen",
            Arc::new(TimestampMillisecondArray::from(vec![Some(1_767_225_600_000), None, None]).with_timezone("UTC")),
        ),
        ("tags", lists(&[Some(&["a", "b c"]), None, Some(&["x"])])),
        ("junk", lists(&[Some(&["never read"]), None, None])),
    ];
    for rows_a_group in [1, 2, 100] {
        write(&dir, "nodes_identity.parquet", nodes.clone(), rows_a_group);
        let edges: Vec<(&str, ArrayRef)> = vec![
            ("src_id", strings(&[Some("i:1"), Some("i:1")])),
            ("dst_id", strings(&[Some("r:1"), Some("r:1")])),
            ("key", strings(&[Some("k1"), Some("k2")])),
            ("evidence_kind", strings(&[Some("direct"), None])),
            ("st", strings(&[Some("conditional"), Some("")])),
            ("cond", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"mfa"), None]))),
            ("since", Arc::new(Int64Array::from(vec![Some(5), None]))),
            ("eligible", Arc::new(BooleanArray::from(vec![None, Some(true)]))),
        ];
        write(&dir, "edges_HAS_ROLE__identity__role.parquet", edges, rows_a_group);
        let t = dir.open().unwrap();
        assert_eq!(content(&*t.nodes[0].table), nodes_content());
        assert_eq!(content(&*t.edges[0].table), edges_content());
    }
}

#[test]
fn few_distinct_texts_come_coded_and_slices_are_bounded() {
    const N: usize = 150_000;
    let dir = Dir::new();
    let ids: Vec<String> = (0..N).map(|i| format!("res:{i:016}")).collect();
    let names: Vec<String> = (0..N).map(|i| format!("a resource of the number {i}")).collect();
    let kinds = ["table", "bucket", "vm"];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from_iter_values(&ids))),
        ("name", Arc::new(StringArray::from_iter_values(&names))),
        ("kind", Arc::new((0..N).map(|i| (i % 5 != 4).then(|| kinds[i % 3])).collect::<StringArray>())),
        ("count", Arc::new(Int64Array::from_iter_values((0..N).map(|i| i as i64)))),
    ];
    write(&dir, "nodes_resource.parquet", columns, 100_000);
    let t = dir.open().unwrap();
    let s = slices(&*t.nodes[0].table);
    assert_eq!(
        s.iter().map(|s| (s.rows, s.first_line)).collect::<Vec<_>>(),
        [(65_536, 1), (34_464, 65_537), (50_000, 100_001)]
    );
    let mut i = 0;
    for s in &s {
        assert!(matches!(&s.columns[0].data, ColumnData::Text(_)), "a dictionary as large as the texts isn't worth it");
        assert!(matches!(&s.columns[1].data, ColumnData::Coded { dictionary, .. } if dictionary.len() == 3));
    }
    for (keys, values) in content(&*t.nodes[0].table) {
        assert_eq!((&keys[0], values.get("name"), &values["count"]), (&ids[i], Some(&names[i]), &i.to_string()));
        assert_eq!(values.get("kind").map(String::as_str), (i % 5 != 4).then(|| kinds[i % 3]));
        i += 1;
    }
    assert_eq!(i, N);
}

#[test]
fn times_numbers_lists_and_keys_of_other_types() {
    let dir = Dir::new();
    dir.write("schema.toml", format!("{SPEC}\n[node_columns.rotated_at]\nunit = \"rfc3339\"\n"));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(UInt64Array::from(vec![17]))),
        ("risk", Arc::new(Float32Array::from(vec![0.25]))),
        ("expires_at", Arc::new(TimestampNanosecondArray::from(vec![1_500]))),
        ("last_seen", Arc::new(TimestampMicrosecondArray::from(vec![-3]))),
        ("rotated_at", strings(&[Some("1970-01-01T00:00:01Z")])),
        ("tags", strings(&[Some("a;b")])),
        ("count", Arc::new(UInt64Array::from(vec![9]))),
    ];
    write(&dir, "nodes_credential.parquet", columns, 10);
    let t = dir.open().unwrap();
    let (keys, v) = content(&*t.nodes[0].table).remove(0);
    assert_eq!(keys, ["17"]);
    let v: Vec<String> = v.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(v.join(" "), r#"count=9 expires_at=@1 last_seen=@-3 risk=0.25 rotated_at=@1000000 tags=["a", "b"]"#);
}

#[test]
fn parquet_files_that_are_wrong() {
    let one = |name: &'static str, a: ArrayRef| vec![("id", strings(&[Some("a")])), (name, a)];
    let int: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let cases = [
        (
            one("created_at", int.clone()),
            "column `created_at`: integers as a timestamp need a unit; write in the schema file: `unit = \"s\"` (or \"ms\", \"us\") for this column",
        ),
        (one("name", int.clone()), "column `name`: Int64, and a text would be right"),
        (one("count", strings(&[Some("1")])), "column `count`: Utf8, and an integer would be right"),
        (
            one("tags", strings(&[Some("1")])),
            "column `tags`: a text as a list needs a separator; write in the schema file: `separator = \";\"` for this column",
        ),
        (
            one("nid", int.clone()),
            "column `nid` isn't a node property (near: id, sid); write in the schema file: `[node_columns.nid]` with `ignore = true`, or with `type = \"string\"` (or int, float, bool, timestamp, list)",
        ),
        (
            vec![("id", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)],
            "column `id`: Float64, and a text or an integer would be right, for it is a key",
        ),
    ];
    for (columns, error) in cases {
        let dir = Dir::new();
        write(&dir, "nodes_owner.parquet", columns, 10);
        assert_eq!(dir.wrong(), format!("nodes_owner.parquet: {error}"));
    }
    let rows: [(Vec<(&str, ArrayRef)>, &str); 5] = [
        (vec![("id", strings(&[Some("a"), None]))], "line 2: column `id`: the key is empty"),
        (vec![("id", strings(&[Some("a"), Some("")]))], "line 2: column `id`: the key is empty"),
        (
            one("count", Arc::new(UInt64Array::from(vec![u64::MAX]))),
            "line 1: column `count`: not a 64-bit integer: it is above 2^63 - 1",
        ),
        (
            one("risk", Arc::new(Float64Array::from(vec![f64::NAN]))),
            "line 1: column `risk`: not a finite number; leave it out where it isn't known",
        ),
        (
            one("created_at", Arc::new(Int64Array::from(vec![i64::MAX]))),
            "line 1: column `created_at`: a time out of range; is the `unit` in the schema file right?",
        ),
    ];
    for (columns, error) in rows {
        let dir = Dir::new();
        dir.write("schema.toml", SPEC);
        write(&dir, "nodes_owner.parquet", columns, 10);
        assert_eq!(dir.wrong_row(), format!("nodes_owner.parquet, {error}"));
    }
    let dir = Dir::new();
    dir.write("nodes_owner.parquet", "id\na\n");
    assert!(dir.wrong().starts_with("nodes_owner.parquet: not Parquet that can be read: "), "{}", dir.wrong());
    let dir = Dir::new();
    write(&dir, "nodes_owner.parquet", vec![("id", Arc::new(BinaryArray::from(vec![&b"\xff"[..]])) as ArrayRef)], 10);
    assert_eq!(dir.wrong_row(), "nodes_owner.parquet: column `id`: its texts aren't UTF-8");
}

#[test]
fn a_damaged_file_never_panics() {
    let dir = Dir::new();
    dir.write("schema.toml", SPEC);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", strings(&[Some("a"), Some("b"), Some("c")])),
        ("name", strings(&[Some("x"), None, Some("x")])),
        ("count", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
        ("tags", lists(&[Some(&["a"]), None, Some(&[])])),
    ];
    write(&dir, "nodes_owner.parquet", columns, 2);
    let good = std::fs::read(dir.path("nodes_owner.parquet")).unwrap();
    let mut panics = Vec::new();
    for at in 0..good.len() {
        for with in [1, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= with;
            dir.write("nodes_owner.parquet", &bad);
            let r = std::panic::catch_unwind(|| dir.open().map(|t| t.nodes[0].table.read(&mut |_| Ok(())).is_ok()));
            if r.is_err() {
                panics.push((at, with));
            }
        }
    }
    assert!(panics.is_empty(), "{} of {}: {panics:?}", panics.len(), good.len());
}
