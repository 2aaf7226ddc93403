//! Request and response types of the REST API. A change here is a change of the API.
//!
//! Times are RFC 3339 strings (`2023-05-20T02:21:00Z`); a date alone means its midnight in UTC. A request with an
//! unknown field is refused; responses may gain fields.

mod filter;
mod jobs;
mod memory;
mod operations;
mod problem;
mod provenance;
mod purge;
mod recall;
mod remember;
mod server;
mod thinking;
mod undo;

pub use filter::*;
pub use jobs::*;
pub use memory::*;
pub use operations::*;
pub use problem::*;
pub use provenance::*;
pub use purge::*;
pub use recall::*;
pub use remember::*;
pub use server::*;
pub use thinking::*;
pub use undo::*;
