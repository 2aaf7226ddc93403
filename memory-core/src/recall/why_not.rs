//! Why-not explanations of recall. The recall is repeated, and the memory is scored and filtered by the same request.

use super::deadline::Deadline;
use super::request::Recall;
use super::response::{Explanation, Recalled, Verdict, WhyNot};
use super::{check, fuse};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::index::{Hidden, Inspection, View};

impl Engine {
    /// Explains the presence or absence of `memory` in the result of `request`. Ranks are those before reranking. The
    /// access log is not written.
    ///
    /// # Errors
    /// As [`Engine::recall`].
    pub async fn why_not(&self, caller: &Caller, memory: MemoryId, request: Recall) -> Result<WhyNot, Error> {
        needs_read(caller)?;
        let mut request = Recall { rerank: Some(false), ..request };
        check::recall(&request, &self.limits)?;
        let now = request.now.unwrap_or_else(|| self.now());
        let vector = self.query_vector(&request, &Deadline::NONE).await?.unwrap_or_default();
        request.vector = vector.as_deref().map(<[f32]>::to_vec);
        let recalled = self.recall_without_access_log(caller, request.clone(), now).await?;
        let view = request.view(now, &self.zone_of_request(caller, &request), &self.recall_settings);
        let targets = self.recall_targets(caller, &request, &view).await?;
        for (partition, view) in &targets.partitions {
            let query = self.index_query(&request, vector.clone(), view.clone());
            let Some(inspection) = self.index.inspect(*partition, memory, &query).await? else { continue };
            let searched = self.search(&targets, &request, vector.clone(), &Deadline::NONE).await?;
            let mut scoring = self.scoring(&request, now, self.zone_of_request(caller, &request));
            self.activate(&targets, &searched, &mut scoring, &Deadline::NONE).await?;
            let order = fuse::fuse(&searched.candidates, &scoring, usize::MAX);
            let rank = order.iter().position(|one| one.memory == memory);
            let mut scored = match rank.and_then(|rank| order.get(rank)) {
                Some(one) => one.clone(),
                None => fuse::fuse_alone(&searched.candidates, &(*partition, inspection.candidate), &scoring),
            };
            let (hidden, version) = self.hidden(*partition, memory, &inspection, view).await?;
            if let Some(Hidden::NotShared | Hidden::NotForPartner) = hidden {
                // Scores and spans tell of the content of a memory that is not the caller's to see.
                return Ok(unscored(verdict(hidden, memory, &recalled), &recalled));
            }
            let judged = match version {
                Some(version) => Some(version),
                None => self.store.memories(*partition, &[memory]).await?.pop(),
            };
            let forgotten =
                judged.and_then(|judged| self.explain_memory(&request, view, &judged, &mut scored.explain));
            return Ok(WhyNot {
                verdict: verdict(hidden, memory, &recalled),
                rank: rank.and_then(|rank| u32::try_from(rank + 1).ok()),
                score: Some(scored.score),
                score_of_last: recalled.memories.last().map(|last| last.score),
                forgotten,
                explain: scored.explain,
            });
        }
        Ok(unscored(Verdict::NotInScope, &recalled))
    }

    /// Rule that hides a memory: judged on its version at the record time, if it was revised since. With that version.
    async fn hidden(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        inspection: &Inspection,
        view: &View,
    ) -> Result<(Option<Hidden>, Option<Memory>), Error> {
        let Some(known_at) = view.known_at.filter(|_| inspection.revised && inspection.recorded) else {
            return Ok((inspection.hidden(), None));
        };
        let version = self.versions_as_recorded(partition, &[memory], known_at).await?.pop();
        let hidden = version.as_ref().map_or(Some(Hidden::NotRecorded), |version| view.hides(version));
        Ok((hidden, version))
    }
}

/// A verdict without anything about the content of the memory.
fn unscored(verdict: Verdict, recalled: &Recalled) -> WhyNot {
    WhyNot {
        verdict,
        rank: None,
        score: None,
        score_of_last: recalled.memories.last().map(|last| last.score),
        forgotten: None,
        explain: Explanation::default(),
    }
}

fn verdict(hidden: Option<Hidden>, memory: MemoryId, recalled: &Recalled) -> Verdict {
    let is_returned = recalled.memories.iter().any(|one| one.memory.id == memory);
    let in_context = recalled.context.memories.contains(&memory);
    let has_room = recalled.context.left_out == 0 && !recalled.context.replaced.contains(&memory);
    if is_returned && (in_context || has_room) {
        return Verdict::Returned;
    }
    if is_returned {
        return Verdict::CutByBudget;
    }
    match hidden {
        Some(Hidden::NotShared) => Verdict::NotVisible,
        Some(Hidden::NotForPartner) => Verdict::NotForPartner,
        Some(Hidden::NotRecorded) => Verdict::NotRecorded,
        Some(Hidden::Expired) => Verdict::Expired,
        Some(Hidden::Forgotten) => Verdict::Forgotten,
        Some(Hidden::NotValid) => Verdict::NotValid,
        Some(Hidden::Filtered) => Verdict::Filtered,
        None => Verdict::Outranked,
    }
}
