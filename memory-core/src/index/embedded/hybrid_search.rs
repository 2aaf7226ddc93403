//! Hybrid search: dense and BM25 each retrieve their top k under the filter; every candidate then gets both scores.
//! Adjacent turns of retrieved ones become candidates too. Hidden rows are masked out before the top k is cut.

use gpu_retrieval::{Batch, Hit, Query, elapsed_us, retention};

use super::adjacent_turns::Speakers;
use super::bitmap::Bitmap;
use super::candidates::{PartialCandidate, merged};
use super::filtering;
use super::lexical::{LexicalHit, LexicalQuery, LexicalScratch, Windows};
use super::partition::Partition;
use super::prepared_query::PreparedQuery;
use super::workers::{Shares, Workers, in_order};
use crate::domain::id::MemoryId;
use crate::index::{Answer, Candidate, DenseScore, Exactness, IndexError, IndexQuery, Inspection};
use crate::text::Tokenizer;

thread_local! {
    static SCRATCH: std::cell::RefCell<LexicalScratch> = std::cell::RefCell::new(LexicalScratch::new());
}

impl Partition {
    /// Answers a batch of queries. The workers share the work; an answer depends neither on their number nor on the other
    /// queries of the batch.
    pub(super) fn search(
        &self,
        queries: &[IndexQuery],
        workers: &Workers,
    ) -> Vec<Result<Answer, IndexError>> {
        match self.search_batch(queries, workers) {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if queries.len() <= 1 => vec![Err(error)],
            // One of them cannot be answered: the others are answered one by one.
            Err(_) => {
                queries.iter().flat_map(|query| self.search(std::slice::from_ref(query), workers)).collect()
            }
        }
    }

    /// Answers queries by one scan (`scan_queue`).
    fn search_batch(&self, queries: &[IndexQuery], workers: &Workers) -> Result<Vec<Answer>, IndexError> {
        let prepared = workers.each(queries, |query| self.prepare(query, self.row_mask(&query.view)));
        let mut prepared: Vec<PreparedQuery<'_>> = prepared.into_iter().collect::<Result<_, _>>()?;
        self.evaluate_columns(&mut prepared);
        let scan_queries: Vec<Query<'_>> = prepared.iter().filter_map(PreparedQuery::scan_query).collect();
        let now_us = queries.first().map_or(0, |query| query.view.now.as_micros());
        let scan = self.dense.begin(&Batch { now_us, queries: &scan_queries }).map_err(unscorable)?;

        // BM25 first: a BM25 search is not divisible, and the scan fills the rest of each worker's time.
        let lexical_shares = Shares::of(&prepared);
        let lexical_hits = workers.share(usize::MAX, || {
            let hits = lexical_shares.take_part(|prepared| self.retrieve_lexical(prepared));
            scan.join();
            hits
        });
        let mut scanned = scan.finish().map_err(unscorable)?.into_iter();
        let retrieved = prepared
            .iter()
            .zip(in_order(lexical_hits))
            .map(|(prepared, lexical)| (prepared, prepared.vector.and_then(|_| scanned.next()), lexical));
        let retrieved: Vec<_> = retrieved.collect();
        workers
            .each(&retrieved, |(prepared, scanned, lexical)| self.answer(prepared, scanned.as_ref(), lexical))
            .into_iter()
            .collect()
    }

    fn prepare<'a>(
        &self,
        query: &'a IndexQuery,
        mask: Option<Bitmap>,
    ) -> Result<PreparedQuery<'a>, IndexError> {
        let vector = query.vector.as_deref();
        let expected = self.dense.dims();
        if let Some(found) = vector.map(<[f32]>::len).filter(|found| *found != expected) {
            return Err(IndexError::Dimension { expected, found });
        }
        let terms = Tokenizer.query(&query.text, &self.lexical.languages());
        let evaluates = self.policy_to_evaluate(query);
        Ok(PreparedQuery { query, vector, terms, mask, evaluates, column: None })
    }

    fn retrieve_lexical(&self, prepared: &PreparedQuery<'_>) -> Vec<LexicalHit> {
        let query =
            LexicalQuery { terms: &prepared.terms, mask: prepared.mask(), k: prepared.query.candidates };
        let mut hits = Vec::new();
        let tie_key = |ordinal: u32| self.columns.id(ordinal).map_or(u128::MAX, |id| id.0.as_u128());
        SCRATCH.with_borrow_mut(|scratch| self.lexical.search(&query, tie_key, scratch, &mut hits));
        hits
    }

    fn answer(
        &self,
        prepared: &PreparedQuery<'_>,
        scanned: Option<&gpu_retrieval::Answer>,
        lexical: &[LexicalHit],
    ) -> Result<Answer, IndexError> {
        let exactness = match scanned.map(|answer| answer.pass) {
            Some(gpu_retrieval::Pass::Certified) => Exactness::Certified,
            Some(gpu_retrieval::Pass::Exact) | None => Exactness::Exact,
        };
        let hits = scanned.map(|answer| answer.hits.as_slice()).unwrap_or_default();
        let dense = hits.iter().map(|hit| PartialCandidate {
            dense: Some((hit.row, self.dense_score(prepared, hit))),
            ..PartialCandidate::retrieved(hit.group)
        });
        let lexical = lexical.iter().map(|hit| PartialCandidate {
            lexical: Some((hit.row, hit.score)),
            ..PartialCandidate::retrieved(hit.group)
        });
        let mut partial = merged(dense.chain(lexical).collect());
        self.add_adjacent_turns(prepared, &mut partial);
        self.complete_scores(prepared, &mut partial)?;
        let candidates = self.candidates(prepared, &partial);
        let revised = self.columns.revised_among(&candidates, &prepared.query.view);
        Ok(Answer { candidates, revised, memories: self.memories(), exactness })
    }

    /// The scores of a hit, with retention at this query's time: the scan may have had another query's, unless it had a
    /// column.
    fn dense_score(&self, prepared: &PreparedQuery<'_>, hit: &Hit) -> DenseScore {
        let Hit { score, similarity, retention: scanned, .. } = *hit;
        if prepared.column.is_some() {
            return DenseScore { score, similarity, retention: scanned };
        }
        let now_us = prepared.query.view.now.as_micros();
        let retention_now = self
            .dense
            .decay(hit.row)
            .map_or(0.0, |decay| retention(elapsed_us(now_us, decay.t0_us), decay.rate_per_us, decay.shape));
        DenseScore { score, similarity, retention: retention_now }
    }

    /// Computes the scores that retrieval left out: BM25 of dense hits, dense of BM25 hits, both of adjacent turns.
    fn complete_scores(
        &self,
        prepared: &PreparedQuery<'_>,
        candidates: &mut [PartialCandidate],
    ) -> Result<(), IndexError> {
        self.complete_lexical(prepared, candidates);
        let Some(vector) = prepared.vector else { return Ok(()) };
        let (mut positions, mut rows, mut evaluated) = (Vec::new(), Vec::new(), Vec::new());
        let without_dense = candidates.iter().enumerate().filter(|(_, candidate)| candidate.dense.is_none());
        for (at, candidate) in without_dense {
            let rows_of = self.rows_of(candidate.ordinal);
            let retention = self.evaluated(prepared, candidate.ordinal);
            for row in rows_of.filter(|row| prepared.sees(*row) && self.has_vector(*row)) {
                positions.push(at);
                rows.push(row);
                evaluated.extend(retention);
            }
        }
        let now_us = prepared.query.view.now.as_micros();
        let retentions = prepared.evaluates.is_some().then_some(evaluated.as_slice());
        let scored = self
            .dense
            .score_rows(vector, prepared.query.weights.into(), now_us, &rows, retentions)
            .map_err(unscorable)?;
        for (at, scored) in positions.into_iter().zip(scored) {
            let score = DenseScore {
                score: scored.score,
                similarity: scored.similarity,
                retention: scored.retention,
            };
            let best = &mut candidates[at].dense;
            if best.is_none_or(|(_, before)| score.score > before.score) {
                *best = Some((scored.row, score));
            }
        }
        Ok(())
    }

    /// BM25 of each candidate's best row, and of its window.
    fn complete_lexical(&self, prepared: &PreparedQuery<'_>, candidates: &mut [PartialCandidate]) {
        let mut windows = Windows::default();
        let mut single_rows = Vec::new();
        for (at, candidate) in candidates.iter().enumerate() {
            if candidate.lexical.is_none() {
                for row in self.rows_of(candidate.ordinal).filter(|row| prepared.sees(*row)) {
                    single_rows.push((at, row));
                    windows.push_row(row);
                    windows.end(1);
                }
            }
        }
        for candidate in candidates.iter() {
            self.push_window(prepared, candidate, &mut windows);
        }
        let mut scores = Vec::new();
        SCRATCH.with_borrow_mut(|scratch| {
            self.lexical.scores_of(&prepared.terms, &windows, scratch, &mut scores);
        });
        let (row_scores, window_scores) = scores.split_at(single_rows.len().min(scores.len()));
        for ((at, row), score) in single_rows.into_iter().zip(row_scores) {
            let best = &mut candidates[at].lexical;
            if best.is_none_or(|(_, before)| *score > before) {
                *best = Some((row, *score));
            }
        }
        for (candidate, score) in candidates.iter_mut().zip(window_scores) {
            candidate.window = *score;
        }
    }

    pub(super) fn has_vector(&self, row: u32) -> bool {
        self.rows.get(row as usize).is_some_and(|entry| entry.has_vector)
            && self.row_alive.contains(row as usize)
    }

    /// The candidates with their columns.
    fn candidates(&self, prepared: &PreparedQuery<'_>, partial: &[PartialCandidate]) -> Vec<Candidate> {
        let mut speakers = Speakers::of(prepared.query, &self.columns);
        partial
            .iter()
            .filter_map(|partial| {
                let best_row = partial.dense.map(|(row, _)| row).or(partial.lexical.map(|(row, _)| row))?;
                Some(Candidate {
                    memory: self.columns.id(partial.ordinal)?,
                    retrieved: partial.retrieved,
                    dense: partial.dense.map(|(_, score)| score),
                    lexical: partial.lexical.map_or(0.0, |(_, score)| score),
                    window: partial.window,
                    best_span: self.rows.get(best_row as usize).map_or((0, 0), |entry| entry.span),
                    position: self.columns.position(partial.ordinal),
                    happened_at: self.columns.happened_at(partial.ordinal),
                    utc_offset: self.columns.utc_offset(partial.ordinal),
                    ends_with_question: self.ends_with_question.contains(partial.ordinal as usize),
                    speaker_named: speakers.is_named(partial.ordinal),
                })
            })
            .collect()
    }

    /// One memory under a query.
    pub(super) fn inspect(
        &self,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError> {
        let Some(ordinal) = self.columns.ordinal(memory) else { return Ok(None) };
        let at = ordinal as usize;
        // Adjacent turns only if they are visible; the memory itself in any case.
        let masked = self.prepare(query, self.row_mask(&query.view))?;
        let mut partial = [PartialCandidate {
            adjacent: self.adjacent_turns(&masked, ordinal),
            ..PartialCandidate::retrieved(ordinal)
        }];
        let prepared = PreparedQuery { mask: None, ..masked };
        self.complete_scores(&prepared, &mut partial)?;
        let without_rows = Candidate {
            memory,
            retrieved: true,
            dense: None,
            lexical: 0.0,
            window: 0.0,
            best_span: (0, 0),
            position: None,
            happened_at: self.columns.happened_at(ordinal),
            utc_offset: self.columns.utc_offset(ordinal),
            ends_with_question: false,
            speaker_named: false,
        };
        let candidate = self.candidates(&prepared, &partial).pop().unwrap_or(without_rows);
        let (columns, view) = (&self.columns, &query.view);
        let keeps = |rule: Option<Bitmap>| rule.is_none_or(|kept| kept.contains(at));
        Ok(Some(Inspection {
            expired: !keeps(columns.unexpired(view.now)),
            forgotten: !keeps(columns.unforgotten(view)),
            visible: keeps(columns.shared(view)),
            passes_filter: filtering::evaluate(&view.filter, columns).contains(at)
                && keeps(columns.without_digests(view.hides_digests)),
            valid: keeps(columns.valid(&view.valid)),
            told: keeps(columns.told(view.partner.as_ref())),
            recorded: keeps(columns.recorded(view.known_at)),
            revised: columns.revised(view.known_at).is_some_and(|revised| revised.contains(at)),
            candidate,
        }))
    }
}

pub(super) fn unscorable(error: gpu_retrieval::SearchError) -> IndexError {
    IndexError::Unscorable(error.to_string())
}
