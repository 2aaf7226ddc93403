//! Tests of score fusion.

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
        (scores[0] - 1.0).abs() < 1e-6 && (scores[1] - 0.75).abs() < 1e-6 && (scores[2] - 0.5).abs() < 1e-6
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
    let times = time_expressions::read("What did I buy three weeks ago?", Zone::UTC.date(day("2023-05-30")));
    let fused = fuse(&candidates, &ScoringContext { times, ..ScoringContext::default() }, 2);
    assert_eq!(order(&fused), [2, 1]);
    let time = fused[0].explain.signals.last().expect("it fits");
    assert_eq!((time.name, time.rank), (SignalName::Time, 1));
}

#[test]
fn the_asked_state_decides_between_an_old_and_a_new_turn_about_one_matter() {
    let mut candidates = [(1, 1.0), (2, 0.9), (3, 0.1)].map(|(id, dense)| candidate(id, Some(dense), 0.0));
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
