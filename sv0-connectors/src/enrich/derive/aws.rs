//! AWS principals with everything that decides what they may do, read from the graph (so that stores, samples and
//! connectors in other languages are judged alike).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use sv0_graph::{Direction, GraphError, GraphView, NodeType, Value};

use crate::iam::{Context, Decision, Effect, Input, Request, Statement, Tri, arn_account, evaluate};
use crate::text;

/// Statements with the nodes that they come from.
#[derive(Debug, Clone, Default)]
pub struct Statements(pub Vec<Statement>);

/// A role or user.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Its node.
    pub node: u32,
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its account.
    pub account: Arc<str>,
    /// Its name without path.
    pub name: Arc<str>,
    /// A user, not a role.
    pub user: bool,
    /// AWS alone acts as it.
    pub service_linked: bool,
    /// AWS manages it; nobody edits it.
    pub reserved: bool,
    /// It has an instance profile.
    pub instance_profile: bool,
    /// Everything that its own, its groups' and its inline policies say.
    pub identity: Vec<Statement>,
    /// Its boundary's statements.
    pub boundary: Option<Vec<Statement>>,
    /// Its account's service control policies by level.
    pub scps: Vec<Vec<Statement>>,
    /// Who may become it (roles).
    pub trust: Vec<Statement>,
    /// Groups that it is in: (node, ARN).
    pub groups: Vec<(u32, Arc<str>)>,
    /// Policies attached to it or its groups: (node, ARN).
    pub policies: Vec<(u32, Arc<str>)>,
    /// Allowed everything.
    pub administrator: bool,
}

/// What the graph says of AWS.
#[derive(Debug, Clone, Default)]
pub struct AwsModel {
    /// Roles and users, by ARN.
    pub principals: Vec<Principal>,
    /// By ARN.
    pub by_arn: BTreeMap<Arc<str>, usize>,
    /// By node.
    pub by_node: BTreeMap<u32, usize>,
    /// Groups: node, ARN, statements.
    pub groups: Vec<(u32, Arc<str>, Vec<Statement>)>,
    /// Now, microseconds since 1970, UTC.
    pub as_of: i64,
}

/// A statement back from its node.
pub(crate) fn statement<G: GraphView>(view: &G, node: u32) -> Result<Option<Statement>, GraphError> {
    let list = |name: &str| -> Result<Vec<String>, GraphError> {
        Ok(view.prop(node, name)?.as_list().iter().map(|s| s.to_string()).collect())
    };
    let pick = |yes: Vec<String>, no: Vec<String>| if no.is_empty() { (yes, false) } else { (no, true) };
    let effect = match &*view.text(node, "effect")?.to_lowercase() {
        "deny" => Effect::Deny,
        "allow" => Effect::Allow,
        _ => return Ok(None),
    };
    let (actions, not_action) = pick(list("actions")?, list("not_actions")?);
    let (resources, not_resource) = pick(list("resources")?, list("not_resources")?);
    let (principals, not_principal) = pick(list("principals")?, list("not_principals")?);
    let condition = view.text(node, "condition")?;
    let conditions = if condition.is_empty() {
        Vec::new()
    } else {
        // A condition that isn't a policy's block leaves a residual that nothing decides.
        let block =
            serde_json::from_str(&condition).unwrap_or_else(|_| json!({"Unreadable": {"condition": &*condition}}));
        let s = json!({"Effect": "Allow", "Condition": block});
        Statement::read(&s, String::new(), false).map(|s| s.conditions).unwrap_or_default()
    };
    Ok(Some(Statement {
        id: view.key(node)?.to_string(),
        sid: view.text(node, "sid")?.to_string(),
        effect,
        actions: actions.into_iter().map(|a| a.to_lowercase()).collect(),
        not_action,
        resources,
        not_resource,
        principals,
        not_principal,
        conditions,
        variables: &*view.text(node, "policy_version")? == "2012-10-17",
    }))
}

/// The nodes at the other end of edges of a type, live ones only (a latent edge isn't in force).
fn ends<G: GraphView>(view: &G, node: u32, ty: &str, dir: Direction) -> Result<Vec<u32>, GraphError> {
    let Some(t) = view.schema().edge_type_id(ty) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    view.expand(node, t, dir, &mut |o, e| found.push((o, e)))?;
    let mut out = Vec::new();
    for (o, e) in found {
        if view.edge(e)?.state != sv0_graph::State::Latent {
            out.push(o);
        }
    }
    out.dedup();
    Ok(out)
}

/// A policy's (or boundary's) statements that are in force.
fn granted<G: GraphView>(view: &G, role: u32, edge: &str) -> Result<Vec<Statement>, GraphError> {
    let mut out = Vec::new();
    for p in ends(view, role, edge, Direction::Out)? {
        if view.prop(p, "is_default")? == Value::Bool(false) || &*view.text(p, "kind")? != "aws.statement" {
            continue;
        }
        out.extend(statement(view, p)?);
    }
    Ok(out)
}

impl AwsModel {
    /// Reads roles, users, groups and their statements.
    ///
    /// # Errors
    /// [`GraphError`] if the view can't be read.
    pub fn read<G: GraphView>(view: &G, as_of: i64) -> Result<Self, GraphError> {
        let mut m = Self { as_of, ..Self::default() };
        for g in view.nodes(Some(NodeType::Role))? {
            if &*view.text(g, "kind")? != "aws.group" {
                continue;
            }
            let mut s = granted(view, g, "HAS_PERMISSION")?;
            for p in ends(view, g, "HAS_ROLE", Direction::Out)? {
                s.extend(granted(view, p, "GRANTS")?);
            }
            m.groups.push((g, view.key(g)?.id, s));
        }
        let mut scps: BTreeMap<Arc<str>, Vec<Vec<Statement>>> = BTreeMap::new();
        for n in view.nodes(Some(NodeType::Identity))? {
            let kind = view.text(n, "kind")?;
            if !matches!(&*kind, "aws.role" | "aws.user") {
                continue;
            }
            let arn = view.key(n)?.id;
            let Some(account) = arn_account(&arn) else { continue };
            let account: Arc<str> = account.into();
            let path = view.text(n, "path")?;
            let mut p = Principal {
                node: n,
                name: arn.rsplit('/').next().unwrap_or("").into(),
                user: &*kind == "aws.user",
                service_linked: view.prop(n, "service_linked")? == Value::Bool(true)
                    || arn.contains(":role/aws-service-role/"),
                reserved: path.starts_with("/aws-reserved/") || arn.contains(":role/aws-reserved/"),
                instance_profile: !view.prop(n, "instance_profiles")?.as_list().is_empty(),
                identity: granted(view, n, "HAS_PERMISSION")?,
                boundary: None,
                scps: Vec::new(),
                trust: Vec::new(),
                groups: Vec::new(),
                policies: Vec::new(),
                administrator: false,
                account: account.clone(),
                arn,
            };
            for r in ends(view, n, "HAS_ROLE", Direction::Out)? {
                p.identity.extend(granted(view, r, "GRANTS")?);
                p.policies.push((r, view.key(r)?.id));
            }
            for g in ends(view, n, "MEMBER_OF", Direction::Out)? {
                if let Some((_, arn, s)) = m.groups.iter().find(|(x, ..)| *x == g) {
                    p.identity.extend(s.iter().cloned());
                    p.groups.push((g, arn.clone()));
                }
                for r in ends(view, g, "HAS_ROLE", Direction::Out)? {
                    p.policies.push((r, view.key(r)?.id));
                }
            }
            for b in ends(view, n, "LIMITED_BY", Direction::Out)? {
                p.boundary.get_or_insert_default().extend(granted(view, b, "GRANTS")?);
            }
            for t in ends(view, n, "APPLIES_TO", Direction::In)? {
                if &*view.text(t, "kind")? == "aws.resource_policy_statement" {
                    p.trust.extend(statement(view, t)?);
                }
            }
            if !scps.contains_key(&account) {
                let levels = scp_levels(view, n)?;
                scps.insert(account.clone(), levels);
            }
            p.scps = if p.service_linked { Vec::new() } else { scps.get(&account).cloned().unwrap_or_default() };
            p.policies.sort();
            p.policies.dedup();
            m.by_arn.insert(p.arn.clone(), m.principals.len());
            m.by_node.insert(n, m.principals.len());
            m.principals.push(p);
        }
        for i in 0..m.principals.len() {
            m.principals[i].administrator = m.is_administrator(&m.principals[i]);
        }
        Ok(m)
    }

    /// The context that is known of a principal's requests.
    #[must_use]
    pub fn context(&self, p: &Principal) -> Context {
        let mut c = Context::default();
        c.set("aws:PrincipalArn", &*p.arn);
        c.set("aws:PrincipalAccount", &*p.account);
        c.set("aws:SecureTransport", "true");
        c.set("aws:PrincipalType", if p.user { "User" } else { "AssumedRole" });
        c.set("aws:CurrentTime", text::format_timestamp(self.as_of));
        c.set("aws:EpochTime", (self.as_of / 1_000_000).to_string());
        c.set("aws:ViaAWSService", "false");
        let now = text::format_timestamp(self.as_of);
        if p.user {
            c.set("aws:username", &*p.name);
            // A user's long-term key carries no session; the user may ask for one.
            c.optional.insert("aws:tokenissuetime".to_owned(), vec![now]);
            c.absent.push("aws:federatedprovider".to_owned());
        } else {
            c.set("aws:TokenIssueTime", now);
            c.absent.push("aws:username".to_owned());
        }
        c
    }

    /// What a principal's own policies say of a request.
    #[must_use]
    pub fn decide(&self, p: &Principal, action: &str, resource: &str, extra: &[(&str, &str)]) -> Decision {
        let mut context = self.context(p);
        for (k, v) in extra {
            context.set(k, *v);
        }
        let foreign = arn_account(resource).is_some_and(|a| a != &*p.account);
        let r = Request {
            principal: p.arn.to_string(),
            principal_account: p.account.to_string(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            resource_account: p.account.to_string(),
            context,
        };
        let input = Input { identity: &p.identity, boundary: p.boundary.as_deref(), scps: &p.scps, ..Input::default() };
        let own = evaluate(&r, &input);
        if !foreign {
            return own;
        }
        // Across accounts the resource's side must allow as well, and what it says isn't in the data.
        let other = crate::iam::Residual::Is("the other account's resource policy allows it".to_owned());
        match own.tri().and(Tri::If(other)) {
            Tri::If(condition) => Decision::Conditional { condition, by: own.by().to_vec() },
            _ => own,
        }
    }

    fn is_administrator(&self, p: &Principal) -> bool {
        let all = |s: &Statement| {
            s.effect == Effect::Allow
                && s.conditions.is_empty()
                && !s.not_action
                && !s.not_resource
                && s.actions.iter().any(|a| a == "*" || a == "*:*")
                && s.resources.iter().any(|r| r == "*")
        };
        // Allowed everything by one statement, and nothing that matters taken away again.
        const PROBES: &[(&str, &str)] = &[
            ("iam:CreateUser", "user/x"),
            ("iam:PutRolePolicy", "role/x"),
            ("iam:CreatePolicyVersion", "policy/x"),
            ("sts:AssumeRole", "role/x"),
        ];
        const WIDE: &[(&str, &str)] = &[
            ("s3:GetObject", "arn:aws:s3:::x/y"),
            ("ec2:RunInstances", "*"),
            ("lambda:InvokeFunction", "*"),
            ("secretsmanager:GetSecretValue", "*"),
        ];
        p.identity.iter().any(all)
            && PROBES.iter().all(|(a, r)| {
                let arn = format!("arn:aws:iam::{}:{r}", p.account);
                matches!(self.decide(p, a, &arn, &[]), Decision::Allowed { .. })
            })
            && WIDE.iter().all(|(a, r)| matches!(self.decide(p, a, r, &[]), Decision::Allowed { .. }))
    }

    /// Whether a principal may become a role: what the role's trust says, and the principal's own policies where they
    /// count. `action` is `sts:AssumeRole`.
    #[must_use]
    pub fn can_assume(&self, p: &Principal, role: &Principal) -> Decision {
        let mut context = self.context(p);
        // The session's name is the caller's to choose.
        context.optional.clear();
        if p.user {
            context.optional.insert("aws:tokenissuetime".to_owned(), vec![text::format_timestamp(self.as_of)]);
        }
        let r = Request {
            principal: p.arn.to_string(),
            principal_account: p.account.to_string(),
            action: "sts:AssumeRole".to_owned(),
            resource: role.arn.to_string(),
            resource_account: role.account.to_string(),
            context,
        };
        let input = Input {
            identity: &p.identity,
            boundary: p.boundary.as_deref(),
            scps: &p.scps,
            resource: Some(&role.trust),
            ..Input::default()
        };
        let plain = evaluate(&r, &input);
        if plain.tri() == Tri::Yes || p.user {
            return plain;
        }
        // A trust that names sessions of this role: one of them may.
        let prefix = format!("AWS:arn:aws:sts::{}:assumed-role/{}/", p.account, p.name);
        let named: Vec<Statement> = role
            .trust
            .iter()
            .filter(|s| s.effect == Effect::Allow && s.principals.iter().any(|x| x.starts_with(&prefix)))
            .cloned()
            .collect();
        for s in &named {
            for session in s.principals.iter().filter(|x| x.starts_with(&prefix)) {
                let arn = session.trim_start_matches("AWS:").to_owned();
                let mut r = r.clone();
                r.principal.clone_from(&arn);
                let d = evaluate(&r, &input);
                if d.tri().possible() {
                    let name = arn.rsplit('/').next().unwrap_or("").to_owned();
                    let only = crate::iam::Residual::Is(format!("the session is named `{name}`"));
                    return match Tri::If(only).and(d.tri()) {
                        Tri::If(condition) => Decision::Conditional { condition, by: d.by().to_vec() },
                        _ => d,
                    };
                }
            }
        }
        plain
    }
}

/// Service control policies on the chain of containers above a principal, outermost first.
fn scp_levels<G: GraphView>(view: &G, node: u32) -> Result<Vec<Vec<Statement>>, GraphError> {
    let mut levels = Vec::new();
    let mut at = node;
    for _ in 0..16 {
        let parents = ends(view, at, "CONTAINS", Direction::In)?;
        let Some(parent) = parents.first().copied() else { break };
        let mut level = Vec::new();
        let mut any = false;
        for r in ends(view, parent, "LIMITED_BY", Direction::Out)? {
            if &*view.text(r, "kind")? == "aws.scp" {
                any = true;
                level.extend(granted(view, r, "GRANTS")?);
            }
        }
        if any {
            levels.push(level);
        }
        at = parent;
    }
    levels.reverse();
    Ok(levels)
}
