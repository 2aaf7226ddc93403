//! Undo of thinking through the API: after the undo of a job the store is one in which the job found nothing.

use std::path::Path;

use engrain::formats::CanonicalExport;
use engrain::wire::{Job, JobState, UndoJob, Undone};
use engrain::{Client, Error};
use uuid::Uuid;

use super::golden::tell;
use super::month::{Exchange, MONTH, send};
use super::script::{Script, start, variables};
use super::state::{assert_same, canonical as without_ids, export, facts, settled};
use crate::process::ServerProcess;

async fn canonical(client: &Client) -> String {
    let mut canonical = CanonicalExport::default();
    for line in export(client).await {
        canonical.push(line).unwrap();
    }
    canonical.finish()
}

fn exchange(session: &str) -> &'static Exchange {
    MONTH.iter().find(|exchange| exchange.session == session).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Jobs that made facts, oldest first.
async fn fact_jobs(client: &Client) -> Vec<Job> {
    let mut jobs = settled(client).await;
    jobs.retain(|job| job.kind == "facts" && job.state == JobState::Done);
    jobs.sort_by_key(|job| job.id);
    jobs
}

/// Job that made a memory, by its provenance, with the effect of its undo.
async fn maker_of(client: &Client, memory: Uuid) -> (Uuid, Undone) {
    let derivation = client.provenance(memory).await.unwrap().derivation.expect("a derived memory");
    assert_eq!((derivation.maker.as_str(), derivation.prompt.as_deref()), ("facts", Some("facts.v1")));
    assert!(
        derivation.inputs.iter().any(|input| input.is_evidence && input.turn_id.is_some()),
        "{derivation:?}"
    );
    let job = derivation.job_id.expect("the job");
    let dry_run = UndoJob { dry_run: true, with_dependents: false };
    (job, client.undo_job(job, &dry_run).await.unwrap())
}

/// A store with the introduction, thought about, and the move, not yet thought about.
async fn before_the_move_is_thought_about(directory: &Path) {
    let model = start(Script { hangs_at: Some("moved to Lisbon"), ..Script::default() }).await;
    let server = ServerProcess::start_in(directory, &variables(&model, &[])).await;
    for exchange in MONTH.iter().filter(|exchange| exchange.session == "introduction") {
        send(&server.client, exchange, true).await.unwrap();
    }
    settled(&server.client).await;
    send(&server.client, exchange("move"), false).await.unwrap();
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_undo_of_a_job_the_store_is_one_in_which_it_found_nothing() {
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    before_the_move_is_thought_about(first.path()).await;
    copy(first.path(), second.path());

    let blind = start(Script { blind_to: Some("moved to Lisbon"), ..Script::default() }).await;
    let server = ServerProcess::start_in(second.path(), &variables(&blind, &[])).await;
    settled(&server.client).await;
    let expected = canonical(&server.client).await;
    assert!(expected.contains("Paris") && !expected.contains("The user lives in Lisbon."));

    let seeing = start(Script::default()).await;
    let server = ServerProcess::start_in(first.path(), &variables(&seeing, &[])).await;
    let client = &server.client;
    settled(client).await;
    let lisbon =
        facts(client).await.into_iter().find(|fact| fact.text == "The user lives in Lisbon.").unwrap();
    assert_ne!(canonical(client).await, expected);
    let (job, dry) = maker_of(client, lisbon.id).await;
    assert_eq!((dry.done, dry.erased.len(), dry.restored.len()), (false, 1, 1), "{dry:?}");
    let undone = client.undo_job(job, &UndoJob::default()).await.unwrap();
    assert_eq!((undone.erased, undone.restored), (dry.erased, dry.restored));
    assert_eq!(canonical(client).await, expected);
    settled(client).await;
    assert_eq!(canonical(client).await, expected, "the turns are not thought about again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_with_later_work_built_on_it_is_refused_until_that_goes_too() {
    let directory = tempfile::tempdir().unwrap();
    let model = start(Script::default()).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model, &[])).await;
    let client = &server.client;
    send(client, &MONTH[0], true).await.unwrap();
    let job = fact_jobs(client).await.pop().unwrap();
    let before = facts(client).await;
    send(client, exchange("move"), true).await.unwrap();
    settled(client).await;
    let paris = before.iter().find(|fact| fact.text.contains("Paris")).unwrap();
    let after = canonical(client).await;

    match client.undo_job(job.id, &UndoJob::default()).await {
        Err(Error::Problem(problem)) => {
            assert_eq!((problem.status, problem.code.as_str()), (409, "undo_has_dependents"));
            assert!(problem.memory_ids.contains(&paris.id), "{problem:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(canonical(client).await, after, "what is refused changes nothing");
    let undone = client.undo_job(job.id, &UndoJob { dry_run: false, with_dependents: true }).await.unwrap();
    assert!(undone.done && undone.erased.contains(&paris.id) && !undone.dependents.is_empty(), "{undone:?}");
    let left = facts(client).await;
    assert!(left.iter().all(|fact| !fact.text.contains("Paris") && !fact.text.contains("Mara")), "{left:#?}");
    let lisbon = left.iter().find(|fact| fact.text.contains("Lisbon"));
    assert!(lisbon.is_none_or(|fact| fact.links.is_empty()), "{lisbon:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_whole_month_the_undo_of_one_job_takes_back_the_move_alone() {
    let told = tell(Script::default(), &[]).await;
    let client = &told.server.client;
    let lisbon =
        facts(client).await.into_iter().find(|fact| fact.text == "The user lives in Lisbon.").unwrap();
    let (job, _) = maker_of(client, lisbon.id).await;
    let undone = client.undo_job(job, &UndoJob::default()).await.unwrap();
    assert!(undone.done && undone.dependents.is_empty(), "{undone:?}");
    let blind = tell(Script { blind_to: Some("Lisbon"), ..Script::default() }, &[]).await;
    assert_same(&without_ids(client).await, &without_ids(&blind.server.client).await, "");
}
