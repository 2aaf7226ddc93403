//! A filter over the columns, as a bitmap of ordinals. Each test runs down one column; AND, OR and NOT work on words of
//! bits. The result holds for dead ordinals too: the caller takes those out.

use super::bitmap::Bitmap;
use super::columns::{Columns, Datum, NEVER};
use super::interner::SymbolSet;
use crate::domain::filter::{Field, FieldType, Filter, Range, Scalar, Test};
use crate::domain::number::Number;

/// The ordinals for which `filter` holds.
pub(super) fn evaluate(filter: &Filter, columns: &Columns) -> Bitmap {
    match filter {
        Filter::And(parts) => {
            let mut all = Bitmap::all(columns.len());
            parts.iter().for_each(|part| all.and(&evaluate(part, columns)));
            all
        }
        Filter::Or(parts) => {
            let mut any = Bitmap::none(columns.len());
            parts.iter().for_each(|part| any.or(&evaluate(part, columns)));
            any
        }
        Filter::Not(part) => {
            let mut not = evaluate(part, columns);
            not.negate();
            not
        }
        Filter::Field(field, test) => evaluate_test(field, test, columns),
    }
}

fn evaluate_test(field: &Field, test: &Test, columns: &Columns) -> Bitmap {
    if let Test::IsNull(true) = test {
        let mut absent = evaluate_test(field, &Test::IsNull(false), columns);
        absent.negate();
        return absent;
    }
    match field {
        Field::Metadata(path) => metadata(columns.metadata_column(path), test, columns),
        Field::Importance => {
            let column = columns.importance_column();
            let holds = |number: Number| holds_for_number(test, number);
            Bitmap::of(columns.len(), |ordinal| Number::from_f64(column[ordinal]).is_some_and(holds))
        }
        Field::Version => {
            let column = columns.version_column();
            Bitmap::of(columns.len(), |ordinal| holds_for_number(test, Number::from(column[ordinal])))
        }
        Field::Tags | Field::Subjects => set(field, test, columns),
        _ if field.value_type() == FieldType::Time => match columns.time_column(field) {
            Some(column) => Bitmap::of(columns.len(), |ordinal| {
                column[ordinal] != NEVER && holds_for_time(test, column[ordinal])
            }),
            None => Bitmap::none(columns.len()),
        },
        _ => match columns.text_column(field) {
            Some(column) => {
                let wanted = matching_symbols(test, columns, false);
                Bitmap::of(columns.len(), |ordinal| wanted.contains(column[ordinal]))
            }
            None => Bitmap::none(columns.len()),
        },
    }
}

/// Tags and subjects: true where one member passes.
fn set(field: &Field, test: &Test, columns: &Columns) -> Bitmap {
    let mut found = Bitmap::none(columns.len());
    let Some(members) = columns.set_column(field) else { return found };
    let wanted = matching_symbols(test, columns, true);
    for (symbol, ordinals) in members {
        if wanted.contains(*symbol) {
            ordinals.iter().for_each(|ordinal| found.set(*ordinal as usize));
        }
    }
    found
}

fn metadata(column: &[(u32, Datum)], test: &Test, columns: &Columns) -> Bitmap {
    let mut found = Bitmap::none(columns.len());
    let wanted = matching_symbols(test, columns, false);
    for (ordinal, datum) in column {
        let holds = match datum {
            Datum::Text(symbol) => wanted.contains(*symbol),
            Datum::Number(number) => holds_for_number(test, *number),
            Datum::Bool(bool) => holds_for_bool(test, *bool),
        };
        if holds {
            found.set(*ordinal as usize);
        }
    }
    found
}

/// The texts that pass, looked at once each however often they occur.
fn matching_symbols(test: &Test, columns: &Columns, is_set: bool) -> SymbolSet {
    let interner = columns.interner();
    let is = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => interner.find(text),
        _ => None,
    };
    match test {
        Test::Eq(value) => interner.set_of(is(value)),
        Test::In(values) => interner.set_of(values.iter().filter_map(is)),
        Test::Contains(part) if is_set => interner.set_of(interner.find(part)),
        Test::Contains(part) => {
            let part = part.to_lowercase();
            interner.matching(|text| text.to_lowercase().contains(&part))
        }
        Test::Range(range) => interner.matching(|text| in_range(range, |bound| text_order(bound, text))),
        Test::IsNull(is_null) => interner.matching(|_| !is_null),
    }
}

fn holds_for_number(test: &Test, number: Number) -> bool {
    let is = |scalar: &Scalar| matches!(scalar, Scalar::Number(wanted) if *wanted == number);
    match test {
        Test::Eq(value) => is(value),
        Test::In(values) => values.iter().any(is),
        Test::Range(range) => in_range(range, |bound| match bound {
            Scalar::Number(bound) => Some(number.cmp(bound)),
            _ => None,
        }),
        Test::Contains(_) => false,
        Test::IsNull(is_null) => !is_null,
    }
}

fn holds_for_bool(test: &Test, bool: bool) -> bool {
    let is = |scalar: &Scalar| matches!(scalar, Scalar::Bool(wanted) if *wanted == bool);
    match test {
        Test::Eq(value) => is(value),
        Test::In(values) => values.iter().any(is),
        Test::Range(_) | Test::Contains(_) => false,
        Test::IsNull(is_null) => !is_null,
    }
}

fn holds_for_time(test: &Test, micros: i64) -> bool {
    let is = |scalar: &Scalar| matches!(scalar, Scalar::Time(wanted) if wanted.as_micros() == micros);
    match test {
        Test::Eq(value) => is(value),
        Test::In(values) => values.iter().any(is),
        Test::Range(range) => in_range(range, |bound| match bound {
            Scalar::Time(bound) => Some(micros.cmp(&bound.as_micros())),
            _ => None,
        }),
        Test::Contains(_) => false,
        Test::IsNull(is_null) => !is_null,
    }
}

fn text_order(bound: &Scalar, text: &str) -> Option<std::cmp::Ordering> {
    match bound {
        Scalar::Text(bound) => Some(text.cmp(bound)),
        _ => None,
    }
}

/// Whether a value lies within all bounds that are set. `compare` gives the value's order relative to a bound, and
/// none for a bound of another type, which nothing satisfies.
fn in_range(range: &Range, compare: impl Fn(&Scalar) -> Option<std::cmp::Ordering>) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let within = |bound: &Option<Scalar>, allowed: &[std::cmp::Ordering]| match bound {
        None => true,
        Some(bound) => compare(bound).is_some_and(|order| allowed.contains(&order)),
    };
    within(&range.gte, &[Greater, Equal])
        && within(&range.gt, &[Greater])
        && within(&range.lte, &[Less, Equal])
        && within(&range.lt, &[Less])
}
