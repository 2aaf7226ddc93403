//! Sender of the records of an export, in batches of one owner, in two passes over the file.
//!
//! Invariants: what is sent depends only on the file and the answers, so an import that was interrupted is completed by
//! repeating it; memory is bounded, whatever the length of the file.

use std::collections::HashMap;

use uuid::Uuid;

use super::ArchiveRecord;
use crate::client::{Client, Error};
use crate::formats::import_error::ImportError;
use crate::formats::refusal::is_about_data;
use crate::formats::skipped::Skipped;
use crate::wire::{ExportedOwner, ImportRecord, ImportRecords, ItemOutcome, Problem, Scope};

/// Maximum number of records of a batch.
const RECORDS_PER_BATCH: usize = 200;
/// Length of the JSON of a batch in bytes, over which it is sent. One longer record is a batch of its own.
const BYTES_PER_BATCH: usize = 1 << 20;
/// Fields of a request whose refusal is about all of its records.
const FIELDS_OF_ALL: [&str; 4] = ["scope", "thinking", "timezone", "forgetting"];
/// Default of [`ArchiveImport::max_renamed`].
const MAX_RENAMED: usize = 1_000_000;
/// Maximum number of records of a file that can have unresolved references: a bit each.
const MAX_INCOMPLETE: u64 = 1 << 32;

/// Numbers of the records of an export by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ArchiveImported {
    /// Number of turns that are in the store, added or there before.
    pub turns: u64,
    /// Number of other memories that are in the store, added or there before.
    pub memories: u64,
    /// Number of records that this import added.
    pub added: u64,
    /// Number of records that were there before.
    pub existing: u64,
    /// Number of records left out because they were erased earlier; [`ArchiveImport::again`] adds them.
    pub erased: u64,
    /// Number of records left out because the store has others in their place, which stay as they are.
    pub conflicting: u64,
    /// Number of links and inputs of derivations left out, because their target is not in the store.
    pub references_lost: u64,
}

impl ArchiveImported {
    /// Sum of two imports.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            turns: self.turns + other.turns,
            memories: self.memories + other.memories,
            added: self.added + other.added,
            existing: self.existing + other.existing,
            erased: self.erased + other.erased,
            conflicting: self.conflicting + other.conflicting,
            references_lost: self.references_lost + other.references_lost,
        }
    }
}

/// Import of an export in progress.
#[derive(Debug)]
pub struct ArchiveImport<'a> {
    client: &'a Client,
    again: bool,
    strict: bool,
    batch: Vec<ArchiveRecord>,
    batch_bytes: usize,
    /// Owner with the settings that it has been given last: each batch would write them anew.
    settled: Option<ExportedOwner>,
    /// Ids of items that the store has under others.
    renamed: HashMap<Uuid, Uuid>,
    max_renamed: usize,
    /// Records with references that led nowhere in the first pass, by number, one bit each.
    incomplete: Vec<u64>,
    is_second_pass: bool,
    imported: ArchiveImported,
    skipped: Vec<Skipped>,
    /// First conflict of a strict import.
    conflict: Option<Skipped>,
}

impl<'a> ArchiveImport<'a> {
    /// Import into the server of `client`.
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            again: false,
            strict: false,
            batch: Vec::new(),
            batch_bytes: 0,
            settled: None,
            renamed: HashMap::new(),
            max_renamed: MAX_RENAMED,
            incomplete: Vec::new(),
            is_second_pass: false,
            imported: ArchiveImported::default(),
            skipped: Vec::new(),
            conflict: None,
        }
    }

    /// Adds again what was erased.
    #[must_use]
    pub fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// Fails at the first record that the server refuses or that conflicts with one of the store, instead of leaving it out.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Maximum number of items that the store has under other ids and whose ids are kept; references to further ones are
    /// lost, and counted. Default: 1,000,000.
    #[must_use]
    pub fn max_renamed(self, max_renamed: usize) -> Self {
        Self { max_renamed, ..self }
    }

    /// Takes the records that the server has refused since the last call, and those in whose place the store has others.
    pub fn take_skipped(&mut self) -> Vec<Skipped> {
        std::mem::take(&mut self.skipped)
    }

    /// Progress so far. References count as lost once the second pass is over.
    pub fn imported(&self) -> ArchiveImported {
        self.imported
    }

    /// Takes a record of the present pass, and sends the batch before it if that is full.
    ///
    /// # Errors
    /// [`ImportError::Restore`]; the import can be done again. [`ImportError::Conflicting`] if the import is strict.
    pub async fn add(&mut self, record: ArchiveRecord) -> Result<(), ImportError> {
        if self.is_second_pass && !self.is_incomplete(record.number) {
            return Ok(());
        }
        // The wire's types have string keys only: they can always be written.
        let bytes = serde_json::to_vec(&record.record).map_or(0, |json| json.len());
        // Two exports in one file may tell different settings of one owner.
        let is_of_another = self.batch.first().is_some_and(|first| first.owner != record.owner);
        let is_full =
            self.batch.len() >= RECORDS_PER_BATCH || self.batch_bytes.saturating_add(bytes) > BYTES_PER_BATCH;
        if !self.batch.is_empty() && (is_of_another || is_full) {
            self.flush().await?;
        }
        self.batch_bytes = self.batch_bytes.saturating_add(bytes);
        self.batch.push(record);
        Ok(())
    }

    /// Ends a pass over the file. True if the file has to be read a second time.
    ///
    /// # Errors
    /// As [`ArchiveImport::add`].
    pub async fn finish_pass(&mut self) -> Result<bool, ImportError> {
        self.flush().await?;
        let is_needed = !self.is_second_pass && self.incomplete.iter().any(|bits| *bits != 0);
        self.is_second_pass = true;
        Ok(is_needed)
    }

    /// Sends the records that wait for their batch to be full.
    ///
    /// # Errors
    /// As [`ArchiveImport::add`].
    pub async fn flush(&mut self) -> Result<(), ImportError> {
        let mut waiting = vec![std::mem::take(&mut self.batch)];
        self.batch_bytes = 0;
        while let Some(mut batch) = waiting.pop() {
            let Some(first) = batch.first() else { continue };
            let (settings, location) = (first.owner.clone(), first.location.clone());
            let owner = owner_of(&settings.scope);
            let is_settled = self.settled.as_ref() == Some(&settings);
            let records = batch.iter().map(|record| self.with_new_ids(&record.record)).collect();
            let request = request(&settings, !is_settled, records, self.again);
            match self.client.import_records(&request).await {
                Ok(answer) => {
                    self.settled = Some(settings);
                    self.learn(&batch, &answer.records);
                    if let Some(Skipped { location, reason, .. }) = self.conflict.take() {
                        return Err(ImportError::Conflicting { location, reason });
                    }
                }
                Err(Error::Problem(problem)) if !self.strict && is_about_data(&problem) => {
                    let field = problem.field.as_deref().unwrap_or_default();
                    let named = named_record(field);
                    if FIELDS_OF_ALL.into_iter().any(|name| field.starts_with(name)) {
                        // A line of the report tells the owner of a record nowhere else.
                        let all = format!("the server refuses the records of {owner}");
                        batch.iter().for_each(|record| self.skip(record, &problem, &all));
                    } else if let Some(index) = named.filter(|index| *index < batch.len()) {
                        self.refuse(&batch.remove(index), &problem);
                        waiting.push(batch);
                    } else if batch.len() > 1 {
                        let rest = batch.split_off(batch.len() / 2);
                        waiting.extend([rest, batch]);
                    } else if let Some(record) = batch.first() {
                        self.refuse(record, &problem);
                    }
                }
                Err(source) => return Err(ImportError::Restore { location, owner, source }),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, record: &ArchiveRecord, problem: &Problem) {
        self.skip(record, problem, "the server refuses it");
    }

    fn skip(&mut self, record: &ArchiveRecord, problem: &Problem, refusal: &str) {
        if self.is_second_pass {
            return;
        }
        let location = record.location.at(problem.field.clone().unwrap_or_default());
        self.skipped.push(Skipped::new(location, &format!("{refusal}: {}", problem.detail)));
    }

    /// Takes over the answers to a batch.
    fn learn(&mut self, batch: &[ArchiveRecord], answers: &[crate::wire::ImportedRecord]) {
        for (sent, answer) in batch.iter().zip(answers) {
            let missing = u64::from(answer.missing);
            if self.is_second_pass {
                self.imported.references_lost += missing;
                continue;
            }
            if missing > 0 && !self.mark_incomplete(sent.number) {
                self.imported.references_lost += missing;
            }
            let record = &sent.record;
            self.rename(record.memory.id, answer.memory_id);
            if let Some(turn) = &record.turn {
                self.rename(turn.origin.turn_id, answer.turn_id);
            }
            match answer.outcome {
                ItemOutcome::Created => self.imported.added += 1,
                ItemOutcome::Existing => self.imported.existing += 1,
                ItemOutcome::Conflicting => {
                    self.imported.conflicting += 1;
                    let reason = format!("the store has another record in place of {}", record.memory.id);
                    let conflict = Skipped::new(sent.location.clone(), &reason);
                    match self.strict {
                        true => self.conflict = self.conflict.take().or(Some(conflict)),
                        false => self.skipped.push(conflict),
                    }
                }
                ItemOutcome::Erased => self.imported.erased += 1,
            }
            if matches!(answer.outcome, ItemOutcome::Created | ItemOutcome::Existing) {
                match record.turn {
                    Some(_) => self.imported.turns += 1,
                    None => self.imported.memories += 1,
                }
            }
        }
    }

    fn rename(&mut self, old: Uuid, new: Option<Uuid>) {
        if let Some(new) = new.filter(|new| *new != old && self.renamed.len() < self.max_renamed) {
            self.renamed.insert(old, new);
        }
    }

    /// The record with the ids that the store has for its references. Its own ids stay: by them the store knows it again.
    fn with_new_ids(&self, record: &ImportRecord) -> ImportRecord {
        let mut record = record.clone();
        if self.renamed.is_empty() {
            return record;
        }
        let own = [Some(record.memory.id), record.turn.as_ref().map(|turn| turn.origin.turn_id)];
        let rename = |id: &mut Uuid| {
            if let Some(new) = self.renamed.get(id).filter(|_| !own.contains(&Some(*id))) {
                *id = *new;
            }
        };
        let versions = record.history.earlier.iter_mut().chain([&mut record.memory]);
        versions.flat_map(|version| &mut version.links).for_each(|link| rename(&mut link.to));
        for input in record.history.derivations.iter_mut().flat_map(|made| &mut made.record.inputs) {
            input.turn_id.iter_mut().chain(&mut input.memory_id).for_each(rename);
        }
        record
    }

    /// False if the record is beyond the bound.
    fn mark_incomplete(&mut self, number: u64) -> bool {
        let Some((word, bit)) = place(number) else { return false };
        if self.incomplete.len() <= word {
            self.incomplete.resize(word + 1, 0);
        }
        if let Some(bits) = self.incomplete.get_mut(word) {
            *bits |= 1 << bit;
        }
        true
    }

    fn is_incomplete(&self, number: u64) -> bool {
        place(number)
            .is_some_and(|(word, bit)| self.incomplete.get(word).is_some_and(|bits| (*bits >> bit) & 1 == 1))
    }
}

/// Kind and id of an owner.
fn owner_of(scope: &Scope) -> String {
    let Scope { user_id, agent_id, app_id, run_id } = scope;
    let ids = [("user", user_id), ("agent", agent_id), ("app", app_id), ("run", run_id)];
    let named = ids.into_iter().filter_map(|(kind, id)| Some(format!("{kind} {}", id.as_ref()?)));
    named.collect::<Vec<_>>().join(", ")
}

/// Request that gives an owner these records, and its settings besides if they are to be written.
fn request(
    owner: &ExportedOwner,
    has_settings: bool,
    records: Vec<ImportRecord>,
    again: bool,
) -> ImportRecords {
    let given = if has_settings { owner.clone() } else { owner.without_settings() };
    let ExportedOwner { scope, thinking, timezone, forgetting, forgetting_checked_at } = given;
    ImportRecords { scope, thinking, timezone, forgetting, forgetting_checked_at, records, again }
}

/// Word and bit of a record.
fn place(number: u64) -> Option<(usize, u32)> {
    let bounded = Some(number).filter(|number| *number < MAX_INCOMPLETE)?;
    Some((usize::try_from(bounded / 64).ok()?, u32::try_from(bounded % 64).ok()?))
}

/// Position of the record in a field such as `records[3].memory.text`.
fn named_record(field: &str) -> Option<usize> {
    field.strip_prefix("records[")?.split(']').next()?.parse().ok()
}
