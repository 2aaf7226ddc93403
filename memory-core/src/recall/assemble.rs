//! Assembly of the context block (step 6 of recall), pure.
//!
//! Memories are taken in rank order while they fit the budget, then adjacent turns while there is room. The block
//! itself is in chronological order: one line per memory, under one heading per day and session. Nothing in it depends
//! on the query but its valid time, which marks ended validity: for the same memories prompt caches hit.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::response::Context;
use super::validity_note::{Reader, note};
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::turn::Role;
use crate::text::{TokenCounter, has_single_blanks_only};

/// Candidate for the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// The memory.
    pub(crate) memory: &'a Memory,
    /// Best-matching span, shown alone if the whole text does not fit.
    pub(crate) best_span: Option<(u32, u32)>,
    /// True to show a date in its line in any case, because it contradicts another memory of the block.
    pub(crate) is_dated: bool,
    /// True if the text is an excerpt, of which only the span is shown.
    pub(crate) is_excerpt: bool,
}

/// Builds the block for a reader. `neighbours` are adjacent turns in order of priority.
pub(crate) fn assemble(
    recalled: &[Piece<'_>],
    neighbours: &[&Memory],
    reader: &Reader,
    budget_tokens: u32,
) -> Context {
    if budget_tokens == 0 {
        return Context::default();
    }
    let mut block = Block {
        lines: Vec::new(),
        seen: HashSet::new(),
        headings: HashSet::new(),
        speakers: HashMap::new(),
        tokens: 0,
        reader,
        budget_tokens,
    };
    let mut left_out = 0;
    for piece in recalled {
        let is_taken = !piece.is_excerpt && block.take(piece, piece.memory.text.as_str());
        if !is_taken && !block.take_part(piece) {
            left_out += 1;
        }
    }
    for neighbour in neighbours {
        let piece = Piece { memory: neighbour, best_span: None, is_dated: false, is_excerpt: false };
        block.take(&piece, neighbour.text.as_str());
    }
    block.finish(left_out)
}

/// Tokens of a line's dash and end, and of the first word's longer form after a blank.
const LINE_TOKENS: u32 = 4;
/// Tokens of the blank after a note on validity, and of the note's longer form after a blank.
const NOTE_TOKENS: u32 = 2;
/// Tokens of the colon after a speaker, and of the speaker's longer form after a blank.
const SPEAKER_TOKENS: u32 = 2;

/// Block under construction: the lines taken so far, in the order in which they were taken.
struct Block<'a> {
    lines: Vec<Line<'a>>,
    seen: HashSet<(Option<&'a str>, &'a str)>,
    headings: HashSet<Rc<str>>,
    speakers: HashMap<&'a str, u32>,
    tokens: u32,
    reader: &'a Reader,
    budget_tokens: u32,
}

/// Memory with its visible text, its heading, and the note on its validity.
#[derive(Clone)]
struct Line<'a> {
    memory: &'a Memory,
    text: &'a str,
    heading: Rc<str>,
    note: Rc<str>,
}

impl<'a> Block<'a> {
    /// Adds a memory if it fits. True also if the block already contains the memory, or the same text by the same
    /// speaker.
    fn take(&mut self, piece: &Piece<'a>, text: &'a str) -> bool {
        let memory = piece.memory;
        let speaker = memory.origin.as_ref().map(|origin| speaker(origin.author.as_ref(), origin.role));
        if self.lines.iter().any(|taken| taken.memory.id == memory.id) || self.seen.contains(&(speaker, text))
        {
            return true;
        }
        let heading: Rc<str> = heading(memory, self.reader).into();
        let note: Rc<str> = note(memory, self.reader, piece.is_dated).into();
        let cost = self.cost(memory, text, &heading).saturating_add(cost_of_note(&note));
        if self.tokens.saturating_add(cost) > self.budget_tokens {
            return false;
        }
        self.tokens += cost;
        self.headings.insert(heading.clone());
        self.seen.insert((speaker, text));
        self.lines.push(Line { memory, text, heading, note });
        true
    }

    /// Estimate from above of the tokens of a line, including its heading if the line is the first under it. The token count of
    /// the whole text is stored with the memory; folding of white space never increases it.
    fn cost(&mut self, memory: &'a Memory, text: &str, heading: &str) -> u32 {
        let words = if text.len() == memory.text.len() { memory.tokens } else { count(text) };
        let heading_cost = if self.headings.contains(heading) { 0 } else { count(heading) + 1 };
        let speaker = memory.origin.as_ref().map_or(0, |origin| {
            let speaker = speaker(origin.author.as_ref(), origin.role);
            *self.speakers.entry(speaker).or_insert_with(|| count(speaker) + SPEAKER_TOKENS)
        });
        heading_cost.saturating_add(speaker).saturating_add(words).saturating_add(LINE_TOKENS)
    }

    /// Adds only the best-matching span of a long memory.
    fn take_part(&mut self, piece: &Piece<'a>) -> bool {
        let part = piece.best_span.and_then(|(from, to)| piece.memory.text.get(from as usize..to as usize));
        match part {
            Some(part) if part.len() < piece.memory.text.len() => self.take(piece, part.trim()),
            _ => false,
        }
    }

    /// Lays the lines out. The costs are not proved bounds, so a block over the budget loses the line taken last until it fits.
    fn finish(mut self, mut left_out: u32) -> Context {
        loop {
            let context = self.layout(left_out);
            if context.tokens <= self.budget_tokens || self.lines.pop().is_none() {
                return context;
            }
            left_out += 1;
        }
    }

    /// The block as text. Tokens are counted line by line, and only the ends of a line are encoded, because a line
    /// break never shares a token with the text after it.
    fn layout(&self, left_out: u32) -> Context {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|line| order(line.memory, self.reader));
        let mut text = String::with_capacity(lines.iter().map(|line| line.text.len() + 64).sum());
        let (mut tokens, mut last_heading) = (0, None);
        for (at, line) in lines.iter().enumerate() {
            if last_heading != Some(&line.heading) {
                text.push_str(&line.heading);
                tokens += count(&line.heading);
                last_heading = Some(&line.heading);
            }
            let is_last_of_heading = lines.get(at + 1).is_some_and(|next| next.heading != line.heading);
            let end = if is_last_of_heading { "\n\n" } else { "\n" };
            tokens += push_line(&mut text, line, end);
        }
        Context { text, tokens, memories: lines.iter().map(|line| line.memory.id).collect(), left_out }
    }
}

/// Chronological sort key: day, session, turn; memories that are not turns by their time.
fn order(memory: &Memory, reader: &Reader) -> (i64, u32, u32, i64, MemoryId) {
    let (session, seq) =
        memory.origin.as_ref().map_or((u32::MAX, u32::MAX), |origin| (origin.session_ordinal, origin.seq));
    (reader.zone_of(memory).day(memory.happened.at), session, seq, memory.happened.at.as_micros(), memory.id)
}

fn heading(memory: &Memory, reader: &Reader) -> String {
    let day = reader.zone_of(memory).day_for_readers(memory.happened.at);
    match &memory.origin {
        Some(origin) => format!("## {day}, session {}\n", origin.session_key.on_one_line()),
        None => format!("## {day}\n"),
    }
}

/// Appends one line and returns its tokens. White space in the text is folded to single blanks, so that a text cannot
/// imitate another line.
fn push_line(to: &mut String, line: &Line<'_>, end: &str) -> u32 {
    let Line { memory, text: part, note, .. } = line;
    let note = if note.is_empty() { String::new() } else { format!("{note} ") };
    let before = match &memory.origin {
        Some(origin) => {
            let author = origin.author.as_ref().map(Name::on_one_line);
            format!("- {note}{}: ", author.as_deref().unwrap_or(origin.role.as_str()))
        }
        None => format!("- {note}"),
    };
    let is_whole = part.len() == memory.text.len();
    let start = to.len();
    to.push_str(&before);
    if is_whole && has_single_blanks_only(part) {
        to.push_str(part);
        to.push_str(end);
        let tokens = TokenCounter.count_between(&before, part, memory.tokens as usize, end);
        return u32::try_from(tokens).unwrap_or(u32::MAX);
    }
    for (at, word) in part.split_whitespace().enumerate() {
        if at > 0 {
            to.push(' ');
        }
        to.push_str(word);
    }
    to.push_str(end);
    count(&to[start..])
}

fn cost_of_note(note: &str) -> u32 {
    if note.is_empty() { 0 } else { count(note).saturating_add(NOTE_TOKENS) }
}

fn speaker(author: Option<&Name>, role: Role) -> &str {
    author.map_or(role.as_str(), |author| author.as_str())
}

fn count(text: &str) -> u32 {
    u32::try_from(TokenCounter.count(text)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::{SessionId, TurnId};
    use crate::domain::link::Link;
    use crate::domain::memory::{Happened, Kind, Origin, Strength, Visibility};
    use crate::domain::metadata::Metadata;
    use crate::domain::time::{Interval, Timestamp};
    use crate::domain::zone::Zone;

    const DAY_US: i64 = 86_400_000_000;
    const NOW: Timestamp = Timestamp::from_micros(1_683_500_000_000_000 + 2 * DAY_US);

    const UTC: Reader = Reader { valid_at: NOW, zone: Zone::UTC, granted: std::collections::BTreeMap::new() };

    fn fact(id: u128, day: i64, text: &str) -> Memory {
        let at = Timestamp::from_micros(1_683_500_000_000_000 + day * DAY_US);
        Memory {
            id: MemoryId(Uuid::from_u128(id)),
            version: 1,
            kind: Kind::Fact,
            text: text.to_owned(),
            tokens: count(text),
            agent: None,
            app: None,
            run: None,
            visibility: Visibility::Owner,
            subjects: Vec::new(),
            audience: Vec::new(),
            statement: None,
            tags: Vec::new(),
            links: Vec::new(),
            metadata: Metadata::default(),
            document: None,
            origin: None,
            derivation: None,
            happened: Happened { at, until: None, offset: None },
            recorded_at: at,
            created_at: at,
            valid: Interval::default(),
            expires_at: None,
            strength: Strength { importance: 0.5, strength: 1.0, refreshed_at: at },
        }
    }

    fn turn(id: u128, day: i64, (session, seq): (u32, u32), author: &str, text: &str) -> Memory {
        let origin = Origin {
            turn: TurnId(Uuid::from_u128(id)),
            session: SessionId(Uuid::from_u128(u128::from(session))),
            session_key: Name::new(&format!("s{session}")).unwrap(),
            session_ordinal: session,
            seq,
            role: Role::User,
            author: Some(Name::new(author).unwrap()),
            turn_key: None,
        };
        Memory { kind: Kind::Turn, origin: Some(origin), ..fact(id, day, text) }
    }

    fn pieces(memories: &[Memory]) -> Vec<Piece<'_>> {
        memories
            .iter()
            .map(|memory| Piece { memory, best_span: None, is_dated: false, is_excerpt: false })
            .collect()
    }

    #[test]
    fn lines_are_chronological_under_a_heading_per_day() {
        let memories = [
            turn(3, 1, (1, 0), "Bob", "Later, elsewhere"),
            turn(2, 0, (0, 1), "Bob", "An answer\nin  two lines"),
            turn(1, 0, (0, 0), "Ann", "A question?"),
            fact(4, 0, "What is no turn comes last"),
        ];
        let block = assemble(&pieces(&memories), &[], &UTC, 1_000);
        let expected = "## 2023-05-07 (Sun), session s0\n- Ann: A question?\n- Bob: An answer in two lines\n\n\
                        ## 2023-05-07 (Sun)\n- What is no turn comes last\n\n\
                        ## 2023-05-08 (Mon), session s1\n- Bob: Later, elsewhere\n";
        assert_eq!(block.text, expected);
        assert_eq!((block.tokens, block.left_out), (count(expected), 0));
    }

    #[test]
    fn the_same_text_by_the_same_speaker_appears_once() {
        let memories = [
            turn(1, 0, (0, 0), "Ann", "Good morning"),
            turn(2, 0, (0, 1), "Bob", "Good morning"),
            turn(3, 0, (0, 2), "Ann", "Good morning"),
        ];
        let block = assemble(&pieces(&memories), &[], &UTC, 1_000);
        assert_eq!(block.text.matches("Good morning").count(), 2);
        assert_eq!(block.left_out, 0);
    }

    #[test]
    fn a_text_that_does_not_fit_is_reduced_to_its_best_span() {
        let long = format!("{} The key is under the mat. {}", "before ".repeat(300), "after ".repeat(300));
        let start = u32::try_from(long.find("The key").unwrap()).unwrap();
        let memory = fact(1, 0, &long);
        let piece = Piece {
            memory: &memory,
            best_span: Some((start, start + 25)),
            is_dated: false,
            is_excerpt: false,
        };
        let block = assemble(&[piece], &[], &UTC, 40);
        assert!(block.text.ends_with("- The key is under the mat.\n"), "{}", block.text);
        assert_eq!(assemble(&[piece], &[], &UTC, 5).left_out, 1);
    }

    #[test]
    fn a_fact_is_shown_with_its_validity_and_both_sides_of_a_contradiction_with_their_dates() {
        let mut lived = fact(1, 0, "Ann lives in Porto");
        lived.valid = Interval { start: Some(NOW.plus_days(-90)), end: Some(NOW) };
        let superseded_by = Name::new(Link::SUPERSEDED_BY).unwrap();
        lived.links = vec![Link {
            to: MemoryId(Uuid::from_u128(2)),
            relation: superseded_by,
            weight: 1.0,
            reason: None,
        }];
        let mut lives = fact(2, 1, "Ann lives in Lisbon");
        lives.valid.start = Some(lives.happened.at);
        let (cat, dog) = (fact(3, 1, "Ann has a cat"), fact(4, 1, "Ann has a dog only"));
        let piece = |memory, is_dated| Piece { memory, best_span: None, is_dated, is_excerpt: false };
        let pieces = [piece(&lived, false), piece(&lives, false), piece(&cat, true), piece(&dog, true)];
        let block = assemble(&pieces, &[], &UTC, 1_000);
        let expected = "## 2023-05-07 (Sun)\n- (from 2023-02-08 until 2023-05-09, superseded) Ann lives in Porto\n\n\
                        ## 2023-05-08 (Mon)\n- Ann lives in Lisbon\n- (as of 2023-05-08) Ann has a cat\n\
                        - (as of 2023-05-08) Ann has a dog only\n";
        assert_eq!(block.text, expected);
        assert_eq!((block.tokens, block.left_out), (count(expected), 0));
    }

    fn any_memories() -> impl Strategy<Value = Vec<Memory>> {
        let words = proptest::collection::vec("[a-zA-Z0-9äß東,.!?\n ]{1,12}", 1..30);
        let validity = (proptest::option::of(-9_i64..4), proptest::option::of(0_i64..9));
        let one = (0_i64..4, 0_u32..3, 0_u32..40, words, any::<bool>(), validity);
        proptest::collection::vec(one, 1..25).prop_map(|all| {
            let memories = all.into_iter().zip(1_u128..);
            memories
                .map(|((day, session, seq, words, is_turn, (start, end)), id)| {
                    let text = words.join(" ");
                    let mut memory = if is_turn {
                        turn(id, day, (session, seq), "Ann", &text)
                    } else {
                        fact(id, day, &text)
                    };
                    let at = |day: i64| NOW.plus_days(day - 2);
                    memory.valid = Interval { start: start.map(at), end: end.map(at) };
                    memory
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_block_keeps_its_budget_and_its_token_count_is_exact(memories in any_memories(), budget_tokens in 0_u32..400) {
            let block = assemble(&pieces(&memories), &[], &UTC, budget_tokens);
            prop_assert_eq!(block.tokens, count(&block.text), "{:?}", block.text);
            prop_assert!(block.tokens <= budget_tokens);
            let shown: HashSet<_> = block.memories.iter().collect();
            prop_assert_eq!(shown.len(), block.memories.len(), "nothing twice");
        }

        #[test]
        fn the_block_does_not_depend_on_the_rank_of_the_memories(memories in any_memories(), turns in 0_usize..25) {
            let texts: HashSet<&str> = memories.iter().map(|memory| memory.text.as_str()).collect();
            prop_assume!(texts.len() == memories.len());
            let mut ranked_otherwise = memories.clone();
            ranked_otherwise.rotate_left(turns % memories.len());
            let one = assemble(&pieces(&memories), &[], &UTC, 100_000);
            let other = assemble(&pieces(&ranked_otherwise), &[], &UTC, 100_000);
            prop_assert_eq!(one, other);
        }
    }
}
