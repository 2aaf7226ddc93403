//! Command line: `engrain serve`, and commands that use a server through the client library.
//!
//! Invariants: results go to standard output and everything else to standard error, so that `--json` can be piped; the
//! exit status tells kinds of failure apart (see [`Failure`]). Every command finds a server, or starts one for its own
//! duration ([`connect`]), and then uses its API.

mod args;
mod connect;
mod digests;
mod doctor;
mod failure;
mod forgetting;
mod grants;
mod import_archive;
mod import_export;
mod import_report;
mod json_argument;
#[cfg(feature = "local-models")]
mod models;
mod part_file;
mod print;
mod query;
mod remember;
mod serve;
mod store;
mod thinking;
mod undo;
mod uses;
mod working_memory;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::args::{Cli, Command};
use self::failure::Failure;

/// Maximum time to wait for threads at the end.
const THREADS_END_WITHIN: Duration = Duration::from_secs(1);

/// Runs the command of the process's arguments. Usage errors exit with status 2.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::Failed(format!("cannot start threads: {error}"))),
    };
    let ended = runtime.block_on(dispatch(cli));
    // Threads that still run then work for requests that were given up.
    runtime.shutdown_timeout(THREADS_END_WITHIN);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Prints a usage error, or the help that was asked for, in colours; an argument that would control the terminal without.
fn usage(error: &clap::Error) -> ExitCode {
    let plain = error.render().to_string();
    match print::printable(&plain) == plain {
        true => drop(error.print()),
        false => print::note(plain.trim_end()),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn report(failure: &Failure) -> ExitCode {
    print::note(&format!("engrain: {failure}"));
    ExitCode::from(failure.exit_status())
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(args) => serve::serve(&global, args).await,
        Command::Remember(args) => Box::pin(remember::remember(&global, args)).await,
        Command::Recall(args) => Box::pin(query::recall(&global, args)).await,
        Command::List(args) => Box::pin(query::list(&global, args)).await,
        Command::Show(args) => Box::pin(query::show(&global, args)).await,
        Command::Profile(args) => Box::pin(thinking::profile(&global, args)).await,
        Command::Digests(args) => Box::pin(digests::digests(&global, args)).await,
        Command::WorkingMemory(args) => Box::pin(working_memory::working_memory(&global, args)).await,
        Command::Feedback(args) => Box::pin(uses::feedback(&global, args)).await,
        Command::Retention(args) => Box::pin(uses::retention(&global, args)).await,
        Command::Fading(args) => Box::pin(uses::fading(&global, args)).await,
        Command::Audit(args) => Box::pin(thinking::audit(&global, args)).await,
        Command::Timezone(args) => Box::pin(thinking::timezone(&global, args)).await,
        Command::Forgetting(command) => Box::pin(forgetting::forgetting(&global, command)).await,
        Command::Pin(args) => Box::pin(forgetting::pin(&global, args)).await,
        Command::Grant(command) => Box::pin(grants::grant(&global, command)).await,
        Command::Delete(args) => Box::pin(store::delete(&global, args)).await,
        Command::Undo(command) => Box::pin(undo::undo(&global, command)).await,
        Command::Import(args) => Box::pin(import_export::import(&global, args)).await,
        Command::Export(args) => Box::pin(import_export::export(&global, args)).await,
        Command::Reindex(args) => Box::pin(store::reindex(&global, args)).await,
        Command::Backup(args) => Box::pin(store::backup(&global, args)).await,
        Command::Restore(args) => Box::pin(store::restore(&global, args)).await,
        Command::Doctor(args) => Box::pin(doctor::doctor(&global, args)).await,
        #[cfg(feature = "local-models")]
        Command::Models(command) => Box::pin(models::models(&global, command)).await,
        #[cfg(not(feature = "local-models"))]
        Command::Models(_) => {
            Err(Failure::Usage("models need a build with the feature `local-models`".to_owned()))
        }
        Command::Openapi => print::text(&crate::openapi::document_text()),
        Command::Config => print::text(crate::config::DEFAULTS),
    }
}
