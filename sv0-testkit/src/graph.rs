//! Small graphs from JSON, in the form of rule fixtures: through the public builder, committed, read from the store.

use serde_json::Value as Json;
use sv0_graph::{Schema, Snapshot};

/// A graph in JSON as a store's snapshot.
#[must_use]
pub fn snapshot(g: &Json, observed_at: i64) -> Snapshot {
    sv0_rules::fixture::snapshot(g, &Schema::canonical(), observed_at).unwrap_or_else(|e| panic!("{e}"))
}
