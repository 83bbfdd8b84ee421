//! A case, and files of them: JSON lines or a JSON array.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use sv0_graph::Snapshot;
use sv0_query::{CheckOptions, Query, RunOptions, Val};

use super::Variant;
use super::expect::Expect;

/// A graph, a query and what it must answer.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name; no other case of its file has it.
    pub id: String,
    /// The graph's text, by which graphs are told apart.
    pub graph: Arc<str>,
    /// Values of `$name`.
    pub params: Vec<(String, Param)>,
    /// The query.
    pub query: String,
    /// What must hold of the answer, all of it.
    pub expect: Vec<Expect>,
    /// Unknown names are empty instead of errors.
    pub lenient: bool,
    /// In which variants it runs.
    pub variants: Vec<Variant>,
}

/// A parameter's value.
#[derive(Debug, Clone)]
pub enum Param {
    /// A literal of the query language.
    Literal(String),
    /// A value of JSON.
    Json(Json),
}

/// The first field of these names that isn't null.
pub(super) fn field<'a>(o: &'a Json, names: &[&str]) -> Option<&'a Json> {
    names.iter().filter_map(|n| o.get(*n)).find(|v| !v.is_null())
}

/// What a case refers to.
#[derive(Debug, Default)]
struct Around {
    /// Graphs by name.
    graphs: BTreeMap<String, Json>,
    /// The file's folder.
    dir: PathBuf,
}

impl Case {
    /// Reads a case that refers to no other file.
    ///
    /// # Errors
    /// What is missing or of the wrong form.
    pub fn from_json(o: &Json) -> Result<Self, String> {
        Self::within(o, &Around::default())
    }

    /// Reads one line of JSON.
    ///
    /// # Errors
    /// As [`Case::from_json`].
    pub fn from_line(line: &str) -> Result<Self, String> {
        Self::from_json(&serde_json::from_str(line).map_err(|e| e.to_string())?)
    }

    fn within(o: &Json, around: &Around) -> Result<Self, String> {
        let expect = Expect::of_case(o)?;
        let queries: Vec<&str> =
            field(o, &["queries"]).and_then(Json::as_array).into_iter().flatten().flat_map(Json::as_str).collect();
        let query = field(o, &["query", "cypher", "gql", "text"]).and_then(Json::as_str).or(queries.first().copied());
        let variants: Vec<Variant> = match field(o, &["variants"]).and_then(Json::as_array) {
            Some(a) => a.iter().map(|v| Variant::named(v.as_str().unwrap_or_default())).collect::<Result<_, _>>()?,
            // What only checks has no graph to run on.
            None if expect.iter().all(|e| matches!(e, Expect::Accepted)) => vec![Variant::AsIs],
            None => Variant::ALL.to_vec(),
        };
        Ok(Self {
            id: name_of(o).unwrap_or_default().to_owned(),
            graph: around.graph(o)?.to_string().into(),
            params: params(field(o, &["params", "parameters"]).unwrap_or(&Json::Null))?,
            query: query.ok_or("it has no `query`")?.to_owned(),
            expect,
            lenient: field(o, &["lenient"]).and_then(Json::as_bool).unwrap_or(true),
            variants,
        })
    }
}

fn name_of(o: &Json) -> Option<&str> {
    field(o, &["id", "name"]).and_then(Json::as_str)
}

impl Around {
    /// A case's graph; the empty one where it names none.
    fn graph(&self, o: &Json) -> Result<Json, String> {
        let file = match field(o, &["graph_file"]).and_then(Json::as_str) {
            Some(f) => Some(json_file(&self.dir.join(f))?),
            None => None,
        };
        match (field(o, &["graph"]), file) {
            (None, None) => Ok(json!({"nodes": [], "edges": []})),
            (None, Some(f)) => Ok(f),
            (Some(Json::String(name)), file) => {
                if let Some(g) = self.graphs.get(name) {
                    return Ok(g.clone());
                }
                if let Some(f) = file {
                    let g = f.get(name).or_else(|| f.get("graphs")?.get(name));
                    return g.cloned().ok_or_else(|| format!("the graph file has no graph `{name}`"));
                }
                let beside = [name.clone(), format!("{name}.json")].map(|f| self.dir.join(f));
                let found = beside.iter().find(|f| f.is_file()).ok_or_else(|| format!("there is no graph `{name}`"))?;
                json_file(found)
            }
            (Some(g), _) => Ok(g.clone()),
        }
    }
}

fn json_file(path: &Path) -> Result<Json, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// `null`, an object of JSON values, or a list: `[name, literal]` or `{"name": …, "value" | "literal": …}`.
fn params(v: &Json) -> Result<Vec<(String, Param)>, String> {
    let wrong = |v: &Json| format!("`{v}` is no parameter");
    match v {
        Json::Null => Ok(Vec::new()),
        Json::Object(o) => Ok(o.iter().map(|(k, v)| (k.clone(), Param::Json(v.clone()))).collect()),
        Json::Array(a) => a
            .iter()
            .map(|p| match p {
                Json::Array(pair) => match &pair[..] {
                    [Json::String(name), Json::String(text)] => Ok((name.clone(), Param::Literal(text.clone()))),
                    [Json::String(name), value] => Ok((name.clone(), Param::Json(value.clone()))),
                    _ => Err(wrong(p)),
                },
                _ => {
                    let name = p.get("name").and_then(Json::as_str).ok_or_else(|| wrong(p))?.to_owned();
                    match (p.get("literal").and_then(Json::as_str), p.get("value")) {
                        (Some(text), _) => Ok((name, Param::Literal(text.to_owned()))),
                        (None, Some(v)) => Ok((name, Param::Json(v.clone()))),
                        (None, None) => Err(wrong(p)),
                    }
                }
            })
            .collect(),
        v => Err(wrong(v)),
    }
}

impl Param {
    /// The value. A literal is read by the query engine itself.
    ///
    /// # Errors
    /// The literal is none of the language.
    pub fn value(&self, snapshot: &Snapshot) -> Result<Val, String> {
        match self {
            Self::Json(v) => Ok(val(v)),
            Self::Literal(text) => {
                let read = || {
                    let query = Query::parse(&format!("RETURN {text} AS v"))?;
                    query.prepare(snapshot, &CheckOptions::default())?.run(snapshot, &RunOptions::default())
                };
                let result = read().map_err(|e| format!("`{text}` isn't read as a parameter: {e}"))?;
                let cell = result.rows.into_iter().next().and_then(|r| r.into_iter().next());
                cell.ok_or_else(|| format!("`{text}` has no value"))
            }
        }
    }
}

fn val(v: &Json) -> Val {
    match v {
        Json::Null => Val::Null,
        Json::Bool(b) => Val::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| Val::Float(n.as_f64().unwrap_or(f64::NAN)), Val::Int),
        Json::String(s) => Val::str(s.as_str()),
        Json::Array(a) => Val::List(a.iter().map(val).collect()),
        Json::Object(o) => Val::Record(o.iter().map(|(k, v)| (k.as_str().into(), val(v))).collect()),
    }
}

/// A case of a file, or why it is none, by its name.
pub type Named = (String, Result<Case, String>);

/// Reads a file of cases: JSON lines (a line `{"graphs": {name: graph}}` gives graphs to the cases after it), a JSON
/// array, or an object `{"graphs": {…}, "cases": […]}`.
///
/// # Errors
/// The file can't be read or isn't of that form.
pub fn read(path: &Path) -> Result<Vec<Named>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut around = Around { graphs: BTreeMap::new(), dir: path.parent().unwrap_or(Path::new("")).to_owned() };
    let items = match serde_json::from_str::<Json>(&text) {
        Ok(Json::Array(a)) => a,
        Ok(o) => match field(&o, &["cases", "tests"]).and_then(Json::as_array) {
            Some(a) => std::iter::once(json!({"graphs": o["graphs"]})).chain(a.iter().cloned()).collect(),
            None => vec![o],
        },
        Err(_) => {
            let mut all: Vec<Json> = Vec::new();
            for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
                all.push(serde_json::from_str(line).map_err(|e| format!("{}: line {}: {e}", path.display(), n + 1))?);
            }
            all
        }
    };
    let mut out: Vec<Named> = Vec::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (o, n) in items.iter().zip(1..) {
        if let (Some(graphs), None) = (o.get("graphs"), o.get("query")) {
            let graphs = graphs.as_object().into_iter().flatten();
            around.graphs.extend(graphs.map(|(k, g)| (k.clone(), g.clone())));
            continue;
        }
        let mut id = name_of(o).map_or_else(|| format!("case {n}"), str::to_owned);
        let seen = times.entry(id.clone()).or_default();
        *seen += 1;
        if *seen > 1 {
            id = format!("{id}#{seen}");
        }
        let case = Case::within(o, &around).map(|c| Case { id: id.clone(), ..c });
        out.push((id, case));
    }
    Ok(out)
}
