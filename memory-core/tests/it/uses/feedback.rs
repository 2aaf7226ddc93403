//! Feedback on recalls: outcomes in the access log, uses of the memories, and what is refused.

use memory_core::Error;
use memory_core::domain::grant::Selection;
use memory_core::domain::id::{MemoryId, RecallId, TenantId};
use memory_core::domain::scope::{Caller, Rights};
use memory_core::domain::uses::UseKind;
use memory_core::recall::request::{Recall, RecallFeedback};
use memory_core::recall::response::LoggedRecall;
use memory_core::retention::Policy;
use memory_core::testing::{CALLER, START};

use super::{Bench, about_tea, scope, use_at};
use crate::grants::giving;

fn feedback(who: &str) -> RecallFeedback {
    RecallFeedback {
        scope: scope(who),
        used: Vec::new(),
        confirmed: Vec::new(),
        contradicted: Vec::new(),
        now: None,
    }
}

async fn give(bench: &Bench, id: RecallId, feedback: RecallFeedback) -> Result<LoggedRecall, Error> {
    bench.test.engine.recall_feedback(&CALLER, id, feedback).await
}

fn outcome(logged: &LoggedRecall, id: MemoryId) -> UseKind {
    logged.hits.iter().find(|hit| hit.memory == id).unwrap().outcome
}

#[tokio::test]
async fn feedback_raises_the_use_of_its_recall_and_is_a_use_of_its_own_later() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "the tea is green", "tea with milk"]).await;
    let recall = bench.test.engine.recall(&CALLER, about_tea("ann")).await.unwrap().id;
    bench.test.clock.advance_micros(60_000_000);
    let used = RecallFeedback { used: vec![ids[0]], ..feedback("ann") };
    let logged = give(&bench, recall, used).await.unwrap();
    assert_eq!((logged.id, logged.recalled_at, logged.hits.len()), (recall, START, 3));
    assert_eq!((outcome(&logged, ids[0]), outcome(&logged, ids[1])), (UseKind::Cited, UseKind::InContext));
    assert_eq!(bench.uses(ids[0]).await.newest(), [use_at(START, UseKind::Cited)], "one use for one query");
    bench.pass_hours(3);
    let more = RecallFeedback { confirmed: vec![ids[1]], contradicted: vec![ids[2]], ..feedback("ann") };
    give(&bench, recall, more).await.unwrap();
    let now = bench.now();
    let expected = [use_at(START, UseKind::InContext), use_at(now, UseKind::Confirmed)];
    assert_eq!(bench.uses(ids[1]).await.newest(), expected);
    assert_eq!(bench.kinds(ids[2]).await, [UseKind::InContext, UseKind::Contradicted]);
    let logged = bench.test.engine.logged_recall(&CALLER, &scope("ann"), recall).await.unwrap();
    let outcomes = ids.iter().map(|id| outcome(&logged, *id)).collect::<Vec<_>>();
    assert_eq!(outcomes, [UseKind::Cited, UseKind::Confirmed, UseKind::Contradicted]);
}

#[tokio::test]
async fn the_same_feedback_again_changes_nothing_however_much_later() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "the tea is green"]).await;
    let recall = bench.recall(about_tea("ann")).await.id;
    let said = RecallFeedback { used: ids.clone(), confirmed: vec![ids[1]], ..feedback("ann") };
    let first = give(&bench, recall, said.clone()).await.unwrap();
    let (after, uses) = (bench.last_change("ann").await, bench.uses(ids[1]).await);
    for hours in [0, 1, 24, 1_000] {
        bench.pass_hours(hours);
        assert_eq!(give(&bench, recall, said.clone()).await.unwrap(), first);
    }
    assert_eq!(give(&bench, recall, feedback("ann")).await.unwrap(), first, "no feedback at all");
    assert_eq!((bench.last_change("ann").await, bench.uses(ids[1]).await), (after, uses));
    let twice = bench.recall(about_tea("ann")).await.id;
    let (one, other) = tokio::join!(give(&bench, twice, said.clone()), give(&bench, twice, said));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(bench.uses(ids[0]).await.count(), 2, "at the same time, too");
}

#[tokio::test]
async fn what_does_not_count_for_the_owner_is_in_the_log_alone() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "the tea is green"]).await;
    bench.set_policy("ann", Policy { counts_from: UseKind::Confirmed, ..Policy::default() }).await;
    let recall = bench.recall(about_tea("ann")).await.id;
    let said = RecallFeedback { used: vec![ids[0]], confirmed: vec![ids[1]], ..feedback("ann") };
    let logged = give(&bench, recall, said).await.unwrap();
    assert_eq!(outcome(&logged, ids[0]), UseKind::Cited);
    assert_eq!((bench.kinds(ids[0]).await, bench.kinds(ids[1]).await), (vec![], vec![UseKind::Confirmed]));
}

#[tokio::test]
async fn feedback_that_names_what_the_recall_did_not_return_is_refused_whole() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "rain in Lisbon"]).await;
    let recall = bench.recall(Recall { limit: 1, ..about_tea("ann") }).await.id;
    let field = |refused: Result<LoggedRecall, Error>| match refused.unwrap_err() {
        Error::Invalid { field, .. } | Error::OverLimit { field, .. } => field,
        other => panic!("{other}"),
    };
    let stray = RecallFeedback { used: vec![ids[0]], confirmed: vec![ids[0], ids[1]], ..feedback("ann") };
    assert_eq!(field(give(&bench, recall, stray).await), "confirmed[1]");
    let both = RecallFeedback { confirmed: vec![ids[0]], contradicted: vec![ids[0]], ..feedback("ann") };
    assert_eq!(field(give(&bench, recall, both).await), "contradicted[0]");
    let many = RecallFeedback { used: vec![ids[0]; 201], ..feedback("ann") };
    assert_eq!(field(give(&bench, recall, many).await), "used");
    assert_eq!(bench.kinds(ids[0]).await, [UseKind::InContext], "nothing was written");
}

#[tokio::test]
async fn a_recall_is_known_only_in_its_scope_and_tenant() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea"]).await;
    bench.facts("bob", &["bob drinks tea"]).await;
    let recall = bench.recall(about_tea("ann")).await.id;
    let said = |who| RecallFeedback { used: ids.clone(), ..feedback(who) };
    let code = |outcome: Result<LoggedRecall, Error>| outcome.unwrap_err().code();
    for who in ["bob", "nobody"] {
        assert_eq!(code(give(&bench, recall, said(who)).await), "not_found", "{who}");
    }
    assert_eq!(code(give(&bench, RecallId(uuid::Uuid::from_u128(5)), said("ann")).await), "not_found");
    let engine = &bench.test.engine;
    let stranger = Caller { tenant: TenantId(uuid::Uuid::from_u128(7)), ..CALLER };
    assert_eq!(code(engine.logged_recall(&stranger, &scope("ann"), recall).await), "not_found");
    let reader = Caller { rights: Rights { write: false, ..Rights::ALL }, ..CALLER };
    assert_eq!(code(engine.recall_feedback(&reader, recall, said("ann")).await), "forbidden");
    assert!(engine.logged_recall(&reader, &scope("ann"), recall).await.is_ok());
}

#[tokio::test]
async fn feedback_on_memories_of_others_is_taken_and_changes_nothing_of_them() {
    let bench = Bench::new().await;
    let granted = bench.facts("ann", &["ann drinks tea"]).await[0];
    let own = bench.facts("bob", &["bob drinks tea"]).await[0];
    let given = giving("ann", &scope("bob"), Selection::Memories(vec![granted]));
    bench.test.engine.give_grant(&CALLER, given).await.unwrap();
    let recall = bench.recall(about_tea("bob")).await.id;
    let before = bench.last_change("ann").await;
    let said = RecallFeedback { used: vec![granted, own], ..feedback("bob") };
    let logged = give(&bench, recall, said).await.unwrap();
    assert_eq!((outcome(&logged, granted), outcome(&logged, own)), (UseKind::InContext, UseKind::Cited));
    assert_eq!((bench.last_change("ann").await, bench.kinds(granted).await), (before, vec![]));
}

#[tokio::test]
async fn an_erased_memory_leaves_the_recall() {
    let bench = Bench::new().await;
    let ids = bench.facts("ann", &["ann drinks tea", "the tea is green"]).await;
    let recall = bench.recall(about_tea("ann")).await.id;
    bench.test.engine.erase(&CALLER, ids[0], None).await.unwrap();
    let logged = bench.test.engine.logged_recall(&CALLER, &scope("ann"), recall).await.unwrap();
    assert_eq!(logged.hits.iter().map(|hit| hit.memory).collect::<Vec<_>>(), [ids[1]]);
    let said = RecallFeedback { used: vec![ids[0]], ..feedback("ann") };
    assert_eq!(give(&bench, recall, said).await.unwrap_err().code(), "invalid_request");
}
