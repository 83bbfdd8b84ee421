//! The enrichment step: classification, joins and derivations. Pure: a staged view in, a batch out.
//!
//! | room | holds |
//! |---|---|
//! | `classify` | the declarative pack: environment, sensitivity, data domain, tags |
//! | `join` | things that two sources saw |
//! | `derive` | authority that can be gained, per platform |

mod classify;
mod derive;
mod join;

pub use classify::{Pack, PackError};
pub use derive::aws::{AwsModel, Principal, Statements};
use sv0_graph::{GraphBatch, GraphError, GraphView, NodeType, Scope};

/// The source of everything that enrichment adds.
pub const SOURCE: &str = "derived";

/// Runs the whole step on a staged view. `as_of` is "now" for conditions on dates, microseconds since 1970, UTC.
///
/// # Errors
/// [`GraphError`] if the view can't be read.
pub fn run<G: GraphView>(view: &G, pack: &Pack, as_of: i64) -> Result<GraphBatch, GraphError> {
    let mut batch = GraphBatch::new(SOURCE, 0);
    batch.system = SOURCE.into();
    batch.complete.push(Scope { types: NodeType::ALL.to_vec(), scope: "every derivation".to_owned(), within: None });
    batch.annotations = Some(Vec::new());
    let mut out = Output { batch };
    classify::run(view, pack, &mut out)?;
    join::run(view, &mut out)?;
    derive::run(view, as_of, &mut out)?;
    Ok(out.batch)
}

/// Where the parts of the step put what they find.
pub(crate) struct Output {
    pub batch: GraphBatch,
}

impl Output {
    pub(crate) fn annotate(&mut self, node: sv0_graph::NodeKey, prop: &str, value: sv0_graph::Value, by: &str) {
        if let Some(a) = &mut self.batch.annotations {
            a.push(sv0_graph::Annotation { node, prop: prop.into(), value, by: by.into() });
        }
    }

    /// The batch's number for a record.
    pub(crate) fn record(&mut self, r: &sv0_graph::SourceRecord) -> u32 {
        let i = match self.batch.records.iter().position(|x| x == r) {
            Some(i) => i,
            None => {
                self.batch.records.push(r.clone());
                self.batch.records.len() - 1
            }
        };
        u32::try_from(i).unwrap_or(u32::MAX)
    }
}
