//! Bounds before parsing, and what a syntax error tells.

use super::{MAX_NESTING, MAX_TEXT};
use crate::ast::Span;
use crate::diag::{Code, Diagnostic, QueryError};

/// Bounds that hold before the recursive parser sees the text.
pub(super) fn guard(text: &str) -> Result<(), QueryError> {
    if text.len() > MAX_TEXT {
        let m = format!("query of {} bytes; at most {MAX_TEXT} are read", text.len());
        return Err(QueryError::one(Diagnostic::new(Code::Syntax, (0, 0), m)));
    }
    let (mut depth, mut runs) = (0usize, 0usize);
    let bytes = text.as_bytes();
    let mut i = 0;
    while let Some(&c) = bytes.get(i) {
        match c {
            b'\'' | b'"' | b'`' => {
                i += 1;
                while let Some(&d) = bytes.get(i) {
                    if d == b'\\' && c != b'`' {
                        i += 1;
                    } else if d == c {
                        break;
                    }
                    i += 1;
                }
                runs = 0;
            }
            // What stands in a comment is nothing.
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                i = text.get(i..).and_then(|t| t.find('\n')).map_or(bytes.len(), |n| i + n);
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                i = text.get(i + 2..).and_then(|t| t.find("*/")).map_or(bytes.len(), |n| i + n + 3);
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                runs = 0;
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                runs = 0;
            }
            b'!' | b'-' | b'+' | b'N' | b'n' => runs += 1,
            c if c.is_ascii_whitespace() || matches!(c, b'o' | b'O' | b't' | b'T') => {}
            _ => runs = 0,
        }
        if depth > MAX_NESTING || runs > 256 {
            let m = format!("nested deeper than {MAX_NESTING}");
            return Err(QueryError::one(Diagnostic::new(Code::Syntax, (i, (i + 1).min(text.len())), m)));
        }
        i += 1;
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words.filter(|w| w.eq_ignore_ascii_case("case")).count() > MAX_NESTING {
        let m = format!("more than {MAX_NESTING} CASE expressions");
        return Err(QueryError::one(Diagnostic::new(Code::Syntax, (0, 0), m)));
    }
    Ok(())
}

/// Words that are never names.
const RESERVED: [&str; 7] = ["TRUE", "FALSE", "NULL", "AND", "OR", "XOR", "NOT"];

/// The error of a text that can't go on as it does from here.
pub(super) fn unexpected(text: &str, at: usize, expected: &[&str]) -> QueryError {
    let rest = text.get(at..).unwrap_or("");
    let len = rest
        .chars()
        .next()
        .map_or(0, char::len_utf8)
        .max(rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()));
    let span = (at, at + len);
    let found = text.get(span.0..span.1).unwrap_or("");
    let word = found.to_uppercase();
    let unsupported = |feature: &str, help: &str| {
        QueryError::one(Diagnostic::new(Code::Unsupported, span, format!("{feature} isn't supported")).help(help))
    };
    let before = text.get(..at).unwrap_or("").trim_end();
    let next_word = rest.get(len..).unwrap_or("").trim_start().to_uppercase();
    let not_a_query = word == "SELECT"
        || (["CREATE", "DROP"].contains(&&*word) && ["GRAPH", "SCHEMA"].iter().any(|w| next_word.starts_with(w)));
    if not_a_query {
        let m = format!("`{found}` isn't part of sv0's language");
        let help = "sv0 answers queries: write `MATCH … RETURN …`";
        return QueryError::one(Diagnostic::new(Code::NotAQuery, span, m).help(help));
    }
    if word == "KEEP" {
        return unsupported("KEEP", "write the selector before the path pattern");
    }
    if rest.starts_with('/') && before.ends_with(['-', '~']) {
        return unsupported("a simplified path pattern", "write `-[:A|B]->+`");
    }
    if rest.starts_with('+') && before.ends_with('|') {
        return unsupported("multiset alternation `|+|`", "write `|`");
    }
    if rest.starts_with('$') && before.rfind('(').is_some_and(|o| !before.get(o..).unwrap_or("").contains([')', '{'])) {
        return unsupported("a parameter as a property map", "name the properties: `{name: $name}`");
    }
    if rest.starts_with('|') && before.ends_with(')') && before.rfind('[').is_some() {
        return unsupported("a pattern comprehension", "write `OPTIONAL MATCH` and `collect(…)`");
    }
    if ["CREATE", "INSERT", "MERGE", "SET", "DELETE", "DETACH", "REMOVE", "DROP", "FOREACH", "LOAD"].contains(&&*word) {
        return QueryError::one(read_only(span));
    }
    if rest.starts_with('~') || rest.starts_with("<~") {
        return unsupported(
            "an undirected edge `~`",
            "all edges are directed here; write `-[…]-` for either direction",
        );
    }
    if rest.starts_with("-/") || rest.starts_with("<-/") {
        return unsupported("a simplified path pattern", "write `-[:A|B]->+`");
    }
    if rest.starts_with("/->") || rest.starts_with("|+|") {
        return unsupported("this path pattern", "write the alternatives as `-[:A|B]->`");
    }
    if rest.starts_with('^') {
        return unsupported("`^`", "multiply, or compute it outside");
    }
    if rest.strip_prefix('.').is_some_and(|r| r.trim_start().starts_with('{')) {
        return unsupported("a map projection", "return the properties as columns: `n.id, n.name`, or `properties(n)`");
    }
    if rest.starts_with('{') {
        return unsupported("a map here", "return the values as columns of their own");
    }
    if RESERVED.contains(&&*word) && expected.contains(&"a name") {
        let m = format!("`{found}` is a word of the language, not a name");
        let help = format!("quote it: `` `{found}` ``");
        return QueryError::one(Diagnostic::new(Code::ReservedName, span, m).help(help));
    }
    let mut expected = expected.to_vec();
    // What stands for many says more than keywords do, and these more than signs.
    let letter = |e: &str| e.starts_with(|c: char| c.is_ascii_alphabetic());
    expected.sort_by_key(|e| (!letter(e), !e.contains(' '), *e));
    expected.truncate(6);
    let quoted = |e: &&str| if letter(e) { (*e).to_owned() } else { format!("`{e}`") };
    let expected = expected.iter().map(quoted).collect::<Vec<_>>().join(", ");
    let what = if found.is_empty() { "end of query".to_owned() } else { format!("`{found}`") };
    let mut d = Diagnostic::new(Code::Syntax, span, format!("unexpected {what}"));
    if !expected.is_empty() {
        d = d.help(format!("expected {expected}"));
    }
    QueryError::one(d)
}

pub(super) fn read_only(span: Span) -> Diagnostic {
    Diagnostic::new(Code::ReadOnly, span, "sv0 queries cannot change the graph")
        .help("connectors load data, tags are set through the API")
}
