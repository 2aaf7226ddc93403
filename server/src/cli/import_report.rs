//! Report of an import: totals, and what was skipped, bounded on the terminal and complete in a file of JSON lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use engrain::formats::archive::ArchiveImported;
use engrain::formats::{Imported, LeftOut, Skipped};

use super::failure::Failure;
use super::print;

/// Maximum number of skipped records that are named on the terminal. The report file has all of them.
const MAX_SHOWN: usize = 20;

/// Refuses a report in the place of a file to import, which it would overwrite. A folder to import reads all files that are
/// named like JSON or ZIP, so no report of such a name may be in it.
///
/// # Errors
/// [`Failure::Usage`].
pub(super) fn refuse_input_as_report(report: &Path, inputs: &[PathBuf]) -> Result<(), Failure> {
    let folder = match report.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A report that does not exist yet is no file to import, but may become one.
    let (present, folder) = (report.canonicalize().ok(), folder.canonicalize().ok());
    let name = report.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_named_like_input = READ_EXTENSIONS.iter().any(|extension| name.ends_with(extension));
    for input in inputs {
        let Ok(path) = input.canonicalize() else { continue };
        let is_same = present.as_ref().is_some_and(|report| *report == path || is_same_file(report, &path));
        let real = present.as_deref().and_then(Path::parent);
        let is_inside = path.is_dir()
            && is_named_like_input
            && [folder.as_deref(), real].into_iter().flatten().any(|folder| folder.starts_with(&path));
        if is_same || is_inside {
            let (report, input) = (report.display(), input.display());
            return Err(Failure::Usage(match is_same {
                true => format!("--report {report} is the file to import"),
                false => {
                    format!("--report {report} is in the folder to import, {input}, as one of its files")
                }
            }));
        }
    }
    Ok(())
}

/// True for two names of one file.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// True for two names of one file. Without inodes, only canonical paths tell.
#[cfg(not(unix))]
fn is_same_file(_one: &Path, _other: &Path) -> bool {
    false
}

/// Extensions of the files of a folder that are read.
const READ_EXTENSIONS: [&str; 6] = [".json", ".jsonl", ".ndjson", ".jsonlines", ".gz", ".zip"];

/// Totals of an import, over all of its files.
pub(super) struct ImportReport {
    file: Option<(PathBuf, BufWriter<File>)>,
    shown: Vec<Skipped>,
    skipped: u64,
    /// Number of files whose rest cannot be read, with an unknown number of records.
    cut_files: u64,
    total: Imported,
    archives: ArchiveImported,
    left_out: LeftOut,
    /// Number of files and members that were read.
    inputs: u64,
}

impl ImportReport {
    /// Report with a file, which is overwritten. Each of its lines is a [`Skipped`].
    pub(super) fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let file = path.map(|path| match File::create(path) {
            Ok(file) => Ok((path.to_owned(), BufWriter::new(file))),
            Err(error) => Err(Failure::io(&format!("cannot write {}", path.display()), &error)),
        });
        Ok(Self {
            file: file.transpose()?,
            shown: Vec::new(),
            skipped: 0,
            cut_files: 0,
            total: Imported::default(),
            archives: ArchiveImported::default(),
            left_out: LeftOut::default(),
            inputs: 0,
        })
    }

    /// Number of turns and memories of the files that were read to the end.
    pub(super) fn items(&self) -> u64 {
        self.total.turns + self.total.memories + self.archives.turns + self.archives.memories
    }

    pub(super) fn skip_all(&mut self, skipped: Vec<Skipped>) -> Result<(), Failure> {
        skipped.into_iter().try_for_each(|skipped| self.skip(skipped))
    }

    pub(super) fn skip(&mut self, skipped: Skipped) -> Result<(), Failure> {
        self.skipped += skipped.count;
        self.cut_files += u64::from(skipped.rest_bytes.is_some());
        if let Some((path, file)) = &mut self.file {
            let line = serde_json::to_string(&skipped).map_err(|error| Failure::Failed(error.to_string()))?;
            writeln!(file, "{line}")
                .map_err(|error| Failure::io(&format!("cannot write {}", path.display()), &error))?;
        }
        if self.shown.len() < MAX_SHOWN {
            self.shown.push(skipped);
        }
        Ok(())
    }

    pub(super) fn leave_out(&mut self, left_out: LeftOut) {
        self.left_out += left_out;
    }

    /// Adds the totals of a file that was read to its end.
    pub(super) fn add(&mut self, imported: Imported) {
        self.inputs += 1;
        self.total = self.total.plus(imported);
    }

    /// Adds the totals of an Engrain export.
    pub(super) fn add_archive(&mut self, imported: ArchiveImported) {
        self.inputs += 1;
        self.archives = self.archives.plus(imported);
    }

    /// Prints the report.
    ///
    /// # Errors
    /// [`Failure::Incomplete`] if something was skipped, and [`Failure::Failed`] if no file could be read.
    pub(super) fn finish(mut self, as_json: bool, took: Duration) -> Result<(), Failure> {
        if let Some((path, file)) = &mut self.file {
            file.flush().map_err(|error| Failure::io(&format!("cannot write {}", path.display()), &error))?;
        }
        if as_json {
            self.print_json(took)?
        } else {
            print::text(&self.lines(took))?
        }
        for skipped in &self.shown {
            print::note(&format!("skipped: {}", skipped.to_string().replace('\n', " ")));
        }
        let shown: u64 = self.shown.iter().map(|skipped| skipped.count).sum();
        if self.skipped > shown {
            print::note(&format!("skipped: {} more; --report FILE lists all", self.skipped - shown));
        }
        match (self.skipped, self.inputs) {
            (0, _) => Ok(()),
            (_, 0) => Err(Failure::Failed("no file could be imported".to_owned())),
            (skipped, _) => Err(Failure::Incomplete(told(skipped - self.cut_files, self.cut_files))),
        }
    }

    fn rate(&self, took: Duration) -> f64 {
        self.items() as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn print_json(&self, took: Duration) -> Result<(), Failure> {
        print::json(&serde_json::json!({
            "turns": self.total.turns + self.archives.turns,
            "memories": self.total.memories + self.archives.memories,
            "added": self.total.added + self.archives.added,
            "existing": self.total.existing + self.archives.existing,
            "erased": self.total.erased + self.archives.erased,
            "conflicting": self.total.conflicting + self.archives.conflicting,
            "restored": self.archives,
            "repeated_batches": self.total.repeated_batches,
            "sources_lost": self.total.sources_lost,
            "links_lost": self.total.links_lost,
            "edits_lost": self.total.edits_lost,
            "skipped": self.skipped,
            "skipped_first": self.shown,
            "left_out": self.left_out,
            "took_s": took.as_secs_f64(),
            "per_second": self.rate(took),
        }))
    }

    fn lines(&self, took: Duration) -> String {
        let Imported { turns, memories, added, existing, erased, conflicting, .. } = self.total;
        let Imported { sources_lost, links_lost, edits_lost, .. } = self.total;
        let LeftOut { blank_texts, hidden_messages, tool_messages, other_files } = self.left_out;
        let (turns, memories) = (turns + self.archives.turns, memories + self.archives.memories);
        let archives = self.archives;
        let (added, existing) = (added + archives.added, existing + archives.existing);
        let (erased, conflicting) = (erased + archives.erased, conflicting + archives.conflicting);
        let (seconds, rate) = (took.as_secs_f64(), self.rate(took));
        let mut lines = format!(
            "{turns} turns and {memories} memories in {seconds:.1} s ({rate:.0} per second)\n\
             {added} added, {existing} already there\n"
        );
        let notes = [
            (archives.references_lost, "references of Engrain exports lead to nothing that is there"),
            (erased, "left out because they were erased; --again adds them"),
            (
                conflicting,
                "left out because their keys belong to others with another content, which stay as they are",
            ),
            (sources_lost, "sources are not in the file, or were erased since, and were left out"),
            (links_lost, "links lead out of the file, or to what was erased since, and were left out"),
            (edits_lost, "edits are of memories erased since, or refused, and were left out"),
            (blank_texts, "blank texts were left out"),
            (hidden_messages, "hidden messages were left out"),
            (tool_messages, "messages of tools were left out; --tool-messages imports them"),
            (other_files, "other files were left out"),
        ];
        for (count, note) in notes {
            if count > 0 {
                lines.push_str(&format!("{count} {note}\n"));
            }
        }
        lines
    }
}

/// Sentence on what was skipped: single records, and the rest of files.
fn told(records: u64, cut_files: u64) -> String {
    let records = match records {
        0 => None,
        1 => Some("1 record was skipped".to_owned()),
        records => Some(format!("{records} records were skipped")),
    };
    let files = match cut_files {
        0 => None,
        1 => Some("the rest of a file could not be read".to_owned()),
        files => Some(format!("the rest of {files} files could not be read")),
    };
    records.into_iter().chain(files).collect::<Vec<_>>().join(", and ")
}
