//! Segment files: partitions on disk, each as it was at one number of the change log, read in bulk by the first query
//! after a start. Derived from the store like every index; a missing or damaged file costs time, not an answer.
//!
//! - A segment has the live memories alone. After [`SegmentFiles::remove`] no file of the folder has bytes of the
//!   partition, and a segment that is written later from a partition to which an erasure was applied has none of what
//!   was erased.
//! - Every byte is under a checksum. Beyond that, reading checks all that an update or a search relies on.
//! - Files are of one machine: byte order and layout are the process's own.

mod files;
mod header;
pub(in crate::index::embedded) mod live;
pub(in crate::index::embedded) mod stream;
#[cfg(all(test, feature = "testing", feature = "sqlite"))]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use self::files::Files;
use self::header::{FORMAT, HEADER_BYTES, Header, Written};
use self::stream::{Section, SectionReader, SectionWriter, damaged};
use super::columns::{TEXT_FIELDS, TIME_FIELDS};
use super::lexical::LexicalIndex;
use super::partition::Partition;
use super::partition::image::{PartitionImage, ReadColumns, read_ids, read_vectors};
use crate::domain::id::PartitionId;
use crate::retention::Policy;
use crate::text::Language;

/// The inputs that a segment depends on besides the change log, as a hash. Segments of another identity are removed unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentIdentity(u128);

impl SegmentIdentity {
    /// The identity of segments of this store, whose rows were made by `embedder` (its number or name, and the recipe of its
    /// rows) with vectors of `dimension` components, and whose decay is that of this retention: curve and factors.
    pub(super) fn new(store: &str, embedder: &str, dimension: usize, retention: &str) -> Self {
        // What the numbers in a file stand for: a field or language more makes another identity without a new format.
        let fields = (TEXT_FIELDS, TIME_FIELDS, Language::ALL);
        // Quoted, so that no two lists of parts are the same text.
        let parts = format!("{FORMAT} {fields:?} {store:?} {embedder:?} {dimension} {retention:?}");
        Self(xxhash_rust::xxh3::xxh3_128(parts.as_bytes()))
    }
}

/// Segment files of partitions in one folder. All calls block; one partition's calls may come from several threads.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    identity: SegmentIdentity,
    files: Files,
}

impl SegmentFiles {
    /// The segments in this folder, which is made if it is missing, for its owner alone. Unfinished files and segments of
    /// other identities and formats are removed. No other process may have the folder open.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open(dir: &Path, identity: SegmentIdentity) -> io::Result<Self> {
        Ok(Self { identity, files: Files::open(dir, identity.0)? })
    }

    /// The partition as it was at its number of the change log. None if there is no segment, or a damaged one, which is
    /// removed. It takes two threads; memory is that of the partition, its ids once more, and the lengths of its rows.
    pub(super) fn read(&self, id: PartitionId, policy: Arc<Policy>) -> Option<Partition> {
        let file = self.files.read(id)?;
        match read(&file, self.identity, id, policy) {
            Ok(partition) => Some(partition),
            Err(error) => {
                tracing::warn!(partition = %id, %error, "a segment file is damaged and was removed");
                // A new one may have taken its place meanwhile: it is lost, which costs time alone.
                let _ = self.files.remove(id);
                None
            }
        }
    }

    /// Writes the segment of a partition, in the place of an earlier one at once. Meanwhile [`remove`](Self::remove) ends
    /// the writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while another thread writes the partition; [`io::ErrorKind::Interrupted`] if it was
    /// removed meanwhile; those of the file system. No file is then left, but for an earlier segment that was not removed.
    pub(super) fn write(&self, id: PartitionId, partition: &Partition) -> io::Result<()> {
        self.files.write(id, |file, cancelled| write(file, self.identity, id, partition, cancelled))
    }

    /// Removes the segment of the partition, and ends a writing of it. When it returns, no file in the folder has bytes of
    /// the partition. A caller that erases applies the erasure to the partition first: a writing that begins after this
    /// call has what the partition then has.
    ///
    /// # Errors
    /// Those of the file system: the segment may be left.
    pub(super) fn remove(&self, id: PartitionId) -> io::Result<()> {
        self.files.remove(id)
    }

    /// Removes all segments, as [`remove`](Self::remove) does one.
    ///
    /// # Errors
    /// Those of the file system: segments may be left.
    pub(super) fn remove_all(&self) -> io::Result<()> {
        self.files.remove_all()
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.files.bytes()
    }
}

fn write(
    file: &mut File,
    identity: SegmentIdentity,
    id: PartitionId,
    partition: &Partition,
    cancelled: &AtomicBool,
) -> io::Result<()> {
    stream::write_at_start(file, &[0; HEADER_BYTES])?;
    let image = PartitionImage::of(partition);
    let mut section = |content: &dyn Fn(&mut SectionWriter<'_>) -> io::Result<()>| -> io::Result<Section> {
        let mut writer = SectionWriter::new(file, cancelled)?;
        content(&mut writer)?;
        writer.finish()
    };
    let sections = [
        section(&|out| image.write_ids(out))?,
        section(&|out| image.write_vectors(out))?,
        section(&|out| image.write_columns(out))?,
        section(&|out| image.write_lexical(out))?,
    ];
    let written = Written {
        partition: id.0,
        seq: partition.seq(),
        dimension: partition.dense.dims(),
        memories: image.memories(),
        rows: image.rows(),
        sections,
    };
    let header = Header::new(identity.0, &written)?;
    stream::write_at_start(file, bytemuck::bytes_of(&header))
}

fn read(
    mut file: &File,
    identity: SegmentIdentity,
    id: PartitionId,
    policy: Arc<Policy>,
) -> io::Result<Partition> {
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact(&mut bytes)?;
    let header = Header::read(&bytes, identity.0, id.0, file.metadata()?.len())?;
    let [of_ids, of_vectors, of_columns, of_lexical] = header.sections;
    let (memories, rows, dimension) =
        (header.memories as usize, header.rows as usize, header.dimension as usize);
    let ids = in_section(file, of_ids, |input| read_ids(memories, input))?;
    let ids_of_groups = ids.clone();
    let vectors =
        || in_section(file, of_vectors, |input| read_vectors(dimension, ids_of_groups, rows, input));
    let others = || -> io::Result<(ReadColumns, LexicalIndex)> {
        let columns = in_section(file, of_columns, |input| ReadColumns::read(&ids, rows, input))?;
        let groups = columns.groups();
        let lexical = in_section(file, of_lexical, |input| LexicalIndex::read(groups.into_iter(), input))?;
        Ok((columns, lexical))
    };
    let (dense, others) = both(vectors, others);
    let ((columns, lexical), dense) = (others?, dense?);
    Ok(columns.into_partition(header.seq, dense, lexical, policy))
}

/// The results of both, the first computed on a thread of its own. The pools of searches and of embedding are not used: a
/// load would wait behind their work.
fn both<T: Send, U>(
    first: impl FnOnce() -> io::Result<T> + Send,
    second: impl FnOnce() -> io::Result<U>,
) -> (io::Result<T>, io::Result<U>) {
    std::thread::scope(|threads| {
        let thread =
            std::thread::Builder::new().name("engrain-segment".to_owned()).spawn_scoped(threads, first);
        let second = second();
        // A panic there would be a bug: it is contained, and the partition is read from the store.
        let first = thread.and_then(|thread| thread.join().unwrap_or_else(|_| Err(damaged())));
        (first, second)
    })
}

/// Reads a whole section and checks its checksum.
fn in_section<T>(
    file: &File,
    section: Section,
    content: impl FnOnce(&mut SectionReader<'_>) -> io::Result<T>,
) -> io::Result<T> {
    let mut reader = SectionReader::new(file, section);
    let read = content(&mut reader)?;
    reader.finish()?;
    Ok(read)
}
