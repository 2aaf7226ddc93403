//! The shapes that cross the network. A change here is a change of the API.
//!
//! Moments are RFC 3339 texts (`2023-05-20T02:21:00Z`); a bare date means its first moment in UTC. Requests refuse
//! fields they do not know; answers may grow new ones.

mod filter;
mod jobs;
mod memory;
mod operations;
mod problem;
mod recall;
mod remember;
mod server;

pub use filter::*;
pub use jobs::*;
pub use memory::*;
pub use operations::*;
pub use problem::*;
pub use recall::*;
pub use remember::*;
pub use server::*;
