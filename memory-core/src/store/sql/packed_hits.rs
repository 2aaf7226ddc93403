//! Binary encoding of the hits of a recall in one column of the access log.

use uuid::Uuid;

use crate::domain::id::MemoryId;

/// Size of a hit in a packed row: 16 bytes of id, 4 of score.
const HIT_BYTES: usize = 20;

/// Encodes the hits in their order.
pub(super) fn pack_hits(hits: &[(MemoryId, f32)]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(hits.len() * HIT_BYTES);
    for (memory, score) in hits {
        packed.extend_from_slice(memory.0.as_bytes());
        packed.extend_from_slice(&score.to_le_bytes());
    }
    packed
}

/// True for bytes of whole hits.
pub(super) fn is_packed(packed: &[u8]) -> bool {
    packed.len().is_multiple_of(HIT_BYTES)
}

/// Decodes the hits that [`pack_hits`] encoded.
pub(super) fn unpack_hits(packed: &[u8]) -> Vec<(MemoryId, f32)> {
    packed
        .chunks_exact(HIT_BYTES)
        .filter_map(|hit| {
            let (id, score) = hit.split_at(16);
            Some((MemoryId(Uuid::from_slice(id).ok()?), f32::from_le_bytes(score.try_into().ok()?)))
        })
        .collect()
}
