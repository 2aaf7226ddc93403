//! Forgetting by policy: sweeps that record what has faded or is beyond the quota, their previews, restores and pins
//! (ADR 0050).
//!
//! The set of forgotten memories is a function of memories, policy and moment ([`plan`], pure), so a preview and the sweep
//! after it agree, and a repeated sweep changes nothing. Under the rule of conditional draws it also depends on the moment of
//! the last complete sweep (ADR 0054). A sweep is a durable job ([`jobs`]) that reads pages of memories
//! without their texts and writes bounded change sets, while recalls go on.

mod evictions;
pub mod jobs;
pub mod meter;
mod pins;
pub mod plan;
mod preview;
pub mod request;
mod restore;
mod sweep;
#[cfg(test)]
mod tests;
