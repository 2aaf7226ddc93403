//! Recall path: scope → query → search → fuse → rerank → assemble → access log.
//!
//! This file holds the asynchronous steps. The decisions (fusion, layout of the context block) are pure functions in
//! files of their own.

pub(crate) mod access_log;
mod as_of;
mod assemble;
mod check;
mod companions;
mod contradictions;
pub(crate) mod excerpt;
mod fuse;
mod load;
mod neighbours;
pub mod request;
mod rerank;
pub mod response;
mod scores;
pub mod settings;
pub mod signals;
mod supersession;
mod validity_note;
mod why_not;

use std::collections::{HashMap, HashSet};
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
use crate::index::{Candidate, Exactness, IndexQuery, View};
use crate::scope::SearchTargets;
use crate::store::RecallRecord;
use crate::text::time_expressions;
use assemble::Piece;
use fuse::{Fused, ScoringContext};
use neighbours::Neighbour;
use request::Recall;
use response::{Context, Degraded, NamedTime, Recalled, RecalledMemory, Timings};

/// Maximum number of candidates from one signal.
const MAX_CANDIDATES: u32 = 1_024;

impl Engine {
    /// Returns the memories relevant to a query, best first, with a context block.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to read, or the store or the
    /// index fails. A missing embedder or cross-encoder is no error: see [`Recalled::degraded`].
    pub async fn recall(&self, caller: &Caller, request: Recall) -> Result<Recalled, Error> {
        let now = request.now.unwrap_or_else(|| self.now());
        let recalled =
            self.recall_without_access_log(caller, request, now).instrument(debug_span!("recall")).await?;
        debug_span!("access_log").in_scope(|| self.record_access(&recalled, now));
        Ok(recalled)
    }

    async fn recall_without_access_log(
        &self,
        caller: &Caller,
        request: Recall,
        now: Timestamp,
    ) -> Result<Recalled, Error> {
        let began = Instant::now();
        needs_read(caller)?;
        check::recall(&request, &self.limits)?;
        let deadline = request.deadline_ms.map(|ms| began + Duration::from_millis(u64::from(ms)));
        let (mut timings, mut degraded) = (Timings::default(), Vec::new());

        let view = request.view(now);
        let targets =
            self.search_targets(caller, &request.scope, &view).instrument(debug_span!("scope")).await?;
        if targets.left_out > 0 {
            degraded.push(Degraded::PartitionsLeftOut);
        }
        let vector =
            self.query_vector(&request, deadline, &mut degraded).instrument(debug_span!("query")).await?;
        timings.embed = began.elapsed();
        let mut searched = self.search(&targets, &request, vector).instrument(debug_span!("search")).await?;
        if searched.versions_left_out {
            degraded.push(Degraded::VersionsLeftOut);
        }
        let scoring = self.scoring(&request, now);
        let limit = self.candidates_to_load(&request);
        let mut fused = debug_span!("fuse").in_scope(|| fuse::fuse(&searched.candidates, &scoring, limit));
        timings.search = began.elapsed().saturating_sub(timings.embed);

        let neighbours =
            if request.budget_tokens > 0 { self.neighbours(&targets, &fused).await? } else { Vec::new() };
        let versions = std::mem::take(&mut searched.versions);
        let mut loaded =
            self.load(&targets, &mut fused, &neighbours, versions).instrument(debug_span!("load")).await?;
        let before_rerank = began.elapsed();
        self.rerank(&request, &mut fused, &loaded, deadline, &mut degraded)
            .instrument(debug_span!("rerank"))
            .await;
        timings.rerank = began.elapsed().saturating_sub(before_rerank);

        let limit = request.limit as usize;
        let paired = self.add_contradictions(&targets, limit, &mut fused, &mut loaded).await?;
        let shown =
            Shown { neighbours: &neighbours, loaded: &loaded, paired: &paired, valid_at: view.valid.at };
        let context =
            debug_span!("assemble").in_scope(|| self.context(request.budget_tokens, &fused, &shown));
        let max_text_bytes = request.max_text_bytes.unwrap_or(self.recall_settings.max_text_bytes) as usize;
        let memories = fused
            .into_iter()
            .filter_map(|one| {
                let mut memory = loaded.remove(&one.memory)?;
                let Fused { partition, score, explain, .. } = one;
                let excerpt = excerpt::cut(&mut memory.text, explain.best_span, max_text_bytes);
                Some(RecalledMemory { partition, memory, excerpt, score, explain })
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

    /// Step 2: the query vector. `None`, with an entry in `degraded`, if the embedder fails or misses the deadline: the
    /// recall is then lexical only.
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
                tracing::warn!(error = &error as &dyn std::error::Error, "recall without the dense signal");
                degraded.push(Degraded::DenseUnavailable);
                Ok(None)
            }
        }
    }

    pub(crate) fn index_query(&self, request: &Recall, vector: Option<Arc<[f32]>>, view: View) -> IndexQuery {
        let limit = u32::try_from(self.candidates_to_load(request)).unwrap_or(u32::MAX);
        let settings = &self.recall_settings;
        let candidates = limit.saturating_mul(settings.candidates_per_result).max(settings.least_candidates);
        IndexQuery {
            vector,
            text: request.query.as_str().into(),
            view,
            weights: settings.weights.with(request.weights).of_scan(),
            candidates: candidates.min(MAX_CANDIDATES) as usize,
        }
    }

    /// Weights of the signals, the time expressions of the query, and the state that it asks for.
    fn scoring(&self, request: &Recall, now: Timestamp) -> ScoringContext {
        let weights = self.recall_settings.weights.with(request.weights);
        let mut times = time_expressions::read(&request.query, now);
        let asked_state = time_expressions::asked_state(&request.query, !times.is_empty());
        if weights.time <= 0.0 {
            times.clear();
        }
        ScoringContext { weights, times, asked_state }
    }

    /// Step 3: the candidates of every partition.
    pub(crate) async fn search(
        &self,
        targets: &SearchTargets,
        request: &Recall,
        vector: Option<Arc<[f32]>>,
    ) -> Result<Searched, Error> {
        let searches = targets.partitions.iter().map(|(partition, view)| {
            let query = self.index_query(request, vector.clone(), view.clone());
            async move { Ok::<_, Error>((*partition, self.search_partition(*partition, query).await?)) }
        });
        let mut searched = Searched::default();
        for (partition, found) in try_join_all(searches).await? {
            searched.memories += found.memories;
            searched.exactness = searched.exactness.max(found.exactness);
            searched.candidates.extend(found.candidates.into_iter().map(|candidate| (partition, candidate)));
            searched.versions.extend(found.versions);
            searched.versions_left_out |= found.versions_left_out;
        }
        Ok(searched)
    }

    /// Number of candidates whose texts are loaded.
    fn candidates_to_load(&self, request: &Recall) -> usize {
        let reranked = if self.reranks(request) { self.rerank_candidates(request) } else { 0 };
        request.limit.max(reranked) as usize
    }

    /// Step 6: the context block for a prompt.
    fn context(&self, budget_tokens: u32, fused: &[Fused], shown: &Shown<'_>) -> Context {
        let pieces: Vec<Piece<'_>> = fused
            .iter()
            .filter_map(|one| {
                let memory = shown.loaded.get(&one.memory)?;
                let is_paired = shown.paired.contains(&one.memory);
                Some(Piece { memory, best_span: one.explain.best_span, is_dated: is_paired })
            })
            .collect();
        let radius = self.recall_settings.neighbouring_turns;
        let adjacent = neighbours::by_rank(fused, shown.neighbours, radius, shown.loaded);
        assemble::assemble(&pieces, &adjacent, shown.valid_at, budget_tokens)
    }

    /// Step 7: one access-log record per partition.
    fn record_access(&self, recalled: &Recalled, now: Timestamp) {
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

/// Parts of the context block besides the ranked memories.
struct Shown<'a> {
    neighbours: &'a [Neighbour],
    loaded: &'a HashMap<MemoryId, Memory>,
    /// Memories that contradict another one of the result.
    paired: &'a HashSet<MemoryId>,
    valid_at: Timestamp,
}

/// Candidates of all partitions together.
pub(crate) struct Searched {
    pub(crate) candidates: Vec<(PartitionId, Candidate)>,
    pub(crate) memories: u64,
    pub(crate) exactness: Exactness,
    /// Versions at the record time of the candidates that were revised since.
    versions: HashMap<MemoryId, Memory>,
    versions_left_out: bool,
}

impl Default for Searched {
    fn default() -> Self {
        Self {
            candidates: Vec::new(),
            memories: 0,
            exactness: Exactness::Exact,
            versions: HashMap::new(),
            versions_left_out: false,
        }
    }
}
