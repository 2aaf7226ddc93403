//! Partitions that a scope selects for reading, and the visible memories of each (step 1 of recall).

use std::collections::HashMap;
use std::sync::Arc;

use super::narrowed::narrowed;
use super::owner::owner;
use crate::domain::filter::Filter;
use crate::domain::grant::Selection;
use crate::domain::id::{GrantId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::scope::{Caller, Owner, OwnerKind, Scope};
use crate::engine::Engine;
use crate::error::Error;
use crate::index::{Opened, View};
use crate::store::OpenGrant;

/// Partitions, each with its view: the rules of its visible memories.
#[derive(Debug, Default)]
pub(crate) struct SearchTargets {
    pub(crate) partitions: Vec<(PartitionId, View)>,
    /// Partition of the owner of the scope; `None` if it has no memory.
    pub(crate) own: Option<PartitionId>,
    /// Owners of the partitions that grants open a part of.
    pub(crate) givers: HashMap<PartitionId, Owner>,
    /// Number of further partitions with something that the scope may see.
    pub(crate) left_out: u32,
}

impl SearchTargets {
    /// Owner and grant through which a memory of a partition is read; `None` if it needs no grant.
    pub(crate) fn grant_for(&self, partition: PartitionId, memory: &Memory) -> Option<(&Owner, GrantId)> {
        let giver = self.givers.get(&partition)?;
        let (_, view) = self.partitions.iter().find(|(one, _)| *one == partition)?;
        Some((giver, view.opened.as_ref()?.grant_for(memory)?))
    }
}

/// Partition that grants open, with its owner and what each of them selects.
type OpenedPartition = (PartitionId, Owner, Vec<(GrantId, Selection)>);

impl Engine {
    /// Partitions of a scope, with `view` narrowed to the part of each that the scope selects: the partition of its owner;
    /// those with memories that grants open to any id of the scope, if `with_granted` (ADR 0045); and, unless the scope names
    /// a user, those of other owners with memories that they share with it, the latest first. At most
    /// [`crate::limits::Limits::fan_out_partitions`] in all.
    pub(crate) async fn search_targets(
        &self,
        caller: &Caller,
        scope: &Scope,
        view: &View,
        with_granted: bool,
    ) -> Result<SearchTargets, Error> {
        let owner = owner(scope)?;
        let mut targets = SearchTargets::default();
        let own = self.store.partition_of(caller.tenant, &owner).await?;
        targets.own = own;
        if let Some(own) = own {
            let filter = narrowed(&view.filter, scope, Some(owner.kind));
            targets.partitions.push((own, View { filter, ..view.clone() }));
        }
        let most = self.limits.fan_out_partitions as usize;
        // A grant opens what is, never what was: earlier versions are their owner's alone.
        if with_granted && view.known_at.is_none() {
            self.add_granted(caller, scope, view, &mut targets, most).await?;
        }
        if owner.kind == OwnerKind::User {
            return Ok(targets);
        }
        let room = most.saturating_sub(targets.partitions.len());
        let asked = most.saturating_sub(usize::from(own.is_some()));
        let ids: Vec<(OwnerKind, Name)> =
            OwnerKind::ALL.into_iter().filter_map(|kind| Some((kind, scope.id_of(kind)?.clone()))).collect();
        let asked = u32::try_from(asked).unwrap_or(u32::MAX);
        let shared = self.store.partitions_with(caller.tenant, &ids, asked).await?;
        let found = shared.partitions.len();
        let others: Vec<PartitionId> =
            shared.partitions.into_iter().filter(|one| !targets.givers.contains_key(one)).collect();
        let searched = others.len().min(room);
        let left_out = shared.total.saturating_sub((found - others.len() + searched) as u64);
        targets.left_out = targets.left_out.saturating_add(u32::try_from(left_out).unwrap_or(u32::MAX));
        let view = View { filter: narrowed(&view.filter, scope, None), shared_only: true, ..view.clone() };
        targets.partitions.extend(others.into_iter().take(room).map(|other| (other, view.clone())));
        Ok(targets)
    }

    /// Adds the partitions that grants open a part of, those of the oldest grants first. The validity of a grant is judged
    /// by the engine's clock, whatever time the request names.
    async fn add_granted(
        &self,
        caller: &Caller,
        scope: &Scope,
        view: &View,
        targets: &mut SearchTargets,
        most: usize,
    ) -> Result<(), Error> {
        let grantees = OwnerKind::ALL
            .into_iter()
            .filter_map(|kind| Some(Owner { kind, id: scope.id_of(kind)?.clone() }))
            .collect::<Vec<_>>();
        let mut by_partition: Vec<OpenedPartition> = Vec::new();
        for grant in self.store.open_grants(caller.tenant, &grantees, self.now()).await? {
            let OpenGrant { id, partition, giver, selection } = grant;
            match by_partition.iter_mut().find(|(one, ..)| *one == partition) {
                Some((.., grants)) => grants.push((id, selection)),
                None => by_partition.push((partition, giver, vec![(id, selection)])),
            }
        }
        // The owner of the scope reads its own memories without a grant.
        by_partition.retain(|(partition, ..)| targets.partitions.iter().all(|(own, _)| own != partition));
        let is_shared_with = scope.user.is_none();
        for (partition, giver, grants) in by_partition {
            if targets.partitions.len() >= most {
                targets.left_out = targets.left_out.saturating_add(1);
                continue;
            }
            let shared = is_shared_with.then(|| narrowed(&Filter::everything(), scope, None));
            let opened = Some(Arc::new(Opened { grants, shared }));
            targets.givers.insert(partition, giver);
            targets.partitions.push((partition, View { shared_only: true, opened, ..view.clone() }));
        }
        Ok(())
    }
}
