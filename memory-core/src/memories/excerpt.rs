//! Beginning of a text, by which a reader recognises a memory in a list.

use crate::domain::memory::Memory;

/// Characters of a text that an excerpt has at most.
const EXCERPT_CHARACTERS: usize = 200;

/// Beginning of the text of a memory.
pub(crate) fn excerpt(memory: &Memory) -> String {
    memory.text.chars().take(EXCERPT_CHARACTERS).collect()
}
