//! Scope resolution: the owner of a write, and the partitions that a read may search.

mod narrowed;
mod owner;
mod owner_settings;
pub mod policies;
mod targets;
pub mod zones;

pub(crate) use narrowed::narrowed;
pub(crate) use owner::owner;
pub(crate) use owner_settings::{OWNERS_WITH_SETTINGS_AT_MOST, OwnerSettings, OwnerValue};
pub(crate) use targets::SearchTargets;
