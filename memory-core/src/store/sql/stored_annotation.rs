//! Stored form of the annotation of a note: a JSON object in the row of its version.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::annotation::Annotation;
use crate::domain::name::Name;

#[derive(Serialize, Deserialize)]
struct StoredAnnotation {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

/// Stored form of an annotation: a JSON object, or NULL for none.
pub(super) fn annotation_json(annotation: Option<&Annotation>) -> Option<String> {
    let Annotation { keywords, context } = annotation?;
    let keywords = keywords.iter().map(|name| name.as_str().to_owned()).collect();
    serde_json::to_string(&StoredAnnotation { keywords, context: context.clone() }).ok()
}

/// Decodes what [`annotation_json`] wrote. Errors: a description of the damage, without the value.
pub(super) fn annotation_from_json(json: &str) -> Result<Annotation, &'static str> {
    // A derived struct would be read from an array as well.
    let object: Map<String, Value> = serde_json::from_str(json).map_err(|_| "is no annotation")?;
    let stored = StoredAnnotation::deserialize(Value::Object(object)).map_err(|_| "is no annotation")?;
    let name = |text: &String| Name::stored(text).map_err(|_| "has a text that is no name");
    let keywords = stored.keywords.iter().map(name).collect::<Result<_, _>>()?;
    Ok(Annotation { keywords, context: stored.context })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn annotations_return_as_they_were(
            keywords in proptest::collection::vec("[^\\pC]{1,20}", 0..4),
            context in proptest::option::of("\\PC{0,40}"),
        ) {
            let keywords = keywords.iter().filter_map(|text| Name::new(text).ok()).collect();
            let annotation = Annotation { keywords, context };
            let json = annotation_json(Some(&annotation)).unwrap();
            prop_assert_eq!(annotation_from_json(&json), Ok(annotation));
        }

        #[test]
        fn damaged_annotations_are_told_apart(json in "\\PC{0,60}") {
            let _ = annotation_from_json(&json);
        }
    }

    #[test]
    fn what_is_no_annotation_is_refused() {
        assert_eq!(annotation_json(None), None);
        for bad in ["", "[]", "1", r#"{"keywords":[" "]}"#, r#"{"keywords":"a"}"#, r#"{"context":1}"#] {
            assert!(annotation_from_json(bad).is_err(), "{bad}");
        }
    }
}
