//! Comparison of sentences that a cosine takes for equal: by numbers, dates, negation and names, which embeddings blur.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation as _;

use super::normal::text_key;

/// Words of negation, in normal form.
const NEGATIONS: &[&str] = &[
    "not", "no", "never", "none", "nobody", "nothing", "without", "neither", "nor", "cannot", "cant", "dont",
    "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "wont", "wouldnt", "hasnt", "havent", "hadnt",
    "longer", "nicht", "kein", "keine", "nie", "pas", "jamais", "nunca", "нет", "не", "不", "没",
];
/// Words that turn a statement around or order two events. Two sentences that differ in one of them differ in meaning.
const TURNING_WORDS: &[&str] = &[
    "former",
    "formerly",
    "ex",
    "used",
    "dislike",
    "dislikes",
    "disliked",
    "hate",
    "hates",
    "hated",
    "like",
    "likes",
    "liked",
    "love",
    "loves",
    "loved",
    "left",
    "quit",
    "joined",
    "stopped",
    "started",
    "sold",
    "bought",
    "married",
    "divorced",
    "single",
    "before",
    "after",
    "won",
    "lost",
    "first",
    "last",
    "more",
    "less",
    "always",
    "sometimes",
];
/// Numbers and dates in words.
const NUMBER_WORDS: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "hundred",
    "thousand",
    "million",
    "half",
    "double",
    "twice",
    "once",
    "second",
    "third",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "today",
    "yesterday",
    "tomorrow",
    "morning",
    "evening",
    "spring",
    "summer",
    "autumn",
    "winter",
];
/// Words of a possibility. `may` counts in lower case only.
const POSSIBILITY: &[&str] = &[
    "might",
    "maybe",
    "perhaps",
    "possibly",
    "would",
    "could",
    "if",
    "considering",
    "wishes",
    "hopes",
    "dreams",
    "unsure",
    "wondering",
    "hypothetically",
];
/// Phrases of a possibility or wish, in normal form.
const POSSIBILITY_PHRASES: &[&str] =
    &["thinking of", "thinking about", "thinks about", "wants to", "want to", "hope to"];
/// Phrases of a plan, in normal form. With a date the plan is a change from that date on.
const PLAN_PHRASES: &[&str] =
    &["plans to", "plan to", "planning to", "planned to", "intends to", "is going to", "supposed to"];

/// Words of a text that must be the same in a near duplicate: names, and words that turn a statement around.
fn marks(text: &str) -> BTreeSet<String> {
    let mut marks = quantities(text);
    for (at, word) in text.unicode_words().enumerate() {
        let key = text_key(word);
        let is_name = at > 0 && word.chars().next().is_some_and(char::is_uppercase) && word != "I";
        if is_name || TURNING_WORDS.contains(&&*key) {
            marks.insert(key);
        }
    }
    marks
}

/// Numbers, dates and negations of a text.
fn quantities(text: &str) -> BTreeSet<String> {
    let is_one = |key: &String| {
        key.chars().any(char::is_numeric)
            || NUMBER_WORDS.contains(&key.as_str())
            || NEGATIONS.contains(&key.as_str())
    };
    text.unicode_words().map(text_key).filter(is_one).collect()
}

/// True if two sentences agree in all that a cosine does not see.
pub(super) fn is_compatible(one: &str, other: &str) -> bool {
    marks(one) == marks(other)
}

/// True if two sentences have the same numbers, dates and negations.
pub(super) fn has_same_quantities(one: &str, other: &str) -> bool {
    quantities(one) == quantities(other)
}

/// True for a sentence about a possibility, a wish, or a plan without a date, which says nothing about the present state.
pub(super) fn is_possibility(text: &str, has_future_date: bool) -> bool {
    let key = format!(" {} ", text_key(text));
    let has = |phrase: &&&str| key.contains(&format!(" {phrase} "));
    let may = text.unicode_words().any(|word| word == "may");
    let is_plan = !has_future_date && PLAN_PHRASES.iter().any(|phrase| has(&phrase));
    is_plan || may || POSSIBILITY.iter().chain(POSSIBILITY_PHRASES).any(|phrase| has(&phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_that_differ_in_a_number_date_negation_or_name_are_not_near() {
        for (one, other) in [
            ("Ann has 2 cats.", "Ann has 3 cats."),
            ("Ann has two cats.", "Ann has three cats."),
            ("The flight is on 2023-05-20.", "The flight is on 2023-05-21."),
            ("The meeting is in May.", "The meeting is in June."),
            ("Ann eats meat.", "Ann does not eat meat."),
            ("Ann likes tea.", "Ann hates tea."),
            ("Ann met Bob.", "Ann met Carol."),
            ("Ann joined the club.", "Ann left the club."),
        ] {
            assert!(!is_compatible(one, other), "{one} {other}");
        }
        assert!(is_compatible("Ann works as a nurse at Acme.", "Ann is employed at Acme as a nurse."));
    }

    #[test]
    fn wishes_conditions_and_plans_without_a_date_are_possibilities() {
        for text in [
            "Ann might move to Oslo.",
            "If Ann moves, she sells it.",
            "Ann is thinking about moving to Oslo.",
        ] {
            assert!(is_possibility(text, true), "{text}");
        }
        for text in ["Ann moved to Oslo in May.", "Ann lives in Oslo.", "Ann will live in Oslo from June."] {
            assert!(!is_possibility(text, false), "{text}");
        }
        assert!(is_possibility("Ann plans to move to Oslo.", false));
        assert!(!is_possibility("Ann plans to move to Oslo in June.", true));
    }
}
