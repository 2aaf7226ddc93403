//! Integration tests of the crate, as one program because linking dominates build time.
//!
//! Three tests have their own program because each needs a process of its own: `index_memory` (a counting global
//! allocator), `model_runtime` (a process loads ONNX Runtime once) and `query_plans` (a subscriber of all traces).

mod architecture;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod archive;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod as_of;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod change_sets;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod changed_facts;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod cold_memories;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod concurrency;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod conditional_draw;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod contracts;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod damaged_cells;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod damaged_rows;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod digests;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod earlier_schemas;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod embedded_index;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod embedding_later;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod erasure;
#[cfg(all(feature = "hub", feature = "testing"))]
mod external_data;
#[cfg(all(feature = "hub", feature = "testing"))]
mod fake_hub;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod fan_out;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod forgetting;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod forgetting_year;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod grants;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod graph;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod index_failures;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod jobs;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod keyed_records;
#[cfg(all(feature = "openai", feature = "sqlite", feature = "testing"))]
mod language_models;
mod limits_document;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod links;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod loads;
#[cfg(all(feature = "fastembed", feature = "testing"))]
mod local_models;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod lost_files;
mod migrations;
#[cfg(all(feature = "hub", feature = "testing"))]
mod model_hub;
#[expect(dead_code, reason = "the strict form is for gpu-retrieval")]
#[path = "../../../gpu-retrieval/tests/it/module_graph/mod.rs"]
mod module_graph;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod owner_migration;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod pages;
#[cfg(all(feature = "postgres", feature = "sqlite", feature = "testing"))]
mod postgres_store;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod purging;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod retention_in_recall;
mod rooms;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod row_recipe;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod segment_loads;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod sql_store;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod story;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod surprise;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod thinking;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod undo;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod uses;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod working_memory;
#[cfg(all(feature = "sqlite", feature = "testing"))]
mod zones;
