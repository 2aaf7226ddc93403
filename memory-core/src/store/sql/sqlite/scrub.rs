//! Overwriting of the unused bytes of b-tree pages in the database file.
//!
//! `secure_delete` overwrites a cell where it is deleted. But when SQLite distributes the cells of a page over its
//! siblings, it leaves their old bytes in the gap between the cell pointers and the cells of the page
//! (`rebuildPage` in `btree.c`), and the later deletion of the row does not reach those. So after every complete
//! checkpoint the gaps of all changed pages are overwritten with zeros, directly in the file. SQLite never reads a gap.
//!
//! Invariants: a page is written only while the log is empty and the write lock is held; no byte outside of a gap or a
//! free block changes. The file stays open as long as the store, because closing any descriptor of it would release the
//! POSIX locks of all connections of the process. File format: <https://www.sqlite.org/fileformat2.html>, section 1.6.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::private_files;

/// Number of pages that one step of the scan of the whole file reads.
pub(super) const PAGES_PER_STEP: u32 = 4_096;
/// Number of pages from which on the first byte of an overflow page can look like that of a b-tree page: such a file is
/// not scrubbed. 256 GiB with pages of 8 KiB.
const MAX_PAGES: u64 = 1 << 25;

/// Length of the header of the database, in bytes: page 1 begins with it.
const FILE_HEADER: usize = 100;
/// Lengths of the headers of the write-ahead log and of each of its frames, in bytes.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: u64 = 24;

/// Pages that may have old bytes in their gaps.
#[derive(Debug)]
pub(super) struct Scrubber {
    file: File,
    log: PathBuf,
    /// Pages in frames of the log since their last scrubbing.
    changed: BTreeSet<u32>,
    /// Next page of the scan of the whole file, which covers the pages that an earlier process changed.
    next: u64,
    /// First page behind the scan.
    end: u64,
    /// Header of the log, and number of its bytes that were read.
    read: ([u8; LOG_HEADER], u64),
}

impl Scrubber {
    /// Scrubber of a database file, whose pages are all to be scanned.
    pub(super) fn open(database: &Path, log: PathBuf) -> io::Result<Self> {
        let file =
            private_files::options().read(true).write(true).create(true).truncate(false).open(database)?;
        let read = ([0; LOG_HEADER], 0);
        Ok(Self { file, log, changed: BTreeSet::new(), next: 1, end: u64::MAX, read })
    }

    /// True if pages are left to be scrubbed.
    pub(super) fn is_behind(&self) -> bool {
        self.next < self.end || !self.changed.is_empty()
    }

    /// Notes the pages in the log. To be called before each checkpoint, since the log may be overwritten after it.
    pub(super) fn note_log(&mut self) -> io::Result<()> {
        let mut log = match File::open(&self.log) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut header = [0; LOG_HEADER];
        let length = log.metadata()?.len();
        if length < header.len() as u64 {
            return Ok(());
        }
        log.read_exact(&mut header)?;
        let (known, mut at) = self.read;
        if known != header {
            if at > 0 {
                // Another connection has checkpointed and begun the log anew: its pages are not known.
                (self.next, self.end) = (1, u64::MAX);
            }
            at = header.len() as u64;
        }
        let frame = FRAME_HEADER + u64::from(number(&header, 8, 4));
        while at + frame <= length {
            let mut page = [0; 4];
            log.seek(SeekFrom::Start(at))?;
            log.read_exact(&mut page)?;
            self.changed.insert(u32::from_be_bytes(page));
            at += frame;
        }
        self.read = (header, at);
        Ok(())
    }

    /// Overwrites the gaps of the changed pages, and of some more pages of the file. The caller holds the write lock; if
    /// the log is not empty, nothing is done.
    pub(super) fn scrub(&mut self) -> io::Result<()> {
        if log_bytes(&self.log) > 0 {
            return Ok(());
        }
        self.read = ([0; LOG_HEADER], 0);
        let mut header = [0; FILE_HEADER];
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_exact(&mut header)?;
        let page_bytes = match number(&header, 16, 2) {
            1 => 65_536,
            bytes => bytes as usize,
        };
        let usable = page_bytes.saturating_sub(usize::from(header[20]));
        let pages = self.file.metadata()?.len() / (page_bytes as u64).max(1);
        if pages >= MAX_PAGES {
            tracing::warn!(pages, "the file is too large for its unused bytes to be overwritten");
            (self.next, self.end) = (pages, pages);
            self.changed.clear();
            return Ok(());
        }
        self.end = self.end.min(pages + 1);
        let until = self.end.min(self.next + u64::from(PAGES_PER_STEP));
        let changed = std::mem::take(&mut self.changed);
        let known = changed.iter().map(|page| u64::from(*page)).filter(|page| (1..=pages).contains(page));
        let mut page = vec![0; page_bytes];
        let mut has_written = false;
        for at in known.chain(self.next..until) {
            let start = (at - 1) * page_bytes as u64;
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut page)?;
            for (from, to) in unused(&page, if at == 1 { FILE_HEADER } else { 0 }, usable) {
                let Some(bytes) = page.get_mut(from..to).filter(|bytes| bytes.iter().any(|byte| *byte != 0))
                else {
                    continue;
                };
                bytes.fill(0);
                self.file.seek(SeekFrom::Start(start + from as u64))?;
                self.file.write_all(bytes)?;
                has_written = true;
            }
        }
        self.next = until.max(self.next);
        if has_written {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// Length of a write-ahead log in bytes; 0 without one.
pub(super) fn log_bytes(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// Ranges of the unused bytes of a page whose b-tree header is at `head`: the gap, and the free blocks without their
/// own headers. Empty for a page of another kind, or one that contradicts itself.
fn unused(page: &[u8], head: usize, usable: usize) -> Vec<(usize, usize)> {
    let header_bytes = match page.get(head) {
        Some(2 | 5) => 12,
        Some(10 | 13) => 8,
        _ => return Vec::new(),
    };
    let field = |at: usize| number(page, at, 2) as usize;
    let gap = head + header_bytes + 2 * field(head + 3);
    let cells = match field(head + 5) {
        0 => 65_536,
        start => start,
    };
    if gap > cells || cells > usable || usable > page.len() {
        return Vec::new();
    }
    let mut ranges = vec![(gap, cells)];
    let mut block = field(head + 1);
    let mut least = cells;
    // The chain of free blocks ascends.
    while block != 0 {
        let end = block + field(block + 2);
        if block < least || end < block + 4 || end > usable {
            return Vec::new();
        }
        ranges.push((block + 4, end));
        least = end;
        block = field(block);
    }
    ranges
}

/// Big-endian number of `length` bytes at `at`; 0 outside of the bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> u32 {
    let digits = bytes.get(at..at + length).unwrap_or_default();
    digits.iter().fold(0, |number, digit| (number << 8) | u32::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaf page of a table of 64 bytes: a gap, a cell of 10 bytes, a free block of 8, a cell of 12.
    fn page() -> Vec<u8> {
        let mut page = vec![7; 64];
        page[..12].copy_from_slice(&[13, 0, 44, 0, 2, 0, 34, 0, 0, 34, 0, 52]);
        page[44..48].copy_from_slice(&[0, 0, 0, 8]);
        page
    }

    #[test]
    fn the_gap_and_the_free_blocks_of_a_page_are_unused() {
        assert_eq!(unused(&page(), 0, 64), [(12, 34), (48, 52)]);
    }

    #[test]
    fn a_page_of_another_kind_or_one_that_contradicts_itself_is_left_alone() {
        for (at, value) in [(0, 0), (0, 1), (4, 200), (6, 3), (6, 65), (2, 20), (47, 3), (47, 30), (45, 50)] {
            let mut page = page();
            page[at] = value;
            assert_eq!(unused(&page, 0, 64), [], "{at}: {value}");
        }
        assert_eq!(unused(&page(), 0, 65), [], "longer than the page");
        assert_eq!(unused(&[], 0, 0), []);
    }

    proptest::proptest! {
        #[test]
        fn no_content_of_a_page_leads_out_of_it(page in proptest::collection::vec(0_u8.., 0..80), head in 0_usize..40) {
            for (from, to) in unused(&page, head, page.len()) {
                proptest::prop_assert!(from <= to && to <= page.len());
            }
        }
    }
}
