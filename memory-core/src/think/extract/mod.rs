//! Extraction: turns → candidate facts, by a language model ([`contract`]) or by rules ([`rules`]).

pub mod contract;
mod dates;
pub mod grounding;
pub mod prompt;
pub mod rules;
pub(in crate::think) mod step;
