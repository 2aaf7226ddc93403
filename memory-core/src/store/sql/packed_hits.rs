//! Binary encoding of the hits of a recall in one column of the access log.
//!
//! Encoding 1: the byte 1, then 21 bytes for each hit (16 of id, 4 of score as a little-endian f32, the code of the outcome), then
//! zeros up to a length that is 1 more than a multiple of 20. Encoding 0, of earlier programs, is 20 bytes for each hit without an
//! outcome, and nothing else: its length is a multiple of 20, which tells the two apart.

use uuid::Uuid;

use crate::domain::id::MemoryId;
use crate::domain::uses::UseKind;
use crate::store::RecallHit;

/// First byte of the encoding in use.
const ENCODING: u8 = 1;
/// Size of a hit in encoding 0.
const BARE_BYTES: usize = 20;
/// Size of a hit in encoding 1.
const HIT_BYTES: usize = BARE_BYTES + 1;

/// Encodes the hits in their order.
pub(super) fn pack_hits(hits: &[RecallHit]) -> Vec<u8> {
    let mut packed = Vec::with_capacity((hits.len() + 1) * HIT_BYTES);
    packed.push(ENCODING);
    for hit in hits {
        packed.extend_from_slice(hit.memory.0.as_bytes());
        packed.extend_from_slice(&hit.score.to_le_bytes());
        packed.push(hit.outcome.code());
    }
    let body = packed.len() - 1;
    packed.resize(1 + body.next_multiple_of(BARE_BYTES), 0);
    packed
}

/// Decodes the hits that [`pack_hits`] encoded, now or in an earlier program, whose hits count as returned. `None` for any
/// other bytes.
pub(super) fn unpack_hits(packed: &[u8]) -> Option<Vec<RecallHit>> {
    if packed.len().is_multiple_of(BARE_BYTES) {
        return packed.chunks_exact(BARE_BYTES).map(|hit| bare(hit, UseKind::Returned)).collect();
    }
    let (&encoding, body) = packed.split_first()?;
    if encoding != ENCODING || !body.len().is_multiple_of(BARE_BYTES) {
        return None;
    }
    let hits = body.chunks_exact(HIT_BYTES);
    let padding = hits.remainder();
    if padding.len() >= BARE_BYTES || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    hits.map(|hit| {
        let (hit, outcome) = hit.split_at(BARE_BYTES);
        bare(hit, UseKind::from_code(*outcome.first()?)?)
    })
    .collect()
}

fn bare(hit: &[u8], outcome: UseKind) -> Option<RecallHit> {
    let (id, score) = hit.split_at(16);
    let memory = MemoryId(Uuid::from_slice(id).ok()?);
    Some(RecallHit { memory, score: f32::from_le_bytes(score.try_into().ok()?), outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hit(number: u128, score: f32, outcome: UseKind) -> RecallHit {
        RecallHit { memory: MemoryId(Uuid::from_u128(number)), score, outcome }
    }

    #[test]
    fn hits_of_every_number_return_from_their_encoding() {
        for count in 0..=401u16 {
            let hits: Vec<RecallHit> = (0..count)
                .map(|at| hit(u128::from(at), f32::from(at), UseKind::ALL[usize::from(at) % 5]))
                .collect();
            let packed = pack_hits(&hits);
            assert_eq!(packed.len() % BARE_BYTES, 1);
            assert_eq!(unpack_hits(&packed), Some(hits));
        }
    }

    #[test]
    fn hits_of_an_earlier_program_were_returned() {
        let mut earlier = Vec::new();
        for number in 1..=21u128 {
            earlier.extend_from_slice(Uuid::from_u128(number).as_bytes());
            earlier.extend_from_slice(&0.5f32.to_le_bytes());
        }
        let expected: Vec<RecallHit> = (1..=21).map(|number| hit(number, 0.5, UseKind::Returned)).collect();
        assert_eq!(unpack_hits(&earlier), Some(expected));
        assert_eq!(unpack_hits(&[]), Some(Vec::new()));
    }

    #[test]
    fn a_part_of_a_hit_is_refused() {
        let packed = pack_hits(&[hit(1, 0.5, UseKind::Cited)]);
        for damage in 1..packed.len() {
            assert_eq!(unpack_hits(&packed[..damage]).is_some_and(|hits| hits.len() == 1), damage == 20);
        }
        let (mut code, mut padding, mut encoding) = (packed.clone(), packed.clone(), packed);
        code[21] = 9;
        padding[30] = 1;
        encoding[0] = 2;
        assert_eq!([code, padding, encoding].map(|bytes| unpack_hits(&bytes)), [None, None, None]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(hits) = unpack_hits(&bytes) {
                prop_assert!(hits.len() <= bytes.len() / BARE_BYTES);
            }
        }
    }
}
