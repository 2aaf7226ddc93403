//! A partition in memory: columns for filters, fp16 rows for dense retrieval, an inverted index for BM25. Synchronous;
//! [`super::EmbeddedIndex`] loads partitions and chooses the thread.
//!
//! Memories are numbered by ordinal (in the columns, and as groups of the scan), rows by row number (the same in the scan
//! and in BM25). Both only grow: replaced and erased ones are dead until the partition is read anew.

pub(super) mod image;

use std::sync::Arc;

use gpu_retrieval::{Decay, Row, Rows, RowsError, ScanBackend};
use half::f16;

use super::bitmap::Bitmap;
use super::cold::{ColdMemories, ColdMemory};
use super::columns::Columns;
use super::heap_size;
use super::lexical::LexicalIndex;
use crate::domain::forgotten::Forgotten;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Memory, Strength};
use crate::index::{IndexError, TurnPosition, Update, View};
use crate::retention::{Curve, NoForgetting, Policy};
use crate::store::{Indexed, Retained, StoreError, leave_out};
use crate::text::TermVector;

/// Tier of a partition in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Tier {
    /// All memories but the cold ones.
    #[default]
    Resident,
    /// All memories, for queries that ask for cold ones.
    Whole,
}

/// A partition in memory.
#[derive(Debug)]
pub(super) struct Partition {
    seq: u64,
    tier: Tier,
    /// The cold memories, in the resident tier; the whole one has them like all others.
    pub(super) cold: ColdMemories,
    pub(super) columns: Columns,
    pub(super) dense: Box<dyn ScanBackend>,
    pub(super) lexical: LexicalIndex,
    pub(super) rows: Vec<RowEntry>,
    pub(super) row_alive: Bitmap,
    /// By ordinal: true if the memory ends with a question.
    pub(super) ends_with_question: Bitmap,
    /// By ordinal: its first row.
    first_row: Vec<u32>,
    /// The policy whose decay the rows hold.
    pub(super) policy: Arc<Policy>,
}

/// A row: one chunk of a memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowEntry {
    /// Its byte range in the memory's text.
    pub(super) span: (u32, u32),
    pub(super) has_vector: bool,
}

impl Partition {
    /// An empty partition whose vectors will have `dimension` components. Rows hold the decay of
    /// `policy`.
    pub(super) fn new(dimension: usize, policy: Arc<Policy>) -> Result<Self, IndexError> {
        Ok(Self {
            seq: 0,
            tier: Tier::Resident,
            cold: ColdMemories::default(),
            columns: Columns::default(),
            dense: scan_backend(dimension)?,
            lexical: LexicalIndex::default(),
            rows: Vec::new(),
            row_alive: Bitmap::default(),
            ends_with_question: Bitmap::default(),
            first_row: Vec::new(),
            policy,
        })
    }

    /// The empty partition, of a tier.
    pub(super) fn of_tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    /// The number of the change log that this state reflects.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn set_seq(&mut self, seq: u64) {
        self.columns.traces.settle();
        self.seq = seq;
    }

    /// Applies a commit's update. An update that it has already is ignored. After an error it may be half applied.
    pub(super) fn apply(&mut self, update: &Update) -> Result<(), IndexError> {
        if update.seq_after <= self.seq {
            return Ok(());
        }
        // A vector of another length in a commit is a defect, unlike one in a stored row, which is left out.
        let expected = self.dense.dims();
        let vectors = update.put.iter().flat_map(|one| &one.rows).filter_map(|row| row.vector.as_deref());
        if let Some(other) = vectors.into_iter().find(|vector| vector.len() != expected) {
            return Err(IndexError::Dimension { expected, found: other.len() });
        }
        for indexed in &update.put {
            self.put(indexed)?;
        }
        for touched in &update.touched {
            self.touch(touched)?;
        }
        for id in &update.erased {
            self.cold.remove(*id);
            if let Some(ordinal) = self.columns.erase(*id) {
                self.kill_rows(ordinal)?;
            }
        }
        self.set_seq(update.seq_after);
        Ok(())
    }

    /// Adds a memory, or its new version.
    pub(super) fn put(&mut self, indexed: &Indexed) -> Result<(), IndexError> {
        let Memory { id, kind, version, strength, .. } = &indexed.memory;
        if let Some(record) = self.cold_record(strength, indexed.memory.forgotten.as_ref()) {
            let cold = ColdMemory::new(*kind, *version, strength, record);
            return self.leave(*id, cold);
        }
        self.cold.remove(*id);
        let (ordinal, before) = self.columns.put(&indexed.memory);
        if let Some(before) = before {
            self.kill_rows(before)?;
        }
        self.first_row.push(u32::try_from(self.rows.len()).map_err(|_| IndexError::Full)?);
        let group = self.dense.add_group(indexed.memory.id.0.as_u128()).map_err(|_| IndexError::Full)?;
        debug_assert_eq!(group, ordinal, "ordinals and groups are counted alike");
        let mut ends_with_question = false;
        for row in &indexed.rows {
            ends_with_question = self.put_row(ordinal, &indexed.memory, row)?;
        }
        self.ends_with_question.push(ends_with_question);
        Ok(())
    }

    /// The record of a memory that is to be cold here.
    fn cold_record<'a>(&self, strength: &Strength, record: Option<&'a Forgotten>) -> Option<&'a Forgotten> {
        record.filter(|_| self.tier == Tier::Resident && strength.is_cold(record))
    }

    /// Makes a memory cold: its rows leave, as those of an erased one.
    fn leave(&mut self, id: MemoryId, cold: ColdMemory) -> Result<(), IndexError> {
        self.cold.insert(id, cold);
        match self.columns.erase(id) {
            Some(ordinal) => self.kill_rows(ordinal),
            None => Ok(()),
        }
    }

    /// True if the update can be applied: it follows this state, or is known, and it has the rows of the cold memories that it
    /// brings back.
    pub(super) fn takes(&self, update: &Update) -> bool {
        let is_known = update.seq_after <= self.seq;
        is_known || update.seq_before <= self.seq && self.restored_by(update).is_empty()
    }

    /// The cold memories that an update brings back and has no rows of.
    pub(super) fn restored_by(&self, update: &Update) -> Vec<MemoryId> {
        let is_put = |id: MemoryId| update.put.iter().any(|one| one.memory.id == id);
        let restored = update.touched.iter().filter(|one| self.restores(one) && !is_put(one.memory));
        restored.map(|one| one.memory).collect()
    }

    /// True if this retention brings back a cold memory.
    pub(super) fn restores(&self, touched: &Retained) -> bool {
        self.cold.has(touched.memory) && !touched.strength.is_cold(touched.forgotten.as_ref())
    }

    /// Sets the trace of a memory, and the decay of its rows. A memory that becomes cold leaves.
    pub(super) fn touch(&mut self, touched: &Retained) -> Result<(), IndexError> {
        if let Some(record) = self.cold_record(&touched.strength, touched.forgotten.as_ref()) {
            let known = self.cold.get(touched.memory).map(|cold| (cold.kind, cold.version));
            let held = || {
                let ordinal = self.columns.ordinal(touched.memory)?;
                Some((self.columns.traces.kind(ordinal)?, self.columns.version(ordinal)))
            };
            let Some((kind, version)) = known.or_else(held) else { return Ok(()) };
            return self.leave(touched.memory, ColdMemory::new(kind, version, &touched.strength, record));
        }
        let Some(ordinal) = self.columns.ordinal(touched.memory) else { return Ok(()) };
        let Some(kind) = self.columns.traces.kind(ordinal) else { return Ok(()) };
        self.columns.traces.set(ordinal, &touched.strength, touched.forgotten.as_ref());
        let decay = decay(&self.policy, kind, &touched.strength);
        for row in self.rows_of(ordinal) {
            let has_vector = self.rows.get(row as usize).is_some_and(|entry| entry.has_vector);
            if has_vector {
                let set = self.dense.set_decay(row, decay);
                set.map_err(|error| IndexError::Unscorable(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// Adds a row; returns true if its text ends with a question. A row whose terms or vector are damaged is left out:
    /// the memory is found by its other rows.
    fn put_row(
        &mut self,
        ordinal: u32,
        memory: &Memory,
        row: &crate::domain::change::IndexRow,
    ) -> Result<bool, IndexError> {
        let decay = decay(&self.policy, memory.kind, &memory.strength);
        let placeholder;
        let vector = match row.vector.as_deref() {
            Some(vector) => vector, // the scan refuses one of another length
            None => {
                placeholder = unit_placeholder(self.dense.dims());
                &placeholder
            }
        };
        let terms = match TermVector::decode(&row.terms) {
            Ok(terms) => terms,
            Err(error) => {
                leave_out(1, &unreadable(memory.id, "terms", &error));
                return Ok(false);
            }
        };
        let number = match self.dense.push(&Row { vector, group: ordinal, ordinal: row.chunk, decay }) {
            Ok(number) => number,
            Err(RowsError::Full) => return Err(IndexError::Full),
            Err(error) => {
                leave_out(1, &unreadable(memory.id, "vector", &error));
                return Ok(false);
            }
        };
        if row.vector.is_none() {
            // Keeps row numbers of scan and BM25 equal; a dead row is never scored.
            self.dense.delete(number).map_err(|error| IndexError::Unscorable(error.to_string()))?;
        }
        self.lexical.insert(number, ordinal, &terms).map_err(|_| IndexError::Full)?;
        self.rows.push(RowEntry { span: row.span, has_vector: row.vector.is_some() });
        self.row_alive.push(true);
        Ok(terms.ends_with_question())
    }

    fn kill_rows(&mut self, ordinal: u32) -> Result<(), IndexError> {
        for row in self.rows_of(ordinal) {
            self.row_alive.clear(row as usize);
            self.lexical.remove(row);
            self.dense.delete(row).map_err(|error| IndexError::Unscorable(error.to_string()))?;
        }
        Ok(())
    }

    pub(super) fn rows_of(&self, ordinal: u32) -> std::ops::Range<u32> {
        let start = self.first_row.get(ordinal as usize).copied().unwrap_or(0);
        let all = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        start..self.first_row.get(ordinal as usize + 1).copied().unwrap_or(all)
    }

    /// Number of rows, dead ones included.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// True if so many memories are dead that it should be read anew.
    pub(super) fn is_worn(&self) -> bool {
        const FEW: usize = 4_096;
        self.columns.len() > FEW && self.columns.live() < self.columns.len() / 2
    }

    /// Number of memories, cold ones included.
    pub(super) fn memories(&self) -> u64 {
        (self.columns.live() + self.cold.len()) as u64
    }

    /// True if it has this memory, or knows it as cold.
    pub(super) fn has(&self, memory: MemoryId) -> bool {
        self.columns.ordinal(memory).is_some() || self.cold.has(memory)
    }

    /// Approximate heap size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.columns.bytes()
            + self.cold.bytes()
            + self.dense.bytes()
            + self.lexical.bytes()
            + heap_size::of_vec(&self.rows)
            + self.row_alive.bytes()
            + self.ends_with_question.bytes()
            + heap_size::of_vec(&self.first_row)
    }

    /// The visible rows; none if all live rows are visible.
    pub(super) fn row_mask(&self, view: &View) -> Option<Bitmap> {
        if self.columns.hides_nothing(view) {
            return None;
        }
        let mut rows = Bitmap::none(self.rows.len());
        for ordinal in self.columns.visible(view).iter() {
            for row in self.rows_of(u32::try_from(ordinal).unwrap_or(u32::MAX)) {
                rows.set(row as usize);
            }
        }
        Some(rows)
    }

    /// The visible turns at these positions.
    pub(super) fn turns_at(&self, positions: &[TurnPosition], view: &View) -> Vec<(TurnPosition, MemoryId)> {
        let visible = (!self.columns.hides_nothing(view)).then(|| self.columns.visible(view));
        let turn_at = |position: &TurnPosition| {
            let ordinal = self.columns.turn_at(*position)?;
            let is_visible = visible.as_ref().is_none_or(|visible| visible.contains(ordinal as usize));
            is_visible.then(|| self.columns.id(ordinal)).flatten().map(|id| (*position, id))
        };
        positions.iter().filter_map(turn_at).collect()
    }

    /// Id and version of each memory, cold ones included, which a check compares with the store's.
    pub(super) fn versions(&self) -> Vec<(MemoryId, u32)> {
        let mut versions: Vec<(MemoryId, u32)> = self
            .columns
            .alive()
            .iter()
            .filter_map(|ordinal| {
                let ordinal = u32::try_from(ordinal).ok()?;
                Some((self.columns.id(ordinal)?, self.columns.version(ordinal)))
            })
            .chain(self.cold.versions())
            .collect();
        versions.sort_unstable();
        versions
    }
}

/// The only place that chooses a scan back end.
fn scan_backend(dimension: usize) -> Result<Box<dyn ScanBackend>, IndexError> {
    let rows = Rows::new(dimension).map_err(|error| IndexError::Unscorable(error.to_string()))?;
    Ok(Box::new(rows))
}

fn unit_placeholder(dimension: usize) -> Vec<f16> {
    let mut vector = vec![f16::ZERO; dimension];
    if let Some(first) = vector.first_mut() {
        *first = f16::ONE;
    }
    vector
}

fn unreadable(memory: MemoryId, column: &'static str, why: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt { table: "index_rows", column, row: format!("{memory}: {why}") }
}

/// Decay parameters of the rows of a memory. Those of a curve that the scan does not know are not read.
fn decay(policy: &Policy, kind: Kind, strength: &Strength) -> Decay {
    let trace = policy.trace(kind, strength);
    policy.curve.decay(&trace).or_else(|| NoForgetting.decay(&trace)).unwrap_or_default()
}
