//! Tests of segment files: what is read answers like what was written, and damage is never an answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod measure;

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::index::embedded::workers::Workers;
use crate::index::{Candidate, IndexQuery, ScanWeights, TurnPosition, Update, View};

use crate::store::Indexed;
use crate::testing::corpus;
use crate::testing::fixtures::{link, name, vector_of};
use crate::testing::rng::Rng;

const ID: PartitionId = PartitionId(7);
/// Components of the fixtures' vectors.
const DIMENSION: usize = 8;

fn curve() -> Arc<Policy> {
    Arc::default()
}

fn identity(store: &str) -> SegmentIdentity {
    SegmentIdentity::new(store, "hash/1", DIMENSION, "memorybank.paper")
}

fn open(dir: &TempDir) -> SegmentFiles {
    SegmentFiles::open(dir.path(), identity("store")).unwrap()
}

fn empty() -> Partition {
    Partition::new(DIMENSION, curve()).unwrap()
}

/// The next update of a partition: new memories, new versions, and erasures.
fn update(rng: &mut Rng, present: &mut Vec<Indexed>, next: &mut u128, seq: u64) -> Update {
    let mut put = Vec::new();
    for _ in 0..rng.below(6) {
        let mut one = match rng.below(4) {
            0 if !present.is_empty() => {
                let place = rng.below(present.len());
                let edited = corpus::edited(rng, &present[place]);
                present.remove(place);
                edited
            }
            _ => {
                *next += 1;
                corpus::memory(rng, *next)
            }
        };
        if rng.chance(20) && !present.is_empty() {
            let other = present[rng.below(present.len())].memory.id;
            one.memory.links.push(link(other, Link::CONTRADICTS, 1.0));
        }
        present.push(one.clone());
        put.push(one);
    }
    let mut erased = Vec::new();
    while rng.chance(40) && !present.is_empty() {
        let gone = present.remove(rng.below(present.len()));
        // Not what is put in the same update: that order is not an update's.
        if put.iter().all(|one| one.memory.id != gone.memory.id) {
            erased.push(gone.memory.id);
        } else {
            present.push(gone);
            break;
        }
    }
    Update { seq_before: seq, seq_after: seq + 1, put, erased, ..Update::default() }
}

fn view(rng: &mut Rng) -> View {
    let mut view = View::present(corpus::moment(rng));
    view.filter = if rng.chance(60) { corpus::filter(rng, 2) } else { view.filter };
    view.shared_only = rng.chance(25);
    view.valid = corpus::valid_time(rng);
    view.known_at = rng.chance(30).then(|| corpus::moment(rng));
    view.partner = rng.chance(30).then(|| corpus::a_name(rng));
    view
}

fn query(rng: &mut Rng) -> IndexQuery {
    let text = corpus::text(rng);
    let weights = ScanWeights { similarity: 1.0, retention: 0.3, importance: 0.2 };
    IndexQuery {
        vector: rng.chance(80).then(|| vector_of(&text).into()),
        text: text.into(),
        view: view(rng),
        weights: if rng.chance(50) { weights } else { ScanWeights::SIMILARITY },
        candidates: 1 + rng.below(20),
    }
}

fn by_memory(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_unstable_by_key(|candidate| candidate.memory);
    candidates
}

/// All that can be asked of a partition, with scores to the last bit (no score is a NaN, nor -0).
fn assert_same(one: &Partition, other: &Partition, rng: &mut Rng) {
    assert_eq!(one.seq(), other.seq());
    assert_eq!(one.versions(), other.versions());
    let ids: Vec<MemoryId> = one.versions().into_iter().map(|(id, _)| id).collect();
    for _ in 0..6 {
        let query = query(rng);
        let queries = std::slice::from_ref(&query);
        let [found, expected] =
            [other, one].map(|partition| partition.search(queries, &Workers::own()).remove(0).unwrap());
        assert_eq!(found.exactness, expected.exactness);
        assert_eq!(found.memories, expected.memories);
        let sorted = |mut ids: Vec<MemoryId>| {
            ids.sort_unstable();
            ids
        };
        assert_eq!(sorted(found.revised), sorted(expected.revised));
        assert_eq!(by_memory(found.candidates), by_memory(expected.candidates));
        let visible = |partition: &Partition| {
            let visible = partition.columns.visible(&query.view);
            let id = |ordinal| partition.columns.id(u32::try_from(ordinal).unwrap()).unwrap();
            sorted(visible.iter().map(id).collect())
        };
        assert_eq!(visible(other), visible(one));
        let vectors = [Arc::from(vector_of(&query.text))];
        let nearest = |partition: &Partition| partition.nearest(&vectors, &query.view, 5).unwrap();
        assert_eq!(nearest(other), nearest(one));
        if !ids.is_empty() {
            let id = *rng.pick(&ids);
            assert_eq!(other.inspect(id, &query).unwrap(), one.inspect(id, &query).unwrap());
        }
        let contradictions = |partition: &Partition| partition.columns.contradictions(&ids, &query.view);
        assert_eq!(contradictions(other), contradictions(one));
        let positions: Vec<TurnPosition> =
            (0..3).flat_map(|session| (0..30).map(move |seq| TurnPosition { session, seq })).collect();
        assert_eq!(other.turns_at(&positions, &query.view), one.turns_at(&positions, &query.view));
    }
}

fn round_trip(files: &SegmentFiles, partition: &Partition) -> Partition {
    files.write(ID, partition).unwrap();
    files.read(ID, curve()).unwrap()
}

/// A partition after so many updates, its memories, and the number of the last one.
fn grown(rng: &mut Rng, updates: u64) -> (Partition, Vec<Indexed>, u128) {
    let (mut partition, mut present, mut next) = (empty(), Vec::new(), 0);
    for seq in 0..updates {
        partition.apply(&update(rng, &mut present, &mut next, seq)).unwrap();
    }
    (partition, present, next)
}

fn segment(dir: &TempDir) -> PathBuf {
    let mut files = names(dir);
    assert_eq!(files.len(), 1, "{files:?}");
    dir.path().join(files.remove(0))
}

fn names(dir: &TempDir) -> Vec<String> {
    let name = |entry: io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(dir.path()).unwrap().map(name).collect();
    names.sort_unstable();
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_read_answers_like_what_was_written_and_takes_the_same_updates(
        seed in any::<u64>(), updates in 0_u64..40
    ) {
        let dir = TempDir::new().unwrap();
        let files = open(&dir);
        let mut rng = Rng::new(seed);
        let (mut partition, mut present, mut next) = grown(&mut rng, updates);
        let mut read = round_trip(&files, &partition);
        assert_same(&partition, &read, &mut rng);
        for seq in updates..updates + 8 {
            let update = update(&mut rng, &mut present, &mut next, seq);
            partition.apply(&update).unwrap();
            read.apply(&update).unwrap();
        }
        assert_same(&partition, &read, &mut rng);
        assert_same(&partition, &round_trip(&files, &read), &mut rng);
    }

    /// Also with a checksum that was made to fit, as no fault of a disk would.
    #[test]
    fn no_damage_is_read_and_none_panics(seed in any::<u64>(), flips in 1_usize..4) {
        let dir = TempDir::new().unwrap();
        let files = open(&dir);
        let mut rng = Rng::new(seed);
        let (partition, ..) = grown(&mut rng, 6);
        files.write(ID, &partition).unwrap();
        let path = segment(&dir);
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..30 {
            let mut damaged = whole.clone();
            for _ in 0..flips {
                let place = rng.below(damaged.len());
                damaged[place] ^= 1 << rng.below(8);
            }
            if damaged == whole {
                continue;
            }
            std::fs::write(&path, &damaged).unwrap();
            prop_assert!(files.read(ID, curve()).is_none());
            prop_assert!(names(&dir).is_empty(), "a damaged segment stays");
            std::fs::write(&path, with_fitting_checksums(damaged)).unwrap();
            if let Some(read) = files.read(ID, curve()) {
                let _ = read.search(&[query(&mut rng)], &Workers::own());
            }
        }
    }
}

/// The file with the checksums that its bytes ask for, where its header is of use.
fn with_fitting_checksums(mut file: Vec<u8>) -> Vec<u8> {
    let mut header: Header = bytemuck::pod_read_unaligned(&file[..HEADER_BYTES]);
    for section in &mut header.sections {
        let start = usize::try_from(section.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(section.length).unwrap_or(usize::MAX));
        section.checksum = xxhash_rust::xxh3::xxh3_64(file.get(start..end).unwrap_or_default());
    }
    let checked = HEADER_BYTES - size_of::<u64>();
    file[..checked].copy_from_slice(&bytemuck::bytes_of(&header)[..checked]);
    let checksum = xxhash_rust::xxh3::xxh3_64(&file[..checked]);
    file[checked..HEADER_BYTES].copy_from_slice(&checksum.to_ne_bytes());
    file
}

#[test]
fn a_truncated_or_longer_segment_is_none_at_every_length() {
    let dir = TempDir::new().unwrap();
    let files = open(&dir);
    let (partition, ..) = grown(&mut Rng::new(3), 3);
    files.write(ID, &partition).unwrap();
    let path = segment(&dir);
    let whole = std::fs::read(&path).unwrap();
    let lengths = (0..HEADER_BYTES).chain((HEADER_BYTES..whole.len()).step_by(11)).chain([whole.len() - 1]);
    for length in lengths {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(files.read(ID, curve()).is_none(), "{length} of {} bytes", whole.len());
    }
    std::fs::write(&path, [whole.as_slice(), &[0]].concat()).unwrap();
    assert!(files.read(ID, curve()).is_none(), "a byte too many");
    std::fs::write(&path, &whole).unwrap();
    assert!(files.read(ID, curve()).is_some());
}

#[test]
fn a_segment_of_another_identity_or_partition_is_none_and_is_removed_at_the_next_start() {
    let dir = TempDir::new().unwrap();
    let files = open(&dir);
    let (partition, ..) = grown(&mut Rng::new(4), 3);
    files.write(ID, &partition).unwrap();
    let whole = std::fs::read(segment(&dir)).unwrap();
    std::fs::write(dir.path().join(format!("8-{:032x}.segment", identity("store").0)), &whole).unwrap();
    assert!(files.read(PartitionId(8), curve()).is_none(), "the bytes are of another partition");
    std::fs::write(dir.path().join("9.segment-part"), "half").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not ours").unwrap();
    assert_eq!(open(&dir).bytes(), whole.len() as u64, "the segment outlives a start");
    assert_eq!(names(&dir).len(), 2);
    for other in [
        SegmentIdentity::new("other", "hash/1", DIMENSION, "memorybank.paper"),
        SegmentIdentity::new("store", "hash/2", DIMENSION, "memorybank.paper"),
        SegmentIdentity::new("store", "hash/1", DIMENSION + 1, "memorybank.paper"),
        SegmentIdentity::new("store", "hash/1", DIMENSION, "another"),
    ] {
        std::fs::write(dir.path().join(format!("7-{:032x}.segment", identity("store").0)), &whole).unwrap();
        let files = SegmentFiles::open(dir.path(), other).unwrap();
        assert!(files.read(ID, curve()).is_none());
        assert_eq!((names(&dir), files.bytes()), (vec!["notes.txt".to_owned()], 0));
    }
}

#[test]
fn a_segment_written_after_an_erasure_has_nothing_of_what_was_erased() {
    let dir = TempDir::new().unwrap();
    let files = open(&dir);
    let mut rng = Rng::new(5);
    let (mut partition, present, _) = grown(&mut rng, 10);
    let kept: Vec<String> = present.iter().map(|one| one.memory.id.to_string()).collect();
    let mut secret = corpus::memory(&mut rng, 1_000);
    secret.memory.tags = vec![name("the-secret-tag")];
    secret.memory.subjects = vec![name("the-secret-subject")];
    secret.memory.agent = Some(name("the-secret-agent"));
    let secret_metadata = serde_json::json!({ "the-secret-path": "the-secret-value" });
    secret.memory.metadata =
        crate::domain::metadata::Metadata::new(secret_metadata.as_object().unwrap().clone()).unwrap();
    secret.rows = crate::testing::fixtures::rows("xylophone quagmire zephyr");
    let id = secret.memory.id;
    let vector = secret.rows[0].vector.clone().unwrap();
    let hashes: Vec<[u8; 4]> = crate::text::TermVector::decode(&secret.rows[0].terms)
        .unwrap()
        .terms()
        .iter()
        .map(|term| term.hash.to_ne_bytes())
        .collect();
    partition
        .apply(&Update { seq_before: 10, seq_after: 11, put: vec![secret], ..Update::default() })
        .unwrap();
    let mut traces: Vec<Vec<u8>> = ["tag", "subject", "agent", "path", "value"]
        .map(|what| format!("the-secret-{what}").into_bytes())
        .into();
    traces.push(id.0.as_u128().to_ne_bytes().to_vec());
    traces.push(bytemuck::cast_slice(&vector).to_vec());
    traces.extend(hashes.iter().map(|hash| hash.to_vec()));
    let has = |trace: &[u8]| {
        std::fs::read(segment(&dir)).unwrap().windows(trace.len()).any(|window| window == trace)
    };
    files.write(ID, &partition).unwrap();
    assert!(traces.iter().all(|trace| has(trace)), "the test looks for what is there");
    partition
        .apply(&Update { seq_before: 11, seq_after: 12, erased: vec![id], ..Update::default() })
        .unwrap();
    files.write(ID, &partition).unwrap();
    assert!(traces.iter().all(|trace| !has(trace)), "the segment has something of the erased memory");
    assert_eq!(files.read(ID, curve()).unwrap().versions().len(), kept.len());
}

#[test]
fn a_removal_leaves_no_file_and_ends_a_writing() {
    let dir = TempDir::new().unwrap();
    let files = open(&dir);
    let (partition, ..) = grown(&mut Rng::new(6), 20);
    files.write(ID, &partition).unwrap();
    files.write(PartitionId(8), &partition).unwrap();
    assert!(files.bytes() > 0);
    files.remove(ID).unwrap();
    assert_eq!(names(&dir).len(), 1);
    files.remove_all().unwrap();
    assert_eq!((names(&dir), files.bytes()), (Vec::new(), 0));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_done.load(std::sync::atomic::Ordering::Acquire) {
                let written = files.write(ID, &partition);
                let kind = written.err().map(|error| error.kind());
                assert!(matches!(kind, None | Some(io::ErrorKind::Interrupted)), "{kind:?}");
            }
        });
        for _ in 0..200 {
            files.remove(ID).unwrap();
            let _ = files.read(ID, curve());
        }
        is_done.store(true, std::sync::atomic::Ordering::Release);
    });
    files.remove_all().unwrap();
    assert!(names(&dir).is_empty());
}

#[test]
fn a_removal_during_a_writing_waits_for_its_end_and_no_file_is_left() {
    let dir = TempDir::new().unwrap();
    let files = Files::open(dir.path(), 1).unwrap();
    let (begun, wait) = std::sync::mpsc::channel();
    std::thread::scope(|threads| {
        let writing = threads.spawn(|| {
            files.write(ID, |file, cancelled| {
                use std::io::Write;
                file.write_all(b"secret")?;
                begun.send(()).unwrap();
                while !cancelled.load(std::sync::atomic::Ordering::Acquire) {
                    std::thread::yield_now();
                }
                Ok(())
            })
        });
        wait.recv().unwrap();
        let again = files.write(ID, |_, _| Ok(()));
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        files.remove(ID).unwrap();
        assert!(names(&dir).is_empty(), "a file is left");
        assert_eq!(writing.join().unwrap().unwrap_err().kind(), io::ErrorKind::Interrupted);
    });
}

#[test]
#[cfg(unix)]
fn files_and_folder_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let inner = dir.path().join("index");
    let files = SegmentFiles::open(&inner, identity("store")).unwrap();
    files.write(ID, &empty()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    let file = std::fs::read_dir(&inner).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&file), 0o600);
    assert!(files.read(ID, curve()).unwrap().versions().is_empty());
}
