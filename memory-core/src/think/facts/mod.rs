//! Mechanism `facts`: a batch of turns → facts, in one change set that ends the job.
//!
//! The set takes the turns from the queue, so that no turn is thought about twice, and carries the facts, the new versions of
//! known facts, and the jobs that follow. A reply that is refused, a lost lease or a crash changes nothing.

pub mod audit;
pub(in crate::think) mod confidential;
pub(in crate::think) mod known;
pub mod preview;
pub(in crate::think) mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::change::ChangeSet;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Kind;
use crate::engine::Engine;
use crate::error::Error;
use crate::indexing::{IndexedTexts, TextToIndex};
use crate::jobs::{JobFailure, JobOutcome};
use crate::think::extract::step::Extracted;
use crate::think::facts::confidential::restricted;
use crate::think::facts::known::{Known, Reader};
use crate::think::facts::writing::{Writing, fact_set};
use crate::think::mechanism::{Mechanism, Run};
use crate::think::queue::batch::Batch;
use crate::think::queue::request;
use crate::think::queue::run::Queue;
use crate::think::resolve::{ChangeInput, Resolution, ResolveInput, Thresholds, changes, resolve};
use crate::think::settings::Profile;

/// Queue of turns of the default profile.
const FACTS: Queue = Queue { queue: request::FACTS, profile: Profile::Default, conflicts_at_most: 8 };
/// Decisions about the candidates of a batch.
pub(in crate::think) struct Resolved {
    pub(in crate::think) known: Known,
    pub(in crate::think) resolution: Resolution,
    pub(in crate::think) indexed: IndexedTexts,
}

/// Makes facts of the turns in its queue.
pub(in crate::think) struct MakeFacts;

#[async_trait]
impl Mechanism for MakeFacts {
    fn kind(&self) -> &'static str {
        request::FACTS
    }

    async fn think(&self, engine: &Engine, run: &Run, _memories: &[Uuid]) -> Result<JobOutcome, JobFailure> {
        engine.think_about_queue(run, &FACTS).await
    }
}

impl Engine {
    /// The change set of a batch.
    pub(in crate::think) async fn facts_of(
        &self,
        run: &Run,
        partition: PartitionId,
        batch: &Batch,
        extracted: &Extracted,
    ) -> Result<ChangeSet, Error> {
        let mut set = self.set_of_batch(run, batch, FACTS.queue);
        if extracted.candidates.is_empty() {
            return Ok(set);
        }
        let resolved = self.resolved(partition, batch, extracted, Kind::Fact).await?;
        let input = resolve_input(batch, extracted, &resolved.known);
        let ids: Vec<MemoryId> =
            (0..resolved.resolution.new_facts()).map(|_| MemoryId(self.ids.next(set.now))).collect();
        let change = ChangeInput { resolved: &input, kind: Kind::Fact, ids: &ids };
        let mut changes = changes(&change, &resolved.resolution).unwrap_or_default();
        let confidential = restricted(batch, &extracted.candidates);
        self.remake_digests_of(&mut set, confidential.iter().map(|revision| &revision.memory));
        changes.revisions.extend(confidential);
        self.organise_later(run, &changes.facts, &mut set);
        let writing = Writing {
            engine: self,
            maker: &extracted.maker,
            job: run.job_id(),
            batch,
            indexed: &resolved.indexed,
        };
        fact_set(&writing, changes, &mut set).await?;
        Ok(set)
    }

    /// Compares the candidates of a batch with the known facts around them.
    pub(in crate::think) async fn resolved(
        &self,
        partition: PartitionId,
        batch: &Batch,
        extracted: &Extracted,
        kind: Kind,
    ) -> Result<Resolved, Error> {
        let texts: Vec<TextToIndex> =
            extracted.candidates.iter().map(|one| TextToIndex::plain(&one.text)).collect();
        let indexed = self.index_texts(&texts, "facts").await?;
        let vectors: Vec<Option<Arc<[f32]>>> =
            indexed.rows.iter().map(|rows| rows.first()?.vector_f32()).collect();
        let reader = Reader { store: &self.store, index: &self.index, partition, kind, now: self.now() };
        let known = reader.known(&extracted.candidates, &vectors).await?;
        let near = near_each_other(&vectors);
        let input = ResolveInput { near_candidates: &near, ..resolve_input(batch, extracted, &known) };
        let resolution = resolve(&input);
        Ok(Resolved { known, resolution, indexed })
    }
}

/// Input of resolution, without the cosines between candidates.
pub(in crate::think) fn resolve_input<'a>(
    batch: &'a Batch,
    extracted: &'a Extracted,
    known: &'a Known,
) -> ResolveInput<'a> {
    ResolveInput {
        turns: &batch.shown,
        recalled: &batch.recalled,
        candidates: &extracted.candidates,
        known: &known.facts,
        near_known: &known.near,
        near_candidates: &[],
        marked: &[],
        user_names: &known.user_names,
        thresholds: Thresholds::default(),
    }
}

/// Cosine of each pair of unit vectors.
fn near_each_other(vectors: &[Option<Arc<[f32]>>]) -> Vec<(usize, usize, f64)> {
    let mut near = Vec::new();
    for (at, one) in vectors.iter().enumerate() {
        for (other_at, other) in vectors.iter().enumerate().skip(at + 1) {
            if let (Some(one), Some(other)) = (one, other) {
                let dot = one.iter().zip(other.iter()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                near.push((at, other_at, dot));
            }
        }
    }
    near
}
