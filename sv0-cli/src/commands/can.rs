//! `can`, `who-can`: the evaluator for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use sv0_connectors::enrich::{AwsModel, Principal};
use sv0_connectors::iam::{Context, Decision, Document, Input, Request, Statement, Tri, arn_account, evaluate};
use sv0_graph::{Direction, GraphView, NodeType, Schema, Snapshot, State};

use crate::args::{CanArgs, DocumentFormat, WhoCanArgs};
use crate::failure::Failure;
use crate::{load, output};

fn by(d: &Decision) -> Vec<Json> {
    d.by()
        .iter()
        .map(|id| match id.rsplit_once('#') {
            Some((doc, n)) => {
                json!({"document": doc, "statement": n.parse::<u64>().map_or_else(|_| json!(n), |n| json!(n))})
            }
            None => json!({"document": id, "statement": null}),
        })
        .collect()
}

fn decision_json(id: &Json, d: &Decision) -> Json {
    let mut o = json!({"id": id, "decision": d.name()});
    if let Decision::Conditional { condition, .. } = d {
        o["condition"] = json!(condition.to_string());
    }
    o["by"] = Json::Array(by(d));
    o
}

pub(crate) fn can(a: &CanArgs) -> Result<ExitCode, Failure> {
    if let Some(p) = &a.policies {
        return by_hand(p);
    }
    let (Some(store), Some(who), Some(action)) = (&a.store, &a.who, &a.action) else {
        return Err(Failure::input("give a store, an identity and an action, or --policies"));
    };
    let store = load::open(store)?;
    let s = store.latest();
    let model = AwsModel::read(&s, s.time())?;
    let p = find(&s, &model, who)?;
    let mut extra = Vec::new();
    for c in &a.context {
        let Some(kv) = c.split_once('=') else {
            return Err(Failure::input(format!("--context: `{c}` has no `=`; write key=value")));
        };
        extra.push(kv);
    }
    let d = if action.eq_ignore_ascii_case("sts:AssumeRole")
        && let Some(role) = model.by_arn.get(a.resource.as_str())
    {
        // Becoming a role asks the role's trust too.
        model.can_assume(p, &model.principals[*role])
    } else {
        model.decide(p, action, &a.resource, &extra)
    };
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    if a.format.unwrap_or(default) == DocumentFormat::Json {
        let mut o = decision_json(&json!(p.arn.as_ref()), &d);
        o["action"] = json!(action);
        o["resource"] = json!(a.resource);
        output::json(&o, true)?;
    } else {
        let mut out =
            format!("{}: {} on {} by {}\n", d.name(), action, output::clean(&a.resource), output::clean(&p.arn));
        if let Decision::Conditional { condition, .. } = &d {
            out += &format!("  if {}\n", output::clean(&condition.to_string()));
        }
        for b in d.by() {
            out += &format!("  by {}\n", output::clean(b));
        }
        output::print(&out)?;
    }
    Ok(if d.tri() == Tri::No { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// A principal by key, ARN or name.
fn find<'m>(s: &Snapshot, m: &'m AwsModel, who: &str) -> Result<&'m Principal, Failure> {
    let mut hits: Vec<&Principal> = Vec::new();
    for p in &m.principals {
        if *p.arn == *who || s.key(p.node)?.to_string() == who {
            return Ok(p);
        }
        if *p.name == *who {
            hits.push(p);
        }
    }
    match hits.as_slice() {
        [one] => Ok(one),
        [] => {
            let near = Schema::nearest(who, m.principals.iter().map(|p| &*p.name));
            let hint = if near.is_empty() { String::new() } else { format!("; did you mean `{}`?", near.join("`, `")) };
            Err(Failure::input(format!("there is no AWS role or user `{who}` in the store{hint}")))
        }
        many => {
            let arns: Vec<&str> = many.iter().map(|p| &*p.arn).collect();
            Err(Failure::input(format!("`{who}` is ambiguous: {}", arns.join(", "))))
        }
    }
}

pub(crate) fn who_can(a: &WhoCanArgs) -> Result<ExitCode, Failure> {
    let store = load::open(&a.store)?;
    let s = store.latest();
    let model = AwsModel::read(&s, s.time())?;
    let account = arn_account(&a.resource);
    let mut direct: BTreeMap<u32, Decision> = BTreeMap::new();
    for p in &model.principals {
        // Without the resource's own policy, another account's principals are out.
        if account.is_some_and(|x| x != &*p.account) {
            continue;
        }
        let d = model.decide(p, &a.action, &a.resource, &[]);
        if d.tri().possible() {
            direct.insert(p.node, d);
        }
    }
    // Backwards along the edges by which one becomes another.
    let become_: Vec<_> = [
        "CAN_ASSUME",
        "CAN_ADD_CREDENTIAL",
        "CAN_CHANGE_TRUST",
        "CAN_CREATE_COMPUTE_AS",
        "CAN_GRANT",
        "CAN_CONTROL",
        "RUNS_AS",
    ]
    .iter()
    .filter_map(|t| s.schema().edge_type_id(t))
    .collect();
    let contains = s.schema().edge_type_id("CONTAINS");
    let mut via: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
    let mut queue: Vec<u32> = direct.keys().copied().collect();
    let mut seen: BTreeSet<u32> = direct.keys().copied().collect();
    let mut at = 0;
    while let Some(n) = queue.get(at).copied() {
        at += 1;
        let mut from = Vec::new();
        for t in &become_ {
            s.expand(n, *t, Direction::In, &mut |o, e| from.push((o, e)))?;
        }
        if let Some(c) = contains {
            // Edges to a set of targets reach its members.
            let mut sets = Vec::new();
            s.expand(n, c, Direction::In, &mut |o, _| sets.push(o))?;
            for set in sets {
                if &*s.text(set, "kind")? == "aws.target_set" {
                    for t in &become_ {
                        s.expand(set, *t, Direction::In, &mut |o, e| from.push((o, e)))?;
                    }
                }
            }
        }
        for (o, e) in from {
            let state = s.edge(e)?.state;
            if state != State::Latent && seen.insert(o) {
                via.insert(o, (n, state == State::Conditional));
                queue.push(o);
            }
        }
    }
    let mut rows = Vec::new();
    for (n, d) in &direct {
        rows.push((s.key(*n)?.to_string(), d.name().to_owned(), String::new(), by(d)));
    }
    for (n, (through, conditional)) in &via {
        if s.node_type(*n) == Some(NodeType::Identity) {
            let how = if *conditional { "conditional" } else { "allowed" };
            rows.push((s.key(*n)?.to_string(), how.to_owned(), s.key(*through)?.to_string(), Vec::new()));
        }
    }
    rows.sort_by(|x, y| (!x.2.is_empty(), &x.0).cmp(&(!y.2.is_empty(), &y.0)));
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    if a.format.unwrap_or(default) == DocumentFormat::Json {
        let list: Vec<Json> = rows
            .iter()
            .map(|(who, d, via, by)| json!({"identity": who, "decision": d, "via": if via.is_empty() { Json::Null } else { json!(via) }, "by": by}))
            .collect();
        output::json(&json!({"action": a.action, "resource": a.resource, "identities": list}), true)?;
    } else {
        let table = rows.into_iter().map(|(w, d, v, _)| vec![w, d, v]).collect::<Vec<_>>();
        output::print(&output::table(&["identity", "decision", "acting as"], table))?;
    }
    let any = !direct.is_empty();
    Ok(if any { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// One JSON case a line.
fn by_hand(path: &Path) -> Result<ExitCode, Failure> {
    let input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|e| Failure::input(format!("{}: {e}", path.display())))?))
    };
    let mut out = String::new();
    for (i, line) in input.lines().enumerate() {
        let line = line.map_err(|e| Failure::input(format!("{}:{}: {e}", path.display(), i + 1)))?;
        if line.trim().is_empty() {
            continue;
        }
        let bad = |why: String| Failure::input(format!("{}:{}: {why}", path.display(), i + 1));
        let c: Json = serde_json::from_str(&line).map_err(|e| bad(format!("malformed JSON: {e}")))?;
        let d = case(&c).map_err(bad)?;
        out += &decision_json(&c["id"], &d).to_string();
        out.push('\n');
        if out.len() > 1 << 16 {
            output::print(&out)?;
            out.clear();
        }
    }
    output::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn case(c: &Json) -> Result<Decision, String> {
    let text = |name: &str| c.get(name).and_then(Json::as_str).unwrap_or("").to_owned();
    let read =
        |doc: &Json, name: String| Document::read(doc, &name).map(|d| d.statements).map_err(|e| format!("{name}: {e}"));
    let list = |v: &Json, name: &str| -> Result<Vec<Statement>, String> {
        let mut out = Vec::new();
        for (i, d) in v.as_array().into_iter().flatten().enumerate() {
            out.extend(read(d, format!("{name}/{i}"))?);
        }
        Ok(out)
    };
    let one = |name: &str| -> Result<Option<Vec<Statement>>, String> {
        match c.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Array(_)) => list(&c[name], name).map(Some),
            Some(d) => read(d, name.to_owned()).map(Some),
        }
    };
    let levels = |name: &str| -> Result<Vec<Vec<Statement>>, String> {
        c.get(name)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(i, l)| list(l, &format!("{name}/{i}")))
            .collect()
    };
    let mut context =
        Context { complete: c.get("context_complete").and_then(Json::as_bool).unwrap_or(false), ..Context::default() };
    for (k, v) in c.get("context").and_then(Json::as_object).into_iter().flatten() {
        let scalar = |v: &Json| match v {
            Json::String(s) => s.clone(),
            v => v.to_string(),
        };
        let values = match v {
            Json::Array(a) => a.iter().map(scalar).collect(),
            v => vec![scalar(v)],
        };
        context.values.insert(k.to_lowercase(), values);
    }
    let resource = text("resource");
    let principal_account = text("principal_account");
    let r = Request {
        principal: text("principal"),
        resource_account: match text("resource_account") {
            a if a.is_empty() => arn_account(&resource).unwrap_or(&principal_account).to_owned(),
            a => a,
        },
        principal_account,
        action: text("action"),
        resource,
        context,
    };
    if r.action.is_empty() {
        return Err("the case has no `action`".to_owned());
    }
    let identity = list(&c["identity_policies"], "identity_policies")?;
    let (boundary, session, resource) = (one("boundary")?, one("session_policy")?, one("resource_policy")?);
    let (scps, rcps) = (levels("scps")?, levels("rcps")?);
    Ok(evaluate(
        &r,
        &Input {
            identity: &identity,
            boundary: boundary.as_deref(),
            scps: &scps,
            rcps: &rcps,
            resource: resource.as_deref(),
            session: session.as_deref(),
        },
    ))
}
