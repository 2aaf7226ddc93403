//! STEP 6 of recalling, pure: the block for a prompt.
//!
//! Memories are taken in the order of their rank while they fit the budget, then neighbouring turns while there is
//! room; the block itself is in the order of time, one line each, under a heading per day and session. Nothing in it
//! depends on the question, so the same memories give the same block, and a prompt cache can hit.

use std::collections::{HashMap, HashSet};

use super::request::Context;
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::turn::Role;
use crate::text::TokenCounter;

/// What may come into the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// The memory.
    pub(super) memory: &'a Memory,
    /// The bytes that matched best: what is shown of it if the whole does not fit.
    pub(super) best_span: Option<(u32, u32)>,
}

/// Lays out the block. `neighbours` are turns beside recalled ones, the most wanted first.
pub(super) fn assemble(recalled: &[Piece<'_>], neighbours: &[&Memory], budget_tokens: u32) -> Context {
    if budget_tokens == 0 {
        return Context::default();
    }
    let mut block = Block {
        lines: Vec::new(),
        seen: HashSet::new(),
        headings: HashSet::new(),
        speakers: HashMap::new(),
        tokens: 0,
        budget_tokens,
    };
    let mut left_out = 0;
    for piece in recalled {
        if !block.take(piece.memory, piece.memory.text.as_str()) && !block.take_part(piece) {
            left_out += 1;
        }
    }
    for neighbour in neighbours {
        block.take(neighbour, neighbour.text.as_str());
    }
    block.finish(left_out)
}

/// The dash before a line, its end, and what the first word may gain by standing after a blank.
const LINE_TOKENS: u32 = 4;
/// The colon after a speaker, and the same for the speaker.
const SPEAKER_TOKENS: u32 = 2;

/// Lines taken so far, in the order in which they were taken.
struct Block<'a> {
    lines: Vec<(&'a Memory, &'a str)>,
    seen: HashSet<(Option<&'a str>, &'a str)>,
    headings: HashSet<String>,
    speakers: HashMap<&'a str, u32>,
    tokens: u32,
    budget_tokens: u32,
}

impl<'a> Block<'a> {
    /// Takes a memory if it fits; true also if the block has the same words from the same mouth already.
    fn take(&mut self, memory: &'a Memory, text: &'a str) -> bool {
        let speaker = memory.origin.as_ref().map(|origin| speaker(origin.author.as_ref(), origin.role));
        if self.lines.iter().any(|(taken, _)| taken.id == memory.id) || self.seen.contains(&(speaker, text)) {
            return true;
        }
        let cost = self.cost(memory, text);
        if self.tokens.saturating_add(cost) > self.budget_tokens {
            return false;
        }
        self.tokens += cost;
        self.seen.insert((speaker, text));
        self.lines.push((memory, text));
        true
    }

    /// What a line takes at most, its heading included if it is the first under it. The tokens of the whole text are
    /// known since it was remembered; white space is folded in the line, which never makes more of them.
    fn cost(&mut self, memory: &'a Memory, text: &str) -> u32 {
        let words = if text.len() == memory.text.len() { memory.tokens } else { count(text) };
        let heading = heading(memory);
        let heading_cost = if self.headings.contains(&heading) { 0 } else { count(&heading) + 1 };
        self.headings.insert(heading);
        let speaker = memory.origin.as_ref().map_or(0, |origin| {
            let speaker = speaker(origin.author.as_ref(), origin.role);
            *self.speakers.entry(speaker).or_insert_with(|| count(speaker) + SPEAKER_TOKENS)
        });
        heading_cost.saturating_add(speaker).saturating_add(words).saturating_add(LINE_TOKENS)
    }

    /// Takes the part of a long memory that matched best.
    fn take_part(&mut self, piece: &Piece<'a>) -> bool {
        let part = piece.best_span.and_then(|(from, to)| piece.memory.text.get(from as usize..to as usize));
        match part {
            Some(part) if part.len() < piece.memory.text.len() => self.take(piece.memory, part.trim()),
            _ => false,
        }
    }

    /// Lays the lines out. The costs are bounds but not proofs: should the block be too long after all, the line that
    /// was taken last goes.
    fn finish(mut self, mut left_out: u32) -> Context {
        loop {
            let context = self.layout(left_out);
            if context.tokens <= self.budget_tokens || self.lines.pop().is_none() {
                return context;
            }
            left_out += 1;
        }
    }

    fn layout(&self, left_out: u32) -> Context {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(memory, _)| order(memory));
        let mut text = String::new();
        let mut last_heading = String::new();
        for (memory, part) in &lines {
            let heading = heading(memory);
            if heading != last_heading {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&heading);
                last_heading = heading;
            }
            text.push_str(&line(memory, part));
        }
        let tokens = count(&text);
        Context { text, tokens, memories: lines.iter().map(|(memory, _)| memory.id).collect(), left_out }
    }
}

/// By day and conversation, then by the turn's place; what is no turn by its moment.
fn order(memory: &Memory) -> (i64, u32, u32, i64, MemoryId) {
    let (session, seq) =
        memory.origin.as_ref().map_or((u32::MAX, u32::MAX), |origin| (origin.session_ordinal, origin.seq));
    (memory.happened.at.day(), session, seq, memory.happened.at.as_micros(), memory.id)
}

fn heading(memory: &Memory) -> String {
    let day = memory.happened.at.for_readers();
    let day = day.rsplit_once(' ').map_or(day.as_str(), |(day, _)| day);
    match &memory.origin {
        Some(origin) => format!("## {day}, session {}\n", origin.session_key),
        None => format!("## {day}\n"),
    }
}

/// One line a memory: line breaks inside a text become spaces, so that a text cannot pass for another line.
fn line(memory: &Memory, text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match &memory.origin {
        Some(origin) => format!("- {}: {text}\n", speaker(origin.author.as_ref(), origin.role)),
        None => format!("- {text}\n"),
    }
}

fn speaker(author: Option<&crate::domain::name::Name>, role: Role) -> &str {
    author.map_or(role.as_str(), |author| author.as_str())
}

fn count(text: &str) -> u32 {
    u32::try_from(TokenCounter.count(text)).unwrap_or(u32::MAX)
}
