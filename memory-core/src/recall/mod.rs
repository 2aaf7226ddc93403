//! THE PATH of recalling: scope → question → search → fuse → rerank → assemble → note.
//!
//! Only the steps that must wait for something are here; what decides (fusion, the layout of the context) is pure and
//! in files of its own.

pub(crate) mod access_log;
mod assemble;
mod check;
mod fuse;
mod neighbours;
pub mod request;
mod rerank;
pub mod response;
pub mod settings;
pub mod signals;
pub mod time_expressions;
mod why_not;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tracing::{Instrument, debug_span};

use crate::domain::id::{MemoryId, PartitionId, RecallId};
use crate::domain::memory::Memory;
use crate::domain::scope::Caller;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::index::{Candidate, Exactness, IndexQuery};
use crate::scope::SearchTargets;
use crate::store::RecallRecord;
use assemble::Piece;
use fuse::{Fused, ScoringContext};
use neighbours::Neighbour;
use request::Recall;
use response::{Context, Degraded, NamedTime, Recalled, RecalledMemory, Timings};

/// The most memories that a signal can put forward.
const MAX_CANDIDATES: u32 = 1_024;

impl Engine {
    /// What is remembered that bears on a question.
    pub async fn recall(&self, caller: &Caller, request: Recall) -> Result<Recalled, Error> {
        let now = request.now.unwrap_or_else(|| self.now());
        let recalled = self.recall_unnoted(caller, request, now).instrument(debug_span!("recall")).await?;
        debug_span!("note").in_scope(|| self.note(&recalled, now));
        Ok(recalled)
    }

    async fn recall_unnoted(
        &self,
        caller: &Caller,
        request: Recall,
        now: Timestamp,
    ) -> Result<Recalled, Error> {
        let began = Instant::now();
        needs_read(caller)?;
        check::recall(&request, &self.limits)?;
        let deadline = request.deadline_ms.map(|ms| began + Duration::from_millis(u64::from(ms)));
        let mut timings = Timings::default();
        let mut degraded = Vec::new();

        let targets = self
            .search_targets(caller, &request.scope, &request.filter, now)
            .instrument(debug_span!("scope"))
            .await?;
        if targets.left_out > 0 {
            degraded.push(Degraded::PartitionsLeftOut);
        }
        let vector =
            self.query_vector(&request, deadline, &mut degraded).instrument(debug_span!("question")).await?;
        timings.embed = began.elapsed();
        let searched = self.search(&targets, &request, vector).instrument(debug_span!("search")).await?;
        let scoring = self.scoring(&request, now);
        let wanted = self.most_wanted(&request);
        let mut fused = debug_span!("fuse").in_scope(|| fuse::fuse(&searched.candidates, &scoring, wanted));
        timings.search = began.elapsed().saturating_sub(timings.embed);

        let neighbours =
            if request.budget_tokens > 0 { self.neighbours(&targets, &fused).await? } else { Vec::new() };
        let mut loaded = self.load(&fused, &neighbours).instrument(debug_span!("load")).await?;
        // What was erased since it was found is not there to be loaded.
        fused.retain(|one| loaded.contains_key(&one.memory));
        let before_rerank = began.elapsed();
        self.rerank(&request, &mut fused, &loaded, deadline, &mut degraded)
            .instrument(debug_span!("rerank"))
            .await;
        timings.rerank = began.elapsed().saturating_sub(before_rerank);

        fused.truncate(request.limit as usize);
        let context =
            debug_span!("assemble").in_scope(|| self.context(&request, &fused, &neighbours, &loaded));
        let memories = fused
            .into_iter()
            .filter_map(|one| {
                let memory = loaded.remove(&one.memory)?;
                let Fused { partition, score, explain, .. } = one;
                Some(RecalledMemory { partition, memory, score, explain })
            })
            .collect();
        timings.total = began.elapsed();
        timings.assemble = timings.total.saturating_sub(timings.embed + timings.search + timings.rerank);
        Ok(Recalled {
            id: RecallId(self.ids.next(self.now())),
            memories,
            context,
            times: named_times(&request.query, &scoring),
            exactness: searched.exactness,
            degraded,
            partitions: u32::try_from(targets.partitions.len()).unwrap_or(u32::MAX),
            partitions_left_out: targets.left_out,
            searched_memories: searched.memories,
            timings,
        })
    }

    /// STEP 2: the question's vector. Without an embedder that answers, and in time, words alone must do.
    pub(crate) async fn query_vector(
        &self,
        request: &Recall,
        deadline: Option<Instant>,
        degraded: &mut Vec<Degraded>,
    ) -> Result<Option<Arc<[f32]>>, Error> {
        let active = self.active_embedder();
        let dimension = active.embedder.identity().dimension;
        if let Some(vector) = &request.vector {
            if vector.len() != dimension {
                let detail = format!("must have {dimension} components, not {}", vector.len());
                return Err(Error::invalid("vector", detail));
            }
            field_checks::vector("vector", vector)?;
            return Ok(Some(vector.as_slice().into()));
        }
        let embedding = active.embedder.embed_query(&request.query);
        let embedded = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), embedding).await,
            None => Ok(embedding.await),
        };
        match embedded {
            Ok(Ok(vector)) => Ok(Some(vector.into())),
            Err(_late) => {
                degraded.push(Degraded::DenseDeadline);
                Ok(None)
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "recalling by words alone");
                degraded.push(Degraded::DenseUnavailable);
                Ok(None)
            }
        }
    }

    pub(crate) fn index_query(
        &self,
        request: &Recall,
        vector: Option<Arc<[f32]>>,
        view: crate::index::View,
    ) -> IndexQuery {
        let wanted = u32::try_from(self.most_wanted(request)).unwrap_or(u32::MAX);
        let settings = &self.recall_settings;
        let candidates = wanted.saturating_mul(settings.candidates_per_result).max(settings.least_candidates);
        IndexQuery {
            vector,
            text: request.query.as_str().into(),
            view,
            weights: settings.weights.with(request.weights).of_scan(),
            candidates: candidates.min(MAX_CANDIDATES) as usize,
        }
    }

    /// What the signals are weighed by, and the times that the question names.
    fn scoring(&self, request: &Recall, now: Timestamp) -> ScoringContext {
        let weights = self.recall_settings.weights.with(request.weights);
        let times = if weights.time > 0.0 { time_expressions::read(&request.query, now) } else { Vec::new() };
        ScoringContext { weights, times }
    }

    /// STEP 3: every partition's candidates.
    pub(crate) async fn search(
        &self,
        targets: &SearchTargets,
        request: &Recall,
        vector: Option<Arc<[f32]>>,
    ) -> Result<Searched, Error> {
        let searches = targets.partitions.iter().map(|(partition, view)| {
            let question = self.index_query(request, vector.clone(), view.clone());
            async move { Ok::<_, Error>((*partition, self.index.search(*partition, &question).await?)) }
        });
        let mut searched = Searched { candidates: Vec::new(), memories: 0, exactness: Exactness::Exact };
        for (partition, answer) in try_join_all(searches).await? {
            searched.memories += answer.memories;
            searched.exactness = searched.exactness.max(answer.exactness);
            searched.candidates.extend(answer.candidates.into_iter().map(|candidate| (partition, candidate)));
        }
        Ok(searched)
    }

    /// How many memories are loaded with their texts.
    fn most_wanted(&self, request: &Recall) -> usize {
        let read_again = if self.reranks(request) { self.rerank_candidates(request) } else { 0 };
        request.limit.max(read_again) as usize
    }

    /// What was found and what stands beside it, with the texts, in one look per partition.
    async fn load(
        &self,
        fused: &[Fused],
        neighbours: &[Neighbour],
    ) -> Result<HashMap<MemoryId, Memory>, Error> {
        let mut by_partition: HashMap<PartitionId, Vec<MemoryId>> = HashMap::new();
        let found = fused.iter().map(|one| (one.partition, one.memory));
        for (partition, memory) in found.chain(neighbours.iter().map(|one| (one.partition, one.memory))) {
            by_partition.entry(partition).or_default().push(memory);
        }
        let loads = by_partition.iter().map(|(partition, ids)| self.store.memories(*partition, ids));
        let loaded = try_join_all(loads).await?;
        Ok(loaded.into_iter().flatten().map(|memory| (memory.id, memory)).collect())
    }

    /// STEP 6: the block for a prompt.
    fn context(
        &self,
        request: &Recall,
        fused: &[Fused],
        neighbours: &[Neighbour],
        loaded: &HashMap<MemoryId, Memory>,
    ) -> Context {
        let pieces: Vec<Piece<'_>> = fused
            .iter()
            .filter_map(|one| {
                Some(Piece { memory: loaded.get(&one.memory)?, best_span: one.explain.best_span })
            })
            .collect();
        let beside = neighbours::beside(fused, neighbours, self.recall_settings.neighbouring_turns, loaded);
        assemble::assemble(&pieces, &beside, request.budget_tokens)
    }

    /// STEP 7: what came back, per partition.
    fn note(&self, recalled: &Recalled, now: Timestamp) {
        let mut hits: HashMap<PartitionId, Vec<(MemoryId, f32)>> = HashMap::new();
        for one in &recalled.memories {
            hits.entry(one.partition).or_default().push((one.memory.id, one.score));
        }
        for (partition, hits) in hits {
            self.access_log.record(RecallRecord { id: recalled.id, partition, recalled_at: now, hits });
        }
    }
}

fn named_times(query: &str, scoring: &ScoringContext) -> Vec<NamedTime> {
    let named = scoring.times.iter().map(|mention| NamedTime {
        words: query.get(mention.span.clone()).unwrap_or_default().to_owned(),
        days: mention.days,
    });
    named.collect()
}

/// What all partitions together put forward.
pub(crate) struct Searched {
    pub(crate) candidates: Vec<(PartitionId, Candidate)>,
    pub(crate) memories: u64,
    pub(crate) exactness: Exactness,
}
