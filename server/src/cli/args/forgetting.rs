//! Arguments of `engrain forgetting` and `engrain pin`, as clap definitions. Their doc comments are the help texts.

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

use super::scope::ScopeArgs;

/// Commands on forgetting.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ForgettingCommand {
    /// Show or set the forgetting policy of an owner
    Policy {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Policy as JSON, such as {"effect": "exclude", "quota_memories": 10000}; fields left out have their defaults
        #[arg(value_name = "JSON", conflicts_with = "reset")]
        policy: Option<String>,
        /// Return to the policy of the configuration
        #[arg(long)]
        reset: bool,
    },
    /// Show what a sweep would change
    Preview {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Policy as JSON. Default: the one in use
        #[arg(long, value_name = "JSON")]
        policy: Option<String>,
        #[command(flatten)]
        at: NowArg,
        /// Maximum number of memories
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
        /// Cursor of the page, printed at the end of the previous one
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Forget what has faded or is beyond the quota, and erase what is due
    Sweep {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        at: NowArg,
        /// Print the job without waiting for its end
        #[arg(long)]
        no_wait: bool,
    },
    /// List forgotten memories, those found last first
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Only those forgotten for this reason: faded, evicted or drawn
        #[arg(long)]
        reason: Option<String>,
        /// Only those recorded with this effect: demote, exclude, cold or delete
        #[arg(long)]
        effect: Option<String>,
        /// Maximum number of memories
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
        /// Cursor of the page, printed at the end of the previous one
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Bring forgotten memories back
    #[command(group = ArgGroup::new("which").required(true).args(["memories", "all"]))]
    Restore {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Ids of the memories
        #[arg(value_name = "MEMORY")]
        memories: Vec<Uuid>,
        /// Bring all of the owner back
        #[arg(long)]
        all: bool,
        /// Moment of the restoration (RFC 3339, or a date in the owner's time zone), not in the future. Default: now
        #[arg(long, value_name = "TIME")]
        now: Option<String>,
        /// Record no use of the memories, so that those that have faded are forgotten again at once
        #[arg(long)]
        no_reinforce: bool,
    },
}

/// Moment of a sweep.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct NowArg {
    /// Moment as of which memories are judged (RFC 3339, or a date in the owner's time zone). Default: now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) now: Option<String>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct PinArgs {
    /// Id of the memory
    pub(in crate::cli) id: Uuid,
    /// Release the memory, which can be forgotten again
    #[arg(long)]
    pub(in crate::cli) release: bool,
}
