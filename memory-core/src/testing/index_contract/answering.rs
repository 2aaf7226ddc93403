//! Rules of answering: exactly what the definitions say, nothing that is hidden, each memory once.

use std::sync::Arc;

use super::{AMPLE_BYTES, Make, PARTITION, any_question, by_id, ids, is_right, question};
use crate::domain::filter::{Field, Filter, Range, Scalar, Test};
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::number::Number;
use crate::index::{IndexQuery, TurnPosition, View};
use crate::store::Indexed;
use crate::testing::START;
use crate::testing::corpus;
use crate::testing::fixtures::{name, plain, rows};
use crate::testing::memory_source::MemorySource;
use crate::testing::reference;
use crate::testing::rng::Rng;

/// A fact that is found by the words of its text.
fn fact(number: u128, text: &str) -> Indexed {
    let memory = plain(MemoryId(uuid::Uuid::from_u128(number)), Kind::Fact, "");
    Indexed { memory, rows: rows(text) }
}

/// Over random memories that come, change and go, every answer is what the definitions say, and an index that reads
/// everything anew answers the same to the last bit.
pub async fn search_is_naive_search(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = make(source.clone(), AMPLE_BYTES);
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
        let anew = make(source.clone(), AMPLE_BYTES);
        for _ in 0..3 {
            let asked = any_question(&mut rng);
            let context = format!("seed {seed}, step {step}");
            is_right(&*index, &source, PARTITION, &asked, &context).await;
            let (one, other) = (index.search(PARTITION, &asked).await, anew.search(PARTITION, &asked).await);
            assert_eq!(by_id(one.unwrap()), by_id(other.unwrap()), "{context}: read anew");
        }
        assert_eq!(index.differences(PARTITION).await.unwrap(), 0);
    }
}

/// Questions that are asked at the same time are answered as each would be alone, even if one cannot be answered.
pub async fn company_changes_no_answer(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let all: Vec<Indexed> = (0..300).map(|number| corpus::memory(&mut rng, number)).collect();
    source.write(PARTITION, all, Vec::new());
    let index = make(source, AMPLE_BYTES);
    let mut asked: Vec<IndexQuery> = (0..24).map(|_| any_question(&mut rng)).collect();
    asked[7].vector = Some([0.0].into());
    let together =
        futures::future::join_all(asked.iter().map(|question| index.search(PARTITION, question))).await;
    for (place, (question, together)) in asked.iter().zip(together).enumerate() {
        let alone = index.search(PARTITION, question).await;
        let (alone, together) = (alone.map(by_id).ok(), together.map(by_id).ok());
        assert_eq!(alone.is_none(), place == 7, "seed {seed}: {question:?}");
        assert_eq!(alone, together, "seed {seed}: {question:?}");
    }
}

/// A view is all memories that pass its filter, may be seen, and have not expired, in the order of ids.
pub async fn a_view_is_what_passes(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let all: Vec<Indexed> = (0..90).map(|number| corpus::memory(&mut rng, number)).collect();
    source.write(PARTITION, all, Vec::new());
    let index = make(source.clone(), AMPLE_BYTES);
    let mut passed = 0;
    for _ in 0..60 {
        let filter = corpus::filter(&mut rng, 4);
        let view = View { filter, now: corpus::moment(&mut rng), shared_only: rng.chance(20) };
        let mut expected = source.memories(PARTITION);
        expected.retain(|indexed| reference::sees(&view, &indexed.memory));
        passed += expected.len();
        assert_eq!(index.in_view(PARTITION, &view).await.unwrap(), ids(&expected), "seed {seed}: {view:?}");
    }
    assert!(passed > 90, "the filters let too little pass to tell anything");
}

/// Numbers are compared by their exact value, in metadata and where a memory has a number of its own: what doubles
/// cannot tell apart is two numbers, and one number is found under each of its spellings.
pub async fn numbers_are_compared_exactly(make: Make<'_>) {
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
    let index = make(source.clone(), AMPLE_BYTES);
    let found = async |field: Field, test: Test| {
        let view = View { filter: Filter::Field(field, test), now: START, shared_only: false };
        let found = index.in_view(PARTITION, &view).await.unwrap();
        found.iter().map(|id| id.0.as_u128() as usize - 1).collect::<Vec<usize>>()
    };
    let n = || Field::Metadata("n".to_owned());
    let count = ascending.len();
    for (at, text) in ascending.iter().enumerate() {
        let bound = || Some(number(text).0);
        let within = |range: Range| found(n(), Test::Range(range));
        assert_eq!(found(n(), Test::Eq(number(text).0)).await, [at], "{text}");
        assert_eq!(found(n(), Test::In(vec![number(text).0])).await, [at], "{text}");
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
        assert_eq!(found(n(), Test::Eq(number(one).0)).await, [at], "{one}");
    }
    assert_eq!(found(Field::Version, Test::Eq(number("1.0").0)).await.len(), count);
}

/// Importance is found by the number that was given, whatever its nearest single-precision number is.
pub async fn importance_is_found_as_it_was_given(make: Make<'_>) {
    let given = [0.0, 0.1, 0.3, 0.7, 0.9, 0.900_000_001, 1.0];
    let source = Arc::new(MemorySource::default());
    let all = given.iter().zip(1..).map(|(importance, at)| {
        let mut one = fact(at, "tea");
        one.memory.strength.importance = *importance;
        one
    });
    source.write(PARTITION, all.collect(), Vec::new());
    let index = make(source, AMPLE_BYTES);
    for (at, importance) in given.iter().enumerate() {
        let exactly = Scalar::Number(Number::from_f64(*importance).unwrap());
        let bound = || Some(exactly.clone());
        for (test, expected) in [
            (Test::Eq(exactly.clone()), at..at + 1),
            (Test::In(vec![exactly.clone()]), at..at + 1),
            (Test::Range(Range { gte: bound(), ..Range::default() }), at..given.len()),
            (Test::Range(Range { lte: bound(), ..Range::default() }), 0..at + 1),
            (Test::Range(Range { gt: bound(), ..Range::default() }), at + 1..given.len()),
        ] {
            let filter = Filter::Field(Field::Importance, test);
            let view = View { filter, now: START, shared_only: false };
            let found = index.in_view(PARTITION, &view).await.unwrap();
            let expected: Vec<MemoryId> =
                expected.map(|place| MemoryId(uuid::Uuid::from_u128(place as u128 + 1))).collect();
            assert_eq!(found, expected, "{importance}: {view:?}");
        }
    }
}

/// What a view hides neither shows nor takes the place of what it lets be seen, however well it matches; and it
/// changes no score.
pub async fn what_is_hidden_takes_no_place(make: Make<'_>) {
    let source = Arc::new(MemorySource::default());
    let mut all: Vec<Indexed> = (1..=40).map(|number| fact(number, "beagle Biscuit walks")).collect();
    all.push(fact(41, "beagle garden tea running shoes"));
    for (indexed, at) in all.iter_mut().zip(0..) {
        indexed.memory.visibility = Visibility::Shared;
        match at % 3 {
            _ if at == 40 => {}
            0 => indexed.memory.visibility = Visibility::Owner,
            1 => indexed.memory.expires_at = Some(START),
            _ => indexed.memory.tags = vec![name("hidden")],
        }
    }
    source.write(PARTITION, all, Vec::new());
    let index = make(source.clone(), AMPLE_BYTES);
    let mut asked = question("beagle Biscuit walks", 1);
    let hidden = Filter::Field(Field::Tags, Test::Eq(Scalar::Text("hidden".to_owned())));
    asked.view = View { filter: Filter::Not(Box::new(hidden)), now: START, shared_only: true };
    let seen = index.search(PARTITION, &asked).await.unwrap();
    let last = MemoryId(uuid::Uuid::from_u128(41));
    assert_eq!(seen.candidates.iter().map(|candidate| candidate.memory).collect::<Vec<_>>(), [last]);
    let mut open = asked.clone();
    open.view = View { filter: Filter::everything(), now: START.plus_days(-1), shared_only: false };
    let unhidden = index.inspect(PARTITION, last, &open).await.unwrap().unwrap();
    assert_eq!(seen.candidates[0], unhidden.candidate);
    is_right(&*index, &source, PARTITION, &asked, "hidden").await;
}

/// A memory counts once, however many of its chunks match, and by the best of them.
pub async fn a_memory_of_many_chunks_counts_once(make: Make<'_>) {
    let source = Arc::new(MemorySource::default());
    let long = vec!["beagle Biscuit"; 30].join("|");
    let all = vec![
        fact(1, &format!("tea garden|{long}")),
        fact(2, "beagle tea"),
        fact(3, "beagle sister Lisbon"),
        fact(4, "garden"),
    ];
    source.write(PARTITION, all, Vec::new());
    let index = make(source.clone(), AMPLE_BYTES);
    let asked = question("beagle Biscuit", 3);
    let found = by_id(index.search(PARTITION, &asked).await.unwrap());
    let first = found.iter().find(|candidate| candidate.memory.0.as_u128() == 1).unwrap();
    assert_eq!(first.best_span, (11, 25), "the first of the equal chunks");
    assert!(found.len() >= 3, "one memory's chunks took the place of others");
    is_right(&*index, &source, PARTITION, &asked, "chunks").await;
}

/// A memory without a vector is found by its words, and a question without one finds by words alone.
pub async fn words_find_what_has_no_vector(make: Make<'_>) {
    let source = Arc::new(MemorySource::default());
    source.write(PARTITION, vec![fact(1, "4711"), fact(2, "garden"), fact(3, "17 4711 beagle")], Vec::new());
    let index = make(source.clone(), AMPLE_BYTES);
    let mut asked = question("code 4711", 8);
    let found = by_id(index.search(PARTITION, &asked).await.unwrap());
    assert_eq!((found[0].memory.0.as_u128(), found[0].dense), (1, None));
    assert!(found[0].lexical > 0.0 && found[2].dense.is_some());
    asked.vector = None;
    let found = by_id(index.search(PARTITION, &asked).await.unwrap());
    assert_eq!(found.iter().map(|candidate| candidate.memory.0.as_u128()).collect::<Vec<_>>(), [1, 3]);
    assert!(found.iter().all(|candidate| candidate.dense.is_none()));
}

/// Turns are found by their place while they are there and in view; a new version is found at the old place.
pub async fn turns_are_found_by_their_place(make: Make<'_>, seed: u64) {
    let mut rng = Rng::new(seed);
    let source = Arc::new(MemorySource::default());
    let index = make(source.clone(), AMPLE_BYTES);
    let all: Vec<Indexed> = (0..60).map(|number| corpus::memory(&mut rng, number)).collect();
    index.apply(PARTITION, source.write(PARTITION, all.clone(), Vec::new())).await.unwrap();
    assert_eq!(index.in_view(PARTITION, &question("x", 1).view).await.unwrap().len(), shelf_view(&source));
    let edited: Vec<Indexed> = all[..20].iter().map(|indexed| corpus::edited(&mut rng, indexed)).collect();
    let erased: Vec<MemoryId> = ids(&all[20..30]);
    index.apply(PARTITION, source.write(PARTITION, edited, erased)).await.unwrap();
    let places: Vec<TurnPosition> =
        (0..4).flat_map(|session| (0..25).map(move |seq| TurnPosition { session, seq })).collect();
    for shared_only in [false, true] {
        let view = View { filter: Filter::everything(), now: START, shared_only };
        let left = source.memories(PARTITION);
        let at = |place: &TurnPosition| {
            let there = left.iter().find(|indexed| {
                let origin = indexed.memory.origin.as_ref();
                origin.is_some_and(|it| (it.session_ordinal, it.seq) == (place.session, place.seq))
            })?;
            reference::sees(&view, &there.memory).then_some((*place, there.memory.id))
        };
        let expected: Vec<(TurnPosition, MemoryId)> = places.iter().filter_map(at).collect();
        assert!(shared_only || !expected.is_empty(), "seed {seed}: nothing to be found");
        assert_eq!(index.turns_at(PARTITION, &places, &view).await.unwrap(), expected, "seed {seed}");
    }
}

fn shelf_view(source: &MemorySource) -> usize {
    let view = question("x", 1).view;
    source.memories(PARTITION).iter().filter(|indexed| reference::sees(&view, &indexed.memory)).count()
}
