//! End-to-end test of the engine over a real store: a week of conversation is remembered, recalled, edited and erased.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use memory_core::Error;
use memory_core::domain::change::Operation;
use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::memory::{DocumentName, Kind, Visibility};
use memory_core::domain::name::Name;
use memory_core::domain::scope::{Caller, Rights, Scope};
use memory_core::domain::turn::Role;
use memory_core::memories::request::{Confirmed, Edit, ListMemories};
use memory_core::recall::response::Verdict;
use memory_core::testing::fixtures::keyed_request;
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, turn, turns, user};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

async fn test_engine() -> (tempfile::TempDir, TestEngine) {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    (directory, test_engine)
}

async fn remember_a_week(test_engine: &TestEngine, scope: &Scope) -> Vec<memory_core::domain::id::MemoryId> {
    let monday = START.plus_days(-7);
    let mut ids = Vec::new();
    for (session, session_turns) in [
        (
            "monday",
            vec![
                (Role::User, "I adopted a beagle called Biscuit from the shelter"),
                (Role::Assistant, "Congratulations! Beagles need long walks"),
                (Role::User, "He already chewed my running shoes"),
            ],
        ),
        (
            "wednesday",
            vec![
                (Role::User, "My sister Clara moved to Lisbon for a job in marine biology"),
                (Role::Assistant, "That sounds like an adventure for her"),
            ],
        ),
    ] {
        let session_turns = session_turns.into_iter().map(|(role, text)| turn(role, text, monday)).collect();
        let made = test_engine
            .engine
            .remember_turns(&CALLER, turns(scope, session, session_turns).unwrap())
            .await
            .unwrap();
        assert!(!made.repeated);
        ids.extend(made.memories);
    }
    ids
}

#[tokio::test]
async fn remembered_turns_are_recalled_with_origin_and_context() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let ids = remember_a_week(&test_engine, &scope).await;
    let answer = test_engine
        .engine
        .recall(&CALLER, question(&scope, "Where did the beagle Biscuit come from?"))
        .await
        .unwrap();
    let first = &answer.memories[0];
    assert_eq!(first.memory.id, ids[0]);
    let origin = first.memory.origin.as_ref().unwrap();
    assert_eq!((origin.session_key.as_str(), origin.seq, origin.role), ("monday", 0, Role::User));
    assert_eq!(first.memory.happened.at, START.plus_days(-7));
    assert_eq!(first.memory.recorded_at, START);
    assert!(first.explain.signals.iter().any(|say| say.rank == 1));
    assert_eq!(answer.searched_memories, 5);
    let text = &answer.context.text;
    assert!(text.starts_with("## 2024-02-23 (Fri), session monday\n- user: I adopted a beagle"), "{text}");
    assert!(answer.context.tokens <= 2_000);
}

#[tokio::test]
async fn the_context_keeps_its_budget_and_does_not_depend_on_the_query() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    remember_a_week(&test_engine, &scope).await;
    let mut blocks = Vec::new();
    for query in ["Where does Clara live?", "Tell me about the dog and the sister"] {
        let answer = test_engine.engine.recall(&CALLER, question(&scope, query)).await.unwrap();
        assert_eq!(answer.context.memories.len(), 5);
        blocks.push(answer.context.text);
    }
    assert_eq!(blocks[0], blocks[1]);
    for budget_tokens in [0, 10, 40, 60] {
        let mut request = question(&scope, "Where does Clara live?");
        request.budget_tokens = budget_tokens;
        let answer = test_engine.engine.recall(&CALLER, request).await.unwrap();
        assert!(answer.context.tokens <= budget_tokens, "{} of {budget_tokens}", answer.context.tokens);
    }
}

#[tokio::test]
async fn a_repeated_request_writes_nothing_twice() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let mut request = turns(&scope, "s", vec![turn(Role::User, "I like tea", START)]).unwrap();
    request.idempotency = Some(keyed_request(Operation::AddTurns, "k", 1));
    let first = test_engine.engine.remember_turns(&CALLER, request.clone()).await.unwrap();
    let again = test_engine.engine.remember_turns(&CALLER, request.clone()).await.unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!(first.memories, again.memories);
    request.idempotency = Some(keyed_request(Operation::AddTurns, "k", 2));
    let other = test_engine.engine.remember_turns(&CALLER, request).await;
    assert!(matches!(other, Err(Error::IdempotencyKeyReused)));
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "tea")).await.unwrap();
    assert_eq!(answer.searched_memories, 1);
}

#[tokio::test]
async fn tenants_and_owners_never_see_each_other() {
    let (_directory, test_engine) = test_engine().await;
    let ann = user("ann").unwrap();
    let ids = remember_a_week(&test_engine, &ann).await;
    let stranger = Caller { tenant: memory_core::domain::id::TenantId(uuid::Uuid::from_u128(9)), ..CALLER };
    for (caller, scope) in [(stranger, &ann), (CALLER, &user("bob").unwrap())] {
        let answer = test_engine.engine.recall(&caller, question(scope, "beagle Biscuit")).await.unwrap();
        assert!(answer.memories.is_empty() && answer.context.text.is_empty());
    }
    assert!(matches!(test_engine.engine.memory(&stranger, ids[0]).await, Err(Error::NotFound { .. })));
    assert!(matches!(test_engine.engine.erase(&stranger, ids[0], None).await, Err(Error::NotFound { .. })));
    let reader =
        Caller { rights: Rights { read: true, write: false, delete: false, admin: false }, ..CALLER };
    assert!(matches!(test_engine.engine.erase(&reader, ids[0], None).await, Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn an_agent_reaches_the_shared_memories_of_its_users() {
    let (_directory, test_engine) = test_engine().await;
    for (id, visibility) in [("ann", Visibility::Shared), ("bob", Visibility::Owner)] {
        let scope = Scope { agent: Some(name("guide")), ..user(id).unwrap() };
        let text = format!("{id} likes mountain huts");
        let mut request = turns(&scope, "s", vec![turn(Role::User, &text, START)]).unwrap();
        request.visibility = visibility;
        test_engine.engine.remember_turns(&CALLER, request).await.unwrap();
    }
    let agent = Scope { agent: Some(name("guide")), ..Scope::default() };
    let answer = test_engine.engine.recall(&CALLER, question(&agent, "mountain huts")).await.unwrap();
    let texts: Vec<&str> = answer.memories.iter().map(|one| one.memory.text.as_str()).collect();
    assert_eq!(texts, ["ann likes mountain huts"]);
    assert_eq!(answer.partitions, 1, "nothing of bob's is shared");
}

#[tokio::test]
async fn an_edit_is_a_new_version_and_the_old_one_stays_readable() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let ids = remember_a_week(&test_engine, &scope).await;
    let edit = Edit {
        text: Some("I adopted a poodle called Crumb".to_owned()),
        if_version: Some(1),
        ..Edit::default()
    };
    let edited = test_engine.engine.edit(&CALLER, ids[0], edit.clone(), None).await.unwrap().memory;
    assert_eq!(edited.version, 2);
    let history = test_engine.engine.history(&CALLER, ids[0]).await.unwrap();
    assert_eq!(history.len(), 2);
    assert!(history[0].text.contains("Biscuit") && history[1].text.contains("Crumb"));
    let stale = test_engine.engine.edit(&CALLER, ids[0], edit, None).await;
    assert!(matches!(stale, Err(Error::VersionConflict { expected: 1, present: 2, .. })));
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "poodle Crumb")).await.unwrap();
    assert_eq!(answer.memories[0].memory.id, ids[0]);
    assert_eq!(answer.memories[0].memory.version, 2);
    assert_eq!(answer.searched_memories, 5, "a new version is not a new memory");
    let tagged = Edit { tags: Some(vec![name("dogs")]), ..Edit::default() };
    test_engine.engine.edit(&CALLER, ids[0], tagged, None).await.unwrap();
    let mut request = question(&scope, "poodle Crumb");
    request.filter = Filter::Field(Field::Tags, Test::Contains("dogs".to_owned()));
    let answer = test_engine.engine.recall(&CALLER, request).await.unwrap();
    assert_eq!(answer.memories.iter().map(|one| one.memory.id).collect::<Vec<_>>(), [ids[0]]);
}

#[tokio::test]
async fn an_erasure_includes_derived_memories() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let ids = remember_a_week(&test_engine, &scope).await;
    let mut derived = fact("Ann has a dog");
    derived.sources = vec![ids[0].0];
    let first = test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![derived])).await.unwrap();
    let mut second = fact("Ann likes animals");
    second.sources = vec![first.memories[0].0];
    let second = test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![second])).await.unwrap();
    test_engine.engine.recall(&CALLER, question(&scope, "dog")).await.unwrap();
    let mut gone = test_engine.engine.erase(&CALLER, ids[0], None).await.unwrap();
    gone.sort_unstable();
    let mut expected = vec![ids[0], first.memories[0], second.memories[0]];
    expected.sort_unstable();
    assert_eq!(gone, expected);
    for id in expected {
        assert!(matches!(test_engine.engine.memory(&CALLER, id).await, Err(Error::NotFound { .. })));
    }
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "beagle Biscuit dog")).await.unwrap();
    assert_eq!(answer.searched_memories, 4);
    let report = test_engine.engine.check(&CALLER, false).await.unwrap();
    assert_eq!(report.damage, []);
}

#[tokio::test]
async fn a_repeated_edit_or_erasure_is_done_once() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let ids = remember_a_week(&test_engine, &scope).await;
    let key = |operation| Some(keyed_request(operation, "msg-1", 3));
    let edit = Edit { text: Some("I adopted a poodle".to_owned()), ..Edit::default() };
    for _ in 0..2 {
        let edited = test_engine
            .engine
            .edit(&CALLER, ids[0], edit.clone(), key(Operation::EditMemory))
            .await
            .unwrap()
            .memory;
        assert_eq!((edited.version, edited.text.as_str()), (2, "I adopted a poodle"));
    }
    for _ in 0..2 {
        assert_eq!(
            test_engine.engine.erase(&CALLER, ids[1], key(Operation::DeleteMemory)).await.unwrap(),
            [ids[1]]
        );
    }
    let monday = Filter::Field(Field::Session, Test::Eq(Scalar::Text("monday".to_owned())));
    let preview = test_engine.engine.preview_erasure(&CALLER, &scope, monday.clone()).await.unwrap();
    for _ in 0..2 {
        let confirmed =
            Confirmed { confirmation: &preview.confirmation, idempotency: key(Operation::DeleteMatching) };
        let (matched, gone) =
            test_engine.engine.erase_matching(&CALLER, &scope, monday.clone(), confirmed).await.unwrap();
        assert_eq!((matched, gone.len()), (2, 2));
    }
}

#[tokio::test]
async fn an_erasure_by_filter_needs_a_preview() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    remember_a_week(&test_engine, &scope).await;
    let monday = Filter::Field(Field::Session, Test::Eq(Scalar::Text("monday".to_owned())));
    let preview = test_engine.engine.preview_erasure(&CALLER, &scope, monday.clone()).await.unwrap();
    assert_eq!((preview.matched, preview.sample.len()), (3, 3));
    let more = turns(&scope, "monday", vec![turn(Role::User, "one more thing", START)]).unwrap();
    test_engine.engine.remember_turns(&CALLER, more).await.unwrap();
    let stale = test_engine
        .engine
        .erase_matching(
            &CALLER,
            &scope,
            monday.clone(),
            Confirmed { confirmation: &preview.confirmation, idempotency: None },
        )
        .await;
    assert!(matches!(stale, Err(Error::ConfirmationStale)));
    let preview = test_engine.engine.preview_erasure(&CALLER, &scope, monday.clone()).await.unwrap();
    let (matched, gone) = test_engine
        .engine
        .erase_matching(
            &CALLER,
            &scope,
            monday,
            Confirmed { confirmation: &preview.confirmation, idempotency: None },
        )
        .await
        .unwrap();
    assert_eq!((matched, gone.len()), (4, 4));
    let left = ListMemories {
        scope: scope.clone(),
        filter: Filter::everything(),
        newest_first: false,
        limit: 10,
        after: None,
    };
    assert_eq!(test_engine.engine.list(&CALLER, left).await.unwrap().total, 2);
    assert_eq!(test_engine.engine.sessions(&CALLER, &scope, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_document_of_the_same_name_is_a_new_version() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let mut settings = fact("theme: dark");
    settings.kind = Kind::Document;
    settings.document = Some(DocumentName { namespace: name("settings"), key: name("ui") });
    let mut light = settings.clone();
    light.text = "theme: light".to_owned();
    let both =
        test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![settings, light])).await.unwrap();
    assert_eq!(both.memories[0], both.memories[1]);
    let kept = test_engine.engine.memory(&CALLER, both.memories[0]).await.unwrap();
    assert_eq!((kept.memory.version, kept.memory.text.as_str()), (2, "theme: light"));
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "theme")).await.unwrap();
    assert_eq!(answer.memories.len(), 1);
    assert_eq!(answer.memories[0].memory.text, "theme: light");
}

#[tokio::test]
async fn why_not_returns_the_reason() {
    let (_directory, test_engine) = test_engine().await;
    let scope = user("ann").unwrap();
    let ids = remember_a_week(&test_engine, &scope).await;
    let mut lent = fact("the code of the garage is 4711");
    lent.expires_at = Some(START.plus_days(1));
    let lent =
        test_engine.engine.remember_memories(&CALLER, memories(&scope, vec![lent])).await.unwrap().memories
            [0];
    let mut request = question(&scope, "beagle Biscuit");
    request.limit = 1;
    let verdict =
        async |memory, request| test_engine.engine.why_not(&CALLER, memory, request).await.unwrap().verdict;
    assert_eq!(verdict(ids[0], request.clone()).await, Verdict::Returned);
    assert_eq!(verdict(ids[3], request.clone()).await, Verdict::Outranked);
    let mut later = question(&scope, "garage code");
    assert_eq!(verdict(lent, later.clone()).await, Verdict::Returned);
    later.now = Some(START.plus_days(2));
    assert_eq!(verdict(lent, later).await, Verdict::Expired);
    let mut filtered = request.clone();
    filtered.filter = Filter::Field(Field::Kind, Test::Eq(Scalar::Text("fact".to_owned())));
    assert_eq!(verdict(ids[0], filtered).await, Verdict::Filtered);
    let nobody = memory_core::domain::id::MemoryId(uuid::Uuid::from_u128(77));
    assert_eq!(verdict(nobody, request).await, Verdict::NotInScope);
}

#[tokio::test]
async fn a_reopened_store_recalls_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let scope = user("ann").unwrap();
    // Otherwise the first recall would be a use, and the memories of the second would show it.
    let request = || memory_core::recall::request::Recall {
        reinforce: Some(false),
        ..question(&scope, "Who lives in Lisbon?")
    };
    let before = {
        let test_engine = TestEngine::open(directory.path()).await.unwrap();
        remember_a_week(&test_engine, &scope).await;
        let answer = test_engine.engine.recall(&CALLER, request()).await.unwrap();
        test_engine.engine.stop().await;
        test_engine.store.close().await;
        answer
    };
    // The task of the commit queue releases the store when the engine is dropped.
    let test_engine = loop {
        match TestEngine::open(directory.path()).await {
            Ok(test_engine) => break test_engine,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let after = test_engine.engine.recall(&CALLER, request()).await.unwrap();
    assert_eq!(before.memories, after.memories);
    assert_eq!(before.context, after.context);
}

#[tokio::test]
async fn another_embedder_is_refused_until_the_reindex_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let scope = user("ann").unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let ids = remember_a_week(&test_engine, &scope).await;
    let job = test_engine.engine.start_reindex(&CALLER, "hashing-96").await.unwrap();
    let done = loop {
        let job = test_engine.engine.job(&CALLER, job.id).await.unwrap();
        if job.state != memory_core::domain::job::JobState::Running
            && job.state != memory_core::domain::job::JobState::Waiting
        {
            break job;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((done.state, done.done, done.total), (memory_core::domain::job::JobState::Done, 5, 5));
    assert_eq!(test_engine.engine.dimension(), 96);
    let answer = test_engine.engine.recall(&CALLER, question(&scope, "beagle Biscuit")).await.unwrap();
    assert_eq!(answer.memories[0].memory.id, ids[0]);
    drop(test_engine);
    let refused = loop {
        match TestEngine::open(directory.path()).await {
            Err(Error::EmbedderMismatch { .. }) => break true,
            Err(_) => tokio::task::yield_now().await,
            Ok(_) => break false,
        }
    };
    assert!(refused);
}
