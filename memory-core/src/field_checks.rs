//! Checks of request fields that several operations share, pure. Every error names the field by its path in the request.

use crate::domain::id::MemoryId;
use crate::domain::link::{Link, first_bad};
use crate::domain::statement::Statement;
use crate::domain::time::Timestamp;
use crate::domain::visible::is_visible;
use crate::error::Error;
use crate::limits::Limits;
use gpu_retrieval::VectorError;

/// Microseconds by which a moment may lie after the clock where the future is refused: the clocks of callers differ.
pub(crate) const CLOCK_SKEW_US: i64 = 60_000_000;

/// Checks that `now` of a request is not in the future by the clock, [`CLOCK_SKEW_US`] apart.
pub(crate) fn not_in_the_future(now: Timestamp, clock: Timestamp, rule: &str) -> Result<(), Error> {
    if now > clock.plus_micros(CLOCK_SKEW_US) {
        return Err(Error::invalid("now", format!("must not be in the future: {rule}")));
    }
    Ok(())
}

/// Moment of the uses that a request records: its own `now`, or that of the clock. One in the future is refused: until then, it
/// would be the newest use, and real ones would count as earlier.
pub(crate) fn moment_of_use(now: Option<Timestamp>, clock: Timestamp) -> Result<Timestamp, Error> {
    let Some(now) = now else { return Ok(clock) };
    not_in_the_future(now, clock, "a use is recorded when it has happened")?;
    Ok(now)
}

/// Checks a text of a memory; returns its length in bytes.
pub(crate) fn text(field: String, text: &str, limits: &Limits) -> Result<usize, Error> {
    if !is_visible(text) {
        return Err(Error::invalid(field, "must not be empty"));
    }
    if text.contains('\0') {
        return Err(Error::invalid(field, "must not contain the character U+0000"));
    }
    over(field, text.len(), "the length of a text in bytes", limits.text_bytes)?;
    Ok(text.len())
}

/// Checks the query of a recall. It is not stored, so U+0000 in it does no harm.
pub(crate) fn query(query: &str, limits: &Limits) -> Result<(), Error> {
    if !is_visible(query) {
        return Err(Error::invalid("query", "must not be empty"));
    }
    over("query".to_owned(), query.len(), "the length of a query in bytes", limits.query_bytes)
}

/// Checks the length of a list of names.
pub(crate) fn names(field: String, found: usize, limits: &Limits) -> Result<(), Error> {
    over(field, found, "the number of names in a list", limits.names_per_list)
}

/// Checks a list of links. `from` is the memory that they start from, where it is known.
pub(crate) fn links(
    field: &str,
    from: Option<MemoryId>,
    links: &[Link],
    limits: &Limits,
) -> Result<(), Error> {
    over(field.to_owned(), links.len(), "the number of links of a memory", limits.links_per_memory)?;
    match first_bad(from, links) {
        None => Ok(()),
        Some((index, bad)) => Err(Error::invalid(format!("{field}[{index}]{}", bad.part()), bad)),
    }
}

/// Checks an importance: 0 to 1.
pub(crate) fn importance(field: String, importance: Option<f64>) -> Result<(), Error> {
    match importance {
        Some(importance) if !(0.0..=1.0).contains(&importance) => {
            Err(Error::invalid(field, "must be between 0 and 1"))
        }
        _ => Ok(()),
    }
}

/// Checks the confidence of a statement: 0 to 1.
pub(crate) fn confidence(field: String, statement: Option<&Statement>) -> Result<(), Error> {
    importance(field, statement.map(|statement| statement.confidence))
}

/// Checks a vector: it can be normalised to a row of the index.
pub(crate) fn vector(field: String, vector: Option<&[f32]>) -> Result<(), Error> {
    let Some(vector) = vector else { return Ok(()) };
    over(field.clone(), vector.len(), "the number of elements of a vector", gpu_retrieval::MAX_DIMS)?;
    match gpu_retrieval::unit_fp16(vector) {
        Ok(_) => Ok(()),
        Err(VectorError::NotFinite { index }) => {
            Err(Error::invalid(format!("{field}[{index}]"), "must be a finite number"))
        }
        Err(error) => Err(Error::invalid(field, error)),
    }
}

/// Checks the length of a list that must not be empty.
pub(crate) fn count(field: &str, found: usize, what: &'static str, limit: usize) -> Result<(), Error> {
    if found == 0 {
        return Err(Error::invalid(field, "must not be empty"));
    }
    over(field.to_owned(), found, what, limit)
}

/// Checks the size of a page: 1 to [`Limits::page_size`]; returns it.
pub(crate) fn page(limit: u32, limits: &Limits) -> Result<u32, Error> {
    match limit {
        0 => Err(Error::invalid("limit", "must be at least 1")),
        limit if limit > limits.page_size => Err(Error::OverLimit {
            field: "limit".to_owned(),
            what: "the size of a page",
            limit: u64::from(limits.page_size),
        }),
        limit => Ok(limit),
    }
}

/// Fails with [`Error::OverLimit`] if `found` exceeds `limit`.
pub(crate) fn over(field: String, found: usize, what: &'static str, limit: usize) -> Result<(), Error> {
    if found > limit { Err(Error::OverLimit { field, what, limit: limit as u64 }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_importance_outside_its_range_is_refused(number in any::<f64>()) {
            let passed = importance("importance".to_owned(), Some(number)).is_ok();
            prop_assert_eq!(passed, (0.0..=1.0).contains(&number));
        }

        #[test]
        fn a_vector_that_passes_can_be_normalised(numbers in proptest::collection::vec(any::<f32>(), 0..8)) {
            if vector("vector".to_owned(), Some(&numbers)).is_ok() {
                let length = numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                prop_assert!(length.is_finite() && length > 0.0);
            }
        }
    }

    #[test]
    fn a_vector_element_that_is_not_finite_is_named() {
        let refused = |numbers: &[f32]| vector("vector".to_owned(), Some(numbers)).unwrap_err().to_string();
        assert!(refused(&[1.0, f32::INFINITY]).starts_with("vector[1]: "));
        assert!(refused(&[0.0, 0.0]).starts_with("vector: "));
        assert!(refused(&[]).starts_with("vector: "));
    }

    #[test]
    fn a_vector_longer_than_any_row_is_over_the_limit() {
        let numbers = vec![1.0; gpu_retrieval::MAX_DIMS + 1];
        let refused = vector("vector".to_owned(), Some(&numbers));
        assert!(matches!(refused, Err(Error::OverLimit { .. })), "{refused:?}");
    }
}
