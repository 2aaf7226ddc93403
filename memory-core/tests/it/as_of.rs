//! Recall as of two times and for a partner, through the engine: the present state by default, earlier states on request,
//! and, for random histories, agreement with a naive reference. `make test-long` tries more seeds.
#![expect(clippy::unwrap_used, reason = "tests")]

use memory_core::domain::clock::Clock;
use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::id::MemoryId;
use memory_core::domain::link::Link;
use memory_core::domain::memory::{Kind, Memory};
use memory_core::domain::scope::Scope;
use memory_core::domain::time::{Interval, Timestamp};
use memory_core::domain::turn::Role;
use memory_core::index::Index;
use memory_core::memories::request::Edit;
use memory_core::recall::request::Recall;
use memory_core::recall::response::{Recalled, Verdict};
use memory_core::remember::request::MemoryToRemember;
use memory_core::testing::fixtures::{link, name};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};

const DAY_US: i64 = 86_400_000_000;

async fn test_engine() -> (tempfile::TempDir, TestEngine) {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    (directory, test_engine)
}

async fn add(test_engine: &TestEngine, scope: &Scope, new: Vec<MemoryToRemember>) -> Vec<MemoryId> {
    test_engine.engine.remember_memories(&CALLER, memories(scope, new)).await.unwrap().memories
}

async fn edit(test_engine: &TestEngine, id: MemoryId, edit: Edit) -> Memory {
    test_engine.engine.edit(&CALLER, id, edit, None).await.unwrap().memory
}

async fn recall(test_engine: &TestEngine, request: Recall) -> Recalled {
    test_engine.engine.recall(&CALLER, request).await.unwrap()
}

fn ids(recalled: &Recalled) -> Vec<MemoryId> {
    recalled.memories.iter().map(|one| one.memory.id).collect()
}

fn valid(start: Option<i64>, end: Option<i64>) -> Interval {
    let at = |days: i64| START.plus_days(days);
    Interval { start: start.map(at), end: end.map(at) }
}

#[tokio::test]
async fn a_fact_whose_validity_has_ended_comes_back_on_request_only() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let now = add(&test_engine, &scope, vec![fact("Ann lives in Lisbon")]).await[0];
    let mut before = fact("Ann lives in Porto");
    before.valid = valid(Some(-90), Some(-2));
    before.links = vec![link(now, Link::SUPERSEDED_BY, 1.0)];
    let mut plan = fact("Ann lives in Rome");
    plan.valid = valid(Some(30), None);
    let later = add(&test_engine, &scope, vec![before, plan]).await;
    let (before, plan) = (later[0], later[1]);
    let request = || question(&scope, "Ann lives in Porto");

    let present = recall(&test_engine, request()).await;
    assert!(!ids(&present).contains(&before) && ids(&present).contains(&now));
    assert!(ids(&present).contains(&plan), "a plan is part of the present state");
    assert!(!present.context.text.contains("Porto"));
    let why = test_engine.engine.why_not(&CALLER, before, request()).await.unwrap();
    assert_eq!(why.verdict, Verdict::NotValid);

    let all = recall(&test_engine, Recall { include_superseded: true, ..request() }).await;
    assert_eq!(all.memories[0].memory.id, before);
    assert_eq!(all.memories[0].memory.links[0].to, now);
    let line = "- (from 2023-12-02 until 2024-02-28, superseded) Ann lives in Porto\n";
    assert!(all.context.text.contains(line), "{}", all.context.text);

    let mut then = request();
    then.as_of.valid_at = Some(START.plus_days(-30));
    let then = recall(&test_engine, then).await;
    assert_eq!(then.memories[0].memory.id, before);
    assert!(!ids(&then).contains(&plan), "it had not begun");
}

#[tokio::test]
async fn a_recall_of_an_earlier_time_returns_no_turn_said_later() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let say = |text: &str, days| turn(Role::User, text, START.plus_days(days));
    let said = vec![say("my beagle is ill", -3), say("my beagle is well again", -1)];
    let request = turns(&scope, "s", said).unwrap();
    let said = test_engine.engine.remember_turns(&CALLER, request).await.unwrap().memories;
    assert_eq!(recall(&test_engine, question(&scope, "beagle")).await.memories.len(), 2);
    for by_now in [true, false] {
        let mut request = question(&scope, "my beagle is well");
        let then = Some(START.plus_days(-2));
        if by_now {
            request.now = then
        } else {
            request.as_of.valid_at = then
        }
        let found = recall(&test_engine, request.clone()).await;
        assert_eq!(ids(&found), [said[0]]);
        assert!(!found.context.text.contains("well again"), "nor as a neighbour: {}", found.context.text);
        let why = test_engine.engine.why_not(&CALLER, said[1], request).await.unwrap();
        assert_eq!(why.verdict, Verdict::NotValid);
    }
}

#[tokio::test]
async fn a_recall_as_known_then_returns_the_versions_of_that_time() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let mut old = fact("the code of the garage is 4711");
    old.tags = vec![name("codes")];
    let old = add(&test_engine, &scope, vec![old]).await[0];
    let known_at = test_engine.engine.memory(&CALLER, old).await.unwrap().memory.recorded_at;
    test_engine.clock.advance_micros(DAY_US);
    let change = Edit {
        text: Some("the code of the garage is 1234".to_owned()),
        tags: Some(Vec::new()),
        audience: Some(vec![name("bob")]),
        ..Edit::default()
    };
    edit(&test_engine, old, change).await;
    let new = add(&test_engine, &scope, vec![fact("the garage has a new code")]).await[0];

    let mut request = question(&scope, "code of the garage");
    assert_eq!(recall(&test_engine, request.clone()).await.memories.len(), 2);
    request.as_of.known_at = Some(known_at);
    request.filter = Filter::Field(Field::Tags, Test::Eq(Scalar::Text("codes".to_owned())));
    request.partner = Some(name("carol"));
    let then = recall(&test_engine, request.clone()).await;
    assert_eq!(ids(&then), [old]);
    let version = &then.memories[0].memory;
    assert_eq!((version.version, version.text.as_str()), (1, "the code of the garage is 4711"));
    assert_eq!(then.memories[0].explain.best_span, None, "the span is one of another text");
    assert!(then.context.text.contains("4711") && !then.context.text.contains("1234"));
    assert!(then.degraded.is_empty());
    let why = async |id, request| test_engine.engine.why_not(&CALLER, id, request).await.unwrap().verdict;
    assert_eq!(why(new, request.clone()).await, Verdict::NotRecorded);
    assert_eq!(why(old, request.clone()).await, Verdict::Returned);
    request.filter = Filter::Not(Box::new(request.filter));
    assert_eq!(why(old, request).await, Verdict::Filtered);
}

#[tokio::test]
async fn a_recall_as_known_then_searches_further_where_versions_are_hidden() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let secret = |number| {
        let mut new = fact(&format!("beagle Biscuit {number}"));
        new.audience = vec![name("bob")];
        new
    };
    let many = add(&test_engine, &scope, (0..150).map(secret).collect()).await;
    let told = add(&test_engine, &scope, vec![fact("Biscuit and the garden of the sister")]).await[0];
    let known_at = test_engine.engine.memory(&CALLER, told).await.unwrap().memory.recorded_at;
    test_engine.clock.advance_micros(DAY_US);
    for id in many {
        edit(&test_engine, id, Edit { audience: Some(Vec::new()), ..Edit::default() }).await;
    }
    let mut request = question(&scope, "beagle Biscuit");
    (request.limit, request.partner) = (1, Some(name("carol")));
    assert_ne!(ids(&recall(&test_engine, request.clone()).await), [told]);
    request.as_of.known_at = Some(known_at);
    let then = recall(&test_engine, request).await;
    assert_eq!(ids(&then), [told]);
    assert!(then.degraded.is_empty());
}

#[tokio::test]
async fn what_was_said_in_confidence_is_not_told_to_another_partner() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let say = |text: &str| turn(Role::User, text, START);
    let mut secret = say("Bob is looking for another job");
    secret.audience = vec![name("carol"), name("dora")];
    let said = vec![say("I met Bob"), secret, say("we had tea")];
    let said = turns(&scope, "s", said).unwrap();
    let said = test_engine.engine.remember_turns(&CALLER, said).await.unwrap().memories;
    for is_read_anew in [false, true] {
        if is_read_anew {
            test_engine.index.clear_cache().await;
        }
        for (partner, is_told) in [(None, true), (Some("carol"), true), (Some("bob"), false)] {
            let mut request = question(&scope, "What is Bob's job?");
            request.partner = partner.map(name);
            let found = recall(&test_engine, request.clone()).await;
            assert_eq!(ids(&found).contains(&said[1]), is_told, "{partner:?}");
            assert_eq!(found.context.text.contains("another job"), is_told, "{}", found.context.text);
            let why = test_engine.engine.why_not(&CALLER, said[1], request).await.unwrap().verdict;
            assert_eq!(why, if is_told { Verdict::Returned } else { Verdict::NotForPartner });
        }
    }
    let to_bob = Edit { audience: Some(vec![name("bob")]), ..Edit::default() };
    edit(&test_engine, said[1], to_bob).await;
    let mut request = question(&scope, "What is Bob's job?");
    request.partner = Some(name("bob"));
    assert!(ids(&recall(&test_engine, request).await).contains(&said[1]));
}

#[tokio::test]
async fn contradictory_memories_come_back_together_with_their_dates() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let others = (0..4).map(|number| fact(&format!("Ann reads book {number}"))).collect();
    add(&test_engine, &scope, others).await;
    let one = add(&test_engine, &scope, vec![fact("Ann is allergic to nuts")]).await[0];
    let mut other = fact("every nut bar is gone after her hike");
    other.links = vec![link(one, Link::CONTRADICTS, 1.0)];
    let other = add(&test_engine, &scope, vec![other]).await[0];
    let mut request = question(&scope, "Is Ann allergic to nuts?");
    request.limit = 2;
    let found = recall(&test_engine, request.clone()).await;
    assert_eq!(ids(&found), [one, other]);
    assert_eq!(found.context.text.matches("(as of 2024-03-01)").count(), 2, "{}", found.context.text);
    let ended = Edit { valid_to: Some(Some(START)), ..Edit::default() };
    edit(&test_engine, other, ended).await;
    assert!(!ids(&recall(&test_engine, request).await).contains(&other), "it is decided");
}

/// The versions that a recall returns, from the rules alone: of each memory the last version known then, if it is seen.
fn expected(histories: &[Vec<Memory>], request: &Recall, clock: Timestamp) -> Vec<(MemoryId, u32)> {
    let named = request.as_of.valid_at.or(request.now);
    let at = named.unwrap_or(clock);
    let mut seen = Vec::new();
    for versions in histories {
        let known = |version: &&Memory| request.as_of.known_at.is_none_or(|at| version.recorded_at <= at);
        let Some(version) = versions.iter().rfind(known) else { continue };
        let has_ended = version.valid.end.is_some_and(|end| end <= at) && !request.include_superseded;
        let begins = version
            .valid
            .start
            .into_iter()
            .chain((version.kind == Kind::Turn).then_some(version.happened.at));
        let is_later = named.is_some() && begins.max().is_some_and(|begin| begin > at);
        let is_told = version.audience.is_empty()
            || request.partner.as_ref().is_none_or(|partner| version.audience.contains(partner));
        let has_expired = version.expires_at.is_some_and(|end| end <= request.now.unwrap_or(clock));
        if !has_ended && !is_later && is_told && !has_expired && request.filter.matches(version) {
            seen.push((version.id, version.version));
        }
    }
    seen.sort_unstable();
    seen
}

fn any_time(rng: &mut Rng) -> Timestamp {
    START.plus_days(rng.below(12) as i64 - 2)
}

fn some_time(rng: &mut Rng, percent: usize) -> Option<Timestamp> {
    let at = any_time(rng);
    rng.chance(percent).then_some(at)
}

fn any_audience(rng: &mut Rng) -> Vec<memory_core::domain::name::Name> {
    if rng.chance(60) { Vec::new() } else { vec![name(rng.pick::<&str>(&["bob", "carol"]))] }
}

fn any_validity(rng: &mut Rng) -> Interval {
    let (one, other) = (some_time(rng, 40), some_time(rng, 40));
    match (one, other) {
        (Some(one), Some(other)) => Interval { start: Some(one.min(other)), end: Some(one.max(other)) },
        (start, end) => Interval { start, end },
    }
}

async fn change(
    test_engine: &TestEngine,
    scope: &Scope,
    all: &mut Vec<MemoryId>,
    rng: &mut Rng,
    step: usize,
) {
    let engine = &test_engine.engine;
    match rng.below(6) {
        0 | 1 => {
            let mut new = fact(&format!("beagle {step}"));
            new.valid = any_validity(rng);
            new.audience = any_audience(rng);
            new.expires_at = some_time(rng, 10);
            all.extend(add(test_engine, scope, vec![new]).await);
        }
        2 => {
            let mut said = turn(Role::User, &format!("beagle {step}"), any_time(rng));
            said.audience = any_audience(rng);
            let said = turns(scope, "s", vec![said]).unwrap();
            all.extend(engine.remember_turns(&CALLER, said).await.unwrap().memories);
        }
        3 if all.len() > 4 => {
            let gone = all.swap_remove(rng.below(all.len()));
            engine.erase(&CALLER, gone, None).await.unwrap();
        }
        _ if all.is_empty() => {}
        _ => {
            let valid = any_validity(rng);
            let tags = if rng.chance(50) { vec![name("codes")] } else { Vec::new() };
            let text = rng.chance(30).then(|| format!("garden {step}"));
            let change = Edit {
                text,
                tags: Some(tags),
                audience: Some(any_audience(rng)),
                valid_from: Some(valid.start),
                valid_to: Some(valid.end),
                expires_at: Some(some_time(rng, 10)),
                ..Edit::default()
            };
            edit(test_engine, *rng.pick(all), change).await;
        }
    }
}

#[tokio::test]
async fn a_recall_as_of_any_times_returns_what_a_naive_reading_of_the_history_returns() {
    for seed in seeds(4, 100) {
        let mut rng = Rng::new(seed);
        let (_directory, test_engine) = test_engine().await;
        let scope = user("ann").unwrap();
        let mut all = Vec::new();
        for step in 0..30 {
            change(&test_engine, &scope, &mut all, &mut rng, step).await;
            if rng.chance(30) {
                test_engine.clock.advance_micros(DAY_US);
            }
        }
        let mut histories = Vec::new();
        for id in &all {
            histories.push(test_engine.engine.history(&CALLER, *id).await.unwrap());
        }
        let clock = test_engine.clock.now();
        for _ in 0..12 {
            let mut request = question(&scope, "beagle");
            (request.limit, request.budget_tokens) = (200, 20_000);
            request.now = some_time(&mut rng, 30);
            request.as_of.valid_at = some_time(&mut rng, 30);
            request.as_of.known_at = some_time(&mut rng, 60);
            request.include_superseded = rng.chance(30);
            request.partner = rng.chance(50).then(|| name("bob"));
            if rng.chance(40) {
                request.filter = Filter::Field(Field::Tags, Test::IsNull(rng.chance(50)));
            }
            let found = recall(&test_engine, request.clone()).await;
            let mut versions: Vec<(MemoryId, u32)> =
                found.memories.iter().map(|one| (one.memory.id, one.memory.version)).collect();
            versions.sort_unstable();
            assert_eq!(versions, expected(&histories, &request, clock), "seed {seed}: {request:?}");
            let listed = found.context.memories.iter().all(|id| versions.iter().any(|(one, _)| one == id));
            assert!(listed, "seed {seed}: the context has nothing else");
        }
    }
}
