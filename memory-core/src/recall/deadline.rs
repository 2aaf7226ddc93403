//! Deadline of a recall: at the deadline the answer has what is there, and `degraded` names what was left out.
//!
//! Loads of partitions and the embedding of the query run at the same time. Each step that reads what is there already
//! gets a short time even past the deadline, so that a late embedding does not cost the lexical answer.

use std::future::Future;
use std::time::{Duration, Instant};

/// Time that a step after a missed deadline gets at least. A recall has five such steps (targets, search, graph, texts,
/// context), so that an answer is late by at most five times as much.
const LEAST_STEP: Duration = Duration::from_millis(10);
/// Share of the time that the query's embedding may take, in eighths; the rest is for the search.
const EMBEDDING_EIGHTHS: u32 = 7;

/// Deadline of one recall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// `None` for no deadline.
    ends: Option<Ends>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    embedding: Instant,
    answer: Instant,
}

impl Deadline {
    /// No deadline.
    pub(crate) const NONE: Self = Self { ends: None };

    /// Deadline so many milliseconds after `began`.
    pub(crate) fn after(began: Instant, ms: Option<u32>) -> Self {
        let ends = ms.map(|ms| {
            let whole = Duration::from_millis(u64::from(ms));
            Ends { embedding: began + whole * EMBEDDING_EIGHTHS / 8, answer: began + whole }
        });
        Self { ends }
    }

    /// Time of the answer.
    pub(crate) fn answer(&self) -> Option<Instant> {
        self.ends.map(|ends| ends.answer)
    }

    /// The query's vector, or `None` if it comes too late.
    pub(crate) async fn embedding<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        until(self.ends.map(|ends| ends.embedding), work).await
    }

    /// Work that may be long: `None` if it is not done by the deadline.
    pub(crate) async fn wait<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        until(self.answer(), work).await
    }

    /// A step that is usually short: `None` if it is done neither by the deadline nor within [`LEAST_STEP`].
    pub(crate) async fn step<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        until(self.answer().map(|answer| answer.max(Instant::now() + LEAST_STEP)), work).await
    }
}

async fn until<T>(end: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match end {
        Some(end) => tokio::time::timeout_at(end.into(), work).await.ok(),
        None => Some(work.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn late() {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }

    #[tokio::test]
    async fn work_without_a_deadline_is_finished() {
        assert_eq!(Deadline::NONE.wait(std::future::ready(7)).await, Some(7));
        assert_eq!(Deadline::after(Instant::now(), None).step(std::future::ready(7)).await, Some(7));
    }

    #[tokio::test]
    async fn work_that_is_late_is_left_out_and_work_that_is_done_is_kept() {
        let deadline = Deadline::after(Instant::now(), Some(1));
        assert_eq!(deadline.embedding(late()).await, None);
        assert_eq!(deadline.wait(late()).await, None);
        assert_eq!(deadline.step(late()).await, None);
        assert_eq!(deadline.wait(std::future::ready(7)).await, Some(7), "done, although past the deadline");
    }
}
