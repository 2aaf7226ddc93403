//! The header of a segment file: what the segment is of, and where its sections are.
//!
//! A file is its header and the sections, one after the other, nothing between or behind them. All numbers are in the byte
//! order of the machine, which the magic number tells.

use std::io;

use xxhash_rust::xxh3::xxh3_64;

use super::stream::{Section, damaged};

/// Raise it with every change of what a section has: segments of other versions are removed unread.
pub(super) const FORMAT: u32 = 5;

/// Reads as another number in the other byte order.
const MAGIC: u64 = u64::from_be_bytes(*b"ENGRSEG\n");

/// Ids, vectors, columns, lexical index.
pub(super) const SECTIONS: usize = 4;

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Header {
    magic: u64,
    format: u32,
    /// Components of a vector.
    pub(super) dimension: u32,
    pub(super) identity: [u64; 2],
    pub(super) partition: i64,
    /// The number of the partition's change log that the segment reflects.
    pub(super) seq: u64,
    pub(super) memories: u32,
    pub(super) rows: u32,
    pub(super) sections: [Section; SECTIONS],
    /// XXH3 of 64 bits of all before it.
    checksum: u64,
}

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = size_of::<Header>();

/// The fields that are not known before a file is written.
pub(super) struct Written {
    pub(super) partition: i64,
    pub(super) seq: u64,
    pub(super) dimension: usize,
    pub(super) memories: usize,
    pub(super) rows: usize,
    pub(super) sections: [Section; SECTIONS],
}

impl Header {
    pub(super) fn new(identity: u128, written: &Written) -> io::Result<Self> {
        let number =
            |len: usize| u32::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let mut header = Self {
            magic: MAGIC,
            format: FORMAT,
            dimension: number(written.dimension)?,
            identity: halves(identity),
            partition: written.partition,
            seq: written.seq,
            memories: number(written.memories)?,
            rows: number(written.rows)?,
            sections: written.sections,
            checksum: 0,
        };
        header.checksum = header.own_checksum();
        Ok(header)
    }

    /// The header of a file of this length, if it is whole and of this identity and partition.
    pub(super) fn read(bytes: &[u8], identity: u128, partition: i64, file_bytes: u64) -> io::Result<Self> {
        let header: Self = bytemuck::try_pod_read_unaligned(bytes).map_err(|_| damaged())?;
        let is_of = header.magic == MAGIC
            && header.format == FORMAT
            && header.identity == halves(identity)
            && header.partition == partition;
        if is_of && header.checksum == header.own_checksum() && header.covers(file_bytes) {
            Ok(header)
        } else {
            Err(damaged())
        }
    }

    /// True if the sections follow one another to the end of the file.
    fn covers(&self, file_bytes: u64) -> bool {
        let after = |end: Option<u64>, section: &Section| {
            end.filter(|end| *end == section.start).and_then(|end| end.checked_add(section.length))
        };
        self.sections.iter().fold(Some(HEADER_BYTES as u64), after) == Some(file_bytes)
    }

    fn own_checksum(&self) -> u64 {
        let bytes = bytemuck::bytes_of(self);
        xxh3_64(bytes.get(..HEADER_BYTES - size_of::<u64>()).unwrap_or_default())
    }
}

fn halves(number: u128) -> [u64; 2] {
    bytemuck::cast(number)
}
