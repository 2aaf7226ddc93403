//! Between the wire and the domain, both ways. Pure: no engine, no clock, no network.
//!
//! Requests are checked here in full, so that the engine is asked for nothing that cannot be; an error names the part
//! at fault by its path (`turns[3].said_at`). Answers cannot fail.

pub(crate) mod answers;
pub(crate) mod curate;
pub(crate) mod cursor;
pub(crate) mod filter;
pub(crate) mod recall;
pub(crate) mod remember;
mod values;

pub(crate) use values::scope;
