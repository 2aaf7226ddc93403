//! Questions to large partitions, and whose turn it is. A turn has all threads that are free, unless others wait for
//! them too; and it answers all questions to its partition that wait by then, since a scan for several reads memory
//! once. So a question alone has the whole machine, and nobody waits for others to come.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::lanes::{Helpers, Lanes};
use super::residents::Resident;
use crate::index::{Answer, IndexError, Question};

/// Questions that one turn answers at most: more would make the first wait for the last.
const MOST_TOGETHER: usize = 8;
/// Threads of one turn at most: a search is bound by memory before it has use for more.
const MOST_LANES: usize = 4;

type Outcome = Result<Answer, IndexError>;

/// Those that wait, and the threads that are free.
#[derive(Debug)]
pub(super) struct Askers {
    waiting: Mutex<Waiting>,
    helpers: Helpers,
}

#[derive(Debug)]
struct Waiting {
    /// The first first.
    askers: VecDeque<Asker>,
    free_threads: usize,
}

#[derive(Debug)]
struct Asker {
    resident: Arc<Resident>,
    question: Question,
    answer: oneshot::Sender<Outcome>,
}

impl Askers {
    /// For so many threads that compute at the same time.
    pub(super) fn new(threads: usize) -> Self {
        let free_threads = threads.max(1);
        let waiting = Mutex::new(Waiting { askers: VecDeque::new(), free_threads });
        Self { waiting, helpers: Helpers::start(free_threads - 1) }
    }

    /// The answer to a question, when its turn has come.
    pub(super) async fn ask(self: &Arc<Self>, resident: Arc<Resident>, question: Question) -> Outcome {
        let wait = self.queue(resident, question);
        self.clone().begin();
        wait.await.unwrap_or(Err(IndexError::Abandoned))
    }

    fn queue(&self, resident: Arc<Resident>, question: Question) -> oneshot::Receiver<Outcome> {
        let (answer, wait) = oneshot::channel();
        self.waiting.lock().askers.push_back(Asker { resident, question, answer });
        wait
    }

    /// Sees to it that a thread is at work if one is free and somebody waits.
    fn begin(self: Arc<Self>) {
        if self.waiting.lock().has_turn() {
            tokio::task::spawn_blocking(move || {
                while let Some(turn) = self.next_turn() {
                    // Others may wait for another partition, with threads to spare.
                    self.clone().begin();
                    turn.work();
                }
            });
        }
    }

    fn next_turn(self: &Arc<Self>) -> Option<Turn> {
        let mut waiting = self.waiting.lock();
        let askers = waiting.next_askers()?;
        let lanes = waiting.lanes();
        waiting.free_threads -= lanes;
        Some(Turn { askers, lanes, of: self.clone() })
    }
}

impl Waiting {
    fn has_turn(&self) -> bool {
        self.free_threads > 0 && !self.askers.is_empty()
    }

    /// Takes the first that waits, and those that can be answered with it. Those that have gone away are passed over.
    fn next_askers(&mut self) -> Option<Vec<Asker>> {
        if self.free_threads == 0 {
            return None;
        }
        self.askers.retain(|asker| !asker.answer.is_closed());
        let mut together = vec![self.askers.pop_front()?];
        let mut at = 0;
        while let Some(asker) = self.askers.get(at).filter(|_| together.len() < MOST_TOGETHER) {
            if share_a_scan(&together[0], asker) {
                together.extend(self.askers.remove(at));
            } else {
                at += 1;
            }
        }
        Some(together)
    }

    /// How many of the free threads a turn is given.
    fn lanes(&self) -> usize {
        let free = self.free_threads.min(MOST_LANES);
        if self.askers.is_empty() { free } else { free.min(1) }
    }
}

/// Whether one scan can answer both. It has one moment at which it evaluates retention; where retention does not weigh,
/// any will do.
fn share_a_scan(one: &Asker, other: &Asker) -> bool {
    let is_timeless = |asker: &Asker| asker.question.weights.retention == 0.0;
    Arc::ptr_eq(&one.resident, &other.resident)
        && (one.question.view.now == other.question.view.now || is_timeless(one) && is_timeless(other))
}

/// Questions that are answered together, and threads for them, which are free again when it is over.
#[derive(Debug)]
struct Turn {
    askers: Vec<Asker>,
    lanes: usize,
    of: Arc<Askers>,
}

impl Turn {
    fn work(mut self) {
        let Some(resident) = self.askers.first().map(|asker| asker.resident.clone()) else { return };
        let (questions, answers): (Vec<_>, Vec<_>) =
            self.askers.drain(..).map(|asker| (asker.question, asker.answer)).unzip();
        let state = resident.state.read();
        // A partition that is not there any more: whoever asked is told that the search was abandoned.
        let Some(partition) = state.as_ref() else { return };
        let outcomes = partition.search(&questions, &Lanes::new(self.lanes, self.of.helpers.clone()));
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.waiting.lock().free_threads += self.lanes;
        if std::thread::panicking() {
            // This thread takes no further turn.
            self.of.clone().begin();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::Filter;
    use crate::domain::time::Timestamp;
    use crate::index::View;

    fn question(now_us: i64, retention: f32) -> Question {
        let view =
            View { filter: Filter::everything(), shared_only: false, now: Timestamp::from_micros(now_us) };
        let weights = gpu_retrieval::Weights { retention, ..gpu_retrieval::Weights::SIMILARITY };
        Question { vector: None, text: "?".into(), view, weights, candidates: 8 }
    }

    fn moments(turn: &Turn) -> Vec<i64> {
        turn.askers.iter().map(|asker| asker.question.view.now.as_micros()).collect()
    }

    #[test]
    fn those_that_share_a_scan_have_one_turn() {
        let askers = Arc::new(Askers::new(4));
        let (one, other) = (Arc::<Resident>::default(), Arc::<Resident>::default());
        let waits = [(&one, 1, 0.0), (&other, 2, 0.0), (&one, 3, 0.5), (&one, 4, 0.0), (&one, 3, 0.5)]
            .map(|(resident, now_us, retention)| askers.queue(resident.clone(), question(now_us, retention)));
        let turns: Vec<Turn> = std::iter::from_fn(|| askers.next_turn()).collect();
        assert_eq!(turns.iter().map(moments).collect::<Vec<_>>(), [vec![1, 4], vec![2], vec![3, 3]]);
        assert_eq!(turns.iter().map(|turn| turn.lanes).collect::<Vec<_>>(), [1, 1, 2]);
        drop(turns);
        assert_eq!(askers.waiting.lock().free_threads, 4);
        assert!(waits.into_iter().all(|mut wait| wait.try_recv().is_err()), "given up, not forgotten");
    }

    #[test]
    fn a_turn_is_bounded_and_who_has_gone_away_is_passed_over() {
        let askers = Arc::new(Askers::new(1));
        let resident = Arc::<Resident>::default();
        drop(askers.queue(resident.clone(), question(5, 0.0)));
        let many: Vec<_> = (0..12).map(|_| askers.queue(resident.clone(), question(5, 0.0))).collect();
        let first = askers.next_turn().unwrap();
        assert!(askers.next_turn().is_none(), "there is no thread");
        assert_eq!((moments(&first).len(), first.lanes), (MOST_TOGETHER, 1));
        drop(first);
        let rest = askers.next_turn().unwrap();
        assert_eq!(moments(&rest).len(), many.len() - MOST_TOGETHER);
    }

    #[tokio::test]
    async fn a_partition_that_is_gone_is_told() {
        let askers = Arc::new(Askers::new(2));
        let outcome = askers.ask(Arc::default(), question(5, 0.0)).await;
        assert!(matches!(outcome, Err(IndexError::Abandoned)));
    }
}
