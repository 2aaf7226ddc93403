//! Engrain's memory core: what is remembered, how it is kept, and how it is found again.
//!
//! Three paths, each a folder whose `mod.rs` shows it step by step:
//!
//! - [`remember`]: check → key → embed → commit → index. What is acknowledged is durable, and found.
//! - [`recall`]: scope → query → search → fuse → rerank → assemble → access log.
//! - [`think`], in the background: batch → extract → compare → resolve → commit.
//!
//! Around them: [`memories`] (list, show, edit, erase, undo), [`archive`] (exports and their import), [`grants`] (read access between owners),
//! [`forgetting`] (sweeps, previews, restores, pins) and [`maintenance`] (change of embedder, checks, backups). All
//! are methods of [`engine::Engine`], which holds the ports: [`store`] keeps the truth, [`index`] finds (and is derived
//! from the store), [`model`] embeds, re-ranks and completes prompts, [`jobs`] does work in the background. [`domain`] defines the types that
//! all of them share, [`text`] what words and tokens are, [`retention`] how memories fade.
//!
//! Out of scope of this crate: HTTP, configuration, and the choice of implementations. The time and new ids are
//! injected. Without features it has no database, no model runtime and no network access.

pub mod archive;
pub mod domain;
pub mod engine;
pub mod error;
mod field_checks;
pub mod forgetting;
pub mod grants;
pub mod graph;
pub mod index;
mod indexing;
pub mod jobs;
pub mod limits;
pub mod maintenance;
pub mod memories;
pub mod model;
pub mod recall;
pub mod remember;
pub mod retention;
pub mod scope;
pub mod store;
#[cfg(all(feature = "testing", feature = "sqlite"))]
pub mod testing;
pub mod text;
pub mod think;
pub mod working;

pub use engine::{Engine, Parts};
pub use error::Error;
