//! Division of a batch that the server refuses into what it may accept and what it does not.
//!
//! Invariant: the items keep their positions and keys, so a repeated import adds nothing twice, however it is divided.

use super::identity::digest;
use super::skipped::Skipped;
use super::{Batch, ImportItem};
use crate::wire::Problem;

/// Codes of problems that are faults of the data. All others are faults of the server, the caller or the connection.
const CODES_OF_DATA: [&str; 4] = ["invalid_request", "over_limit", "malformed_json", "body_too_large"];

/// Maximum length of a key in a report, in characters.
const MAX_KEY_CHARS: usize = 60;

/// Parts of a refused batch.
pub(super) struct Divided {
    /// Smaller batches, in order.
    pub(super) rest: Vec<ImportItem>,
    /// Part that is left out.
    pub(super) skipped: Option<Skipped>,
}

/// True if the data of the request are at fault.
pub(super) fn is_about_data(problem: &Problem) -> bool {
    CODES_OF_DATA.contains(&problem.code.as_str())
}

/// Divides a batch: the item that the problem names is left out; else the batch is halved, down to single items.
pub(super) fn divided(item: ImportItem, problem: &Problem) -> Divided {
    let field = problem.field.as_deref().unwrap_or_default();
    let count = item.batch.len();
    if let Some(index) = index_of(field).filter(|index| *index < count) {
        let skipped = refused(&item, problem, 1);
        let rest = part(&item, |at| at != index);
        return Divided { rest: Vec::from_iter(rest), skipped: Some(skipped) };
    }
    let is_of_all = ["scope", "session", "visibility"].into_iter().any(|name| field.starts_with(name));
    if is_of_all || count <= 1 {
        return Divided { rest: Vec::new(), skipped: Some(refused(&item, problem, count as u64)) };
    }
    let halves = [part(&item, |at| at < count / 2), part(&item, |at| at >= count / 2)];
    Divided { rest: halves.into_iter().flatten().collect(), skipped: None }
}

/// Report of items that the server refuses.
pub(super) fn refused(item: &ImportItem, problem: &Problem, count: u64) -> Skipped {
    let location = item.location.at(problem.field.clone().unwrap_or_default());
    let reason = format!("the server refuses it: {}", problem.detail);
    Skipped { count, ..Skipped::new(location, &reason) }
}

/// Report of an item whose key belongs to another one in the store.
pub(super) fn conflicting(item: &ImportItem, index: usize) -> Skipped {
    let location = item.locations.get(index).unwrap_or(&item.location).clone();
    let key = match &item.batch {
        Batch::Turns(batch) => batch.turns.get(index).and_then(|turn| turn.key.clone()),
        Batch::Memories(batch) => batch.memories.get(index).and_then(|memory| memory.key.clone()),
    };
    let key = key.map(|key| format!(" under its key `{}`", shortened(&key))).unwrap_or_default();
    Skipped::new(location, &format!("the store has another content{key}, which stays as it is"))
}

/// Beginning of a key.
fn shortened(key: &str) -> String {
    key.chars().take(MAX_KEY_CHARS).collect()
}

/// Position of the item in a field such as `turns[3].said_at`.
fn index_of(field: &str) -> Option<usize> {
    let rest = field.strip_prefix("turns[").or_else(|| field.strip_prefix("memories["))?;
    rest.split(']').next()?.parse().ok()
}

/// Items at the kept positions; none if there are none.
fn part(item: &ImportItem, keep: impl Fn(usize) -> bool) -> Option<ImportItem> {
    fn kept<T: Clone>(list: &[T], keep: &impl Fn(usize) -> bool) -> Vec<T> {
        list.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, element)| element.clone()).collect()
    }
    let mut batch = item.batch.clone();
    let digest = match &mut batch {
        Batch::Turns(turns) => {
            turns.turns = kept(&turns.turns, &keep);
            digest(&item.key, turns)
        }
        Batch::Memories(memories) => {
            memories.memories = kept(&memories.memories, &keep);
            digest(&item.key, memories)
        }
    };
    let edits = item.edits.iter().filter(|edit| keep(edit.index)).map(|edit| super::Edit {
        index: (0..edit.index).filter(|at| keep(*at)).count(),
        edit: edit.edit.clone(),
    });
    (!batch.is_empty()).then(|| ImportItem {
        key: format!("import-{digest}"),
        location: item.location.clone(),
        locations: kept(&item.locations, &keep),
        old_turn_ids: kept(&item.old_turn_ids, &keep),
        old_memory_ids: kept(&item.old_memory_ids, &keep),
        edits: edits.collect(),
        batch,
    })
}
