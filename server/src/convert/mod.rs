//! Between the wire and the domain, both ways. Pure: no engine, no clock, no network.
//!
//! Requests are checked here in full, so that the engine is asked for nothing that cannot be; an error names the part
//! at fault by its path (`turns[3].said_at`). Answers cannot fail.

pub(crate) mod cursor;
mod fields;
pub(crate) mod filter;
pub(crate) mod memories;
pub(crate) mod recall;
pub(crate) mod remember;
pub(crate) mod responses;

pub(crate) use fields::scope;
