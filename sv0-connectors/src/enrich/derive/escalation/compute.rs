//! Passing a role to compute, new or existing.

use super::super::aws::Principal;
use super::super::techniques::{Existing, Need, TECHNIQUES, Technique};
use super::{Automation, Found, Proof, Target, World, action_fits};
use crate::iam::{Effect, Input, Request, Tri, evaluate, glob};

impl World<'_> {
    /// Whether some new or unknown thing exists on which an action is possible: the template itself, or an instance of
    /// what a statement's pattern names.
    pub(super) fn anywhere(&self, i: usize, action: &str, template: &str) -> Proof {
        if !self.might(i, action) {
            return Proof { tri: Tri::No, by: Vec::new() };
        }
        let account = &self.p(i).account;
        let plain = template.replace("{r}", &format!("us-east-1:{account}")).replace("{c}", "sv0");
        let mut best = self.decide(i, action, &plain, &[]);
        if best.tri == Tri::Yes {
            return best;
        }
        let lower = action.to_lowercase();
        for s in self.p(i).identity.iter().filter(|s| s.effect == Effect::Allow && action_fits(s, &lower)) {
            for pattern in s.resources.iter().filter(|r| *r != "*") {
                if let Some(arn) = instance(pattern, &plain) {
                    best = best.or(self.decide(i, action, &arn, &[]));
                }
            }
        }
        best
    }

    pub(super) fn all_anywhere(&self, i: usize, needs: &[Need], cluster: Option<&str>) -> Proof {
        let mut proof = Proof::yes();
        for (action, template) in needs {
            let t = match cluster {
                Some(c) => template.replace("{c}", c),
                None => (*template).to_owned(),
            };
            proof = proof.and(&self.anywhere(i, action, &t));
            if !proof.possible() {
                break;
            }
        }
        proof
    }

    pub(super) fn compute(&self, i: usize, out: &mut Vec<Found>) {
        for t in TECHNIQUES {
            match t {
                Technique::NewCompute { id, services, actions, existing, instance_profile } => {
                    if !self.might(i, "iam:PassRole") || actions.iter().any(|(a, _)| !self.might(i, a)) {
                        continue;
                    }
                    let (proof, missing) = match existing {
                        None => (self.all_anywhere(i, actions, None), None),
                        Some(e) => self.with_existing(i, e, actions),
                    };
                    if !proof.possible() {
                        continue;
                    }
                    self.pass(i, id, services, *instance_profile, &proof, missing, out);
                }
                Technique::ExistingCompute { id, kind, actions, more, triggered, pass, sample } => {
                    if actions.iter().any(|a| !self.might(i, a)) || (pass.is_some() && !self.might(i, "iam:PassRole")) {
                        continue;
                    }
                    let made = self.all_anywhere(i, more, None);
                    if !made.possible() {
                        continue;
                    }
                    let account = self.p(i).account.clone();
                    match self.things.get(&((*kind).into(), account.clone())) {
                        Some(list) => {
                            for a in list.iter().filter(|a| !a.runs_as.is_empty() && (!triggered || a.triggered)) {
                                let mut proof = made.clone();
                                for action in *actions {
                                    proof = proof.and(&self.decide(i, action, &a.arn, &[]));
                                }
                                if let Some(service) = pass {
                                    proof = proof.and(&self.may_pass(i, service, &a.runs_as));
                                }
                                debug_assert_eq!(&*a.kind, *kind);
                                self.push(out, i, "CAN_CONTROL", Target::Node(a.node), proof, id, None, None);
                            }
                        }
                        None => {
                            let mut proof = made;
                            for action in *actions {
                                proof = proof.and(&self.anywhere(i, action, sample));
                            }
                            if let Some(service) = pass {
                                let roles = self.by_service.get(&((*service).to_owned(), account.clone()));
                                proof = proof.and(&self.may_pass(i, service, roles.map_or(&[][..], Vec::as_slice)));
                            }
                            let service = kind.trim_start_matches("aws.").replace('_', " ");
                            let why = format!("no {service} is known in account {account}");
                            let to = Target::Scope { account, service: (*kind).to_owned() };
                            self.latent(out, i, "CAN_CONTROL", to, proof, id, &why);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn may_pass(&self, i: usize, service: &str, roles: &[usize]) -> Proof {
        let mut best = Proof { tri: Tri::No, by: Vec::new() };
        for t in roles {
            best = best.or(self.decide(i, "iam:PassRole", &self.p(*t).arn, &[("iam:PassedToService", service)]));
        }
        best
    }

    /// What a technique needs beside a thing that must exist; with what is missing, if nothing of the kind is known.
    pub(super) fn with_existing(&self, i: usize, e: &Existing, actions: &[Need]) -> (Proof, Option<String>) {
        let account = self.p(i).account.clone();
        let known: Vec<&Automation> = self
            .things
            .get(&(e.kind.into(), account.clone()))
            .into_iter()
            .flatten()
            .filter(|a| !e.container_instances || a.container_instances)
            .collect();
        if known.is_empty() {
            let mut proof = self.all_anywhere(i, actions, None);
            for a in e.actions {
                proof = proof.and(&self.anywhere(i, a, e.sample));
            }
            let what = e.kind.trim_start_matches("aws.").replace('_', " ");
            return (proof, Some(format!("no {what} is known in account {account}")));
        }
        let mut best = Proof { tri: Tri::No, by: Vec::new() };
        for a in known {
            let name = a.arn.rsplit('/').next().unwrap_or("sv0").to_owned();
            let mut proof = self.all_anywhere(i, actions, Some(&name));
            for action in e.actions {
                proof = proof.and(&self.decide(i, action, &a.arn, &[]));
            }
            best = best.or(proof);
        }
        (best, None)
    }

    /// Roles that can be handed to the compute.
    #[expect(clippy::too_many_arguments, reason = "one technique on one principal")]
    pub(super) fn pass(
        &self,
        i: usize,
        id: &'static str,
        services: &'static [&'static str],
        instance_profile: bool,
        proof: &Proof,
        missing: Option<String>,
        out: &mut Vec<Found>,
    ) {
        let account = self.p(i).account.clone();
        for service in services {
            let roles = self.by_service.get(&((*service).to_owned(), account.clone()));
            let extra = [("iam:PassedToService", *service)];
            for (t, pass) in self.on_each(i, "iam:PassRole", &extra, self.arns(roles, i)) {
                let role = self.p(t);
                if instance_profile && !role.instance_profile {
                    continue;
                }
                let trust = self.service_trust(role, service);
                let all = pass.and(proof).and(&trust);
                match &missing {
                    None => {
                        self.push(out, i, "CAN_CREATE_COMPUTE_AS", Target::Principal(t), all, id, Some(service), None)
                    }
                    Some(why) => {
                        self.latent(out, i, "CAN_CREATE_COMPUTE_AS", Target::Principal(t), all, id, why);
                    }
                }
            }
        }
    }

    pub(super) fn service_trust(&self, role: &Principal, service: &str) -> Proof {
        let mut context = crate::iam::Context::default();
        context.set("aws:SourceAccount", &*role.account);
        context.set("aws:PrincipalIsAWSService", "true");
        context.set("aws:PrincipalServiceName", service);
        let r = Request {
            principal: service.to_owned(),
            principal_account: role.account.to_string(),
            action: "sts:AssumeRole".to_owned(),
            resource: role.arn.to_string(),
            resource_account: role.account.to_string(),
            context,
        };
        Proof::of(&evaluate(&r, &Input { resource: Some(&role.trust), ..Input::default() }))
    }
}

/// An ARN that a pattern matches and that is of the template's kind.
pub(super) fn instance(pattern: &str, template: &str) -> Option<String> {
    let p: Vec<&str> = pattern.splitn(6, ':').collect();
    let t: Vec<&str> = template.splitn(6, ':').collect();
    if p.len() < 6 || t.len() < 6 {
        // A pattern such as `arn:aws:lambda:*` reaches over the rest.
        return glob(pattern, template).then(|| template.to_owned());
    }
    let mut out: Vec<String> = Vec::new();
    for (p, t) in p.iter().zip(&t).take(5) {
        out.push(if glob(p, t) {
            (*t).to_owned()
        } else if t.is_empty() {
            return None;
        } else {
            p.replace(['*', '?'], "1")
        });
    }
    // Service and account must be the template's.
    if out.get(2).map(String::as_str) != t.get(2).copied() || out.get(4).map(String::as_str) != t.get(4).copied() {
        return None;
    }
    let (rp, rt) = (p.get(5)?, t.get(5)?);
    let resource = if glob(rp, rt) { (*rt).to_owned() } else { rp.replace(['*', '?'], "0") };
    // The kind of resource, e.g. `function:` or `stack/`.
    let kind = |s: &str| s.split([':', '/']).next().unwrap_or("").to_owned();
    if kind(&resource) != kind(rt) {
        return None;
    }
    out.push(resource);
    Some(out.join(":"))
}
