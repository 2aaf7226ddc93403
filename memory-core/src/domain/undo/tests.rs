//! Tests of the planner over handmade histories: which versions are live, and what follows from what was in view.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::memory::Kind;
use crate::testing::fixtures::plain;

const NOW: Timestamp = Timestamp::from_micros(1);

fn id(number: u128) -> MemoryId {
    MemoryId(Uuid::from_u128(number))
}

fn derivation(memory: u128, version: u32) -> DerivationId {
    DerivationId(Uuid::from_u128(memory << 32 | u128::from(version)))
}

/// History of a memory: a text for each version, with a derivation for texts that begin with a `J`. Its versions have
/// the change numbers `from`, `from + 1`, ...
fn history(memory: u128, texts: &[&str], from: u64) -> KnownHistory {
    let versions: Vec<Memory> = (1..)
        .zip(texts)
        .map(|(version, text)| Memory {
            version,
            derivation: text.starts_with('J').then(|| derivation(memory, version)),
            ..plain(id(memory), Kind::Note, text)
        })
        .collect();
    let change_numbers = versions.iter().map(|one| one.version).zip(from..).collect();
    KnownHistory { versions, change_numbers }
}

fn with(memory: u128, texts: &[&str]) -> UndoPlanner {
    let mut planner = UndoPlanner::default();
    planner.learn(id(memory), history(memory, texts, 1));
    planner
}

fn version(memory: u128, version: u32) -> VersionId {
    VersionId { memory: id(memory), version }
}

#[test]
fn a_version_that_was_taken_back_is_not_taken_back_again() {
    let mut planner = with(1, &["before", "J", "before"]);
    planner.name_version(id(1), 2);
    planner.name_version(id(1), 3);
    planner.name_derivation(id(1), derivation(1, 2));
    assert!(planner.unread_sources().is_empty());
    assert_eq!(planner.finish(NOW), Undo::default());
}

#[test]
fn an_edit_after_an_undo_is_no_dependent_of_what_was_taken_back() {
    let mut planner = with(1, &["before", "J", "before", "edited"]);
    planner.name_derivation(id(1), derivation(1, 2));
    assert!(planner.finish(NOW).is_empty());
}

#[test]
fn later_versions_of_the_memory_are_dependents_and_go_with_it() {
    let mut planner = with(1, &["before", "J", "edited"]);
    planner.name_derivation(id(1), derivation(1, 2));
    let undo = planner.finish(NOW);
    assert_eq!(undo.dependents, [version(1, 3)]);
    assert_eq!(undo.derivations, [derivation(1, 2)]);
    let restored = &undo.restored[0];
    assert_eq!(
        (restored.memory.version, restored.memory.text.as_str(), restored.has_other_text),
        (4, "before", true)
    );
    assert_eq!(restored.memory.recorded_at, NOW);
}

#[test]
fn a_memory_without_the_version_before_is_left() {
    let mut planner = UndoPlanner::default();
    let mut known = history(1, &["before", "J"], 1);
    known.versions.remove(0);
    planner.learn(id(1), known);
    planner.learn(id(2), KnownHistory::default());
    planner.name_version(id(1), 2);
    planner.name_version(id(2), 1);
    assert_eq!(planner.finish(NOW), Undo { left: vec![id(1)], ..Undo::default() });
}

#[test]
fn only_derivations_committed_after_a_version_are_built_on_it() {
    for (made_at, is_dependent) in [(1, false), (9, true)] {
        let mut planner = UndoPlanner::default();
        planner.learn(id(1), history(1, &["before", "J"], 4));
        planner.name_version(id(1), 2);
        assert_eq!(planner.unread_sources(), [Source::Memory(id(1))]);
        planner.learn(id(2), history(2, &["J"], made_at));
        let built = BuiltOn { source: Source::Memory(id(1)), derivation: derivation(2, 1), memory: id(2) };
        planner.follow(vec![built]);
        let undo = planner.finish(NOW);
        assert_eq!(undo.erasures.contains(&id(2)), is_dependent);
        assert_eq!(undo.dependents, if is_dependent { vec![version(2, 1)] } else { vec![] });
    }
}

#[test]
fn a_memory_that_had_an_erased_one_in_view_stays_without_these_versions() {
    for (texts, is_restored) in [(&["before", "J"][..], true), (&["before", "J", "before"][..], false)] {
        let mut planner = with(1, &["J"]);
        planner.name_version(id(1), 1);
        planner.unread_sources();
        planner.learn(id(2), history(2, texts, 5));
        let built = BuiltOn { source: Source::Memory(id(1)), derivation: derivation(2, 2), memory: id(2) };
        planner.follow(vec![built]);
        let undo = planner.finish(NOW);
        assert_eq!(undo.erasures, [id(1)]);
        assert_eq!(undo.restored.len(), usize::from(is_restored));
        assert_eq!(undo.retractions, [Retraction { memory: id(2), derivation: derivation(2, 2) }]);
    }
}

proptest! {
    /// A memory is erased if the named version is its first live one, restored to the content before otherwise; and the
    /// content restored is live itself: a second undo of the same version finds nothing.
    #[test]
    fn the_content_before_a_version_comes_back_once(
        letters in proptest::collection::vec(0..4_usize, 1..9),
        named in 1..9_u32,
    ) {
        let texts: Vec<&str> = letters.iter().map(|letter| ["a", "b", "c", "d"][*letter]).collect();
        let mut planner = with(1, &texts);
        planner.name_version(id(1), named);
        let undo = planner.finish(NOW);
        if let [Restored { memory, .. }] = undo.restored.as_slice() {
            prop_assert_eq!(memory.text.as_str(), texts[named as usize - 2]);
            prop_assert!(memory.text != texts[texts.len() - 1]);
            prop_assert!(undo.erasures.is_empty());
            let mut again = texts.clone();
            again.push(texts[named as usize - 2]);
            let mut planner = with(1, &again);
            planner.name_version(id(1), named);
            prop_assert!(planner.finish(NOW).is_empty());
        } else if !undo.is_empty() {
            prop_assert_eq!(undo.erasures, vec![id(1)]);
            prop_assert_eq!(named, 1);
        }
    }
}
