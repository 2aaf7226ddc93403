//! Score fusion (step 4 of recall), pure: one order out of the scores of all signals.
//!
//! The scores of a signal are scaled over the candidates of the query. The dense score runs from the lowest that the scan
//! retrieved (0) to the highest (1). BM25 runs from no common term (0) to the best match (1). The own score of a memory is
//! the weighted sum, with the dense score counting 1. Scaled scores keep the distances that rank-only fusion discards, so
//! that the noise of one signal does not pull down a clear winner of another (Bruch et al. 2023, arXiv 2210.11934).
//!
//! A turn also gets a share of the own scores of its adjacent turns, a large one of a question for the turn after it; and
//! a bonus if the query names its author (ADR 0017) or the time at which it happened (ADR 0018). On top of these, a memory
//! gains over those that it supersedes, if the query asks for a state (ADR 0024), and by its edges to the best candidates
//! (`activation.rs`).

use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::zone::Zone;
use crate::index::{Candidate, TurnPosition};
use crate::recall::activation::Activation;
use crate::recall::response::{Explanation, SignalScore};
use crate::recall::scores::{Scale, Scored, SignalScores, fusion_weight, own_scores};
use crate::recall::signals::{SignalName, Weights};
use crate::recall::supersession::{Rival, Rivals, Unit};
use crate::text::time_expressions::{self, AskedState, Mention};

/// Inputs of fusion that all candidates share.
#[derive(Clone, Debug, Default)]
pub(super) struct ScoringContext {
    /// Weights of the signals.
    pub(super) weights: Weights,
    /// Times that the query names.
    pub(super) times: Vec<Mention>,
    /// State that the query asks for.
    pub(super) asked_state: Option<AskedState>,
    /// Zone of the days of memories whose time has no offset of its own.
    pub(super) zone: Zone,
    /// Weighted activation of candidates by the best ones, where it is above 0.
    pub(super) activation: Activation,
}

/// A candidate with its fused score.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fused {
    pub(super) partition: PartitionId,
    pub(super) memory: MemoryId,
    pub(super) score: f32,
    pub(super) explain: Explanation,
    pub(super) position: Option<TurnPosition>,
}

/// The `wanted` best candidates, best first; ties by id.
pub(super) fn fuse(
    candidates: &[(PartitionId, Candidate)],
    scoring: &ScoringContext,
    wanted: usize,
) -> Vec<Fused> {
    let (scores, _) = scores_of_all(candidates, scoring);
    let order = ranked(candidates, &scores, wanted);
    order.into_iter().map(|at| explained(&candidates[at], &scores[at], &scores, scoring)).collect()
}

/// The `wanted` best candidates, best first, with their scores.
pub(super) fn leading<'a>(
    candidates: &'a [(PartitionId, Candidate)],
    scoring: &ScoringContext,
    wanted: usize,
) -> Vec<(&'a (PartitionId, Candidate), f32)> {
    let (scores, _) = scores_of_all(candidates, scoring);
    let order = ranked(candidates, &scores, wanted);
    order.into_iter().map(|at| (&candidates[at], scores[at].total())).collect()
}

/// Places of the `wanted` best candidates, best first; ties by id.
fn ranked(candidates: &[(PartitionId, Candidate)], scores: &[SignalScores], wanted: usize) -> Vec<usize> {
    let key = |at: usize| (scores[at].total(), candidates[at].1.memory);
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_unstable_by(|a, b| {
        let ((score, id), (other_score, other_id)) = (key(*a), key(*b));
        other_score.total_cmp(&score).then(id.cmp(&other_id))
    });
    order.truncate(wanted);
    order
}

/// The fused score that one memory would get among these candidates.
pub(super) fn fuse_alone(
    candidates: &[(PartitionId, Candidate)],
    one: &(PartitionId, Candidate),
    scoring: &ScoringContext,
) -> Fused {
    let (scores, rivals) = scores_of_all(candidates, scoring);
    let mut own = Conversation::of(candidates, scoring).score(one);
    add_supersession(&mut own, one, rivals.as_ref(), scoring);
    explained(one, &own, &scores, scoring)
}

/// The scores of all candidates, in their order, and the rivals among them if the query asks for a state.
fn scores_of_all(
    candidates: &[(PartitionId, Candidate)],
    scoring: &ScoringContext,
) -> (Vec<SignalScores>, Option<Rivals>) {
    let conversation = Conversation::of(candidates, scoring);
    let mut scores: Vec<SignalScores> = candidates.iter().map(|one| conversation.score(one)).collect();
    let rivals = scoring.asked_state.filter(|_| scoring.weights.supersession > 0.0).map(|asked| {
        let rivals = candidates.iter().zip(&scores).map(|(one, scores)| rival(one, scores));
        Rivals::of(&rivals.collect::<Vec<_>>(), asked)
    });
    for (one, scores) in candidates.iter().zip(&mut scores) {
        add_supersession(scores, one, rivals.as_ref(), scoring);
    }
    (scores, rivals)
}

/// Adds the gain over superseded candidates to the scores of all other signals.
fn add_supersession(
    scores: &mut SignalScores,
    one: &(PartitionId, Candidate),
    rivals: Option<&Rivals>,
    scoring: &ScoringContext,
) {
    if let Some(rivals) = rivals {
        let gain = rivals.gain(&rival(one, scores));
        scores.set(SignalName::Supersession, Scored::positive(gain, scoring.weights.supersession * gain));
    }
}

fn rival((partition, candidate): &(PartitionId, Candidate), scores: &SignalScores) -> Rival {
    let session = candidate.position.map(|position| Unit::Session(*partition, position.session));
    let unit = session.unwrap_or(Unit::Memory(candidate.memory));
    Rival { unit, happened_at: candidate.happened_at, score: scores.own_total() }
}

/// The candidates as turns of conversations, for the share of adjacent turns.
struct Conversation<'a> {
    scoring: &'a ScoringContext,
    scale: Scale,
    /// By partition and position.
    turns: Vec<OwnScore>,
}

/// The own score of a turn.
struct OwnScore {
    at: (PartitionId, TurnPosition),
    score: f32,
    ends_with_question: bool,
}

impl<'a> Conversation<'a> {
    fn of(candidates: &[(PartitionId, Candidate)], scoring: &'a ScoringContext) -> Self {
        let scale = Scale::over(candidates);
        let turns = candidates.iter().filter_map(|(partition, candidate)| {
            let score = own_scores(candidate, &scale, &scoring.weights).total();
            let at = (*partition, candidate.position?);
            Some(OwnScore { at, score, ends_with_question: candidate.ends_with_question })
        });
        let mut turns: Vec<_> = turns.collect();
        turns.sort_unstable_by_key(|turn| turn.at);
        Self { scoring, scale, turns }
    }

    /// All scores of a candidate: its own, and those that follow from the conversation and from the query.
    fn score(&self, (partition, candidate): &(PartitionId, Candidate)) -> SignalScores {
        let Weights { speaker, time, .. } = self.scoring.weights;
        let mut scores = own_scores(candidate, &self.scale, &self.scoring.weights);
        let share = self.neighbour_share(*partition, candidate.position);
        scores.set(SignalName::Neighbours, Scored::positive(share, share));
        let is_named = candidate.speaker_named && speaker > 0.0;
        scores.set(SignalName::Speaker, is_named.then_some(Scored { score: 1.0, contribution: speaker }));
        let fit = if self.scoring.times.is_empty() {
            0.0
        } else {
            let zone = self.scoring.zone.or_own(candidate.utc_offset);
            time_expressions::fit(&self.scoring.times, zone.day(candidate.happened_at))
        };
        scores.set(SignalName::Time, Scored::positive(fit, time * fit));
        let activation = self.scoring.activation.of(*partition, candidate.memory);
        scores.set(SignalName::Graph, Scored::positive(activation, activation));
        scores
    }

    /// Weighted sum of the own scores of the turns right before and after a position.
    fn neighbour_share(&self, partition: PartitionId, position: Option<TurnPosition>) -> f32 {
        let Some(TurnPosition { session, seq }) = position else { return 0.0 };
        let weights = &self.scoring.weights;
        let turn_at = |seq: Option<u32>| {
            let wanted = (partition, TurnPosition { session, seq: seq? });
            let found = self.turns.binary_search_by_key(&wanted, |turn| turn.at);
            self.turns.get(found.ok()?)
        };
        let before = turn_at(seq.checked_sub(1)).map_or(0.0, |turn| {
            turn.score * if turn.ends_with_question { weights.replies } else { weights.neighbours }
        });
        let after = turn_at(seq.checked_add(1)).map_or(0.0, |turn| turn.score * weights.neighbours);
        before + after
    }
}

/// A candidate with the score and rank of every signal; equal scores share the better rank.
fn explained(
    (partition, candidate): &(PartitionId, Candidate),
    own: &SignalScores,
    all: &[SignalScores],
    ScoringContext { weights, .. }: &ScoringContext,
) -> Fused {
    let signals = SignalName::FUSED.iter().zip(own.0).enumerate();
    let signals = signals.filter_map(|(place, (name, scored))| {
        let Scored { score, contribution } = scored?;
        let is_better = |other: &&SignalScores| other.0[place].is_some_and(|other| other.score > score);
        let rank = u32::try_from(all.iter().filter(is_better).count() + 1).unwrap_or(u32::MAX);
        Some(SignalScore { name: *name, score, rank, weight: fusion_weight(*name, weights), contribution })
    });
    Fused {
        partition: *partition,
        memory: candidate.memory,
        score: own.total(),
        explain: Explanation {
            signals: signals.collect(),
            best_span: Some(candidate.best_span),
            retention: None,
            cosine: candidate.dense.map(|dense| dense.similarity),
            dense: None,
        },
        position: candidate.position,
    }
}

#[cfg(test)]
mod tests;
