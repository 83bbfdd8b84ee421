//! The shapes of findings, as other programs read them. Fields stand in the order of the command line's page.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use sv0_query::json::{EdgeRefJson, NodeJson, PathJson};

use crate::rule::{Category, Severity};

/// A step that reduces a finding's risk.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct Reducer {
    pub text: String,
    pub removes: Option<EdgeRefJson>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct Finding {
    pub id: String,
    pub rule: String,
    pub category: Category,
    pub title: String,
    pub severity: Severity,
    pub state: &'static str,
    pub confidence: &'static str,
    pub subject: NodeJson,
    pub path: Option<PathJson>,
    pub columns: BTreeMap<String, Json>,
    pub condition: Option<String>,
    pub path_hash: String,
    pub lifecycle: Option<&'static str>,
    pub reducers: Vec<Reducer>,
    pub references: BTreeMap<String, Vec<String>>,
}
