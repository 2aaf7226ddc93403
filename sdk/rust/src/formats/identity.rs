//! Identity of imported items, by which a server recognises them when a file is imported again: a key of their own, or for
//! a turn without one its position in its conversation.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::wire::{NewMemory, NewTurn, Scope, Visibility};

/// Scope, session and visibility of a batch of turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) scope: Scope,
    pub(super) session: Option<String>,
    pub(super) visibility: Option<Visibility>,
}

/// Maximum number of conversations of one file whose turns are counted, of about 50 bytes each. Turns without a key of
/// further conversations have no identity; only the idempotency keys of their batches keep them from being added twice.
const MAX_CONVERSATIONS: usize = 1 << 20;

/// Maximum number of keys of one conversation that are compared; of further ones, the server refuses those that are taken.
const MAX_KEYS: usize = 1 << 20;

/// Counter of the turns of each conversation of a file.
#[derive(Debug, Default)]
pub(super) struct Positions {
    next: HashMap<String, u32>,
    /// Conversation of the latest turn, and the keys in it.
    latest: (String, HashSet<String>),
    /// Number of unreadable turns before the first one that can be read.
    passed: u32,
}

impl Positions {
    /// Gives a turn its position in its conversation, unless its format has given it one. Blank turns count too, so that
    /// a position depends only on the file. A key that an earlier turn of the conversation has is none, and is removed.
    pub(super) fn give(&mut self, conversation: &Conversation, turn: &mut NewTurn) {
        let name = self.begin(conversation);
        let keys = &mut self.latest.1;
        turn.key = turn.key.take().filter(|key| keys.len() >= MAX_KEYS || keys.insert(key.clone()));
        if turn.position.is_none() {
            turn.position = self.take(&name);
        }
    }

    /// Takes the position of a turn that cannot be read; without its conversation, in that of the latest turn.
    pub(super) fn pass(&mut self, conversation: Option<&Conversation>) {
        match conversation {
            Some(conversation) => {
                let name = self.begin(conversation);
                self.take(&name);
            }
            None if self.latest.0.is_empty() => self.passed = self.passed.saturating_add(1),
            None => {
                let name = self.latest.0.clone();
                self.take(&name);
            }
        }
    }

    /// Makes a conversation the latest; returns its name.
    fn begin(&mut self, Conversation { scope, session, .. }: &Conversation) -> String {
        let name = digest("conversation", &(scope, session));
        if self.latest.0 != name {
            self.latest = (name.clone(), HashSet::new());
        }
        name
    }

    /// Next position in the conversation of this name; none beyond the maximum number of conversations.
    fn take(&mut self, name: &str) -> Option<u32> {
        if let Some(next) = self.next.get_mut(name) {
            let position = *next;
            *next = next.saturating_add(1);
            return Some(position);
        }
        if self.next.len() >= MAX_CONVERSATIONS {
            return None;
        }
        let position = std::mem::take(&mut self.passed);
        self.next.insert(name.to_owned(), position.saturating_add(1));
        Some(position)
    }
}

/// Names of the conversations of a file that have no id. A name depends on how the conversation begins, which stays when it
/// grows, and not on its place in the file, which changes when another one comes before it.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, u32>);

impl Names {
    /// Name of the next conversation with this beginning. The second of two equal beginnings has another name than the
    /// first; beyond the maximum number of conversations it has the same.
    pub(super) fn next(&mut self, beginning: &impl Serialize) -> String {
        let name = format!("conversation-{}", digest("beginning", beginning));
        if self.0.len() >= MAX_CONVERSATIONS && !self.0.contains_key(&name) {
            return name;
        }
        let count = self.0.entry(name.clone()).or_default();
        *count = count.saturating_add(1);
        if *count == 1 { name } else { format!("{name}-{count}") }
    }
}

/// Gives a memory a key, unless its format has given it one: the id that it had in the store it was exported from, or a
/// digest of its content.
pub(super) fn give_key(scope: &Scope, memory: &mut NewMemory, old_id: Option<Uuid>) {
    if memory.key.is_none() {
        let key = old_id.map(|id| id.to_string());
        memory.key = Some(key.unwrap_or_else(|| format!("content-{}", digest("memory", &(scope, &*memory)))));
    }
}

/// First 128 bits of SHA-256 over a salt and the JSON of a value, in hexadecimal.
pub(super) fn digest(salt: &str, what: &impl Serialize) -> String {
    let mut hash = Sha256::new();
    hash.update((salt.len() as u64).to_be_bytes());
    hash.update(salt);
    // The values consist of strings, numbers and maps with string keys, so serialisation cannot fail.
    hash.update(serde_json::to_vec(what).unwrap_or_default());
    hex(&hash.finalize()[..16])
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Role;

    fn conversation(session: &str) -> Conversation {
        Conversation { session: Some(session.to_owned()), ..Conversation::default() }
    }

    #[test]
    fn a_key_that_two_turns_of_a_conversation_share_identifies_only_the_first() {
        let mut positions = Positions::default();
        let mut given = |session: &str, key: &str| {
            let mut turn = NewTurn { key: Some(key.to_owned()), ..NewTurn::new(Role::User, "a") };
            positions.give(&conversation(session), &mut turn);
            (turn.key, turn.position)
        };
        assert_eq!(given("s", "1"), (Some("1".to_owned()), Some(0)));
        assert_eq!(given("s", "1"), (None, Some(1)));
        assert_eq!(given("t", "1"), (Some("1".to_owned()), Some(0)));
        assert_eq!(given("s", "2"), (Some("2".to_owned()), Some(2)));
    }

    #[test]
    fn a_turn_that_cannot_be_read_takes_its_position() {
        let (one, other) = (conversation("s"), conversation("t"));
        let mut positions = Positions::default();
        let given = |positions: &mut Positions, conversation| {
            let mut turn = NewTurn::new(Role::User, "a");
            positions.give(conversation, &mut turn);
            turn.position
        };
        positions.pass(None);
        assert_eq!(
            given(&mut positions, &one),
            Some(1),
            "nothing came before: it is of the first conversation"
        );
        positions.pass(None);
        assert_eq!(given(&mut positions, &one), Some(3));
        positions.pass(Some(&other));
        assert_eq!(given(&mut positions, &other), Some(1));
        assert_eq!(given(&mut positions, &one), Some(4));
    }
}
