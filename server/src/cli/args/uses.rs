//! Arguments of the commands on the uses of memories, as clap definitions. Their doc comments are the help texts.

use clap::{ArgGroup, Args};
use uuid::Uuid;

use super::scope::ScopeArgs;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("outcome").required(true).multiple(true).args(["used", "confirmed", "contradicted"]))]
pub(in crate::cli) struct FeedbackArgs {
    /// Id of the recall, which `engrain recall` prints
    pub(in crate::cli) recall: Uuid,
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Id of a memory that the answer cited; may be repeated
    #[arg(long, value_name = "MEMORY")]
    pub(in crate::cli) used: Vec<Uuid>,
    /// Id of a memory that the user confirmed or repeated; may be repeated
    #[arg(long, value_name = "MEMORY")]
    pub(in crate::cli) confirmed: Vec<Uuid>,
    /// Id of a memory that the user contradicted; may be repeated
    #[arg(long, value_name = "MEMORY")]
    pub(in crate::cli) contradicted: Vec<Uuid>,
    /// Time of the feedback (RFC 3339, or a date in the owner's time zone), not in the future. Default: now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) now: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetentionArgs {
    /// Id of the memory
    pub(in crate::cli) id: Uuid,
    /// Curve, such as memorybank.paper, wixted, actr, fsrs6 or hlr. Default: that of the owner
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) curve: Option<String>,
    /// First moment (RFC 3339, or a date in the owner's time zone). Default: when the memory was learned
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<String>,
    /// Last moment. Default: 30 days from now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) to: Option<String>,
    /// Number of points, 2 to 512. Default: 24; with --json 96
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::cli) points: Option<u32>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FadingArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Days ahead. Default: 7
    #[arg(long, value_name = "DAYS")]
    pub(in crate::cli) within_days: Option<u32>,
    /// Maximum number of memories. Default: 20
    #[arg(long, short = 'n')]
    pub(in crate::cli) limit: Option<u32>,
}
