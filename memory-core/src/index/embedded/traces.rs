//! Traces of the memories of a partition, by ordinal: what forgetting curves are functions of, besides the importance, which is a
//! column of its own. Few memories were used, evicted or drawn, so these lie in maps.
//!
//! With them stand the moments at which the memories fade under one policy. They are computed by the first query that hides
//! forgotten memories, and anew for memories that were touched since; another policy takes the place of the first.

use std::collections::HashMap;
use std::io;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::bitmap::Bitmap;
use super::heap_size;
use super::segment::live::LiveOrdinals;
use super::segment::stream::{SectionReader, SectionWriter, damaged};
use crate::domain::forgotten::Forgotten;
use crate::domain::memory::{Kind, Strength};
use crate::domain::time::Timestamp;
use crate::domain::uses::{MAX_ENCODED_BYTES, Use, Uses};
use crate::retention::Policy;

/// The moment at which a memory fades that never does.
pub(super) const NEVER_FADES: i64 = i64::MAX;

/// Traces by ordinal.
#[derive(Debug, Default)]
pub(super) struct Traces {
    kinds: Vec<Kind>,
    /// In microseconds.
    learned_at: Vec<i64>,
    /// Factors on the strength of a new memory.
    strengths: Vec<f32>,
    /// Cosines to the nearest memories; NaN where it is not known. Empty while none is, as under policies that do not measure it.
    nearest_cosines: Vec<f32>,
    pinned: Bitmap,
    uses: HashMap<u32, Uses>,
    /// Moments since when memories are forgotten by their records alone (evicted or drawn), in microseconds.
    recorded: HashMap<u32, i64>,
    /// Newest use of all live memories.
    newest_use: Option<Timestamp>,
    /// True if the memory with the newest use has lost it, so that [`Traces::settle`] has to look for another.
    is_newest_unknown: bool,
    moments: RwLock<Option<Moments>>,
}

/// Moments at which memories fade under a policy.
#[derive(Debug)]
pub(super) struct Moments {
    policy: Policy,
    /// By ordinal, in microseconds; [`NEVER_FADES`] for never, and for dead ordinals.
    pub(super) at: Vec<i64>,
    /// The earliest of them.
    pub(super) earliest: i64,
    /// Ordinals whose moments have to be computed anew.
    stale: Vec<u32>,
}

impl Traces {
    /// Adds the trace of the next ordinal.
    pub(super) fn push(&mut self, kind: Kind, strength: &Strength, forgotten: Option<&Forgotten>) {
        let ordinal = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
        self.kinds.push(kind);
        self.learned_at.push(strength.learned_at.as_micros());
        self.strengths.push(strength.strength);
        self.set_nearest_cosine(ordinal, strength.nearest_cosine);
        self.pinned.push(strength.pinned);
        self.set_rest(ordinal, strength, forgotten);
    }

    /// Sets the trace of an ordinal.
    pub(super) fn set(&mut self, ordinal: u32, strength: &Strength, forgotten: Option<&Forgotten>) {
        let at = ordinal as usize;
        let (learned_at, factor) = (self.learned_at.get_mut(at), self.strengths.get_mut(at));
        let Some((learned_at, factor)) = learned_at.zip(factor) else { return };
        (*learned_at, *factor) = (strength.learned_at.as_micros(), strength.strength);
        self.set_nearest_cosine(ordinal, strength.nearest_cosine);
        if strength.pinned {
            self.pinned.set(at);
        } else {
            self.pinned.clear(at);
        }
        self.remove(ordinal);
        self.set_rest(ordinal, strength, forgotten);
    }

    /// Sets the cosine of an ordinal. The column is as long as those of the other traces, or empty.
    fn set_nearest_cosine(&mut self, ordinal: u32, cosine: Option<f32>) {
        if self.nearest_cosines.is_empty() && cosine.is_none() {
            return;
        }
        self.nearest_cosines.resize(self.kinds.len(), f32::NAN);
        if let Some(known) = self.nearest_cosines.get_mut(ordinal as usize) {
            *known = cosine.unwrap_or(f32::NAN);
        }
    }

    /// Forgets uses and record of an ordinal, which is dead from now on.
    pub(super) fn remove(&mut self, ordinal: u32) {
        if let Some(removed) = self.uses.remove(&ordinal) {
            self.is_newest_unknown |= removed.last().map(|newest| newest.at) == self.newest_use;
        }
        self.recorded.remove(&ordinal);
        let moments = self.moments.get_mut();
        if let Some(known) = moments {
            known.stale.push(ordinal);
            if known.stale.len() > known.at.len() {
                *moments = None;
            }
        }
    }

    fn set_rest(&mut self, ordinal: u32, strength: &Strength, forgotten: Option<&Forgotten>) {
        if let Some(newest) = strength.uses.last() {
            self.newest_use = self.newest_use.max(Some(newest.at));
            self.uses.insert(ordinal, strength.uses.clone());
        }
        if let Some(record) = forgotten.filter(|record| record.reason.is_by_record()) {
            self.recorded.insert(ordinal, record.since.as_micros());
        }
    }

    /// Called after changes, before a query.
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.is_newest_unknown) {
            self.newest_use = self.uses.values().filter_map(Uses::last).map(|newest| newest.at).max();
        }
    }

    pub(super) fn kind(&self, ordinal: u32) -> Option<Kind> {
        self.kinds.get(ordinal as usize).copied()
    }

    pub(super) fn learned_at(&self, ordinal: u32) -> Option<Timestamp> {
        self.learned_at.get(ordinal as usize).map(|at| Timestamp::from_micros(*at))
    }

    pub(super) fn strength(&self, ordinal: u32) -> Option<f32> {
        self.strengths.get(ordinal as usize).copied()
    }

    pub(super) fn nearest_cosine(&self, ordinal: u32) -> Option<f32> {
        self.nearest_cosines.get(ordinal as usize).copied().filter(|cosine| !cosine.is_nan())
    }

    pub(super) fn is_pinned(&self, ordinal: u32) -> bool {
        self.pinned.contains(ordinal as usize)
    }

    pub(super) fn uses(&self, ordinal: u32) -> &Uses {
        match self.uses.is_empty() {
            true => Uses::none(),
            false => self.uses.get(&ordinal).unwrap_or(Uses::none()),
        }
    }

    /// True if a memory was used after `now`.
    pub(super) fn has_use_after(&self, now: Timestamp) -> bool {
        self.newest_use.is_some_and(|newest| newest > now)
    }

    /// Ordinals of the memories that were used after `now`.
    pub(super) fn used_after(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        let later = move |uses: &Uses| uses.last().is_some_and(|newest| newest.at > now);
        self.uses.iter().filter(move |(_, uses)| later(uses)).map(|(ordinal, _)| *ordinal)
    }

    pub(super) fn has_recorded(&self) -> bool {
        !self.recorded.is_empty()
    }

    /// Ordinals of the memories that were forgotten by their records by `now` and are not pinned.
    pub(super) fn recorded(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        let by_now =
            move |(ordinal, since): &(&u32, &i64)| **since <= now.as_micros() && !self.is_pinned(**ordinal);
        self.recorded.iter().filter(by_now).map(|(ordinal, _)| *ordinal)
    }

    /// Moments at which the memories fade under a policy; `moment` computes that of an ordinal.
    pub(super) fn moments(
        &self,
        policy: &Policy,
        moment: impl Fn(u32) -> i64,
    ) -> RwLockReadGuard<'_, Option<Moments>> {
        let len = self.kinds.len();
        let is_known = |moments: &Moments| {
            moments.policy.fades_as(policy) && moments.stale.is_empty() && moments.at.len() == len
        };
        let read = self.moments.read();
        if read.as_ref().is_some_and(is_known) {
            return read;
        }
        drop(read);
        let mut write = self.moments.write();
        let known = write.take().filter(|moments| moments.policy.fades_as(policy));
        let mut moments = known.unwrap_or_else(|| Moments {
            policy: policy.clone(),
            at: Vec::with_capacity(len),
            earliest: NEVER_FADES,
            stale: Vec::new(),
        });
        for ordinal in std::mem::take(&mut moments.stale) {
            if let Some(at) = moments.at.get_mut(ordinal as usize) {
                *at = moment(ordinal);
            }
        }
        let known = u32::try_from(moments.at.len()).unwrap_or(u32::MAX);
        moments.at.extend((known..u32::try_from(len).unwrap_or(u32::MAX)).map(moment));
        moments.earliest = moments.at.iter().copied().min().unwrap_or(NEVER_FADES);
        *write = Some(moments);
        RwLockWriteGuard::downgrade(write)
    }

    /// Approximate heap size in bytes.
    pub(super) fn bytes(&self) -> usize {
        let of_uses = |uses: &Uses| size_of_val(uses.newest()) + heap_size::PIECE_BYTES;
        let of_moments =
            |moments: &Moments| heap_size::of_vec(&moments.at) + heap_size::of_vec(&moments.stale);
        heap_size::of_vec(&self.kinds)
            + heap_size::of_vec(&self.learned_at)
            + heap_size::of_vec(&self.strengths)
            + heap_size::of_vec(&self.nearest_cosines)
            + self.pinned.bytes()
            + heap_size::of_table(&self.uses)
            + self.uses.values().map(of_uses).sum::<usize>()
            + heap_size::of_table(&self.recorded)
            + self.moments.read().as_ref().map_or(0, of_moments)
    }

    /// Writes the traces of the live memories.
    pub(super) fn write(&self, live: &LiveOrdinals, out: &mut SectionWriter<'_>) -> io::Result<()> {
        for ordinal in live.ordinals() {
            out.put(*self.learned_at.get(ordinal as usize).ok_or_else(damaged)?)?;
        }
        for ordinal in live.ordinals() {
            out.put(self.strength(ordinal).ok_or_else(damaged)?)?;
        }
        let known = if self.nearest_cosines.is_empty() { 0 } else { live.len() };
        out.put_len(known)?;
        for ordinal in live.ordinals().take(known) {
            out.put(self.nearest_cosine(ordinal).unwrap_or(f32::NAN))?;
        }
        out.put_all(live.image_of_bits(&self.pinned).words())?;
        let of_live = |(ordinal, uses): (&u32, &Uses)| Some((live.image_of(*ordinal)?, uses.encode()));
        let mut uses: Vec<(u32, Vec<u8>)> = self.uses.iter().filter_map(of_live).collect();
        uses.sort_unstable();
        out.put_len(uses.len())?;
        for (ordinal, bytes) in uses {
            out.put(ordinal)?;
            out.put_len(bytes.len())?;
            out.put_all(&bytes)?;
        }
        let of_live = |(ordinal, since): (&u32, &i64)| Some([i64::from(live.image_of(*ordinal)?), *since]);
        let mut recorded: Vec<[i64; 2]> = self.recorded.iter().filter_map(of_live).collect();
        recorded.sort_unstable();
        out.put_len(recorded.len())?;
        out.put_all(&recorded)
    }

    /// The traces of memories of these kinds.
    pub(super) fn read(kinds: Vec<Kind>, input: &mut SectionReader<'_>) -> io::Result<Self> {
        let len = kinds.len();
        let (learned_at, strengths) = (input.vec(len)?, input.vec(len)?);
        let known = input.next_len()?;
        let nearest_cosines: Vec<f32> = input.vec(known)?;
        let is_column = known == 0 || known == len;
        if !is_column || !nearest_cosines.iter().all(|cosine| cosine.is_nan() || Strength::is_cosine(*cosine))
        {
            return Err(damaged());
        }
        let pinned = Bitmap::from_words(input.vec(len.div_ceil(64))?, len).ok_or_else(damaged)?;
        let mut traces = Self { kinds, learned_at, strengths, nearest_cosines, pinned, ..Self::default() };
        let (mut bytes, mut newest) = (Vec::new(), None::<Use>);
        for _ in 0..input.next_len()? {
            let ordinal: u32 = input.next()?;
            let count = input.next_len()?;
            if ordinal as usize >= len || count > MAX_ENCODED_BYTES {
                return Err(damaged());
            }
            bytes.clear();
            input.append(count, &mut bytes)?;
            let uses = Uses::decode(&bytes).map_err(|_| damaged())?;
            let last = uses.last().ok_or_else(damaged)?;
            newest = newest.filter(|newest| newest.at >= last.at).or(Some(last));
            traces.uses.insert(ordinal, uses);
        }
        traces.newest_use = newest.map(|newest| newest.at);
        let recorded = input.next_len()?;
        input.each(recorded, |[ordinal, since]: [i64; 2]| {
            let ordinal = u32::try_from(ordinal).ok().filter(|ordinal| (*ordinal as usize) < len);
            traces.recorded.insert(ordinal.ok_or_else(damaged)?, since);
            Ok(())
        })?;
        Ok(traces)
    }
}
