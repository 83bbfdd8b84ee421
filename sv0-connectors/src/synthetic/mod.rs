//! A synthetic organisation in the ingestion contract's form: units of about a thousand nodes on five platforms, with the
//! shapes that real ones have (hubs, wildcards, nested groups, chains and cycles of trust), healthy but for the risks that
//! are planted and listed. The same scale and seed give the same bytes.

mod plant;
mod random;
mod unit;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use random::Random;

/// When it was observed: all its dates are before.
pub(crate) const OBSERVED: &str = "2026-01-15T06:00:00Z";
/// The platforms, by unit in turn: the source, its system, and whether its names go by account.
pub(crate) const PLATFORMS: &[Platform] = &[
    Platform { source: "entra:synth", system: "entra", name: "entra" },
    Platform { source: "aws:synth", system: "aws", name: "aws" },
    Platform { source: "azure:synth", system: "azure", name: "azure" },
    Platform { source: "servicenow:synth", system: "servicenow", name: "servicenow" },
    Platform { source: "github:synth", system: "github", name: "github" },
];

/// A platform.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Platform {
    pub source: &'static str,
    pub system: &'static str,
    /// Its file.
    pub name: &'static str,
}

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// 1 is about a hundred thousand nodes, in a hundred units.
    pub scale: f64,
    /// Another seed, another organisation of the same shapes.
    pub seed: u64,
}

/// What a rule is to say of it, and what it isn't.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Truth {
    /// Each planted risk.
    pub found: Vec<Planted>,
    /// Twins that look alike and are healthy.
    pub healthy: Vec<Planted>,
}

/// A rule and the node that it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Planted {
    /// The rule.
    pub rule: &'static str,
    /// The node's key in text.
    pub subject: String,
}

/// How much was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// Nodes by type.
    pub nodes: BTreeMap<&'static str, u64>,
    /// Edges by type.
    pub edges: BTreeMap<&'static str, u64>,
}

/// How many units a scale has: at least one of each platform.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a scale is a small number")]
pub fn units(scale: f64) -> u32 {
    ((scale.clamp(0.0, 10_000.0) * 100.0).round() as u32).max(u32::try_from(PLATFORMS.len()).unwrap_or(1))
}

/// Makes an organisation, unit by unit: `sink` gets each file's name and its next line. In any file the header comes first.
///
/// # Errors
/// The first error of `sink`.
pub fn generate<E>(options: Options, sink: &mut dyn FnMut(&str, &str) -> Result<(), E>) -> Result<(Made, Truth), E> {
    let units = units(options.scale);
    for (i, p) in PLATFORMS.iter().enumerate() {
        sink(p.name, &header(*p, i, units, options.seed).to_string())?;
    }
    let (mut made, mut truth) = (Made::default(), Truth::default());
    for number in 0..units {
        let platform = number as usize % PLATFORMS.len();
        let mut w = Writer::new(PLATFORMS[platform], number);
        let mut random = Random::new(options.seed, u64::from(number));
        let base = unit::write(&mut w, &mut random, number, units);
        plant::write(&mut w, &mut random, number, &base, &mut truth);
        for line in &w.lines {
            sink(w.platform.name, &line.to_string())?;
        }
        for (k, n) in w.nodes {
            *made.nodes.entry(k).or_default() += n;
        }
        for (k, n) in w.edges {
            *made.edges.entry(k).or_default() += n;
        }
    }
    truth.found.sort();
    truth.healthy.sort();
    Ok((made, truth))
}

/// A file's first line: one record for each unit of its platform.
fn header(p: Platform, at: usize, units: u32, seed: u64) -> Json {
    let own = (0..units).filter(|u| *u as usize % PLATFORMS.len() == at);
    let records: Vec<Json> = own
        .map(|u| {
            let hash = Sha256::digest(format!("{seed} {} {u}", p.source));
            let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            json!({"ref": format!("u{u}"), "operation": format!("synthetic unit {u}"), "params": {"seed": seed},
                "fetched_at": OBSERVED, "sha256": hash})
        })
        .collect();
    let types = [
        "identity",
        "automation",
        "connection",
        "credential",
        "human_identity",
        "role",
        "permission",
        "resource",
        "execution_evidence",
    ];
    json!({"sv0": 1, "source": p.source, "system": p.system, "observed_at": OBSERVED,
        "complete": [{"types": types, "scope": "tenant"}], "records": records})
}

/// Lines of one unit.
pub(crate) struct Writer {
    pub platform: Platform,
    record: String,
    lines: Vec<Json>,
    nodes: BTreeMap<&'static str, u64>,
    edges: BTreeMap<&'static str, u64>,
}

impl Writer {
    fn new(platform: Platform, unit: u32) -> Self {
        let record = format!("u{unit}");
        Self { platform, record, lines: Vec::new(), nodes: BTreeMap::new(), edges: BTreeMap::new() }
    }

    /// A node; answers with its id.
    pub(crate) fn node(&mut self, ty: &'static str, kind: &str, id: String, props: Json) -> String {
        *self.nodes.entry(ty).or_default() += 1;
        let pointer = format!("/items/{}", self.lines.len());
        let mut node = json!({"id": id, "type": ty, "kind": kind, "name": id, "record": [self.record, pointer]});
        node["props"] = props;
        self.lines.push(json!({"node": node}));
        id
    }

    /// An edge.
    pub(crate) fn edge(&mut self, ty: &'static str, from: &str, to: &str) {
        self.edge_with(ty, from, to, &Json::Null);
    }

    /// An edge with properties.
    pub(crate) fn edge_with(&mut self, ty: &'static str, from: &str, to: &str, props: &Json) {
        *self.edges.entry(ty).or_default() += 1;
        let pointer = format!("/items/{}", self.lines.len());
        let mut edge = json!({"type": ty, "from": from, "to": to, "record": [self.record, pointer]});
        if !props.is_null() {
            edge["props"] = props.clone();
        }
        self.lines.push(json!({"edge": edge}));
    }

    /// A node's key in text.
    pub(crate) fn key(&self, id: &str) -> String {
        format!("{}:{id}", self.platform.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(scale: f64, seed: u64) -> (String, Made, Truth) {
        let mut out = String::new();
        let (made, truth) = generate(Options { scale, seed }, &mut |file, line| {
            out += &format!("{file} {line}\n");
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
        (out, made, truth)
    }

    #[test]
    fn the_same_seed_gives_the_same_organisation_and_another_gives_another() {
        let (a, made, truth) = text(0.05, 7);
        assert_eq!((&a, &made, &truth), (&text(0.05, 7).0, &text(0.05, 7).1, &text(0.05, 7).2));
        assert_ne!(a, text(0.05, 8).0);
        let nodes: u64 = made.nodes.values().sum();
        let edges: u64 = made.edges.values().sum();
        assert!((4_500..6_500).contains(&nodes) && edges > 3 * nodes, "{nodes} {edges}");
        assert_eq!(made.nodes.len(), 9);
        assert!(truth.found.len() > 10 && !truth.healthy.is_empty());
    }

    #[test]
    fn a_scale_is_in_units_of_a_thousand_nodes() {
        assert_eq!((units(1.0), units(0.1), units(0.0), units(-3.0)), (100, 10, 5, 5));
    }
}
