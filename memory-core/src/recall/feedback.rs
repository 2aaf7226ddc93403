//! Feedback on recalls: which of the memories that a recall returned were cited, confirmed or contradicted. Read and written by the
//! id of the recall, in the scope for which it was made.

use std::collections::HashMap;

use super::request::RecallFeedback;
use super::response::LoggedRecall;
use crate::domain::change::{ChangeSet, Feedback};
use crate::domain::id::{MemoryId, PartitionId, RecallId};
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::domain::uses::{Use, UseKind};
use crate::engine::{Engine, needs_read, needs_write};
use crate::error::Error;
use crate::field_checks;
use crate::index::{ValidTime, View};
use crate::limits::Limits;
use crate::scope::owner;
use crate::store::{RecallHit, RecallRecord};

/// Records of one recall: that of the scope's owner, and those of others whose memories it returned.
struct Records {
    own: Option<PartitionId>,
    found: Vec<RecallRecord>,
}

impl Engine {
    /// Entry of a recall in the access log: its hits that the scope still reaches, with their outcomes. The text of the query
    /// is not kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a recall that was not made for the scope, returned nothing, or is no longer in the log;
    /// [`Error`] when the scope is invalid, the caller lacks the right to read, or the store fails.
    pub async fn logged_recall(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: RecallId,
    ) -> Result<LoggedRecall, Error> {
        needs_read(caller)?;
        Ok(logged(id, &self.records_of(caller, scope, id).await?.found))
    }

    /// Raises the outcomes of hits of a recall, and records them as uses of the memories at the time of the feedback where
    /// they count for the owner. The same feedback again changes nothing. Of memories of other owners nothing is written.
    ///
    /// # Errors
    /// [`Error::NotFound`] as [`Engine::logged_recall`]; [`Error::Invalid`] for a `now` in the future, and for an id
    /// that is no hit of the recall, or that is both confirmed and contradicted; [`Error::OverLimit`] for more ids than a recall returns; [`Error`] when the scope
    /// is invalid, the caller lacks the right to write, or the store fails.
    pub async fn recall_feedback(
        &self,
        caller: &Caller,
        id: RecallId,
        request: RecallFeedback,
    ) -> Result<LoggedRecall, Error> {
        needs_write(caller)?;
        let owner = owner(&request.scope)?;
        check_lengths(&request, &self.limits)?;
        let now = field_checks::moment_of_use(request.now, self.now())?;
        let mut records = self.records_of(caller, &request.scope, id).await?;
        let kinds = kinds(&request, &records.found)?;
        let counting = self.counting(caller.tenant, &owner);
        let own = records.found.iter_mut().find(|record| records.own == Some(record.partition));
        let mut feedback = Vec::new();
        for hit in own.into_iter().flat_map(|record| &mut record.hits) {
            let Some(kind) = kinds.get(&hit.memory).filter(|kind| kind.outweighs(hit.outcome)) else {
                continue;
            };
            hit.outcome = *kind;
            feedback.push(Feedback {
                recall: id,
                memory: hit.memory,
                one: Use { at: now, kind: *kind },
                counts: counting.counts(*kind),
                refractory_us: counting.refractory_us,
            });
        }
        if !feedback.is_empty() {
            let set = ChangeSet::new(caller.tenant, owner, self.now());
            self.commits.commit(ChangeSet { feedback, ..set }).await?;
        }
        Ok(logged(id, &records.found))
    }

    /// Records of a recall in the partitions that the scope reaches.
    async fn records_of(&self, caller: &Caller, scope: &Scope, id: RecallId) -> Result<Records, Error> {
        // A recall that was just answered may not be written yet.
        self.access_log.settle().await;
        let targets = self.search_targets(caller, scope, &everything(self.now()), true).await?;
        let mut found = Vec::new();
        for (partition, _) in &targets.partitions {
            found.extend(self.store.recall_record(*partition, id).await?);
        }
        if found.is_empty() {
            return Err(Error::NotFound { what: "recall", id: id.to_string() });
        }
        Ok(Records { own: targets.own, found })
    }
}

fn everything(now: Timestamp) -> View {
    View { valid: ValidTime { at: now, hides_ended: false, hides_later: false }, ..View::present(now) }
}

fn logged(id: RecallId, records: &[RecallRecord]) -> LoggedRecall {
    let mut hits: Vec<RecallHit> = records.iter().flat_map(|record| record.hits.iter().copied()).collect();
    // One partition has them in their order; the sort is stable.
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    let recalled_at = records.first().map_or(Timestamp::MIN, |record| record.recalled_at);
    LoggedRecall { id, recalled_at, hits }
}

fn check_lengths(request: &RecallFeedback, limits: &Limits) -> Result<(), Error> {
    for (field, ids, _) in request.lists() {
        let what = "the number of memories in feedback";
        field_checks::over(field.to_owned(), ids.len(), what, limits.recall_limit as usize)?;
    }
    Ok(())
}

/// Strongest evidence of each memory that the feedback names.
fn kinds(request: &RecallFeedback, records: &[RecallRecord]) -> Result<HashMap<MemoryId, UseKind>, Error> {
    let mut kinds: HashMap<MemoryId, UseKind> = HashMap::new();
    for (field, ids, kind) in request.lists() {
        for (index, id) in ids.iter().enumerate() {
            let path = || format!("{field}[{index}]");
            if !records.iter().flat_map(|record| &record.hits).any(|hit| hit.memory == *id) {
                return Err(Error::invalid(path(), format!("memory {id} is no hit of this recall")));
            }
            let before = kinds.insert(*id, kind);
            if (before, kind) == (Some(UseKind::Confirmed), UseKind::Contradicted) {
                return Err(Error::invalid(path(), format!("memory {id} is confirmed too")));
            }
        }
    }
    Ok(kinds)
}
