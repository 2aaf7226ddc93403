//! Beginning of a text, by which a reader recognises a memory in a list.

use std::collections::HashMap;

use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::engine::Engine;
use crate::error::Error;

/// Characters of a text that an excerpt has at most.
const EXCERPT_CHARACTERS: usize = 200;

/// Beginning of the text of a memory.
pub(crate) fn excerpt(memory: &Memory) -> String {
    memory.text.chars().take(EXCERPT_CHARACTERS).collect()
}

impl Engine {
    /// Beginnings of the texts of memories, in one read; without those that cannot be decoded.
    pub(crate) async fn excerpts(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
    ) -> Result<HashMap<MemoryId, String>, Error> {
        let read = self.store.memories(partition, memories).await?;
        Ok(read.iter().map(|memory| (memory.id, excerpt(memory))).collect())
    }
}
