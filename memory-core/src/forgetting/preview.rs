//! Preview of a sweep: the numbers, exact, and a page of what would change. It is planned by the functions of the sweep, and
//! writes nothing.

use std::sync::Arc;

use super::plan::{Change, Subject, change};
use super::request::{PreviewSweep, PreviewedSweep, SweepCounts, SweptMemory};
use super::sweep::{Pages, Plan};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::retention::Policy;
use crate::scope::owner;
use crate::store::RetentionRow;

impl Engine {
    /// Previews a sweep of the memories of the owner of a scope. A sweep with the same policy as of the same time changes
    /// exactly this, unless memories change meanwhile. Under [`Rule::ConditionalDraw`](crate::retention::Rule) another time is
    /// another draw, so that only a preview with a time of its own says what a sweep does. A preview as of the future, where no
    /// sweep is accepted yet, shows the sweep that is requested then.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field of the policy that is out of its bounds; [`Error`] when the scope is invalid, the
    /// caller lacks the right to read, the page is too large, or the store fails.
    pub async fn preview_sweep(
        &self,
        caller: &Caller,
        request: PreviewSweep,
    ) -> Result<PreviewedSweep, Error> {
        needs_read(caller)?;
        let PreviewSweep { scope, policy, now, limit, after } = request;
        let limit = field_checks::page(limit, &self.limits)?;
        let owner = owner(&scope)?;
        if let Some((field, rule)) = policy.as_ref().and_then(Policy::violation) {
            return Err(Error::invalid(format!("policy.{field}"), rule));
        }
        let policy = policy.map_or_else(|| self.policy_of(caller.tenant, &owner), Arc::new);
        let present = self.now();
        let now = now.unwrap_or(present);
        let mut preview = PreviewedSweep {
            now,
            policy: Arc::clone(&policy),
            counts: SweepCounts::default(),
            entries: Vec::new(),
            has_more: false,
        };
        let Some(partition) = self.store.partition_of(caller.tenant, &owner).await? else {
            return Ok(preview);
        };
        let plan = self.plan_sweep(partition, (&policy, now), present.max(now)).await?;
        let mut due = Vec::new();
        let mut pages = Pages::new(self, partition, None);
        while let Some(rows) = pages.next().await? {
            for row in &rows {
                let wanted = plan.wanted(Subject::from(row));
                let change = change(row.forgotten.as_ref(), wanted.as_ref());
                preview.counts.count(row.kind, change, wanted.as_ref());
                if wanted.is_some_and(|record| plan.judge.is_due(&record)) {
                    due.push(row.memory);
                }
            }
        }
        let erased = self.erasable(partition, &due).await?;
        preview.counts.erased = erased.len() as u64;
        preview.counts = preview.counts.in_order();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        (preview.entries, preview.has_more) =
            self.swept_page(partition, (&plan, &erased), after, limit).await?;
        Ok(preview)
    }

    /// Memories after `after` that a sweep changes, at most `limit`; true if there are more.
    async fn swept_page(
        &self,
        partition: PartitionId,
        (plan, erased): (&Plan<'_>, &[MemoryId]),
        after: Option<MemoryId>,
        limit: usize,
    ) -> Result<(Vec<SweptMemory>, bool), Error> {
        let mut entries: Vec<SweptMemory> = Vec::new();
        let mut pages = Pages::new(self, partition, after);
        let mut has_more = false;
        'pages: while let Some(rows) = pages.next().await? {
            for row in &rows {
                let Some(entry) = swept(plan, erased, row) else { continue };
                if entries.len() == limit {
                    has_more = true;
                    break 'pages;
                }
                entries.push(entry);
            }
        }
        let ids: Vec<MemoryId> = entries.iter().map(|entry| entry.memory).collect();
        let mut excerpts = self.excerpts(partition, &ids).await?;
        for entry in &mut entries {
            entry.excerpt = excerpts.remove(&entry.memory).unwrap_or_default();
        }
        Ok((entries, has_more))
    }
}

/// Entry of a memory without its text; `None` if the sweep does not change it.
fn swept(plan: &Plan<'_>, erased: &[MemoryId], row: &RetentionRow) -> Option<SweptMemory> {
    let subject = Subject::from(row);
    let wanted = plan.wanted(subject);
    let is_erased = erased.binary_search(&row.memory).is_ok();
    let change =
        if is_erased { Some(Change::Erase) } else { change(row.forgotten.as_ref(), wanted.as_ref()) };
    let policy = plan.judge.policy;
    let state = policy.curve.curve().state(&policy.trace(row.kind, &row.strength), plan.judge.now);
    Some(SweptMemory {
        memory: row.memory,
        kind: row.kind,
        excerpt: String::new(),
        change: change?,
        record: wanted.or_else(|| row.forgotten.clone()),
        retention: plan.judge.retention(subject),
        strength: state.strength,
        threshold: plan.judge.threshold(subject),
    })
}
