//! Averages over questions, overall and by type. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::{Counted, Question};
use crate::metrics::{Measure, mean};

/// Average over the questions of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Score {
    /// Name of the group.
    pub(crate) group: String,
    /// Number of questions in the group.
    pub(crate) questions: usize,
    /// Values of each measure at each cut-off.
    pub(crate) measures: BTreeMap<Measure, BTreeMap<usize, f64>>,
}

/// Question's part in a group: evidence to find, and ranking.
type Member<'a> = (&'a Counted, &'a [String]);

/// The averages of `measures` at `cutoffs` over questions with their rankings: groups over all types first, then the
/// types, by name.
pub(crate) fn averages<'a>(
    asked: impl IntoIterator<Item = (&'a Question, &'a [String])>,
    measures: &[Measure],
    cutoffs: &[usize],
) -> Vec<Score> {
    let mut groups: BTreeMap<(bool, &str), Vec<Member<'_>>> = BTreeMap::new();
    for (question, ranking) in asked {
        for counted in &question.counts_in {
            let is_type = counted.group == question.kind;
            groups.entry((is_type, &counted.group)).or_default().push((counted, ranking));
        }
    }
    let average = |measure: Measure, cutoff: usize, members: &[Member<'_>]| {
        let values = members.iter().map(|(counted, ranking)| measure.of(ranking, &counted.evidence, cutoff));
        mean(&values.collect::<Vec<_>>())
    };
    let scores = groups.into_iter().map(|((_, group), members)| Score {
        group: group.to_owned(),
        questions: members.len(),
        measures: measures
            .iter()
            .map(|&measure| {
                let at = |&cutoff| (cutoff, average(measure, cutoff, &members));
                (measure, cutoffs.iter().map(at).collect())
            })
            .collect(),
    });
    scores.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Unit;

    fn question(kind: &str, evidence: &[&str]) -> Question {
        let evidence = evidence.iter().map(|name| (*name).to_owned());
        let counted = |group: &str| Counted { group: group.into(), evidence: evidence.clone().collect() };
        let (text, unit, kind) = (String::new(), Unit::Turn, kind.to_owned());
        let counts_in = vec![counted("overall"), counted(&kind)];
        Question { text, asked_at: None, unit, units: 3, kind, counts_in, changed_fact: None }
    }

    #[test]
    fn averages_are_over_questions_and_overall_comes_first() {
        let ranking = ["x", "y", "z"].map(str::to_owned);
        let questions = [question("late", &["x"]), question("early", &["y"]), question("late", &["x", "z"])];
        let asked = questions.iter().map(|question| (question, ranking.as_slice()));
        let scores = averages(asked, &[Measure::RecallAll, Measure::RecallAny], &[1, 2]);
        let found = |score: &Score| {
            let at = |measure, cutoff| score.measures[&measure][&cutoff];
            (at(Measure::RecallAll, 1), at(Measure::RecallAll, 2), at(Measure::RecallAny, 1))
        };
        let named: Vec<_> = scores.iter().map(|score| (score.group.as_str(), score.questions)).collect();
        assert_eq!(named, [("overall", 3), ("early", 1), ("late", 2)]);
        assert_eq!(found(&scores[0]), (1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0));
        assert_eq!(found(&scores[1]), (0.0, 1.0, 0.0));
        assert_eq!(found(&scores[2]), (0.5, 0.5, 1.0));
    }
}
