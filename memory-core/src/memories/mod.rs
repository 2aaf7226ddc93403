//! Looking after single memories: list, show, edit, erase. An edit is a new version; an erasure takes everything that
//! carries a trace of the memory with it.

mod edit;
mod erase;
mod read;
pub mod request;
