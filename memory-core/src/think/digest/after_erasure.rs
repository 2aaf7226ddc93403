//! Digests after an erasure, an edit or a change of the time zone. An erasure takes every digest that was made with an erased turn in view (ADR 0013); the
//! job that makes them again of what is left is written in the same transaction, and so is that of an edited turn.

use std::collections::BTreeSet;

use super::day::date_of;
use crate::domain::change::ChangeSet;
use crate::domain::digest::Level;
use crate::domain::id::{JobId, MemoryId, TenantId};
use crate::domain::memory::{Happened, Kind, Memory};
use crate::domain::scope::Owner;
use crate::engine::Engine;
use crate::error::Error;
use crate::think::queue::request::{self, DAYS_PER_JOB, Payload, queues_of};

impl Engine {
    /// Adds to an undo the job that makes the digests again that it takes along or whose turns it changes. Digests that the undo
    /// itself names stay away until their content changes.
    pub(crate) async fn remake_undone_digests(&self, set: &mut ChangeSet) -> Result<(), Error> {
        let revised: Vec<Memory> = set.revisions.iter().map(|revision| revision.memory.clone()).collect();
        self.remake_digests_of(set, &revised);
        let named = set.erasures.clone();
        self.remake_erased_but(set, &named).await
    }

    /// Adds to an erasure the job that makes the digests again that it takes along.
    pub(crate) async fn remake_erased_digests(&self, set: &mut ChangeSet) -> Result<(), Error> {
        self.remake_erased_but(set, &[]).await
    }

    async fn remake_erased_but(&self, set: &mut ChangeSet, named: &[MemoryId]) -> Result<(), Error> {
        if set.erasures.is_empty() || !self.makes_digests(set) {
            return Ok(());
        }
        let Some(partition) = self.store.partition_of(set.tenant, &set.owner).await? else { return Ok(()) };
        // Most owners have no digest: one look-up spares them the closure, which the erasure itself reads once more.
        let levels: Vec<_> = Level::ALL.into_iter().filter_map(Level::group).collect();
        if self.store.in_groups(partition, &levels, 1).await?.is_empty() {
            return Ok(());
        }
        let at_most = self.limits.erasures_per_call;
        let closure = self.store.erasure_closure(partition, &set.erasures, &set.retractions, at_most).await?;
        let erased = self.store.memories(partition, &closure.unwrap_or_default()).await?;
        let remade = erased.iter().filter(|memory| !named.contains(&memory.id));
        let digests: Vec<_> = remade.filter_map(Level::of).collect();
        if !digests.is_empty() {
            let days = digests.into_iter().filter_map(|(_, day)| day).map(|day| day.to_string());
            self.look_at_days(set, days.collect());
        }
        Ok(())
    }

    /// Adds to a set that changes turns the job that looks at their days again.
    pub(crate) fn remake_digests_of<'m>(
        &self,
        set: &mut ChangeSet,
        turns: impl IntoIterator<Item = &'m Memory>,
    ) {
        if !self.makes_digests(set) {
            return;
        }
        let zone = self.zone_of_owner(set.tenant, &set.owner);
        let turns = turns.into_iter().filter(|memory| memory.kind == Kind::Turn);
        let days: Vec<String> = turns.map(|memory| date_of(memory, &zone).to_string()).collect();
        if !days.is_empty() {
            self.look_at_days(set, days);
        }
    }

    /// Enqueues the job that makes those digests again whose days begin at another time in the present zone of an owner, and those
    /// of the days on which their turns are now. A digest of which all turns stay is not made again.
    pub(crate) async fn remake_moved_digests(&self, tenant: TenantId, owner: &Owner) -> Result<(), Error> {
        let set = ChangeSet::new(tenant, owner.clone(), self.now());
        let Some(partition) = self.store.partition_of(tenant, owner).await? else { return Ok(()) };
        if !self.makes_digests(&set) {
            return Ok(());
        }
        let (zone, mut days) = (self.zone_of_owner(tenant, owner), BTreeSet::new());
        for level in [Level::EventsOfDay, Level::PersonalityOfDay] {
            for digest in self.digests_of(partition, level).await? {
                let Some((_, Some(day))) = Level::of(&digest) else { continue };
                let Happened { at, until, .. } = digest.happened;
                let first = zone.date(at);
                let last = until.map_or(first, |until| zone.date(until.plus_micros(-1)));
                if (first, last) != (day, day) {
                    days.extend([day, first, last]);
                }
            }
        }
        if !days.is_empty() {
            let latest = days.iter().rev().take(DAYS_PER_JOB).map(ToString::to_string);
            // The portrait follows only if a day is made again.
            let payload = Payload::of_days(owner, latest).with_changes(false);
            let id = JobId(self.ids.next(set.now));
            self.store.enqueue(payload.job(id, tenant, request::DIGESTS, set.now, false)).await?;
        }
        Ok(())
    }

    fn look_at_days(&self, set: &mut ChangeSet, mut days: Vec<String>) {
        days.sort_unstable();
        days.dedup();
        let id = JobId(self.ids.next(set.now));
        let payload = Payload::of_days(&set.owner, days);
        set.jobs.push(payload.job(id, set.tenant, request::DIGESTS, set.now, false));
    }

    fn makes_digests(&self, set: &ChangeSet) -> bool {
        let profile = self.thinking.profile(set.tenant, &set.owner);
        queues_of(&self.thinking.settings, profile).contains(&request::DIGESTS)
    }
}
