//! LoCoMo questions, with evidence by turn.
//!
//! The categories are numbers in the file, and papers permute their names; the names here are those of the benchmark's
//! own paper, and the number always stands before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engrain::formats::locomo::{Conversation, Qa, conversations};
use engrain::formats::{FormatError, ImportOptions, SourceLocation};

use super::dialogue_id::{DialogueId, parse, parse_all};
use super::{Counted, Haystack, LeftOut, Question, Unit};

/// The average over every question that has evidence.
const ALL: &str = "all";

/// The haystacks of a file: one for each conversation.
pub(super) fn haystacks(
    file: &Path,
    options: &ImportOptions,
) -> Result<impl Iterator<Item = Result<Haystack, FormatError>> + Send + use<>, FormatError> {
    let options = options.clone();
    Ok(conversations(file, &options)?.map(move |read| {
        let (conversation, location) = read?;
        haystack(&conversation, &options, &location)
    }))
}

fn haystack(
    conversation: &Conversation,
    options: &ImportOptions,
    location: &SourceLocation,
) -> Result<Haystack, FormatError> {
    let mut haystack = Haystack::new(conversation.scope(options), conversation.batches(options, location)?);
    let keys = haystack.batches.iter().flat_map(|batch| &batch.turns).filter_map(|turn| turn.key.clone());
    let keys: BTreeMap<DialogueId, String> = keys.filter_map(|key| Some((parse(&key)?, key))).collect();
    // The benchmark does not say when it asks: right after the last turn, so that "last year" means the year before.
    let asked_at =
        haystack.batches.iter().flat_map(|batch| &batch.turns).rev().find_map(|turn| turn.said_at.clone());
    for qa in &conversation.qa {
        match question(qa, &keys, &mut haystack.left_out) {
            Some(question) => haystack.questions.push(Question { asked_at: asked_at.clone(), ..question }),
            None => haystack.left_out.without_evidence += 1,
        }
    }
    Ok(haystack)
}

fn question(qa: &Qa, keys: &BTreeMap<DialogueId, String>, left_out: &mut LeftOut) -> Option<Question> {
    let mut evidence = BTreeSet::new();
    for text in &qa.evidence {
        let (ids, malformed) = parse_all(text);
        left_out.malformed_evidence += malformed;
        for id in ids {
            match keys.get(&id) {
                Some(key) => evidence.extend([key.clone()]),
                None => left_out.unknown_evidence += 1,
            }
        }
    }
    let kind = category(qa.category);
    (!evidence.is_empty()).then(|| Question {
        text: qa.question.clone(),
        asked_at: None,
        unit: Unit::Turn,
        units: keys.len(),
        counts_in: vec![
            Counted { group: ALL.to_owned(), evidence: evidence.clone() },
            Counted { group: kind.clone(), evidence },
        ],
        kind,
        changed_fact: None,
    })
}

/// A category's number and name.
fn category(number: u8) -> String {
    let name = match number {
        1 => "multi-hop",
        2 => "temporal",
        3 => "open-domain",
        4 => "single-hop",
        5 => "adversarial",
        _ => "unknown",
    };
    format!("{number} {name}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn evidence_is_read_as_far_as_it_can_be() {
        let turn = |id: &str| json!({"speaker": "Ida", "dia_id": id, "text": "Plums."});
        let qa = |evidence: &[&str], category: u8| json!({"question": "?", "evidence": evidence, "category": category});
        let conversation = json!({
            "sample_id": "conv-1",
            "conversation": {
                "session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": [turn("D1:1"), turn("D1:2")],
                "session_2_date_time": "1:56 pm on 9 May, 2023", "session_2": [turn("D2:1")],
            },
            "qa": [qa(&["D1:1; D2:01", "D"], 1), qa(&["D1:9", "D:1:2"], 4), qa(&["D9:9"], 3), qa(&[], 5)],
        });
        let conversation: Conversation = serde_json::from_value(conversation).unwrap();
        let haystack =
            haystack(&conversation, &ImportOptions::default(), &SourceLocation::default()).unwrap();
        let expected =
            LeftOut { abstention: 0, without_evidence: 2, malformed_evidence: 1, unknown_evidence: 2 };
        assert_eq!(haystack.left_out, expected);
        let found: Vec<_> = haystack.questions.iter().map(|question| &question.counts_in[1]).collect();
        assert_eq!(found[0].group, "1 multi-hop");
        assert_eq!(Vec::from_iter(&found[0].evidence), ["D1:1", "D2:1"]);
        assert_eq!(found[1].group, "4 single-hop");
        assert_eq!(Vec::from_iter(&found[1].evidence), ["D1:2"]);
        assert_eq!((haystack.questions.len(), haystack.turns()), (2, 3));
        assert_eq!(haystack.questions[0].asked_at.as_deref(), Some("2023-05-09T13:56:00Z"));
    }
}
