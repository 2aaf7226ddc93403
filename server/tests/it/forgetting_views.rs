//! Where forgetting is shown: single memories, lists, previews of deletions, recalls, why-not, the list of forgotten memories, and
//! what commands print.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use engrain::client::ForgottenQuery;
use engrain::wire::{
    AddMemories, DeleteMatching, EditMemory, Filter, ForgettingPolicy, ForgottenState, ListMemories, Memory,
    NewMemory, RecallRequest, Recalled, Scope, SetForgettingPolicy, SweepMemories, Visibility, Weights,
    WhyNot, WhyNotRequest, WhyNotResponse,
};
use engrain::{Client, Error};
use uuid::Uuid;

use crate::commands::{engrain, said};
use crate::process::ServerProcess;

/// Time of what the memories tell: they have faded long ago.
const TOLD_OF: &str = "2001-01-01T00:00:00Z";
const MEMORIES: usize = 30;

fn scope() -> Scope {
    Scope { user_id: Some("u1".to_owned()), agent_id: Some("helper".to_owned()), ..Scope::default() }
}

async fn add(client: &Client, scope: Scope, count: usize) -> Vec<Uuid> {
    let memory = |at: usize| NewMemory {
        text: format!("Ann likes tea number {at}"),
        happened_at: Some(TOLD_OF.to_owned()),
        visibility: (at == 2).then_some(Visibility::Shared),
        audience: if at == 1 { vec!["dave".to_owned()] } else { Vec::new() },
        ..NewMemory::default()
    };
    let memories = (0..count).map(memory).collect();
    let request = AddMemories { scope, memories, ..AddMemories::default() };
    client.add_memories(&request).await.unwrap().memory_ids
}

fn policy(effect: &str) -> ForgettingPolicy {
    ForgettingPolicy { effect: effect.to_owned(), ..ForgettingPolicy::default() }
}

async fn set(client: &Client, policy: ForgettingPolicy) {
    let request = SetForgettingPolicy { scope: scope(), policy: Some(policy) };
    client.set_forgetting_policy(&request).await.unwrap();
}

async fn sweep(client: &Client) {
    client.sweep_memories(&SweepMemories { scope: scope(), now: None, wait: true }).await.unwrap();
}

async fn recalled(client: &Client, request: RecallRequest) -> Vec<Recalled> {
    let (query, limit, reinforce) = ("tea".to_owned(), Some(100), Some(false));
    client.recall(&RecallRequest { query, limit, reinforce, ..request }).await.unwrap().memories
}

async fn listed(client: &Client, scope: Scope) -> Vec<Memory> {
    let request = ListMemories { scope, limit: Some(100), ..ListMemories::default() };
    client.list_memories(&request).await.unwrap().memories
}

type States = BTreeMap<Uuid, (bool, Option<ForgottenState>)>;

fn states(memories: impl IntoIterator<Item = Memory>) -> States {
    memories.into_iter().map(|one| (one.id, (one.pinned, one.forgotten))).collect()
}

#[tokio::test]
async fn a_forgotten_or_pinned_memory_says_so_wherever_it_is_shown_and_its_versions_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    let ids = add(client, scope(), MEMORIES).await;
    let of_other = add(client, Scope::user("u2"), 1).await[0];
    let nothing = || (false, None);
    assert!(states(listed(client, scope()).await).values().all(|state| *state == nothing()), "no effect");
    set(client, policy("exclude")).await;
    client.pin_memory(ids[0], true).await.unwrap();

    let in_list = states(listed(client, scope()).await);
    assert_eq!(in_list.len(), MEMORIES);
    for (id, (pinned, forgotten)) in &in_list {
        assert_eq!((*pinned, forgotten.is_none()), (*id == ids[0], *id == ids[0]), "{forgotten:?}");
        let shown = client.memory(*id).await.unwrap();
        assert_eq!((shown.pinned, &shown.forgotten), (*pinned, forgotten), "the same alone as in a list");
        let of = forgotten.as_ref().map(|state| (state.reason.as_str(), state.effect.as_str()));
        assert!(of.is_none_or(|of| of == ("faded", "exclude")), "{of:?}");
        assert!(forgotten.as_ref().is_none_or(|state| state.since.as_str() > TOLD_OF));
    }
    let request = RecallRequest { scope: scope(), include_forgotten: true, ..RecallRequest::default() };
    let in_recall = recalled(client, request).await.into_iter().map(|one| one.memory);
    assert_eq!(states(in_recall), in_list);
    let request = DeleteMatching { scope: scope(), filter: Filter::all([]), confirmation: None };
    let in_preview = states(client.delete_matching(&request).await.unwrap().sample);
    assert!(!in_preview.is_empty() && in_preview.iter().all(|(id, state)| in_list[id] == *state));
    for id in &ids[..2] {
        let (pinned, forgotten) = &in_list[id];
        let edit = EditMemory { importance: Some(0.5), ..EditMemory::default() };
        let edited = client.edit_memory(*id, &edit).await.unwrap();
        assert_eq!((edited.pinned, &edited.forgotten), (*pinned, forgotten));
        let versions = states(client.history(*id).await.unwrap().versions);
        assert_eq!(versions, [(*id, nothing())].into());
    }
    assert_eq!(states([client.memory(of_other).await.unwrap()]), [(of_other, nothing())].into(), "its owner");

    let shown = |id: Uuid| said(&engrain(directory.path(), &["show", &id.to_string()])).1;
    assert!(shown(ids[0]).contains("  [pinned]\n"), "{}", shown(ids[0]));
    assert!(shown(ids[2]).contains("  [forgotten since "), "{}", shown(ids[2]));
    let (_, told) = said(&engrain(directory.path(), &["list", "--user", "u1", "-n", "100"]));
    assert_eq!(told.matches(": faded, exclude]\n").count(), MEMORIES - 1, "{told}");
}

async fn why(client: &Client, memory_id: Uuid, recall: RecallRequest) -> WhyNotResponse {
    let recall = RecallRequest { query: "tea".to_owned(), limit: Some(100), ..recall };
    client.why_not(&WhyNotRequest { memory_id, recall }).await.unwrap()
}

#[tokio::test]
async fn why_not_tells_reason_moment_and_effect_to_those_alone_who_may_see_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    // One of them is shared, so that a recall of the agent alone looks at the owner's memories.
    let ids = add(client, scope(), 3).await;
    set(client, policy("exclude")).await;
    let own = || RecallRequest { scope: Scope::user("u1"), ..RecallRequest::default() };
    let answer = why(client, ids[0], own()).await;
    let state = answer.forgotten.clone().expect("forgotten");
    assert_eq!(answer.verdict, WhyNot::Forgotten);
    assert_eq!(client.memory(ids[0]).await.unwrap().forgotten.as_ref(), Some(&state));
    for part in [state.since.as_str(), "its retention is below its threshold", "the effect is exclude"] {
        assert!(answer.reason.contains(part), "{}", answer.reason);
    }
    let curve = Some("none".to_owned());
    let answer = why(client, ids[0], RecallRequest { forgetting_curve: curve, ..own() }).await;
    assert_eq!((answer.verdict, answer.forgotten), (WhyNot::Returned, None));
    let answer = why(client, ids[0], RecallRequest { include_forgotten: true, ..own() }).await;
    assert_eq!((answer.verdict, answer.forgotten), (WhyNot::Returned, Some(state)));

    let agent = Scope { agent_id: Some("helper".to_owned()), ..Scope::default() };
    let answer = why(client, ids[0], RecallRequest { scope: agent, ..own() }).await;
    assert_eq!((answer.verdict, answer.forgotten), (WhyNot::NotVisible, None));
    let partner = Some("carol".to_owned());
    let answer = why(client, ids[1], RecallRequest { partner, ..own() }).await;
    assert_eq!((answer.verdict, answer.forgotten), (WhyNot::NotForPartner, None));
    let answer = why(client, ids[0], RecallRequest { scope: Scope::user("u2"), ..own() }).await;
    assert_eq!((answer.verdict, answer.forgotten), (WhyNot::NotInScope, None));

    let quota =
        ForgettingPolicy { rule: "quota_alone".to_owned(), quota_memories: Some(1), ..policy("cold") };
    set(client, quota).await;
    sweep(client).await;
    let mut evicted = 0;
    for id in &ids {
        let answer = why(client, *id, own()).await;
        if answer.verdict == WhyNot::Forgotten {
            let state = answer.forgotten.expect("forgotten");
            assert_eq!((state.reason.as_str(), state.effect.as_str()), ("evicted", "cold"));
            assert!(
                answer.reason.contains("its owner had more memories than the quota"),
                "{}",
                answer.reason
            );
            evicted += 1;
        }
    }
    assert_eq!(evicted, 2);
}

#[tokio::test]
async fn forgotten_memories_are_listed_by_reason_and_effect() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    add(client, scope(), MEMORIES).await;
    let quota = ForgettingPolicy {
        rule: "quota_alone".to_owned(),
        quota_memories: Some(MEMORIES as u64 - 5),
        ..policy("exclude")
    };
    for policy in [quota, policy("exclude")] {
        set(client, policy).await;
        sweep(client).await;
    }
    let asked = |reason: Option<&str>, effect: Option<&str>, limit: u32| ForgottenQuery {
        scope: scope(),
        reason: reason.map(str::to_owned),
        effect: effect.map(str::to_owned),
        limit: Some(limit),
        cursor: None,
    };
    for (reason, effect, expected) in [
        (None, None, MEMORIES),
        (Some("evicted"), None, 5),
        (Some("faded"), Some("exclude"), MEMORIES - 5),
        (Some("drawn"), None, 0),
        (None, Some("cold"), 0),
        (Some("evicted"), Some("exclude"), 5),
    ] {
        for limit in [2, 100] {
            let (mut found, mut query) = (Vec::new(), asked(reason, effect, limit));
            loop {
                let page = client.forgotten(&query).await.unwrap();
                found.extend(page.memories);
                query.cursor = page.next_cursor;
                if query.cursor.is_none() {
                    break;
                }
            }
            let passes = found.iter().all(|one| reason.is_none_or(|reason| one.reason == reason));
            assert!(passes && found.len() == expected, "{reason:?}, {effect:?}: {found:?}");
        }
    }
    for (query, field) in [(asked(Some("lost"), None, 9), "reason"), (asked(None, Some("none"), 9), "effect")]
    {
        match client.forgotten(&query).await {
            Err(Error::Problem(problem)) => {
                assert_eq!((problem.status, problem.field.as_deref()), (422, Some(field)));
            }
            other => panic!("{other:?}"),
        }
    }
    let list = |more: &[&str]| {
        said(&engrain(
            directory.path(),
            &[&["forgetting", "list", "--user", "u1", "-n", "100"], more].concat(),
        ))
    };
    let (status, told) = list(&["--reason", "evicted", "--effect", "exclude"]);
    assert_eq!((status, told.lines().count()), (Some(0), 5), "{told}");
    assert_eq!(list(&["--reason", "drawn"]), (Some(0), String::new()));
    let (status, told) = list(&["--reason", "lost"]);
    assert!(status == Some(2) && told.contains("faded, evicted, drawn"), "{status:?}: {told}");
}

#[tokio::test]
async fn the_terms_of_the_dense_score_are_shown_where_retention_or_importance_has_a_weight() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    add(client, Scope::user("u1"), 3).await;
    let now = Some("2001-01-02T00:00:00Z".to_owned());
    let asked = |weights: Weights| RecallRequest {
        scope: Scope::user("u1"),
        now: now.clone(),
        weights: Some(weights),
        ..RecallRequest::default()
    };
    let plain = recalled(client, asked(Weights::default())).await;
    assert!(plain.len() == 3 && plain.iter().all(|one| one.explain.dense.is_none()));
    for (retention, importance) in [(2.0, 0.0), (0.0, 0.5), (2.0, 0.5)] {
        let weights =
            Weights { retention: Some(retention), importance: Some(importance), ..Weights::default() };
        let found = recalled(client, asked(weights)).await;
        assert_eq!(found.len(), 3);
        for one in found {
            let dense = one.explain.signals.iter().find(|signal| signal.name == "dense").expect("dense");
            let terms = one.explain.dense.expect("terms");
            let sum = terms.similarity + terms.retention + terms.importance;
            assert!((sum - dense.score).abs() < 1e-5, "{terms:?} of {}", dense.score);
            let expected = f64::from(importance) * one.memory.importance;
            assert!((f64::from(terms.importance) - expected).abs() < 1e-5, "{terms:?}");
            let retained = f64::from(retention) * (-1.0f64).exp();
            assert!((f64::from(terms.retention) - retained).abs() < 1e-5, "{terms:?}");
        }
    }
}
