//! Uses of memories end to end, by the SDK against a server process.

use engrain::wire::{
    AddMemories, FadingQuery, NewMemory, Outcome, RecallFeedback, RecallRequest, RetentionQuery, Scope,
};

use crate::process::ServerProcess;

#[tokio::test]
async fn a_recall_gets_feedback_and_shows_in_the_curve_of_its_memories_by_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start_in(directory.path(), &[]).await;
    let (client, scope) = (&server.client, Scope::user("mara"));
    let text = "Mara is allergic to peanuts.".to_owned();
    let fact = NewMemory { text, importance: Some(0.9), ..NewMemory::default() };
    let added = AddMemories { scope: scope.clone(), memories: vec![fact], again: false, wait: true };
    let id = client.add_memories(&added).await.unwrap().memory_ids[0];
    let asked = RecallRequest {
        scope: scope.clone(),
        query: "What is Mara allergic to?".to_owned(),
        ..RecallRequest::default()
    };
    let recalled = client.recall(&asked).await.unwrap();
    let logged = client.logged_recall(&scope, recalled.recall_id).await.unwrap();
    assert_eq!((logged.recall_id, logged.hits[0].memory_id), (recalled.recall_id, id));
    assert_eq!(
        (logged.hits[0].outcome, logged.hits[0].score),
        (Outcome::InContext, recalled.memories[0].score)
    );
    let feedback = RecallFeedback { scope: scope.clone(), used: vec![id], ..RecallFeedback::default() };
    let first = client.recall_feedback(recalled.recall_id, &feedback).await.unwrap();
    assert_eq!(first.hits[0].outcome, Outcome::Cited);
    assert_eq!(client.recall_feedback(recalled.recall_id, &feedback).await.unwrap(), first);

    let query = RetentionQuery { curve: Some("wixted".to_owned()), points: Some(5), ..Default::default() };
    let curve = client.memory_retention(id, &query).await.unwrap();
    assert_eq!((curve.curve.as_str(), curve.points.len(), curve.uses.len()), ("wixted", 5, 1));
    assert_eq!((curve.uses[0].kind.as_str(), curve.earlier_uses, curve.pinned), ("cited", 0, false));
    assert!(curve.points.windows(2).all(|two| two[0].at < two[1].at));
    let query = FadingQuery { scope, within_days: Some(36_500), limit: None, now: None };
    let fading = client.fading(&query).await.unwrap();
    assert_eq!(fading.memories[0].excerpt, "Mara is allergic to peanuts.");
    assert_eq!((fading.total, fading.memories[0].memory_id, fading.memories[0].uses), (1, id, 1));
}
