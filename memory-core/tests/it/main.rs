//! The integration tests of the crate. One program, because linking is what takes time.
//!
//! Two tests stand beside it because each needs a process of its own: `index_memory` (a global allocator that counts) and
//! `model_runtime` (a process loads ONNX Runtime once).

mod architecture;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod concurrency;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod contracts;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod embedded_index;
#[cfg(all(feature = "hub", feature = "testing"))]
mod external_data;
#[cfg(all(feature = "hub", feature = "testing"))]
mod fake_hub;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod jobs;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod links;
#[cfg(all(feature = "fastembed", feature = "testing"))]
mod local_models;
mod migrations;
#[cfg(all(feature = "hub", feature = "testing"))]
mod model_hub;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod sql_store;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod story;
