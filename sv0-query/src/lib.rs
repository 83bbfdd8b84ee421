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

#[cfg(feature = "arrow")]
mod arrow;
pub mod ast;
mod bind;
mod diag;
mod elements;
mod exec;
mod explain;
pub mod json;
mod params;
mod parse;
mod physical;
mod plan;
mod print;
mod reverse;
mod rewrite;
mod rows;
pub mod time;
mod val;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use diag::{Code, Diagnostic, QueryError};
pub use elements::{edge_properties, labels, node_properties};
pub use exec::{Budget, Stats, Stop, Truncated};
pub use explain::{Explain, Measured, Operator};
pub use parse::{MAX_NESTING, MAX_TEXT, parse};
pub use rows::{ColumnError, FromVal, Row};
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
    /// Those of them that compare two snapshots: their elements carry `added`, `removed`, `changed` or `same`.
    pub compared: Vec<Arc<str>>,
    /// What the planner may do.
    pub rewrites: Rewrites,
}

/// What the planner may make of a query, each by its name. None of them changes an answer; tests compare all with none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrites {
    /// `push-filters`: conditions on one element are tested where the element is met.
    pub push_filters: bool,
    /// `key-lookup`: `n.id = …` finds the node by its key.
    pub key_lookup: bool,
    /// `join-order`: the patterns of a MATCH run in the order of how much they are known to say.
    pub join_order: bool,
    /// `reachability`: where only a path's ends are used and not how often, one witness a pair is searched.
    pub reachability: bool,
    /// `direction`: enumeration starts at the end with fewer nodes.
    pub direction: bool,
    /// `early-stop`: `COUNT { … } > n` stops behind the row that decides.
    pub early_stop: bool,
}

impl Default for Rewrites {
    fn default() -> Self {
        Self::all(true)
    }
}

impl Rewrites {
    /// Their names.
    pub const NAMES: [&'static str; 6] =
        ["push-filters", "key-lookup", "join-order", "reachability", "direction", "early-stop"];

    /// All of them, or none.
    #[must_use]
    pub fn all(on: bool) -> Self {
        Self { push_filters: on, key_lookup: on, join_order: on, reachability: on, direction: on, early_stop: on }
    }

    /// Whether one is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        match name {
            "push-filters" => self.push_filters,
            "key-lookup" => self.key_lookup,
            "join-order" => self.join_order,
            "reachability" => self.reachability,
            "direction" => self.direction,
            "early-stop" => self.early_stop,
            _ => false,
        }
    }

    /// Switches one; answers whether there is one of that name.
    pub fn set(&mut self, name: &str, on: bool) -> bool {
        let which = match name {
            "push-filters" => &mut self.push_filters,
            "key-lookup" => &mut self.key_lookup,
            "join-order" => &mut self.join_order,
            "reachability" => &mut self.reachability,
            "direction" => &mut self.direction,
            "early-stop" => &mut self.early_stop,
            _ => return false,
        };
        *which = on;
        true
    }
}

/// A checked query, ready to run, any number of times.
#[derive(Debug, Clone)]
pub struct Prepared {
    plan: plan::Plan,
    text: Arc<str>,
    canonical: Arc<str>,
    prefix: Option<ast::Prefix>,
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

/// What a run did that handed its rows on ([`Prepared::for_each`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// How much it did.
    pub stats: Stats,
    /// Why and where it was cut, if it was ([`Budget::truncate`]).
    pub truncated: Option<Truncated>,
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
    /// Why and where it was cut, if it was ([`Budget::truncate`]).
    pub truncated: Option<Truncated>,
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
            let between = l.clauses.iter().filter_map(|c| if let ast::Clause::Use(g) = c { Some(g) } else { None });
            for g in l.graph.iter().chain(between) {
                if !out.iter().any(|o| o.name() == g.name()) {
                    out.push(g.clone());
                }
            }
        });
        out
    }

    /// The query in canonical GQL, on one line.
    #[must_use]
    pub fn canonical(&self) -> String {
        print::canonical(&self.ast)
    }

    /// The query in canonical GQL, a clause a line.
    #[must_use]
    pub fn pretty(&self) -> String {
        print::pretty(&self.ast)
    }

    /// The query with each path pattern written from its other end, for tests: its rows must be the same. `None` where they
    /// need not be (paths, group lists, a selector's choice, LIMIT).
    #[must_use]
    pub fn reversed(&self) -> Option<Self> {
        reverse::reversed(&self.ast).and_then(|a| Self::from_ast(&a).ok())
    }

    /// The query of a syntax tree: what a host put together or changed. Its text is the canonical one.
    ///
    /// # Errors
    /// [`QueryError`] where the tree can't be written as text that reads as it: a name or a nesting that the grammar
    /// doesn't allow.
    pub fn from_ast(ast: &ast::Query) -> Result<Self, QueryError> {
        Self::parse(&print::canonical(ast))
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
        self.bind(graph.schema(), &known, &|ty| graph.node_count(ty), options)
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
        self.bind(schema, known_label, &|_| None, options)
    }

    fn bind(
        &self,
        schema: &sv0_graph::Schema,
        known_label: &dyn Fn(&str) -> bool,
        count: &dyn Fn(Option<sv0_graph::NodeType>) -> Option<u64>,
        options: &CheckOptions,
    ) -> Result<Prepared, QueryError> {
        let mut graphs: Vec<Arc<str>> = vec!["".into()];
        graphs.extend(options.graphs.iter().cloned());
        let set = bind::Settings {
            schema,
            lenient: options.lenient || schema.is_open(),
            strict: options.strict,
            known_label,
            graphs: &graphs,
            compared: &options.compared,
            count,
        };
        // The logical plan, what the rewrites make of it, and the physical one.
        let (mut plan, mut errors, mut warnings) = bind::bind(&self.ast, &self.text, &set);
        if errors.is_empty() {
            let keyed = !schema.is_open() && schema.node_prop("id").is_none();
            let mut cx = rewrite::Context { rewrites: options.rewrites, keyed, count, warnings };
            rewrite::apply(&mut plan, &mut cx);
            warnings = cx.warnings;
            errors = physical::build_all(&mut plan);
        }
        if !errors.is_empty() {
            return Err(QueryError { diagnostics: errors });
        }
        let canonical = self.canonical().into();
        Ok(Prepared { plan, text: self.text.clone(), canonical, prefix: self.ast.prefix, warnings })
    }
}

/// The names of all functions and aggregates, in lower case: for completion.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    plan::FUNCTION_NAMES.iter().copied().chain(plan::AGGREGATES.iter().map(|a| a.0))
}

fn knows_label<G: GraphView>(graph: &G, label: &str) -> bool {
    let Some(kind) = graph.schema().node_prop("kind") else { return false };
    let Ok(nodes) = graph.nodes(None) else { return false };
    nodes.into_iter().any(|n| matches!(graph.node_prop(n, kind), Ok(Value::Str(s)) if &*s == label))
}

/// A plan as a result of one column.
fn lines(e: &Explain, stats: Stats) -> QueryResult {
    let rows = e.to_string().lines().map(|l| vec![Val::str(l)]).collect();
    QueryResult { columns: vec!["plan".into()], rows, stats, truncated: None }
}

impl Prepared {
    /// The query in canonical GQL.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The columns' names.
    #[must_use]
    pub fn columns(&self) -> &[Arc<str>] {
        &self.plan.columns
    }

    /// What the columns hold, in words (`int`, `list`, `node`, …), where the query and the schema say it. Null is of every kind.
    pub fn column_kinds(&self) -> impl ExactSizeIterator<Item = Option<&'static str>> {
        self.plan.kinds.iter().map(|k| k.name())
    }

    /// The parameters with what each must be, where what it is compared with says so. A text is read as a time where
    /// one is needed; other kinds than these are refused (`SV-Q400`).
    pub fn parameter_kinds(&self) -> impl ExactSizeIterator<Item = (&str, Option<&'static str>)> {
        self.plan.params.iter().zip(&self.plan.expected).map(|(p, e)| (&**p, e.as_ref().map(|e| e.kind.name())))
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
        if self.prefix == Some(ast::Prefix::Explain) {
            let Some(first) = graphs.first() else {
                return Err(QueryError::run(Code::UnknownName, None, "no graph was given"));
            };
            return Ok(lines(&self.explain(*first), Stats::default()));
        }
        let (result, exec) = self.execute(graphs, options, self.prefix.is_some())?;
        match (self.prefix, graphs.first()) {
            (Some(_), Some(first)) => {
                let stats = result.stats;
                Ok(lines(&self.explained(*first, &|op| exec.measured(op)), stats))
            }
            _ => Ok(result),
        }
    }

    /// Runs, and hands on each row as soon as it is known, in the order in which [`Prepared::run`] gives them: nothing
    /// is held but what aggregates, ORDER BY and set operations need. `f` stops the run by breaking.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use sv0_graph::{Schema, Store};
    /// use sv0_query::{Query, Val};
    /// let store = Store::in_memory(Schema::canonical())?;
    /// let snapshot = store.latest();
    /// let prepared = Query::parse("FOR n IN range(1, 1000000) RETURN n * n AS n")?.prepare(&snapshot, &Default::default())?;
    /// let mut found = None;
    /// prepared.for_each(&[&snapshot], &Default::default(), |row| match row.get::<i64>("n") {
    ///     Ok(n) if n > 50 => {
    ///         found = Some(n);
    ///         ControlFlow::Break(())
    ///     }
    ///     _ => ControlFlow::Continue(()),
    /// })?;
    /// assert_eq!(found, Some(64));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Prepared::run`]; rows that were handed on before stay so.
    pub fn for_each<G: GraphView>(
        &self,
        graphs: &[&G],
        options: &RunOptions<'_>,
        mut f: impl FnMut(Row<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<Ran, QueryError> {
        if self.prefix.is_some() {
            let plan = self.run_on(graphs, options)?;
            let _ = plan.iter().try_for_each(f);
            return Ok(Ran { stats: plan.stats, truncated: None });
        }
        let exec = self.executor(graphs, options)?;
        exec.run_each(&mut |values| f(Row::new(&self.plan.columns, &values)))?;
        Ok(Ran { stats: exec.stats(), truncated: exec.truncated() })
    }

    /// Runs, and answers with the plan and what each operator did (`PROFILE`) beside the result.
    ///
    /// # Errors
    /// As [`Prepared::run`].
    pub fn profile<G: GraphView>(
        &self,
        graphs: &[&G],
        options: &RunOptions<'_>,
    ) -> Result<(QueryResult, Explain), QueryError> {
        let (result, exec) = self.execute(graphs, options, true)?;
        let Some(first) = graphs.first() else {
            return Err(QueryError::run(Code::UnknownName, None, "no graph was given"));
        };
        let explain = self.explained(*first, &|op| exec.measured(op));
        Ok((result, explain))
    }

    /// What the plan does, without running it (`EXPLAIN`): the graph gives its schema and how many nodes there are.
    #[must_use]
    pub fn explain<G: GraphView>(&self, graph: &G) -> Explain {
        self.explained(graph, &|_| None)
    }

    fn explained<G: GraphView>(&self, graph: &G, measured: explain::Measures<'_>) -> Explain {
        let count = |ty| graph.node_count(ty);
        Explain {
            canonical: self.canonical.to_string(),
            operators: explain::operators(&self.plan, graph.schema(), &self.text, &count, measured),
            warnings: self.warnings.clone(),
        }
    }

    fn execute<'r, G: GraphView>(
        &'r self,
        graphs: &'r [&'r G],
        options: &RunOptions<'r>,
        profile: bool,
    ) -> Result<(QueryResult, exec::Exec<'r, G>), QueryError> {
        let mut exec = self.executor(graphs, options)?;
        if profile {
            exec = exec.profiled();
        }
        let rows = exec.run()?;
        let (stats, truncated) = (exec.stats(), exec.truncated());
        Ok((QueryResult { columns: self.plan.columns.clone(), rows, stats, truncated }, exec))
    }

    fn executor<'r, G: GraphView>(
        &'r self,
        graphs: &'r [&'r G],
        options: &RunOptions<'r>,
    ) -> Result<exec::Exec<'r, G>, QueryError> {
        let params = params::values(&self.plan, &options.params)?;
        if graphs.is_empty() {
            return Err(QueryError::run(Code::UnknownName, None, "no graph was given"));
        }
        if graphs.len() < self.plan.graphs.len() {
            return Err(QueryError::run(
                Code::UnknownName,
                None,
                "fewer graphs were given than the query was checked with",
            ));
        }
        Ok(exec::Exec::new(&self.plan, graphs, params, options.now, options.budget))
    }
}
