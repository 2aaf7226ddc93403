//! Loads from segment files, seen through the engine: equal to loads from the store, kept up to date by the change log, and
//! without a byte of what was erased, whatever happens in between.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use memory_core::domain::change::ChangeSet;
use memory_core::domain::clock::FrozenClock;
use memory_core::domain::id::{MemoryId, PartitionId, RandomIds, TenantId};
use memory_core::engine::{Engine, Parts};
use memory_core::index::Index;
use memory_core::index::embedded::{EmbeddedIndex, EmbeddedIndexOptions, SegmentOptions};
use memory_core::limits::Limits;
use memory_core::model::hashing::HashingEmbedder;
use memory_core::recall::settings::RecallSettings;
use memory_core::retention::Policy;
use memory_core::store::Commit as _;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::testing::fixtures::{owner, touch};
use memory_core::testing::{CALLER, START, fact, memories, question, user};
use memory_core::think::settings::ThinkingSettings;

const PARTITION: PartitionId = PartitionId(1);

/// A process: an engine over a directory, whose index has a segment folder.
struct Process {
    engine: Arc<Engine>,
    index: Arc<EmbeddedIndex>,
}

fn folder(directory: &Path) -> PathBuf {
    directory.join("segments")
}

impl Process {
    async fn start(directory: &Path) -> Self {
        let store = Arc::new(SqlStore::open(directory, StoreOptions::default()).await.unwrap());
        let options = EmbeddedIndexOptions {
            budget_bytes: 64 << 20,
            threads: 1,
            inline_rows: EmbeddedIndexOptions::INLINE_ROWS,
        };
        let segments = SegmentOptions {
            folder: folder(directory),
            budget_bytes: 64 << 20,
            rows: "hashing".to_owned(),
            dimension: 64,
            min_rows: 1,
        };
        let curve = Arc::new(Policy::default());
        let index = EmbeddedIndex::with_segments(store.clone(), curve, options, &segments).unwrap();
        let index = Arc::new(index);
        let engine = Engine::start(Parts {
            store,
            index: index.clone(),
            embedder: Arc::new(HashingEmbedder::new(64)),
            reranker: None,
            forgetting: Policy::default(),
            clock: Arc::new(FrozenClock::at(START)),
            ids: Arc::new(RandomIds::default()),
            limits: Limits::default(),
            recall: RecallSettings::default(),
            thinking: ThinkingSettings::default(),
        })
        .await
        .unwrap();
        Self { engine, index }
    }

    async fn remember(&self, texts: &[&str]) -> Vec<MemoryId> {
        let facts = texts.iter().map(|text| fact(text)).collect();
        let made = memories(&user("ann").unwrap(), facts);
        self.engine.remember_memories(&CALLER, made).await.unwrap().memories
    }

    /// Memories, scores and the extent of a recall.
    async fn recall(&self, query: &str) -> (Vec<(MemoryId, f32)>, u64) {
        let recalled = self.engine.recall(&CALLER, question(&user("ann").unwrap(), query)).await.unwrap();
        let memories = recalled.memories.iter().map(|one| (one.memory.id, one.score)).collect();
        (memories, recalled.searched_memories)
    }

    /// Ends the process without a word, once its store is free.
    async fn kill(self) {
        drop(self);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// True if a file of the folder has this text somewhere.
fn has_bytes(folder: &Path, wanted: &[u8]) -> bool {
    files(folder)
        .iter()
        .any(|path| std::fs::read(path).unwrap().windows(wanted.len()).any(|bytes| bytes == wanted))
}

async fn start_again(directory: &Path) -> Process {
    for _ in 0..250 {
        if SqlStore::open(directory, StoreOptions::default()).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Process::start(directory).await
}

#[tokio::test]
async fn a_load_from_a_segment_equals_the_load_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    process.remember(&["the beagle is called Biscuit", "tea with milk", "Lisbon in May"]).await;
    let before = process.recall("beagle tea").await;
    assert_eq!(files(&folder(directory.path())).len(), 1, "the load has written a segment");
    process.kill().await;
    let process = start_again(directory.path()).await;
    assert_eq!(process.recall("beagle tea").await, before);
    // The log after the segment: new memories, of which the file knows nothing.
    process.remember(&["the beagle drinks tea", "a beagle in Lisbon"]).await;
    let before = process.recall("beagle tea").await;
    process.kill().await;
    let process = start_again(directory.path()).await;
    assert_eq!(process.recall("beagle tea").await, before);
    process.index.clear_partition(PARTITION).await;
    assert_eq!(process.recall("beagle tea").await, before, "reloaded after an eviction");
    process.index.clear_cache().await;
    assert_eq!(files(&folder(directory.path())).len(), 0);
    assert_eq!(process.recall("beagle tea").await, before, "loaded from the store");
}

#[tokio::test]
async fn uses_after_a_segment_was_written_change_the_retention_that_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let ids = process.remember(&["the beagle is called Biscuit", "a beagle drinks tea"]).await;
    let retained = async |process: &Process| {
        let mut request = question(&user("ann").unwrap(), "beagle tea");
        (request.weights.retention, request.now) = (Some(1.0), Some(START.plus_days(4)));
        let recalled = process.engine.recall(&CALLER, request).await.unwrap();
        recalled.memories.iter().map(|one| (one.memory.id, one.score)).collect::<Vec<_>>()
    };
    let before = retained(&process).await;
    process.index.settle().await;
    assert_eq!(files(&folder(directory.path())).len(), 1, "a segment was written");
    process.kill().await;
    let store = SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap();
    let mut set = ChangeSet::new(TenantId::DEFAULT, owner("ann"), START.plus_days(3));
    set.touches = vec![touch(ids[0], 3)];
    store.commit(&[set]).await.unwrap()[0].as_ref().unwrap();
    store.close().await;
    drop(store);
    let process = start_again(directory.path()).await;
    let caught_up = retained(&process).await;
    assert_ne!(caught_up, before, "the use counts");
    process.index.clear_cache().await;
    assert_eq!(retained(&process).await, caught_up, "as loaded from the store");
}

#[tokio::test]
async fn what_is_erased_has_left_the_segments_before_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let ids = process.remember(&["tea with milk", "the beagle is called Biscuit"]).await;
    process.recall("beagle").await;
    let folder = folder(directory.path());
    let id = *ids[1].0.as_bytes();
    let held = has_bytes(&folder, &id) || has_bytes(&folder, &ids[1].0.as_u128().to_ne_bytes());
    assert!(held, "the scan finds nothing even before the erasure");
    process.engine.erase(&CALLER, ids[1], None).await.unwrap();
    assert_eq!(files(&folder).len(), 0);
    assert_eq!(process.recall("beagle").await.1, 1);
    process.index.clear_partition(PARTITION).await;
    process.recall("beagle").await;
    assert!(!has_bytes(&folder, &id) && !has_bytes(&folder, &ids[1].0.as_u128().to_ne_bytes()));
}

#[tokio::test]
async fn a_load_that_began_before_an_erasure_writes_no_segment() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    process.remember(&["tea with milk", "the beagle is called Biscuit"]).await;
    let erasure = process.index.begin_erasure(PARTITION).await.unwrap();
    // The store still has everything; the load answers, and leaves no file.
    assert_eq!(process.recall("beagle").await.1, 2);
    assert_eq!(files(&folder(directory.path())).len(), 0);
    drop(erasure);
    process.index.clear_partition(PARTITION).await;
    process.recall("beagle").await;
    assert_eq!(files(&folder(directory.path())).len(), 1);
}

#[tokio::test]
async fn a_kill_between_the_removal_and_the_commit_of_an_erasure_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    process.remember(&["tea with milk", "the beagle is called Biscuit"]).await;
    let before = process.recall("beagle").await;
    let erasure = process.index.begin_erasure(PARTITION).await.unwrap();
    assert_eq!(files(&folder(directory.path())).len(), 0);
    std::mem::forget(erasure);
    process.kill().await;
    let process = start_again(directory.path()).await;
    assert_eq!(process.recall("beagle").await, before);
}

#[tokio::test]
async fn a_segment_of_another_history_of_the_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    process.remember(&["tea with milk"]).await;
    let backup = directory.path().join("copy.db");
    let copy = process.engine.begin_copy(&CALLER).unwrap();
    process.engine.copy_to(&CALLER, &backup, &copy).await.unwrap();
    process.remember(&["a ghost of the time after the backup"]).await;
    process.recall("ghost").await;
    process.kill().await;
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(&backup, other.path().join("engrain.db")).unwrap();
    std::fs::create_dir(folder(other.path())).unwrap();
    for file in files(&folder(directory.path())) {
        std::fs::copy(&file, folder(other.path()).join(file.file_name().unwrap())).unwrap();
    }
    assert_eq!(files(&folder(other.path())).len(), 1);
    let process = start_again(other.path()).await;
    process.remember(&["the beagle is called Biscuit"]).await;
    let (found, searched) = process.recall("ghost beagle").await;
    assert_eq!((found.len(), searched), (2, 2), "the segment has a memory that this store never had");
}

#[tokio::test]
async fn commits_during_loads_from_segments_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let mut ids = process.remember(&["the beagle is called Biscuit"]).await;
    process.recall("beagle").await;
    for round in 0..12_u32 {
        process.index.clear_partition(PARTITION).await;
        let text = format!("beagle number {round}");
        let texts = [text.as_str()];
        let (made, _) = futures::future::join(process.remember(&texts), process.recall("beagle")).await;
        ids.extend(made);
        if round % 4 == 3 {
            let erasure = process.engine.erase(&CALLER, ids.remove(0), None);
            let (erased, _) = futures::future::join(erasure, process.recall("beagle")).await;
            erased.unwrap();
        }
        assert_eq!(process.recall("beagle").await.1, ids.len() as u64, "round {round}");
        assert_eq!(process.index.differences(PARTITION).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_partition_that_nobody_asks_has_a_segment_after_the_end_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let texts: Vec<String> = (0..1_100).map(|n| format!("fact {n}")).collect();
    for some in texts.chunks(100) {
        process.remember(&some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    assert_eq!(files(&folder(directory.path())).len(), 0);
    process.engine.stop().await;
    assert_eq!(files(&folder(directory.path())).len(), 1);
    process.kill().await;
    let process = start_again(directory.path()).await;
    assert_eq!(process.recall("fact").await.1, 1_100);
}
