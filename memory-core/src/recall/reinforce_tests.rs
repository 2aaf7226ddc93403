//! Tests of the uses by recalls, apart from their file: they need an engine, which holds the writer that the file belongs to.

use super::reinforce::{Reinforcement, sets};
use crate::domain::change::Touch;
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::uses::{Use, UseKind};
use crate::testing::fixtures::{name, owner};
use crate::testing::{START, TestEngine};

fn reinforcement(who: &str, uses: usize) -> Reinforcement {
    let touches = (0..uses).map(|at| Touch {
        memory: MemoryId(uuid::Uuid::from_u128(at as u128)),
        one: Use { at: START, kind: UseKind::InContext },
        refractory_us: 0,
    });
    Reinforcement {
        tenant: TenantId::DEFAULT,
        owner: owner(who),
        partition: PartitionId(1),
        recorded_at: START,
        touches: touches.collect(),
    }
}

#[test]
fn uses_of_a_group_are_one_set_for_each_owner_within_the_bound() {
    let group = [("ann", 1_500), ("bob", 10), ("ann", 1_500)].map(|(who, uses)| reinforcement(who, uses));
    let mut lengths: Vec<(String, usize)> = sets(group.into())
        .into_iter()
        .map(|(_, set)| (set.owner.id.to_string(), set.touches.len()))
        .collect();
    lengths.sort();
    let (ann, bob) = (name("ann").to_string(), name("bob").to_string());
    assert_eq!(lengths, [(ann.clone(), 1_000), (ann, 2_000), (bob, 10)]);
}

/// The writer has no turn while one task enqueues: what the queue has no room for is dropped at once, and counted.
#[tokio::test]
async fn uses_beyond_the_queue_are_dropped_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let test = TestEngine::open(directory.path()).await.unwrap();
    for _ in 0..5_000 {
        test.engine.access_log.reinforce(reinforcement("ann", 1));
    }
    assert_eq!(test.engine.dropped_notes(), 5_000 - 4_096);
    test.settle().await;
    assert_eq!(test.engine.dropped_notes(), 5_000 - 4_096, "of an owner without memories nothing is written");
}
