//! Durations of writing and reading segments, and of putting the same memories one by one. Run by hand:
//! `cargo test --release -p memory-core --all-features --lib -- --ignored --nocapture segment::tests::measure`, with
//! `ENGRAIN_SEGMENT_SIZES` (such as `10000,100000,1000000`).

use std::time::Instant;

use half::f16;

use super::*;
use crate::domain::change::{IndexRow, KeyKind};
use crate::text::{Language, TermVector};

const COMPONENTS: usize = 384;
const VECTORS: usize = 512;

/// A memory with the terms of a real one: 30 to 60 a row, a fifth of the memories with a second row, and words by Zipf's
/// law, so that the vocabulary grows with the partition.
fn memory(rng: &mut Rng, number: u128, vectors: &[Arc<[f16]>]) -> Indexed {
    let mut one = corpus::memory(rng, number);
    let rows = 1 + u32::from(rng.chance(20));
    let row = |chunk: u32, rng: &mut Rng| {
        let hash = |rng: &mut Rng| {
            let uniform = (rng.bits() >> 11) as f64 / (1_u64 << 53) as f64;
            // Rank by an exponent of 1 over a million words.
            let rank = (1_000_000_f64.powf(uniform)) as u32;
            rank.wrapping_mul(0x9E37_79B1)
        };
        let hashes = (0..30 + rng.below(31)).map(|_| hash(rng)).collect();
        let mut terms = Vec::new();
        TermVector::from_hashes(hashes, Language::English).encode(&mut terms);
        let vector = Some(rng.pick(vectors).clone());
        IndexRow { key: KeyKind::Text, chunk, span: (0, 200), terms: terms.into(), vector }
    };
    one.rows = (0..rows).map(|chunk| row(chunk, rng)).collect();
    one
}

#[test]
#[ignore = "a measurement, by hand in release"]
fn segments_by_size() {
    let sizes = std::env::var("ENGRAIN_SEGMENT_SIZES").unwrap_or_else(|_| "1000,10000,100000".to_owned());
    for size in sizes.split(',').map(|size| size.parse::<u128>().unwrap()) {
        let mut rng = Rng::new(1);
        let vectors: Vec<Arc<[f16]>> = (0..VECTORS)
            .map(|_| {
                let vector: Vec<f32> =
                    (0..COMPONENTS).map(|_| (rng.bits() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0).collect();
                gpu_retrieval::unit_fp16(&vector).unwrap().into()
            })
            .collect();
        let mut partition = Partition::new(COMPONENTS, curve()).unwrap();
        let mut putting = std::time::Duration::ZERO;
        for number in 0..size {
            let one = memory(&mut rng, number, &vectors);
            let begun = Instant::now();
            partition.put(&one).unwrap();
            putting += begun.elapsed();
        }
        let dir = TempDir::new().unwrap();
        let files = SegmentFiles::open(dir.path(), identity("measured")).unwrap();
        let begun = Instant::now();
        files.write(ID, &partition).unwrap();
        let writing = begun.elapsed();
        let held = partition.bytes();
        drop(partition);
        let mut reads: Vec<_> = (0..5)
            .map(|_| {
                let begun = Instant::now();
                let read = files.read(ID, curve()).unwrap();
                let reading = begun.elapsed();
                drop(read);
                reading
            })
            .collect();
        reads.sort_unstable();
        let bytes = files.bytes();
        println!(
            "{size} memories: put {putting:.1?}, in memory {} MB, file {} MB, write {writing:.1?}, read {:.1?} to {:.1?}",
            held >> 20,
            bytes >> 20,
            reads[0],
            reads[4]
        );
    }
}
