//! The known escalation paths, each on an account that has its target, and each lacking one permission.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use sv0_connectors::enrich::{self, Pack};
use sv0_connectors::sv0_graph::{GraphView, NodeType, Schema, Value, Working};
use sv0_connectors::{aws, contract, sources};

/// Stages a case's account and contract lines, enriched.
pub fn stage(account: &Json, lines: Option<&Json>) -> Working {
    let schema = Arc::new(Schema::canonical());
    let (mut batches, _) = aws::transform(account, "0", None);
    if let Some(Json::Array(l)) = lines
        && !l.is_empty()
    {
        let text: String = l.iter().map(|x| format!("{x}\n")).collect();
        batches.push(contract::read(&mut text.as_bytes(), "0", &schema).unwrap());
    }
    let mut w = Working::new(schema);
    w.apply(sources::link(batches, &[]), false).unwrap_or_else(|e| panic!("{e}"));
    let as_of = w.time();
    let derived = enrich::run(&w, &Pack::built_in().unwrap(), as_of).unwrap();
    w.apply(vec![derived], false).unwrap_or_else(|e| panic!("{e}"));
    w
}

/// The strongest state in which a principal gains, and through what.
pub fn gain(w: &Working, arn: &str) -> Option<(String, Vec<String>)> {
    let n = w
        .nodes(Some(NodeType::Identity))
        .unwrap()
        .into_iter()
        .find(|n| &*w.key(*n).unwrap().id == arn)
        .unwrap_or_else(|| panic!("no {arn}"));
    let state = w.text(n, "gain_state").unwrap();
    let gains = match w.prop(n, "gains").unwrap() {
        Value::List(l) => l.iter().map(|s| s.to_string()).collect(),
        _ => Vec::new(),
    };
    (!state.is_empty()).then(|| (state.to_string(), gains))
}

fn cases(folder: &str) -> Vec<(String, Json)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|f| {
            let text = std::fs::read_to_string(&f).unwrap();
            (f.file_stem().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

/// Takes an action out of every identity statement (trust policies stay).
fn without(account: &Json, action: &str) -> Json {
    let mut a = account.clone();
    let strip = |doc: &mut Json| {
        let Some(list) = doc.get_mut("Statement") else { return };
        let statements = match list {
            Json::Array(a) => a,
            _ => return,
        };
        for s in statements.iter_mut() {
            match s.get_mut("Action") {
                Some(Json::Array(acts)) => acts.retain(|x| x != action),
                Some(Json::String(x)) if x == action => s["Action"] = Json::Array(vec![]),
                _ => {}
            }
        }
        statements.retain(|s| s.get("Action").is_none_or(|a| a.as_array().is_none_or(|a| !a.is_empty())));
    };
    for list in ["UserDetailList", "RoleDetailList", "GroupDetailList"] {
        for p in a[list].as_array_mut().into_iter().flatten() {
            for inline in ["UserPolicyList", "RolePolicyList", "GroupPolicyList"] {
                for d in p.get_mut(inline).and_then(Json::as_array_mut).into_iter().flatten() {
                    strip(&mut d["PolicyDocument"]);
                }
            }
        }
    }
    for p in a["Policies"].as_array_mut().into_iter().flatten() {
        for v in p["PolicyVersionList"].as_array_mut().into_iter().flatten() {
            strip(&mut v["Document"]);
        }
    }
    a
}

#[test]
fn every_known_path_is_found_and_needs_all_its_permissions() {
    let all = cases("aws-escalation");
    assert_eq!(all.len(), 65);
    let mut wrong = Vec::new();
    for (id, c) in &all {
        let subject = c["subject"].as_str().unwrap();
        let state = c["state"].as_str().unwrap();
        let w = stage(&c["account"], c.get("contract"));
        match gain(&w, subject) {
            None => wrong.push(format!("{id}: not found")),
            Some((s, gains)) => {
                if s != state {
                    wrong.push(format!("{id}: {s}, expected {state} ({gains:?})"));
                }
                let target = c["target"].as_str().unwrap_or(subject);
                if !gains.iter().any(|g| g.ends_with(target)) {
                    wrong.push(format!("{id}: {gains:?}, expected {target}"));
                }
            }
        }
        for action in c["required"].as_array().unwrap() {
            let w = stage(&without(&c["account"], action.as_str().unwrap()), c.get("contract"));
            if let Some((s, gains)) = gain(&w, subject)
                && s != "latent"
            {
                wrong.push(format!("{id} without {action}: still {s} through {gains:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn near_misses_are_judged_right() {
    let mut wrong = Vec::new();
    for (id, c) in cases("aws-negative") {
        let w = stage(&c["account"], c.get("contract"));
        let found = gain(&w, c["subject"].as_str().unwrap());
        let state = found.as_ref().map_or("none", |f| f.0.as_str());
        if state != c["expect"].as_str().unwrap() {
            wrong.push(format!("{id}: {state}, expected {} ({found:?})", c["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
