//! Exports and their import: a store that is made from the archive of another is the same store. Random stores with turns,
//! facts of facts, versions, links and erasures are compared with their copies: content, history, and what an erasure takes.

pub(crate) mod bench;

use memory_core::Error;
use memory_core::archive::request::{MemoryToRestore, RestoreMemories};
use memory_core::domain::change::ChangeSet;
use memory_core::domain::forgotten::{Effect, Forgotten};
use memory_core::domain::id::{JobId, MemoryId};
use memory_core::domain::item_outcome::ItemOutcome;
use memory_core::domain::scope::{Caller, Rights};
use memory_core::memories::request::{Edit, UndoRequest};
use memory_core::testing::fixtures::forgotten;
use memory_core::testing::{CALLER, question, user};
use proptest::prelude::*;

use bench::{Bench, ann, archive, step, to_restore};

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_store_made_from_an_archive_is_the_same_store(
        steps in prop::collection::vec(step(), 1..24), batch in 1_usize..5
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut source = Bench::new().await;
            for step in &steps {
                source.run(step).await;
            }
            let archived = source.archive().await;
            let copy = Bench::new().await;
            let first = copy.restore(&ann(), &archived, batch, false).await;
            assert!(first.iter().all(|restored| restored.outcome == ItemOutcome::Created), "{first:?}");
            let second = copy.restore(&ann(), &archived, batch, false).await;
            assert!(second.iter().all(|it| it.outcome == ItemOutcome::Existing && it.missing == 0), "{second:?}");
            assert_eq!(copy.archive().await, archived);
            assert_eq!(copy.closures().await, source.closures().await);
            let changes = copy.last_change().await;
            let third = copy.restore(&ann(), &archived, batch, false).await;
            assert!(third.iter().all(|restored| !restored.is_changed));
            assert_eq!(copy.last_change().await, changes, "a repetition adds nothing");
            copy.is_sound().await;
        });
    }
}

/// A turn, a fact of it, and a note of the fact, linked to the turn.
async fn chain() -> Bench {
    let mut bench = Bench::new().await;
    bench.say(1, 1).await;
    bench.derive(1, &[0]).await;
    bench.derive(2, &[1]).await;
    bench.link(2, 0).await;
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn references_to_what_comes_later_are_set_when_it_has_come() {
    let source = chain().await;
    let mut archived = source.archive().await;
    archived.reverse();
    let copy = Bench::new().await;
    let first = copy.restore(&ann(), &archived, 1, false).await;
    assert_eq!(first.iter().map(|it| it.missing).collect::<Vec<_>>(), [2, 1, 0]);
    copy.restore(&ann(), &archived, 1, false).await;
    archived.reverse();
    assert_eq!(copy.archive().await, archived);
    assert_eq!(copy.closures().await, source.closures().await);
    let erased = copy.test.engine.erase(&CALLER, source.ids[0], None).await.unwrap();
    assert_eq!(erased.len(), 3, "what was derived goes with its source");
    copy.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_another_owner_has_are_replaced_and_references_follow() {
    let bench = chain().await;
    let archived = bench.archive().await;
    let bob = user("bob").unwrap();
    let restored = bench.restore(&bob, &archived, 1, false).await;
    assert!(restored.iter().all(|it| it.outcome == ItemOutcome::Created && it.missing == 0), "{restored:?}");
    let ids: Vec<MemoryId> = restored.iter().map(|it| it.memory.unwrap()).collect();
    assert!(archived.iter().zip(&ids).all(|(one, id)| one.memory.id != *id));
    let again = bench.restore(&bob, &archived, 2, false).await;
    assert!(again.iter().all(|it| it.outcome == ItemOutcome::Existing && !it.is_changed), "{again:?}");
    assert_eq!(again.iter().map(|it| it.memory.unwrap()).collect::<Vec<_>>(), ids);
    let copies = archive(&bench.test, &bob).await;
    let note = copies.iter().find(|one| one.memory.id == ids[2]).unwrap();
    assert_eq!((copies.len(), note.memory.links[0].to), (3, ids[0]));
    let before = bench.archive().await;
    assert_eq!(bench.test.engine.erase(&CALLER, ids[0], None).await.unwrap().len(), 3);
    assert_eq!(bench.archive().await, before, "the other owner loses nothing");
    let erased = bench.restore(&bob, &archived, 10, false).await;
    assert!(erased.iter().all(|it| it.outcome == ItemOutcome::Erased), "{erased:?}");
    bench.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_here_comes_back_only_when_it_is_asked_for() {
    let source = chain().await;
    let archived = source.archive().await;
    let copy = Bench::new().await;
    copy.restore(&ann(), &archived, 10, false).await;
    copy.tell_other().await;
    copy.test.engine.erase(&CALLER, source.ids[0], None).await.unwrap();
    let restored = copy.restore(&ann(), &archived, 10, false).await;
    assert!(
        restored.iter().all(|it| it.outcome == ItemOutcome::Erased && it.memory.is_none()),
        "{restored:?}"
    );
    let restored = copy.restore(&ann(), &archived, 10, true).await;
    assert!(restored.iter().all(|it| it.outcome == ItemOutcome::Created), "{restored:?}");
    let restored = copy.restore(&ann(), &archived, 10, false).await;
    assert!(restored.iter().all(|it| it.outcome == ItemOutcome::Existing), "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_was_made_here_since_stays_and_a_later_one_of_the_archive_is_a_conflict() {
    let source = chain().await;
    let archived = source.archive().await;
    let copy = Bench::new().await;
    copy.restore(&ann(), &archived, 10, false).await;
    let edit = |text: &str| Edit { text: Some(text.to_owned()), ..Edit::default() };
    copy.test.engine.edit(&CALLER, source.ids[1], edit("here"), None).await.unwrap();
    let restored = copy.restore(&ann(), &archived, 10, false).await;
    assert_eq!(restored[1].outcome, ItemOutcome::Existing);
    source.test.clock.advance_micros(1);
    source.test.engine.edit(&CALLER, source.ids[1], edit("there"), None).await.unwrap();
    let restored = copy.restore(&ann(), &source.archive().await, 10, false).await;
    assert_eq!(restored[1].outcome, ItemOutcome::Conflicting);
    assert_eq!(copy.present(source.ids[1]).await.unwrap().text, "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_that_the_store_has_from_elsewhere_are_not_doubled() {
    let source = chain().await;
    let archived = source.archive().await;
    let mut copy = Bench::new().await;
    copy.say(1, 1).await;
    let here = copy.ids[0];
    let restored = copy.restore(&ann(), &archived, 10, false).await;
    assert_eq!((restored[0].outcome, restored[0].memory), (ItemOutcome::Existing, Some(here)));
    assert_eq!(copy.archive().await.len(), 3);
    let erased = copy.test.engine.erase(&CALLER, here, None).await.unwrap();
    assert_eq!(erased.len(), 3, "what was derived follows the turn that is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_derivation_names_nothing_of_another_owner() {
    let bench = chain().await;
    let archived = bench.archive().await;
    let bob = user("bob").unwrap();
    let restored = bench.restore(&bob, &archived[2..], 1, false).await;
    assert_eq!((restored[0].outcome, restored[0].missing), (ItemOutcome::Created, 2));
    let copy = archive(&bench.test, &bob).await.remove(0);
    assert!(copy.memory.links.is_empty() && copy.derivations.iter().all(|made| made.inputs.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_needs_the_right_to_administer_and_refuses_what_does_not_fit() {
    let source = chain().await;
    let archived = source.archive().await;
    let request = |memories: Vec<MemoryToRestore>| RestoreMemories {
        scope: ann(),
        memories,
        again: false,
        checked_at: None,
    };
    let writer = Caller { rights: Rights { admin: false, ..Rights::ALL }, ..CALLER };
    let all = archived.iter().map(to_restore).collect();
    let refused = source.test.engine.restore_memories(&writer, request(all)).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    for spoil in [
        |one: &mut MemoryToRestore| one.memory.version = 0,
        |one: &mut MemoryToRestore| one.memory.text = " ".to_owned(),
        |one: &mut MemoryToRestore| one.turn = None,
        |one: &mut MemoryToRestore| one.strength = Some(f32::NAN),
        |one: &mut MemoryToRestore| {
            let record = forgotten(Effect::Cold, 1);
            one.memory.forgotten = Some(Forgotten { retention: f64::NAN, ..record });
        },
        |one: &mut MemoryToRestore| one.earlier = vec![one.memory.clone()],
    ] {
        let mut one = to_restore(&archived[0]);
        spoil(&mut one);
        let copy = Bench::new().await;
        let refused =
            copy.test.engine.restore_memories(&CALLER, request(vec![to_restore(&archived[1]), one])).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        assert_eq!(copy.archive().await, [], "nothing is written");
    }
    let refused = source.test.engine.restore_memories(&CALLER, request(Vec::new())).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_memories_are_recalled_and_the_undo_of_a_job_that_is_not_here_is_refused() {
    let mut source = Bench::new().await;
    source.say(1, 2).await;
    let job = JobId(source.fixtures.id());
    let mut new = source.fixtures.fact("a fact about lemons");
    new.rows.iter_mut().for_each(|row| row.vector = None);
    let new = source.fixtures.made_of(new, &source.sources(&[0]).await);
    let set = ChangeSet { memories: vec![new], ..source.set() };
    source.test.commit(source.fixtures.made_by(job, set)).await.unwrap();
    let copy = Bench::new().await;
    copy.restore(&ann(), &source.archive().await, 10, false).await;
    let found = copy.test.engine.recall(&CALLER, question(&ann(), "lemons")).await.unwrap();
    assert_eq!(found.memories[0].memory.text, "a fact about lemons");
    let request = UndoRequest { dry_run: false, with_dependents: false, idempotency: None };
    let refused = copy.test.engine.undo_job(&CALLER, job, request).await;
    assert!(matches!(refused, Err(Error::NotFound { what: "job", .. })), "{refused:?}");
}
