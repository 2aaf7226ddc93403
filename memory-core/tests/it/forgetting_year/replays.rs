//! Histories that are lived more than once: with sweeps at other intervals, and recalled again with a pinned clock.

use std::collections::{BTreeMap, BTreeSet};

use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::MemoryId;
use memory_core::domain::time::Timestamp;
use memory_core::recall::request::{AsOf, Recall, RecallFeedback};
use memory_core::recall::response::RetentionDetail;
use memory_core::recall::signals::RequestedWeights;
use memory_core::retention::{CurveId, ForgottenNow, Policy};
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::{is_long_form, seeds};
use memory_core::testing::{CALLER, fact, memories, question};

use super::model::threshold;
use super::records::{Since, forgotten_since};
use super::{Life, MINUTE_US, ann};

const WORDS: [&str; 6] = ["tea", "milk", "rain", "roof", "violin", "harbour"];

fn excluding() -> Policy {
    Policy {
        curve: CurveId::MemoryBankIntended,
        effect: Some(Effect::Exclude),
        importance_gain: 4.0,
        ..Policy::default()
    }
}

fn learn(life: &Life, rng: &mut Rng, number: usize) {
    let mut one = fact(&format!("{} and {} {number}", rng.pick(&WORDS), rng.pick(&WORDS)));
    one.importance = Some(*rng.pick(&[0.1, 0.5, 0.8]));
    let request = memories(&ann(), vec![one]);
    life.run(async |test| test.engine.remember_memories(&CALLER, request).await.unwrap());
}

/// Request, its time, and what it returned.
type Asked = (Recall, Timestamp, Answer);

/// Recalls a few memories, and confirms or contradicts some of them.
fn recall_and_judge(life: &Life, rng: &mut Rng) -> Vec<MemoryId> {
    let request = Recall { limit: 4, ..question(&ann(), rng.pick::<&str>(&WORDS)) };
    let recalled = life.run(async |test| {
        let recalled = test.engine.recall(&CALLER, request).await.unwrap();
        test.settle().await;
        recalled
    });
    let found: Vec<MemoryId> = recalled.memories.iter().map(|one| one.memory.id).collect();
    let (mut used, mut contradicted) = (Vec::new(), Vec::new());
    for id in &found {
        match rng.below(4) {
            0 => used.push(*id),
            1 => contradicted.push(*id),
            _ => {}
        }
    }
    if !found.is_empty() {
        let feedback = RecallFeedback { scope: ann(), used, confirmed: Vec::new(), contradicted, now: None };
        life.run(async |test| {
            test.engine.recall_feedback(&CALLER, recalled.id, feedback).await.unwrap();
        });
    }
    found
}

/// Days of learning and recalls at whole hours, with sweeps at half hours, one every so many hours, and one at the end.
/// Returns what is forgotten then, and all that was recalled.
fn lived(seed: u64, days: usize, every_hours: usize) -> (BTreeMap<MemoryId, Since>, Vec<Vec<MemoryId>>) {
    let (life, mut rng, mut recalled) = (Life::new(), Rng::new(seed), Vec::new());
    life.use_policy(&excluding());
    let hours = days * 24;
    for hour in 1..=hours {
        match rng.below(100) {
            0..30 => learn(&life, &mut rng, hour),
            30..50 => recalled.push(recall_and_judge(&life, &mut rng)),
            _ => {}
        }
        life.pass_us(30 * MINUTE_US);
        if hour % every_hours == 0 || hour == hours {
            life.sweep();
        }
        life.pass_us(30 * MINUTE_US);
    }
    (forgotten_since(&life.rows()), recalled)
}

#[test]
fn sweeps_every_hour_day_or_week_forget_the_same() {
    let days = if is_long_form() { 30 } else { 10 };
    for seed in seeds(1, 2) {
        let hourly = lived(seed, days, 1);
        assert!(hourly.0.len() > 10, "{} are forgotten", hourly.0.len());
        for every_hours in [24, 7 * 24] {
            assert_eq!(lived(seed, days, every_hours), hourly, "seed {seed}, every {every_hours} hours");
        }
    }
}

/// All that a recall tells of a memory, apart from its score.
type Told = (Option<RetentionDetail>, Option<ForgottenNow>);
type Answer = BTreeMap<MemoryId, (f32, Told)>;

/// Memories that had more uses than those whose times are kept (`MAX_USES`): their past is known in part.
fn known_in_part(life: &Life) -> BTreeSet<MemoryId> {
    let rows = life.rows();
    let found: BTreeSet<MemoryId> =
        rows.iter().filter(|row| row.strength.uses.earlier() > 0).map(|row| row.memory).collect();
    // 4 uses a day for 120 days: no more than 7 of the 60 memories have more than 64.
    assert!(found.len() * 8 <= rows.len(), "nearly all memories have all their uses: {found:?}");
    found
}

fn without(answer: &Answer, some: &BTreeSet<MemoryId>) -> Answer {
    answer.iter().filter(|(id, _)| !some.contains(id)).map(|(id, told)| (*id, *told)).collect()
}

fn recalled(life: &Life, request: &Recall) -> Answer {
    let request = request.clone();
    let recalled = life.run(async |test| test.engine.recall(&CALLER, request).await.unwrap());
    let told = recalled.memories.into_iter().map(|one| {
        let told = (one.explain.retention, one.forgotten);
        (one.memory.id, (one.score, told))
    });
    told.collect()
}

#[test]
fn a_recall_with_a_pinned_clock_replays_what_was_recalled_then() {
    let days = if is_long_form() { 120 } else { 30 };
    for seed in seeds(1, 4) {
        let (mut life, mut rng) = (Life::new(), Rng::new(seed));
        life.use_policy(&excluding());
        for number in 0..60 {
            learn(&life, &mut rng, number);
            life.pass_us(40 * MINUTE_US);
        }
        let weights = RequestedWeights { retention: Some(1.0), ..RequestedWeights::default() };
        let mut then: Vec<Asked> = Vec::new();
        for day in 0..days {
            life.pass_us(20 * 60 * MINUTE_US);
            recall_and_judge(&life, &mut rng);
            life.pass_us(4 * 60 * MINUTE_US);
            let curve = Some(*rng.pick(&CurveId::ALL));
            let include_forgotten = rng.chance(30);
            let asked = question(&ann(), rng.pick::<&str>(&WORDS));
            let request =
                Recall { limit: 200, reinforce: Some(false), weights, curve, include_forgotten, ..asked };
            then.push((request.clone(), life.now(), recalled(&life, &request)));
            if day % 7 == 3 {
                life.sweep();
            }
        }
        life.kill();
        let sizes: Vec<usize> = then.iter().map(|(_, _, answer)| answer.len()).collect();
        assert!(sizes.contains(&60) && sizes.iter().any(|size| (1..40).contains(size)), "{sizes:?}");
        let in_part = known_in_part(&life);
        for (request, at, answer) in &then {
            let replayed = recalled(&life, &Recall { now: Some(*at), ..request.clone() });
            let answers = (&without(&replayed, &in_part), &without(answer, &in_part));
            // The best ones activate others, so that the score of one depends on what is known of all.
            let all_known = answers.0.len() == replayed.len() && answers.1.len() == answer.len();
            assert_replay(answers, all_known, &format!("seed {seed}, {at:?}"));
        }
        for number in 60..90 {
            life.pass_us(MINUTE_US);
            learn(&life, &mut rng, number);
        }
        for (request, at, answer) in &then {
            // Memories that were recorded since change the weights of words, and with them the scores.
            let as_of = AsOf { known_at: Some(*at), ..AsOf::default() };
            let replayed = recalled(&life, &Recall { now: Some(*at), as_of, ..request.clone() });
            let answers = (&without(&replayed, &in_part), &without(answer, &in_part));
            assert_replay(answers, false, &format!("seed {seed}, {at:?}, with later memories"));
        }
    }
}

fn assert_replay((replayed, then): (&Answer, &Answer), with_scores: bool, what: &str) {
    let told = |answer: &Answer| -> Vec<(MemoryId, Told)> {
        answer.iter().map(|(id, (_, told))| (*id, *told)).collect()
    };
    assert_eq!(told(replayed), told(then), "{what}");
    for (id, (score, _)) in replayed.iter().filter(|_| with_scores) {
        // The scan has retention in single precision, from the rows or from a column.
        assert!((score - then[id].0).abs() < 1e-5, "{what}: {score} for {}", then[id].0);
    }
}

#[test]
fn the_threshold_of_the_model_is_the_one_of_the_library() {
    let mut rng = Rng::new(0);
    for _ in 0..1_000 {
        let id = uuid::Uuid::from_u64_pair(rng.bits(), rng.bits());
        let expected = (xxhash_rust::xxh3::xxh3_64(id.as_bytes()) >> 12) as f64 + 0.5;
        assert!((threshold(MemoryId(id)) - expected / 2f64.powi(52)).abs() < f64::EPSILON / 2.0);
    }
}
