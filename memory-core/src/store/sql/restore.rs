//! Writing of restorations: new ones with all their versions, derivations and links; of those that an earlier set has
//! written, what was missing then.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use sqlx::QueryBuilder;

use super::bulk::{IDS_PER_STATEMENT, insert};
use super::dialect::encode_text;
use super::insert_buffer::{write_derivations, write_index, write_memories, write_turns};
use super::recognised_restorations::{Known, Recognition};
use super::restored_ids::RestoredIds;
use super::retention::keep_later_check;
use super::rows::{metadata_json, minutes, names_json};
use super::stored_annotation::annotation_json;
use super::stored_links::links_json;
use super::stored_statement::statement_json;
use super::write_transaction::WriteTransaction;
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::change::{ChangeSet, Committed};
use crate::domain::derivation::{Derivation, Input};
use crate::domain::id::{DerivationId, MemoryId, PartitionId, SessionId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::memory::{Kind, Memory};
use crate::domain::restoration::{Restoration, Restored, RestoredTurn};
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::store::ChangeOp;

/// Session that gets restored turns.
struct OpenSession {
    id: SessionId,
    /// Ordinal of the next turn.
    next: u32,
    added: u32,
    /// Ordinals that turns have.
    taken: HashSet<u32>,
}

/// Restoration as it is written.
struct Written<'s> {
    source: &'s Restoration,
    memory: Memory,
    earlier: Vec<Memory>,
    derivations: Vec<Derivation>,
    turn: Option<(SessionId, u32, Turn)>,
}

impl<'a> WriteTransaction<'_, 'a> {
    /// Writes the restorations of a set, after its other writes, and the moment of the check that comes with them.
    pub(super) async fn restore(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        mut found: Recognition<'a>,
        committed: &mut Committed,
    ) -> Result<(), StoreError> {
        if let Some(at) = set.restored_check {
            keep_later_check(&mut *self.connection, partition, at).await?;
        }
        if set.restorations.is_empty() {
            return Ok(());
        }
        self.forget_erased_restorations(set, &found).await?;
        self.give_ids(set, &mut found);
        let mut restored = Vec::with_capacity(set.restorations.len());
        let mut written = Vec::new();
        let mut sessions = self.open_sessions(partition, set, &found).await?;
        for (known, one) in found.known.iter().zip(&set.restorations) {
            restored.push(match *known {
                Known::New => {
                    let (new, missing) = resolved(&mut found.ids, one, &mut sessions);
                    let (memory, turn) = (new.memory.id, new.memory.origin.as_ref().map(|it| it.turn));
                    written.push(new);
                    let outcome = ItemOutcome::Created;
                    Restored { outcome, memory: Some(memory), turn, missing, is_changed: true }
                }
                Known::Restored(memory) => self.complete(partition, set, (memory, one), &found.ids).await?,
                Known::There(memory, turn, outcome) => {
                    Restored { outcome, memory: Some(memory), turn, missing: 0, is_changed: false }
                }
                Known::Erased => {
                    let outcome = ItemOutcome::Erased;
                    Restored { outcome, memory: None, turn: None, missing: 0, is_changed: false }
                }
            });
        }
        for session in sessions.into_values().filter(|session| session.added > 0) {
            let first = session.next.saturating_sub(session.added);
            self.counters.add_turns(session.id, first, session.added);
        }
        self.insert(partition, set, &written).await?;
        committed.restored = restored;
        committed.seq_after = self.counters.of(partition).last_seq;
        Ok(())
    }

    /// Gives the new items their ids before any reference is followed. An item that the set has twice is written once.
    fn give_ids(&mut self, set: &ChangeSet, found: &mut Recognition<'_>) {
        for (known, one) in found.known.iter_mut().zip(&set.restorations) {
            if *known != Known::New {
                continue;
            }
            match found.ids.is_twice(one.present.memory.id) {
                true => {
                    let first = found.ids.own_memory(one.present.memory.id);
                    *known =
                        first.map_or(Known::Erased, |first| Known::There(first, None, ItemOutcome::Existing));
                }
                false => {
                    found.ids.give(one);
                }
            }
        }
    }

    /// Sessions of the new turns of a set, created where they are missing.
    async fn open_sessions(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        found: &Recognition<'_>,
    ) -> Result<HashMap<&'a str, OpenSession>, StoreError> {
        let mut wanted: Vec<(&'a RestoredTurn, Vec<i64>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (_, one) in set.restorations.iter().enumerate().filter(|(index, _)| found.is_new(*index)) {
            let Some(restored) = &one.turn else { continue };
            let at = *places.entry(restored.session_key.as_str()).or_insert_with(|| {
                wanted.push((restored, Vec::new()));
                wanted.len() - 1
            });
            if let Some((_, ordinals)) = wanted.get_mut(at) {
                ordinals.push(i64::from(restored.turn.seq));
            }
        }
        let mut sessions = HashMap::new();
        for (first, ordinals) in wanted {
            let new = crate::domain::change::NewTurns {
                session_key: first.session_key.clone(),
                session_id_if_new: found.ids.new_session(first.session),
                turns: Vec::new(),
            };
            let times = (first.session_recorded_at, first.started_at);
            let (id, _, next) = self.session(partition, times.0, &new, times.1).await?;
            let taken = taken_among(&mut *self.connection, id, &ordinals).await?;
            sessions.insert(first.session_key.as_str(), OpenSession { id, next, added: 0, taken });
        }
        Ok(sessions)
    }

    /// Inserts new restorations, with an entry of the change log for each version, in the order of their recording.
    async fn insert(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        written: &[Written<'a>],
    ) -> Result<(), StoreError> {
        let turns = written.iter().filter_map(|new| new.turn.as_ref());
        let turns: Vec<_> = turns.map(|(session, seq, turn)| (partition, *session, *seq, turn)).collect();
        write_turns(&mut *self.connection, &turns).await?;
        let memories: Vec<_> = written
            .iter()
            .map(|new| (partition, Cow::Borrowed(&new.memory), new.source.present.key.as_ref()))
            .collect();
        write_memories(&mut *self.connection, &memories).await?;
        for new in written.iter().filter(|new| new.has_own_text()) {
            self.put_text(partition, &new.memory).await?;
        }
        let earlier: Vec<_> = written
            .iter()
            .flat_map(|new| new.earlier.iter().map(move |memory| (partition, memory, new)))
            .collect();
        write_versions(&mut *self.connection, &earlier).await?;
        let derivations: Vec<(PartitionId, &Derivation)> =
            written.iter().flat_map(|new| &new.derivations).map(|one| (partition, one)).collect();
        let inputs: Vec<(PartitionId, DerivationId, &Input)> = derivations
            .iter()
            .flat_map(|(_, one)| one.inputs.iter().map(move |input| (partition, one.id, input)))
            .collect();
        write_derivations(&mut *self.connection, &derivations, &inputs).await?;
        let rows: Vec<_> = written
            .iter()
            .flat_map(|new| new.source.present.rows.iter().map(move |row| (partition, new.memory.id, row)))
            .collect();
        write_index(&mut *self.connection, &rows, self.embedder).await?;
        let mut log: Vec<(Timestamp, MemoryId, u32)> = Vec::new();
        for new in written {
            for version in new.earlier.iter().chain(std::iter::once(&new.memory)) {
                self.inserts.links(partition, version);
                log.push((version.recorded_at, version.id, version.version));
            }
        }
        log.sort_unstable();
        let pending: HashSet<MemoryId> =
            written.iter().filter(|new| new.is_pending()).map(|new| new.memory.id).collect();
        let turns: HashSet<MemoryId> =
            written.iter().filter(|new| new.turn.is_some()).map(|new| new.memory.id).collect();
        for (_, id, version) in log {
            let seq = self.log_version(partition, ChangeOp::Put, (id, version), set.now);
            let is_first = version == 1;
            let waited = set.queue_for.iter().filter(|_| is_first && pending.contains(&id));
            let restored = set.queue_restored_for.iter().filter(|_| is_first && turns.contains(&id));
            for mechanism in waited.chain(restored) {
                self.inserts.queued(partition, mechanism, seq, id);
            }
        }
        for new in written {
            self.inserts.groups(partition, new.memory.id, &new.source.present.groups);
        }
        self.counters.of(partition).memory_count += written.len() as u64;
        Ok(())
    }

    /// Writes the text of a turn's memory that was edited.
    async fn put_text(&mut self, partition: PartitionId, memory: &Memory) -> Result<(), StoreError> {
        sqlx::query("UPDATE memories SET text = $3 WHERE partition_id = $1 AND id = $2")
            .bind(partition.0)
            .bind(memory.id.0)
            .bind(encode_text(&memory.text))
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

impl Written<'_> {
    /// True for the memory of a turn that has another text than the turn.
    fn has_own_text(&self) -> bool {
        self.turn.as_ref().is_some_and(|(_, _, turn)| turn.text != self.memory.text)
    }

    fn is_pending(&self) -> bool {
        self.source.turn.as_ref().is_some_and(|restored| restored.is_pending)
    }

    /// Text of a version as it is stored: none where it is that of the turn.
    fn stored_text<'m>(&'m self, version: &'m Memory) -> Option<&'m str> {
        let turn = self.turn.as_ref().map(|(_, _, turn)| turn.text.as_str());
        Some(version.text.as_str()).filter(|text| version.kind != Kind::Turn || turn != Some(text))
    }
}

/// A new restoration as it is to be written, with the number of its references that lead nowhere.
fn resolved<'s>(
    ids: &mut RestoredIds<'_>,
    one: &'s Restoration,
    sessions: &mut HashMap<&str, OpenSession>,
) -> (Written<'s>, u32) {
    let old = one.present.memory.id;
    let id = ids.own_memory(old).unwrap_or(old);
    let mut missing = 0_u32;
    let mut new_ids: HashMap<DerivationId, DerivationId> = HashMap::new();
    let mut derivations = Vec::with_capacity(one.derivations.len());
    for derivation in &one.derivations {
        let Some(new) = ids.new_derivation(old, derivation.id) else { continue };
        let (inputs, lost) = ids.inputs(derivation);
        missing = missing.saturating_add(lost);
        new_ids.insert(derivation.id, new);
        derivations.push(Derivation { id: new, inputs, ..derivation.clone() });
    }
    let mut version = |version: &Memory| {
        let (links, lost) = ids.links(id, &version.links);
        missing = missing.saturating_add(lost);
        let derivation = version.derivation.and_then(|old| new_ids.get(&old).copied());
        Memory { id, links, derivation, ..version.clone() }
    };
    let earlier: Vec<Memory> = one.earlier.iter().map(&mut version).collect();
    let mut memory = version(&one.present.memory);
    let turn = one.turn.as_ref().and_then(|restored| {
        let session = sessions.get_mut(restored.session_key.as_str())?;
        let seq = session.place(restored.turn.seq);
        let id = ids.own_turn(restored.turn.id).unwrap_or(restored.turn.id);
        if let Some(origin) = &mut memory.origin {
            (origin.turn, origin.session, origin.seq) = (id, session.id, seq);
        }
        Some((session.id, seq, Turn { id, seq, ..restored.turn.clone() }))
    });
    (Written { source: one, memory, earlier, derivations, turn }, missing)
}

impl OpenSession {
    /// Ordinal of a turn that had `wanted` where it comes from: the same if it is free.
    fn place(&mut self, wanted: u32) -> u32 {
        let seq = if self.taken.contains(&wanted) { self.next } else { wanted };
        self.taken.insert(seq);
        self.next = self.next.max(seq.saturating_add(1));
        self.added = self.added.saturating_add(1);
        seq
    }
}

/// Those of some ordinals that turns of a session have.
async fn taken_among(
    from: &mut Connection,
    session: SessionId,
    ordinals: &[i64],
) -> Result<HashSet<u32>, StoreError> {
    let mut taken = HashSet::new();
    for some in ordinals.chunks(IDS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT seq FROM turns WHERE session_id = ");
        statement.push_bind(session.0).push(" AND seq IN (");
        let mut list = statement.separated(", ");
        let filler = some.len().next_power_of_two() - some.len();
        for ordinal in some.iter().copied().chain(std::iter::repeat_n(-1, filler)) {
            list.push_bind(ordinal);
        }
        list.push_unseparated(")");
        let found: Vec<i64> =
            statement.build_query_scalar().fetch_all(&mut *from).await.map_err(unavailable)?;
        taken.extend(found.into_iter().filter_map(|seq| u32::try_from(seq).ok()));
    }
    Ok(taken)
}

/// Inserts earlier versions.
async fn write_versions(
    to: &mut Connection,
    versions: &[(PartitionId, &Memory, &Written<'_>)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO memory_versions (partition_id, id, version, text, tokens, visibility, subjects, tags, \
                metadata, derivation_id, happened_us, happened_until_us, recorded_us, valid_from_us, valid_to_us, \
                expires_us, importance, links, statement, audience, utc_offset_minutes, annotation) ";
    insert(to, head, versions, &|values, (partition, memory, of)| {
        values
            .push_bind(partition.0)
            .push_bind(memory.id.0)
            .push_bind(i64::from(memory.version))
            .push_bind(of.stored_text(memory).map(|text| encode_text(text).into_owned()))
            .push_bind(i64::from(memory.tokens))
            .push_bind(memory.visibility.as_str())
            .push_bind(names_json(&memory.subjects))
            .push_bind(names_json(&memory.tags))
            .push_bind(metadata_json(&memory.metadata))
            .push_bind(memory.derivation.map(|id| id.0))
            .push_bind(memory.happened.at.as_micros())
            .push_bind(memory.happened.until.map(Timestamp::as_micros))
            .push_bind(memory.recorded_at.as_micros())
            .push_bind(memory.valid.start.map(Timestamp::as_micros))
            .push_bind(memory.valid.end.map(Timestamp::as_micros))
            .push_bind(memory.expires_at.map(Timestamp::as_micros))
            .push_bind(memory.strength.importance)
            .push_bind(links_json(&memory.links))
            .push_bind(statement_json(memory.statement.as_ref()))
            .push_bind(names_json(&memory.audience))
            .push_bind(minutes(memory.happened.offset))
            .push_bind(annotation_json(memory.annotation.as_ref()));
    })
    .await
}
