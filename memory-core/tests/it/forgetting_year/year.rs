//! A year of use: sessions, recalls with feedback, pins, restores, erasures, sweeps, changes of policy, and kills.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::{MemoryId, RecallId};
use memory_core::domain::memory::Kind;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::domain::uses::UseKind;
use memory_core::forgetting::plan::Change;
use memory_core::forgetting::request::RestoreForgotten;
use memory_core::recall::request::{Recall, RecallFeedback};
use memory_core::retention::Eviction;
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{is_long_form, seeds};
use memory_core::testing::{CALLER, fact, memories, question, turn, turns};

use super::model::{Learned, Model, Rules};
use super::records::{assert_rows, has_uses_of};
use super::{Life, MINUTE_US, ann};

const SESSIONS_A_WEEK: usize = 20;
/// Minutes between sessions, at least: 20 sessions with their recalls are a week.
const BETWEEN_SESSIONS: usize = 400;
/// Recalls whose feedback may still come.
const RECALLS_KEPT: usize = 12;
const WORDS: [&str; 12] = [
    "tea", "milk", "rain", "roof", "violin", "harbour", "ticket", "garden", "bread", "sister", "train",
    "lamp",
];

type Evidence = BTreeMap<MemoryId, UseKind>;

/// Events of a year, to show that none of them is missing.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) changes: BTreeMap<Change, usize>,
    pub(super) evicted: u64,
    pub(super) restored: usize,
    pub(super) erased: usize,
    /// Memories erased by sweeps.
    pub(super) swept_away: usize,
    /// Memories whose grace period was over, and that were kept for what was made of them.
    pub(super) waited: usize,
    /// Memories restored or pinned within their grace period.
    pub(super) rescued: usize,
    /// Memories that got another effect, or were remembered, within their grace period.
    pub(super) let_off: usize,
    pub(super) kills: usize,
    /// Kills after some of the erasures of a sweep, and before others.
    pub(super) half_erased: usize,
    /// Sweeps that were killed while they ran.
    pub(super) interrupted: usize,
    pub(super) uses_lost: usize,
    pub(super) uses_kept: usize,
    pub(super) feedback: usize,
}

pub(super) struct Year {
    pub(super) life: Life,
    pub(super) model: Model,
    pub(super) rng: Rng,
    pub(super) recalls: Vec<(RecallId, Evidence)>,
    pub(super) sessions: usize,
    texts: usize,
    pub(super) orders: [Eviction; 2],
    pub(super) events: Events,
    /// Texts of the erased memories.
    pub(super) gone: BTreeMap<MemoryId, String>,
    pub(super) what: String,
}

#[test]
fn a_year_of_use_equals_a_straightforward_model() {
    let weeks = if is_long_form() { 52 } else { 13 };
    for seed in seeds(1, 5) {
        let mut year = Year::new(seed);
        for week in 0..weeks {
            year.what = format!("seed {seed}, week {week}");
            year.change_rules(week, weeks);
            year.live_a_week();
            year.sweep(week % 3 == 2);
            if week == weeks * 3 / 4 {
                year.restore(None, true);
            }
            year.compare();
        }
        year.assert_that_everything_happened();
    }
}

impl Year {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let orders = [*rng.pick(&Eviction::ALL), *rng.pick(&Eviction::ALL)];
        let rules = Rules {
            is_wixted: false,
            effect: Some(Effect::Exclude),
            grace_days: 30,
            quota: None,
            order: Eviction::Curve,
            counts_from: UseKind::InContext,
            refractory_us: 60 * MINUTE_US,
            of_turns: 5.0,
            of_facts: 10.0,
            gain: 3.0,
        };
        let model = Model { rules, items: BTreeMap::new() };
        let (life, recalls, what) = (Life::new(), Vec::new(), format!("seed {seed}"));
        let (events, gone) = (Events::default(), BTreeMap::new());
        Self { life, model, rng, recalls, sessions: 0, texts: 0, orders, events, gone, what }
    }

    /// Rules of a week: a quota for two parts of the year, another curve from its middle on, another effect at its end, and
    /// for two parts the effect `delete`, without a grace period and with one that is longer than a week.
    fn change_rules(&mut self, week: usize, weeks: usize) {
        let percent = week * 100 / weeks;
        let live = self.model.visible(self.life.now()).len() as u64;
        let quota = self.model.rules.quota.unwrap_or(live * 3 / 4);
        let rules = &mut self.model.rules;
        rules.is_wixted = percent >= 50;
        (rules.of_turns, rules.of_facts) = if rules.is_wixted { (600.0, 1_200.0) } else { (5.0, 10.0) };
        (rules.quota, rules.order) = match percent {
            25..45 => (Some(quota), self.orders[0]),
            65..80 => (Some(quota), self.orders[1]),
            _ => (None, Eviction::Curve),
        };
        (rules.effect, rules.grace_days) = match percent {
            20..26 => (Some(Effect::Delete), 0),
            36..60 => (Some(Effect::Delete), 9),
            80.. => (Some(Effect::Cold), 30),
            _ => (Some(Effect::Exclude), 30),
        };
        (rules.counts_from, rules.refractory_us) = match percent {
            ..30 => (UseKind::InContext, 60 * MINUTE_US),
            30..60 => (UseKind::Cited, 0),
            _ => (UseKind::Returned, 24 * 60 * MINUTE_US),
        };
        self.life.use_policy(&self.model.rules.policy());
    }

    fn live_a_week(&mut self) {
        let killed_in = self.rng.below(SESSIONS_A_WEEK * 3 / 2);
        for session in 0..SESSIONS_A_WEEK {
            self.pass_minutes(BETWEEN_SESSIONS);
            self.hold_session();
            for _ in 0..1 + self.rng.below(2) {
                self.pass_minutes(1);
                let (id, evidence, at) = self.recall();
                self.used(&evidence, at);
                if !evidence.is_empty() {
                    self.recalls.push((id, evidence));
                }
            }
            // The following steps act on the uses as they are written.
            self.life.run(async |test| test.settle().await);
            if self.recalls.len() > RECALLS_KEPT {
                self.recalls.drain(..self.recalls.len() - RECALLS_KEPT);
            }
            match self.rng.below(100) {
                0..50 => self.feed_back(),
                50..60 => self.pin(),
                60..66 => {
                    let some: Vec<MemoryId> = (0..4).map(|_| self.some_memory()).collect();
                    let reinforce = self.rng.chance(75);
                    self.restore(Some(some), reinforce);
                }
                66..72 => self.erase(),
                _ => {}
            }
            if session == killed_in {
                self.kill_after_recalls();
            }
        }
    }

    pub(super) fn pass_minutes(&mut self, at_least: usize) {
        let minutes = i64::try_from(at_least + self.rng.below(90)).unwrap();
        self.life.pass_us(minutes * MINUTE_US + 1_001);
    }

    pub(super) fn text(&mut self) -> String {
        format!("the {} and the {}", self.rng.pick(&WORDS), self.rng.pick(&WORDS))
    }

    /// Text of a new memory, with a word that no other has.
    fn new_text(&mut self) -> String {
        self.texts += 1;
        format!("{} in mark{}", self.text(), self.texts)
    }

    pub(super) fn some_memory(&mut self) -> MemoryId {
        let ids: Vec<MemoryId> = self.model.items.keys().copied().collect();
        *self.rng.pick(&ids)
    }

    /// A session of two or three turns, and now and then a fact.
    fn hold_session(&mut self) {
        let (now, number) = (self.life.now(), self.sessions);
        self.sessions += 1;
        let mut said = Vec::new();
        for at in 0..2 + self.rng.below(2) {
            let said_at = now.plus_micros(i64::try_from(at).unwrap() * 20_000_000 - MINUTE_US);
            let mut one = turn(Role::User, &self.new_text(), said_at);
            one.importance = *self.rng.pick(&[None, Some(0.1), Some(0.5), Some(0.9)]);
            said.push(one);
        }
        let learned = said.iter().map(|one| Learned {
            kind: Kind::Turn,
            importance: one.importance.unwrap_or(0.5),
            at: one.said_at.unwrap(),
            text: one.text.clone(),
            sources: Vec::new(),
        });
        let learned: Vec<Learned> = learned.collect();
        let request = turns(&ann(), &format!("session {number}"), said).unwrap();
        let added = self.life.run(async |test| test.engine.remember_turns(&CALLER, request).await.unwrap());
        self.learned(&added.memories, &learned);
        if self.rng.chance(30) {
            self.learn_fact();
        }
    }

    /// Learns a fact, which may be made of turns or of facts.
    fn learn_fact(&mut self) {
        self.life.pass_us(1_000_000);
        let mut one = fact(&self.new_text());
        one.importance = *self.rng.pick(&[None, Some(0.0), Some(1.0)]);
        let sources: BTreeSet<MemoryId> = (0..self.rng.below(3)).map(|_| self.some_memory()).collect();
        one.sources = sources.iter().map(|id| id.0).collect();
        let learned = Learned {
            kind: Kind::Fact,
            importance: one.importance.unwrap_or(0.5),
            at: self.life.now(),
            text: one.text.clone(),
            sources: sources.into_iter().collect(),
        };
        let request = memories(&ann(), vec![one]);
        let added =
            self.life.run(async |test| test.engine.remember_memories(&CALLER, request).await.unwrap());
        self.learned(&added.memories, &[learned]);
    }

    fn learned(&mut self, ids: &[MemoryId], learned: &[Learned]) {
        assert_eq!(ids.len(), learned.len());
        for (id, one) in ids.iter().zip(learned) {
            self.model.learn(*id, one);
        }
    }

    /// Recalls, and returns the evidence of it, which need not be written yet.
    fn recall(&mut self) -> (RecallId, Evidence, Timestamp) {
        let query = self.text();
        let budget_tokens = *self.rng.pick(&[0, 60, 2_000]);
        let limit = u32::try_from(2 + self.rng.below(6)).unwrap();
        let (request, now) = (Recall { budget_tokens, limit, ..question(&ann(), &query) }, self.life.now());
        let recalled = self.life.run(async |test| test.engine.recall(&CALLER, request).await.unwrap());
        let visible = self.model.visible(now);
        let kind = |id: &MemoryId| {
            assert!(visible.contains(id), "{}: {id:?} is forgotten", self.what);
            let is_shown = recalled.context.memories.contains(id);
            if is_shown { UseKind::InContext } else { UseKind::Returned }
        };
        let evidence = recalled.memories.iter().map(|one| (one.memory.id, kind(&one.memory.id))).collect();
        (recalled.id, evidence, now)
    }

    fn used(&mut self, evidence: &Evidence, at: Timestamp) {
        for (id, kind) in evidence {
            self.model.use_of(*id, at, *kind);
        }
    }

    fn feed_back(&mut self) {
        if self.recalls.is_empty() {
            return;
        }
        self.pass_minutes(1);
        let at = self.rng.below(self.recalls.len());
        let ((recall, mut evidence), now) = (self.recalls[at].clone(), self.life.now());
        let (mut used, mut confirmed, mut contradicted) = (Vec::new(), Vec::new(), Vec::new());
        for (id, outcome) in &mut evidence {
            let kind = match self.rng.below(5) {
                0 | 1 => UseKind::Cited,
                2 => UseKind::Confirmed,
                3 => UseKind::Contradicted,
                _ => continue,
            };
            match kind {
                UseKind::Cited => used.push(*id),
                UseKind::Confirmed => confirmed.push(*id),
                _ => contradicted.push(*id),
            }
            if kind.code() > outcome.code() {
                *outcome = kind;
                self.model.use_of(*id, now, kind);
            }
        }
        self.recalls[at].1 = evidence;
        self.events.feedback += 1;
        let feedback = RecallFeedback { scope: ann(), used, confirmed, contradicted, now: None };
        self.life.run(async |test| {
            test.engine.recall_feedback(&CALLER, recall, feedback).await.unwrap();
        });
    }

    fn pin(&mut self) {
        let pinned: Vec<MemoryId> =
            self.model.items.iter().filter(|(_, item)| item.pinned).map(|(id, _)| *id).collect();
        let releases = !pinned.is_empty() && self.rng.chance(50);
        let id = if releases { *self.rng.pick(&pinned) } else { self.some_memory() };
        self.life.run(async |test| test.engine.pin(&CALLER, id, !releases).await.unwrap());
        self.events.rescued += usize::from(!releases && self.is_in_grace(id));
        self.model.pin(id, !releases);
    }

    /// Restores some memories, or all that are forgotten.
    fn restore(&mut self, memories: Option<Vec<MemoryId>>, reinforce: bool) {
        self.life.pass_us(MINUTE_US);
        let recorded = self.model.items.iter().filter(|(_, item)| item.record.is_some());
        let ids = memories.clone().unwrap_or_else(|| recorded.map(|(id, _)| *id).collect());
        let in_grace: BTreeSet<MemoryId> = ids.iter().copied().filter(|id| self.is_in_grace(*id)).collect();
        self.events.rescued += in_grace.len();
        let expected = self.model.restore(&ids, self.life.now(), reinforce);
        let request = RestoreForgotten { scope: ann(), memories, now: None, reinforce };
        let done = self.life.run(async |test| test.engine.restore_forgotten(&CALLER, request).await.unwrap());
        assert_eq!(done.restored, expected, "{}", self.what);
        self.events.restored += expected.len();
    }

    /// Kills the engine before the uses of its last recalls need be written, which are in change sets of a quarter of a
    /// second each. The model follows what the store has then: the uses of the first so many of these recalls.
    fn kill_after_recalls(&mut self) {
        let mut unwritten = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            self.pass_minutes(30);
            let (_, evidence, at) = self.recall();
            unwritten.push((evidence, at));
            let wait = Duration::from_millis(*self.rng.pick(&[0, 0, 0, 0, 5, 260]));
            self.life.run(async |_| tokio::time::sleep(wait).await);
        }
        self.life.kill();
        self.events.kills += 1;
        let rows = self.life.rows();
        let mut written = 0;
        while !has_uses_of(&rows, &self.model) {
            assert!(written < unwritten.len(), "{}: other uses than those of some first recalls", self.what);
            let (evidence, at) = &unwritten[written];
            self.used(evidence, *at);
            written += 1;
        }
        assert_rows(&rows, &self.model, &self.what);
        self.events.uses_kept += written;
        self.events.uses_lost += unwritten.len() - written;
    }

    fn assert_that_everything_happened(&self) {
        let events = &self.events;
        for change in [Change::Forget, Change::Remember, Change::Renew, Change::Erase] {
            assert!(events.changes.contains_key(&change), "{events:?}");
        }
        let counts = [events.restored, events.erased, events.kills, events.feedback];
        assert!(counts.iter().all(|count| *count > 0) && events.evicted > 0, "{events:?}");
        let of_grace = [events.swept_away, events.waited, events.rescued, events.let_off];
        assert!(of_grace.iter().all(|count| *count > 0), "{events:?}");
        let memories = self.model.items.len();
        let forgotten = memories - self.model.visible(self.life.now()).len();
        assert!((5..=95).contains(&(forgotten * 100 / memories)), "{forgotten} of {memories}");
        eprintln!("{}: {forgotten} of {memories} forgotten, {events:?}", self.what);
    }
}
