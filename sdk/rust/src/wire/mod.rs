//! Request and response types of the REST API. A change here is a change of the API.
//!
//! Times are RFC 3339 strings (`2023-05-20T02:21:00Z`). In a request, a date alone means the beginning of that day in the
//! time zone that applies: the request's `timezone`, else that of the owner, else the server's setting (UTC by default);
//! 9999-12-31 is the same moment in all of them. A request with an unknown field is refused; `null` for an optional field
//! is the same as its absence, except where a field says what `null` does. Responses may gain fields.

use serde::{Deserialize, Deserializer};

mod archive;
mod digest;
mod facts;
mod filter;
mod forgetting;
mod grants;
mod graph;
mod jobs;
mod memory;
mod operations;
mod owners;
mod problem;
mod provenance;
mod purge;
mod recall;
mod remember;
mod server;
mod thinking;
mod timezone;
mod undo;
mod uses;
mod why_not;
mod working_memory;

pub use archive::*;
pub use digest::*;
pub use facts::*;
pub use filter::*;
pub use forgetting::*;
pub use grants::*;
pub use graph::*;
pub use jobs::*;
pub use memory::*;
pub use operations::*;
pub use owners::*;
pub use problem::*;
pub use provenance::*;
pub use purge::*;
pub use recall::*;
pub use remember::*;
pub use server::*;
pub use thinking::*;
pub use timezone::*;
pub use undo::*;
pub use uses::*;
pub use why_not::*;
pub use working_memory::*;

/// Reads `null` as the default of a field that is not an `Option`.
fn null_as_default<'de, D, T>(reader: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

/// A field of which `null` is a value, so that its absence is refused: serde reads the absence of any other `Option` as `null`.
fn null_or_value<'de, D, T>(reader: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(reader)
}

/// True for the default of a field, which is not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
