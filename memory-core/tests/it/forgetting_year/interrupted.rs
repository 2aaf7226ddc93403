//! Sweeps that are killed between two change sets lose nothing that the next attempt cannot find again.

use memory_core::domain::forgotten::{Effect, Reason};
use memory_core::domain::id::TenantId;
use memory_core::retention::{Policy, Rule};
use memory_core::store::{Derivations as _, Memories as _};
use memory_core::testing::fixtures::owner;
use memory_core::testing::{CALLER, fact, memories};

use super::records::forgotten_since;
use super::{Life, MINUTE_US, ann};

/// That a memory was evicted is known from its record alone, so that no state without the record may be committed.
#[test]
fn an_evicted_memory_gets_another_effect_in_one_change() {
    let life = Life::new();
    let facts = (0..10).map(|number| fact(&format!("tea number {number}"))).collect();
    life.run(async |test| test.engine.remember_memories(&CALLER, memories(&ann(), facts)).await.unwrap());
    let quota = Policy {
        effect: Some(Effect::Exclude),
        rule: Rule::QuotaAlone,
        quota_memories: Some(4),
        ..Policy::default()
    };
    life.use_policy(&quota);
    life.sweep();
    let evicted = forgotten_since(&life.rows());
    assert!(evicted.len() == 6 && evicted.values().all(|(_, reason)| *reason == Reason::Evicted));
    let last_change = || {
        life.run(async |test| {
            let partition = test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
            test.store.last_change(partition.unwrap()).await.unwrap()
        })
    };
    life.pass_us(MINUTE_US);
    life.use_policy(&Policy { quota_memories: None, effect: Some(Effect::Cold), ..quota });
    let before = last_change();
    life.sweep();
    let rows = life.rows();
    assert_eq!(forgotten_since(&rows), evicted);
    let effects = rows.iter().filter_map(|row| row.forgotten.as_ref()).map(|record| record.effect);
    assert!(effects.into_iter().all(|effect| effect == Effect::Cold));
    assert_eq!(last_change() - before, 6, "one entry of the change log for each");
}
