//! Options that name a scope.

use clap::Args;
use engrain::wire;

/// Scope options.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct ScopeArgs {
    /// User id
    #[arg(long, value_name = "ID", env = "ENGRAIN_USER")]
    pub(in crate::cli) user: Option<String>,
    /// Agent id
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) agent: Option<String>,
    /// Application id
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) app: Option<String>,
    /// Run id
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) run: Option<String>,
}

impl ScopeArgs {
    pub(in crate::cli) fn scope(&self) -> wire::Scope {
        let Self { user, agent, app, run } = self.clone();
        wire::Scope { user_id: user, agent_id: agent, app_id: app, run_id: run }
    }
}
