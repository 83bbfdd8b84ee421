//! A unit of the organisation as it should be: everything is owned by somebody active, used, rotated, and inside its own
//! environment.

use serde_json::{Value as Json, json};

use super::Writer;
use super::random::Random;

/// What planted risks stand beside.
pub(super) struct Base {
    pub container: String,
    pub owners: Vec<String>,
    pub environment: &'static str,
}

/// Kinds by platform.
pub(super) struct Kinds {
    pub identity: &'static [&'static str],
    pub automation: &'static [&'static str],
    pub connection: &'static str,
    pub credential: &'static str,
    pub role: &'static str,
    pub group: &'static str,
    pub permission: &'static str,
    pub container: &'static str,
    pub scope: &'static str,
    pub data: &'static [&'static str],
    pub actions: &'static [&'static str],
}

pub(super) fn kinds(system: &str) -> Kinds {
    match system {
        "aws" => Kinds {
            identity: &["aws.role", "aws.user"],
            automation: &["aws.lambda", "aws.state_machine", "aws.ecs_service"],
            connection: "aws.api_destination",
            credential: "aws.access_key",
            role: "aws.policy",
            group: "aws.group",
            permission: "aws.statement",
            container: "account",
            scope: "aws.service_scope",
            data: &["bucket", "table", "queue", "topic"],
            actions: &["s3:GetObject", "sqs:SendMessage", "dynamodb:GetItem"],
        },
        "azure" => Kinds {
            identity: &["azure.managed_identity"],
            automation: &["azure.function", "azure.logic_app", "azure.vm"],
            connection: "foundry.connection",
            credential: "entra.secret",
            role: "azure.role_definition",
            group: "entra.group",
            permission: "azure.role_assignment",
            container: "subscription",
            scope: "resource_group",
            data: &["storage", "database", "queue"],
            actions: &["Microsoft.Storage/storageAccounts/read", "Microsoft.Sql/servers/databases/read"],
        },
        "servicenow" => Kinds {
            identity: &["servicenow.user", "servicenow.oauth_client"],
            automation: &["servicenow.business_rule", "servicenow.flow", "servicenow.scheduled_job"],
            connection: "servicenow.rest_message",
            credential: "servicenow.oauth_profile",
            role: "servicenow.role",
            group: "servicenow.group",
            permission: "servicenow.acl",
            container: "instance",
            scope: "application_scope",
            data: &["table"],
            actions: &["read", "write"],
        },
        "github" => Kinds {
            identity: &["github.app", "github.oidc_subject"],
            automation: &["github.workflow", "github.job"],
            connection: "servicenow.http_connection",
            credential: "github.secret",
            role: "github.team",
            group: "github.team",
            permission: "github.permission",
            container: "project",
            scope: "repository",
            data: &["environment", "storage"],
            actions: &["contents:read", "packages:write"],
        },
        _ => Kinds {
            identity: &["entra.service_principal"],
            automation: &["azure.runbook", "azure.logic_app"],
            connection: "foundry.connection",
            credential: "entra.certificate",
            role: "entra.directory_role",
            group: "entra.group",
            permission: "entra.app_role_assignment",
            container: "tenant",
            scope: "api",
            data: &["mailbox", "api", "storage"],
            actions: &["Mail.Read", "Files.Read.All"],
        },
    }
}

/// How many of each a unit has.
const OWNERS: usize = 12;
const DATA: usize = 205;
const ROLES: usize = 45;
const GROUPS: usize = 12;
const PERMISSIONS: usize = 200;
const IDENTITIES: usize = 15;
const AUTOMATIONS: usize = 110;
const CONNECTIONS: usize = 12;
const CREDENTIALS: usize = 14;
const EVIDENCE: usize = 360;

/// A recent moment: some day of the last three weeks.
pub(super) fn recent(r: &mut Random) -> String {
    if r.percent(50) {
        format!("2026-01-{:02}T{:02}:15:00Z", r.between(1, 14), r.between(0, 23))
    } else {
        format!("2025-12-{:02}T{:02}:45:00Z", r.between(25, 31), r.between(0, 23))
    }
}

pub(super) fn write(w: &mut Writer, r: &mut Random, unit: u32, units: u32) -> Base {
    let k = kinds(w.platform.system);
    let environment = match unit / 5 % 5 {
        0..=2 => "production",
        3 => "test",
        _ => "development",
    };
    let common = |more: Json| {
        let mut all = json!({"status": "active", "environment": environment, "sensitivity": "none",
            "tenant": format!("unit-{unit}"), "created_at": "2023-04-01T09:00:00Z"});
        if let (Some(all), Json::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        all
    };
    let id = |what: &str, n: usize| format!("u{unit}-{what}-{n}");
    let owners: Vec<String> = (0..OWNERS)
        .map(|n| {
            let props = json!({"status": "active", "email": format!("person{n}.unit{unit}@synth.example"), "department": format!("unit {unit}")});
            w.node("human_identity", "user", id("person", n), props)
        })
        .collect();
    for n in 1..OWNERS {
        w.edge("REPORTS_TO", &owners[n], &owners[n / 3]);
    }
    // Containers, scopes in them, data in those; two of three hold a good part.
    let container = w.node("resource", k.container, id("container", 0), common(json!({})));
    let scopes: Vec<String> = (0..4).map(|n| w.node("resource", k.scope, id("scope", n), common(json!({})))).collect();
    scopes.iter().for_each(|s| w.edge("CONTAINS", &container, s));
    let data: Vec<String> = (0..DATA)
        .map(|n| {
            let sensitivity = r.pick(&["none", "none", "low", "low", "medium"]);
            let domain = r.pick(&["operations", "engineering", "marketing"]);
            let props = common(json!({"sensitivity": sensitivity, "data_domain": domain}));
            let kind = r.pick(k.data);
            w.node("resource", kind, id("data", n), props)
        })
        .collect();
    data.iter().for_each(|d| {
        let s = r.hub(scopes.len());
        w.edge("CONTAINS", &scopes[s], d);
    });
    // Roles; groups nested in each other, never in a circle; statements, a few of them wide.
    let roles: Vec<String> = (0..ROLES).map(|n| w.node("role", k.role, id("role", n), common(json!({})))).collect();
    for n in 1..ROLES {
        if r.percent(25) {
            let inner = r.below(n);
            w.edge("INCLUDES", &roles[n], &roles[inner]);
        }
    }
    // Roles that include each other: a circle stands in real exports, too.
    w.edge("INCLUDES", &roles[0], &roles[ROLES - 1]);
    w.edge("INCLUDES", &roles[ROLES - 1], &roles[0]);
    let groups: Vec<String> = (0..GROUPS).map(|n| w.node("role", k.group, id("group", n), common(json!({})))).collect();
    for n in 1..GROUPS {
        w.edge("MEMBER_OF", &groups[n], &groups[(n - 1) / 2]);
        let role = r.hub(ROLES);
        w.edge("HAS_ROLE", &groups[n], &roles[role]);
    }
    for n in 0..PERMISSIONS {
        let action = r.pick(k.actions);
        let p =
            w.node("permission", k.permission, id("grant", n), common(json!({"effect": "allow", "actions": [action]})));
        let role = if n < ROLES { n } else { r.hub(ROLES) };
        w.edge("GRANTS", &roles[role], &p);
        if n.is_multiple_of(40) {
            // A wildcard: all there is in a scope.
            w.edge("APPLIES_TO", &p, &scopes[n / 40 % scopes.len()]);
        }
        let mut on: Vec<usize> = (0..r.between(2, 14)).map(|_| r.hub(DATA)).collect();
        on.sort_unstable();
        on.dedup();
        on.iter().for_each(|d| w.edge("APPLIES_TO", &p, &data[*d]));
    }
    // Identities: roles, groups, chains of trust that may come back.
    let identities: Vec<String> = (0..IDENTITIES)
        .map(|n| {
            let kind = r.pick(k.identity);
            let seen = recent(r);
            w.node("identity", kind, id("identity", n), common(json!({"last_seen": seen})))
        })
        .collect();
    for (n, i) in identities.iter().enumerate() {
        w.edge("CONTAINS", &container, i);
        let mut held: Vec<usize> = (0..r.between(1, 4)).map(|_| r.hub(ROLES)).collect();
        held.sort_unstable();
        held.dedup();
        held.iter().for_each(|role| w.edge("HAS_ROLE", i, &roles[*role]));
        if r.percent(60) {
            let g = r.below(GROUPS);
            w.edge("MEMBER_OF", i, &groups[g]);
        }
        let o = r.hub(OWNERS);
        w.edge_with("OWNED_BY", i, &owners[o], &json!({"how": "owner"}));
        if r.percent(40) {
            let to = r.below(IDENTITIES);
            if to != n {
                w.edge("CAN_ASSUME", i, &identities[to]);
            }
        }
    }
    // Into another unit of the platform and the environment: twenty-five units on stands one.
    if unit + 25 < units {
        w.edge("CAN_ASSUME", &identities[0], &format!("u{}-identity-0", unit + 25));
    }
    // Automations that run as them, call each other, and go out.
    let automations: Vec<String> = (0..AUTOMATIONS)
        .map(|n| {
            let kind = r.pick(k.automation);
            let seen = recent(r);
            w.node("automation", kind, id("automation", n), common(json!({"last_seen": seen})))
        })
        .collect();
    for (n, a) in automations.iter().enumerate() {
        let i = r.hub(IDENTITIES);
        w.edge("RUNS_AS", a, &identities[i]);
        let o = r.below(OWNERS);
        w.edge_with("OWNED_BY", a, &owners[o], &json!({"how": "owner"}));
        if r.percent(30) && n > 0 {
            let called = r.below(n);
            w.edge("INVOKES", a, &automations[called]);
        }
        if r.percent(20) {
            let d = r.hub(DATA);
            w.edge("TRIGGERS", &data[d], a);
        }
    }
    let connections: Vec<String> =
        (0..CONNECTIONS).map(|n| w.node("connection", k.connection, id("connection", n), common(json!({})))).collect();
    let credentials: Vec<String> = (0..CREDENTIALS)
        .map(|n| {
            let props = common(json!({"created_at": "2025-12-01T08:00:00Z", "rotated_at": "2025-12-20T08:00:00Z",
                "expires_at": "2027-06-01T00:00:00Z", "last_used_at": recent(r)}));
            w.node("credential", k.credential, id("credential", n), props)
        })
        .collect();
    for (n, c) in connections.iter().enumerate() {
        w.edge("USES_CREDENTIAL", c, &credentials[n % CREDENTIALS]);
        let (d, o, a) = (r.below(DATA), r.below(OWNERS), r.below(AUTOMATIONS));
        w.edge("CONNECTS_TO", c, &data[d]);
        w.edge_with("OWNED_BY", c, &owners[o], &json!({"how": "owner"}));
        w.edge("USES_CONNECTION", &automations[a], c);
        let more = r.below(AUTOMATIONS);
        if more != a {
            w.edge("USES_CONNECTION", &automations[more], c);
        }
    }
    for (n, c) in credentials.iter().enumerate() {
        w.edge("AUTHENTICATES_AS", c, &identities[n % IDENTITIES]);
        w.edge("STORED_IN", c, &scopes[0]);
        let o = r.below(OWNERS);
        w.edge_with("OWNED_BY", c, &owners[o], &json!({"how": "owner"}));
    }
    // What happened: by each automation and identity at least once, by few of them most often.
    for n in 0..EVIDENCE {
        let (from, kind) = match n {
            n if n < IDENTITIES => (&identities[n], "api_call"),
            n if n < IDENTITIES + AUTOMATIONS => (&automations[n - IDENTITIES], "execution"),
            _ if r.percent(50) => (&identities[r.hub(IDENTITIES)], "api_call"),
            _ => (&automations[r.hub(AUTOMATIONS)], "execution"),
        };
        let props =
            json!({"status": "active", "last_seen": recent(r), "outcome": "success", "count": r.between(1, 900)});
        let e = w.node("execution_evidence", kind, id("evidence", n), props);
        w.edge("EVIDENCED_BY", from, &e);
        let d = r.hub(DATA);
        w.edge("USED_ON", &e, &data[d]);
    }
    let coverage =
        json!({"log_source": "activity", "window_start": "2024-01-01T00:00:00Z", "window_end": super::OBSERVED});
    let c = w.node("execution_evidence", "coverage", id("coverage", 0), coverage);
    w.edge("USED_ON", &c, &container);
    Base { container, owners, environment }
}
