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
    /// Activation of candidates by the best ones, where it is above 0.
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
        let Weights { speaker, time, graph, .. } = self.scoring.weights;
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
        scores.set(SignalName::Graph, Scored::positive(activation, graph * activation));
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
    let has_retention = weights.retention > 0.0;
    Fused {
        partition: *partition,
        memory: candidate.memory,
        score: own.total(),
        explain: Explanation {
            signals: signals.collect(),
            best_span: Some(candidate.best_span),
            retention: candidate.dense.filter(|_| has_retention).map(|dense| dense.retention),
        },
        position: candidate.position,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::index::DenseScore;

    fn candidate(id: u128, dense: Option<f32>, lexical: f32) -> (PartitionId, Candidate) {
        let dense = dense.map(|score| DenseScore { score, similarity: score, retention: 1.0 });
        let memory = MemoryId(uuid::Uuid::from_u128(id));
        let candidate = Candidate {
            memory,
            retrieved: true,
            dense,
            lexical,
            window: 0.0,
            best_span: (0, 1),
            position: None,
            happened_at: Timestamp::from_micros(0),
            utc_offset: None,
            ends_with_question: false,
            speaker_named: false,
        };
        (PartitionId(1), candidate)
    }

    /// Turns of one session, in order.
    fn conversation(turns: &[(f32, bool)]) -> Vec<(PartitionId, Candidate)> {
        let turns = turns.iter().zip(0_u32..);
        turns
            .map(|((dense, ends_with_question), seq)| {
                let (partition, one) = candidate(u128::from(seq), Some(*dense), 0.0);
                let position = Some(TurnPosition { session: 0, seq });
                (
                    partition,
                    Candidate {
                        position,
                        ends_with_question: *ends_with_question,
                        retrieved: *dense > 0.0,
                        ..one
                    },
                )
            })
            .collect()
    }

    fn all_of(candidates: &[(PartitionId, Candidate)], weights: &Weights) -> Vec<Fused> {
        fuse(candidates, &ScoringContext { weights: *weights, ..ScoringContext::default() }, usize::MAX)
    }

    /// Score contributed by its neighbours.
    fn said(fused: &Fused) -> Option<&SignalScore> {
        fused.explain.signals.iter().find(|signal| signal.name == SignalName::Neighbours)
    }

    fn order(fused: &[Fused]) -> Vec<u128> {
        fused.iter().map(|one| one.memory.0.as_u128()).collect()
    }

    #[test]
    fn adds_scaled_scores() {
        let weights = Weights { lexical: 0.5, ..Weights::default() };
        let fused = all_of(
            &[candidate(1, Some(0.9), 0.0), candidate(2, Some(0.5), 8.0), candidate(3, Some(0.7), 4.0)],
            &weights,
        );
        assert_eq!(order(&fused), [1, 3, 2]);
        let scores: Vec<f32> = fused.iter().map(|one| one.score).collect();
        assert!(
            (scores[0] - 1.0).abs() < 1e-6
                && (scores[1] - 0.75).abs() < 1e-6
                && (scores[2] - 0.5).abs() < 1e-6
        );
        assert_eq!(fused[1].explain.signals.iter().map(|signal| signal.rank).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn an_answer_rises_with_its_question() {
        // The second turn asks what is asked, the third answers; the fifth stands after a statement.
        let turns = conversation(&[(0.1, false), (0.9, true), (0.0, false), (0.8, false), (0.0, false)]);
        let fused = all_of(&turns, &Weights::default());
        assert_eq!(order(&fused), [1, 3, 2, 0, 4]);
        let answer = said(&fused[2]).expect("its question scores_of_one something");
        assert!((answer.contribution - (0.6 + 0.2 * 0.875)).abs() < 1e-6, "{answer:?}");
        let alone = Weights { neighbours: 0.0, replies: 0.0, ..Weights::default() };
        assert!(all_of(&turns, &alone).iter().all(|one| said(one).is_none()));
    }

    #[test]
    fn neighbours_do_not_stretch_the_scale_and_passages_and_names_count() {
        let mut turns = conversation(&[(0.5, false), (0.9, false)]);
        let (partition, beside) = candidate(9, Some(-0.5), 0.0);
        turns.push((partition, Candidate { retrieved: false, window: 3.0, speaker_named: true, ..beside }));
        let fused = all_of(&turns, &Weights::default());
        let of = |id: u128| fused.iter().find(|one| one.memory.0.as_u128() == id).expect("it is there");
        assert!((of(0).score - 0.2).abs() < 1e-6, "the lowest that was put forward is 0: {}", of(0).score);
        assert!((of(9).score - 0.9).abs() < 1e-6, "a window and a name: {}", of(9).score);
    }

    #[test]
    fn what_happened_when_the_question_says_comes_first() {
        let day = |text: &str| Timestamp::parse(text).expect("a day");
        let scores = [(1, 0.9), (2, 0.8), (3, 0.1)];
        let mut candidates = Vec::from(scores.map(|(id, dense)| candidate(id, Some(dense), 0.0)));
        for (_, one) in &mut candidates {
            one.happened_at = day("2023-03-02");
        }
        candidates[1].1.happened_at = day("2023-05-09");
        let times =
            time_expressions::read("What did I buy three weeks ago?", Zone::UTC.date(day("2023-05-30")));
        let fused = fuse(&candidates, &ScoringContext { times, ..ScoringContext::default() }, 2);
        assert_eq!(order(&fused), [2, 1]);
        let time = fused[0].explain.signals.last().expect("it fits");
        assert_eq!((time.name, time.rank), (SignalName::Time, 1));
    }

    #[test]
    fn the_asked_state_decides_between_an_old_and_a_new_turn_about_one_matter() {
        let mut candidates =
            [(1, 1.0), (2, 0.9), (3, 0.1)].map(|(id, dense)| candidate(id, Some(dense), 0.0));
        for ((_, one), session) in candidates.iter_mut().zip(0_u32..) {
            one.position = Some(TurnPosition { session, seq: 0 });
            one.happened_at = Timestamp::from_micros(i64::from(session) * 1_000_000);
        }
        let ask = |asked_state| {
            let scoring = ScoringContext { asked_state, ..ScoringContext::default() };
            order(&fuse(&candidates, &scoring, usize::MAX))
        };
        assert_eq!(ask(None), [1, 2, 3]);
        assert_eq!(ask(Some(AskedState::Present)), [2, 1, 3], "the third, newest, is about another matter");
        candidates[0].1.happened_at = Timestamp::from_micros(9_000_000);
        let scoring = ScoringContext { asked_state: Some(AskedState::Earlier), ..ScoringContext::default() };
        let fused = fuse(&candidates, &scoring, usize::MAX);
        assert_eq!(order(&fused), [2, 1, 3]);
        assert_eq!(fused[0].explain.signals.last().map(|last| last.name), Some(SignalName::Supersession));
        assert_eq!(fuse_alone(&candidates, &candidates[1], &scoring), fused[0]);
    }

    #[test]
    fn works_with_one_signal_or_none() {
        let weights = Weights::default();
        assert_eq!(order(&all_of(&[candidate(2, None, 1.0), candidate(1, None, 3.0)], &weights)), [1, 2]);
        assert_eq!(
            order(&all_of(&[candidate(2, Some(0.1), 0.0), candidate(1, Some(0.1), 0.0)], &weights)),
            [1, 2]
        );
        assert!(all_of(&[], &weights).is_empty());
    }

    proptest! {
        #[test]
        fn does_not_depend_on_the_order_of_candidates(
            scores in prop::collection::vec((prop::option::of(-1.0f32..1.0), 0.0f32..30.0), 1..40),
            seed in any::<u64>(),
        ) {
            let mut candidates: Vec<_> = scores
                .iter()
                .enumerate()
                .map(|(id, (dense, lexical))| candidate(id as u128, *dense, *lexical))
                .collect();
            let first = all_of(&candidates, &Weights::default());
            let turn = usize::try_from(seed % candidates.len() as u64).expect("small");
            candidates.rotate_left(turn);
            prop_assert_eq!(&first, &all_of(&candidates, &Weights::default()));
            prop_assert!(first.iter().all(|one| one.score.is_finite() && one.score >= 0.0));
        }

        #[test]
        fn more_of_a_signal_never_lowers_a_memory(
            scores in prop::collection::vec((-1.0f32..1.0, 0.0f32..30.0), 3..20),
            lift in 0.0f32..0.5,
        ) {
            let candidates: Vec<_> = scores
                .iter()
                .enumerate()
                .map(|(id, (dense, lexical))| candidate(id as u128, Some(*dense), *lexical))
                .collect();
            let position = |candidates: &[_]| order(&all_of(candidates, &Weights::default())).iter().position(|id| *id == 0);
            let before = position(&candidates);
            let mut lifted = candidates.clone();
            lifted[0] = candidate(0, Some(scores[0].0 + lift), scores[0].1);
            // Lifting one memory may move the scale under the others, but never it behind where it was by more than
            // what the change of scale explains: with one signal only, never at all.
            let only_dense = |all: &[(PartitionId, Candidate)]| -> Vec<_> {
                all.iter().map(|(_, one)| candidate(one.memory.0.as_u128(), one.dense.map(|dense| dense.score), 0.0)).collect()
            };
            prop_assert!(position(&only_dense(&lifted)) <= position(&only_dense(&candidates)));
            prop_assert!(before.is_some());
        }
    }
}
