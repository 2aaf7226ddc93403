//! Vectors that are made after their rows are written: the job that a set asks for, and the text of a row.
//!
//! A write is committed with the words of all its texts, and is found by them. The vectors of large texts, and those that
//! a failing embedder did not make, are made by a durable job (ADR 0039).

use std::collections::HashMap;
use std::sync::Arc;

use half::f16;

use super::embed::{TextToIndex, cut_one, lacks_vector, unit};
use super::embedder_health::EmbedderFault;
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
        let restored = set.restorations.iter().flat_map(|one| &one.present.rows);
        if turns.chain(memories).chain(restored).chain(revisions).any(lacks_vector) {
            set.jobs.push(job(JobId(self.ids.next(set.now)), set.tenant, set.now));
        }
    }

    /// Failure of the embedder that writes and background jobs met last; `None` once it works again.
    pub fn embedder_fault(&self) -> Option<EmbedderFault> {
        self.embedder_health.fault()
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
