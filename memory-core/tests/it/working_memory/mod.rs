//! Working memory through the engine: what one read returns of a session, and the digest into which it is consolidated.
#![expect(clippy::expect_used, reason = "tests")]

mod consolidation;
mod story;

use memory_core::domain::id::{CallerId, TenantId};
use memory_core::domain::scope::{Caller, Rights};
use memory_core::error::Error;
use memory_core::testing::{CALLER, START, fact, memories, user};
use memory_core::think::settings::ThinkingSettings;
use memory_core::working::request::ReadWorkingMemory;
use memory_core::working::threads::ThreadKind;

use story::{Story, name, texts};

#[tokio::test]
async fn one_read_returns_turns_recalled_memories_and_open_threads_within_the_budget() {
    let story = Story::with(ThinkingSettings::default()).await;
    let added = memories(&story.scope, vec![fact("Mara's dentist is Dr. Silva."), fact("Mara likes tea.")]);
    story.engine.engine.remember_memories(&CALLER, added).await.expect("added");
    story.recall(Some("chat"), "Who is Mara's dentist?").await;
    let said =
        ["My tooth hurts.", "I'll look for a dentist near you.", "When does Dr. Silva open on Monday?"];
    story.say("chat", &said).await;
    story.say("other", &["Unrelated words in another session."]).await;
    story.recall(Some("chat"), "Who is Mara's dentist?").await;
    story.recall(None, "tea").await;

    let read = story.read("chat").await;
    assert_eq!(texts(&read.turns), said);
    let recalled: Vec<&str> = read.recalled.iter().map(|one| one.memory.text.as_str()).collect();
    assert_eq!(
        recalled.first(),
        Some(&"Mara's dentist is Dr. Silva."),
        "the first recall came before the session"
    );
    assert_eq!(read.recalled[0].recalls, 2);
    assert!(
        read.recalled.iter().all(|one| one
            .memory
            .origin
            .as_ref()
            .is_none_or(|of| of.session != read.session.id))
    );
    let threads: Vec<_> = read.threads.iter().map(|thread| (thread.kind, thread.text.as_str())).collect();
    assert_eq!(threads, [(ThreadKind::Question, said[2]), (ThreadKind::Promise, said[1])], "newest first");
    assert!(read.digest.is_none());
    let text = &read.context.text;
    assert!(
        text.contains("- user: My tooth hurts.") && text.contains("## Open threads\n- question by user"),
        "{text}"
    );
    assert!(text.contains("Mara's dentist is Dr. Silva."), "{text}");

    let mut budget = story.reading("chat");
    for budget_tokens in [0, 10, 25, 40, 80, 160] {
        budget.budget_tokens = budget_tokens;
        let read = story.engine.engine.working_memory(&CALLER, budget.clone()).await.expect("read");
        assert!(read.context.tokens <= budget_tokens, "{}", read.context.text);
        let admitted: u32 = read.turns.iter().map(|turn| turn.tokens).sum();
        assert!(admitted <= budget_tokens);
        assert_eq!(read.turns.len() + read.turns_left_out as usize, 3);
    }
    budget.budget_tokens = 100_001;
    let refused = story.engine.engine.working_memory(&CALLER, budget).await.expect_err("refused");
    assert!(matches!(refused, Error::OverLimit { field, .. } if field == "budget_tokens"));
}

#[tokio::test]
async fn what_is_hidden_expired_or_of_others_is_not_in_working_memory() {
    let story = Story::with(ThinkingSettings::default()).await;
    let secret = memory_core::remember::request::MemoryToRemember {
        audience: vec![name("carol")],
        ..fact("Mara plans a surprise party.")
    };
    let gone = memory_core::remember::request::MemoryToRemember {
        expires_at: Some(START.plus_days(1)),
        ..fact("Mara has a party voucher.")
    };
    let added = memories(&story.scope, vec![secret, gone]);
    story.engine.engine.remember_memories(&CALLER, added).await.expect("added");
    story.say("chat", &["Is there a party?", "No idea, sorry about that."]).await;
    story.recall(Some("chat"), "party").await;
    let recalled = async |partner: Option<&str>, days: i64| {
        let request = ReadWorkingMemory {
            partner: partner.map(name),
            now: Some(START.plus_days(days)),
            ..story.reading("chat")
        };
        let read = story.engine.engine.working_memory(&CALLER, request).await.expect("read");
        read.recalled.len()
    };
    assert_eq!(recalled(None, 0).await, 2);
    assert_eq!(recalled(Some("carol"), 0).await, 2);
    assert_eq!(recalled(Some("bob"), 0).await, 1);
    assert_eq!(recalled(Some("bob"), 2).await, 0);

    let elsewhere =
        Caller { tenant: TenantId(uuid::Uuid::from_u128(7)), id: CallerId::ANYONE, rights: Rights::ALL };
    for (caller, scope) in [(elsewhere, story.scope.clone()), (CALLER, user("bob").expect("a scope"))] {
        let request = ReadWorkingMemory { scope: scope.clone(), ..story.reading("chat") };
        let read = story.engine.engine.working_memory(&caller, request).await;
        assert!(matches!(read, Err(Error::NotFound { what: "session", .. })));
        let closed = story.engine.engine.close_session(&caller, &scope, &name("chat")).await;
        assert!(matches!(closed, Err(Error::NotFound { what: "session", .. })));
    }
}
