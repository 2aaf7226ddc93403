//! Scope resolution: the owner of a write, and the partitions that a read may search.

mod narrowed;
mod owner;
mod targets;

pub(crate) use narrowed::narrowed;
pub(crate) use owner::owner;
pub(crate) use targets::SearchTargets;
