//! Forgetting in recall: the order of curves and weights, answers as of a past moment, and hidden memories.
#![expect(clippy::unwrap_used, reason = "tests")]

use memory_core::domain::change::ChangeSet;
use memory_core::domain::filter::Filter;
use memory_core::domain::forgotten::{Effect, Reason};
use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::domain::time::Timestamp;
use memory_core::memories::request::ListMemories;
use memory_core::recall::request::Recall;
use memory_core::recall::response::{Recalled, RetentionDetail, Verdict};
use memory_core::retention::{CurveId, Policy, threshold};
use memory_core::testing::fixtures::{owner, touch};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, question, user};

struct Fixture {
    _directory: tempfile::TempDir,
    test: TestEngine,
    ids: Vec<MemoryId>,
}

impl Fixture {
    async fn new(texts: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        let facts = texts.iter().map(|text| fact(text)).collect();
        let request = memories(&user("ann").unwrap(), facts);
        let ids = test.engine.remember_memories(&CALLER, request).await.unwrap().memories;
        Self { _directory: directory, test, ids }
    }

    async fn policy(&self, policy: Option<Policy>) {
        self.test.engine.set_forgetting_policy(&CALLER, &user("ann").unwrap(), policy).await.unwrap();
    }

    async fn recall(&self, request: Recall) -> Recalled {
        self.test.engine.recall(&CALLER, request).await.unwrap()
    }
}

fn asked(days: i64, weight: Option<f32>) -> Recall {
    let mut request = question(&user("ann").unwrap(), "tea");
    request.now = Some(START.plus_days(days));
    request.weights.retention = weight;
    request
}

fn found(recalled: &Recalled) -> Vec<MemoryId> {
    let mut ids: Vec<MemoryId> = recalled.memories.iter().map(|one| one.memory.id).collect();
    ids.sort_unstable();
    ids
}

fn detail(recalled: &Recalled, id: MemoryId) -> Option<RetentionDetail> {
    recalled.memories.iter().find(|one| one.memory.id == id).unwrap().explain.retention
}

/// Inputs of the answer, and its explanation of them.
fn answer(recalled: &Recalled) -> Vec<(MemoryId, f32, Option<RetentionDetail>)> {
    recalled.memories.iter().map(|one| (one.memory.id, one.score, one.explain.retention)).collect()
}

#[tokio::test]
async fn the_curve_is_that_of_the_request_else_of_the_owner_else_of_the_engine() {
    let fixture = Fixture::new(&["green tea", "black tea"]).await;
    let curve = async |curve: Option<CurveId>| {
        let recalled = fixture.recall(Recall { curve, ..asked(4, Some(1.0)) }).await;
        detail(&recalled, fixture.ids[0]).unwrap().curve
    };
    assert_eq!(curve(None).await, CurveId::MemoryBankPaper);
    fixture.policy(Some(Policy { curve: CurveId::Hlr, ..Policy::default() })).await;
    assert_eq!(curve(None).await, CurveId::Hlr);
    for requested in CurveId::ALL {
        assert_eq!(curve(Some(requested)).await, requested);
    }
    fixture.policy(None).await;
    assert_eq!(curve(None).await, CurveId::MemoryBankPaper);
}

#[tokio::test]
async fn the_weight_is_that_of_the_request_else_of_the_policy_else_the_setting() {
    let fixture = Fixture::new(&["green tea", "black tea", "a cup of tea"]).await;
    fixture.test.commit(uses(&[(fixture.ids[1], 3)])).await.unwrap();
    let without = fixture.recall(asked(4, None)).await;
    assert_eq!(detail(&without, fixture.ids[0]), None, "retention has no weight by default");
    let requested = fixture.recall(asked(4, Some(3.0))).await;
    fixture.policy(Some(Policy { weight: Some(3.0), ..Policy::default() })).await;
    let by_policy = fixture.recall(asked(4, None)).await;
    assert_eq!(answer(&by_policy), answer(&requested));
    assert_ne!(answer(&by_policy), answer(&without));
    assert_eq!(answer(&fixture.recall(asked(4, Some(0.0))).await), answer(&without));
}

fn uses(of: &[(MemoryId, i64)]) -> ChangeSet {
    let mut set = ChangeSet::new(TenantId::DEFAULT, owner("ann"), START.plus_days(9));
    set.touches = of.iter().map(|(memory, days)| touch(*memory, *days)).collect();
    set
}

#[tokio::test]
async fn a_recall_as_of_a_past_moment_is_answered_as_then_after_later_uses() {
    let texts: Vec<String> = (0..40).map(|number| format!("tea number {number}")).collect();
    let fixture = Fixture::new(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fixture.test.commit(uses(&[(fixture.ids[0], 1), (fixture.ids[1], 2)])).await.unwrap();
    for effect in [None, Some(Effect::Exclude)] {
        fixture.policy(Some(Policy { effect, ..Policy::default() })).await;
        for curve in CurveId::ALL {
            let asking = || fixture.recall(Recall { curve: Some(curve), limit: 50, ..asked(4, Some(1.0)) });
            let before = asking().await;
            let day = 10 + i64::try_from(curve as usize).unwrap();
            let later = fixture.ids.iter().map(|id| (*id, day)).collect::<Vec<_>>();
            let used = later.iter().skip(usize::from(effect.is_some())).copied().collect::<Vec<_>>();
            fixture.test.commit(uses(&used)).await.unwrap();
            let name = curve.as_str();
            let close = answer(&before).into_iter().zip(answer(&asking().await));
            for ((id, score, detail), (id_after, score_after, detail_after)) in close {
                assert_eq!((id, detail), (id_after, detail_after), "{name}, {effect:?}");
                // The first answer may have had retention from the rows, in single precision.
                assert!((score - score_after).abs() < 1e-5, "{name}, {effect:?}: {score} and {score_after}");
            }
            assert_eq!(found(&before), found(&asking().await), "{name}, {effect:?}");
        }
    }
}

#[tokio::test]
async fn a_forgotten_memory_is_hidden_until_it_is_asked_for() {
    let texts: Vec<String> = (0..30).map(|number| format!("tea number {number}")).collect();
    let fixture = Fixture::new(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let is_forgotten = |id: &MemoryId| (-3.0f64).exp() < threshold(*id);
    let (gone, mut left): (Vec<MemoryId>, Vec<MemoryId>) =
        fixture.ids.iter().partition(|id| is_forgotten(id));
    left.sort_unstable();
    assert!(gone.len() > 10, "the curve has R = e^-3 after three days");
    let all = || Recall { limit: 50, ..asked(3, None) };
    assert_eq!(found(&fixture.recall(all()).await).len(), 30, "nothing is forgotten by default");
    for effect in [Effect::Exclude, Effect::Cold, Effect::Delete] {
        fixture.policy(Some(Policy { effect: Some(effect), ..Policy::default() })).await;
        assert_eq!(found(&fixture.recall(all()).await), left);
        let why = fixture.test.engine.why_not(&CALLER, gone[0], all()).await.unwrap();
        assert_eq!(why.verdict, Verdict::Forgotten);
        let state = why.forgotten.map(|state| (state.reason, state.effect));
        assert_eq!(state, Some((Reason::Faded, effect)));
        let kept = fixture.test.engine.why_not(&CALLER, left[0], all()).await.unwrap();
        assert_eq!(kept.forgotten, None);
        let detail = why.explain.retention.unwrap();
        assert!(detail.retention < detail.threshold, "{detail:?}");
        assert_eq!(found(&fixture.recall(Recall { curve: Some(CurveId::None), ..all() }).await).len(), 30);
        let included = fixture.recall(Recall { include_forgotten: true, ..all() }).await;
        assert_eq!(included.memories.len(), 30);
        for one in &included.memories {
            let state = one.forgotten.map(|state| (state.reason, state.effect));
            let expected = is_forgotten(&one.memory.id).then_some((Reason::Faded, effect));
            assert_eq!(state, expected);
            assert!(
                one.forgotten.is_none_or(|state| state.since > START && state.since <= START.plus_days(3))
            );
        }
    }
    fixture.policy(Some(Policy { effect: Some(Effect::Demote), ..Policy::default() })).await;
    let demoted = fixture.recall(all()).await;
    assert_eq!(demoted.memories.iter().filter(|one| one.forgotten.is_some()).count(), gone.len());
    let page = ListMemories {
        scope: user("ann").unwrap(),
        filter: Filter::everything(),
        newest_first: true,
        limit: 50,
        after: None,
    };
    assert_eq!(fixture.test.engine.list(&CALLER, page).await.unwrap().total, 30, "lists have all");
    assert_eq!(fixture.test.engine.memory(&CALLER, gone[0]).await.unwrap().memory.id, gone[0]);
}

#[tokio::test]
async fn an_explanation_has_retention_strength_time_curve_and_threshold() {
    let fixture = Fixture::new(&["green tea"]).await;
    fixture.test.commit(uses(&[(fixture.ids[0], 1)])).await.unwrap();
    let recalled = fixture.recall(asked(4, Some(1.0))).await;
    let found = detail(&recalled, fixture.ids[0]).unwrap();
    assert!((found.retention - (-1.5f64).exp()).abs() < 1e-12, "one use makes the strength 2 days");
    assert_eq!((found.strength, found.elapsed_days), (2.0, 3.0));
    assert_eq!((found.curve, found.threshold), (CurveId::MemoryBankPaper, threshold(fixture.ids[0])));
    let before: Timestamp = START.plus_days(-1);
    let recalled = fixture.recall(Recall { now: Some(before), ..asked(0, Some(1.0)) }).await;
    assert!(recalled.memories.iter().all(|one| one.explain.retention.unwrap().retention == 1.0));
}
