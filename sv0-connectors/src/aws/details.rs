//! `get-account-authorization-details` to the graph. Pure: the same document gives the same batches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;
use sv0_graph::{EdgeInput, Evidence, GraphBatch, NodeInput, NodeKey, NodeType, Scope, SourceRecord, State, Value};

use crate::iam::{Document, Effect, Statement, arn_account};
use crate::text;

const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];

/// Whether a document is of this operation.
#[must_use]
pub fn looks_like(doc: &Json) -> bool {
    doc.is_object() && LISTS.iter().take(3).any(|l| doc.get(l).is_some_and(Json::is_array))
}

/// The source of an account's nodes.
fn source(account: &str) -> Arc<str> {
    format!("aws:{account}").into()
}

/// Policies that AWS keeps belong to no account.
const AWS_MANAGED: &str = "aws";

fn key(arn: &str) -> NodeKey {
    NodeKey::new(arn_account(arn).map_or_else(|| AWS_MANAGED.into(), source), arn)
}

fn str_of<'j>(v: &'j Json, name: &str) -> &'j str {
    v.get(name).and_then(Json::as_str).unwrap_or("")
}

fn items<'j>(v: &'j Json, name: &str) -> impl Iterator<Item = (usize, &'j Json)> {
    v.get(name).and_then(Json::as_array).map_or(&[][..], Vec::as_slice).iter().enumerate()
}

fn time_of(v: &Json, name: &str) -> Value {
    match v.get(name) {
        Some(Json::String(s)) => text::timestamp(s).map_or(Value::Null, Value::Timestamp),
        Some(Json::Number(n)) => n.as_i64().map_or(Value::Null, |s| Value::Timestamp(s * 1_000_000)),
        _ => Value::Null,
    }
}

/// Transforms a document into one batch an account (and one for AWS's own policies). What can't be understood is noted.
///
/// The document says no time; the newest date in it is taken, unless `observed_at` is given.
#[must_use]
pub fn transform(doc: &Json, file_sha256: &str, observed_at: Option<i64>) -> (Vec<GraphBatch>, Vec<String>) {
    let mut t = Transform {
        batches: BTreeMap::new(),
        notes: Vec::new(),
        file_sha256: file_sha256.to_owned(),
        observed_at: observed_at.unwrap_or_else(|| newest(doc)),
        policies: BTreeSet::new(),
        externals: BTreeMap::new(),
        known: BTreeSet::new(),
    };
    for l in ["UserDetailList", "RoleDetailList"] {
        t.known.extend(items(doc, l).map(|(_, v)| str_of(v, "Arn").to_owned()));
    }
    // Every account that a principal or a customer's policy names.
    for l in LISTS {
        for (_, v) in items(doc, l) {
            if let Some(a) = arn_account(str_of(v, "Arn")) {
                t.account(a);
            }
        }
    }
    for (i, p) in items(doc, "Policies") {
        t.policy(p, &format!("/Policies/{i}"));
    }
    for (i, g) in items(doc, "GroupDetailList") {
        t.group(g, &format!("/GroupDetailList/{i}"));
    }
    let groups: BTreeMap<(String, String), NodeKey> = items(doc, "GroupDetailList")
        .filter_map(|(_, g)| {
            let arn = str_of(g, "Arn");
            Some(((arn_account(arn)?.to_owned(), str_of(g, "GroupName").to_owned()), key(arn)))
        })
        .collect();
    for (i, u) in items(doc, "UserDetailList") {
        t.user(u, &format!("/UserDetailList/{i}"), &groups);
    }
    for (i, r) in items(doc, "RoleDetailList") {
        t.role(r, &format!("/RoleDetailList/{i}"));
    }
    t.finish(doc)
}

/// The newest date anywhere in the document.
fn newest(doc: &Json) -> i64 {
    let mut best = 0;
    let mut stack = vec![doc];
    while let Some(v) = stack.pop() {
        match v {
            Json::Array(a) => stack.extend(a),
            Json::Object(o) => {
                for (k, v) in o {
                    match v {
                        Json::String(s) if k.ends_with("Date") => best = best.max(text::timestamp(s).unwrap_or(0)),
                        // Policies' bodies hold dates of their own.
                        _ if k.ends_with("Document") || k == "Document" => {}
                        _ => stack.push(v),
                    }
                }
            }
            _ => {}
        }
    }
    best
}

struct Transform {
    batches: BTreeMap<Arc<str>, GraphBatch>,
    notes: Vec<String>,
    file_sha256: String,
    observed_at: i64,
    /// Policies that the document describes.
    policies: BTreeSet<String>,
    externals: BTreeMap<String, (Arc<str>, String)>,
    known: BTreeSet<String>,
}

impl Transform {
    fn batch(&mut self, source: &Arc<str>) -> &mut GraphBatch {
        let (sha, at) = (self.file_sha256.clone(), self.observed_at);
        self.batches.entry(source.clone()).or_insert_with(|| {
            let mut b = GraphBatch::new(source.clone(), at);
            b.system = "aws".into();
            b.records.push(SourceRecord {
                sha256: sha.clone(),
                file_sha256: sha,
                connector: "aws".to_owned(),
                operation: "iam:GetAccountAuthorizationDetails".to_owned(),
                params: String::new(),
                account: source.strip_prefix("aws:").unwrap_or("").to_owned(),
                region: String::new(),
                fetched_at: String::new(),
            });
            b
        })
    }

    fn node(&mut self, n: NodeInput) {
        let source = n.key.source.clone();
        let n = n.with("system", Value::str("aws"));
        self.batch(&source).nodes.push(n);
    }

    fn edge(&mut self, e: EdgeInput) {
        let source = e.from.source.clone();
        self.batch(&source).edges.push(e);
    }

    fn account(&mut self, account: &str) -> NodeKey {
        let k = NodeKey::new(source(account), account);
        let s = k.source.clone();
        if !self.batch(&s).nodes.iter().any(|n| n.key == k) {
            let n = NodeInput::new(k.clone(), NodeType::Resource, "aws.account")
                .with("name", Value::str(format!("AWS account {account}")))
                .with("account", Value::str(account))
                .with("tenant", Value::str(account));
            self.node(n);
        }
        k
    }

    fn common(&mut self, v: &Json, ty: NodeType, kind: &str, name: &str, at: &str) -> Option<NodeKey> {
        let arn = str_of(v, "Arn");
        if !arn.starts_with("arn:") {
            self.notes.push(format!("{at}: no `Arn`; left out"));
            return None;
        }
        let k = key(arn);
        let account = arn_account(arn).unwrap_or("").to_owned();
        let mut n = NodeInput::new(k.clone(), ty, kind)
            .with("name", Value::str(str_of(v, name)))
            .with("arn", Value::str(arn))
            .with("created_at", time_of(v, "CreateDate"))
            .with("status", Value::str("active"))
            .at(0, at);
        if !account.is_empty() {
            n = n.with("account", Value::str(account.as_str())).with("tenant", Value::str(account.as_str()));
        }
        if let Some(p) = v.get("Path").and_then(Json::as_str) {
            n = n.with("path", Value::str(p));
        }
        if kind == "aws.role" {
            n = n.with("service_linked", Value::Bool(str_of(v, "Path").starts_with("/aws-service-role/")));
            let profiles: Vec<Arc<str>> =
                items(v, "InstanceProfileList").map(|(_, p)| str_of(p, "Arn").into()).collect();
            if !profiles.is_empty() {
                n = n.with("instance_profiles", Value::list(profiles));
            }
            let used = v.get("RoleLastUsed").map_or(Value::Null, |u| time_of(u, "LastUsedDate"));
            n = n.with("last_seen", used);
        }
        for (_, t) in items(v, "Tags") {
            let (tag, value) = (str_of(t, "Key").to_lowercase(), str_of(t, "Value"));
            match tag.as_str() {
                "environment" | "env" | "stage" => n = n.with("environment", Value::str(environment(value))),
                "purpose" => n = n.with("purpose", Value::str(value)),
                _ => {}
            }
        }
        self.node(n);
        if !account.is_empty() {
            let a = self.account(&account);
            self.edge(
                EdgeInput { evidence: Evidence::Structural, ..EdgeInput::new("CONTAINS", a, k.clone()) }.at(0, at),
            );
        }
        self.owners(v, &k, at);
        Some(k)
    }

    /// Tags that name who answers for a thing.
    fn owners(&mut self, v: &Json, k: &NodeKey, at: &str) {
        let tags: Vec<(usize, String)> = items(v, "Tags")
            .filter(|(_, t)| matches!(str_of(t, "Key").to_lowercase().as_str(), "owner" | "contact" | "team"))
            .map(|(i, t)| (i, str_of(t, "Value").to_owned()))
            .filter(|(_, t)| !t.is_empty())
            .collect();
        for (i, name) in tags {
            let o = NodeKey::new(k.source.clone(), format!("owner-tag/{name}"));
            let kind = if name.contains('@') { "user" } else { "unknown" };
            let pointer = format!("{at}/Tags/{i}");
            let mut n = NodeInput::new(o.clone(), NodeType::Owner, kind)
                .with("name", Value::str(name.as_str()))
                .with("status", Value::str("unknown"))
                .at(0, pointer.as_str());
            if name.contains('@') {
                n = n.with("email", Value::str(name.as_str()));
            }
            self.node(n);
            let e = EdgeInput { evidence: Evidence::Structural, ..EdgeInput::new("OWNED_BY", k.clone(), o) };
            self.edge(e.with("how", Value::str("tag")).at(0, pointer));
        }
    }

    fn policy(&mut self, p: &Json, at: &str) {
        let arn = str_of(p, "Arn").to_owned();
        if !arn.starts_with("arn:") {
            self.notes.push(format!("{at}: no `Arn`; left out"));
            return;
        }
        self.policies.insert(arn.clone());
        let k = key(&arn);
        let versions = items(p, "PolicyVersionList").count();
        let managed = if arn_account(&arn).is_some() { "customer" } else { "aws" };
        let default = str_of(p, "DefaultVersionId").to_owned();
        let mut n = NodeInput::new(k.clone(), NodeType::Role, "aws.policy")
            .with("name", Value::str(str_of(p, "PolicyName")))
            .with("arn", Value::str(arn.as_str()))
            .with("path", Value::str(str_of(p, "Path")))
            .with("managed_by", Value::str(managed))
            .with("default_version", Value::str(default.as_str()))
            .with("versions", Value::Int(i64::try_from(versions).unwrap_or(0)))
            .with("created_at", time_of(p, "CreateDate"))
            .with("status", Value::str("active"))
            .at(0, at);
        if let Some(a) = arn_account(&arn) {
            n = n.with("account", Value::str(a)).with("tenant", Value::str(a));
            let a = self.account(a);
            self.edge(
                EdgeInput { evidence: Evidence::Structural, ..EdgeInput::new("CONTAINS", a, k.clone()) }.at(0, at),
            );
        }
        self.node(n);
        for (i, v) in items(p, "PolicyVersionList") {
            let id = str_of(v, "VersionId");
            let in_force = v.get("IsDefaultVersion").and_then(Json::as_bool).unwrap_or(id == default);
            let Some(doc) = v.get("Document") else {
                self.notes.push(format!("{at}/PolicyVersionList/{i}: no `Document`"));
                continue;
            };
            let name = if in_force { arn.clone() } else { format!("{arn}@{id}") };
            let pointer = format!("{at}/PolicyVersionList/{i}/Document");
            self.statements(doc, &k, &name, &pointer, "GRANTS", in_force, id);
        }
    }

    /// The statements of a document, each a permission, with the edge that gives it.
    #[expect(clippy::too_many_arguments, reason = "a document, whose it is, and how it is in force")]
    fn statements(
        &mut self,
        doc: &Json,
        holder: &NodeKey,
        name: &str,
        at: &str,
        edge: &str,
        in_force: bool,
        version: &str,
    ) {
        let d = match Document::read(doc, name) {
            Ok(d) => d,
            Err(e) => {
                self.notes.push(format!("{at}: {e}"));
                return;
            }
        };
        let single = doc.get("Statement").is_some_and(Json::is_object);
        for (i, s) in d.statements.iter().enumerate() {
            let k = NodeKey::new(holder.source.clone(), s.id.as_str());
            let pointer = if single { format!("{at}/Statement") } else { format!("{at}/Statement/{i}") };
            let raw = doc.get("Statement").map(|v| if single { v } else { v.get(i).unwrap_or(v) });
            let n = statement_node(k.clone(), s, "aws.statement", raw)
                .with("is_default", Value::Bool(in_force))
                .with("version_id", if version.is_empty() { Value::Null } else { Value::str(version) })
                .at(0, pointer.as_str());
            self.node(n);
            let mut e = EdgeInput::new(edge, holder.clone(), k).at(0, pointer.as_str());
            if !in_force {
                e.state = State::Latent;
                e.condition = Some("the version isn't the default".into());
            }
            self.edge(e);
        }
    }

    fn attached(&mut self, v: &Json, holder: &NodeKey, at: &str) {
        for (i, p) in items(v, "AttachedManagedPolicies") {
            let arn = str_of(p, "PolicyArn").to_owned();
            if !arn.starts_with("arn:") {
                self.notes.push(format!("{at}/AttachedManagedPolicies/{i}: no `PolicyArn`"));
                continue;
            }
            let k = self.named_policy(&arn, &format!("{at}/AttachedManagedPolicies/{i}"));
            self.edge(EdgeInput::new("HAS_ROLE", holder.clone(), k).at(0, format!("{at}/AttachedManagedPolicies/{i}")));
        }
    }

    /// A policy that is referred to; a stub where the document doesn't describe it.
    fn named_policy(&mut self, arn: &str, at: &str) -> NodeKey {
        let k = key(arn);
        if self.policies.insert(arn.to_owned()) {
            let managed = if arn_account(arn).is_some() { "customer" } else { "aws" };
            let n = NodeInput::new(k.clone(), NodeType::Role, "aws.policy")
                .with("name", Value::str(arn.rsplit('/').next().unwrap_or(arn)))
                .with("arn", Value::str(arn))
                .with("managed_by", Value::str(managed))
                .with("status", Value::str("unknown"))
                .at(0, at);
            self.node(n);
            if arn == "arn:aws:iam::aws:policy/AdministratorAccess" {
                // Its text is public and hasn't changed since it exists.
                let doc = serde_json::json!({"Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
                if let Ok(d) = Document::read(&doc, arn)
                    && let Some(s) = d.statements.first()
                {
                    let sk = NodeKey::new(k.source.clone(), s.id.as_str());
                    let n = statement_node(sk.clone(), s, "aws.statement", None)
                        .with("is_default", Value::Bool(true))
                        .at(0, at);
                    self.node(n);
                    let e = EdgeInput { evidence: Evidence::Structural, ..EdgeInput::new("GRANTS", k.clone(), sk) };
                    self.edge(e.at(0, at));
                }
            } else {
                self.notes
                    .push(format!("{at}: the document doesn't describe policy `{arn}`; what it grants isn't known"));
            }
        }
        k
    }

    fn inline(&mut self, v: &Json, list: &str, holder: &NodeKey, at: &str) {
        for (i, p) in items(v, list) {
            let name = format!("{}/inline/{}", holder.id, str_of(p, "PolicyName"));
            match p.get("PolicyDocument") {
                Some(d) => {
                    let at = format!("{at}/{list}/{i}/PolicyDocument");
                    self.statements(d, holder, &name, &at, "HAS_PERMISSION", true, "");
                }
                None => self.notes.push(format!("{at}/{list}/{i}: no `PolicyDocument`")),
            }
        }
    }

    fn boundary(&mut self, v: &Json, holder: &NodeKey, at: &str) {
        let Some(b) = v.get("PermissionsBoundary") else { return };
        let arn = match str_of(b, "PermissionsBoundaryArn") {
            "" => str_of(b, "PolicyArn"),
            a => a,
        };
        if arn.starts_with("arn:") {
            let at = format!("{at}/PermissionsBoundary");
            let k = self.named_policy(arn, &at);
            self.edge(EdgeInput::new("LIMITED_BY", holder.clone(), k).at(0, at));
        }
    }

    fn group(&mut self, g: &Json, at: &str) {
        let Some(k) = self.common(g, NodeType::Role, "aws.group", "GroupName", at) else { return };
        self.attached(g, &k, at);
        self.inline(g, "GroupPolicyList", &k, at);
    }

    fn user(&mut self, u: &Json, at: &str, groups: &BTreeMap<(String, String), NodeKey>) {
        let Some(k) = self.common(u, NodeType::Identity, "aws.user", "UserName", at) else { return };
        self.attached(u, &k, at);
        self.inline(u, "UserPolicyList", &k, at);
        self.boundary(u, &k, at);
        for (i, g) in items(u, "GroupList") {
            let name = g.as_str().unwrap_or("").to_owned();
            let account = arn_account(&k.id).unwrap_or("").to_owned();
            let pointer = format!("{at}/GroupList/{i}");
            match groups.get(&(account, name.clone())) {
                Some(g) => self.edge(EdgeInput::new("MEMBER_OF", k.clone(), g.clone()).at(0, pointer)),
                None => self.notes.push(format!("{pointer}: the document doesn't describe group `{name}`")),
            }
        }
    }

    fn role(&mut self, r: &Json, at: &str) {
        let Some(k) = self.common(r, NodeType::Identity, "aws.role", "RoleName", at) else { return };
        self.attached(r, &k, at);
        self.inline(r, "RolePolicyList", &k, at);
        self.boundary(r, &k, at);
        if let Some(used) = r.get("RoleLastUsed") {
            self.last_used(used, &k, at);
        }
        let Some(doc) = r.get("AssumeRolePolicyDocument") else { return };
        let at = format!("{at}/AssumeRolePolicyDocument");
        let d = match Document::read(doc, &format!("{}#trust", k.id)) {
            Ok(d) => d,
            Err(e) => {
                self.notes.push(format!("{at}: {e}"));
                return;
            }
        };
        let single = doc.get("Statement").is_some_and(Json::is_object);
        for (i, s) in d.statements.iter().enumerate() {
            let pointer = if single { format!("{at}/Statement") } else { format!("{at}/Statement/{i}") };
            let raw = doc.get("Statement").map(|v| if single { v } else { v.get(i).unwrap_or(v) });
            let sk = NodeKey::new(k.source.clone(), s.id.as_str());
            let mut n = statement_node(sk.clone(), s, "aws.resource_policy_statement", raw).at(0, pointer.as_str());
            let role = k.id.rsplit('/').next().unwrap_or("").to_owned();
            for (name, value) in &mut n.props {
                if &**name == "name"
                    && let Value::Str(text) = value
                {
                    *text = format!("Trust of {role}: {text}").into();
                }
            }
            self.node(n);
            self.edge(EdgeInput::new("APPLIES_TO", sk, k.clone()).at(0, pointer.as_str()));
            if s.effect == Effect::Allow {
                for p in &s.principals {
                    self.trusted(p, &k, &pointer);
                }
            }
        }
    }

    /// Makes nodes of those whom a trust statement names and the document doesn't hold.
    fn trusted(&mut self, principal: &str, role: &NodeKey, at: &str) {
        let Some((kind, v)) = principal.split_once(':') else { return };
        match kind {
            "Federated" => {
                let k = NodeKey::new(role.source.clone(), v);
                let node_kind = if v.contains(":saml-provider/") { "aws.saml_provider" } else { "aws.oidc_provider" };
                let n = NodeInput::new(k.clone(), NodeType::Connection, node_kind)
                    .with("name", Value::str(v.rsplit('/').next().unwrap_or(v)))
                    .with("status", Value::str("active"))
                    .at(0, at);
                self.node(n);
                self.edge(EdgeInput::new("TRUSTS", role.clone(), k).at(0, at));
            }
            "AWS" => {
                let account =
                    if v.len() == 12 && v.bytes().all(|b| b.is_ascii_digit()) { Some(v) } else { arn_account(v) };
                let own = role.source.strip_prefix("aws:").unwrap_or("");
                if v == "*" {
                    let k = NodeKey::new(role.source.clone(), "anonymous");
                    let n =
                        NodeInput::new(k, NodeType::Identity, "anonymous").with("name", Value::str("anyone")).at(0, at);
                    self.node(n);
                } else if let Some(a) = account
                    && a != own
                    && !self.known.contains(v)
                {
                    let whole = v.len() == 12 || v.ends_with(":root");
                    let id = if whole { format!("arn:aws:iam::{a}:root") } else { v.to_owned() };
                    self.externals.entry(id).or_insert((role.source.clone(), at.to_owned()));
                }
            }
            _ => {}
        }
    }

    fn last_used(&mut self, used: &Json, k: &NodeKey, at: &str) {
        // AWS keeps this for 400 days; an empty object is "not used in that time".
        const WINDOW: i64 = 400 * 86_400_000_000;
        let at = format!("{at}/RoleLastUsed");
        let c = NodeKey::new(k.source.clone(), "coverage/iam-role-last-used");
        let s = k.source.clone();
        if !self.batch(&s).nodes.iter().any(|n| n.key == c) {
            let (from, to) = (self.observed_at - WINDOW, self.observed_at);
            let n = NodeInput::new(c.clone(), NodeType::ExecutionEvidence, "coverage")
                .with("name", Value::str("IAM role last used"))
                .with("log_source", Value::str("iam.role_last_used"))
                .with("window_start", Value::Timestamp(from))
                .with("window_end", Value::Timestamp(to))
                .at(0, at.as_str());
            self.node(n);
        }
        self.edge(EdgeInput::new("USED_ON", c, k.clone()).at(0, at.as_str()));
        if let Value::Timestamp(t) = time_of(used, "LastUsedDate") {
            let e = NodeKey::new(k.source.clone(), format!("{}/last-used", k.id));
            let n = NodeInput::new(e.clone(), NodeType::ExecutionEvidence, "last_used")
                .with("subject", Value::Str(k.id.clone()))
                .with("last_seen", Value::Timestamp(t))
                .with("region", Value::str(str_of(used, "Region")))
                .at(0, at.as_str());
            self.node(n);
            let edge = EdgeInput { evidence: Evidence::Temporal, ..EdgeInput::new("EVIDENCED_BY", k.clone(), e) };
            self.edge(edge.at(0, at));
        }
    }

    fn finish(mut self, doc: &Json) -> (Vec<GraphBatch>, Vec<String>) {
        for (arn, (s, at)) in std::mem::take(&mut self.externals) {
            let account = arn_account(&arn).unwrap_or("").to_owned();
            let kind = if arn.ends_with(":root") { "external.account" } else { "external.subject" };
            let name = if arn.ends_with(":root") { format!("AWS account {account}") } else { arn.clone() };
            let n = NodeInput::new(NodeKey::new(s, arn.as_str()), NodeType::Identity, kind)
                .with("name", Value::str(name))
                .with("arn", Value::str(arn))
                .with("account", Value::str(account))
                .with("tags", Value::list(["external"]))
                .at(0, at);
            self.node(n);
        }
        // Lists that the document has were listed whole: the CLI merges all pages.
        let mut types = Vec::new();
        if LISTS.iter().all(|l| doc.get(l).is_some_and(Json::is_array)) {
            types = vec![
                NodeType::Identity,
                NodeType::Role,
                NodeType::Permission,
                NodeType::Connection,
                NodeType::Owner,
                NodeType::Resource,
                NodeType::ExecutionEvidence,
            ];
        }
        let mut out: Vec<GraphBatch> = self.batches.into_values().collect();
        for b in &mut out {
            if !types.is_empty() && &*b.source != AWS_MANAGED {
                b.complete.push(Scope { types: types.clone(), scope: "account".to_owned(), within: None });
            }
        }
        self.notes.sort();
        self.notes.dedup();
        (out, self.notes)
    }
}

fn environment(v: &str) -> &'static str {
    match v.to_lowercase().as_str() {
        "prod" | "production" | "prd" | "live" => "production",
        "dev" | "development" | "sandbox" => "development",
        "test" | "qa" | "staging" | "stage" | "uat" => "test",
        _ => "unknown",
    }
}

/// A statement as a permission; the evaluator reads it back from the graph.
fn statement_node(k: NodeKey, s: &Statement, kind: &str, raw: Option<&Json>) -> NodeInput {
    let list = |l: &[String], name: &'static str, n: NodeInput| {
        if l.is_empty() { n } else { n.with(name, Value::list(l.iter().map(String::as_str))) }
    };
    let effect = if s.effect == Effect::Allow { "allow" } else { "deny" };
    let mut n = NodeInput::new(k, NodeType::Permission, kind).with("effect", Value::str(effect));
    // Actions keep their spelling where the document is at hand; matching ignores case.
    let spelled = raw
        .and_then(|r| r.get(if s.not_action { "NotAction" } else { "Action" }))
        .and_then(crate::iam_strings)
        .unwrap_or_else(|| s.actions.clone());
    n = list(&spelled, if s.not_action { "not_actions" } else { "actions" }, n);
    n = list(&s.resources, if s.not_resource { "not_resources" } else { "resources" }, n);
    n = list(&s.principals, if s.not_principal { "not_principals" } else { "principals" }, n);
    if !s.sid.is_empty() {
        n = n.with("sid", Value::str(s.sid.as_str()));
    }
    if let Some(c) = raw.and_then(|r| r.get("Condition")) {
        n = n.with("condition", Value::str(c.to_string()));
    }
    if s.variables {
        n = n.with("policy_version", Value::str("2012-10-17"));
    }
    let verb = if s.effect == Effect::Allow { "Allow" } else { "Deny" };
    let what: Vec<&str> = spelled.iter().take(3).map(String::as_str).collect();
    let more = if spelled.len() > 3 { format!(" and {} more", spelled.len() - 3) } else { String::new() };
    let not = if s.not_action { "all but " } else { "" };
    n.with("name", Value::str(format!("{verb} {not}{}{more}", what.join(", "))))
}
