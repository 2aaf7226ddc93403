//! Questions put to a partition: each signal puts memories forward, each says something of what only the other has
//! put forward, and what the view hides takes no part.

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
    /// For each question the memories that each signal puts forward, with what the other says of them. The workers share
    /// the work; the answers are the same with any number of them, and whichever questions come together.
    pub(super) fn search(
        &self,
        queries: &[IndexQuery],
        workers: &Workers,
    ) -> Vec<Result<Answer, IndexError>> {
        match self.search_together(queries, workers) {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if queries.len() <= 1 => vec![Err(error)],
            // One of them cannot be answered; that is no fault of the others.
            Err(_) => {
                queries.iter().flat_map(|query| self.search(std::slice::from_ref(query), workers)).collect()
            }
        }
    }

    /// Questions that share a scan (`scan_queue`).
    fn search_together(&self, queries: &[IndexQuery], workers: &Workers) -> Result<Vec<Answer>, IndexError> {
        let prepared = workers.each(queries, |query| self.prepare(query, self.row_mask(&query.view)));
        let prepared: Vec<PreparedQuery<'_>> = prepared.into_iter().collect::<Result<_, _>>()?;
        let scan_queries: Vec<Query<'_>> = prepared.iter().filter_map(PreparedQuery::scan_query).collect();
        let now_us = queries.first().map_or(0, |query| query.view.now.as_micros());
        let scan = self.dense.begin(&Batch { now_us, queries: &scan_queries }).map_err(unscorable)?;

        // Words first: they cannot be cut into pieces, and the scan fills what is left of each lane.
        let words = Shares::of(&prepared);
        let words_done = workers.share(usize::MAX, || {
            let matched = words.take_part(|prepared| self.match_words(prepared));
            scan.join();
            matched
        });
        let mut scanned = scan.finish().map_err(unscorable)?.into_iter();
        let found = prepared
            .iter()
            .zip(in_order(words_done))
            .map(|(prepared, words)| (prepared, prepared.vector.and_then(|_| scanned.next()), words));
        let found: Vec<_> = found.collect();
        workers
            .each(&found, |(prepared, scanned, words)| self.answer(prepared, scanned.as_ref(), words))
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
        Ok(PreparedQuery { query, vector, terms, mask })
    }

    fn match_words(&self, prepared: &PreparedQuery<'_>) -> Vec<LexicalHit> {
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
        words: &[LexicalHit],
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
        let lexical = words.iter().map(|hit| PartialCandidate {
            lexical: Some((hit.row, hit.score)),
            ..PartialCandidate::retrieved(hit.group)
        });
        let mut found = merged(dense.chain(lexical).collect());
        self.add_adjacent_turns(prepared, &mut found);
        self.complete(prepared, &mut found)?;
        let candidates = self.candidates(prepared, &found);
        Ok(Answer { candidates, memories: self.columns.live() as u64, exactness })
    }

    /// What the scan says, but for the retention: the scan may have had another question's moment.
    fn dense_score(&self, prepared: &PreparedQuery<'_>, hit: &Hit) -> DenseScore {
        let now_us = prepared.query.view.now.as_micros();
        let retained = self
            .dense
            .decay(hit.row)
            .map_or(0.0, |decay| retention(elapsed_us(now_us, decay.t0_us), decay.rate_per_us, decay.shape));
        DenseScore { score: hit.score, similarity: hit.similarity, retention: retained }
    }

    /// Lets each signal say something of what only others have put forward.
    fn complete(
        &self,
        prepared: &PreparedQuery<'_>,
        found: &mut [PartialCandidate],
    ) -> Result<(), IndexError> {
        self.complete_words(prepared, found);
        let Some(vector) = prepared.vector else { return Ok(()) };
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        for (place, found) in found.iter().enumerate().filter(|(_, found)| found.dense.is_none()) {
            for row in self.rows_of(found.ordinal).filter(|row| prepared.sees(*row) && self.has_vector(*row))
            {
                places.push(place);
                rows.push(row);
            }
        }
        let now_us = prepared.query.view.now.as_micros();
        let scored = self
            .dense
            .score_rows(vector, prepared.query.weights.into(), now_us, &rows)
            .map_err(unscorable)?;
        for (place, scored) in places.into_iter().zip(scored) {
            let score = DenseScore {
                score: scored.score,
                similarity: scored.similarity,
                retention: scored.retention,
            };
            let best = &mut found[place].dense;
            if best.is_none_or(|(_, before)| score.score > before.score) {
                *best = Some((scored.row, score));
            }
        }
        Ok(())
    }

    /// BM25 of each one's best row, and of the window that it stands in.
    fn complete_words(&self, prepared: &PreparedQuery<'_>, found: &mut [PartialCandidate]) {
        let mut windows = Windows::default();
        let mut of_rows = Vec::new();
        for (place, found) in found.iter().enumerate() {
            if found.lexical.is_none() {
                for row in self.rows_of(found.ordinal).filter(|row| prepared.sees(*row)) {
                    of_rows.push((place, row));
                    windows.push_row(row);
                    windows.end(1);
                }
            }
        }
        for found in found.iter() {
            self.push_window(prepared, found, &mut windows);
        }
        let mut scores = Vec::new();
        SCRATCH.with_borrow_mut(|scratch| {
            self.lexical.scores_of(&prepared.terms, &windows, scratch, &mut scores);
        });
        let (scores_of_rows, scores_of_windows) = scores.split_at(of_rows.len().min(scores.len()));
        for ((place, row), score) in of_rows.into_iter().zip(scores_of_rows) {
            let best = &mut found[place].lexical;
            if best.is_none_or(|(_, before)| *score > before) {
                *best = Some((row, *score));
            }
        }
        for (found, score) in found.iter_mut().zip(scores_of_windows) {
            found.window = *score;
        }
    }

    fn has_vector(&self, row: u32) -> bool {
        self.rows.get(row as usize).is_some_and(|entry| entry.has_vector)
            && self.row_alive.contains(row as usize)
    }

    /// Everything that is known of what was found.
    fn candidates(&self, prepared: &PreparedQuery<'_>, found: &[PartialCandidate]) -> Vec<Candidate> {
        let mut speakers = Speakers::of(prepared.query, &self.columns);
        found
            .iter()
            .filter_map(|found| {
                let best_row = found.dense.map(|(row, _)| row).or(found.lexical.map(|(row, _)| row))?;
                Some(Candidate {
                    memory: self.columns.id(found.ordinal)?,
                    retrieved: found.retrieved,
                    dense: found.dense.map(|(_, score)| score),
                    lexical: found.lexical.map_or(0.0, |(_, score)| score),
                    window: found.window,
                    best_span: self.rows.get(best_row as usize).map_or((0, 0), |entry| entry.span),
                    position: self.columns.position(found.ordinal),
                    happened_at: self.columns.happened_at(found.ordinal),
                    ends_with_question: self.ends_with_question.contains(found.ordinal as usize),
                    speaker_named: speakers.are_named(found.ordinal),
                })
            })
            .collect()
    }

    /// One memory, seen through a question.
    pub(super) fn inspect(
        &self,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError> {
        let Some(ordinal) = self.columns.ordinal(memory) else { return Ok(None) };
        let at = ordinal as usize;
        // The turns beside it as far as they are in view; itself in any case.
        let in_view = self.prepare(query, self.row_mask(&query.view))?;
        let mut found = [PartialCandidate {
            adjacent: self.adjacent_turns(&in_view, ordinal),
            ..PartialCandidate::retrieved(ordinal)
        }];
        let prepared = PreparedQuery { mask: None, ..in_view };
        self.complete(&prepared, &mut found)?;
        let nothing = Candidate {
            memory,
            retrieved: true,
            dense: None,
            lexical: 0.0,
            window: 0.0,
            best_span: (0, 0),
            position: None,
            happened_at: self.columns.happened_at(ordinal),
            ends_with_question: false,
            speaker_named: false,
        };
        let candidate = self.candidates(&prepared, &found).pop().unwrap_or(nothing);
        Ok(Some(Inspection {
            expired: self.columns.unexpired(query.view.now).is_some_and(|unexpired| !unexpired.contains(at)),
            visible: !query.view.shared_only || self.columns.shared().contains(at),
            passes_filter: filtering::evaluate(&query.view.filter, &self.columns).contains(at),
            candidate,
        }))
    }
}

fn unscorable(error: gpu_retrieval::SearchError) -> IndexError {
    IndexError::Unscorable(error.to_string())
}
