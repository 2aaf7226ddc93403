//! Metrics of thinking: the queue, and the use of each back end by each task.

use std::time::{Duration, Instant};

use super::month::{MONTH, send};
use super::script::{Script, start, variables};
use super::state::settled;
use crate::process::ServerProcess;

/// Timeout of the publication of metrics.
const PATIENCE: Duration = Duration::from_secs(30);

/// Value of a metric with these labels.
fn value(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = metrics.lines().find(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_show_the_queue_and_the_use_of_each_back_end() {
    let directory = tempfile::tempdir().unwrap();
    let script = Script { has_faults: true, hangs_at: Some("moved to Lisbon"), ..Script::default() };
    let model = start(script).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model, &[])).await;
    send(&server.client, &MONTH[0], true).await.unwrap();
    settled(&server.client).await;
    let moved = MONTH.iter().find(|exchange| exchange.session == "move").unwrap();
    send(&server.client, moved, false).await.unwrap();
    let began = Instant::now();
    let metrics = loop {
        let metrics = server.client.metrics().await.unwrap();
        if value(&metrics, "engrain_thinking_queue", &["mechanism=\"facts\""]) == Some(2.0) {
            break metrics;
        }
        assert!(began.elapsed() < PATIENCE, "{metrics}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let extract = ["task=\"extract\"", "backend=\"fake\""];
    assert_eq!(value(&metrics, "engrain_model_calls_total", &extract), Some(2.0));
    assert_eq!(value(&metrics, "engrain_model_refused_replies_total", &extract), Some(1.0));
    let tokens = |kind: &str| value(&metrics, "engrain_model_tokens_total", &[extract[0], extract[1], kind]);
    assert_eq!(tokens("kind=\"prompt\""), Some(20.0));
    assert!(tokens("kind=\"reply\"").unwrap() > 20.0);
    assert_eq!(value(&metrics, "engrain_thinking_queue", &["mechanism=\"tim.paper\""]), Some(0.0));
    let organise = ["task=\"organise\"", "backend=\"fake\""];
    assert!(value(&metrics, "engrain_model_calls_total", &organise).is_some());
    for name in ["engrain_thinking_queue", "engrain_model_calls_total", "engrain_model_tokens_total"] {
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is described");
    }
    assert!(!metrics.contains("Mara") && !metrics.contains("mara"), "no text and no owner in metrics");
}
