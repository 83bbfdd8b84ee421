//! Text to tokens. A token is a byte range and what it looks like; what a word means depends on where it stands.

/// What a token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A name in backticks.
    Quoted,
    /// Decimal digits.
    Integer,
    Hex,
    Octal,
    Float,
    Text,
    DotDot,
    /// One ASCII character. Operators of several are read as such where they may stand: `a<-1` compares, `(a)<-(b)` is an
    /// edge.
    Symbol(u8),
    /// What begins no token: a text without an end, a number with letters behind it, any other character.
    Bad,
    End,
}

/// A token and its place in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

/// All tokens of a text, the end included.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    // The last place where a comment may end: looked for once, not at each place where one may begin.
    let ends = text.rfind("*/").unwrap_or(0);
    let mut l = Lexer { text, at: 0, ends };
    let mut out = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        l.skip();
        let start = l.at;
        let kind = l.token();
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        out.push(Token { kind, start: short(start), end: short(l.at) });
        if kind == Kind::End {
            return out;
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    ends: usize,
}

impl Lexer<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn char(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|t| t.chars().next())
    }

    /// Passes space and comments.
    fn skip(&mut self) {
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(b' ' | b'\t' | b'\r' | b'\n'), _) => self.at += 1,
                (Some(b'/'), Some(b'/')) => {
                    let rest = self.text.get(self.at..).unwrap_or("");
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                (Some(b'/'), Some(b'*')) if self.ends >= self.at + 2 => {
                    match self.text.get(self.at + 2..).and_then(|t| t.find("*/")) {
                        Some(n) => self.at += n + 4,
                        // A comment without an end is no comment.
                        None => return,
                    }
                }
                (Some(0xc2 | 0xef), _) => match self.char() {
                    Some(c @ ('\u{a0}' | '\u{feff}')) => self.at += c.len_utf8(),
                    _ => return,
                },
                _ => return,
            }
        }
    }

    fn token(&mut self) -> Kind {
        let Some(b) = self.byte(0) else { return Kind::End };
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1) == Some(b'.') => {
                self.at += 2;
                Kind::DotDot
            }
            b'.' if self.byte(1).is_some_and(|b| b.is_ascii_digit()) => self.number(),
            b'\'' | b'"' => self.quoted(b, true, Kind::Text),
            b'`' => self.quoted(b, false, Kind::Quoted),
            0..0x80 => {
                self.at += 1;
                Kind::Symbol(b)
            }
            _ => match self.char() {
                Some(c) if unicode_ident::is_xid_start(c) => self.word(),
                c => {
                    self.at += c.map_or(1, char::len_utf8);
                    Kind::Bad
                }
            },
        }
    }

    /// Whether a name goes on here.
    fn goes_on(&self) -> Option<usize> {
        match self.byte(0)? {
            b if b.is_ascii_alphanumeric() || b == b'_' => Some(1),
            0..0x80 => None,
            _ => self.char().filter(|c| unicode_ident::is_xid_continue(*c)).map(char::len_utf8),
        }
    }

    fn word(&mut self) -> Kind {
        self.at += self.char().map_or(1, char::len_utf8);
        while let Some(n) = self.goes_on() {
            self.at += n;
        }
        Kind::Word
    }

    /// Passes digits, single underscores between them.
    fn digits(&mut self, is: fn(&u8) -> bool) -> bool {
        let start = self.at;
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(b), _) if is(&b) => self.at += 1,
                (Some(b'_'), Some(b)) if is(&b) && self.at > start => self.at += 2,
                _ => return self.at > start,
            }
        }
    }

    fn number(&mut self) -> Kind {
        let kind = self.number_kind();
        match self.goes_on() {
            None => kind,
            Some(_) => {
                while let Some(n) = self.goes_on() {
                    self.at += n;
                }
                Kind::Bad
            }
        }
    }

    fn number_kind(&mut self) -> Kind {
        for (letter, is, kind) in [
            (b'x', u8::is_ascii_hexdigit as fn(&u8) -> bool, Kind::Hex),
            (b'o', |b: &u8| (b'0'..=b'7').contains(b), Kind::Octal),
        ] {
            if self.byte(0) == Some(b'0') && self.byte(1).is_some_and(|b| b.eq_ignore_ascii_case(&letter)) {
                self.at += 2;
                if self.byte(0) == Some(b'_') {
                    self.at += 1;
                }
                return if self.digits(is) { kind } else { Kind::Bad };
            }
        }
        self.digits(u8::is_ascii_digit);
        let mut float = false;
        if self.byte(0) == Some(b'.') && self.byte(1).is_some_and(|b| b.is_ascii_digit()) {
            float = true;
            self.at += 1;
            self.digits(u8::is_ascii_digit);
        }
        if self.byte(0).is_some_and(|b| b.eq_ignore_ascii_case(&b'e')) {
            let sign = usize::from(matches!(self.byte(1), Some(b'+' | b'-')));
            if self.byte(1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                float = true;
                self.at += 1 + sign;
                self.digits(u8::is_ascii_digit);
            }
        }
        if float { Kind::Float } else { Kind::Integer }
    }

    /// To the closing quote; a doubled one stands for itself.
    fn quoted(&mut self, quote: u8, escapes: bool, kind: Kind) -> Kind {
        self.at += 1;
        loop {
            match self.byte(0) {
                None => return Kind::Bad,
                Some(b'\\') if escapes => {
                    self.at += 1;
                    self.at += self.char().map_or(0, char::len_utf8);
                }
                Some(b) if b == quote => {
                    self.at += 1;
                    if self.byte(0) != Some(quote) {
                        return kind;
                    }
                    self.at += 1;
                }
                Some(_) => self.at += 1,
            }
        }
    }
}
