//! The program as it is called, against a server that remembers by words: rankings can be worked out by hand, and every
//! request can be looked at. The fixtures are made up; none of it is a benchmark's text.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::remembering::Remembering;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server, and where reports go.
struct Bench {
    server: Remembering,
    url: String,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (server, url) = Remembering::start().await;
        Self { server, url, folder: TempDir::new().unwrap() }
    }

    fn call(&self, benchmark: &str, file: &Path, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engrain-evals"));
        command.arg(benchmark).arg(file).args(["--server", &self.url, "--date", "2026-01-02T03:04:05Z"]);
        command.args(options).output().unwrap()
    }

    /// Runs a benchmark on its fixture: the report, and what was printed.
    fn run(&self, benchmark: &str, options: &[&str]) -> (Value, String) {
        let report = self.folder.path().join("report.json");
        let options = [options, &["--json", report.to_str().unwrap()]].concat();
        let output = self.call(benchmark, &fixture(benchmark), &options);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
        (report, String::from_utf8(output.stdout).unwrap())
    }

    fn paths(&self) -> Vec<String> {
        self.server.asked().into_iter().map(|(path, _)| path).collect()
    }
}

fn fixture(benchmark: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{benchmark}.json"))
}

/// The number of questions of a group, and a measure of it at a cut-off.
fn score(report: &Value, group: &str, measure: &str, cutoff: u32) -> (u64, f64) {
    let scores = report["metrics"].as_array().unwrap();
    let score = scores.iter().find(|score| score["group"] == group).unwrap();
    let value = score["measures"][measure][cutoff.to_string()].as_f64().unwrap();
    (score["questions"].as_u64().unwrap(), (value * 1e6).round() / 1e6)
}

#[tokio::test(flavor = "multi_thread")]
async fn longmemeval_is_scored_by_session() {
    let bench = Bench::new().await;
    let (report, table) = bench.run("longmemeval", &[]);
    // Ranked by hand: `one` finds its session first, `two` second and third (a filler that occurs twice takes one
    // place), `four` second; the last has no marked user turn.
    let third = 0.333_333;
    assert_eq!(score(&report, "all", "recall_all", 1), (3, third));
    assert_eq!(score(&report, "all", "recall_all", 3), (3, 1.0));
    assert_eq!(score(&report, "multi-session", "recall_any", 1), (1, 0.0));
    assert_eq!(score(&report, "multi-session", "ndcg_any", 3), (1, 0.815_465));
    assert_eq!(score(&report, "single-session-assistant", "recall_all", 1), (1, 0.0));
    assert_eq!(score(&report, "official n=470", "recall_all", 1), (3, 0.666_667));
    assert_eq!(score(&report, "official n=470", "recall_any", 3), (3, 0.666_667));
    assert_eq!(score(&report, "official n=419", "recall_all", 1), (2, 0.5));
    let groups: Vec<_> = report["metrics"].as_array().unwrap().iter().map(|score| &score["group"]).collect();
    assert_eq!(groups[..4], ["all", "official n=419", "official n=470", "multi-session"]);

    assert_eq!(
        (&report["benchmark"], &report["date"]),
        (&json!("longmemeval"), &json!("2026-01-02T03:04:05Z"))
    );
    assert_eq!(
        (&report["server"]["version"], &report["server"]["embedder"]),
        (&json!("9.9.9"), &json!("words"))
    );
    assert_eq!(report["data"]["file"], "longmemeval.json");
    assert_eq!(report["data"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!((&report["questions"]["in_file"], &report["questions"]["asked"]), (&json!(4), &json!(3)));
    assert_eq!(report["questions"]["left_out"]["abstention"], 1);
    assert_eq!(report["settings"]["cutoffs"], json!([1, 3, 5, 10, 30, 50]));
    assert_eq!(
        (&report["ingest"]["turns_sent"], &report["recall"]["cut_short"]["50"]),
        (&json!(11), &json!(0))
    );
    assert!(report["recall"]["latency_ms"]["p99"].as_f64().unwrap() > 0.0);
    assert!(table.contains("3 asked of 4 in the file") && table.contains("ndcg_any of sessions at"));
    assert!(bench.server.memories().values().all(Vec::is_empty), "what was written is erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_label_is_sent_to_the_server() {
    let bench = Bench::new().await;
    bench.run("longmemeval", &["--concurrency", "3"]);
    bench.run("locomo", &["--user-prefix", "other-"]);
    let asked = bench.server.asked();
    assert!(asked.iter().filter(|(path, _)| path == "/v1/turns").count() >= 10);
    for (path, text) in asked {
        for label in
            ["answer_", "has_answer", "answer", "_abs", "Quincunx", "filler", "three", "D9:9", "geese"]
        {
            assert!(!text.contains(label), "{label} is in a request to {path}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_sent_with_turns_and_questions() {
    let bench = Bench::new().await;
    bench.run("longmemeval", &["--keep"]);
    let memories = bench.server.memories();
    let key =
        memories.values().flatten().find(|memory| memory["text"].as_str().unwrap().contains("spare key"));
    assert_eq!(key.unwrap()["happened_at"], "2023-05-28T21:00:00Z");
    assert!(memories.keys().all(|user| user.starts_with("evals-")));
    let asked = bench.server.asked();
    let recalls: Vec<_> = asked.iter().filter(|(path, _)| path == "/v1/recall").collect();
    assert_eq!(recalls.len(), 3);
    assert!(recalls.iter().all(|(_, text)| text.contains("\"now\":\"2023-05-28T23:59:59Z\"")));
    assert!(recalls.iter().all(|(_, text)| text.contains("\"limit\":200")));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_turns_are_not_sent_again() {
    let bench = Bench::new().await;
    let (first, _) = bench.run("longmemeval", &["--keep"]);
    bench.server.asked();
    let (second, _) = bench.run("longmemeval", &[]);
    assert_eq!(
        (&second["ingest"]["turns_sent"], &second["ingest"]["turns_present"]),
        (&json!(0), &json!(11))
    );
    assert_eq!(second["metrics"], first["metrics"]);
    assert!(!bench.paths().iter().any(|path| path == "/v1/turns" || path == "/v1/memories/delete"));

    bench.server.lose_the_last();
    let (third, _) = bench.run("longmemeval", &["--keep"]);
    assert_eq!((&third["ingest"]["turns_sent"], &third["ingest"]["turns_present"]), (&json!(3), &json!(8)));
    assert_eq!(third["metrics"], first["metrics"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_with_other_memories_are_not_measured() {
    let bench = Bench::new().await;
    bench.run("longmemeval", &["--keep"]);
    let file = bench.folder.path().join("changed.json");
    let text = std::fs::read_to_string(fixture("longmemeval")).unwrap();
    std::fs::write(&file, text.replace("under a blue pot", "under a red pot")).unwrap();
    let output = bench.call("longmemeval", &file, &[]);
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("has 5 memories where the data has 4: give another --user-prefix"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn locomo_is_scored_by_turn() {
    let bench = Bench::new().await;
    let (report, table) = bench.run("locomo", &["--limit", "1", "2", "--limit", "3"]);
    // "What is the goat called?": D1:2 shares three words. "What became of the barn roof?": D1:1 shares three, D2:1 two.
    // "Who ate the plans?": D2:2 shares three.
    assert_eq!(score(&report, "4 single-hop", "recall_all", 1), (1, 1.0));
    assert_eq!(score(&report, "1 multi-hop", "recall_any", 1), (1, 1.0));
    assert_eq!(score(&report, "1 multi-hop", "recall_all", 1), (1, 0.0));
    assert_eq!(score(&report, "1 multi-hop", "recall_all", 2), (1, 1.0));
    assert_eq!(score(&report, "5 adversarial", "recall_all", 1), (1, 1.0));
    assert_eq!(score(&report, "all", "recall_all", 1), (3, 0.666_667));
    let left_out =
        json!({"abstention": 0, "without_evidence": 1, "malformed_evidence": 1, "unknown_evidence": 1});
    assert_eq!(report["questions"]["left_out"], left_out);
    assert_eq!(report["settings"]["cutoffs"], json!([1, 2, 3]));
    assert!(table.contains("recall_all of turns at") && !table.contains("ndcg"));
    assert_eq!(report["ingest"]["turns_sent"], 4, "a conversation that nothing is asked about is not needed");
    let paths = bench.paths();
    assert_eq!(paths.iter().filter(|path| *path == "/v1/turns").count(), 2, "it is remembered once");
    assert_eq!(paths.iter().filter(|path| *path == "/v1/recall").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_ingests_only_the_haystacks_it_asks() {
    let bench = Bench::new().await;
    let (report, _) =
        bench.run("longmemeval", &["--questions", "1", "--rerank", "--rerank-candidates", "50"]);
    assert_eq!((&report["questions"]["asked"], &report["ingest"]["haystacks"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&report["settings"]["rerank"], &report["settings"]["rerank_candidates"]),
        (&json!(true), &json!(50))
    );
    assert_eq!(report["recall"]["degraded"], 1, "the server says that it could not rerank");
    let (again, _) = bench.run("longmemeval", &["--questions", "1"]);
    assert_eq!(again["metrics"], report["metrics"], "the same question is chosen");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_is_reported() {
    let bench = Bench::new().await;
    let told = |benchmark: &str, file: &str, options: &[&str]| {
        let output = bench.call(benchmark, Path::new(file), options);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told("longmemeval", "no/such/file.json", &[]).contains("no/such/file.json: cannot be read"));
    let locomo = fixture("locomo");
    assert!(
        told("longmemeval", locomo.to_str().unwrap(), &[]).contains("the record does not match its format")
    );
    assert!(told("locomo", locomo.to_str().unwrap(), &["--limit", "201"]).contains("from 1 to 200"));
    assert!(
        told("locomo", locomo.to_str().unwrap(), &["--json", "no/such/folder/x"])
            .contains("cannot be written")
    );
    assert!(bench.server.memories().is_empty(), "nothing was sent");
}
