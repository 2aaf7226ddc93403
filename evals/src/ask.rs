//! Recall of one question, with the returned memories rolled up into a ranking of units (sessions or turns).
//!
//! A unit has the rank of its first memory. One recall returns at most [`RECALL_LIMIT_MEMORIES`]. In a LongMemEval
//! haystack of about 500 turns in 48 sessions these do not cover all sessions, so a ranking of sessions ends before
//! the largest cut-off. Later units count as not found, and the report has, for each cut-off, the number of questions
//! whose haystack had more ([`Asked::cut_short`]).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::wire::{RecallRequest, Recalled, Scope, Weights};
use serde::Serialize;

use crate::dataset::{Question, Unit};
use crate::facts::{Facts, Sources};
use crate::failure::Failure;

/// Limit of each recall: the maximum that a server allows.
pub(crate) const RECALL_LIMIT_MEMORIES: u32 = 200;

/// Settings of the recalls.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Manner {
    /// Reranking of the best candidates by the cross-encoder.
    pub(crate) rerank: bool,
    /// Number of candidates to rerank. Default: the server's setting.
    pub(crate) rerank_candidates: Option<u32>,
    /// Weights of the signals. Default: the server's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<Weights>,
    /// Treatment of facts.
    pub(crate) facts: Facts,
}

/// Result of a question.
pub(crate) struct Asked {
    pub(crate) question: Question,
    /// Distinct units, best first.
    pub(crate) ranking: Vec<String>,
    /// Latency seen by the client, from sending the request to the parsed response.
    pub(crate) took: Duration,
    /// True if the response was degraded.
    pub(crate) degraded: bool,
}

impl Asked {
    /// True if the recall's limit, not the size of the haystack, kept the ranking from reaching `cutoff`.
    pub(crate) fn cut_short(&self, cutoff: usize) -> bool {
        self.ranking.len() < cutoff.min(self.question.units)
    }
}

/// Asks one question of a user whose facts have these `sources`.
pub(crate) async fn ask(
    client: Client,
    scope: Scope,
    question: Question,
    manner: Manner,
    sources: Arc<Sources>,
) -> Result<Asked, Failure> {
    let user = scope.user_id.clone().unwrap_or_default();
    let request = RecallRequest {
        scope,
        query: question.text.clone(),
        limit: Some(RECALL_LIMIT_MEMORIES),
        budget_tokens: Some(0),
        rerank: Some(manner.rerank),
        rerank_candidates: manner.rerank_candidates,
        weights: manner.weights,
        filter: manner.facts.filter(),
        now: question.asked_at.clone(),
        ..RecallRequest::default()
    };
    let began = Instant::now();
    let answer = client.recall(&request).await;
    let took = began.elapsed();
    let answer = answer.map_err(Failure::server(format!("cannot ask {user}")))?;
    let ranking = roll_up(&answer.memories, &question.unit, manner.facts, &sources);
    Ok(Asked { question, ranking, took, degraded: !answer.degraded.is_empty() })
}

/// Units of `memories` in the order of their first appearance. A memory without a unit is treated as `facts` says.
fn roll_up(memories: &[Recalled], unit: &Unit, facts: Facts, sources: &Sources) -> Vec<String> {
    let mut seen = HashSet::new();
    let units = memories.iter().flat_map(|recalled| match (&recalled.memory.origin, facts) {
        (Some(origin), _) => unit.of(origin).map(str::to_owned).into_iter().collect(),
        (None, Facts::Skip | Facts::Exclude) => Vec::new(),
        (None, Facts::Rank) => vec![recalled.memory.id.to_string()],
        (None, Facts::Evidence) => {
            let turns = sources.get(&recalled.memory.id).into_iter().flatten();
            turns.filter_map(|origin| unit.of(origin)).map(str::to_owned).collect()
        }
    });
    units.filter(|name| seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ranking_is_cut_short_only_where_the_haystack_has_more() {
        let ranking = vec!["a".to_owned(), "b".to_owned()];
        let question = |units| Question {
            text: String::new(),
            asked_at: None,
            unit: Unit::Turn,
            units,
            kind: String::new(),
            counts_in: Vec::new(),
            changed_fact: None,
        };
        let asked = |units| Asked {
            question: question(units),
            ranking: ranking.clone(),
            took: Duration::ZERO,
            degraded: false,
        };
        assert_eq!([1, 2, 3, 50].map(|cutoff| asked(2).cut_short(cutoff)), [false; 4]);
        assert_eq!([1, 2, 3, 50].map(|cutoff| asked(9).cut_short(cutoff)), [false, false, true, true]);
    }

    fn recalled(origin: Option<(&str, &str)>) -> Recalled {
        let (nil, moment) = ("00000000-0000-0000-0000-000000000000", "2026-01-01T00:00:00Z");
        let mut memory = json!({
            "id": nil, "version": 1, "kind": "fact", "text": "x", "tokens": 1, "visibility": "owner",
            "happened_at": moment, "recorded_at": moment, "created_at": moment, "importance": 0.5, "score": 1.0,
            "explain": {"signals": []},
        });
        if let Some((session, key)) = origin {
            memory["kind"] = json!("turn");
            memory["origin"] = json!({
                "turn_id": nil, "turn_key": key, "session_id": nil, "session": session, "seq": 0, "role": "user",
            });
        }
        serde_json::from_value(memory).unwrap()
    }

    #[test]
    fn a_unit_stands_where_it_first_appears() {
        let memories = [("s1", "s1:4"), ("s0", "s0:2"), ("s1", "s1:0"), ("s2", "s2:0"), ("s9", "s9:0")]
            .map(|origin| recalled(Some(origin)));
        let mut memories = Vec::from(memories);
        memories.insert(1, recalled(None));
        // Two sessions of the memory system are one of the benchmark; one is none of it.
        let ids = [("s0", "a"), ("s1", "b"), ("s2", "a")].map(|(name, id)| (name.into(), id.into()));
        let skip = |unit: &Unit| roll_up(&memories, unit, Facts::Skip, &Sources::new());
        assert_eq!(skip(&Unit::Session(ids.into())), ["b", "a"]);
        assert_eq!(skip(&Unit::Turn), ["s1:4", "s0:2", "s1:0", "s2:0", "s9:0"]);
    }

    #[test]
    fn a_fact_takes_a_place_or_stands_for_its_turns() {
        let turn = |key| recalled(Some(("s", key)));
        let memories = [recalled(None), turn("s:1"), turn("s:2")];
        let nil = memories[0].memory.id;
        let made_of = [turn("s:2"), turn("s:7")].map(|turn| turn.memory.origin.unwrap());
        let sources = Sources::from([(nil, made_of.to_vec())]);
        let ranking = |facts| roll_up(&memories, &Unit::Turn, facts, &sources);
        assert_eq!(ranking(Facts::Skip), ["s:1", "s:2"]);
        assert_eq!(ranking(Facts::Rank), [nil.to_string().as_str(), "s:1", "s:2"]);
        assert_eq!(ranking(Facts::Evidence), ["s:2", "s:7", "s:1"]);
    }
}
