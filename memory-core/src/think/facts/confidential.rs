//! Turns said in confidence: their memories get the audience of the facts made of them, or a recall for another partner
//! would tell verbatim what the fact keeps. Pure.

use crate::domain::derivation::{Input, Source};
use crate::domain::memory::Memory;
use crate::think::candidate::CandidateFact;
use crate::think::queue::batch::Batch;
use crate::think::resolve::{FactRevision, audience};

/// New versions of the memories of turns that are evidence of a confidential candidate, whatever becomes of that.
pub(in crate::think) fn restricted(batch: &Batch, candidates: &[CandidateFact]) -> Vec<FactRevision> {
    let confidential: Vec<&CandidateFact> = candidates.iter().filter(|one| one.is_confidential).collect();
    let revisions = batch.turns.iter().enumerate().filter_map(|(place, turn)| {
        let candidate = confidential.iter().find(|one| one.evidence.contains(&place))?;
        let before = &batch.queued.iter().find(|queued| queued.memory.id == turn.memory)?.memory;
        let audience = audience(candidate, &[turn]);
        if before.audience == audience {
            return None;
        }
        let memory = Memory { version: before.version.saturating_add(1), audience, ..before.clone() };
        let inputs = vec![Input { source: Source::Turn(turn.turn), is_evidence: true }];
        Some(FactRevision { memory, inputs })
    });
    revisions.collect()
}
