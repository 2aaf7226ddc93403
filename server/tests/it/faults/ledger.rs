//! Ledger of the operations that a server acknowledged, and the comparison of a store with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engrain::Client;
use engrain::wire::{
    AddMemories, CheckRequest, ListMemories, NewMemory, Purge, RecallRequest, Scope, Weights,
};
use uuid::Uuid;

use super::watched::Watched;

/// Timeout of what a server does in the background.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Memories of each request that fills a store.
const BATCH: usize = 100;
/// Memories that are looked for by their words after each restart.
const SAMPLE: usize = 4;

/// Length of the word of a text: `word`, five digits, `q`.
const WORD: usize = 10;

/// Acknowledged state of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// User and text of each memory that must be there.
    pub(super) kept: BTreeMap<Uuid, (String, String)>,
    /// User and word of each memory that was erased.
    pub(super) erased: Vec<(String, String)>,
    /// Time of what the next memories tell; `None` for the present.
    pub(super) happened_at: Option<String>,
    count: usize,
}

/// Word of a text, by which it is found and searched for in files.
pub(super) fn word_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

pub(super) fn by_word(user: &str, word: &str) -> RecallRequest {
    RecallRequest {
        scope: Scope::user(user),
        query: word.to_owned(),
        limit: Some(5),
        // The word decides: among many texts, the hashing embedder finds some near by chance.
        weights: Some(Weights { lexical: Some(100.0), ..Weights::default() }),
        // Memories that a policy forgets are there; erased ones are not even found so.
        include_forgotten: true,
        ..RecallRequest::default()
    }
}

impl Ledger {
    /// Empty ledger whose memories tell of this time.
    pub(super) fn telling_of(happened_at: String) -> Self {
        Self { happened_at: Some(happened_at), ..Self::default() }
    }

    /// Text with a word of its own.
    pub(super) fn next_text(&mut self, user: &str) -> String {
        self.count += 1;
        let length = self.count * 37 % 211 * (1 + self.count % 5);
        format!("word{:05}q {user} says {}", self.count, "and so on ".repeat(length / 9))
    }

    /// Adds memories of a user, and notes those that are acknowledged.
    pub(super) async fn write(&mut self, client: &Client, user: &str, memories: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        while ids.len() < memories {
            let texts: Vec<String> =
                (0..BATCH.min(memories - ids.len())).map(|_| self.next_text(user)).collect();
            let new = |text: &String| NewMemory {
                text: text.clone(),
                happened_at: self.happened_at.clone(),
                ..NewMemory::default()
            };
            let request = AddMemories {
                scope: Scope::user(user),
                memories: texts.iter().map(new).collect(),
                ..AddMemories::default()
            };
            let added = client.add_memories(&request).await.unwrap();
            for (id, text) in added.memory_ids.iter().zip(texts) {
                self.kept.insert(*id, (user.to_owned(), text));
                ids.push(*id);
            }
        }
        ids
    }

    /// Takes a memory out: whether it is still there is no longer known.
    pub(super) fn doubt(&mut self, id: Uuid) -> (String, String) {
        let (user, text) = self.kept.remove(&id).unwrap();
        (user, word_of(&text).to_owned())
    }

    /// Erases a memory, and notes it.
    pub(super) async fn erase(&mut self, client: &Client, id: Uuid) {
        let doubted = self.doubt(id);
        client.delete_memory(id).await.unwrap();
        self.erased.push(doubted);
    }

    /// Compares the store of a running server with what was acknowledged.
    pub(super) async fn verify(&self, server: &Watched, data: &Path, context: &str) {
        let client = &server.client;
        let report = client.check(&CheckRequest { repair: false }).await.unwrap();
        assert!(report.healthy, "{context}: {:?}", report.findings);
        let mut users: Vec<&String> = self.kept.values().map(|(user, _)| user).collect();
        users.extend(self.erased.iter().map(|(user, _)| user));
        users.sort_unstable();
        users.dedup();
        for user in users {
            let there = listed(client, user).await;
            for (id, (_, text)) in self.kept.iter().filter(|(_, (of, _))| of == user) {
                assert_eq!(there.get(id), Some(text), "{context}: {id} of {user}");
            }
            let words: BTreeSet<&str> = there.values().map(|text| word_of(text)).collect();
            for (_, word) in self.erased.iter().filter(|(of, _)| of == user) {
                assert!(!words.contains(word.as_str()), "{context}: {word} is listed");
            }
        }
        for (id, (user, text)) in self.kept.iter().rev().step_by(1 + self.kept.len() / SAMPLE) {
            let found = client.recall(&by_word(user, word_of(text))).await.unwrap();
            assert!(found.memories.iter().any(|one| one.memory.id == *id), "{context}: {id} is not found");
        }
        for (user, word) in self.erased.iter().rev().take(SAMPLE) {
            let found = client.recall(&by_word(user, word)).await.unwrap();
            let texts = found.memories.iter().map(|one| word_of(&one.memory.text));
            assert!(texts.into_iter().all(|one| one != word), "{context}: {word} is recalled");
        }
        purged(client).await;
        self.assert_no_erased_bytes(data, context);
        assert_eq!(leftovers(data), Vec::<PathBuf>::new(), "{context}");
    }

    /// Searches all files of a data directory for erased words.
    pub(super) fn assert_no_erased_bytes(&self, data: &Path, context: &str) {
        let erased: BTreeSet<&[u8]> = self.erased.iter().map(|(_, word)| word.as_bytes()).collect();
        assert!(erased.iter().all(|word| words_in(word).eq([*word])), "the search finds all words of texts");
        for file in files(data) {
            let Ok(bytes) = fs::read(&file) else { continue }; // replaced meanwhile
            let left: BTreeSet<_> = words_in(&bytes).filter(|word| erased.contains(word)).collect();
            let left: Vec<_> = left.into_iter().map(String::from_utf8_lossy).collect();
            assert!(left.is_empty(), "{context}: {left:?} in {}", file.display());
        }
    }
}

/// Words of texts among bytes. One pass for all words, since files are large and this is not optimised.
pub(super) fn words_in(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_word = |bytes: &&[u8]| {
        bytes[0] == b'w' && bytes.starts_with(b"word") && bytes.ends_with(b"q") && bytes.len() == WORD
    };
    bytes.windows(WORD).filter(is_word)
}

/// All memories of a user.
pub(super) async fn listed(client: &Client, user: &str) -> BTreeMap<Uuid, String> {
    let mut there = BTreeMap::new();
    let mut request =
        ListMemories { scope: Scope::user(user), limit: Some(1_000), ..ListMemories::default() };
    loop {
        let page = client.list_memories(&request).await.unwrap();
        there.extend(page.memories.into_iter().map(|memory| (memory.id, memory.text)));
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            return there;
        }
    }
}

/// Waits until no file holds what was erased.
pub(super) async fn purged(client: &Client) {
    let began = Instant::now();
    loop {
        let purge = client.purge().await.unwrap();
        if purge.state == Purge::Done {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{purge:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until no file holds the name of an owner or a word of it.
pub(super) async fn no_trace_of(data: &Path, server: &Watched, user: &str, context: &str) {
    let began = Instant::now();
    let name = user.as_bytes();
    let is_name = |bytes: &[u8]| bytes[0] == name[0] && bytes == name;
    let traces = || {
        let holds = |path: &PathBuf| fs::read(path).is_ok_and(|all| all.windows(name.len()).any(is_name));
        files(data).into_iter().filter(holds).collect::<Vec<_>>()
    };
    loop {
        purged(&server.client).await;
        let left = traces();
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{context}: {left:?} hold {user}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All files below a directory.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Unfinished files below a directory.
pub(super) fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let is_left = |path: &PathBuf| name(path).starts_with('.') || name(path).ends_with(".new");
    let inside_left = |path: &PathBuf| {
        path.components().any(|part| part.as_os_str().to_string_lossy().starts_with(".engrain-"))
    };
    files(directory).into_iter().filter(|path| is_left(path) || inside_left(path)).collect()
}
