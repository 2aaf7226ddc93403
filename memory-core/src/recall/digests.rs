//! Digests in recall, pure. They are a coarser granularity of the turns that they cover, and are recalled only where the setting
//! or the filter asks for them: a digest beside its turns says everything twice.

use crate::domain::filter::{Field, Filter};

/// True if a filter tests the kind or the namespace somewhere, and so says itself whether it wants digests.
pub(in crate::recall) fn chooses(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(chooses),
        Filter::Not(part) => chooses(part),
        Filter::Field(field, _) => matches!(field, Field::Kind | Field::Namespace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::{Scalar, Test};

    #[test]
    fn a_filter_by_kind_or_namespace_chooses_at_any_depth_and_others_do_not() {
        let text = |text: &str| Test::Eq(Scalar::Text(text.to_owned()));
        let notes = Filter::Field(Field::Kind, text("note"));
        let named = Filter::Field(Field::Namespace, text("digests/events"));
        let tagged = Filter::Field(Field::Tags, Test::Contains("home".to_owned()));
        let nested = Filter::Or(vec![tagged.clone(), Filter::Not(Box::new(notes.clone()))]);
        for filter in [notes, named, nested] {
            assert!(chooses(&filter));
        }
        for filter in [tagged, Filter::everything()] {
            assert!(!chooses(&filter));
        }
    }
}
