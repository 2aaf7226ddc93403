//! Operations on the uses of memories: feedback on recalls, retention, fading memories.

use uuid::Uuid;

use super::pages::scoped;
use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    FadingMemories, FadingQuery, LoggedRecall, MemoryRetention, RecallFeedback, RetentionQuery, Scope,
};

/// Operations on the uses of memories. Errors are those of the other operations.
impl Client {
    /// Returns what the access log has of a recall: the memories that it returned, with their outcomes.
    pub async fn logged_recall(&self, scope: &Scope, recall_id: Uuid) -> Result<LoggedRecall, Error> {
        self.json(scoped(Request::get(format!("v1/recalls/{recall_id}")), scope)).await
    }

    /// Says what the memories that a recall returned turned out to be good for. The same feedback again changes nothing.
    pub async fn recall_feedback(
        &self,
        recall_id: Uuid,
        feedback: &RecallFeedback,
    ) -> Result<LoggedRecall, Error> {
        self.json(Request::post(format!("v1/recalls/{recall_id}/feedback"), feedback)?).await
    }

    /// Returns the forgetting curve of a memory.
    pub async fn memory_retention(&self, id: Uuid, query: &RetentionQuery) -> Result<MemoryRetention, Error> {
        let request = Request::get(format!("v1/memories/{id}/retention"))
            .query("curve", query.curve.as_deref())
            .query("from", query.from.as_deref())
            .query("to", query.to.as_deref())
            .query("points", query.points)
            .query("now", query.now.as_deref());
        self.json(request).await
    }

    /// Returns the memories of a scope that are about to fade and are worth refreshing.
    pub async fn fading(&self, query: &FadingQuery) -> Result<FadingMemories, Error> {
        let request = scoped(Request::get("v1/fading"), &query.scope)
            .query("within_days", query.within_days)
            .query("limit", query.limit)
            .query("now", query.now.as_deref());
        self.json(request).await
    }
}
