//! Open threads of a session, pure: questions that nothing answers yet, and promises and requests that are still open. English
//! first; a question mark counts in every language.
//!
//! Rules, in the order of turns:
//! - A turn opens at most one thread of each kind, by its last sentence of that kind.
//! - A question is answered by the next turn of the other side if that says something besides a question: at least
//!   [`REPLY_WORDS`] words, or a short answer such as `yes`; or by any later turn of the other side with a statement that has
//!   [`SHARED_WORDS`] content words of the question (all of them, if it has fewer).
//! - A promise is kept by a later turn of the one who made it, and a request by a later turn of the other side, if that says
//!   that something is done and shares a content word. Either side cancels it in the same way.

use std::collections::BTreeSet;

use crate::text::sentences;

/// Number of words from which the next turn of the other side counts as a reply.
const REPLY_WORDS: usize = 4;
/// Number of shared content words by which a later statement answers a question.
const SHARED_WORDS: usize = 2;
/// Maximum length of the text of a thread, in bytes.
const THREAD_BYTES_AT_MOST: usize = 240;
/// Shortest content word, in letters.
const CONTENT_LETTERS: usize = 3;

/// Words that carry no content in a question or a promise.
const EMPTY_WORDS: &[&str] = &[
    "about", "again", "also", "and", "any", "are", "been", "but", "can", "could", "did", "does", "doing",
    "don", "for", "from", "get", "going", "got", "had", "has", "have", "her", "here", "him", "his", "how",
    "into", "its", "just", "know", "let", "like", "may", "might", "more", "much", "need", "not", "now",
    "one", "our", "out", "please", "remind", "shall", "she", "should", "some", "tell", "than", "that", "the",
    "their", "them", "then", "there", "they", "this", "too", "very", "want", "was", "well", "were", "what",
    "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "yours",
];
/// First words of short answers.
const SHORT_ANSWERS: &[&str] = &[
    "absolutely",
    "certainly",
    "correct",
    "definitely",
    "exactly",
    "indeed",
    "nah",
    "never",
    "no",
    "none",
    "nope",
    "nothing",
    "of",
    "ok",
    "okay",
    "right",
    "sure",
    "true",
    "wrong",
    "yeah",
    "yep",
    "yes",
    "yup",
];
/// Beginnings and parts of sentences that promise something.
const PROMISES: &[&str] = &[
    "i'll ",
    "i will ",
    "i'm going to ",
    "i am going to ",
    "i promise",
    "we'll ",
    "we will ",
    "i plan to ",
    "i'm planning to ",
    "i intend to ",
    "i have to ",
    "i need to ",
    "i must ",
];
/// Beginnings of promises that promise nothing.
const IDLE_PROMISES: &[&str] =
    &["i'll be honest", "i'll say", "i'll admit", "i will say", "i will admit", "if i "];
/// Parts of sentences that ask for something to be done later.
const REQUESTS: &[&str] = &[
    "remind me",
    "let me know",
    "don't forget",
    "do not forget",
    "get back to me",
    "please send",
    "please check",
    "please look",
    "please find",
    "keep me posted",
    "follow up",
];
/// Words by which something is said to be done.
const DONE: &[&str] = &[
    "done",
    "finished",
    "sent",
    "booked",
    "bought",
    "called",
    "paid",
    "fixed",
    "completed",
    "ordered",
    "submitted",
    "attached",
    "here's",
    "checked",
    "found",
    "i've",
    "did",
    "reminder",
];
/// Parts of sentences by which something is given up.
const CANCELLED: &[&str] =
    &["never mind", "nevermind", "no longer", "cancel", "forget about", "not necessary", "changed my mind"];

/// Kind of an open thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThreadKind {
    /// Question without an answer.
    Question,
    /// Something that its speaker will do.
    Promise,
    /// Something that the other side is asked to do.
    Request,
}

impl ThreadKind {
    /// Name on the wire and in the context block.
    pub const fn as_str(self) -> &'static str {
        match self {
            ThreadKind::Question => "question",
            ThreadKind::Promise => "promise",
            ThreadKind::Request => "request",
        }
    }
}

/// Turn as the rules read it.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Speaker: a name, or a role.
    pub by: &'a str,
    /// Text.
    pub text: &'a str,
}

/// Open thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Position of its turn.
    pub turn: usize,
    /// Kind.
    pub kind: ThreadKind,
    /// Sentence, on one line, cut to 240 bytes.
    pub text: String,
}

/// Threads that are open after the last of these turns, oldest first.
pub fn open_threads(turns: &[Said<'_>]) -> Vec<Thread> {
    let read: Vec<Turn<'_>> = turns.iter().map(Turn::read).collect();
    let mut open = Vec::new();
    for (position, turn) in read.iter().enumerate() {
        let later = read.get(position + 1..).unwrap_or_default();
        for (kind, sentence) in turn.threads() {
            let words = content_words(sentence);
            let is_closed = match kind {
                ThreadKind::Question => is_answered(turn.by, &words, later),
                ThreadKind::Promise | ThreadKind::Request => is_settled(kind, turn.by, &words, later),
            };
            if !is_closed {
                open.push(Thread { turn: position, kind, text: shown(sentence) });
            }
        }
    }
    open
}

/// Turn by its sentences.
struct Turn<'a> {
    by: &'a str,
    sentences: Vec<&'a str>,
}

impl<'a> Turn<'a> {
    fn read(said: &Said<'a>) -> Self {
        let spans = sentences(said.text).into_iter();
        Self { by: said.by, sentences: spans.filter_map(|span| said.text.get(span)).collect() }
    }

    /// The last sentence of each kind, in the order of kinds.
    fn threads(&self) -> Vec<(ThreadKind, &'a str)> {
        let kinds = [ThreadKind::Question, ThreadKind::Promise, ThreadKind::Request];
        let last = |kind| self.sentences.iter().rev().find(|sentence| kind_of(sentence) == Some(kind));
        kinds.into_iter().filter_map(|kind| Some((kind, *last(kind)?))).collect()
    }

    /// Sentences that are no questions.
    fn statements(&self) -> impl Iterator<Item = &'a str> {
        self.sentences.iter().copied().filter(|sentence| !is_question(sentence))
    }
}

/// Kind of the thread that a sentence opens.
fn kind_of(sentence: &str) -> Option<ThreadKind> {
    let lower = lower(sentence);
    if REQUESTS.iter().any(|part| lower.contains(part)) {
        return Some(ThreadKind::Request);
    }
    if is_question(sentence) {
        return Some(ThreadKind::Question).filter(|_| !content_words(sentence).is_empty());
    }
    let begins = |part: &str| lower.starts_with(part) || lower.contains(&format!(" {part}"));
    let is_idle = IDLE_PROMISES.iter().any(|part| lower.contains(part));
    (!is_idle && PROMISES.iter().any(|part| begins(part))).then_some(ThreadKind::Promise)
}

fn is_question(sentence: &str) -> bool {
    let end = sentence.trim_end_matches(|letter: char| !letter.is_alphanumeric() && !is_mark(letter));
    end.ends_with(is_mark)
}

/// Question marks: Latin, full width, Arabic, Greek.
fn is_mark(letter: char) -> bool {
    matches!(letter, '?' | '？' | '؟' | '\u{37e}')
}

fn is_answered(by: &str, words: &BTreeSet<String>, later: &[Turn<'_>]) -> bool {
    let wanted = SHARED_WORDS.min(words.len()).max(1);
    let mut others = later.iter().filter(|turn| turn.by != by);
    let is_reply = |turn: &Turn<'_>| {
        let said: usize = turn.statements().map(|sentence| all_words(sentence).count()).sum();
        let first = turn.sentences.first().and_then(|sentence| all_words(sentence).next());
        said >= REPLY_WORDS || first.is_some_and(|first| SHORT_ANSWERS.contains(&first.as_str()))
    };
    let Some(next) = others.next() else { return false };
    let is_shared = |turn: &Turn<'_>| {
        turn.statements().any(|sentence| content_words(sentence).intersection(words).count() >= wanted)
    };
    is_reply(next) || is_shared(next) || others.any(is_shared)
}

fn is_settled(kind: ThreadKind, by: &str, words: &BTreeSet<String>, later: &[Turn<'_>]) -> bool {
    later.iter().any(|turn| {
        turn.statements().any(|sentence| {
            let lower = lower(sentence);
            let shares = || content_words(sentence).intersection(words).next().is_some();
            let may_settle = (turn.by == by) == (kind == ThreadKind::Promise);
            let is_done = || all_words(sentence).any(|word| DONE.contains(&word.as_str()));
            // A repetition of the promise keeps nothing.
            let is_again = || kind_of(sentence).is_some();
            let is_cancelled = CANCELLED.iter().any(|part| lower.contains(part));
            (is_cancelled || may_settle && is_done() && !is_again()) && shares()
        })
    })
}

/// Lower case, with one form of the apostrophe.
fn lower(text: &str) -> String {
    text.to_lowercase().replace(['’', '‘'], "'")
}

fn all_words(text: &str) -> impl Iterator<Item = String> {
    let lower = lower(text);
    let words: Vec<String> = lower
        .split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .map(|word| word.trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    words.into_iter()
}

/// Words of a sentence that say what it is about, by their first letters, so that `meeting` and `meet` are the same.
fn content_words(text: &str) -> BTreeSet<String> {
    let words = all_words(text).map(|word| word.split('\'').next().unwrap_or_default().to_owned());
    let content =
        words.filter(|word| word.chars().count() >= CONTENT_LETTERS && !EMPTY_WORDS.contains(&word.as_str()));
    content.map(|word| stem(&word)).collect()
}

/// The word without a common English ending.
fn stem(word: &str) -> String {
    let endings = ["ing", "ed", "es", "s"];
    let cut = endings.iter().find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.len() >= 4));
    cut.unwrap_or(word).to_owned()
}

fn shown(sentence: &str) -> String {
    let one_line = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.get(..one_line.floor_char_boundary(THREAD_BYTES_AT_MOST)).unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "threads_tests.rs"]
mod tests;
