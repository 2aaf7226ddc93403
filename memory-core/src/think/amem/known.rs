//! Known notes around new ones: the nearest by their vectors, with the version that the analysis made and its inputs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::decide::KnownNote;
use crate::domain::derivation::Input;
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::id::{DerivationId, MemoryId, PartitionId};
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::index::{Index, MAX_NEAREST_VECTORS, ValidTime, View};
use crate::store::Store;

/// Maximum number of links to the turns of a batch that are read.
const LINKS_TO_TURNS_AT_MOST: u32 = 4_096;

/// View of all notes that are in force, for this conversation partner.
pub(super) fn notes_at(now: Timestamp, partner: Option<Name>) -> View {
    View {
        filter: Filter::Field(Field::Kind, Test::Eq(Scalar::Text(Kind::Note.as_str().to_owned()))),
        valid: ValidTime { at: now, hides_ended: false, hides_later: false },
        partner,
        ..View::present(now)
    }
}

/// Ports through which known notes are read.
pub(super) struct Reader<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) index: &'a Arc<dyn Index>,
    pub(super) partition: PartitionId,
    pub(super) now: Timestamp,
}

impl Reader<'_> {
    /// Notes of these turns that are there, by the memories of their turns: those that an erasure left without a description.
    pub(super) async fn of_turns(&self, turns: &[MemoryId]) -> Result<HashMap<MemoryId, Memory>, Error> {
        let linked = self.store.linked_from(self.partition, turns, LINKS_TO_TURNS_AT_MOST).await?;
        let ids: BTreeSet<MemoryId> = linked.into_iter().map(|(_, from)| from).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let notes = self.store.memories(self.partition, &Vec::from_iter(ids)).await?;
        let notes =
            notes.into_iter().filter(|memory| memory.kind == Kind::Note && memory.derivation.is_some());
        let of_turn = notes.filter_map(|note| {
            let own = note.links.iter().find(|link| link.relation.as_str() == Link::ANNOTATES)?;
            Some((own.to, note))
        });
        Ok(of_turn.collect())
    }

    /// The `k` nearest notes of each vector, united, the nearest first. Notes of another audience or visibility than that
    /// of `like` are left out: their contexts would pass on what may not be told.
    pub(super) async fn nearest(
        &self,
        vectors: &[Arc<[f32]>],
        like: &Memory,
        k: usize,
    ) -> Result<Vec<KnownNote>, Error> {
        let view = notes_at(self.now, None);
        let mut best: BTreeMap<MemoryId, f32> = BTreeMap::new();
        for some in vectors.chunks(MAX_NEAREST_VECTORS) {
            for found in self.index.nearest(self.partition, some, &view, k).await?.into_iter().flatten() {
                let similarity = best.entry(found.memory).or_insert(found.similarity);
                *similarity = similarity.max(found.similarity);
            }
        }
        let mut ids: Vec<(MemoryId, f32)> = best.into_iter().collect();
        ids.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let ids: Vec<MemoryId> = ids.into_iter().map(|(id, _)| id).collect();
        let mut notes = self.store.memories(self.partition, &ids).await?;
        notes.retain(|note| {
            note.kind == Kind::Note
                && note.derivation.is_some()
                && note.annotation.is_some()
                && (&note.audience, note.visibility) == (&like.audience, like.visibility)
        });
        self.known(notes).await
    }

    async fn known(&self, notes: Vec<Memory>) -> Result<Vec<KnownNote>, Error> {
        let mut histories = Vec::with_capacity(notes.len());
        for present in notes {
            let mut versions = match present.version {
                1 => Vec::new(),
                _ => self.store.earlier_versions(self.partition, present.id).await?,
            };
            // An edit may have come between the two reads; the commit refuses the set then.
            versions.retain(|version| version.version < present.version);
            versions.push(present);
            histories.push(versions);
        }
        let ids: Vec<DerivationId> =
            histories.iter().flatten().filter_map(|version| version.derivation).collect();
        let found = self.store.derivations_by_id(self.partition, &ids).await?;
        let inputs: HashMap<DerivationId, Vec<Input>> =
            found.into_iter().map(|derivation| (derivation.id, derivation.inputs)).collect();
        Ok(histories.into_iter().filter_map(|versions| known(versions, &inputs, self.now)).collect())
    }
}

/// Known note of its versions, oldest first; `None` for one without a derived version.
fn known(
    versions: Vec<Memory>,
    inputs: &HashMap<DerivationId, Vec<Input>>,
    now: Timestamp,
) -> Option<KnownNote> {
    let of = |version: &Memory| version.derivation.and_then(|id| inputs.get(&id).cloned());
    let present = versions.last()?.clone();
    let is_analysed = |version: &&Memory| version.derivation.is_some() && version.annotation.is_some();
    let base = versions.iter().find(is_analysed)?.clone();
    let linked = versions.iter().find(|version| version.links == present.links);
    let made = versions.iter().find(|version| version.derivation == present.derivation)?;
    let description =
        |version: &Memory| (version.text.clone(), version.tags.clone(), version.annotation.clone());
    let is_by_hand = description(made) != description(&present) || base.text != present.text;
    let is_today = |version: &&Memory| version.version > 1 && version.recorded_at.day() == now.day();
    let changed_today = versions.iter().filter(is_today).count();
    Some(KnownNote {
        own_turn: of(&base)?.into_iter().filter(|input| input.is_evidence).collect(),
        present_inputs: of(&present)?,
        link_inputs: linked.and_then(of).unwrap_or_default(),
        memory: present,
        changed_today,
        is_by_hand,
    })
}
