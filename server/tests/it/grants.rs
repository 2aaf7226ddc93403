//! Grants end to end: a server process, driven by the SDK.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use engrain::GrantQuery;
use engrain::wire::{AddMemories, GiveGrant, GrantDirection, GrantState, NewMemory, RecallRequest, Scope};

use crate::process::ServerProcess;

#[tokio::test]
async fn a_grant_is_given_and_revoked_through_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    let (ann, bob) = (Scope::user("ann"), Scope::user("bob"));
    let new = |text: &str| NewMemory { text: text.to_owned(), ..NewMemory::default() };
    let (secret, open) = (new("Ann's beagle bites strangers"), new("Ann's beagle is called Biscuit"));
    let request = AddMemories { scope: ann.clone(), memories: vec![secret, open], again: false, wait: true };
    let ids = client.add_memories(&request).await.unwrap().memory_ids;
    let asked = RecallRequest { scope: bob.clone(), query: "beagle".to_owned(), ..RecallRequest::default() };
    assert!(client.recall(&asked).await.unwrap().memories.is_empty());
    let given =
        GiveGrant { scope: ann, to: bob.clone(), memory_ids: Some(vec![ids[1]]), ..GiveGrant::default() };
    let grant = client.give_grant(&given).await.unwrap();
    let recalled = client.recall(&asked).await.unwrap();
    assert_eq!(recalled.memories.len(), 1);
    assert_eq!(recalled.memories[0].memory.id, ids[1]);
    assert_eq!(recalled.memories[0].granted_by.as_ref().unwrap().grant_id, grant.id);
    let query = GrantQuery { scope: bob, direction: GrantDirection::Received, ..GrantQuery::default() };
    assert_eq!(client.grants(&query).await.unwrap().grants, std::slice::from_ref(&grant));
    assert_eq!(client.revoke_grant(grant.id).await.unwrap().state, GrantState::Revoked);
    assert!(client.recall(&asked).await.unwrap().memories.is_empty());
    assert_eq!(client.grant(grant.id).await.unwrap().state, GrantState::Revoked);
    assert!(!client.grant_events(grant.id, None, None).await.unwrap().events.is_empty());
}
