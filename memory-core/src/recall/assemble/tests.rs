//! Tests of the context block.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::id::{SessionId, TurnId};
use crate::domain::link::Link;
use crate::domain::memory::{Happened, Kind, Origin, Strength, Visibility};
use crate::domain::metadata::Metadata;
use crate::domain::time::{Interval, Timestamp};
use crate::domain::zone::Zone;

const DAY_US: i64 = 86_400_000_000;
const NOW: Timestamp = Timestamp::from_micros(1_683_500_000_000_000 + 2 * DAY_US);

const UTC: Reader = Reader { valid_at: NOW, zone: Zone::UTC, granted: std::collections::BTreeMap::new() };

fn fact(id: u128, day: i64, text: &str) -> Memory {
    let at = Timestamp::from_micros(1_683_500_000_000_000 + day * DAY_US);
    Memory {
        id: MemoryId(Uuid::from_u128(id)),
        version: 1,
        kind: Kind::Fact,
        text: text.to_owned(),
        tokens: count(text),
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
        origin: None,
        derivation: None,
        happened: Happened { at, until: None, offset: None },
        recorded_at: at,
        created_at: at,
        valid: Interval::default(),
        expires_at: None,
        strength: Strength::new(0.5, 1.0, at),
        forgotten: None,
    }
}

fn turn(id: u128, day: i64, (session, seq): (u32, u32), author: &str, text: &str) -> Memory {
    let origin = Origin {
        turn: TurnId(Uuid::from_u128(id)),
        session: SessionId(Uuid::from_u128(u128::from(session))),
        session_key: Name::new(&format!("s{session}")).unwrap(),
        session_ordinal: session,
        seq,
        role: Role::User,
        author: Some(Name::new(author).unwrap()),
        turn_key: None,
    };
    Memory { kind: Kind::Turn, origin: Some(origin), ..fact(id, day, text) }
}

fn pieces(memories: &[Memory]) -> Vec<Piece<'_>> {
    memories
        .iter()
        .map(|memory| Piece { memory, best_span: None, is_dated: false, is_excerpt: false })
        .collect()
}

#[test]
fn lines_are_chronological_under_a_heading_per_day() {
    let memories = [
        turn(3, 1, (1, 0), "Bob", "Later, elsewhere"),
        turn(2, 0, (0, 1), "Bob", "An answer\nin  two lines"),
        turn(1, 0, (0, 0), "Ann", "A question?"),
        fact(4, 0, "What is no turn comes last"),
    ];
    let block = assemble(&pieces(&memories), &[], &UTC, 1_000);
    let expected = "## 2023-05-07 (Sun), session s0\n- Ann: A question?\n- Bob: An answer in two lines\n\n\
                    ## 2023-05-07 (Sun)\n- What is no turn comes last\n\n\
                    ## 2023-05-08 (Mon), session s1\n- Bob: Later, elsewhere\n";
    assert_eq!(block.text, expected);
    assert_eq!((block.tokens, block.left_out), (count(expected), 0));
}

#[test]
fn the_same_text_by_the_same_speaker_appears_once() {
    let memories = [
        turn(1, 0, (0, 0), "Ann", "Good morning"),
        turn(2, 0, (0, 1), "Bob", "Good morning"),
        turn(3, 0, (0, 2), "Ann", "Good morning"),
    ];
    let block = assemble(&pieces(&memories), &[], &UTC, 1_000);
    assert_eq!(block.text.matches("Good morning").count(), 2);
    assert_eq!(block.left_out, 0);
}

#[test]
fn a_text_that_does_not_fit_is_reduced_to_its_best_span() {
    let long = format!("{} The key is under the mat. {}", "before ".repeat(300), "after ".repeat(300));
    let start = u32::try_from(long.find("The key").unwrap()).unwrap();
    let memory = fact(1, 0, &long);
    let piece =
        Piece { memory: &memory, best_span: Some((start, start + 25)), is_dated: false, is_excerpt: false };
    let block = assemble(&[piece], &[], &UTC, 40);
    assert!(block.text.ends_with("- The key is under the mat.\n"), "{}", block.text);
    assert_eq!(assemble(&[piece], &[], &UTC, 5).left_out, 1);
}

#[test]
fn a_fact_is_shown_with_its_validity_and_both_sides_of_a_contradiction_with_their_dates() {
    let mut lived = fact(1, 0, "Ann lives in Porto");
    lived.valid = Interval { start: Some(NOW.plus_days(-90)), end: Some(NOW) };
    let superseded_by = Name::new(Link::SUPERSEDED_BY).unwrap();
    lived.links =
        vec![Link { to: MemoryId(Uuid::from_u128(2)), relation: superseded_by, weight: 1.0, reason: None }];
    let mut lives = fact(2, 1, "Ann lives in Lisbon");
    lives.valid.start = Some(lives.happened.at);
    let (cat, dog) = (fact(3, 1, "Ann has a cat"), fact(4, 1, "Ann has a dog only"));
    let piece = |memory, is_dated| Piece { memory, best_span: None, is_dated, is_excerpt: false };
    let pieces = [piece(&lived, false), piece(&lives, false), piece(&cat, true), piece(&dog, true)];
    let block = assemble(&pieces, &[], &UTC, 1_000);
    let expected = "## 2023-05-07 (Sun)\n- (from 2023-02-08 until 2023-05-09, superseded) Ann lives in Porto\n\n\
                    ## 2023-05-08 (Mon)\n- Ann lives in Lisbon\n- (as of 2023-05-08) Ann has a cat\n\
                    - (as of 2023-05-08) Ann has a dog only\n";
    assert_eq!(block.text, expected);
    assert_eq!((block.tokens, block.left_out), (count(expected), 0));
}

fn any_memories() -> impl Strategy<Value = Vec<Memory>> {
    let words = proptest::collection::vec("[a-zA-Z0-9äß東,.!?\n ]{1,12}", 1..30);
    let validity = (proptest::option::of(-9_i64..4), proptest::option::of(0_i64..9));
    let one = (0_i64..4, 0_u32..3, 0_u32..40, words, any::<bool>(), validity);
    proptest::collection::vec(one, 1..25).prop_map(|all| {
        let memories = all.into_iter().zip(1_u128..);
        memories
            .map(|((day, session, seq, words, is_turn, (start, end)), id)| {
                let text = words.join(" ");
                let mut memory =
                    if is_turn { turn(id, day, (session, seq), "Ann", &text) } else { fact(id, day, &text) };
                let at = |day: i64| NOW.plus_days(day - 2);
                memory.valid = Interval { start: start.map(at), end: end.map(at) };
                memory
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn a_block_keeps_its_budget_and_its_token_count_is_exact(memories in any_memories(), budget_tokens in 0_u32..400) {
        let block = assemble(&pieces(&memories), &[], &UTC, budget_tokens);
        prop_assert_eq!(block.tokens, count(&block.text), "{:?}", block.text);
        prop_assert!(block.tokens <= budget_tokens);
        let shown: HashSet<_> = block.memories.iter().collect();
        prop_assert_eq!(shown.len(), block.memories.len(), "nothing twice");
    }

    #[test]
    fn the_block_does_not_depend_on_the_rank_of_the_memories(memories in any_memories(), turns in 0_usize..25) {
        let texts: HashSet<&str> = memories.iter().map(|memory| memory.text.as_str()).collect();
        prop_assume!(texts.len() == memories.len());
        let mut ranked_otherwise = memories.clone();
        ranked_otherwise.rotate_left(turns % memories.len());
        let one = assemble(&pieces(&memories), &[], &UTC, 100_000);
        let other = assemble(&pieces(&ranked_otherwise), &[], &UTC, 100_000);
        prop_assert_eq!(one, other);
    }
}
