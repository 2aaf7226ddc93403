//! Type conversion between the wire and the domain, in both directions. Pure: no engine, no clock, no network.
//!
//! Only what the domain's types cannot hold is refused here: unknown names, malformed times, contradicting fields. An
//! error names the field by its path (`turns[3].said_at`). Counts, lengths and ranges are checked once, by the engine.
//! Responses cannot fail.
//!
//! A bare date is read in the zone that the caller of the conversion gives: that of the request, else of the owner.

pub(crate) mod archive;
mod archived_retention;
pub(crate) mod cursor;
pub(crate) mod digests;
mod fields;
pub(crate) mod filter;
pub(crate) mod forgetting;
pub(crate) mod grants;
pub(crate) mod graph;
pub(crate) mod graphml;
pub(crate) mod memories;
pub(crate) mod provenance;
pub(crate) mod recall;
pub(crate) mod remember;
pub(crate) mod responses;
pub(crate) mod thinking;
pub(crate) mod undo;
pub(crate) mod uses;
pub(crate) mod working_memory;

pub(crate) use fields::{optional_time, scope, zone};
