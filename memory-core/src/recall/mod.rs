//! Recall path: scope → query → search → fuse → rerank → assemble → access log.
//!
//! This file holds the asynchronous steps. The decisions (fusion, layout of the context block) are pure functions in
//! files of their own.

pub(crate) mod access_log;
mod activation;
mod as_of;
pub(crate) mod assemble;
mod check;
mod companions;
mod contradictions;
mod covered;
mod deadline;
mod digest_choice;
mod digests;
pub(crate) mod excerpt;
mod faces;
mod feedback;
mod forgetting;
mod fuse;
mod granted;
mod graph;
mod load;
mod loaded;
mod neighbours;
mod prepare;
mod query;
mod record;
mod reinforce;
#[cfg(all(test, feature = "sqlite"))]
mod reinforce_tests;
pub mod request;
mod rerank;
pub mod response;
mod scores;
mod searched;
pub mod settings;
pub mod signals;
mod supersession;
pub(crate) mod tables;
mod text_room;
pub(crate) mod told;
mod uses;
pub(crate) mod validity_note;
mod why_not;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use futures::future::try_join_all;
use tracing::{Instrument, debug_span};

use crate::domain::id::{MemoryId, RecallId};
use crate::domain::memory::Memory;
use crate::domain::scope::Caller;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::index::View;
use crate::scope::SearchTargets;
use assemble::Piece;
use covered::Covered;
use deadline::Deadline;
use fuse::{Fused, ScoringContext};
use granted::Granted;
use loaded::{Loaded, TextNeeds};
use neighbours::Neighbour;
use prepare::ReadyTargets;
use query::named_times;
use request::Recall;
use response::{Context, Degraded, Recalled, RecalledMemory, Timings};
pub(crate) use searched::Searched;
use text_room::TextRoom;
use told::without_told;
use validity_note::Reader;

impl Engine {
    /// Returns the memories relevant to a query, best first, with a context block. The access log notes it, and it is a use of
    /// the memories (`uses.rs`); both are written behind the answer.
    ///
    /// # Errors
    /// [`Error`] when the request is invalid or over a limit, the caller lacks the right to read, or the right to write for
    /// [`Recall::reinforce`], which also needs a reference time that is not in the future, or the store or the index fails. A missing embedder or cross-encoder is no error: see [`Recalled::degraded`].
    pub async fn recall(&self, caller: &Caller, request: Recall) -> Result<Recalled, Error> {
        needs_read(caller)?;
        check::recall(&request, &self.limits)?;
        let now = request.now.unwrap_or_else(|| self.now());
        let (scope, session) = (request.scope.clone(), request.session.clone());
        let reinforces = uses::reinforces(&request, caller, self.now())?;
        let recalled =
            self.recall_without_access_log(caller, request, now).instrument(debug_span!("recall")).await?;
        self.record(caller, session.as_ref(), &recalled, now);
        if reinforces {
            self.reinforce(caller, &scope, &recalled, now);
        }
        Ok(recalled)
    }

    async fn recall_without_access_log(
        &self,
        caller: &Caller,
        request: Recall,
        now: Timestamp,
    ) -> Result<Recalled, Error> {
        let began = Instant::now();
        let deadline = Deadline::after(began, request.deadline_ms);
        let (mut timings, mut degraded) = (Timings::default(), Vec::new());

        let zone = self.zone_of_request(caller, &request);
        let view = request.view(now, &zone, &self.recall_settings);
        let Found { targets, searched, scoring, mut fused, spare } =
            self.find(caller, &request, &view, &deadline, (&mut timings, &mut degraded)).await?;
        let needs = self.text_needs(&request);
        let texts = self.texts(&targets, &needs, (&mut fused, spare), searched.versions, &deadline).await?;
        let (neighbours, mut loaded) = texts.unwrap_or_else(|| {
            degraded.push(Degraded::TextsDeadline);
            fused.clear();
            Default::default()
        });
        let before_rerank = began.elapsed();
        self.rerank(&request, &mut fused, &loaded, &deadline, &mut degraded)
            .instrument(debug_span!("rerank"))
            .await;
        timings.rerank = began.elapsed().saturating_sub(before_rerank);

        let limit = request.limit as usize;
        let companions = self.companions(&targets, limit, &fused, &loaded, &needs);
        let paired = match deadline.step(companions).await.transpose()? {
            Some(companions) => companions.add_to(limit, &mut fused, &mut loaded),
            None => {
                degraded.push(Degraded::ContextDeadline);
                fused.truncate(limit);
                HashSet::new()
            }
        };
        let granted = Granted::of(&targets, &fused, &neighbours, &loaded);
        let reader = Reader { valid_at: view.valid.at, zone, granted: granted.all() };
        let covered = self.covered_in_time(&targets, &fused, &loaded, &deadline, &mut degraded).await?;
        let shown = Shown {
            neighbours: &neighbours,
            loaded: &loaded,
            paired: &paired,
            reader: &reader,
            covered: &covered,
            chooses_digests: request.with_digests(&self.recall_settings),
        };
        let context =
            debug_span!("assemble").in_scope(|| self.context(request.budget_tokens, &fused, &shown));
        let mut memories = self.fitted(fused, loaded, &needs, (&granted, &covered));
        self.explain_forgetting(&request, &targets, &mut memories);
        let reads = granted.reads(memories.iter().map(|one| one.memory.id), &context);
        timings.total = began.elapsed();
        timings.assemble = timings.total.saturating_sub(timings.embed + timings.search + timings.rerank);
        Ok(Recalled {
            id: RecallId(self.ids.next(self.now())),
            memories,
            own: targets.own,
            reads,
            context,
            times: named_times(&request.query, &scoring),
            exactness: searched.exactness,
            degraded,
            partitions: searched.partitions,
            partitions_left_out: targets.left_out,
            searched_memories: searched.memories,
            timings,
        })
    }

    /// Steps 1 to 4: the candidates, best first.
    async fn find(
        &self,
        caller: &Caller,
        request: &Recall,
        view: &View,
        deadline: &Deadline,
        (timings, degraded): (&mut Timings, &mut Vec<Degraded>),
    ) -> Result<Found, Error> {
        let began = Instant::now();
        let ReadyTargets { ready: targets, vector, embed } =
            self.prepare(caller, request, view, deadline, degraded).await?;
        timings.embed = embed;
        let searched =
            self.search(&targets, request, vector, deadline).instrument(debug_span!("search")).await?;
        if searched.partitions_late > 0 {
            degraded.push(Degraded::SearchDeadline);
        }
        if searched.versions_left_out {
            degraded.push(Degraded::VersionsLeftOut);
        }
        let mut scoring = self.scoring(request, view.now, self.zone_of_request(caller, request));
        if !self
            .activate(&targets, &searched, &mut scoring, deadline)
            .instrument(debug_span!("graph"))
            .await?
        {
            degraded.push(Degraded::GraphDeadline);
        }
        let limit = self.candidates_to_load(request);
        let wanted = limit.saturating_mul(2);
        let mut fused = debug_span!("fuse").in_scope(|| fuse::fuse(&searched.candidates, &scoring, wanted));
        let spare = fused.split_off(limit.min(fused.len()));
        timings.search = began.elapsed().saturating_sub(timings.embed);
        Ok(Found { targets, searched, scoring, fused, spare })
    }

    /// Step 3: the candidates of every partition that is searched by the deadline.
    pub(crate) async fn search(
        &self,
        targets: &SearchTargets,
        request: &Recall,
        vector: Option<Arc<[f32]>>,
        deadline: &Deadline,
    ) -> Result<Searched, Error> {
        let searches = targets.partitions.iter().map(|(partition, view)| {
            let query = self.index_query(request, vector.clone(), view.clone());
            async move {
                let found = deadline.step(self.search_partition(*partition, query)).await.transpose()?;
                Ok::<_, Error>((*partition, found))
            }
        });
        let mut searched = Searched::default();
        for (partition, found) in try_join_all(searches).await? {
            let Some(found) = found else {
                searched.partitions_late += 1;
                continue;
            };
            searched.partitions += 1;
            searched.memories += found.memories;
            searched.exactness = searched.exactness.max(found.exactness);
            searched.candidates.extend(found.candidates.into_iter().map(|candidate| (partition, candidate)));
            searched.versions.extend(found.versions);
            searched.versions_left_out |= found.versions_left_out;
        }
        Ok(searched)
    }

    /// Step 4: the memories of the candidates, and the turns beside them for the context block. `None` if they cannot be
    /// read by the deadline.
    async fn texts(
        &self,
        targets: &SearchTargets,
        needs: &TextNeeds,
        (fused, mut spare): (&mut Vec<Fused>, Vec<Fused>),
        versions: HashMap<MemoryId, Memory>,
        deadline: &Deadline,
    ) -> Result<Option<(Vec<Neighbour>, Loaded)>, Error> {
        let reading = async {
            let neighbours =
                if needs.budget_tokens > 0 { self.neighbours(targets, fused).await? } else { Vec::new() };
            let mut loaded = self
                .load(targets, fused, &neighbours, versions, needs)
                .instrument(debug_span!("load"))
                .await?;
            for _ in 0..faces::REFILLS_AT_MOST {
                let dropped = faces::drop_worse(fused, &loaded);
                let mut more: Vec<Fused> = spare.drain(..dropped.min(spare.len())).collect();
                if more.is_empty() {
                    break;
                }
                loaded.extend(self.load(targets, &mut more, &[], HashMap::new(), needs).await?);
                fused.extend(more);
            }
            faces::drop_worse(fused, &loaded);
            Ok::<_, Error>((neighbours, loaded))
        };
        deadline.step(reading).await.transpose()
    }

    /// Number of candidates whose texts are loaded.
    fn candidates_to_load(&self, request: &Recall) -> usize {
        let reranked = if self.reranks(request) { self.rerank_candidates(request) } else { 0 };
        request.limit.max(reranked) as usize
    }

    fn text_needs(&self, request: &Recall) -> TextNeeds {
        let max_text_bytes = request.max_text_bytes.unwrap_or(self.recall_settings.max_text_bytes) as usize;
        TextNeeds { budget_tokens: request.budget_tokens, max_text_bytes }
    }

    /// The memories of the answer, their texts cut to the room that one answer has for texts.
    fn fitted(
        &self,
        fused: Vec<Fused>,
        mut loaded: Loaded,
        needs: &TextNeeds,
        (granted, covered): (&Granted, &Covered),
    ) -> Vec<RecalledMemory> {
        let mut room = TextRoom::new(self.limits.page_text_bytes, fused.len());
        let memories = fused.into_iter().filter_map(|one| {
            let (mut memory, before) = loaded.remove(&one.memory)?;
            let Fused { partition, score, explain, .. } = one;
            let excerpt = room.fit(&mut memory.text, before, explain.best_span, needs.max_text_bytes);
            let granted = granted.of_memory(memory.id).cloned();
            let covers = covered.of_digest(memory.id);
            Some(RecalledMemory {
                partition,
                memory,
                excerpt,
                granted,
                covers,
                forgotten: None,
                score,
                explain,
            })
        });
        memories.collect()
    }

    /// Step 6: the context block for a prompt.
    fn context(&self, budget_tokens: u32, fused: &[Fused], shown: &Shown<'_>) -> Context {
        let pieces: Vec<Piece<'_>> = fused
            .iter()
            .filter_map(|one| {
                let memory = shown.loaded.get(&one.memory)?;
                let is_paired = shown.paired.contains(&one.memory);
                let (best_span, is_excerpt) = (shown.loaded.span(one), shown.loaded.is_excerpt(&one.memory));
                Some(Piece { memory, best_span, is_dated: is_paired, is_excerpt })
            })
            .collect();
        let radius = self.recall_settings.neighbouring_turns;
        let adjacent = neighbours::by_rank(fused, shown.neighbours, radius, shown.loaded);
        let coverage = shown.covered.coverage();
        let build = |told: &HashSet<MemoryId>| {
            let is_told = |piece: &&Piece<'_>| told.contains(&piece.memory.id);
            let pieces: Vec<Piece<'_>> = pieces.iter().filter(|piece| !is_told(piece)).copied().collect();
            match shown.chooses_digests && !coverage.is_empty() {
                true => digest_choice::assemble(&pieces, &adjacent, shown.reader, budget_tokens, &coverage),
                false => assemble::assemble(&pieces, &adjacent, shown.reader, budget_tokens),
            }
        };
        let memories_of = |block: &Context| {
            let taken: HashSet<MemoryId> = block.memories.iter().copied().collect();
            let all = pieces.iter().map(|piece| piece.memory).chain(adjacent.iter().copied());
            all.filter(|memory| taken.contains(&memory.id)).collect()
        };
        without_told(&coverage, build, memories_of)
    }
}

/// Parts of the context block besides the ranked memories.
struct Shown<'a> {
    neighbours: &'a [Neighbour],
    loaded: &'a Loaded,
    /// Memories that contradict another one of the result.
    paired: &'a HashSet<MemoryId>,
    reader: &'a Reader,
    /// Memories that the digests of the result cover.
    covered: &'a Covered,
    /// True if digests may take the places of these memories.
    chooses_digests: bool,
}

/// Candidates with their scores, best first, and where they were found.
struct Found {
    targets: SearchTargets,
    searched: Searched,
    scoring: ScoringContext,
    fused: Vec<Fused>,
    /// The next best ones, which take the places of those that are no result of their own.
    spare: Vec<Fused>,
}
