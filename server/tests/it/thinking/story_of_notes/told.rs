//! The story as it is told, and what is left of it after the erasure of one turn.

use std::collections::BTreeSet;
use std::time::Duration;

use engrain::Client;
use engrain::client::{GraphOptions, NeighboursQuery};
use engrain::wire::{
    CheckRequest, Digest, DigestLevel, DigestQuery, GiveGrant, GraphFormat, Kind, Memory, ProfileQuery,
    RecallRequest,
};
use uuid::Uuid;

use super::super::month::{ask, scope};
use super::super::state::{facts, memories, profile, settled};
use super::traces::{assert_purged, traces, working_memory};
use super::{MARK, SAID, VICTIM, bob, start, tell, variables};
use crate::process::ServerProcess;

/// Note of a turn.
pub(super) fn note_of(all: &[Memory], turn: Uuid) -> &Memory {
    let is_own = |link: &engrain::wire::Link| link.relation == "annotates" && link.to == turn;
    let found = all.iter().find(|one| one.kind == Kind::Note && one.links.iter().any(is_own));
    found.unwrap_or_else(|| panic!("no note of {turn}: {all:#?}"))
}

async fn digests(client: &Client, level: DigestLevel) -> Vec<Digest> {
    let query = DigestQuery { scope: scope(), level: Some(level), ..DigestQuery::default() };
    client.digests(&query).await.unwrap().digests
}

async fn notes_are_linked_and_evolve_with_their_history(client: &Client, turns: &[Uuid]) {
    let all = memories(client).await;
    let first = note_of(&all, turns[0]);
    assert!(first.keywords.contains(&MARK.to_owned()), "{first:?}");
    assert!(first.context.as_ref().unwrap().contains(MARK));
    let history = client.history(first.id).await.unwrap().versions;
    assert!(history.len() >= 3, "{history:#?}");
    assert_eq!(history[0].context.as_deref(), Some("Seen: zqrose."), "as it was analysed");
    assert!(history.iter().all(|version| version.text == history[0].text), "the text stays");
    let victim = note_of(&all, turns[VICTIM]);
    let link = victim.links.iter().find(|link| link.to == first.id).expect("a link to the first note");
    assert_eq!(link.relation, "same_entity");
    assert!(link.reason.as_ref().unwrap().contains(MARK), "{link:?}");

    let query = NeighboursQuery { relation: Some("same_entity".to_owned()), ..NeighboursQuery::default() };
    let near = client.neighbours(victim.id, &query).await.unwrap();
    let near: BTreeSet<Uuid> = near.neighbours.iter().map(|one| one.memory.id).collect();
    assert!(near.contains(&first.id), "{near:?}");
    let last = note_of(&all, turns[SAID.len() - 1]);
    let path = client.path((last.id, first.id), None, &GraphOptions::default()).await.unwrap();
    assert_eq!(path.memories.first().map(|node| node.id), Some(last.id));
    assert_eq!(path.memories.last().map(|node| node.id), Some(first.id));
    let mut file = Vec::new();
    let options = GraphOptions { texts: true, ..GraphOptions::default() };
    client.export_graph(&scope(), GraphFormat::GraphMl, &options, &mut file).await.unwrap();
    assert!(String::from_utf8(file).unwrap().contains(MARK));
}

async fn digests_and_portrait_have_their_evidence(client: &Client, turns: &[Uuid]) {
    let days = digests(client, DigestLevel::EventsDay).await;
    let named: Vec<&str> = days.iter().filter_map(|digest| digest.day.as_deref()).collect();
    assert_eq!(named, ["2024-05-08", "2024-05-07", "2024-05-06"]);
    assert_eq!(days[1].covers, turns[VICTIM..=VICTIM + 1]);
    assert!(days.iter().all(|digest| !digest.is_extractive), "{days:#?}");
    let [all] = &digests(client, DigestLevel::EventsAll).await[..] else { panic!("one digest of all days") };
    assert!(SAID.iter().all(|(mark, ..)| all.text.contains(mark)), "{}", all.text);
    let portrait = profile(client, ProfileQuery::default()).await.portrait.unwrap();
    assert_eq!(portrait.events.as_ref().map(|digest| digest.id), Some(all.id));
    let [statement] = &portrait.statements[..] else { panic!("{portrait:#?}") };
    assert!(statement.text.contains(MARK), "{statement:?}");
    let insights: BTreeSet<Uuid> =
        digests(client, DigestLevel::PersonalityDay).await.iter().map(|digest| digest.id).collect();
    assert_eq!(statement.evidence.iter().copied().collect::<BTreeSet<_>>(), insights);
    assert!(statement.turns.contains(&turns[VICTIM]), "the turns behind it");
}

async fn the_session_has_its_working_memory(client: &Client, turns: &[Uuid]) {
    let memory = working_memory(client).await;
    assert_eq!(memory.turns.iter().map(|turn| turn.id).collect::<Vec<_>>(), turns);
    assert!(!memory.recalled.is_empty(), "what was recalled for the session");
    assert!(memory.digest.expect("a digest of the closed session").text.contains(MARK));
    assert!(memory.context.text.contains(MARK));
}

/// One grant is given and revoked, another one stays open.
async fn grants_open_what_they_name_until_they_are_revoked(client: &Client, turns: &[Uuid]) {
    let asked = RecallRequest { scope: bob(), ..ask("What is in the garden?") };
    let seen = async || -> BTreeSet<Uuid> {
        let recalled = client.recall(&asked).await.unwrap().memories;
        recalled.into_iter().map(|one| one.memory.id).collect()
    };
    assert_eq!(seen().await, BTreeSet::new());
    let to = |memory| GiveGrant {
        scope: scope(),
        to: bob(),
        memory_ids: Some(vec![memory]),
        ..GiveGrant::default()
    };
    let grant = client.give_grant(&to(turns[0])).await.unwrap();
    client.give_grant(&to(turns[VICTIM])).await.unwrap();
    assert_eq!(seen().await, BTreeSet::from([turns[0], turns[VICTIM]]));
    client.revoke_grant(grant.id).await.unwrap();
    assert_eq!(seen().await, BTreeSet::from([turns[VICTIM]]));
}

/// Memories left after the erasure and the jobs that follow it.
pub(super) async fn the_rest_is_remade(client: &Client, turns: &[Uuid], context: &str) {
    let left: Vec<Uuid> =
        turns.iter().enumerate().filter(|(place, _)| *place != VICTIM).map(|(_, turn)| *turn).collect();
    let marks: Vec<&str> = SAID.iter().map(|(mark, ..)| *mark).filter(|mark| *mark != MARK).collect();
    let has_all = |text: &str| marks.iter().all(|mark| text.contains(mark));
    let all = memories(client).await;
    let count = |kind: Kind| all.iter().filter(|memory| memory.kind == kind).count();
    assert_eq!((count(Kind::Turn), count(Kind::Note)), (left.len(), left.len()), "{context}: {all:#?}");
    for turn in &left {
        let note = note_of(&all, *turn);
        assert!(note.context.is_some() && !note.keywords.is_empty(), "{context}: {note:?}");
    }
    let days = digests(client, DigestLevel::EventsDay).await;
    assert_eq!(days.len(), 3, "{context}: {days:#?}");
    assert_eq!(days[1].covers, [turns[VICTIM + 1]], "{context}");
    assert!(days[1].text.contains("zqfence"), "{context}: {days:#?}");
    let portrait = profile(client, ProfileQuery::default()).await.portrait.unwrap();
    assert!(has_all(&portrait.events.as_ref().unwrap().text), "{context}: {portrait:#?}");
    let [statement] = &portrait.statements[..] else { panic!("{context}: {portrait:#?}") };
    assert!(has_all(&statement.text) && !statement.evidence.is_empty(), "{context}: {statement:?}");
    let memory = working_memory(client).await;
    assert_eq!(memory.turns.iter().map(|turn| turn.id).collect::<Vec<_>>(), left, "{context}");
    assert!(memory.digest.is_some_and(|digest| has_all(&digest.text)), "{context}");
    let report = client.check(&CheckRequest { repair: false }).await.unwrap();
    assert!(report.healthy, "{context}: {:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_turn_leaves_no_trace_in_anything_and_the_rest_is_remade() {
    let directory = tempfile::tempdir().unwrap();
    let model = start(Duration::ZERO).await;
    let server = ServerProcess::start_in(directory.path(), &variables(&model)).await;
    let client = &server.client;
    let turns = tell(client).await;
    notes_are_linked_and_evolve_with_their_history(client, &turns).await;
    digests_and_portrait_have_their_evidence(client, &turns).await;
    the_session_has_its_working_memory(client, &turns).await;
    grants_open_what_they_name_until_they_are_revoked(client, &turns).await;
    assert!(facts(client).await.iter().any(|one| one.kind == Kind::Fact && one.text.contains(MARK)));
    let before = traces(client, MARK).await;
    let expected = [
        "archive",
        "digests",
        "graph",
        "history",
        "memory",
        "neighbours",
        "notes",
        "profile",
        "recall",
        "recall of a grantee",
        "sessions",
        "working memory",
    ];
    assert!(before.is_superset(&BTreeSet::from(expected)), "{before:?}");

    client.delete_memory(turns[VICTIM]).await.unwrap();
    assert_eq!(traces(client, MARK).await, BTreeSet::new(), "after the answer");
    settled(client).await;
    assert_eq!(traces(client, MARK).await, BTreeSet::new(), "after the jobs");
    the_rest_is_remade(client, &turns, "").await;
    assert_purged(&server, directory.path(), MARK, "").await;
}
