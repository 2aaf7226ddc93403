//! Requests of recall, in domain types. Bounds are checked by the recall path.

use crate::domain::filter::Filter;
use crate::domain::id::MemoryId;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::domain::uses::UseKind;
use crate::domain::zone::{UtcOffset, Zone};
use crate::index::{ValidTime, View};
use crate::recall::digests::chooses;
use crate::recall::settings::RecallSettings;
use crate::recall::signals::RequestedWeights;
use crate::retention::CurveId;
use crate::text::time_expressions::{self, AskedState};

/// Request to recall memories.
#[derive(Clone, Debug)]
pub struct Recall {
    /// Scope of the memories.
    pub scope: Scope,
    /// Query text.
    pub query: String,
    /// Maximum number of memories returned.
    pub limit: u32,
    /// Key of the session for which the recall is made: the access log keeps it, and the working memory of the session
    /// returns what was recalled. The ranking does not depend on it.
    pub session: Option<Name>,
    /// Filter that every returned memory passes.
    pub filter: Filter,
    /// Maximum length of the context block in LLM tokens; 0 for no block.
    pub budget_tokens: u32,
    /// Maximum length of the text of a returned memory in bytes; a longer one is cut to an excerpt. `None` for the engine's
    /// setting. The context block has a bound of its own.
    pub max_text_bytes: Option<u32>,
    /// Query vector by the embedder in use, if the caller has it; `None` to embed the query.
    pub vector: Option<Vec<f32>>,
    /// Weights of the signals; `None` in a field for the engine's setting.
    pub weights: RequestedWeights,
    /// Reranking by the cross-encoder; `None` for the engine's setting.
    pub rerank: Option<bool>,
    /// Number of candidates that the cross-encoder reads; `None` for the engine's setting.
    pub rerank_candidates: Option<u32>,
    /// Deadline of the answer, in milliseconds from the call; `None` for no deadline.
    pub deadline_ms: Option<u32>,
    /// Reference time for expiry, retention, forgetting and time expressions: uses after it do not count; and the default valid time; `None` for the clock's.
    pub now: Option<Timestamp>,
    /// Zone in which the days of the query and of the answer are counted.
    pub zone: RequestedZone,
    /// Valid time and record time of the state to recall.
    pub as_of: AsOf,
    /// True to return also memories whose validity ended before the valid time.
    pub include_superseded: bool,
    /// True to return also memories of other owners that grants open to the ids of the scope (ADR 0045). They are those of the
    /// present: a recall with a record time has none of them.
    pub include_granted: bool,
    /// True to recall digests of days, of all days and of the portrait too, and to let those of events take the place of
    /// what they cover in a context block that is too small; `None` for the engine's setting. A filter by kind or
    /// namespace finds them in any case.
    pub include_digests: Option<bool>,
    /// Conversation partner for whom the memories are recalled: those with an audience that does not name the partner are
    /// hidden. `None` for the owner's own view, in which nothing is hidden for its audience.
    pub partner: Option<Name>,
    /// True to record the recall as a use of the memories, false not to. `None`: it is one unless it has a reference time of
    /// its own, which replays another moment, or includes forgotten memories, which it would bring back. True needs the right to
    /// write, and a reference time that is not in the future.
    pub reinforce: Option<bool>,
    /// Forgetting curve under which retention is evaluated, for the ranking and for what is forgotten; `None` for that of the
    /// owner's policy. The factors and the effect are those of the policy in any case.
    pub curve: Option<CurveId>,
    /// True to return also forgotten memories, marked as such.
    pub include_forgotten: bool,
}

impl Recall {
    /// View of the request, for the reference time `now` in `zone`. Without a time in the request nothing is hidden for lying in the
    /// future, because the clocks of clients differ from the server's. A question for an earlier state needs the facts whose
    /// validity has ended. Digests of days are hidden unless the setting or the filter asks for them.
    pub(super) fn view(&self, now: Timestamp, zone: &Zone, settings: &RecallSettings) -> View {
        let named = self.as_of.valid_at.or(self.now);
        let valid = ValidTime {
            at: named.unwrap_or(now),
            hides_ended: !self.include_superseded && !self.asks_for_earlier_state(now, zone),
            hides_later: named.is_some(),
        };
        View {
            filter: self.filter.clone(),
            hides_digests: !self.with_digests(settings) && !chooses(&self.filter),
            now,
            shared_only: false,
            opened: None,
            valid,
            known_at: self.as_of.known_at,
            partner: self.partner.clone(),
            forgetting: None,
        }
    }

    /// True if digests are candidates, and compete for the context block with what they cover.
    pub(super) fn with_digests(&self, settings: &RecallSettings) -> bool {
        self.include_digests.unwrap_or(settings.digests)
    }

    fn asks_for_earlier_state(&self, now: Timestamp, zone: &Zone) -> bool {
        let names_time = !time_expressions::read(&self.query, zone.date(now)).is_empty();
        time_expressions::asked_state(&self.query, names_time) == Some(AskedState::Earlier)
    }
}

/// Zone of a request (ADR 0040). A zone that it names goes before the owner's; the offset of its reference
/// time comes after it, and the engine's setting last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedZone {
    /// Zone that the request names.
    pub named: Option<Zone>,
    /// Offset that [`Recall::now`] is written with. A bare date has none.
    pub of_now: Option<UtcOffset>,
}

/// Times of a recall as of the past (ADR 0026).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsOf {
    /// Valid time: memories whose validity does not contain it are hidden, and turns said later. `None` for
    /// [`Recall::now`]; if that is `None` too, only memories whose validity has ended are hidden.
    pub valid_at: Option<Timestamp>,
    /// Record time: memories recorded later are hidden, and the others are judged and returned in their version of that
    /// time. `None` for the present knowledge.
    pub known_at: Option<Timestamp>,
}

/// Feedback on a recall: what its memories turned out to be good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecallFeedback {
    /// Scope of the recall.
    pub scope: Scope,
    /// Hits that the answer used.
    pub used: Vec<MemoryId>,
    /// Hits that the user confirmed or repeated.
    pub confirmed: Vec<MemoryId>,
    /// Hits that the user contradicted.
    pub contradicted: Vec<MemoryId>,
    /// Time of the feedback, not in the future; `None` for the clock's.
    pub now: Option<Timestamp>,
}

impl RecallFeedback {
    /// The lists with their fields, from the weakest evidence to the strongest.
    pub(super) fn lists(&self) -> [(&'static str, &[MemoryId], UseKind); 3] {
        [
            ("used", &self.used, UseKind::Cited),
            ("confirmed", &self.confirmed, UseKind::Confirmed),
            ("contradicted", &self.contradicted, UseKind::Contradicted),
        ]
    }
}
