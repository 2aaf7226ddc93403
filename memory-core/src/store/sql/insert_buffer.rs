//! Buffer of the rows that a transaction has yet to insert, over all its change sets, by table.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::bulk::{insert, insert_missing, insert_runs};
use super::dialect::encode_text;
use super::rows::{metadata_json, minutes, names_json, uses_bytes, vector_bytes};
use super::stored_annotation::annotation_json;
use super::stored_links::links_json;
use super::stored_statement::statement_json;
use super::{Connection, StoreError};
use crate::domain::change::{IndexRow, NewMemory};
use crate::domain::derivation::{Derivation, Input, Source};
use crate::domain::forgotten::Forgotten;
use crate::domain::group::GroupKey;
use crate::domain::id::{DerivationId, MemoryId, PartitionId, SessionId};
use crate::domain::link::Link;
use crate::domain::memory::{Kind, Memory};
use crate::domain::name::Name;
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::store::ChangeOp;

/// Buffered rows. They borrow from the change sets: no text is copied before it reaches the database, except for a
/// memory whose links were redirected.
#[derive(Default)]
pub(super) struct InsertBuffer<'a> {
    turns: Vec<(PartitionId, SessionId, u32, &'a Turn)>,
    memories: Vec<(PartitionId, Cow<'a, Memory>, Option<&'a Name>)>,
    derivations: Vec<(PartitionId, &'a Derivation)>,
    inputs: Vec<(PartitionId, DerivationId, &'a Input)>,
    link_targets: Vec<(PartitionId, MemoryId, MemoryId)>,
    index_rows: Vec<(PartitionId, MemoryId, &'a IndexRow)>,
    changes: Vec<Change>,
    groups: Vec<(PartitionId, &'a GroupKey, MemoryId)>,
    queued: Vec<(PartitionId, &'static str, u64, MemoryId)>,
}

/// Entry of the change log.
pub(super) struct Change {
    pub(super) partition: PartitionId,
    pub(super) seq: u64,
    pub(super) op: ChangeOp,
    pub(super) memory: MemoryId,
    pub(super) version: u32,
    pub(super) now: Timestamp,
}

/// Distinct memories that a memory links to.
pub(super) fn link_targets(memory: &Memory) -> BTreeSet<MemoryId> {
    memory.links.iter().map(|link| link.to).collect()
}

impl<'a> InsertBuffer<'a> {
    pub(super) fn turn(&mut self, partition: PartitionId, session: SessionId, seq: u32, turn: &'a Turn) {
        self.turns.push((partition, session, seq, turn));
    }

    /// Adds a new memory. `memory` is the one of `new` as it is to be written.
    pub(super) fn memory(&mut self, partition: PartitionId, memory: Cow<'a, Memory>, new: &'a NewMemory) {
        self.links(partition, &memory);
        self.rows(partition, memory.id, &new.rows);
        self.groups(partition, memory.id, &new.groups);
        self.memories.push((partition, memory, new.key.as_ref()));
    }

    /// Adds the link targets of a memory. The list of links is not written here: it is in the memory's row.
    pub(super) fn links(&mut self, partition: PartitionId, memory: &Memory) {
        self.link_targets.extend(link_targets(memory).into_iter().map(|to| (partition, to, memory.id)));
    }

    /// Adds link targets of a memory.
    pub(super) fn targets(&mut self, partition: PartitionId, memory: MemoryId, links: &[Link]) {
        self.link_targets.extend(links.iter().map(|link| (partition, link.to, memory)));
    }

    pub(super) fn rows(&mut self, partition: PartitionId, memory: MemoryId, rows: &'a [IndexRow]) {
        self.index_rows.extend(rows.iter().map(|row| (partition, memory, row)));
    }

    pub(super) fn derivation(&mut self, partition: PartitionId, derivation: &'a Derivation) {
        self.derivations.push((partition, derivation));
        self.inputs.extend(derivation.inputs.iter().map(|input| (partition, derivation.id, input)));
    }

    pub(super) fn groups(&mut self, partition: PartitionId, memory: MemoryId, groups: &'a [GroupKey]) {
        self.groups.extend(groups.iter().map(|group| (partition, group, memory)));
    }

    /// Adds a turn to the queue of a mechanism. `seq` is its number in the change log.
    pub(super) fn queued(
        &mut self,
        partition: PartitionId,
        mechanism: &'static str,
        seq: u64,
        memory: MemoryId,
    ) {
        self.queued.push((partition, mechanism, seq, memory));
    }

    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Inserts all rows and empties the buffer.
    pub(super) async fn write(&mut self, to: &mut Connection, embedder: i64) -> Result<(), StoreError> {
        let rows = std::mem::take(self);
        write_turns(to, &rows.turns).await?;
        write_memories(to, &rows.memories).await?;
        write_link_targets(to, &rows.link_targets).await?;
        write_derivations(to, &rows.derivations, &rows.inputs).await?;
        write_index(to, &rows.index_rows, embedder).await?;
        write_changes(to, &rows.changes).await?;
        write_groups(to, &rows.groups).await?;
        write_queued(to, &rows.queued).await
    }
}

pub(super) async fn write_turns(
    to: &mut Connection,
    turns: &[(PartitionId, SessionId, u32, &Turn)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO turns (partition_id, id, session_id, seq, key, role, author, text, said_us, recorded_us, \
                participants, place, metadata, position, utc_offset_minutes) ";
    insert(to, head, turns, &|values, (partition, session, seq, turn)| {
        values
            .push_bind(partition.0)
            .push_bind(turn.id.0)
            .push_bind(session.0)
            .push_bind(i64::from(*seq))
            .push_bind(turn.key.as_ref().map(|name| name.as_str().to_owned()))
            .push_bind(turn.role.as_str())
            .push_bind(turn.author.as_ref().map(|name| name.as_str().to_owned()))
            .push_bind(encode_text(&turn.text).into_owned())
            .push_bind(turn.said_at.as_micros())
            .push_bind(turn.recorded_at.as_micros())
            .push_bind(names_json(&turn.participants))
            .push_bind(turn.place.as_ref().map(|name| name.as_str().to_owned()))
            .push_bind(metadata_json(&turn.metadata))
            .push_bind(turn.position.map(i64::from))
            .push_bind(minutes(turn.utc_offset));
    })
    .await
}

pub(super) async fn write_memories(
    to: &mut Connection,
    memories: &[(PartitionId, Cow<'_, Memory>, Option<&Name>)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO memories (partition_id, id, version, kind, text, tokens, agent_id, app_id, run_id, \
                visibility, subjects, tags, metadata, namespace, key, turn_id, derivation_id, happened_us, \
                happened_until_us, recorded_us, created_us, valid_from_us, valid_to_us, expires_us, importance, \
                strength, refreshed_us, links, statement, audience, own_key, utc_offset_minutes, \
                annotation, uses, pinned, nearest_cosine) ";
    insert(to, head, memories, &|values, (partition, memory, key)| {
        let document = memory.document.as_ref();
        values
            .push_bind(partition.0)
            .push_bind(memory.id.0)
            .push_bind(i64::from(memory.version))
            .push_bind(memory.kind.as_str())
            .push_bind((memory.kind != Kind::Turn).then(|| encode_text(&memory.text).into_owned()))
            .push_bind(i64::from(memory.tokens))
            .push_bind(memory.agent.as_ref().map(|name| name.as_str().to_owned()))
            .push_bind(memory.app.as_ref().map(|name| name.as_str().to_owned()))
            .push_bind(memory.run.as_ref().map(|name| name.as_str().to_owned()))
            .push_bind(memory.visibility.as_str())
            .push_bind(names_json(&memory.subjects))
            .push_bind(names_json(&memory.tags))
            .push_bind(metadata_json(&memory.metadata))
            .push_bind(document.map(|document| document.namespace.as_str().to_owned()))
            .push_bind(document.map(|document| document.key.as_str().to_owned()))
            .push_bind(memory.origin.as_ref().map(|origin| origin.turn.0))
            .push_bind(memory.derivation.map(|id| id.0))
            .push_bind(memory.happened.at.as_micros())
            .push_bind(memory.happened.until.map(Timestamp::as_micros))
            .push_bind(memory.recorded_at.as_micros())
            .push_bind(memory.created_at.as_micros())
            .push_bind(memory.valid.start.map(Timestamp::as_micros))
            .push_bind(memory.valid.end.map(Timestamp::as_micros))
            .push_bind(memory.expires_at.map(Timestamp::as_micros))
            .push_bind(memory.strength.importance)
            .push_bind(f64::from(memory.strength.strength))
            .push_bind(memory.strength.learned_at.as_micros())
            .push_bind(links_json(&memory.links))
            .push_bind(statement_json(memory.statement.as_ref()))
            .push_bind(names_json(&memory.audience))
            .push_bind(key.map(|name| name.as_str().to_owned()))
            .push_bind(minutes(memory.happened.offset))
            .push_bind(annotation_json(memory.annotation.as_ref()))
            .push_bind(uses_bytes(&memory.strength.uses))
            .push_bind(memory.strength.pinned)
            .push_bind(memory.strength.nearest_cosine.map(f64::from));
    })
    .await?;
    let forgotten: Vec<_> = memories
        .iter()
        .filter_map(|(partition, memory, _)| Some((*partition, memory.id, memory.forgotten.as_ref()?)))
        .collect();
    write_forgotten(to, &forgotten).await
}

/// Inserts records of forgetting. A record replaces the one that its memory has.
pub(super) async fn write_forgotten(
    to: &mut Connection,
    forgotten: &[(PartitionId, MemoryId, &Forgotten)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO forgotten (partition_id, memory_id, forgotten_us, recorded_us, reason, effect, curve, \
                retention, threshold) ";
    let tail = " ON CONFLICT (partition_id, memory_id) DO UPDATE SET forgotten_us = excluded.forgotten_us, \
                recorded_us = excluded.recorded_us, reason = excluded.reason, effect = excluded.effect, \
                curve = excluded.curve, retention = excluded.retention, threshold = excluded.threshold";
    insert_runs(to, (head, tail), forgotten, &|values, (partition, memory, record)| {
        values
            .push_bind(partition.0)
            .push_bind(memory.0)
            .push_bind(record.since.as_micros())
            .push_bind(record.recorded_at.as_micros())
            .push_bind(record.reason.as_str())
            .push_bind(record.effect.as_str())
            .push_bind(record.curve.clone())
            .push_bind(record.retention)
            .push_bind(record.threshold);
    })
    .await
}

/// Skips existing rows, since an earlier version may have the same targets.
async fn write_link_targets(
    to: &mut Connection,
    targets: &[(PartitionId, MemoryId, MemoryId)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO link_targets (partition_id, to_id, from_id) ";
    insert_missing(to, head, targets, &|values, (partition, to, from)| {
        values.push_bind(partition.0).push_bind(to.0).push_bind(from.0);
    })
    .await
}

pub(super) async fn write_derivations(
    to: &mut Connection,
    derivations: &[(PartitionId, &Derivation)],
    inputs: &[(PartitionId, DerivationId, &Input)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO derivations (id, partition_id, maker, model, prompt, job_id, made_us) ";
    insert(to, head, derivations, &|values, (partition, derivation)| {
        let maker = &derivation.maker;
        values
            .push_bind(derivation.id.0)
            .push_bind(partition.0)
            .push_bind(encode_text(&maker.name).into_owned())
            .push_bind(maker.model.as_deref().map(|text| encode_text(text).into_owned()))
            .push_bind(maker.prompt.as_deref().map(|text| encode_text(text).into_owned()))
            .push_bind(derivation.job.map(|id| id.0))
            .push_bind(derivation.made_at.as_micros());
    })
    .await?;
    write_inputs(to, inputs).await
}

pub(super) async fn write_inputs(
    to: &mut Connection,
    inputs: &[(PartitionId, DerivationId, &Input)],
) -> Result<(), StoreError> {
    let head =
        "INSERT INTO derivation_inputs (partition_id, source_id, derivation_id, source_kind, is_evidence) ";
    insert(to, head, inputs, &|values, (partition, derivation, input)| {
        let (kind, id) = match input.source {
            Source::Turn(id) => ("turn", id.0),
            Source::Memory(id) => ("memory", id.0),
        };
        values
            .push_bind(partition.0)
            .push_bind(id)
            .push_bind(derivation.0)
            .push_bind(kind)
            .push_bind(input.is_evidence);
    })
    .await
}

pub(super) async fn write_index(
    to: &mut Connection,
    rows: &[(PartitionId, MemoryId, &IndexRow)],
    embedder: i64,
) -> Result<(), StoreError> {
    let head = "INSERT INTO index_rows (partition_id, embedder_id, memory_id, key_kind, chunk, span_start, \
                span_end, terms, vector) ";
    insert(to, head, rows, &|values, (partition, memory, row)| {
        values
            .push_bind(partition.0)
            .push_bind(embedder)
            .push_bind(memory.0)
            .push_bind(row.key.code())
            .push_bind(i64::from(row.chunk))
            .push_bind(i64::from(row.span.0))
            .push_bind(i64::from(row.span.1))
            .push_bind(row.terms.to_vec())
            .push_bind(row.vector.as_deref().map(vector_bytes));
    })
    .await
}

async fn write_changes(to: &mut Connection, changes: &[Change]) -> Result<(), StoreError> {
    let head = "INSERT INTO changes (partition_id, seq, op, memory_id, version, recorded_us) ";
    insert(to, head, changes, &|values, change| {
        values
            .push_bind(change.partition.0)
            .push_bind(change.seq.cast_signed())
            .push_bind(change.op.code())
            .push_bind(change.memory.0)
            .push_bind(i64::from(change.version))
            .push_bind(change.now.as_micros());
    })
    .await
}

/// Skips existing rows, since a list may name a group twice.
async fn write_groups(
    to: &mut Connection,
    groups: &[(PartitionId, &GroupKey, MemoryId)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO memory_groups (partition_id, group_key, memory_id) ";
    insert_missing(to, head, groups, &|values, (partition, group, memory)| {
        values.push_bind(partition.0).push_bind(group.as_str().to_owned()).push_bind(memory.0);
    })
    .await
}

/// Skips existing rows, since a set may name a mechanism twice.
async fn write_queued(
    to: &mut Connection,
    queued: &[(PartitionId, &'static str, u64, MemoryId)],
) -> Result<(), StoreError> {
    let head = "INSERT INTO thinking_queue (partition_id, mechanism, seq, memory_id) ";
    insert_missing(to, head, queued, &|values, (partition, mechanism, seq, memory)| {
        values.push_bind(partition.0).push_bind(*mechanism).push_bind(seq.cast_signed()).push_bind(memory.0);
    })
    .await
}
