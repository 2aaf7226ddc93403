//! The main job through every layer: a real server process, driven by the SDK.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use crate::process::ServerProcess;
use engrain::formats::{Import, ImportOptions, Imported, read};
use engrain::wire::{
    AddMemories, AddTurns, AsOf, DeleteMatching, DocumentName, EditMemory, ExportLine, Filter, Link,
    ListMemories, NewMemory, NewTurn, RecallRequest, ReindexRequest, Role, Scope, Statement, WhyNot,
    WhyNotRequest,
};
use engrain::{Client, Error};
use futures::TryStreamExt;

fn ask(scope: &Scope, query: &str) -> RecallRequest {
    RecallRequest { scope: scope.clone(), query: query.to_owned(), ..RecallRequest::default() }
}

async fn remember(client: &Client, scope: &Scope) -> Vec<uuid::Uuid> {
    let mut first = NewTurn::new(Role::User, "I adopted a beagle called Biscuit");
    first.said_at = Some("2023-05-08T13:56:00Z".to_owned());
    first.author = Some("Ann".to_owned());
    first.key = Some("D1:1".to_owned());
    let second = NewTurn::new(Role::Assistant, "Beagles need long walks");
    let request = AddTurns {
        scope: scope.clone(),
        session: Some("monday".to_owned()),
        turns: vec![first, second],
        visibility: None,
        again: false,
        wait: false,
    };
    client.add_turns(&request).await.unwrap().memory_ids
}

#[tokio::test]
async fn an_added_conversation_is_recalled() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let (client, scope) = (&server.client, Scope::user("ann"));
    let ids = remember(client, &scope).await;

    let answer = client.recall(&ask(&scope, "Where is the beagle Biscuit?")).await.unwrap();
    let best = &answer.memories[0];
    assert_eq!(best.memory.id, ids[0]);
    assert_eq!(best.memory.happened_at, "2023-05-08T13:56:00Z");
    let origin = best.memory.origin.as_ref().unwrap();
    assert_eq!(
        (origin.session.as_str(), origin.seq, origin.turn_key.as_deref()),
        ("monday", 0, Some("D1:1"))
    );
    assert!(answer.context.text.contains("- Ann: I adopted a beagle"), "{}", answer.context.text);

    let why = WhyNotRequest { memory_id: ids[0], recall: ask(&scope, "beagle Biscuit") };
    assert_eq!(client.why_not(&why).await.unwrap().verdict, WhyNot::Returned);

    let edit =
        EditMemory { text: Some("I adopted a poodle called Crumb".to_owned()), ..EditMemory::default() };
    assert_eq!(client.edit_memory(ids[0], &edit).await.unwrap().version, 2);
    assert_eq!(client.history(ids[0]).await.unwrap().versions.len(), 2);
    let sessions = client
        .sessions(&engrain::client::SessionQuery { scope: scope.clone(), limit: None, cursor: None })
        .await
        .unwrap()
        .sessions;
    let turns = client.turns(sessions[0].id, None, None).await.unwrap().turns;
    assert_eq!(turns[0].text, "I adopted a beagle called Biscuit", "a source turn never changes");

    assert_eq!(client.delete_memory(ids[0]).await.unwrap().memory_ids, [ids[0]]);
    let gone = client.memory(ids[0]).await;
    assert!(
        matches!(gone, Err(Error::Problem(problem)) if problem.status == 404 && problem.code == "not_found")
    );
    let answer = client.recall(&ask(&scope, "poodle Crumb beagle")).await.unwrap();
    assert!(answer.memories.iter().all(|one| one.memory.id != ids[0]));
    assert!(!answer.context.text.contains("Biscuit") && !answer.context.text.contains("Crumb"));
}

#[tokio::test]
async fn finished_memories_and_documents_are_filtered_and_erased_by_filter() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let (client, scope) = (&server.client, Scope::user("ann"));
    let fact = |text: &str, tag: &str| NewMemory {
        text: text.to_owned(),
        tags: vec![tag.to_owned()],
        ..NewMemory::default()
    };
    let settings = NewMemory {
        text: "theme: dark".to_owned(),
        document: Some(DocumentName { namespace: "settings".to_owned(), key: "ui".to_owned() }),
        ..NewMemory::default()
    };
    let memories = vec![
        fact("Ann likes tea", "drink"),
        fact("Ann likes coffee", "drink"),
        fact("Ann skis", "sport"),
        settings,
    ];
    client
        .add_memories(&AddMemories { scope: scope.clone(), memories, ..AddMemories::default() })
        .await
        .unwrap();

    let mut asked = ask(&scope, "What does Ann like?");
    asked.filter = Some(Filter::contains("tags", "sport"));
    let texts: Vec<String> =
        client.recall(&asked).await.unwrap().memories.into_iter().map(|one| one.memory.text).collect();
    assert_eq!(texts, ["Ann skis"]);

    let request = DeleteMatching {
        scope: scope.clone(),
        filter: Filter::contains("tags", "drink"),
        confirmation: None,
    };
    let preview = client.delete_matching(&request).await.unwrap();
    assert_eq!((preview.done, preview.matched, preview.erased), (false, 2, 0));
    let confirmed = DeleteMatching { confirmation: preview.confirmation, ..request };
    assert_eq!(client.delete_matching(&confirmed).await.unwrap().erased, 2);
    let again = client.delete_matching(&confirmed).await;
    assert!(matches!(again, Err(Error::Problem(problem)) if problem.code == "confirmation_stale"));

    let left = client.list_memories(&ListMemories { scope, ..ListMemories::default() }).await.unwrap();
    assert_eq!(left.total, 2);
}

#[tokio::test]
async fn a_restart_loses_nothing_and_a_second_server_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let scope = Scope::user("ann");
    let server = ServerProcess::start(directory.path()).await;
    let ids = remember(&server.client, &scope).await;
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_engrain"))
        .args(["serve", "--listen", "127.0.0.1:0", "--embedder", "hashing", "--data-dir"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(complaint.contains("served already"), "{complaint}");
    server.kill();
    let server = ServerProcess::start(directory.path()).await;
    let answer = server.client.recall(&ask(&scope, "beagle Biscuit")).await.unwrap();
    assert_eq!(answer.memories[0].memory.id, ids[0]);
}

#[tokio::test]
async fn a_reindex_to_the_same_embedder_finishes() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    remember(&server.client, &Scope::user("ann")).await;
    let job = server.client.reindex(&ReindexRequest { embedder: "hashing".to_owned() }).await.unwrap();
    let done = loop {
        let job = server.client.job(job.id).await.unwrap();
        if !matches!(job.state, engrain::wire::JobState::Waiting | engrain::wire::JobState::Running) {
            break job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(done.state, engrain::wire::JobState::Done, "{:?}", done.error);
}

async fn exported(client: &Client) -> Vec<u8> {
    let lines: Vec<ExportLine> = client.export(&Scope::default()).try_collect().await.unwrap();
    let lines: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    lines.join("\n").into_bytes()
}

async fn imported(client: &Client, export: &[u8]) -> Imported {
    let mut import = Import::new(client);
    for item in read(std::io::Cursor::new(export.to_vec()), "export", &ImportOptions::default()).unwrap() {
        import.send(item.unwrap()).await.unwrap();
    }
    import.finish().await.unwrap()
}

/// Relation, weight and target's text of each link, by the text of the memory that it starts from; and the versions.
type Links = (BTreeMap<String, Vec<(String, f32, String)>>, BTreeMap<String, u32>);

async fn linked(client: &Client) -> Links {
    let request = ListMemories { scope: Scope::user("ann"), ..ListMemories::default() };
    let memories = client.list_memories(&request).await.unwrap().memories;
    let text = |id| memories.iter().find(|memory| memory.id == id).unwrap().text.clone();
    let told = |link: &Link| (link.relation.clone(), link.weight, text(link.to));
    let links = memories.iter().map(|it| (it.text.clone(), it.links.iter().map(told).collect()));
    (links.collect(), memories.iter().map(|it| (it.text.clone(), it.version)).collect())
}

#[tokio::test]
async fn links_survive_export_and_import_in_both_directions() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (ServerProcess::start(from.path()).await, ServerProcess::start(to.path()).await);
    let scope = Scope::user("ann");
    let turns = remember(&from.client, &scope).await;
    let link = |to, weight| Link { to, relation: "near".to_owned(), weight, reason: None };
    let fact = |text: &str, links| NewMemory { text: text.to_owned(), links, ..NewMemory::default() };
    let memories = vec![fact("first", vec![link(turns[0], 0.1)]), fact("second", vec![])];
    let request = AddMemories { scope: scope.clone(), memories, ..AddMemories::default() };
    let made = from.client.add_memories(&request).await.unwrap().memory_ids;
    let last = vec![fact("last", vec![link(made[0], 0.5), link(made[1], 1.0)])];
    let last = from
        .client
        .add_memories(&AddMemories { scope, memories: last, ..AddMemories::default() })
        .await
        .unwrap()
        .memory_ids[0];
    for (id, links) in
        [(turns[1], vec![link(last, 0.25), link(turns[0], 0.75)]), (made[0], vec![link(made[1], 0.3)])]
    {
        let edit = EditMemory { links: Some(links), ..EditMemory::default() };
        from.client.edit_memory(id, &edit).await.unwrap();
    }
    let export = exported(&from.client).await;
    let first = imported(&to.client, &export).await;
    assert_eq!((first.turns, first.memories, first.links_lost, first.repeated_batches), (2, 3, 0, 0));
    let after = linked(&to.client).await;
    assert_eq!(after.0, linked(&from.client).await.0);
    let again = imported(&to.client, &export).await;
    assert_eq!((again.turns, again.links_lost), (2, 0));
    assert_eq!(linked(&to.client).await, after, "a repetition makes no version");
}

#[tokio::test]
async fn recall_answers_as_of_two_times_and_for_a_partner() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let (client, scope) = (&server.client, Scope::user("ann"));
    let lives = |city: &str| NewMemory { text: format!("Ann lives in {city}"), ..NewMemory::default() };
    let statement = Statement {
        subject: "user".to_owned(),
        relation: Some("lives in".to_owned()),
        object: Some("Porto".to_owned()),
        attribute: Some("home".to_owned()),
        confidence: 0.75,
        said_by: Role::User,
    };
    let porto = NewMemory {
        valid_from: Some("2023-01-01".to_owned()),
        valid_to: Some("2024-01-01".to_owned()),
        statement: Some(statement.clone()),
        ..lives("Porto")
    };
    let secret = NewMemory { audience: vec!["bob".to_owned()], ..lives("secret with Carol") };
    let memories =
        vec![porto, NewMemory { valid_from: Some("2024-01-01".to_owned()), ..lives("Lisbon") }, secret];
    let request = AddMemories { scope: scope.clone(), memories, ..AddMemories::default() };
    let made = client.add_memories(&request).await.unwrap().memory_ids;
    let returned = async |request: RecallRequest| {
        let answer = client.recall(&request).await.unwrap();
        answer.memories.iter().map(|one| one.memory.id).collect::<std::collections::BTreeSet<_>>()
    };
    let request = || ask(&scope, "Where does Ann live?");

    assert_eq!(returned(request()).await, [made[1], made[2]].into());
    let superseded = RecallRequest { include_superseded: true, ..request() };
    assert_eq!(returned(superseded.clone()).await, made.iter().copied().collect());
    let answer = client.recall(&superseded).await.unwrap();
    let porto = answer.memories.iter().find(|one| one.memory.id == made[0]).unwrap();
    assert_eq!(porto.memory.valid_to.as_deref(), Some("2024-01-01T00:00:00Z"));
    assert_eq!(porto.memory.statement, Some(statement.clone()));
    let then = AsOf { valid_at: Some("2023-06-01".to_owned()), known_at: None };
    let then = RecallRequest { as_of: Some(then), ..request() };
    assert_eq!(returned(then).await, [made[0], made[2]].into(), "the secret has no start");
    let carol = RecallRequest { partner: Some("carol".to_owned()), ..request() };
    assert_eq!(returned(carol.clone()).await, [made[1]].into());
    let why = WhyNotRequest { memory_id: made[2], recall: carol };
    assert_eq!(client.why_not(&why).await.unwrap().verdict, WhyNot::NotForPartner);
    let audience = Filter::eq("audience", "bob");
    assert_eq!(returned(RecallRequest { filter: Some(audience), ..request() }).await, [made[2]].into());

    let known_at = client.memory(made[1]).await.unwrap().recorded_at;
    let edit = EditMemory { text: Some("Ann lives in Rome".to_owned()), ..EditMemory::default() };
    client.edit_memory(made[1], &edit).await.unwrap();
    let known = AsOf { valid_at: None, known_at: Some(known_at) };
    let answer = client.recall(&RecallRequest { as_of: Some(known), ..request() }).await.unwrap();
    let version = answer.memories.iter().find(|one| one.memory.id == made[1]).unwrap();
    assert_eq!((version.memory.version, version.memory.text.as_str()), (1, "Ann lives in Lisbon"));
    assert!(answer.context.text.contains("Lisbon") && !answer.context.text.contains("Rome"));

    let copy = tempfile::tempdir().unwrap();
    let copy = ServerProcess::start(copy.path()).await;
    imported(&copy.client, &exported(client).await).await;
    let list = ListMemories { scope: scope.clone(), ..ListMemories::default() };
    let copied = copy.client.list_memories(&list).await.unwrap().memories;
    assert!(copied.iter().any(|memory| memory.statement.as_ref() == Some(&statement)));
    assert!(copied.iter().any(|memory| memory.audience == ["bob"]));
}
