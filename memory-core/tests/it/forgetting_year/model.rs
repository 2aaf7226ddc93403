//! Straightforward model of forgetting: a map of memories, with the curves in closed form and XXH3 written out, from the documents
//! (docs/FORGETTING.md, ADR 0048 to 0051) and without any function of `retention` or `forgetting`.

use std::collections::{BTreeMap, BTreeSet};

use memory_core::domain::forgotten::{Effect, Forgotten, Reason};
use memory_core::domain::id::MemoryId;
use memory_core::domain::memory::Kind;
use memory_core::domain::time::Timestamp;
use memory_core::domain::uses::{MAX_USES, Use, UseKind};
use memory_core::retention::{CurveId, Eviction, InitialStrengths, Policy};

const DAY_US: f64 = 86_400_000_000.0;
const WHOLE_DAY_US: i64 = 86_400_000_000;

/// Policy, as far as the year varies it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rules {
    pub(super) is_wixted: bool,
    pub(super) effect: Option<Effect>,
    /// Days for which a forgotten memory is kept with the effect `delete`.
    pub(super) grace_days: u32,
    pub(super) quota: Option<u64>,
    pub(super) order: Eviction,
    pub(super) counts_from: UseKind,
    pub(super) refractory_us: i64,
    pub(super) of_turns: f64,
    pub(super) of_facts: f64,
    pub(super) gain: f64,
}

impl Rules {
    pub(super) fn policy(&self) -> Policy {
        Policy {
            curve: if self.is_wixted { CurveId::Wixted } else { CurveId::MemoryBankIntended },
            effect: self.effect,
            grace_days: self.grace_days,
            quota_memories: self.quota,
            eviction: self.order,
            counts_from: self.counts_from,
            refractory_seconds: u64::try_from(self.refractory_us / 1_000_000).unwrap(),
            initial_strengths: InitialStrengths {
                turn: self.of_turns,
                fact: self.of_facts,
                ..InitialStrengths::default()
            },
            importance_gain: self.gain,
            ..Policy::default()
        }
    }

    fn name(&self, reason: Reason) -> &'static str {
        match (reason, self.order) {
            (Reason::Evicted, Eviction::Lru) => "lru",
            (Reason::Evicted, Eviction::Fifo) => "fifo",
            (Reason::Evicted, Eviction::Random) => "random",
            (Reason::Evicted, Eviction::Importance) => "importance",
            _ if self.is_wixted => "wixted",
            _ => "memorybank.intended",
        }
    }

    /// R = e^(-t/(5S)), or (1 + h t/S)^(-f); t in days.
    fn retention(&self, t: f64, s: f64) -> f64 {
        if self.is_wixted { (1.0 + 6_217.5 * t / s).powf(-0.131_18) } else { (-t / (5.0 * s)).exp() }
    }

    /// The t at which R = u.
    fn days_until(&self, u: f64, s: f64) -> f64 {
        if self.is_wixted { (u.powf(-1.0 / 0.131_18) - 1.0) * s / 6_217.5 } else { -u.ln() * 5.0 * s }
    }
}

/// Memory.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) importance: f64,
    pub(super) learned_at: Timestamp,
    /// Uses whose times are not kept any more.
    pub(super) earlier: u32,
    pub(super) uses: Vec<Use>,
    pub(super) pinned: bool,
    pub(super) record: Option<Forgotten>,
    pub(super) text: String,
    /// Memories of which it was made.
    pub(super) sources: Vec<MemoryId>,
}

impl Item {
    fn last_use(&self) -> Timestamp {
        self.uses.last().map_or(self.learned_at, |one| one.at)
    }

    /// Time of learning or of the last use that was no contradiction.
    pub(super) fn refreshed_at(&self) -> Timestamp {
        let refreshing = self.uses.iter().rfind(|one| one.kind != UseKind::Contradicted);
        refreshing.map_or(self.learned_at, |one| one.at)
    }

    fn uses_that_strengthen(&self) -> f64 {
        let kept = self.uses.iter().filter(|one| one.kind != UseKind::Contradicted).count();
        f64::from(self.earlier) + kept as f64
    }
}

/// New memory.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pub(super) kind: Kind,
    pub(super) importance: f64,
    pub(super) at: Timestamp,
    pub(super) text: String,
    pub(super) sources: Vec<MemoryId>,
}

/// Result of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Swept {
    /// Record of each memory, those that are erased included.
    pub(super) records: BTreeMap<MemoryId, Option<Forgotten>>,
    /// Memories whose grace period is over.
    pub(super) due: BTreeSet<MemoryId>,
    /// Memories that are erased.
    pub(super) erased: BTreeSet<MemoryId>,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) items: BTreeMap<MemoryId, Item>,
}

impl Model {
    pub(super) fn learn(&mut self, id: MemoryId, new: &Learned) {
        let Learned { kind, importance, at: learned_at, text, sources } = new.clone();
        let (earlier, uses, pinned, record) = (0, Vec::new(), false, None);
        let item = Item { kind, importance, learned_at, earlier, uses, pinned, record, text, sources };
        assert!(self.items.insert(id, item).is_none(), "an id is used once");
    }

    /// Evidence of a use, if its kind counts.
    pub(super) fn use_of(&mut self, id: MemoryId, at: Timestamp, kind: UseKind) {
        if kind.code() >= self.rules.counts_from.code() {
            self.record_use(id, Use { at, kind }, self.rules.refractory_us);
        }
    }

    fn record_use(&mut self, id: MemoryId, one: Use, refractory_us: i64) {
        let item = self.items.get_mut(&id).unwrap();
        if let Some(last) = item.uses.last_mut() {
            let gap_us = one.at.as_micros() - last.at.as_micros();
            if gap_us == 0 || (0 < gap_us && gap_us < refractory_us) {
                if one.kind.code() > last.kind.code() {
                    last.kind = one.kind;
                }
                return;
            }
            if gap_us < 0 {
                return;
            }
        }
        if item.uses.len() == MAX_USES {
            item.uses.remove(0);
            item.earlier += 1;
        }
        item.uses.push(one);
    }

    pub(super) fn pin(&mut self, id: MemoryId, pinned: bool) {
        let item = self.items.get_mut(&id).unwrap();
        item.pinned = pinned;
        if pinned {
            item.record = None;
        }
    }

    /// Restores what is forgotten among these memories; returns what was restored.
    pub(super) fn restore(&mut self, ids: &[MemoryId], now: Timestamp, reinforce: bool) -> Vec<MemoryId> {
        let mut restored = BTreeSet::new();
        for id in ids {
            let (has_record, has_faded) = (self.items[id].record.is_some(), self.has_faded(*id, now));
            if !has_record && !has_faded {
                continue;
            }
            self.items.get_mut(id).unwrap().record = None;
            if reinforce {
                self.record_use(*id, Use { at: now, kind: UseKind::Confirmed }, 0);
            }
            if reinforce || has_record {
                restored.insert(*id);
            }
        }
        restored.into_iter().collect()
    }

    pub(super) fn strength(&self, item: &Item) -> f64 {
        let of_kind = if item.kind == Kind::Fact { self.rules.of_facts } else { self.rules.of_turns };
        of_kind * self.rules.gain.powf(2.0 * item.importance - 1.0) + item.uses_that_strengthen()
    }

    pub(super) fn retention(&self, item: &Item, now: Timestamp) -> f64 {
        if item.pinned {
            return 1.0;
        }
        self.rules.retention(days(item.refreshed_at(), now), self.strength(item))
    }

    /// First moment, not before the last use, at which R < u.
    fn fades_at(&self, id: MemoryId, item: &Item) -> Option<Timestamp> {
        self.rules.effect?;
        let after_us = self.rules.days_until(threshold(id), self.strength(item)) * DAY_US;
        let at = item.refreshed_at().plus_micros(after_us.ceil() as i64);
        (!item.pinned).then(|| at.max(item.last_use()))
    }

    fn has_faded(&self, id: MemoryId, now: Timestamp) -> bool {
        self.fades_at(id, &self.items[&id]).is_some_and(|at| at <= now)
    }

    /// Reason for which a memory is forgotten now, swept or not.
    pub(super) fn forgotten(&self, id: MemoryId, now: Timestamp) -> Option<Reason> {
        self.rules.effect?;
        let item = &self.items[&id];
        let is_evicted = item.record.as_ref().is_some_and(|record| record.reason == Reason::Evicted);
        if is_evicted { Some(Reason::Evicted) } else { self.has_faded(id, now).then_some(Reason::Faded) }
    }

    /// Memories that a recall may return, by default.
    pub(super) fn visible(&self, now: Timestamp) -> BTreeSet<MemoryId> {
        self.items.keys().copied().filter(|id| self.forgotten(*id, now).is_none()).collect()
    }

    /// A memory with all that was made of it.
    pub(super) fn closure(&self, id: MemoryId) -> BTreeSet<MemoryId> {
        let mut all = BTreeSet::from([id]);
        loop {
            let is_made_of_these = |item: &Item| item.sources.iter().any(|source| all.contains(source));
            let made: Vec<MemoryId> =
                self.items.iter().filter(|(_, item)| is_made_of_these(item)).map(|(id, _)| *id).collect();
            let before = all.len();
            all.extend(made);
            if all.len() == before {
                return all;
            }
        }
    }

    /// Sweep: what it records, and what it erases, which is all whose grace period is over, with what was made of it.
    pub(super) fn sweep(&self, now: Timestamp) -> Swept {
        let records = self.records(now);
        let grace_us = i64::from(self.rules.grace_days) * WHOLE_DAY_US;
        let is_over = |record: &Forgotten| {
            let kept_until = record.recorded_at.max(record.since).plus_micros(grace_us);
            record.effect == Effect::Delete && kept_until <= now
        };
        let due: BTreeSet<MemoryId> =
            records.iter().filter(|(_, to)| to.as_ref().is_some_and(is_over)).map(|(id, _)| *id).collect();
        let erased = due.iter().copied().filter(|id| self.closure(*id).is_subset(&due)).collect();
        Swept { records, due, erased }
    }

    fn records(&self, now: Timestamp) -> BTreeMap<MemoryId, Option<Forgotten>> {
        let mut wanted: BTreeMap<MemoryId, Option<Forgotten>> =
            self.items.iter().map(|(id, item)| (*id, self.without_quota(*id, item, now))).collect();
        let Some(quota) = self.rules.quota else { return wanted };
        let live: Vec<MemoryId> = wanted.iter().filter(|(_, to)| to.is_none()).map(|(id, _)| *id).collect();
        let excess = live.len().saturating_sub(usize::try_from(quota).unwrap());
        let mut queue: Vec<MemoryId> = live.into_iter().filter(|id| !self.items[id].pinned).collect();
        queue.sort_by(|a, b| {
            let (first, second) = (self.rank(*a, now), self.rank(*b, now));
            first.0.total_cmp(&second.0).then(first.1.total_cmp(&second.1)).then(a.cmp(b))
        });
        for id in queue.into_iter().take(excess) {
            wanted.insert(id, Some(self.new_record(id, Reason::Evicted, now, now)));
        }
        wanted
    }

    fn without_quota(&self, id: MemoryId, item: &Item, now: Timestamp) -> Option<Forgotten> {
        let present = item.record.clone();
        if let Some(evicted) = present.clone().filter(|record| record.reason == Reason::Evicted) {
            let effect = self.rules.effect.unwrap_or(evicted.effect);
            let recorded_at = if effect == evicted.effect { evicted.recorded_at } else { now };
            return Some(Forgotten { effect, recorded_at, ..evicted });
        }
        let since = self.fades_at(id, item).filter(|at| *at <= now)?;
        let stays =
            |record: &Forgotten| Some(record.effect) == self.rules.effect && since <= record.recorded_at;
        present.filter(stays).or_else(|| Some(self.new_record(id, Reason::Faded, since, now)))
    }

    fn new_record(&self, id: MemoryId, reason: Reason, since: Timestamp, now: Timestamp) -> Forgotten {
        Forgotten {
            since,
            recorded_at: now,
            reason,
            effect: self.rules.effect.unwrap(),
            curve: self.rules.name(reason).to_owned(),
            retention: self.retention(&self.items[&id], now),
            threshold: threshold(id),
        }
    }

    fn rank(&self, id: MemoryId, now: Timestamp) -> (f64, f64) {
        let item = &self.items[&id];
        let micros = |at: Timestamp| at.as_micros() as f64;
        match self.rules.order {
            Eviction::Curve => (self.retention(item, now), micros(item.last_use())),
            Eviction::Lru => (micros(item.last_use()), 0.0),
            Eviction::Fifo => (micros(item.learned_at), 0.0),
            Eviction::Random => (threshold(id), 0.0),
            Eviction::Importance => (item.importance, micros(item.learned_at)),
        }
    }
}

pub(super) fn days(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_micros() - from.as_micros()).max(0) as f64 / DAY_US
}

/// Threshold u: the upper 52 bits x of XXH3-64 (seed 0) over the id, as (x + 1/2) / 2^52.
pub(super) fn threshold(id: MemoryId) -> f64 {
    ((xxh3_of_16(id.0.as_bytes()) >> 12) as f64 + 0.5) / 2f64.powi(52)
}

/// XXH3-64 with seed 0 over 16 bytes, by its specification: the form for 9 to 16 bytes. The four words are bytes 24 to 55
/// of its default secret.
fn xxh3_of_16(bytes: &[u8; 16]) -> u64 {
    let word = |bytes: [u8; 8]| u64::from_le_bytes(bytes);
    let low = word([0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f])
        ^ word([0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78])
        ^ word(bytes[..8].try_into().unwrap());
    let high = word([0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21])
        ^ word([0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e])
        ^ word(bytes[8..].try_into().unwrap());
    let product = u128::from(low) * u128::from(high);
    let folded = (product as u64) ^ ((product >> 64) as u64);
    let sum = 16u64.wrapping_add(low.swap_bytes()).wrapping_add(high).wrapping_add(folded);
    let mixed = (sum ^ (sum >> 37)).wrapping_mul(0x1656_6791_9E37_79F9);
    mixed ^ (mixed >> 32)
}
