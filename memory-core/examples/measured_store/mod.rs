//! Engine over a large store of made-up memories, for the programs that measure it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use memory_core::domain::clock::Clock;
use memory_core::domain::id::RandomIds;
use memory_core::engine::{Engine, Parts};
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions, SegmentOptions};
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::think::settings::ThinkingSettings;

/// Components of a vector, as those of bge-small-en-v1.5.
const DIMENSION: usize = 384;

/// Opens the store of a directory by this clock, and its index with or without segments.
pub(crate) async fn open(
    directory: &Path,
    clock: Arc<dyn Clock>,
    with_segments: bool,
) -> Result<Arc<Engine>, Box<dyn Error>> {
    let store = Arc::new(SqlStore::open(directory, StoreOptions::default()).await?);
    let options = EmbeddedIndexOptions {
        budget_bytes: 4 << 30,
        threads: 2,
        inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
    };
    let curve = Arc::new(Policy::default());
    let segments = SegmentOptions {
        folder: directory.join("segments"),
        budget_bytes: 8 << 30,
        rows: "hashing".to_owned(),
        dimension: DIMENSION,
        min_rows: SegmentOptions::MIN_ROWS,
    };
    let index = match with_segments {
        true => EmbeddedIndex::with_segments(store.clone(), curve, options, &segments)?,
        false => EmbeddedIndex::new(store.clone(), curve, options),
    };
    let parts = Parts {
        store,
        index: Arc::new(index),
        embedder: Arc::new(HashingEmbedder::new(DIMENSION)),
        reranker: None,
        forgetting: Policy::default(),
        clock,
        ids: Arc::new(RandomIds::default()),
        limits: Limits::default(),
        recall: RecallSettings::default(),
        thinking: ThinkingSettings::default(),
    };
    Ok(Engine::start(parts).await?)
}
