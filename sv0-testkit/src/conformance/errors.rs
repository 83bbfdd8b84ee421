//! The TCK's classes of errors, and the codes by which this engine may refuse such a query.

use serde_json::Value as Json;
use sv0_query::{Code, QueryError};

use super::case::field;

/// When a query is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It doesn't parse or doesn't check.
    Compile,
    /// Its run ends with an error; as an expectation: at the latest then.
    Run,
}

/// A query that was refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// When.
    pub phase: Phase,
    /// Why.
    pub error: QueryError,
}

/// What a suite says of a refusal.
#[derive(Debug, Clone)]
pub struct ErrorClass {
    text: String,
    phase: Phase,
    codes: Codes,
}

#[derive(Debug, Clone)]
enum Codes {
    /// Anything that is the query's fault.
    Any,
    Of(&'static [Code]),
    Named(Vec<String>),
}

/// Kinds of errors; what else stands in a class is its detail.
const KINDS: &[&str] = &[
    "SyntaxError",
    "SemanticError",
    "TypeError",
    "ArgumentError",
    "ArithmeticError",
    "PropertyNotFound",
    "EntityNotFound",
    "LabelNotFound",
    "ParameterMissing",
    "ProcedureError",
    "ConstraintVerificationFailed",
    "ConstraintValidationFailed",
];

/// The codes of a class: what kind of error, and its detail. An unknown detail goes by the kind alone.
fn codes(kind: &str, detail: &str) -> Codes {
    use Code as C;
    Codes::Of(match detail {
        "VariableAlreadyBound" | "RelationshipUniquenessViolation" => &[C::Scope, C::Pattern],
        "VariableTypeConflict" => &[C::Scope, C::Type],
        "UndefinedVariable" => &[C::UnknownName, C::Scope],
        "NoVariablesInScope" => &[C::Scope, C::Columns],
        "NonConstantExpression" => &[C::UnknownName, C::Scope, C::Type, C::Aggregation],
        "UnknownFunction" => &[C::UnknownName],
        "ProcedureNotFound" => &[C::UnknownName, C::Unsupported, C::ReadOnly],
        "InvalidArgumentType" | "InvalidArgumentValue" | "NumberOutOfRange" => &[C::Type, C::Value, C::Parameter],
        "NegativeIntegerArgument" => &[C::Syntax, C::Type, C::Value, C::Parameter],
        "InvalidNumberOfArguments" => &[C::Syntax, C::UnknownName, C::Type],
        "InvalidArgumentPassingMode" => &[C::Syntax, C::Unsupported, C::ReadOnly],
        "InvalidArgumentExpression" => &[C::Syntax, C::Unsupported, C::Type, C::Aggregation],
        "InvalidAggregation" | "NestedAggregation" | "AmbiguousAggregationExpression" => &[C::Aggregation],
        "IntegerOverflow" | "FloatingPointOverflow" => &[C::Syntax, C::Value],
        "InvalidNumberLiteral" | "InvalidUnicodeCharacter" | "InvalidUnicodeLiteral" => &[C::Syntax],
        "InvalidRelationshipPattern" => &[C::Syntax, C::Unsupported, C::Pattern],
        "InvalidClauseComposition" => &[C::Syntax, C::NotAQuery, C::Unsupported, C::Columns],
        // A pattern where a value must stand is refused by what it is in, not by the grammar.
        "UnexpectedSyntax" => &[C::Syntax, C::ReservedName, C::NotAQuery, C::Unsupported, C::Type, C::Pattern],
        "InvalidParameterUse" => &[C::Syntax, C::Unsupported, C::Parameter],
        "MissingParameter" => &[C::Parameter],
        "NoExpressionAlias" => &[C::Syntax, C::Columns],
        "DifferentColumnsInUnion" | "ColumnNameConflict" => &[C::Columns],
        "MapElementAccessByNonString" | "ListElementAccessByNonInteger" | "PropertyAccessOnNonMap" => {
            &[C::Type, C::Value]
        }
        "NoSingleRelationshipType"
        | "RequiresDirectedRelationship"
        | "CreatingVarLength"
        | "InvalidDelete"
        | "MergeReadOwnWrites"
        | "DeletedEntityAccess"
        | "DeleteConnectedNode"
        | "InvalidPropertyType" => &[C::Syntax, C::ReadOnly],
        _ => match kind {
            "TypeError" | "ArgumentError" | "ArithmeticError" => &[C::Type, C::Value, C::Parameter],
            "ParameterMissing" => &[C::Parameter],
            _ => return Codes::Any,
        },
    })
}

impl ErrorClass {
    /// Reads an expectation: `text` as the TCK has it, or `class`, `detail`, `phase`, or `code` (one or several of
    /// `SV-Q…`); nothing of that: any refusal.
    ///
    /// # Errors
    /// A code that isn't a text.
    pub fn from_json(o: &Json) -> Result<Self, String> {
        let named = field(o, &["code", "codes"]);
        let mut words = Vec::new();
        for names in [&["text", "value", "error", "message"][..], &["class", "type"], &["detail"], &["phase", "when"]] {
            words.extend(field(o, names).and_then(Json::as_str));
        }
        let mut class = Self::parse(&words.join(" : "));
        if let Some(c) = named {
            let one = |c: &Json| c.as_str().map(str::to_owned).ok_or_else(|| format!("{c} is no code"));
            let all: Result<Vec<String>, String> = match c.as_array() {
                Some(a) => a.iter().map(one).collect(),
                None => one(c).map(|c| vec![c]),
            };
            let all = all?;
            class.text = all.join(" or ");
            class.codes = Codes::Named(all);
        }
        Ok(class)
    }

    /// Reads `a SyntaxError should be raised at compile time: UndefinedVariable`, any part of it, or a code.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let phase = if text.contains("compile") { Phase::Compile } else { Phase::Run };
        let words = || text.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|w| !w.is_empty());
        let named: Vec<String> = words().filter(|w| w.starts_with("SV-")).map(str::to_owned).collect();
        let kind = words().find(|w| KINDS.contains(w)).unwrap_or_default();
        // Details are written in CamelCase; the sentence around them isn't.
        let detail = words()
            .rfind(|w| !KINDS.contains(w) && w.starts_with(char::is_uppercase) && w.chars().any(|c| c.is_lowercase()))
            .unwrap_or_default();
        let codes = if named.is_empty() { codes(kind, detail) } else { Codes::Named(named) };
        Self { text: text.to_owned(), phase, codes }
    }

    /// Whether a refusal is of this class.
    ///
    /// # Errors
    /// Why it isn't.
    pub fn judge(&self, got: &Refusal) -> Result<(), String> {
        let found = |wanted: &dyn Fn(Code) -> bool| got.error.diagnostics.iter().any(|d| wanted(d.code));
        let ok = match &self.codes {
            Codes::Any => found(&|c| !is_of_the_host(c)),
            Codes::Of(codes) => found(&|c| codes.contains(&c)),
            Codes::Named(names) => found(&|c| names.iter().any(|n| n == c.text())),
        };
        if !ok {
            let wanted = match &self.codes {
                Codes::Of(codes) => codes.iter().map(|c| c.text()).collect::<Vec<_>>().join(" or "),
                _ => self.text.clone(),
            };
            return Err(format!("want an error of {wanted} ({}), got {}", self.text, got.error));
        }
        if self.phase == Phase::Compile && got.phase == Phase::Run {
            return Err(format!("want an error before the run ({}), got it at run time: {}", self.text, got.error));
        }
        Ok(())
    }
}

impl std::fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.text.is_empty() { "any refusal" } else { &self.text })
    }
}

/// Codes that say nothing of the query.
fn is_of_the_host(c: Code) -> bool {
    matches!(
        c,
        Code::Timeout | Code::WorkBudget | Code::MemoryBudget | Code::RowBudget | Code::Cancelled | Code::Storage
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sv0_query::Query;

    use super::*;

    fn refusal(phase: Phase, code: Code) -> Refusal {
        let mut error = Query::parse("MATCH (").unwrap_err();
        error.diagnostics.truncate(1);
        error.diagnostics[0].code = code;
        Refusal { phase, error }
    }

    #[test]
    fn class_and_phase_count() {
        let c = ErrorClass::parse("a SyntaxError should be raised at compile time: UndefinedVariable");
        assert!(c.judge(&refusal(Phase::Compile, Code::UnknownName)).is_ok());
        assert!(c.judge(&refusal(Phase::Run, Code::UnknownName)).is_err());
        assert!(c.judge(&refusal(Phase::Compile, Code::Unsupported)).is_err());
        let c = ErrorClass::parse("a TypeError should be raised at runtime: InvalidArgumentValue");
        assert!(c.judge(&refusal(Phase::Run, Code::Value)).is_ok());
        assert!(c.judge(&refusal(Phase::Compile, Code::Type)).is_ok());
        assert!(c.judge(&refusal(Phase::Run, Code::Storage)).is_err());
    }

    #[test]
    fn other_forms() {
        let of = |j| ErrorClass::from_json(&j).unwrap();
        let c = of(json!({"kind": "error", "class": "TypeError", "detail": "*", "phase": "any time"}));
        assert!(c.judge(&refusal(Phase::Run, Code::Type)).is_ok());
        assert!(c.judge(&refusal(Phase::Run, Code::Scope)).is_err());
        let c = of(json!({"kind": "error", "class": "VariableAlreadyBound", "phase": "compile time"}));
        assert!(c.judge(&refusal(Phase::Compile, Code::Scope)).is_ok());
        assert!(c.judge(&refusal(Phase::Compile, Code::Type)).is_err());
        let c = of(json!({"kind": "error", "code": ["SV-Q110", "SV-Q111"]}));
        assert!(c.judge(&refusal(Phase::Compile, Code::ReadOnly)).is_ok());
        assert!(c.judge(&refusal(Phase::Compile, Code::Syntax)).is_err());
        let c = of(json!({"kind": "error"}));
        assert!(c.judge(&refusal(Phase::Run, Code::Scope)).is_ok());
        assert!(c.judge(&refusal(Phase::Run, Code::WorkBudget)).is_err());
    }
}
