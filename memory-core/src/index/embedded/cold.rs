//! Cold memories of a partition: those that have left the resident index. Of each there is left what a forgetting curve is a
//! function of, so that a query knows whether it sees one of them, and the partition can be read with all of them.

use std::collections::HashMap;
use std::io;

use parking_lot::RwLock;

use super::heap_size;
use super::segment::stream::{SectionReader, SectionWriter, damaged};
use crate::domain::forgotten::Forgotten;
use crate::domain::id::MemoryId;
use crate::domain::memory::{Kind, Strength};
use crate::domain::time::Timestamp;
use crate::domain::uses::{MAX_ENCODED_BYTES, Uses};
use crate::index::{Forgetting, View};
use crate::retention::Policy;

/// Bit of the flags of a written cold memory: its record alone says that it is forgotten (evicted or drawn).
const BY_RECORD: u8 = 1;

/// Cold memories by id.
#[derive(Debug, Default)]
pub(super) struct ColdMemories {
    by_id: HashMap<MemoryId, ColdMemory>,
    /// Policy of the latest query, and the moment from which all are forgotten under it, in microseconds.
    all_forgotten: RwLock<Option<(Policy, i64)>>,
    bytes_of_uses: usize,
}

/// A cold memory.
#[derive(Debug)]
pub(super) struct ColdMemory {
    pub(super) kind: Kind,
    pub(super) version: u32,
    strength: Strength,
    /// Moment of fading, of eviction or of the draw.
    since: Timestamp,
    is_by_record: bool,
}

impl ColdMemory {
    pub(super) fn new(kind: Kind, version: u32, strength: &Strength, record: &Forgotten) -> Self {
        Self {
            kind,
            version,
            strength: strength.clone(),
            since: record.since,
            is_by_record: record.reason.is_by_record(),
        }
    }

    /// True if it is forgotten at `now` under a policy that hides forgotten memories. A cold memory is never pinned.
    fn is_forgotten(&self, id: MemoryId, policy: &Policy, now: Timestamp) -> bool {
        let has_faded = || {
            let trace = policy.trace(self.kind, &self.strength);
            policy.fades_at(id, &trace, now).is_some_and(|at| at <= now)
        };
        self.is_by_record && self.since <= now || has_faded()
    }

    fn bytes_of_uses(&self) -> usize {
        match self.strength.uses.newest() {
            [] => 0,
            newest => size_of_val(newest) + heap_size::PIECE_BYTES,
        }
    }

    /// Moment from which it is forgotten under a policy; [`Timestamp::MAX`] for never. It may be forgotten earlier.
    fn forgotten_from(&self, id: MemoryId, policy: &Policy) -> Timestamp {
        if self.is_by_record {
            return self.since;
        }
        let newest = self.strength.uses.last().map_or(Timestamp::MIN, |newest| newest.at);
        let trace = policy.trace(self.kind, &self.strength);
        policy.fades_at(id, &trace, Timestamp::MAX).map_or(Timestamp::MAX, |at| at.max(newest))
    }
}

impl ColdMemories {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn has(&self, id: MemoryId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn get(&self, id: MemoryId) -> Option<&ColdMemory> {
        self.by_id.get(&id)
    }

    pub(super) fn insert(&mut self, id: MemoryId, memory: ColdMemory) {
        self.remove(id);
        if let Some((policy, latest)) = self.all_forgotten.get_mut() {
            *latest = (*latest).max(memory.forgotten_from(id, policy).as_micros());
        }
        self.bytes_of_uses += memory.bytes_of_uses();
        self.by_id.insert(id, memory);
    }

    pub(super) fn remove(&mut self, id: MemoryId) {
        let Some(removed) = self.by_id.remove(&id) else { return };
        self.bytes_of_uses -= removed.bytes_of_uses();
        let is_latest =
            |(policy, latest): &mut (Policy, i64)| removed.forgotten_from(id, policy).as_micros() >= *latest;
        self.all_forgotten.get_mut().take_if(is_latest);
    }

    /// Id and version of each.
    pub(super) fn versions(&self) -> impl Iterator<Item = (MemoryId, u32)> + '_ {
        self.by_id.iter().map(|(id, memory)| (*id, memory.version))
    }

    /// True if the view may see one of them: forgotten memories pass it, or one is not forgotten at its time under its policy. A
    /// view without a policy asks for none.
    pub(super) fn are_asked_for(&self, view: &View) -> bool {
        let Some(forgetting) = view.forgetting.as_ref().filter(|_| !self.by_id.is_empty()) else {
            return false;
        };
        let Some(policy) = Forgetting::hiding(forgetting) else { return true };
        let now_us = view.now.as_micros();
        let known =
            self.all_forgotten.read().as_ref().filter(|(known, _)| known.fades_as(policy)).map(|it| it.1);
        let all_forgotten = known.unwrap_or_else(|| {
            let moments = self.by_id.iter().map(|(id, one)| one.forgotten_from(*id, policy).as_micros());
            let latest = moments.max().unwrap_or(i64::MIN);
            *self.all_forgotten.write() = Some((policy.clone(), latest));
            latest
        });
        let is_forgotten = |(id, one): (&MemoryId, &ColdMemory)| one.is_forgotten(*id, policy, view.now);
        now_us < all_forgotten && !self.by_id.iter().all(is_forgotten)
    }

    /// Approximate heap size in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self.by_id.capacity() {
            0 => 0,
            _ => heap_size::of_table(&self.by_id) + self.bytes_of_uses,
        }
    }

    /// Writes them, in the order of ids.
    pub(super) fn write(&self, out: &mut SectionWriter<'_>) -> io::Result<()> {
        let mut all: Vec<(&MemoryId, &ColdMemory)> = self.by_id.iter().collect();
        all.sort_unstable_by_key(|(id, _)| **id);
        out.put_len(all.len())?;
        for (id, one) in all {
            let kind = Kind::ALL.iter().position(|kind| *kind == one.kind).ok_or_else(damaged)?;
            out.put(id.0.as_u128())?;
            out.put(u8::try_from(kind).map_err(|_| damaged())?)?;
            out.put(if one.is_by_record { BY_RECORD } else { 0 })?;
            out.put(one.version)?;
            out.put(one.since.as_micros())?;
            out.put(one.strength.importance)?;
            out.put(one.strength.strength)?;
            out.put(one.strength.nearest_cosine.unwrap_or(f32::NAN))?;
            out.put(one.strength.learned_at.as_micros())?;
            let uses = match one.strength.uses.newest() {
                [] => Vec::new(),
                _ => one.strength.uses.encode(),
            };
            out.put_len(uses.len())?;
            out.put_all(&uses)?;
        }
        Ok(())
    }

    /// Reads what [`write`](Self::write) has written.
    pub(super) fn read(input: &mut SectionReader<'_>) -> io::Result<Self> {
        let mut cold = Self::default();
        let mut bytes = Vec::new();
        for _ in 0..input.next_len()? {
            let id = MemoryId(uuid::Uuid::from_u128(input.next()?));
            let kind = *Kind::ALL.get(usize::from(input.next::<u8>()?)).ok_or_else(damaged)?;
            let flags: u8 = input.next()?;
            let version = input.next()?;
            let since = Timestamp::from_micros(input.next()?);
            let (importance, factor): (f64, f32) = (input.next()?, input.next()?);
            let nearest_cosine: f32 = input.next()?;
            let mut strength = Strength::new(importance, factor, Timestamp::from_micros(input.next()?));
            strength.nearest_cosine = Strength::is_cosine(nearest_cosine).then_some(nearest_cosine);
            let count = input.next_len()?;
            if count > MAX_ENCODED_BYTES || flags > BY_RECORD {
                return Err(damaged());
            }
            if count > 0 {
                bytes.clear();
                input.append(count, &mut bytes)?;
                strength.uses = Uses::decode(&bytes).map_err(|_| damaged())?;
            }
            cold.insert(id, ColdMemory { kind, version, strength, since, is_by_record: flags == BY_RECORD });
        }
        Ok(cold)
    }
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests;
