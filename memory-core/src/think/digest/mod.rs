//! Mechanism `digests`, after MemoryBank (arXiv 2305.10250, section 3.1): the turns of a day → its event summary and what it
//! shows of the user → the summary of all days and the portrait.
//!
//! One run makes the digests of one day, or those of all days; the next job follows in its change set. A digest is made again
//! only when the content that it covers has changed, and lists all that was in view. One that the owner edited is kept.

pub(crate) mod after_erasure;
mod contract;
mod day;
mod draft;
mod item;
mod later;
mod portrait;
pub mod read;
mod sources;
mod writing;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::civil::Date;
use uuid::Uuid;

use self::item::{Item, key_of};
use self::later::is_to_ask_again;
use self::writing::DigestToWrite;
use crate::domain::change::{ChangeSet, ThoughtAbout};
use crate::domain::derivation::{Derivation, Source};
use crate::domain::digest::Level;
use crate::domain::id::{JobId, MemoryId, PartitionId};
use crate::domain::memory::{Happened, Memory};
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::{JobFailure, JobOutcome};
use crate::think::coverage;
use crate::think::mechanism::{Mechanism, Run};
use crate::think::queue::request::{self, Payload, queues_of};
use crate::think::settings::{Profile, Task};

/// Maximum number of waiting turns that one run reads. Fewer wait for long: see [`day::is_due`].
const WAITING_AT_MOST: u32 = 2_048;

/// Makes the digests of the days whose turns wait.
pub(in crate::think) struct MakeDigests;

#[async_trait]
impl Mechanism for MakeDigests {
    fn kind(&self) -> &'static str {
        request::DIGESTS
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.make_digests(run).await
    }
}

/// Digest by its level and key, with what it covers.
struct Covering<'a> {
    level: Level,
    key: String,
    items: &'a [Item],
    happened: Happened,
    /// See [`Engine::draft`].
    needs_no_model: bool,
}

/// Change that a run makes to a digest.
enum Change {
    /// None: it covers the same content, the owner edited it, or there is nothing to say.
    Nothing,
    /// None yet: it stands in for that of a language model, which is asked again later.
    Wait,
    /// A new version.
    Write(Box<(Option<Memory>, draft::Draft)>),
    /// It goes: nothing that it may cover is left.
    Erase(MemoryId),
    /// It goes with its history, which covers what may not be told any more, and is made again by the next job.
    Redo(MemoryId),
}

/// Outcome of a digest in a run.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    /// True if it has to be looked at once more, because it was erased with its history.
    redoes: bool,
    /// True if it stands in for that of a language model.
    stands_in: bool,
}

impl Engine {
    async fn make_digests(&self, run: &Run) -> Result<JobOutcome, JobFailure> {
        let Some(partition) = self.store.partition_of(run.tenant, &run.owner).await? else {
            return Ok(JobOutcome::Done);
        };
        if !queues_of(&self.thinking.settings, Profile::Default).contains(&request::DIGESTS) {
            return Ok(JobOutcome::Done);
        }
        let (payload, _) = Payload::of(run.context.job())
            .ok_or_else(|| JobFailure::Final { code: "bad_payload".to_owned() })?;
        let (zone, now) = (self.zone_of_owner(run.tenant, &run.owner), self.now());
        let later = self.later(partition, &zone, payload.is_continued).await?;
        let pending = self.store.pending_turns(partition, request::DIGESTS, WAITING_AT_MOST).await?;
        let waiting = day::waiting(pending.iter().map(|turn| &turn.memory), &zone);
        let named: BTreeSet<Date> = payload.days.iter().filter_map(|day| day.parse().ok()).collect();
        let due = waiting.iter().filter(|(date, turns)| day::is_due(**date, turns, &zone, now));
        let mut due: BTreeSet<Date> = due.map(|(date, _)| *date).chain(named.iter().copied()).collect();
        due.extend(&later.due);
        let Some(date) = due.pop_first() else {
            if later.settled.is_empty() {
                return self.make_overall_digests(run, partition, payload.is_changed).await;
            }
            return self.forget_later(run, later, payload.is_changed).await;
        };
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), now);
        let turns = waiting.get(&date).map(|turns| day::ids(turns)).unwrap_or_default();
        if !turns.is_empty() {
            set.thought_about = Some(ThoughtAbout { mechanism: request::DIGESTS, turns });
        }
        let needs_no_model = named.contains(&date) || later.due.contains(&date);
        let redoes = self.make_day(run, partition, (date, &zone), needs_no_model, &mut set).await?;
        let is_changed = payload.is_changed || has_writes(&set);
        let is_to_name = |other: &Date| named.contains(other) || later.due.contains(other);
        let days = due.into_iter().filter(is_to_name).chain(redoes.then_some(date));
        let next = Payload::of_days(&run.owner, days.map(|day| day.to_string())).with_changes(is_changed);
        self.end_of_run(run, set, Some(next)).await
    }

    /// Commits a run and what follows. A run without writes leaves the job that follows alone.
    async fn end_of_run(
        &self,
        run: &Run,
        mut set: ChangeSet,
        next: Option<Payload>,
    ) -> Result<JobOutcome, JobFailure> {
        let job = next.map(|next| {
            let id = JobId(self.ids.next(set.now));
            next.job(id, run.tenant, request::DIGESTS, set.now, false)
        });
        if !has_writes(&set) && set.thought_about.is_none() {
            if let Some(job) = job {
                self.store.enqueue(job).await?;
            }
            return Ok(JobOutcome::Done);
        }
        set.jobs.extend(job);
        set.finishes = Some(run.context.attempt());
        let erases = !set.erasures.is_empty();
        match self.commits.commit(set).await {
            Ok(_) => {
                if erases {
                    self.thinking.forget_replies();
                }
                Ok(JobOutcome::Committed)
            }
            Err(Error::VersionConflict { .. } | Error::Busy | Error::NotFound { .. }) => {
                Err(JobFailure::Retry { code: "version_conflict".to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Adds the digests of a day to a set; true if they have to be looked at once more.
    async fn make_day(
        &self,
        run: &Run,
        partition: PartitionId,
        (date, owner_zone): (Date, &Zone),
        needs_no_model: bool,
        set: &mut ChangeSet,
    ) -> Result<bool, JobFailure> {
        let turns = self.turns_of_day(partition, date, owner_zone).await?;
        let is_asked_for = set.thought_about.is_some() || turns.len() >= day::TURNS_BEFORE_THE_END;
        if !is_asked_for && !self.is_over(partition, date, owner_zone).await? {
            return Ok(false);
        }
        let said: Vec<Item> = turns.iter().filter(|item| item.is_of_user()).cloned().collect();
        let mut offsets = turns.iter().map(|item| item.memory.happened.offset);
        let first = offsets.next().flatten();
        let zone =
            if offsets.all(|other| other == first) { owner_zone.or_own(first) } else { owner_zone.clone() };
        let happened = Happened {
            at: zone.beginning(date),
            until: zone.end_of(date),
            offset: Some(zone.offset_of(date)),
        };
        let (mut redoes, mut stands_in) = (false, false);
        for (level, items) in [(Level::EventsOfDay, &turns), (Level::PersonalityOfDay, &said)] {
            let covering = Covering { level, key: date.to_string(), items, happened, needs_no_model };
            let made = self.make_digest(run, partition, &covering, set).await?;
            redoes |= made.redoes;
            stands_in |= made.stands_in;
        }
        let changes = has_writes(set);
        let turn = turns.first().map(|item| item.memory.id);
        let mut queue = |mechanism| {
            let turns = turn.into_iter().collect();
            set.queued_again.push(ThoughtAbout { mechanism, turns });
        };
        if stands_in {
            queue(request::DIGESTS_LATER);
        }
        if redoes || changes {
            queue(request::PORTRAIT);
        }
        Ok(redoes)
    }

    /// True if a day that a job names is over, or has a digest already.
    async fn is_over(&self, partition: PartitionId, date: Date, zone: &Zone) -> Result<bool, Error> {
        let today = zone.date(self.now());
        Ok(date < today || self.digest_of(partition, Level::EventsOfDay, &date.to_string()).await?.is_some())
    }

    /// The digest of all days, else the portrait; each ends in a job that looks again.
    async fn make_overall_digests(
        &self,
        run: &Run,
        partition: PartitionId,
        is_changed: bool,
    ) -> Result<JobOutcome, JobFailure> {
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), self.now());
        let zone = self.zone_of_owner(run.tenant, &run.owner);
        let days = self.digests_to_cover(partition, Level::EventsOfDay, &zone).await?;
        let happened = Happened {
            at: days.iter().map(|item| item.memory.happened.at).min().unwrap_or(set.now),
            until: days.iter().filter_map(|item| item.memory.happened.until).max(),
            offset: None,
        };
        let covering = Covering {
            level: Level::EventsOfAll,
            key: Level::ALL_DAYS.to_owned(),
            items: &days,
            happened,
            needs_no_model: true,
        };
        let redoes = self.make_digest(run, partition, &covering, &mut set).await?.redoes;
        let changed = self.store.pending_turns(partition, request::PORTRAIT, WAITING_AT_MOST).await?;
        let is_changed = is_changed || !changed.is_empty();
        if has_writes(&set) {
            let next = Payload::of_days(&run.owner, []).with_changes(is_changed);
            return self.end_of_run(run, set, (redoes || is_changed).then_some(next)).await;
        }
        if is_changed {
            self.make_portrait(run, partition, &zone, &mut set).await?;
        }
        if !changed.is_empty() {
            let turns = changed.iter().map(|turn| turn.memory.id).collect();
            set.thought_about = Some(ThoughtAbout { mechanism: request::PORTRAIT, turns });
        }
        self.end_of_run(run, set, None).await
    }

    /// Adds a digest to a set, if it has to change.
    async fn make_digest(
        &self,
        run: &Run,
        partition: PartitionId,
        covering: &Covering<'_>,
        set: &mut ChangeSet,
    ) -> Result<Made, JobFailure> {
        match self.change(run, partition, covering).await? {
            Change::Nothing => Ok(Made::default()),
            Change::Wait => Ok(Made { stands_in: true, ..Made::default() }),
            Change::Erase(id) => {
                set.erasures.push(id);
                Ok(Made::default())
            }
            Change::Redo(id) => {
                set.erasures.push(id);
                Ok(Made { redoes: true, ..Made::default() })
            }
            Change::Write(written) => {
                let (existing, draft) = *written;
                let is_new = existing.is_none();
                if is_new && self.digest_of(partition, covering.level, &covering.key).await?.is_some() {
                    // A caller took the name while a model was asked.
                    return Err(JobFailure::Retry { code: "version_conflict".to_owned() });
                }
                let stands_in = draft::is_stand_in(&draft.maker);
                let digest = DigestToWrite {
                    level: covering.level,
                    key: covering.key.clone(),
                    existing: existing.as_ref(),
                    draft,
                    covered: covering.items.iter().map(|item| &item.memory).collect(),
                    coverage_key: Some(key_of(covering.items)),
                    happened: covering.happened,
                };
                self.write_digests(run.job_id(), vec![digest], set).await?;
                Ok(Made { stands_in, redoes: false })
            }
        }
    }

    async fn change(
        &self,
        run: &Run,
        partition: PartitionId,
        covering: &Covering<'_>,
    ) -> Result<Change, JobFailure> {
        let Covering { level, key, items, needs_no_model, .. } = covering;
        let existing = self.digest_of(partition, *level, key).await?;
        if existing.as_ref().is_some_and(|(_, derivation)| Derivation::is_of_caller(derivation.as_ref())) {
            return Ok(Change::Nothing);
        }
        let gone = existing.as_ref().map(|(memory, _)| memory.id);
        let nothing = gone.map_or(Change::Nothing, Change::Erase);
        if items.is_empty() {
            return Ok(nothing);
        }
        let mut before = None;
        if let Some((memory, derivation)) = &existing {
            if coverage::key_of(memory) == Some(key_of(items).as_str()) {
                before = derivation.as_ref().map(|one| &one.maker).filter(|maker| draft::is_stand_in(maker));
                let Some(_) = before.filter(|_| self.thinking.settings.model(Task::Digest).is_some()) else {
                    return Ok(Change::Nothing);
                };
                if !is_to_ask_again(memory, self.now()) {
                    return Ok(Change::Wait);
                }
            }
            let covers: BTreeSet<Uuid> = items.iter().map(|item| id_of(item.source)).collect();
            let inputs = derivation.iter().flat_map(|derivation| &derivation.inputs);
            if inputs.into_iter().any(|input| !covers.contains(&id_of(input.source))) {
                return Ok(Change::Redo(memory.id));
            }
        }
        let needs_no_model = *needs_no_model || before.is_some();
        let draft = self.draft((run, partition), *level, items, needs_no_model, before).await?;
        if draft.as_ref().is_some_and(|draft| before.is_some_and(|maker| *maker == draft.maker)) {
            return Ok(Change::Wait);
        }
        let existing = existing.map(|(memory, _)| memory);
        Ok(draft.map_or(nothing, |draft| Change::Write(Box::new((existing, draft)))))
    }
}

fn has_writes(set: &ChangeSet) -> bool {
    !set.memories.is_empty() || !set.revisions.is_empty() || !set.erasures.is_empty()
}

fn id_of(source: Source) -> Uuid {
    match source {
        Source::Turn(turn) => turn.0,
        Source::Memory(memory) => memory.0,
    }
}
