//! Facts among the recalled memories: what place they have in a ranking of turns or sessions.
//!
//! The benchmarks name turns as evidence. A server that thinks returns facts as well, which were made of turns.

use std::collections::HashMap;
use std::time::Duration;

use clap::ValueEnum;
use engrain::Client;
use engrain::wire::{ExportLine, Filter, Origin, Scope};
use futures::TryStreamExt;
use serde::Serialize;
use uuid::Uuid;

use crate::failure::Failure;

/// Pause between two looks at the turns that wait to be thought about.
const PAUSE: Duration = Duration::from_millis(100);

/// Treatment of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Facts {
    /// They have no place: the ranking is that of the turns.
    #[default]
    Skip,
    /// They are not recalled: every request has the filter `kind != fact`.
    Exclude,
    /// Each takes a place that is no evidence.
    Rank,
    /// Each stands for the turns that it was made of.
    Evidence,
}

impl Facts {
    /// Filter of the recalls.
    pub(crate) fn filter(self) -> Option<Filter> {
        (self == Self::Exclude).then(|| Filter::negate(Filter::eq("kind", "fact")))
    }
}

/// Turns that each fact of a user was made of.
pub(crate) type Sources = HashMap<Uuid, Vec<Origin>>;

/// Turns that each memory of the scope was made of.
pub(crate) async fn sources(client: &Client, scope: &Scope) -> Result<Sources, Failure> {
    let mut turns: HashMap<Uuid, Origin> = HashMap::new();
    let mut derived: Vec<(Uuid, Vec<Uuid>)> = Vec::new();
    let mut lines = std::pin::pin!(client.export(scope));
    while let Some(line) = lines.try_next().await.map_err(failed("cannot export", scope))? {
        match line {
            ExportLine::Turn { memory, .. } => {
                if let Some(origin) = memory.origin {
                    turns.extend([(origin.turn_id, origin.clone()), (memory.id, origin)]);
                }
            }
            ExportLine::Memory { memory, sources, .. } => derived.push((memory.id, sources)),
            ExportLine::Header { .. } | ExportLine::Owner(_) | ExportLine::End { .. } => {}
        }
    }
    let of_turns = |sources: Vec<Uuid>| sources.iter().filter_map(|id| turns.get(id).cloned()).collect();
    Ok(derived.into_iter().map(|(memory, sources)| (memory, of_turns(sources))).collect())
}

/// Returns when no turn of the scope waits to be thought about, or nothing thinks about it.
pub(crate) async fn wait(client: &Client, scope: &Scope) -> Result<(), Failure> {
    loop {
        let state = client.thinking(scope).await.map_err(failed("cannot ask for the thinking of", scope))?;
        if !state.is_active || state.pending_turns == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn failed(doing: &str, scope: &Scope) -> impl FnOnce(engrain::Error) -> Failure {
    Failure::server(format!("{doing} {}", scope.user_id.as_deref().unwrap_or_default()))
}
