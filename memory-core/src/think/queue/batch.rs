//! Batch of thinking: the turns of one call, with what is needed to understand them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::id::{MemoryId, PartitionId, SessionId, TurnId};
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::domain::zone::Zone;
use crate::error::Error;
use crate::store::{PendingTurn, RecallRecord, Store};
use crate::think::candidate::SourceTurn;
use crate::think::extract::prompt;
use crate::think::settings::ThinkingSettings;

/// Number of recalls before a turn whose texts may be repeated in it.
const RECALLS_IN_VIEW: u32 = 16;
/// Time for which a recalled text may be repeated, in microseconds: a day.
const RECALL_MEMORY_US: i64 = 86_400_000_000;

/// Turns to think about together: consecutive turns of one session.
#[derive(Debug, Default)]
pub(in crate::think) struct Batch {
    /// Turns right before the first one, which were thought about already.
    pub(in crate::think) context: Vec<SourceTurn>,
    /// Turns to read, those of users and assistants only.
    pub(in crate::think) turns: Vec<SourceTurn>,
    /// Turns that a language model is shown: those to read, then the context.
    pub(in crate::think) shown: Vec<SourceTurn>,
    /// All turns of the batch, which leave the queue together.
    pub(in crate::think) queued: Vec<PendingTurn>,
    /// True if more turns wait.
    pub(in crate::think) has_more: bool,
    /// Texts recalled shortly before each of `turns`.
    pub(in crate::think) recalled: Vec<Vec<String>>,
}

/// The oldest turns that wait, as many as fit into one call; `None` if none waits.
pub(in crate::think) async fn load(
    store: &Arc<dyn Store>,
    partition: PartitionId,
    (queue, turns_at_most): (&str, u32),
    (settings, zone): (&ThinkingSettings, &Zone),
) -> Result<Option<Batch>, Error> {
    let most = turns_at_most.max(1);
    let mut queued = store.pending_turns(partition, queue, most.saturating_add(1)).await?;
    let waiting = queued.len();
    let Some(first) = queued.first().map(session) else { return Ok(None) };
    let of_session = queued.iter().take(most as usize).take_while(|turn| session(turn) == first).count();
    queued.truncate(of_session);
    let all: Vec<SourceTurn> = queued.iter().filter_map(|turn| source(turn, zone)).collect();
    queued.truncate(prompt::fitting(&all, settings.prompt_tokens).max(1));
    let has_more = queued.len() < waiting;
    let turns: Vec<SourceTurn> =
        queued.iter().filter_map(|turn| source(turn, zone)).filter(is_read).collect();
    let context = context(store, partition, &queued, zone).await?;
    let recalled = recalled(store, partition, &queued).await?;
    let shown = turns.iter().chain(&context).cloned().collect();
    Ok(Some(Batch { context, turns, shown, queued, has_more, recalled }))
}

fn is_read(turn: &SourceTurn) -> bool {
    matches!(turn.role, Role::User | Role::Assistant)
}

/// Turn as extraction reads it, in the zone of its offset, else in `zone`; `None` for a memory without a turn, which no queue has.
fn source(pending: &PendingTurn, zone: &Zone) -> Option<SourceTurn> {
    let origin = pending.memory.origin.as_ref()?;
    Some(SourceTurn {
        turn: origin.turn,
        memory: pending.memory.id,
        session: origin.session,
        seq: origin.seq,
        role: origin.role,
        author: origin.author.clone(),
        participants: pending.participants.clone(),
        text: pending.memory.text.clone(),
        said_at: pending.said_at,
        utc_offset: pending.utc_offset,
        zone: zone.or_own(pending.utc_offset),
        audience: pending.memory.audience.clone(),
    })
}

fn session(pending: &PendingTurn) -> Option<SessionId> {
    Some(pending.memory.origin.as_ref()?.session)
}

/// Turns right before the batch in its session, as they read now.
async fn context(
    store: &Arc<dyn Store>,
    partition: PartitionId,
    queued: &[PendingTurn],
    zone: &Zone,
) -> Result<Vec<SourceTurn>, Error> {
    let Some(first) = queued.first().and_then(|turn| source(turn, zone)).filter(|first| first.seq > 0) else {
        return Ok(Vec::new());
    };
    let wanted = u32::try_from(prompt::CONTEXT_TURNS_AT_MOST).unwrap_or(u32::MAX);
    let from = first.seq.saturating_sub(wanted);
    let before = store.turns(first.session, from, first.seq - from).await?;
    let ids: Vec<TurnId> = before.iter().filter(|turn| turn.seq < first.seq).map(|turn| turn.id).collect();
    let memories = store.memories_of_turns(partition, &ids).await?;
    let context = memories.into_iter().filter_map(|memory| {
        let (said_at, utc_offset) = (memory.happened.at, memory.happened.offset);
        source(&PendingTurn { memory, said_at, utc_offset, participants: Vec::new() }, zone)
    });
    let mut context: Vec<SourceTurn> = context.filter(is_read).collect();
    context.sort_by_key(|turn| turn.seq);
    Ok(context)
}

/// Texts of the memories that were recalled shortly before each turn that is read.
async fn recalled(
    store: &Arc<dyn Store>,
    partition: PartitionId,
    queued: &[PendingTurn],
) -> Result<Vec<Vec<String>>, Error> {
    let recalls = store.recalls(partition, RECALLS_IN_VIEW).await?;
    let hits = |recall: &RecallRecord| recall.hits.iter().map(|hit| hit.memory).collect::<Vec<_>>();
    let mut ids: Vec<MemoryId> = recalls.iter().flat_map(hits).collect();
    ids.sort_unstable();
    ids.dedup();
    let memories = if ids.is_empty() { Vec::new() } else { store.memories(partition, &ids).await? };
    let read = queued.iter().filter(|one| source(one, &Zone::UTC).is_some_and(|turn| is_read(&turn)));
    let texts = read.map(|turn| {
        let recorded = turn.memory.created_at;
        let is_before = |at: Timestamp| {
            at <= recorded && recorded.as_micros().saturating_sub(at.as_micros()) <= RECALL_MEMORY_US
        };
        let before: BTreeSet<MemoryId> =
            recalls.iter().filter(|recall| is_before(recall.recalled_at)).flat_map(hits).collect();
        let is_echoed = |memory: &&Memory| memory.id != turn.memory.id && before.contains(&memory.id);
        memories.iter().filter(is_echoed).map(|memory| memory.text.clone()).collect()
    });
    Ok(texts.collect())
}
