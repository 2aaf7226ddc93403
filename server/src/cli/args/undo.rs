//! Arguments of `engrain undo`, as clap definitions. Their doc comments are the help texts.

use clap::{Args, Subcommand};
use uuid::Uuid;

/// Commands that take changes back.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UndoCommand {
    /// Take back all that a finished job made
    Job {
        /// Id of the job
        id: Uuid,
        #[command(flatten)]
        how: UndoArgs,
    },
    /// Take back one version of a memory
    Memory {
        /// Id of the memory
        id: Uuid,
        /// Version to take back. Default: the present one; version 1 is taken back by erasing the memory
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        version: Option<u32>,
        #[command(flatten)]
        how: UndoArgs,
    },
}

/// Options of every undo.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct UndoArgs {
    /// Print what the undo would do, without changing anything
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Take back later work that was built on it too
    #[arg(long)]
    pub(in crate::cli) with_dependents: bool,
}
