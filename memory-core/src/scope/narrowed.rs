//! Restriction of a filter to the ids of a scope, pure.

use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::scope::{OwnerKind, Scope};

/// The filter, and a test for each id of the scope that does not own the partition.
pub(crate) fn narrowed(filter: &Filter, scope: &Scope, owner: Option<OwnerKind>) -> Filter {
    let mut all = Vec::new();
    if !filter.is_everything() {
        all.push(filter.clone());
    }
    for (kind, field) in
        [(OwnerKind::Agent, Field::Agent), (OwnerKind::App, Field::App), (OwnerKind::Run, Field::Run)]
    {
        if let Some(id) = scope.id_of(kind).filter(|_| owner != Some(kind)) {
            all.push(Filter::Field(field, Test::Eq(Scalar::Text(id.as_str().to_owned()))));
        }
    }
    Filter::And(all)
}
