//! A question put to a partition: each signal puts memories forward, each says something of what only the other has
//! put forward, and what the view hides takes no part.

use std::collections::HashMap;
use std::ops::Range;

use gpu_retrieval::{Batch, Hit, Query};

use super::bitmap::Bitmap;
use super::filtering;
use super::lexical::{LexicalHit, LexicalQuery, LexicalScratch};
use super::partition::Partition;
use crate::domain::id::MemoryId;
use crate::index::{Answer, Candidate, DenseScore, IndexError, Question, Sighting};
use crate::recall::request::Exactness;
use crate::text::{QueryTerms, Tokenizer};

/// Matching a question's words takes about as long as scanning so great a part of the rows: a fifth.
const WORDS_PER_SCAN: u32 = 5;

thread_local! {
    static SCRATCH: std::cell::RefCell<LexicalScratch> = std::cell::RefCell::new(LexicalScratch::new());
}

impl Partition {
    /// The memories that each signal puts forward, with what the other says of them. With several `lanes`, as many
    /// threads share the work; the answer is the same.
    pub(super) fn search(&self, question: &Question, lanes: usize) -> Result<Answer, IndexError> {
        let mask = self.row_mask(&question.view);
        let asked = self.asked(question, mask.as_ref().map(Bitmap::words))?;
        let mut found: HashMap<u32, Found> = HashMap::with_capacity(question.candidates * 2);
        let mut exactness = Exactness::Exact;
        match asked.vector {
            Some(vector) => {
                let (hits, pass) = self.scan_and_match(&asked, vector, lanes, &mut found)?;
                exactness = pass;
                for hit in hits {
                    let (score, similarity, retention) = (hit.score, hit.similarity, hit.retention);
                    let score = DenseScore { score, similarity, retention };
                    found.entry(hit.group).or_default().dense = Some((hit.slot, score));
                }
            }
            None => self.match_words(&asked, &mut found),
        }
        self.complete(&asked, &mut found)?;
        let candidates = found.iter().filter_map(|(slot, found)| self.candidate(*slot, found)).collect();
        Ok(Answer { candidates, memories: self.columns.live() as u64, exactness })
    }

    fn asked<'a>(&self, question: &'a Question, mask: Option<&'a [u64]>) -> Result<Asked<'a>, IndexError> {
        let vector = question.vector.as_deref();
        let expected = self.dense.dims();
        if let Some(found) = vector.map(<[f32]>::len).filter(|found| *found != expected) {
            return Err(IndexError::Dimension { expected, found });
        }
        let words = Tokenizer.query(&question.text, &self.lexical.languages());
        Ok(Asked { question, vector, words, mask })
    }

    /// Scans the rows in as many parts as there are lanes, one of them on this thread, after the words.
    fn scan_and_match(
        &self,
        asked: &Asked<'_>,
        vector: &[f32],
        lanes: usize,
        found: &mut HashMap<u32, Found>,
    ) -> Result<(Vec<Hit>, Exactness), IndexError> {
        let parts = self.parts(lanes);
        let Some((own, others)) = parts.split_first() else { return Ok((Vec::new(), Exactness::Exact)) };
        let answers = std::thread::scope(|threads| {
            let others: Vec<_> =
                others.iter().map(|part| threads.spawn(|| self.scan(asked, vector, part.clone()))).collect();
            self.match_words(asked, found);
            let mut answers = vec![self.scan(asked, vector, own.clone())];
            answers
                .extend(others.into_iter().map(|other| other.join().unwrap_or(Err(IndexError::Abandoned))));
            answers
        });
        let (mut hits, mut exactness) = (Vec::new(), Exactness::Exact);
        for answer in answers {
            let (some, pass) = answer?;
            hits.extend(some);
            exactness = exactness.max(pass);
        }
        if hits.len() > asked.question.candidates {
            // A memory's rows lie in one part, so the best of the parts are the best of all.
            hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.group_id.cmp(&b.group_id)));
            hits.truncate(asked.question.candidates);
        }
        Ok((hits, exactness))
    }

    /// The rows in runs for so many threads, cut between memories. The first is shorter: it goes to the thread that has
    /// matched the words before.
    fn parts(&self, lanes: usize) -> Vec<Range<u32>> {
        let all = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let lanes = u32::try_from(lanes).unwrap_or(1).max(1);
        let own = (all / lanes).saturating_sub(all / WORDS_PER_SCAN / lanes * (lanes - 1));
        let mut parts = Vec::new();
        let mut start = 0;
        for lane in 1..lanes {
            let end = self.start_of_memory_at(own + (all - own) / (lanes - 1) * (lane - 1));
            if end > start {
                parts.push(start..end);
                start = end;
            }
        }
        if all > start || parts.is_empty() {
            parts.push(start..all);
        }
        parts
    }

    fn scan(
        &self,
        asked: &Asked<'_>,
        vector: &[f32],
        part: Range<u32>,
    ) -> Result<(Vec<Hit>, Exactness), IndexError> {
        let Asked { question, mask, .. } = *asked;
        let (k, weights) = (question.candidates, question.weights);
        let is_all = part.start == 0 && part.end as usize == self.rows.len();
        let ranges = [part];
        let ranges = (!is_all).then_some(ranges.as_slice());
        let query = Query { vector, k, weights, mask, ranges };
        let batch = Batch { now_us: question.view.now.as_micros(), queries: &[query] };
        let answers = self.dense.search(&batch).map_err(|error| IndexError::Unscorable(error.to_string()))?;
        let Some(answer) = answers.into_iter().next() else { return Ok((Vec::new(), Exactness::Exact)) };
        let exactness = match answer.pass {
            gpu_retrieval::Pass::Exact => Exactness::Exact,
            gpu_retrieval::Pass::Certified => Exactness::Certified,
        };
        Ok((answer.hits, exactness))
    }

    fn match_words(&self, asked: &Asked<'_>, found: &mut HashMap<u32, Found>) {
        let query = LexicalQuery { terms: &asked.words, mask: asked.mask, k: asked.question.candidates };
        let mut hits: Vec<LexicalHit> = Vec::new();
        let tie_key = |slot: u32| self.columns.id(slot).map_or(u128::MAX, |id| id.0.as_u128());
        SCRATCH.with_borrow_mut(|scratch| {
            self.lexical.search(&query, tie_key, scratch, &mut hits);
        });
        for hit in hits {
            found.entry(hit.group).or_default().lexical = Some((hit.row, hit.score));
        }
    }

    /// Lets each signal say something of what only the other has put forward.
    fn complete(&self, asked: &Asked<'_>, found: &mut HashMap<u32, Found>) -> Result<(), IndexError> {
        let Asked { question, vector, words, mask } = asked;
        let allowed = |row: u32| mask.is_none_or(|words| bit(words, row));
        let (mut slots, mut rows) = (Vec::new(), Vec::new());
        let (mut dense_slots, mut dense_rows) = (Vec::new(), Vec::new());
        for (slot, found) in found.iter() {
            for row in self.rows_of(*slot).filter(|row| allowed(*row)) {
                if found.lexical.is_none() {
                    slots.push(*slot);
                    rows.push(row);
                }
                if found.dense.is_none() && vector.is_some() && self.has_vector(row) {
                    dense_slots.push(*slot);
                    dense_rows.push(row);
                }
            }
        }
        let mut scores = Vec::new();
        SCRATCH.with_borrow_mut(|scratch| self.lexical.scores_of(words, &rows, scratch, &mut scores));
        for ((slot, row), score) in slots.into_iter().zip(rows).zip(scores) {
            let best = &mut found.entry(slot).or_default().lexical;
            if best.is_none_or(|(_, before)| score > before) {
                *best = Some((row, score));
            }
        }
        let Some(vector) = vector else { return Ok(()) };
        let now_us = question.view.now.as_micros();
        let scored = self
            .dense
            .score_rows(vector, question.weights, now_us, &dense_rows)
            .map_err(|error| IndexError::Unscorable(error.to_string()))?;
        for (slot, scored) in dense_slots.into_iter().zip(scored) {
            let score = DenseScore {
                score: scored.score,
                similarity: scored.similarity,
                retention: scored.retention,
            };
            let best = &mut found.entry(slot).or_default().dense;
            if best.is_none_or(|(_, before)| score.score > before.score) {
                *best = Some((scored.slot, score));
            }
        }
        Ok(())
    }

    fn has_vector(&self, row: u32) -> bool {
        self.rows.get(row as usize).is_some_and(|entry| entry.has_vector)
            && self.row_alive.contains(row as usize)
    }

    fn candidate(&self, slot: u32, found: &Found) -> Option<Candidate> {
        let best_row = found.dense.map(|(row, _)| row).or(found.lexical.map(|(row, _)| row))?;
        Some(Candidate {
            memory: self.columns.id(slot)?,
            dense: found.dense.map(|(_, score)| score),
            lexical: found.lexical.map_or(0.0, |(_, score)| score),
            best_span: self.rows.get(best_row as usize).map_or((0, 0), |entry| entry.span),
            place: self.columns.place(slot),
        })
    }

    /// One memory, seen through a question.
    pub(super) fn sight(
        &self,
        memory: MemoryId,
        question: &Question,
    ) -> Result<Option<Sighting>, IndexError> {
        let Some(slot) = self.columns.slot(memory) else { return Ok(None) };
        let at = slot as usize;
        let mut found = HashMap::from([(slot, Found::default())]);
        self.complete(&self.asked(question, None)?, &mut found)?;
        let nothing = Candidate { memory, dense: None, lexical: 0.0, best_span: (0, 0), place: None };
        let candidate = found.get(&slot).and_then(|found| self.candidate(slot, found)).unwrap_or(nothing);
        Ok(Some(Sighting {
            expired: self
                .columns
                .unexpired(question.view.now)
                .is_some_and(|unexpired| !unexpired.contains(at)),
            visible: !question.view.shared_only || self.columns.shared().contains(at),
            passes_filter: filtering::evaluate(&question.view.filter, &self.columns).contains(at),
            candidate,
        }))
    }
}

/// A question as a partition understands it.
struct Asked<'a> {
    question: &'a Question,
    /// The question's vector, of the partition's dimension.
    vector: Option<&'a [f32]>,
    words: QueryTerms,
    /// The rows in view; none for all that are alive.
    mask: Option<&'a [u64]>,
}

/// What was found of one slot: per signal the best row and its score.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    dense: Option<(u32, DenseScore)>,
    lexical: Option<(u32, f32)>,
}

fn bit(words: &[u64], index: u32) -> bool {
    words.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}
