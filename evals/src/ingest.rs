//! Ingestion of a user's haystack, and its erasure.
//!
//! Invariant: after [`ingest`], the user's turns are exactly the haystack's; otherwise it fails and nothing
//! is measured. Stored turns are compared with the haystack verbatim, and only missing ones are sent, so that an
//! interrupted run resumes.

use std::collections::HashSet;
use std::time::Duration;

use engrain::Client;
use engrain::wire::{AddTurns, DeleteMatching, Filter, Indexing, ListMemories, ListOrder, NewTurn, Scope};
use futures::TryStreamExt;

use crate::dataset::{Haystack, Question};
use crate::failure::Failure;

/// Interval of the looks at the vectors that are yet to be made.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Page size of the listing: the server's maximum.
const PAGE_MEMORIES: u32 = 1_000;

/// User with a complete haystack.
pub(crate) struct Ready {
    pub(crate) scope: Scope,
    pub(crate) questions: Vec<Question>,
    /// Number of turns sent.
    pub(crate) sent: u64,
    /// Number of turns stored before.
    pub(crate) present: u64,
}

/// Identity of a turn: session, key and text.
type Told = (String, String, String);

/// Ensures that a user has the whole haystack.
pub(crate) async fn ingest(client: Client, haystack: Haystack) -> Result<Ready, Failure> {
    let user = haystack.user().to_owned();
    let expected = haystack.turns();
    let other = |present| Failure::OtherMemories { user: user.clone(), present, expected };
    let total = count(&client, &haystack.scope).await?;
    if total > expected {
        return Err(other(total));
    }
    let present = if total == 0 { HashSet::new() } else { told(&client, &haystack.scope).await? };
    let (mut found, mut is_complete) = (0, true);
    for batch in &haystack.batches {
        let missing: Vec<NewTurn> =
            batch.turns.iter().filter(|turn| !present.contains(&told_by(batch, turn))).cloned().collect();
        found += (batch.turns.len() - missing.len()) as u64;
        if !missing.is_empty() {
            let batch = AddTurns { turns: missing, ..batch.clone() };
            let added = client.add_turns(&batch).await;
            let added = added.map_err(Failure::server(format!("cannot add turns of {user}")))?;
            is_complete &= added.indexing == Indexing::Complete;
        }
    }
    if !is_complete {
        vectors_are_made(&client).await?;
    }
    let total = count(&client, &haystack.scope).await?;
    if total != expected {
        return Err(other(total));
    }
    let Haystack { scope, questions, .. } = haystack;
    Ok(Ready { scope, questions, sent: expected - found, present: found })
}

/// Waits until the server has made the vectors of large batches: before, recall would be measured without them.
pub(crate) async fn vectors_are_made(client: &Client) -> Result<(), Failure> {
    loop {
        let ready = client.ready().await.map_err(Failure::server("cannot ask for missing vectors"))?;
        if ready.rows_without_vectors.unwrap_or(0) == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Erases all memories of a user.
pub(crate) async fn erase(client: Client, scope: Scope) -> Result<(), Failure> {
    let failed = || Failure::server(format!("cannot erase {}", scope.user_id.as_deref().unwrap_or_default()));
    let all = DeleteMatching { scope: scope.clone(), filter: Filter::all([]), confirmation: None };
    let preview = client.delete_matching(&all).await.map_err(failed())?;
    if preview.confirmation.is_some() {
        let confirmed = DeleteMatching { confirmation: preview.confirmation, ..all };
        client.delete_matching(&confirmed).await.map_err(failed())?;
    }
    Ok(())
}

async fn count(client: &Client, scope: &Scope) -> Result<u64, Failure> {
    let request = ListMemories { limit: Some(1), ..turns_of(scope) };
    let page = client.list_memories(&request).await;
    let user = scope.user_id.as_deref().unwrap_or_default();
    Ok(page.map_err(Failure::server(format!("cannot count the memories of {user}")))?.total)
}

/// Listing of a user's turns, without the facts that were made of them.
fn turns_of(scope: &Scope) -> ListMemories {
    let filter = Some(Filter::eq("kind", "turn"));
    ListMemories { scope: scope.clone(), filter, ..ListMemories::default() }
}

/// Turns stored for a user.
async fn told(client: &Client, scope: &Scope) -> Result<HashSet<Told>, Failure> {
    let (order, limit) = (Some(ListOrder::OldestFirst), Some(PAGE_MEMORIES));
    let request = ListMemories { order, limit, ..turns_of(scope) };
    let told = client.all_memories(request).try_filter_map(async |memory| {
        Ok(memory.origin.map(|origin| (origin.session, origin.turn_key.unwrap_or_default(), memory.text)))
    });
    let user = scope.user_id.as_deref().unwrap_or_default();
    told.try_collect().await.map_err(Failure::server(format!("cannot list the memories of {user}")))
}

fn told_by(batch: &AddTurns, turn: &NewTurn) -> Told {
    (batch.session.clone().unwrap_or_default(), turn.key.clone().unwrap_or_default(), turn.text.clone())
}
