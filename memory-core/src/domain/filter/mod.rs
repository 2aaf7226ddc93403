//! Filters: a typed expression tree over columns, tags and metadata.
//!
//! [`Filter::matches`] evaluates a filter on one memory; the embedded index evaluates it to a bitmap over all memories of a
//! partition; another index back end translates it. The logic is two-valued: a test on a field without a value is false,
//! and its negation is true.

mod field;
mod json;
mod matching;
mod members;

pub use field::{Field, FieldType};
pub(crate) use matching::{has_part, lower_case};
pub use members::Members;

use super::number::Number;
use super::time::Timestamp;

/// Condition on memories.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Conjunction; true if empty.
    And(Vec<Filter>),
    /// Disjunction; false if empty.
    Or(Vec<Filter>),
    /// Negation.
    Not(Box<Filter>),
    /// Test of one field.
    Field(Field, Test),
}

/// Operand of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text, compared byte by byte.
    Text(String),
    /// Number, compared by its exact value.
    Number(Number),
    /// Boolean.
    Bool(bool),
    /// Moment.
    Time(Timestamp),
}

/// Test of one field. On a field with several values (tags, arrays in the metadata) it is true if it is true for one of
/// them.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal.
    Eq(Scalar),
    /// Equal to one of the values.
    In(Members),
    /// Within bounds; texts are in byte order.
    Range(Range),
    /// Text: contains this text, regardless of case. Sets (tags, subjects, audience): contains this member.
    Contains(String),
    /// True: has no value. False: has a value.
    IsNull(bool),
}

/// Bounds; at least one is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Range {
    /// Greater than or equal to.
    pub gte: Option<Scalar>,
    /// Greater than.
    pub gt: Option<Scalar>,
    /// Less than or equal to.
    pub lte: Option<Scalar>,
    /// Less than.
    pub lt: Option<Scalar>,
}

/// Reason to refuse a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// Depth over [`Filter::MAX_DEPTH`].
    #[error("is nested more than {} deep", Filter::MAX_DEPTH)]
    TooDeep,
    /// Number of tests over [`Filter::MAX_TESTS`].
    #[error("has more than {} tests", Filter::MAX_TESTS)]
    TooManyTests,
    /// Number of conditions over [`Filter::MAX_NODES`].
    #[error("has more than {} conditions", Filter::MAX_NODES)]
    TooManyNodes,
    /// Number of values over [`Filter::MAX_VALUES`].
    #[error("`in` has more than {} values", Filter::MAX_VALUES)]
    TooManyValues,
    /// Number of values in all `in` over [`Filter::MAX_TOTAL_VALUES`].
    #[error("has more than {} values in all of its `in`", Filter::MAX_TOTAL_VALUES)]
    TooManyTotalValues,
    /// Operand of the wrong type for the field.
    #[error("`{field}` takes {expected}")]
    WrongType {
        /// Name of the field on the wire.
        field: String,
        /// Expected type, in words.
        expected: &'static str,
    },
    /// Range without a bound.
    #[error("a range needs at least one of gte, gt, lte, lt")]
    EmptyRange,
}

impl Filter {
    /// Maximum depth of a tree.
    pub const MAX_DEPTH: usize = 16;
    /// Maximum number of tests in a tree.
    pub const MAX_TESTS: usize = 256;
    /// Maximum number of values in one `in`.
    pub const MAX_VALUES: usize = 1_000;
    /// Maximum number of conditions in a tree: tests, conjunctions, disjunctions and negations, empty ones included.
    pub const MAX_NODES: usize = 1_024;
    /// Maximum number of values in all `in` of a tree.
    pub const MAX_TOTAL_VALUES: usize = 65_536;

    /// Filter that every memory passes.
    pub fn everything() -> Self {
        Filter::And(Vec::new())
    }

    /// True for [`Filter::everything`] and for conjunctions of nothing else.
    pub fn is_everything(&self) -> bool {
        matches!(self, Filter::And(parts) if parts.iter().all(Filter::is_everything))
    }

    /// Checks depth, size and operand types.
    ///
    /// # Errors
    /// The first violation, as [`BadFilter`].
    pub fn check(&self) -> Result<(), BadFilter> {
        self.check_level(Self::MAX_DEPTH, &mut Counts::default())
    }

    fn check_level(&self, levels: usize, counts: &mut Counts) -> Result<(), BadFilter> {
        if levels == 0 {
            return Err(BadFilter::TooDeep);
        }
        counts.add_node()?;
        match self {
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().try_for_each(|part| part.check_level(levels - 1, counts))
            }
            Filter::Not(part) => part.check_level(levels - 1, counts),
            Filter::Field(field, test) => {
                counts.add_test(if let Test::In(members) = test { members.len() } else { 0 })?;
                test.check(field)
            }
        }
    }

    /// Cost of an evaluation on one memory, in evaluations of one plain test. A search for a text within texts and a search
    /// among members take longer than a comparison.
    pub fn cost(&self) -> usize {
        /// Cost of a test of whole texts.
        const SCAN_OF_TEXT: usize = 16;
        /// Cost of a binary search.
        const SEARCH: usize = 4;
        match self {
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().map(Filter::cost).fold(1, usize::saturating_add)
            }
            Filter::Not(part) => part.cost().saturating_add(1),
            Filter::Field(_, Test::Contains(_)) => SCAN_OF_TEXT,
            Filter::Field(_, Test::In(_)) => SEARCH,
            Filter::Field(..) => 1,
        }
    }
}

/// Size of the part of a tree that has been checked.
#[derive(Debug, Default)]
struct Counts {
    nodes: usize,
    tests: usize,
    values: usize,
}

impl Counts {
    fn add_node(&mut self) -> Result<(), BadFilter> {
        self.nodes += 1;
        if self.nodes > Filter::MAX_NODES { Err(BadFilter::TooManyNodes) } else { Ok(()) }
    }

    fn add_test(&mut self, values: usize) -> Result<(), BadFilter> {
        self.tests += 1;
        self.values = self.values.saturating_add(values);
        if self.tests > Filter::MAX_TESTS {
            Err(BadFilter::TooManyTests)
        } else if self.values > Filter::MAX_TOTAL_VALUES {
            Err(BadFilter::TooManyTotalValues)
        } else {
            Ok(())
        }
    }
}

impl Test {
    fn check(&self, field: &Field) -> Result<(), BadFilter> {
        match self {
            Test::Eq(value) => value.check(field),
            Test::In(members) if members.len() > Filter::MAX_VALUES => Err(BadFilter::TooManyValues),
            Test::In(members) => members.scalars().try_for_each(|value| value.check(field)),
            Test::Range(range) => {
                let bounds = [&range.gte, &range.gt, &range.lte, &range.lt];
                if bounds.iter().all(|bound| bound.is_none()) {
                    return Err(BadFilter::EmptyRange);
                }
                bounds.into_iter().flatten().try_for_each(|value| value.check(field))
            }
            Test::Contains(_) => match field.value_type() {
                FieldType::Text | FieldType::Any => Ok(()),
                FieldType::Time => Err(wrong_type(field, "no `contains`: it is a time")),
                FieldType::Number => Err(wrong_type(field, "no `contains`: it is a number")),
            },
            Test::IsNull(_) => Ok(()),
        }
    }
}

impl Scalar {
    fn check(&self, field: &Field) -> Result<(), BadFilter> {
        match (field.value_type(), self) {
            (FieldType::Any, _)
            | (FieldType::Text, Scalar::Text(_))
            | (FieldType::Number, Scalar::Number(_))
            | (FieldType::Time, Scalar::Time(_)) => Ok(()),
            (FieldType::Text, _) => Err(wrong_type(field, "a text")),
            (FieldType::Number, _) => Err(wrong_type(field, "a number")),
            (FieldType::Time, _) => Err(wrong_type(field, "a time such as 2023-05-20T02:21:00Z")),
        }
    }
}

fn wrong_type(field: &Field, expected: &'static str) -> BadFilter {
    BadFilter::WrongType { field: field.name(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_parsed_from_its_name() {
        for field in Field::FIXED {
            assert_eq!(Field::parse(&field.name()), Some(field));
        }
        assert_eq!(Field::parse("metadata.a.b"), Some(Field::Metadata("a.b".to_owned())));
        assert_eq!(Field::parse("metadata."), None);
        assert_eq!(Field::parse("nonsense"), None);
    }

    #[test]
    fn wrong_types_and_filters_over_a_bound_are_refused() {
        let text = || Scalar::Text("x".to_owned());
        assert!(Filter::Field(Field::HappenedAt, Test::Eq(text())).check().is_err());
        assert!(Filter::Field(Field::Tags, Test::Eq(Scalar::Number(Number::from(1_u64)))).check().is_err());
        assert!(Filter::Field(Field::Importance, Test::Eq(text())).check().is_err());
        assert!(Filter::Field(Field::Kind, Test::Range(Range::default())).check().is_err());
        let values = |count: usize| Test::In((0..count).map(|n| Scalar::Text(n.to_string())).collect());
        assert_eq!(Filter::Field(Field::Kind, values(1_001)).check(), Err(BadFilter::TooManyValues));
        let many = |count| Filter::And(vec![Filter::Field(Field::Key, values(1_000)); count]);
        assert_eq!((many(65).check(), many(66).check()), (Ok(()), Err(BadFilter::TooManyTotalValues)));
        let empty = |count| Filter::And(vec![Filter::everything(); count]);
        assert_eq!((empty(1_023).check(), empty(1_024).check()), (Ok(()), Err(BadFilter::TooManyNodes)));
        let mut deep = Filter::everything();
        for _ in 0..Filter::MAX_DEPTH {
            deep = Filter::Not(Box::new(deep));
        }
        assert_eq!(deep.check(), Err(BadFilter::TooDeep));
        let wide = Filter::Or(vec![Filter::Field(Field::Kind, Test::Eq(text())); 257]);
        assert_eq!(wide.check(), Err(BadFilter::TooManyTests));
        assert_eq!(
            Filter::Field(Field::Metadata("n".to_owned()), Test::Eq(Scalar::Bool(true))).check(),
            Ok(())
        );
    }
}
