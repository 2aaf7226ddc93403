//! Think-in-Memory (`TiM`, Liu et al. 2023, arXiv:2311.08719): thoughts are hashed into buckets, grouped, and organised by a
//! language model that answers with edits. [`thoughts`] is the mechanism as published.
//!
//! No other part of this folder waits, reads a clock or calls a model: [`lsh`] hashes vectors, [`groups`] chooses what is
//! organised together, [`organise`] makes prompts and turns replies into edits, [`replies`] checks what a model returned.
//! Invariant: the same input gives the same output on every platform.

pub(in crate::think) mod buckets;
mod gaussian;
pub mod groups;
pub mod lsh;
pub mod organise;
pub mod profile;
pub mod replies;
pub mod thoughts;
