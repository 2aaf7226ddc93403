//! Think-in-Memory (`TiM`, Liu et al. 2023, arXiv:2311.08719), the pure half: thoughts are hashed into buckets, grouped, and
//! organised by a language model that answers with edits.
//!
//! No part of this folder waits, reads a clock or calls a model. Invariant: the same input gives the same output on every platform.

mod gaussian;
pub mod lsh;
