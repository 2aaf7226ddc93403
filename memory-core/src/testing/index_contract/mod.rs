//! The contract of [`Index`] in two tiers, one function per rule, over sources in memory ([`MemorySource`]):
//!
//! - `invariants` and `keeping_up` hold for every implementation, approximate ones too: visibility, uniqueness,
//!   freshness, lookups by id and by position;
//! - `exact` holds for an implementation that claims [`Exactness`](crate::index::Exactness) better than `Approximate`:
//!   candidates and scores equal those of [`reference`](super::reference), which uses no index. So does the one rule of
//!   `nearest` that compares with the reference; its others hold for every implementation.
//!
//! [`index_contract!`](crate::index_contract) makes one test per rule for an implementation. The functions panic when a
//! rule is broken, as a test does.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken contract is a panic")]

pub mod associating;
mod checks;
pub mod cold;
pub mod exact;
pub mod forgetting;
pub mod invariants;
pub mod keeping_up;
pub mod nearest;

use std::sync::Arc;

use super::corpus;
use super::fixtures::{plain, rows, vector_of};
use super::memory_source::MemorySource;
use super::rng::Rng;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Kind;
use crate::index::{Answer, Candidate, Index, IndexQuery, ScanWeights, View};
use crate::store::Indexed;
use crate::testing::START;

/// Makes the tests of a tier for the implementation that `$make` makes: a function of an `Arc<MemorySource>` and a
/// memory budget in bytes, in scope where the macro is called, that returns an `Arc<dyn Index>`. The tests are in a
/// module of the name of `$make`.
///
/// `index_contract!(exact: make)` runs all rules, `index_contract!(invariants: make)` those of the first tier. The number
/// after a rule says how many seeds it tries; `make test-long` tries fifty times as many.
#[macro_export]
macro_rules! index_contract {
    (exact: $make:ident) => {
        mod $make {
            use super::$make;
            $crate::index_contract! { @first $make Exact }
            $crate::index_contract! { @tests $make Exact exact:
                search_equals_the_reference 8, concurrent_queries_are_answered_as_if_alone 8,
                a_filter_retrieves_exactly_what_passes 20, numbers_are_compared_by_exact_value 1,
                importance_matches_the_number_that_was_given 1, the_best_chunk_scores_the_memory 1
            }
            $crate::index_contract! { @tests $make Exact forgetting:
                decay_aware_top_k_equals_a_naive_evaluation_under_every_curve 4,
                a_use_brings_a_faded_memory_back_and_changes_no_earlier_moment 4
            }
            $crate::index_contract! { @tests $make Exact cold:
                a_cold_memory_is_found_when_asked_for_until_it_is_restored_or_erased 1,
                a_cold_memory_is_found_at_the_moments_at_which_it_was_not_forgotten 1,
                a_restoration_during_a_load_is_kept 1, thinking_sees_no_cold_memory 1,
                any_sequence_of_forgetting_and_restoring_is_answered_like_the_reference 6
            }
            $crate::index_contract! { @tests $make Exact nearest: nearest_equals_the_reference 8 }
            $crate::index_contract! { @tests $make Exact associating: associations_equal_the_reference 8 }
        }
    };
    (invariants: $make:ident) => {
        mod $make {
            use super::$make;
            $crate::index_contract! { @first $make Invariants }
        }
    };
    (@first $make:ident $tier:ident) => {
        $crate::index_contract! { @tests $make $tier invariants:
            candidates_are_visible_and_listed_once 8, hidden_memories_take_no_place_and_move_no_score 1,
            memories_without_a_vector_are_retrieved_by_terms 1, turns_are_found_by_position 10,
            contradictions_are_found_from_both_ends 4
        }
        $crate::index_contract! { @tests $make $tier forgetting:
            a_memory_is_hidden_from_the_very_microsecond_at_which_it_fades 4, a_record_alone_hides_nothing_but_what_was_evicted_or_drawn 1
        }
        $crate::index_contract! { @tests $make $tier nearest:
            nearest_memories_are_visible_and_listed_once_in_order 8, nearest_of_what_is_out_of_bounds_is_refused 1
        }
        $crate::index_contract! { @tests $make $tier associating:
            associations_are_bounded_and_lead_to_what_is_there 1
        }
        $crate::index_contract! { @tests $make $tier keeping_up:
            updates_during_a_load_are_kept 10, a_gap_makes_the_index_read_anew 10,
            an_abandoned_load_does_no_harm 10, a_clear_during_a_load_takes_effect 10,
            a_cleared_partition_is_read_anew 10, a_failed_update_is_never_half_visible 1,
            a_tiny_budget_keeps_answers_right 3, differences_are_counted 1,
            a_touch_changes_retention_and_nothing_else 10
        }
    };
    (@tests $make:ident $tier:ident $module:ident: $($rule:ident $seeds:literal),+) => {
        $(
            #[tokio::test]
            async fn $rule() {
                let subject = $crate::testing::index_contract::Subject {
                    make: &$make,
                    tier: $crate::testing::index_contract::Tier::$tier,
                };
                let many = if $seeds == 1 { 1 } else { $seeds * 50 };
                for seed in $crate::testing::seeds::seeds($seeds, many) {
                    $crate::testing::index_contract::$module::$rule(&subject, seed).await;
                }
            }
        )+
    };
}

/// A tier of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Holds for every implementation.
    Invariants,
    /// Candidates and scores equal those of the reference.
    Exact,
}

/// An implementation under test.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Makes an empty index over a source, with a memory budget in bytes.
    pub make: &'a (dyn Fn(Arc<MemorySource>, usize) -> Arc<dyn Index> + Sync),
    /// The tier that it is held to.
    pub tier: Tier,
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("tier", &self.tier).finish_non_exhaustive()
    }
}

impl Subject<'_> {
    /// An index over a source, with room for everything.
    fn over(&self, source: &Arc<MemorySource>) -> Arc<dyn Index> {
        (self.make)(source.clone(), AMPLE_BYTES)
    }

    /// Checks a search and all inspections of one query by the rules of the tier.
    async fn check(
        &self,
        index: &dyn Index,
        source: &MemorySource,
        partition: PartitionId,
        query: &IndexQuery,
        context: &str,
    ) {
        checks::invariants_hold(index, source, partition, query, context).await;
        if self.tier == Tier::Exact {
            checks::equals_reference(index, source, partition, query, context).await;
        }
    }
}

/// A budget for everything.
const AMPLE_BYTES: usize = 1 << 30;
const PARTITION: PartitionId = PartitionId(7);

/// A query for words that some memories have, without a filter.
fn query(text: &str, candidates: usize) -> IndexQuery {
    IndexQuery {
        vector: Some(vector_of(text).into()),
        text: text.into(),
        view: View::present(START),
        weights: ScanWeights::SIMILARITY,
        candidates,
    }
}

/// A random query: with and without a vector, with and without a filter, with any weights.
fn any_query(rng: &mut Rng) -> IndexQuery {
    let mut query = query(&corpus::text(rng), 1 + rng.below(12));
    if rng.chance(20) {
        query.vector = None;
    }
    if rng.chance(60) {
        query.view.filter = corpus::filter(rng, 3);
    }
    query.view.now = corpus::moment(rng);
    query.view.shared_only = rng.chance(40);
    query.view.opened = rng.chance(50).then(|| Arc::new(corpus::opened(rng)));
    query.view.valid = corpus::valid_time(rng);
    query.view.known_at = rng.chance(25).then(|| corpus::moment(rng));
    query.view.hides_digests = rng.chance(50);
    query.view.partner = rng.chance(40).then(|| corpus::a_name(rng));
    query.view.forgetting = rng.chance(60).then(|| corpus::forgetting(rng));
    query.weights = ScanWeights {
        similarity: *rng.pick(&[0.0, 1.0, 1.0, 2.0]),
        retention: *rng.pick(&[0.0, 0.0, 0.5]),
        importance: *rng.pick(&[0.0, 0.0, 1.0]),
    };
    query
}

/// A fact that is retrieved by the words of its text.
fn fact(number: u128, text: &str) -> Indexed {
    Indexed { memory: plain(MemoryId(uuid::Uuid::from_u128(number)), Kind::Fact, ""), rows: rows(text) }
}

/// The candidates in the order of their ids.
fn by_id(mut answer: Answer) -> Vec<Candidate> {
    answer.candidates.sort_by_key(|candidate| candidate.memory);
    answer.candidates
}

fn ids(indexed: &[Indexed]) -> Vec<MemoryId> {
    indexed.iter().map(|one| one.memory.id).collect()
}
