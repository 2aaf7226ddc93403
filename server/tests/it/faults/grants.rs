//! Kills while grants are given and revoked: one that was acknowledged is there, one that was not is there whole or not at all,
//! and what was acknowledged as revoked opens nothing any more. The same request, sent again under its key, makes no second one.

use std::sync::Arc;
use std::time::Duration;

use engrain::wire::{
    AddMemories, CheckRequest, GiveGrant, Grant, GrantDirection, GrantState, NewMemory, Scope,
};
use engrain::{Client, GrantQuery};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use parking_lot::Mutex;
use uuid::Uuid;

use super::ledger::by_word;
use super::watched::Watched;

/// Grants that each round gives, at most.
const PER_ROUND: usize = 40;

/// State of a round as it was told: grants given, and whether their revocation was asked for and acknowledged.
#[derive(Clone, Debug)]
struct Told {
    grant: Uuid,
    memory: usize,
    is_revoking: bool,
    is_revoked: bool,
}

fn word(number: usize) -> String {
    format!("secret{number:04}q")
}

fn grant_of(memory: Uuid) -> GiveGrant {
    GiveGrant {
        scope: Scope::user("ann"),
        to: Scope::user("bob"),
        memory_ids: Some(vec![memory]),
        ..GiveGrant::default()
    }
}

fn key(round: usize, number: usize) -> String {
    format!("grant-{round}-{number}")
}

/// Gives grants, revokes every other one, and notes what is acknowledged, until the server is gone.
async fn give_and_revoke(client: Client, round: usize, memories: Vec<Uuid>, told: Arc<Mutex<Vec<Told>>>) {
    for (number, memory) in memories.into_iter().enumerate() {
        let Ok(given) = client.keyed(key(round, number)).give_grant(&grant_of(memory)).await else { return };
        let is_revoking = number % 2 == 0;
        let at = {
            let mut told = told.lock();
            told.push(Told { grant: given.id, memory: number, is_revoking, is_revoked: false });
            told.len() - 1
        };
        if is_revoking {
            let Ok(revoked) = client.revoke_grant(given.id).await else { return };
            assert_eq!(revoked.state, GrantState::Revoked);
            told.lock()[at].is_revoked = true;
        }
    }
}

async fn all_grants(client: &Client) -> Vec<Grant> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let query = GrantQuery {
            scope: Scope::user("bob"),
            direction: GrantDirection::Received,
            all: true,
            limit: Some(100),
            cursor,
        };
        let page = client.grants(&query).await.unwrap();
        all.extend(page.grants);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

/// True if the grantee finds the memory with the word of a number.
async fn is_open(client: &Client, number: usize) -> bool {
    let found = client.recall(&by_word("bob", &word(number))).await.unwrap();
    found.memories.iter().any(|one| one.memory.text.starts_with(&word(number)))
}

/// Compares the grants of a restarted server with what was acknowledged.
async fn verify(client: &Client, told: &[Told], memories: &[Uuid], context: &str) {
    let grants = all_grants(client).await;
    for Told { grant, memory, is_revoking, is_revoked } in told {
        let stored = grants.iter().find(|one| one.id == *grant);
        let stored = stored.unwrap_or_else(|| panic!("{context}: an acknowledged grant is gone"));
        assert_eq!(stored.memory_ids.as_deref(), Some(&memories[*memory..=*memory]), "{context}");
        let is_closed = stored.state == GrantState::Revoked;
        assert!(!is_revoked || is_closed, "{context}: a revoked grant is open again");
        assert!(*is_revoking || !is_closed, "{context}: nobody revoked it");
        assert_eq!(is_open(client, *memory).await, !is_closed, "{context}: memory {memory}");
    }
    // The request that the kill interrupted may have been carried out.
    assert!([told.len(), told.len() + 1].contains(&grants.len()), "{context}: {} grants", grants.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_a_grant_or_its_revocation_and_the_answer_leaves_all_of_it_or_nothing() {
    let (seed, rounds) = (first_seed().wrapping_add(109), if is_long_form() { 12 } else { 3 });
    let mut rng = Rng::new(seed);
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let server = Watched::start(folder.path(), "hashing").await;
        let new = |number| NewMemory { text: format!("{} is told", word(number)), ..NewMemory::default() };
        let request = AddMemories {
            scope: Scope::user("ann"),
            memories: (0..PER_ROUND).map(new).collect(),
            again: false,
            wait: true,
        };
        let memories = server.client.add_memories(&request).await.unwrap().memory_ids;
        let told = Arc::new(Mutex::new(Vec::new()));
        let giving = give_and_revoke(server.client.clone(), round, memories.clone(), Arc::clone(&told));
        let giving = tokio::spawn(giving);
        tokio::time::sleep(Duration::from_millis(rng.below(250) as u64)).await;
        server.kill();
        giving.await.unwrap();
        let context = format!("seed {seed}, round {round}");

        let server = Watched::start(folder.path(), "auto").await;
        let told = told.lock().clone();
        verify(&server.client, &told, &memories, &context).await;
        // Once more under the same keys: what was given is not given again, nor opened again.
        for (number, memory) in memories.iter().enumerate() {
            let given = server.client.keyed(key(round, number)).give_grant(&grant_of(*memory)).await.unwrap();
            if let Some(before) = told.iter().find(|one| one.memory == number) {
                assert_eq!(given.id, before.grant, "{context}");
            }
        }
        assert_eq!(all_grants(&server.client).await.len(), memories.len(), "{context}");
        for one in told.iter().filter(|one| one.is_revoked) {
            assert!(!is_open(&server.client, one.memory).await, "{context}: opened again");
        }
        let report = server.client.check(&CheckRequest { repair: false }).await.unwrap();
        assert!(report.healthy, "{context}: {:?}", report.findings);
    }
}
