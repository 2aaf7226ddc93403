//! Overwriting of the unused bytes of b-tree pages in the database file.
//!
//! `secure_delete` overwrites a cell where it is deleted. But when SQLite distributes the cells of a page over its
//! siblings, it leaves their old bytes in the gap between the cell pointers and the cells of the page
//! (`rebuildPage` in `btree.c`), and the later deletion of the row does not reach those. So the pages that were changed
//! are noted from the log, and before an erasure counts as purged their gaps are overwritten with zeros, directly in the
//! file. SQLite never reads a gap.
//!
//! Invariants: a page is written only while the log is empty and the write lock is held; no byte outside of a gap or a
//! free block changes. So a reader of the file sees the same cells before, during and after it, and so does the next
//! process after a kill: each sector is old or new, and they differ in unused bytes alone. The file stays open as long
//! as the directory is locked, because closing any descriptor of it releases the POSIX locks of all connections of the
//! process. File format: <https://www.sqlite.org/fileformat2.html>, section 1.6.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::log_file::{Generation, LogFile};
use super::page_set::PageSet;
use super::{DirectoryLock, private_files};

/// Maximum number of pages that one step overwrites.
pub(super) const PAGES_PER_STEP: usize = 4_096;
/// Number of pages from which on the first byte of an overflow page can look like that of a b-tree page: such a file is
/// not scrubbed. 256 GiB with pages of 8 KiB.
const MAX_PAGES: u64 = 1 << 25;

/// Length of the header of the database, in bytes: page 1 begins with it.
const FILE_HEADER: usize = 100;
/// Position of the byte that SQLite locks: its page holds nothing.
const LOCK_BYTE: u64 = 1 << 30;

/// Pages that may have old bytes in their gaps.
#[derive(Debug)]
pub(super) struct Scrubber {
    file: File,
    log: LogFile,
    changed: PageSet,
    /// True if any page may have been changed: by an earlier process, or in a part of the log that was not seen.
    is_all_changed: bool,
    /// Generation of the log that was noted last, and whether all of it was in the database file then.
    noted: Option<(Generation, bool)>,
    /// True if bytes were overwritten that may not be on the disk.
    is_unsynced: bool,
    /// True if the file is one whose gaps are not overwritten.
    leaves_gaps: bool,
    /// Released after the file is closed: nobody else of this process has the database open then.
    _lock: Arc<DirectoryLock>,
}

impl Scrubber {
    /// Scrubber of a database file, whose pages are all to be scrubbed.
    pub(super) fn open(database: &Path, lock: Arc<DirectoryLock>) -> io::Result<Self> {
        let file =
            private_files::options().read(true).write(true).create(true).truncate(false).open(database)?;
        Ok(Self {
            file,
            log: LogFile::of(database),
            changed: PageSet::default(),
            is_all_changed: true,
            noted: None,
            is_unsynced: false,
            leaves_gaps: false,
            _lock: lock,
        })
    }

    /// True if the file is one whose gaps are not overwritten: see [`MAX_PAGES`].
    pub(super) fn leaves_gaps(&self) -> bool {
        self.leaves_gaps
    }

    /// True if pages are left to be scrubbed.
    pub(super) fn is_behind(&self) -> bool {
        self.is_all_changed || self.is_unsynced || !self.changed.is_empty()
    }

    /// Notes the pages in the log, and returns its generation and number of frames. To be called before each checkpoint,
    /// while nobody writes, since the log may be begun anew after it.
    pub(super) fn note_log(&mut self) -> io::Result<Option<(Generation, u64)>> {
        let changed = &mut self.changed;
        let Some((generation, frames)) = self.log.read_pages(|page| changed.insert(page))? else {
            return Ok(None);
        };
        let is_next = match &self.noted {
            None => generation.number == 0,
            Some((noted, _)) if *noted == generation => true,
            Some((noted, is_over)) => *is_over && generation.salts[0] == noted.salts[0].wrapping_add(1),
        };
        // Else another connection has begun the log anew meanwhile.
        self.is_all_changed |= !is_next;
        self.noted = Some((generation, false));
        Ok(Some((generation, frames)))
    }

    /// Notes that a checkpoint has copied everything that was noted: the log may be begun anew.
    pub(super) fn note_complete_checkpoint(&mut self) {
        if let Some((_, is_over)) = &mut self.noted {
            *is_over = true;
        }
    }

    /// Overwrites the gaps of some changed pages. The caller holds the write lock; if the log is not empty, nothing is
    /// done. After an error the pages count as changed, as before.
    pub(super) fn scrub(&mut self) -> io::Result<()> {
        if self.log.bytes() > 0 {
            return Ok(());
        }
        let Some(layout) = self.layout()? else {
            self.is_all_changed = false;
            self.changed.clear();
            return Ok(());
        };
        if std::mem::take(&mut self.is_all_changed) {
            (1..=layout.pages).for_each(|page| self.changed.insert(page));
        }
        let some = self.changed.first(PAGES_PER_STEP);
        let mut page = vec![0; layout.page_bytes];
        for number in some.iter().copied().filter(|number| layout.has(*number)) {
            self.scrub_page(number, &layout, &mut page)?;
        }
        if self.is_unsynced {
            self.file.sync_data()?;
            self.is_unsynced = false;
        }
        some.into_iter().for_each(|page| self.changed.remove(page));
        Ok(())
    }

    fn scrub_page(&mut self, number: u32, layout: &Layout, page: &mut [u8]) -> io::Result<()> {
        let start = layout.start_of(number);
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(page)?;
        for (from, to) in unused(page, if number == 1 { FILE_HEADER } else { 0 }, layout.usable) {
            let Some(bytes) = page.get_mut(from..to).filter(|bytes| bytes.iter().any(|byte| *byte != 0))
            else {
                continue;
            };
            bytes.fill(0);
            self.is_unsynced = true;
            self.file.seek(SeekFrom::Start(start + from as u64))?;
            self.file.write_all(bytes)?;
        }
        Ok(())
    }

    /// Layout of the file; `None` of one that is not scrubbed.
    fn layout(&mut self) -> io::Result<Option<Layout>> {
        let length = self.file.metadata()?.len();
        let mut header = [0; FILE_HEADER];
        if length == 0 {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_exact(&mut header)?;
        let layout = Layout::of(&header, length);
        self.leaves_gaps = layout.is_none();
        if layout.is_none() {
            tracing::warn!(
                length,
                "the unused bytes of the database file are not overwritten: it is too large, or of another kind"
            );
        }
        Ok(layout)
    }
}

/// Pages of a database file.
#[derive(Debug)]
struct Layout {
    page_bytes: usize,
    /// Number of the bytes of a page that SQLite uses.
    usable: usize,
    pages: u32,
}

impl Layout {
    /// `None` if a page of another kind could be taken for one of a b-tree: in a very large file, or one with
    /// `auto_vacuum`, whose pointer maps can begin like it.
    fn of(header: &[u8; FILE_HEADER], length: u64) -> Option<Self> {
        let page_bytes = match number(header, 16, 2) {
            1 => 65_536,
            bytes => bytes as usize,
        };
        let has_pointer_maps = number(header, 52, 4) != 0;
        if has_pointer_maps || page_bytes < 512 {
            return None;
        }
        let pages = Some(length / page_bytes as u64).filter(|pages| *pages < MAX_PAGES)?;
        let usable = page_bytes.saturating_sub(usize::from(header[20]));
        Some(Self { page_bytes, usable, pages: u32::try_from(pages).ok()? })
    }

    fn start_of(&self, page: u32) -> u64 {
        u64::from(page.saturating_sub(1)).saturating_mul(self.page_bytes as u64)
    }

    fn has(&self, page: u32) -> bool {
        let start = self.start_of(page);
        let has_lock_byte = (start..start.saturating_add(self.page_bytes as u64)).contains(&LOCK_BYTE);
        (1..=self.pages).contains(&page) && !has_lock_byte
    }
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

    fn header(page_bytes: u16, largest_root: u32) -> [u8; FILE_HEADER] {
        let mut header = [0; FILE_HEADER];
        header[16..18].copy_from_slice(&page_bytes.to_be_bytes());
        header[52..56].copy_from_slice(&largest_root.to_be_bytes());
        header
    }

    #[test]
    fn files_whose_pages_can_be_mistaken_are_not_scrubbed() {
        let pages = |header, length| Layout::of(&header, length).map(|layout| layout.pages);
        assert_eq!(pages(header(8_192, 0), 3 * 8_192 + 1), Some(3));
        assert_eq!(pages(header(1, 0), 1 << 20), Some(16));
        assert_eq!(pages(header(8_192, 4), 3 * 8_192), None, "pointer maps");
        assert_eq!(pages(header(8_192, 0), 256 << 30), None, "too large");
        assert_eq!(pages(header(0, 0), 8_192), None, "no database");
    }

    #[test]
    fn the_page_of_the_lock_and_pages_outside_of_the_file_are_not_touched() {
        let layout = Layout::of(&header(8_192, 0), 2 << 30).expect("a layout");
        let outside = [0, 131_073, (2 << 30) / 8_192 + 1, u32::MAX];
        assert_eq!(outside.map(|page| layout.has(page)), [false; 4]);
        assert_eq!([1, 131_072, 131_074, 262_144].map(|page| layout.has(page)), [true; 4]);
    }

    /// Scrubber of a database of three pages of 512 bytes, the second of which has an old byte in its gap.
    fn scrubber(folder: &Path) -> Scrubber {
        let mut bytes = vec![0; 3 * 512];
        bytes[..FILE_HEADER].copy_from_slice(&header(512, 0));
        bytes[512..520].copy_from_slice(&[13, 0, 0, 0, 0, 2, 0, 0]);
        bytes[900] = 7;
        std::fs::write(folder.join("a.db"), bytes).expect("written");
        let lock = DirectoryLock::take(folder).expect("free");
        Scrubber::open(&folder.join("a.db"), Arc::new(lock)).expect("opened")
    }

    fn write_log(folder: &Path, number: u32, salt: u32, page: u32) {
        let header = [0, 0, 512, number, salt, 9, 0, 0, page, 0, salt, 9, 0, 0];
        let mut bytes: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        bytes.extend([0; 512]);
        std::fs::write(folder.join("a.db-wal"), bytes).expect("written");
    }

    #[test]
    fn a_file_that_is_not_scrubbed_says_that_it_keeps_its_gaps() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut ours = scrubber(folder.path());
        ours.scrub().expect("scrubbed");
        assert!(!ours.leaves_gaps() && !ours.is_behind());
        let mut bytes = std::fs::read(folder.path().join("a.db")).expect("read");
        bytes[..FILE_HEADER].copy_from_slice(&header(512, 4));
        bytes[900] = 7;
        std::fs::write(folder.path().join("a.db"), &bytes).expect("written");
        ours.is_all_changed = true;
        ours.scrub().expect("left alone");
        assert!(ours.leaves_gaps() && !ours.is_behind());
        assert_eq!(std::fs::read(folder.path().join("a.db")).expect("read"), bytes);
    }

    #[test]
    fn nothing_is_overwritten_while_the_log_holds_pages() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut scrubber = scrubber(folder.path());
        let old = || std::fs::read(folder.path().join("a.db")).expect("read")[900];
        write_log(folder.path(), 0, 5, 2);
        scrubber.scrub().expect("scrubbed");
        assert!(scrubber.is_behind() && old() == 7);
        std::fs::write(folder.path().join("a.db-wal"), "").expect("truncated");
        scrubber.scrub().expect("scrubbed");
        assert!(!scrubber.is_behind() && old() == 0);
    }

    #[test]
    fn pages_that_could_not_be_written_stay_to_be_scrubbed() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut scrubber = scrubber(folder.path());
        let read_only = File::open(folder.path().join("a.db")).expect("opened");
        let file = std::mem::replace(&mut scrubber.file, read_only);
        assert!(scrubber.scrub().is_err() && scrubber.is_behind());
        scrubber.file = file;
        scrubber.scrub().expect("scrubbed");
        assert!(!scrubber.is_behind());
    }

    #[test]
    fn a_generation_of_the_log_that_was_missed_leaves_all_pages_to_be_scrubbed() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut scrubber = scrubber(folder.path());
        scrubber.scrub().expect("scrubbed");
        let mut note = |number, salt, is_complete| {
            write_log(folder.path(), number, salt, 2);
            scrubber.note_log().expect("read");
            if is_complete {
                scrubber.note_complete_checkpoint();
            }
            std::mem::take(&mut scrubber.is_all_changed)
        };
        assert!(!note(0, u32::MAX, false), "the first one");
        assert!(!note(0, u32::MAX, true), "the same one");
        assert!(!note(1, 0, false), "the next one");
        assert!(note(2, 1, true), "the one after an incomplete checkpoint");
        assert!(note(4, 3, true), "one between was missed");
        assert!(note(0, 77, true), "another writer");
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
