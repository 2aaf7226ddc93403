//! Arguments of the commands that read memories.

use clap::Args;
use uuid::Uuid;

use super::scope::ScopeArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct RecallArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Query text; `-` reads it from standard input
    pub(in crate::cli) query: String,
    /// Maximum number of memories
    #[arg(long, short = 'n')]
    pub(in crate::cli) limit: Option<u32>,
    /// Print the context block for a prompt instead of the memories
    #[arg(long)]
    pub(in crate::cli) context: bool,
    /// Maximum length of the context block, in tokens
    #[arg(long, value_name = "TOKENS")]
    pub(in crate::cli) budget: Option<u32>,
    /// Time zone of the days in the query and in the context block, such as Asia/Shanghai or +08:00. Default: the owner's
    #[arg(long, value_name = "ZONE")]
    pub(in crate::cli) timezone: Option<String>,
    /// Rerank the best candidates with the cross-encoder
    #[arg(long)]
    pub(in crate::cli) rerank: bool,
    /// Recall digests too. Default: the server's setting
    #[arg(long)]
    pub(in crate::cli) digests: bool,
    /// Recall forgotten memories too
    #[arg(long)]
    pub(in crate::cli) include_forgotten: bool,
    /// Forgetting curve, such as memorybank.paper, wixted, actr, fsrs6, hlr or none. Default: that of the owner
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) forgetting_curve: Option<String>,
    /// Do not record the recall as a use of its memories
    #[arg(long)]
    pub(in crate::cli) no_reinforce: bool,
    /// Reference time (RFC 3339, or a date in the owner's time zone). Default: now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) now: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArg,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WorkingMemoryArgs {
    /// Name of the session
    #[arg(value_name = "SESSION")]
    pub(in crate::cli) session: String,
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Maximum length of the context block, in tokens. Default: 2000
    #[arg(long, value_name = "TOKENS")]
    pub(in crate::cli) budget: Option<u32>,
    /// Name of the person for whom it is read; leaves out what was said in confidence to others
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) partner: Option<String>,
}

#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct FilterArg {
    /// Filter as JSON, such as '{"field": "tags", "contains": "travel"}'
    #[arg(long, value_name = "JSON")]
    pub(in crate::cli) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArg,
    /// Maximum number of memories
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(in crate::cli) limit: u32,
    /// Cursor of the page, printed at the end of the previous one
    #[arg(long)]
    pub(in crate::cli) cursor: Option<String>,
    /// List the oldest first
    #[arg(long)]
    pub(in crate::cli) oldest_first: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Id of the memory
    pub(in crate::cli) id: Uuid,
    /// Show all versions
    #[arg(long)]
    pub(in crate::cli) history: bool,
}
