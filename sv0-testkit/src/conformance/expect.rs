//! What a case expects of the answer, and whether it holds.

use serde_json::Value as Json;
use sv0_graph::{GraphView, Schema, Snapshot};
use sv0_query::{CheckOptions, Code, Query, QueryError, QueryResult, Val};

use super::case::{Case, field};
use super::cells::{Cell, Style};
use super::errors::ErrorClass;
use super::{Outcome, answer};

/// An expectation.
#[derive(Debug, Clone)]
pub enum Expect {
    /// These rows.
    Rows {
        /// The columns' names; any where it is `None`.
        columns: Option<Vec<String>>,
        /// The rows.
        rows: Vec<Vec<Cell>>,
        /// In this order.
        ordered: bool,
        /// Lists in cells have no order.
        loose_lists: bool,
    },
    /// A refusal.
    Error(ErrorClass),
    /// So many rows.
    RowCount(usize),
    /// What the rows hold, each reduced to one form.
    Reduced(Reduced),
    /// One row whose one value this is.
    Scalar {
        /// The value: a text is a cell's notation or the text itself.
        value: Json,
        /// The column; the first where it is `None`.
        column: Option<String>,
    },
    /// A row at least.
    NonEmpty,
    /// No row.
    Empty,
    /// The same bag of rows as these queries.
    Equal(Vec<String>),
    /// Nothing is run: it parses, checks leniently against the canonical schema and is planned; a query that writes is
    /// refused as such.
    Accepted,
}

/// Which part of the rows counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// External ids of the nodes in the first column, or in all columns.
    NodeIds,
    /// External ids of each path's nodes.
    PathNodeIds,
    /// Types of each path's edges.
    PathEdgeTypes,
    /// Each path's number of edges.
    PathLengths,
}

/// A part of the rows.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// Which.
    pub part: Part,
    /// The values: one of each row, or (node ids without rows) all of them.
    pub want: Vec<String>,
    /// `want` has one value of each row, a list.
    pub by_row: bool,
    /// In this order.
    pub ordered: bool,
    /// How often each occurs doesn't matter.
    pub set: bool,
}

/// Kinds that a field's name gives away where `kind` is missing.
const KINDS: &[&str] = &[
    "rows",
    "error",
    "code",
    "class",
    "row_count",
    "node_ids",
    "path_node_ids",
    "path_edge_types",
    "path_lengths",
    "scalar",
    "non_empty",
    "empty",
    "equal",
];

impl Expect {
    /// The expectations of a case: one, or a list of which all must hold.
    pub(super) fn of_case(case: &Json) -> Result<Vec<Self>, String> {
        if let Some(e) = field(case, &["expect", "expected", "expectation"]) {
            return match e {
                Json::Array(a) => a.iter().map(|e| Self::from_json(e, case)).collect(),
                e => Ok(vec![Self::from_json(e, case)?]),
            };
        }
        // Two suites have forms of their own.
        let conflict = case.get("conflict").and_then(Json::as_bool).unwrap_or(false);
        if let Some(v) = case.get(if conflict { "expect_iso_bruteforce" } else { "expect_kuzu" }) {
            return Ok(vec![Self::Scalar { value: v.clone(), column: None }]);
        }
        if case.get("parses_openCypher9").is_some() || case.get("parses_ISO_GQL").is_some() {
            return Ok(vec![Self::Accepted]);
        }
        Err("it has no `expect`".to_owned())
    }

    fn from_json(e: &Json, case: &Json) -> Result<Self, String> {
        let kind = match (e, field(e, &["kind", "type"]).and_then(Json::as_str)) {
            (Json::String(s), _) => s.as_str(),
            (_, Some(k)) => k,
            (_, None) => {
                KINDS.iter().copied().find(|k| e.get(*k).is_some()).ok_or_else(|| format!("`{e}` has no `kind`"))?
            }
        };
        let kind = kind.to_lowercase().replace('-', "_");
        let truth = |name: &str| e.get(name).and_then(Json::as_bool).unwrap_or(false);
        let ordered = truth("ordered") || matches!(&*kind, "sequence" | "ordered_rows");
        let value = |names: &[&str]| {
            let own = [&*kind];
            field(e, &own).or_else(|| field(e, names)).cloned().ok_or_else(|| format!("`{e}` has no value"))
        };
        let part = match &*kind {
            "node_ids" => Some(Part::NodeIds),
            "path_node_ids" => Some(Part::PathNodeIds),
            "path_edge_types" => Some(Part::PathEdgeTypes),
            "path_lengths" => Some(Part::PathLengths),
            _ => None,
        };
        if let Some(part) = part {
            let v = value(&["ids", "value", "values", "rows", "paths", "types", "lengths"])?;
            let items = v.as_array().ok_or_else(|| format!("`{v}` is no list"))?;
            let by_row = part != Part::NodeIds || items.iter().any(Json::is_array);
            let set = truth("set") || truth("distinct");
            let want = items.iter().map(plain).collect();
            return Ok(Self::Reduced(Reduced { part, want, by_row, ordered, set }));
        }
        Ok(match &*kind {
            "rows" | "bag" | "sequence" | "ordered_rows" => Self::Rows {
                columns: field(e, &["columns"]).map(texts).transpose()?,
                rows: rows(&value(&["rows", "value", "values"])?, e)?,
                ordered,
                loose_lists: truth("list_order_insensitive"),
            },
            "error" | "code" | "class" | "error_class" => {
                let nested = field(e, &["error"]).filter(|x| x.is_object());
                Self::Error(ErrorClass::from_json(nested.unwrap_or(e))?)
            }
            "row_count" | "count" => {
                let v = value(&["value", "n", "count", "rows"])?;
                Self::RowCount(v.as_u64().ok_or_else(|| format!("`{v}` is no count"))? as usize)
            }
            "scalar" => Self::Scalar {
                // Null may be what is wanted.
                value: ["scalar", "value"].iter().find_map(|n| e.get(*n)).cloned().ok_or("a scalar has no value")?,
                column: field(e, &["column"]).and_then(Json::as_str).map(str::to_owned),
            },
            "non_empty" | "nonempty" | "not_empty" => Self::NonEmpty,
            "empty" => Self::Empty,
            "equal" | "same" => {
                let own = field(e, &["queries", "query", "to", "with", "equal", "value"]);
                let mut all = own.map(texts).transpose()?.unwrap_or_default();
                all.extend(field(case, &["queries"]).map(texts).transpose()?.unwrap_or_default());
                if all.is_empty() {
                    return Err("`equal` has no `queries`".to_owned());
                }
                Self::Equal(all)
            }
            "accepted" => Self::Accepted,
            _ => return Err(format!("`{kind}` is no kind of expectation")),
        })
    }

    /// The kind's name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rows { ordered: false, .. } => "rows",
            Self::Rows { ordered: true, .. } => "sequence",
            Self::Error(_) => "error",
            Self::RowCount(_) => "row_count",
            Self::Reduced(r) => match r.part {
                Part::NodeIds => "node_ids",
                Part::PathNodeIds => "path_node_ids",
                Part::PathEdgeTypes => "path_edge_types",
                Part::PathLengths => "path_lengths",
            },
            Self::Scalar { .. } => "scalar",
            Self::NonEmpty => "non_empty",
            Self::Empty => "empty",
            Self::Equal(_) => "equal",
            Self::Accepted => "accepted",
        }
    }

    /// Whether an answer is as it is expected.
    pub(super) fn judge(&self, case: &Case, snapshot: &Snapshot, got: &Outcome) -> Result<(), String> {
        let got = match (self, got) {
            (Self::Accepted, _) => return accepted(&case.query),
            (Self::Error(class), Outcome::Refused(r)) => return class.judge(r),
            (Self::Error(class), Outcome::Answered(r)) => {
                return Err(format!("want an error ({class}), got {} rows", r.rows.len()));
            }
            (_, Outcome::Refused(r)) => return Err(format!("refused: {}", r.error)),
            (_, Outcome::Answered(r)) => r,
        };
        let count = got.rows.len();
        match self {
            Self::Rows { columns, rows, ordered, loose_lists } => {
                let style = Style { ids: false, loose_lists: *loose_lists };
                let want: Vec<String> = rows.iter().map(|r| row_key(r, style)).collect();
                let order = places(columns.as_deref(), got)?;
                let found: Vec<String> = keys(snapshot, got, &order, style).map_err(|e| e.to_string())?;
                compare(want, found, *ordered)
            }
            Self::RowCount(n) if *n != count => Err(format!("want {n} rows, got {count}")),
            Self::Empty if count > 0 => Err(format!("want no row, got {count}")),
            Self::NonEmpty if count == 0 => Err("want a row, got none".to_owned()),
            Self::Reduced(r) => r.judge(snapshot, got),
            Self::Scalar { value, column } => {
                let at = match column {
                    None => 0,
                    Some(c) => got.columns.iter().position(|x| **x == **c).ok_or_else(|| format!("no column `{c}`"))?,
                };
                let [row] = &got.rows[..] else { return Err(format!("want one row, got {count}")) };
                let v = row.get(at).ok_or("the row has no value")?;
                let cell = Cell::from_val(snapshot, v).map_err(|e| e.to_string())?;
                if is_scalar(value, &cell) { Ok(()) } else { Err(format!("want {value}, got {cell}")) }
            }
            Self::Equal(queries) => {
                let style = Style { ids: true, loose_lists: false };
                let all = |r: &QueryResult| {
                    let order: Vec<usize> = (0..r.columns.len()).collect();
                    keys(snapshot, r, &order, style).map_err(|e| e.to_string())
                };
                for q in queries {
                    let other = match answer(case, q, false, snapshot)? {
                        Some(Outcome::Answered(r)) => r,
                        Some(Outcome::Refused(r)) => return Err(format!("`{q}` is refused: {}", r.error)),
                        None => continue,
                    };
                    compare(all(&other)?, all(got)?, false).map_err(|e| format!("not as `{q}`: {e}"))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Reduced {
    fn judge(&self, snapshot: &Snapshot, got: &QueryResult) -> Result<(), String> {
        let found = self.found(snapshot, got, false)?;
        let first = self.compare(found);
        if first.is_err() && self.part == Part::NodeIds && !self.by_row {
            return self.found(snapshot, got, true).and_then(|f| self.compare(f)).or(first);
        }
        first
    }

    fn compare(&self, mut found: Vec<String>) -> Result<(), String> {
        let mut want = self.want.clone();
        if self.set {
            for list in [&mut want, &mut found] {
                list.sort();
                list.dedup();
            }
        }
        compare(want, found, self.ordered && !self.set)
    }

    fn found(&self, snapshot: &Snapshot, got: &QueryResult, all_columns: bool) -> Result<Vec<String>, String> {
        let column = |is: &dyn Fn(&Val) -> bool| {
            (0..got.columns.len()).find(|c| got.rows.iter().any(|r| r.get(*c).is_some_and(is)))
        };
        let path = column(&|v| matches!(v, Val::Path(_)));
        let path = path.or_else(|| column(&|v| matches!(v, Val::List(_)))).unwrap_or(0);
        let mut out = Vec::new();
        for row in &got.rows {
            let at = |c: usize| row.get(c).ok_or("the row has no value");
            match self.part {
                Part::NodeIds if self.by_row => {
                    let mut of_row = Vec::new();
                    for v in row.iter().filter(|v| got.columns.len() == 1 || matches!(v, Val::Node(..) | Val::Null)) {
                        of_row.extend(ids(snapshot, v)?);
                    }
                    out.push(listed(&of_row));
                }
                Part::NodeIds if all_columns => {
                    for v in row.iter().filter(|v| matches!(v, Val::Node(..))) {
                        out.extend(ids(snapshot, v)?);
                    }
                }
                Part::NodeIds => out.extend(ids(snapshot, at(0)?)?),
                Part::PathNodeIds => out.push(listed(&ids(snapshot, at(path)?)?)),
                Part::PathEdgeTypes => out.push(listed(&types(snapshot, at(path)?)?)),
                Part::PathLengths => out.push(match at(path)? {
                    Val::Path(p) => p.edges.len().to_string(),
                    Val::List(l) => l.len().to_string(),
                    Val::Int(n) => n.to_string(),
                    v => return Err(format!("a {} has no length", v.kind())),
                }),
            }
        }
        Ok(out)
    }
}

/// The nodes' external ids in a node, a path or a list; a text or a number is an id itself.
fn ids(snapshot: &Snapshot, v: &Val) -> Result<Vec<String>, String> {
    let id = |n: u32| snapshot.key(n).map(|k| k.id.to_string()).map_err(|e| e.to_string());
    match v {
        Val::Null => Ok(vec!["null".to_owned()]),
        Val::Node(_, n) => Ok(vec![id(*n)?]),
        Val::Path(p) => p.nodes.iter().map(|n| id(*n)).collect(),
        Val::Str(s) => Ok(vec![s.to_string()]),
        Val::Int(n) => Ok(vec![n.to_string()]),
        Val::List(l) => {
            let mut all = Vec::new();
            for v in l.iter().filter(|v| !matches!(v, Val::Edge(..))) {
                all.extend(ids(snapshot, v)?);
            }
            Ok(all)
        }
        v => Err(format!("a {} has no node", v.kind())),
    }
}

/// The edges' types in a path, an edge or a list; a text is a type itself.
fn types(snapshot: &Snapshot, v: &Val) -> Result<Vec<String>, String> {
    let name = |e| snapshot.edge(e).map(|r| snapshot.schema().edge_type(r.ty).name.to_string());
    match v {
        Val::Path(p) => p.edges.iter().map(|e| name(*e).map_err(|e| e.to_string())).collect(),
        Val::Edge(_, e) => Ok(vec![name(*e).map_err(|e| e.to_string())?]),
        Val::Str(s) => Ok(vec![s.to_string()]),
        Val::List(l) => {
            let mut all = Vec::new();
            for v in l.iter().filter(|v| !matches!(v, Val::Node(..))) {
                all.extend(types(snapshot, v)?);
            }
            Ok(all)
        }
        v => Err(format!("a {} has no edge", v.kind())),
    }
}

/// An expected id, type, length or list of them.
fn plain(v: &Json) -> String {
    match v {
        Json::String(s) => s.clone(),
        Json::Array(a) => listed(&a.iter().map(plain).collect::<Vec<_>>()),
        v => v.to_string(),
    }
}

fn listed(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

fn texts(v: &Json) -> Result<Vec<String>, String> {
    let one = |v: &Json| v.as_str().map(str::to_owned).ok_or_else(|| format!("`{v}` is no text"));
    match v {
        Json::Array(a) => a.iter().map(one).collect(),
        v => one(v).map(|s| vec![s]),
    }
}

/// Rows of cells; a row may be an object by column, and a lone value is a row of one.
fn rows(v: &Json, e: &Json) -> Result<Vec<Vec<Cell>>, String> {
    let columns = field(e, &["columns"]).map(texts).transpose()?.unwrap_or_default();
    let row = |r: &Json| -> Vec<Cell> {
        match r {
            Json::Array(a) => a.iter().map(cell).collect(),
            Json::Object(o) => columns.iter().map(|c| cell(o.get(c).unwrap_or(&Json::Null))).collect(),
            v => vec![cell(v)],
        }
    };
    Ok(v.as_array().ok_or_else(|| format!("`{v}` is no list of rows"))?.iter().map(row).collect())
}

/// A text is the notation of a cell, or a text where it isn't any; other JSON is a value itself.
fn cell(v: &Json) -> Cell {
    match v {
        Json::String(s) => Cell::parse(s).unwrap_or_else(|_| Cell::Str(s.clone())),
        v => Cell::from_json(v),
    }
}

fn is_scalar(want: &Json, got: &Cell) -> bool {
    let same = |c: &Cell| c.key(Style::default()) == got.key(Style::default());
    match (want, got) {
        (Json::String(s), Cell::Str(t)) if s == t => true,
        // JSON's writers don't tell 1 from 1.0.
        (Json::Number(n), Cell::Int(_) | Cell::Float(_)) => {
            same(&Cell::from_json(want)) || n.as_f64().is_some_and(|f| same(&Cell::Float(f)) || is_int(f, got))
        }
        _ => same(&cell(want)) || same(&Cell::from_json(want)),
    }
}

fn is_int(f: f64, got: &Cell) -> bool {
    matches!(got, Cell::Int(n) if *n as f64 == f)
}

/// Where the expected columns stand in the answer.
fn places(columns: Option<&[String]>, got: &QueryResult) -> Result<Vec<usize>, String> {
    let Some(want) = columns else { return Ok((0..got.columns.len()).collect()) };
    let mut left: Vec<usize> = (0..got.columns.len()).collect();
    let mut order = Vec::new();
    for c in want {
        match left.iter().position(|i| *got.columns[*i] == **c) {
            Some(i) => order.push(left.remove(i)),
            None => break,
        }
    }
    // An empty answer is written without columns.
    if (order.len() == want.len() && left.is_empty()) || (want.is_empty() && got.rows.is_empty()) {
        return Ok(order);
    }
    Err(format!("want the columns {want:?}, got {:?}", got.columns))
}

fn keys(snapshot: &Snapshot, got: &QueryResult, order: &[usize], style: Style) -> Result<Vec<String>, QueryError> {
    let mut out = Vec::new();
    for row in &got.rows {
        let cells = order.iter().filter_map(|i| row.get(*i)).map(|v| Cell::from_val(snapshot, v));
        out.push(row_key(&cells.collect::<Result<Vec<_>, _>>()?, style));
    }
    Ok(out)
}

fn row_key(row: &[Cell], style: Style) -> String {
    row.iter().map(|c| c.key(style)).collect::<Vec<_>>().join(" | ")
}

/// Two lists of rows: as sequences, or as bags.
fn compare(mut want: Vec<String>, mut got: Vec<String>, ordered: bool) -> Result<(), String> {
    const MOST: usize = 6;
    let cut = |rows: &[&String]| {
        let mut text = rows.iter().take(MOST).map(|r| format!("\n      {r}")).collect::<String>();
        if rows.len() > MOST {
            text.push_str(&format!("\n      … {} in all", rows.len()));
        }
        text
    };
    if ordered {
        if want == got {
            return Ok(());
        }
        let (want, got): (Vec<_>, Vec<_>) = (want.iter().collect(), got.iter().collect());
        return Err(format!("want in this order{}\n   got{}", cut(&want), cut(&got)));
    }
    want.sort();
    got.sort();
    if want == got {
        return Ok(());
    }
    let (missing, extra) = (without(&want, &got), without(&got, &want));
    Err(format!("{} rows are missing{}\n   {} are too many{}", missing.len(), cut(&missing), extra.len(), cut(&extra)))
}

/// What `a` has and `b` hasn't, both sorted.
fn without<'a>(a: &'a [String], b: &[String]) -> Vec<&'a String> {
    let mut b = b.iter().peekable();
    let mut out = Vec::new();
    for x in a {
        while b.next_if(|y| *y < x).is_some() {}
        if b.next_if(|y| *y == x).is_none() {
            out.push(x);
        }
    }
    out
}

fn accepted(text: &str) -> Result<(), String> {
    let options = CheckOptions { lenient: true, ..CheckOptions::default() };
    let schema = Schema::canonical();
    let check = |q: &Query| q.check(&schema, &|_| false, &options).map(|_| ());
    let parsed = Query::parse(text);
    if writes(text) {
        return match parsed.and_then(|q| check(&q)) {
            Ok(()) => Err("a query that writes is accepted".to_owned()),
            Err(e) if e.diagnostics.iter().any(|d| d.code == Code::ReadOnly) => Ok(()),
            Err(e) => Err(format!("a query that writes is refused as something else: {e}")),
        };
    }
    let query = parsed.map_err(|e| format!("it doesn't parse: {e}"))?;
    check(&query).map_err(|e| format!("it doesn't check: {e}"))?;
    match query.reversed() {
        Some(r) => check(&r).map_err(|e| format!("reversed: `{}` doesn't check: {e}", r.text())),
        None => Ok(()),
    }
}

/// Whether a clause of the text writes: its word, outside of texts and remarks, with what must follow it.
fn writes(text: &str) -> bool {
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' | '`' => {
                while let Some(x) = chars.next() {
                    match x {
                        '\\' if c != '`' => _ = chars.next(),
                        _ if x == c => break,
                        _ => {}
                    }
                }
                plain.push('_');
            }
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|x| *x != '\n').is_some() {},
            c => plain.push(c),
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = ' ';
    let mut rest = &*plain;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            if !c.is_whitespace() {
                before = c;
            }
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let after = rest[end..].trim_start();
        let begins = after.chars().next().unwrap_or(' ');
        // A word behind these is a label's, a property's or a parameter's name.
        if !matches!(before, '.' | ':' | '|' | '$') {
            let clause = match rest[..end].to_ascii_lowercase().as_str() {
                "create" | "merge" => begins == '(' || is_word(begins),
                "set" | "remove" | "delete" | "detach" => is_word(begins),
                _ => false,
            };
            if clause {
                return true;
            }
        }
        before = 'w';
        rest = &rest[end..];
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clauses_that_write_are_told_from_words() {
        for q in ["CREATE (n)", "MATCH (n) SET n.x = 1", "match (n) detach delete n", "MERGE (a)-[:T]->(b)"] {
            assert!(writes(q), "{q}");
        }
        for q in [
            "MATCH (n) WHERE n.a CONTAINS 'CREATE (x)' RETURN n",
            "MATCH (n) // SET by hand\nRETURN n",
            "MATCH (n:Set)-[:create|delete]->(m) RETURN n.set AS x",
            "MATCH (n) RETURN n.created, `create`",
        ] {
            assert!(!writes(q), "{q}");
        }
    }

    #[test]
    fn bags_count() {
        let v = |s: &str| s.chars().map(String::from).collect::<Vec<_>>();
        assert!(compare(v("abb"), v("bab"), false).is_ok());
        assert!(compare(v("abb"), v("bab"), true).is_err());
        let e = compare(v("abb"), v("abc"), false).unwrap_err();
        assert!(e.contains("1 rows are missing\n      b\n   1 are too many\n      c"), "{e}");
    }

    #[test]
    fn scalars_are_cells_or_values() {
        let is = |want: Json, got: &str| is_scalar(&want, &Cell::parse(got).unwrap());
        assert!(is(json!(1), "1") && is(json!(1), "1.0") && is(json!(1.0), "1") && !is(json!(1), "2"));
        assert!(is(json!("Ann"), "'Ann'") && is(json!("'Ann'"), "'Ann'") && !is(json!("1"), "2"));
        assert!(is(json!("1"), "1") && is(json!("1"), "'1'") && is(json!(null), "null"));
        assert!(is(json!([1, null]), "[1, null]") && is(json!("[1, null]"), "[1, null]"));
    }

    #[test]
    fn kinds_are_read_in_many_forms() {
        let kind = |e: Json| Expect::of_case(&json!({"expect": e})).map(|e| e[0].kind());
        assert_eq!(kind(json!({"kind": "rows", "ordered": true, "rows": [["1"]]})), Ok("sequence"));
        assert_eq!(kind(json!({"kind": "row_count", "rows": 3})), Ok("row_count"));
        assert_eq!(kind(json!({"row_count": 3})), Ok("row_count"));
        assert_eq!(kind(json!({"kind": "node-ids", "ids": ["a"]})), Ok("node_ids"));
        assert_eq!(kind(json!({"kind": "path_lengths", "value": [1, 2]})), Ok("path_lengths"));
        assert_eq!(kind(json!({"kind": "scalar", "value": null})), Ok("scalar"));
        assert_eq!(kind(json!("empty")), Ok("empty"));
        assert!(kind(json!({"kind": "row_count"})).is_err());
        assert!(kind(json!({"kind": "graph", "value": 1})).is_err());
        assert!(Expect::of_case(&json!({"query": "RETURN 1"})).is_err());
    }
}
