//! PATH of thinking: queued turns → candidate facts → resolution against what is known → one change set.
//!
//! Thinking never delays `remember`: the turns and the job that thinks about them are written in one transaction, and the
//! job runner does the rest. Every decision is a pure function of its inputs, with or without a language model. A
//! [`mechanism`] is the steps of one kind of job: [`facts`], [`organise`], [`tim::thoughts`], [`amem::notes`],
//! [`consolidate`], [`digest`].

pub mod amem;
pub mod calls;
pub mod candidate;
mod consolidate;
mod coverage;
pub mod digest;
pub mod extract;
pub(in crate::think) mod extractive;
pub mod facts;
pub(crate) mod jobs;
mod mechanism;
mod organise;
pub mod profile;
pub mod queue;
pub mod resolve;
pub mod settings;
pub mod tim;
