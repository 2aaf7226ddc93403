//! What every [`Store`] must keep, as one function per rule: each is given a new, empty store. One contract for all
//! of them is what makes databases interchangeable; [`crate::store_contract!`] makes a test of each rule.
//!
//! The functions panic when a rule is broken, as a test does.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken contract is a panic")]

pub mod erasing;
pub mod jobs;
pub mod linking;
pub mod reading;
pub mod working;
pub mod writing;

use crate::domain::change::{ChangeSet, Committed, Outcome, Refusal};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::Memory;
use crate::store::{ChangeOp, Indexed, Store};

/// Makes a test of every rule for the store that `$open` opens: an async function without arguments that answers
/// something to keep until the test is over, and the store.
#[macro_export]
macro_rules! store_contract {
    ($open:path) => {
        $crate::store_contract! { @tests $open;
            writing: a_set_is_whole_or_refused_whole, the_log_has_no_gaps, a_repetition_makes_nothing_twice,
                a_new_version_keeps_the_earlier_ones, one_version_is_made_once, a_document_replaces_its_name,
                a_replaced_document_is_what_was_answered, sessions_keep_their_order,
                an_embedder_not_in_use_is_refused,
                a_key_is_for_one_caller_owner_and_operation, requests_are_forgotten_by_age;
            erasing: takes_along_what_was_made_of_it, takes_a_diamond_once, follows_earlier_versions,
                leaves_no_trace, unknown_ids_are_refused, leaves_other_partitions_alone,
                what_is_written_with_it_is_consistent;
            linking: links_belong_to_their_version, unknown_targets_are_refused, links_go_with_their_target,
                links_that_are_kept_are_those_that_are_left, links_and_erasures_of_one_set_agree;
            reading: fields_return_exactly, numbers_in_metadata_return_exactly, loaded_is_indexed_is_committed,
                changes_come_in_order, tenants_never_mix, reachable_partitions_are_listed, owners_come_in_pages,
                sessions_and_turns_come_in_pages, edited_turns_keep_what_was_said;
            jobs: the_oldest_job_comes_first, a_lease_runs_out, only_the_holder_moves_a_job,
                a_unique_key_makes_one_job, a_job_comes_with_its_set_or_not_at_all,
                only_kinds_asked_for_are_claimed, a_unique_key_is_for_one_tenant_and_kind,
                what_a_dead_worker_left_is_given_back, an_expired_worker_writes_nothing,
                a_job_is_done_with_its_set, a_cancelled_job_is_nobodys, a_job_put_off_comes_when_it_is_due,
                jobs_come_in_pages;
            working: recalls_are_bounded_per_partition, settings_are_kept,
                rows_of_another_embedder_take_over, rows_of_a_stale_version_are_left_out,
                a_lost_lease_changes_no_embedder;
        }
    };
    (@tests $open:path; $($module:ident: $($rule:ident),+;)+) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                let (_keep, store) = $open().await;
                $crate::testing::store_contract::$module::$rule(&*store).await;
            }
        )+)+
    };
}

/// Commits one set that must be taken.
async fn commit(store: &dyn Store, set: &ChangeSet) -> Committed {
    match answer(store, set).await {
        Ok(Outcome::Committed(committed)) => committed,
        other => panic!("the set was not committed: {other:?}"),
    }
}

/// Commits one set; answers its answer.
async fn answer(store: &dyn Store, set: &ChangeSet) -> Result<Outcome, Refusal> {
    let mut answers = store.commit(std::slice::from_ref(set)).await.unwrap();
    assert_eq!(answers.len(), 1, "one answer for one set");
    answers.remove(0)
}

/// A memory that must be there.
async fn present(store: &dyn Store, id: MemoryId) -> Memory {
    store.memory(TenantId::DEFAULT, id).await.unwrap().expect("the memory is there").memory
}

/// All of a partition, with the number it bears.
async fn loaded(store: &dyn Store, partition: PartitionId) -> (u64, Vec<Indexed>) {
    let mut all = Vec::new();
    let seq = store.load(partition, &mut |one| all.push(one)).await.unwrap();
    (seq, all)
}

/// The change log must number from 1 without a gap, end where the partition does, and tell what is there.
async fn log_is_sound(store: &dyn Store, partition: PartitionId) {
    let entries = store.changes(partition, 0, u32::MAX).await.unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "a gap in the log");
    let (seq, all) = loaded(store, partition).await;
    assert_eq!(seq, entries.len() as u64, "the log does not end at the partition's number");
    let mut alive = std::collections::BTreeSet::new();
    for entry in entries {
        match entry.op {
            ChangeOp::Put => alive.insert(entry.memory),
            ChangeOp::Erase => alive.remove(&entry.memory),
        };
    }
    assert_eq!(all.iter().map(|one| one.memory.id).collect::<Vec<_>>(), Vec::from_iter(alive));
    assert_eq!(store.check(false).await.unwrap(), [], "the store keeps its own rules");
}
