//! API responses to the authority graph.
//!
//! What is in here: the ingestion [`contract`], the AWS transform ([`aws`]), the effective-permission evaluator
//! ([`iam`]), the [`enrich`] step (classify, join, derive; pure), and [`sources`], which finds out what a folder holds.
//! What is not: no query, no rule, no network.

#![forbid(unsafe_code)]

pub mod aws;
pub mod contract;
pub mod enrich;
pub mod iam;
pub mod sources;
pub mod synthetic;
pub mod tables;
mod text;

pub use sv0_graph;

fn iam_strings(v: &serde_json::Value) -> Option<Vec<String>> {
    match v {
        serde_json::Value::String(s) => Some(vec![s.clone()]),
        serde_json::Value::Array(a) => a.iter().map(|x| x.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
