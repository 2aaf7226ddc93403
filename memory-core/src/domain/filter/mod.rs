//! Filters: one typed tree over columns, tags and metadata.
//!
//! [`Filter::matches`] evaluates it on one memory; the embedded index evaluates it to a bitmap over all memories of a
//! partition; a back end elsewhere translates it. Two-valued logic: a test on a field that a memory lacks is false, so
//! its negation is true.

mod matching;

use super::name::Name;
use super::number::Number;
use super::time::Timestamp;

/// A condition on memories.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them; true if there are none.
    And(Vec<Filter>),
    /// At least one of them; false if there are none.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A test of one field.
    Field(Field, Test),
}

/// A field that can be tested.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The memory's kind: text.
    Kind,
    /// The speaker's role, for turns: text.
    Role,
    /// The speaker's name, for turns: text.
    Author,
    /// The agent's id: text.
    Agent,
    /// The app's id: text.
    App,
    /// The run's id: text.
    Run,
    /// The session's key, for turns: text.
    Session,
    /// The document's namespace: text.
    Namespace,
    /// The document's key: text.
    Key,
    /// When it happened: time.
    HappenedAt,
    /// When the present version was recorded: time.
    RecordedAt,
    /// Since when it held: time.
    ValidFrom,
    /// Until when it held: time.
    ValidTo,
    /// When it expires: time.
    ExpiresAt,
    /// Importance: number.
    Importance,
    /// Version: number.
    Version,
    /// Tags: a set of texts.
    Tags,
    /// Subjects: a set of texts.
    Subjects,
    /// The scalars at a path in the metadata (`city`, `trip.year`), array elements one by one.
    Metadata(String),
}

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text.
    Text,
    /// A moment.
    Time,
    /// A number.
    Number,
    /// Whatever the application put there.
    Any,
}

/// A value to test against.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text, compared byte by byte.
    Text(String),
    /// A number, compared by its exact value.
    Number(Number),
    /// A truth value.
    Bool(bool),
    /// A moment.
    Time(Timestamp),
}

/// A test of one field. On a field with several values (tags, arrays in the metadata) it holds if it holds for one.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal.
    Eq(Scalar),
    /// Equal to one of them.
    In(Vec<Scalar>),
    /// Within bounds; texts in byte order.
    Range(Range),
    /// Text: contains this text, letters of any case. Sets (tags, subjects): has this member.
    Contains(String),
    /// True: has no value. False: has one.
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

/// A tree is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// Over [`Filter::MAX_DEPTH`].
    #[error("is nested more than {} deep", Filter::MAX_DEPTH)]
    TooDeep,
    /// Over [`Filter::MAX_TESTS`].
    #[error("has more than {} tests", Filter::MAX_TESTS)]
    TooManyTests,
    /// Over [`Filter::MAX_VALUES`].
    #[error("`in` has more than {} values", Filter::MAX_VALUES)]
    TooManyValues,
    /// A value of the wrong type for the field.
    #[error("`{field}` takes {expected}")]
    WrongType {
        /// The field's name on the wire.
        field: String,
        /// The type that it takes, in words.
        expected: &'static str,
    },
    /// A range without a bound.
    #[error("a range needs at least one of gte, gt, lte, lt")]
    EmptyRange,
}

impl Field {
    /// The name on the wire.
    pub fn name(&self) -> String {
        let fixed = match self {
            Field::Kind => "kind",
            Field::Role => "role",
            Field::Author => "author",
            Field::Agent => "agent_id",
            Field::App => "app_id",
            Field::Run => "run_id",
            Field::Session => "session",
            Field::Namespace => "namespace",
            Field::Key => "key",
            Field::HappenedAt => "happened_at",
            Field::RecordedAt => "recorded_at",
            Field::ValidFrom => "valid_from",
            Field::ValidTo => "valid_to",
            Field::ExpiresAt => "expires_at",
            Field::Importance => "importance",
            Field::Version => "version",
            Field::Tags => "tags",
            Field::Subjects => "subjects",
            Field::Metadata(path) => return format!("metadata.{path}"),
        };
        fixed.to_owned()
    }

    /// The field of that name.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(path) = name.strip_prefix("metadata.") {
            return (!path.is_empty() && path.len() <= Name::MAX_BYTES)
                .then(|| Field::Metadata(path.to_owned()));
        }
        Self::FIXED.into_iter().find(|field| field.name() == name)
    }

    /// Every field with a name of its own.
    pub const FIXED: [Field; 18] = [
        Field::Kind,
        Field::Role,
        Field::Author,
        Field::Agent,
        Field::App,
        Field::Run,
        Field::Session,
        Field::Namespace,
        Field::Key,
        Field::HappenedAt,
        Field::RecordedAt,
        Field::ValidFrom,
        Field::ValidTo,
        Field::ExpiresAt,
        Field::Importance,
        Field::Version,
        Field::Tags,
        Field::Subjects,
    ];

    /// The type of its values.
    pub fn value_type(&self) -> FieldType {
        match self {
            Field::HappenedAt | Field::RecordedAt | Field::ValidFrom | Field::ValidTo | Field::ExpiresAt => {
                FieldType::Time
            }
            Field::Importance | Field::Version => FieldType::Number,
            Field::Metadata(_) => FieldType::Any,
            _ => FieldType::Text,
        }
    }

    /// True if a memory may have several values of it.
    pub fn is_set(&self) -> bool {
        matches!(self, Field::Tags | Field::Subjects)
    }
}

impl Filter {
    /// The deepest tree.
    pub const MAX_DEPTH: usize = 16;
    /// The most tests in a tree.
    pub const MAX_TESTS: usize = 256;
    /// The most values in one `in`.
    pub const MAX_VALUES: usize = 1_000;

    /// The filter that lets everything pass.
    pub fn everything() -> Self {
        Filter::And(Vec::new())
    }

    /// True for [`Filter::everything`] and for conjunctions of nothing else.
    pub fn is_everything(&self) -> bool {
        matches!(self, Filter::And(parts) if parts.iter().all(Filter::is_everything))
    }

    /// Checks depth, size and types.
    pub fn check(&self) -> Result<(), BadFilter> {
        let mut tests = 0;
        self.check_level(Self::MAX_DEPTH, &mut tests)
    }

    fn check_level(&self, levels: usize, tests: &mut usize) -> Result<(), BadFilter> {
        if levels == 0 {
            return Err(BadFilter::TooDeep);
        }
        match self {
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().try_for_each(|part| part.check_level(levels - 1, tests))
            }
            Filter::Not(part) => part.check_level(levels - 1, tests),
            Filter::Field(field, test) => {
                *tests += 1;
                if *tests > Self::MAX_TESTS {
                    return Err(BadFilter::TooManyTests);
                }
                test.check(field)
            }
        }
    }
}

impl Test {
    fn check(&self, field: &Field) -> Result<(), BadFilter> {
        match self {
            Test::Eq(value) => value.check(field),
            Test::In(values) if values.len() > Filter::MAX_VALUES => Err(BadFilter::TooManyValues),
            Test::In(values) => values.iter().try_for_each(|value| value.check(field)),
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
    fn every_field_has_one_name() {
        for field in Field::FIXED {
            assert_eq!(Field::parse(&field.name()), Some(field));
        }
        assert_eq!(Field::parse("metadata.a.b"), Some(Field::Metadata("a.b".to_owned())));
        assert_eq!(Field::parse("metadata."), None);
        assert_eq!(Field::parse("nonsense"), None);
    }

    #[test]
    fn refuses_wrong_types_and_excess() {
        let text = || Scalar::Text("x".to_owned());
        assert!(Filter::Field(Field::HappenedAt, Test::Eq(text())).check().is_err());
        assert!(Filter::Field(Field::Tags, Test::Eq(Scalar::Number(Number::from(1_u64)))).check().is_err());
        assert!(Filter::Field(Field::Importance, Test::Eq(text())).check().is_err());
        assert!(Filter::Field(Field::Kind, Test::Range(Range::default())).check().is_err());
        assert!(Filter::Field(Field::Kind, Test::In(vec![text(); 1_001])).check().is_err());
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
