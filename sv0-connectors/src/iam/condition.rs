//! Condition operators, in three values: a key that isn't known leaves a residual.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::pattern::{Resolved, glob, literal, resolve};
use super::tri::{Residual, Tri};

/// One operator on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The operator as written, e.g. `ForAnyValue:StringLike`.
    pub operator: String,
    /// The key, as written.
    pub key: String,
    /// The values.
    pub values: Vec<String>,
}

/// What is known of a request.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Keys (lower case) with their values.
    pub values: BTreeMap<String, Vec<String>>,
    /// Keys (lower case) that are known to be absent.
    pub absent: Vec<String>,
    /// A key that isn't there is absent, not unknown.
    pub complete: bool,
    /// Keys (lower case) that the caller may have or not have, with the values they then have.
    pub optional: BTreeMap<String, Vec<String>>,
}

/// What is known of one key.
enum Known<'a> {
    Values(&'a [String]),
    Absent,
    Either(&'a [String]),
    Unknown,
}

impl Context {
    /// Sets a key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.values.insert(key.to_lowercase(), vec![value.into()]);
    }

    fn get(&self, key: &str) -> Known<'_> {
        let key = key.to_lowercase();
        if let Some(v) = self.values.get(&key) {
            Known::Values(v)
        } else if let Some(v) = self.optional.get(&key) {
            Known::Either(v)
        } else if self.complete || self.absent.contains(&key) {
            Known::Absent
        } else {
            Known::Unknown
        }
    }

    /// For policy variables: `None` unknown, `Some(None)` absent.
    pub(crate) fn variable(&self, key: &str) -> Option<Option<String>> {
        match self.get(key) {
            Known::Values([one]) => Some(Some(one.clone())),
            // A key with several values can't stand in a pattern.
            Known::Values(_) | Known::Absent => Some(None),
            Known::Either(_) | Known::Unknown => None,
        }
    }
}

impl Condition {
    /// Reads a condition block.
    pub(crate) fn read_all(c: &Json) -> Result<Vec<Self>, String> {
        let Json::Object(ops) = c else { return Err("`Condition` isn't an object".to_owned()) };
        let mut out = Vec::new();
        for (operator, keys) in ops {
            let Json::Object(keys) = keys else { return Err(format!("condition `{operator}` isn't an object")) };
            for (key, v) in keys {
                let one = |v: &Json| match v {
                    Json::String(s) => Some(s.clone()),
                    Json::Bool(b) => Some(b.to_string()),
                    Json::Number(n) => Some(n.to_string()),
                    _ => None,
                };
                let values: Option<Vec<String>> = match v {
                    Json::Array(a) => a.iter().map(one).collect(),
                    v => one(v).map(|x| vec![x]),
                };
                let values = values.ok_or_else(|| format!("values of condition key `{key}`"))?;
                out.push(Self { operator: operator.clone(), key: key.clone(), values });
            }
        }
        Ok(out)
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.key, self.operator, self.values.join("|"))
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, ctx: &Context, variables: bool) -> Tri {
        let residual = || Tri::If(Residual::Is(self.text()));
        let mut op = self.operator.as_str();
        let mut quantifier = None;
        for q in ["ForAllValues:", "ForAnyValue:"] {
            if op.len() > q.len() && op.get(..q.len()).is_some_and(|p| p.eq_ignore_ascii_case(q)) {
                quantifier = Some(q);
                op = op.get(q.len()..).unwrap_or(op);
            }
        }
        let lower = op.to_lowercase();
        let (op, if_exists) = match lower.strip_suffix("ifexists") {
            Some(o) => (o, true),
            None => (lower.as_str(), false),
        };
        if op == "null" {
            let want_null = self.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
            let want_present = self.values.iter().any(|v| v.eq_ignore_ascii_case("false"));
            return match ctx.get(&self.key) {
                Known::Values(v) if !v.is_empty() => Tri::of(want_present),
                Known::Values(_) | Known::Absent => Tri::of(want_null),
                Known::Either(_) | Known::Unknown => {
                    if want_null && want_present {
                        Tri::Yes
                    } else {
                        residual()
                    }
                }
            };
        }
        let negated = op.contains("not");
        let mut unknown_variable = false;
        let mut wanted: Vec<String> = Vec::new();
        let text_like = op.starts_with("string") || op.starts_with("arn");
        for v in &self.values {
            if variables && text_like && v.contains("${") {
                match resolve(v, &|k| ctx.variable(k)) {
                    Resolved::Pattern(p) => wanted.push(p),
                    Resolved::Nothing => {}
                    Resolved::Unknown(_) => unknown_variable = true,
                }
            } else {
                wanted.push(v.clone());
            }
        }
        let absent = match quantifier {
            Some("ForAllValues:") => true,
            Some(_) => false,
            None => negated || if_exists,
        };
        let absent = Tri::of(absent || (if_exists && quantifier.is_none()));
        let present = |given: &[String]| -> Option<bool> {
            let any = |g: &String| -> Option<bool> {
                let mut out = false;
                for w in &wanted {
                    out |= matches(op, g, w)?;
                }
                Some(out)
            };
            let each: Option<Vec<bool>> = given.iter().map(any).collect();
            let each: Vec<bool> = each?.into_iter().map(|hit| hit != negated).collect();
            Some(match quantifier {
                Some("ForAllValues:") => each.iter().all(|b| *b),
                Some(_) => each.iter().any(|b| *b),
                // A negated operator without a quantifier: no value may match; a plain one: one must.
                None if negated => each.iter().all(|b| *b),
                None => each.iter().any(|b| *b),
            })
        };
        match ctx.get(&self.key) {
            Known::Absent => absent,
            Known::Values([]) => absent,
            Known::Values(g) => match present(g) {
                Some(true) if unknown_variable && negated => residual(),
                Some(false) if unknown_variable && !negated => residual(),
                Some(b) => Tri::of(b),
                None => residual(),
            },
            Known::Either(g) => match present(g) {
                Some(b) if Tri::of(b) == absent => absent,
                _ => residual(),
            },
            Known::Unknown => residual(),
        }
    }
}

/// Whether a given value fits a wanted one, the operator's negation left aside; `None` for an operator that isn't known.
fn matches(op: &str, given: &str, wanted: &str) -> Option<bool> {
    let plain = |s: &str| s.replace('\u{f8f0}', "*").replace('\u{f8f1}', "?");
    Some(match op {
        "stringequals" | "stringnotequals" => given == plain(wanted),
        "stringequalsignorecase" | "stringnotequalsignorecase" => given.to_lowercase() == plain(wanted).to_lowercase(),
        "stringlike" | "stringnotlike" => glob(wanted, &literal_text(given, wanted)),
        "arnequals" | "arnlike" | "arnnotequals" | "arnnotlike" => arn_like(wanted, given),
        "numericequals" | "numericnotequals" => number(given)? == number(wanted)?,
        "numericlessthan" => number(given)? < number(wanted)?,
        "numericlessthanequals" => number(given)? <= number(wanted)?,
        "numericgreaterthan" => number(given)? > number(wanted)?,
        "numericgreaterthanequals" => number(given)? >= number(wanted)?,
        "dateequals" | "datenotequals" => date(given)? == date(wanted)?,
        "datelessthan" => date(given)? < date(wanted)?,
        "datelessthanequals" => date(given)? <= date(wanted)?,
        "dategreaterthan" => date(given)? > date(wanted)?,
        "dategreaterthanequals" => date(given)? >= date(wanted)?,
        "bool" => given.eq_ignore_ascii_case(wanted),
        "binaryequals" => given == wanted,
        "ipaddress" | "notipaddress" => in_network(given, wanted)?,
        _ => return None,
    })
}

/// A wanted pattern with literal wildcards is matched against a text whose wildcards are mapped alike.
fn literal_text(given: &str, wanted: &str) -> String {
    if wanted.contains(['\u{f8f0}', '\u{f8f1}']) { literal(given) } else { given.to_owned() }
}

/// ARNs match segment by segment, so that a star doesn't cross a colon of the first five.
fn arn_like(wanted: &str, given: &str) -> bool {
    let w: Vec<&str> = wanted.splitn(6, ':').collect();
    let g: Vec<&str> = given.splitn(6, ':').collect();
    w.len() == 6 && g.len() == 6 && w.iter().zip(&g).all(|(w, g)| glob(w, &literal_text(g, w)))
}

fn number(s: &str) -> Option<f64> {
    s.trim().parse().ok()
}

fn date(s: &str) -> Option<i64> {
    if let Ok(n) = s.trim().parse::<i64>() {
        return Some(n * 1_000_000);
    }
    crate::text::timestamp(s)
}

fn in_network(given: &str, wanted: &str) -> Option<bool> {
    use std::net::IpAddr;
    let (net, bits) = match wanted.split_once('/') {
        Some((n, b)) => (n, Some(b.parse::<u32>().ok()?)),
        None => (wanted, None),
    };
    let (given, net): (IpAddr, IpAddr) = (given.trim().parse().ok()?, net.trim().parse().ok()?);
    let (g, n, width) = match (given, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return Some(false),
    };
    let bits = bits.unwrap_or(width).min(width);
    let shift = width - bits;
    Some(shift >= 128 || g >> shift == n >> shift)
}
