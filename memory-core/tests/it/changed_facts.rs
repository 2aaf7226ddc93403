//! Recall of facts that changed, over a real store: the state that a question asks for comes first.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::recall::signals::SignalName;
use memory_core::testing::{CALLER, START, TestEngine, question, turn, turns, user};

/// Two states of one fact, the older one in words closer to the question, and a newer turn about another matter.
async fn remember(test_engine: &TestEngine, scope: &Scope) {
    let told = [
        ("old", 40, "How many plants do I have on the balcony? I have five plants on the balcony"),
        ("new", 10, "I have nine plants on the balcony since the market"),
        ("other", 1, "The train to the harbour was late again"),
    ];
    for (session, days_ago, text) in told {
        let told = vec![turn(Role::User, text, START.plus_days(-days_ago))];
        test_engine.engine.remember_turns(&CALLER, turns(scope, session, told).unwrap()).await.unwrap();
    }
}

async fn sessions(
    test_engine: &TestEngine,
    scope: &Scope,
    query: &str,
    weight: Option<f32>,
) -> (Vec<String>, bool) {
    let mut request = question(scope, query);
    request.weights.supersession = weight;
    let recalled = test_engine.engine.recall(&CALLER, request).await.unwrap();
    let is_superseding = |memory: &memory_core::recall::response::RecalledMemory| {
        memory.explain.signals.iter().any(|signal| signal.name == SignalName::Supersession)
    };
    let explained = recalled.memories.iter().any(is_superseding);
    let session = |memory: &memory_core::recall::response::RecalledMemory| {
        memory.memory.origin.as_ref().unwrap().session_key.as_str().to_owned()
    };
    (recalled.memories.iter().map(session).collect(), explained)
}

#[tokio::test]
async fn the_newer_turn_is_first_for_the_present_and_the_older_for_an_earlier_state() {
    let directory = tempfile::tempdir().unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let scope = user("ann").unwrap();
    remember(&test_engine, &scope).await;

    let present = "How many plants do I have on the balcony?";
    let (plain, explained) = sessions(&test_engine, &scope, present, Some(0.0)).await;
    assert_eq!((&plain[..2], explained), (&["old".to_owned(), "new".to_owned()][..], false));
    let (order, explained) = sessions(&test_engine, &scope, present, None).await;
    assert_eq!((&order[..2], explained), (&["new".to_owned(), "old".to_owned()][..], true));
    assert!(order.last().is_some_and(|last| last == "other"), "a newer turn about another matter: {order:?}");

    let earlier = "How many plants did I have on the balcony previously?";
    assert_eq!(sessions(&test_engine, &scope, earlier, None).await.0[..2], ["old", "new"]);
    let earlier = "How many plants did I originally have on the balcony since the market?";
    assert_eq!(sessions(&test_engine, &scope, earlier, Some(0.0)).await.0[..2], ["new", "old"]);
    assert_eq!(sessions(&test_engine, &scope, earlier, None).await.0[..2], ["old", "new"]);

    let neither = "Which plants did Tom like, on the balcony?";
    assert!(!sessions(&test_engine, &scope, neither, None).await.1);
}
