//! Tests of cold memories: what a partition holds of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use crate::domain::change::{IndexRow, KeyKind};
use crate::domain::forgotten::Effect;
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::index::embedded::partition::{Partition, Tier};
use crate::store::{Indexed, Retained};
use crate::testing::fixtures::{forgotten, plain, rows};
use crate::testing::rng::Rng;

/// Components of the vectors of the default embedder.
const COMPONENTS: usize = 384;

fn id(number: u128) -> MemoryId {
    MemoryId(uuid::Uuid::from_u128(number))
}

/// A fact of 24 words of a vocabulary of 5,000, with a random vector.
fn memory(rng: &mut Rng, number: u128) -> Indexed {
    let words: Vec<String> = (0..24).map(|_| format!("w{}", rng.below(5_000))).collect();
    let vector: Vec<f32> = (0..COMPONENTS).map(|_| (rng.below(2_001) as f32) - 1_000.5).collect();
    let vector = gpu_retrieval::unit_fp16(&vector).unwrap().into();
    let row = rows(&words.join(" ")).remove(0);
    let row = IndexRow { key: KeyKind::Text, vector: Some(vector), ..row };
    Indexed { memory: plain(id(number), Kind::Fact, ""), rows: vec![row] }
}

fn partition(tier: Tier, memories: u128, cold_percent: u128) -> Partition {
    let mut rng = Rng::new(1);
    let mut partition = Partition::new(COMPONENTS, Arc::default()).unwrap().of_tier(tier);
    for number in 1..=memories {
        let mut one = memory(&mut rng, number);
        one.memory.forgotten = (number % 100 < cold_percent).then(|| forgotten(Effect::Cold, 1));
        partition.put(&one).unwrap();
    }
    partition
}

#[test]
fn a_partition_holds_less_by_the_share_of_the_cold_memories() {
    let [whole, resident] = [Tier::Whole, Tier::Resident].map(|tier| partition(tier, 20_000, 30));
    assert_eq!((whole.memories(), resident.memories()), (20_000, 20_000));
    assert_eq!((whole.rows(), resident.rows()), (20_000, 14_000));
    let (before, after, cold) = (whole.bytes(), resident.bytes(), resident.cold.bytes());
    println!(
        "20,000 memories, 30 % cold: {before} bytes before, {after} after, {cold} of them for the cold ones"
    );
    assert!(after * 100 < before * 76, "{before} before, {after} after");
    assert!(cold * 20 < before, "{cold} bytes of the cold ones");
}

#[test]
fn a_touch_takes_the_rows_of_a_memory_that_becomes_cold() {
    let mut partition = partition(Tier::Resident, 20, 0);
    let strength = memory(&mut Rng::new(1), 1).memory.strength;
    let cold = Retained { memory: id(7), strength, forgotten: Some(forgotten(Effect::Cold, 1)) };
    partition.touch(&cold).unwrap();
    assert_eq!((partition.memories(), partition.columns.live(), partition.cold.len()), (20, 19, 1));
    assert!(!partition.row_alive.contains(6), "its row is dead");
    assert!(partition.restores(&Retained { forgotten: None, ..cold.clone() }));
    assert!(!partition.restores(&cold));
    partition.put(&memory(&mut Rng::new(7), 7)).unwrap();
    assert_eq!((partition.memories(), partition.columns.live(), partition.cold.len()), (20, 20, 0));
}

#[test]
fn a_touch_of_a_memory_that_is_not_there_makes_no_cold_one() {
    let mut partition = partition(Tier::Resident, 3, 0);
    let strength = memory(&mut Rng::new(1), 1).memory.strength;
    let record = Some(forgotten(Effect::Delete, 1));
    partition.touch(&Retained { memory: id(99), strength, forgotten: record }).unwrap();
    assert_eq!((partition.memories(), partition.cold.len()), (3, 0));
}
