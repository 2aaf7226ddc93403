//! The small parts that all requests are made of: names, texts, moments, numbers, vectors, scopes.

use engrain::wire;
use memory_core::domain::id::MemoryId;
use memory_core::domain::link::{Link, first_bad};
use memory_core::domain::metadata::Metadata;
use memory_core::domain::name::Name;
use memory_core::domain::scope::Scope;
use memory_core::domain::time::{Interval, Timestamp};
use memory_core::domain::turn::Role;
use memory_core::domain::{memory, turn};
use memory_core::error::Error;
use serde_json::{Map, Value};

/// The longest vector, in numbers: beyond any embedder, and a bound for what is looked through.
const MAX_DIMENSION: usize = 16_384;

/// Whose memories: at least one id.
pub(crate) fn scope(scope: &wire::Scope, path: &str) -> Result<Scope, Error> {
    let id =
        |given: &Option<String>, field: &str| optional_name(given.as_deref(), &format!("{path}.{field}"));
    let scope = Scope {
        user: id(&scope.user_id, "user_id")?,
        agent: id(&scope.agent_id, "agent_id")?,
        app: id(&scope.app_id, "app_id")?,
        run: id(&scope.run_id, "run_id")?,
    };
    match scope.owner() {
        Some(_) => Ok(scope),
        None => Err(Error::invalid(path, "must name at least one of user_id, agent_id, app_id, run_id")),
    }
}

pub(super) fn name(text: &str, path: &str) -> Result<Name, Error> {
    Name::new(text).map_err(|error| Error::invalid(path, error))
}

pub(super) fn optional_name(text: Option<&str>, path: &str) -> Result<Option<Name>, Error> {
    text.map(|text| name(text, path)).transpose()
}

/// Names in a list of at most `limit`.
pub(super) fn names(
    texts: &[String],
    path: &str,
    what: &'static str,
    limit: usize,
) -> Result<Vec<Name>, Error> {
    count(texts.len(), path, what, limit)?;
    texts.iter().enumerate().map(|(at, text)| name(text, &format!("{path}[{at}]"))).collect()
}

/// Links in a list of at most `limit`.
pub(super) fn links(links: Vec<wire::Link>, path: &str, limit: usize) -> Result<Vec<Link>, Error> {
    count(links.len(), path, "the number of links of a memory", limit)?;
    let links = links.into_iter().enumerate().map(|(at, link)| {
        let relation = name(&link.relation, &format!("{path}[{at}].relation"))?;
        Ok(Link { to: MemoryId(link.to), relation, weight: link.weight })
    });
    let links = links.collect::<Result<Vec<_>, Error>>()?;
    match first_bad(None, &links) {
        None => Ok(links),
        Some((at, bad)) => Err(Error::invalid(format!("{path}[{at}]{}", bad.part()), bad)),
    }
}

/// Refuses more than `limit` of something.
pub(super) fn count(found: usize, path: &str, what: &'static str, limit: usize) -> Result<(), Error> {
    if found > limit {
        return Err(Error::OverLimit { field: path.to_owned(), what, limit: limit as u64 });
    }
    Ok(())
}

/// Refuses an empty text, and one over `limit` bytes.
pub(super) fn text(text: &str, path: &str, what: &'static str, limit: usize) -> Result<(), Error> {
    count(text.len(), path, what, limit)?;
    if text.trim().is_empty() {
        return Err(Error::invalid(path, "must not be empty"));
    }
    Ok(())
}

pub(super) fn moment(text: &str, path: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(text).ok_or_else(|| {
        Error::invalid(path, "must be a moment such as 2023-05-20T02:21:00Z or a date such as 2023-05-20")
    })
}

pub(super) fn optional_moment(text: Option<&str>, path: &str) -> Result<Option<Timestamp>, Error> {
    text.map(|text| moment(text, path)).transpose()
}

/// An interval whose end is at `path.valid_to`.
pub(super) fn valid(
    from: Option<&str>,
    to: Option<&str>,
    path: &dyn Fn(&str) -> String,
) -> Result<Interval, Error> {
    let interval = Interval {
        start: optional_moment(from, &path("valid_from"))?,
        end: optional_moment(to, &path("valid_to"))?,
    };
    if !interval.is_ordered() {
        return Err(Error::invalid(path("valid_to"), "must not be before valid_from"));
    }
    Ok(interval)
}

/// A number between `low` and `high`, both included; NaN is outside of everything.
pub(super) fn within<T>(number: Option<T>, low: T, high: T, path: &str) -> Result<Option<T>, Error>
where
    T: Copy + PartialOrd + std::fmt::Display,
{
    match number {
        Some(number) if !(low..=high).contains(&number) => {
            Err(Error::invalid(path, format!("must be between {low} and {high}")))
        }
        _ => Ok(number),
    }
}

pub(super) fn importance(number: Option<f64>, path: &str) -> Result<Option<f64>, Error> {
    within(number, 0.0, 1.0, path)
}

/// A count between 1 and `limit`, or `default` where none is given.
pub(super) fn positive(
    number: Option<u32>,
    default: u32,
    limit: u32,
    path: &str,
    what: &'static str,
) -> Result<u32, Error> {
    match number {
        Some(0) => Err(Error::invalid(path, "must be at least 1")),
        Some(number) if number > limit => {
            Err(Error::OverLimit { field: path.to_owned(), what, limit: u64::from(limit) })
        }
        Some(number) => Ok(number),
        None => Ok(default.clamp(1, limit)),
    }
}

/// A vector that can be normalised.
pub(super) fn vector(numbers: Option<Vec<f32>>, path: &str) -> Result<Option<Vec<f32>>, Error> {
    let Some(numbers) = numbers else {
        return Ok(None);
    };
    count(numbers.len(), path, "a vector's length", MAX_DIMENSION)?;
    if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
        return Err(Error::invalid(format!("{path}[{at}]"), "must be a finite number"));
    }
    if numbers.iter().all(|number| *number == 0.0) {
        return Err(Error::invalid(path, "must have a number other than zero"));
    }
    Ok(Some(numbers))
}

pub(super) fn metadata(object: Map<String, Value>, path: &str) -> Result<Metadata, Error> {
    Metadata::new(object).map_err(|error| Error::invalid(path, error))
}

pub(super) fn visibility(visibility: wire::Visibility) -> memory::Visibility {
    match visibility {
        wire::Visibility::Owner => memory::Visibility::Owner,
        wire::Visibility::Shared => memory::Visibility::Shared,
    }
}

pub(super) fn role(role: wire::Role) -> Role {
    match role {
        wire::Role::User => turn::Role::User,
        wire::Role::Assistant => turn::Role::Assistant,
        wire::Role::System => turn::Role::System,
        wire::Role::Tool => turn::Role::Tool,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scope_names_someone() {
        let refused = |scope: wire::Scope| super::scope(&scope, "scope").expect_err("refused").to_string();
        assert!(refused(wire::Scope::default()).starts_with("scope: "));
        assert!(refused(wire::Scope::user(" ")).starts_with("scope.user_id: "));
        let agent = wire::Scope { agent_id: Some("a\u{7}".to_owned()), ..wire::Scope::user("u") };
        assert!(refused(agent).starts_with("scope.agent_id: "));
    }

    proptest! {
        #[test]
        fn numbers_outside_never_pass(number in any::<f32>()) {
            let passed = within(Some(number), 0.0, 1.0, "x").is_ok();
            prop_assert_eq!(passed, (0.0..=1.0).contains(&number));
        }

        #[test]
        fn a_vector_that_passes_can_be_normalised(numbers in proptest::collection::vec(any::<f32>(), 0..8)) {
            if let Ok(Some(vector)) = vector(Some(numbers), "vector") {
                let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                prop_assert!(length.is_finite() && length > 0.0);
            }
        }
    }
}
