//! Looking after single memories: list, show, edit, erase, undo. An edit is a new version; an erasure takes everything that
//! carries a trace of the memory with it.

mod edit;
mod edit_locks;
mod erase;
mod erase_due;
mod read;
pub mod request;
mod sparing;
mod undo;
mod undo_plan;

pub(crate) use edit_locks::EditLocks;
#[cfg(all(feature = "testing", feature = "sqlite"))]
pub(crate) use undo_plan::{Named, plan_undo};
