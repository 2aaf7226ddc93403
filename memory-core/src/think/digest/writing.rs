//! Writes of digests: a digest as a new memory, or as the next version of the one with its name.

use serde_json::{Map, Value};

use super::draft::Draft;
use crate::domain::change::{ChangeSet, NewMemory, Revision};
use crate::domain::derivation::Derivation;
use crate::domain::digest::Level;
use crate::domain::id::{DerivationId, JobId, MemoryId};
use crate::domain::memory::{Happened, Kind, Memory, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::time::{Interval, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::TextToIndex;
use crate::text::count_tokens;
use crate::think::coverage;

/// Importance of a digest, as that of a turn.
const IMPORTANCE: f64 = 0.5;

/// Digest to write.
pub(super) struct DigestToWrite<'a> {
    pub(super) level: Level,
    /// Key of its document name.
    pub(super) key: String,
    /// Digest of this name that is there.
    pub(super) existing: Option<&'a Memory>,
    pub(super) draft: Draft,
    /// Memories in view, whose visibility and expiry it has.
    pub(super) covered: Vec<&'a Memory>,
    /// Its coverage key; `None` for a statement of the portrait.
    pub(super) coverage_key: Option<String>,
    pub(super) happened: Happened,
}

impl Engine {
    /// Adds digests to a set of a job.
    pub(super) async fn write_digests(
        &self,
        job: JobId,
        digests: Vec<DigestToWrite<'_>>,
        set: &mut ChangeSet,
    ) -> Result<(), Error> {
        if digests.is_empty() {
            return Ok(());
        }
        let texts: Vec<TextToIndex> = digests.iter().map(|one| TextToIndex::plain(&one.draft.text)).collect();
        let indexed = self.index_texts(&texts, "digests").await?;
        set.embedder = Some(indexed.embedder);
        for (digest, rows) in digests.into_iter().zip(indexed.rows) {
            let is_new = digest.existing.is_none();
            let (memory, derivation) = self.digest(job, digest, set.now);
            let groups = Level::groups(&memory);
            if is_new {
                set.memories.push(NewMemory {
                    key: None,
                    memory,
                    derivation: Some(derivation),
                    rows,
                    groups,
                });
            } else {
                set.revisions.push(Revision {
                    memory,
                    derivation: Some(derivation),
                    rows: Some(rows),
                    groups: Some(groups),
                    keeps_links: true,
                });
            }
        }
        Ok(())
    }

    fn digest(&self, job: JobId, digest: DigestToWrite<'_>, now: Timestamp) -> (Memory, Derivation) {
        let DigestToWrite { level, key, existing, draft, covered, coverage_key, happened } = digest;
        let Draft { text, inputs, maker } = draft;
        let is_extractive = maker.model.is_none();
        let derivation =
            Derivation { id: DerivationId(self.ids.next(now)), maker, job: Some(job), inputs, made_at: now };
        let of_all = |column: fn(&Memory) -> Option<&Name>| {
            let first = column(covered.first()?)?;
            covered.iter().all(|one| column(one) == Some(first)).then(|| first.clone())
        };
        let is_shared = covered.iter().all(|one| one.visibility == Visibility::Shared) && !covered.is_empty();
        let memory = Memory {
            id: existing.map_or_else(|| MemoryId(self.ids.next(now)), |memory| memory.id),
            version: existing.map_or(1, |memory| memory.version.saturating_add(1)),
            kind: Kind::Digest,
            tokens: count_tokens(&text),
            text,
            agent: of_all(|memory| memory.agent.as_ref()),
            app: of_all(|memory| memory.app.as_ref()),
            run: of_all(|memory| memory.run.as_ref()),
            visibility: if is_shared { Visibility::Shared } else { Visibility::Owner },
            subjects: existing.map(|memory| memory.subjects.clone()).unwrap_or_default(),
            audience: Vec::new(),
            statement: None,
            tags: tags(existing, is_extractive),
            links: existing.map(|memory| memory.links.clone()).unwrap_or_default(),
            metadata: metadata(existing, coverage_key),
            annotation: None,
            document: level.document(&key),
            origin: None,
            derivation: Some(derivation.id),
            happened,
            recorded_at: now,
            created_at: existing.map_or(now, |memory| memory.created_at),
            valid: Interval::default(),
            expires_at: covered.iter().filter_map(|memory| memory.expires_at).min(),
            strength: existing
                .map_or_else(|| self.strength_of_digest(happened.at), |memory| memory.strength.clone()),
            forgotten: None,
        };
        (memory, derivation)
    }

    fn strength_of_digest(&self, learned_at: Timestamp) -> Strength {
        Strength::new(IMPORTANCE, Strength::INITIAL, learned_at)
    }
}

/// Tags of the version before, which a caller may have added, with the mark of an extractive digest.
fn tags(existing: Option<&Memory>, is_extractive: bool) -> Vec<Name> {
    let before = existing.map(|memory| memory.tags.clone()).unwrap_or_default();
    let others = before.into_iter().filter(|tag| tag.as_str() != Level::EXTRACTIVE_TAG);
    let mark = is_extractive.then(|| Name::new(Level::EXTRACTIVE_TAG).ok()).flatten();
    others.chain(mark).collect()
}

fn metadata(existing: Option<&Memory>, coverage_key: Option<String>) -> Metadata {
    let before = existing.map(|memory| memory.metadata.clone()).unwrap_or_default();
    let mut map: Map<String, Value> = before.as_map().clone();
    coverage::put_key(&mut map, coverage_key);
    Metadata::new(map).unwrap_or(before)
}
