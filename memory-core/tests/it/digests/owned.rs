//! Names of digests that a caller takes: its text is never written over.
#![expect(clippy::expect_used, reason = "tests")]

use memory_core::domain::digest::Level;
use memory_core::domain::memory::{DocumentName, Kind, Memory};
use memory_core::domain::name::Name;
use memory_core::memories::request::Edit;
use memory_core::remember::request::MemoryToRemember;
use memory_core::store::{Memories as _, Sessions as _};
use memory_core::testing::{CALLER, fact, memories};

use super::world::{World, extractive};
use super::{MONDAY, TUESDAY};

const NAMES: [(&str, &str); 4] = [
    ("digests/events", "2024-02-05"),
    ("digests/personality", "2024-02-05"),
    ("digests/events", "all"),
    ("digests/session", "chat"),
];

fn document((namespace, key): (&str, &str)) -> DocumentName {
    let name = |text: &str| Name::new(text).expect("a name");
    DocumentName { namespace: name(namespace), key: name(key) }
}

async fn write(world: &World, name: (&str, &str), text: &str) {
    let kind = Kind::Document;
    let own = MemoryToRemember { kind, document: Some(document(name)), ..fact(text) };
    let request = memories(&world.scope("ann"), vec![own]);
    world.engine.engine.remember_memories(&CALLER, request).await.expect("added");
}

async fn named(world: &World, name: (&str, &str)) -> Option<Memory> {
    let owner = world.scope("ann").owner().expect("an owner");
    let partition = world.engine.store.partition_of(CALLER.tenant, &owner).await.expect("read")?;
    world.engine.store.named(partition, &document(name)).await.expect("read")
}

async fn close(world: &World) {
    let session = Name::new("chat").expect("a name");
    world.engine.engine.close_session(&CALLER, &world.scope("ann"), &session).await.expect("closed");
    world.settle().await;
}

#[tokio::test]
async fn a_document_of_the_caller_under_the_name_of_a_digest_is_never_written_over() {
    for is_there_before in [true, false] {
        let world = World::with(extractive()).await;
        if is_there_before {
            world.say("ann", MONDAY, &["I adopted a dog.", "I like the dog."]).await;
            close(&world).await;
        }
        for name in NAMES {
            let before = named(&world, name).await;
            assert_eq!(before.is_some(), is_there_before, "{name:?}");
            write(&world, name, "My own words.").await;
        }
        world.say("ann", MONDAY, &["I bought a boat.", "I sail the boat."]).await;
        world.say("ann", TUESDAY, &["I sold the boat.", "I like tea."]).await;
        close(&world).await;
        for name in NAMES {
            let own = named(&world, name).await.expect("kept");
            assert_eq!((own.text.as_str(), own.kind), ("My own words.", Kind::Document), "{name:?}");
            assert_eq!(own.version, if is_there_before { 2 } else { 1 }, "{name:?}");
        }
        let days = world.digests("ann", Level::EventsOfDay).await;
        let shown: Vec<bool> = days.iter().map(|digest| digest.is_edited).collect();
        assert_eq!(shown, [false, true], "Tuesday is made, Monday is the caller's");
    }
}

#[tokio::test]
async fn a_document_under_the_name_of_a_statement_is_a_statement_of_the_caller() {
    let world = World::with(extractive()).await;
    world.say("ann", MONDAY, &["I live in Lisbon."]).await;
    let statement = world.portrait("ann").await.statements.remove(0);
    let key = statement.memory.document.expect("a name").key.to_string();
    write(&world, (Level::PORTRAIT_NAMESPACE, &key), "I live in Porto.").await;
    world.say("ann", TUESDAY, &["I live in Madrid."]).await;
    let statements = world.portrait("ann").await.statements;
    let own = statements.iter().find(|one| one.memory.id == statement.memory.id).expect("kept");
    assert_eq!((own.memory.text.as_str(), own.is_edited), ("I live in Porto.", true));
}

#[tokio::test]
async fn an_edited_digest_keeps_what_it_was_made_of_and_is_not_extractive_any_more() {
    let world = World::with(extractive()).await;
    let said = world.say("ann", MONDAY, &["I adopted a dog.", "I like the dog."]).await;
    let made = world.digests("ann", Level::EventsOfDay).await.remove(0);
    let tagged = Edit { tags: Some(Vec::new()), ..Edit::default() };
    world.edit(made.memory.id, tagged).await;
    assert!(
        world.digests("ann", Level::EventsOfDay).await[0].is_extractive,
        "a tag says nothing of the maker"
    );
    for text in ["I have a dog.", "I had a dog."] {
        world.edit(made.memory.id, Edit { text: Some(text.to_owned()), ..Edit::default() }).await;
        let edited = world.digests("ann", Level::EventsOfDay).await.remove(0);
        assert_eq!((&edited.covers, edited.covers_count), (&said, 2));
        assert_eq!((&edited.evidence, &edited.turns), (&made.evidence, &made.turns));
        assert!(edited.is_edited && !edited.is_extractive);
    }
    let erased = world.erase(said[0]).await;
    assert!(erased.contains(&made.memory.id), "an earlier version was made with the turn in view");
}
