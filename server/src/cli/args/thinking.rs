//! Arguments of the commands on derived facts and on the settings of an owner.

use clap::Args;

use super::scope::ScopeArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct ProfileArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Subject: user, assistant, or a name. Default: user
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) subject: Option<String>,
    /// Time at which the values hold (RFC 3339, or a date: the beginning of that day in the owner's time zone). Default: now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
    /// Time of knowledge: only what was recorded by then. Default: now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) known_at: Option<String>,
    /// Name of the person to whom it will be told; leaves out what was said in confidence to others
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) partner: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Maximum number of examples per defect
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(in crate::cli) examples: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TimezoneArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Time zone to set, such as Asia/Shanghai or +08:00. Default: show the present one
    #[arg(value_name = "ZONE")]
    pub(in crate::cli) zone: Option<String>,
    /// Return to the time zone of the configuration
    #[arg(long, conflicts_with = "zone")]
    pub(in crate::cli) reset: bool,
}
