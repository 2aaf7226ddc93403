//! Order of the evidence sessions of a fact that changed: the newest first where a question asks for the present state,
//! the oldest first where it asks for an earlier one. Pure.

use serde::Serialize;

use crate::dataset::{Question, State};
use crate::metrics::mean;

/// Share of the questions whose session with the asked state is ranked before the other evidence sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StateOrder {
    /// State that the questions ask for.
    pub(crate) state: State,
    /// Number of questions.
    pub(crate) questions: usize,
    /// The share, 0 to 1.
    pub(crate) asked_state_first: f64,
}

/// The shares by state; none for a state that no question asks for.
pub(crate) fn shares<'a>(asked: impl IntoIterator<Item = (&'a Question, &'a [String])>) -> Vec<StateOrder> {
    let judged = asked.into_iter().filter_map(|(question, ranking)| {
        let fact = question.changed_fact.as_ref()?;
        Some((fact.asked, f64::from(u8::from(fact.is_in_order(ranking)))))
    });
    let judged: Vec<(State, f64)> = judged.collect();
    let share = |state: State| {
        let values: Vec<f64> =
            judged.iter().filter(|(asked, _)| *asked == state).map(|(_, one)| *one).collect();
        let share = StateOrder { state, questions: values.len(), asked_state_first: mean(&values) };
        (share.questions > 0).then_some(share)
    };
    [State::Present, State::Earlier].into_iter().filter_map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{ChangedFact, Unit};

    fn question(asked: State) -> Question {
        let sessions = ["old", "new"].map(str::to_owned).into();
        Question {
            text: String::new(),
            asked_at: None,
            unit: Unit::Turn,
            units: 3,
            kind: "knowledge-update".to_owned(),
            counts_in: Vec::new(),
            changed_fact: Some(ChangedFact { asked, sessions }),
        }
    }

    #[test]
    fn the_newest_session_answers_for_the_present_and_the_oldest_for_an_earlier_state() {
        let (present, earlier) = (question(State::Present), question(State::Earlier));
        let rankings = [vec!["x", "new", "old"], vec!["old", "new"], vec!["x"]];
        let rankings = rankings.map(|ranking| ranking.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let asked = rankings.iter().flat_map(|ranking| [(&present, &ranking[..]), (&earlier, &ranking[..])]);
        let third = 1.0 / 3.0;
        let expected = [State::Present, State::Earlier].map(|state| StateOrder {
            state,
            questions: 3,
            asked_state_first: third,
        });
        assert_eq!(shares(asked), expected);
        assert!(shares([(&Question { changed_fact: None, ..present.clone() }, &rankings[0][..])]).is_empty());
    }
}
