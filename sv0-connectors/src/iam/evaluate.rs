//! The order of evaluation: explicit deny, RCP, SCP, resource and identity policy, boundary, session.

use super::condition::Context;
use super::pattern::{Resolved, arn_account, glob, literal, resolve};
use super::policy::{Effect, Statement};
use super::tri::{Residual, Tri};

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct Request {
    /// The principal's ARN (a role's, or a session's).
    pub principal: String,
    /// The principal's account.
    pub principal_account: String,
    /// The action, e.g. `iam:PassRole`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The resource's account; the principal's where the ARN names none.
    pub resource_account: String,
    /// What is known of the request.
    pub context: Context,
}

/// Documents of one kind: the statements of all of them together.
pub type PolicySet = Vec<Statement>;

/// The documents that apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// The principal's own and its groups'.
    pub identity: &'a [Statement],
    /// The permission boundary, if there is one.
    pub boundary: Option<&'a [Statement]>,
    /// Service control policies by level (root, units, account).
    pub scps: &'a [PolicySet],
    /// Resource control policies by level.
    pub rcps: &'a [PolicySet],
    /// The resource's policy, if it has one.
    pub resource: Option<&'a [Statement]>,
    /// The session's policies, if there are any.
    pub session: Option<&'a [Statement]>,
}

/// What was decided, and by which statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Allowed {
        /// The statements that allow.
        by: Vec<String>,
    },
    /// A statement forbids it.
    DeniedExplicit {
        /// The statements that forbid.
        by: Vec<String>,
    },
    /// Nothing allows it.
    DeniedImplicit,
    /// It depends.
    Conditional {
        /// On what.
        condition: Residual,
        /// The statements that have a part in it.
        by: Vec<String>,
    },
}

impl Decision {
    /// As three-valued truth.
    #[must_use]
    pub fn tri(&self) -> Tri {
        match self {
            Self::Allowed { .. } => Tri::Yes,
            Self::DeniedExplicit { .. } | Self::DeniedImplicit => Tri::No,
            Self::Conditional { condition, .. } => Tri::If(condition.clone()),
        }
    }

    /// The statements that decide.
    #[must_use]
    pub fn by(&self) -> &[String] {
        match self {
            Self::Allowed { by } | Self::DeniedExplicit { by } | Self::Conditional { by, .. } => by,
            Self::DeniedImplicit => &[],
        }
    }

    /// The decision's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Allowed { .. } => "allowed",
            Self::DeniedExplicit { .. } => "denied_explicit",
            Self::DeniedImplicit => "denied_implicit",
            Self::Conditional { .. } => "conditional",
        }
    }
}

fn listed(patterns: &[String], text: &str, variables: bool, ctx: &Context) -> Tri {
    let mut out = Tri::No;
    let plain = text;
    for p in patterns {
        let hit = if variables && p.contains("${") {
            match resolve(p, &|k| ctx.variable(k)) {
                Resolved::Pattern(p) => {
                    Tri::of(glob(&p, &literal(plain)) || (!p.contains(['\u{f8f0}', '\u{f8f1}']) && glob(&p, plain)))
                }
                Resolved::Nothing => Tri::No,
                Resolved::Unknown(k) => Tri::If(Residual::Is(format!("${{{k}}} fits `{plain}`"))),
            }
        } else {
            Tri::of(glob(p, plain))
        };
        out = out.or(hit);
        if out == Tri::Yes {
            break;
        }
    }
    out
}

fn action_fits(s: &Statement, action: &str) -> bool {
    let action = action.to_lowercase();
    let hit = s.actions.iter().any(|p| glob(p, &action));
    hit != s.not_action
}

/// How a principal element fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PrincipalFit {
    None,
    /// The account: the principal's own policies must allow as well.
    Account,
    /// The role's or user's ARN, or anyone.
    Named,
    /// The session itself.
    Session,
}

fn principal_fit(s: &Statement, r: &Request) -> PrincipalFit {
    let mut best = PrincipalFit::None;
    for p in &s.principals {
        let Some((kind, v)) = p.split_once(':') else { continue };
        let fit = match kind {
            "AWS" => {
                let root = format!(":iam::{}:root", r.principal_account);
                if v == "*" || v == r.principal {
                    if v == r.principal && v.contains(":assumed-role/") {
                        PrincipalFit::Session
                    } else {
                        PrincipalFit::Named
                    }
                } else if v == r.principal_account || (v.starts_with("arn:") && v.ends_with(&root)) {
                    PrincipalFit::Account
                } else if session_of(&r.principal, v) {
                    PrincipalFit::Named
                } else {
                    PrincipalFit::None
                }
            }
            "Service" | "Federated" | "CanonicalUser" if v == r.principal => PrincipalFit::Named,
            _ => PrincipalFit::None,
        };
        best = best.max(fit);
    }
    if s.not_principal {
        return if best == PrincipalFit::None { PrincipalFit::Named } else { PrincipalFit::None };
    }
    best
}

/// Whether a session's ARN is one of the role's.
fn session_of(session: &str, role: &str) -> bool {
    let Some((head, tail)) = session.split_once(":assumed-role/") else { return false };
    let Some(name) = tail.split('/').next() else { return false };
    let account = head.rsplit(':').next().unwrap_or("");
    arn_account(role) == Some(account) && role.contains(":role/") && role.rsplit('/').next() == Some(name)
}

/// Whether a statement applies to a request (its effect aside).
#[must_use]
pub fn statement_applies(s: &Statement, r: &Request, with_principal: bool) -> Tri {
    if !action_fits(s, &r.action) {
        return Tri::No;
    }
    if with_principal && principal_fit(s, r) == PrincipalFit::None {
        return Tri::No;
    }
    let mut out = if s.resources.is_empty() && !s.not_resource {
        Tri::of(with_principal)
    } else {
        let hit = listed(&s.resources, &r.resource, s.variables, &r.context);
        if s.not_resource { !hit } else { hit }
    };
    for c in &s.conditions {
        if out == Tri::No {
            break;
        }
        out = out.and(c.holds(&r.context, s.variables));
    }
    out
}

struct Found {
    tri: Tri,
    by: Vec<String>,
}

fn any(statements: &[Statement], effect: Effect, r: &Request, with_principal: bool) -> Found {
    let mut f = Found { tri: Tri::No, by: Vec::new() };
    for s in statements.iter().filter(|s| s.effect == effect) {
        let t = statement_applies(s, r, with_principal);
        if t.possible() {
            f.by.push(s.id.clone());
        }
        f.tri = f.tri.or(t);
    }
    f
}

/// Services whose resources resource control policies govern (those of them that matter to the graph today).
const RCP_SERVICES: &[&str] = &[
    "s3",
    "sts",
    "kms",
    "sqs",
    "secretsmanager",
    "dynamodb",
    "ecr",
    "aoss",
    "cognito-identity",
    "cognito-idp",
    "logs",
    "es",
    "states",
    "lambda",
    "sns",
];

/// Decides a request.
#[must_use]
pub fn evaluate(r: &Request, input: &Input<'_>) -> Decision {
    let service = r.action.split(':').next().unwrap_or("").to_lowercase();
    let rcp_applies = RCP_SERVICES.contains(&&*service);
    // 1. An explicit deny in any document.
    let mut deny = Found { tri: Tri::No, by: Vec::new() };
    let mut deny_in = |statements: &[Statement], with_principal: bool| {
        let f = any(statements, Effect::Deny, r, with_principal);
        deny.tri = std::mem::replace(&mut deny.tri, Tri::No).or(f.tri);
        deny.by.extend(f.by);
    };
    deny_in(input.identity, false);
    input.boundary.iter().for_each(|b| deny_in(b, false));
    input.session.iter().for_each(|s| deny_in(s, false));
    input.scps.iter().for_each(|l| deny_in(l, false));
    if rcp_applies {
        input.rcps.iter().for_each(|l| deny_in(l, true));
    }
    input.resource.iter().for_each(|p| deny_in(p, true));
    if deny.tri == Tri::Yes {
        return Decision::DeniedExplicit { by: unique(deny.by) };
    }
    let mut by = Vec::new();
    let mut allow_in = |statements: &[Statement], with_principal: bool, by_too: bool| {
        let f = any(statements, Effect::Allow, r, with_principal);
        if by_too {
            by.extend(f.by);
        }
        f.tri
    };
    // 2. and 3. Every level must allow.
    let mut limits = Tri::Yes;
    if rcp_applies {
        for l in input.rcps {
            limits = limits.and(allow_in(l, true, false));
        }
    }
    for l in input.scps {
        limits = limits.and(allow_in(l, false, false));
    }
    // 4. to 6. Identity and resource policy, boundary, session.
    let identity = allow_in(input.identity, false, true);
    let boundary = input.boundary.map_or(Tri::Yes, |b| allow_in(b, false, false));
    let session = input.session.map_or(Tri::Yes, |s| allow_in(s, false, false));
    let own = identity.and(boundary.clone()).and(session.clone());
    let same_account = r.principal_account == r.resource_account;
    let granted = match input.resource {
        // Across accounts both sides must allow.
        None if !same_account => Tri::No,
        None => own,
        Some(p) => {
            // What the resource's policy says, by how it names the principal.
            let mut named = Tri::No;
            let mut direct = Tri::No;
            let mut account = Tri::No;
            for s in p.iter().filter(|s| s.effect == Effect::Allow) {
                let t = statement_applies(s, r, true);
                if t.possible() {
                    by.push(s.id.clone());
                }
                match principal_fit(s, r) {
                    PrincipalFit::None => {}
                    PrincipalFit::Account => account = account.or(t),
                    PrincipalFit::Named
                        if !r.principal.contains(":assumed-role/") && r.principal.contains(":user/") =>
                    {
                        direct = direct.or(t);
                    }
                    PrincipalFit::Named => named = named.or(t),
                    PrincipalFit::Session => direct = direct.or(t),
                }
            }
            let role_trust = service == "sts" && r.resource.contains(":role/");
            if same_account {
                // A policy that names the role's ARN is still bounded by the boundary and the session; one that names
                // the user's or the session's ARN isn't.
                let by_resource = direct.or(named.and(boundary).and(session));
                if role_trust || service == "kms" { by_resource.or(account.and(own)) } else { by_resource.or(own) }
            } else {
                own.and(direct.or(named).or(account))
            }
        }
    };
    let all = granted.and(limits);
    match all.and(!deny.tri.clone()) {
        Tri::Yes => Decision::Allowed { by: unique(by) },
        Tri::No => Decision::DeniedImplicit,
        Tri::If(condition) => {
            by.extend(deny.by);
            Decision::Conditional { condition, by: unique(by) }
        }
    }
}

fn unique(mut v: Vec<String>) -> Vec<String> {
    v.sort();
    v.dedup();
    v
}
