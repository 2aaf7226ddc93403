//! Why a memory does or does not come back for a question: the recall is done again, and the memory looked at through
//! the same question.

use super::request::Recall;
use super::response::{Explanation, Recalled, Verdict, WhyNot};
use super::{check, fuse};
use crate::domain::id::MemoryId;
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::index::Inspection;

impl Engine {
    /// Why `memory` does or does not come back. The cross-encoder is not asked: ranks are those before it. Nothing is
    /// noted in the access log.
    pub async fn why_not(&self, caller: &Caller, memory: MemoryId, request: Recall) -> Result<WhyNot, Error> {
        needs_read(caller)?;
        let mut request = Recall { rerank: Some(false), ..request };
        check::recall(&request, &self.limits)?;
        let now = request.now.unwrap_or_else(|| self.now());
        let vector = self.query_vector(&request, None, &mut Vec::new()).await?;
        request.vector = vector.as_deref().map(<[f32]>::to_vec);
        let recalled = self.recall_unnoted(caller, request.clone(), now).await?;
        let targets = self.search_targets(caller, &request.scope, &request.filter, now).await?;
        for (partition, view) in &targets.partitions {
            let question = self.index_query(&request, vector.clone(), view.clone());
            let Some(inspection) = self.index.inspect(*partition, memory, &question).await? else { continue };
            let searched = self.search(&targets, &request, vector.clone()).await?;
            let scoring = self.scoring(&request, now);
            let order = fuse::fuse(&searched.candidates, &scoring, usize::MAX);
            let rank = order.iter().position(|one| one.memory == memory);
            let said = match rank.and_then(|rank| order.get(rank)) {
                Some(one) => one.clone(),
                None => fuse::fuse_alone(&searched.candidates, &(*partition, inspection.candidate), &scoring),
            };
            return Ok(WhyNot {
                verdict: verdict(&inspection, memory, &recalled),
                rank: rank.and_then(|rank| u32::try_from(rank + 1).ok()),
                score: Some(said.score),
                score_of_last: recalled.memories.last().map(|last| last.score),
                explain: said.explain,
            });
        }
        Ok(WhyNot {
            verdict: Verdict::NotInScope,
            rank: None,
            score: None,
            score_of_last: recalled.memories.last().map(|last| last.score),
            explain: Explanation::default(),
        })
    }
}

fn verdict(inspection: &Inspection, memory: MemoryId, recalled: &Recalled) -> Verdict {
    let came_back = recalled.memories.iter().any(|one| one.memory.id == memory);
    let in_context = recalled.context.memories.contains(&memory);
    if came_back && (in_context || recalled.context.left_out == 0) {
        Verdict::Returned
    } else if came_back {
        Verdict::CutByBudget
    } else if !inspection.visible {
        Verdict::NotVisible
    } else if inspection.expired {
        Verdict::Expired
    } else if !inspection.passes_filter {
        Verdict::Filtered
    } else {
        Verdict::Outranked
    }
}
