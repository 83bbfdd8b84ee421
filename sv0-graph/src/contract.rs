//! The ingestion contract's node types and how they map to the nine of the model (ADR-006).
//!
//! Connectors emit the nine types with `human_identity` in place of `owner`. The legacy `autonomous_identity` with its
//! `identitySubtype` is accepted during the migration window and split by what the artifact does.

use crate::schema::NodeType;

/// The legacy subtypes, the type each becomes, and the kind given where the node names none.
pub const LEGACY_SUBTYPES: &[(&str, NodeType, &str)] = &[
    ("Business Rule", NodeType::Automation, "servicenow.business_rule"),
    ("Script Include", NodeType::Automation, "servicenow.script_include"),
    ("Flow", NodeType::Automation, "servicenow.flow"),
    ("Scheduled Job", NodeType::Automation, "servicenow.scheduled_job"),
    ("REST Message", NodeType::Connection, "servicenow.rest_message"),
    ("HTTP Connection", NodeType::Connection, "servicenow.http_connection"),
    ("OAuth Profile", NodeType::Credential, "servicenow.oauth_profile"),
    ("API Key", NodeType::Credential, "servicenow.api_key"),
    ("Certificate", NodeType::Credential, "servicenow.certificate"),
    ("Service Principal", NodeType::Identity, "entra.service_principal"),
    ("OAuth App", NodeType::Identity, "servicenow.oauth_client"),
    ("Machine Account", NodeType::Identity, "servicenow.user"),
    ("Integration User", NodeType::Identity, "servicenow.user"),
];

/// A contract type, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The model's type.
    pub ty: NodeType,
    /// The kind to use where the node names none (legacy nodes only).
    pub default_kind: Option<&'static str>,
    /// Whether it came in as a legacy `autonomous_identity`.
    pub legacy: bool,
}

/// Why a contract type was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractTypeError {
    /// No such type.
    #[error("unknown node type `{found}`; the contract's types are {known}")]
    UnknownType {
        /// What the input says.
        found: String,
        /// What it may say.
        known: String,
    },
    /// `autonomous_identity` with a subtype that the table doesn't have.
    #[error("unknown identitySubtype `{found}` of a legacy `autonomous_identity`; known are {known}")]
    UnknownSubtype {
        /// What the input says.
        found: String,
        /// What it may say.
        known: String,
    },
}

/// Maps a contract type (and a legacy subtype) to the model's type.
///
/// # Errors
/// [`ContractTypeError`] with the list of what would be accepted.
pub fn resolve(ty: &str, subtype: Option<&str>) -> Result<Resolved, ContractTypeError> {
    let plain = |ty| Ok(Resolved { ty, default_kind: None, legacy: false });
    match ty {
        "human_identity" => plain(NodeType::Owner),
        "autonomous_identity" => {
            let sub = subtype.unwrap_or("");
            let fold = |s: &str| s.to_lowercase().replace(['_', '-', ' '], "");
            LEGACY_SUBTYPES
                .iter()
                .find(|(name, ..)| fold(name) == fold(sub))
                .map(|(_, ty, kind)| Resolved { ty: *ty, default_kind: Some(kind), legacy: true })
                .ok_or_else(|| ContractTypeError::UnknownSubtype {
                    found: sub.to_owned(),
                    known: join(LEGACY_SUBTYPES.iter().map(|(n, ..)| *n)),
                })
        }
        _ => match ty.parse::<NodeType>() {
            Ok(t) => plain(t),
            Err(()) => Err(ContractTypeError::UnknownType {
                found: ty.to_owned(),
                known: join(
                    NodeType::ALL
                        .into_iter()
                        .map(|t| if t == NodeType::Owner { "human_identity" } else { t.name() })
                        .chain(["owner", "autonomous_identity (legacy)"]),
                ),
            }),
        },
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_people_and_legacy() {
        assert_eq!(resolve("human_identity", None).unwrap().ty, NodeType::Owner);
        let r = resolve("autonomous_identity", Some("business_rule")).unwrap();
        assert_eq!((r.ty, r.default_kind, r.legacy), (NodeType::Automation, Some("servicenow.business_rule"), true));
        assert_eq!(resolve("autonomous_identity", Some("OAuth Profile")).unwrap().ty, NodeType::Credential);
        let e = resolve("autonomous_identity", Some("Robot")).unwrap_err().to_string();
        assert!(e.contains("`Robot`") && e.contains("`Integration User`"), "{e}");
        assert!(resolve("identty", None).unwrap_err().to_string().contains("`identity`"));
    }
}
