//! Organising a group of thoughts: the input of the two prompts, and the edits that accepted replies stand for.
//!
//! The paper has the model return the surviving or rewritten list; here it returns edits over local handles
//! ([`super::replies`]). Under [`Profile::Corrected`] forgetting ends the validity of the older of two contradicting
//! thoughts, since both were true of their times, and never deletes. Invariant: edits name thoughts of the group only, and
//! at least one thought of the group stays in force.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::profile::Profile;
use super::replies::{
    BadReply, DropReason, MAX_HEAD_BYTES, MAX_MERGED_TEXT_BYTES, parse_forget, parse_merge,
};
use crate::domain::id::MemoryId;
use crate::domain::time::Timestamp;
use crate::domain::turn::Role;
use crate::domain::zone::Zone;
use crate::text::TokenCounter;

/// Instructions of the call that finds contradictions.
pub const FORGET_PROMPT: &str = include_str!("prompts/forget.v1.md");
/// Name and version of [`FORGET_PROMPT`], for the derivation of what is made with it.
pub const FORGET_PROMPT_VERSION: &str = "tim/forget.v1";
/// Instructions of the call that merges.
pub const MERGE_PROMPT: &str = include_str!("prompts/merge.v1.md");
/// Name and version of [`MERGE_PROMPT`], for the derivation of what is made with it.
pub const MERGE_PROMPT_VERSION: &str = "tim/merge.v1";

/// Tokens of the input of a prompt, in the usual setting and at most.
pub const DEFAULT_INPUT_TOKENS: usize = 2_000;
/// See [`DEFAULT_INPUT_TOKENS`].
pub const MAX_INPUT_TOKENS: usize = 16_000;

/// A thought of a group, with what a prompt shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The memory.
    pub memory: MemoryId,
    /// Its sentence. One above [`MAX_MERGED_TEXT_BYTES`] is not shown.
    pub text: String,
    /// Its head entity, as written. One above [`MAX_HEAD_BYTES`] is not shown.
    pub head: String,
    /// Role of the author: what an agent said about the user weighs less than what the user said.
    pub author: Role,
    /// Time that it speaks of.
    pub happened_at: Timestamp,
    /// Zone of the day that a prompt shows of it.
    pub zone: Zone,
    /// Time of recording.
    pub recorded_at: Timestamp,
}

/// A change of one or more thoughts, to be committed with all others of a reply or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThoughtEdit {
    /// The validity of `old` ends where `new` begins; both stay readable.
    Supersede {
        /// The older thought.
        old: MemoryId,
        /// The newer thought, which is in force.
        new: MemoryId,
    },
    /// The thought is excluded from recall, in a version that can be undone. [`Profile::Paper`] only.
    Drop {
        /// The thought.
        memory: MemoryId,
        /// The model's reason.
        reason: DropReason,
        /// The stored thought that speaks against it.
        against: MemoryId,
    },
    /// One new thought takes the place of several, which stay as its sources.
    Merge {
        /// The sources, in the order of the group: all are evidence of the new thought.
        ids: Vec<MemoryId>,
        /// Its head entity.
        head: String,
        /// Its text.
        text: String,
        /// The times that the sources speak of, ascending, each once.
        happened: Vec<Timestamp>,
    },
}

/// A group as a prompt shows it. The handle of a thought is its place among the shown ones, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    members: Vec<Member>,
    input: String,
}

impl Shown {
    /// Shows the members of a group, given oldest first, in at most `budget_tokens` (at most [`MAX_INPUT_TOKENS`]). Over the
    /// budget the oldest are left out. Texts are shown whole or not at all, because a model that saw a part would merge
    /// a part. `None` if fewer than two are left: there is nothing to organise.
    pub fn new(members: &[Member], budget_tokens: usize) -> Option<Self> {
        let budget_tokens = budget_tokens.min(MAX_INPUT_TOKENS);
        let is_shown = |member: &&Member| {
            member.text.len() <= MAX_MERGED_TEXT_BYTES && member.head.len() <= MAX_HEAD_BYTES
        };
        // Tokens of a line whose number has as many digits as any.
        let tokens = |member: &Member| TokenCounter.count(&line(MAX_NUMBER, member));
        let mut left = budget_tokens.saturating_sub(TokenCounter.count(&input_of(&[])));
        let mut kept: Vec<&Member> = Vec::new();
        for member in members.iter().filter(is_shown).rev() {
            match left.checked_sub(tokens(member)) {
                Some(rest) if kept.len() < MAX_NUMBER => left = rest,
                _ => break,
            }
            kept.push(member);
        }
        kept.reverse();
        let members: Vec<Member> = kept.into_iter().cloned().collect();
        let input = input_of(&members);
        (members.len() >= 2).then_some(Self { members, input })
    }

    /// The input of both prompts: the numbered thoughts, as data.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The shown thoughts, in the order of their handles.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The edits of a reply to [`FORGET_PROMPT`].
    ///
    /// # Errors
    /// Those of [`parse_forget`].
    pub fn forget(&self, profile: Profile, reply: &str) -> Result<Vec<ThoughtEdit>, BadReply> {
        let accepted = parse_forget(reply, self.members.len())?;
        let drops = accepted
            .drops
            .iter()
            .filter_map(|drop| Some((drop.reason, self.member(drop.id)?, self.member(drop.against)?)));
        Ok(match profile {
            Profile::Paper => drops
                .map(|(reason, dropped, against)| ThoughtEdit::Drop {
                    memory: dropped.memory,
                    reason,
                    against: against.memory,
                })
                .collect(),
            // A thought that the model holds for false without a contradiction stays: people's true but unusual statements.
            Profile::Corrected => superseded(
                drops
                    .filter(|(reason, ..)| *reason == DropReason::Contradiction)
                    .map(|(_, one, other)| [one, other]),
            ),
        })
    }

    /// The edits of a reply to [`MERGE_PROMPT`].
    ///
    /// # Errors
    /// Those of [`parse_merge`].
    pub fn merge(&self, reply: &str) -> Result<Vec<ThoughtEdit>, BadReply> {
        let heads: Vec<&str> = self.members.iter().map(|member| member.head.as_str()).collect();
        let accepted = parse_merge(reply, &heads)?;
        let merges = accepted.merges.into_iter().map(|merge| {
            let sources: Vec<&Member> = merge.ids.iter().filter_map(|id| self.member(*id)).collect();
            let mut happened: Vec<Timestamp> = sources.iter().map(|source| source.happened_at).collect();
            happened.sort_unstable();
            happened.dedup();
            let ids = sources.iter().map(|source| source.memory).collect();
            ThoughtEdit::Merge { ids, head: merge.head, text: merge.text, happened }
        });
        Ok(merges.collect())
    }

    /// The shown thoughts that stay in force after edits, for the prompt of merging that follows one of forgetting.
    pub fn in_force_after(&self, edits: &[ThoughtEdit]) -> Vec<Member> {
        let is_ended = |member: &Member| {
            edits.iter().any(|edit| match edit {
                ThoughtEdit::Supersede { old, .. } => *old == member.memory,
                ThoughtEdit::Drop { memory, .. } => *memory == member.memory,
                ThoughtEdit::Merge { ids, .. } => ids.contains(&member.memory),
            })
        };
        self.members.iter().filter(|member| !is_ended(member)).cloned().collect()
    }

    fn member(&self, handle: usize) -> Option<&Member> {
        self.members.get(handle.checked_sub(1)?)
    }
}

/// The older of each pair is superseded by the newer, whichever of them the model named. A thought is superseded once: by
/// the earliest that contradicts it, where its validity ended. Edits lead from older to newer thoughts, so that the newest
/// stays in force.
fn superseded<'a>(pairs: impl Iterator<Item = [&'a Member; 2]>) -> Vec<ThoughtEdit> {
    let age = |member: &Member| (member.happened_at, member.recorded_at, member.memory);
    let mut newer_of = BTreeMap::new();
    for mut pair in pairs {
        pair.sort_by_key(|member| age(member));
        let [old, new] = pair.map(age);
        let earliest = newer_of.entry(old).or_insert(new);
        *earliest = new.min(*earliest);
    }
    newer_of.into_iter().map(|((.., old), (.., new))| ThoughtEdit::Supersede { old, new }).collect()
}

/// Largest handle: that of the largest group, with room.
const MAX_NUMBER: usize = 999;

fn input_of(members: &[Member]) -> String {
    let mut input = String::from("<thoughts>\n");
    for (member, number) in members.iter().zip(1..) {
        input.push_str(&line(number, member));
    }
    input.push_str("</thoughts>\n");
    input
}

/// A thought on one line. Texts are JSON strings without `<`, so that none can end its line or the list.
fn line(number: usize, member: &Member) -> String {
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        line,
        "{number}. {} | {} | {} | {}",
        member.zone.for_readers(member.happened_at),
        member.author.as_str(),
        quoted(&member.head),
        quoted(&member.text),
    );
    line
}

fn quoted(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let escape = |letter: char| match letter {
        '<' => "\\u003c".to_owned(),
        // Line breaks that JSON leaves as they are.
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    quoted.chars().map(escape).collect()
}

#[cfg(test)]
mod tests;
