//! Wrong input and failing services: codes of the problems, and that nothing is changed.

use engrain::Error;
use engrain::wire::{NewTurn, PreviewFacts, ProfileQuery, RecallThoughts, Role, Scope};
use memory_core::testing::scripted_model::{ScriptedModel, Step};

use super::month::{MONTH, scope, send};
use super::script::{Script, start, variables};
use crate::process::ServerProcess;

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    match result {
        Err(Error::Problem(problem)) => (problem.status, problem.code),
        other => panic!("{other:?}"),
    }
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn preview(turns: usize) -> PreviewFacts {
    let turns = vec![NewTurn::new(Role::User, "I live in Paris."); turns];
    PreviewFacts { scope: scope(), turns }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_input_is_refused_with_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let model = start(Script::default()).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model, &[])).await;
    let client = &server.client;
    assert_eq!(problem(client.preview_facts(&preview(65)).await), is(422, "over_limit"));
    assert_eq!(problem(client.preview_facts(&preview(0)).await).0, 422);
    let empty = PreviewFacts { turns: vec![NewTurn::new(Role::User, "")], ..preview(0) };
    assert_eq!(problem(client.preview_facts(&empty).await), is(422, "invalid_request"));
    let nobody = PreviewFacts { scope: Scope::default(), ..preview(1) };
    assert_eq!(problem(client.preview_facts(&nobody).await), is(422, "invalid_request"));
    for query in [
        ProfileQuery { valid_at: Some("yesterday".to_owned()), ..ProfileQuery::default() },
        ProfileQuery { known_at: Some("2024-02-30T00:00:00Z".to_owned()), ..ProfileQuery::default() },
        ProfileQuery { subject: Some(String::new()), ..ProfileQuery::default() },
    ] {
        let query = ProfileQuery { scope: scope(), ..query };
        assert_eq!(problem(client.profile(&query).await), is(422, "invalid_request"), "{query:?}");
    }
    let thoughts = |limit| RecallThoughts {
        scope: scope(),
        query: "Paris".to_owned(),
        limit: Some(limit),
        partner: None,
    };
    assert_eq!(problem(client.recall_thoughts(&thoughts(0)).await), is(422, "invalid_request"));
    assert_eq!(problem(client.recall_thoughts(&thoughts(101)).await), is(422, "invalid_request"));
    assert_eq!(client.recall_thoughts(&thoughts(5)).await.unwrap().thoughts, []);
    assert_eq!(
        client.profile(&ProfileQuery { scope: scope(), ..ProfileQuery::default() }).await.unwrap().slots,
        []
    );
    assert_eq!(model.requests().len(), 0, "what is wrong costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_fails_previews_and_never_the_turns() {
    let directory = tempfile::tempdir().unwrap();
    let model = ScriptedModel::start(|_| Step::status(503)).await;
    let no_retries = ("ENGRAIN_LANGUAGE_MODELS__FAKE__RETRIES", "0");
    let server = ServerProcess::start_in(directory.path(), &variables(&model, &[no_retries])).await;
    let client = &server.client;
    let failed = client.preview_facts(&preview(1)).await;
    assert_eq!(problem(failed), is(502, "language_model_unavailable"));
    send(client, &MONTH[0], false).await.unwrap();
    let state = client.thinking(&scope()).await.unwrap();
    assert_eq!((state.pending_turns, state.is_active), (2, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_budget_refuses_previews_and_keeps_the_turns() {
    let directory = tempfile::tempdir().unwrap();
    let model = start(Script::default()).await;
    let budget = ("ENGRAIN_THINKING__BUDGET__CALLS_PER_DAY", "1");
    let server = ServerProcess::start_in(directory.path(), &variables(&model, &[budget])).await;
    let client = &server.client;
    send(client, &MONTH[0], true).await.unwrap();
    assert_eq!(problem(client.preview_facts(&preview(1)).await), is(403, "budget_exhausted"));
    send(client, &MONTH[1], false).await.unwrap();
    assert_eq!(client.thinking(&scope()).await.unwrap().pending_turns, 2);
    assert_eq!(model.requests().len(), 1);
}
