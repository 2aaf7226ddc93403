//! Digests that stand in for those of a language model, because its budget was spent or its replies were refused. A turn of each
//! such day waits in a queue of its own, so that the day is looked at again, at most once a day.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::WAITING_AT_MOST;
use super::day::date_of;
use super::draft::is_stand_in;
use crate::domain::change::{ChangeSet, ThoughtAbout};
use crate::domain::derivation::{Derivation, Maker};
use crate::domain::digest::Level;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::{JobFailure, JobOutcome};
use crate::think::mechanism::Run;
use crate::think::queue::request::{self, Payload};

/// Days after which a language model is asked again for a digest that stands in.
const ASKED_AGAIN_AFTER_DAYS: i64 = 1;

/// Days that stand in, and the turns that keep them in mind.
#[derive(Debug, Default)]
pub(super) struct Later {
    /// Days whose model is to be asked again now.
    pub(super) due: BTreeSet<Date>,
    /// Turns of other days, which have digests of a model by now.
    pub(super) settled: Vec<MemoryId>,
}

/// True if a digest that stands in is old enough for another question to the model.
pub(super) fn is_to_ask_again(digest: &Memory, now: Timestamp) -> bool {
    digest.recorded_at.plus_days(ASKED_AGAIN_AFTER_DAYS) <= now
}

impl Engine {
    /// Days that stand in; none for a job that goes on with the work of another one.
    pub(super) async fn later(
        &self,
        partition: PartitionId,
        zone: &Zone,
        is_continued: bool,
    ) -> Result<Later, Error> {
        let mut later = Later::default();
        if is_continued {
            return Ok(later);
        }
        let turns = self.store.pending_turns(partition, request::DIGESTS_LATER, WAITING_AT_MOST).await?;
        let mut looked_at = BTreeSet::new();
        let mut waits = BTreeSet::new();
        for turn in turns {
            let date = date_of(&turn.memory, zone);
            if looked_at.insert(date) {
                let mut stand_ins = Vec::new();
                for level in [Level::EventsOfDay, Level::PersonalityOfDay] {
                    let digest = self.digest_of(partition, level, &date.to_string()).await?;
                    let maker = |derivation: Option<Derivation>| derivation.map(|one| one.maker);
                    let digest = digest.map(|(memory, derivation)| (memory, maker(derivation)));
                    let stands_in = |maker: &Option<Maker>| maker.as_ref().is_some_and(is_stand_in);
                    stand_ins.extend(digest.filter(|(_, maker)| stands_in(maker)));
                }
                if stand_ins.iter().any(|(digest, _)| is_to_ask_again(digest, self.now())) {
                    later.due.insert(date);
                } else if !stand_ins.is_empty() {
                    waits.insert(date);
                }
            }
            if !waits.contains(&date) && !later.due.contains(&date) {
                later.settled.push(turn.memory.id);
            }
        }
        Ok(later)
    }

    /// Takes the turns of days that no longer stand in out of the queue.
    pub(super) async fn forget_later(
        &self,
        run: &Run,
        later: Later,
        is_changed: bool,
    ) -> Result<JobOutcome, JobFailure> {
        let mut set = ChangeSet::new(run.tenant, run.owner.clone(), self.now());
        set.thought_about = Some(ThoughtAbout { mechanism: request::DIGESTS_LATER, turns: later.settled });
        let next = Payload::of_days(&run.owner, []).with_changes(is_changed);
        self.end_of_run(run, set, Some(next)).await
    }
}
