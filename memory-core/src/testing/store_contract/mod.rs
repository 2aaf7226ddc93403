//! Contract tests of [`Store`], one function per rule; each is given a new, empty store. One contract makes the
//! databases interchangeable; [`crate::store_contract!`] makes a test of each rule.
//!
//! The functions panic when a rule is violated, as a test does.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken contract is a panic")]

pub mod consolidating;
pub mod deriving;
pub mod embedding_later;
pub mod erasing;
pub mod erasing_owners;
pub mod feeding_back;
pub mod filtering;
pub mod forgetting;
pub mod granting;
pub mod graph;
pub mod jobs;
pub mod keyed;
pub mod linking;
pub mod reaching;
pub mod reading;
pub mod recognising;
pub mod reopening;
pub mod restoring;
pub mod thinking;
pub mod touching;
pub mod undoing;
pub mod working;
pub mod writing;

use std::pin::Pin;

use crate::domain::change::{ChangeSet, Committed, Outcome, Refusal};
use crate::domain::id::{MemoryId, PartitionId, TenantId};
use crate::domain::memory::Memory;
use crate::store::{ChangeOp, Indexed, Store};

/// Makes a test of every rule for the store that `$open` opens: an async function without arguments that returns a
/// guard to keep until the end of the test, and the store.
#[macro_export]
macro_rules! store_contract {
    ($open:path) => {
        $crate::store_contract! { @rules tests $open }
    };
    // A function `every_rule` that runs all rules, for a test about all that a store does.
    (all: $open:path) => {
        $crate::store_contract! { @rules all $open }
    };
    (@all $open:path; $($module:ident: $($rule:ident),+;)+) => {
        async fn every_rule() {
            $($({
                let (_keep, store) = $open().await;
                $crate::testing::store_contract::boxed(|| $crate::testing::store_contract::$module::$rule(&*store)).await;
            })+)+
        }
    };
    (@rules $how:ident $open:path) => {
        $crate::store_contract! { @$how $open;
            writing: a_set_is_committed_or_refused_as_a_whole, the_log_has_no_gaps, a_repeated_request_writes_nothing_twice,
                a_new_version_keeps_the_earlier_ones, a_version_is_written_once,
                a_set_may_revise_a_memory_that_it_adds, a_document_replaces_the_one_of_its_name,
                the_answer_to_a_replacement_equals_the_stored_document, sessions_keep_their_order,
                an_embedder_not_in_use_is_refused,
                a_key_is_for_one_caller_owner_and_operation, idempotency_keys_are_deleted_by_age;
            deriving: a_version_has_its_own_derivation, sources_of_versions_are_erased_with_them,
                a_derivation_belongs_to_one_memory;
            erasing: derived_memories_are_erased_too, a_memory_reached_twice_is_erased_once, erasure_follows_earlier_versions,
                erasure_leaves_no_trace, erasure_of_unknown_ids_is_refused, erasure_keeps_other_partitions,
                erasure_is_consistent_with_other_writes_of_its_set,
                a_closure_announces_what_an_erasure_takes, an_erasure_takes_what_was_confirmed_or_nothing;
            erasing_owners: an_owner_without_memories_is_forgotten, an_erased_owner_is_found_by_no_read,
                an_erased_owner_is_deleted_in_steps, an_owner_is_erased_as_confirmed_or_not_at_all,
                the_answer_to_an_erasure_outlives_its_owner, a_late_record_leaves_no_trace_of_an_erased_owner,
                names_of_an_owner_without_memories_are_erased_too,
                a_job_of_an_owner_without_memories_is_done_and_not_stored;
            touching: a_revision_that_moves_what_happened_moves_the_clock_of_a_memory_never_refreshed,
                a_touch_records_a_use_without_a_version, touches_of_what_is_not_there_are_skipped,
                touches_agree_with_other_writes_of_their_set, the_same_touch_again_changes_nothing,
                uses_of_one_set_are_recorded_in_the_order_of_their_times;
            feeding_back: feedback_is_written_to_the_log_and_recorded_as_a_use_once,
                feedback_on_what_is_not_in_the_log_is_skipped, a_recall_is_read_by_its_id;
            forgetting: a_forgotten_memory_is_listed_and_restored_as_it_was, a_pinned_memory_is_not_forgotten,
                a_record_of_forgetting_is_replaced_by_another_effect_alone,
                records_of_forgetting_go_with_their_memory, retention_is_read_in_pages,
                forgotten_memories_are_listed_by_reason_and_effect, the_moment_of_a_check_is_noted_by_the_holder_of_its_job_alone,
                the_moment_of_a_check_goes_with_its_owner, the_moment_of_a_check_comes_with_restored_memories,
                a_replacing_document_is_learned_anew_and_keeps_its_pin,
                the_nearest_cosine_stays_as_it_was_learned;
            undoing: versions_are_found_by_their_job, an_undo_restores_what_was_and_erases_what_was_created,
                an_undo_takes_back_what_was_changed_since, an_undo_is_not_outdated_by_uses, an_undo_keeps_memories_revised_with_its_creations_in_view,
                a_present_version_is_not_retracted, partitions_of_a_job_and_the_order_of_versions_are_found;
            filtering: a_filter_selects_what_the_reference_lets_pass, filtered_pages_cover_every_match_once,
                a_partition_that_is_not_there_matches_nothing;
            granting: a_grant_is_open_to_its_grantee_until_it_ends, a_revoked_grant_is_open_at_no_time,
                a_grant_is_given_whole_or_not_at_all, reads_through_grants_are_noted_and_bounded,
                grants_go_with_what_they_name;
            linking: links_belong_to_their_version, unknown_targets_are_refused, links_are_removed_with_their_target,
                a_revision_that_keeps_links_keeps_the_remaining_ones, new_memories_of_a_set_link_to_each_other,
                links_to_a_replacing_document_lead_to_the_kept_one, links_and_erasures_of_one_set_agree;
            graph: nodes_have_what_their_present_version_has, nodes_are_read_in_pages;
            reading: fields_are_returned_exactly, numbers_in_metadata_are_returned_exactly, loaded_indexed_and_committed_memories_are_equal,
                changes_are_returned_in_order, tenants_are_isolated, owners_are_listed_in_pages,
                owners_of_all_tenants_are_listed_in_pages,
                sessions_and_turns_are_listed_in_pages, an_edit_of_a_turns_memory_keeps_the_turn;
            reaching: reachable_partitions_are_listed, what_is_shared_last_comes_first, counts_of_what_is_shared_agree_with_the_memories;
            keyed: a_record_goes_with_what_its_request_made, the_record_of_an_erasure_stays, a_record_is_of_all_memories_that_are_left;
            jobs: the_oldest_job_comes_first, a_lease_runs_out, only_the_holder_moves_a_job,
                a_unique_key_makes_one_job, a_job_comes_with_its_set_or_not_at_all,
                only_kinds_asked_for_are_claimed, a_unique_key_is_for_one_tenant_and_kind,
                what_a_dead_worker_left_is_given_back, an_expired_worker_writes_nothing,
                a_job_is_done_with_its_set, a_cancelled_job_is_nobodys, a_job_put_off_comes_when_it_is_due,
                jobs_come_in_pages, a_key_may_be_released_by_the_claim, a_job_enqueues_its_successor_as_it_ends,
                finished_jobs_without_results_are_dropped;
            thinking: statements_and_kinds_are_returned_with_their_version, new_turns_wait_for_each_mechanism,
                a_turn_is_thought_about_once, a_turn_may_be_thought_about_again, groups_belong_to_the_present_version, erasure_empties_queues_and_groups,
                turns_are_looked_up_in_queues_and_by_id, evidence_of_many_memories_is_read_together,
                versions_are_read_as_of_a_time, usage_of_models_adds_up;
            recognising: a_grown_conversation_gets_only_its_new_turns, turns_without_an_identity_are_never_merged,
                another_content_under_a_key_is_a_conflict, what_was_erased_stays_erased_until_it_is_asked_for, what_was_erased_stays_erased_when_nothing_is_left,
                a_session_that_was_erased_is_not_made_again_for_nothing, a_session_counts_the_turns_that_are_there,
                imports_at_the_same_time_write_each_item_once, memories_are_recognised_by_key_and_by_id,
                turns_that_are_there_are_not_thought_about_again, an_item_without_rows_is_never_written;
            restoring: an_archive_is_restored_with_its_ids_and_its_history,
                an_archive_restored_for_another_owner_has_ids_of_its_own, a_restoration_without_rows_is_never_written;
            reopening: erasure_reopens_what_was_superseded, erasure_recalls_what_was_merged_or_dropped;
            embedding_later: vectors_come_after_their_rows, vectors_of_another_text_are_not_written,
                vectors_of_a_lost_lease_or_an_erased_owner_are_not_written, only_rows_in_use_wait_for_vectors;
            consolidating: a_session_is_closed_until_its_next_turn, digests_are_asked_for_and_answered,
                newest_turns_and_named_memories_are_read, recalls_of_a_session_go_with_it;
            working: recalls_are_bounded_per_partition, settings_are_stored,
                rows_of_another_embedder_replace_those_in_use, rows_of_recipes_are_kept_apart, rows_of_a_stale_version_are_skipped,
                a_lost_lease_changes_no_embedder;
        }
    };
    (@tests $open:path; $($module:ident: $($rule:ident),+;)+) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                // An opener may answer none: it has said why the rule is not held against its store.
                let opened: Option<(_, std::sync::Arc<dyn $crate::store::Store>)> = $open().await.into();
                let Some((_keep, store)) = opened else { return };
                $crate::testing::store_contract::$module::$rule(&*store).await;
            }
        )+)+
    };
}

/// Makes a rule a future on the heap. In a function of its own, since the frame of a function that runs all rules would else have
/// room for the futures of all of them, which is more than the stack of a test.
pub fn boxed<'a, F: Future<Output = ()> + 'a>(
    rule: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(rule())
}

/// Commits one set that must be accepted.
async fn commit(store: &dyn Store, set: &ChangeSet) -> Committed {
    match answer(store, set).await {
        Ok(Outcome::Committed(committed)) => committed,
        other => panic!("the set was not committed: {other:?}"),
    }
}

/// Commits one set and returns its answer.
async fn answer(store: &dyn Store, set: &ChangeSet) -> Result<Outcome, Refusal> {
    let mut answers = store.commit(std::slice::from_ref(set)).await.unwrap();
    assert_eq!(answers.len(), 1, "one answer for one set");
    answers.remove(0)
}

/// Memory that must exist.
async fn present(store: &dyn Store, id: MemoryId) -> Memory {
    store.memory(TenantId::DEFAULT, id).await.unwrap().expect("the memory is there").memory
}

/// All memories of a partition, with the change-log number of the snapshot.
async fn loaded(store: &dyn Store, partition: PartitionId) -> (u64, Vec<Indexed>) {
    let mut all = Vec::new();
    let seq = store.load(partition, &mut |one| all.push(one)).await.unwrap();
    (seq, all)
}

/// The change log is numbered from 1 without a gap, ends at the partition's last number, and describes the stored
/// memories.
async fn log_is_sound(store: &dyn Store, partition: PartitionId) {
    let entries = store.changes(partition, 0, u32::MAX).await.unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "a gap in the log");
    let (seq, all) = loaded(store, partition).await;
    assert_eq!(seq, entries.len() as u64, "the log does not end at the partition's number");
    let mut alive = std::collections::BTreeSet::new();
    for entry in entries {
        match entry.op {
            ChangeOp::Put => drop(alive.insert(entry.memory)),
            ChangeOp::Erase => drop(alive.remove(&entry.memory)),
            ChangeOp::Touch => assert!(alive.contains(&entry.memory), "a touch of what is not there"),
        }
    }
    assert_eq!(all.iter().map(|one| one.memory.id).collect::<Vec<_>>(), Vec::from_iter(alive));
    assert_eq!(store.check(false).await.unwrap(), [], "the store keeps its own rules");
}
