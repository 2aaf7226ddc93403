//! `engrain import` and `engrain export`: bulk transfer with progress, in bounded memory.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use engrain::client::Client;
use engrain::formats::{
    CanonicalExport, FormatError, Import, ImportError, ImportItem, ImportOptions, Input, LeftOut, inputs,
};
use engrain::wire::ExportLine;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use super::args::{ExportArgs, Global, ImportArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::import_archive::import_archive;
use super::import_report::{ImportReport, refuse_input_as_report};
use super::part_file::PartFile;
use super::print;

/// Number of batches read ahead of the server.
const BATCHES_AHEAD: usize = 4;

/// Imports files, folders and archives. What an earlier run added is not added again; what was erased since is left out,
/// unless requested.
pub(super) async fn import(global: &Global, args: ImportArgs) -> Result<(), Failure> {
    let options = ImportOptions {
        format: args.format,
        scope: args.scope.scope(),
        user_prefix: args.user_prefix,
        batch_items: usize::from(args.batch),
        strict: args.strict,
        tool_messages: args.tool_messages,
        ..ImportOptions::default()
    };
    if let Some(report) = &args.report {
        refuse_input_as_report(report, &args.files)?;
    }
    let report = ImportReport::create(args.report.as_deref())?;
    with_server(global, async |server| {
        let again = args.again;
        let (bar, started) = (spinner(), Instant::now());
        let mut importing = Importing { client: &server.client, options, again, report, bar };
        for path in &args.files {
            importing.import_path(path).await?;
        }
        importing.bar.finish_and_clear();
        importing.report.finish(global.json, started.elapsed())
    })
    .await
}

/// Step of reading the inputs below a path.
enum Read {
    Item(Box<ImportItem>),
    /// Export of format 2 or later.
    Archive(Box<Input>),
    Skipped(FormatError),
    /// End of a file or member, with what was left out of it.
    End(LeftOut),
    /// Files that are no conversations.
    LeftOut(LeftOut),
}

/// Import in progress.
struct Importing<'a> {
    client: &'a Client,
    options: ImportOptions,
    again: bool,
    report: ImportReport,
    bar: ProgressBar,
}

impl<'a> Importing<'a> {
    /// Import of one file, whose ids are its own.
    fn of_a_file(&self) -> Import<'a> {
        Import::new(self.client).strict(self.options.strict).again(self.again)
    }

    async fn import_path(&mut self, path: &Path) -> Result<(), Failure> {
        let (steps, mut read) = mpsc::channel::<Read>(BATCHES_AHEAD);
        let (path, options) = (path.to_owned(), self.options.clone());
        // Decompression and parsing block, so they have a thread; it ends with the channel when the import fails.
        let reading = tokio::task::spawn_blocking(move || read_path(&path, &options, &steps));
        let mut import = self.of_a_file();
        while let Some(step) = read.recv().await {
            match step {
                Read::Item(item) => {
                    let imported = import.send(*item).await.map_err(Failure::of_import)?;
                    self.report.skip_all(import.take_skipped())?;
                    self.bar.set_position(self.report.items() + imported.turns + imported.memories);
                }
                Read::Archive(input) => {
                    let options = (&self.options, self.again);
                    import_archive(self.client, &input, options, &mut self.report, &self.bar).await?;
                }
                Read::Skipped(error) if self.options.strict => {
                    return Err(Failure::of_import(ImportError::Format(error)));
                }
                Read::Skipped(error) => self.report.skip((&error).into())?,
                Read::LeftOut(left_out) => self.report.leave_out(left_out),
                Read::End(left_out) => {
                    self.report.leave_out(left_out);
                    let next = self.of_a_file();
                    let imported =
                        std::mem::replace(&mut import, next).finish().await.map_err(Failure::of_import)?;
                    self.report.add(imported);
                }
            }
        }
        reading.await.map_err(|error| Failure::Failed(format!("cannot read on: {error}")))
    }
}

/// Reads all inputs below a path. Ends early if nobody listens.
fn read_path(path: &Path, options: &ImportOptions, steps: &mpsc::Sender<Read>) {
    let inputs = match inputs(path) {
        Ok(inputs) => inputs,
        Err(error) => {
            let _ = steps.blocking_send(Read::Skipped(error));
            return;
        }
    };
    let mut left_out = inputs.left_out;
    let mut told = !inputs.skipped.is_empty();
    for error in inputs.skipped {
        if steps.blocking_send(Read::Skipped(error)).is_err() {
            return;
        }
    }
    for input in inputs.found {
        if input.open_archive(options).is_ok_and(|archive| archive.is_some()) {
            told = true;
            if steps.blocking_send(Read::Archive(Box::new(input))).is_err() {
                return;
            }
            continue;
        }
        let sent = match input.open(options) {
            Ok(mut items) => {
                told = true;
                let all_sent = items.by_ref().all(|item| {
                    let step = item.map_or_else(Read::Skipped, |item| Read::Item(Box::new(item)));
                    steps.blocking_send(step).is_ok()
                });
                all_sent && steps.blocking_send(Read::End(items.left_out())).is_ok()
            }
            // An export has files beside its conversations, which are no faults of it.
            Err(error) if input.is_member() && error.is_of_foreign_file() => {
                left_out.other_files += 1;
                true
            }
            Err(error) => {
                told = true;
                steps.blocking_send(Read::Skipped(error)).is_ok()
            }
        };
        if !sent {
            return;
        }
    }
    let _ = steps.blocking_send(Read::LeftOut(left_out));
    if !told {
        let detail = "it has no file of conversations".to_owned();
        let error = FormatError::Archive { file: path.display().to_string(), detail };
        let _ = steps.blocking_send(Read::Skipped(error));
    }
}

/// Exports memories to a file, atomically, or to standard output.
pub(super) async fn export(global: &Global, args: ExportArgs) -> Result<(), Failure> {
    let scope = args.scope.scope();
    with_server(global, async |server| {
        let canonical = args.canonical.then(|| match args.history {
            true => CanonicalExport::default().with_history(),
            false => CanonicalExport::default(),
        });
        let lines = server.client.export(&scope);
        let written = match &args.output {
            None => write_lines(lines, &mut BufWriter::new(io::stdout().lock()), canonical).await?,
            Some(path) => {
                let cannot =
                    |error: io::Error| Failure::io(&format!("cannot write {}", path.display()), &error);
                let part = PartFile::beside(path).map_err(cannot)?;
                let written = write_lines(lines, &mut BufWriter::new(part.file()), canonical).await?;
                part.persist().map_err(cannot)?;
                written
            }
        };
        print::note(&format!("{} records", written.records));
        let place = args
            .output
            .as_ref()
            .map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        written.complete(&place)
    })
    .await
}

/// End of an export.
struct Written {
    records: u64,
    /// Number of memories that cannot be read.
    unreadable: u64,
    /// Code of the failure that left out more.
    incomplete: Option<String>,
}

impl Written {
    /// Failure of an export that lacks something. What could be read is kept at `place`.
    fn complete(&self, place: &str) -> Result<(), Failure> {
        let mut missing = Vec::new();
        if self.unreadable > 0 {
            missing.push(format!("{} memories cannot be read and are left out", self.unreadable));
        }
        if let Some(code) = &self.incomplete {
            missing.push(format!("others could not be listed ({code})"));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join(", and ");
        Err(Failure::Damaged(format!("{missing}: the rest is in {place} (`engrain doctor` says more)")))
    }
}

async fn write_lines(
    lines: impl futures::Stream<Item = Result<ExportLine, engrain::Error>>,
    out: &mut impl Write,
    mut canonical: Option<CanonicalExport>,
) -> Result<Written, Failure> {
    let cannot = |error: io::Error| Failure::io("cannot write the export", &error);
    let mut lines = std::pin::pin!(lines);
    let bar = spinner();
    let mut written = Written { records: 0, unreadable: 0, incomplete: None };
    while let Some(line) = lines.next().await {
        let line = line?;
        if let ExportLine::End { records, unreadable, incomplete } = &line {
            written = Written { records: *records, unreadable: *unreadable, incomplete: incomplete.clone() };
        }
        bar.inc(u64::from(matches!(line, ExportLine::Turn { .. } | ExportLine::Memory { .. })));
        if let Some(canonical) = &mut canonical {
            canonical.push(line).map_err(|error| Failure::Failed(crate::problem::causes(&error)))?;
            continue;
        }
        print::write_json(&mut *out, &line).map_err(|error| cannot(error.into()))?;
        out.write_all(b"\n").map_err(cannot)?;
    }
    if let Some(canonical) = canonical {
        out.write_all(canonical.finish().as_bytes()).map_err(cannot)?;
    }
    out.flush().map_err(cannot)?;
    bar.finish_and_clear();
    Ok(written)
}

/// Progress of unknown length. Hidden without a terminal.
fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target());
    styled(bar, "{spinner} {human_pos} done, {per_sec}, {elapsed}")
}

/// Progress towards `total`. Hidden without a terminal.
pub(super) fn progress_bar(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target());
    styled(bar, &format!("{{bar:30}} {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"))
}

/// Progress of a download in bytes, with a message.
pub(super) fn bytes_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target());
    styled(bar, "{bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left, {msg}")
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
