//! Graph signal (step 4 of recall): reads the edges between the best candidates and all of them. `activation.rs` decides.

use std::collections::HashMap;

use futures::future::try_join_all;

use super::activation::{EdgeWeights, Edges, Seed, activation};
use super::fuse::{self, ScoringContext};
use super::{Searched, deadline::Deadline};
use crate::domain::id::{MemoryId, PartitionId};
use crate::engine::Engine;
use crate::error::Error;
use crate::graph::{GraphView, WalkSettings, walk};
use crate::index::View;
use crate::scope::SearchTargets;

/// Number of seeds: the best candidates by all other signals.
const SEEDS: usize = 10;
/// Number of candidates that are activated: the best ones by all other signals.
const ACTIVATED: usize = 256;

impl Engine {
    /// Adds the activation of the candidates to the inputs of fusion. False if the deadline passed before.
    pub(super) async fn activate(
        &self,
        targets: &SearchTargets,
        searched: &Searched,
        scoring: &mut ScoringContext,
        deadline: &Deadline,
    ) -> Result<bool, Error> {
        let weights = EdgeWeights { associations: scoring.weights.graph, links: scoring.weights.links };
        if weights.associations <= 0.0 && weights.links <= 0.0 {
            return Ok(true);
        }
        let leading = fuse::leading(&searched.candidates, scoring, ACTIVATED);
        let positions: HashMap<_, _> = leading
            .iter()
            .filter_map(|((partition, one), _)| Some(((*partition, one.memory), one.position?)))
            .collect();
        let seeds: Vec<Seed> = leading
            .iter()
            .take(SEEDS)
            .filter(|(_, score)| *score > 0.0)
            .map(|((partition, one), score)| Seed {
                partition: *partition,
                memory: one.memory,
                score: *score,
            })
            .collect();
        let mut partitions: Vec<PartitionId> = seeds.iter().map(|seed| seed.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let reads = partitions.into_iter().map(|partition| {
            let of = |place: &Seed| (place.partition == partition).then_some(place.memory);
            let from: Vec<MemoryId> = seeds.iter().filter_map(of).collect();
            let own = leading.iter().filter(|((other, _), _)| *other == partition);
            let among: Vec<MemoryId> = own.map(|((_, one), _)| one.memory).collect();
            let view = targets.partitions.iter().find(|(other, _)| *other == partition).map(|(_, view)| view);
            let masses = seeds.iter().filter(|seed| seed.partition == partition);
            let masses: Vec<(MemoryId, f32)> = masses.map(|seed| (seed.memory, seed.score)).collect();
            async move {
                let associations = match weights.associations > 0.0 {
                    true => self.index.associations(partition, &from, &among).await?,
                    false => Vec::new(),
                };
                let linked = match view.filter(|_| weights.links > 0.0) {
                    Some(view) => self.walked(partition, view, &masses).await?,
                    None => Vec::new(),
                };
                Ok::<_, Error>(Edges { partition, associations, linked })
            }
        });
        let Some(edges) = deadline.step(try_join_all(reads)).await.transpose()? else { return Ok(false) };
        let position = |partition, memory| positions.get(&(partition, memory)).copied();
        scoring.activation = activation(&seeds, &edges, weights, position);
        Ok(true)
    }

    /// Walk from the seeds over the stored graph of a partition. Nothing for a graph that is larger than all may be.
    async fn walked(
        &self,
        partition: PartitionId,
        view: &View,
        seeds: &[(MemoryId, f32)],
    ) -> Result<Vec<(MemoryId, f32)>, Error> {
        let graph = match self.graph_of(partition).await {
            Ok(graph) => graph,
            Err(Error::OverLimit { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let view = GraphView::from(view);
        Ok(walk(&graph.seen_by(&view), seeds, &WalkSettings::default()))
    }
}
