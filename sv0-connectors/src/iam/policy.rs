//! Policy documents, read tolerantly: single objects or lists, decoded or percent-encoded, duplicate ids.

use serde_json::Value as Json;

use super::condition::Condition;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Forbids.
    Deny,
}

/// One statement. `id` is where it stands, for evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Where it stands: the document's name and the statement's number, or a node's key.
    pub id: String,
    /// Its own id.
    pub sid: String,
    /// Grants or forbids.
    pub effect: Effect,
    /// Action patterns, lower case.
    pub actions: Vec<String>,
    /// `NotAction` stood there: everything but the patterns.
    pub not_action: bool,
    /// Resource patterns; empty where the document has none (trust and resource policies).
    pub resources: Vec<String>,
    /// `NotResource` stood there.
    pub not_resource: bool,
    /// `Type:value`; empty where the document has none (identity policies).
    pub principals: Vec<String>,
    /// `NotPrincipal` stood there.
    pub not_principal: bool,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The language's version knows policy variables.
    pub variables: bool,
}

/// A document's statements.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    /// The statements.
    pub statements: Vec<Statement>,
}

/// Why a document can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not JSON.
    #[error("the policy document isn't JSON: {0}")]
    Json(String),
    /// Not a document.
    #[error("the policy document has no `Statement`")]
    NoStatement,
    /// A statement that can't be judged.
    #[error("statement {index}: {reason}")]
    Statement {
        /// Which.
        index: usize,
        /// Why.
        reason: String,
    },
}

impl Document {
    /// Reads a document: an object, or its text (percent-encoded as the wire has it, or plain).
    ///
    /// # Errors
    /// [`PolicyError`] where something in it can't be understood; nothing is guessed.
    pub fn read(doc: &Json, name: &str) -> Result<Self, PolicyError> {
        if let Json::String(s) = doc {
            let text = if s.trim_start().starts_with('%') { percent_decode(s) } else { s.clone() };
            let parsed: Json = serde_json::from_str(&text).map_err(|e| PolicyError::Json(e.to_string()))?;
            return match parsed {
                Json::String(_) => Err(PolicyError::NoStatement),
                parsed => Self::read(&parsed, name),
            };
        }
        let statements = match doc.get("Statement") {
            Some(Json::Array(a)) => a.iter().collect(),
            Some(o @ Json::Object(_)) => vec![o],
            _ => return Err(PolicyError::NoStatement),
        };
        let variables = doc.get("Version").and_then(Json::as_str) == Some("2012-10-17");
        let statements = statements
            .into_iter()
            .enumerate()
            .map(|(i, s)| {
                Statement::read(s, format!("{name}#{i}"), variables)
                    .map_err(|reason| PolicyError::Statement { index: i, reason })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

impl Statement {
    /// Reads one statement.
    ///
    /// # Errors
    /// What can't be understood, in words.
    pub fn read(s: &Json, id: String, variables: bool) -> Result<Self, String> {
        let effect = match s.get("Effect").and_then(Json::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            other => return Err(format!("`Effect` is {other:?}, not Allow or Deny")),
        };
        let list = |name: &str| -> Result<Option<Vec<String>>, String> {
            match s.get(name) {
                None => Ok(None),
                Some(v) => {
                    strings(v).map(Some).ok_or_else(|| format!("`{name}` is neither a text nor a list of texts"))
                }
            }
        };
        let pick = |yes: &str, no: &str| -> Result<(Vec<String>, bool), String> {
            match (list(yes)?, list(no)?) {
                (Some(_), Some(_)) => Err(format!("`{yes}` and `{no}` in one statement")),
                (Some(l), None) => Ok((l, false)),
                (None, Some(l)) => Ok((l, true)),
                (None, None) => Ok((Vec::new(), false)),
            }
        };
        let (actions, not_action) = pick("Action", "NotAction")?;
        let (resources, not_resource) = pick("Resource", "NotResource")?;
        let (principals, not_principal) = match (s.get("Principal"), s.get("NotPrincipal")) {
            (Some(p), _) => (principals(p)?, false),
            (None, Some(p)) => (principals(p)?, true),
            (None, None) => (Vec::new(), false),
        };
        let conditions = match s.get("Condition") {
            None | Some(Json::Null) => Vec::new(),
            Some(c) => Condition::read_all(c)?,
        };
        Ok(Self {
            id,
            sid: s.get("Sid").and_then(Json::as_str).unwrap_or("").to_owned(),
            effect,
            actions: actions.into_iter().map(|a| a.to_lowercase()).collect(),
            not_action,
            resources,
            not_resource,
            principals,
            not_principal,
            conditions,
            variables,
        })
    }
}

pub(crate) fn strings(v: &Json) -> Option<Vec<String>> {
    match v {
        Json::String(s) => Some(vec![s.clone()]),
        Json::Array(a) => a.iter().map(|x| x.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn principals(p: &Json) -> Result<Vec<String>, String> {
    match p {
        Json::String(s) if s == "*" => Ok(vec!["AWS:*".to_owned()]),
        Json::Object(o) => {
            let mut out = Vec::new();
            for (kind, v) in o {
                let items =
                    strings(v).ok_or_else(|| format!("principal `{kind}` is neither a text nor a list of texts"))?;
                out.extend(items.into_iter().map(|i| format!("{kind}:{i}")));
            }
            Ok(out)
        }
        _ => Err("`Principal` is neither `*` nor an object".to_owned()),
    }
}

fn percent_decode(s: &str) -> String {
    let bytes = s.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        let hex = (b == b'%').then(|| s.get(i + 1..i + 3).and_then(|h| u8::from_str_radix(h, 16).ok())).flatten();
        match hex {
            Some(h) => {
                out.push(h);
                i += 3;
            }
            None => {
                out.push(b);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
