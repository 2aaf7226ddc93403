//! Uses of memories end to end, by the SDK against a server process.

use engrain::wire::{
    AddMemories, FadingQuery, LoggedRecall, NewMemory, Outcome, RecallFeedback, RecallRequest,
    RetentionQuery, Scope,
};

use crate::commands::{engrain, said};
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

#[tokio::test]
async fn the_memories_of_a_recall_are_cited_confirmed_and_contradicted_on_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let scope = Scope::user("mara");
    let memories = ["Mara is allergic to peanuts.", "Mara likes peanuts.", "Mara has eaten peanuts."]
        .map(|text| NewMemory { text: text.to_owned(), ..NewMemory::default() })
        .to_vec();
    let added = AddMemories { scope: scope.clone(), memories, again: false, wait: true };
    let ids = server.client.add_memories(&added).await.unwrap().memory_ids;
    let run = |arguments: &[&str]| said(&engrain(directory.path(), arguments));
    let (status, told) = run(&["recall", "--user", "mara", "peanuts"]);
    assert_eq!(status, Some(0), "{told}");
    let recall = told.lines().find_map(|line| line.strip_prefix("recall ")).unwrap().to_owned();
    let [used, confirmed, contradicted] = [ids[0], ids[1], ids[2]].map(|id| id.to_string());
    let feedback = ["feedback", &recall, "--user", "mara"];
    let given = ["--used", &used, "--confirmed", &confirmed, "--contradicted", &contradicted];
    let (status, told) = run(&[&feedback[..], &given].concat());
    assert_eq!(status, Some(0), "{told}");
    for (id, outcome) in [(&used, "cited"), (&confirmed, "confirmed"), (&contradicted, "contradicted")] {
        assert!(told.lines().any(|line| line.starts_with(id.as_str()) && line.ends_with(outcome)), "{told}");
    }
    let (status, told) = run(&[&["--json"], &feedback[..], &["--used", &used]].concat());
    let logged: LoggedRecall = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (status, logged),
        (Some(0), server.client.logged_recall(&scope, recall.parse().unwrap()).await.unwrap())
    );

    let unknown = "01890a5d-ac96-774b-bcce-b30209900003";
    assert_eq!(run(&[&feedback[..], &["--used", unknown]].concat()).0, Some(2), "not of the recall");
    assert_eq!(run(&["feedback", unknown, "--user", "mara", "--used", &used]).0, Some(4));
    assert_eq!(run(&[&feedback[..], &["--used", &used, "--now", "2999-01-01"]].concat()).0, Some(2));
    assert_eq!(run(&feedback).0, Some(2), "nothing is said");
}
