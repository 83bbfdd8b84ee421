//! Values in the notation of the openCypher TCK, and the query's values in the same form.
//!
//! `null true 1 -1.5 NaN 'text' [1, 2] {k: 1} (:A:B {p: 1}) [:T {p: 1}] <(:A)-[:T]->(:B)<-[:S]-()>`: nodes and edges
//! are known by labels, type and properties, not by an id. Two cells are the same if their [`Cell::key`]s are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use sv0_graph::{EdgeId, GraphView};
use sv0_query::{PathVal, QueryError, Val, time};

/// A value of a result's cell.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Unknown.
    Null,
    /// Truth.
    Bool(bool),
    /// Integer; never the same as a float.
    Int(i64),
    /// Float, by value: NaN is NaN, -0.0 is 0.0.
    Float(f64),
    /// Text. Timestamps and durations are texts too.
    Str(String),
    /// A list.
    List(Vec<Cell>),
    /// Named values, in no order.
    Map(Props),
    /// A node.
    Node(NodeCell),
    /// An edge.
    Edge(EdgeCell),
    /// A path.
    Path {
        /// One node more than edges.
        nodes: Vec<NodeCell>,
        /// Each edge, and whether it is walked from its start to its end.
        edges: Vec<(bool, EdgeCell)>,
    },
}

/// Named values, in no order.
pub type Props = BTreeMap<String, Cell>;

/// A node.
#[derive(Debug, Clone, Default)]
pub struct NodeCell {
    /// Its external id; empty where the notation was read.
    pub id: String,
    /// Its labels, in no order.
    pub labels: BTreeSet<String>,
    /// Its properties.
    pub props: Props,
}

/// An edge.
#[derive(Debug, Clone, Default)]
pub struct EdgeCell {
    /// Type, ends and key; empty where the notation was read.
    pub id: String,
    /// Its type.
    pub ty: String,
    /// Its properties.
    pub props: Props,
}

/// What two cells must share to be the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Nodes and edges by identity too.
    pub ids: bool,
    /// Lists without regard to their order.
    pub loose_lists: bool,
}

impl Cell {
    /// Reads the notation.
    ///
    /// # Errors
    /// What was found instead, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut p = Parser { text, at: 0 };
        let cell = p.value()?;
        match p.peek() {
            None => Ok(cell),
            Some(_) => Err(p.error("the end")),
        }
    }

    /// A value of JSON as it is: a number without a fraction is an integer.
    #[must_use]
    pub fn from_json(v: &Json) -> Self {
        match v {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => n.as_i64().map_or_else(|| Self::Float(n.as_f64().unwrap_or(f64::NAN)), Self::Int),
            Json::String(s) => Self::Str(s.clone()),
            Json::Array(a) => Self::List(a.iter().map(Self::from_json).collect()),
            Json::Object(o) => Self::Map(o.iter().map(|(k, v)| (k.clone(), Self::from_json(v))).collect()),
        }
    }

    /// A value of a query's result.
    ///
    /// # Errors
    /// Reading the graph failed.
    pub fn from_val<G: GraphView>(graph: &G, v: &Val) -> Result<Self, QueryError> {
        Ok(match v {
            Val::Null | Val::Unset => Self::Null,
            Val::Bool(b) => Self::Bool(*b),
            Val::Int(n) => Self::Int(*n),
            Val::Float(f) => Self::Float(*f),
            Val::Str(s) => Self::Str(s.to_string()),
            Val::Timestamp(t) => Self::Str(time::format_timestamp(*t)),
            Val::Date(d) => Self::Str(time::format_date(*d)),
            Val::List(l) => Self::List(l.iter().map(|v| Self::from_val(graph, v)).collect::<Result<_, _>>()?),
            Val::Record(r) => Self::Map(
                r.iter()
                    .map(|(k, v)| Ok((k.to_string(), Self::from_val(graph, v)?)))
                    .collect::<Result<_, QueryError>>()?,
            ),
            Val::Node(_, n) => Self::Node(node(graph, *n)?),
            Val::Edge(_, e) => Self::Edge(edge(graph, *e)?),
            Val::Path(p) => path(graph, p)?,
            // Kinds that the suites hold as texts.
            other => match other {
                Val::Duration { months, micros } => Self::Str(time::format_duration(*months, *micros)),
                _ => Self::Str(format!("{other:?}")),
            },
        })
    }

    /// The notation in one fixed form; the same for cells that are the same.
    #[must_use]
    pub fn key(&self, style: Style) -> String {
        let mut out = String::new();
        self.write(&mut out, style);
        out
    }

    fn write(&self, out: &mut String, style: Style) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Int(n) => out.push_str(&n.to_string()),
            Self::Float(f) if f.is_nan() => out.push_str("NaN"),
            // With a point or an exponent always, so that no float is written as an integer is.
            Self::Float(f) => out.push_str(&format!("{:?}", if *f == 0.0 { 0.0 } else { *f })),
            Self::Str(s) => write_text(s, out),
            Self::List(l) => {
                let mut items: Vec<String> = l.iter().map(|c| c.key(style)).collect();
                if style.loose_lists {
                    items.sort();
                }
                out.push('[');
                out.push_str(&items.join(", "));
                out.push(']');
            }
            Self::Map(m) => write_props(m, out, style),
            Self::Node(n) => write_node(n, out, style),
            Self::Edge(e) => write_edge(e, out, style),
            Self::Path { nodes, edges } => {
                out.push('<');
                for (i, n) in nodes.iter().enumerate() {
                    write_node(n, out, style);
                    if let Some((forward, e)) = edges.get(i) {
                        out.push_str(if *forward { "-" } else { "<-" });
                        write_edge(e, out, style);
                        out.push_str(if *forward { "->" } else { "-" });
                    }
                }
                out.push('>');
            }
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key(Style::default()))
    }
}

fn write_text(s: &str, out: &mut String) {
    out.push('\'');
    for c in s.chars() {
        match c {
            '\\' | '\'' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out.push('\'');
}

fn write_props(props: &Props, out: &mut String, style: Style) {
    out.push('{');
    for (i, (name, value)) in props.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
        out.push_str(": ");
        value.write(out, style);
    }
    out.push('}');
}

fn write_node(n: &NodeCell, out: &mut String, style: Style) {
    out.push('(');
    if style.ids {
        out.push_str(&n.id);
        out.push(' ');
    }
    for l in &n.labels {
        out.push(':');
        out.push_str(l);
    }
    if !n.props.is_empty() {
        if !n.labels.is_empty() {
            out.push(' ');
        }
        write_props(&n.props, out, style);
    }
    out.push(')');
}

fn write_edge(e: &EdgeCell, out: &mut String, style: Style) {
    out.push('[');
    if style.ids {
        out.push_str(&e.id);
        out.push(' ');
    }
    out.push(':');
    out.push_str(&e.ty);
    if !e.props.is_empty() {
        out.push(' ');
        write_props(&e.props, out, style);
    }
    out.push(']');
}

fn node<G: GraphView>(graph: &G, n: u32) -> Result<NodeCell, QueryError> {
    let labels = sv0_query::labels(graph, n)?.iter().map(|l| l.to_string()).collect();
    let mut props = Props::new();
    for (name, v) in sv0_query::node_properties(graph, n)? {
        props.insert(name.to_string(), Cell::from_val(graph, &v)?);
    }
    Ok(NodeCell { id: graph.key(n)?.id.to_string(), labels, props })
}

fn edge<G: GraphView>(graph: &G, e: EdgeId) -> Result<EdgeCell, QueryError> {
    let r = graph.edge(e)?;
    let ty = graph.schema().edge_type(r.ty).name.to_string();
    let mut props = Props::new();
    for (name, v) in sv0_query::edge_properties(graph, e)? {
        props.insert(name.to_string(), Cell::from_val(graph, &v)?);
    }
    let id = format!("{}-{ty}-{}-{}", graph.key(r.from)?.id, graph.key(r.to)?.id, r.key);
    Ok(EdgeCell { id, ty, props })
}

fn path<G: GraphView>(graph: &G, p: &PathVal) -> Result<Cell, QueryError> {
    let nodes = p.nodes.iter().map(|n| node(graph, *n)).collect::<Result<_, _>>()?;
    let mut edges = Vec::new();
    for (ends, e) in p.nodes.windows(2).zip(&p.edges) {
        let r = graph.edge(*e)?;
        edges.push((r.from == ends[0] && r.to == ends[1], edge(graph, *e)?));
    }
    Ok(Cell::Path { nodes, edges })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that isn't a space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn eat(&mut self, what: &str) -> bool {
        self.peek();
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn need(&mut self, what: &str) -> Result<(), String> {
        if self.eat(what) { Ok(()) } else { Err(self.error(what)) }
    }

    fn error(&self, wanted: &str) -> String {
        format!("`{}` is no cell: expected {wanted} at byte {}", self.text, self.at)
    }

    /// A label, a type or a property's name.
    fn name(&mut self) -> Result<String, String> {
        if self.eat("`") {
            let end = self.rest().find('`').ok_or_else(|| self.error("closing backtick"))?;
            let name = self.rest()[..end].to_owned();
            self.at += end + 1;
            return Ok(name);
        }
        self.peek();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        if name.is_empty() {
            return Err(self.error("name"));
        }
        self.at += end;
        Ok(name)
    }

    fn value(&mut self) -> Result<Cell, String> {
        match self.peek() {
            Some(q @ ('\'' | '"')) => self.string(q),
            Some('(') => Ok(Cell::Node(self.node()?)),
            Some('{') => Ok(Cell::Map(self.props()?)),
            Some('<') => self.path(),
            Some('[') => {
                if self.rest()[1..].trim_start().starts_with(':') {
                    return Ok(Cell::Edge(self.edge()?));
                }
                self.need("[")?;
                let mut items = Vec::new();
                while !self.eat("]") {
                    if !items.is_empty() {
                        self.need(",")?;
                    }
                    items.push(self.value()?);
                }
                Ok(Cell::List(items))
            }
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Cell, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || ",]})>".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let cell = match word {
            "null" => Cell::Null,
            "true" => Cell::Bool(true),
            "false" => Cell::Bool(false),
            "NaN" => Cell::Float(f64::NAN),
            "Inf" | "Infinity" => Cell::Float(f64::INFINITY),
            "-Inf" | "-Infinity" => Cell::Float(f64::NEG_INFINITY),
            _ if !word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                return Err(self.error("value"));
            }
            _ => match word.parse() {
                Ok(n) => Cell::Int(n),
                Err(_) => Cell::Float(word.parse().map_err(|_| self.error("number"))?),
            },
        };
        self.at += end;
        Ok(cell)
    }

    fn string(&mut self, quote: char) -> Result<Cell, String> {
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => match chars.next().map(|x| x.1) {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some(c) => out.push(c),
                    None => break,
                },
                c if c == quote => {
                    self.at += i + 1;
                    return Ok(Cell::Str(out));
                }
                c => out.push(c),
            }
        }
        Err(self.error("closing quote"))
    }

    fn props(&mut self) -> Result<Props, String> {
        self.need("{")?;
        let mut props = Props::new();
        while !self.eat("}") {
            if !props.is_empty() {
                self.need(",")?;
            }
            let name = self.name()?;
            self.need(":")?;
            let value = self.value()?;
            if props.insert(name, value).is_some() {
                return Err(self.error("another name before"));
            }
        }
        Ok(props)
    }

    fn node(&mut self) -> Result<NodeCell, String> {
        self.need("(")?;
        let mut node = NodeCell::default();
        while self.eat(":") {
            node.labels.insert(self.name()?);
        }
        if self.peek() == Some('{') {
            node.props = self.props()?;
        }
        self.need(")")?;
        Ok(node)
    }

    fn edge(&mut self) -> Result<EdgeCell, String> {
        self.need("[")?;
        self.need(":")?;
        let ty = self.name()?;
        let props = if self.peek() == Some('{') { self.props()? } else { Props::new() };
        self.need("]")?;
        Ok(EdgeCell { id: String::new(), ty, props })
    }

    fn path(&mut self) -> Result<Cell, String> {
        self.need("<")?;
        let mut nodes = vec![self.node()?];
        let mut edges = Vec::new();
        while !self.eat(">") {
            let forward = !self.eat("<-");
            if forward {
                self.need("-")?;
            }
            edges.push((forward, self.edge()?));
            self.need(if forward { "->" } else { "-" })?;
            nodes.push(self.node()?);
        }
        Ok(Cell::Path { nodes, edges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let key = |s| Cell::parse(s).unwrap().key(Style::default());
        key(a) == key(b)
    }

    #[test]
    fn labels_and_properties_have_no_order() {
        assert!(same("(:A:B {p: 1, q: 'x'})", "( :B:A {q: \"x\", p: 1} )"));
        assert!(!same("(:A)", "(:A:B)"));
        assert!(!same("(:A {p: 1})", "(:A {p: 1.0})"));
        assert!(same("({p: [1, 2]})", "({p:[1,2]})"));
        assert!(!same("[1, 2]", "[2, 1]"));
    }

    #[test]
    fn loose_lists_have_no_order_at_any_depth() {
        let key = |s| Cell::parse(s).unwrap().key(Style { loose_lists: true, ids: false });
        assert_eq!(key("[[1, 2], [3]]"), key("[[3], [2, 1]]"));
        assert_ne!(key("[1, 1]"), key("[1]"));
    }

    #[test]
    fn floats_go_by_value() {
        assert!(same("NaN", "NaN"));
        assert!(same("-0.0", "0.0"));
        assert!(same("1.2635418652381264e305", "12.635418652381264E304"));
        assert!(!same("1", "1.0"));
        assert!(same("-1", "-1"));
        assert!(!same("'1'", "1"));
    }

    #[test]
    fn paths_have_directions() {
        assert!(same("<(:A)-[:T {p: 1}]->(:B)<-[:S]-()>", "<(:A)-[:T {p: 1}]->(:B)<-[:S {}]-()>"));
        assert!(!same("<(:A)-[:T]->(:B)>", "<(:A)<-[:T]-(:B)>"));
        assert!(same("<()>", "< ( ) >"));
        assert!(same("[<(:A)>, [:T], (:`odd name`), {k: [:T]}]", "[<(:A)>,[:T],(:`odd name`),{k:[:T]}]"));
    }

    #[test]
    fn texts_keep_what_is_in_them() {
        assert!(same(r"'it\'s'", "\"it's\""));
        assert!(!same(r"'a\\'", "'a'"));
        assert!(!same("'null'", "null"));
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for s in ["", "(", "[1", "[1 2]", "{a 1}", "'x", "(:A) 2", "Ann", "<(:A)-[:T]-(:B)>", "[:]", "1x", "nan"] {
            assert!(Cell::parse(s).is_err(), "{s}");
        }
    }
}
