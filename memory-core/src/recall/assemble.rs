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

/// Block with what a choice of digests needs to know of it.
#[derive(Debug, Default)]
pub(super) struct Assembled {
    pub(super) context: Context,
    /// Memories that did not fit.
    pub(super) left_out: Vec<MemoryId>,
    /// Tokens of the recalled memories in the block, estimated from above.
    pub(super) ranked_tokens: u32,
}

/// Builds the block for a reader. `neighbours` are adjacent turns in order of priority.
pub(crate) fn assemble(
    recalled: &[Piece<'_>],
    neighbours: &[&Memory],
    reader: &Reader,
    budget_tokens: u32,
) -> Context {
    assembled(recalled, neighbours, reader, budget_tokens).context
}

/// The same, with the memories that did not fit.
pub(super) fn assembled(
    recalled: &[Piece<'_>],
    neighbours: &[&Memory],
    reader: &Reader,
    budget_tokens: u32,
) -> Assembled {
    if budget_tokens == 0 {
        return Assembled::default();
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
    let mut left_out = Vec::new();
    for piece in recalled {
        let is_taken = !piece.is_excerpt && block.take(piece, piece.memory.text.as_str());
        if !is_taken && !block.take_part(piece) {
            left_out.push(piece.memory.id);
        }
    }
    let ranked_tokens = block.tokens;
    for neighbour in neighbours {
        let piece = Piece { memory: neighbour, best_span: None, is_dated: false, is_excerpt: false };
        block.take(&piece, neighbour.text.as_str());
    }
    let context = block.finish(&mut left_out);
    Assembled { context, left_out, ranked_tokens }
}

/// Tokens of a line's dash and end, and of the first word's longer form after a blank.
pub(super) const LINE_TOKENS: u32 = 4;
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
    fn finish(mut self, left_out: &mut Vec<MemoryId>) -> Context {
        loop {
            let context = self.layout(u32::try_from(left_out.len()).unwrap_or(u32::MAX));
            if context.tokens <= self.budget_tokens {
                return context;
            }
            let Some(line) = self.lines.pop() else { return context };
            left_out.push(line.memory.id);
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
        let memories = lines.iter().map(|line| line.memory.id).collect();
        Context { text, tokens, memories, left_out, replaced: Vec::new() }
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
mod tests;
