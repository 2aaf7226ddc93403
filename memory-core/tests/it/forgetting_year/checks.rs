//! Comparison of an engine in the middle of its year with the model: previews, sweeps, rows, and what recalls return.

use memory_core::domain::id::TenantId;
use memory_core::domain::time::Timestamp;
use memory_core::forgetting::request::{PreviewSweep, PreviewedSweep};
use memory_core::recall::request::Recall;
use memory_core::recall::response::Recalled;
use memory_core::store::{Memories as _, Retention as _};
use memory_core::testing::fixtures::owner;
use memory_core::testing::{CALLER, question};

use super::ann;
use super::model::days;
use super::records::{assert_preview, assert_rows, near};
use super::year::Year;

/// Maximum number of memories of a recall.
const RECALL_LIMIT: usize = 200;

impl Year {
    /// Sweeps as the preview has shown. With a kill, the sweep is interrupted somewhere, and goes on after the next start as of
    /// the moment of its request.
    pub(super) fn sweep(&mut self, with_kill: bool) {
        self.pass_minutes(1);
        let now = self.life.now();
        let swept = self.model.sweep(now);
        let preview = self.preview();
        assert_preview(&preview, &self.model, &swept, &self.what);
        for entry in &preview.entries {
            *self.events.changes.entry(entry.change).or_default() += 1;
        }
        self.events.evicted += preview.counts.evicted;
        let job = self.life.request_sweep().id;
        let kills_erasure = !swept.erased.is_empty() && self.rng.chance(50);
        if with_kill || kills_erasure {
            self.kill_in_sweep(job, &swept);
        }
        let attempts = self.life.await_sweep(job);
        self.events.interrupted += usize::from(attempts > 1);
        self.count_grace(&swept);
        for (id, record) in swept.records {
            self.model.items.get_mut(&id).unwrap().record = record;
        }
        self.erased(&swept.erased);
        assert_rows(&self.life.rows(), &self.model, &self.what);
        self.assert_that_erased_are_nowhere();
    }

    /// Preview, with the entries of all pages.
    fn preview(&self) -> PreviewedSweep {
        let page = |after| {
            let request = PreviewSweep { scope: ann(), policy: None, now: None, limit: 500, after };
            self.life.run(async |test| test.engine.preview_sweep(&CALLER, request).await.unwrap())
        };
        let mut all = page(None);
        while all.has_more {
            let next = page(all.entries.last().map(|entry| entry.memory));
            assert_eq!((&next.counts, next.now), (&all.counts, all.now));
            all.entries.extend(next.entries);
            all.has_more = next.has_more;
        }
        all
    }

    /// Compares everything with the model, some hours after the sweep, when more has faded.
    pub(super) fn compare(&mut self) {
        self.pass_minutes(300);
        assert_rows(&self.life.rows(), &self.model, &self.what);
        let recorded = self.model.items.values().filter(|item| item.record.is_some()).count();
        let listed = self.life.run(async |test| {
            let partition = test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
            test.store.forgotten_count(partition.unwrap()).await.unwrap()
        });
        assert_eq!(listed, recorded as u64, "{}", self.what);
        let (now, query) = (self.life.now(), self.text());
        let limit = u32::try_from(RECALL_LIMIT).unwrap();
        for include_forgotten in [false, true] {
            let request = Recall {
                limit,
                include_forgotten,
                reinforce: Some(false),
                budget_tokens: 0,
                ..question(&ann(), &query)
            };
            let recalled = self.life.run(async |test| test.engine.recall(&CALLER, request).await.unwrap());
            self.compare_recall(&recalled, now, include_forgotten);
        }
    }

    /// A recall of as much as there may be returns every memory that is not forgotten, and tells R, S and t of the model.
    fn compare_recall(&self, recalled: &Recalled, now: Timestamp, with_forgotten: bool) {
        let found = recalled.memories.len();
        let reachable = match with_forgotten {
            true => self.model.items.len(),
            false => self.model.visible(now).len(),
        };
        assert_eq!(found, reachable.min(RECALL_LIMIT), "{}", self.what);
        for one in &recalled.memories {
            let (id, item) = (one.memory.id, &self.model.items[&one.memory.id]);
            let expected = self.model.forgotten(id, now);
            assert_eq!(one.forgotten.map(|state| state.reason), expected, "{}", self.what);
            assert!(with_forgotten || expected.is_none(), "{}: {id:?} is forgotten", self.what);
            let told = one.explain.retention.unwrap();
            let is_near = near(told.retention, self.model.retention(item, now))
                && near(told.strength, self.model.strength(item))
                && near(told.elapsed_days, days(item.refreshed_at(), now));
            assert!(is_near, "{}: {told:?} for {item:?}", self.what);
        }
    }
}
