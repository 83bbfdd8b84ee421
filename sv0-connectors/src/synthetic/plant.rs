//! Risks that are planted beside a unit, each with a twin that looks alike and is healthy.

use serde_json::{Value as Json, json};

use super::random::Random;
use super::unit::{Base, kinds, recent};
use super::{Planted, Truth, Writer};

/// Plants what this unit gets: three risks of nine in turn.
pub(super) fn write(w: &mut Writer, r: &mut Random, unit: u32, base: &Base, truth: &mut Truth) {
    for n in 0..3usize {
        let mut p = Plant { w, r, unit, n, base, truth };
        match (unit as usize * 3 + n) % 9 {
            0 => p.orphaned_automation(),
            1 => p.orphaned_identity(),
            2 => p.ownership_gap(),
            3 => p.dormant_authority(),
            4 => p.stale_credential(),
            5 => p.expired_credential(),
            6 => p.sensitive_reach(),
            7 => p.external_trust(),
            _ => p.environment_isolation(),
        }
    }
}

struct Plant<'p> {
    w: &'p mut Writer,
    r: &'p mut Random,
    unit: u32,
    n: usize,
    base: &'p Base,
    truth: &'p mut Truth,
}

impl Plant<'_> {
    fn id(&self, what: &str) -> String {
        format!("u{}-planted{}-{what}", self.unit, self.n)
    }

    fn props(&self, more: Json) -> Json {
        let mut all = json!({"status": "active", "environment": self.base.environment, "sensitivity": "none",
            "tenant": format!("unit-{}", self.unit), "created_at": "2023-04-01T09:00:00Z"});
        if let (Some(all), Json::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        all
    }

    fn found(&mut self, rule: &'static str, id: &str) {
        self.truth.found.push(Planted { rule, subject: self.w.key(id) });
    }

    fn healthy(&mut self, rule: &'static str, id: &str) {
        self.truth.healthy.push(Planted { rule, subject: self.w.key(id) });
    }

    fn owner(&mut self) -> String {
        self.base.owners[self.r.below(self.base.owners.len())].clone()
    }

    fn gone(&mut self, what: &str) -> String {
        let props = json!({"status": "disabled", "email": format!("left.{what}@synth.example")});
        self.w.node("human_identity", "user", self.id(what), props)
    }

    fn own(&mut self, id: &str) {
        let o = self.owner();
        self.w.edge_with("OWNED_BY", id, &o, &json!({"how": "owner"}));
    }

    /// An identity that was active lately, and is contained.
    fn identity(&mut self, what: &str, owned: bool) -> String {
        let kind = kinds(self.w.platform.system).identity[0];
        let seen = recent(self.r);
        let i = self.w.node("identity", kind, self.id(what), self.props(json!({"last_seen": seen})));
        self.w.edge("CONTAINS", &self.base.container, &i);
        if owned {
            self.own(&i);
        }
        i
    }

    /// A grant of an identity's own on one resource.
    fn grant(&mut self, what: &str, identity: &str, resource: &str) {
        let k = kinds(self.w.platform.system);
        let props = self.props(json!({"effect": "allow", "actions": [k.actions[0]]}));
        let p = self.w.node("permission", k.permission, self.id(what), props);
        self.w.edge("HAS_PERMISSION", identity, &p);
        self.w.edge("APPLIES_TO", &p, resource);
    }

    fn resource(&mut self, what: &str, more: Json) -> String {
        let kind = kinds(self.w.platform.system).data[0];
        self.w.node("resource", kind, self.id(what), self.props(more))
    }

    /// Runs as an identity whose owner has left, as has its own; the twin has one who hasn't.
    fn orphaned_automation(&mut self) {
        let k = kinds(self.w.platform.system);
        for (what, healthy) in [("orphan", false), ("kept", true)] {
            let i = self.identity(&format!("{what}-identity"), false);
            let left = self.gone(&format!("{what}-left"));
            self.w.edge_with("OWNED_BY", &i, &left, &json!({"how": "owner"}));
            let seen = recent(self.r);
            let a = self.w.node("automation", k.automation[0], self.id(what), self.props(json!({"last_seen": seen})));
            self.w.edge("RUNS_AS", &a, &i);
            self.w.edge_with("OWNED_BY", &a, &left, &json!({"how": "creator"}));
            if healthy {
                self.own(&i);
                self.own(&a);
                for (rule, id) in [("orphaned-automation", &a), ("orphaned-identity", &i), ("ownership-gap", &a)] {
                    self.healthy(rule, id);
                }
            } else {
                for (rule, id) in [("orphaned-automation", &a), ("orphaned-identity", &i), ("ownership-gap", &a)] {
                    self.found(rule, id);
                }
            }
        }
    }

    /// Nobody owns it; the twin's owner is another identity, behind which stands a person.
    fn orphaned_identity(&mut self) {
        let i = self.identity("alone", false);
        self.found("orphaned-identity", &i);
        let (twin, behind) = (self.identity("looked-after", false), self.identity("looks-after", true));
        self.w.edge_with("OWNED_BY", &twin, &behind, &json!({"how": "owner"}));
        self.healthy("orphaned-identity", &twin);
    }

    /// A connection that nobody owns.
    fn ownership_gap(&mut self) {
        let kind = kinds(self.w.platform.system).connection;
        let c = self.w.node("connection", kind, self.id("unowned"), self.props(json!({})));
        self.found("ownership-gap", &c);
        let twin = self.w.node("connection", kind, self.id("owned"), self.props(json!({})));
        self.own(&twin);
        self.healthy("ownership-gap", &twin);
    }

    /// Holds a grant and hasn't been seen for long; of the twin an automation ran lately.
    fn dormant_authority(&mut self) {
        let k = kinds(self.w.platform.system);
        for (what, healthy) in [("dormant", false), ("woken", true)] {
            let old = json!({"last_seen": "2024-11-02T10:00:00Z"});
            let i = self.w.node("identity", k.identity[0], self.id(what), self.props(old));
            self.w.edge("CONTAINS", &self.base.container, &i);
            self.own(&i);
            let d = self.resource(&format!("{what}-data"), json!({}));
            self.grant(&format!("{what}-grant"), &i, &d);
            if healthy {
                let seen = recent(self.r);
                let ran = self.w.node(
                    "execution_evidence",
                    "execution",
                    self.id("woken-evidence"),
                    json!({"status": "active", "last_seen": seen, "outcome": "success"}),
                );
                self.w.edge("EVIDENCED_BY", &i, &ran);
                self.healthy("dormant-authority", &i);
            } else {
                self.found("dormant-authority", &i);
            }
        }
    }

    /// An access key of two years; the twin's was rotated.
    fn stale_credential(&mut self) {
        let i = self.identity("key-holder", true);
        for (what, healthy) in [("old-key", false), ("new-key", true)] {
            let used = recent(self.r);
            let mut props = self.props(json!({"created_at": "2023-06-01T00:00:00Z", "last_used_at": used}));
            if healthy {
                props["rotated_at"] = json!("2026-01-03T00:00:00Z");
            }
            let c = self.w.node("credential", "aws.access_key", self.id(what), props);
            self.w.edge("AUTHENTICATES_AS", &c, &i);
            self.own(&c);
            if healthy {
                self.healthy("stale-credential", &c);
            } else {
                self.found("stale-credential", &c);
            }
        }
    }

    /// A connection that goes on with a credential that has expired; the twin's hasn't.
    fn expired_credential(&mut self) {
        let k = kinds(self.w.platform.system);
        for (what, at) in [("expired", "2025-10-01T00:00:00Z"), ("valid", "2027-10-01T00:00:00Z")] {
            let c = self.w.node("connection", k.connection, self.id(&format!("{what}-user")), self.props(json!({})));
            self.own(&c);
            let props = self.props(json!({"created_at": "2025-12-02T00:00:00Z", "expires_at": at}));
            let secret = self.w.node("credential", "entra.certificate", self.id(what), props);
            self.own(&secret);
            self.w.edge("USES_CREDENTIAL", &c, &secret);
            if what == "expired" {
                self.found("expired-credential-in-use", &secret);
            } else {
                self.healthy("expired-credential-in-use", &secret);
            }
        }
    }

    /// Reaches what is sensitive; the twin's grant denies it.
    fn sensitive_reach(&mut self) {
        let k = kinds(self.w.platform.system);
        let domain = self.r.pick(&["finance", "hr", "customer"]);
        let d = self.resource("vault", json!({"sensitivity": "high", "data_domain": domain}));
        let i = self.identity("reader", true);
        self.grant("reads", &i, &d);
        self.found("sensitive-reach", &i);
        let twin = self.identity("kept-out", true);
        let deny = self.props(json!({"effect": "deny", "actions": [k.actions[0]]}));
        let p = self.w.node("permission", k.permission, self.id("denies"), deny);
        self.w.edge("HAS_PERMISSION", &twin, &p);
        self.w.edge("APPLIES_TO", &p, &d);
        self.healthy("sensitive-reach", &twin);
    }

    /// Somebody outside may become it; the twin asks for an external id.
    fn external_trust(&mut self) {
        let outside = self.w.node(
            "identity",
            "external.account",
            self.id("outside"),
            json!({"status": "active", "system": "external", "tags": ["external"]}),
        );
        let (i, twin) = (self.identity("trusting", true), self.identity("careful", true));
        self.w.edge("CAN_ASSUME", &outside, &i);
        self.w.edge_with("CAN_ASSUME", &outside, &twin, &json!({"external_id": true}));
        self.found("external-trust", &i);
        self.healthy("external-trust", &twin);
    }

    /// Of a development environment, into production; the twin stays where it is.
    fn environment_isolation(&mut self) {
        let dev = json!({"environment": "development"});
        let (prod, own) =
            (self.resource("production", json!({"environment": "production"})), self.resource("sandbox", dev));
        for (what, to, healthy) in [("crossing", prod, false), ("staying", own, true)] {
            let kind = kinds(self.w.platform.system).identity[0];
            let seen = recent(self.r);
            let props = self.props(json!({"environment": "development", "last_seen": seen}));
            let i = self.w.node("identity", kind, self.id(what), props);
            self.w.edge("CONTAINS", &self.base.container, &i);
            self.own(&i);
            self.grant(&format!("{what}-grant"), &i, &to);
            if healthy {
                self.healthy("environment-isolation", &i);
            } else {
                self.found("environment-isolation", &i);
            }
        }
    }
}
