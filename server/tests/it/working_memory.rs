//! Working memory end to end, by the SDK against a server process.

use std::time::Duration;

use engrain::wire::{AddTurns, NewTurn, RecallRequest, Role, Scope, ThreadKind, WorkingMemoryQuery};

use crate::process::ServerProcess;

#[tokio::test]
async fn a_session_is_read_closed_and_consolidated_by_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let digests = ("ENGRAIN_THINKING__DIGESTS".to_owned(), "true".to_owned());
    let server = ServerProcess::start_in(directory.path(), &[digests]).await;
    let (client, scope) = (&server.client, Scope::user("mara"));
    let say = |session: &str, role, text: &str| AddTurns {
        scope: scope.clone(),
        session: Some(session.to_owned()),
        turns: vec![NewTurn::new(role, text)],
        visibility: None,
        again: false,
        wait: false,
    };
    client.add_turns(&say("earlier", Role::User, "My dentist is Dr. Silva in Lisbon.")).await.unwrap();
    client.add_turns(&say("to/day", Role::User, "My tooth hurts again.")).await.unwrap();
    let recall = RecallRequest {
        scope: scope.clone(),
        query: "dentist in Lisbon".to_owned(),
        session: Some("to/day".to_owned()),
        ..RecallRequest::default()
    };
    client.recall(&recall).await.unwrap();
    client.add_turns(&say("to/day", Role::Assistant, "I will call Dr. Silva tomorrow.")).await.unwrap();
    let query =
        WorkingMemoryQuery { scope: scope.clone(), session: "to/day".to_owned(), ..Default::default() };
    let read = client.working_memory(&query).await.unwrap();
    assert_eq!(read.turns.len(), 2);
    assert!(read.recalled.iter().any(|one| one.memory.text.contains("My dentist is")), "{:?}", read.recalled);
    assert_eq!(read.threads.iter().map(|thread| thread.kind).collect::<Vec<_>>(), [ThreadKind::Promise]);
    assert!(
        read.context.tokens <= 2_000 && read.context.text.contains("## Open threads"),
        "{:?}",
        read.context
    );

    let closed = client.close_session(&scope, "to/day").await.unwrap();
    assert!(closed.asks_digest && closed.session.closed_at.is_some());
    let mut digest = None;
    for _ in 0..200 {
        digest = client.working_memory(&query).await.unwrap().digest;
        if digest.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let digest = digest.expect("a digest");
    assert!(digest.text.contains("My tooth hurts again."), "{}", digest.text);
    assert!(digest.tags.iter().any(|tag| tag == "extractive"));
    let made = client.provenance(digest.id).await.unwrap().derivation.unwrap();
    assert_eq!((made.maker.as_str(), made.inputs.len()), ("consolidate", 2));
    let again = client.close_session(&scope, "to/day").await.unwrap();
    assert_eq!(again.session.closed_at, closed.session.closed_at);
    server.kill();
}
