//! Arguments of `engrain grant`, as clap definitions. Their doc comments are the help texts.

use clap::{Args, Subcommand};
use engrain::wire;
use uuid::Uuid;

use super::query::FilterArg;
use super::scope::ScopeArgs;

/// Commands on grants.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GrantCommand {
    /// Let another user, agent, app or run recall memories of an owner
    Give(GiveArgs),
    /// List the grants of an owner
    List(GrantListArgs),
    /// Show who gave and revoked a grant, and the reads through it
    Log {
        /// Id of the grant
        id: Uuid,
        /// Maximum number of entries
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
    },
    /// End a grant
    Revoke {
        /// Id of the grant
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GiveArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    #[command(flatten)]
    pub(in crate::cli) to: GranteeArgs,
    /// Ids of the memories
    #[arg(value_name = "MEMORY", conflicts_with_all = ["tag", "filter"])]
    pub(in crate::cli) memories: Vec<Uuid>,
    /// Tag of the memories, later ones included
    #[arg(long, value_name = "TAG", conflicts_with = "filter")]
    pub(in crate::cli) tag: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArg,
    /// Time from which the grant opens nothing (RFC 3339, or a date in the owner's time zone). Default: no end
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
}

/// Grantee options.
#[derive(Clone, Debug, Default, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct GranteeArgs {
    /// User that may read
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) to_user: Option<String>,
    /// Agent that may read
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) to_agent: Option<String>,
    /// Application that may read
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) to_app: Option<String>,
    /// Run that may read
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) to_run: Option<String>,
}

impl GranteeArgs {
    pub(in crate::cli) fn scope(self) -> wire::Scope {
        let Self { to_user, to_agent, to_app, to_run } = self;
        wire::Scope { user_id: to_user, agent_id: to_agent, app_id: to_app, run_id: to_run }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GrantListArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// List the grants that it has received. Default: those that it has given
    #[arg(long)]
    pub(in crate::cli) received: bool,
    /// List ended grants too
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Maximum number of grants
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(in crate::cli) limit: u32,
    /// Cursor of the page, printed at the end of the previous one
    #[arg(long)]
    pub(in crate::cli) cursor: Option<String>,
}
