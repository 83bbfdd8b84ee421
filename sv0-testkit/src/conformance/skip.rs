//! Cases that may fail, each with its reason: a text file of `id<TAB>reason`, one line a case, `#` for remarks.

use std::collections::BTreeMap;
use std::path::Path;

/// A list of cases that may fail.
#[derive(Debug, Clone, Default)]
pub struct SkipList(BTreeMap<String, String>);

impl SkipList {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, or see [`SkipList::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, String> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// A line without a reason, or a case that is named twice.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        for (n, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, reason) = line.split_once('\t').map_or((line, ""), |(id, r)| (id, r.trim()));
            if reason.is_empty() {
                return Err(format!("line {}: `{id}` has no reason (id, tab, reason)", n + 1));
            }
            if all.insert(id.to_owned(), reason.to_owned()).is_some() {
                return Err(format!("line {}: `{id}` stands twice", n + 1));
            }
        }
        Ok(Self(all))
    }

    /// Why a case may fail; `None` if it may not.
    #[must_use]
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// All cases that may fail.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_reason() {
        let l = SkipList::parse("# remark\n\na:[1] b#2\tmap literal\n").unwrap();
        assert_eq!(l.reason("a:[1] b#2"), Some("map literal"));
        assert_eq!(l.reason("a:[1] b"), None);
        assert!(SkipList::parse("a\n").is_err());
        assert!(SkipList::parse("a\t \n").is_err());
        assert!(SkipList::parse("a\tx\na\ty\n").is_err());
    }
}
