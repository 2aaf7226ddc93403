//! Notes that an erasure spares: what is erased was in view when some of their versions were made, but their own turn is not
//! erased. These versions leave the history, and the note goes on with its newest version that has no trace.
//!
//! A note without such a version goes on as the bare text of its turn, which waits for its analysis again. A note is erased
//! like any other derived memory if its own turn is, if a caller has rewritten it after a version with a trace, or if
//! something else was derived from it: what these kept of the trace is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::domain::change::{ChangeSet, Retraction, Revision};
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::id::{DerivationId, JobId, MemoryId, PartitionId};
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Memory};
use crate::domain::time::Timestamp;
use crate::domain::undo::BuiltOn;
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::TextToIndex;

/// Derivations read for each memory that one erasure may take.
const DERIVATIONS_PER_MEMORY: usize = 64;

/// Writes that make an erasure spare notes.
#[derive(Debug, Default)]
pub(super) struct Sparing {
    /// Versions with a trace of what is erased.
    pub(super) retractions: Vec<Retraction>,
    /// Notes whose present version has a trace, as they go on; with their text as it was found by.
    restored: Vec<(Revision, String)>,
    /// Turns of restored notes without a description.
    bare: Vec<MemoryId>,
}

/// Note with versions that have a trace of what is erased.
#[derive(Default)]
struct Traced {
    derivations: BTreeSet<DerivationId>,
    record: Option<Derivation>,
}

impl Engine {
    /// Plans which notes the erasure of these memories spares. The plan is of one state only if the set is committed with
    /// the exact closure that follows from it.
    ///
    /// # Errors
    /// [`Error::OverLimit`] if more notes or derivations are concerned than one erasure may touch.
    pub(super) async fn plan_sparing(
        &self,
        partition: PartitionId,
        roots: &[MemoryId],
    ) -> Result<Sparing, Error> {
        let mut erased: BTreeSet<MemoryId> = roots.iter().copied().collect();
        let mut notes: BTreeMap<MemoryId, Traced> = BTreeMap::new();
        let mut level = roots.to_vec();
        while !level.is_empty() {
            let (sources, built) = self.built_on(partition, &level).await?;
            let records = self.records_of_notes(partition, &built, &erased).await?;
            let mut next = BTreeSet::new();
            for one in built.iter().filter(|one| !erased.contains(&one.memory)) {
                let is_own = |input: &Input| input.is_evidence && sources.contains(&input.source);
                match records.get(&one.derivation) {
                    Some(record) if !record.inputs.iter().any(is_own) => {
                        let note = notes.entry(one.memory).or_default();
                        note.derivations.insert(one.derivation);
                        note.record.get_or_insert_with(|| record.clone());
                    }
                    _ => {
                        next.insert(one.memory);
                    }
                }
            }
            let traced: Vec<MemoryId> = notes.keys().copied().collect();
            if !traced.is_empty() {
                let (_, users) = self.built_on(partition, &traced).await?;
                next.extend(users.iter().filter_map(|user| match user.source {
                    Source::Memory(note) => Some(note),
                    Source::Turn(_) => None,
                }));
            }
            notes.retain(|id, _| !next.contains(id));
            if notes.len() > self.limits.erasures_per_call {
                return Err(Error::too_many_erasures("erasure", self.limits.erasures_per_call as u64));
            }
            erased.extend(&next);
            level = next.into_iter().collect();
        }
        self.spared(partition, notes).await
    }

    /// Sources that go with these memories, and the derivations that had one in view.
    async fn built_on(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
    ) -> Result<(HashSet<Source>, Vec<BuiltOn>), Error> {
        let turns = self.store.memories(partition, memories).await?;
        let turns = turns.into_iter().filter_map(|memory| Some(Source::Turn(memory.origin?.turn)));
        let sources: Vec<Source> = memories.iter().copied().map(Source::Memory).chain(turns).collect();
        let at_most = self.limits.erasures_per_call.saturating_mul(DERIVATIONS_PER_MEMORY);
        let asked = u32::try_from(at_most.saturating_add(1)).unwrap_or(u32::MAX);
        let built = self.store.built_on(partition, &sources, asked).await?;
        if built.len() > at_most {
            return Err(Error::too_many_erasures("erasure", self.limits.erasures_per_call as u64));
        }
        Ok((sources.into_iter().collect(), built))
    }

    /// Records of the derivations that made versions of notes.
    async fn records_of_notes(
        &self,
        partition: PartitionId,
        built: &[BuiltOn],
        erased: &BTreeSet<MemoryId>,
    ) -> Result<HashMap<DerivationId, Derivation>, Error> {
        let ids: BTreeSet<MemoryId> = built.iter().map(|one| one.memory).collect();
        let ids: Vec<MemoryId> = ids.difference(erased).copied().collect();
        let notes = self.store.memories(partition, &ids).await?;
        let notes: HashSet<MemoryId> =
            notes.iter().filter(|memory| memory.kind == Kind::Note).map(|memory| memory.id).collect();
        let of_notes = built.iter().filter(|one| notes.contains(&one.memory)).map(|one| one.derivation);
        let of_notes: BTreeSet<DerivationId> = of_notes.collect();
        let records = self.store.derivations_by_id(partition, &Vec::from_iter(of_notes)).await?;
        Ok(records.into_iter().map(|record| (record.id, record)).collect())
    }

    async fn spared(
        &self,
        partition: PartitionId,
        notes: BTreeMap<MemoryId, Traced>,
    ) -> Result<Sparing, Error> {
        let mut sparing = Sparing::default();
        let now = self.now();
        let ids: Vec<MemoryId> = notes.keys().copied().collect();
        for present in self.store.memories(partition, &ids).await? {
            let Some(Traced { derivations, record: Some(record) }) = notes.get(&present.id) else { continue };
            let mut versions = self.store.earlier_versions(partition, present.id).await?;
            // An edit may have come between the two reads; the commit refuses the plan then.
            versions.retain(|version| version.version < present.version);
            let key = present.key_text().into_owned();
            versions.push(present);
            let next_id = || DerivationId(self.ids.next(now));
            let Some(restored) = without_trace(&versions, derivations, (record, now), next_id) else {
                continue;
            };
            let retraction = |derivation: &DerivationId| {
                let memory = versions.first()?.id;
                Some(Retraction { memory, derivation: *derivation })
            };
            sparing.retractions.extend(derivations.iter().filter_map(retraction));
            let is_own = |link: &&Link| link.relation.as_str() == Link::ANNOTATES;
            let bare = restored.iter().filter(|revision| revision.memory.annotation.is_none());
            sparing
                .bare
                .extend(bare.flat_map(|it| it.memory.links.iter().filter(is_own)).map(|link| link.to));
            sparing.restored.extend(restored.map(|revision| (revision, key)));
        }
        Ok(sparing)
    }

    /// Adds the writes to the set of the erasure, with index rows.
    pub(super) async fn add_sparing(&self, sparing: Sparing, set: &mut ChangeSet) -> Result<(), Error> {
        set.retractions.extend(sparing.retractions);
        let now = set.now;
        self.thinking.request_notes(set, sparing.bare, || JobId(self.ids.next(now)));
        let (described, others): (Vec<_>, Vec<_>) = sparing
            .restored
            .into_iter()
            .partition(|(revision, key)| revision.memory.key_text() != key.as_str());
        let texts: Vec<TextToIndex> =
            described.iter().map(|(revision, _)| TextToIndex::of_memory(&revision.memory)).collect();
        if !texts.is_empty() {
            let indexed = self.index_texts_for_now(&texts, "text").await?;
            set.embedder = Some(indexed.embedder);
            let described = described.into_iter().zip(indexed.rows);
            set.revisions
                .extend(described.map(|((revision, _), rows)| Revision { rows: Some(rows), ..revision }));
        }
        set.revisions.extend(others.into_iter().map(|(revision, _)| revision));
        self.embed_later(set);
        Ok(())
    }
}

/// Next version of a note without a trace of `traced` derivations; `Some(None)` if the present version has none. `None` if
/// the note cannot be spared. `record` is one of the traced derivations.
fn without_trace(
    versions: &[Memory],
    traced: &BTreeSet<DerivationId>,
    (record, now): (&Derivation, Timestamp),
    next_id: impl FnOnce() -> DerivationId,
) -> Option<Option<Revision>> {
    let has_trace = |version: &Memory| version.derivation.is_some_and(|id| traced.contains(&id));
    let first = versions.iter().position(has_trace)?;
    if versions.get(first..)?.iter().any(|version| version.derivation.is_none()) {
        return None;
    }
    let present = versions.last()?;
    if !has_trace(present) {
        return Some(None);
    }
    let version = present.version.saturating_add(1);
    let clean = versions.iter().rev().find(|version| !has_trace(version));
    let revision = match clean {
        Some(clean) => {
            let memory = Memory { version, recorded_at: now, ..clean.clone() };
            Revision { memory, derivation: None, rows: None, groups: None, keeps_links: false }
        }
        None => {
            let inputs = record.inputs.iter().filter(|input| input.is_evidence).copied().collect();
            let maker = Maker { model: None, prompt: None, ..record.maker.clone() };
            let derivation = Derivation { id: next_id(), maker, job: None, inputs, made_at: now };
            let is_own = |link: &&Link| link.relation.as_str() == Link::ANNOTATES;
            let memory = Memory {
                version,
                recorded_at: now,
                annotation: None,
                tags: Vec::new(),
                links: present.links.iter().filter(is_own).cloned().collect(),
                derivation: Some(derivation.id),
                ..present.clone()
            };
            Revision { memory, derivation: Some(derivation), rows: None, groups: None, keeps_links: false }
        }
    };
    Some(Some(revision))
}
