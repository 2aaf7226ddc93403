//! `engrain import` and `engrain export`: bulk transfer with progress, in bounded memory.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use engrain::client::Client;
use engrain::formats::{
    CanonicalExport, FormatError, Import, ImportError, ImportItem, ImportOptions, Imported, open,
};
use engrain::wire::ExportLine;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use memory_core::domain::clock::{Clock, SystemClock};
use memory_core::domain::id::{IdSource, RandomIds};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::args::{ExportArgs, Global, ImportArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::print;

/// Number of batches read ahead of the server.
const BATCHES_AHEAD: usize = 4;

/// Imports files. Batches of an earlier run are not added again, unless requested.
pub(super) async fn import(global: &Global, args: ImportArgs) -> Result<(), Failure> {
    let options = ImportOptions {
        format: args.format,
        scope: args.scope.scope(),
        user_prefix: args.user_prefix,
        batch_items: usize::from(args.batch),
        ..ImportOptions::default()
    };
    with_server(global, async |server| {
        let started = Instant::now();
        let bar = spinner();
        let mut total = Imported::default();
        let run = args.again.then(|| RandomIds::default().next(SystemClock.now()));
        for file in &args.files {
            let imported = import_file(&server.client, file, &options, run, total, &bar).await?;
            total = sum(total, imported);
        }
        bar.finish_and_clear();
        report(global, total, started.elapsed())
    })
    .await
}

async fn import_file(
    client: &Client,
    file: &Path,
    options: &ImportOptions,
    run: Option<Uuid>,
    before: Imported,
    bar: &ProgressBar,
) -> Result<Imported, Failure> {
    let (items, mut read) = mpsc::channel::<Result<ImportItem, FormatError>>(BATCHES_AHEAD);
    let (path, options) = (file.to_owned(), options.clone());
    // Decompression and parsing block, so they have a thread; it ends with the channel when the import fails.
    let reading = tokio::task::spawn_blocking(move || match open(&path, &options) {
        Ok(batches) => batches.into_iter().all(|batch| items.blocking_send(batch).is_ok()),
        Err(error) => items.blocking_send(Err(error)).is_ok(),
    });
    let mut import = Import::new(client);
    while let Some(item) = read.recv().await {
        let mut item = item.map_err(|error| failed(ImportError::Format(error)))?;
        if let Some(run) = run {
            item.key = format!("{}-{run}", item.key);
        }
        let imported = import.send(item).await.map_err(failed)?;
        let total = sum(before, imported);
        bar.set_position(total.turns + total.memories);
    }
    let _ = reading.await;
    import.finish().await.map_err(failed)
}

fn failed(error: ImportError) -> Failure {
    match error {
        ImportError::Format(error) => Failure::Failed(crate::problem::causes(&error)),
        ImportError::Add { location, source } => match Failure::from(source) {
            Failure::Unreachable(why) => {
                Failure::Unreachable(format!("{location}: {why}; run it again to go on"))
            }
            Failure::Failed(why) => Failure::Failed(format!("{location}: {why}")),
            other => other,
        },
    }
}

fn sum(one: Imported, other: Imported) -> Imported {
    Imported {
        turns: one.turns + other.turns,
        memories: one.memories + other.memories,
        repeated_batches: one.repeated_batches + other.repeated_batches,
        sources_lost: one.sources_lost + other.sources_lost,
        links_lost: one.links_lost + other.links_lost,
    }
}

fn report(global: &Global, total: Imported, took: Duration) -> Result<(), Failure> {
    let rate = (total.turns + total.memories) as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE);
    if global.json {
        return print::json(&serde_json::json!({
            "turns": total.turns,
            "memories": total.memories,
            "repeated_batches": total.repeated_batches,
            "sources_lost": total.sources_lost,
            "links_lost": total.links_lost,
            "took_s": took.as_secs_f64(),
            "per_second": rate,
        }));
    }
    let mut lines = format!(
        "{} turns and {} memories in {:.1} s ({rate:.0} per second)\n",
        total.turns,
        total.memories,
        took.as_secs_f64()
    );
    if total.repeated_batches > 0 {
        lines.push_str(&format!(
            "{} batches had been imported before; what has been erased of them since comes back with --again\n",
            total.repeated_batches
        ));
    }
    if total.sources_lost > 0 {
        lines.push_str(&format!("{} sources are not in the file and were left out\n", total.sources_lost));
    }
    if total.links_lost > 0 {
        lines.push_str(&format!("{} links lead out of the file and were left out\n", total.links_lost));
    }
    print::text(&lines)
}

/// Exports memories to a file, atomically, or to standard output.
pub(super) async fn export(global: &Global, args: ExportArgs) -> Result<(), Failure> {
    let scope = args.scope.scope();
    with_server(global, async |server| {
        let lines = server.client.export(&scope);
        let records = match &args.output {
            None => write_lines(lines, &mut BufWriter::new(io::stdout().lock()), args.canonical).await?,
            Some(path) => {
                let cannot =
                    |error: io::Error| Failure::io(&format!("cannot write {}", path.display()), &error);
                let folder = match path.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder,
                    _ => Path::new("."),
                };
                let part = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
                let records = write_lines(lines, &mut BufWriter::new(part.as_file()), args.canonical).await?;
                part.persist(path).map_err(|error| cannot(error.error))?;
                records
            }
        };
        eprintln!("{records} records");
        Ok(())
    })
    .await
}

async fn write_lines(
    lines: impl futures::Stream<Item = Result<ExportLine, engrain::Error>>,
    out: &mut impl Write,
    is_canonical: bool,
) -> Result<u64, Failure> {
    let cannot = |error: io::Error| Failure::io("cannot write the export", &error);
    let mut lines = std::pin::pin!(lines);
    let bar = spinner();
    let mut records = 0;
    let mut canonical = is_canonical.then(CanonicalExport::default);
    while let Some(line) = lines.next().await {
        let line = line?;
        if let ExportLine::End { records: all, unreadable } = line {
            records = all;
            if unreadable > 0 {
                eprintln!(
                    "engrain: {unreadable} memories cannot be decoded and are left out (see `engrain doctor`)"
                );
            }
        }
        bar.inc(u64::from(matches!(line, ExportLine::Turn { .. } | ExportLine::Memory { .. })));
        if let Some(canonical) = &mut canonical {
            canonical.push(line).map_err(|error| Failure::Failed(crate::problem::causes(&error)))?;
            continue;
        }
        serde_json::to_writer(&mut *out, &line).map_err(|error| cannot(error.into()))?;
        out.write_all(b"\n").map_err(cannot)?;
    }
    if let Some(canonical) = canonical {
        out.write_all(canonical.finish().as_bytes()).map_err(cannot)?;
    }
    out.flush().map_err(cannot)?;
    bar.finish_and_clear();
    Ok(records)
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
#[cfg(feature = "hub")]
pub(super) fn download_bar() -> ProgressBar {
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
