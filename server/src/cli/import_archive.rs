//! Import of an Engrain export as it is: the file is read twice, since references in it may lead forwards.

use engrain::client::Client;
use engrain::formats::archive::{ArchiveImport, ArchiveRecord};
use engrain::formats::{FormatError, ImportError, ImportOptions, Input};
use tokio::sync::mpsc;

use super::failure::Failure;
use super::import_report::ImportReport;

/// Number of records read ahead of the server.
const RECORDS_AHEAD: usize = 64;

/// Imports an export of format 2 or later.
pub(super) async fn import_archive(
    client: &Client,
    input: &Input,
    (options, again): (&ImportOptions, bool),
    report: &mut ImportReport,
    progress: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    let mut import = ArchiveImport::new(client).again(again).strict(options.strict);
    let mut is_first = true;
    loop {
        let (records, mut read) = mpsc::channel(RECORDS_AHEAD);
        let (source, reading_options) = (input.clone(), options.clone());
        // Decompression and parsing block, so they have a thread; it ends with the channel when the import fails.
        let reading = tokio::task::spawn_blocking(move || read_records(&source, &reading_options, &records));
        while let Some(record) = read.recv().await {
            match record {
                Ok(record) => import.add(record).await.map_err(Failure::of_import)?,
                Err(error) if options.strict => {
                    return Err(Failure::of_import(ImportError::Format(error)));
                }
                // Both passes meet the same faults.
                Err(error) if is_first => report.skip((&error).into())?,
                Err(_) => {}
            }
            report.skip_all(import.take_skipped())?;
            let imported = import.imported();
            progress.set_position(report.items() + imported.turns + imported.memories);
        }
        reading.await.map_err(|error| Failure::Failed(format!("cannot read on: {error}")))?;
        let is_needed = import.finish_pass().await.map_err(Failure::of_import)?;
        report.skip_all(import.take_skipped())?;
        if !is_needed {
            break;
        }
        is_first = false;
    }
    report.add_archive(import.imported());
    Ok(())
}

fn read_records(
    input: &Input,
    options: &ImportOptions,
    records: &mpsc::Sender<Result<ArchiveRecord, FormatError>>,
) {
    match input.open_archive(options) {
        Ok(Some(reader)) => {
            for record in reader {
                let is_last = options.strict && record.is_err();
                if records.blocking_send(record).is_err() || is_last {
                    return;
                }
            }
        }
        // It was one a moment ago: the file has changed.
        Ok(None) => {}
        Err(error) => drop(records.blocking_send(Err(error))),
    }
}
