//! Questions put to a partition: each signal puts memories forward, each says something of what only the other has
//! put forward, and what the view hides takes no part.

use gpu_retrieval::{Batch, Hit, Query, elapsed_us, retention};

use super::beside::Speakers;
use super::bitmap::Bitmap;
use super::filtering;
use super::lanes::{Lanes, Shares, in_order};
use super::lexical::{LexicalHit, LexicalQuery, LexicalScratch, Passages};
use super::partition::Partition;
use crate::domain::id::MemoryId;
use crate::index::{Answer, Candidate, DenseScore, IndexError, Question, Sighting};
use crate::recall::request::Exactness;
use crate::text::{QueryTerms, Tokenizer};

thread_local! {
    static SCRATCH: std::cell::RefCell<LexicalScratch> = std::cell::RefCell::new(LexicalScratch::new());
}

impl Partition {
    /// For each question the memories that each signal puts forward, with what the other says of them. The lanes share
    /// the work; the answers are the same with any number of them, and whichever questions come together.
    pub(super) fn search(&self, questions: &[Question], lanes: &Lanes) -> Vec<Result<Answer, IndexError>> {
        match self.search_together(questions, lanes) {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if questions.len() <= 1 => vec![Err(error)],
            // One of them cannot be answered; that is no fault of the others.
            Err(_) => questions
                .iter()
                .flat_map(|question| self.search(std::slice::from_ref(question), lanes))
                .collect(),
        }
    }

    /// Questions that share a scan (`asking`).
    fn search_together(&self, questions: &[Question], lanes: &Lanes) -> Result<Vec<Answer>, IndexError> {
        let asked = lanes.each(questions, |question| self.asked(question, self.row_mask(&question.view)));
        let asked: Vec<Asked<'_>> = asked.into_iter().collect::<Result<_, _>>()?;
        let queries: Vec<Query<'_>> = asked.iter().filter_map(Asked::query).collect();
        let now_us = questions.first().map_or(0, |question| question.view.now.as_micros());
        let scan = self.dense.share(&Batch { now_us, queries: &queries }).map_err(unscorable)?;

        // Words first: they cannot be cut into pieces, and the scan fills what is left of each lane.
        let words = Shares::of(&asked);
        let done =
            lanes.share(usize::MAX, || (words.take_part(|asked| self.match_words(asked)), scan.take_part()));
        let (words_done, findings): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        let mut scanned = scan.answers(&findings).into_iter();
        let found = asked
            .iter()
            .zip(in_order(words_done))
            .map(|(asked, words)| (asked, asked.vector.and_then(|_| scanned.next()), words));
        let found: Vec<_> = found.collect();
        lanes
            .each(&found, |(asked, scanned, words)| self.answer(asked, scanned.as_ref(), words))
            .into_iter()
            .collect()
    }

    fn asked<'a>(&self, question: &'a Question, mask: Option<Bitmap>) -> Result<Asked<'a>, IndexError> {
        let vector = question.vector.as_deref();
        let expected = self.dense.dims();
        if let Some(found) = vector.map(<[f32]>::len).filter(|found| *found != expected) {
            return Err(IndexError::Dimension { expected, found });
        }
        let words = Tokenizer.query(&question.text, &self.lexical.languages());
        Ok(Asked { question, vector, words, mask })
    }

    fn match_words(&self, asked: &Asked<'_>) -> Vec<LexicalHit> {
        let query = LexicalQuery { terms: &asked.words, mask: asked.mask(), k: asked.question.candidates };
        let mut hits = Vec::new();
        let tie_key = |slot: u32| self.columns.id(slot).map_or(u128::MAX, |id| id.0.as_u128());
        SCRATCH.with_borrow_mut(|scratch| self.lexical.search(&query, tie_key, scratch, &mut hits));
        hits
    }

    fn answer(
        &self,
        asked: &Asked<'_>,
        scanned: Option<&gpu_retrieval::Answer>,
        words: &[LexicalHit],
    ) -> Result<Answer, IndexError> {
        let exactness = match scanned.map(|answer| answer.pass) {
            Some(gpu_retrieval::Pass::Certified) => Exactness::Certified,
            Some(gpu_retrieval::Pass::Exact) | None => Exactness::Exact,
        };
        let hits = scanned.map(|answer| answer.hits.as_slice()).unwrap_or_default();
        let dense = hits.iter().map(|hit| Found {
            dense: Some((hit.slot, self.dense_score(asked, hit))),
            ..Found::put_forward(hit.group)
        });
        let lexical = words
            .iter()
            .map(|hit| Found { lexical: Some((hit.row, hit.score)), ..Found::put_forward(hit.group) });
        let mut found = merged(dense.chain(lexical).collect());
        self.add_turns_beside(asked, &mut found);
        self.complete(asked, &mut found)?;
        let candidates = self.candidates(asked, &found);
        Ok(Answer { candidates, memories: self.columns.live() as u64, exactness })
    }

    /// What the scan says, but for the retention: the scan may have had another question's moment.
    fn dense_score(&self, asked: &Asked<'_>, hit: &Hit) -> DenseScore {
        let now_us = asked.question.view.now.as_micros();
        let retained = self
            .dense
            .terms(hit.slot)
            .map_or(0.0, |terms| retention(elapsed_us(now_us, terms.t0_us), terms.rate_per_us, terms.shape));
        DenseScore { score: hit.score, similarity: hit.similarity, retention: retained }
    }

    /// Lets each signal say something of what only others have put forward.
    fn complete(&self, asked: &Asked<'_>, found: &mut [Found]) -> Result<(), IndexError> {
        self.complete_words(asked, found);
        let Some(vector) = asked.vector else { return Ok(()) };
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        for (place, found) in found.iter().enumerate().filter(|(_, found)| found.dense.is_none()) {
            for row in self.rows_of(found.slot).filter(|row| asked.sees(*row) && self.has_vector(*row)) {
                places.push(place);
                rows.push(row);
            }
        }
        let (weights, now_us) = (asked.question.weights, asked.question.view.now.as_micros());
        let scored = self.dense.score_rows(vector, weights, now_us, &rows).map_err(unscorable)?;
        for (place, scored) in places.into_iter().zip(scored) {
            let score = DenseScore {
                score: scored.score,
                similarity: scored.similarity,
                retention: scored.retention,
            };
            let best = &mut found[place].dense;
            if best.is_none_or(|(_, before)| score.score > before.score) {
                *best = Some((scored.slot, score));
            }
        }
        Ok(())
    }

    /// BM25 of each one's best row, and of the passage that it stands in.
    fn complete_words(&self, asked: &Asked<'_>, found: &mut [Found]) {
        let mut passages = Passages::default();
        let mut of_rows = Vec::new();
        for (place, found) in found.iter().enumerate() {
            if found.lexical.is_none() {
                for row in self.rows_of(found.slot).filter(|row| asked.sees(*row)) {
                    of_rows.push((place, row));
                    passages.push_row(row);
                    passages.end(1);
                }
            }
        }
        for found in found.iter() {
            self.write_passage(asked, found, &mut passages);
        }
        let mut scores = Vec::new();
        SCRATCH.with_borrow_mut(|scratch| {
            self.lexical.scores_of(&asked.words, &passages, scratch, &mut scores);
        });
        let (scores_of_rows, scores_of_passages) = scores.split_at(of_rows.len().min(scores.len()));
        for ((place, row), score) in of_rows.into_iter().zip(scores_of_rows) {
            let best = &mut found[place].lexical;
            if best.is_none_or(|(_, before)| *score > before) {
                *best = Some((row, *score));
            }
        }
        for (found, score) in found.iter_mut().zip(scores_of_passages) {
            found.passage = *score;
        }
    }

    fn has_vector(&self, row: u32) -> bool {
        self.rows.get(row as usize).is_some_and(|entry| entry.has_vector)
            && self.row_alive.contains(row as usize)
    }

    /// Everything that is known of what was found.
    fn candidates(&self, asked: &Asked<'_>, found: &[Found]) -> Vec<Candidate> {
        let mut speakers = Speakers::of(asked.question, &self.columns);
        found
            .iter()
            .filter_map(|found| {
                let best_row = found.dense.map(|(row, _)| row).or(found.lexical.map(|(row, _)| row))?;
                Some(Candidate {
                    memory: self.columns.id(found.slot)?,
                    put_forward: found.put_forward,
                    dense: found.dense.map(|(_, score)| score),
                    lexical: found.lexical.map_or(0.0, |(_, score)| score),
                    passage: found.passage,
                    best_span: self.rows.get(best_row as usize).map_or((0, 0), |entry| entry.span),
                    place: self.columns.place(found.slot),
                    happened_at: self.columns.happened_at(found.slot),
                    asks: self.asks.contains(found.slot as usize),
                    is_of_named: speakers.are_named(found.slot),
                })
            })
            .collect()
    }

    /// One memory, seen through a question.
    pub(super) fn sight(
        &self,
        memory: MemoryId,
        question: &Question,
    ) -> Result<Option<Sighting>, IndexError> {
        let Some(slot) = self.columns.slot(memory) else { return Ok(None) };
        let at = slot as usize;
        // The turns beside it as far as they are in view; itself in any case.
        let in_view = self.asked(question, self.row_mask(&question.view))?;
        let mut found = [Found { beside: self.turns_beside(&in_view, slot), ..Found::put_forward(slot) }];
        let asked = Asked { mask: None, ..in_view };
        self.complete(&asked, &mut found)?;
        let nothing = Candidate {
            memory,
            put_forward: true,
            dense: None,
            lexical: 0.0,
            passage: 0.0,
            best_span: (0, 0),
            place: None,
            happened_at: self.columns.happened_at(slot),
            asks: false,
            is_of_named: false,
        };
        let candidate = self.candidates(&asked, &found).pop().unwrap_or(nothing);
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
pub(super) struct Asked<'a> {
    pub(super) question: &'a Question,
    /// The question's vector, of the partition's dimension.
    vector: Option<&'a [f32]>,
    pub(super) words: QueryTerms,
    /// The rows in view; none for all that are alive.
    mask: Option<Bitmap>,
}

impl Asked<'_> {
    fn query(&self) -> Option<Query<'_>> {
        let (k, weights) = (self.question.candidates, self.question.weights);
        Some(Query { vector: self.vector?, k, weights, mask: self.mask(), ranges: None })
    }

    fn mask(&self) -> Option<&[u64]> {
        self.mask.as_ref().map(Bitmap::words)
    }

    /// Whether a live row is in view.
    pub(super) fn sees(&self, row: u32) -> bool {
        self.mask.as_ref().is_none_or(|mask| mask.contains(row as usize))
    }
}

/// What was found of one slot: per signal the best row and its score.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) slot: u32,
    /// Whether by a signal; otherwise it stands beside what was.
    pub(super) put_forward: bool,
    /// The turns before and after it, where there are such in view.
    pub(super) beside: [Option<u32>; 2],
    dense: Option<(u32, DenseScore)>,
    lexical: Option<(u32, f32)>,
    passage: f32,
}

impl Found {
    fn put_forward(slot: u32) -> Self {
        Self { slot, put_forward: true, beside: [None; 2], dense: None, lexical: None, passage: 0.0 }
    }

    pub(super) fn standing_beside(slot: u32, beside: [Option<u32>; 2]) -> Self {
        Self { put_forward: false, beside, ..Self::put_forward(slot) }
    }
}

/// One entry a slot, in the order of slots. Each signal names a slot once.
fn merged(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_unstable_by_key(|found| found.slot);
    found.dedup_by(|next, kept| {
        let is_same = next.slot == kept.slot;
        if is_same {
            kept.dense = kept.dense.or(next.dense);
            kept.lexical = kept.lexical.or(next.lexical);
        }
        is_same
    });
    found
}

fn unscorable(error: gpu_retrieval::SearchError) -> IndexError {
    IndexError::Unscorable(error.to_string())
}
