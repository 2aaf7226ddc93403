//! Report of a run, as a table and as JSON, with everything needed to repeat it: data, server, settings, date.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use engrain::wire::Version;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::ask::Manner;
use crate::dataset::{Benchmark, LeftOut};
use crate::failure::Failure;
use crate::metrics::{Measure, Percentiles};
use crate::scores::Score;
use crate::state_order::StateOrder;

/// Report of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) benchmark: Benchmark,
    /// Start of the run (RFC 3339).
    pub(crate) date: String,
    pub(crate) tool: Tool,
    /// Server and its embedder.
    pub(crate) server: Version,
    pub(crate) data: Data,
    pub(crate) questions: Questions,
    pub(crate) settings: Settings,
    pub(crate) ingest: Ingest,
    pub(crate) recall: Recall,
    pub(crate) metrics: Vec<Score>,
    /// Order of the evidence of changed facts, by the state asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) state_order: Vec<StateOrder>,
}

/// Version of this program.
#[derive(Debug, Serialize)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// Data file, as stored (compressed, if it is).
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    /// Name of the file, without folders.
    pub(crate) file: String,
    pub(crate) sha256: String,
}

/// Numbers of questions.
#[derive(Debug, Serialize)]
pub(crate) struct Questions {
    pub(crate) in_file: usize,
    pub(crate) asked: usize,
    /// Data of the whole file that cannot be scored.
    pub(crate) left_out: LeftOut,
}

/// Settings of the measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    /// Unit of evidence: `session` or `turn`.
    pub(crate) unit: &'static str,
    pub(crate) cutoffs: Vec<usize>,
    /// Limit of each recall; it bounds the ranking of units.
    pub(crate) recall_limit_memories: u32,
    #[serde(flatten)]
    pub(crate) manner: Manner,
    /// Number of concurrent requests.
    pub(crate) concurrency: usize,
    pub(crate) user_prefix: String,
}

/// Result of the ingestion.
#[derive(Debug, Serialize)]
pub(crate) struct Ingest {
    pub(crate) haystacks: usize,
    pub(crate) turns_sent: u64,
    /// Number of turns stored by an earlier run.
    pub(crate) turns_present: u64,
    pub(crate) took_s: f64,
    /// None if nothing was sent.
    pub(crate) turns_per_second: Option<f64>,
}

/// Result of the recalls.
#[derive(Debug, Serialize)]
pub(crate) struct Recall {
    /// Latency from sending a question to the parsed response. In LongMemEval every question is the first one of its
    /// user.
    pub(crate) latency_ms: Percentiles,
    /// Number of degraded responses.
    pub(crate) degraded: usize,
    /// Number of rankings, per cut-off, that the recall's limit kept from reaching it. The measures there are lower
    /// bounds.
    pub(crate) cut_short: BTreeMap<usize, usize>,
    /// Number of units in the shortest ranking.
    pub(crate) fewest_units: usize,
}

impl Data {
    /// Name and digest of `path`.
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        let unreadable = Failure::file(path, "read");
        let mut source = BufReader::new(File::open(path).map_err(&unreadable)?);
        let (mut hash, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
        loop {
            match source.read(&mut piece).map_err(&unreadable)? {
                0 => break,
                read => hash.update(&piece[..read]),
            }
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { file, sha256 })
    }
}

impl Report {
    /// Report as indented JSON.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Report as a table.
    pub(crate) fn table(&self) -> String {
        let mut text = self.head();
        for measure in self.benchmark.measures() {
            text.push('\n');
            text.push_str(&self.block(*measure));
        }
        text.push_str(&self.state_order_block());
        text
    }

    fn head(&self) -> String {
        let Self { tool, server, data, questions, settings, ingest, recall, .. } = self;
        let LeftOut { abstention, without_evidence, malformed_evidence, unknown_evidence } =
            questions.left_out;
        let reranked = match (settings.manner.rerank, settings.manner.rerank_candidates) {
            (false, _) => "no reranking".to_owned(),
            (true, None) => "reranked".to_owned(),
            (true, Some(candidates)) => format!("best {candidates} reranked"),
        };
        let speed = ingest.turns_per_second.map_or("nothing was sent".to_owned(), |rate| {
            format!("{} turns sent in {:.1} s ({rate:.0}/s)", ingest.turns_sent, ingest.took_s)
        });
        let cut_short = recall.cut_short.iter().filter(|(_, rankings)| **rankings > 0);
        let cut_short: String =
            cut_short.map(|(cutoff, rankings)| format!(", {rankings} cut short of {cutoff}")).collect();
        let lines = [
            format!("{} {}, {}", tool.name, tool.version, self.date),
            format!("server      {} {}, embedder {}", server.name, server.version, server.embedder),
            format!("data        {}, sha256 {}", data.file, data.sha256),
            format!("questions   {} asked of {} in the file", questions.asked, questions.in_file),
            format!("left out    {abstention} abstention, {without_evidence} without evidence to be found"),
            format!("evidence    {malformed_evidence} names unreadable, {unknown_evidence} of nothing there"),
            format!(
                "remembered  {} users; {speed}, {} turns there before",
                ingest.haystacks, ingest.turns_present
            ),
            format!(
                "recalled    {} memories each, {reranked}; p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, {} at once",
                settings.recall_limit_memories,
                recall.latency_ms.p50,
                recall.latency_ms.p95,
                recall.latency_ms.p99,
                settings.concurrency
            ),
            format!(
                "            {} degraded; {} or more {}s each{cut_short}",
                recall.degraded, recall.fewest_units, settings.unit
            ),
        ];
        lines.join("\n") + "\n"
    }

    /// Table of the order of the evidence of changed facts; empty where the benchmark has none.
    fn state_order_block(&self) -> String {
        let rows = self.state_order.iter().map(|row| {
            format!("{:31} {:>5} {:>7.4}\n", row.state.name(), row.questions, row.asked_state_first)
        });
        let rows: String = rows.collect();
        if rows.is_empty() {
            rows
        } else {
            format!("\nfirst of the evidence sessions {:>6} {:>7}\n{rows}", "n", "share")
        }
    }

    /// Table of one measure: a row for each group, a column for each cut-off.
    fn block(&self, measure: Measure) -> String {
        let title = format!("{} of {}s at", measure.name(), self.settings.unit);
        let names = self.metrics.iter().map(|score| score.group.len());
        let width = names.chain([title.len()]).max().unwrap_or_default();
        let mut text = format!("{title:width$} {:>5}", "n");
        // Writing to a text cannot fail.
        for cutoff in &self.settings.cutoffs {
            let _ = write!(text, " {cutoff:>7}");
        }
        text.push('\n');
        for score in &self.metrics {
            let _ = write!(text, "{:width$} {:>5}", score.group, score.questions);
            for value in score.measures.get(&measure).into_iter().flat_map(|values| values.values()) {
                let _ = write!(text, " {value:>7.4}");
            }
            text.push('\n');
        }
        text
    }
}
