//! Recalls: what is asked, and what comes back.

use engrain::wire;
use memory_core::domain::id::MemoryId;
use memory_core::error::Error;
use memory_core::index::Exactness;
use memory_core::limits::Limits;
use memory_core::recall::request::Recall;
use memory_core::recall::response::{
    Context, Explanation, NamedTime, Recalled, RecalledMemory, Timings, Verdict, WhyNot,
};
use memory_core::recall::signals::RequestedWeights;

use super::fields::{self, scope};
use super::filter::filter;
use super::responses::memory;
use crate::config::RecallDefaults;

/// The largest weight of a signal.
const MAX_WEIGHT: f32 = 100.0;

/// A recall; `path` is what its fields' paths begin with (`recall.` inside another request).
pub(crate) fn recall(
    request: wire::RecallRequest,
    path: &str,
    defaults: &RecallDefaults,
    limits: &Limits,
) -> Result<Recall, Error> {
    let at = |field: &str| format!("{path}{field}");
    fields::text(&request.query, &at("query"), "a question's length in bytes", limits.query_bytes)?;
    let budget_tokens = request.budget_tokens.unwrap_or(defaults.budget_tokens);
    if budget_tokens > limits.budget_tokens {
        let (what, limit) = ("a context's length in tokens", u64::from(limits.budget_tokens));
        return Err(Error::OverLimit { field: at("budget_tokens"), what, limit });
    }
    let bounded = |number: Option<u32>, limit: u32, field: &str, what: &'static str| {
        number.map(|number| fields::positive(Some(number), 1, limit, &at(field), what)).transpose()
    };
    let candidates = "the number of candidates";
    let what = "the number of memories";
    Ok(Recall {
        scope: scope(&request.scope, &at("scope"))?,
        query: request.query,
        limit: fields::positive(request.limit, defaults.limit, limits.recall_limit, &at("limit"), what)?,
        filter: filter(request.filter.as_ref(), &at("filter"))?,
        budget_tokens,
        vector: fields::vector(request.vector, &at("vector"))?,
        weights: weights(request.weights.unwrap_or_default(), &at("weights"))?,
        rerank: request.rerank,
        rerank_candidates: bounded(
            request.rerank_candidates,
            limits.rerank_candidates,
            "rerank_candidates",
            candidates,
        )?,
        deadline_ms: bounded(request.deadline_ms, limits.deadline_ms, "deadline_ms", "a deadline in ms")?,
        now: fields::optional_moment(request.now.as_deref(), &at("now"))?,
    })
}

/// The question why a memory does not come back.
pub(crate) fn why_not(
    request: wire::WhyNotRequest,
    defaults: &RecallDefaults,
    limits: &Limits,
) -> Result<(MemoryId, Recall), Error> {
    let recall = recall(request.recall, "recall.", defaults, limits)?;
    Ok((MemoryId(request.memory_id), recall))
}

fn named_time(named: NamedTime) -> wire::NamedTime {
    wire::NamedTime {
        words: named.words,
        first_day: named.days.first.to_string(),
        last_day: named.days.last.to_string(),
    }
}

fn weights(weights: wire::Weights, path: &str) -> Result<RequestedWeights, Error> {
    let within =
        |weight: Option<f32>, name: &str| fields::within(weight, 0.0, MAX_WEIGHT, &format!("{path}.{name}"));
    Ok(RequestedWeights {
        similarity: within(weights.similarity, "similarity")?,
        retention: within(weights.retention, "retention")?,
        importance: within(weights.importance, "importance")?,
        lexical: within(weights.lexical, "lexical")?,
        window: within(weights.window, "window")?,
        neighbours: within(weights.neighbours, "neighbours")?,
        replies: within(weights.replies, "replies")?,
        speaker: within(weights.speaker, "speaker")?,
        time: within(weights.time, "time")?,
    })
}

/// The answer to a recall.
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
    wire::Recalled { memory: memory(found.memory), score: found.score, explain: explain(found.explain) }
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
        retention: explanation.retention,
    }
}

fn context(context: Context) -> wire::Context {
    wire::Context {
        text: context.text,
        tokens: context.tokens,
        memory_ids: context.memories.into_iter().map(|id| id.0).collect(),
        left_out: context.left_out,
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

/// The answer to why a memory did not come back.
pub(crate) fn why_not_answer(why: WhyNot) -> wire::WhyNotResponse {
    let (verdict, reason) = match why.verdict {
        Verdict::Returned => (wire::WhyNot::Returned, "it does come back".to_owned()),
        Verdict::NotInScope => (wire::WhyNot::NotInScope, "the scope has no such memory".to_owned()),
        Verdict::Expired => (wire::WhyNot::Expired, "it had expired at the recall's moment".to_owned()),
        Verdict::NotVisible => {
            (wire::WhyNot::NotVisible, "it is its owner's alone, and the scope does not name them".to_owned())
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
        explain: explain(why.explain),
    }
}

fn outranked(why: &WhyNot) -> String {
    match (why.rank, why.score, why.score_of_last) {
        (Some(rank), Some(score), Some(last)) => {
            format!("it is at rank {rank} with {score:.4}; the last that came back has {last:.4}")
        }
        _ => "others were better".to_owned(),
    }
}
