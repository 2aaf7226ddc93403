//! Filters: from the wire's loose objects to the domain's typed tree.

use engrain::wire;
use memory_core::domain::filter::{Field, FieldType, Filter, Range, Scalar, Test};
use memory_core::domain::memory::Kind;
use memory_core::domain::number::Number;
use memory_core::domain::turn::Role;
use memory_core::error::Error;
use serde_json::Value;

use super::fields;

/// The filter at `path`; everything, if there is none.
pub(crate) fn filter(filter: Option<&wire::Filter>, path: &str) -> Result<Filter, Error> {
    let Some(filter) = filter else {
        return Ok(Filter::everything());
    };
    let tree = level(filter, path, Filter::MAX_DEPTH)?;
    tree.check().map_err(|error| Error::invalid(path, error))?;
    Ok(tree)
}

fn level(filter: &wire::Filter, path: &str, levels: usize) -> Result<Filter, Error> {
    if levels == 0 {
        return Err(Error::invalid(path, format!("is nested more than {} deep", Filter::MAX_DEPTH)));
    }
    let all = |parts: &[wire::Filter], name: &str| -> Result<Vec<Filter>, Error> {
        let parts = parts.iter().enumerate();
        parts.map(|(at, part)| level(part, &format!("{path}.{name}[{at}]"), levels - 1)).collect()
    };
    match filter {
        wire::Filter { field: Some(_), and: None, or: None, not: None, .. } => field(filter, path),
        _ if has_test(filter) || filter.field.is_some() => {
            Err(Error::invalid(path, "a test needs `field`, and stands apart from and, or, not"))
        }
        wire::Filter { and: Some(parts), or: None, not: None, .. } => Ok(Filter::And(all(parts, "and")?)),
        wire::Filter { and: None, or: Some(parts), not: None, .. } => Ok(Filter::Or(all(parts, "or")?)),
        wire::Filter { and: None, or: None, not: Some(part), .. } => {
            Ok(Filter::Not(Box::new(level(part, &format!("{path}.not"), levels - 1)?)))
        }
        _ => Err(Error::invalid(path, "must be exactly one of and, or, not, or a field with a test")),
    }
}

fn has_test(filter: &wire::Filter) -> bool {
    let wire::Filter { eq, one_of, range, contains, is_null, .. } = filter;
    eq.is_some() || one_of.is_some() || range.is_some() || contains.is_some() || is_null.is_some()
}

fn field(filter: &wire::Filter, path: &str) -> Result<Filter, Error> {
    let name = filter.field.as_deref().unwrap_or_default();
    let field = Field::parse(name).ok_or_else(|| Error::invalid(format!("{path}.field"), known_fields()))?;
    let at = |test: &str| format!("{path}.{test}");
    let wire::Filter { eq, one_of, range, contains, is_null, .. } = filter;
    let test = match (eq, one_of, range, contains, is_null) {
        (Some(value), None, None, None, None) => Test::Eq(member(&field, value, &at("eq"))?),
        (None, Some(values), None, None, None) => {
            let what = "the number of values in `in`";
            fields::count(values.len(), &at("in"), what, Filter::MAX_VALUES)?;
            let values = values.iter().enumerate();
            let scalars = values.map(|(n, value)| member(&field, value, &format!("{path}.in[{n}]")));
            Test::In(scalars.collect::<Result<_, _>>()?)
        }
        (None, None, Some(bounds), None, None) => Test::Range(range_of(&field, bounds, &at("range"))?),
        (None, None, None, Some(text), None) => Test::Contains(text.clone()),
        (None, None, None, None, Some(is_null)) => Test::IsNull(*is_null),
        _ => {
            let detail = "a field takes exactly one of eq, in, range, contains, is_null";
            return Err(Error::invalid(path, detail));
        }
    };
    Ok(Filter::Field(field, test))
}

fn known_fields() -> String {
    let names: Vec<String> = Field::FIXED.iter().map(Field::name).collect();
    format!("must be one of {}, or metadata.PATH", names.join(", "))
}

fn range_of(field: &Field, bounds: &wire::FilterRange, path: &str) -> Result<Range, Error> {
    let bound = |value: &Option<Value>, name: &str| {
        value.as_ref().map(|value| scalar(field, value, &format!("{path}.{name}"))).transpose()
    };
    let range = Range {
        gte: bound(&bounds.gte, "gte")?,
        gt: bound(&bounds.gt, "gt")?,
        lte: bound(&bounds.lte, "lte")?,
        lt: bound(&bounds.lt, "lt")?,
    };
    if range == Range::default() {
        return Err(Error::invalid(path, "needs at least one of gte, gt, lte, lt"));
    }
    Ok(range)
}

/// A value to be equal to. Kinds and roles are closed sets: a misspelt one would silently match nothing.
fn member(field: &Field, value: &Value, path: &str) -> Result<Scalar, Error> {
    let scalar = scalar(field, value, path)?;
    let one_of = match (field, &scalar) {
        (Field::Kind, Scalar::Text(text)) if Kind::parse(text).is_none() => Kind::ALL.map(Kind::as_str),
        (Field::Role, Scalar::Text(text)) if Role::parse(text).is_none() => Role::ALL.map(Role::as_str),
        _ => return Ok(scalar),
    };
    Err(Error::invalid(path, format!("must be one of {}", one_of.join(", "))))
}

/// A value of the field's type.
fn scalar(field: &Field, value: &Value, path: &str) -> Result<Scalar, Error> {
    let wanted = match (field.value_type(), value) {
        (FieldType::Time, Value::String(text)) => return Ok(Scalar::Time(fields::moment(text, path)?)),
        (FieldType::Text | FieldType::Any, Value::String(text)) => return Ok(Scalar::Text(text.clone())),
        (FieldType::Any, Value::Bool(truth)) => return Ok(Scalar::Bool(*truth)),
        (FieldType::Number | FieldType::Any, Value::Number(number)) => {
            let number = Number::from_json(number);
            return number.map(Scalar::Number).ok_or_else(|| Error::invalid(path, "must be a finite number"));
        }
        (FieldType::Time, _) => "a moment such as 2023-05-20T02:21:00Z",
        (FieldType::Text, _) => "a text",
        (FieldType::Number, _) => "a number",
        (FieldType::Any, _) => "a text, a number, true or false; use is_null for what is not there",
    };
    Err(Error::invalid(path, format!("must be {wanted}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tree: Value) -> Result<Filter, Error> {
        let tree: wire::Filter = serde_json::from_value(tree).expect("of the wire's shape");
        filter(Some(&tree), "filter")
    }

    #[test]
    fn every_test_reaches_the_domain() {
        let tree = read(json!({"and": [
            {"field": "kind", "in": ["fact", "note"]},
            {"or": [{"field": "tags", "contains": "travel"}, {"field": "metadata.n", "eq": 3}]},
            {"not": {"field": "happened_at", "range": {"gte": "2023-05-20"}}},
            {"field": "author", "is_null": true},
        ]}))
        .expect("a filter");
        let text = |text: &str| Scalar::Text(text.to_owned());
        let since = Range {
            gte: Some(Scalar::Time(fields::moment("2023-05-20", "").expect("a date"))),
            ..Range::default()
        };
        let expected = Filter::And(vec![
            Filter::Field(Field::Kind, Test::In(vec![text("fact"), text("note")])),
            Filter::Or(vec![
                Filter::Field(Field::Tags, Test::Contains("travel".to_owned())),
                Filter::Field(Field::Metadata("n".to_owned()), Test::Eq(Scalar::Number(Number::from(3_u64)))),
            ]),
            Filter::Not(Box::new(Filter::Field(Field::HappenedAt, Test::Range(since)))),
            Filter::Field(Field::Author, Test::IsNull(true)),
        ]);
        assert_eq!(tree, expected);
        assert!(filter(None, "filter").expect("everything").is_everything());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let deep = (0..Filter::MAX_DEPTH).fold(json!({"and": []}), |inner, _| json!({"not": inner}));
        let cases = [
            (json!({}), "filter"),
            (json!({"and": [], "or": []}), "filter"),
            (json!({"eq": 1}), "filter"),
            (json!({"field": "kind", "eq": "fact", "and": []}), "filter"),
            (json!({"field": "kind"}), "filter"),
            (json!({"field": "kind", "eq": "fact", "is_null": false}), "filter"),
            (json!({"and": [{"field": "colour", "eq": "red"}]}), "filter.and[0].field"),
            (json!({"field": "metadata.", "eq": "red"}), "filter.field"),
            (json!({"not": {"field": "kind", "eq": "fictoin"}}), "filter.not.eq"),
            (json!({"field": "role", "in": ["user", "robot"]}), "filter.in[1]"),
            (json!({"field": "tags", "eq": 7}), "filter.eq"),
            (json!({"field": "importance", "eq": "high"}), "filter.eq"),
            (json!({"field": "metadata.x", "eq": null, "is_null": true}), ""),
            (json!({"field": "metadata.x", "eq": [1]}), "filter.eq"),
            (json!({"field": "expires_at", "range": {"lt": "soon"}}), "filter.range.lt"),
            (json!({"field": "expires_at", "range": {}}), "filter.range"),
            (json!({"field": "version", "contains": "1"}), "filter"),
            (json!({"field": "key", "in": vec!["x"; 1_001]}), "filter.in"),
            (json!({"or": vec![json!({"field": "key", "eq": "x"}); 257]}), "filter"),
        ];
        for (tree, path) in cases {
            let shown = tree.to_string();
            match read(tree) {
                Err(Error::Invalid { field, .. } | Error::OverLimit { field, .. }) => {
                    assert_eq!(field, path, "{shown:.80}");
                }
                // A null is the same as nothing at all.
                other => assert!(path.is_empty() && other.is_ok(), "{shown:.80}: {other:?}"),
            }
        }
        let Err(Error::Invalid { field, detail }) = read(deep) else { panic!("too deep a tree was read") };
        assert!(field.starts_with("filter.not.not") && detail.contains("deep"), "{field}: {detail}");
    }
}
