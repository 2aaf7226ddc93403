//! Partitions that a scope selects for reading, and the visible memories of each (step 1 of recall).

use super::narrowed::narrowed;
use super::owner::owner;
use crate::domain::id::PartitionId;
use crate::domain::name::Name;
use crate::domain::scope::{Caller, OwnerKind, Scope};
use crate::engine::Engine;
use crate::error::Error;
use crate::index::View;

/// Partitions, each with its view: the rules of its visible memories.
#[derive(Debug, Default)]
pub(crate) struct SearchTargets {
    pub(crate) partitions: Vec<(PartitionId, View)>,
    /// Number of further partitions with something that the scope may see.
    pub(crate) left_out: u32,
}

impl Engine {
    /// Partitions of a scope, with `view` narrowed to the part of each that the scope selects. A scope that names a user
    /// selects that user's partition. A scope that names only an agent, app or run selects its own partition, and its
    /// shared memories in the partitions of other owners: those with the latest ones, at most
    /// [`crate::limits::Limits::fan_out_partitions`] in all.
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
        let own_partitions = u32::from(!targets.partitions.is_empty());
        let most = self.limits.fan_out_partitions.saturating_sub(own_partitions);
        let ids: Vec<(OwnerKind, Name)> =
            OwnerKind::ALL.into_iter().filter_map(|kind| Some((kind, scope.id_of(kind)?.clone()))).collect();
        let others = self.store.partitions_with(caller.tenant, &ids, most).await?;
        let left_out = others.total.saturating_sub(others.partitions.len() as u64);
        targets.left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        let view = View { filter: narrowed(&view.filter, scope, None), shared_only: true, ..view.clone() };
        targets.partitions.extend(others.partitions.into_iter().map(|other| (other, view.clone())));
        Ok(targets)
    }
}
