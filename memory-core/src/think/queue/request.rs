//! Request of thinking about new turns: the queue and the job that are written in the transaction of the turns. Pure.
//!
//! One job per owner and mechanism waits at a time. It releases its key when it is claimed, so that turns that arrive during
//! a run are given another job.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::change::{ChangeSet, ThoughtAbout};
use crate::domain::consolidation::Consolidation;
use crate::domain::id::{JobId, MemoryId, TenantId};
use crate::domain::job::Job;
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::domain::time::Timestamp;
use crate::think::settings::{Profile, Task, ThinkingSettings};

/// Kind of the jobs that make facts of turns, and the name of their queue.
pub(in crate::think) const FACTS: &str = "facts";
/// Kind of the jobs that make the digests of sessions.
pub(in crate::think) const CONSOLIDATE: &str = "consolidate";
/// Kind of the jobs that organise groups of facts.
pub(in crate::think) const ORGANISE: &str = "organise";
/// Kind of the jobs that make and organise thoughts as published, and the name of their queue.
pub(in crate::think) const TIM_PAPER: &str = "tim.paper";
/// Kind of the jobs that make, link and evolve notes, and the name of their queue.
pub(in crate::think) const NOTES: &str = "notes";
/// Kind of the jobs that make, link and evolve notes as published, and the name of their queue.
pub(in crate::think) const AMEM_PAPER: &str = "amem.paper";
/// Kind of the jobs that make digests of days and the portrait, and the name of their queue.
pub(in crate::think) const DIGESTS: &str = "digests";
/// Queue of the turns whose days have digests that stand in for those of a language model.
pub(in crate::think) const DIGESTS_LATER: &str = "digests.later";
/// Queue of turns of changed days that the portrait has yet to take into account.
pub(in crate::think) const PORTRAIT: &str = "digests.portrait";
/// All queues.
pub(in crate::think) const QUEUES: [&str; 5] = [FACTS, TIM_PAPER, NOTES, AMEM_PAPER, DIGESTS];
/// Queues that empty while turns arrive. A caller can wait for them; a day has to end before its digest is made.
pub(in crate::think) const PROMPT_QUEUES: [&str; 4] = [FACTS, TIM_PAPER, NOTES, AMEM_PAPER];

/// Maximum number of days that a job of digests names.
pub(in crate::think) const DAYS_PER_JOB: usize = 4_096;

/// Payload of thinking jobs: ids and dates only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::think) struct Payload {
    owner_kind: String,
    owner_id: String,
    /// Memories to think about, for jobs without a queue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::think) memories: Vec<uuid::Uuid>,
    /// Local dates whose digests are to be looked at again, although no turn of them waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::think) days: Vec<String>,
    /// True if digests were made or erased since the portrait was looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::think) is_changed: bool,
    /// True for a job that goes on with the work of another one: it looks for no digests that stand in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::think) is_continued: bool,
}

impl Payload {
    /// Payload of a job for an owner.
    pub(in crate::think) fn new(owner: &Owner, memories: &[MemoryId]) -> Self {
        let memories = memories.iter().map(|memory| memory.0).collect();
        let (owner_kind, owner_id) = (owner.kind.as_str().to_owned(), owner.id.to_string());
        Self { owner_kind, owner_id, memories, days: Vec::new(), is_changed: false, is_continued: false }
    }

    /// Payload of a job that looks at the digests of these days again, at most [`DAYS_PER_JOB`], and at what is made of them.
    pub(in crate::think) fn of_days(owner: &Owner, days: impl IntoIterator<Item = String>) -> Self {
        let days = days.into_iter().take(DAYS_PER_JOB).collect();
        Self { days, is_changed: true, ..Self::new(owner, &[]) }
    }

    /// The same, to be followed by a look at the portrait only if digests were changed.
    pub(in crate::think) fn with_changes(self, is_changed: bool) -> Self {
        Self { is_changed, is_continued: true, ..self }
    }

    /// Payload of this job, with its owner; `None` if it cannot be decoded.
    pub(in crate::think) fn of(job: &Job) -> Option<(Self, Owner)> {
        let payload: Self = serde_json::from_str(&job.payload).ok()?;
        let kind = OwnerKind::parse(&payload.owner_kind)?;
        let owner = Owner { kind, id: Name::new(&payload.owner_id).ok()? };
        Some((payload, owner))
    }

    /// New job with this payload. `is_unique`: no second one of its kind waits for the owner.
    pub(in crate::think) fn job(
        &self,
        id: JobId,
        tenant: TenantId,
        kind: &str,
        now: Timestamp,
        is_unique: bool,
    ) -> Job {
        let unique_key = is_unique.then(|| {
            let digest = Sha256::digest(format!("{}/{}", self.owner_kind, self.owner_id));
            digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        });
        let payload = serde_json::json!(self).to_string();
        let owner = Name::new(&self.owner_id).ok();
        let owner = owner.and_then(|id| Some(Owner { kind: OwnerKind::parse(&self.owner_kind)?, id }));
        Job { unique_key, releases_key: true, owner, ..Job::new(id, tenant, kind, payload, now) }
    }
}

/// Queues of the mechanisms that can think about turns under this profile, with these settings.
pub(in crate::think) fn queues_of(settings: &ThinkingSettings, profile: Profile) -> Vec<&'static str> {
    let has_model = |task| settings.model(task).is_some();
    let queues: &[(&str, bool)] = match profile {
        Profile::Off => &[],
        Profile::Default => &[
            (FACTS, settings.can_extract()),
            (NOTES, settings.makes_notes && has_model(Task::Evolve)),
            (DIGESTS, settings.makes_digests),
        ],
        Profile::TimPaper => &[(TIM_PAPER, has_model(Task::Extract))],
        Profile::AmemPaper => &[(AMEM_PAPER, has_model(Task::Evolve))],
    };
    queues.iter().filter(|(_, can_think)| *can_think).map(|(queue, _)| *queue).collect()
}

/// Adds to a set of new turns the queues and the jobs of thinking about them, with an id from `next_id` for each job.
pub(in crate::think) fn request(
    set: &mut ChangeSet,
    queues: &[&'static str],
    mut next_id: impl FnMut() -> JobId,
) {
    for queue in queues {
        set.queue_for.push(queue);
        let payload = Payload::new(&set.owner, &[]);
        set.jobs.push(payload.job(next_id(), set.tenant, queue, set.now, true));
    }
}

/// Request of a set to think about turns that are there once more.
pub(in crate::think) fn request_again(
    set: &mut ChangeSet,
    queue: &'static str,
    turns: Vec<MemoryId>,
    id: JobId,
) {
    let payload = Payload::new(&set.owner, &[]);
    set.jobs.push(payload.job(id, set.tenant, queue, set.now, true));
    set.queued_again.push(ThoughtAbout { mechanism: queue, turns });
}

/// Request of a set for the digests of the sessions that it closes, fills to a multiple of `turns`, or takes turns from.
pub(in crate::think) fn ask_digests(set: &mut ChangeSet, turns: u32, id: JobId) {
    let job = Payload::new(&set.owner, &[]).job(id, set.tenant, CONSOLIDATE, set.now, true);
    set.sessions.asks = Some(Consolidation { turns, job });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: &str) -> Owner {
        Owner { kind: OwnerKind::User, id: Name::new(id).expect("a name") }
    }

    fn job(owner: &Owner) -> Job {
        let id = JobId(uuid::Uuid::from_u128(1));
        Payload::new(owner, &[]).job(id, TenantId::DEFAULT, FACTS, Timestamp::MIN, true)
    }

    #[test]
    fn without_rules_and_models_nothing_can_think() {
        let settings = ThinkingSettings::default();
        assert!(Profile::ALL.iter().all(|profile| queues_of(&settings, *profile).is_empty()));
        let by_rules =
            ThinkingSettings { use_rules: true, makes_notes: true, makes_digests: true, ..settings };
        assert_eq!(queues_of(&by_rules, Profile::Default), [FACTS, DIGESTS]);
        assert!(queues_of(&by_rules, Profile::TimPaper).is_empty());
        assert!(queues_of(&by_rules, Profile::Off).is_empty());
    }

    #[test]
    fn a_payload_names_its_owner() {
        let ann = owner("ann \"quoted\"");
        assert_eq!(Payload::of(&job(&ann)).map(|(_, owner)| owner), Some(ann));
        let odd = Job { payload: "{}".to_owned(), ..job(&owner("ann")) };
        assert_eq!(Payload::of(&odd), None);
    }

    #[test]
    fn the_key_of_a_job_is_its_owners_own_and_does_not_name_it() {
        let (ann, bob) = (job(&owner("ann")), job(&owner("bob")));
        assert_ne!(ann.unique_key, bob.unique_key);
        assert_eq!(ann.unique_key.as_ref().map(String::len), Some(32));
    }
}
