//! From a request's scope to partitions: the owner that a write goes to, and the partitions that a read may search.

mod narrowed;
mod owner;
mod targets;

pub(crate) use narrowed::narrowed;
pub(crate) use owner::owner;
pub(crate) use targets::SearchTargets;
