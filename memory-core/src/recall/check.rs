//! Request checks of recall, pure. The first violation is named by its path in the request.

use super::request::Recall;
use crate::error::Error;
use crate::field_checks;
use crate::limits::Limits;

/// Greatest weight of a signal. A greater one would leave nothing of the other signals in the sum.
const MAX_WEIGHT: f32 = 100.0;

/// Checks a recall request: empty texts, weights, the vector, the filter, and every bound of [`Limits`].
pub(super) fn recall(request: &Recall, limits: &Limits) -> Result<(), Error> {
    field_checks::query(&request.query, limits)?;
    for (name, weight) in request.weights.iter() {
        if weight.is_some_and(|weight| !(0.0..=MAX_WEIGHT).contains(&weight)) {
            return Err(Error::invalid(
                format!("weights.{name}"),
                format!("must be between 0 and {MAX_WEIGHT}"),
            ));
        }
    }
    field_checks::vector("vector".to_owned(), request.vector.as_deref())?;
    request.filter.check().map_err(|error| Error::invalid("filter", error))?;
    let bounded = [
        (
            "limit",
            "the number of memories to return",
            u64::from(request.limit),
            u64::from(limits.recall_limit),
        ),
        (
            "budget_tokens",
            "the length of a context in tokens",
            u64::from(request.budget_tokens),
            u64::from(limits.budget_tokens),
        ),
        (
            "max_text_bytes",
            "the length of the text of a memory in bytes",
            u64::from(request.max_text_bytes.unwrap_or(1)),
            limits.text_bytes as u64,
        ),
        (
            "rerank_candidates",
            "the number of candidates to rerank",
            u64::from(request.rerank_candidates.unwrap_or(1)),
            u64::from(limits.rerank_candidates),
        ),
        (
            "deadline_ms",
            "the deadline in milliseconds",
            u64::from(request.deadline_ms.unwrap_or(1)),
            u64::from(limits.deadline_ms),
        ),
    ];
    for (field, what, found, limit) in bounded {
        if found > limit {
            return Err(Error::OverLimit { field: field.to_owned(), what, limit });
        }
    }
    let at_least_one = [
        ("limit", request.limit),
        ("max_text_bytes", request.max_text_bytes.unwrap_or(1)),
        ("rerank_candidates", request.rerank_candidates.unwrap_or(1)),
        ("deadline_ms", request.deadline_ms.unwrap_or(1)),
    ];
    match at_least_one.into_iter().find(|(_, value)| *value == 0) {
        Some((field, _)) => Err(Error::invalid(field, "must be at least 1")),
        None => Ok(()),
    }
}
