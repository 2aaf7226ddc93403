//! Choice between digests and what they cover for a context block that is too small, pure.
//!
//! If at least [`STANDS_FOR`] recalled memories that do not fit are covered by one recalled digest, it takes their place in the
//! ranking. It makes room by the memories that it covers, the worst first, and by no others: if it does not fit even then, the
//! block stays as it was. Each assembly keeps the budget, so the block of the choice does, too.

use std::collections::HashSet;

use super::assemble::{Assembled, LINE_TOKENS, Piece, assembled};
use super::response::Context;
use super::told::Coverage;
use super::validity_note::Reader;
use crate::domain::derivation::Source;
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;

/// Least number of memories without room that a digest takes the place of.
const STANDS_FOR: usize = 3;
/// Maximum number of digests that are tried for one block: each costs an assembly.
const TRIED_AT_MOST: usize = 8;
/// Tokens of the heading of a digest's line, estimated from above.
const HEADING_TOKENS: u32 = 16;

/// Builds the block as `assemble::assemble` does, with digests in the place of memories that do not fit.
pub(super) fn assemble(
    recalled: &[Piece<'_>],
    neighbours: &[&Memory],
    reader: &Reader,
    budget_tokens: u32,
    coverage: &Coverage,
) -> Context {
    let block = assembled(recalled, neighbours, reader, budget_tokens);
    let (ranked, beside) = (recalled.to_vec(), neighbours.to_vec());
    let mut choice = Choice { ranked, beside, block, replaced: HashSet::new() };
    let mut tried = HashSet::new();
    while tried.len() < TRIED_AT_MOST
        && let Some(digest) = choice.best(coverage, &tried)
    {
        tried.insert(digest.memory.id);
        if let Some(next) = choice.with(&digest, (coverage, &tried), reader, budget_tokens) {
            choice = next;
        }
    }
    let replaced = recalled.iter().map(|piece| piece.memory.id).filter(|id| choice.replaced.contains(id));
    Context { replaced: replaced.collect(), ..choice.block.context }
}

/// A block, and what it was made of.
struct Choice<'a> {
    ranked: Vec<Piece<'a>>,
    beside: Vec<&'a Memory>,
    block: Assembled,
    replaced: HashSet<MemoryId>,
}

impl<'a> Choice<'a> {
    /// Digest that covers the most memories without room, and enough of them; the best of equal ones.
    fn best(&self, coverage: &Coverage, tried: &HashSet<MemoryId>) -> Option<Piece<'a>> {
        if self.block.left_out.len() < STANDS_FOR {
            return None;
        }
        let untried = self.ranked.iter().filter(|piece| !tried.contains(&piece.memory.id));
        let counted = untried.map(|piece| (self.without_room(piece, coverage).len(), *piece));
        let mut best: Option<(usize, Piece<'a>)> = None;
        for (count, piece) in counted.filter(|(count, _)| *count >= STANDS_FOR) {
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, piece));
            }
        }
        best.map(|(_, piece)| piece)
    }

    /// Memories without room that a digest covers.
    fn without_room(&self, digest: &Piece<'_>, coverage: &Coverage) -> HashSet<MemoryId> {
        let Some(sources) = coverage.get(&digest.memory.id) else { return HashSet::new() };
        let left_out: HashSet<MemoryId> = self.block.left_out.iter().copied().collect();
        let pieces = self.ranked.iter().filter(|piece| left_out.contains(&piece.memory.id));
        pieces.filter(|piece| covers(sources, piece.memory)).map(|piece| piece.memory.id).collect()
    }

    /// The block with a digest in the place of what it covers; `None` if it does not fit, or another memory would lose its place.
    fn with(
        &self,
        digest: &Piece<'a>,
        (coverage, tried): (&Coverage, &HashSet<MemoryId>),
        reader: &Reader,
        budget_tokens: u32,
    ) -> Option<Self> {
        let id = digest.memory.id;
        let sources = coverage.get(&id)?;
        let mut gone = self.without_room(digest, coverage);
        let is_taken = |piece: &Piece<'_>| self.block.context.memories.contains(&piece.memory.id);
        if !is_taken(digest) {
            // Digests that stand for others keep their places.
            let covered = |piece: &&Piece<'_>| {
                is_taken(piece) && !tried.contains(&piece.memory.id) && covers(sources, piece.memory)
            };
            let wanted = digest.memory.tokens.saturating_add(LINE_TOKENS + HEADING_TOKENS);
            let mut room = budget_tokens.saturating_sub(self.block.ranked_tokens);
            for piece in self.ranked.iter().rev().filter(covered) {
                if room >= wanted {
                    break;
                }
                room = room.saturating_add(piece.memory.tokens.saturating_add(LINE_TOKENS));
                gone.insert(piece.memory.id);
            }
        }
        let place =
            self.ranked.iter().position(|piece| piece.memory.id == id || gone.contains(&piece.memory.id))?;
        let others = |piece: &&Piece<'a>| piece.memory.id != id && !gone.contains(&piece.memory.id);
        let mut ranked: Vec<Piece<'a>> = self.ranked.iter().filter(others).copied().collect();
        ranked.insert(place.min(ranked.len()), *digest);
        let beside =
            self.beside.iter().copied().filter(|one| !gone.contains(&one.id) && !covers(sources, one));
        let beside: Vec<&Memory> = beside.collect();
        let block = assembled(&ranked, &beside, reader, budget_tokens);
        let kept: HashSet<MemoryId> = block.context.memories.iter().copied().collect();
        let stays = |piece: &Piece<'_>| kept.contains(&piece.memory.id) || gone.contains(&piece.memory.id);
        if !kept.contains(&id) || !self.ranked.iter().filter(|piece| is_taken(piece)).all(stays) {
            return None;
        }
        Some(Self { ranked, beside, block, replaced: self.replaced.union(&gone).copied().collect() })
    }
}

/// True if a memory, or the turn that it is of, is among the sources of a digest.
fn covers(sources: &HashSet<Source>, memory: &Memory) -> bool {
    let of_turn = memory.origin.as_ref().is_some_and(|origin| sources.contains(&Source::Turn(origin.turn)));
    of_turn || sources.contains(&Source::Memory(memory.id))
}

#[cfg(test)]
mod tests;
