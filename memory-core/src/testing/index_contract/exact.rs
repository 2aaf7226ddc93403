//! Rules of an exact implementation: candidates and scores are those of the reference.

use std::sync::Arc;

use super::{PARTITION, Subject, any_query, by_id, fact, ids, query};
use crate::domain::filter::{Field, Filter, Range, Scalar, Test};
use crate::domain::id::MemoryId;
use crate::domain::metadata::Metadata;
use crate::domain::number::Number;
use crate::index::{Index, IndexQuery, View};
use crate::store::Indexed;
use crate::testing::START;
use crate::testing::corpus;
use crate::testing::fixtures::rows;
use crate::testing::memory_source::MemorySource;
use crate::testing::reference;
use crate::testing::rng::Rng;

/// The largest number of candidates of a query.
const MAX_CANDIDATES: usize = 1_024;

/// While random memories are added, edited and erased, every answer equals the reference's, and an index that reads the
/// partition anew answers the same to the bit.
pub async fn search_equals_the_reference(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = subject.over(&source);
    let mut next = 0;
    for step in 0..12 {
        let mut put = Vec::new();
        for _ in 0..rng.below(12) {
            put.push(corpus::memory(&mut rng, next));
            next += 1;
        }
        let present = source.memories(PARTITION);
        let mut erased = Vec::new();
        for indexed in &present {
            match rng.below(12) {
                0 => put.push(corpus::edited(&mut rng, indexed)),
                1 => erased.push(indexed.memory.id),
                _ => {}
            }
        }
        let update = source.write(PARTITION, put, erased);
        index.apply(PARTITION, update).await.unwrap();
        let anew = subject.over(&source);
        for _ in 0..3 {
            let query = any_query(&mut rng);
            let context = format!("seed {seed}, step {step}");
            subject.check(&*index, &source, PARTITION, &query, &context).await;
            let (one, other) = (index.search(PARTITION, &query).await, anew.search(PARTITION, &query).await);
            assert_eq!(by_id(one.unwrap()), by_id(other.unwrap()), "{context}: read anew");
        }
        assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
    }
}

/// Concurrent queries are answered as each would be alone, even if one of them cannot be answered.
pub async fn concurrent_queries_are_answered_as_if_alone(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let all: Vec<Indexed> = (0..300).map(|number| corpus::memory(&mut rng, number)).collect();
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    let mut queries: Vec<IndexQuery> = (0..24).map(|_| any_query(&mut rng)).collect();
    queries[7].vector = Some([0.0].into());
    let concurrent =
        futures::future::join_all(queries.iter().map(|query| index.search(PARTITION, query))).await;
    for (at, (query, concurrent)) in queries.iter().zip(concurrent).enumerate() {
        let alone = index.search(PARTITION, query).await;
        let (alone, concurrent) = (alone.map(by_id).ok(), concurrent.map(by_id).ok());
        assert_eq!(alone.is_none(), at == 7, "seed {seed}: {query:?}");
        assert_eq!(alone, concurrent, "seed {seed}: {query:?}");
    }
}

/// The memories that a search under a view retrieves, in the order of ids: all visible ones, if each has a vector.
async fn retrieved_under(index: &dyn Index, view: View) -> Vec<MemoryId> {
    let query = IndexQuery { view, ..query("tea", MAX_CANDIDATES) };
    let candidates = by_id(index.search(PARTITION, &query).await.unwrap());
    candidates.iter().filter(|candidate| candidate.retrieved).map(|candidate| candidate.memory).collect()
}

/// A search for more than there is retrieves exactly the memories that pass the filter, may be seen and have not
/// expired.
pub async fn a_filter_retrieves_exactly_what_passes(subject: &Subject<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let with_vector = |mut indexed: Indexed| {
        indexed.rows = rows("tea");
        indexed
    };
    let all = (0..90).map(|number| with_vector(corpus::memory(&mut rng, number))).collect();
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    let mut passed = 0;
    for _ in 0..60 {
        let filter = corpus::filter(&mut rng, 4);
        let shared_only = rng.chance(20);
        let view = View { filter, shared_only, ..View::present(corpus::moment(&mut rng)) };
        let mut expected = reference::searched(&view, &source.memories(PARTITION));
        expected.retain(|indexed| reference::sees(&view, &indexed.memory));
        passed += expected.len();
        assert_eq!(retrieved_under(&*index, view.clone()).await, ids(&expected), "seed {seed}: {view:?}");
    }
    assert!(passed > 90, "the filters select too little to tell anything");
}

/// Numbers are compared by exact value, in the metadata and in a memory's own fields: integers that a double cannot
/// tell apart differ, and all spellings of a number are equal.
pub async fn numbers_are_compared_by_exact_value(subject: &Subject<'_>, _: u64) {
    let ascending = [
        "-1e308",
        "-9223372036854775808",
        "-9007199254740993",
        "-9007199254740992.0",
        "-0.0",
        "5e-324",
        "0.9",
        "1",
        "1.0000000000000002",
        "9007199254740992.0",
        "9007199254740993",
        "1234567890123456788",
        "1234567890123456789",
        "9223372036854775807",
        "9223372036854775808.0",
        "18446744073709551615",
        "18446744073709551616",
        "1e308",
    ];
    let number = |text: &str| {
        let number: serde_json::Number = serde_json::from_str(text).unwrap();
        (Number::from_json(&number).map(Scalar::Number).unwrap(), number)
    };
    let source = Arc::new(MemorySource::default());
    let all = ascending.iter().zip(1..).map(|(text, at)| {
        let mut one = fact(at, "tea");
        let object = serde_json::Map::from_iter([("n".to_owned(), number(text).1.into())]);
        one.memory.metadata = Metadata::new(object).unwrap();
        one
    });
    source.write(PARTITION, all.collect(), Vec::new());
    let index = subject.over(&source);
    let selected = async |field: Field, test: Test| {
        let view = View { filter: Filter::Field(field, test), ..View::present(START) };
        retrieved_under(&*index, view)
            .await
            .iter()
            .map(|id| id.0.as_u128() as usize - 1)
            .collect::<Vec<usize>>()
    };
    let n = || Field::Metadata("n".to_owned());
    let count = ascending.len();
    for (at, text) in ascending.iter().enumerate() {
        let bound = || Some(number(text).0);
        let within = |range: Range| selected(n(), Test::Range(range));
        assert_eq!(selected(n(), Test::Eq(number(text).0)).await, [at], "{text}");
        assert_eq!(selected(n(), Test::In([number(text).0].into())).await, [at], "{text}");
        let range = Range { gte: bound(), ..Range::default() };
        assert_eq!(within(range).await, Vec::from_iter(at..count), "{text}");
        let range = Range { gt: bound(), ..Range::default() };
        assert_eq!(within(range).await, Vec::from_iter(at + 1..count), "{text}");
        let range = Range { lte: bound(), ..Range::default() };
        assert_eq!(within(range).await, Vec::from_iter(0..=at), "{text}");
        let range = Range { lt: bound(), ..Range::default() };
        assert_eq!(within(range).await, Vec::from_iter(0..at), "{text}");
    }
    for (one, other) in [("1.0", "1"), ("0", "-0.0"), ("9223372036854775808", "9223372036854775808.0")] {
        let at = ascending.iter().position(|text| *text == other).unwrap();
        assert_eq!(selected(n(), Test::Eq(number(one).0)).await, [at], "{one}");
    }
    assert_eq!(selected(Field::Version, Test::Eq(number("1.0").0)).await.len(), count);
}

/// Importance equals the number that was given, not the nearest single-precision number.
pub async fn importance_matches_the_number_that_was_given(subject: &Subject<'_>, _: u64) {
    let given = [0.0, 0.1, 0.3, 0.7, 0.9, 0.900_000_001, 1.0];
    let source = Arc::new(MemorySource::default());
    let all = given.iter().zip(1..).map(|(importance, at)| {
        let mut one = fact(at, "tea");
        one.memory.strength.importance = *importance;
        one
    });
    source.write(PARTITION, all.collect(), Vec::new());
    let index = subject.over(&source);
    for (at, importance) in given.iter().enumerate() {
        let exactly = Scalar::Number(Number::from_f64(*importance).unwrap());
        let bound = || Some(exactly.clone());
        for (test, expected) in [
            (Test::Eq(exactly.clone()), at..at + 1),
            (Test::In([exactly.clone()].into()), at..at + 1),
            (Test::Range(Range { gte: bound(), ..Range::default() }), at..given.len()),
            (Test::Range(Range { lte: bound(), ..Range::default() }), 0..at + 1),
            (Test::Range(Range { gt: bound(), ..Range::default() }), at + 1..given.len()),
        ] {
            let filter = Filter::Field(Field::Importance, test);
            let view = View { filter, ..View::present(START) };
            let expected: Vec<MemoryId> =
                expected.map(|place| MemoryId(uuid::Uuid::from_u128(place as u128 + 1))).collect();
            assert_eq!(retrieved_under(&*index, view).await, expected, "{importance}: {exactly:?}");
        }
    }
}

/// A memory is one candidate however many of its chunks match, with the score and the span of the best chunk, the
/// first of equal ones.
pub async fn the_best_chunk_scores_the_memory(subject: &Subject<'_>, _: u64) {
    let source = Arc::new(MemorySource::default());
    let long = vec!["beagle Biscuit"; 30].join("|");
    let all = vec![
        fact(1, &format!("tea garden|{long}")),
        fact(2, "beagle tea"),
        fact(3, "beagle sister Lisbon"),
        fact(4, "garden"),
    ];
    source.write(PARTITION, all, Vec::new());
    let index = subject.over(&source);
    let query = query("beagle Biscuit", 3);
    let candidates = by_id(index.search(PARTITION, &query).await.unwrap());
    let first = candidates.iter().find(|candidate| candidate.memory.0.as_u128() == 1).unwrap();
    assert_eq!(first.best_span, (11, 25), "the first of the equal chunks");
    assert!(candidates.len() >= 3, "one memory's chunks take the place of others");
    subject.check(&*index, &source, PARTITION, &query, "chunks").await;
}
