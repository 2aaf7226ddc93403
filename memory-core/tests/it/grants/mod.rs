//! Grants through the engine: what a grantee recalls, what no grant opens, and when a grant ends.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cost;
mod properties;

use std::collections::BTreeSet;

use memory_core::Error;
use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::grant::{Grant, GrantEventKind, Selection};
use memory_core::domain::id::{CallerId, MemoryId, RecallId, TenantId};
use memory_core::domain::memory::Visibility;
use memory_core::domain::scope::{Caller, Rights, Scope};
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::grants::request::{GiveGrant, ListGrants};
use memory_core::limits::Limits;
use memory_core::memories::request::Edit;
use memory_core::recall::request::{AsOf, Recall};
use memory_core::recall::response::{Recalled, Verdict};
use memory_core::store::AccessLog as _;
use memory_core::testing::fixtures::name;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};

/// Engine whose user `ann` has facts, with their ids.
pub(crate) struct Ann {
    pub(crate) test: TestEngine,
    _directory: tempfile::TempDir,
}

impl Ann {
    pub(crate) async fn new() -> Self {
        Self::limited(Limits::default()).await
    }

    async fn limited(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::limited(directory.path(), limits).await.unwrap();
        Self { test, _directory: directory }
    }

    /// Adds a fact of a user with tags; returns its id.
    pub(crate) async fn fact(&self, who: &str, text: &str, tags: &[&str]) -> MemoryId {
        let mut fact = fact(text);
        fact.tags = tags.iter().map(|tag| name(tag)).collect();
        let added = self.test.engine.remember_memories(&CALLER, memories(&user(who).unwrap(), vec![fact]));
        added.await.unwrap().memories[0]
    }

    async fn give(&self, from: &str, to: &Scope, selection: Selection) -> Grant {
        let request = giving(from, to, selection);
        self.test.engine.give_grant(&CALLER, request).await.unwrap().0
    }

    async fn recall(&self, scope: &Scope, query: &str) -> Recalled {
        self.test.engine.recall(&CALLER, question(scope, query)).await.unwrap()
    }

    async fn texts(&self, scope: &Scope, query: &str) -> BTreeSet<String> {
        let recalled = self.recall(scope, query).await;
        recalled.memories.into_iter().map(|one| one.memory.text).collect()
    }

    async fn erase_owner(&self, scope: &Scope) {
        let preview = self.test.engine.preview_owner_erasure(&CALLER, scope).await.unwrap();
        self.test.engine.erase_owner(&CALLER, scope, &preview.confirmation, None).await.unwrap();
    }
}

pub(crate) fn giving(from: &str, to: &Scope, selection: Selection) -> GiveGrant {
    GiveGrant { scope: user(from).unwrap(), to: to.clone(), selection, expires_at: None, idempotency: None }
}

fn bob() -> Scope {
    user("bob").unwrap()
}

fn planner() -> Scope {
    Scope { agent: Some(name("planner")), ..Scope::default() }
}

fn tag(text: &str) -> Selection {
    Selection::Tag(name(text))
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn a_grantee_recalls_what_was_granted_and_nothing_else() {
    let ann = Ann::new().await;
    let one = ann.fact("ann", "the beagle is called Biscuit", &[]).await;
    ann.fact("ann", "the beagle bites strangers", &["secret"]).await;
    ann.fact("ann", "the beagle flies to Lisbon", &["travel"]).await;
    ann.fact("eve", "the beagle is ugly", &["travel"]).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&[]), "without a grant nothing crosses");
    let by_id = ann.give("ann", &bob(), Selection::Memories(vec![one])).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["the beagle is called Biscuit"]));
    ann.give("ann", &bob(), tag("travel")).await;
    let both = set(&["the beagle is called Biscuit", "the beagle flies to Lisbon"]);
    assert_eq!(ann.texts(&bob(), "beagle").await, both);
    let recalled = ann.recall(&bob(), "beagle called Biscuit").await;
    let first = &recalled.memories[0];
    let granted = first.granted.as_ref().unwrap();
    assert_eq!((granted.grant, granted.owner.to_string()), (by_id.id, "user:ann".to_owned()));
    assert!(recalled.context.text.contains("- [from user ann] the beagle is called Biscuit"));
    // Of its own memories nobody says so.
    let own = ann.recall(&user("ann").unwrap(), "beagle").await;
    assert!(own.memories.len() == 3 && own.memories.iter().all(|one| one.granted.is_none()));
    assert!(!own.context.text.contains("[from"));
    // Others have no use of it, and a recall may do without.
    assert_eq!(ann.texts(&planner(), "beagle").await, set(&[]));
    let without = Recall { include_granted: false, ..question(&bob(), "beagle") };
    assert_eq!(ann.test.engine.recall(&CALLER, without).await.unwrap().memories.len(), 0);
}

#[tokio::test]
async fn a_grant_to_any_id_of_the_scope_is_used() {
    let ann = Ann::new().await;
    ann.fact("ann", "the beagle flies to Lisbon", &["travel"]).await;
    ann.fact("bob", "bob has a beagle too", &[]).await;
    ann.give("ann", &planner(), tag("travel")).await;
    assert_eq!(ann.texts(&planner(), "beagle").await, set(&["the beagle flies to Lisbon"]));
    let together = Scope { agent: Some(name("planner")), ..bob() };
    assert_eq!(ann.texts(&together, "beagle").await, set(&["the beagle flies to Lisbon"]));
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["bob has a beagle too"]));
}

#[tokio::test]
async fn memories_that_no_grant_opens_take_no_place_among_the_best() {
    let ann = Ann::new().await;
    for at in 0..60 {
        ann.fact("ann", &format!("beagle beagle beagle {at}"), &[]).await;
    }
    ann.fact("ann", "a long story in which, after many other things, somebody sees a beagle", &["told"])
        .await;
    ann.give("ann", &bob(), tag("told")).await;
    let asked = Recall { limit: 1, ..question(&bob(), "beagle beagle beagle") };
    let recalled = ann.test.engine.recall(&CALLER, asked).await.unwrap();
    assert_eq!(recalled.memories.len(), 1);
    assert!(recalled.memories[0].memory.text.starts_with("a long story"));
}

#[tokio::test]
async fn what_was_told_in_confidence_is_granted_by_its_id_alone() {
    let ann = Ann::new().await;
    let mut confided = fact("the beagle is ill");
    (confided.audience, confided.tags) = (vec![name("vet")], vec![name("dog")]);
    confided.visibility = Visibility::Shared;
    let request = memories(&user("ann").unwrap(), vec![confided]);
    let id = ann.test.engine.remember_memories(&CALLER, request).await.unwrap().memories[0];
    ann.give("ann", &bob(), tag("dog")).await;
    ann.give("ann", &bob(), Selection::Filter(Filter::everything())).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&[]));
    ann.give("ann", &bob(), Selection::Memories(vec![id])).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["the beagle is ill"]));
    let for_others = Recall { partner: Some(name("carl")), ..question(&bob(), "beagle") };
    let recalled = ann.test.engine.recall(&CALLER, for_others).await.unwrap();
    assert_eq!(recalled.memories.len(), 0, "the audience holds for a grantee as well");
}

#[tokio::test]
async fn a_filter_selects_later_memories_and_the_request_narrows_further() {
    let ann = Ann::new().await;
    let facts = Filter::Field(Field::Tags, Test::Eq(Scalar::Text("dog".to_owned())));
    ann.fact("ann", "an early fact", &[]).await;
    ann.give("ann", &bob(), Selection::Filter(facts)).await;
    let later = ann.fact("ann", "the beagle barks", &["dog", "loud"]).await;
    ann.fact("ann", "the beagle sleeps", &["dog"]).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["the beagle barks", "the beagle sleeps"]));
    let loud = Filter::Field(Field::Tags, Test::Contains("loud".to_owned()));
    let asked = Recall { filter: loud, ..question(&bob(), "beagle") };
    assert_eq!(ann.test.engine.recall(&CALLER, asked).await.unwrap().memories.len(), 1);
    let edit = Edit { tags: Some(Vec::new()), ..Edit::default() };
    ann.test.engine.edit(&CALLER, later, edit, None).await.unwrap();
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["the beagle sleeps"]), "it has the tag no more");
}

#[tokio::test]
async fn a_revoked_or_expired_grant_opens_nothing_whatever_time_is_asked_for() {
    let ann = Ann::new().await;
    ann.fact("ann", "the beagle barks", &["dog"]).await;
    let engine = &ann.test.engine;
    let grant = ann.give("ann", &bob(), tag("dog")).await;
    assert_eq!(ann.texts(&bob(), "beagle").await.len(), 1);
    ann.test.clock.advance_micros(1_000_000);
    let revoked = engine.revoke_grant(&CALLER, grant.id).await.unwrap();
    assert!(revoked.revoked.is_some() && !engine.is_open(&revoked));
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&[]), "at once");
    assert_eq!(engine.revoke_grant(&CALLER, grant.id).await.unwrap(), revoked, "again");
    let before = Recall { now: Some(START), ..question(&bob(), "beagle") };
    assert_eq!(engine.recall(&CALLER, before.clone()).await.unwrap().memories.len(), 0);
    let end = START.plus_days(1);
    let until = GiveGrant { expires_at: Some(end), ..giving("ann", &bob(), tag("dog")) };
    engine.give_grant(&CALLER, until.clone()).await.unwrap();
    assert_eq!(ann.texts(&bob(), "beagle").await.len(), 1);
    ann.test.clock.advance_micros(86_400_000_000);
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&[]));
    assert_eq!(engine.recall(&CALLER, before).await.unwrap().memories.len(), 0, "the engine's clock counts");
    let over = engine.give_grant(&CALLER, until).await.unwrap_err();
    assert!(matches!(over, Error::Invalid { ref field, .. } if field == "expires_at"), "{over}");
    let listed = |only_open| ListGrants { scope: bob(), received: true, only_open, after: None, limit: 10 };
    assert_eq!(engine.grants(&CALLER, &listed(true)).await.unwrap().len(), 0);
    assert_eq!(engine.grants(&CALLER, &listed(false)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn earlier_versions_are_their_owners_alone() {
    let ann = Ann::new().await;
    let id = ann.fact("ann", "the beagle has a password: hunter2", &[]).await;
    ann.test.clock.advance_micros(1_000_000);
    let then = Timestamp::from_micros(START.as_micros() + 500_000);
    let edit = Edit { text: Some("the beagle has a password".to_owned()), ..Edit::default() };
    ann.test.engine.edit(&CALLER, id, edit, None).await.unwrap();
    ann.give("ann", &bob(), Selection::Memories(vec![id])).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["the beagle has a password"]));
    let as_of = AsOf { known_at: Some(then), ..AsOf::default() };
    let recalled = ann.test.engine.recall(&CALLER, Recall { as_of, ..question(&bob(), "beagle hunter2") });
    assert_eq!(recalled.await.unwrap().memories.len(), 0);
}

#[tokio::test]
async fn turns_beside_a_granted_one_stay_closed() {
    let ann = Ann::new().await;
    let said = ["my password is hunter2", "the beagle barks", "and my pin is 1234"];
    let said = said.map(|text| turn(Role::User, text, START)).to_vec();
    let request = turns(&user("ann").unwrap(), "s", said).unwrap();
    let ids = ann.test.engine.remember_turns(&CALLER, request).await.unwrap().memories;
    ann.give("ann", &bob(), Selection::Memories(vec![ids[1]])).await;
    let recalled = ann.recall(&bob(), "beagle password pin").await;
    assert_eq!(recalled.memories.len(), 1);
    assert_eq!(recalled.context.memories, [ids[1]]);
    assert!(!recalled.context.text.contains("hunter2") && !recalled.context.text.contains("1234"));
    let asked = question(&bob(), "beagle password pin");
    let why = ann.test.engine.why_not(&CALLER, ids[0], asked).await.unwrap();
    assert_eq!((why.verdict, why.score, why.explain.best_span), (Verdict::NotVisible, None, None));
}

#[tokio::test]
async fn what_is_shared_with_the_agent_comes_beside_what_is_granted_to_it() {
    let ann = Ann::new().await;
    let mut shared = fact("the beagle is shared");
    shared.visibility = Visibility::Shared;
    let scope = Scope { agent: Some(name("planner")), ..user("ann").unwrap() };
    let request = memories(&scope, vec![shared, fact("the beagle is private")]);
    ann.test.engine.remember_memories(&CALLER, request).await.unwrap();
    ann.fact("ann", "the beagle is granted", &["dog"]).await;
    ann.give("ann", &planner(), tag("dog")).await;
    let recalled = ann.recall(&planner(), "beagle").await;
    let mut found: Vec<(String, bool)> =
        recalled.memories.into_iter().map(|one| (one.memory.text, one.granted.is_some())).collect();
    found.sort();
    let expected = [("the beagle is granted".to_owned(), true), ("the beagle is shared".to_owned(), false)];
    assert_eq!((found.as_slice(), recalled.partitions_left_out), (expected.as_slice(), 0));
}

#[tokio::test]
async fn a_grant_goes_with_its_giver_its_grantee_and_what_it_names() {
    let ann = Ann::new().await;
    let engine = &ann.test.engine;
    let one = ann.fact("ann", "the beagle barks", &["dog"]).await;
    let other = ann.fact("ann", "the beagle sleeps", &["dog"]).await;
    ann.fact("bob", "bob reads", &[]).await;
    let named = ann.give("ann", &bob(), Selection::Memories(vec![one, other])).await;
    engine.erase(&CALLER, one, None).await.unwrap();
    let left = engine.grant(&CALLER, named.id).await.unwrap();
    assert_eq!(left.selection, Selection::Memories(vec![other]));
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&["bob reads", "the beagle sleeps"]));
    ann.erase_owner(&bob()).await;
    let gone = engine.grant(&CALLER, named.id).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&[]), "a new bob has no grant");
    let tagged = ann.give("ann", &bob(), tag("dog")).await;
    ann.erase_owner(&user("ann").unwrap()).await;
    assert!(engine.grant(&CALLER, tagged.id).await.is_err());
    ann.fact("ann", "the beagle is back", &["dog"]).await;
    assert_eq!(ann.texts(&bob(), "beagle").await, set(&[]), "a new ann has given nothing");
}

#[tokio::test]
async fn the_audit_log_tells_who_gave_read_and_revoked() {
    let ann = Ann::new().await;
    let engine = &ann.test.engine;
    let caller = |id: u128| Caller { id: CallerId(uuid::Uuid::from_u128(id)), ..CALLER };
    ann.fact("ann", "the beagle barks", &["dog"]).await;
    let given = engine.give_grant(&caller(1), giving("ann", &bob(), tag("dog"))).await.unwrap().0;
    let recalled = engine.recall(&caller(2), question(&bob(), "beagle")).await.unwrap();
    engine.recall(&caller(2), question(&user("ann").unwrap(), "beagle")).await.unwrap();
    engine.revoke_grant(&caller(3), given.id).await.unwrap();
    engine.recall(&caller(2), question(&bob(), "beagle")).await.unwrap();
    engine.stop().await;
    let events = engine.grant_events(&CALLER, given.id, None, 10).await.unwrap();
    let mut told: Vec<(GrantEventKind, CallerId, Option<RecallId>, u32)> =
        events.iter().map(|event| (event.kind, event.caller, event.recall, event.memories)).collect();
    told.sort_by_key(|event| event.1.0);
    let by = |id: u128| CallerId(uuid::Uuid::from_u128(id));
    let expected = [
        (GrantEventKind::Given, by(1), None, 0),
        (GrantEventKind::Used, by(2), Some(recalled.id), 1),
        (GrantEventKind::Revoked, by(3), None, 0),
    ];
    assert_eq!(told, expected);
    let partition = recalled.memories[0].partition;
    assert_eq!(
        ann.test.store.recalls(partition, 10).await.unwrap().len(),
        2,
        "the giver's access log has it"
    );
    let page = engine.grant_events(&CALLER, given.id, Some(events[1].id), 10).await.unwrap();
    assert_eq!(page.as_slice(), &events[2..]);
}

#[tokio::test]
async fn grants_have_bounds_and_an_ended_one_gives_way() {
    let limits =
        Limits { grants_per_owner: 2, grants_per_grantee: 3, memories_per_grant: 1, ..Limits::default() };
    let ann = Ann::limited(limits).await;
    let engine = &ann.test.engine;
    let one = ann.fact("ann", "a", &[]).await;
    let two = ann.fact("ann", "b", &[]).await;
    let over = engine.give_grant(&CALLER, giving("ann", &bob(), Selection::Memories(vec![one, two])));
    assert_eq!(over.await.unwrap_err().code(), "over_limit");
    let first = ann.give("ann", &bob(), tag("a")).await;
    ann.give("ann", &bob(), tag("b")).await;
    let full = engine.give_grant(&CALLER, giving("ann", &bob(), tag("c"))).await.unwrap_err();
    assert_eq!(full.code(), "over_limit");
    engine.revoke_grant(&CALLER, first.id).await.unwrap();
    ann.give("ann", &bob(), tag("c")).await;
    assert!(engine.grant(&CALLER, first.id).await.is_err(), "the ended one gave way");
    ann.fact("eve", "e", &[]).await;
    ann.give("eve", &bob(), tag("a")).await;
    let full = engine.give_grant(&CALLER, giving("eve", &bob(), tag("b"))).await.unwrap_err();
    assert!(matches!(full, Error::OverLimit { ref field, .. } if field == "to"), "{full}");
}

#[tokio::test]
async fn what_makes_no_sense_or_is_another_tenants_is_refused() {
    let ann = Ann::new().await;
    let engine = &ann.test.engine;
    let id = ann.fact("ann", "the beagle barks", &["dog"]).await;
    let code = async |request| engine.give_grant(&CALLER, request).await.unwrap_err().code();
    assert_eq!(code(giving("ann", &user("ann").unwrap(), tag("dog"))).await, "invalid_request");
    assert_eq!(code(giving("ann", &Scope::default(), tag("dog"))).await, "invalid_request");
    let two = Scope { agent: Some(name("planner")), ..bob() };
    assert_eq!(code(giving("ann", &two, tag("dog"))).await, "invalid_request");
    assert_eq!(code(giving("ann", &bob(), Selection::Memories(Vec::new()))).await, "invalid_request");
    assert_eq!(code(giving("nobody", &bob(), tag("dog"))).await, "not_found");
    ann.fact("eve", "eve's", &[]).await;
    assert_eq!(code(giving("eve", &bob(), Selection::Memories(vec![id]))).await, "not_found", "it is ann's");
    let given = ann.give("ann", &bob(), tag("dog")).await;
    let stranger = Caller { tenant: TenantId(uuid::Uuid::from_u128(7)), ..CALLER };
    assert!(engine.grant(&stranger, given.id).await.is_err());
    assert!(engine.revoke_grant(&stranger, given.id).await.is_err());
    assert_eq!(engine.recall(&stranger, question(&bob(), "beagle")).await.unwrap().memories.len(), 0);
    let reader = Caller { rights: Rights { write: false, ..Rights::ALL }, ..CALLER };
    let refused = engine.revoke_grant(&reader, given.id).await.unwrap_err();
    assert_eq!(refused.code(), "forbidden");
    assert!(engine.is_open(&engine.grant(&reader, given.id).await.unwrap()));
}
