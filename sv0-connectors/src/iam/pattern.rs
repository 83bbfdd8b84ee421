//! Wildcards. `*` stands for any characters, `/` and `:` included; `?` for one.

/// Whether `pattern` matches `text`, character by character, in linear time for one star and quadratic at worst.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while j < t.len() {
        match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(c) if *c == '?' || t.get(j) == Some(c) => {
                i += 1;
                j += 1;
            }
            _ => match star {
                Some((si, sj)) => {
                    i = si + 1;
                    j = sj + 1;
                    star = Some((si, sj + 1));
                }
                None => return false,
            },
        }
    }
    p.get(i..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

/// Whether everything that `inner` matches, `outer` matches too. Sound; it may answer no where the truth is yes.
#[must_use]
pub fn contains(outer: &str, inner: &str) -> bool {
    // A wildcard of `inner` must be swallowed by a star of `outer` (or `?` by `?`): taking `inner`'s characters as
    // they stand does just that, since neither `*` nor `?` equals a literal of `outer`.
    let o: Vec<char> = outer.chars().collect();
    let t: Vec<char> = inner.chars().collect();
    let (mut i, mut j) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while j < t.len() {
        let fits = match (o.get(i), t.get(j)) {
            (Some('*'), _) => {
                star = Some((i, j));
                i += 1;
                continue;
            }
            (Some('?'), Some('*')) => false,
            (Some('?'), _) => true,
            (a, b) => a == b,
        };
        if fits {
            i += 1;
            j += 1;
        } else if let Some((si, sj)) = star {
            i = si + 1;
            j = sj + 1;
            star = Some((si, sj + 1));
        } else {
            return false;
        }
    }
    o.get(i..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

/// The account of an ARN, if it names one.
#[must_use]
pub fn arn_account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()))
}

/// What policy variables in a pattern resolve to.
pub(crate) enum Resolved {
    /// The pattern, its variables replaced; what they hold is literal.
    Pattern(String),
    /// A variable whose key is known to be absent: nothing matches.
    Nothing,
    /// A variable that isn't known.
    Unknown(String),
}

/// Replaces `${key}`, `${key, 'default'}` and the escapes `${*}`, `${?}`, `${$}`.
///
/// A wildcard character that comes out of a variable or an escape is literal; it is carried in a private-use character
/// that the text's own wildcards are mapped to as well, see [`literal`].
pub(crate) fn resolve(pattern: &str, lookup: &dyn Fn(&str) -> Option<Option<String>>) -> Resolved {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = after.find('}') else { break };
        let body = after.get(2..end).unwrap_or("");
        rest = after.get(end + 1..).unwrap_or("");
        match body {
            "*" | "?" | "$" => out.push_str(&literal(body)),
            _ => {
                let (key, default) = match body.split_once(',') {
                    Some((k, d)) => (k.trim(), Some(d.trim().trim_matches('\'').to_owned())),
                    None => (body.trim(), None),
                };
                match (lookup(key), default) {
                    (Some(Some(v)), _) => out.push_str(&literal(&v)),
                    (Some(None), Some(d)) => out.push_str(&literal(&d)),
                    (Some(None), None) => return Resolved::Nothing,
                    (None, _) => return Resolved::Unknown(key.to_owned()),
                }
            }
        }
    }
    out.push_str(rest);
    Resolved::Pattern(out)
}

/// Text in which `*` and `?` are no wildcards any more.
pub(crate) fn literal(text: &str) -> String {
    text.replace('*', "\u{f8f0}").replace('?', "\u{f8f1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        assert!(glob("arn:aws:iam::*:policy/fn2-*", "arn:aws:iam::1:policy/fn2-x"));
        assert!(glob("a*b*c", "a1b2b3c") && !glob("a*b", "ac") && glob("*", "") && glob("a?c", "abc"));
    }

    #[test]
    fn containment() {
        assert!(contains("*", "iam:*") && contains("iam:*", "iam:Create*") && contains("iam:?reate*", "iam:Create*"));
        assert!(
            !contains("iam:Create*", "iam:*")
                && !contains("a?", "a*")
                && contains("a*", "a?")
                && contains("a*z", "a*yz")
        );
    }
}
