//! Filters as JSON, as the store keeps them and as the wire shows them: the shape of a filter in a request, with all times as
//! moments in UTC, so that a stored filter selects the same memories in every zone.

use serde_json::{Map, Value, json};

use super::{Field, FieldType, Filter, Range, Scalar, Test};
use crate::domain::number::Number;
use crate::domain::time::Timestamp;

impl Filter {
    /// JSON of the filter.
    pub fn to_json(&self) -> Value {
        let all = |parts: &[Filter]| Value::Array(parts.iter().map(Filter::to_json).collect());
        match self {
            Filter::And(parts) => json!({ "and": all(parts) }),
            Filter::Or(parts) => json!({ "or": all(parts) }),
            Filter::Not(part) => json!({ "not": part.to_json() }),
            Filter::Field(field, test) => {
                let (name, value) = test.to_json();
                json!({ "field": field.name(), (name): value })
            }
        }
    }

    /// Filter of [`Filter::to_json`]; `None` for another shape, for a field that this version does not know, and for a filter
    /// over a bound.
    pub fn from_json(json: &Value) -> Option<Self> {
        let filter = level(json, Self::MAX_DEPTH)?;
        filter.check().is_ok().then_some(filter)
    }
}

/// Filter of one level; nothing is deeper than `levels`.
fn level(json: &Value, levels: usize) -> Option<Filter> {
    let below = levels.checked_sub(1)?;
    let object = json.as_object()?;
    let all = |parts: &Value| -> Option<Vec<Filter>> {
        parts.as_array()?.iter().map(|part| level(part, below)).collect()
    };
    if let Some(parts) = object.get("and") {
        return all(parts).map(Filter::And);
    }
    if let Some(parts) = object.get("or") {
        return all(parts).map(Filter::Or);
    }
    if let Some(part) = object.get("not") {
        return level(part, below).map(|part| Filter::Not(Box::new(part)));
    }
    let field = Field::parse(object.get("field")?.as_str()?)?;
    let test = Test::from_json(object, &field)?;
    Some(Filter::Field(field, test))
}

impl Test {
    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Test::Eq(scalar) => ("eq", scalar.to_json()),
            Test::In(members) => ("in", members.scalars().map(|scalar| scalar.to_json()).collect()),
            Test::Contains(part) => ("contains", part.as_str().into()),
            Test::IsNull(is_null) => ("is_null", (*is_null).into()),
            Test::Range(range) => {
                let bounds = [("gte", &range.gte), ("gt", &range.gt), ("lte", &range.lte), ("lt", &range.lt)];
                let set = bounds.into_iter().filter_map(|(name, bound)| {
                    bound.as_ref().map(|bound| (name.to_owned(), bound.to_json()))
                });
                ("range", Value::Object(set.collect()))
            }
        }
    }

    fn from_json(object: &Map<String, Value>, field: &Field) -> Option<Self> {
        if let Some(value) = object.get("eq") {
            return Scalar::from_json(value, field).map(Test::Eq);
        }
        if let Some(values) = object.get("in") {
            let values = values.as_array()?.iter();
            return values.map(|value| Scalar::from_json(value, field)).collect::<Option<_>>().map(Test::In);
        }
        if let Some(part) = object.get("contains") {
            return part.as_str().map(|part| Test::Contains(part.to_owned()));
        }
        if let Some(is_null) = object.get("is_null") {
            return is_null.as_bool().map(Test::IsNull);
        }
        let range = object.get("range")?.as_object()?;
        let bound = |name: &str| match range.get(name) {
            None => Some(None),
            Some(value) => Scalar::from_json(value, field).map(Some),
        };
        Some(Test::Range(Range {
            gte: bound("gte")?,
            gt: bound("gt")?,
            lte: bound("lte")?,
            lt: bound("lt")?,
        }))
    }
}

impl Scalar {
    fn to_json(&self) -> Value {
        match self {
            Scalar::Text(text) => text.as_str().into(),
            Scalar::Number(number) => number.to_json(),
            Scalar::Bool(truth) => (*truth).into(),
            Scalar::Time(time) => time.to_string().into(),
        }
    }

    fn from_json(value: &Value, field: &Field) -> Option<Self> {
        match (field.value_type(), value) {
            (FieldType::Time, Value::String(text)) => Timestamp::parse(text).map(Scalar::Time),
            (_, Value::String(text)) => Some(Scalar::Text(text.clone())),
            (_, Value::Bool(truth)) => Some(Scalar::Bool(*truth)),
            (_, Value::Number(number)) => Number::from_json(number).map(Scalar::Number),
            _ => None,
        }
    }
}

#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{corpus, rng::Rng};

    fn has_time_of_other_field(filter: &Filter) -> bool {
        let is_time = |scalar: &Scalar| matches!(scalar, Scalar::Time(_));
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().any(has_time_of_other_field),
            Filter::Not(part) => has_time_of_other_field(part),
            Filter::Field(field, _) if matches!(field.value_type(), FieldType::Time) => false,
            Filter::Field(_, Test::Eq(scalar)) => is_time(scalar),
            Filter::Field(_, Test::In(members)) => members.scalars().any(|scalar| is_time(&scalar)),
            Filter::Field(_, Test::Range(range)) => {
                [&range.gte, &range.gt, &range.lte, &range.lt].into_iter().flatten().any(is_time)
            }
            Filter::Field(_, Test::Contains(_) | Test::IsNull(_)) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_filter_that_was_stored_selects_the_same_memories(seed in any::<u64>()) {
            let mut rng = Rng::new(seed);
            let filter = corpus::filter(&mut rng, 4);
            // A request has a time only for a field of times.
            prop_assume!(!has_time_of_other_field(&filter));
            let stored = filter.to_json().to_string();
            let read = serde_json::from_str(&stored).ok().and_then(|json| Filter::from_json(&json));
            prop_assert_eq!(read.is_some(), filter.check().is_ok(), "{}", &stored);
            let Some(read) = read else { return Ok(()) };
            for number in 0..16 {
                let memory = corpus::memory(&mut rng, number).memory;
                prop_assert_eq!(read.matches(&memory), filter.matches(&memory), "{}", &stored);
            }
        }
    }

    #[test]
    fn another_shape_is_no_stored_filter() {
        for json in ["1", "{}", r#"{"field":"nonsense","eq":1}"#, r#"{"field":"kind"}"#, r#"{"and":[1]}"#] {
            assert_eq!(Filter::from_json(&serde_json::from_str(json).unwrap_or_default()), None, "{json}");
        }
        let mut deep = json!({ "and": [] });
        for _ in 0..100 {
            deep = json!({ "not": deep });
        }
        assert_eq!(Filter::from_json(&deep), None);
    }
}
