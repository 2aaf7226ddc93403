//! Replies of the responder by the contract of the call: deterministic, pure, and such that the server accepts them.
//!
//! Facts, notes and digests quote the first words of what they are made of. Links lead to two of the notes shown, and one in
//! four of the earlier notes gets another description.

use serde_json::{Value, json};

/// Number of words of a text that a quotation has.
const QUOTED_WORDS: usize = 20;
/// Maximum length of a quotation in bytes, below what the server accepts.
const QUOTED_BYTES: usize = 120;
/// Maximum number of facts in one reply.
const FACTS: usize = 48;
/// Number of keywords of a note.
const KEYWORDS: usize = 4;
/// Number of links from a new note.
const LINKS: usize = 2;
/// One in this many earlier notes is described anew.
const EDITED_OF: usize = 4;
/// Maximum number of edits in one reply.
const EDITS: usize = 16;
/// Maximum number of sentences of a digest.
const SENTENCES: usize = 6;
/// Maximum number of sentences about the user in the insight of one day.
const INSIGHTS: usize = 2;
/// Number of statements of a portrait, beyond which the earliest is replaced.
const STATEMENTS: usize = 8;

/// Reply to a call of this contract, by the material of its prompt.
pub(crate) fn reply(contract: &str, material: &str) -> Value {
    let lines: Vec<Value> = material.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    match contract {
        "analyse" => json!({ "notes": lines.iter().filter_map(note).collect::<Vec<_>>() }),
        "evolve" => evolution(&lines),
        "amem_paper" => published_evolution(&lines),
        "digest_day" | "digest_global" => json!({ "sentences": sentences(&lines, "evidence") }),
        "digest_personality" => {
            let said: Vec<Value> = lines.iter().filter(|line| is_of_user(line)).cloned().collect();
            let said = said.get(said.len().saturating_sub(INSIGHTS)..).unwrap_or_default();
            json!({ "sentences": sentences(said, "evidence") })
        }
        "digest_portrait" => portrait(&lines),
        "session" => json!({ "sentences": sentences(&lines, "turns") }),
        "organise" => json!({"drop": [], "merges": []}),
        "forget" => json!({"drop": []}),
        "merge" => json!({"merges": []}),
        _ => json!({ "facts": lines.iter().filter_map(fact).take(FACTS).collect::<Vec<_>>() }),
    }
}

/// First words of a text, whole ones.
fn quotation(text: &str) -> String {
    let mut quotation = String::new();
    for word in text.split_whitespace().take(QUOTED_WORDS) {
        if quotation.len() + word.len() >= QUOTED_BYTES {
            break;
        }
        if !quotation.is_empty() {
            quotation.push(' ');
        }
        quotation.push_str(word);
    }
    // A single word over the bound, such as an address.
    if quotation.is_empty() { "Something long".to_owned() } else { quotation }
}

/// Handle of a line, of a turn or item to be read (`t1`), not of an earlier turn (`c1`).
fn handle(line: &Value) -> Option<&str> {
    line["handle"].as_str().filter(|handle| handle.starts_with('t'))
}

fn is_of_user(line: &Value) -> bool {
    line["speaker"].as_str().is_some_and(|speaker| speaker == "user" || speaker.ends_with(" (user)"))
}

/// The fact of one line of a prompt; `None` if the line is no user turn to be read.
fn fact(turn: &Value) -> Option<Value> {
    let handle = handle(turn)?;
    let speaker = turn["speaker"].as_str()?;
    let name = speaker.strip_suffix(" (user)").or((speaker == "user").then_some("user"))?;
    Some(json!({
        "text": quotation(turn["text"].as_str()?), "subject": name, "relation": "said", "object": null,
        "attribute": null, "holds": true, "happened_on": null, "valid_from": null, "valid_until": null,
        "confidence": 0.9, "evidence": [handle], "confidential": false,
    }))
}

/// The longest of the first words of a text.
fn keywords(text: &str) -> Vec<String> {
    let letters = |word: &str| word.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
    let mut words: Vec<String> = text.split_whitespace().take(QUOTED_WORDS).map(letters).collect();
    words.retain(|word| (4..=40).contains(&word.len()));
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words.truncate(KEYWORDS);
    words
}

/// Description of one turn: its longest words as keywords, two tags, its first words as the context.
fn note(turn: &Value) -> Option<Value> {
    let handle = handle(turn)?;
    let text = turn["text"].as_str()?;
    let kind = if text.contains('?') { "question" } else { "statement" };
    let context = format!("The speaker says: {}", quotation(text));
    Some(
        json!({ "id": handle, "keywords": keywords(text), "tags": ["conversation", kind], "context": context }),
    )
}

/// Links of each new note to the notes that follow the new ones, in turn, and edits of one in four of these.
fn evolution(lines: &[Value]) -> Value {
    let new = lines.iter().filter(|line| line["is_new"] == true).count();
    let earlier = lines.get(new..).unwrap_or_default();
    let first = lines.first().and_then(|line| line["text"].as_str()).unwrap_or_default();
    let link = |from: usize, number: usize| {
        let to = earlier.get((from * LINKS + number) % earlier.len().max(1))?;
        Some(json!({
            "from": lines[from]["id"], "to": to["id"],
            "type": if number == 0 { "elaborates" } else { "same_entity" },
            "why": format!("Both speak of it: {}", quotation(lines[from]["text"].as_str()?)),
        }))
    };
    let links: Vec<Value> =
        (0..new).flat_map(|from| (0..LINKS).filter_map(move |number| link(from, number))).collect();
    let edits: Vec<Value> = earlier
        .iter()
        .step_by(EDITED_OF)
        .take(EDITS)
        .map(|line| {
            json!({
                "id": line["id"], "tags": ["conversation"], "keywords": keywords(line["text"].as_str().unwrap_or_default()),
                "context": later_context(first),
            })
        })
        .collect();
    json!({ "links": links, "edits": edits })
}

/// The same as the paper's released code asks for it: links to two neighbours, another context for one in four.
fn published_evolution(lines: &[Value]) -> Value {
    let of = |line: &Value| line["id"].as_str().is_some_and(|id| id != "new");
    let neighbours: Vec<&Value> = lines.iter().filter(|line| of(line)).collect();
    let new = lines.iter().find(|line| line["id"] == "new").unwrap_or(&Value::Null);
    let context = |(place, line): (usize, &&Value)| match place % EDITED_OF {
        0 => Value::from(later_context(new["text"].as_str().unwrap_or_default())),
        _ => line["context"].clone(),
    };
    json!({
        "should_evolve": true,
        "actions": ["strengthen", "update_neighbor"],
        "suggested_connections": neighbours.iter().take(LINKS).map(|line| &line["id"]).collect::<Vec<_>>(),
        "tags_to_update": new["tags"],
        "new_context_neighborhood": neighbours.iter().enumerate().map(context).collect::<Vec<_>>(),
        "new_tags_neighborhood": neighbours.iter().map(|line| &line["tags"]).collect::<Vec<_>>(),
    })
}

fn later_context(text: &str) -> String {
    format!("Spoken of again: {}", quotation(text))
}

/// Sentences of items evenly spread over those shown, with their handles in `field`.
fn sentences(lines: &[Value], field: &str) -> Vec<Value> {
    let items: Vec<&Value> = lines.iter().filter(|line| handle(line).is_some()).collect();
    let every = items.len().div_ceil(SENTENCES).max(1);
    let sentence = |line: &&Value| json!({ "text": quotation(line["text"].as_str().unwrap_or_default()), field: [line["handle"]] });
    items.iter().step_by(every).map(sentence).collect()
}

/// A statement about the latest insight, new or in the place of the earliest one that may be changed.
fn portrait(lines: &[Value]) -> Value {
    let is_statement = |line: &&Value| line["handle"].as_str().is_some_and(|handle| handle.starts_with('s'));
    let stated: Vec<&Value> = lines.iter().filter(is_statement).collect();
    let Some(latest) = lines.iter().rfind(|line| handle(line).is_some()) else {
        return json!({"add": [], "replace": [], "drop": []});
    };
    let text = quotation(latest["text"].as_str().unwrap_or_default());
    let evidence = json!([latest["handle"]]);
    match stated.iter().find(|line| line["fixed"] == false).filter(|_| stated.len() >= STATEMENTS) {
        Some(earliest) => json!({
            "add": [], "drop": [],
            "replace": [{"id": earliest["handle"], "text": text, "evidence": evidence}],
        }),
        None => json!({"add": [{"text": text, "evidence": evidence}], "replace": [], "drop": []}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(handle: &str, speaker: &str) -> Value {
        json!({"handle": handle, "speaker": speaker, "text": "I have a cat."})
    }

    fn lines(lines: &[Value]) -> String {
        lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    fn notes(new: usize, all: usize) -> String {
        let note = |number: usize| {
            json!({
                "id": format!("n{number}"), "is_new": number <= new, "text": format!("Text {number}."),
                "keywords": ["text"], "tags": ["a"], "context": "Old.",
            })
        };
        lines(&(1..=all).map(note).collect::<Vec<_>>())
    }

    #[test]
    fn only_user_turns_to_be_read_have_a_fact() {
        let turns =
            [turn("t1", "user"), turn("c1", "user"), turn("t2", "assistant"), turn("t3", "Ann (user)")];
        let facts = turns.map(|turn| fact(&turn));
        let subjects = facts.map(|fact| fact.map(|fact| (fact["subject"].clone(), fact["evidence"].clone())));
        assert_eq!(subjects[0], Some((json!("user"), json!(["t1"]))));
        assert_eq!(subjects[1..3], [None, None]);
        assert_eq!(subjects[3], Some((json!("Ann"), json!(["t3"]))));
        assert_eq!(reply("facts", "no JSON"), json!({"facts": []}));
    }

    #[test]
    fn each_turn_to_be_read_has_a_description() {
        let shown = lines(&[turn("c1", "user"), turn("t1", "user"), turn("t2", "assistant")]);
        let reply = reply("analyse", &shown);
        let ids: Vec<&Value> =
            reply["notes"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
        assert_eq!(ids, ["t1", "t2"]);
        assert_eq!(reply["notes"][0]["context"], "The speaker says: I have a cat.");
    }

    #[test]
    fn links_begin_at_new_notes_and_edits_name_earlier_ones() {
        let reply = reply("evolve", &notes(2, 9));
        let pairs: Vec<(&str, &str)> = reply["links"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|link| (link["from"].as_str().expect("a handle"), link["to"].as_str().expect("a handle")))
            .collect();
        assert_eq!(pairs, [("n1", "n3"), ("n1", "n4"), ("n2", "n5"), ("n2", "n6")]);
        let edits: Vec<&Value> =
            reply["edits"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
        assert_eq!(edits, ["n3", "n7"]);
        assert_eq!(reply["edits"][0]["context"], "Spoken of again: Text 1.");
    }

    #[test]
    fn new_notes_without_earlier_ones_have_no_link() {
        assert_eq!(reply("evolve", &notes(3, 3)), json!({"links": [], "edits": []}));
    }

    #[test]
    fn lists_of_the_published_contract_are_as_long_as_the_neighbours() {
        let new = json!({"id": "new", "text": "A new one.", "tags": ["b"]});
        let reply = reply("amem_paper", &format!("{new}\n{}", notes(0, 5)));
        assert_eq!(reply["suggested_connections"], json!(["n1", "n2"]));
        let contexts =
            json!(["Spoken of again: A new one.", "Old.", "Old.", "Old.", "Spoken of again: A new one."]);
        assert_eq!(reply["new_context_neighborhood"], contexts);
        assert_eq!(reply["new_tags_neighborhood"].as_array().map(Vec::len), Some(5));
    }

    #[test]
    fn sentences_of_digests_name_what_they_quote() {
        let turns: Vec<Value> = (1..=20).map(|number| turn(&format!("t{number}"), "user")).collect();
        let day = reply("digest_day", &lines(&turns));
        assert_eq!(day["sentences"].as_array().map(Vec::len), Some(5));
        assert_eq!(day["sentences"][1], json!({"text": "I have a cat.", "evidence": ["t5"]}));
        let session = reply("session", &lines(&turns));
        assert_eq!(session["sentences"][0]["turns"], json!(["t1"]));
    }

    #[test]
    fn a_full_portrait_replaces_the_earliest_statement_that_is_not_fixed() {
        let statement =
            |number: usize| json!({"handle": format!("s{number}"), "fixed": number == 1, "text": "Old."});
        let insight = json!({"handle": "t1", "day": "2026-11-26", "text": "Likes cats."});
        let shown = |count: usize| {
            let all: Vec<Value> = (1..=count).map(statement).chain([insight.clone()]).collect();
            reply("digest_portrait", &lines(&all))
        };
        assert_eq!(shown(2)["add"], json!([{"text": "Likes cats.", "evidence": ["t1"]}]));
        assert_eq!(shown(8)["replace"], json!([{"id": "s2", "text": "Likes cats.", "evidence": ["t1"]}]));
    }

    #[test]
    fn a_quotation_has_whole_words_so_that_its_numbers_are_those_of_the_text() {
        assert_eq!(quotation(&format!("{} 1990", "a".repeat(117))), "a".repeat(117));
        assert_eq!(quotation(&"a".repeat(400)), "Something long");
    }
}
