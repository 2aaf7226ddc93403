//! Query of a recall: weights, candidates and view for the index, and what its text names: times, and the state that it asks for.

use std::sync::Arc;

use super::fuse::ScoringContext;
use super::request::{Recall, RequestedZone};
use super::response::NamedTime;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::engine::Engine;
use crate::index::{IndexQuery, View};
use crate::text::time_expressions;

/// Maximum number of candidates from one signal.
pub(super) const MAX_CANDIDATES: u32 = 1_024;

impl Engine {
    pub(crate) fn index_query(&self, request: &Recall, vector: Option<Arc<[f32]>>, view: View) -> IndexQuery {
        let limit = u32::try_from(self.candidates_to_load(request)).unwrap_or(u32::MAX);
        let settings = &self.recall_settings;
        let candidates = limit.saturating_mul(settings.candidates_per_result).max(settings.least_candidates);
        let weights = self.scan_weights(request, &view);
        IndexQuery {
            vector,
            text: request.query.as_str().into(),
            view,
            weights,
            candidates: candidates.min(MAX_CANDIDATES) as usize,
        }
    }

    /// Weights of the signals, the time expressions of the query, and the state that it asks for.
    pub(super) fn scoring(&self, request: &Recall, now: Timestamp, zone: Zone) -> ScoringContext {
        let weights = self.recall_settings.weights.with(request.weights);
        let mut times = time_expressions::read(&request.query, zone.date(now));
        let asked_state = time_expressions::asked_state(&request.query, !times.is_empty());
        if weights.time <= 0.0 {
            times.clear();
        }
        ScoringContext { weights, times, asked_state, zone, ..ScoringContext::default() }
    }

    /// Zone in which the days of a request are counted.
    pub(super) fn zone_of_request(&self, caller: &Caller, request: &Recall) -> Zone {
        self.zone_of_recall(caller, &request.scope, &request.zone)
    }

    /// Zone in which the days of a recall are counted and its bare dates are read.
    pub fn zone_of_recall(&self, caller: &Caller, scope: &Scope, zone: &RequestedZone) -> Zone {
        let RequestedZone { named, of_now } = zone;
        let own = || self.zone_of_scope(caller, scope);
        let setting = || of_now.map_or_else(|| self.recall_settings.zone.clone(), Zone::from);
        named.clone().or_else(own).unwrap_or_else(setting)
    }
}

/// Times that a query names, as they were read.
pub(super) fn named_times(query: &str, scoring: &ScoringContext) -> Vec<NamedTime> {
    let named = scoring.times.iter().map(|mention| NamedTime {
        words: query.get(mention.span.clone()).unwrap_or_default().to_owned(),
        days: mention.days,
    });
    named.collect()
}
