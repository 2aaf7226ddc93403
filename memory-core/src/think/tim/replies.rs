//! Replies of a language model to the prompts of forgetting and merging: JSON schemas, and parsers that accept a reply whole
//! or refuse it whole.
//!
//! A reply names thoughts by local handles, 1 to n in the order of the prompt, and lists edits. It never repeats the list,
//! because a model that omits or rewords a line of a list would delete or alter a memory. Invariants: no input makes a
//! parser panic, an accepted reply names shown thoughts only, and it never removes all of them. No detail of an error
//! contains text of the reply: it may be a memory's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

pub use crate::model::language_model::ask::BadReply;
use crate::text::entity_key;

/// Bytes of a reply at most.
pub const MAX_REPLY_BYTES: usize = 64 * 1_024;
/// Bytes of a merged text at most.
pub const MAX_MERGED_TEXT_BYTES: usize = 2_000;
/// Bytes of a head at most.
pub const MAX_HEAD_BYTES: usize = 256;

/// Reason to drop a thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Another thought says what cannot be true at the same time.
    Contradiction,
    /// Another thought shows that it never was true.
    Counterfactual,
}

/// A thought to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its handle.
    pub id: usize,
    /// The reason.
    pub reason: DropReason,
    /// Handle of the stored thought that speaks against it.
    pub against: usize,
}

/// An accepted reply to the prompt of forgetting. Every dropped thought leads, over `against`, to one that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgetReply {
    /// The thoughts to drop, each once.
    pub drops: Vec<Dropped>,
}

/// Thoughts to rewrite as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Their handles, at least two, ascending.
    pub ids: Vec<usize>,
    /// Head entity, with the key of one of theirs.
    pub head: String,
    /// The text that replaces theirs.
    pub text: String,
}

/// An accepted reply to the prompt of merging.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReply {
    /// The merges, which have no thought in common.
    pub merges: Vec<Merged>,
}

/// JSON schema of a reply to the prompt of forgetting.
pub fn forget_schema() -> Value {
    let drop = json!({
        "type": "object",
        "properties": {
            "id": { "type": "integer" },
            "reason": { "type": "string", "enum": ["contradiction", "counterfactual"] },
            "against": { "type": ["integer", "null"] },
        },
        "required": ["id", "reason", "against"],
        "additionalProperties": false,
    });
    list_schema("drop", &drop)
}

/// JSON schema of a reply to the prompt of merging.
pub fn merge_schema() -> Value {
    let merge = json!({
        "type": "object",
        "properties": {
            "ids": { "type": "array", "items": { "type": "integer" } },
            "head": { "type": "string" },
            "text": { "type": "string" },
        },
        "required": ["ids", "head", "text"],
        "additionalProperties": false,
    });
    list_schema("merges", &merge)
}

fn list_schema(name: &str, item: &Value) -> Value {
    json!({
        "type": "object",
        "properties": { name: { "type": "array", "items": item } },
        "required": [name],
        "additionalProperties": false,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawForget {
    drop: Vec<RawDrop>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDrop {
    id: u64,
    reason: DropReason,
    #[serde(default)]
    against: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMerges {
    merges: Vec<RawMerge>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMerge {
    ids: Vec<u64>,
    head: String,
    text: String,
}

/// Reads a reply to the prompt of forgetting over `shown` thoughts.
///
/// # Errors
/// [`BadReply`] with the code `too_long`, `not_json`, `wrong_shape`, `unknown_handle`, `repeated_handle`,
/// `against_missing` (a contradiction without the other thought), `counterfactual_without_evidence` (no stored thought
/// speaks against it), `against_itself`, `drops_all`, or `circular` (thoughts dropped against each other, so that none
/// of them would stay).
pub fn parse_forget(reply: &str, shown: usize) -> Result<ForgetReply, BadReply> {
    let raw: RawForget = read(reply)?;
    let mut against_of = BTreeMap::new();
    let mut drops = Vec::new();
    for RawDrop { id, reason, against } in raw.drop {
        let id = handle(id, shown)?;
        let Some(against) = against else {
            return Err(match reason {
                DropReason::Contradiction => bad("against_missing", format!("thought {id}")),
                DropReason::Counterfactual => bad("counterfactual_without_evidence", format!("thought {id}")),
            });
        };
        let against = handle(against, shown)?;
        if against == id {
            return Err(bad("against_itself", format!("thought {id}")));
        }
        if against_of.insert(id, against).is_some() {
            return Err(bad("repeated_handle", format!("thought {id}")));
        }
        drops.push(Dropped { id, reason, against });
    }
    if shown > 0 && drops.len() == shown {
        return Err(bad("drops_all", format!("all {shown} thoughts")));
    }
    refuse_circles(&against_of)?;
    Ok(ForgetReply { drops })
}

/// Follows each dropped thought to one that stays.
fn refuse_circles(against_of: &BTreeMap<usize, usize>) -> Result<(), BadReply> {
    for start in against_of.keys() {
        let (mut at, mut steps) = (*start, 0);
        while let Some(next) = against_of.get(&at) {
            at = *next;
            steps += 1;
            if steps > against_of.len() {
                return Err(bad("circular", format!("thought {start}")));
            }
        }
    }
    Ok(())
}

/// Reads a reply to the prompt of merging over thoughts with these heads, in the order of the prompt.
///
/// # Errors
/// [`BadReply`] with the code `too_long`, `not_json`, `wrong_shape`, `unknown_handle`, `repeated_handle` (within a merge),
/// `handle_in_two_merges`, `too_few` (fewer than two thoughts), `empty_text`, `text_too_long`, `control_character`,
/// `head_too_long`, or `foreign_head` (no merged thought is about that entity).
pub fn parse_merge(reply: &str, heads: &[&str]) -> Result<MergeReply, BadReply> {
    let raw: RawMerges = read(reply)?;
    let mut used = BTreeSet::new();
    let mut merges = Vec::new();
    for (RawMerge { ids: raw_ids, head, text }, number) in raw.merges.into_iter().zip(1..) {
        let place = || format!("merge {number}");
        let mut ids = BTreeSet::new();
        for raw_id in raw_ids {
            let id = handle(raw_id, heads.len())?;
            if !ids.insert(id) {
                return Err(bad("repeated_handle", format!("thought {id} in merge {number}")));
            }
            if !used.insert(id) {
                return Err(bad("handle_in_two_merges", format!("thought {id}")));
            }
        }
        if ids.len() < 2 {
            return Err(bad("too_few", place()));
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(bad("empty_text", place()));
        }
        if text.len() > MAX_MERGED_TEXT_BYTES {
            return Err(bad("text_too_long", format!("merge {number}: {} bytes", text.len())));
        }
        if text.chars().chain(head.chars()).any(char::is_control) {
            return Err(bad("control_character", place()));
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(bad("head_too_long", format!("merge {number}: {} bytes", head.len())));
        }
        let key = entity_key(&head);
        let has_key = |id: &usize| heads.get(id - 1).is_some_and(|head| entity_key(head) == key);
        if key.is_empty() || !ids.iter().any(has_key) {
            return Err(bad("foreign_head", place()));
        }
        let (head, text) = (head.trim().to_owned(), text.to_owned());
        merges.push(Merged { ids: Vec::from_iter(ids), head, text });
    }
    Ok(MergeReply { merges })
}

/// Reads JSON of the expected shape.
fn read<'a, T: Deserialize<'a>>(reply: &'a str) -> Result<T, BadReply> {
    if reply.len() > MAX_REPLY_BYTES {
        return Err(bad("too_long", format!("{} bytes", reply.len())));
    }
    serde_json::from_str(reply).map_err(|error| {
        let code = if error.is_data() { "wrong_shape" } else { "not_json" };
        bad(code, format!("line {}, column {}", error.line(), error.column()))
    })
}

fn handle(raw: u64, shown: usize) -> Result<usize, BadReply> {
    let handle = usize::try_from(raw).ok().filter(|handle| (1..=shown).contains(handle));
    handle.ok_or_else(|| bad("unknown_handle", format!("thought {raw} of {shown}")))
}

fn bad(code: &'static str, detail: String) -> BadReply {
    BadReply { code, detail }
}

#[cfg(test)]
mod tests;
