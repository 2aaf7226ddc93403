//! Sections of a segment file: a sequence of numbers and arrays in the byte order of the machine, with a checksum over
//! all. Reading is bounded by the section's length, whatever the bytes say, so that no damage leads to a large allocation.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::{AnyBitPattern, NoUninit, Pod};
use xxhash_rust::xxh3::Xxh3Default;

/// Bytes that are read or written at once. They stay in the second-level cache while they are hashed.
const PIECE_BYTES: usize = 128 << 10;

/// Place, length and checksum of a section in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(in crate::index::embedded) struct Section {
    pub(super) start: u64,
    pub(super) length: u64,
    /// XXH3 of 64 bits.
    pub(super) checksum: u64,
}

/// The error of bytes that nothing here has written.
pub(in crate::index::embedded) fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Writer of a section. Cheap for small writes: they are gathered in pieces.
pub(in crate::index::embedded) struct SectionWriter<'a> {
    file: &'a mut File,
    /// Ends the writing with [`io::ErrorKind::Interrupted`]; looked at once a piece.
    cancelled: &'a AtomicBool,
    piece: Vec<u8>,
    hash: Xxh3Default,
    section: Section,
}

impl<'a> SectionWriter<'a> {
    /// A section that begins at the file's present position.
    pub(super) fn new(file: &'a mut File, cancelled: &'a AtomicBool) -> io::Result<Self> {
        let section = Section { start: file.stream_position()?, ..Section::default() };
        let piece = Vec::with_capacity(PIECE_BYTES);
        Ok(Self { file, cancelled, piece, hash: Xxh3Default::new(), section })
    }

    pub(super) fn finish(mut self) -> io::Result<Section> {
        self.flush()?;
        Ok(Section { checksum: self.hash.digest(), ..self.section })
    }

    /// Writes a number.
    pub(in crate::index::embedded) fn put<T: NoUninit>(&mut self, value: T) -> io::Result<()> {
        self.write_all(bytemuck::bytes_of(&value))
    }

    /// Writes an array, whose length the reader knows.
    pub(in crate::index::embedded) fn put_all<T: NoUninit>(&mut self, values: &[T]) -> io::Result<()> {
        self.write_all(bytemuck::cast_slice(values))
    }

    /// Writes a length.
    pub(in crate::index::embedded) fn put_len(&mut self, len: usize) -> io::Result<()> {
        self.put(u32::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?)
    }

    fn put_piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.cancelled.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.hash.update(bytes);
        self.section.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

impl Write for SectionWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
        if self.piece.len() + bytes.len() > PIECE_BYTES {
            self.flush()?;
        }
        self.piece.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut piece = std::mem::take(&mut self.piece);
        let written = self.put_piece(&piece);
        piece.clear();
        self.piece = piece;
        written
    }
}

/// Reader of a section. Large reads go from the file into their destination.
pub(in crate::index::embedded) struct SectionReader<'a> {
    file: &'a File,
    section: Section,
    /// Bytes of the section that were read from the file.
    read: u64,
    piece: Vec<u8>,
    /// Bytes of `piece` that were handed out.
    taken: usize,
    hash: Xxh3Default,
}

impl<'a> SectionReader<'a> {
    pub(super) fn new(file: &'a File, section: Section) -> Self {
        Self { file, section, read: 0, piece: Vec::new(), taken: 0, hash: Xxh3Default::new() }
    }

    /// Fails unless all of the section was read and has its checksum.
    pub(super) fn finish(self) -> io::Result<()> {
        let whole = self.left() == 0 && self.hash.digest() == self.section.checksum;
        if whole { Ok(()) } else { Err(damaged()) }
    }

    /// Bytes that can still be read.
    fn left(&self) -> u64 {
        self.section.length - self.read + (self.piece.len() - self.taken) as u64
    }

    /// Fails if an array of so many values is longer than the rest of the section.
    pub(in crate::index::embedded) fn check_room<T>(&self, len: usize) -> io::Result<()> {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| u64::try_from(bytes).ok());
        if bytes.is_some_and(|bytes| bytes <= self.left()) { Ok(()) } else { Err(damaged()) }
    }

    /// The next number.
    pub(in crate::index::embedded) fn next<T: Pod>(&mut self) -> io::Result<T> {
        let mut value = T::zeroed();
        self.read_exact(bytemuck::bytes_of_mut(&mut value))?;
        Ok(value)
    }

    /// The next number, as a length.
    pub(in crate::index::embedded) fn next_len(&mut self) -> io::Result<usize> {
        Ok(self.next::<u32>()? as usize)
    }

    /// The next array, of so many values.
    pub(in crate::index::embedded) fn vec<T: Pod>(&mut self, len: usize) -> io::Result<Vec<T>> {
        self.check_room::<T>(len)?;
        let mut values = bytemuck::zeroed_vec(len);
        for piece in values.chunks_mut(PIECE_BYTES / size_of::<T>()) {
            self.read_exact(bytemuck::cast_slice_mut(piece))?;
        }
        Ok(values)
    }

    /// Appends the next `len` bytes to `out`.
    pub(in crate::index::embedded) fn append(&mut self, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.check_room::<u8>(len)?;
        let before = out.len();
        out.resize(before + len, 0);
        self.read_exact(out.get_mut(before..).unwrap_or_default())
    }

    /// Calls `each` with the values of the next array, of so many.
    pub(in crate::index::embedded) fn each<T: Pod + AnyBitPattern>(
        &mut self,
        len: usize,
        mut each: impl FnMut(T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.check_room::<T>(len)?;
        let mut piece = vec![T::zeroed(); len.min(PIECE_BYTES / 8 / size_of::<T>())];
        let mut rest = len;
        while rest > 0 {
            let values = rest.min(piece.len());
            let (values, _) = piece.split_at_mut(values);
            self.read_exact(bytemuck::cast_slice_mut(values))?;
            values.iter().try_for_each(|value| each(*value))?;
            rest -= values.len();
        }
        Ok(())
    }

    /// Fills `bytes` from the file, as far as the section goes.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.section.length - self.read).unwrap_or(usize::MAX);
        let len = bytes.len().min(room);
        let Some(bytes) = bytes.get_mut(..len) else { return Ok(0) };
        let count = read_at(self.file, bytes, self.section.start + self.read)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.read += count as u64;
        Ok(count)
    }
}

impl Read for SectionReader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            if bytes.len() >= PIECE_BYTES / 8 {
                return self.fill(bytes);
            }
            let mut piece = std::mem::take(&mut self.piece);
            piece.resize(PIECE_BYTES, 0);
            let count = self.fill(&mut piece)?;
            piece.truncate(count);
            (self.piece, self.taken) = (piece, 0);
        }
        let held = self.piece.get(self.taken..).unwrap_or_default();
        let count = held.len().min(bytes.len());
        for (byte, held) in bytes.iter_mut().zip(held) {
            *byte = *held;
        }
        self.taken += count;
        Ok(count)
    }
}

/// Reads without moving the file's position, since several sections are read at the same time.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, start)
}

/// Writes the head of a file, once the sections behind it are known.
pub(super) fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(bytes)
}
