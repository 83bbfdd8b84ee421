//! Who can use which technique on whom. Accesses stay symbolic: where a principal's statements don't tell targets apart,
//! one decision serves all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sv0_graph::{Direction, GraphError, GraphView, NodeType, State, Value};

use super::aws::{AwsModel, Principal};
use super::gain::covers_statements;
use super::techniques::{TECHNIQUES, Technique};
use crate::iam::{Decision, Effect, Input, Request, Statement, Tri, arn_account, evaluate, glob};

mod compute;

/// What an edge leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Principal(usize),
    /// An automation or a group.
    Node(u32),
    /// All that a service has in an account; nothing of it is known.
    Scope {
        account: Arc<str>,
        service: String,
    },
}

/// An edge to be.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub from: usize,
    pub ty: &'static str,
    pub to: Target,
    pub state: State,
    pub condition: Option<String>,
    pub technique: &'static str,
    pub service: Option<&'static str>,
    /// Statements that give it.
    pub premises: Vec<String>,
}

/// A decision with its statements.
#[derive(Debug, Clone)]
struct Proof {
    tri: Tri,
    by: Vec<String>,
}

impl Proof {
    fn yes() -> Self {
        Self { tri: Tri::Yes, by: Vec::new() }
    }

    fn of(d: &Decision) -> Self {
        Self { tri: d.tri(), by: if d.tri().possible() { d.by().to_vec() } else { Vec::new() } }
    }

    fn and(self, other: &Self) -> Self {
        let tri = self.tri.and(other.tri.clone());
        let mut by = self.by;
        by.extend(other.by.iter().cloned());
        by.sort();
        by.dedup();
        Self { tri, by }
    }

    fn or(self, other: Self) -> Self {
        // The stronger one's statements count.
        match (&self.tri, &other.tri) {
            (Tri::Yes, _) | (_, Tri::No) => self,
            (_, Tri::Yes) | (Tri::No, _) => other,
            _ => Self { tri: self.tri.or(other.tri), by: self.by.into_iter().chain(other.by).collect() },
        }
    }

    fn possible(&self) -> bool {
        self.tri.possible()
    }
}

struct Automation {
    node: u32,
    arn: Arc<str>,
    kind: Arc<str>,
    runs_as: Vec<usize>,
    triggered: bool,
    container_instances: bool,
}

struct World<'m> {
    m: &'m AwsModel,
    /// Compute and what else techniques need, by kind and account.
    things: BTreeMap<(Arc<str>, Arc<str>), Vec<Automation>>,
    /// Roles that a service may run, by service and account.
    by_service: BTreeMap<(String, Arc<str>), Vec<usize>>,
    users: BTreeMap<Arc<str>, Vec<usize>>,
    roles: BTreeMap<Arc<str>, Vec<usize>>,
    /// How many access keys a user is known to have; login profiles that are known.
    keys: BTreeMap<u32, usize>,
    login: BTreeSet<u32>,
    /// Statements of versions that aren't in force, by policy node.
    other_versions: BTreeMap<u32, Vec<Vec<Statement>>>,
    versions: BTreeMap<u32, i64>,
}

/// Derives all edges.
pub(super) fn derive<G: GraphView>(view: &G, m: &AwsModel) -> Result<Vec<Found>, GraphError> {
    let w = World::read(view, m)?;
    let trust = TrustIndex::new(m);
    let mut out = Vec::new();
    for i in 0..m.principals.len() {
        if m.principals[i].service_linked {
            continue;
        }
        w.assume(i, &trust, &mut out);
        if m.principals[i].administrator {
            continue;
        }
        w.credentials(i, &mut out);
        w.change_trust(i, &mut out);
        w.own(i, &mut out);
        w.grant(i, &mut out);
        w.compute(i, &mut out);
    }
    Ok(out)
}

/// Which roles a trust policy opens, by how it names the caller.
struct TrustIndex {
    by_name: BTreeMap<String, Vec<usize>>,
    by_account: BTreeMap<String, Vec<usize>>,
    anyone: Vec<usize>,
}

impl TrustIndex {
    fn new(m: &AwsModel) -> Self {
        let mut t = Self { by_name: BTreeMap::new(), by_account: BTreeMap::new(), anyone: Vec::new() };
        for (i, r) in m.principals.iter().enumerate().filter(|(_, p)| !p.user && !p.service_linked) {
            for s in r.trust.iter().filter(|s| s.effect == Effect::Allow) {
                if s.not_principal {
                    t.anyone.push(i);
                }
                for p in &s.principals {
                    let Some(("AWS", v)) = p.split_once(':') else { continue };
                    if v == "*" {
                        t.anyone.push(i);
                    } else if v.len() == 12 && !v.contains(':') {
                        t.by_account.entry(v.to_owned()).or_default().push(i);
                    } else if v.ends_with(":root") {
                        t.by_account.entry(arn_account(v).unwrap_or("").to_owned()).or_default().push(i);
                    } else if let Some((head, session)) = v.split_once(":assumed-role/") {
                        let account = head.rsplit(':').next().unwrap_or("");
                        let role = session.split('/').next().unwrap_or("");
                        t.by_name.entry(format!("{account}/{role}")).or_default().push(i);
                    } else {
                        t.by_name.entry(v.to_owned()).or_default().push(i);
                    }
                }
            }
        }
        t
    }

    fn candidates(&self, p: &Principal) -> BTreeSet<usize> {
        let mut out: BTreeSet<usize> = self.anyone.iter().copied().collect();
        out.extend(self.by_name.get(&*p.arn).into_iter().flatten());
        if !p.user {
            out.extend(self.by_name.get(&format!("{}/{}", p.account, p.name)).into_iter().flatten());
        }
        if p.identity.iter().any(|s| s.effect == Effect::Allow && action_fits(s, "sts:assumerole")) {
            out.extend(self.by_account.get(&*p.account).into_iter().flatten());
        }
        out
    }
}

fn action_fits(s: &Statement, action: &str) -> bool {
    s.actions.iter().any(|a| glob(a, action)) != s.not_action
}

impl<'m> World<'m> {
    fn read<G: GraphView>(view: &G, m: &'m AwsModel) -> Result<Self, GraphError> {
        let mut w = Self {
            m,
            things: BTreeMap::new(),
            by_service: BTreeMap::new(),
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
            keys: BTreeMap::new(),
            login: BTreeSet::new(),
            other_versions: BTreeMap::new(),
            versions: BTreeMap::new(),
        };
        for (i, p) in m.principals.iter().enumerate() {
            if p.user {
                w.users.entry(p.account.clone()).or_default().push(i);
                continue;
            }
            if p.service_linked {
                continue;
            }
            w.roles.entry(p.account.clone()).or_default().push(i);
            for s in p.trust.iter().filter(|s| s.effect == Effect::Allow && action_fits(s, "sts:assumerole")) {
                for svc in s.principals.iter().filter_map(|x| x.strip_prefix("Service:")) {
                    let list = w.by_service.entry((svc.to_owned(), p.account.clone())).or_default();
                    if list.last() != Some(&i) {
                        list.push(i);
                    }
                }
            }
        }
        let wanted: BTreeSet<&str> = TECHNIQUES
            .iter()
            .filter_map(|t| match t {
                Technique::NewCompute { existing, .. } => existing.as_ref().map(|e| e.kind),
                Technique::ExistingCompute { kind, .. } => Some(*kind),
            })
            .collect();
        let schema = view.schema();
        let runs_as = schema.edge_type_id("RUNS_AS");
        let triggers = schema.edge_type_id("TRIGGERS");
        for ty in [NodeType::Automation, NodeType::Resource] {
            for n in view.nodes(Some(ty))? {
                let kind = view.text(n, "kind")?;
                if !wanted.contains(&*kind) || matches!(&*view.text(n, "status")?, "deleted" | "disabled") {
                    continue;
                }
                let arn = view.key(n)?.id;
                let Some(account) = arn_account(&arn) else { continue };
                let mut roles = Vec::new();
                if let Some(t) = runs_as {
                    view.expand(n, t, Direction::Out, &mut |o, _| roles.extend(m.by_node.get(&o).copied()))?;
                }
                let mut triggered = false;
                if let Some(t) = triggers {
                    view.expand(n, t, Direction::In, &mut |_, _| triggered = true)?;
                }
                let container_instances = matches!(view.prop(n, "container_instances")?, Value::Int(c) if c > 0);
                let a = Automation {
                    node: n,
                    arn: arn.clone(),
                    kind: kind.clone(),
                    runs_as: roles,
                    triggered,
                    container_instances,
                };
                w.things.entry((kind, account.into())).or_default().push(a);
            }
        }
        if let Some(t) = schema.edge_type_id("AUTHENTICATES_AS") {
            for c in view.nodes(Some(NodeType::Credential))? {
                let kind = view.text(c, "kind")?;
                let mut users = Vec::new();
                view.expand(c, t, Direction::Out, &mut |o, _| users.push(o))?;
                for u in users {
                    match &*kind {
                        "aws.access_key" => *w.keys.entry(u).or_default() += 1,
                        "aws.login_profile" => {
                            w.login.insert(u);
                        }
                        _ => {}
                    }
                }
            }
        }
        if let Some(grants) = schema.edge_type_id("GRANTS") {
            let policies: BTreeSet<u32> = m.principals.iter().flat_map(|p| p.policies.iter().map(|x| x.0)).collect();
            for p in policies {
                if let Value::Int(n) = view.prop(p, "versions")? {
                    w.versions.insert(p, n);
                }
                let mut all = Vec::new();
                view.expand(p, grants, Direction::Out, &mut |o, _| all.push(o))?;
                let mut by_version: BTreeMap<Arc<str>, Vec<Statement>> = BTreeMap::new();
                for s in all {
                    if view.prop(s, "is_default")? == Value::Bool(false) {
                        by_version
                            .entry(view.text(s, "version_id")?)
                            .or_default()
                            .extend(super::aws::statement(view, s)?);
                    }
                }
                w.other_versions.insert(p, by_version.into_values().collect());
            }
        }
        Ok(w)
    }

    fn p(&self, i: usize) -> &'m Principal {
        &self.m.principals[i]
    }

    fn decide(&self, i: usize, action: &str, resource: &str, extra: &[(&str, &str)]) -> Proof {
        Proof::of(&self.m.decide(self.p(i), action, resource, extra))
    }

    /// Whether a principal has any allow for an action: most haven't, and need no further look.
    fn might(&self, i: usize, action: &str) -> bool {
        let action = action.to_lowercase();
        self.p(i).identity.iter().any(|s| s.effect == Effect::Allow && action_fits(s, &action))
    }

    /// Whether a principal's statements on an action tell resources apart.
    fn uniform(&self, i: usize, action: &str) -> bool {
        let p = self.p(i);
        let action = action.to_lowercase();
        let all = p.identity.iter().chain(p.boundary.iter().flatten()).chain(p.scps.iter().flatten());
        all.filter(|s| action_fits(s, &action)).all(|s| {
            !s.not_resource
                && s.resources.iter().any(|r| r == "*")
                && s.conditions.iter().all(|c| !c.key.to_lowercase().starts_with("aws:resource"))
        })
    }

    /// On which of the candidates (their ARNs) an action is possible.
    fn on_each(
        &self,
        i: usize,
        action: &str,
        extra: &[(&str, &str)],
        candidates: impl Iterator<Item = (usize, Arc<str>)>,
    ) -> Vec<(usize, Proof)> {
        if !self.might(i, action) {
            return Vec::new();
        }
        let uniform = self.uniform(i, action);
        let mut shared: Option<Proof> = None;
        let mut out = Vec::new();
        for (c, arn) in candidates {
            let proof = match (&shared, uniform) {
                (Some(p), true) => p.clone(),
                _ => {
                    let p = self.decide(i, action, &arn, extra);
                    if uniform {
                        shared = Some(p.clone());
                    }
                    p
                }
            };
            if proof.possible() {
                out.push((c, proof));
            }
        }
        out
    }

    fn arns<'s>(&'s self, of: Option<&'s Vec<usize>>, but: usize) -> impl Iterator<Item = (usize, Arc<str>)> + 's {
        of.into_iter().flatten().copied().filter(move |t| *t != but).map(|t| (t, self.p(t).arn.clone()))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one edge")]
    fn push(
        &self,
        out: &mut Vec<Found>,
        from: usize,
        ty: &'static str,
        to: Target,
        proof: Proof,
        technique: &'static str,
        service: Option<&'static str>,
        extra: Option<&str>,
    ) {
        let (state, mut condition) = match proof.tri {
            Tri::No => return,
            Tri::Yes => (State::Unconditional, None),
            Tri::If(r) => (State::Conditional, Some(r.to_string())),
        };
        let state = match extra {
            Some(e) => {
                condition = Some(match condition {
                    None => e.to_owned(),
                    Some(c) => format!("{e} and {c}"),
                });
                State::Conditional
            }
            None => state,
        };
        let mut premises = proof.by;
        premises.sort();
        premises.dedup();
        out.push(Found { from, ty, to, state, condition, technique, service, premises });
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one edge")]
    fn latent(
        &self,
        out: &mut Vec<Found>,
        from: usize,
        ty: &'static str,
        to: Target,
        proof: Proof,
        technique: &'static str,
        why: &str,
    ) {
        if proof.possible() {
            let condition = match &proof.tri {
                Tri::If(r) => format!("{why}; {r}"),
                _ => why.to_owned(),
            };
            let (state, premises) = (State::Latent, proof.by);
            out.push(Found { from, ty, to, state, condition: Some(condition), technique, service: None, premises });
        }
    }

    // ---- becoming somebody

    fn assume(&self, i: usize, trust: &TrustIndex, out: &mut Vec<Found>) {
        for t in trust.candidates(self.p(i)) {
            if t != i {
                let d = self.m.can_assume(self.p(i), self.p(t));
                self.push(out, i, "CAN_ASSUME", Target::Principal(t), Proof::of(&d), "sts-001", None, None);
            }
        }
    }

    fn credentials(&self, i: usize, out: &mut Vec<Found>) {
        let users = self.users.get(&self.p(i).account);
        for (t, proof) in self.on_each(i, "iam:CreateAccessKey", &[], self.arns(users, i)) {
            // A user has two access keys at most.
            let full = self.keys.get(&self.p(t).node).copied().unwrap_or(0) >= 2;
            if full {
                let delete = self.decide(i, "iam:DeleteAccessKey", &self.p(t).arn, &[]);
                let both = proof.and(&delete);
                self.push(out, i, "CAN_ADD_CREDENTIAL", Target::Principal(t), both, "iam-003", None, None);
            } else {
                self.push(out, i, "CAN_ADD_CREDENTIAL", Target::Principal(t), proof, "iam-002", None, None);
            }
        }
        for (t, proof) in self.on_each(i, "iam:CreateLoginProfile", &[], self.arns(users, i)) {
            if !self.login.contains(&self.p(t).node) {
                let may = Some("the user has no login profile yet");
                self.push(out, i, "CAN_ADD_CREDENTIAL", Target::Principal(t), proof, "iam-004", None, may);
            }
        }
        for (t, proof) in self.on_each(i, "iam:UpdateLoginProfile", &[], self.arns(users, i)) {
            let known = self.login.contains(&self.p(t).node);
            let may = if known { None } else { Some("the user has a login profile") };
            self.push(out, i, "CAN_ADD_CREDENTIAL", Target::Principal(t), proof, "iam-006", None, may);
        }
    }

    /// Whether a principal gets in once a role trusts it by name.
    fn once_trusted(&self, i: usize, t: usize) -> Proof {
        let (p, role) = (self.p(i), self.p(t));
        let named = Statement {
            id: String::new(),
            sid: String::new(),
            effect: Effect::Allow,
            actions: vec!["sts:assumerole".to_owned()],
            not_action: false,
            resources: Vec::new(),
            not_resource: false,
            principals: vec![format!("AWS:{}", p.arn)],
            not_principal: false,
            conditions: Vec::new(),
            variables: false,
        };
        let r = Request {
            principal: p.arn.to_string(),
            principal_account: p.account.to_string(),
            action: "sts:AssumeRole".to_owned(),
            resource: role.arn.to_string(),
            resource_account: role.account.to_string(),
            context: self.m.context(p),
        };
        let trust = [named];
        let input = Input {
            identity: &p.identity,
            boundary: p.boundary.as_deref(),
            scps: &p.scps,
            resource: Some(&trust),
            ..Input::default()
        };
        let mut proof = Proof::of(&evaluate(&r, &input));
        proof.by.retain(|b| !b.is_empty());
        proof
    }

    fn change_trust(&self, i: usize, out: &mut Vec<Found>) {
        let roles = self.roles.get(&self.p(i).account);
        for (t, proof) in self.on_each(i, "iam:UpdateAssumeRolePolicy", &[], self.arns(roles, i)) {
            if !self.p(t).reserved {
                let both = proof.and(&self.once_trusted(i, t));
                self.push(out, i, "CAN_CHANGE_TRUST", Target::Principal(t), both, "iam-012", None, None);
            }
        }
    }

    // ---- giving itself authority

    fn own(&self, i: usize, out: &mut Vec<Found>) {
        let p = self.p(i);
        // What a boundary doesn't allow, no policy can add.
        let bounded = p.boundary.as_ref().is_some_and(|b| covers_statements(p, b));
        if !bounded {
            let me = |out: &mut Vec<Found>, proof: Proof, technique| {
                self.push(out, i, "CAN_SELF_ESCALATE", Target::Principal(i), proof, technique, None, None);
            };
            for (node, arn) in p.policies.iter().filter(|x| arn_account(&x.1) == Some(&*p.account)) {
                me(out, self.decide(i, "iam:CreatePolicyVersion", arn, &[]), "iam-001");
                let set = self.decide(i, "iam:SetDefaultPolicyVersion", arn, &[]);
                let more = self.other_versions.get(node).is_some_and(|v| v.iter().any(|s| !covers_statements(p, s)));
                if more {
                    me(out, set, "set-default-policy-version");
                } else if self.versions.get(node).is_none_or(|n| *n <= 1) {
                    let why = "the policy has no other version to fall back to";
                    self.latent(
                        out,
                        i,
                        "CAN_SELF_ESCALATE",
                        Target::Principal(i),
                        set,
                        "set-default-policy-version",
                        why,
                    );
                }
            }
            let attach = [("iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess")];
            if p.user {
                me(out, self.decide(i, "iam:PutUserPolicy", &p.arn, &[]), "iam-007");
                me(out, self.decide(i, "iam:AttachUserPolicy", &p.arn, &attach), "iam-008");
                for (_, group) in &p.groups {
                    me(out, self.decide(i, "iam:AttachGroupPolicy", group, &attach), "iam-010");
                    me(out, self.decide(i, "iam:PutGroupPolicy", group, &[]), "iam-011");
                }
            } else if !p.reserved {
                me(out, self.decide(i, "iam:PutRolePolicy", &p.arn, &[]), "iam-005");
                me(out, self.decide(i, "iam:AttachRolePolicy", &p.arn, &attach), "iam-009");
            }
        }
        if p.user {
            for (node, arn, statements) in &self.m.groups {
                let there = p.groups.iter().any(|g| g.0 == *node);
                if there || arn_account(arn) != Some(&*p.account) || covers_statements(p, statements) {
                    continue;
                }
                let proof = self.decide(i, "iam:AddUserToGroup", arn, &[]);
                self.push(out, i, "CAN_ADD_MEMBER", Target::Node(*node), proof, "iam-013", None, None);
            }
        }
    }

    /// Giving authority to somebody whom the principal can become.
    fn grant(&self, i: usize, out: &mut Vec<Found>) {
        const ROLE: [(&str, &str, &str); 2] =
            [("iam:AttachRolePolicy", "iam-014", "iam-019"), ("iam:PutRolePolicy", "iam-017", "iam-021")];
        const USER: [(&str, &str); 2] = [("iam:AttachUserPolicy", "iam-015"), ("iam:PutUserPolicy", "iam-018")];
        let names = [
            "iam:AttachRolePolicy",
            "iam:PutRolePolicy",
            "iam:AttachUserPolicy",
            "iam:PutUserPolicy",
            "iam:CreatePolicyVersion",
        ];
        if !names.iter().any(|a| self.might(i, a)) {
            return;
        }
        let assumed: Vec<Found> = out.iter().rev().take_while(|f| f.from == i).cloned().collect();
        let attach = [("iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess")];
        for f in assumed {
            let (Target::Principal(t), "CAN_ASSUME" | "CAN_CHANGE_TRUST" | "CAN_ADD_CREDENTIAL") = (&f.to, f.ty) else {
                continue;
            };
            let target = self.p(*t);
            if target.reserved || target.account != self.p(i).account || target.boundary.is_some() {
                continue;
            }
            let become_ = Proof {
                tri: match &f.condition {
                    None => Tri::Yes,
                    Some(c) => Tri::If(crate::iam::Residual::Is(c.clone())),
                },
                by: f.premises.clone(),
            };
            let trust = f.ty == "CAN_CHANGE_TRUST";
            if target.user {
                for (action, technique) in USER {
                    let g = self.decide(i, action, &target.arn, &attach);
                    self.push(out, i, "CAN_GRANT", Target::Principal(*t), g.and(&become_), technique, None, None);
                }
            } else {
                for (action, by_assume, by_trust) in ROLE {
                    let g = self.decide(i, action, &target.arn, &attach);
                    let technique = if trust { by_trust } else { by_assume };
                    self.push(out, i, "CAN_GRANT", Target::Principal(*t), g.and(&become_), technique, None, None);
                }
            }
            for (_, arn) in target.policies.iter().filter(|x| arn_account(&x.1) == Some(&*target.account)) {
                let g = self.decide(i, "iam:CreatePolicyVersion", arn, &[]);
                let technique = if trust { "iam-020" } else { "iam-016" };
                self.push(out, i, "CAN_GRANT", Target::Principal(*t), g.and(&become_), technique, None, None);
            }
        }
    }
}
