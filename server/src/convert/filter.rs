//! Conversion of filters from loosely typed JSON objects to the typed tree of the domain.

use engrain::wire;
use memory_core::domain::filter::{Field, FieldType, Filter, Range, Scalar, Test};
use memory_core::domain::memory::Kind;
use memory_core::domain::name::normalized;
use memory_core::domain::number::Number;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::Zone;
use memory_core::error::Error;
use serde_json::Value;

use super::fields;

/// Filter tree at `path`, with bare dates read in `zone`; without a filter, the one that passes every memory.
pub(crate) fn filter(filter: Option<&wire::Filter>, zone: &Zone, path: &str) -> Result<Filter, Error> {
    let Some(filter) = filter else {
        return Ok(Filter::everything());
    };
    let mut room = Room { nodes: Filter::MAX_NODES, values: Filter::MAX_TOTAL_VALUES, zone };
    level(filter, path, Filter::MAX_DEPTH, &mut room)
}

/// Conditions and values that a tree may still have, and the zone of its dates.
struct Room<'a> {
    nodes: usize,
    values: usize,
    zone: &'a Zone,
}

fn take(room: &mut usize, count: usize, path: &str, what: &'static str, limit: usize) -> Result<(), Error> {
    let over = || Error::OverLimit { field: path.to_owned(), what, limit: limit as u64 };
    *room = room.checked_sub(count).ok_or_else(over)?;
    Ok(())
}

/// Conversion of one level of the tree. Depth and size are bounded here too, because this recursion runs before the
/// engine's check.
fn level(filter: &wire::Filter, path: &str, levels: usize, room: &mut Room<'_>) -> Result<Filter, Error> {
    if levels == 0 {
        return Err(Error::invalid(
            path,
            format!("must not be nested more than {} levels deep", Filter::MAX_DEPTH),
        ));
    }
    take(&mut room.nodes, 1, path, "the number of conditions of a filter", Filter::MAX_NODES)?;
    let mut all = |parts: &[wire::Filter], name: &str| -> Result<Vec<Filter>, Error> {
        let parts = parts.iter().enumerate();
        parts.map(|(index, part)| level(part, &format!("{path}.{name}[{index}]"), levels - 1, room)).collect()
    };
    match filter {
        wire::Filter { field: Some(_), and: None, or: None, not: None, .. } => field(filter, path, room),
        _ if has_test(filter) || filter.field.is_some() => {
            Err(Error::invalid(path, "a test needs `field`, and excludes and, or, not"))
        }
        wire::Filter { and: Some(parts), or: None, not: None, .. } => Ok(Filter::And(all(parts, "and")?)),
        wire::Filter { and: None, or: Some(parts), not: None, .. } => Ok(Filter::Or(all(parts, "or")?)),
        wire::Filter { and: None, or: None, not: Some(part), .. } => {
            Ok(Filter::Not(Box::new(level(part, &format!("{path}.not"), levels - 1, room)?)))
        }
        _ => Err(Error::invalid(path, "must be exactly one of and, or, not, or a field with a test")),
    }
}

fn has_test(filter: &wire::Filter) -> bool {
    let wire::Filter { eq, one_of, range, contains, is_null, .. } = filter;
    eq.is_some() || one_of.is_some() || range.is_some() || contains.is_some() || is_null.is_some()
}

fn field(filter: &wire::Filter, path: &str, room: &mut Room<'_>) -> Result<Filter, Error> {
    let name = filter.field.as_deref().unwrap_or_default();
    let field = Field::parse(name).ok_or_else(|| Error::invalid(format!("{path}.field"), known_fields()))?;
    let zone = room.zone;
    let path_of = |test: &str| format!("{path}.{test}");
    let wire::Filter { eq, one_of, range, contains, is_null, .. } = filter;
    let test = match (eq, one_of, range, contains, is_null) {
        (Some(value), None, None, None, None) => Test::Eq(member(&field, value, zone, &path_of("eq"))?),
        (None, Some(values), None, None, None) => {
            if values.len() > Filter::MAX_VALUES {
                let (what, limit) = ("the number of values of `in`", Filter::MAX_VALUES as u64);
                return Err(Error::OverLimit { field: path_of("in"), what, limit });
            }
            let what = "the number of values in all `in` of a filter";
            take(&mut room.values, values.len(), &path_of("in"), what, Filter::MAX_TOTAL_VALUES)?;
            let values = values.iter().enumerate();
            let scalars =
                values.map(|(index, value)| member(&field, value, zone, &format!("{path}.in[{index}]")));
            Test::In(scalars.collect::<Result<_, _>>()?)
        }
        (None, None, Some(bounds), None, None) => {
            Test::Range(range_of(&field, bounds, zone, &path_of("range"))?)
        }
        (None, None, None, Some(text), None) if field.value_type() == FieldType::Text => {
            Test::Contains(normalized(text).into_owned())
        }
        (None, None, None, Some(text), None) => Test::Contains(text.clone()),
        (None, None, None, None, Some(is_null)) => Test::IsNull(*is_null),
        _ => {
            let detail = "a field needs exactly one of eq, in, range, contains, is_null";
            return Err(Error::invalid(path, detail));
        }
    };
    Ok(Filter::Field(field, test))
}

fn known_fields() -> String {
    let names: Vec<String> = Field::FIXED.iter().map(Field::name).collect();
    format!("must be one of {}, or metadata.PATH", names.join(", "))
}

fn range_of(field: &Field, bounds: &wire::FilterRange, zone: &Zone, path: &str) -> Result<Range, Error> {
    let bound = |value: &Option<Value>, name: &str| {
        value.as_ref().map(|value| scalar(field, value, zone, &format!("{path}.{name}"))).transpose()
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

/// Operand of an equality test. Kinds and roles are closed sets: a misspelt one would silently match nothing.
fn member(field: &Field, value: &Value, zone: &Zone, path: &str) -> Result<Scalar, Error> {
    let scalar = scalar(field, value, zone, path)?;
    let one_of = match (field, &scalar) {
        (Field::Kind, Scalar::Text(text)) if Kind::parse(text).is_none() => {
            Kind::ALL.map(Kind::as_str).to_vec()
        }
        (Field::Role, Scalar::Text(text)) if Role::parse(text).is_none() => {
            Role::ALL.map(Role::as_str).to_vec()
        }
        _ => return Ok(scalar),
    };
    Err(Error::invalid(path, format!("must be one of {}", one_of.join(", "))))
}

/// Operand of the field's type.
fn scalar(field: &Field, value: &Value, zone: &Zone, path: &str) -> Result<Scalar, Error> {
    let wanted = match (field.value_type(), value) {
        (FieldType::Time, Value::String(text)) => return Ok(Scalar::Time(fields::time(text, zone, path)?)),
        // Names are stored in this form; metadata as it was given.
        (FieldType::Text, Value::String(text)) => return Ok(Scalar::Text(normalized(text).into_owned())),
        (FieldType::Any, Value::String(text)) => return Ok(Scalar::Text(text.clone())),
        (FieldType::Any, Value::Bool(truth)) => return Ok(Scalar::Bool(*truth)),
        (FieldType::Number | FieldType::Any, Value::Number(number)) => {
            let number = Number::from_json(number);
            return number.map(Scalar::Number).ok_or_else(|| Error::invalid(path, "must be a finite number"));
        }
        (FieldType::Time, _) => "a time such as 2023-05-20T02:21:00Z",
        (FieldType::Text, _) => "a string",
        (FieldType::Number, _) => "a number",
        (FieldType::Any, _) => "a string, a number, true or false; use is_null to test for absence",
    };
    Err(Error::invalid(path, format!("must be {wanted}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tree: Value) -> Result<Filter, Error> {
        let tree: wire::Filter = serde_json::from_value(tree).expect("of the wire's shape");
        filter(Some(&tree), &Zone::UTC, "filter")
    }

    #[test]
    fn every_kind_of_test_is_converted() {
        let tree = read(json!({"and": [
            {"field": "kind", "in": ["fact", "note"]},
            {"or": [{"field": "tags", "contains": "travel"}, {"field": "metadata.n", "eq": 3}]},
            {"not": {"field": "happened_at", "range": {"gte": "2023-05-20"}}},
            {"field": "author", "is_null": true},
        ]}))
        .expect("a filter");
        let text = |text: &str| Scalar::Text(text.to_owned());
        let since = Range {
            gte: Some(Scalar::Time(fields::time("2023-05-20", &Zone::UTC, "").expect("a date"))),
            ..Range::default()
        };
        let expected = Filter::And(vec![
            Filter::Field(Field::Kind, Test::In([text("fact"), text("note")].into())),
            Filter::Or(vec![
                Filter::Field(Field::Tags, Test::Contains("travel".to_owned())),
                Filter::Field(Field::Metadata("n".to_owned()), Test::Eq(Scalar::Number(Number::from(3_u64)))),
            ]),
            Filter::Not(Box::new(Filter::Field(Field::HappenedAt, Test::Range(since)))),
            Filter::Field(Field::Author, Test::IsNull(true)),
        ]);
        assert_eq!(tree, expected);
        assert!(filter(None, &Zone::UTC, "filter").expect("everything").is_everything());
    }

    #[test]
    fn an_error_names_the_path_of_the_invalid_part() {
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
            (json!({"field": "key", "in": vec!["x"; 1_001]}), "filter.in"),
            (json!({"and": vec![json!({"and": []}); 1_024]}), "filter.and[1023]"),
            (json!({"or": vec![json!({"field": "key", "in": vec!["x"; 1_000]}); 66]}), "filter.or[65].in"),
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
