//! From texts to the index: keys, chunks and embeddings, and the commit queue that writes them to the store and shows them
//! to the index. Remember, edit and reindex stand on this room.

mod chunks;
pub(crate) mod commit_queue;
mod embed;
pub(crate) mod embedder_health;
mod groups;
pub(crate) mod keys;
pub(crate) mod missing_vectors;
#[cfg(all(test, feature = "testing"))]
mod recipe_golden;
mod surprise;

pub(crate) use embed::{IndexedTexts, TextToIndex, index_texts_with};
pub(crate) use groups::groups_of;
