//! `fsrs6`: the memory model of FSRS 6, R = (1 + F t/S)^(-w20) with F = .9^(-1/w20) - 1, so that R = .9 at t = S; t in days since
//! the last review, S the stability in days, D the difficulty, 1 to 10 (open-spaced-repetition, FSRS-6; default weights of
//! py-fsrs 6 and fsrs-rs).
//!
//! Both are replayed from the uses of a memory. Which use is which rating is ours, from no paper:
//!
//! | use | rating |
//! |---|---|
//! | `returned` | none: it is no review |
//! | `in_context` | hard |
//! | `cited` | good |
//! | `confirmed` | easy |
//! | `contradicted` | again |
//!
//! The first rating follows from the importance: below .25 again, below .5 hard, below .75 good (also the default, .5), else
//! easy. Two details differ among implementations: t is fractional here (a review within 24 hours is one of the same day), and
//! the growth of such a review is at least 1 for hard too, as in fsrs-rs. Uses whose times are not kept are replayed as good
//! ones, evenly spread before the oldest kept use, at most [`MAX_USES`] of them.

use super::elapsed::days_between;
use super::{Curve, Fall, State, Trace};
use crate::domain::time::Timestamp;
use crate::domain::uses::{MAX_USES, UseKind};

/// Default weights w0 to w20.
const W: [f64; 21] = [
    0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796, 1.4835, 0.0614,
    0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
];
/// F = .9^(-1/w20) - 1.
const F: f64 = 0.9803464944134797;
/// Bounds of the stability, days.
const STABILITY_DAYS: (f64, f64) = (0.001, 36_500.0);
/// Reviews less than this after the one before are of the same day, days.
const SAME_DAY: f64 = 1.0;

/// R = (1 + F t/S)^(-w20). Its strength is S. [`Trace::initial_strength`] is a factor on the stability of a new memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fsrs6;

impl Curve for Fsrs6 {
    fn name(&self) -> &'static str {
        "fsrs6"
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        let mut memory = Reviewed::new(Rating::of_importance(trace.importance), trace.factor());
        let mut refreshed_at = trace.learned_at;
        let kept = trace.uses.until(now);
        let before_kept = kept.first().map_or(0.0, |oldest| days_between(trace.learned_at, oldest.at));
        let dropped = trace.uses.earlier_until(now).min(u32::try_from(MAX_USES).unwrap_or(u32::MAX));
        for _ in 0..dropped {
            memory = memory.review(before_kept / f64::from(dropped.saturating_add(1)), Rating::Good);
        }
        let mut since = before_kept * f64::from(dropped) / f64::from(dropped.saturating_add(1));
        for one in kept {
            let Some(rating) = Rating::of_use(one.kind) else { continue };
            let at = one.at.max(trace.learned_at);
            memory = memory.review((days_between(refreshed_at, at) - since).max(0.0), rating);
            (refreshed_at, since) = (at, 0.0);
        }
        let fall = Fall::Power { from: refreshed_at, per_day: F / memory.stability, exponent: W[20] };
        State { strength: memory.stability, refreshed_at, fall }
    }
}

/// Grade of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rating {
    /// Forgotten.
    Again,
    Hard,
    Good,
    Easy,
}

impl Rating {
    fn of_use(kind: UseKind) -> Option<Self> {
        match kind {
            UseKind::Returned => None,
            UseKind::InContext => Some(Self::Hard),
            UseKind::Cited => Some(Self::Good),
            UseKind::Confirmed => Some(Self::Easy),
            UseKind::Contradicted => Some(Self::Again),
        }
    }

    fn of_importance(importance: f64) -> Self {
        match importance {
            low if low < 0.25 => Self::Again,
            low if low < 0.5 => Self::Hard,
            high if high >= 0.75 => Self::Easy,
            _ => Self::Good, // also NaN
        }
    }

    /// G, 1 to 4.
    const fn grade(self) -> f64 {
        match self {
            Self::Again => 1.0,
            Self::Hard => 2.0,
            Self::Good => 3.0,
            Self::Easy => 4.0,
        }
    }
}

/// Stability and difficulty right after a review.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reviewed {
    /// Days until R = .9.
    pub(super) stability: f64,
    /// 1 to 10.
    pub(super) difficulty: f64,
}

impl Reviewed {
    /// After the first rating; `factor` on its stability.
    pub(super) fn new(first: Rating, factor: f64) -> Self {
        let stability = match first {
            Rating::Again => W[0],
            Rating::Hard => W[1],
            Rating::Good => W[2],
            Rating::Easy => W[3],
        };
        Self {
            stability: bounded_stability(stability * factor),
            difficulty: initial_difficulty(first).clamp(1.0, 10.0),
        }
    }

    /// R after `days` without a review.
    pub(super) fn retrievability(self, days: f64) -> f64 {
        (1.0 + F * days / self.stability).powf(-W[20])
    }

    /// After another review, `days` later. Stability changes by the difficulty before it.
    #[must_use]
    pub(super) fn review(self, days: f64, rating: Rating) -> Self {
        let stability = match rating {
            _ if days < SAME_DAY => self.after_the_same_day(rating),
            Rating::Again => self.after_lapse(self.retrievability(days)),
            _ => self.after_success(self.retrievability(days), rating),
        };
        Self { stability: bounded_stability(stability), difficulty: self.next_difficulty(rating) }
    }

    pub(super) fn after_success(self, retrievability: f64, rating: Rating) -> f64 {
        let of_rating = match rating {
            Rating::Hard => W[15],
            Rating::Easy => W[16],
            Rating::Again | Rating::Good => 1.0,
        };
        let growth = W[8].exp()
            * (11.0 - self.difficulty)
            * self.stability.powf(-W[9])
            * (W[10] * (1.0 - retrievability)).exp_m1();
        self.stability * (1.0 + growth * of_rating)
    }

    pub(super) fn after_lapse(self, retrievability: f64) -> f64 {
        let long_term = W[11]
            * self.difficulty.powf(-W[12])
            * ((self.stability + 1.0).powf(W[13]) - 1.0)
            * (W[14] * (1.0 - retrievability)).exp();
        long_term.min(self.stability / (W[17] * W[18]).exp())
    }

    fn after_the_same_day(self, rating: Rating) -> f64 {
        let growth = (W[17] * (rating.grade() - 3.0 + W[18])).exp() * self.stability.powf(-W[19]);
        self.stability * if rating == Rating::Again { growth } else { growth.max(1.0) }
    }

    pub(super) fn next_difficulty(self, rating: Rating) -> f64 {
        let change = -W[6] * (rating.grade() - 3.0);
        let damped = self.difficulty + change * (10.0 - self.difficulty) / 9.0;
        (W[7] * initial_difficulty(Rating::Easy) + (1.0 - W[7]) * damped).clamp(1.0, 10.0)
    }
}

/// Difficulty after the first rating, before it is kept within 1 and 10.
fn initial_difficulty(first: Rating) -> f64 {
    W[4] - (W[5] * (first.grade() - 1.0)).exp() + 1.0
}

fn bounded_stability(days: f64) -> f64 {
    let (least, most) = STABILITY_DAYS;
    days.clamp(least, most)
}
