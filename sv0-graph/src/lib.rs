//! The authority graph (*NormalizedGraph*): its schema, the batches that build it and the single-file store that keeps it.
//!
//! What is in here: the [`schema`] as data, the [`GraphBatch`] that connectors produce and the ingestion [`contract`]'s
//! type mapping, validation of batches against the schema ([`check`]), the staged in-memory view ([`Working`]) that the
//! enrichment step reads, and the [`Store`] with its immutable [`Snapshot`]s.
//!
//! What is not: no text format is parsed here, no rule is known, and nothing reads the network, the clock or the
//! environment.
//!
//! ```
//! use sv0_graph::{GraphBatch, NodeInput, NodeKey, NodeType, Schema, Store};
//! let mut batch = GraphBatch::new("demo", 0);
//! batch.nodes.push(NodeInput::new(NodeKey::new("demo", "bot"), NodeType::Identity, "entra.service_principal"));
//! let mut store = Store::in_memory(Schema::canonical())?;
//! let mut txn = store.begin()?;
//! txn.stage(vec![batch])?;
//! let snapshot = txn.commit("first")?.snapshot;
//! assert_eq!(snapshot.info().nodes, 1);
//! # Ok::<(), sv0_graph::StoreError>(())
//! ```

pub mod adhoc;
mod batch;
pub mod bulk;
pub mod check;
mod compare;
pub mod contract;
mod key;
pub mod schema;
mod store;
mod value;
pub mod vfs;
mod view;
mod visit;
mod working;

pub use batch::{Annotation, EdgeInput, Evidence, GraphBatch, NodeInput, Origin, Scope, SourceRecord, State};
pub use compare::{Compared, Graph};
pub use key::NodeKey;
pub use schema::{EdgeClass, EdgeTypeId, Flow, NodeType, PropId, PropType, Schema, TypeGroup};
pub use store::{
    Adjacency, ChangeCounts, ChangeSet, Codes, Commit, Compacted, Diff, EdgeChange, Keep, Layout, NodeChanges,
    SectionPlace, SectionSize, Snapshot, SnapshotInfo, SourceInfo, Store, StoreError, StoreInfo, Topology, Transaction,
    Trust, TypeStatistics, VerifyReport,
};
pub use value::Value;
pub use view::{Change, Direction, EdgeId, EdgeRef, GraphError, GraphView};
pub use visit::{Visit, VisitEdge};
pub use working::Working;
