//! Stored form of the links of a version: a JSON array in its row.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::name::Name;

/// Stored form of a link. The weight is a double, so that it is restored exactly.
#[derive(Serialize, Deserialize)]
struct StoredLink<'a> {
    to: Uuid,
    #[serde(borrow)]
    relation: std::borrow::Cow<'a, str>,
    weight: f64,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    reason: Option<std::borrow::Cow<'a, str>>,
}

/// Stored form of a list of links: a JSON array, or NULL if it is empty.
pub(super) fn links_json(links: &[Link]) -> Option<String> {
    if links.is_empty() {
        return None;
    }
    let stored = links.iter().map(|link| StoredLink {
        to: link.to.0,
        relation: link.relation.as_str().into(),
        weight: f64::from(link.weight),
        reason: link.reason.as_deref().map(Into::into),
    });
    serde_json::to_string(&stored.collect::<Vec<_>>()).ok()
}

/// Decodes the links that [`links_json`] wrote. Errors: a description of the damage, if the text is anything else.
#[expect(clippy::cast_possible_truncation, reason = "was an f32 when it was written")]
pub(super) fn links_from_json(json: &str) -> Result<Vec<Link>, String> {
    let stored: Vec<StoredLink<'_>> =
        serde_json::from_str(json).map_err(|_| "is no list of links".to_owned())?;
    let link = |stored: StoredLink<'_>| {
        let relation = Name::stored(&stored.relation).map_err(|error| error.to_string())?;
        let reason = stored.reason.map(std::borrow::Cow::into_owned);
        Ok(Link { to: MemoryId(stored.to), relation, weight: stored.weight as f32, reason })
    };
    stored.into_iter().map(link).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn links_return_to_the_last_bit(
            given in proptest::collection::vec((any::<u128>(), "[^\\pC]{1,20}", 0.0..=1.0f32, any::<Option<String>>()), 0..5)
        ) {
            let links: Vec<Link> = given
                .into_iter()
                .filter_map(|(to, relation, weight, reason)| {
                    let relation = Name::new(&relation).ok()?;
                    Some(Link { to: MemoryId(Uuid::from_u128(to)), relation, weight, reason })
                })
                .collect();
            let back = links_json(&links).map_or_else(|| Ok(Vec::new()), |json| links_from_json(&json));
            prop_assert_eq!(back, Ok(links));
        }
    }
}
