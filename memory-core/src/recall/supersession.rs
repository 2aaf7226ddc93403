//! Supersession among candidates, pure: of memories about one matter, the one of the asked state gains.
//!
//! Candidates compete if they are of different sessions (or no turns) and both match the query well. Where the query
//! asks for the present state, a memory gains by what is older than it; where it asks for an earlier state, by what is
//! newer. The gain falls with the distance from the best own score, so that a newer memory about another matter, which
//! matches less, gains little or nothing. No text is compared: what makes two memories rivals is the query.

use std::collections::HashMap;

use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::time::Timestamp;
use crate::text::time_expressions::AskedState;

/// Share of the best score from which a candidate competes.
const LEAST_SHARE: f32 = 0.5;
/// Summed strength of the superseded units from which the gain is full.
const FULL_SUM: f32 = 0.5;

/// Unit that is superseded as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Unit {
    /// Session of a partition, with its turns.
    Session(PartitionId, u32),
    /// Memory that is no turn.
    Memory(MemoryId),
}

/// Candidate that may compete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rival {
    pub(super) unit: Unit,
    pub(super) happened_at: Timestamp,
    /// Sum of the scores that depend on the candidate alone. The share of adjacent turns is left out: it is higher the
    /// longer a session dwells on the matter, which says nothing of its being the newest.
    pub(super) score: f32,
}

/// The competing units, in the order in which the asked state gains: the first is superseded by all others.
#[derive(Debug)]
pub(super) struct Rivals {
    asked: AskedState,
    best_score: f32,
    units: HashMap<Unit, Best>,
    /// Key of the time, and the summed strengths up to and including it.
    sums: Vec<(i64, f32)>,
}

/// The strongest candidate of a unit.
#[derive(Clone, Copy, Debug)]
struct Best {
    strength: f32,
    key: i64,
}

impl Rivals {
    /// Collects the units that compete. The result does not depend on the order of the rivals.
    pub(super) fn of(rivals: &[Rival], asked: AskedState) -> Self {
        let best_score = rivals.iter().map(|rival| rival.score).fold(0.0, f32::max);
        let mut all = Self { asked, best_score, units: HashMap::new(), sums: Vec::new() };
        for rival in rivals {
            let best = Best { strength: all.strength(rival.score), key: all.key(rival.happened_at) };
            if best.strength > 0.0 {
                let kept = all.units.entry(rival.unit).or_insert(best);
                if best.strength.total_cmp(&kept.strength).then(best.key.cmp(&kept.key)).is_gt() {
                    *kept = best;
                }
            }
        }
        let mut ordered: Vec<(i64, f32)> = all.units.values().map(|best| (best.key, best.strength)).collect();
        ordered.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let mut sum = 0.0;
        for (_, strength) in &mut ordered {
            sum += *strength;
            *strength = sum;
        }
        all.sums = ordered;
        all
    }

    /// Gain of a candidate, 0 to 1: the square root of its own strength, times the summed strength of the units that it
    /// supersedes by [`FULL_SUM`], at most 1. By the square root a mention in passing still gains: the newest state is
    /// often told so.
    pub(super) fn gain(&self, rival: &Rival) -> f32 {
        let strength = self.strength(rival.score);
        if strength <= 0.0 {
            return 0.0;
        }
        let key = self.key(rival.happened_at);
        let behind = self.sums.partition_point(|(other, _)| *other < key);
        let all = behind.checked_sub(1).and_then(|last| self.sums.get(last)).map_or(0.0, |(_, sum)| *sum);
        // A session does not supersede itself.
        let own = self.units.get(&rival.unit).filter(|best| best.key < key).map_or(0.0, |best| best.strength);
        strength.sqrt() * ((all - own) / FULL_SUM).clamp(0.0, 1.0)
    }

    /// 0 at [`LEAST_SHARE`] of the best score and below, 1 at the best score.
    fn strength(&self, score: f32) -> f32 {
        let share = if self.best_score > 0.0 { score / self.best_score } else { 0.0 };
        ((share - LEAST_SHARE) / (1.0 - LEAST_SHARE)).clamp(0.0, 1.0)
    }

    /// Time as a key that ascends towards the asked state.
    fn key(&self, at: Timestamp) -> i64 {
        match self.asked {
            AskedState::Present => at.as_micros(),
            AskedState::Earlier => at.as_micros().saturating_neg(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rival(session: u32, day: i64, score: f32) -> Rival {
        let happened_at = Timestamp::from_micros(day * 86_400_000_000);
        Rival { unit: Unit::Session(PartitionId(1), session), happened_at, score }
    }

    fn gains(rivals: &[Rival], asked: AskedState) -> Vec<f32> {
        let all = Rivals::of(rivals, asked);
        rivals.iter().map(|rival| all.gain(rival)).collect()
    }

    #[test]
    fn the_newer_of_two_gains_for_the_present_and_the_older_for_an_earlier_state() {
        let rivals = [rival(1, 1, 2.0), rival(2, 9, 2.0)];
        assert_eq!(gains(&rivals, AskedState::Present), [0.0, 1.0]);
        assert_eq!(gains(&rivals, AskedState::Earlier), [1.0, 0.0]);
    }

    #[test]
    fn a_newer_memory_about_another_matter_gains_nothing() {
        let rivals = [rival(1, 1, 2.0), rival(2, 9, 0.8)];
        assert_eq!(gains(&rivals, AskedState::Present), [0.0, 0.0]);
    }

    #[test]
    fn the_gain_falls_with_the_score() {
        let gains = gains(&[rival(1, 1, 2.0), rival(2, 8, 1.8), rival(3, 9, 1.2)], AskedState::Present);
        assert!(gains[1] > gains[2] && gains[2] > 0.0, "{gains:?}");
    }

    #[test]
    fn turns_of_a_session_and_memories_of_one_moment_do_not_compete() {
        assert_eq!(gains(&[rival(1, 1, 2.0), rival(1, 2, 1.9)], AskedState::Present), [0.0, 0.0]);
        assert_eq!(gains(&[rival(1, 1, 2.0), rival(2, 1, 1.9)], AskedState::Earlier), [0.0, 0.0]);
        assert!(gains(&[], AskedState::Present).is_empty());
        assert_eq!(gains(&[rival(1, 1, 0.0), rival(2, 2, 0.0)], AskedState::Present), [0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn gains_are_shares_and_do_not_depend_on_the_order_of_rivals(
            rivals in prop::collection::vec((0_u32..6, 0_i64..9, 0.0_f32..4.0), 0..30),
            turn in 0_usize..30,
            is_present in any::<bool>(),
        ) {
            let asked = if is_present { AskedState::Present } else { AskedState::Earlier };
            let mut rivals: Vec<Rival> = rivals.into_iter().map(|(session, day, score)| rival(session, day, score)).collect();
            let mut first = gains(&rivals, asked);
            prop_assert!(first.iter().all(|gain| (0.0..=1.0).contains(gain)));
            let turn = turn % rivals.len().max(1);
            rivals.rotate_left(turn);
            first.rotate_left(turn);
            prop_assert_eq!(first, gains(&rivals, asked));
        }
    }
}
