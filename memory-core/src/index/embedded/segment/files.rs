//! The files of a segment folder: their names, their replacement at once, and removals that end a writing.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::domain::id::PartitionId;

/// Ending of finished files.
const FINISHED: &str = "segment";
/// Ending of files that are being written.
const UNFINISHED: &str = "segment-part";

/// The files of one folder.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    identity: u128,
    state: Mutex<State>,
    /// A writing has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of each finished file.
    sizes: HashMap<PartitionId, u64>,
    /// The writings under way, and whether each is to end.
    writing: HashMap<PartitionId, Arc<AtomicBool>>,
}

impl Files {
    /// The files of this identity; those of others, and unfinished ones, are removed. What has another ending stays.
    pub(super) fn open(dir: &Path, identity: u128) -> io::Result<Self> {
        create_private_dir(dir)?;
        let files =
            Self { dir: dir.to_owned(), identity, state: Mutex::default(), ended: Condvar::default() };
        let mut sizes = HashMap::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            match files.id_of(&path) {
                Some(id) => {
                    sizes.insert(id, entry.metadata()?.len());
                }
                None if is_own(&path) => remove_file(&path)?,
                None => {}
            }
        }
        files.state.lock().sizes = sizes;
        Ok(files)
    }

    /// The finished file of a partition.
    pub(super) fn read(&self, id: PartitionId) -> Option<File> {
        File::open(self.path(id, FINISHED)).ok()
    }

    /// Writes the file of a partition under another name, and renames it unless the partition was removed meanwhile.
    pub(super) fn write(
        &self,
        id: PartitionId,
        content: impl FnOnce(&mut File, &AtomicBool) -> io::Result<()>,
    ) -> io::Result<()> {
        let writing = self.begin(id)?;
        let part = self.path(id, UNFINISHED);
        let mut file = create_private_file(&part)?;
        content(&mut file, &writing.cancelled)?;
        let bytes = file.metadata()?.len();
        let mut state = self.state.lock();
        if writing.cancelled.load(Ordering::Acquire) {
            drop(state);
            return Err(io::ErrorKind::Interrupted.into());
        }
        std::fs::rename(&part, self.path(id, FINISHED))?;
        state.sizes.insert(id, bytes);
        drop(state);
        Ok(())
    }

    fn begin(&self, id: PartitionId) -> io::Result<Writing<'_>> {
        let mut state = self.state.lock();
        if state.writing.contains_key(&id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        state.writing.insert(id, cancelled.clone());
        Ok(Writing { files: self, id, cancelled })
    }

    /// Removes the file of a partition, once a writing of it has ended, which it is told to.
    pub(super) fn remove(&self, id: PartitionId) -> io::Result<()> {
        let mut state = self.state.lock();
        while let Some(cancelled) = state.writing.get(&id) {
            cancelled.store(true, Ordering::Release);
            self.ended.wait(&mut state);
        }
        self.remove_finished(id, &mut state)
    }

    /// Removes all files, once all writings have ended, which they are told to.
    pub(super) fn remove_all(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        while !state.writing.is_empty() {
            state.writing.values().for_each(|cancelled| cancelled.store(true, Ordering::Release));
            self.ended.wait(&mut state);
        }
        let ids: Vec<PartitionId> = state.sizes.keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.remove_finished(id, &mut state))
    }

    /// Under the lock, so that no writing begins and ends before the file is gone.
    fn remove_finished(&self, id: PartitionId, state: &mut State) -> io::Result<()> {
        // A writing that failed may have left it, if its removal failed, too.
        remove_file(&self.path(id, UNFINISHED))?;
        remove_file(&self.path(id, FINISHED))?;
        state.sizes.remove(&id);
        Ok(())
    }

    /// Bytes of all finished files.
    pub(super) fn bytes(&self) -> u64 {
        self.state.lock().sizes.values().sum()
    }

    fn path(&self, id: PartitionId, ending: &str) -> PathBuf {
        self.dir.join(format!("{id}-{:032x}.{ending}", self.identity))
    }

    /// The partition of a finished file of this identity.
    fn id_of(&self, path: &Path) -> Option<PartitionId> {
        let (id, _) = path.file_stem()?.to_str()?.rsplit_once('-')?;
        let id = PartitionId(id.parse().ok()?);
        (path == self.path(id, FINISHED)).then_some(id)
    }
}

/// A writing under way. At its end the unfinished file is gone, whatever happened.
struct Writing<'a> {
    files: &'a Files,
    id: PartitionId,
    cancelled: Arc<AtomicBool>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // After a rename there is none. An error here is met again by the removal or the next start.
        let _ = remove_file(&self.files.path(self.id, UNFINISHED));
        self.files.state.lock().writing.remove(&self.id);
        self.files.ended.notify_all();
    }
}

/// True if the file has a name that only segment files have.
fn is_own(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|ending| ending == FINISHED || ending == UNFINISHED)
}

/// Removes a file, if it is there.
fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a file that its owner alone can read, in the place of any other.
fn create_private_file(path: &Path) -> io::Result<File> {
    remove_file(path)?;
    let mut options = OpenOptions::new();
    options.write(true).read(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder that its owner alone can read, unless it is there.
fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
