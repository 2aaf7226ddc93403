//! Damaged, cut, emptied and missing files of a store. The server serves what it can with the documented codes, or refuses
//! to start with the documented exit status and a message that names the file. It never comes up empty without a word.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use engrain::wire::{AddMemories, ListMemories, NewMemory, Scope};
use engrain::{Client, Error};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{first_seed, is_long_form};
use tempfile::TempDir;

use super::ledger::{Ledger, by_word, files, word_of};
use super::watched::{Started, Watched};
use crate::commands::{engrain, said};

const DATABASE: &str = "engrain.db";
const LOG: &str = "engrain.db-wal";
const MARK: &str = "store.mark";
const KEY: &str = "digest.key";
const SEGMENTS: &str = "segments";

/// Exit status of a store that is damaged, incomplete or of a newer version.
const DAMAGED: i32 = 6;
/// Page of the database, in bytes.
const PAGE: usize = 8_192;
/// Message about pages that contradict each other; it goes with the documented code of a damaged store.
const IS_DAMAGED: &str = "the database is damaged";
/// Memories of a user of the store that is damaged.
const MEMORIES: usize = 100;
/// The same for the first user where index segments are wanted: more than the 1,024 rows from which an owner has one.
const MEMORIES_OF_SEGMENT: usize = 1_100;
const USERS: [&str; 2] = ["mara", "tom"];

/// A store as a killed server leaves it, or as a stopped one does.
struct Template {
    folder: TempDir,
    ledger: Ledger,
}

impl Template {
    async fn new(is_closed: bool) -> Self {
        Self::with(is_closed, MEMORIES).await
    }

    async fn with(is_closed: bool, memories: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        let server = Watched::start(folder.path(), "hashing").await;
        for (user, memories) in USERS.into_iter().zip([memories, MEMORIES]) {
            ledger.write(&server.client, user, memories).await;
            server.client.recall(&by_word(user, "says")).await.unwrap();
        }
        // Segment files come with a load from the database.
        server.kill();
        let server = Watched::start(folder.path(), "auto").await;
        ledger.verify(&server, folder.path(), "undamaged").await;
        ledger.write(&server.client, USERS[0], 5).await;
        if is_closed {
            assert!(server.stop().await.0.success());
            let log = fs::metadata(folder.path().join(LOG)).map_or(0, |log| log.len());
            assert_eq!(log, 0, "the log was folded");
        } else {
            server.kill();
        }
        Self { folder, ledger }
    }

    /// A copy of it to be damaged.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for file in files(self.folder.path()) {
            let target = copy.path().join(file.strip_prefix(self.folder.path()).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&file, target).unwrap();
        }
        copy
    }

    /// Acknowledged memories that a server still gives. Every refusal must have the code of a damaged store.
    async fn served(&self, client: &Client, context: &str) -> Served {
        let mut there = BTreeMap::new();
        let mut served = Served { memories: 0, is_complete: true, is_refused: false };
        for user in USERS {
            let mut list =
                ListMemories { scope: Scope::user(user), limit: Some(1_000), ..ListMemories::default() };
            loop {
                match client.list_memories(&list).await {
                    Ok(page) => {
                        there.extend(page.memories.into_iter().map(|memory| (memory.id, memory.text)));
                        list.cursor = page.next_cursor;
                    }
                    Err(error) => {
                        served.note(&error, context);
                        list.cursor = None;
                    }
                }
                if list.cursor.is_none() {
                    break;
                }
            }
            let (_, text) = self.ledger.kept.values().find(|(of, _)| of == user).unwrap();
            match client.recall(&by_word(user, word_of(text))).await {
                Ok(answer) => {
                    served.is_complete &= answer.memories.iter().any(|one| one.memory.text == *text);
                }
                Err(error) => served.note(&error, context),
            }
        }
        let is_same = |(id, (_, text)): &(&uuid::Uuid, &(String, String))| there.get(id) == Some(text);
        served.memories = self.ledger.kept.iter().filter(is_same).count();
        served.is_complete &= served.memories == self.ledger.kept.len();
        served
    }

    /// Requests that change a damaged store: each succeeds or is refused with the documented code.
    async fn change(&self, client: &Client, context: &str) {
        let (id, _) = self.ledger.kept.first_key_value().unwrap();
        let memories = vec![NewMemory { text: "a new one".to_owned(), ..NewMemory::default() }];
        let request = AddMemories { scope: Scope::user("mara"), memories, ..AddMemories::default() };
        for result in
            [client.add_memories(&request).await.map(drop), client.delete_memory(*id).await.map(drop)]
        {
            if let Err(error) = result
                && error.code() != Some("not_found")
            {
                assert_is_about_damage(&error, context);
            }
        }
    }
}

/// Answers of a server over a damaged store.
#[derive(Debug)]
struct Served {
    /// Acknowledged memories that it lists with their texts.
    memories: usize,
    /// False if something acknowledged was not given, or a request was refused.
    is_complete: bool,
    is_refused: bool,
}

impl Served {
    fn note(&mut self, error: &Error, context: &str) {
        assert_is_about_damage(error, context);
        self.is_complete = false;
        self.is_refused = true;
    }
}

/// Asserts the documented code: 503 would ask the client to try again.
fn assert_is_about_damage(error: &Error, context: &str) {
    assert_eq!((error.code(), error.status()), (Some("store_damaged"), Some(500)), "{context}: {error:?}");
}

fn doctor(data: &Path) -> (Option<i32>, String) {
    said(&engrain(data, &["doctor"]))
}

/// Complaints of the doctor about the store. Models that are not there are no concern of these tests.
fn complains(data: &Path) -> bool {
    let (status, told) = doctor(data);
    let about_store = told.lines().any(|line| line.starts_with("PROBLEM  store"));
    assert!(!about_store || status != Some(0), "{told}");
    about_store
}

/// Asserts that a start was refused with status 6 and one of these words, and that the doctor says so, too.
fn assert_refusal(data: &Path, status: Option<i32>, log: &str, words: &[&str], context: &str) {
    assert_eq!(status, Some(DAMAGED), "{context}: {log}");
    assert!(words.iter().any(|word| log.contains(word)), "{context}: none of {words:?} is in {log}");
    assert!(complains(data), "{context}: {:?}", doctor(data));
}

/// Asserts that the server refuses a store with status 6 and the name of a file, and that the doctor says so, too.
async fn assert_refused(data: &Path, file: &str, context: &str) {
    match Watched::try_start(data, "auto").await {
        Started::Ready(server) => panic!("{context}: it was served\n{}", server.log()),
        Started::Refused { status, log } => assert_refusal(data, status, &log, &[file], context),
    }
}

/// A store that may be served in part: it never lacks something without a complaint of the doctor, and `/ready` tells of
/// damage that a request met.
async fn assert_not_silent(template: &Template, data: &Path, must_complain: bool, context: &str) {
    match Watched::try_start(data, "auto").await {
        Started::Refused { status, log } => {
            assert_refusal(data, status, &log, &[DATABASE, IS_DAMAGED], context);
        }
        Started::Ready(server) => {
            let served = template.served(&server.client, context).await;
            if must_complain || !served.is_complete {
                assert!(complains(data), "{context}: {served:?}, but {:?}", doctor(data));
            }
            if served.is_refused {
                let error = server.client.ready().await.expect_err(context);
                assert_is_about_damage(&error, context);
            }
            template.change(&server.client, context).await;
        }
    }
}

/// Asserts that a store is served whole.
async fn assert_whole(template: &Template, data: &Path, context: &str) -> String {
    let server = Watched::start(data, "auto").await;
    let served = template.served(&server.client, context).await;
    assert!(served.is_complete, "{context}: {served:?} of {}", template.ledger.kept.len());
    assert!(!complains(data), "{context}: {:?}", doctor(data));
    server.log()
}

fn rounds() -> usize {
    if is_long_form() { 60 } else { 4 }
}

/// Random bytes that are never the beginning of a page of a tree.
fn noise(rng: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length).map(|_| rng.bits().to_le_bytes()[0]).collect();
    if let Some(first) = bytes.first_mut() {
        *first = 0xa5;
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn overwritten_pages_are_refused_or_reported_and_the_rest_is_served() {
    let template = Template::new(true).await;
    let seed = first_seed().wrapping_add(201);
    println!("faults: seed {seed}");
    let mut rng = Rng::new(seed);
    for round in 0..rounds() {
        let copy = template.copy();
        let path = copy.path().join(DATABASE);
        let mut bytes = fs::read(&path).unwrap();
        let free_pages = u32::from_be_bytes(bytes[36..40].try_into().unwrap());
        let pages = bytes.len() / PAGE;
        let hurt: Vec<usize> = (0..=rng.below(3)).map(|_| rng.below(pages)).collect();
        for page in &hurt {
            let place = page * PAGE..(page + 1) * PAGE;
            bytes[place].copy_from_slice(&noise(&mut rng, PAGE));
        }
        fs::write(&path, bytes).unwrap();
        let context = format!("seed {seed}, round {round}, pages {hurt:?} of {pages}");
        assert_not_silent(&template, copy.path(), free_pages == 0, &context).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_meet_damaged_pages_are_told_so_and_so_is_readiness() {
    let template = Template::new(true).await;
    let copy = template.copy();
    let path = copy.path().join(DATABASE);
    let mut bytes = fs::read(&path).unwrap();
    let mut rng = Rng::new(first_seed().wrapping_add(207));
    for page in bytes.chunks_exact_mut(PAGE).skip(1) {
        let holds = |user: &str| page.windows(user.len()).any(|window| window == user.as_bytes());
        if holds(" mara says") && !holds(" tom says") {
            page.copy_from_slice(&noise(&mut rng, PAGE));
        }
    }
    fs::write(&path, bytes).unwrap();
    let server = Watched::start(copy.path(), "auto").await;
    let served = template.served(&server.client, "texts").await;
    assert!(served.is_refused, "{served:?}");
    assert!(served.memories >= MEMORIES, "the other user's are served: {served:?}");
    assert_is_about_damage(&server.client.ready().await.expect_err("damaged"), "readiness");
    let (status, told) = doctor(copy.path());
    assert!(status == Some(1) && told.contains("PROBLEM  store") && told.contains("damaged"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_database_is_refused_or_reported() {
    let template = Template::new(true).await;
    let seed = first_seed().wrapping_add(202);
    println!("faults: seed {seed}");
    let mut rng = Rng::new(seed);
    for round in 0..rounds() {
        let copy = template.copy();
        let path = copy.path().join(DATABASE);
        let bytes = fs::read(&path).unwrap();
        let mut length = 1 + rng.below(bytes.len() - 1);
        if round % 2 == 0 {
            length = (length / PAGE).max(1) * PAGE;
        }
        fs::write(&path, &bytes[..length]).unwrap();
        let context = format!("seed {seed}, round {round}, {length} of {} bytes", bytes.len());
        assert_not_silent(&template, copy.path(), true, &context).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_or_missing_database_or_log_is_refused_by_name() {
    let closed = Template::new(true).await;
    let killed = Template::new(false).await;
    for (template, file) in [(&closed, DATABASE), (&killed, DATABASE), (&killed, LOG)] {
        let is_closed = std::ptr::eq(template, &closed);
        for is_emptied in [false, true] {
            let copy = template.copy();
            let path = copy.path().join(file);
            if is_emptied {
                fs::write(&path, "").unwrap()
            } else {
                fs::remove_file(&path).unwrap()
            }
            let context = format!("{file}, closed: {is_closed}, emptied: {is_emptied}");
            assert_refused(copy.path(), file, &context).await;
            assert_refused(copy.path(), file, &format!("{context}, once more")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_or_overwritten_log_never_loses_acknowledged_writes_without_a_word() {
    let template = Template::new(false).await;
    let seed = first_seed().wrapping_add(203);
    println!("faults: seed {seed}");
    let mut rng = Rng::new(seed);
    for round in 0..rounds() {
        let copy = template.copy();
        let path = copy.path().join(LOG);
        let mut bytes = fs::read(&path).unwrap();
        let at = rng.below(bytes.len());
        if round % 2 == 0 {
            bytes.truncate(at);
        } else {
            let end = bytes.len().min(at + PAGE);
            let noise = noise(&mut rng, end - at);
            bytes[at..end].copy_from_slice(&noise);
        }
        fs::write(&path, &bytes).unwrap();
        let context = format!("seed {seed}, round {round}, at {at} of {}", bytes.len());
        assert_not_silent(&template, copy.path(), false, &context).await;
    }
}

/// Damages one file in turn: missing, emptied, cut, overwritten.
fn damage(path: &Path, kind: usize, rng: &mut Rng) {
    let bytes = fs::read(path).unwrap();
    match kind {
        0 => fs::remove_file(path).unwrap(),
        1 => fs::write(path, "").unwrap(),
        2 => fs::write(path, &bytes[..rng.below(bytes.len())]).unwrap(),
        _ => fs::write(path, noise(rng, bytes.len())).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_mark_costs_nothing_and_a_damaged_one_is_refused_by_name() {
    let mut rng = Rng::new(first_seed().wrapping_add(204));
    for is_closed in [true, false] {
        let template = Template::new(is_closed).await;
        for kind in 0..4 {
            let copy = template.copy();
            damage(&copy.path().join(MARK), kind, &mut rng);
            let context = format!("mark, closed: {is_closed}, kind {kind}");
            if kind > 0 {
                assert_refused(copy.path(), MARK, &context).await;
                fs::remove_file(copy.path().join(MARK)).unwrap();
            }
            assert_whole(&template, copy.path(), &context).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_or_missing_segment_files_cost_nothing() {
    let template = Template::with(false, MEMORIES_OF_SEGMENT).await;
    let mut rng = Rng::new(first_seed().wrapping_add(205));
    let folder = template.folder.path().join(SEGMENTS);
    let names: Vec<PathBuf> = files(&folder)
        .into_iter()
        .map(|file| file.strip_prefix(template.folder.path()).unwrap().into())
        .collect();
    assert!(!names.is_empty(), "there are segments to damage");
    for kind in 0..rounds().max(4) {
        let copy = template.copy();
        for name in &names {
            damage(&copy.path().join(name), kind, &mut rng);
        }
        assert_whole(&template, copy.path(), &format!("segments, kind {kind}")).await;
    }
    let copy = template.copy();
    fs::remove_dir_all(copy.path().join(SEGMENTS)).unwrap();
    assert_whole(&template, copy.path(), "the folder of the segments").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_missing_digest_key_is_made_anew_with_a_word_in_the_log() {
    let template = Template::new(true).await;
    let mut rng = Rng::new(first_seed().wrapping_add(206));
    for kind in 0..3 {
        let copy = template.copy();
        damage(&copy.path().join(KEY), kind, &mut rng);
        let log = assert_whole(&template, copy.path(), &format!("key, kind {kind}")).await;
        assert!(log.contains(KEY), "kind {kind}: {log}");
        assert_eq!(fs::read(copy.path().join(KEY)).unwrap().len(), 32);
    }
}
