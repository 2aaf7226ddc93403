//! PATH of thinking: queued turns → candidate facts → resolution against what is known → one change set.
//!
//! Thinking never delays `remember`: the turns and the job that thinks about them are written in one transaction, and the
//! job runner does the rest. Every decision is a pure function of its inputs, with or without a language model.

mod batch;
mod buckets;
mod budget;
pub mod candidate;
mod confidential;
mod enqueue;
pub mod extract;
mod extract_turns;
mod fact_audit;
pub mod facts;
pub(crate) mod jobs;
mod known;
mod make_facts;
pub mod make_thoughts;
pub mod meter;
mod model_call;
mod organise;
pub mod preview;
pub mod profile;
pub mod settings;
pub mod state;
pub mod state_profile;
pub(crate) mod switch;
pub mod tim;
mod writing;

pub use fact_audit::ScopeAudit;
