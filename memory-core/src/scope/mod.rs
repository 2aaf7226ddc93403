//! Scope resolution: the owner of a write, and the partitions that a read may search.

mod narrowed;
pub mod own_settings;
mod owner;
mod owner_settings;
pub mod policies;
mod targets;
pub mod zones;

pub(crate) use narrowed::narrowed;
pub(crate) use owner::owner;
pub(crate) use owner_settings::{OwnerSettings, OwnerValue, too_many_owners};
pub(crate) use targets::SearchTargets;
