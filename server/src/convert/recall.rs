//! Conversion of recall requests and responses.

use engrain::wire;
use memory_core::domain::forgotten::Reason;
use memory_core::domain::given_time::GivenTime;
use memory_core::domain::scope::Scope;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use memory_core::index::Exactness;
use memory_core::recall::request::{AsOf, Recall, RequestedZone};
use memory_core::recall::response::{
    Context, DenseTerms, Excerpt, Explanation, NamedTime, Recalled, RecalledMemory, RetentionDetail, Timings,
    Verdict, WhyNot,
};
use memory_core::recall::signals::RequestedWeights;
use memory_core::retention::{CurveId, ForgottenNow};
use serde_json::Value;

use super::fields::{self, scope};
use super::filter::filter;
use super::forgetting;
use super::grants::granted_by;
use super::responses::{forgotten_state, shown};
use crate::config::RecallDefaults;

/// Conversion of `POST /v1/recall`. The configuration's `defaults` stand in for absent fields. `zone_of` is asked once: the
/// zone of the bare dates is also that in which the engine counts days.
pub(crate) fn recall(
    request: wire::RecallRequest,
    defaults: &RecallDefaults,
    zone_of: &dyn Fn(&Scope, &RequestedZone) -> Zone,
) -> Result<Recall, Error> {
    let scope = scope(&request.scope, "scope")?;
    let now = request.now.as_deref().map(|text| fields::given_time(text, "now")).transpose()?;
    let requested = RequestedZone {
        named: fields::zone(request.timezone.as_deref(), "timezone")?,
        of_now: now.and_then(GivenTime::own_offset),
    };
    let zone = zone_of(&scope, &requested);
    Ok(Recall {
        scope,
        query: request.query,
        limit: request.limit.unwrap_or(defaults.limit),
        session: fields::optional_name(request.session.as_deref(), "session")?,
        filter: filter(request.filter.as_ref(), &zone, "filter")?,
        budget_tokens: request.budget_tokens.unwrap_or(defaults.budget_tokens),
        max_text_bytes: request.max_text_bytes,
        vector: request.vector,
        weights: weights(request.weights.unwrap_or_default()),
        rerank: request.rerank,
        rerank_candidates: request.rerank_candidates,
        deadline_ms: request.deadline_ms,
        now: now.map(|now| now.at(&zone)),
        as_of: as_of(request.as_of.unwrap_or_default(), &zone)?,
        zone: RequestedZone { named: Some(zone), ..requested },
        include_superseded: request.include_superseded,
        include_granted: request.include_granted.unwrap_or(true),
        include_digests: request.include_digests,
        partner: fields::optional_name(request.partner.as_deref(), "partner")?,
        reinforce: request.reinforce,
        curve: request.forgetting_curve.as_deref().map(curve).transpose()?,
        include_forgotten: request.include_forgotten,
    })
}

fn curve(name: &str) -> Result<CurveId, Error> {
    forgetting::curve("forgetting_curve", name)
}

fn as_of(as_of: wire::AsOf, zone: &Zone) -> Result<AsOf, Error> {
    Ok(AsOf {
        valid_at: fields::optional_time(as_of.valid_at.as_deref(), zone, "as_of.valid_at")?,
        known_at: fields::optional_time(as_of.known_at.as_deref(), zone, "as_of.known_at")?,
    })
}

fn named_time(named: NamedTime) -> wire::NamedTime {
    wire::NamedTime {
        words: named.words,
        first_day: named.days.first.to_string(),
        last_day: named.days.last.to_string(),
    }
}

/// Weights by name: the fields of the wire type are the names of the table of signals.
fn weights(weights: wire::Weights) -> RequestedWeights {
    let mut requested = RequestedWeights::default();
    let fields = serde_json::to_value(weights).ok();
    for (name, weight) in fields.iter().filter_map(Value::as_object).flatten() {
        // An f32 that went through a double is the same f32.
        #[expect(clippy::cast_possible_truncation, reason = "was an f32")]
        requested.set(name, weight.as_f64().map(|weight| weight as f32));
    }
    requested
}

/// Response of `POST /v1/recall`.
pub(crate) fn recalled(recalled: Recalled) -> wire::RecallResponse {
    wire::RecallResponse {
        recall_id: recalled.id.0,
        memories: recalled.memories.into_iter().map(recalled_memory).collect(),
        context: context(recalled.context),
        times: recalled.times.into_iter().map(named_time).collect(),
        exactness: match recalled.exactness {
            Exactness::Exact => wire::Exactness::Exact,
            Exactness::Certified => wire::Exactness::Certified,
            Exactness::Approximate => wire::Exactness::Approximate,
        },
        degraded: recalled.degraded.iter().map(|part| part.as_str().to_owned()).collect(),
        searched: wire::Searched {
            partitions: recalled.partitions,
            partitions_left_out: recalled.partitions_left_out,
            memories: recalled.searched_memories,
        },
        timings: timings(&recalled.timings),
    }
}

fn recalled_memory(found: RecalledMemory) -> wire::Recalled {
    let excerpt =
        found.excerpt.map(|Excerpt { span: (start, end), of_bytes }| wire::Excerpt { start, end, of_bytes });
    let covers_count = found.covers.as_ref().map(|covers| covers.count);
    let covers = found.covers.unwrap_or_default().memories;
    wire::Recalled {
        memory: shown(found.memory, found.forgotten),
        excerpt,
        granted_by: found.granted.as_ref().map(granted_by),
        covers: covers.into_iter().map(|id| id.0).collect(),
        covers_count,
        score: found.score,
        explain: explain(found.explain),
    }
}

fn retention(detail: RetentionDetail) -> wire::RetentionDetail {
    wire::RetentionDetail {
        retention: detail.retention,
        strength: detail.strength,
        elapsed_days: detail.elapsed_days,
        curve: detail.curve.as_str().to_owned(),
        threshold: detail.threshold,
    }
}

fn dense(terms: DenseTerms) -> wire::DenseTerms {
    let DenseTerms { similarity, retention, importance } = terms;
    wire::DenseTerms { similarity, retention, importance }
}

fn explain(explanation: Explanation) -> wire::Explain {
    let signals = explanation.signals.into_iter().map(|say| wire::Signal {
        name: say.name.as_str().to_owned(),
        score: say.score,
        rank: say.rank,
        weight: say.weight,
        contribution: say.contribution,
    });
    wire::Explain {
        signals: signals.collect(),
        best_span: explanation.best_span,
        retention: explanation.retention.map(retention),
        dense: explanation.dense.map(dense),
    }
}

pub(super) fn context(context: Context) -> wire::Context {
    wire::Context {
        text: context.text,
        tokens: context.tokens,
        memory_ids: context.memories.into_iter().map(|id| id.0).collect(),
        left_out: context.left_out,
        replaced_ids: context.replaced.into_iter().map(|id| id.0).collect(),
    }
}

fn timings(timings: &Timings) -> wire::Timings {
    let ms = |duration: std::time::Duration| duration.as_secs_f32() * 1e3;
    wire::Timings {
        embed_ms: ms(timings.embed),
        search_ms: ms(timings.search),
        rerank_ms: ms(timings.rerank),
        assemble_ms: ms(timings.assemble),
        total_ms: ms(timings.total),
    }
}

/// Response of `POST /v1/recall/why-not`.
pub(crate) fn why_not_answer(why: WhyNot) -> wire::WhyNotResponse {
    let (verdict, reason) = match why.verdict {
        Verdict::Returned => (wire::WhyNot::Returned, "it does come back".to_owned()),
        Verdict::NotInScope => (wire::WhyNot::NotInScope, "the scope has no such memory".to_owned()),
        Verdict::Expired => (wire::WhyNot::Expired, "it had expired at the recall's moment".to_owned()),
        Verdict::Forgotten => (wire::WhyNot::Forgotten, forgotten(why.forgotten)),
        Verdict::NotVisible => (
            wire::WhyNot::NotVisible,
            "it is its owner's alone: the scope does not name them, and no grant opens it".to_owned(),
        ),
        Verdict::NotValid => (
            wire::WhyNot::NotValid,
            "it does not hold at the recall's valid time, or was said later".to_owned(),
        ),
        Verdict::NotForPartner => {
            (wire::WhyNot::NotForPartner, "its audience does not name the recall's partner".to_owned())
        }
        Verdict::NotRecorded => {
            (wire::WhyNot::NotRecorded, "it was recorded after the recall's record time".to_owned())
        }
        Verdict::Filtered => (wire::WhyNot::Filtered, "the filter does not let it pass".to_owned()),
        Verdict::Outranked => (wire::WhyNot::Outranked, outranked(&why)),
        Verdict::CutByBudget => {
            (wire::WhyNot::CutByBudget, "it comes back, but does not fit into the context".to_owned())
        }
    };
    wire::WhyNotResponse {
        verdict,
        reason,
        rank: why.rank,
        score: why.score,
        score_of_last: why.score_of_last,
        forgotten: why.forgotten.map(forgotten_state),
        explain: explain(why.explain),
    }
}

/// Words on why a recall hides a forgotten memory.
fn forgotten(state: Option<ForgottenNow>) -> String {
    let because = state.map_or_else(String::new, |ForgottenNow { since, reason, effect }| {
        let because = match reason {
            Reason::Faded => "its retention is below its threshold",
            Reason::Evicted => "its owner had more memories than the quota",
            Reason::Drawn => "a sweep drew it",
        };
        format!(" since {since}, because {because}, and the effect is {}", effect.as_str())
    });
    format!("it was forgotten at the recall's moment{because}: include_forgotten returns it")
}

fn outranked(why: &WhyNot) -> String {
    match (why.rank, why.score, why.score_of_last) {
        (Some(rank), Some(score), Some(last)) => {
            format!("it is at rank {rank} with {score:.4}; the last that came back has {last:.4}")
        }
        _ => "others were better".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use memory_core::domain::forgotten::Effect;
    use memory_core::domain::time::Timestamp;
    use memory_core::recall::signals::Weights;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_reason_in_words_says_why_a_memory_is_forgotten_since_when_and_with_which_effect() {
        let since = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        for (reason, words) in [
            (Reason::Faded, "its retention is below its threshold"),
            (Reason::Evicted, "its owner had more memories than the quota"),
            (Reason::Drawn, "a sweep drew it"),
        ] {
            let said = forgotten(Some(ForgottenNow { since, reason, effect: Effect::Cold }));
            for part in ["since 2026-01-01", words, "the effect is cold", "include_forgotten"] {
                assert!(said.contains(part), "{said}");
            }
        }
        assert_eq!(forgotten(None), "it was forgotten at the recall's moment: include_forgotten returns it");
    }

    #[test]
    fn the_wire_has_a_field_for_every_weight_of_the_table_and_no_other() {
        let all: serde_json::Map<String, Value> =
            Weights::TABLE.iter().map(|entry| (entry.name.to_owned(), json!(0.1))).collect();
        // The wire type refuses unknown fields, and leaves out those that are not set.
        let on_the_wire: wire::Weights =
            serde_json::from_value(all.clone().into()).expect("each has a field");
        let fields = serde_json::to_value(on_the_wire).expect("an object");
        assert_eq!(fields.as_object().map(serde_json::Map::len), Some(all.len()));
        assert!(weights(on_the_wire).iter().all(|(_, weight)| weight == Some(0.1)));
    }
}
