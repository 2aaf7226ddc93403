//! `engrain delete`, `reindex`, `backup` and `restore`: commands that change or copy a store.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use engrain::wire::{
    BackupState, DeleteMatching, DeleteOwner, Erased, Filter, Job, JobState, Purge, ReindexRequest,
};
use memory_core::store::Maintenance;
use memory_core::store::sql::{
    DATABASE_FILE, DirectoryLock, MARK_FILE, NotAStore, SqlStore, StoreOptions, check_database, check_file,
    leftovers, private_files, take_over_mark,
};

use super::args::{BackupArgs, DeleteArgs, Global, ReindexArgs, RestoreArgs};
use super::connect::{Connection, configuration, running_at, with_server};
use super::failure::Failure;
use super::import_export::{bytes_bar, progress_bar};
use super::part_file::{PartFile, sync_directory};
use super::print;
use super::query::filter;
use crate::config::Overrides;
use crate::problem::causes;
use crate::wiring::SEGMENT_FOLDER;

/// Interval between polls of a job.
const POLL_EVERY: Duration = Duration::from_millis(300);
/// Maximum time that a server may be unreachable while its job is followed.
const RESTART_WITHIN: Duration = Duration::from_secs(60);
/// Name suffixes of the files that SQLite keeps beside an open database.
const LOGS: [&str; 2] = ["-wal", "-shm"];

/// Erases memories by id or by filter, or an owner.
pub(super) async fn delete(global: &Global, args: DeleteArgs) -> Result<(), Failure> {
    if args.owner {
        return with_server(global, async |server| delete_owner(global, server, &args).await).await;
    }
    let filter = match filter(&args.filter)? {
        None if args.all => Some(Filter::all([])),
        filter => filter,
    };
    with_server(global, async |server| match filter {
        Some(filter) => delete_matching(global, server, &args, filter).await,
        None => {
            let (mut memory_ids, mut purge) = (Vec::new(), Purge::Done);
            for id in &args.ids {
                let erased = server.client.delete_memory(*id).await?;
                memory_ids.extend(erased.memory_ids);
                purge = erased.purge; // the last one is about all before it, too
            }
            if global.json {
                return print::json(&Erased { memory_ids, purge });
            }
            memory_ids.iter().try_for_each(|id| print::text(&format!("erased {id}\n")))?;
            note_purge(Some(purge));
            Ok(())
        }
    })
    .await
}

async fn delete_matching(
    global: &Global,
    server: &Connection,
    args: &DeleteArgs,
    filter: Filter,
) -> Result<(), Failure> {
    let mut request = DeleteMatching { scope: args.scope.scope(), filter, confirmation: None };
    let preview = server.client.delete_matching(&request).await?;
    if preview.matched > 0 && !args.yes {
        for memory in &preview.sample {
            print::note(print::memory(memory, "", &print::zone(global.utc)).trim_end());
        }
        let derived = preview.with_derived.saturating_sub(preview.matched);
        confirm(&format!(
            "Erase {} memories ({} match, {derived} are derived from them), {} of them shown?",
            preview.with_derived,
            preview.matched,
            preview.sample.len()
        ))?;
    }
    request.confirmation = preview.confirmation;
    let done = server.client.delete_matching(&request).await?;
    if global.json {
        return print::json(&done);
    }
    print::text(&format!("erased {} memories, of which {} matched\n", done.erased, done.matched))?;
    note_purge(done.purge);
    Ok(())
}

/// Says so if erased bytes are still in files.
pub(super) fn note_purge(purge: Option<Purge>) {
    if purge == Some(Purge::Pending) {
        print::note(
            "engrain: reads or a backup in progress keep the erased bytes in the store's files; the server removes them \
             after that (`engrain doctor` tells)",
        );
    }
}

/// Erases an owner, and waits for the deletion of its data.
async fn delete_owner(global: &Global, server: &Connection, args: &DeleteArgs) -> Result<(), Failure> {
    let mut request = DeleteOwner { scope: args.scope.scope(), confirmation: None };
    let preview = server.client.delete_owner(&request).await?;
    if !args.yes {
        confirm(&format!("Erase the owner with {} memories?", preview.memories))?;
    }
    request.confirmation = preview.confirmation;
    let done = server.client.delete_owner(&request).await?;
    let mut note = String::new();
    if let Some(id) = done.job_id {
        // A server started for the command would end the job with the command.
        if args.no_wait && !server.is_own() {
            note = format!("; job {id} deletes the data");
        } else {
            let job = followed(server, server.client.job(id).await?).await?;
            if job.state != JobState::Done {
                let state = job.state.as_str();
                return Err(Failure::Failed(format!("the owner is gone, but job {id} has {state}")));
            }
        }
    }
    if global.json {
        return print::json(&done);
    }
    print::text(&format!("erased the owner with {} memories{note}\n", done.memories))
}

/// Asks for confirmation on the terminal; fails without one.
fn confirm(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("give --yes to erase without being asked".to_owned()));
    }
    print::question(&format!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::io("cannot read the answer", &error))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was erased".to_owned())),
    }
}

/// Starts a reindex job and waits for its end.
pub(super) async fn reindex(global: &Global, args: ReindexArgs) -> Result<(), Failure> {
    with_server(global, async |server| {
        let request = ReindexRequest { embedder: args.embedder };
        let mut job = server.client.reindex(&request).await?;
        // A server started for the command would end the job with the command.
        if !args.no_wait || server.is_own() {
            job = followed(server, job).await?;
        }
        let has_failed = matches!(job.state, JobState::Failed | JobState::Cancelled);
        if global.json {
            print::json(&job)?;
        } else if !has_failed {
            print::text(&format!("job {}: {} of {} memories\n", job.id, job.done, job.total))?;
        }
        let why = job.error.as_deref().unwrap_or("the server's log says more");
        match job.state {
            JobState::Failed => Err(Failure::Failed(format!("job {} failed: {why}", job.id))),
            JobState::Cancelled => Err(Failure::Failed(format!("job {} was cancelled", job.id))),
            _ => Ok(()),
        }
    })
    .await
}

/// Follows a job to its end, over a restart of its server at the same address.
async fn followed(server: &Connection, mut job: Job) -> Result<Job, Failure> {
    let bar = progress_bar(job.total, "memories");
    let mut heard = Instant::now();
    while !job.state.is_over() {
        tokio::time::sleep(POLL_EVERY).await;
        match server.client.job(job.id).await {
            Ok(now) => (job, heard) = (now, Instant::now()),
            Err(error) if !error.is_temporary() => return Err(error.into()),
            Err(_) if heard.elapsed() < RESTART_WITHIN => continue,
            Err(error) => {
                return Err(Failure::Unreachable(format!(
                    "the server does not answer any more ({}). Job {} goes on when it is started again; the same \
                     command follows it then",
                    causes(&error),
                    job.id
                )));
            }
        }
        bar.set_length(job.total);
        bar.set_position(job.done);
    }
    bar.finish_and_clear();
    Ok(job)
}

/// Writes a backup of the store to a file, atomically.
pub(super) async fn backup(global: &Global, args: BackupArgs) -> Result<(), Failure> {
    if args.file.exists() && !args.force {
        return Err(Failure::Usage(format!("{} is there already; --force replaces it", args.file.display())));
    }
    let cannot_write =
        |error: io::Error| Failure::io(&format!("cannot write {}", args.file.display()), &error);
    with_server(global, async |server| {
        let part = PartFile::beside(&args.file).map_err(cannot_write)?;
        let mut file = tokio::fs::File::from_std(part.file().try_clone().map_err(cannot_write)?);
        let bar = bytes_bar();
        let fetched = server.client.backup(&mut file, |backup| {
            bar.set_message(match backup.state {
                BackupState::Running => "copying",
                BackupState::Ready | BackupState::Failed => "fetching",
            });
            bar.set_length(backup.total_bytes);
            bar.set_position(backup.bytes);
        });
        let bytes = fetched.await?;
        bar.finish_and_clear();
        part.persist().map_err(cannot_write)?;
        if global.json {
            return print::json(&serde_json::json!({"file": args.file, "bytes": bytes}));
        }
        print::text(&format!("{} ({bytes} bytes)\n", args.file.display()))
    })
    .await
}

/// Restores the store from a backup. The backup is recognised, opened and checked before anything is replaced.
pub(super) async fn restore(global: &Global, args: RestoreArgs) -> Result<(), Failure> {
    let file = &args.file;
    let refused = |reason: NotAStore| {
        Failure::Failed(format!("cannot restore {}: {}", file.display(), causes(&reason)))
    };
    check_file(file).map_err(refused)?;
    let config = configuration(global, Overrides::default())?;
    let data_dir = &config.store.data_dir;
    if let Some(url) = running_at(&config).await? {
        let sentence = format!("the server at {url} uses {}: stop it first", data_dir.display());
        return Err(Failure::Unreachable(sentence));
    }
    let lock = DirectoryLock::take(data_dir)?; // from here on, nobody opens it
    let database = data_dir.join(DATABASE_FILE);
    if database.exists() && !args.force {
        let sentence = format!("{} is there already; --force replaces it", database.display());
        return Err(Failure::Usage(sentence));
    }
    leftovers::recover(data_dir)
        .map_err(|error| Failure::io("cannot roll back a restore that was interrupted", &error))?;
    let beside = tempfile::Builder::new()
        .prefix(leftovers::RESTORE_PREFIX)
        .tempdir_in(data_dir)
        .map_err(|error| Failure::io("cannot write into the data directory", &error))?;
    let copy = beside.path().join(DATABASE_FILE);
    copy_privately(file, &copy)
        .map_err(|error| Failure::io(&format!("cannot copy {}", file.display()), &error))?;
    check_database(&copy).await.map_err(refused)?;
    check_store(beside.path(), file).await?;
    // Before the store is replaced: they are of the old one.
    remove_segments(data_dir)
        .map_err(|error| Failure::io("cannot remove the segment files of the old store", &error))?;
    replace(&database, beside.path())
        .map_err(|error| Failure::io("cannot put the copy in place; the store is as it was", &error))?;
    // The check has opened and closed the copy as a store, which made its mark.
    take_over_mark(beside.path(), data_dir).map_err(|error| {
        Failure::io("the copy is in place, but has no store.mark before its next start", &error)
    })?;
    sync_directory(data_dir)
        .map_err(|error| Failure::io("the copy is in place, but may be lost in a power cut", &error))?;
    drop(lock);
    if global.json {
        return print::json(&serde_json::json!({"restored": database}));
    }
    print::text(&format!("restored {}\n", database.display()))
}

fn remove_segments(data_dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(data_dir.join(SEGMENT_FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a file to a new one that only its owner can read.
fn copy_privately(from: &Path, to: &Path) -> io::Result<u64> {
    io::copy(&mut fs::File::open(from)?, &mut private_files::create_new(to)?)
}

/// Replaces `database` by the database in the folder `beside`. After an error the old one is in place with its logs.
fn replace(database: &Path, beside: &Path) -> io::Result<()> {
    let copy = beside.join(DATABASE_FILE);
    fs::File::open(&copy)?.sync_all()?;
    // The mark is of the old store; the new one gets its own afterwards.
    match fs::remove_file(database.with_file_name(MARK_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut set_aside = Vec::new();
    // SQLite must not apply the logs of the old database to the new one.
    let replaced = LOGS.iter().try_for_each(|ending| {
        let log = database.with_file_name(format!("{DATABASE_FILE}{ending}"));
        let aside = beside.join(format!("{}{ending}", leftovers::REPLACED));
        match fs::rename(&log, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                set_aside.push((aside, log));
                Ok(())
            }
        }
    });
    let replaced = replaced.and_then(|()| fs::rename(&copy, database));
    if replaced.is_err() {
        for (aside, log) in set_aside {
            fs::rename(aside, log)?;
        }
    }
    replaced
}

/// Opens the backup in `directory` as a store, which migrates its tables, and checks its integrity.
async fn check_store(directory: &Path, file: &Path) -> Result<(), Failure> {
    let store = SqlStore::open(directory, StoreOptions::default()).await?;
    let damage = store.check(false).await;
    store.close().await;
    let log = directory.join(format!("{DATABASE_FILE}-wal"));
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Err(Failure::Failed(format!("the copy of {} could not be closed", file.display())));
    }
    for damage in damage? {
        if damage.code == "database" {
            return Err(Failure::Failed(format!("{} is damaged: {}", file.display(), damage.detail)));
        }
        let _ = writeln!(io::stderr(), "engrain: {} {} (see `engrain doctor`)", damage.count, damage.detail);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_removes_the_old_logs_and_a_failed_one_restores_them() {
        let folder = tempfile::tempdir().expect("a directory");
        let database = folder.path().join(DATABASE_FILE);
        let log = folder.path().join(format!("{DATABASE_FILE}-wal"));
        let beside = tempfile::tempdir_in(folder.path()).expect("a directory");
        let copy = beside.path().join(DATABASE_FILE);
        fs::write(&log, "old log").and_then(|()| fs::write(&copy, "new")).expect("written");

        fs::create_dir(&database).expect("something that no file can replace");
        assert!(replace(&database, beside.path()).is_err());
        assert_eq!(fs::read(&log).expect("still there"), b"old log");
        assert!(copy.exists());

        fs::remove_dir(&database).and_then(|()| fs::write(&database, "old")).expect("written");
        replace(&database, beside.path()).expect("replaced");
        assert_eq!(fs::read(&database).expect("in place"), b"new");
        assert!(!log.exists());
    }
}
