//! How a node is known outside: (source, external id).

use std::fmt;
use std::sync::Arc;

/// A node's natural key. In text it is `source:id`; because a source's name may itself hold colons
/// (`entra:acme`), text is resolved against the sources that are known, longest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    /// The source's name, e.g. `aws:111122223333`.
    pub source: Arc<str>,
    /// The id within the source, e.g. an ARN or a GUID.
    pub id: Arc<str>,
}

impl NodeKey {
    /// A key of its two parts.
    pub fn new(source: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), id: id.into() }
    }

    /// Reads `source:id`, taking the longest of `sources` that fits; `None` where none does.
    pub fn parse<'a>(text: &str, sources: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        sources
            .into_iter()
            .filter_map(|s| Some((s, text.strip_prefix(s)?.strip_prefix(':')?)))
            .max_by_key(|(s, _)| s.len())
            .map(|(s, id)| Self::new(s, id))
    }

    /// A keyed 64-bit hash for the persisted key index. Names are an attacker's, so the hash is keyed.
    pub(crate) fn hash64(source: &str, id: &str) -> u64 {
        const KEY: &[u8; 32] = b"sv0 key index, format version 1.";
        let mut h = blake3::Hasher::new_keyed(KEY);
        h.update(&(source.len() as u64).to_le_bytes());
        h.update(source.as_bytes());
        h.update(id.as_bytes());
        let mut out = [0u8; 8];
        h.finalize_xof().fill(&mut out);
        u64::from_le_bytes(out)
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_source_wins() {
        let k = NodeKey::parse("entra:acme:sp-1", ["entra", "entra:acme", "aws"]).unwrap();
        assert_eq!((&*k.source, &*k.id), ("entra:acme", "sp-1"));
        assert_eq!(NodeKey::parse("nope:1", ["entra"]), None);
    }
}
