//! PATH of thinking: queued turns → candidate facts → resolution against what is known → one change set.
//!
//! Thinking never delays `remember`: the turns and the job that thinks about them are written in one transaction, and the
//! job runner does the rest. Every step is a pure function of its inputs, with or without a language model.

pub mod candidate;
pub mod facts;
pub mod profile;
