//! Report of a forgetting experiment: one table for each group of scenarios, as Markdown, as JSON and as a plot (SVG).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::arms::ARMS;
use super::replay::ArmResult;
use super::statistics::{Share, mcnemar};

/// Arm of which the others are compared with.
const BASELINE: &str = "random";
/// Name of the row of the whole store.
const ALL: &str = "all";

/// Results of the scenarios of a group.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    /// Name of the group.
    pub(crate) name: String,
    /// Number of scenarios.
    pub(crate) scenarios: usize,
    /// Number of memories of all scenarios.
    pub(crate) memories: usize,
    /// Number of questions on the way.
    pub(crate) rehearsals: usize,
    /// Rows, in the order of the arms, for each share that is kept.
    pub(crate) rows: Vec<Row>,
}

/// Result of an arm at one share.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Name of the arm.
    pub(crate) arm: &'static str,
    /// Share of the memories that is kept.
    pub(crate) keep: f64,
    /// Questions of which all that is needed is recalled.
    pub(crate) recall_all: Share,
    /// Two-sided p-value of the difference to random eviction at the same share; `None` for random and for the whole store.
    pub(crate) p_to_random: Option<f64>,
    /// Share of pairs whose order is told right; a pair that is not found counts half. `None` without pairs.
    pub(crate) order: Option<f64>,
}

/// Results of an arm at one share, of all scenarios.
#[derive(Default)]
struct Cell {
    arm: &'static str,
    keep: f64,
    recalled: Vec<bool>,
    ordered: Vec<f64>,
}

impl Group {
    /// Table of results, which are in the same order for every scenario.
    pub(crate) fn new(
        name: &str,
        (memories, rehearsals): (usize, usize),
        scenarios: &[Vec<ArmResult>],
    ) -> Self {
        let mut cells: BTreeMap<(u64, usize), Cell> = BTreeMap::new();
        for result in scenarios.iter().flatten() {
            let place = ARMS.iter().position(|arm| arm.name == result.arm).map_or(0, |place| place + 1);
            let key = ((result.keep * 1e6) as u64, place);
            let empty = || Cell { arm: result.arm, keep: result.keep, ..Cell::default() };
            let cell = cells.entry(key).or_insert_with(empty);
            cell.recalled.extend(&result.recalled);
            cell.ordered.extend(&result.ordered);
        }
        let random = ARMS.iter().position(|arm| arm.name == BASELINE).map_or(0, |place| place + 1);
        let rows = cells.iter().map(|((keep, place), cell)| {
            let other = cells.get(&(*keep, random)).filter(|_| *place != random && cell.arm != ALL);
            let pairs =
                |other: &Cell| mcnemar(cell.recalled.iter().copied().zip(other.recalled.iter().copied()));
            Row {
                arm: cell.arm,
                keep: cell.keep,
                recall_all: Share::of(cell.recalled.iter().copied()),
                p_to_random: other.map(pairs),
                order: (!cell.ordered.is_empty()).then(|| crate::metrics::mean(&cell.ordered)),
            }
        });
        Self { name: name.to_owned(), scenarios: scenarios.len(), memories, rehearsals, rows: rows.collect() }
    }

    /// Markdown table: one row for each arm, one column for each share, and the order of events.
    pub(crate) fn markdown(&self) -> String {
        let mut keeps: Vec<f64> = self.rows.iter().filter(|row| row.arm != ALL).map(|row| row.keep).collect();
        keeps.dedup();
        let all = self.rows.iter().find(|row| row.arm == ALL);
        let questions = all.map_or(0, |row| row.recall_all.n);
        let mut text = format!(
            "**{}**: {} scenarios, {} memories, {} questions on the way, {questions} at the end.\n\n| kept |",
            self.name, self.scenarios, self.memories, self.rehearsals
        );
        for keep in &keeps {
            let _ = write!(text, " {:.0} % | order |", keep * 100.0);
        }
        text.push_str("\n|---|");
        text.push_str(&"---|---|".repeat(keeps.len()));
        for arm in ARMS {
            let _ = write!(text, "\n| `{}` |", arm.name);
            for keep in &keeps {
                let row = self.rows.iter().find(|row| row.arm == arm.name && row.keep == *keep);
                let cell = row
                    .map_or_else(|| " | |".to_owned(), |row| format!(" {} | {} |", row.cell(), row.order()));
                text.push_str(&cell);
            }
        }
        if let Some(all) = all {
            let _ = write!(text, "\n\nThe whole store: {}, order {}.\n", all.cell(), all.order());
        }
        text
    }
}

impl Row {
    /// Share with its interval; a star where the difference to random eviction is not by chance (p < .01).
    fn cell(&self) -> String {
        let Share { share, low, high, .. } = self.recall_all;
        let star = if self.p_to_random.is_some_and(|p| p < 0.01) { "\\*" } else { "" };
        format!("{share:.3}{star} ({low:.2} to {high:.2})")
    }

    fn order(&self) -> String {
        self.order.map_or_else(|| "no pairs".to_owned(), |share| format!("{share:.3}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(arm: &'static str, keep: f64, recalled: &[bool]) -> ArmResult {
        ArmResult { arm, keep, recalled: recalled.to_vec(), ordered: vec![1.0, 0.5] }
    }

    #[test]
    fn scenarios_of_a_group_are_added_up_and_compared_with_random_eviction() {
        let half = |yes: usize| (0..20).map(|at| at < yes).collect::<Vec<bool>>();
        let one =
            vec![result(ALL, 1.0, &half(20)), result("lru", 0.1, &half(18)), result("random", 0.1, &half(2))];
        let group = Group::new("states", (400, 30), &[one.clone(), one]);
        assert_eq!((group.scenarios, group.rows.len()), (2, 3));
        let lru = group.rows.iter().find(|row| row.arm == "lru").unwrap();
        assert_eq!((lru.recall_all.n, lru.recall_all.share, lru.order), (40, 0.9, Some(0.75)));
        assert!(lru.p_to_random.is_some_and(|p| p < 0.01));
        let random = group.rows.iter().find(|row| row.arm == "random").unwrap();
        assert_eq!(random.p_to_random, None);
        let text = group.markdown();
        assert!(text.contains("| `lru` | 0.900\\* (") && text.contains("The whole store: 1.000 ("), "{text}");
        assert!(text.contains("| kept | 10 % | order |"), "{text}");
        let no_pairs = ArmResult { ordered: Vec::new(), ..result(ALL, 1.0, &half(20)) };
        assert!(Group::new("one", (1, 0), &[vec![no_pairs]]).markdown().contains("order no pairs."));
    }
}
