//! The path-query language over the authority graph: canonical ISO GQL and the openCypher reading forms.
//!
//! `text -> ast -> checked plan -> rows`. What is in here: [`parse`], the binder that checks a query against the schema
//! and reports all its errors at once, and the executor. What is not: no file, no clock, no network; "now" and the
//! budget are the caller's.
//!
//! ```
//! use sv0_graph::{EdgeInput, GraphBatch, NodeInput, NodeKey, NodeType, Schema, Store};
//! use sv0_query::{Query, RunOptions, Val};
//! let key = |id: &str| NodeKey::new("demo", id);
//! let mut batch = GraphBatch::new("demo", 0);
//! batch.nodes.push(NodeInput::new(key("bot"), NodeType::Identity, "aws.user"));
//! batch.nodes.push(NodeInput::new(key("admins"), NodeType::Role, "aws.group"));
//! batch.edges.push(EdgeInput::new("MEMBER_OF", key("bot"), key("admins")));
//! let mut store = Store::in_memory(Schema::canonical())?;
//! let mut txn = store.begin()?;
//! txn.stage(vec![batch])?;
//! let snapshot = txn.commit("first")?.snapshot;
//!
//! let query = Query::parse("MATCH (i:identity)-[:MEMBER_OF]->(g:role) RETURN i.id AS who, g.id AS group")?;
//! let result = query.prepare(&snapshot, &Default::default())?.run(&snapshot, &RunOptions::default())?;
//! assert_eq!(result.rows, [[Val::str("bot"), Val::str("admins")]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod ast;
mod bind;
mod diag;
mod elements;
mod exec;
mod parse;
mod plan;
pub mod time;
mod val;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use diag::{Code, Diagnostic, QueryError};
pub use elements::{edge_properties, labels, node_properties};
pub use exec::{Budget, Stats, Stop};
pub use parse::{MAX_NESTING, MAX_TEXT, parse};
pub use sv0_graph;
use sv0_graph::{GraphView, Value};
pub use val::{PathVal, Val};

/// A parsed query.
#[derive(Debug, Clone)]
pub struct Query {
    text: Arc<str>,
    ast: ast::Query,
}

/// How names are treated when a query is checked.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Unknown labels, types and properties are empty instead of errors.
    pub lenient: bool,
    /// A pattern that the schema can never match is an error instead of a warning (rules).
    pub strict: bool,
    /// Names that `USE` may give beside the default graph.
    pub graphs: Vec<Arc<str>>,
}

/// A checked query, ready to run, any number of times.
#[derive(Debug, Clone)]
pub struct Prepared {
    plan: plan::Plan,
    /// What is doubtful about it.
    pub warnings: Vec<Diagnostic>,
}

/// Parameters, time and bounds of a run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions<'a> {
    /// Values of `$name`.
    pub params: BTreeMap<Arc<str>, Val>,
    /// What `CURRENT_TIMESTAMP` is; the snapshot's time where it isn't given.
    pub now: Option<i64>,
    /// The bounds.
    pub budget: Budget<'a>,
}

/// A result: named columns, rows of values.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// The columns' names.
    pub columns: Vec<Arc<str>>,
    /// The rows.
    pub rows: Vec<Vec<Val>>,
    /// What the run did.
    pub stats: Stats,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// [`QueryError`] with span and help.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.into(), ast: parse(text)? })
    }

    /// The syntax tree.
    #[must_use]
    pub fn ast(&self) -> &ast::Query {
        &self.ast
    }

    /// The graphs that the query names (`USE`, `AT SNAPSHOT`, `AT TIME`), each once, in the order in which they are met.
    /// A host opens them, names them in [`CheckOptions::graphs`] by [`ast::GraphRef::name`] and gives them to
    /// [`Prepared::run_on`] in the same order, behind the default graph.
    #[must_use]
    pub fn graphs(&self) -> Vec<ast::GraphRef> {
        let mut out: Vec<ast::GraphRef> = Vec::new();
        ast::each_linear(&self.ast, &mut |l| {
            if let Some(g) = &l.graph
                && !out.iter().any(|o| o.name() == g.name())
            {
                out.push(g.clone());
            }
        });
        out
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks the query against a graph's schema; the plan runs on any graph of that schema.
    ///
    /// # Errors
    /// All of the query's errors at once.
    pub fn prepare<G: GraphView>(&self, graph: &G, options: &CheckOptions) -> Result<Prepared, QueryError> {
        let known = |label: &str| knows_label(graph, label);
        self.check(graph.schema(), &known, options)
    }

    /// Checks the query against a schema alone (rules, editors).
    ///
    /// # Errors
    /// All of the query's errors at once.
    pub fn check(
        &self,
        schema: &sv0_graph::Schema,
        known_label: &dyn Fn(&str) -> bool,
        options: &CheckOptions,
    ) -> Result<Prepared, QueryError> {
        if self.ast.prefix.is_some() {
            // Running what was only to be explained would surprise.
            let d = Diagnostic::new(Code::Unsupported, (0, 7), "EXPLAIN and PROFILE aren't supported yet");
            return Err(QueryError::one(d.help("leave the word out to run the query")));
        }
        let mut graphs: Vec<Arc<str>> = vec!["".into()];
        graphs.extend(options.graphs.iter().cloned());
        let set = bind::Settings {
            schema,
            lenient: options.lenient || schema.is_open(),
            strict: options.strict,
            known_label,
            graphs: &graphs,
        };
        let (plan, errors, warnings) = bind::bind(&self.ast, &self.text, &set);
        if errors.is_empty() { Ok(Prepared { plan, warnings }) } else { Err(QueryError { diagnostics: errors }) }
    }
}

fn knows_label<G: GraphView>(graph: &G, label: &str) -> bool {
    let Some(kind) = graph.schema().node_prop("kind") else { return false };
    let Ok(nodes) = graph.nodes(None) else { return false };
    nodes.into_iter().any(|n| matches!(graph.node_prop(n, kind), Ok(Value::Str(s)) if &*s == label))
}

impl Prepared {
    /// The columns' names.
    #[must_use]
    pub fn columns(&self) -> &[Arc<str>] {
        &self.plan.columns
    }

    /// The parameters that the query names.
    #[must_use]
    pub fn parameters(&self) -> &[Arc<str>] {
        &self.plan.params
    }

    /// Runs on one graph.
    ///
    /// # Errors
    /// [`QueryError`]: a missing parameter, an exhausted budget, a value of the wrong kind, a damaged file.
    pub fn run<G: GraphView>(&self, graph: &G, options: &RunOptions<'_>) -> Result<QueryResult, QueryError> {
        self.run_on(&[graph], options)
    }

    /// Runs on several graphs: the default one, then those that [`CheckOptions::graphs`] named, in that order.
    ///
    /// # Errors
    /// As [`Prepared::run`].
    pub fn run_on<G: GraphView>(&self, graphs: &[&G], options: &RunOptions<'_>) -> Result<QueryResult, QueryError> {
        let mut params = Vec::new();
        let mut missing = Vec::new();
        for name in &self.plan.params {
            match options.params.get(name) {
                Some(v) => params.push(v.clone()),
                None => missing.push(name.clone()),
            }
        }
        if let Some(m) = missing.first() {
            let extra: Vec<&str> = options.params.keys().map(|k| &**k).collect();
            let near = sv0_graph::Schema::nearest(m, extra);
            let mut d = Diagnostic {
                code: Code::Parameter,
                message: format!("parameter `${m}` has no value"),
                span: None,
                help: Some(format!("give it with `--param {m}=…`")),
            };
            if let Some(n) = near.first() {
                d.help = Some(format!("`{n}` is given; did you mean `${n}`?"));
            }
            return Err(QueryError { diagnostics: vec![d] });
        }
        if let Some(extra) = options.params.keys().find(|k| !self.plan.params.contains(k)) {
            let near = sv0_graph::Schema::nearest(extra, self.plan.params.iter().map(|p| &**p));
            let help = near.first().map(|n| format!("did you mean `{n}`?"));
            let message = format!("the query has no parameter `${extra}`");
            return Err(QueryError {
                diagnostics: vec![Diagnostic { code: Code::Parameter, message, span: None, help }],
            });
        }
        let Some(first) = graphs.first() else {
            return Err(QueryError::run(Code::UnknownName, None, "no graph was given"));
        };
        if graphs.len() < self.plan.graphs.len() {
            return Err(QueryError::run(
                Code::UnknownName,
                None,
                "fewer graphs were given than the query was checked with",
            ));
        }
        let _ = first;
        let exec = exec::Exec::new(&self.plan, graphs, params, options.now, options.budget);
        let rows = exec.run()?;
        Ok(QueryResult { columns: self.plan.columns.clone(), rows, stats: exec.stats() })
    }
}
