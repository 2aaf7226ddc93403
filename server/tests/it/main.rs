//! The integration tests of the crate. One program, because linking is what takes time.
//!
//! With the feature `testing` the binary has the embedder that needs no files, which the tests that start it use.

mod api;
#[cfg(feature = "testing")]
mod archive;
#[cfg(feature = "testing")]
mod commands;
#[cfg(feature = "testing")]
mod crash;
#[cfg(feature = "testing")]
mod digests;
#[cfg(feature = "testing")]
mod end_to_end;
#[cfg(feature = "hub")]
#[path = "../../../memory-core/tests/it/fake_hub.rs"]
mod fake_hub;
#[cfg(feature = "testing")]
mod faults;
#[cfg(feature = "testing")]
mod forgetting;
#[cfg(feature = "testing")]
mod forgetting_commands;
#[cfg(feature = "testing")]
mod forgetting_views;
#[cfg(feature = "testing")]
mod grants;
#[cfg(feature = "testing")]
mod graph;
#[cfg(feature = "testing")]
mod held_up;
#[cfg(feature = "testing")]
mod imports;
#[cfg(feature = "testing")]
mod leftovers;
#[cfg(feature = "hub")]
mod models;
#[cfg(feature = "testing")]
mod process;
#[cfg(feature = "testing")]
mod reimport;
#[cfg(feature = "testing")]
mod reindex;
#[cfg(feature = "testing")]
mod sockets;
#[cfg(feature = "testing")]
mod thinking;
#[cfg(feature = "testing")]
mod undo;
#[cfg(feature = "testing")]
mod upgrade;
#[cfg(feature = "testing")]
mod uses;
#[cfg(feature = "testing")]
mod working_memory;
