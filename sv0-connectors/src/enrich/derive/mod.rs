//! Derivations: authority that can be gained. Each edge carries its premises and the derivation's id; targets that are
//! "all of these" are one set node that contains them, never a product of sources and targets.
//!
//! | room | holds |
//! |---|---|
//! | `aws` | principals and their statements, read from the graph |
//! | `techniques` | the known ways to gain authority in AWS, as data |
//! | `escalation` | who can use which technique on whom |
//! | `gain` | what of it is more than the principal has |

pub(crate) mod aws;
mod escalation;
mod gain;
mod techniques;

use sv0_graph::{GraphError, GraphView};

use super::Output;

pub(super) fn run<G: GraphView>(view: &G, as_of: i64, out: &mut Output) -> Result<(), GraphError> {
    let model = aws::AwsModel::read(view, as_of)?;
    if model.principals.is_empty() {
        return Ok(());
    }
    let edges = escalation::derive(view, &model)?;
    gain::derive(view, &model, edges, out)
}
