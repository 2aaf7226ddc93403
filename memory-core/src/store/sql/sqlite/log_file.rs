//! Write-ahead log of the database as a file: its length, and the pages in its frames. It is read beside SQLite, which
//! holds no lock on it: those are on the database and on the shared memory.
//!
//! File format: <https://www.sqlite.org/fileformat2.html>, section 4.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Lengths of the headers of the log and of each of its frames, in bytes.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Log of a database.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
}

/// Generation of the log: it is begun anew once all of it is in the database file. The frames behind those of the
/// generation are left over from earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    /// Number of generations before this one since its writer was opened.
    pub(super) number: u32,
    /// In each frame of the generation. The first one is one higher in the next generation, if a writer goes on with it.
    pub(super) salts: [u32; 2],
}

impl LogFile {
    /// Log of a database file, which need not exist.
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: PathBuf::from(path) }
    }

    /// Length in bytes, leftovers of earlier generations included; 0 without a file.
    pub(super) fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// The present generation if it has at least so many frames.
    pub(super) fn generation_of(&self, frames: u64) -> io::Result<Option<Generation>> {
        let Some(mut log) = Frames::open(&self.path)? else { return Ok(None) };
        Ok(log.page(frames.saturating_sub(1))?.map(|_| log.generation))
    }

    /// Tells the pages in the frames of the present generation; returns it with their number. Frames of a transaction that
    /// was rolled back may be among them.
    pub(super) fn read_pages(&self, mut tell: impl FnMut(u32)) -> io::Result<Option<(Generation, u64)>> {
        let Some(mut log) = Frames::open(&self.path)? else { return Ok(None) };
        let mut frames = 0;
        while let Some(page) = log.page(frames)? {
            tell(page);
            frames += 1;
        }
        Ok(Some((log.generation, frames)))
    }
}

/// Open log.
struct Frames {
    file: File,
    length: u64,
    frame_bytes: u64,
    generation: Generation,
}

impl Frames {
    /// `None` without a log.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let mut header = [0; LOG_HEADER];
        if length < header.len() as u64 {
            return Ok(None);
        }
        file.read_exact(&mut header)?;
        let generation =
            Generation { number: number(&header, 12), salts: [number(&header, 16), number(&header, 20)] };
        let frame_bytes = FRAME_HEADER as u64 + u64::from(number(&header, 8));
        Ok(Some(Self { file, length, frame_bytes, generation }))
    }

    /// Page in a frame, which are counted from 0. `None` behind the last one of the generation.
    fn page(&mut self, frame: u64) -> io::Result<Option<u32>> {
        let at = frame.saturating_mul(self.frame_bytes).saturating_add(LOG_HEADER as u64);
        if at.saturating_add(self.frame_bytes) > self.length {
            return Ok(None);
        }
        let mut header = [0; FRAME_HEADER];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut header)?;
        let is_present = self.generation.salts == [number(&header, 8), number(&header, 12)];
        Ok(is_present.then(|| number(&header, 0)))
    }
}

/// Big-endian number of four bytes; 0 outside of the bytes.
fn number(bytes: &[u8], at: usize) -> u32 {
    let digits = bytes.get(at..at + 4).unwrap_or_default();
    digits.iter().fold(0, |number, digit| (number << 8) | u32::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(salts: [u32; 2], frames: &[(u32, [u32; 2])]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            [0, 0, 512, 3, salts[0], salts[1], 0, 0].into_iter().flat_map(u32::to_be_bytes).collect();
        for (page, salts) in frames {
            bytes.extend([*page, 0, salts[0], salts[1], 0, 0].into_iter().flat_map(u32::to_be_bytes));
            bytes.extend([7; 512]);
        }
        bytes
    }

    #[test]
    fn frames_of_earlier_generations_and_parts_of_frames_are_no_part_of_the_log() {
        let folder = tempfile::tempdir().expect("a directory");
        let database = folder.path().join("a.db");
        let file = LogFile::of(&database);
        let read = || {
            let mut pages = Vec::new();
            let found = file.read_pages(|page| pages.push(page)).expect("read");
            (found.map(|(generation, frames)| (generation.number, generation.salts, frames)), pages)
        };
        assert_eq!((file.bytes(), read()), (0, (None, Vec::new())));
        let write = |bytes: &[u8]| fs::write(folder.path().join("a.db-wal"), bytes).expect("written");
        write(&[1; 31]);
        assert_eq!(read(), (None, Vec::new()));
        let whole = log([5, 6], &[(3, [5, 6]), (1, [5, 6]), (9, [4, 2]), (8, [5, 6])]);
        write(&whole);
        assert_eq!(read(), (Some((3, [5, 6], 2)), vec![3, 1]));
        let has = |frames| file.generation_of(frames).expect("read").is_some();
        assert_eq!([1, 2, 3, 5, u64::MAX].map(has), [true, true, false, false, false]);
        write(&whole[..32 + 536 + 535]);
        assert_eq!(read(), (Some((3, [5, 6], 1)), vec![3]));
    }
}
