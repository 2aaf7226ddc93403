//! What every [`Index`] must keep, as one function per rule, over sources in memory ([`MemorySource`]). What an index answers
//! is held against [`mod@reference`], which knows no index.
//!
//! The functions panic when a rule is broken, as a test does.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken contract is a panic")]

pub mod answering;
pub mod keeping_up;

use std::sync::Arc;

use super::corpus;
use super::fixtures::vector_of;
use super::memory_source::MemorySource;
use super::reference;
use super::rng::Rng;
use crate::domain::filter::Filter;
use crate::domain::id::{MemoryId, PartitionId};
use crate::index::{Answer, Candidate, Index, IndexQuery, ScanWeights, View};
use crate::store::Indexed;
use crate::testing::START;

/// Makes an index over a source, with a budget of memory in bytes.
pub type Make<'a> = &'a (dyn Fn(Arc<MemorySource>, usize) -> Arc<dyn Index> + Sync);

/// Room for everything.
const AMPLE_BYTES: usize = 1 << 30;
const PARTITION: PartitionId = PartitionId(7);

/// A question about words that some memories have, with everything in view.
fn question(text: &str, candidates: usize) -> IndexQuery {
    IndexQuery {
        vector: Some(vector_of(text).into()),
        text: text.into(),
        view: View { filter: Filter::everything(), now: START, shared_only: false },
        weights: ScanWeights::SIMILARITY,
        candidates,
    }
}

/// Any question: with and without a vector, a filter, weights of all signals.
fn any_question(rng: &mut Rng) -> IndexQuery {
    let mut asked = question(&corpus::text(rng), 1 + rng.below(12));
    if rng.chance(20) {
        asked.vector = None;
    }
    if rng.chance(60) {
        asked.view.filter = corpus::filter(rng, 3);
    }
    asked.view.now = corpus::moment(rng);
    asked.view.shared_only = rng.chance(25);
    asked.weights = ScanWeights {
        similarity: *rng.pick(&[0.0, 1.0, 1.0, 2.0]),
        retention: *rng.pick(&[0.0, 0.0, 0.5]),
        importance: *rng.pick(&[0.0, 0.0, 1.0]),
    };
    asked
}

/// The candidates in the order of their ids.
fn by_id(mut answer: Answer) -> Vec<Candidate> {
    answer.candidates.sort_by_key(|candidate| candidate.memory);
    answer.candidates
}

fn ids(indexed: &[Indexed]) -> Vec<MemoryId> {
    indexed.iter().map(|one| one.memory.id).collect()
}

/// A visible memory: its best fused score with the span of that row, if it has vectors; its BM25 score.
type Seen = (MemoryId, Option<(f32, (u32, u32))>, f32);

/// Checks a search against the reference: exactly the expected candidates, each with the expected score of every signal.
async fn is_right(
    index: &dyn Index,
    source: &MemorySource,
    partition: PartitionId,
    asked: &IndexQuery,
    context: &str,
) {
    let all = source.memories(partition);
    let answer = index.search(partition, asked).await.unwrap();
    assert_eq!(answer.memories, all.len() as u64, "{context}: how many there are");
    let words = reference::Bm25::new(asked, &all);
    let seen = visible_memories(index, partition, asked, (&all, &words), context).await;
    let retrieved = expected_retrieved(&seen, asked.candidates);
    let (found, beside): (Vec<Candidate>, _) = by_id(answer).into_iter().partition(|one| one.retrieved);
    let found_ids: Vec<MemoryId> = found.iter().map(|candidate| candidate.memory).collect();
    assert_eq!(found_ids, retrieved, "{context}: memories retrieved for {asked:?}");
    let in_sight: Vec<&Indexed> =
        all.iter().filter(|one| reference::sees(&asked.view, &one.memory)).collect();
    let stands_beside = |one: &&&Indexed| {
        let is_beside = |other: &&Indexed| are_beside(one, other) && found_ids.contains(&other.memory.id);
        !found_ids.contains(&one.memory.id) && in_sight.iter().any(is_beside)
    };
    let expected_beside: Vec<MemoryId> =
        in_sight.iter().filter(stands_beside).map(|one| one.memory.id).collect();
    let beside_ids: Vec<MemoryId> = beside.iter().map(|candidate| candidate.memory).collect();
    assert_eq!(beside_ids, expected_beside, "{context}: who stands beside for {asked:?}");
    for candidate in found.into_iter().chain(beside) {
        let (_, dense, lexical) = seen.iter().find(|(id, ..)| *id == candidate.memory).unwrap();
        assert_eq!(candidate.dense.map(|dense| dense.score), dense.map(|(score, _)| score), "{context}");
        assert!(
            candidate.lexical.total_cmp(lexical).is_eq(),
            "{context}: {} and {lexical}",
            candidate.lexical
        );
        if let Some((_, span)) = dense {
            assert_eq!(candidate.best_span, *span, "{context}: the part that matched best");
        }
        let indexed = in_sight.iter().find(|one| one.memory.id == candidate.memory).unwrap();
        let neighbours: Vec<&Indexed> =
            in_sight.iter().filter(|other| are_beside(indexed, other)).copied().collect();
        let window = words.window(indexed, &neighbours);
        let found_window = candidate.window;
        assert!((f64::from(found_window) - window).abs() < 1e-4, "{context}: {found_window}, not {window}");
        assert_eq!(candidate.ends_with_question, reference::ends_with_question(indexed), "{context}");
        assert_eq!(candidate.happened_at, indexed.memory.happened.at, "{context}");
        assert_eq!(candidate.speaker_named, reference::names_author(asked, &indexed.memory), "{context}");
    }
}

/// The visible memories with their scores. Checks every inspection against the reference on the way.
async fn visible_memories(
    index: &dyn Index,
    partition: PartitionId,
    asked: &IndexQuery,
    (all, words): (&[Indexed], &reference::Bm25),
    context: &str,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    for indexed in all {
        let (id, expected) = (indexed.memory.id, words.best_row(indexed));
        let inspection = index.inspect(partition, id, asked).await.unwrap().expect("it is there");
        let lexical = inspection.candidate.lexical;
        assert!((f64::from(lexical) - expected).abs() < 1e-4, "{context}: BM25 {lexical}, not {expected}");
        let passes = reference::passes(&asked.view.filter, &indexed.memory);
        assert_eq!(inspection.passes_filter, passes, "{context}");
        let in_sight = inspection.passes_filter && inspection.visible && !inspection.expired;
        assert_eq!(
            in_sight,
            reference::sees(&asked.view, &indexed.memory),
            "{context}: {:?}",
            indexed.memory
        );
        if in_sight {
            seen.push((id, reference::dense(asked, indexed), lexical));
        }
    }
    seen
}

/// The union of the top-k of both signals, by id.
fn expected_retrieved(seen: &[Seen], k: usize) -> Vec<MemoryId> {
    let mut by_meaning: Vec<_> =
        seen.iter().filter_map(|(id, dense, _)| Some((dense.as_ref()?.0, *id))).collect();
    let mut by_words: Vec<_> =
        seen.iter().filter(|(.., words)| *words > 0.0).map(|(id, _, words)| (*words, *id)).collect();
    let mut retrieved = std::collections::BTreeSet::new();
    for order in [&mut by_meaning, &mut by_words] {
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        retrieved.extend(order.iter().take(k).map(|(_, id)| *id));
    }
    Vec::from_iter(retrieved)
}

/// Whether two turns follow each other in a session.
fn are_beside(one: &Indexed, other: &Indexed) -> bool {
    let place =
        |indexed: &Indexed| indexed.memory.origin.as_ref().map(|origin| (origin.session_ordinal, origin.seq));
    matches!((place(one), place(other)), (Some(one), Some(other)) if one.0 == other.0 && one.1.abs_diff(other.1) == 1)
}
