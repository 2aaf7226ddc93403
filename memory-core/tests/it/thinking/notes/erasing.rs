//! Erasures of turns that notes were made with: no trace of them is left, and no other note is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memory_core::domain::filter::{Field, Filter, Scalar, Test};
use memory_core::domain::id::MemoryId;
use memory_core::domain::link::Link;
use memory_core::domain::memory::{Kind, Memory};
use memory_core::domain::turn::Role;
use memory_core::memories::request::Confirmed;
use memory_core::model::language_model::ModelRequest;
use memory_core::model::language_model::scripted::ScriptedLanguageModel;
use memory_core::testing::rng::Rng;
use memory_core::testing::{CALLER, START, fact, memories, turn, turns, user};

use super::{busy, markers, of_turn, published, quiet, said, schema, settings};
use crate::thinking::story::Story;

/// Model that links and changes as much as it may, and after it was calmed only describes turns.
fn calmable() -> (Arc<AtomicBool>, Arc<ScriptedLanguageModel>) {
    let is_calm = Arc::new(AtomicBool::new(false));
    let seen = is_calm.clone();
    let script = move |request: &ModelRequest| match seen.load(Ordering::Relaxed) {
        true => quiet(request),
        false => busy(request),
    };
    (is_calm, ScriptedLanguageModel::new(script))
}

impl Story {
    /// Whether a word is left in a version of a note or in a row of the store.
    async fn has_trace(&self, marker: &str) -> bool {
        format!("{:?}", self.histories(Kind::Note).await).contains(marker)
    }
}

/// Erases turns in a random order and looks for traces of each in everything that is left.
async fn erase_at_random(story: &Story, is_calm: &AtomicBool, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut of_turns: Vec<(MemoryId, String)> = Vec::new();
    let mut at = 0;
    for _ in 0..6 {
        let texts: Vec<String> = (0..=rng.below(3)).map(|one| said(at + one)).collect();
        at += texts.len();
        let ids = story.say_all(&texts).await;
        of_turns.extend(ids.into_iter().zip(texts.iter().map(|text| markers(text)[0].clone())));
    }
    is_calm.store(true, Ordering::Relaxed);
    while of_turns.len() > 2 {
        let (turn, marker) = of_turns.swap_remove(rng.below(of_turns.len()));
        let before = story.histories(Kind::Note).await;
        story.engine.engine.erase(&CALLER, turn, None).await.expect("erased");
        assert!(!story.has_trace(&marker).await, "a trace of {marker} is left");
        story.settle().await;
        let after = story.histories(Kind::Note).await;
        assert!(!format!("{after:?}").contains(&marker), "a trace of {marker} has come back");
        let present: Vec<&Memory> = after.values().filter_map(|versions| versions.last()).collect();
        let remaining: BTreeSet<MemoryId> = present.iter().map(|note| of_turn(note)).collect();
        assert_eq!((remaining.len(), present.len()), (of_turns.len(), of_turns.len()));
        assert_eq!(remaining, of_turns.iter().map(|(turn, _)| *turn).collect(), "one note for each turn");
        assert!(present.iter().all(|note| note.annotation.is_some()), "all are described");
        for (id, versions) in &after {
            let had_trace = format!("{:?}", before[id]).contains(&marker);
            let had_link = before[id]
                .iter()
                .flat_map(|one| &one.links)
                .any(|link| !after.contains_key(&link.to) && link.relation.as_str() != Link::ANNOTATES);
            assert!(had_trace || had_link || versions == &before[id], "an untouched note changed");
        }
        story.is_whole().await;
    }
}

#[tokio::test]
async fn an_erasure_leaves_no_trace_of_a_turn_in_other_notes_and_takes_none_of_them() {
    for seed in 0..3 {
        for settings in [settings, published] {
            let (is_calm, model) = calmable();
            erase_at_random(&Story::with(settings(model)).await, &is_calm, seed).await;
        }
    }
}

#[tokio::test]
async fn notes_analysed_together_with_an_erased_turn_are_described_anew() {
    let (is_calm, model) = calmable();
    let story = Story::with(settings(model.clone())).await;
    let ids = story.say_all(&[said(1), said(2), said(3)]).await;
    is_calm.store(true, Ordering::Relaxed);
    let before = story.notes().await;
    story.engine.engine.erase(&CALLER, ids[0], None).await.expect("erased");
    story.settle().await;
    let after = story.notes().await;
    assert_eq!(after.len(), 2);
    for turn in &ids[1..] {
        assert_eq!(after[turn].id, before[turn].id, "the note goes on");
        let context = after[turn].annotation.as_ref().expect("described").context.clone();
        assert_eq!(context.as_deref(), Some("seen zq002 zq003"));
    }
    let last = model.requests().into_iter().rfind(|request| schema(request) == "analyse");
    assert_eq!(markers(&last.expect("a request").user), ["zq002", "zq003"]);
    let state =
        story.engine.engine.thinking(&CALLER, &user("mara").expect("a scope")).await.expect("a state");
    assert_eq!(state.pending_turns, 0);
    story.is_whole().await;
}

#[tokio::test]
async fn a_note_that_something_was_derived_from_goes_with_what_it_was_made_with() {
    let (_, model) = calmable();
    let story = Story::with(settings(model)).await;
    let first = story.say_all(&[said(1)]).await;
    let second = story.say_all(&[said(2)]).await;
    let old = story.notes().await[&first[0]].clone();
    let mut derived = fact("Derived from an evolved note: zq002.");
    derived.sources = vec![old.id.0];
    let request = memories(&user("mara").expect("a scope"), vec![derived]);
    story.engine.engine.remember_memories(&CALLER, request).await.expect("remembered");
    let erased = story.engine.engine.erase(&CALLER, second[0], None).await.expect("erased");
    assert_eq!(
        erased.len(),
        4,
        "the turn, its note, the note that evolved with it, and what was derived from that"
    );
    story.settle().await;
    assert!(!story.has_trace("zq002").await);
    assert!(story.histories(Kind::Fact).await.is_empty());
    story.is_whole().await;
}

#[tokio::test]
async fn an_erasure_by_filter_takes_exactly_what_its_preview_showed_and_spares_notes() {
    let (is_calm, model) = calmable();
    let story = Story::with(settings(model)).await;
    let scope = user("mara").expect("a scope");
    let kept = story.say_all(&[said(1)]).await;
    let request = turns(&scope, "other", vec![turn(Role::User, &said(2), START)]).expect("turns");
    let turn = story.engine.engine.remember_turns(&CALLER, request).await.expect("remembered").memories[0];
    story.settle().await;
    let note = story.notes().await[&turn].id;
    let filter = || Filter::Field(Field::Session, Test::Eq(Scalar::Text("other".to_owned())));
    let preview = story.engine.engine.preview_erasure(&CALLER, &scope, filter()).await.expect("a preview");
    assert_eq!((preview.matched, preview.with_derived), (1, 2));
    assert_eq!(preview.sample.iter().map(|memory| memory.id).collect::<BTreeSet<_>>(), [turn, note].into());
    // The note that is spared evolves again, and a new one is linked with the one that goes.
    let later = story.say_all(&[said(3)]).await;
    is_calm.store(true, Ordering::Relaxed);
    let confirmed = Confirmed { confirmation: &preview.confirmation, idempotency: None };
    let erased = story.engine.engine.erase_matching(&CALLER, &scope, filter(), confirmed).await;
    let (matched, erased) = erased.expect("erased what was confirmed");
    assert_eq!((matched, erased.into_iter().collect::<BTreeSet<_>>()), (1, [turn, note].into()));
    story.settle().await;
    assert!(!story.has_trace("zq002").await);
    let left: BTreeSet<MemoryId> = story.notes().await.into_keys().collect();
    assert_eq!(left, [kept[0], later[0]].into());
    story.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_and_an_evolution_at_the_same_time_leave_no_trace() {
    for settings in [settings, published] {
        let story = Story::with(settings(ScriptedLanguageModel::new(busy))).await;
        let _ticking = story.tick();
        let scope = user("mara").expect("a scope");
        let mut all = Vec::new();
        for at in 0..4 {
            all.extend(story.say_all(&[said(at)]).await);
        }
        for at in 0..4 {
            let request = turns(&scope, "chat", vec![turn(Role::User, &said(at + 4), START)]).expect("turns");
            let engine = &story.engine.engine;
            let (said, erased) =
                tokio::join!(engine.remember_turns(&CALLER, request), engine.erase(&CALLER, all[at], None));
            all.extend(said.expect("remembered").memories);
            erased.expect("erased");
        }
        story.settle().await;
        for at in 0..4 {
            assert!(!story.has_trace(&markers(&said(at))[0]).await, "a trace of an erased turn");
        }
        let left: BTreeSet<MemoryId> = story.notes().await.into_keys().collect();
        assert_eq!(left, all[4..].iter().copied().collect());
        story.is_whole().await;
    }
}
