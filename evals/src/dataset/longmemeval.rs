//! LongMemEval questions, with evidence by session.
//!
//! The SDK's reader gives sessions names that tell nothing; here they get their ids back. An id that occurs twice in a
//! haystack becomes two sessions of the memory system, and one again when it is scored.
//!
//! Three averages over all types, because three are in use. `all`: every question that is no abstention, every evidence
//! session. `official n=470` and `official n=419`: the official scripts', which index nothing but the user's side and
//! therefore count as evidence only sessions with a marked user turn. A question that has none of them is in the first
//! with nothing to be found (recall_all 1, recall_any 0, nDCG 0, as the script has it), and not in the second.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use engrain::formats::longmemeval::{Question as Asked, questions};
use engrain::formats::{FormatError, ImportOptions, SourceLocation};

use super::{ChangedFact, Counted, Haystack, LeftOut, Question, State, Unit};

/// The average over every question that is no abstention, with all of its evidence.
const ALL: &str = "all";
/// The official script's average that leaves out abstention only: 470 of the 500 questions.
const OFFICIAL_470: &str = "official n=470";
/// The official script's average that leaves out questions without a marked user turn, too: 419 of the 500.
const OFFICIAL_419: &str = "official n=419";
/// Type of the questions whose evidence is several states of one fact.
const CHANGED: &str = "knowledge-update";

/// The haystacks of a file: one for each question.
pub(super) fn haystacks(
    file: &Path,
    options: &ImportOptions,
) -> Result<impl Iterator<Item = Result<Haystack, FormatError>> + Send + use<>, FormatError> {
    let options = options.clone();
    Ok(questions(file, &options)?.map(move |read| {
        let (asked, location) = read?;
        haystack(&asked, &options, &location)
    }))
}

fn haystack(
    asked: &Asked,
    options: &ImportOptions,
    location: &SourceLocation,
) -> Result<Haystack, FormatError> {
    let mut haystack = Haystack::new(asked.scope(options), asked.batches(options, location)?);
    let names = asked.session_names(options);
    let ids: HashMap<String, String> =
        names.into_iter().zip(asked.haystack_session_ids.iter().cloned()).collect();
    let sent = haystack.batches.iter().filter_map(|batch| ids.get(batch.session.as_ref()?));
    let units: BTreeSet<&String> = sent.collect();
    let (evidence, unknown): (BTreeSet<_>, BTreeSet<_>) =
        asked.answer_session_ids.iter().cloned().partition(|id| units.contains(id));
    let units = units.len();
    let unscored = LeftOut { abstention: usize::from(asked.is_abstention()), ..LeftOut::default() };
    haystack.left_out = if asked.is_abstention() {
        unscored
    } else {
        LeftOut {
            without_evidence: usize::from(evidence.is_empty()),
            unknown_evidence: unknown.len(),
            ..unscored
        }
    };
    if !asked.is_abstention() && !evidence.is_empty() {
        haystack.questions.push(Question {
            text: asked.question.clone(),
            asked_at: asked.asked_at(),
            unit: Unit::Session(ids),
            units,
            kind: asked.question_type.clone(),
            changed_fact: changed_fact(asked, &evidence),
            counts_in: counts_in(asked, evidence),
        });
    }
    Ok(haystack)
}

/// The changed fact of a knowledge-update question, if its evidence is in more than one session. Sessions are ordered by
/// their times; an id that occurs twice has the place of its last time.
fn changed_fact(asked: &Asked, evidence: &BTreeSet<String>) -> Option<ChangedFact> {
    let dated = asked.haystack_dates.iter().zip(&asked.haystack_session_ids);
    let mut dated: Vec<_> = dated.filter(|(_, id)| evidence.contains(*id)).collect();
    // Dates are written year first and of one width, so that their order as texts is that of the times.
    dated.sort_unstable();
    let mut sessions: Vec<String> = Vec::new();
    for (_, id) in dated {
        sessions.retain(|known| known != id);
        sessions.push(id.clone());
    }
    let is_changed = asked.question_type == CHANGED && sessions.len() > 1;
    is_changed.then(|| ChangedFact { asked: State::of(&asked.question), sessions })
}

fn counts_in(asked: &Asked, evidence: BTreeSet<String>) -> Vec<Counted> {
    let sessions = asked.haystack_session_ids.iter().zip(&asked.haystack_sessions);
    let marked = sessions.filter(|(id, turns)| {
        let is_marked = turns.iter().any(|turn| turn.role == "user" && turn.has_answer == Some(true));
        is_marked && evidence.contains(*id)
    });
    let marked: BTreeSet<String> = marked.map(|(id, _)| id.clone()).collect();
    let counted = |group: &str, evidence: &BTreeSet<String>| Counted {
        group: group.to_owned(),
        evidence: evidence.clone(),
    };
    let mut counts_in = vec![counted(ALL, &evidence), counted(OFFICIAL_470, &marked)];
    if !marked.is_empty() {
        counts_in.push(counted(OFFICIAL_419, &marked));
    }
    counts_in.push(counted(&asked.question_type, &evidence));
    counts_in
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(record: serde_json::Value) -> Haystack {
        let asked: Asked = serde_json::from_value(record).unwrap();
        haystack(&asked, &ImportOptions::default(), &SourceLocation::default()).unwrap()
    }

    fn record(id: &str, evidence: &[&str]) -> serde_json::Value {
        let turn =
            |role: &str, marked: bool| json!({"role": role, "content": "Plums.", "has_answer": marked});
        json!({
            "question_id": id, "question_type": "multi-session", "question": "Which fruit?",
            "question_date": "2023/05/28 (Sun) 19:47", "answer_session_ids": evidence,
            "haystack_session_ids": ["answer_a", "twice", "answer_b", "twice"],
            "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 02:21", "2023/05/22 (Mon) 02:21",
                "2023/05/23 (Tue) 02:21"],
            "haystack_sessions": [[turn("user", true)], [turn("user", false)], [turn("assistant", true)],
                [turn("user", false)]],
        })
    }

    fn found(question: &Question, group: &str) -> Option<Vec<String>> {
        let counted = question.counts_in.iter().find(|counted| counted.group == group)?;
        Some(counted.evidence.iter().cloned().collect())
    }

    #[test]
    fn sessions_get_their_ids_back_and_one_that_occurs_twice_is_one() {
        let haystack = read(record("q", &["answer_a", "answer_b"]));
        let question = &haystack.questions[0];
        let Unit::Session(ids) = &question.unit else { panic!("not sessions") };
        assert_eq!((ids["session-0000"].as_str(), ids["session-0003"].as_str()), ("answer_a", "twice"));
        assert_eq!((haystack.turns(), question.units), (4, 3));
        assert_eq!(question.asked_at.as_deref(), Some("2023-05-28T23:59:59Z"));
    }

    #[test]
    fn the_official_averages_know_marked_user_turns_only() {
        let both = &read(record("q", &["answer_a", "answer_b"])).questions[0];
        assert_eq!(found(both, ALL), Some(vec!["answer_a".into(), "answer_b".into()]));
        assert_eq!(found(both, "multi-session"), found(both, ALL));
        assert_eq!(found(both, OFFICIAL_470), Some(vec!["answer_a".into()]));
        assert_eq!(found(both, OFFICIAL_419), Some(vec!["answer_a".into()]));
        let unmarked = &read(record("q", &["answer_b"])).questions[0];
        assert_eq!(found(unmarked, OFFICIAL_470), Some(vec![]));
        assert_eq!(found(unmarked, OFFICIAL_419), None);
    }

    #[test]
    fn the_sessions_of_a_changed_fact_are_ordered_by_time() {
        let mut changed = record("q", &["answer_b", "answer_a"]);
        assert!(read(changed.clone()).questions[0].changed_fact.is_none(), "another type");
        changed["question_type"] = json!("knowledge-update");
        let fact = read(changed.clone()).questions[0].changed_fact.clone().unwrap();
        assert_eq!((fact.asked, fact.sessions), (State::Present, vec!["answer_a".into(), "answer_b".into()]));
        changed["answer_session_ids"] = json!(["answer_a"]);
        assert!(read(changed).questions[0].changed_fact.is_none(), "one session is no change");
    }

    #[test]
    fn what_cannot_be_scored_is_counted() {
        let abstention = read(record("q_abs", &["answer_a"]));
        assert!(abstention.questions.is_empty());
        assert_eq!(abstention.left_out, LeftOut { abstention: 1, ..LeftOut::default() });
        let nowhere = read(record("q", &["answer_z"]));
        assert!(nowhere.questions.is_empty());
        let expected = LeftOut { without_evidence: 1, unknown_evidence: 1, ..LeftOut::default() };
        assert_eq!(nowhere.left_out, expected);
    }
}
