//! The rule format: a folder with `rule.toml` and `tests.json`; the loader, which is also the linter.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sv0_query::sv0_graph::Schema;
use sv0_query::{CheckOptions, Prepared, Query, QueryError, Val, time};

include!(concat!(env!("OUT_DIR"), "/pack.rs"));

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All, worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// By name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|x| x.name() == s)
    }
}

/// The risk condition that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the rules page explains each")]
pub enum Category {
    OrphanedAutomation,
    OrphanedIdentity,
    OwnershipGap,
    CrossSystemChain,
    ScopeDrift,
    UnboundedScope,
    DormantAuthority,
    SensitiveReach,
    PrivilegeEscalation,
    ExternalTrust,
    CredentialHygiene,
    EnvironmentIsolation,
    HumanUse,
    IdentityReuse,
    AiAgent,
    DataQuality,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(Json::String(s)) => f.write_str(&s),
            _ => Err(fmt::Error),
        }
    }
}

/// A rule, ready to run.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Stable, kebab-case.
    pub id: String,
    /// One line.
    pub title: String,
    /// Counts up with each change of meaning.
    pub version: u32,
    /// Before escalation.
    pub severity: Severity,
    /// Its condition.
    pub category: Category,
    /// The column that is the subject.
    pub subject: String,
    /// The column that is the path.
    pub path: Option<String>,
    /// Further columns of a finding's identity.
    pub identity: Vec<String>,
    /// Whether it compares with an earlier snapshot.
    pub baseline: bool,
    /// Why it is a risk although each permission was granted legitimately.
    pub rationale: String,
    /// What reduces it.
    pub reducers: Vec<ReducerText>,
    /// OWASP, CWE, ATT&CK.
    pub references: BTreeMap<String, Vec<String>>,
    /// Parameters with their defaults.
    pub parameters: BTreeMap<String, Parameter>,
    /// Queries as written; the first that yields a finding gives it.
    pub queries: Vec<String>,
    /// When the severity is another.
    pub escalate: Vec<Escalation>,
    /// What must be there for the rule to say anything.
    pub requires: Vec<Requirement>,
    /// Its fixtures.
    pub tests: Vec<RuleTest>,
    pub(crate) prepared: Vec<Prepared>,
    pub(crate) prepared_requires: Vec<Prepared>,
}

impl Rule {
    /// What is doubtful about its queries: products, scans of everything, paths listed where reaching them would do.
    pub fn warnings(&self) -> impl Iterator<Item = &sv0_query::Diagnostic> {
        self.prepared.iter().chain(&self.prepared_requires).flat_map(|p| &p.warnings)
    }
}

/// A step that reduces the risk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReducerText {
    /// What to do.
    pub text: String,
    /// The edge of the path that it removes: the first of one of these types or classes.
    #[serde(default)]
    pub removes: Vec<String>,
}

/// A parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its default.
    pub default: Json,
    /// Its unit, e.g. `duration`.
    pub unit: String,
}

/// A condition over the query's columns under which the severity is another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// An expression in the query language.
    pub when: String,
    /// The severity then.
    pub severity: Severity,
}

/// A query that must give a row; otherwise the rule abstains.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The query.
    pub query: String,
    /// Why the rule abstains without it.
    pub why: String,
}

/// A small graph and what the rule must say of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTest {
    /// Its name.
    pub name: String,
    /// The graph.
    pub graph: Json,
    /// The earlier graph, for rules that compare.
    #[serde(default)]
    pub baseline: Option<Json>,
    /// Now.
    #[serde(default)]
    pub as_of: Option<String>,
    /// Ids of the subjects that must be found; no others may.
    pub found: Vec<String>,
    /// The rule must abstain.
    #[serde(default)]
    pub abstains: bool,
    /// The state of the findings.
    #[serde(default)]
    pub state: Option<String>,
    /// The severity of the findings.
    #[serde(default)]
    pub severity: Option<Severity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    id: String,
    title: String,
    version: u32,
    severity: Severity,
    category: Category,
    subject: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    identity: Vec<String>,
    #[serde(default)]
    baseline: bool,
    rationale: String,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    queries: Vec<String>,
    #[serde(default)]
    escalate: Vec<Escalation>,
    #[serde(default)]
    requires: Vec<Requirement>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    reducers: Vec<ReducerText>,
    #[serde(default)]
    references: BTreeMap<String, Vec<String>>,
}

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintError {
    /// The file.
    pub file: String,
    /// The line, if it is known.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
}

impl fmt::Display for LintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(l) => write!(f, "{}:{l}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// Why a pack can't be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackError(pub Vec<LintError>);

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(LintError::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for PackError {}

/// Rules in a fixed order (by id).
#[derive(Debug, Clone, Default)]
pub struct RulePack {
    /// The rules.
    pub rules: Vec<Rule>,
}

impl RulePack {
    /// The pack that is compiled in, read by the same loader as any other.
    ///
    /// # Errors
    /// Never for a released build: a test reads it.
    pub fn built_in(schema: &Schema) -> Result<Self, PackError> {
        let files = BUILT_IN.iter().map(|(n, r, t)| (format!("rules/{n}"), (*r).to_owned(), (*t).to_owned()));
        Self::load(files, schema)
    }

    /// Reads a folder of rules: a folder with `rule.toml` (and `tests.json`) each.
    ///
    /// # Errors
    /// Everything that is wrong, with file, line and reason.
    pub fn from_dir(dir: &Path, schema: &Schema) -> Result<Self, PackError> {
        let io = |p: &Path, e: std::io::Error| {
            PackError(vec![LintError { file: p.display().to_string(), line: None, reason: e.to_string() }])
        };
        let mut folders = Vec::new();
        if dir.join("rule.toml").is_file() {
            folders.push(dir.to_owned());
        } else {
            for e in std::fs::read_dir(dir).map_err(|e| io(dir, e))? {
                let p = e.map_err(|e| io(dir, e))?.path();
                if p.join("rule.toml").is_file() {
                    folders.push(p);
                }
            }
        }
        folders.sort();
        if folders.is_empty() {
            let reason = "no folder with a `rule.toml` in it".to_owned();
            return Err(PackError(vec![LintError { file: dir.display().to_string(), line: None, reason }]));
        }
        let mut files = Vec::new();
        for f in folders {
            let rule = std::fs::read_to_string(f.join("rule.toml")).map_err(|e| io(&f.join("rule.toml"), e))?;
            let tests = match std::fs::read_to_string(f.join("tests.json")) {
                Ok(t) => t,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => "[]".to_owned(),
                Err(e) => return Err(io(&f.join("tests.json"), e)),
            };
            files.push((f.display().to_string(), rule, tests));
        }
        Self::load(files.into_iter(), schema)
    }

    fn load(files: impl Iterator<Item = (String, String, String)>, schema: &Schema) -> Result<Self, PackError> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut errors = Vec::new();
        for (name, rule, tests) in files {
            match Rule::read(&name, &rule, &tests, schema) {
                Ok(r) => {
                    if rules.iter().any(|o| o.id == r.id) {
                        let reason = format!("a second rule `{}`", r.id);
                        errors.push(LintError { file: format!("{name}/rule.toml"), line: None, reason });
                    }
                    rules.push(r);
                }
                Err(e) => errors.extend(e),
            }
        }
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        if errors.is_empty() { Ok(Self { rules }) } else { Err(PackError(errors)) }
    }

    /// This pack and another; a rule of the same id replaces.
    #[must_use]
    pub fn extended_by(mut self, other: Self) -> Self {
        self.rules.retain(|r| !other.rules.iter().any(|o| o.id == r.id));
        self.rules.extend(other.rules);
        self.rules.sort_by(|a, b| a.id.cmp(&b.id));
        self
    }
}

impl Rule {
    fn read(name: &str, text: &str, tests: &str, schema: &Schema) -> Result<Self, Vec<LintError>> {
        let file = format!("{name}/rule.toml");
        let error = |line: Option<usize>, reason: String| LintError { file: file.clone(), line, reason };
        let f: RuleFile = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|s| 1 + text.get(..s.start).unwrap_or("").matches('\n').count());
            vec![error(line, e.message().to_owned())]
        })?;
        let mut errors = Vec::new();
        let kebab = !f.id.is_empty() && f.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !kebab {
            errors.push(error(None, format!("`id` is `{}`; it must be kebab-case", f.id)));
        }
        if Path::new(name).file_name().is_some_and(|n| n != f.id.as_str()) {
            errors.push(error(None, format!("the folder of rule `{}` must bear its name", f.id)));
        }
        let queries: Vec<String> = f.query.into_iter().chain(f.queries).collect();
        if queries.is_empty() {
            errors.push(error(None, "the rule has no `query`".to_owned()));
        }
        if f.rationale.trim().is_empty() {
            errors.push(error(None, "the rule has no `rationale`".to_owned()));
        }
        let options = CheckOptions {
            strict: true,
            graphs: if f.baseline { vec!["$$baseline".into()] } else { Vec::new() },
            ..CheckOptions::default()
        };
        let mut prepared = Vec::new();
        for q in &queries {
            let full = with_severity(q, &f.escalate);
            let at = text.find(q.trim()).map(|i| text.get(..i).unwrap_or("").matches('\n').count() + 1);
            match Query::parse(&full).and_then(|p| p.check(schema, &|_| false, &options)) {
                Ok(p) => {
                    for c in [Some(&f.subject), f.path.as_ref()].into_iter().flatten().chain(&f.identity) {
                        if !p.columns().iter().any(|x| **x == **c) {
                            errors.push(error(at, format!("the query doesn't return column `{c}`")));
                        }
                    }
                    for param in p.parameters() {
                        if !f.parameters.contains_key(&**param) {
                            errors.push(error(at, format!("parameter `${param}` isn't declared")));
                        }
                    }
                    prepared.push(p);
                }
                Err(e) => errors.extend(query_errors(&file, at, &full, &e)),
            }
        }
        let mut prepared_requires = Vec::new();
        for r in &f.requires {
            match Query::parse(&r.query).and_then(|p| p.check(schema, &|_| false, &options)) {
                Ok(p) => prepared_requires.push(p),
                Err(e) => errors.extend(query_errors(&file, None, &r.query, &e)),
            }
        }
        for (n, p) in &f.parameters {
            if parameter(p).is_none() {
                errors.push(error(None, format!("default of parameter `{n}` isn't a {}", p.unit)));
            }
        }
        let tests: Vec<RuleTest> = match serde_json::from_str(tests) {
            Ok(t) => t,
            Err(e) => {
                errors.push(LintError {
                    file: format!("{name}/tests.json"),
                    line: Some(e.line()),
                    reason: e.to_string(),
                });
                Vec::new()
            }
        };
        if errors.is_empty() && !(tests.iter().any(|t| !t.found.is_empty()) && tests.iter().any(|t| t.found.is_empty()))
        {
            let reason = "a rule needs a test that finds something and one that finds nothing".to_owned();
            errors.push(LintError { file: format!("{name}/tests.json"), line: None, reason });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            id: f.id,
            title: f.title,
            version: f.version,
            severity: f.severity,
            category: f.category,
            subject: f.subject,
            path: f.path,
            identity: f.identity,
            baseline: f.baseline,
            rationale: f.rationale.trim().to_owned(),
            reducers: f.reducers,
            references: f.references,
            parameters: f.parameters,
            queries,
            escalate: f.escalate,
            requires: f.requires,
            tests,
            prepared,
            prepared_requires,
        })
    }

    /// The parameters' default values.
    #[must_use]
    pub fn defaults(&self) -> BTreeMap<std::sync::Arc<str>, Val> {
        self.parameters.iter().filter_map(|(n, p)| Some((n.as_str().into(), parameter(p)?))).collect()
    }
}

/// The query with a column that says the severity, where the rule escalates.
fn with_severity(query: &str, escalate: &[Escalation]) -> String {
    if escalate.is_empty() {
        return query.trim().to_owned();
    }
    let arms: Vec<String> = escalate.iter().map(|e| format!("WHEN {} THEN '{}'", e.when, e.severity.name())).collect();
    format!("{}\nNEXT RETURN *, CASE {} END AS severity", query.trim(), arms.join(" "))
}

fn parameter(p: &Parameter) -> Option<Val> {
    match (p.unit.as_str(), &p.default) {
        ("duration", Json::String(s)) => time::parse_duration(s),
        ("count", Json::Number(n)) => n.as_i64().map(Val::Int),
        ("text", Json::String(s)) => Some(Val::str(s.as_str())),
        ("list", Json::Array(a)) => {
            a.iter().map(|v| v.as_str().map(Val::str)).collect::<Option<Vec<_>>>().map(|l| Val::List(l.into()))
        }
        _ => None,
    }
}

fn query_errors(file: &str, at: Option<usize>, query: &str, e: &QueryError) -> Vec<LintError> {
    e.diagnostics
        .iter()
        .map(|d| {
            let within = d.span.map(|s| query.get(..s.0).unwrap_or("").matches('\n').count());
            let line = at.map(|a| a + within.unwrap_or(0));
            LintError { file: file.to_owned(), line, reason: d.to_string() }
        })
        .collect()
}
