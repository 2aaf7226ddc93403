//! Digests in recall, pure. They are a coarser granularity of the turns that they cover, and are recalled only where the setting
//! or the filter asks for them: a digest beside its turns says everything twice.

use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::memory::Kind;

/// The filter, without digests unless it tests the kind or the namespace.
pub(super) fn without_digests(filter: Filter) -> Filter {
    if chooses(&filter) {
        return filter;
    }
    let is_digest = Test::Eq(Scalar::Text(Kind::Digest.as_str().to_owned()));
    let no_digest = Filter::Not(Box::new(Filter::Field(Field::Kind, is_digest)));
    if filter.is_everything() { no_digest } else { Filter::And(vec![filter, no_digest]) }
}

/// True if a filter tests the kind or the namespace somewhere.
fn chooses(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(chooses),
        Filter::Not(part) => chooses(part),
        Filter::Field(field, _) => matches!(field, Field::Kind | Field::Namespace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_chooses_kinds_stays_as_it_is() {
        let notes = Filter::Field(Field::Kind, Test::Eq(Scalar::Text("note".to_owned())));
        let nested = Filter::Or(vec![Filter::everything(), Filter::Not(Box::new(notes.clone()))]);
        for filter in [notes, nested] {
            assert_eq!(without_digests(filter.clone()), filter);
        }
        let tagged = Filter::Field(Field::Tags, Test::Contains("home".to_owned()));
        for filter in [tagged, Filter::everything()] {
            let without = without_digests(filter.clone());
            assert!(chooses(&without) && without != filter);
        }
    }
}
