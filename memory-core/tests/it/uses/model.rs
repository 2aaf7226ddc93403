//! Uses recorded by random recalls and feedback, against a straightforward model of the same.

use std::collections::HashMap;

use memory_core::domain::id::{MemoryId, RecallId};
use memory_core::domain::uses::{UseKind, Uses};
use memory_core::recall::request::{Recall, RecallFeedback};
use memory_core::retention::Policy;
use memory_core::testing::question;
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;

use super::{Bench, scope, use_at};

const STEPS: usize = 40;
const WORDS: [&str; 5] = ["tea", "milk", "rain", "roof", "violin"];

/// Expected content of the memories and of the log.
#[derive(Default)]
struct Model {
    uses: HashMap<MemoryId, Uses>,
    recalls: Vec<(RecallId, HashMap<MemoryId, UseKind>)>,
    policy: Policy,
}

impl Model {
    /// Records evidence of the kinds that count.
    fn use_of(&mut self, id: MemoryId, at: memory_core::domain::time::Timestamp, kind: UseKind) {
        if kind.code() >= self.policy.counts_from.code() {
            self.uses.entry(id).or_default().record(use_at(at, kind), self.policy.refractory_us());
        }
    }
}

#[tokio::test]
async fn recalls_and_feedback_in_any_order_record_the_uses_of_a_simple_model() {
    for seed in seeds(6, 60) {
        let mut rng = Rng::new(seed);
        let bench = Bench::new().await;
        let texts: Vec<String> =
            (0..8).map(|at| format!("{} and {} {at}", WORDS[at % 5], WORDS[(at * 3 + 1) % 5])).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let ids = bench.facts("ann", &texts).await;
        let mut model = Model::default();
        for step in 0..STEPS {
            bench.test.clock.advance_micros(i64::try_from(rng.below(7_200)).unwrap() * 1_000_000);
            match rng.below(10) {
                0 => {
                    let counts_from = *rng.pick(&UseKind::ALL[..4]);
                    let refractory_seconds = *rng.pick(&[0, 60, 3_600]);
                    model.policy = Policy { counts_from, refractory_seconds, ..Policy::default() };
                    bench.set_policy("ann", model.policy.clone()).await;
                }
                1..=4 if !model.recalls.is_empty() => feed_back(&mut rng, &bench, &mut model).await,
                _ => recall(&mut rng, &bench, &mut model).await,
            }
            for id in &ids {
                let expected = model.uses.get(id).cloned().unwrap_or_default();
                assert_eq!(bench.uses(*id).await, expected, "seed {seed}, step {step}");
            }
        }
        for (id, outcomes) in &model.recalls {
            let logged = bench
                .test
                .engine
                .logged_recall(&memory_core::testing::CALLER, &scope("ann"), *id)
                .await
                .unwrap();
            let found: HashMap<MemoryId, UseKind> =
                logged.hits.iter().map(|hit| (hit.memory, hit.outcome)).collect();
            assert_eq!(&found, outcomes, "seed {seed}");
        }
    }
}

async fn recall(rng: &mut Rng, bench: &Bench, model: &mut Model) {
    let budget_tokens = *rng.pick(&[0, 30, 2_000]);
    let reinforce = *rng.pick(&[None, None, Some(false)]);
    let limit = u32::try_from(1 + rng.below(4)).unwrap();
    let word = *rng.pick(&WORDS);
    let request = Recall { budget_tokens, reinforce, limit, ..question(&scope("ann"), word) };
    let recalled = bench.recall(request).await;
    let mut outcomes = HashMap::new();
    for one in &recalled.memories {
        let id = one.memory.id;
        let is_shown = recalled.context.memories.contains(&id);
        let kind = if is_shown { UseKind::InContext } else { UseKind::Returned };
        outcomes.insert(id, kind);
        if reinforce.is_none() {
            model.use_of(id, bench.now(), kind);
        }
    }
    if !outcomes.is_empty() {
        model.recalls.push((recalled.id, outcomes));
    }
}

async fn feed_back(rng: &mut Rng, bench: &Bench, model: &mut Model) {
    let at = rng.below(model.recalls.len());
    let (recall, hits) = model.recalls[at].clone();
    let mut hits: Vec<MemoryId> = hits.into_keys().collect();
    hits.sort_unstable();
    let mut feedback = RecallFeedback {
        scope: scope("ann"),
        used: Vec::new(),
        confirmed: Vec::new(),
        contradicted: Vec::new(),
        now: None,
    };
    for id in hits {
        let kind = match rng.below(5) {
            0 => {
                feedback.used.push(id);
                UseKind::Cited
            }
            1 => {
                feedback.used.push(id);
                feedback.confirmed.push(id);
                UseKind::Confirmed
            }
            2 => {
                feedback.contradicted.push(id);
                UseKind::Contradicted
            }
            _ => continue,
        };
        let outcome = model.recalls[at].1.get_mut(&id).unwrap();
        if kind.outweighs(*outcome) {
            *outcome = kind;
            model.use_of(id, bench.now(), kind);
        }
    }
    bench.test.engine.recall_feedback(&memory_core::testing::CALLER, recall, feedback).await.unwrap();
}
