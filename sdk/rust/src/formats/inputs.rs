//! Inputs of an import below a path: a file, the files of a folder and its folders, the members of a ZIP archive.
//!
//! Invariants: nothing is written, so no name of a member can lead out of a folder; every number is bounded; members are
//! read as streams, from their own part of the archive.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::archive::ArchiveReader;
use super::error::FormatError;
use super::expansion::{Bounded, Counted};
use super::reader::{ImportItems, open, read};
use super::source::ZIP_MAGIC;
use super::zip_names::repeated;
use super::{Format, ImportOptions, LeftOut};

/// Maximum number of inputs below a path.
const MAX_INPUTS: usize = 100_000;

/// Maximum number of members of an archive, of any kind.
const MAX_MEMBERS: usize = 100_000;

/// Maximum nesting of folders.
const MAX_FOLDER_DEPTH: u32 = 16;

/// Extensions of conversation files, before `.gz`.
const EXTENSIONS: [&str; 4] = [".json", ".jsonl", ".ndjson", ".jsonlines"];

/// File or member of an archive to read.
#[derive(Clone, Debug)]
pub struct Input {
    name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Member { archive: PathBuf, start: u64, packed: u64, crc: u32, deflated: bool },
}

/// Inputs below a path.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Files and members to read, in the order of their names.
    pub found: Vec<Input>,
    /// Files and members that cannot be read.
    pub skipped: Vec<FormatError>,
    /// Number of files of a folder or archive that are left out, because their names are not those of conversations.
    pub left_out: LeftOut,
}

impl Input {
    /// Name of the file; of a member, the archive's and its own.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True for a member of an archive. An export has files beside the conversations, which are no faults of it.
    pub fn is_member(&self) -> bool {
        matches!(self.place, Place::Member { .. })
    }

    /// Opens the input as an export of format 2 or later; `None` if it is none.
    ///
    /// # Errors
    /// See [`ArchiveReader::open`].
    pub fn open_archive(&self, options: &ImportOptions) -> Result<Option<ArchiveReader>, FormatError> {
        if options.format.is_some_and(|format| format != Format::Engrain) {
            return Ok(None);
        }
        ArchiveReader::open(self.bytes()?, &self.name, options.max_record_bytes)
    }

    /// Opens the input.
    ///
    /// # Errors
    /// See [`open`].
    pub fn open(&self, options: &ImportOptions) -> Result<ImportItems, FormatError> {
        match &self.place {
            Place::File(path) => open(path, options),
            Place::Member { .. } => read(self.bytes()?, &self.name, options),
        }
    }

    fn bytes(&self) -> Result<Box<dyn Read + Send>, FormatError> {
        let unreadable = |source| FormatError::Read { file: self.name.clone(), source };
        match &self.place {
            Place::File(path) => Ok(Box::new(File::open(path).map_err(unreadable)?)),
            Place::Member { archive, start, packed, crc, deflated } => {
                let mut file = File::open(archive).map_err(unreadable)?;
                file.seek(SeekFrom::Start(*start)).map_err(unreadable)?;
                let part = file.take(*packed);
                let expected = *crc;
                if *deflated {
                    let (counted, bytes) = Counted::new(part);
                    let decoder = Bounded::new(DeflateDecoder::new(counted), bytes);
                    Ok(Box::new(Checked { source: CrcReader::new(decoder), expected }))
                } else {
                    Ok(Box::new(Checked { source: CrcReader::new(part), expected }))
                }
            }
        }
    }
}

/// Inputs below `path`. A file that is named is read whatever its name is; of a folder and of an archive, files that are
/// named like JSON. Links to folders are not followed.
///
/// # Errors
/// [`FormatError::Read`] and [`FormatError::Archive`] of `path` itself; those of what is below are in
/// [`Inputs::skipped`].
pub fn inputs(path: &Path) -> Result<Inputs, FormatError> {
    let mut inputs = Inputs::default();
    let is_folder = std::fs::metadata(path).map_err(|source| unreadable(path, source))?.is_dir();
    if is_folder {
        inputs.folder(path, 0)?;
    } else {
        inputs.file(path)?;
    }
    Ok(inputs)
}

impl Inputs {
    fn folder(&mut self, path: &Path, depth: u32) -> Result<(), FormatError> {
        if depth > MAX_FOLDER_DEPTH {
            let detail = format!("folders are nested more than {MAX_FOLDER_DEPTH} times");
            return Err(FormatError::Archive { file: path.display().to_string(), detail });
        }
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|source| unreadable(path, source))? {
            let entry = entry.map_err(|source| unreadable(path, source))?;
            let kind = entry.file_type().map_err(|source| unreadable(path, source))?;
            paths.push((entry.path(), kind.is_dir()));
            if paths.len() > MAX_INPUTS {
                return Err(too_many(path));
            }
        }
        paths.sort();
        for (path, is_folder) in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
            let is_hidden = name.starts_with('.');
            let read = if is_folder && !is_hidden {
                self.folder(&path, depth + 1)
            } else if !is_hidden && (is_conversation(&name) || name.ends_with(".zip")) && path.is_file() {
                self.file(&path)
            } else {
                self.left_out.other_files += u64::from(!is_folder);
                Ok(())
            };
            if let Err(error) = read {
                self.skipped.push(error);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), FormatError> {
        let mut file = File::open(path).map_err(|source| unreadable(path, source))?;
        let mut magic = Vec::new();
        file.by_ref()
            .take(ZIP_MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(|source| unreadable(path, source))?;
        if magic != ZIP_MAGIC {
            return self.push(path, path.display().to_string(), Place::File(path.to_owned()));
        }
        self.archive(path, file)
    }

    fn archive(&mut self, path: &Path, file: File) -> Result<(), FormatError> {
        let name = path.display().to_string();
        let damaged = |detail: String| FormatError::Archive { file: name.clone(), detail };
        let length = file.metadata().map_err(|source| unreadable(path, source))?.len();
        let mut archive = ZipArchive::new(io::BufReader::new(file))
            .map_err(|error| damaged(format!("a damaged ZIP archive: {error}")))?;
        if archive.len() > MAX_MEMBERS {
            return Err(damaged(format!("an archive of more than {MAX_MEMBERS} members")));
        }
        let mut packed_bytes = 0_u64;
        let mut found = Vec::new();
        for index in 0..archive.len() {
            let member = match archive.by_index_raw(index) {
                Ok(member) => member,
                Err(error) => {
                    self.skipped.push(damaged(format!("member {index} is damaged: {error}")));
                    continue;
                }
            };
            let own_name = String::from_utf8_lossy(member.name_raw()).into_owned();
            let last = own_name.rsplit('/').next().unwrap_or_default().to_lowercase();
            if member.is_dir() {
                continue;
            }
            if last.starts_with('.') || own_name.starts_with("__MACOSX/") || !is_conversation(&last) {
                self.left_out.other_files += 1;
                continue;
            }
            let full_name = format!("{name}/{own_name}");
            let unsupported =
                |detail: &str| FormatError::Archive { file: full_name.clone(), detail: detail.to_owned() };
            let deflated = match member.compression() {
                CompressionMethod::Stored => Some(false),
                CompressionMethod::Deflated => Some(true),
                _ => None,
            };
            let (Some(deflated), Some(start), false) = (deflated, member.data_start(), member.encrypted())
            else {
                self.skipped.push(unsupported("it is encrypted, or compressed in another way than Deflate"));
                continue;
            };
            let (packed, crc) = (member.compressed_size(), member.crc32());
            packed_bytes = packed_bytes.saturating_add(packed);
            found.push((full_name, Place::Member { archive: path.to_owned(), start, packed, crc, deflated }));
        }
        if archive.has_duplicate_names() {
            let start = archive.central_directory_start();
            let all =
                File::open(path).and_then(|file| repeated(io::BufReader::new(file), start, MAX_MEMBERS));
            for own_name in all.map_err(|source| unreadable(path, source))? {
                if is_conversation(&own_name.to_lowercase()) {
                    let detail =
                        "more than one member has this name, and only one of them is read".to_owned();
                    self.skipped.push(FormatError::Archive { file: format!("{name}/{own_name}"), detail });
                }
            }
        }
        // Members that share their bytes are how a small archive becomes a large one.
        if packed_bytes > length {
            return Err(damaged("its members overlap".to_owned()));
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.into_iter().try_for_each(|(name, place)| self.push(path, name, place))
    }

    fn push(&mut self, path: &Path, name: String, place: Place) -> Result<(), FormatError> {
        if self.found.len() >= MAX_INPUTS {
            return Err(too_many(path));
        }
        self.found.push(Input { name, place });
        Ok(())
    }
}

/// True for the name of a JSON file, in lower case.
fn is_conversation(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    EXTENSIONS.into_iter().any(|extension| name.ends_with(extension))
}

fn unreadable(path: &Path, source: io::Error) -> FormatError {
    FormatError::Read { file: path.display().to_string(), source }
}

fn too_many(path: &Path) -> FormatError {
    let detail = format!("more than {MAX_INPUTS} files");
    FormatError::Archive { file: path.display().to_string(), detail }
}

/// Member of an archive, whose checksum is compared at its end.
struct Checked<R> {
    source: CrcReader<R>,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.source.crc().sum() != self.expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
        }
        Ok(count)
    }
}
