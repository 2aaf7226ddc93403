//! State that a query asks for: the present one, or an earlier one. Rule-based, for English, pure.
//!
//! The rules read tense, marks of time and the kind of answer; they know no topics. The present is asked for by words
//! ("currently", "most recent") or by the form, if the question is about the owner: the present tense and a value that
//! changes (quantity, place, time of day, yes or no, "my ..."), or a quantity or a yes or no in the past tense, because a
//! running count is a state too. Questions about the order of events, about spans between them, and about what an
//! assistant said ask for no state.

use super::words::tokens;

/// State of a changing fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedState {
    /// State after the last change.
    Present,
    /// State before a change.
    Earlier,
}

/// Expressions for the present.
const PRESENT: &[&str] = &[
    "currently",
    "current",
    "now",
    "nowadays",
    "presently",
    "latest",
    "newest",
    "still",
    "anymore",
    "any more",
    "these days",
    "at the moment",
    "at present",
    "so far",
    "to date",
    "most recent",
    "most recently",
    "last time",
];
/// Words for an earlier state, next to what they qualify.
const EARLIER: &[&str] = &[
    "previous",
    "previously",
    "former",
    "formerly",
    "original",
    "originally",
    "initial",
    "initially",
    "earlier",
    "prior",
];
/// Phrases for an earlier state.
const EARLIER_PHRASES: &[&str] = &[
    "at first",
    "back then",
    "back when",
    "to begin with",
    "when i first",
    "when i started",
    "when i began",
    "when we first",
    "when we started",
    "when we began",
];
/// Words after which an expression of [`EARLIER`] qualifies a conversation or a span of time, not a state.
const NOT_STATES: &[&str] = &[
    "conversation",
    "conversations",
    "chat",
    "chats",
    "discussion",
    "discussions",
    "talk",
    "session",
    "message",
    "messages",
    "question",
    "answer",
    "response",
    "thread",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "this",
    "today",
    "in",
    "on",
    "that",
];
/// Words before "used to" that make it "accustomed to".
const ACCUSTOMED: &[&str] =
    &["be", "am", "is", "are", "was", "were", "been", "get", "got", "getting", "gotten", "m", "re"];
/// Words of questions about the order of events and about the time since one.
const ORDER: &[&str] = &["order", "passed", "elapsed", "ago", "between"];
/// Words that relate events; with a duration they ask for a span.
const RELATIONS: &[&str] = &["before", "after", "when", "until", "till", "take"];
const UNITS: &[&str] =
    &["long", "day", "days", "week", "weeks", "month", "months", "year", "years", "hours", "minutes"];
/// Words after "how" that ask for a quantity.
const QUANTITIES: &[&str] = &[
    "many",
    "much",
    "often",
    "long",
    "far",
    "frequently",
    "regularly",
    "big",
    "old",
    "tall",
    "heavy",
    "close",
];
/// Words for the owner of the memories. Of other people, many of whose states are told only once, a state is asked for by
/// explicit words only.
const OWNER: &[&str] = &["i", "me", "my", "mine", "we", "us", "our", "user"];
/// Auxiliary verbs of the present; "don" and the like are what an apostrophe leaves.
const AUXILIARY_PRESENT: &[&str] = &[
    "do", "does", "am", "is", "are", "have", "has", "can", "don", "doesn", "isn", "aren", "haven", "hasn",
    "s", "re",
];
const AUXILIARY_PAST: &[&str] = &["did", "was", "were", "had", "didn", "wasn", "weren", "hadn"];
const AUXILIARY_OTHER: &[&str] = &["could", "would", "should", "will", "shall", "may", "might"];
/// Distance, in words, at which "you" before "earlier" makes it a question about what the assistant said.
const WORDS_AFTER_YOU: usize = 4;

/// The state that a query asks for. `names_time` is true if the query names a time: then only an explicit expression
/// counts, because the time is the stronger evidence. None if no state is asked for. Time is linear in the length of the
/// query.
pub fn asked_state(query: &str, names_time: bool) -> Option<AskedState> {
    let question = Question::of(query);
    if question.asks_for_order() || question.asks_the_assistant() {
        return None;
    }
    if question.is_about_an_earlier_state(names_time) {
        return Some(AskedState::Earlier);
    }
    let is_present = question.asks_for_the_present() || (!names_time && question.asks_for_a_changing_value());
    is_present.then_some(AskedState::Present)
}

/// Words of the last sentence with an auxiliary verb: what stands before it introduces the question.
struct Question {
    words: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tense {
    Present,
    Past,
    Other,
}

fn tense(word: &str) -> Option<Tense> {
    let is_in = |list: &[&str]| list.contains(&word);
    if is_in(AUXILIARY_PRESENT) {
        Some(Tense::Present)
    } else if is_in(AUXILIARY_PAST) {
        Some(Tense::Past)
    } else {
        is_in(AUXILIARY_OTHER).then_some(Tense::Other)
    }
}

impl Question {
    fn of(query: &str) -> Self {
        let words = |text: &str| tokens(text).into_iter().map(|token| token.text).collect::<Vec<String>>();
        let mut sentences = query.split_inclusive(['.', '?', '!']).map(words);
        let is_question = |words: &Vec<String>| words.iter().any(|word| tense(word).is_some());
        let last = sentences.rfind(is_question);
        Self { words: last.unwrap_or_else(|| words(query)) }
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    fn word_before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |before| self.word(before))
    }

    fn has_word(&self, among: &[&str]) -> bool {
        self.words.iter().any(|word| among.contains(&word.as_str()))
    }

    /// Place of a phrase.
    fn find(&self, phrase: &str) -> Option<usize> {
        let is_at =
            |at: &usize| phrase.split(' ').zip(*at..).all(|(wanted, place)| self.word(place) == wanted);
        (0..self.words.len()).find(is_at)
    }

    fn asks_for_the_present(&self) -> bool {
        let mut places = PRESENT.iter().filter_map(|phrase| self.find(phrase));
        places.any(|at| !self.follows_you(at))
    }

    fn has(&self, phrase: &str) -> bool {
        self.find(phrase).is_some()
    }

    /// True right after "you": "that you recommended earlier" qualifies what was said.
    fn follows_you(&self, at: usize) -> bool {
        (at.saturating_sub(WORDS_AFTER_YOU)..at).any(|place| self.word(place) == "you")
    }

    fn tense(&self) -> Option<Tense> {
        self.words.iter().find_map(|word| tense(word))
    }

    fn is_quantity(&self) -> bool {
        self.word(0) == "how" && QUANTITIES.contains(&self.word(1))
    }

    fn asks_for_order(&self) -> bool {
        let is_choice = self.has("or") && self.has_word(&["first", "last", "earlier", "later", "before"]);
        let is_duration =
            self.word(0) == "how" && (UNITS.contains(&self.word(1)) || UNITS.contains(&self.word(2)));
        self.has_word(ORDER) || is_choice || (is_duration && self.has_word(RELATIONS))
    }

    fn asks_the_assistant(&self) -> bool {
        self.has("remind") || self.has("can you") || self.has("could you") || self.has("do you")
    }

    fn is_about_an_earlier_state(&self, names_time: bool) -> bool {
        let phrases = EARLIER_PHRASES.iter().filter_map(|phrase| self.find(phrase));
        let words = (0..self.words.len()).filter(|at| self.is_earlier_at(*at, names_time));
        let Some(first) = phrases.chain(words).min() else { return false };
        // After "than" the earlier state is only compared with.
        self.find("than").is_none_or(|than| than > first)
    }

    fn is_earlier_at(&self, at: usize, names_time: bool) -> bool {
        let (word, next) = (self.word(at), self.word(at + 1));
        match word {
            "use" | "used" => next == "to" && !ACCUSTOMED.contains(&self.word_before(at)),
            "before" => {
                let is_span = UNITS.contains(&self.word_before(at));
                self.tense() == Some(Tense::Past) && !is_span && (next.is_empty() || !names_time)
            }
            _ => EARLIER.contains(&word) && !NOT_STATES.contains(&next) && !self.follows_you(at),
        }
    }

    /// True if the form of the question asks for a value of the owner that changes.
    fn asks_for_a_changing_value(&self) -> bool {
        if !self.has_word(OWNER) {
            return false;
        }
        let (first, second) = (self.word(0), self.word(1));
        let is_own = matches!(first, "what" | "who" | "which")
            && matches!(second, "is" | "are" | "s")
            && self.has_word(&["my", "our"]);
        match self.tense() {
            Some(Tense::Present) => {
                let is_time_of_day = first == "what" && second == "time";
                let is_closed = tense(first) == Some(Tense::Present);
                is_closed || is_own || is_time_of_day || first == "where" || self.is_quantity()
            }
            Some(Tense::Past) => first == "did" || self.is_quantity(),
            Some(Tense::Other) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_all(expected: Option<AskedState>, names_time: bool, queries: &[&str]) {
        for query in queries {
            assert_eq!(asked_state(query, names_time), expected, "{query}");
        }
    }

    #[test]
    fn words_for_the_present_ask_for_it() {
        let queries = [
            "What brand of tea do I currently drink?",
            "What is Anna's current job?",
            "Which editor does he use now?",
            "Which film did I see most recently?",
            "What did I pay on my most recent visit?",
            "Does Tom still live in Oslo?",
            "Which phone does she have these days?",
            "What is the latest version that I installed?",
            "Which gym was it the last time?",
            "Where do I currently keep my old bicycle?",
            "Which of these have I read so far?",
        ];
        assert_all(Some(AskedState::Present), false, &queries);
        assert_all(Some(AskedState::Present), true, &queries);
    }

    #[test]
    fn the_present_tense_and_a_changing_value_ask_for_the_present() {
        let queries = [
            "Where do I live?",
            "How many plants do I have?",
            "How often does my sister call?",
            "How long have I been learning Polish?",
            "How much do I pay for rent?",
            "What time do I get up on Sundays?",
            "Is my brother vegetarian?",
            "Have I paid the deposit?",
            "Do I run more often than I did previously?",
            "Am I a member of the library?",
            "What is my phone number?",
            "What's my shoe size?",
            "Who is our landlord?",
            "I met my dentist. How often do I see Dr. Brown?",
            "How many lessons did I take?",
            "Did I finish the book?",
            "How many stamps have I collected since I started collecting?",
        ];
        assert_all(Some(AskedState::Present), false, &queries);
        assert_all(None, true, &queries[..14]);
    }

    #[test]
    fn words_for_an_earlier_state_ask_for_it() {
        let queries = [
            "Where did I use to live?",
            "Where I used to work, what was the dress code?",
            "What was my previous job?",
            "What was my previous status before I got the current one?",
            "What did I originally pay for the car?",
            "How many guests did we initially invite?",
            "Who was my former manager?",
            "How many fish did I catch on the earlier trip?",
            "What was my weight when I started?",
            "Which plan did I have at first?",
            "Where did I live before I moved to Bergen?",
            "Where did she work before?",
            "What was the original name of our band?",
            "What colour were the walls back then?",
            "How many hours did I work prior to the promotion?",
        ];
        assert_all(Some(AskedState::Earlier), false, &queries);
    }

    #[test]
    fn order_spans_and_the_words_of_an_assistant_are_no_states() {
        let queries = [
            "Which did I buy first, the lamp or the desk?",
            "What is the order of my three trips?",
            "How many days ago did I plant the beans?",
            "How many weeks passed between the two matches?",
            "How many days before the wedding did I buy the suit?",
            "How long did it take to build the shed?",
            "How long had I been skiing when I broke my leg?",
            "I'm going back to our previous conversation about wine. Can you remind me of the grape?",
            "Can you suggest a film?",
            "What was the hostel that you recommended earlier?",
            "What was the hostel near the station that you recommended last time?",
            "What did we talk about in the previous chat?",
            "What did I buy in the previous month?",
            "Which degree did I take?",
            "What did Anna research?",
            "When did Tom meet Eva?",
            "What kind of music does she like?",
            "Any tips for a better sleep?",
            "Why was I late?",
            "How often does Anna travel?",
            "Who got used to the noise?",
            "",
            "?!",
            "before",
        ];
        assert_all(None, false, &queries);
    }

    #[test]
    fn before_a_named_time_is_a_time_and_not_a_state() {
        assert_all(None, true, &["What did I eat before 3 May?"]);
        assert_all(Some(AskedState::Earlier), true, &["What was my previous score in May?"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(query in "(\\PC| |before|used to|than|how many|did|\\.){0,40}", names_time: bool) {
            let _ = asked_state(&query, names_time);
        }
    }
}
