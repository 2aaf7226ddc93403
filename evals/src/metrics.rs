//! Ranking measures: pure functions of the distinct ranked names, best first, and the names with evidence. They follow
//! LongMemEval's definitions exactly (`src/retrieval/eval_utils.py` of its repository), edge cases included.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

/// Measure at a cut-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// 1 if all evidence is among the first k, also without any evidence. LongMemEval's paper calls it recall.
    RecallAll,
    /// 1 if any evidence is among the first k. Most vendors call it recall.
    RecallAny,
    /// LongMemEval's own nDCG, which weighs the first two ranks alike.
    NdcgAny,
}

impl Measure {
    /// Name of the measure in the official script.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RecallAll => "recall_all",
            Self::RecallAny => "recall_any",
            Self::NdcgAny => "ndcg_any",
        }
    }

    /// Value of the measure for the first `cutoff` names of `ranking`.
    pub(crate) fn of(self, ranking: &[String], evidence: &BTreeSet<String>, cutoff: usize) -> f64 {
        let top = &ranking[..cutoff.min(ranking.len())];
        match self {
            Self::RecallAll => f64::from(u8::from(evidence.iter().all(|name| top.contains(name)))),
            Self::RecallAny => f64::from(u8::from(evidence.iter().any(|name| top.contains(name)))),
            Self::NdcgAny => ndcg_any(top, evidence, cutoff),
        }
    }
}

fn ndcg_any(top: &[String], evidence: &BTreeSet<String>, cutoff: usize) -> f64 {
    let ideal = dcg((0..evidence.len().min(cutoff)).map(|_| true));
    if ideal == 0.0 { 0.0 } else { dcg(top.iter().map(|name| evidence.contains(name))) / ideal }
}

/// rel_1 + the sum over ranks i from 2 of rel_i / log2(i). The usual formula divides by log2(i + 1); with this one the
/// second rank counts as much as the first.
fn dcg(relevances: impl Iterator<Item = bool>) -> f64 {
    let ranked = (1_u32..).zip(relevances).filter(|(_, relevant)| *relevant);
    ranked.map(|(rank, _)| if rank == 1 { 1.0 } else { 1.0 / f64::from(rank).log2() }).sum()
}

/// Mean; 0 for no values.
pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Percentiles of durations, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    /// 50th percentile.
    pub(crate) p50: f64,
    /// 95th percentile.
    pub(crate) p95: f64,
    /// 99th percentile.
    pub(crate) p99: f64,
}

impl Percentiles {
    /// The percentiles of `times` by nearest rank: each is one of the times, and none is below its share of them.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p95: at(95), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A ranking of ones and zeros, as in the table of the specification, and its evidence.
    fn ranked(relevances: &[u8]) -> (Vec<String>, BTreeSet<String>) {
        let ranking: Vec<String> = (0..relevances.len()).map(|place| format!("s{place}")).collect();
        let relevant = ranking.iter().zip(relevances).filter(|(_, relevant)| **relevant == 1);
        let evidence = relevant.map(|(name, _)| name.clone()).collect();
        (ranking, evidence)
    }

    #[test]
    fn the_official_ndcg_weighs_the_first_two_ranks_alike() {
        for (relevances, expected) in [
            ([1, 0, 0, 0, 0], 1.0),
            ([0, 1, 0, 0, 0], 1.0),
            ([0, 0, 1, 0, 0], 0.630_930),
            ([1, 0, 1, 0, 0], 0.815_465),
            ([0, 1, 0, 0, 1], 0.715_338),
            ([0, 0, 0, 0, 1], 0.430_677),
        ] {
            let (ranking, evidence) = ranked(&relevances);
            let ndcg = Measure::NdcgAny.of(&ranking, &evidence, 5);
            assert!((ndcg - expected).abs() < 1e-6, "{relevances:?}: {ndcg}");
        }
    }

    #[test]
    fn the_ideal_is_cut_like_the_ranking() {
        let evidence = BTreeSet::from_iter(names(&["a", "b", "c"]));
        // At 1 one of three is the best there can be; at 3, one of an ideal of 1 + 1 + 1 / log2(3).
        let ranking = names(&["a", "x", "y"]);
        assert_eq!(Measure::NdcgAny.of(&ranking, &evidence, 1), 1.0);
        let ideal = 2.0 + 1.0 / 3_f64.log2();
        assert!((Measure::NdcgAny.of(&ranking, &evidence, 3) - 1.0 / ideal).abs() < 1e-12);
        // Evidence that was not returned is missing at every cut-off.
        assert!((Measure::NdcgAny.of(&ranking, &evidence, 50) - 1.0 / ideal).abs() < 1e-12);
    }

    #[test]
    fn recall_is_of_any_or_of_all() {
        let (ranking, evidence) = (names(&["x", "a", "y", "b"]), BTreeSet::from_iter(names(&["a", "b"])));
        let at = |measure: Measure| [1, 2, 3, 4, 50].map(|cutoff| measure.of(&ranking, &evidence, cutoff));
        assert_eq!(at(Measure::RecallAny), [0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(at(Measure::RecallAll), [0.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn of_nothing_all_is_found_and_nothing_is_ideal() {
        let none = BTreeSet::new();
        assert_eq!(Measure::RecallAll.of(&names(&["a"]), &none, 5), 1.0);
        assert_eq!(Measure::RecallAny.of(&names(&["a"]), &none, 5), 0.0);
        assert_eq!(Measure::NdcgAny.of(&names(&["a"]), &none, 5), 0.0);
        let evidence = BTreeSet::from_iter(names(&["a"]));
        for measure in [Measure::RecallAll, Measure::RecallAny, Measure::NdcgAny] {
            assert_eq!(measure.of(&[], &evidence, 5), 0.0, "an empty ranking finds nothing");
        }
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(Percentiles::of(times), Percentiles { p50: 100.0, p95: 190.0, p99: 198.0 });
        let one = Percentiles::of(vec![Duration::from_millis(7)]);
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }

    #[test]
    fn the_mean_of_nothing_is_zero() {
        assert_eq!((mean(&[]), mean(&[1.0, 0.0])), (0.0, 0.5));
    }
}
