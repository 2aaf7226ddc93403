//! Checks of one query by the rules of a tier: a search, and an inspection of every memory.

use std::collections::BTreeSet;

use super::by_id;
use crate::domain::id::{MemoryId, PartitionId};
use crate::index::{Candidate, Index, IndexQuery};
use crate::store::Indexed;
use crate::testing::memory_source::MemorySource;
use crate::testing::reference;

/// The first tier: every candidate is a visible memory of the source, listed once, with the facts of its present
/// version, and no more are retrieved than asked for; an adjacent turn stands beside a retrieved one; an inspection tells
/// of every memory whether it is visible.
pub(super) async fn invariants_hold(
    index: &dyn Index,
    source: &MemorySource,
    partition: PartitionId,
    query: &IndexQuery,
    context: &str,
) {
    let all = source.memories(partition);
    let answer = index.search(partition, query).await.unwrap();
    assert_eq!(answer.memories, all.len() as u64, "{context}: the number of memories");
    let retrieved = answer.candidates.iter().filter(|candidate| candidate.retrieved).count();
    assert!(retrieved <= 2 * query.candidates, "{context}: {retrieved} are retrieved for {query:?}");
    let mut revised = answer.revised.clone();
    let candidates = by_id(answer);
    revised.sort_unstable();
    let later =
        |one: &&Indexed| query.view.known_at.is_some_and(|known_at| one.memory.recorded_at > known_at);
    let is_candidate = |one: &&Indexed| candidates.iter().any(|found| found.memory == one.memory.id);
    let expected: Vec<MemoryId> =
        all.iter().filter(is_candidate).filter(later).map(|one| one.memory.id).collect();
    assert_eq!(revised, expected, "{context}: revised candidates");
    let listed: BTreeSet<MemoryId> = candidates.iter().map(|candidate| candidate.memory).collect();
    assert_eq!(listed.len(), candidates.len(), "{context}: a memory is listed twice");
    for candidate in &candidates {
        let indexed = all.iter().find(|one| one.memory.id == candidate.memory);
        let indexed = indexed.expect("a candidate is a memory of the source");
        assert!(reference::sees(&query.view, &indexed.memory), "{context}: a hidden candidate for {query:?}");
        assert_eq!(candidate.ends_with_question, reference::ends_with_question(indexed), "{context}");
        assert_eq!(candidate.happened_at, indexed.memory.happened.at, "{context}");
        assert_eq!(candidate.utc_offset, indexed.memory.happened.offset, "{context}");
        assert_eq!(candidate.speaker_named, reference::names_author(query, &indexed.memory), "{context}");
    }
    adjacent_turns_have_a_retrieved_neighbour(&all, &candidates, context);
    for indexed in &all {
        let inspection = index.inspect(partition, indexed.memory.id, query).await.unwrap();
        let inspection = inspection.expect("every memory can be inspected");
        let passes = reference::passes_filter(&query.view, &indexed.memory);
        assert_eq!(inspection.passes_filter, passes, "{context}");
        assert_eq!(inspection.valid, reference::valid(&query.view, &indexed.memory), "{context}");
        assert_eq!(inspection.told, reference::told(&query.view, &indexed.memory), "{context}");
        let is_present = inspection.passes_filter && inspection.visible && !inspection.expired;
        let is_present = is_present && inspection.valid && inspection.told && !inspection.forgotten;
        let forgotten = reference::forgotten(&query.view, &indexed.memory);
        assert_eq!(inspection.forgotten, forgotten, "{context}: {indexed:?}");
        let is_visible = inspection.recorded && (inspection.revised || is_present);
        assert_eq!(is_visible, reference::sees(&query.view, &indexed.memory), "{context}: {indexed:?}");
    }
    let absent = MemoryId(uuid::Uuid::from_u128(u128::MAX));
    assert_eq!(index.inspect(partition, absent, query).await.unwrap(), None, "{context}");
}

fn adjacent_turns_have_a_retrieved_neighbour(all: &[Indexed], candidates: &[Candidate], context: &str) {
    let of = |candidate: &Candidate| all.iter().find(|one| one.memory.id == candidate.memory);
    for candidate in candidates.iter().filter(|candidate| !candidate.retrieved) {
        let mut retrieved = candidates.iter().filter(|other| other.retrieved).filter_map(of);
        let indexed = of(candidate).expect("a candidate is a memory of the source");
        assert!(retrieved.any(|other| are_adjacent(indexed, other)), "{context}: {candidate:?} stands alone");
    }
}

/// A visible memory: its best score in the scan with the span of that row, if it has vectors; its BM25 score.
type Visible = (MemoryId, Option<(f32, (u32, u32))>, f32);

/// The second tier: exactly the candidates of the reference, each with the reference's scores. Dense scores are equal
/// to the bit; BM25, which the reference computes in double precision, to a rounding.
pub(super) async fn equals_reference(
    index: &dyn Index,
    source: &MemorySource,
    partition: PartitionId,
    query: &IndexQuery,
    context: &str,
) {
    let all = reference::searched(&query.view, &source.memories(partition));
    let answer = index.search(partition, query).await.unwrap();
    let bm25 = reference::Bm25::new(query, &all);
    let visible = visible_memories(index, partition, query, (&all, &bm25), context).await;
    let expected = expected_retrieved(&visible, query.candidates);
    let (retrieved, adjacent): (Vec<Candidate>, _) = by_id(answer).into_iter().partition(|one| one.retrieved);
    let retrieved_ids: Vec<MemoryId> = retrieved.iter().map(|candidate| candidate.memory).collect();
    assert_eq!(retrieved_ids, expected, "{context}: memories retrieved for {query:?}");
    let in_view: Vec<&Indexed> = all.iter().filter(|one| reference::sees(&query.view, &one.memory)).collect();
    let is_adjacent = |one: &&&Indexed| {
        let to_retrieved =
            |other: &&Indexed| are_adjacent(one, other) && retrieved_ids.contains(&other.memory.id);
        !retrieved_ids.contains(&one.memory.id) && in_view.iter().any(to_retrieved)
    };
    let expected: Vec<MemoryId> = in_view.iter().filter(is_adjacent).map(|one| one.memory.id).collect();
    let adjacent_ids: Vec<MemoryId> = adjacent.iter().map(|candidate| candidate.memory).collect();
    assert_eq!(adjacent_ids, expected, "{context}: adjacent turns for {query:?}");
    for candidate in retrieved.into_iter().chain(adjacent) {
        let (_, dense, lexical) = visible.iter().find(|(id, ..)| *id == candidate.memory).unwrap();
        assert_eq!(candidate.dense.map(|dense| dense.score), dense.map(|(score, _)| score), "{context}");
        assert!(
            candidate.lexical.total_cmp(lexical).is_eq(),
            "{context}: {} and {lexical}",
            candidate.lexical
        );
        if let Some((_, span)) = dense {
            assert_eq!(candidate.best_span, *span, "{context}: the span of the best row");
        }
        let indexed = in_view.iter().find(|one| one.memory.id == candidate.memory).unwrap();
        let neighbours: Vec<&Indexed> =
            in_view.iter().filter(|other| are_adjacent(indexed, other)).copied().collect();
        let window = bm25.window(indexed, &neighbours);
        let found = candidate.window;
        assert!((f64::from(found) - window).abs() < 1e-4, "{context}: window {found}, not {window}");
    }
}

/// The visible memories with their scores. Checks the BM25 score of every inspection on the way.
async fn visible_memories(
    index: &dyn Index,
    partition: PartitionId,
    query: &IndexQuery,
    (all, bm25): (&[Indexed], &reference::Bm25),
    context: &str,
) -> Vec<Visible> {
    let mut visible = Vec::new();
    for indexed in all {
        let (id, expected) = (indexed.memory.id, bm25.best_row(indexed));
        let inspection = index.inspect(partition, id, query).await.unwrap().expect("it is there");
        let lexical = inspection.candidate.lexical;
        assert!((f64::from(lexical) - expected).abs() < 1e-4, "{context}: BM25 {lexical}, not {expected}");
        if reference::sees(&query.view, &indexed.memory) {
            visible.push((id, reference::dense(query, indexed, all), lexical));
        }
    }
    visible
}

/// The union of the top-k of the scan and of BM25, by id.
fn expected_retrieved(visible: &[Visible], k: usize) -> Vec<MemoryId> {
    let mut by_dense: Vec<_> =
        visible.iter().filter_map(|(id, dense, _)| Some((dense.as_ref()?.0, *id))).collect();
    let mut by_bm25: Vec<_> =
        visible.iter().filter(|(.., bm25)| *bm25 > 0.0).map(|(id, _, bm25)| (*bm25, *id)).collect();
    let mut retrieved = BTreeSet::new();
    for ranking in [&mut by_dense, &mut by_bm25] {
        ranking.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        retrieved.extend(ranking.iter().take(k).map(|(_, id)| *id));
    }
    Vec::from_iter(retrieved)
}

/// True if two turns follow each other in a session.
pub(super) fn are_adjacent(one: &Indexed, other: &Indexed) -> bool {
    let position =
        |indexed: &Indexed| indexed.memory.origin.as_ref().map(|origin| (origin.session_ordinal, origin.seq));
    match (position(one), position(other)) {
        (Some(one), Some(other)) => one.0 == other.0 && one.1.abs_diff(other.1) == 1,
        _ => false,
    }
}
