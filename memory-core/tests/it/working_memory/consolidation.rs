//! Consolidation of sessions that are closed or have grown long into digests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::id::JobId;
use memory_core::domain::job::Job;
use memory_core::domain::memory::Kind;
use memory_core::domain::turn::Role;
use memory_core::error::Error;
use memory_core::memories::request::Edit;
use memory_core::model::language_model::scripted::{ScriptedLanguageModel, ScriptedReply};
use memory_core::recall::request::Recall;
use memory_core::store::{Jobs, StoreError};
use memory_core::testing::{CALLER, START, TestEngine, question, turn, turns};
use memory_core::think::settings::{Profile, ThinkingSettings};
use memory_core::working::request::ReadWorkingMemory;

use super::story::{Story, digests, name, retold};

#[tokio::test]
async fn a_closed_session_gets_one_digest_by_the_model_and_a_new_turn_opens_it() {
    let model = ScriptedLanguageModel::new(retold);
    let story = Story::with(digests(Some(model.clone()))).await;
    story.say("chat", &["I move to Lisbon.", "Congratulations!"]).await;
    assert!(story.digest("chat").await.is_none());
    assert!(story.close("chat").await);
    let digest = story.digest("chat").await.expect("a digest");
    assert_eq!((digest.kind, digest.version), (Kind::Digest, 1));
    assert_eq!(digest.text, "Told: I move to Lisbon. / Congratulations!");
    let made = story.engine.engine.derivation(&CALLER, digest.id).await.expect("read").expect("derived");
    assert_eq!((made.maker.name.as_str(), made.maker.prompt.as_deref()), ("consolidate", Some("session.v1")));
    assert_eq!(made.inputs.iter().filter(|input| input.is_evidence).count(), 2);

    assert!(story.close("chat").await);
    assert_eq!(model.requests().len(), 1, "nothing has changed: no model is asked");
    assert_eq!(story.digest("chat").await.expect("a digest").version, 1);

    story.say("chat", &["The flat is in Alfama."]).await;
    assert_eq!(story.read("chat").await.session.closed_at, None);
    story.close("chat").await;
    let renewed = story.digest("chat").await.expect("a digest");
    assert_eq!((renewed.id, renewed.version), (digest.id, 2));
    assert!(renewed.text.ends_with("Alfama."), "{}", renewed.text);
    let found =
        story.engine.engine.recall(&CALLER, question(&story.scope, "Told Lisbon Congratulations")).await;
    assert!(
        found.expect("recalled").memories.iter().any(|one| one.memory.id == digest.id),
        "found by recall"
    );
}

/// Engine over the store of one that was dropped, whose tasks may still hold it.
async fn reopened(folder: &Path, model: &Arc<ScriptedLanguageModel>) -> TestEngine {
    loop {
        match TestEngine::thinking(folder, digests(Some(Arc::clone(model)))).await {
            Err(Error::Store(StoreError::InUse { .. })) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened.expect("an engine"),
        }
    }
}

#[tokio::test]
async fn a_repeated_job_and_one_after_a_restart_make_one_digest() {
    let model = ScriptedLanguageModel::new(retold);
    let story = Story::with(digests(Some(model.clone()))).await;
    story.say("chat", &["I move to Lisbon.", "Congratulations!"]).await;
    story.engine.engine.stop().await;
    let closed =
        story.engine.engine.close_session(&CALLER, &story.scope, &name("chat")).await.expect("closed");
    assert!(closed.asks_digest && story.digest("chat").await.is_none(), "nobody works on the job");
    // The job is lost as well: the request stands in the row of the session.
    let jobs = story.engine.store.jobs(CALLER.tenant, &Default::default(), None, 10).await.expect("jobs");
    let lost = jobs.iter().find(|job| job.kind == "consolidate").expect("a job").clone();
    story.engine.store.cancel(CALLER.tenant, lost.id, START).await.expect("cancelled");
    let Story { engine, scope, folder } = story;
    drop(engine);

    let engine = reopened(folder.path(), &model).await;
    let story = Story { engine, scope, folder };
    for _ in 0..400 {
        if story.digest("chat").await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let digest = story.digest("chat").await.expect("a digest");
    story.settle().await;
    let again = Job {
        id: JobId(uuid::Uuid::from_u128(99)),
        ..Job::new(lost.id, lost.tenant, &lost.kind, lost.payload, START)
    };
    story.engine.store.enqueue(again).await.expect("enqueued");
    story.settle().await;
    let same = story.digest("chat").await.expect("a digest");
    assert_eq!((same.id, same.version, model.requests().len()), (digest.id, 1, 1));
}

#[tokio::test]
async fn without_a_model_the_digest_quotes_central_turns_and_says_so() {
    let story = Story::with(digests(None)).await;
    let said = ["I move to Lisbon in May.", "Lisbon in May is warm.", "I need a flat in Lisbon in May."];
    story.say("chat", &said).await;
    story.close("chat").await;
    let digest = story.digest("chat").await.expect("a digest");
    assert!(digest.tags.iter().any(|tag| tag.as_str() == "extractive"), "{:?}", digest.tags);
    assert!(digest.text.contains("user: I move to Lisbon in May."), "{}", digest.text);
    assert!(digest.text.lines().all(|line| line.starts_with("user: ") || line.starts_with("assistant: ")));
    let made = story.engine.engine.derivation(&CALLER, digest.id).await.expect("read").expect("derived");
    assert_eq!((made.inputs.len(), made.maker.model), (3, None));
}

#[tokio::test]
async fn the_erasure_of_a_turn_takes_the_digest_and_another_is_made_without_it() {
    for model in [None, Some(ScriptedLanguageModel::new(retold))] {
        let story = Story::with(digests(model)).await;
        let said =
            story.say("chat", &["I move to Lisbon.", "Lisbon is fine.", "My secret is in Lisbon."]).await;
        story.close("chat").await;
        let first = story.digest("chat").await.expect("a digest");
        assert!(first.text.contains("secret"), "{}", first.text);
        story.engine.engine.stop().await;
        let erased = story.engine.engine.erase(&CALLER, said[2], None).await.expect("erased");
        assert!(erased.contains(&first.id), "before the erasure is acknowledged");
        assert!(story.digest("chat").await.is_none());
    }
    let story = Story::with(digests(None)).await;
    let said = story.say("chat", &["I move to Lisbon.", "Lisbon is fine.", "My secret is in Lisbon."]).await;
    story.close("chat").await;
    story.engine.engine.erase(&CALLER, said[2], None).await.expect("erased");
    story.settle().await;
    let second = story.digest("chat").await.expect("made again");
    assert!(!second.text.contains("secret") && second.version == 1, "{}", second.text);
    let last = story.engine.engine.erase(&CALLER, said[0], None).await.expect("erased");
    assert!(last.contains(&second.id));
    story.settle().await;
    assert!(story.digest("chat").await.is_none(), "one turn is no conversation");
}

#[tokio::test]
async fn an_open_session_that_outgrows_its_bound_gets_a_digest_of_its_older_part() {
    let story = Story::with(digests(None)).await;
    story
        .say(
            "chat",
            &["One thing.", "Two things.", "Three things.", "Four things.", "Five things.", "Six things."],
        )
        .await;
    story.settle().await;
    assert!(story.digest("chat").await.is_none(), "below the bound of 8");
    story.say("chat", &["Seven things.", "Eight things."]).await;
    story.settle().await;
    let digest = story.digest("chat").await.expect("a digest");
    assert!(digest.text.contains("Four things.") && !digest.text.contains("Five things."), "{}", digest.text);
    assert_eq!(story.read("chat").await.session.closed_at, None);
}

#[tokio::test]
async fn without_digests_or_thinking_a_close_only_closes() {
    let story = Story::with(ThinkingSettings::default()).await;
    story.say("chat", &["I move to Lisbon.", "Lisbon is fine."]).await;
    assert!(!story.close("chat").await && story.digest("chat").await.is_none());

    let story = Story::with(digests(None)).await;
    story.engine.engine.set_thinking_profile(&CALLER, &story.scope, Some(Profile::Off)).await.expect("set");
    story.say("chat", &["I move to Lisbon.", "Lisbon is fine."]).await;
    assert!(!story.close("chat").await && story.digest("chat").await.is_none());
}

#[tokio::test]
async fn a_digest_that_somebody_has_edited_is_kept() {
    let story = Story::with(digests(None)).await;
    story.say("chat", &["I move to Lisbon.", "Lisbon is fine."]).await;
    story.close("chat").await;
    let digest = story.digest("chat").await.expect("a digest");
    let edit = Edit { text: Some("We spoke about Lisbon.".to_owned()), ..Edit::default() };
    story.engine.engine.edit(&CALLER, digest.id, edit, None).await.expect("edited");
    story.say("chat", &["And about Porto."]).await;
    story.close("chat").await;
    assert_eq!(story.digest("chat").await.expect("kept").text, "We spoke about Lisbon.");
}

#[tokio::test]
async fn the_digest_is_for_the_strictest_audience_of_its_turns() {
    let story = Story::with(digests(None)).await;
    let to = |text: &str, audience: &[&str]| memory_core::remember::request::TurnToRemember {
        audience: audience.iter().map(|one| name(one)).collect(),
        ..turn(Role::User, text, START)
    };
    let said = vec![
        to("Carol and Bob may know.", &["bob", "carol"]),
        to("Carol may know.", &["carol"]),
        to("All.", &[]),
    ];
    let request = turns(&story.scope, "chat", said).expect("turns");
    story.engine.engine.remember_turns(&CALLER, request).await.expect("remembered");
    story.close("chat").await;
    assert_eq!(story.digest("chat").await.expect("a digest").audience, [name("carol")]);
    let request = ReadWorkingMemory { partner: Some(name("bob")), ..story.reading("chat") };
    let read = story.engine.engine.working_memory(&CALLER, request).await.expect("read");
    assert!(read.digest.is_none() && !read.context.text.contains("Carol may know."), "{}", read.context.text);
}

#[tokio::test]
async fn refused_replies_change_nothing_and_end_in_an_extractive_digest() {
    let model = ScriptedLanguageModel::new(|_| {
        ScriptedReply::from(r#"{"sentences": [{"text": "x", "turns": ["t9"]}]}"#)
    });
    let story = Story::with(digests(Some(model))).await;
    story.say("chat", &["I move to Lisbon.", "Lisbon is fine."]).await;
    story.engine.engine.close_session(&CALLER, &story.scope, &name("chat")).await.expect("closed");
    for _ in 0..400 {
        story.engine.clock.advance_micros(60_000_000);
        if story.digest("chat").await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let digest = story.digest("chat").await.expect("a digest");
    assert!(digest.tags.iter().any(|tag| tag.as_str() == "extractive"), "{}", digest.text);
}

#[tokio::test]
async fn a_digest_whose_turns_are_all_in_the_block_is_left_out_of_it_and_stays_in_the_answer() {
    let story = Story::with(digests(Some(ScriptedLanguageModel::new(retold)))).await;
    story.say("chat", &["I move to Lisbon.", "Congratulations!"]).await;
    story.close("chat").await;
    let read = story.read("chat").await;
    let digest = read.digest.expect("a digest");
    assert_eq!(read.turns.len(), 2);
    assert!(!read.context.text.contains("Told:"), "{}", read.context.text);

    let question = question(&story.scope, "Told Lisbon Congratulations");
    let recalled = story.engine.engine.recall(&CALLER, question.clone()).await.expect("recalled");
    assert!(recalled.memories.iter().any(|one| one.memory.id == digest.id), "it is recalled as before");
    assert!(!recalled.context.text.contains("Told:"), "{}", recalled.context.text);

    let filter = Filter::Field(Field::Kind, Test::Eq(Scalar::Text("digest".to_owned())));
    let alone = story.engine.engine.recall(&CALLER, Recall { filter, ..question }).await.expect("recalled");
    assert!(alone.context.text.contains("Told:"), "its turns are not there: {}", alone.context.text);

    let edit = Edit { text: Some("Told by Mara herself.".to_owned()), ..Edit::default() };
    story.engine.engine.edit(&CALLER, digest.id, edit, None).await.expect("edited");
    let read = story.read("chat").await;
    assert!(read.context.text.contains("Told by Mara herself."), "an edited text is not told by its turns");
}
