//! The speaker's own words among the sentences of a turn: not pasted material, not the text that a task is about.

/// Length from which a turn is taken for pasted material, in bytes.
const MAX_SPOKEN_BYTES: usize = 3_000;
/// Words of a request whose material follows in the turn.
const MATERIAL: &[&str] = &[
    "rewrite",
    "proofread",
    "paraphrase",
    "translate",
    "summarize",
    "summarise",
    "rephrase",
    "act as",
    "role play",
    "roleplay",
    "role-play",
    "pretend",
    "write a story",
    "write an essay",
    "write a letter",
    "cover letter",
    "write an email",
    "write me a",
    "write a",
    "in the voice of",
    "in first person",
    "first-person",
    "from the perspective",
    "the following",
    "you are a",
    "you are an",
    "you will be",
    "respond to",
    "reply to",
    "continue the",
    "lyrics",
    "correct the",
    "grammar",
    "let's play",
    "screenplay",
    "monologue",
    "dialogue",
    "script",
    "poem",
    "draft",
    "edit this",
    "improve this",
    "make this",
    "prompt",
    "interview question",
    "linkedin",
    "my character",
];

/// Sentences before the first request with material; all if there is none, none for pasted material.
pub(super) fn own_sentences<'a>(text: &str, sentences: &[&'a str]) -> Vec<&'a str> {
    if text.len() > MAX_SPOKEN_BYTES {
        return Vec::new();
    }
    let is_request = |sentence: &&str| {
        let lower = sentence.to_lowercase();
        MATERIAL.iter().any(|word| lower.contains(word))
            && !lower.starts_with("i ")
            && !lower.starts_with("i'")
    };
    let end = sentences.iter().position(is_request).unwrap_or(sentences.len());
    sentences.iter().take(end).copied().collect()
}
