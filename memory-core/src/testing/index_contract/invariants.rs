//! Rules of answers that hold for every implementation: visibility, uniqueness, retrieval by terms, turns by position.

use std::sync::Arc;

use super::{PARTITION, Subject, any_query, by_id, fact, ids, query};
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::Visibility;
use crate::index::{TurnPosition, View};
use crate::store::Indexed;
use crate::testing::START;
use crate::testing::corpus;
use crate::testing::fixtures::{link, name};
use crate::testing::memory_source::MemorySource;
use crate::testing::reference;
use crate::testing::rng::Rng;

/// Over random memories and queries every candidate is visible and listed once, and inspections agree with the
/// reference.
pub async fn candidates_are_visible_and_listed_once(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let all: Vec<Indexed> = (0..60).map(|number| corpus::memory(&mut rng, number)).collect();
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    for _ in 0..4 {
        let query = any_query(&mut rng);
        subject.check(&*index, &source, PARTITION, &query, &format!("seed {seed}")).await;
    }
}

/// Hidden memories are no candidates, take no place among the top k of visible ones however well they match, and
/// change no score.
pub async fn hidden_memories_take_no_place_and_move_no_score(subject: &Subject<'_>, _: u64) {
    let source = Arc::new(MemorySource::default());
    let mut all: Vec<Indexed> = (1..=40).map(|number| fact(number, "beagle Biscuit walks")).collect();
    all.push(fact(41, "beagle garden tea running shoes"));
    for (indexed, at) in all.iter_mut().zip(0..) {
        indexed.memory.visibility = Visibility::Shared;
        match at % 5 {
            _ if at == 40 => {}
            0 => indexed.memory.visibility = Visibility::Owner,
            1 => indexed.memory.expires_at = Some(START),
            2 => indexed.memory.valid.end = Some(START),
            3 => indexed.memory.audience = vec![name("carol")],
            _ => indexed.memory.tags = vec![name("hidden")],
        }
    }
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    let mut filtered = query("beagle Biscuit walks", 1);
    let hidden = Filter::Field(Field::Tags, Test::Eq(Scalar::Text("hidden".to_owned())));
    filtered.view = View {
        filter: Filter::Not(Box::new(hidden)),
        shared_only: true,
        partner: Some(name("bob")),
        ..View::present(START)
    };
    let answer = index.search(PARTITION, &filtered).await.unwrap();
    let last = MemoryId(uuid::Uuid::from_u128(41));
    assert_eq!(answer.candidates.iter().map(|candidate| candidate.memory).collect::<Vec<_>>(), [last]);
    let mut open = filtered.clone();
    open.view = View::present(START.plus_days(-1));
    let unfiltered = index.inspect(PARTITION, last, &open).await.unwrap().unwrap();
    assert_eq!(answer.candidates[0], unfiltered.candidate);
    subject.check(&*index, &source, PARTITION, &filtered, "hidden").await;
}

/// A memory without a vector is retrieved by its terms, and a query without a vector retrieves by terms alone.
pub async fn memories_without_a_vector_are_retrieved_by_terms(subject: &Subject<'_>, _: u64) {
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, vec![fact(1, "4711"), fact(2, "garden"), fact(3, "17 4711 beagle")], Vec::new());
    let index = subject.over(&source);
    let mut query = query("code 4711", 8);
    let candidates = by_id(index.search(PARTITION, &query).await.unwrap());
    assert_eq!((candidates[0].memory.0.as_u128(), candidates[0].dense), (1, None));
    assert!(candidates[0].lexical > 0.0 && candidates[2].dense.is_some());
    query.vector = None;
    let candidates = by_id(index.search(PARTITION, &query).await.unwrap());
    let retrieved: Vec<u128> = candidates.iter().map(|candidate| candidate.memory.0.as_u128()).collect();
    assert_eq!(retrieved, [1, 3]);
    assert!(candidates.iter().all(|candidate| candidate.dense.is_none()));
}

/// Turns are found by position while they are there and visible; a new version keeps the position.
pub async fn turns_are_found_by_position(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = subject.over(&source);
    let all: Vec<Indexed> = (0..200).map(|number| corpus::memory(&mut rng, number)).collect();
    index.apply(PARTITION, source.write(PARTITION, all.clone(), Vec::new())).await.unwrap();
    // Loads the partition, so that the update is applied rather than read.
    index.turns_at(PARTITION, &[], &query("x", 1).view).await.unwrap();
    let edited: Vec<Indexed> = all[..20].iter().map(|indexed| corpus::edited(&mut rng, indexed)).collect();
    let erased: Vec<MemoryId> = ids(&all[20..30]);
    index.apply(PARTITION, source.write(PARTITION, edited, erased)).await.unwrap();
    let positions: Vec<TurnPosition> =
        (0..4).flat_map(|session| (0..70).map(move |seq| TurnPosition { session, seq })).collect();
    for shared_only in [false, true] {
        let view = View { shared_only, ..View::present(START) };
        let left = reference::searched(&view, &source.memories(PARTITION));
        let at = |position: &TurnPosition| {
            let there = left.iter().find(|indexed| {
                let origin = indexed.memory.origin.as_ref();
                origin.is_some_and(|it| (it.session_ordinal, it.seq) == (position.session, position.seq))
            })?;
            reference::sees(&view, &there.memory).then_some((*position, there.memory.id))
        };
        let expected: Vec<(TurnPosition, MemoryId)> = positions.iter().filter_map(at).collect();
        assert!(shared_only || !expected.is_empty(), "seed {seed}: there are no turns");
        assert_eq!(index.turns_at(PARTITION, &positions, &view).await.unwrap(), expected, "seed {seed}");
    }
}

/// Contradictions are found from both ends while both memories are there and visible; a new version without the link ends
/// them.
pub async fn contradictions_are_found_from_both_ends(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = subject.over(&source);
    let mut all: Vec<Indexed> = (0..24).map(|number| corpus::memory(&mut rng, number)).collect();
    let known = ids(&all);
    for indexed in &mut all {
        for relation in [Link::CONTRADICTS, "near"] {
            let to = *rng.pick(&known);
            if to != indexed.memory.id && rng.chance(50) {
                indexed.memory.links.push(link(to, relation, 1.0));
            }
        }
    }
    index.apply(PARTITION, source.write(PARTITION, all.clone(), Vec::new())).await.unwrap();
    index.turns_at(PARTITION, &[], &View::present(START)).await.unwrap();
    let edited: Vec<Indexed> = all[..6].iter().map(|indexed| corpus::edited(&mut rng, indexed)).collect();
    index.apply(PARTITION, source.write(PARTITION, edited, ids(&all[6..9]))).await.unwrap();
    let all = source.memories(PARTITION);
    let links_to = |one: &Indexed, other: &Indexed| {
        let mut links = one.memory.links.iter();
        links.any(|link| link.relation.as_str() == Link::CONTRADICTS && link.to == other.memory.id)
    };
    for _ in 0..4 {
        let view = any_query(&mut rng).view;
        let left = reference::searched(&view, &all);
        let mut expected = Vec::new();
        for id in &known {
            let one = left.iter().find(|indexed| indexed.memory.id == *id);
            for other in left.iter().filter(|other| reference::sees(&view, &other.memory)) {
                if one.is_some_and(|one| links_to(one, other) || links_to(other, one)) {
                    expected.push((*id, other.memory.id));
                }
            }
        }
        assert_eq!(index.contradictions(PARTITION, &known, &view).await.unwrap(), expected, "seed {seed}");
    }
}
