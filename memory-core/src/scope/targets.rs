//! Partitions that a scope selects for reading, and the visible memories of each (step 1 of recall).

use super::narrowed::narrowed;
use super::owner::owner;
use crate::domain::id::PartitionId;
use crate::domain::scope::{Caller, OwnerKind, Scope};
use crate::engine::Engine;
use crate::error::Error;
use crate::index::View;

/// Partitions, each with its view: the rules of its visible memories.
#[derive(Debug, Default)]
pub(crate) struct SearchTargets {
    pub(crate) partitions: Vec<(PartitionId, View)>,
    pub(crate) left_out: u32,
}

impl Engine {
    /// Partitions of a scope, with `view` narrowed to the part of each that the scope selects. A scope that names a user selects that user's partition. A scope that names only an
    /// agent, app or run selects its own partition, and its shared memories in the partitions of other owners.
    pub(crate) async fn search_targets(
        &self,
        caller: &Caller,
        scope: &Scope,
        view: &View,
    ) -> Result<SearchTargets, Error> {
        let owner = owner(scope)?;
        let mut targets = SearchTargets::default();
        if let Some(own) = self.store.partition_of(caller.tenant, &owner).await? {
            let filter = narrowed(&view.filter, scope, Some(owner.kind));
            targets.partitions.push((own, View { filter, ..view.clone() }));
        }
        if owner.kind == OwnerKind::User {
            return Ok(targets);
        }
        let most = self.limits.fan_out_partitions;
        let one_more = most.saturating_add(1);
        let others =
            self.store.partitions_with(caller.tenant, owner.kind, owner.id.as_str(), one_more).await?;
        let view = View { filter: narrowed(&view.filter, scope, None), shared_only: true, ..view.clone() };
        for other in others {
            if targets.partitions.len() >= most as usize {
                targets.left_out += 1;
            } else if !targets.partitions.iter().any(|(known, _)| *known == other) {
                targets.partitions.push((other, view.clone()));
            }
        }
        Ok(targets)
    }
}
