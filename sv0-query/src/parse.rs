//! Text to syntax tree: one pass over the tokens, one token ahead but for two places that look further (see `tried`).
//!
//! | room | reads |
//! |---|---|
//! | `lex` | tokens |
//! | `clause` | pipelines, clauses, columns |
//! | `pattern` | path patterns, labels |
//! | `expr` | expressions |
//! | `syntax` | bounds before reading; what an error tells |

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use crate::ast::{Name, Query, Span};
use crate::diag::{Code, Diagnostic, QueryError};
use lex::{Kind, Token};

mod clause;
mod expr;
mod lex;
mod pattern;
mod syntax;

/// Queries longer than this aren't parsed.
pub const MAX_TEXT: usize = 64 * 1024;
/// Brackets nested deeper than this aren't parsed.
pub const MAX_NESTING: usize = 64;
/// Syntax trees deeper than this aren't made: whoever walks them may do so by calling himself.
pub const MAX_DEPTH: usize = 256;
/// Expressions of more parts than this aren't made.
pub const MAX_PARTS: usize = 1 << 18;
/// Clauses between two set operations.
pub const MAX_CLAUSES: usize = 128;

/// Parses a query.
///
/// # Errors
/// Syntax errors, writing clauses, unsupported features: with span and help.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    syntax::guard(text)?;
    let tokens = lex::tokens(text);
    let mut p = Parser::new(text, &tokens, false);
    match p.query() {
        Ok(q) => Ok(q),
        Err(Failure::Refused(e)) => Err(*e),
        // Once more, to learn what could have stood there: only who errs pays for it.
        Err(Failure::Unexpected) => {
            let mut p = Parser::new(text, &tokens, true);
            match p.query() {
                Err(Failure::Refused(e)) => Err(*e),
                _ => Err(p.unexpected()),
            }
        }
    }
}

/// Why a text isn't read.
#[derive(Debug)]
enum Failure {
    /// A token that can't stand where it stands: the furthest one that was looked at.
    Unexpected,
    /// What is read and refused.
    Refused(Box<QueryError>),
}

impl From<Diagnostic> for Failure {
    fn from(d: Diagnostic) -> Self {
        Self::Refused(Box::new(QueryError::one(d)))
    }
}

type R<T> = Result<T, Failure>;

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// The next token.
    at: usize,
    /// How many parts of expressions were made.
    made: usize,
    /// The height of the highest expression of the present subquery.
    highest: usize,
    /// Where no CASE, and where no pattern begins, though it looked so.
    not_case: FxHashSet<usize>,
    not_pattern: FxHashSet<usize>,
    /// The furthest token that was looked at and didn't fit.
    furthest: usize,
    /// What would have fitted there; where it is noted at all.
    expected: Option<BTreeSet<&'static str>>,
}

const END: Token = Token { kind: Kind::End, start: u32::MAX, end: u32::MAX };

impl<'t> Parser<'t> {
    fn new(text: &'t str, tokens: &'t [Token], note: bool) -> Self {
        Self {
            text,
            tokens,
            at: 0,
            made: 0,
            highest: 0,
            not_case: FxHashSet::default(),
            not_pattern: FxHashSet::default(),
            furthest: 0,
            expected: note.then(BTreeSet::new),
        }
    }

    // ---- tokens

    fn peek(&self, ahead: usize) -> Token {
        self.tokens.get(self.at + ahead).copied().unwrap_or(END)
    }

    fn kind(&self) -> Kind {
        self.peek(0).kind
    }

    fn text_of(&self, t: Token) -> &'t str {
        self.text.get(t.start as usize..t.end as usize).unwrap_or("")
    }

    fn span_of(&self, t: Token) -> Span {
        ((t.start as usize).min(self.text.len()), (t.end as usize).min(self.text.len()))
    }

    /// Where the next token begins.
    fn start(&self) -> usize {
        self.span_of(self.peek(0)).0
    }

    /// From a place to the end of the last token that was read.
    fn span_from(&self, start: usize) -> Span {
        let end = self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(start, |t| self.span_of(*t).1);
        (start, end.max(start))
    }

    /// The next token doesn't fit.
    fn misses(&mut self, wanted: &'static str) {
        if let Some(e) = &mut self.expected {
            if self.at > self.furthest {
                e.clear();
            }
            if self.at >= self.furthest {
                e.insert(wanted);
            }
        }
        self.furthest = self.furthest.max(self.at);
    }

    fn fail<T>(&mut self, wanted: &'static str) -> R<T> {
        self.misses(wanted);
        Err(Failure::Unexpected)
    }

    /// Whether a token is this keyword.
    fn word_at(&self, ahead: usize, keyword: &str) -> bool {
        let t = self.peek(ahead);
        t.kind == Kind::Word
            && (t.end - t.start) as usize == keyword.len()
            && self.text_of(t).eq_ignore_ascii_case(keyword)
    }

    /// Whether the next token is this keyword.
    fn is(&mut self, keyword: &'static str) -> bool {
        let is = self.word_at(0, keyword);
        if !is {
            self.misses(keyword);
        }
        is
    }

    fn eat(&mut self, keyword: &'static str) -> bool {
        let is = self.is(keyword);
        self.at += usize::from(is);
        is
    }

    fn need(&mut self, keyword: &'static str) -> R<()> {
        if self.eat(keyword) { Ok(()) } else { Err(Failure::Unexpected) }
    }

    fn eat_any(&mut self, keywords: &[&'static str]) -> bool {
        keywords.iter().any(|k| self.eat(k))
    }

    /// Whether the next characters are these, nothing between them.
    fn symbols_at(&self, ahead: usize, symbols: &str) -> bool {
        symbols.bytes().enumerate().all(|(i, b)| {
            let t = self.peek(ahead + i);
            t.kind == Kind::Symbol(b) && (i == 0 || self.peek(ahead + i - 1).end == t.start)
        })
    }

    fn eat_symbols(&mut self, symbols: &'static str) -> bool {
        let is = self.symbols_at(0, symbols);
        if is {
            self.at += symbols.len();
        } else {
            self.misses(symbols);
        }
        is
    }

    fn need_symbols(&mut self, symbols: &'static str) -> R<()> {
        if self.eat_symbols(symbols) { Ok(()) } else { Err(Failure::Unexpected) }
    }

    fn eat_dots(&mut self) -> bool {
        let is = self.kind() == Kind::DotDot;
        if is {
            self.at += 1;
        } else {
            self.misses("..");
        }
        is
    }

    // ---- names and numbers

    /// Whether a token is a name: a quoted one, or a word that isn't reserved.
    fn name_at(&self, ahead: usize) -> bool {
        let t = self.peek(ahead);
        match t.kind {
            Kind::Quoted => true,
            Kind::Word => {
                let reserved = ["true", "false", "null", "and", "or", "xor", "not"];
                t.end - t.start > 5 || !reserved.iter().any(|r| self.text_of(t).eq_ignore_ascii_case(r))
            }
            _ => false,
        }
    }

    fn name(&mut self) -> R<Name> {
        if !self.name_at(0) {
            return self.fail("a name");
        }
        let t = self.peek(0);
        self.at += 1;
        let text = self.text_of(t);
        let text = match t.kind {
            Kind::Quoted => text.get(1..text.len().saturating_sub(1)).unwrap_or("").replace("``", "`").into(),
            _ => text.into(),
        };
        Ok(Name { text, span: self.span_of(t) })
    }

    fn names(&mut self) -> R<Vec<Name>> {
        let mut out = vec![self.name()?];
        while self.eat_symbols(",") {
            out.push(self.name()?);
        }
        Ok(out)
    }

    /// A whole number as it may bound something.
    fn uint<T: std::str::FromStr>(&mut self) -> R<Option<T>> {
        let t = self.peek(0);
        if t.kind != Kind::Integer {
            self.misses("a whole number");
            return Ok(None);
        }
        self.at += 1;
        match self.text_of(t).replace('_', "").parse() {
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(self.refuse(Code::Syntax, self.span_of(t), "the number is too large", None)),
        }
    }

    // ---- errors

    fn refuse(&self, code: Code, span: Span, message: &str, help: Option<&str>) -> Failure {
        let d = Diagnostic::new(code, span, message);
        help.map_or(d.clone(), |h| d.help(h)).into()
    }

    /// The error of the furthest token that was looked at.
    fn unexpected(&self) -> QueryError {
        let t = self.tokens.get(self.furthest).copied().unwrap_or(END);
        let expected: Vec<&str> = self.expected.iter().flatten().copied().collect();
        syntax::unexpected(self.text, self.span_of(t).0, &expected)
    }

    /// Reads something, or goes back to where it was.
    fn tried<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<Option<T>> {
        let (at, made, highest) = (self.at, self.made, self.highest);
        match f(self) {
            Ok(v) => Ok(Some(v)),
            Err(Failure::Unexpected) => {
                (self.at, self.made, self.highest) = (at, made, highest);
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}
