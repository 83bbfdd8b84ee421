//! What of it is more than the principal has, and the edges themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sv0_graph::{Direction, EdgeInput, Evidence, GraphError, GraphView, NodeInput, NodeKey, NodeType, State, Value};

use super::aws::{AwsModel, Principal};
use super::escalation::{Found, Target};
use crate::enrich::{Output, SOURCE};
use crate::iam::{Effect, Statement, Tri, contains};

/// More targets than this of one principal, technique and state become one set node.
const SET: usize = 8;

/// Whether a principal has everything that the statements allow. Sound: a yes is a yes.
pub(super) fn covers_statements(p: &Principal, statements: &[Statement]) -> bool {
    if p.administrator {
        return true;
    }
    let denies: Vec<&Statement> =
        statements.iter().filter(|s| s.effect == Effect::Deny && s.conditions.is_empty()).collect();
    statements.iter().filter(|s| s.effect == Effect::Allow).all(|s| {
        pairs(s).iter().all(|(a, r)| taken_away(&denies, a, r) || (!s.not_action && holds(p, a, r, s)) || same(p, s))
    })
}

/// Whether the principal has all the authority that the other has.
fn covers(p: &Principal, other: &Principal) -> bool {
    if p.administrator {
        return true;
    }
    let denies: Vec<&Statement> =
        other.identity.iter().filter(|s| s.effect == Effect::Deny && s.conditions.is_empty()).collect();
    other.identity.iter().filter(|s| s.effect == Effect::Allow).all(|s| {
        let never = s.conditions.iter().any(|c| c.holds(&context_of(other), s.variables) == Tri::No);
        never
            || pairs(s).iter().all(|(a, r)| {
                taken_away(&denies, a, r)
                    || out_of_bounds(other, a)
                    || (!s.not_action && holds(p, a, r, s))
                    || same(p, s)
            })
    })
}

fn context_of(p: &Principal) -> crate::iam::Context {
    let mut c = crate::iam::Context::default();
    c.set("aws:PrincipalArn", &*p.arn);
    c.set("aws:PrincipalAccount", &*p.account);
    c
}

/// A statement's (action, resource) patterns; what is excepted counts as everything.
fn pairs(s: &Statement) -> Vec<(&str, &str)> {
    let all = vec!["*".to_owned()];
    let actions = if s.not_action { &all } else { &s.actions };
    let resources = if s.not_resource || s.resources.is_empty() { &all } else { &s.resources };
    actions
        .iter()
        .flat_map(|a| resources.iter().map(move |r| (a.as_str(), r.as_str())))
        .map(|(a, r)| (if a == "*" { "*" } else { a }, if r == "*" { "*" } else { r }))
        .map(|(a, r)| {
            // Borrow from the statement where it has its own text.
            let a = s.actions.iter().find(|x| x.as_str() == a).map_or("*", String::as_str);
            let r = s.resources.iter().find(|x| x.as_str() == r).map_or("*", String::as_str);
            (a, r)
        })
        .collect()
}

fn taken_away(denies: &[&Statement], action: &str, resource: &str) -> bool {
    denies.iter().any(|d| {
        !d.not_action
            && !d.not_resource
            && d.actions.iter().any(|a| contains(a, action))
            && d.resources.iter().any(|r| contains(r, resource))
    })
}

fn out_of_bounds(p: &Principal, action: &str) -> bool {
    p.boundary.as_ref().is_some_and(|b| {
        !b.iter().any(|s| {
            s.effect == Effect::Allow
                && (s.not_action || s.actions.iter().any(|a| contains(a, action) || contains(action, a)))
        })
    })
}

fn holds(p: &Principal, action: &str, resource: &str, of: &Statement) -> bool {
    let allowed = |statements: &[Statement]| {
        statements.iter().any(|s| {
            s.effect == Effect::Allow
                && (s.conditions.is_empty() || s.conditions == of.conditions)
                && !s.not_action
                && !s.not_resource
                && s.actions.iter().any(|a| contains(a, action))
                && s.resources.iter().any(|r| contains(r, resource))
        })
    };
    let touched = p
        .identity
        .iter()
        .filter(|s| s.effect == Effect::Deny)
        .any(|s| s.not_action || s.actions.iter().any(|a| contains(a, action) || contains(action, a)));
    allowed(&p.identity) && !touched && p.boundary.as_ref().is_none_or(|b| allowed(b))
}

fn same(p: &Principal, s: &Statement) -> bool {
    p.identity.iter().any(|x| {
        (x.effect, &x.actions, x.not_action, &x.resources, x.not_resource, &x.conditions)
            == (s.effect, &s.actions, s.not_action, &s.resources, s.not_resource, &s.conditions)
    }) && p.boundary.is_none()
}

/// Writes the edges, the set nodes and what each principal gains.
pub(super) fn derive<G: GraphView>(
    view: &G,
    m: &AwsModel,
    found: Vec<Found>,
    out: &mut Output,
) -> Result<(), GraphError> {
    let mut writer = Writer { view, m, out, sources: view.sources(), sets: BTreeSet::new(), scopes: BTreeSet::new() };
    writer.edges(&found)?;
    writer.trust()?;
    writer.administrators()?;
    writer.gains(&found)
}

struct Writer<'a, G> {
    view: &'a G,
    m: &'a AwsModel,
    out: &'a mut Output,
    sources: Vec<Arc<str>>,
    sets: BTreeSet<String>,
    scopes: BTreeSet<String>,
}

impl<G: GraphView> Writer<'_, G> {
    fn key_of(&self, t: &Target) -> Result<NodeKey, GraphError> {
        match t {
            Target::Principal(i) => self.view.key(self.m.principals[*i].node),
            Target::Node(n) => self.view.key(*n),
            Target::Scope { account, service } => Ok(scope_key(account, service)),
        }
    }

    fn edges(&mut self, found: &[Found]) -> Result<(), GraphError> {
        // Targets of one principal that differ in nothing else.
        type Group<'f> = (usize, &'f str, &'f str, State, Option<&'f str>, Option<&'f str>, &'f [String]);
        let mut groups: BTreeMap<Group<'_>, Vec<&Found>> = BTreeMap::new();
        for f in found {
            let k = (f.from, f.ty, f.technique, f.state, f.condition.as_deref(), f.service, f.premises.as_slice());
            groups.entry(k).or_default().push(f);
        }
        for members in groups.into_values() {
            let Some(first) = members.first() else { continue };
            let settable = !matches!(first.ty, "CAN_ASSUME" | "CAN_SELF_ESCALATE") && members.len() > SET;
            if settable {
                let mut keys = Vec::new();
                for f in &members {
                    keys.push(self.key_of(&f.to)?);
                }
                keys.sort();
                keys.dedup();
                let set = self.set(first.ty, &keys, &self.m.principals[first.from].account.clone());
                self.edge(first, set)?;
            } else {
                for f in &members {
                    if let Target::Scope { account, service } = &f.to {
                        self.scope(account, service);
                    }
                    let to = self.key_of(&f.to)?;
                    self.edge(f, to)?;
                }
            }
        }
        Ok(())
    }

    fn edge(&mut self, f: &Found, to: NodeKey) -> Result<(), GraphError> {
        let mut e = EdgeInput::new(f.ty, self.view.key(self.m.principals[f.from].node)?, to);
        e.key = f.technique.into();
        if let Some(s) = f.service
            && f.technique == "datapipeline-001"
        {
            e.key = format!("{}/{s}", f.technique).into();
        }
        e.evidence = Evidence::Structural;
        e.state = f.state;
        e.condition = f.condition.as_deref().map(Arc::from);
        let derivation = if f.ty == "CAN_ASSUME" { "aws.trust" } else { "aws.escalation" };
        e = e
            .with("derivation", Value::str(derivation))
            .with("technique", Value::str(f.technique))
            .with("premises", Value::list(f.premises.iter().map(String::as_str)));
        if let Some(s) = f.service {
            e = e.with("service", Value::str(s));
        }
        e = self.cite(e, &f.premises)?;
        self.out.batch.edges.push(e);
        Ok(())
    }

    /// The records of the statements that an edge stands on.
    fn cite(&mut self, mut e: EdgeInput, premises: &[String]) -> Result<EdgeInput, GraphError> {
        for p in premises {
            let Some(k) = NodeKey::parse(p, self.sources.iter().map(|s| &**s)) else { continue };
            let Some(n) = self.view.find(&k)? else { continue };
            for (r, pointer) in self.view.node_records(n)? {
                let i = self.out.record(&r);
                e = e.at(i, pointer);
            }
        }
        Ok(e)
    }

    /// The node that contains exactly these; its id is made of them, so that who has the same set shares it.
    fn set(&mut self, ty: &str, keys: &[NodeKey], account: &Arc<str>) -> NodeKey {
        let mut text = String::new();
        for k in keys {
            text.push_str(&k.to_string());
            text.push('\n');
        }
        let hash = crate::text::sha256(text.as_bytes());
        let id = format!("set/{account}/{}", hash.get(..16).unwrap_or(&hash));
        let key = NodeKey::new(SOURCE, id.as_str());
        if self.sets.insert(id) {
            let what = match ty {
                "CAN_ADD_CREDENTIAL" => "users",
                "CAN_CONTROL" => "automations",
                "CAN_ADD_MEMBER" => "groups",
                _ => "roles",
            };
            let n = NodeInput::new(key.clone(), NodeType::Resource, "aws.target_set")
                .with("name", Value::str(format!("{} {what} of account {account}", keys.len())))
                .with("system", Value::str("aws"))
                .with("account", Value::Str(account.clone()))
                .with("members", Value::Int(i64::try_from(keys.len()).unwrap_or(i64::MAX)));
            self.out.batch.nodes.push(n);
            for k in keys {
                let mut e = EdgeInput::new("CONTAINS", key.clone(), k.clone());
                e.evidence = Evidence::Structural;
                e.key = "set".into();
                self.out.batch.edges.push(e.with("derivation", Value::str("aws.escalation")));
            }
        }
        key
    }

    fn scope(&mut self, account: &Arc<str>, service: &str) {
        let key = scope_key(account, service);
        if self.scopes.insert(key.id.to_string()) {
            let what = service.trim_start_matches("aws.").replace('_', " ");
            let n = NodeInput::new(key, NodeType::Resource, "aws.service_scope")
                .with("name", Value::str(format!("any {what} of account {account}")))
                .with("system", Value::str("aws"))
                .with("account", Value::Str(account.clone()));
            self.out.batch.nodes.push(n);
        }
    }

    /// Accounts, providers and anyone whom a trust policy lets in from outside.
    fn trust(&mut self) -> Result<(), GraphError> {
        for role in self.m.principals.iter().filter(|p| !p.user && !p.service_linked) {
            for s in role.trust.iter().filter(|s| s.effect == Effect::Allow) {
                let mut tri = Tri::Yes;
                for c in &s.conditions {
                    tri = tri.and(c.holds(&crate::iam::Context::default(), s.variables));
                }
                if tri == Tri::No {
                    continue;
                }
                let external_id = s.conditions.iter().any(|c| c.key.eq_ignore_ascii_case("sts:ExternalId"));
                let source = self.view.key(role.node)?.source;
                for p in &s.principals {
                    let Some((kind, v)) = p.split_once(':') else { continue };
                    let ids = match kind {
                        "Federated" => vec![v.to_owned()],
                        "AWS" if v == "*" => vec!["anonymous".to_owned()],
                        "AWS" if v.len() == 12 => vec![format!("arn:aws:iam::{v}:root")],
                        "AWS" => vec![v.to_owned()],
                        _ => continue,
                    };
                    for id in ids {
                        let k = NodeKey::new(source.clone(), id.as_str());
                        let Some(n) = self.view.find(&k)? else { continue };
                        if self.m.by_node.contains_key(&n) {
                            continue;
                        }
                        let mut e = EdgeInput::new("CAN_ASSUME", k, self.view.key(role.node)?);
                        // Each statement lets in by itself: one may ask for an external id, the next not.
                        e.key = s.id.as_str().into();
                        e.evidence = Evidence::Structural;
                        if let Tri::If(r) = &tri {
                            e.state = State::Conditional;
                            e.condition = Some(r.to_string().into());
                        }
                        e = e
                            .with("derivation", Value::str("aws.trust"))
                            .with("external_id", Value::Bool(external_id))
                            .with("premises", Value::list([s.id.as_str()]));
                        let e = self.cite(e, std::slice::from_ref(&s.id))?;
                        self.out.batch.edges.push(e);
                    }
                }
            }
        }
        Ok(())
    }

    fn administrators(&mut self) -> Result<(), GraphError> {
        let mut accounts: BTreeMap<Arc<str>, NodeKey> = BTreeMap::new();
        for n in self.view.nodes(Some(NodeType::Resource))? {
            if &*self.view.text(n, "kind")? == "aws.account" {
                let k = self.view.key(n)?;
                let a = self.view.text(n, "account")?;
                let a = if a.is_empty() { k.id.rsplit(['/', ':']).next().unwrap_or("").into() } else { a };
                accounts.entry(a).or_insert(k);
            }
        }
        for p in self.m.principals.iter().filter(|p| p.administrator) {
            let k = self.view.key(p.node)?;
            self.out.annotate(k.clone(), "tags", Value::list(["administrator"]), "aws.administrator");
            let Some(account) = accounts.get(&p.account) else { continue };
            let by: Vec<String> = p
                .identity
                .iter()
                .filter(|s| s.effect == Effect::Allow && s.actions.iter().any(|a| a == "*" || a == "*:*"))
                .map(|s| s.id.clone())
                .collect();
            let mut e = EdgeInput::new("CAN_ACCESS", k, account.clone());
            e.key = "administrator".into();
            e.evidence = Evidence::Structural;
            e = e
                .with("level", Value::str("admin"))
                .with("derivation", Value::str("aws.administrator"))
                .with("premises", Value::list(by.iter().map(String::as_str)));
            let e = self.cite(e, &by)?;
            self.out.batch.edges.push(e);
        }
        for p in self.m.principals.iter().filter(|p| p.service_linked) {
            let k = self.view.key(p.node)?;
            self.out.annotate(k, "tags", Value::list(["service_linked"]), "aws.service-linked");
        }
        Ok(())
    }

    /// For each principal the nearest of what it can gain authority through, by the strongest state.
    fn gains(&mut self, found: &[Found]) -> Result<(), GraphError> {
        let runs_as = self.view.schema().edge_type_id("RUNS_AS");
        let mut by_from: BTreeMap<usize, Vec<&Found>> = BTreeMap::new();
        for f in found {
            by_from.entry(f.from).or_default().push(f);
        }
        let mut compute: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for f in found {
            if let (Target::Node(n), "CAN_CONTROL") = (&f.to, f.ty)
                && let Some(t) = runs_as
                && !compute.contains_key(n)
            {
                let mut roles = Vec::new();
                self.view.expand(*n, t, Direction::Out, &mut |o, _| roles.extend(self.m.by_node.get(&o).copied()))?;
                compute.insert(*n, roles);
            }
        }
        for i in 0..self.m.principals.len() {
            let p = &self.m.principals[i];
            if p.administrator || p.service_linked {
                continue;
            }
            let empty = Vec::new();
            for limit in [State::Unconditional, State::Conditional] {
                let gains = self.nearest(i, limit, &by_from, &compute)?;
                if !gains.is_empty() {
                    let k = self.view.key(p.node)?;
                    self.out.annotate(k.clone(), "gains", Value::list(gains), "aws.gain");
                    self.out.annotate(k, "gain_state", Value::str(limit.name()), "aws.gain");
                    break;
                }
                if limit == State::Conditional {
                    let mut latent = BTreeSet::new();
                    for f in by_from.get(&i).unwrap_or(&empty).iter().filter(|f| f.state == State::Latent) {
                        let more = match &f.to {
                            Target::Principal(t) if *t != i => !covers(p, &self.m.principals[*t]),
                            _ => true,
                        };
                        if more {
                            latent.insert(self.key_of(&f.to)?.to_string());
                        }
                    }
                    if !latent.is_empty() {
                        let k = self.view.key(p.node)?;
                        self.out.annotate(k.clone(), "gains", Value::list(latent), "aws.gain");
                        self.out.annotate(k, "gain_state", Value::str("latent"), "aws.gain");
                    }
                }
            }
        }
        Ok(())
    }

    /// Breadth first over those whom the principal can become: the nearest that have something that it lacks, and the
    /// nearest administrators, however far.
    fn nearest(
        &self,
        start: usize,
        limit: State,
        by_from: &BTreeMap<usize, Vec<&Found>>,
        compute: &BTreeMap<u32, Vec<usize>>,
    ) -> Result<Vec<String>, GraphError> {
        let me = &self.m.principals[start];
        let mut seen = BTreeSet::from([start]);
        let mut level = vec![start];
        let (mut nearest, mut administrators): (BTreeSet<String>, BTreeSet<String>) = Default::default();
        while !level.is_empty() && administrators.is_empty() {
            let first = nearest.is_empty();
            let mut next = Vec::new();
            for at in level {
                for f in by_from.get(&at).into_iter().flatten().filter(|f| f.state <= limit) {
                    let become_ = match (f.ty, &f.to) {
                        ("CAN_SELF_ESCALATE" | "CAN_GRANT" | "CAN_ADD_MEMBER", _) => {
                            if first {
                                nearest.insert(self.key_of(&f.to)?.to_string());
                            }
                            continue;
                        }
                        ("CAN_CONTROL", Target::Node(n)) => compute.get(n).cloned().unwrap_or_default(),
                        (_, Target::Principal(t)) => vec![*t],
                        _ => continue,
                    };
                    for t in become_ {
                        if !seen.insert(t) {
                            continue;
                        }
                        let target = &self.m.principals[t];
                        if target.administrator {
                            administrators.insert(self.view.key(target.node)?.to_string());
                        } else if first && !covers(me, target) {
                            nearest.insert(self.view.key(target.node)?.to_string());
                        }
                        next.push(t);
                    }
                }
            }
            level = next;
        }
        // A handful says it, administrators first.
        Ok(administrators.into_iter().take(8).chain(nearest.into_iter().take(8)).collect())
    }
}

fn scope_key(account: &str, service: &str) -> NodeKey {
    NodeKey::new(SOURCE, format!("scope/{account}/{service}"))
}
