//! Looking after single memories: list, show, edit, erase, undo; their retention, and those that are about to fade. An edit is a
//! new version; an erasure takes everything that carries a trace of the memory with it.

mod edit;
mod edit_locks;
mod erase;
mod erase_due;
mod excerpt;
pub mod fading;
pub mod judgement;
mod read;
pub mod request;
pub mod retention;
mod sparing;
mod undo;
mod undo_plan;

pub(crate) use edit_locks::EditLocks;
pub(crate) use excerpt::excerpt;
#[cfg(all(feature = "testing", feature = "sqlite"))]
pub(crate) use undo_plan::{Named, plan_undo};
