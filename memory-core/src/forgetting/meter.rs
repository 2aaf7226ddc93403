//! Meter of the changes that the sweeps of this process have made: for metrics.
//!
//! A page counts once its change sets are committed, also in an attempt that fails later. Erasures count at their end: those of an
//! attempt that broke off are not counted.

use parking_lot::Mutex;

use super::request::SweepCounts;

/// Changes by sweeps since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepTotals {
    /// Memories newly forgotten because they faded.
    pub faded: u64,
    /// Memories newly forgotten because their owner had more than its quota.
    pub evicted: u64,
    /// Memories newly forgotten by a draw.
    pub drawn: u64,
    /// Memories forgotten no longer.
    pub remembered: u64,
    /// Memories forgotten anew.
    pub renewed: u64,
    /// Memories erased.
    pub erased: u64,
}

impl SweepTotals {
    /// Totals with their names.
    pub const fn by_name(&self) -> [(&'static str, u64); 6] {
        [
            ("faded", self.faded),
            ("evicted", self.evicted),
            ("drawn", self.drawn),
            ("remembered", self.remembered),
            ("renewed", self.renewed),
            ("erased", self.erased),
        ]
    }
}

/// Sum over all sweeps.
#[derive(Debug, Default)]
pub(crate) struct SweepMeter {
    totals: Mutex<SweepTotals>,
}

impl SweepMeter {
    /// Adds what a sweep has changed since its counts were `before`.
    pub(super) fn add(&self, before: &SweepCounts, after: &SweepCounts) {
        let mut totals = self.totals.lock();
        let SweepTotals { faded, evicted, drawn, remembered, renewed, erased } = &mut *totals;
        for (total, before, after) in [
            (faded, before.faded, after.faded),
            (evicted, before.evicted, after.evicted),
            (drawn, before.drawn, after.drawn),
            (remembered, before.remembered, after.remembered),
            (renewed, before.renewed, after.renewed),
            (erased, before.erased, after.erased),
        ] {
            *total = total.saturating_add(after.saturating_sub(before));
        }
    }

    /// Totals so far.
    pub(super) fn totals(&self) -> SweepTotals {
        *self.totals.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sweep_changes_after_its_last_page_is_added_once() {
        let meter = SweepMeter::default();
        let first = SweepCounts { memories: 9, faded: 3, renewed: 1, ..SweepCounts::default() };
        meter.add(&SweepCounts::default(), &first);
        let second = SweepCounts { memories: 12, faded: 5, erased: 2, ..first.clone() };
        meter.add(&first, &second);
        let expected = SweepTotals { faded: 5, renewed: 1, erased: 2, ..SweepTotals::default() };
        assert_eq!(meter.totals(), expected);
        let sum: u64 = expected.by_name().iter().map(|(_, total)| total).sum();
        assert_eq!(sum, 8);
    }
}
