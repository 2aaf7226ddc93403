//! A store of an earlier release opens with this one, and nothing in it is lost.
//!
//! `stores/` holds a small store for each set of tables that was ever served, as its server left it. A release whose
//! tables differ from the newest one there adds its own: `ENGRAIN_KEEP_STORE=server/tests/stores/tables-NUMBER.db.gz
//! cargo test --all-features -p engrain-server upgrade`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::ServerProcess;
use engrain::Client;
use engrain::client::JobQuery;
use engrain::wire::{
    AddMemories, AddTurns, CheckRequest, DocumentName, EditMemory, Filter, Job, JobState, Kind, Link,
    ListMemories, NewMemory, NewTurn, RecallRequest, Role, Scope,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use memory_core::domain::id::TenantId;
use memory_core::store::sql::{SqlStore, StoreOptions};
use memory_core::store::{Embedders, IndexSource, Indexed, Memories};
use memory_core::text::{TermVector, Tokenizer};
use uuid::Uuid;

/// The name of the database in a data directory.
const DATABASE: &str = "engrain.db";

fn ann() -> Scope {
    Scope { agent_id: Some("concierge".to_owned()), ..Scope::user("ann") }
}

fn link(to: Uuid, relation: &str, weight: f32) -> Link {
    Link { to, relation: relation.to_owned(), weight, reason: None }
}

fn turn(role: Role, text: &str, said_at: &str) -> NewTurn {
    NewTurn { said_at: Some(said_at.to_owned()), ..NewTurn::new(role, text) }
}

/// Contents that every release writes into its store: one of each kind of data.
async fn fill(client: &Client) {
    let turns = vec![
        NewTurn {
            author: Some("Ann".to_owned()),
            key: Some("D1:1".to_owned()),
            place: Some("kitchen".to_owned()),
            ..turn(Role::User, "I adopted a beagle called Biscuit", "2023-05-08T13:56:00Z")
        },
        turn(Role::Assistant, "Beagles need long walks", "2023-05-08T13:57:00Z"),
        turn(Role::User, "My secret is a tattoo", "2023-05-08T13:58:00Z"),
    ];
    let session = Some("monday".to_owned());
    let added = client
        .add_turns(&AddTurns { scope: ann(), session, turns, visibility: None, again: false, wait: false })
        .await
        .unwrap();
    let fact = NewMemory {
        text: "Ann has a dog".to_owned(),
        subjects: vec!["Ann".to_owned()],
        tags: vec!["pets".to_owned()],
        sources: vec![added.turn_ids[0]],
        valid_from: Some("2023-05-01T00:00:00Z".to_owned()),
        importance: Some(0.75),
        ..NewMemory::default()
    };
    let of_the_secret = NewMemory {
        text: "Ann has a tattoo".to_owned(),
        sources: vec![added.turn_ids[2]],
        ..NewMemory::default()
    };
    let document = NewMemory {
        text: "theme: dark".to_owned(),
        document: Some(DocumentName { namespace: "settings".to_owned(), key: "ui".to_owned() }),
        metadata: serde_json::json!({"font": {"size": 12.5}}).as_object().unwrap().clone(),
        ..NewMemory::default()
    };
    let memories = vec![fact, of_the_secret, document];
    let made =
        client.add_memories(&AddMemories { scope: ann(), memories, ..AddMemories::default() }).await.unwrap();
    let edit = EditMemory {
        text: Some("Ann has a beagle".to_owned()),
        links: Some(vec![
            link(added.memory_ids[0], "supports", 0.75),
            link(added.memory_ids[2], "beside", 1.0),
        ]),
        ..EditMemory::default()
    };
    client.edit_memory(made.memory_ids[0], &edit).await.unwrap();
    assert_eq!(client.delete_memory(added.memory_ids[2]).await.unwrap().memory_ids.len(), 2);
    client.recall(&ask("Biscuit the beagle")).await.unwrap();
}

fn ask(query: &str) -> RecallRequest {
    RecallRequest { scope: ann(), query: query.to_owned(), ..RecallRequest::default() }
}

/// Data that the tables of a store can have beyond those of the oldest store here.
#[derive(Clone, Copy)]
struct Expected {
    links: bool,
}

impl Expected {
    /// Of the store in this file: its name ends with the number of its last migration.
    fn of(store: &Path) -> Self {
        let name = store.file_name().unwrap().to_str().unwrap();
        let number: u32 = name.strip_prefix("tables-").unwrap()[..4].parse().unwrap();
        Self { links: number >= 3 }
    }

    /// Of a store that this release has filled.
    const NOW: Self = Self { links: true };
}

/// All of it is there, as it was, and found.
async fn verify(client: &Client, expected: Expected) {
    let report = client.check(&CheckRequest { repair: false }).await.unwrap();
    assert!(report.healthy, "{:?}", report.findings);
    let list = ListMemories { scope: ann(), ..ListMemories::default() };
    let memories = client.list_memories(&list).await.unwrap().memories;
    let mut texts: Vec<&str> = memories.iter().map(|memory| memory.text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(
        texts,
        ["Ann has a beagle", "Beagles need long walks", "I adopted a beagle called Biscuit", "theme: dark"]
    );
    let by_text = |text: &str| memories.iter().find(|memory| memory.text == text).unwrap();

    let turn = by_text("I adopted a beagle called Biscuit");
    assert_eq!((turn.kind, turn.happened_at.as_str()), (Kind::Turn, "2023-05-08T13:56:00Z"));
    let origin = turn.origin.as_ref().unwrap();
    assert_eq!((origin.session.as_str(), origin.seq, origin.author.as_deref()), ("monday", 0, Some("Ann")));
    let turns = client.turns(origin.session_id, None, None).await.unwrap().turns;
    assert_eq!((turns.len(), turns[0].place.as_deref()), (2, Some("kitchen")));

    let fact = by_text("Ann has a beagle");
    assert_eq!((fact.version, fact.importance), (2, 0.75));
    assert_eq!(fact.valid_from.as_deref(), Some("2023-05-01T00:00:00Z"));
    let versions = client.history(fact.id).await.unwrap().versions;
    assert_eq!(versions[0].text, "Ann has a dog");
    // The link to what was erased has gone.
    let links = if expected.links { vec![link(turn.id, "supports", 0.75)] } else { Vec::new() };
    assert_eq!(fact.links, links);

    let document = by_text("theme: dark");
    assert_eq!(document.metadata["font"]["size"], 12.5);
    assert_eq!(document.document.as_ref().unwrap().key, "ui");

    let found = client.recall(&ask("Biscuit the beagle")).await.unwrap();
    assert_eq!(found.memories[0].memory.id, turn.id);
    let filter = Some(Filter::contains("tags", "pets"));
    let found = client.recall(&RecallRequest { filter, ..ask("dog") }).await.unwrap();
    assert_eq!(found.memories.len(), 1);
}

/// Writes to the upgraded store: a new turn, a new version, and an erasure that takes along what was made
/// of a turn of the earlier release.
async fn go_on(client: &Client) {
    let more = vec![turn(Role::User, "Biscuit has learned to swim", "2023-06-01T09:00:00Z")];
    let request = AddTurns {
        scope: ann(),
        session: Some("monday".to_owned()),
        turns: more,
        visibility: None,
        again: false,
        wait: false,
    };
    client.add_turns(&request).await.unwrap();
    let found = client.recall(&ask("Who has learned to swim?")).await.unwrap();
    assert_eq!(found.memories[0].memory.origin.as_ref().unwrap().seq, 3, "numbers go on after those erased");
    let turn = client.recall(&ask("I adopted a beagle called Biscuit")).await.unwrap().memories[0].memory.id;
    assert_eq!(client.delete_memory(turn).await.unwrap().memory_ids.len(), 2, "and the fact made of it");
    assert!(client.check(&CheckRequest { repair: false }).await.unwrap().healthy);
}

/// Timeout of rebuilding the rows of a small store.
const PATIENCE: Duration = Duration::from_secs(60);

/// The jobs, when the one that makes the rows of an earlier release anew is done.
async fn renewed(client: &Client) -> Vec<Job> {
    let began = Instant::now();
    loop {
        let jobs = client.jobs(&JobQuery::default()).await.unwrap().jobs;
        if !jobs.is_empty() && jobs.iter().all(|job| job.state == JobState::Done) {
            return jobs;
        }
        assert!(began.elapsed() < PATIENCE, "{jobs:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Looks into the store of a server that was killed: its rows are those of this release, and no others are left.
async fn has_rows_of_this_release(directory: &Path) {
    let store = SqlStore::open(directory, StoreOptions::default()).await.unwrap();
    let (number, recipe) = store.embedder_in_use().await.unwrap().unwrap();
    assert_eq!(recipe.tokenizer, Tokenizer::IDENTITY);
    assert!(recipe.key_recipe > 0, "{recipe:?}");
    assert_eq!(store.unembedded(number, None, 1).await.unwrap(), []);
    assert_eq!(store.drop_other_rows(None, 1).await.unwrap().rows, 0, "rows of another recipe are left");
    let owner = store.owners(TenantId::DEFAULT, None, 10).await.unwrap().remove(0);
    let mut said_by_ann = Vec::new();
    let mut each = |one: Indexed| {
        if one.memory.author().is_some() {
            said_by_ann.extend(one.rows);
        }
    };
    store.load(owner.partition, &mut each).await.unwrap();
    let name = Tokenizer.document("Ann").terms()[0].hash;
    assert_eq!(said_by_ann.len(), 1);
    let terms = TermVector::decode(&said_by_ann[0].terms).unwrap();
    assert!(terms.terms().iter().any(|term| term.hash == name), "found under the name of who said it");
    store.close().await;
}

fn stores() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores");
    let mut stores: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    stores.sort();
    stores
}

#[tokio::test]
async fn stores_of_earlier_releases_open_with_all_their_data() {
    let stores = stores();
    assert!(!stores.is_empty());
    for store in stores {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(std::fs::File::open(&store).unwrap()).read_to_end(&mut bytes).unwrap();
        std::fs::write(directory.path().join(DATABASE), bytes).unwrap();
        for _ in 0..2 {
            let server = ServerProcess::start(directory.path()).await;
            verify(&server.client, Expected::of(&store)).await;
            server.kill();
        }
        let server = ServerProcess::start(directory.path()).await;
        let jobs = renewed(&server.client).await;
        assert_eq!(jobs.len(), 1, "once, not at every start: {jobs:?}");
        verify(&server.client, Expected::of(&store)).await;
        server.kill();
        has_rows_of_this_release(directory.path()).await;
        let server = ServerProcess::start(directory.path()).await;
        go_on(&server.client).await;
    }
}

#[tokio::test]
async fn the_store_of_this_release_has_the_data_that_upgrades_are_checked_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    fill(&server.client).await;
    verify(&server.client, Expected::NOW).await;
    if let Some(file) = std::env::var_os("ENGRAIN_KEEP_STORE") {
        let mut copy = Vec::new();
        server.client.backup(&mut copy, |_| {}).await.unwrap();
        let file =
            std::fs::File::create(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        let mut packed = GzEncoder::new(file, Compression::best());
        packed.write_all(&copy).unwrap();
        packed.finish().unwrap();
    }
    go_on(&server.client).await;
}
