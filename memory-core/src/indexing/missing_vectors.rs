//! Vectors that are made after their rows are written: the job that a set asks for, the text of a row, and the state of
//! the embedder.
//!
//! A write is committed with the words of all its texts, and is found by them. The vectors of large texts, and those that
//! a failing embedder did not make, are made by a durable job (ADR 0038).

use std::collections::HashMap;
use std::sync::Arc;

use half::f16;
use parking_lot::Mutex;

use super::TextToIndex;
use super::embed::{cut_one, lacks_vector, unit};
use super::keys::Key;
use crate::domain::change::ChangeSet;
use crate::domain::id::{JobId, MemoryId, TenantId};
use crate::domain::job::Job;
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::model::Embedder;
use crate::store::RowToEmbed;

/// Kind of the jobs that make missing vectors, and their unique key: a tenant has one at a time.
pub(crate) const KIND: &str = "embed";
/// Pause in which writes do not try an embedder that has just failed, in microseconds.
const PAUSE_US: i64 = 5_000_000;

/// A new job that makes the missing vectors of a tenant.
pub(crate) fn job(id: JobId, tenant: TenantId, now: Timestamp) -> Job {
    Job { unique_key: Some(KIND.to_owned()), ..Job::new(id, tenant, KIND, "{}".to_owned(), now) }
}

impl Engine {
    /// Adds the job that makes the missing vectors of a set, if it has any.
    pub(crate) fn embed_later(&self, set: &mut ChangeSet) {
        let turns = set.turns.iter().flat_map(|turns| &turns.turns).flat_map(|(_, new)| &new.rows);
        let memories = set.memories.iter().flat_map(|new| &new.rows);
        let revisions = set.revisions.iter().filter_map(|revision| revision.rows.as_ref()).flatten();
        if turns.chain(memories).chain(revisions).any(lacks_vector) {
            set.jobs.push(job(JobId(self.ids.next(set.now)), set.tenant, set.now));
        }
    }

    /// Failure of the embedder that writes and background jobs met last; `None` once it works again.
    pub fn embedder_fault(&self) -> Option<EmbedderFault> {
        self.embedder_health.fault()
    }
}

/// Failure of the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedderFault {
    /// Code of the failure ([`crate::model::ModelError::code`]).
    pub code: &'static str,
    /// Time of the first failure since it worked last.
    pub since: Timestamp,
    /// Time of the last failure.
    pub last: Timestamp,
}

/// State of the embedder as writes and the job see it; clones share it. Queries have no part in it: they are embedded
/// apart and say themselves that they were searched by words alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmbedderHealth(Arc<Mutex<Option<EmbedderFault>>>);

impl EmbedderHealth {
    /// True if the embedder failed a moment ago, so that a write does not wait for it.
    pub(crate) fn is_paused(&self, now: Timestamp) -> bool {
        self.0.lock().is_some_and(|fault| now < fault.last.plus_micros(PAUSE_US))
    }

    pub(crate) fn failed(&self, code: &'static str, now: Timestamp) {
        let mut fault = self.0.lock();
        let since = fault.map_or(now, |fault| fault.since);
        *fault = Some(EmbedderFault { code, since, last: now });
    }

    pub(crate) fn works(&self) {
        *self.0.lock() = None;
    }

    fn fault(&self) -> Option<EmbedderFault> {
        *self.0.lock()
    }
}

/// Texts of the chunks of rows, as the embedder reads them. A row whose memory or span is gone has none.
pub(crate) struct ChunkTexts<'a> {
    embedder: &'a dyn Embedder,
    memories: HashMap<MemoryId, (&'a Memory, TextToIndex, Key)>,
}

impl<'a> ChunkTexts<'a> {
    /// Texts of chunks of these memories.
    pub(crate) fn new(embedder: &'a dyn Embedder, memories: &'a [Memory]) -> Self {
        let memories = memories.iter().map(|memory| {
            let text = TextToIndex::of_memory(memory);
            let key = Key::new(&text.text, text.author.as_ref());
            (memory.id, (memory, text, key))
        });
        Self { embedder, memories: memories.collect() }
    }

    /// Version of the row's memory, and the text of its chunk.
    pub(crate) fn of(&self, row: &RowToEmbed) -> Option<(u32, String)> {
        let (memory, text, key) = self.memories.get(&row.memory)?;
        let chunk = match key.span_of(row.chunk, row.span) {
            Some(span) => key.text.get(span)?.to_owned(),
            // A heading so long that it is cut: the key is cut once more.
            None => {
                let cut = cut_one(self.embedder, text);
                cut.key.text.get(cut.spans.get(usize::try_from(row.chunk).ok()?)?.clone())?.to_owned()
            }
        };
        Some((memory.version, chunk))
    }
}

/// The stored form of a vector that an embedder made.
pub(crate) fn stored_vector(vector: &[f32]) -> Result<Arc<[f16]>, Error> {
    unit(vector, || "vector".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_lasts_until_the_embedder_works_and_pauses_writes_for_a_while() {
        let health = EmbedderHealth::default();
        let start = Timestamp::from_micros(0);
        assert!(!health.is_paused(start));
        health.failed("unreachable", start);
        health.failed("timed_out", start.plus_micros(7));
        let fault = health.fault().unwrap();
        assert_eq!((fault.code, fault.since, fault.last), ("timed_out", start, start.plus_micros(7)));
        assert!(health.is_paused(start.plus_micros(PAUSE_US)));
        assert!(!health.is_paused(start.plus_micros(7 + PAUSE_US)), "the next write tries it");
        health.works();
        assert_eq!(health.fault(), None);
    }
}
