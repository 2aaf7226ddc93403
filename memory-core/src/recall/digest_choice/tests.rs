//! Tests of the choice between digests and what they cover.

use proptest::prelude::*;
use uuid::Uuid;

use super::super::assemble::assemble as without_choice;
use super::*;
use crate::domain::id::{SessionId, TurnId};
use crate::domain::memory::{Happened, Kind, Origin, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::name::Name;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::turn::Role;
use crate::domain::zone::Zone;
use crate::text::TokenCounter;

const AT: Timestamp = Timestamp::from_micros(1_683_500_000_000_000);
const UTC: Reader = Reader { valid_at: AT, zone: Zone::UTC, granted: std::collections::BTreeMap::new() };

fn memory(id: u128, kind: Kind, text: &str) -> Memory {
    let origin = (kind == Kind::Turn).then(|| Origin {
        turn: TurnId(Uuid::from_u128(id)),
        session: SessionId(Uuid::from_u128(1)),
        session_key: Name::new("s").unwrap(),
        session_ordinal: 0,
        seq: u32::try_from(id).unwrap(),
        role: Role::User,
        author: None,
        turn_key: None,
    });
    Memory {
        id: MemoryId(Uuid::from_u128(id)),
        version: 1,
        kind,
        text: text.to_owned(),
        tokens: u32::try_from(TokenCounter.count(text)).unwrap(),
        agent: None,
        app: None,
        run: None,
        visibility: Visibility::Owner,
        subjects: Vec::new(),
        audience: Vec::new(),
        statement: None,
        annotation: None,
        tags: Vec::new(),
        links: Vec::new(),
        metadata: Metadata::default(),
        document: None,
        origin,
        derivation: None,
        happened: Happened { at: AT, until: None, offset: None },
        recorded_at: AT,
        created_at: AT,
        valid: Interval::default(),
        expires_at: None,
        strength: Strength::new(0.5, 1.0, AT),
        forgotten: None,
    }
}

/// Turns of so many words, each with a text of its own.
fn turns(words: &[usize]) -> Vec<Memory> {
    let numbered = words.iter().zip(1_u128..);
    numbered.map(|(words, id)| memory(id, Kind::Turn, &format!("{id} {}", "walk ".repeat(*words)))).collect()
}

fn pieces<'a>(memories: impl IntoIterator<Item = &'a Memory>) -> Vec<Piece<'a>> {
    let piece = |memory| Piece { memory, best_span: None, is_dated: false, is_excerpt: false };
    memories.into_iter().map(piece).collect()
}

fn source(memory: &Memory) -> Source {
    memory.origin.as_ref().map_or(Source::Memory(memory.id), |origin| Source::Turn(origin.turn))
}

fn ids(memories: &[Memory], numbers: &[usize]) -> Vec<MemoryId> {
    numbers.iter().map(|number| memories[*number].id).collect()
}

#[test]
fn a_digest_takes_the_place_of_three_covered_turns_that_do_not_fit_and_of_the_worst_one_that_does() {
    let said = turns(&[30, 30, 30, 30, 30]);
    let digest = memory(90, Kind::Digest, "Walks on five days, all of them long ones by the river");
    let coverage = Coverage::from([(digest.id, said.iter().map(source).collect())]);
    let ranked = pieces(said.iter().chain([&digest]));
    let before = without_choice(&ranked, &[], &UTC, 100);
    assert_eq!((before.memories, before.left_out), (ids(&said, &[0, 1]), 4));
    let block = assemble(&ranked, &[&said[3]], &UTC, 100, &coverage);
    assert_eq!(block.memories, [said[0].id, digest.id]);
    assert_eq!((block.replaced, block.left_out), (ids(&said, &[1, 2, 3, 4]), 0));
    let roomy = assemble(&ranked, &[], &UTC, 1_000, &coverage);
    assert_eq!(roomy, without_choice(&ranked, &[], &UTC, 1_000), "nothing is left out");
}

#[test]
fn a_digest_of_two_covered_turns_without_room_takes_no_place() {
    let said = turns(&[30, 30, 30, 30, 30]);
    let digest = memory(90, Kind::Digest, "Walks");
    let coverage = Coverage::from([(digest.id, said.iter().skip(3).map(source).collect())]);
    let ranked = pieces(said.iter().chain([&digest]));
    assert_eq!(assemble(&ranked, &[], &UTC, 100, &coverage), without_choice(&ranked, &[], &UTC, 100));
}

#[test]
fn a_digest_that_fits_only_in_the_place_of_what_it_does_not_cover_takes_no_place() {
    let said = turns(&[30, 30, 30, 30, 30]);
    let digest = memory(90, Kind::Digest, &"long ".repeat(60));
    let coverage = Coverage::from([(digest.id, said.iter().skip(2).map(source).collect())]);
    let ranked = pieces(said.iter().chain([&digest]));
    assert_eq!(assemble(&ranked, &[], &UTC, 100, &coverage), without_choice(&ranked, &[], &UTC, 100));
}

/// Turns, digests of some of them each, and a ranking of all.
fn any_ranking() -> impl Strategy<Value = (Vec<Memory>, Coverage)> {
    let words = proptest::collection::vec(0_usize..40, 1..24);
    let digests =
        proptest::collection::vec((0_usize..40, proptest::collection::vec(any::<bool>(), 24)), 0..5);
    (words, digests, any::<u64>()).prop_map(|(words, digests, seed)| {
        let mut ranked = turns(&words);
        let mut coverage = Coverage::new();
        for ((words, covered), id) in digests.into_iter().zip(100_u128..) {
            let digest = memory(id, Kind::Digest, &format!("{id} {}", "sum ".repeat(words)));
            // A later digest may cover an earlier one.
            let sources = ranked.iter().zip(covered).filter(|(_, is_covered)| *is_covered);
            coverage.insert(digest.id, sources.map(|(one, _)| source(one)).collect());
            ranked.push(digest);
        }
        ranked.sort_by_key(|one| one.id.0.as_u128().wrapping_mul(u128::from(seed | 1)) % 1_009);
        (ranked, coverage)
    })
}

proptest! {
    #[test]
    fn a_choice_keeps_the_budget_and_each_memory_that_gives_way_is_covered_by_a_digest_in_the_block(
        (memories, coverage) in any_ranking(),
        budget_tokens in 0_u32..600,
    ) {
        let ranked = pieces(&memories);
        let before = without_choice(&ranked, &[], &UTC, budget_tokens);
        let beside: Vec<&Memory> = memories.iter().take(3).collect();
        for neighbours in [&[][..], &beside[..]] {
            let block = assemble(&ranked, neighbours, &UTC, budget_tokens, &coverage);
            prop_assert!(block.tokens <= budget_tokens);
            let shown: HashSet<MemoryId> = block.memories.iter().copied().collect();
            let by_id = |id: &MemoryId| memories.iter().find(|one| one.id == *id).unwrap();
            for replaced in &block.replaced {
                prop_assert!(!shown.contains(replaced), "in the block and replaced");
                let stands_for =
                    |digest: &MemoryId| coverage.get(digest).is_some_and(|all| covers(all, by_id(replaced)));
                prop_assert!(shown.iter().any(stands_for), "no digest stands for {replaced:?}");
            }
            for kept in &before.memories {
                prop_assert!(shown.contains(kept) || block.replaced.contains(kept), "another one lost its place");
            }
            prop_assert!(before.left_out >= block.left_out);
        }
    }

    #[test]
    fn without_digests_the_block_is_the_same((memories, _) in any_ranking(), budget_tokens in 0_u32..600) {
        let ranked = pieces(&memories);
        let block = assemble(&ranked, &[], &UTC, budget_tokens, &Coverage::new());
        prop_assert_eq!(block, without_choice(&ranked, &[], &UTC, budget_tokens));
    }
}
