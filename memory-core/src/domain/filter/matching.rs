//! The evaluation of a filter on one memory, and of a test on one value: the definition of what a filter selects.
//!
//! Two-valued logic. A test holds for a field if it holds for one of the field's values, so a test of a field that a
//! memory lacks is false, whatever the test, and its negation is true; only `IsNull(true)` holds without a value.
//! Values of another type than the test's never satisfy it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

use memchr::memmem;
use serde_json::Value;

use super::{Field, Filter, Range, Scalar, Test};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::number::Number;
use crate::domain::time::Timestamp;

impl Filter {
    /// True if the filter selects this memory. The memory's text is not looked at.
    pub fn matches(&self, memory: &Memory) -> bool {
        self.selects(&Values { memory, metadata: OnceCell::new() })
    }

    fn selects(&self, values: &Values<'_>) -> bool {
        match self {
            Filter::And(parts) => parts.iter().all(|part| part.selects(values)),
            Filter::Or(parts) => parts.iter().any(|part| part.selects(values)),
            Filter::Not(part) => !part.selects(values),
            Filter::Field(field, Test::IsNull(true)) => !field.any_value(values, &|_| true),
            Filter::Field(Field::Metadata(path), Test::Contains(part)) => {
                let part = lower_case(part);
                let mut texts = values.metadata_at(path).iter().filter_map(MetadataScalar::lower_case);
                texts.any(|text| has_part(text, &part))
            }
            Filter::Field(field, test) => field.any_value(values, &|value| test.holds(value)),
        }
    }
}

/// Values of a memory that tests look at.
struct Values<'a> {
    memory: &'a Memory,
    /// Scalars of the metadata, in the order of their paths: found once for all tests of a filter.
    metadata: OnceCell<Vec<MetadataScalar<'a>>>,
}

/// Scalar of the metadata with its path.
struct MetadataScalar<'a> {
    path: String,
    value: &'a Value,
    /// The text in lower case: converted once for all tests of a filter.
    lower_case: OnceCell<Cow<'a, str>>,
}

impl MetadataScalar<'_> {
    fn lower_case(&self) -> Option<&str> {
        let Value::String(text) = self.value else { return None };
        Some(self.lower_case.get_or_init(|| lower_case(text)))
    }
}

impl<'a> Values<'a> {
    fn metadata_at(&self, path: &str) -> &[MetadataScalar<'a>] {
        let all = self.metadata.get_or_init(|| {
            let found = self.memory.metadata.scalars().into_iter();
            let scalar = |(path, value)| MetadataScalar { path, value, lower_case: OnceCell::new() };
            let mut scalars: Vec<_> = found.map(scalar).collect();
            scalars.sort_by(|one, other| one.path.cmp(&other.path));
            scalars
        });
        let from = all.partition_point(|scalar| scalar.path.as_str() < path);
        let rest = all.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|scalar| scalar.path == path)).unwrap_or_default()
    }
}

/// A text in lower case, by Unicode's rules. It is borrowed if it is ASCII and in lower case already, as most texts in
/// filters and metadata are.
pub(crate) fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// True if a text contains another one. A search in short texts needs no preparation, in contrast to [`str::contains`],
/// whose preparation takes longer than the search.
pub(crate) fn has_part(text: &str, part: &str) -> bool {
    memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

/// One value of a memory's field.
#[derive(Clone, Copy)]
enum FieldValue<'a> {
    Text(&'a str),
    /// A member of a set of texts.
    Member(&'a str),
    Number(Number),
    Bool(bool),
    Time(Timestamp),
}

impl Field {
    /// True if `holds` is true of one of the values that a memory has in this field.
    fn any_value(&self, values: &Values<'_>, holds: &dyn Fn(FieldValue<'_>) -> bool) -> bool {
        let memory = values.memory;
        let origin = memory.origin.as_ref();
        let document = memory.document.as_ref();
        let text = |text: &str| holds(FieldValue::Text(text));
        let name = |name: Option<&Name>| name.is_some_and(|name| text(name.as_str()));
        let set = |names: &[Name]| names.iter().any(|name| holds(FieldValue::Member(name.as_str())));
        let time = |at: Option<Timestamp>| at.is_some_and(|at| holds(FieldValue::Time(at)));
        match self {
            Field::Kind => text(memory.kind.as_str()),
            Field::Role => origin.is_some_and(|origin| text(origin.role.as_str())),
            Field::Author => name(memory.author()),
            Field::Agent => name(memory.agent.as_ref()),
            Field::App => name(memory.app.as_ref()),
            Field::Run => name(memory.run.as_ref()),
            Field::Session => name(origin.map(|origin| &origin.session_key)),
            Field::Namespace => name(document.map(|document| &document.namespace)),
            Field::Key => name(document.map(|document| &document.key)),
            Field::HappenedAt => time(Some(memory.happened.at)),
            Field::RecordedAt => time(Some(memory.recorded_at)),
            Field::CreatedAt => time(Some(memory.created_at)),
            Field::ValidFrom => time(memory.valid.start),
            Field::ValidTo => time(memory.valid.end),
            Field::ExpiresAt => time(memory.expires_at),
            Field::Importance => {
                Number::from_f64(memory.strength.importance).is_some_and(|it| holds(FieldValue::Number(it)))
            }
            Field::Version => holds(FieldValue::Number(Number::from(memory.version))),
            Field::Tags => set(&memory.tags),
            Field::Subjects => set(&memory.subjects),
            Field::Audience => set(&memory.audience),
            Field::Metadata(path) => {
                values.metadata_at(path).iter().any(|found| scalar(found.value).is_some_and(holds))
            }
        }
    }
}

/// A scalar of the metadata; none for null, and for a number beyond the doubles.
fn scalar(value: &Value) -> Option<FieldValue<'_>> {
    match value {
        Value::String(text) => Some(FieldValue::Text(text)),
        Value::Number(number) => Number::from_json(number).map(FieldValue::Number),
        Value::Bool(bool) => Some(FieldValue::Bool(*bool)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Test {
    fn holds(&self, value: FieldValue<'_>) -> bool {
        match value {
            FieldValue::Text(text) => self.holds_for_text(text),
            FieldValue::Member(member) => self.holds_for_member(member),
            FieldValue::Number(number) => self.holds_for_number(number),
            FieldValue::Bool(bool) => self.holds_for_bool(bool),
            FieldValue::Time(time) => self.holds_for_time(time),
        }
    }

    /// True if the test holds for a text. `Contains` ignores case.
    pub(crate) fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Test::Contains(part) => has_part(&lower_case(text), &lower_case(part)),
            _ => self.holds_for_member(text),
        }
    }

    /// True if the test holds for a member of a set. `Contains` means equality.
    fn holds_for_member(&self, member: &str) -> bool {
        match self {
            Test::Contains(part) => member == part,
            Test::In(members) => members.has_text(member),
            _ => self.compares(|scalar| match scalar {
                Scalar::Text(text) => Some(member.cmp(text)),
                _ => None,
            }),
        }
    }

    /// True if the test holds for a number.
    pub(crate) fn holds_for_number(&self, number: Number) -> bool {
        match self {
            Test::In(members) => members.has_number(number),
            _ => self.compares(|scalar| match scalar {
                Scalar::Number(other) => Some(number.cmp(other)),
                _ => None,
            }),
        }
    }

    /// True if the test holds for a truth value. Truth values have no order: no range holds.
    pub(crate) fn holds_for_bool(&self, bool: bool) -> bool {
        match self {
            Test::In(members) => members.has_bool(bool),
            Test::Range(_) => false,
            _ => self.compares(|scalar| match scalar {
                Scalar::Bool(other) => Some(bool.cmp(other)),
                _ => None,
            }),
        }
    }

    /// True if the test holds for a time.
    pub(crate) fn holds_for_time(&self, time: Timestamp) -> bool {
        match self {
            Test::In(members) => members.has_time(time),
            _ => self.compares(|scalar| match scalar {
                Scalar::Time(other) => Some(time.cmp(other)),
                _ => None,
            }),
        }
    }

    /// Evaluates a comparison with `order`: the order of a value relative to a scalar, none for a scalar of another type.
    fn compares(&self, order: impl Fn(&Scalar) -> Option<Ordering>) -> bool {
        match self {
            Test::Eq(scalar) => order(scalar).is_some_and(Ordering::is_eq),
            Test::Range(range) => range.includes(order),
            Test::In(_) | Test::Contains(_) => false,
            Test::IsNull(is_null) => !is_null,
        }
    }
}

impl Range {
    /// True if a value lies within all bounds that are set. A bound of another type excludes every value.
    fn includes(&self, order: impl Fn(&Scalar) -> Option<Ordering>) -> bool {
        let within = |bound: &Option<Scalar>, allows: fn(Ordering) -> bool| match bound {
            None => true,
            Some(bound) => order(bound).is_some_and(allows),
        };
        within(&self.gte, Ordering::is_ge)
            && within(&self.gt, Ordering::is_gt)
            && within(&self.lte, Ordering::is_le)
            && within(&self.lt, Ordering::is_lt)
    }
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{corpus, reference, rng::Rng};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_filter_matches_what_the_reference_lets_pass(seed in any::<u64>()) {
            let mut rng = Rng::new(seed);
            let memories: Vec<_> = (0..16).map(|number| corpus::memory(&mut rng, number).memory).collect();
            for _ in 0..16 {
                let filter = corpus::filter(&mut rng, 4);
                for memory in &memories {
                    let passes = reference::passes(&filter, memory);
                    prop_assert_eq!(filter.matches(memory), passes, "{:?} on {:?}", filter, memory);
                }
            }
        }
    }
}
