//! Contents of working memory, pure: what was read of a session → what is admitted within the budget, and the context block.

use std::collections::{HashMap, HashSet};

use super::admission::{Item, admit, recency};
use super::response::{OpenThread, RecalledEarlier, WorkingMemory};
use super::threads::{Said, open_threads};
use crate::domain::id::MemoryId;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::time::Timestamp;
use crate::domain::turn::Session;
use crate::recall::assemble::{Piece, assemble};
use crate::recall::response::Context;
use crate::recall::told::{Coverage, without_told};
use crate::recall::validity_note::Reader;
use crate::store::{RecallHit, RecallRecord};
use crate::text::count_tokens;

/// Maximum number of open threads that are returned.
pub const THREADS_AT_MOST: usize = 16;
/// Part of the budget that open threads may take: one of so many.
const THREADS_SHARE: u32 = 4;
/// Tokens of the frame of a line in the context block.
const LINE_TOKENS: u32 = 8;
/// Relevance of a turn without an open thread.
const TURN_RELEVANCE: f64 = 0.5;
/// Heading of the open threads.
const THREADS_HEADING: &str = "## Open threads\n";

/// Parts of a session that were read, as far as they are visible to the caller.
pub(super) struct Read {
    pub(super) session: Session,
    /// Newest turns, in the order of the session.
    pub(super) turns: Vec<Memory>,
    /// Recalls of the session, newest first.
    pub(super) recalls: Vec<RecallRecord>,
    /// Memories that the recalls returned, other than the turns above.
    pub(super) recalled: Vec<Memory>,
    pub(super) digest: Option<Memory>,
    /// Coverage of the digests among these memories.
    pub(super) coverage: Coverage,
}

/// Memories that the budget admits, best first, and digests that it admits but whose covered memories stand in the block.
struct Admitted {
    block: Vec<MemoryId>,
    told: HashSet<MemoryId>,
}

/// Working memory of a session within a budget.
pub(super) fn contents(read: Read, reader: &Reader, budget_tokens: u32) -> WorkingMemory {
    let threads = threads(&read.turns);
    let lines = thread_lines(&threads, reader, budget_tokens / THREADS_SHARE);
    let room = budget_tokens.saturating_sub(lines.tokens());
    let recalled = recalled(&read.recalls, read.recalled);
    let (turns, digest) = (&read.turns, read.digest);
    let items: Vec<Item> = digest
        .iter()
        .map(digest_item)
        .chain(turns.iter().enumerate().map(|(position, turn)| {
            let is_open = threads.iter().any(|thread| thread.memory == turn.id);
            turn_item(turn, turns.len() - 1 - position, is_open)
        }))
        .chain(recalled.iter().map(|one| one.item))
        .collect();
    let candidates = digest.iter().chain(turns).chain(recalled.iter().map(|one| &one.memory));
    let admitted = admitted(&items, &candidates.collect::<Vec<_>>(), &read.coverage, room);
    let is_in = |memory: &Memory| admitted.block.contains(&memory.id) || admitted.told.contains(&memory.id);
    let digest = digest.filter(is_in);
    let (turns, other_turns): (Vec<Memory>, Vec<Memory>) = read.turns.into_iter().partition(is_in);
    let (mut recalled, others): (Vec<Candidate>, Vec<Candidate>) =
        recalled.into_iter().partition(|one| is_in(&one.memory));
    recalled.sort_by(|one, other| {
        other.item.value().total_cmp(&one.item.value()).then(one.memory.id.cmp(&other.memory.id))
    });
    let mut context = {
        let by_id: HashMap<MemoryId, &Memory> = digest
            .iter()
            .chain(&turns)
            .chain(recalled.iter().map(|one| &one.memory))
            .map(|memory| (memory.id, memory))
            .collect();
        let ranked = admitted.block.iter().filter_map(|id| by_id.get(id));
        let pieces: Vec<Piece<'_>> = ranked
            .map(|memory| Piece { memory, best_span: None, is_dated: false, is_excerpt: false })
            .collect();
        assemble(&pieces, &[], reader, room)
    };
    let (turns_left_out, recalled_left_out) = (count(other_turns.len()), count(others.len()));
    context.left_out = context.left_out.saturating_add(turns_left_out).saturating_add(recalled_left_out);
    add_threads(&mut context, lines, budget_tokens);
    let recalled = recalled.into_iter().map(|one| RecalledEarlier {
        value: one.item.value(),
        memory: one.memory,
        recalled_at: one.recalled_at,
        recalls: one.recalls,
    });
    let recalled = recalled.collect();
    let session = read.session;
    WorkingMemory { session, turns, turns_left_out, recalled, recalled_left_out, threads, digest, context }
}

/// Admission of the items of these memories.
fn admitted(items: &[Item], candidates: &[&Memory], coverage: &Coverage, room: u32) -> Admitted {
    let build = |told: &HashSet<MemoryId>| {
        let items: Vec<Item> =
            items.iter().filter(|item| !told.contains(&MemoryId(item.id))).copied().collect();
        let positions = admit(&items, room).into_iter();
        let block = positions.filter_map(|position| Some(MemoryId(items.get(position)?.id))).collect();
        Admitted { block, told: told.clone() }
    };
    let memories_of = |admitted: &Admitted| {
        candidates.iter().copied().filter(|memory| admitted.block.contains(&memory.id)).collect()
    };
    without_told(coverage, build, memories_of)
}

/// Open threads, newest first.
fn threads(turns: &[Memory]) -> Vec<OpenThread> {
    let speakers: Vec<String> = turns.iter().map(speaker).collect();
    let said: Vec<Said<'_>> =
        turns.iter().zip(&speakers).map(|(turn, by)| Said { by, text: &turn.text }).collect();
    let threads = open_threads(&said).into_iter().rev().take(THREADS_AT_MOST).filter_map(|thread| {
        let turn = turns.get(thread.turn)?;
        Some(OpenThread {
            memory: turn.id,
            kind: thread.kind,
            said_by: speakers.get(thread.turn)?.clone(),
            said_at: turn.happened.at,
            text: thread.text,
        })
    });
    threads.collect()
}

/// Name of the speaker, else the role.
fn speaker(turn: &Memory) -> String {
    let role = turn.origin.as_ref().map_or("", |origin| origin.role.as_str());
    turn.author().map(Name::on_one_line).map_or_else(|| role.to_owned(), |author| author.to_string())
}

fn turn_item(turn: &Memory, turns_later: usize, is_open: bool) -> Item {
    Item {
        id: turn.id.0,
        relevance: if is_open { 1.0 } else { TURN_RELEVANCE },
        recency: recency(turns_later),
        importance: turn.strength.importance,
        tokens: turn.tokens.saturating_add(LINE_TOKENS),
    }
}

/// The digest stands for all that is older: it has the highest value.
fn digest_item(digest: &Memory) -> Item {
    let tokens = digest.tokens.saturating_add(LINE_TOKENS);
    Item { id: digest.id.0, relevance: 1.0, recency: 1.0, importance: 1.0, tokens }
}

/// Recalled memory as it competes.
struct Candidate {
    memory: Memory,
    item: Item,
    recalled_at: Timestamp,
    recalls: u32,
}

/// Recalled memories, each once: with its best relevance in any recall, as a share of the best score of that recall, and the
/// recency of the last recall that returned it.
fn recalled(recalls: &[RecallRecord], memories: Vec<Memory>) -> Vec<Candidate> {
    let mut found: HashMap<MemoryId, (f64, usize, Timestamp, u32)> = HashMap::new();
    for (recalls_later, recall) in recalls.iter().enumerate() {
        let best = recall.hits.iter().map(|hit| f64::from(hit.score)).fold(0.0_f64, f64::max);
        for RecallHit { memory, score, .. } in &recall.hits {
            let relevance = if best > 0.0 { (f64::from(*score) / best).clamp(0.0, 1.0) } else { 0.0 };
            let entry = found.entry(*memory).or_insert((relevance, recalls_later, recall.recalled_at, 0));
            entry.0 = entry.0.max(relevance);
            entry.3 = entry.3.saturating_add(1);
        }
    }
    let candidates = memories.into_iter().filter_map(|memory| {
        let (relevance, recalls_later, recalled_at, recalls) = found.get(&memory.id).copied()?;
        let item = Item {
            id: memory.id.0,
            relevance,
            recency: recency(recalls_later),
            importance: memory.strength.importance,
            tokens: memory.tokens.saturating_add(LINE_TOKENS),
        };
        Some(Candidate { memory, item, recalled_at, recalls })
    });
    candidates.collect()
}

/// Lines of open threads, newest first.
struct ThreadLines(Vec<String>);

impl ThreadLines {
    fn text(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("{THREADS_HEADING}{}", self.0.concat()) }
    }

    fn tokens(&self) -> u32 {
        count_tokens(&self.text())
    }
}

/// As many lines as fit into the budget.
fn thread_lines(threads: &[OpenThread], reader: &Reader, budget_tokens: u32) -> ThreadLines {
    let mut lines = ThreadLines(Vec::new());
    for thread in threads {
        let day = reader.zone.day_for_readers(thread.said_at);
        lines.0.push(format!("- {} by {}, {day}: {}\n", thread.kind.as_str(), thread.said_by, thread.text));
        if lines.tokens() > budget_tokens {
            lines.0.pop();
            break;
        }
    }
    lines
}

/// Adds the open threads below the block, the newest of them that fit.
fn add_threads(context: &mut Context, mut lines: ThreadLines, budget_tokens: u32) {
    while !lines.0.is_empty() {
        let gap = if context.text.is_empty() { "" } else { "\n" };
        let text = format!("{}{gap}{}", context.text, lines.text());
        let tokens = count_tokens(&text);
        if tokens <= budget_tokens {
            (context.text, context.tokens) = (text, tokens);
            return;
        }
        lines.0.pop();
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
