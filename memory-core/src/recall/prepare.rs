//! Steps 1 and 2 of recall: targets and query vector. The targets are looked up and their partitions loaded while the query
//! is embedded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{try_join, try_join_all};
use tracing::{Instrument, debug_span};

use super::deadline::Deadline;
use super::request::Recall;
use super::response::Degraded;
use crate::domain::id::PartitionId;
use crate::domain::scope::Caller;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::View;
use crate::scope::SearchTargets;
use crate::store::{StoreError, leave_out};

/// Targets whose partitions are in memory, and the query vector.
pub(super) struct ReadyTargets {
    pub(super) ready: SearchTargets,
    /// None for a recall that is lexical only.
    pub(super) vector: Option<Arc<[f32]>>,
    /// Time until the vector was there.
    pub(super) embed: Duration,
}

/// Outcome of the load of a target.
enum Load {
    Ready(Box<(PartitionId, View)>),
    /// It goes on after the deadline.
    Late,
    Undecodable,
}

impl Engine {
    /// Steps 1 and 2, with the loads of the targets.
    pub(super) async fn prepare(
        &self,
        caller: &Caller,
        request: &Recall,
        view: &View,
        deadline: &Deadline,
        degraded: &mut Vec<Degraded>,
    ) -> Result<ReadyTargets, Error> {
        let began = Instant::now();
        let loads = async {
            let targets = self.recall_targets(caller, request, view).instrument(debug_span!("scope"));
            let targets = deadline.step(targets).await.transpose()?;
            let are_late = targets.is_none();
            let loads = self.ready(targets.unwrap_or_default(), deadline);
            Ok::<_, Error>((loads.instrument(debug_span!("load_index")).await?, are_late))
        };
        let query = async {
            let vector = self.query_vector(request, deadline).instrument(debug_span!("query")).await?;
            Ok((vector, began.elapsed()))
        };
        let (((ready, loading), are_late), (vector, embed)) = try_join(loads, query).await?;
        if are_late {
            degraded.push(Degraded::SearchDeadline);
        }
        let vector = vector.unwrap_or_else(|reason| {
            degraded.push(reason);
            None
        });
        if ready.left_out > 0 {
            degraded.push(Degraded::PartitionsLeftOut);
        }
        if loading > 0 {
            degraded.push(Degraded::IndexLoading);
        }
        Ok(ReadyTargets { ready, vector, embed })
    }

    /// The targets whose partitions are loaded by the deadline, and the number of the others. Their loads go on.
    /// Partitions of other owners that cannot be decoded are left out.
    async fn ready(
        &self,
        targets: SearchTargets,
        deadline: &Deadline,
    ) -> Result<(SearchTargets, usize), Error> {
        let loads = targets.partitions.into_iter().map(|(partition, view)| async move {
            let loaded = deadline.wait(self.index.ready(partition)).await.transpose().map_err(Error::from);
            match loaded {
                Err(Error::Store(error @ StoreError::Corrupt { .. })) if view.shared_only => {
                    leave_out(1, &error);
                    Ok::<_, Error>(Load::Undecodable)
                }
                loaded => Ok(loaded?.map_or(Load::Late, |()| Load::Ready(Box::new((partition, view))))),
            }
        });
        let (mut ready, mut loading) = (
            SearchTargets {
                own: targets.own,
                left_out: targets.left_out,
                givers: targets.givers,
                ..SearchTargets::default()
            },
            0,
        );
        for load in try_join_all(loads).await? {
            match load {
                Load::Ready(target) => ready.partitions.push(*target),
                Load::Late => loading += 1,
                Load::Undecodable => ready.left_out = ready.left_out.saturating_add(1),
            }
        }
        Ok((ready, loading))
    }

    /// Step 2: the query vector. The inner error says why there is none: the recall is then lexical only.
    pub(crate) async fn query_vector(
        &self,
        request: &Recall,
        deadline: &Deadline,
    ) -> Result<Result<Option<Arc<[f32]>>, Degraded>, Error> {
        let active = self.active_embedder();
        let dimension = active.embedder.identity().dimension;
        if let Some(vector) = &request.vector {
            if vector.len() != dimension {
                let detail = format!("must have {dimension} components, not {}", vector.len());
                return Err(Error::invalid("vector", detail));
            }
            return Ok(Ok(Some(vector.as_slice().into())));
        }
        Ok(match deadline.embedding(active.embedder.embed_query(&request.query)).await {
            Some(Ok(vector)) => Ok(Some(vector.into())),
            None => Err(Degraded::DenseDeadline),
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "recall without the dense signal");
                Err(Degraded::DenseUnavailable)
            }
        })
    }
}
