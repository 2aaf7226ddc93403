//! Arguments of the commands on derived facts and on the settings of an owner.

use clap::{Args, ValueEnum};
use engrain::wire;

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
pub(in crate::cli) struct DigestsArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Level. Default: all but the portrait
    #[arg(long, value_enum)]
    pub(in crate::cli) level: Option<LevelArg>,
    /// First day, such as 2023-05-08, in the owner's time zone
    #[arg(long, value_name = "DAY")]
    pub(in crate::cli) from: Option<String>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    pub(in crate::cli) to: Option<String>,
    /// Name of the person to whom they will be told; leaves out what was said in confidence to others
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) partner: Option<String>,
}

/// Level of digests, by its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(in crate::cli) enum LevelArg {
    /// Events of one day
    EventsDay,
    /// Events of all days
    EventsAll,
    /// Traits and mood that one day shows
    PersonalityDay,
    /// Statements of the portrait
    Portrait,
}

impl From<LevelArg> for wire::DigestLevel {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::EventsDay => Self::EventsDay,
            LevelArg::EventsAll => Self::EventsAll,
            LevelArg::PersonalityDay => Self::PersonalityDay,
            LevelArg::Portrait => Self::Portrait,
        }
    }
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
