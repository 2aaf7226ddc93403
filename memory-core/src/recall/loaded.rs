//! Memories that a recall has loaded, with the excerpts that their texts are.

use std::collections::HashMap;

use super::excerpt::Excerpt;
use super::fuse::Fused;
use super::text_room::{SHARE_BYTES, TextRoom, local_span};
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;

/// Memories of a recall with their texts, of which long ones are excerpts.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    memories: HashMap<MemoryId, Memory>,
    excerpts: HashMap<MemoryId, Excerpt>,
}

impl Loaded {
    pub(super) fn get(&self, id: &MemoryId) -> Option<&Memory> {
        self.memories.get(id)
    }

    pub(super) fn contains_key(&self, id: &MemoryId) -> bool {
        self.memories.contains_key(id)
    }

    /// The memory, with the excerpt that its text is.
    pub(super) fn remove(&mut self, id: &MemoryId) -> Option<(Memory, Option<Excerpt>)> {
        Some((self.memories.remove(id)?, self.excerpts.remove(id)))
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.memories.extend(others.memories);
        self.excerpts.extend(others.excerpts);
    }

    /// True if the text of a memory is an excerpt.
    pub(super) fn is_excerpt(&self, id: &MemoryId) -> bool {
        self.excerpts.contains_key(id)
    }

    /// The best-matching span of a candidate, as a place in the text that is loaded.
    pub(super) fn span(&self, one: &Fused) -> Option<(u32, u32)> {
        local_span(one.explain.best_span, self.excerpts.get(&one.memory).copied())
    }

    /// Adds a memory, its text cut to its room. The whole text is of use in a context block that it fits into; the answer
    /// shows an excerpt of a longer one.
    pub(super) fn add(
        &mut self,
        mut memory: Memory,
        best_span: Option<(u32, u32)>,
        room: &mut TextRoom,
        needs: &TextNeeds,
    ) {
        let most = if memory.tokens > needs.budget_tokens {
            needs.max_text_bytes.max(SHARE_BYTES)
        } else {
            usize::MAX
        };
        if let Some(excerpt) = room.fit(&mut memory.text, None, best_span, most) {
            self.excerpts.insert(memory.id, excerpt);
        }
        self.memories.insert(memory.id, memory);
    }
}

/// Lengths of texts that a recall has use for.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextNeeds {
    /// LLM tokens of the context block.
    pub(super) budget_tokens: u32,
    /// Bytes of each text in the answer.
    pub(super) max_text_bytes: usize,
}
