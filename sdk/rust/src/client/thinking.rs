//! Operations on thinking and on the settings of a scope: profile of state, previews, audits, time zone.

use reqwest::Method;

use super::pages::scoped;
use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    AuditFacts, DigestLevel, DigestQuery, Digests, FactAudit, PreviewFacts, PreviewedFacts, ProfileQuery,
    RecallNotes, RecallThoughts, RecalledNotes, RecalledThoughts, Scope, SetThinking, SetTimezone,
    StateProfile, ThinkingState, TimezoneState,
};

/// Operations on thinking. Errors are those of the other operations.
impl Client {
    /// Returns what is true of a subject: its state slots at one time.
    pub async fn profile(&self, query: &ProfileQuery) -> Result<StateProfile, Error> {
        let request = scoped(Request::get("v1/profile"), &query.scope)
            .query("subject", query.subject.as_deref())
            .query("valid_at", query.valid_at.as_deref())
            .query("known_at", query.known_at.as_deref())
            .query("partner", query.partner.as_deref());
        self.json(request).await
    }

    /// Lists digests of days and of all days, with the ids that each covers.
    pub async fn digests(&self, query: &DigestQuery) -> Result<Digests, Error> {
        let request = scoped(Request::get("v1/digests"), &query.scope)
            .query("from", query.from.as_deref())
            .query("to", query.to.as_deref())
            .query("level", query.level.map(DigestLevel::as_str))
            .query("partner", query.partner.as_deref());
        self.json(request).await
    }

    /// Previews the facts that thinking would store for turns. Nothing is stored.
    pub async fn preview_facts(&self, request: &PreviewFacts) -> Result<PreviewedFacts, Error> {
        self.json(Request::post("v1/facts/preview", request)?).await
    }

    /// Recalls thoughts of the profile `tim.paper` as published: those in the bucket of the query.
    pub async fn recall_thoughts(&self, request: &RecallThoughts) -> Result<RecalledThoughts, Error> {
        self.json(Request::post("v1/thoughts/recall", request)?).await
    }

    /// Recalls notes as A-MEM publishes it: the nearest ones, and those that they are linked with.
    pub async fn recall_notes(&self, request: &RecallNotes) -> Result<RecalledNotes, Error> {
        self.json(Request::post("v1/notes/recall", request)?).await
    }

    /// Audits the facts of a scope.
    pub async fn audit_facts(&self, request: &AuditFacts) -> Result<FactAudit, Error> {
        self.json(Request::post("v1/audit", request)?).await
    }

    /// Returns the state of thinking of a scope.
    pub async fn thinking(&self, scope: &Scope) -> Result<ThinkingState, Error> {
        self.json(scoped(Request::get("v1/thinking"), scope)).await
    }

    /// Returns the time zone of a scope.
    pub async fn timezone(&self, scope: &Scope) -> Result<TimezoneState, Error> {
        self.json(scoped(Request::get("v1/timezone"), scope)).await
    }

    /// Sets the time zone of the owner of a scope, in which its days are counted.
    pub async fn set_timezone(&self, request: &SetTimezone) -> Result<TimezoneState, Error> {
        self.json(Request::new(Method::PUT, "v1/timezone").json(request)?).await
    }

    /// Sets the profile of thinking of a scope, for turns added from then on.
    pub async fn set_thinking(&self, request: &SetThinking) -> Result<ThinkingState, Error> {
        self.json(Request::new(Method::PUT, "v1/thinking").json(request)?).await
    }
}
