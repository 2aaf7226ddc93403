//! Stored form of the structured content of a fact: a JSON object in the row of its version.

use serde::{Deserialize, Serialize};

use crate::domain::name::Name;
use crate::domain::statement::{Attribute, Statement};
use crate::domain::turn::Role;

#[derive(Serialize, Deserialize)]
struct StoredStatement {
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    confidence: f64,
    said_by: String,
}

/// Stored form of a statement: a JSON object, or NULL for none. A confidence outside 0 to 1 is stored as the nearest
/// bound, and one that is no number as 0.
pub(super) fn statement_json(statement: Option<&Statement>) -> Option<String> {
    let statement = statement?;
    let owned = |name: &Name| name.as_str().to_owned();
    let confidence = statement.confidence;
    let stored = StoredStatement {
        subject: owned(&statement.subject),
        relation: statement.relation.as_ref().map(owned),
        object: statement.object.as_ref().map(owned),
        attribute: statement.attribute.as_ref().map(|attribute| attribute.as_str().to_owned()),
        confidence: if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, 1.0) },
        said_by: statement.said_by.as_str().to_owned(),
    };
    serde_json::to_string(&stored).ok()
}

/// Decodes what [`statement_json`] wrote. Errors: a description of the damage, without the value.
pub(super) fn statement_from_json(json: &str) -> Result<Statement, &'static str> {
    let stored: StoredStatement = serde_json::from_str(json).map_err(|_| "is no statement")?;
    let name = |text: String| Name::stored(&text).map_err(|_| "has a text that is no name");
    let attribute = stored.attribute.map(|text| Attribute::new(&text).ok_or("has no valid attribute"));
    if !(0.0..=1.0).contains(&stored.confidence) {
        return Err("has a confidence that is out of range");
    }
    Ok(Statement {
        subject: name(stored.subject)?,
        relation: stored.relation.map(name).transpose()?,
        object: stored.object.map(name).transpose()?,
        attribute: attribute.transpose()?,
        confidence: stored.confidence,
        said_by: Role::parse(&stored.said_by).ok_or("has an unknown role")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn statements_return_to_the_last_bit(
            subject in "[^\\pC]{1,20}",
            relation in proptest::option::of("[^\\pC]{1,20}"),
            object in proptest::option::of("[^\\pC]{1,20}"),
            attribute in proptest::option::of("[a-z][a-z0-9_]{0,9}"),
            confidence in 0.0..=1.0f64,
            said_by in proptest::sample::select(&Role::ALL[..]),
        ) {
            let name = |text: String| Name::new(&text).ok();
            let Some(subject) = name(subject) else { return Ok(()) };
            let statement = Statement {
                subject,
                relation: relation.and_then(name),
                object: object.and_then(name),
                attribute: attribute.and_then(|text| Attribute::new(&text)),
                confidence,
                said_by,
            };
            let json = statement_json(Some(&statement)).unwrap();
            prop_assert_eq!(statement_from_json(&json), Ok(statement));
        }

        #[test]
        fn damaged_statements_are_told_apart(json in "\\PC{0,60}") {
            let _ = statement_from_json(&json);
        }
    }

    #[test]
    fn a_confidence_out_of_range_is_stored_as_the_nearest_bound() {
        let mut statement =
            statement_from_json(r#"{"subject":"user","confidence":0.5,"said_by":"user"}"#).unwrap();
        for (given, kept) in [(f64::NAN, 0.0_f64), (f64::INFINITY, 1.0), (-3.0, 0.0), (1.0, 1.0)] {
            statement.confidence = given;
            let json = statement_json(Some(&statement)).unwrap();
            assert_eq!(statement_from_json(&json).unwrap().confidence.to_bits(), kept.to_bits());
        }
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"subject":"user","confidence":2,"said_by":"user"}"#,
            r#"{"subject":"user","confidence":1,"said_by":"nobody"}"#,
            r#"{"subject":"user","attribute":"A b","confidence":1,"said_by":"user"}"#,
            r#"{"subject":" ","confidence":1,"said_by":"user"}"#,
        ] {
            assert!(statement_from_json(bad).is_err(), "{bad}");
        }
    }
}
