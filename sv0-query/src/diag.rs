//! Errors and warnings as plain data: code, message, span, help. The command line draws them.

use std::fmt;

use sv0_graph::GraphError;

use crate::ast::Span;

/// The catalogue's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the catalogue in docs/language.md explains them")]
pub enum Code {
    Syntax,
    ReadOnly,
    NotAQuery,
    Unsupported,
    ReservedName,
    UnknownName,
    Scope,
    Type,
    Aggregation,
    Columns,
    Pattern,
    Regex,
    Schema,
    Doubtful,
    Parameter,
    Timeout,
    WorkBudget,
    MemoryBudget,
    RowBudget,
    Cancelled,
    Value,
    Storage,
}

impl Code {
    /// The code as it is printed.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Syntax => "SV-Q100",
            Self::ReadOnly => "SV-Q110",
            Self::NotAQuery => "SV-Q111",
            Self::Unsupported => "SV-Q120",
            Self::ReservedName => "SV-Q130",
            Self::UnknownName => "SV-Q200",
            Self::Scope => "SV-Q210",
            Self::Type => "SV-Q220",
            Self::Aggregation => "SV-Q230",
            Self::Columns => "SV-Q240",
            Self::Pattern => "SV-Q250",
            Self::Regex => "SV-Q260",
            Self::Schema => "SV-Q300",
            Self::Doubtful => "SV-Q310",
            Self::Parameter => "SV-Q400",
            Self::Timeout => "SV-Q410",
            Self::WorkBudget => "SV-Q420",
            Self::MemoryBudget => "SV-Q421",
            Self::RowBudget => "SV-Q422",
            Self::Cancelled => "SV-Q430",
            Self::Value => "SV-Q440",
            Self::Storage => "SV-Q500",
        }
    }
}

/// One thing that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its code.
    pub code: Code,
    /// One line: lower case, names in backticks.
    pub message: String,
    /// Where in the query's text.
    pub span: Option<Span>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), span: Some(span), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.text(), self.message)?;
        if let Some(h) = &self.help {
            write!(f, " (help: {h})")?;
        }
        Ok(())
    }
}

/// Why a query didn't parse, check or run. Holds one diagnostic at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// All of them.
    pub diagnostics: Vec<Diagnostic>,
}

impl QueryError {
    pub(crate) fn one(d: Diagnostic) -> Self {
        Self { diagnostics: vec![d] }
    }

    pub(crate) fn run(code: Code, span: Option<Span>, message: impl Into<String>) -> Self {
        Self::one(Diagnostic { code, message: message.into(), span, help: None })
    }

    /// The first diagnostic's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.diagnostics.first().map_or(Code::Syntax, |d| d.code)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

impl std::error::Error for QueryError {}

impl From<GraphError> for QueryError {
    fn from(e: GraphError) -> Self {
        Self::run(Code::Storage, None, e.to_string())
    }
}
