//! Evaluation of a filter to a bitmap of ordinals. Each test runs down one column; AND, OR and NOT combine bitmaps word
//! by word. The result covers dead ordinals too: the caller masks them out.

use super::bitmap::Bitmap;
use super::columns::{Columns, Datum, NEVER};
use super::interner::SymbolSet;
use crate::domain::filter::{Field, FieldType, Filter, Scalar, Test, has_part, lower_case};
use crate::domain::number::Number;
use crate::domain::time::Timestamp;

/// The ordinals that `filter` selects.
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
            let holds = |number: Number| test.holds_for_number(number);
            Bitmap::of(columns.len(), |ordinal| Number::from_f64(column[ordinal]).is_some_and(holds))
        }
        Field::Version => {
            let column = columns.version_column();
            Bitmap::of(columns.len(), |ordinal| test.holds_for_number(Number::from(column[ordinal])))
        }
        Field::Tags | Field::Subjects | Field::Audience => set(field, test, columns),
        _ if field.value_type() == FieldType::Time => match columns.time_column(field) {
            Some(column) => Bitmap::of(columns.len(), |ordinal| {
                column[ordinal] != NEVER && test.holds_for_time(Timestamp::from_micros(column[ordinal]))
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

/// A test of tags, subjects or audience: true where it holds for one member.
fn set(field: &Field, test: &Test, columns: &Columns) -> Bitmap {
    let mut matching = Bitmap::none(columns.len());
    let Some(members) = columns.set_column(field) else { return matching };
    let wanted = matching_symbols(test, columns, true);
    for (symbol, ordinals) in members {
        if wanted.contains(*symbol) {
            ordinals.iter().for_each(|ordinal| matching.set(*ordinal as usize));
        }
    }
    matching
}

fn metadata(column: &[(u32, Datum)], test: &Test, columns: &Columns) -> Bitmap {
    let mut matching = Bitmap::none(columns.len());
    let wanted = matching_symbols(test, columns, false);
    for (ordinal, datum) in column {
        let holds = match datum {
            Datum::Text(symbol) => wanted.contains(*symbol),
            Datum::Number(number) => test.holds_for_number(*number),
            Datum::Bool(bool) => test.holds_for_bool(*bool),
        };
        if holds {
            matching.set(*ordinal as usize);
        }
    }
    matching
}

/// The texts for which a test holds. Each distinct text is tested once.
fn matching_symbols(test: &Test, columns: &Columns, is_set: bool) -> SymbolSet {
    let interner = columns.interner();
    let is = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => interner.find(text),
        _ => None,
    };
    match test {
        Test::Eq(value) => interner.set_of(is(value)),
        Test::In(members) => interner.set_of(members.texts().iter().filter_map(|text| interner.find(text))),
        Test::Contains(part) if is_set => interner.set_of(interner.find(part)),
        Test::Contains(part) => {
            let part = part.to_lowercase();
            interner.matching(|text| has_part(&lower_case(text), &part))
        }
        Test::Range(_) | Test::IsNull(_) => interner.matching(|text| test.holds_for_text(text)),
    }
}
