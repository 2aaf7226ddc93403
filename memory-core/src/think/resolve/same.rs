//! Equality of claims outside single-valued slots: in words, in structure, and up to wording.

use super::ledger::Claim;
use super::near::{has_same_quantities, is_compatible};

/// True if two claims without a single-valued slot say the same in the same words, or relate the same two things.
pub(super) fn is_same_statement(one: &Claim, other: &Claim) -> bool {
    let is_text = one.text_key == other.text_key;
    let is_relation = match (&one.attribute, &other.attribute) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.relation.is_some() && one.relation == other.relation,
        _ => false,
    };
    let is_triple = is_relation && one.value.is_some() && one.value == other.value;
    is_comparable(one, other) && (is_text || (is_triple && has_same_quantities(&one.text, &other.text)))
}

/// True if nothing but the wording differs.
pub(super) fn agrees(one: &Claim, other: &Claim) -> bool {
    let is_open = |same: bool, is_missing: bool| same || is_missing;
    let attribute =
        is_open(one.attribute == other.attribute, one.attribute.is_none() || other.attribute.is_none());
    let value = is_open(one.value == other.value, one.value.is_none() || other.value.is_none());
    is_comparable(one, other) && attribute && value && is_compatible(&one.text, &other.text)
}

/// True for claims about one subject outside single-valued slots that do not name different days.
fn is_comparable(one: &Claim, other: &Claim) -> bool {
    let is_plain = |claim: &Claim| !claim.is_end && !claim.is_single;
    let is_other_day = matches!((one.dated, other.dated), (Some(one), Some(other)) if one != other);
    is_plain(one) && is_plain(other) && one.subject == other.subject && !is_other_day
}
