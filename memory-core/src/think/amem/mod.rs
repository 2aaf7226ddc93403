//! A-MEM (Xu et al. 2025, arXiv:2502.12110): turns become notes with keywords, tags and a context, linked with their nearest
//! notes, whose descriptions evolve. [`notes`] is the mechanism, by default and as published; [`recall`] finds notes as
//! published.
//!
//! The contracts of the calls ([`analyse`], [`evolve`], [`paper`]) and the decisions ([`decide`]) are pure. Invariants: a
//! run changes none but the notes that it was shown; the text of a note never changes; a version lists every turn that its
//! keywords, tags, context or links may have a trace of.

mod analyse;
#[cfg(test)]
mod contract_tests;
mod decide;
mod evolve;
mod fields;
mod known;
pub mod notes;
mod paper;
pub mod recall;
mod writing;
