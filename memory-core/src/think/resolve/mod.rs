//! Resolution of candidate facts against known facts: duplicates, supersession, contradictions, junk. Pure.
//!
//! [`resolve()`] decides about each candidate, [`changes()`] turns the decisions into plain writes, [`audit()`] measures
//! what is stored by the same rules. Nothing here removes a fact or alters its text: a fact that is replaced gets an end of
//! validity.
//!
//! **Timelines.** The facts of one subject, one attribute that holds one value, and one party (who says it) form a timeline
//! of assertions: values with times. The valid values of a moment are those of the latest assertion before it, so that the
//! result does not depend on the order in which assertions arrive. `ledger` keeps the timelines as intervals.

mod audience;
mod audit;
mod changes;
mod decide;
mod decision;
mod echo;
mod input;
mod junk;
mod ledger;
mod near;
mod normal;
mod same;
mod timeline;
mod write;

#[cfg(test)]
mod tests;

pub(super) use audience::audience;
pub use audit::{AuditReport, audit};
pub use changes::{ChangeInput, changes};
pub use decide::{Resolution, resolve};
pub use decision::{Decision, FactRef, Reason};
pub use echo::{ECHO_WORDS, echoed_spans};
pub use input::{Evidence, KnownFact, Relation, ResolveInput, Thresholds};
pub use normal::normalised;
pub use write::{FactChanges, FactRevision, FactToWrite};
