//! `shell`: interactive with history and completion; one JSON line a query where standard input is a pipe.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper, Hinter};
use serde_json::{Value as Json, json};
use sv0_graph::{Graph, NodeType, Schema};
use sv0_query::{Code, Prepared, Query, QueryError};

use super::query::{Asked, Params, parameter, prepare, run_prepared};
use crate::args::{Limits, ShellArgs};
use crate::catalog::Catalog;
use crate::failure::Failure;
use crate::{clock, output};

const KEYWORDS: &[&str] = &[
    "MATCH",
    "OPTIONAL MATCH",
    "WHERE",
    "RETURN",
    "WITH",
    "DISTINCT",
    "ORDER BY",
    "LIMIT",
    "SKIP",
    "ANY SHORTEST",
    "ALL SHORTEST",
    "TRAIL",
    "ACYCLIC",
    "SIMPLE",
    "EXISTS",
    "NOT EXISTS",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "IS NULL",
    "IS NOT NULL",
    "STARTS WITH",
    "ENDS WITH",
    "CONTAINS",
];

const HELP: &str = "A query ends with `;` or an empty line.
  :help               this text
  :schema             node types, edge types, classes
  :param name = json  sets a parameter; :param alone clears all
  :limit rows N       bounds the rows
  :at SNAP            goes to another snapshot
  :open FILE          opens another store
  :graph FILE         opens a small graph in JSON
  :explain QUERY      shows the plan of a query; PROFILE QUERY runs it and shows what it did
  :quit               leaves
";

struct State {
    catalog: Catalog,
    params: Params,
    limits: Limits,
    /// Queries that were asked before on the same graphs, the last first: who asks the same with other parameters doesn't
    /// wait for the planner again.
    prepared: RefCell<VecDeque<Rc<Ready>>>,
}

/// A query that is ready to run.
struct Ready {
    text: String,
    query: Prepared,
    graphs: Vec<Graph>,
}

/// So many are kept.
const READY: usize = 64;

pub(crate) fn run(a: &ShellArgs) -> Result<ExitCode, Failure> {
    let catalog = match (&a.graph, &a.store) {
        (Some(g), _) => Catalog::written_down(g)?,
        (None, Some(s)) => Catalog::open(s, a.at.as_deref())?,
        (None, None) => return Err(Failure::input("give a store, or --graph")),
    };
    let state = State { catalog, params: Params::new(), limits: a.limits.clone(), prepared: RefCell::default() };
    if std::io::stdin().is_terminal() { interactive(state) } else { batch(state) }
}

impl State {
    /// A `:command`; answers with text to show.
    fn command(&mut self, line: &str) -> Result<String, Failure> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        // What is prepared reads the graphs that there were.
        if matches!(name, ":at" | ":open" | ":graph") || name == ":param" && (rest.is_empty() || rest.starts_with("$$"))
        {
            self.prepared.borrow_mut().clear();
        }
        match name {
            ":help" | ":h" | ":?" => Ok(HELP.to_owned()),
            ":schema" => Ok(super::schema::text(self.catalog.schema())),
            ":param" if rest.is_empty() => {
                self.params.clear();
                Ok(String::new())
            }
            ":param" => {
                let Some((k, v)) = rest.split_once('=') else {
                    return Err(Failure::input("write `:param name = json`"));
                };
                let v: Json = serde_json::from_str(v.trim())
                    .map_err(|e| Failure::input(format!("the parameter's value isn't JSON: {e}; quote texts")))?;
                let k = k.trim();
                match (k.strip_prefix("$$"), &v) {
                    (Some(graph), Json::String(snap)) => {
                        self.catalog.params.insert(graph.to_owned(), snap.clone());
                    }
                    (Some(_), _) => {
                        return Err(Failure::input("write `:param $$name = \"SNAP\"`, or `\"diff(A, B)\"`"));
                    }
                    (None, _) => _ = self.params.insert(k.trim_start_matches('$').into(), parameter(&v)),
                }
                Ok(String::new())
            }
            ":limit" => {
                let number = rest.split_whitespace().last().and_then(|n| n.replace('_', "").parse().ok());
                match number {
                    Some(n) => self.limits.max_rows = n,
                    None => return Err(Failure::input("write `:limit rows 1000`")),
                }
                Ok(String::new())
            }
            ":at" => {
                self.catalog.at(rest)?;
                Ok(String::new())
            }
            ":open" => {
                self.catalog = Catalog::open(Path::new(rest), None)?;
                Ok(String::new())
            }
            ":graph" => {
                self.catalog = Catalog::written_down(Path::new(rest))?;
                Ok(String::new())
            }
            ":explain" => match prepare(&self.catalog, rest) {
                Ok((p, _)) => Ok(output::clean_lines(&p.explain(&self.catalog.default_graph()).to_string())),
                Err(e) => Err(Failure::input(output::draw(&e, rest))),
            },
            _ => Err(Failure::input(format!("unknown command `{name}`; `:help` lists them"))),
        }
    }

    /// Runs a query; parameters that it doesn't name stay set for later ones.
    fn answer(&self, text: &str) -> Result<super::query::Answer, QueryError> {
        let asked = Asked { spare_params: true, ..Asked::default() };
        let watch = clock::stopwatch();
        let ready = self.ready(text)?;
        run_prepared(&ready.query, &ready.graphs, &self.params, &self.limits, asked, watch)
    }

    fn ready(&self, text: &str) -> Result<Rc<Ready>, QueryError> {
        let mut all = self.prepared.borrow_mut();
        if let Some(found) = all.iter().position(|r| r.text == text).and_then(|at| all.remove(at)) {
            all.push_front(found.clone());
            return Ok(found);
        }
        let (query, graphs) = prepare(&self.catalog, text)?;
        let ready = Rc::new(Ready { text: text.to_owned(), query, graphs });
        all.push_front(ready.clone());
        all.truncate(READY);
        Ok(ready)
    }

    /// Whether a text is a query that was asked before.
    fn knows(&self, text: &str) -> bool {
        self.prepared.borrow().iter().any(|r| r.text == text)
    }
}

fn interactive(mut state: State) -> Result<ExitCode, Failure> {
    let schema = state.catalog.schema().clone();
    let config = Config::builder().auto_add_history(true).build();
    let editor: Result<Editor<ShellHelper, DefaultHistory>, _> = Editor::with_config(config);
    let mut editor = editor.map_err(|e| Failure::Run(e.to_string()))?;
    editor.set_helper(Some(ShellHelper::new(&schema)));
    let history = history_file();
    if let Some(h) = &history {
        let _ = editor.load_history(h);
    }
    output::print("sv0 shell; :help for help\n")?;
    loop {
        match editor.readline("sv0> ") {
            Ok(line) => {
                let text = line.trim().trim_end_matches(';').trim();
                if text.is_empty() {
                    continue;
                }
                if matches!(text, ":quit" | ":q" | ":exit") {
                    break;
                }
                if text.starts_with(':') {
                    match state.command(text) {
                        Ok(t) => output::print(&t)?,
                        Err(e) => output::error(&e.to_string()),
                    }
                    continue;
                }
                match state.answer(text) {
                    Ok(r) => {
                        for w in &r.warnings {
                            output::note(&format!("warning: {}", output::clean(w)));
                        }
                        output::print(&r.table())?;
                    }
                    Err(e) => output::error(&output::draw(&e, text)),
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
            Err(e) => return Err(Failure::Run(e.to_string())),
        }
    }
    if let Some(h) = &history {
        let _ = editor.save_history(h);
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::disallowed_methods, reason = "the command line may read the environment")]
fn history_file() -> Option<std::path::PathBuf> {
    let home = std::env::var("HOME").ok()?;
    Some(Path::new(&home).join(".sv0_history"))
}

fn error_line(e: &QueryError) -> Json {
    let d = e.diagnostics.first();
    json!({"error": {
        "code": d.map_or("", |d| d.code.text()),
        "message": e.diagnostics.iter().map(|d| d.message.as_str()).collect::<Vec<_>>().join("; "),
        "span": d.and_then(|d| d.span).map(|(a, b)| json!([a, b])),
        "help": d.and_then(|d| d.help.clone())}})
}

fn batch(mut state: State) -> Result<ExitCode, Failure> {
    let stdin = std::io::stdin();
    let mut buffer = String::new();
    let answer_one = |state: &State, text: &str| {
        let line = match state.answer(text) {
            Ok(r) => r.document(),
            Err(e) => error_line(&e),
        };
        output::json(&line, false)
    };
    for line in stdin.lock().lines() {
        let line = match line {
            Ok(l) => l,
            Err(e) => {
                let m = format!("standard input can't be read: {e}");
                output::json(
                    &json!({"error": {"code": Code::Syntax.text(), "message": m, "span": null, "help": null}}),
                    false,
                )?;
                continue;
            }
        };
        let t = line.trim();
        if buffer.is_empty() && t.is_empty() {
            continue;
        }
        if buffer.is_empty() && t.starts_with(':') {
            if matches!(t, ":quit" | ":q" | ":exit") {
                break;
            }
            if let Err(e) = state.command(t.trim_end_matches(';').trim()) {
                output::json(
                    &json!({"error": {"code": "SV-C100", "message": e.to_string(), "span": null, "help": null}}),
                    false,
                )?;
            }
            continue;
        }
        if !buffer.is_empty() {
            // An unfinished line takes the next, unless the two make no query and the next alone does.
            let both = format!("{buffer}\n{line}");
            let alone = line.trim().trim_end_matches(';');
            if Query::parse(both.trim().trim_end_matches(';')).is_err() && Query::parse(alone).is_ok() {
                let broken = std::mem::take(&mut buffer);
                answer_one(&state, broken.trim())?;
            } else {
                buffer.push('\n');
            }
        }
        buffer.push_str(&line);
        // A line is a query unless it is only the beginning of one.
        let text = buffer.trim().to_owned();
        let complete = text.ends_with(';')
            || t.is_empty()
            || state.knows(&text)
            || !unfinished(statements(&text).last().copied().unwrap_or(""));
        if complete {
            buffer.clear();
            for one in statements(&text) {
                answer_one(&state, one)?;
            }
        }
    }
    for one in statements(buffer.trim()) {
        answer_one(&state, one)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What stands between semicolons, those in texts, names and comments excepted.
fn statements(text: &str) -> Vec<&str> {
    let (mut out, mut start, mut at) = (Vec::new(), 0, 0);
    let bytes = text.as_bytes();
    let skip = |from: usize, end: &str| {
        text.get(from..).and_then(|t| t.find(end)).map_or(text.len(), |i| from + i + end.len())
    };
    while let Some(b) = bytes.get(at) {
        match b {
            b'\'' | b'"' | b'`' => {
                at += 1;
                while let Some(c) = bytes.get(at) {
                    at += if *c == b'\\' && *b != b'`' { 2 } else { 1 };
                    if c == b {
                        break;
                    }
                }
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = skip(at, "\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = skip(at + 2, "*/"),
            b';' => {
                out.push(text.get(start..at).unwrap_or("").trim());
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    out.push(text.get(start..).unwrap_or("").trim());
    out.retain(|s| !s.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn semicolons_end_statements_but_in_texts() {
        assert_eq!(statements("RETURN 1; RETURN 2;"), ["RETURN 1", "RETURN 2"]);
        assert_eq!(statements("RETURN ';', \"a\\\";\" AS `x;y` // a; b"), ["RETURN ';', \"a\\\";\" AS `x;y` // a; b"]);
        assert_eq!(statements("RETURN 1 /* ; */; ;"), ["RETURN 1 /* ; */"]);
    }
}

/// Whether a text stops where a query would go on.
fn unfinished(text: &str) -> bool {
    match Query::parse(text) {
        Ok(_) => false,
        Err(e) => e.diagnostics.first().and_then(|d| d.span).is_some_and(|(a, _)| a >= text.trim_end().len()),
    }
}

#[derive(Helper, Hinter)]
struct ShellHelper {
    words: Vec<String>,
}

impl ShellHelper {
    fn new(s: &Schema) -> Self {
        let mut words: Vec<String> = KEYWORDS.iter().map(|k| (*k).to_owned()).collect();
        words.extend(sv0_query::function_names().map(|f| format!("{f}(")));
        words.extend(NodeType::ALL.iter().map(|t| t.name().to_owned()));
        words.extend(s.kinds().iter().flat_map(|(_, k)| k.iter().cloned()));
        words.extend(s.tags().iter().cloned());
        words.extend(s.edge_types().iter().map(|t| t.name.clone()));
        words.extend(sv0_graph::EdgeClass::ALL.iter().map(|c| c.name().to_owned()));
        words.extend(s.node_properties().iter().chain(s.edge_properties()).map(|p| p.name.clone()));
        words.sort();
        words.dedup();
        Self { words }
    }
}

impl Completer for ShellHelper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let head = line.get(..pos).unwrap_or(line);
        let start = head
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |i| i + head.get(i..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8));
        let word = head.get(start..).unwrap_or("").to_lowercase();
        if word.is_empty() {
            return Ok((pos, Vec::new()));
        }
        Ok((start, self.words.iter().filter(|w| w.to_lowercase().starts_with(&word)).cloned().collect()))
    }
}

impl Highlighter for ShellHelper {
    /// Keywords bold, texts green, comments and numbers dim.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> std::borrow::Cow<'l, str> {
        let mut out = String::with_capacity(line.len() + 32);
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let word = |f: fn(char) -> bool| rest.find(|c| !f(c)).unwrap_or(rest.len());
            let (len, style) = match c {
                '\'' | '"' => (rest[1..].find(c).map_or(rest.len(), |i| i + 2), "32"),
                '/' if rest.starts_with("//") => (rest.len(), "2"),
                c if c.is_ascii_digit() => (word(|c| c.is_alphanumeric() || c == '.' || c == '_'), "36"),
                c if c.is_alphabetic() || c == '_' => {
                    let len = word(|c| c.is_alphanumeric() || c == '_');
                    let upper = rest[..len].to_uppercase();
                    let keyword = KEYWORDS.iter().flat_map(|k| k.split(' ')).any(|k| k == upper);
                    (len, if keyword { "1" } else { "" })
                }
                c => (c.len_utf8(), ""),
            };
            let (token, after) = rest.split_at(len);
            if style.is_empty() {
                out.push_str(token);
            } else {
                out.push_str(&format!("\x1b[{style}m{token}\x1b[0m"));
            }
            rest = after;
        }
        out.into()
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }
}

impl Validator for ShellHelper {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let t = ctx.input();
        let done =
            t.trim_start().starts_with(':') || t.trim_end().ends_with(';') || t.ends_with('\n') || !unfinished(t);
        Ok(if done { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}
