//! Prometheus metrics: all names, units and labels.
//!
//! Invariant: labels are closed sets (routes, methods, statuses, steps, configured back ends); no text from a request becomes a label.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use memory_core::domain::job::{JobCount, JobState};
use memory_core::forgetting::meter::SweepTotals;
use memory_core::jobs::runner::RunnerStatus;
use memory_core::recall::response::Timings;
use memory_core::think::calls::meter::MeteredCalls;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "engrain_requests_total";
const REQUEST_SECONDS: &str = "engrain_request_duration_seconds";
const IN_FLIGHT: &str = "engrain_requests_in_flight";
const RECALL_SECONDS: &str = "engrain_recall_step_duration_seconds";
const TURNS: &str = "engrain_turns_remembered_total";
const MEMORIES: &str = "engrain_memories_remembered_total";

const JOBS: &str = "engrain_jobs";
const JOB_ATTEMPTS: &str = "engrain_job_attempts_total";
const JOB_FAILURES: &str = "engrain_job_failures_total";
const JOB_WORKER_RESTARTS: &str = "engrain_job_worker_restarts_total";
const JOB_WORKERS_ALIVE: &str = "engrain_job_workers_alive";
const UNREADABLE_ROWS: &str = "engrain_unreadable_rows_total";
const THINKING_QUEUE: &str = "engrain_thinking_queue";
const MODEL_CALLS: &str = "engrain_model_calls_total";
const MODEL_REFUSED: &str = "engrain_model_refused_replies_total";
const MODEL_TOKENS: &str = "engrain_model_tokens_total";
const FORGETTING_CHANGES: &str = "engrain_forgetting_changes_total";
const ROWS_WITHOUT_VECTORS: &str = "engrain_rows_without_vectors";
const EMBEDDER_FAULT: &str = "engrain_embedder_fault";
const PURGE_PENDING: &str = "engrain_purge_pending_erasures";
const PURGE_AGE_SECONDS: &str = "engrain_purge_pending_age_seconds";
/// The label of all kinds of jobs that this server has no handler for.
const UNKNOWN_KIND: &str = "unknown";

/// Upper bounds of the histogram buckets in seconds: from half a millisecond, by factors of about two, to a minute.
const BUCKETS_S: [f64; 17] = [
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0, 4.0, 8.0, 30.0,
    60.0,
];

/// Recorder of the process's metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    handle: Option<PrometheusHandle>,
}

impl Metrics {
    /// Installs the recorder at the first call. A process has one recorder for all its servers (tests run several).
    pub(crate) fn install() -> Self {
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_S)
                .ok()?;
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok()?;
            describe();
            Some(handle)
        });
        Self { handle: handle.clone() }
    }

    /// Renders the metrics in the Prometheus text format.
    pub(crate) fn render(&self) -> String {
        self.handle.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Folds samples into their buckets. To be called every few seconds, because unscraped samples accumulate.
    pub(crate) fn fold(&self) {
        if let Some(handle) = &self.handle {
            handle.run_upkeep();
        }
    }
}

fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests answered, by method, route template and status.");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time to the head of the answer.");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Requests being answered.");
    describe_histogram!(RECALL_SECONDS, Unit::Seconds, "Time of each step of a recall.");
    describe_counter!(TURNS, Unit::Count, "Turns remembered.");
    describe_counter!(MEMORIES, Unit::Count, "Finished memories remembered.");
    describe_gauge!(JOBS, Unit::Count, "Background jobs in the store, by kind and state.");
    describe_counter!(JOB_ATTEMPTS, Unit::Count, "Attempts at background jobs that were begun, by kind.");
    describe_counter!(JOB_FAILURES, Unit::Count, "Attempts at background jobs that failed, by kind.");
    describe_counter!(
        JOB_WORKER_RESTARTS,
        Unit::Count,
        "Restarts of a worker that died, by kind of its jobs."
    );
    describe_gauge!(THINKING_QUEUE, Unit::Count, "Turns that wait for thinking, by mechanism.");
    describe_counter!(MODEL_CALLS, Unit::Count, "Calls of language models, by task and back end.");
    describe_counter!(
        MODEL_REFUSED,
        Unit::Count,
        "Refused replies of language models, by task and back end."
    );
    describe_counter!(
        MODEL_TOKENS,
        Unit::Count,
        "Tokens of language models, by task, back end and kind: prompt or reply."
    );
    describe_counter!(
        FORGETTING_CHANGES,
        Unit::Count,
        "Memories that sweeps changed, by change: faded, evicted, drawn, remembered, renewed or erased."
    );
    describe_gauge!(
        ROWS_WITHOUT_VECTORS,
        Unit::Count,
        "Index rows whose vectors are yet to be made, counted up to 100,000."
    );
    describe_gauge!(EMBEDDER_FAULT, Unit::Count, "1 if the embedder failed last, else 0.");
    describe_gauge!(PURGE_PENDING, Unit::Count, "Erasures whose bytes may still be in files of the store.");
    describe_gauge!(PURGE_AGE_SECONDS, Unit::Seconds, "Age of the oldest of them.");
    describe_counter!(
        UNREADABLE_ROWS,
        Unit::Count,
        "Stored rows left out because they cannot be decoded, each time that they are read."
    );
    describe_gauge!(JOB_WORKERS_ALIVE, Unit::Count, "1 if the worker of this kind of jobs is alive, else 0.");
}

/// Publishes the number of stored rows that were left out.
pub(crate) fn unreadable_rows() {
    counter!(UNREADABLE_ROWS).absolute(memory_core::store::rows_left_out());
}

/// Records an answered request.
pub(crate) fn request(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let labels = [
        ("method", known_method(method)),
        ("route", route.to_owned().into()),
        ("status", status.as_str().to_owned().into()),
    ];
    counter!(REQUESTS, &labels).increment(1);
    histogram!(REQUEST_SECONDS, &labels).record(took.as_secs_f64());
}

/// HTTP allows any token as a method; only the standard ones become labels.
fn known_method(method: &Method) -> metrics::SharedString {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other").into()
}

/// Records the timings of a recall.
pub(crate) fn recall(timings: &Timings) {
    let steps = [
        ("embed", timings.embed),
        ("search", timings.search),
        ("rerank", timings.rerank),
        ("assemble", timings.assemble),
        ("total", timings.total),
    ];
    for (step, duration) in steps {
        histogram!(RECALL_SECONDS, "step" => step).record(duration.as_secs_f64());
    }
}

/// Counts remembered turns.
pub(crate) fn turns_remembered(count: usize) {
    counter!(TURNS).increment(count as u64);
}

/// Counts remembered finished memories.
pub(crate) fn memories_remembered(count: usize) {
    counter!(MEMORIES).increment(count as u64);
}

/// Notes the background jobs. Kinds are those with a handler; all others, which wait for a server that knows them, are
/// counted as one.
pub(crate) fn jobs(runner: &RunnerStatus, counts: &[JobCount]) {
    for status in &runner.kinds {
        counter!(JOB_ATTEMPTS, "kind" => status.kind).absolute(status.attempts);
        counter!(JOB_FAILURES, "kind" => status.kind).absolute(status.failures);
        counter!(JOB_WORKER_RESTARTS, "kind" => status.kind).absolute(status.restarts);
        gauge!(JOB_WORKERS_ALIVE, "kind" => status.kind).set(f64::from(u8::from(status.is_alive)));
    }
    let kinds: Vec<&'static str> = runner.kinds.iter().map(|status| status.kind).collect();
    for (kind, state, count) in by_label(&kinds, counts) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        gauge!(JOBS, "kind" => kind, "state" => state.as_str()).set(f64::from(count));
    }
}

/// Notes the turns that wait for each mechanism, and the use of language models by each task.
pub(crate) fn thinking(waiting: &[(&'static str, u64)], calls: &[MeteredCalls]) {
    for (mechanism, count) in waiting {
        let count = u32::try_from(*count).unwrap_or(u32::MAX);
        gauge!(THINKING_QUEUE, "mechanism" => *mechanism).set(f64::from(count));
    }
    for MeteredCalls { task, backend, usage } in calls {
        let labels = [("task", task.as_str().into()), ("backend", backend.clone().into())];
        let labels: [(&str, metrics::SharedString); 2] = labels;
        counter!(MODEL_CALLS, &labels).absolute(usage.calls);
        counter!(MODEL_REFUSED, &labels).absolute(usage.refused_replies);
        for (kind, tokens) in [("prompt", usage.prompt_tokens), ("reply", usage.reply_tokens)] {
            let [task, backend] = labels.clone();
            counter!(MODEL_TOKENS, &[task, backend, ("kind", kind.into())]).absolute(tokens);
        }
    }
}

/// Notes the changes by sweeps.
pub(crate) fn forgetting(totals: &SweepTotals) {
    for (change, total) in totals.by_name() {
        counter!(FORGETTING_CHANGES, "change" => change).absolute(total);
    }
}

/// Notes the rows whose vectors are yet to be made, and if the embedder failed last.
pub(crate) fn embedding(rows_without_vectors: u64, is_failing: bool) {
    gauge!(ROWS_WITHOUT_VECTORS).set(f64::from(u32::try_from(rows_without_vectors).unwrap_or(u32::MAX)));
    gauge!(EMBEDDER_FAULT).set(f64::from(u8::from(is_failing)));
}

/// Notes the erasures whose bytes may still be in files of the store, and the age of the oldest.
pub(crate) fn purge(erasures: u64, age: Duration) {
    gauge!(PURGE_PENDING).set(f64::from(u32::try_from(erasures).unwrap_or(u32::MAX)));
    gauge!(PURGE_AGE_SECONDS).set(age.as_secs_f64());
}

/// The number of jobs for each pair of labels, those without a job included: a gauge keeps its last value otherwise.
fn by_label(kinds: &[&'static str], counts: &[JobCount]) -> Vec<(&'static str, JobState, u64)> {
    let label = |kind: &str| kinds.iter().find(|known| **known == kind).copied().unwrap_or(UNKNOWN_KIND);
    let labels = kinds.iter().copied().chain([UNKNOWN_KIND]);
    let pairs = labels.flat_map(|kind| JobState::ALL.map(|state| (kind, state)));
    let of = |(kind, state)| {
        let counted = counts.iter().filter(|it| it.state == state && label(&it.kind) == kind);
        (kind, state, counted.map(|it| it.count).sum())
    };
    pairs.map(of).collect()
}

/// Guard of the gauge of requests in flight.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn enter() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_closed_sets() {
        let odd = Method::from_bytes(b"BREW-42").expect("a token");
        assert_eq!(known_method(&odd).to_string(), "other");
        assert_eq!(known_method(&Method::PATCH).to_string(), "PATCH");
        assert!(BUCKETS_S.is_sorted());
    }

    #[test]
    fn kinds_without_a_handler_are_counted_as_one() {
        let count = |kind: &str, count| JobCount { kind: kind.to_owned(), state: JobState::Waiting, count };
        let counts = [count("reindex", 2), count("of tomorrow", 3), count("of another", 4)];
        let counted = by_label(&["reindex"], &counts);
        assert_eq!(counted.len(), 2 * JobState::ALL.len());
        let waiting: Vec<_> =
            counted.into_iter().filter(|(_, state, _)| *state == JobState::Waiting).collect();
        assert_eq!(waiting, [("reindex", JobState::Waiting, 2), (UNKNOWN_KIND, JobState::Waiting, 7)]);
    }
}
