//! Sweep of a partition: pages of memories, judged one by one, to bounded change sets; then erasures of what is due.
//!
//! Memory at a million memories: a page of rows, 32 bytes for each memory beyond the quota, and 16 bytes for each one whose
//! grace period is over. A sweep that was interrupted begins again: what is done already is no change any more.

use std::time::Duration;

use super::evictions::Evictions;
use super::plan::{Judge, Subject, change};
use super::request::SweepCounts;
use crate::domain::change::{ChangeSet, Forgetting};
use crate::domain::forgotten::Forgotten;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::Memory;
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::{JobContext, JobFailure, Progress};
use crate::retention::{Policy, Rule};
use crate::store::RetentionRow;

/// Memories of a page, and therefore changes of one set at most. A set takes the writer for some ten milliseconds.
pub(super) const ROWS_PER_PAGE: u32 = 2_000;
/// Attempts to enter a full commit queue, and the pause between two.
const ENTRIES_AT_MOST: u32 = 200;
const PAUSE_BEFORE_ENTRY: Duration = Duration::from_millis(50);

/// Pages of the memories of a partition, in the order of ids.
pub(super) struct Pages<'a> {
    engine: &'a Engine,
    partition: PartitionId,
    after: Option<MemoryId>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(engine: &'a Engine, partition: PartitionId, after: Option<MemoryId>) -> Self {
        Self { engine, partition, after, is_over: false }
    }

    /// Next page; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RetentionRow>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.engine.store.retention_page(self.partition, self.after, ROWS_PER_PAGE).await?;
        self.after = page.last;
        self.is_over = page.last.is_none();
        Ok(Some(page.rows))
    }
}

/// Policy at a moment, with the memories beyond its quota.
pub(super) struct Plan<'a> {
    pub(super) judge: Judge<'a>,
    /// Memories to evict, in the order of ids.
    evicted: Vec<MemoryId>,
}

impl Plan<'_> {
    /// Record that the memory is to have; `None` for one that is not to be forgotten.
    pub(super) fn wanted(&self, subject: Subject<'_>) -> Option<Forgotten> {
        let evicted = || {
            self.evicted.binary_search(&subject.memory).ok()?;
            self.judge.evicted(subject)
        };
        self.judge.faded(subject).or_else(evicted)
    }

    /// True if the memory as it is in the store, with its record, is to be erased.
    pub(super) fn erases(&self, memory: &Memory) -> bool {
        let wanted = self.wanted(Subject::from(memory));
        wanted.is_some_and(|record| self.judge.is_due(&record) && memory.forgotten.as_ref() == Some(&record))
    }
}

/// Writes about a page.
#[derive(Default)]
pub(super) struct Writes {
    rememberings: Vec<MemoryId>,
    forgettings: Vec<Forgetting>,
}

impl Writes {
    pub(super) fn add(&mut self, row: &RetentionRow, wanted: Option<Forgotten>) {
        // The store keeps a record with the same effect, so that one to be replaced is removed first: the memory has faded
        // again, and does so as well if only the first of the two sets is committed. A record with another effect is replaced
        // in one set: an eviction is found nowhere else.
        let has_other_effect =
            |present: &Forgotten| wanted.as_ref().is_some_and(|record| record.effect != present.effect);
        if row.forgotten.as_ref().is_some_and(|present| !has_other_effect(present)) {
            self.rememberings.push(row.memory);
        }
        self.forgettings.extend(wanted.map(|record| Forgetting { memory: row.memory, record }));
    }

    /// Change sets, in their order: a set restores after it forgets.
    pub(super) fn sets(self, (tenant, owner): (TenantId, &Owner), now: Timestamp) -> Vec<ChangeSet> {
        let Self { rememberings, forgettings } = self;
        let empty = || ChangeSet::new(tenant, owner.clone(), now);
        let sets = [ChangeSet { rememberings, ..empty() }, ChangeSet { forgettings, ..empty() }];
        let is_needed = |set: &ChangeSet| !set.rememberings.is_empty() || !set.forgettings.is_empty();
        sets.into_iter().filter(is_needed).collect()
    }
}

impl Engine {
    /// Plan of a sweep of a partition under a policy as of a moment, requested at another one. Without a quota no memory is read.
    pub(super) async fn plan_sweep<'a>(
        &self,
        partition: PartitionId,
        (policy, now): (&'a Policy, Timestamp),
        requested_at: Timestamp,
    ) -> Result<Plan<'a>, Error> {
        let checked_at = match policy.rule {
            Rule::ConditionalDraw => self.store.checked_at(partition).await?,
            Rule::FixedThreshold | Rule::QuotaAlone => None,
        };
        let judge = Judge { policy, now, requested_at, checked_at };
        let Some(quota) = judge.policy.quota_memories else { return Ok(Plan { judge, evicted: Vec::new() }) };
        let memories = self.store.extent(partition).await?.memories;
        let mut evictions = Evictions::new(quota, memories);
        let mut pages = Pages::new(self, partition, None);
        while memories > quota
            && let Some(rows) = pages.next().await?
        {
            for row in rows.iter().filter(|row| judge.faded(Subject::from(*row)).is_none()) {
                let RetentionRow { memory, kind, ref strength, .. } = *row;
                let rank = || judge.policy.eviction_rank(memory, kind, strength, judge.now);
                evictions.count(memory, (!strength.pinned).then(rank));
            }
        }
        Ok(Plan { judge, evicted: evictions.evicted() })
    }

    /// Sweeps the memories of an owner as of `now`, as the work of a job. Nothing is left to change by a second sweep as of
    /// the same time. Under the rule of conditional draws, a complete one is the check from which the next one draws; an
    /// interrupted one is not, so that its repetition decides the same.
    pub(super) async fn sweep(
        &self,
        (tenant, owner): (TenantId, &Owner),
        now: Timestamp,
        context: &JobContext,
    ) -> Result<SweepCounts, JobFailure> {
        let Some(partition) = self.store.partition_of(tenant, owner).await? else {
            return Ok(SweepCounts::default());
        };
        let policy = self.policy_of(tenant, owner);
        let plan = self.plan_sweep(partition, (&policy, now), context.job().created_at).await?;
        let total = self.store.extent(partition).await.map_err(Error::from)?.memories;
        let (mut counts, mut due) = (SweepCounts::default(), Vec::new());
        let mut pages = Pages::new(self, partition, None);
        while let Some(rows) = pages.next().await? {
            let (mut writes, before) = (Writes::default(), counts.clone());
            for row in &rows {
                let wanted = plan.wanted(Subject::from(row));
                let change = change(row.forgotten.as_ref(), wanted.as_ref());
                counts.count(row.kind, change, wanted.as_ref());
                if wanted.as_ref().is_some_and(|record| plan.judge.is_due(record)) {
                    due.push(row.memory);
                }
                if change.is_some() {
                    writes.add(row, wanted);
                }
            }
            // Nothing is written for a job that was cancelled, nor for an owner that was erased, whose jobs are deleted.
            let done = counts.memories;
            context.note(Progress { done, total: total.max(done), position: None }).await?;
            for set in writes.sets((tenant, owner), self.now()) {
                self.commit_when_free(set).await?;
            }
            self.swept.add(&before, &counts);
            tokio::task::yield_now().await;
        }
        let erases = |memory: &Memory| plan.erases(memory);
        let progress = || context.note(context.progress());
        let before = counts.clone();
        counts.erased = self.erase_due((tenant, owner), (partition, &due), erases, progress).await?;
        self.swept.add(&before, &counts);
        let is_check = policy.rule == Rule::ConditionalDraw && policy.effect.is_some();
        if is_check && !self.store.note_check(partition, now, context.attempt()).await? {
            return Err(JobFailure::LeaseLost);
        }
        Ok(counts.in_order())
    }

    /// Commits a set as soon as the commit queue has a place for it: requests of callers come first.
    async fn commit_when_free(&self, set: ChangeSet) -> Result<(), Error> {
        for _ in 1..ENTRIES_AT_MOST {
            match self.commits.commit(set.clone()).await {
                Err(Error::Busy) => tokio::time::sleep(PAUSE_BEFORE_ENTRY).await,
                outcome => return outcome.map(|_| ()),
            }
        }
        self.commits.commit(set).await.map(|_| ())
    }
}
