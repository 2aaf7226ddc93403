//! Commands on forgetting as real processes: what they refuse, what they print, and their exit status.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use engrain::Client;
use engrain::wire::{AddMemories, ForgettingPolicy, NewMemory, Scope, SetForgettingPolicy};
use memory_core::domain::clock::{Clock as _, SystemClock};
use memory_core::domain::time::Timestamp;
use uuid::Uuid;

use crate::commands::{engrain, said};
use crate::process::ServerProcess;

const UNKNOWN: &str = "01890a5d-ac96-774b-bcce-b30209900003";

/// Adds memories that have faded under the policy of the owner.
async fn faded(client: &Client, texts: &[&str]) -> Vec<Uuid> {
    let memory = |text: &&str| NewMemory {
        text: (*text).to_owned(),
        happened_at: Some("2001-01-01T00:00:00Z".to_owned()),
        ..NewMemory::default()
    };
    let memories = texts.iter().map(memory).collect();
    let request = AddMemories { scope: Scope::user("u1"), memories, ..AddMemories::default() };
    client.add_memories(&request).await.unwrap().memory_ids
}

async fn set(client: &Client, effect: &str) -> ForgettingPolicy {
    let policy = ForgettingPolicy { effect: effect.to_owned(), ..ForgettingPolicy::default() };
    let request = SetForgettingPolicy { scope: Scope::user("u1"), policy: Some(policy.clone()) };
    client.set_forgetting_policy(&request).await.unwrap();
    policy
}

#[tokio::test]
async fn only_a_json_object_is_a_policy_and_what_is_refused_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let own = set(&server.client, "demote").await;
    for text in ["[]", r#"["wixted", null, "exclude"]"#, "null", "", r#"{"initial_strengths": []}"#] {
        for command in [
            vec!["forgetting", "policy", "--user", "u1", text],
            vec!["forgetting", "preview", "--user", "u1", "--policy", text],
        ] {
            let (status, told) = said(&engrain(directory.path(), &command));
            assert_eq!(status, Some(2), "{command:?}: {told}");
            assert!(told.contains("the policy: ") && told.contains("object"), "{command:?}: {told}");
        }
    }
    let state = server.client.forgetting_policy(&Scope::user("u1")).await.unwrap();
    assert_eq!((state.policy, state.is_default), (own, false));
    let (status, told) = said(&engrain(directory.path(), &["forgetting", "policy", "--user", "u1"]));
    assert!(status == Some(0) && told.starts_with("policy of the owner\ncurve  "), "{told}");
    let (_, told) = said(&engrain(directory.path(), &["--json", "forgetting", "policy", "--user", "u1"]));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap()["policy"]["effect"], "demote");
    let (status, told) =
        said(&engrain(directory.path(), &["forgetting", "policy", "--user", "u1", "--reset"]));
    assert!(status == Some(0) && told.starts_with("policy of the configuration\n"), "{told}");
}

#[tokio::test]
async fn a_restoration_says_which_memories_it_did_not_find_and_fails_if_none_exists() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    set(&server.client, "exclude").await;
    let ids = faded(&server.client, &["Ann likes tea"]).await;
    let id = ids[0].to_string();
    let restore = |ids: &[&str]| {
        said(&engrain(directory.path(), &[&["forgetting", "restore", "--user", "u1"], ids].concat()))
    };
    let (status, told) = restore(&[&id, UNKNOWN]);
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("restored 1;") && told.contains(&format!("{UNKNOWN}: not found")), "{told}");
    let (status, told) = restore(&[&id]);
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains(&format!("{id}: not a forgotten memory of this owner")), "{told}");
    let (status, told) = restore(&[UNKNOWN]);
    let (pinned, _) = said(&engrain(directory.path(), &["pin", UNKNOWN]));
    assert_eq!((status, pinned), (Some(4), Some(4)), "{told}");
    assert!(told.contains(&format!("{UNKNOWN}: not found")), "{told}");
    let (status, told) = restore(&[]);
    assert!(status == Some(2) && told.contains("--all"), "{told}");
    assert_eq!(restore(&["--all", &id]).0, Some(2));
    assert_eq!(restore(&["--all"]).0, Some(0));
}

#[tokio::test]
async fn a_restoration_is_at_a_given_moment_and_records_no_use_if_it_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    set(&server.client, "exclude").await;
    let id = faded(&server.client, &["Ann likes tea"]).await[0];
    let restore = |more: &[&str]| {
        let id = id.to_string();
        let command = [&["forgetting", "restore", "--user", "u1", &id], more].concat();
        said(&engrain(directory.path(), &command))
    };
    let uses = async || {
        let query = engrain::wire::RetentionQuery::default();
        server.client.memory_retention(id, &query).await.unwrap().uses
    };
    let (status, told) = restore(&["--no-reinforce"]);
    assert!(status == Some(0) && told.contains("restored 0;") && told.contains("without a use"), "{told}");
    assert_eq!(uses().await, []);
    let (status, told) = restore(&["--now", "2999-01-01"]);
    assert!(status == Some(2) && told.contains("future"), "{told}");
    assert_eq!(uses().await, []);
    let a_minute_ago = SystemClock.now().as_micros() / 1_000_000 - 60;
    let moment = Timestamp::from_micros(a_minute_ago * 1_000_000).to_string();
    let (status, told) = restore(&["--now", &moment]);
    assert!(status == Some(0) && told.contains("restored 1;"), "{told}");
    let uses = uses().await;
    assert_eq!(uses.len(), 1);
    assert_eq!((uses[0].at.as_str(), uses[0].kind.as_str()), (moment.as_str(), "confirmed"));
}

#[tokio::test]
async fn a_recall_includes_forgotten_memories_and_is_no_use_if_it_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    set(&server.client, "exclude").await;
    let id = faded(&server.client, &["Ann likes tea"]).await[0];
    let recall = |more: &[&str]| {
        said(&engrain(
            directory.path(),
            &[&["recall", "--user", "u1", "tea", "--no-reinforce"], more].concat(),
        ))
    };
    let finds = |more: &[&str]| {
        let (status, told) = recall(more);
        assert_eq!(status, Some(0), "{told}");
        told.contains("Ann likes tea")
    };
    assert!(!finds(&[]));
    assert!(finds(&["--include-forgotten"]));
    assert!(finds(&["--forgetting-curve", "none"]));
    assert!(finds(&["--now", "2001-01-01T00:00:01Z"]));
    let (status, told) = recall(&["--forgetting-curve", "fsrs7"]);
    assert!(status == Some(2) && told.contains("fsrs6"), "{told}");
    let query = engrain::wire::RetentionQuery::default();
    assert_eq!(server.client.memory_retention(id, &query).await.unwrap().uses, []);
}
