//! Stored forms of values of turns, memories and index rows.

use half::f16;

use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::uses::Uses;
use crate::domain::zone::UtcOffset;

/// Stored form of a list of names: a JSON array, or NULL if it is empty.
pub(super) fn names_json(names: &[Name]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let texts: Vec<&str> = names.iter().map(Name::as_str).collect();
    serde_json::to_string(&texts).ok()
}

/// Stored form of the offset of a local time, or NULL if it is not known.
pub(super) fn minutes(offset: Option<UtcOffset>) -> Option<i64> {
    offset.map(|offset| offset.minutes().into())
}

/// Stored form of uses, or NULL if there are none.
pub(super) fn uses_bytes(uses: &Uses) -> Option<Vec<u8>> {
    (uses.count() > 0).then(|| uses.encode())
}

/// Stored form of metadata: a JSON object, or NULL if it is empty.
pub(super) fn metadata_json(metadata: &Metadata) -> Option<String> {
    (!metadata.is_empty()).then(|| metadata.to_json())
}

/// Stored form of a vector: little-endian half-precision floats.
pub(super) fn vector_bytes(vector: &[f16]) -> Vec<u8> {
    vector.iter().flat_map(|element| element.to_le_bytes()).collect()
}

/// Decodes a vector that [`vector_bytes`] wrote.
pub(super) fn vector(bytes: &[u8]) -> Vec<f16> {
    bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]])).collect()
}
