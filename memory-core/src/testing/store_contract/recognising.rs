//! Store contract, identities: what is sent again is recognised, and what was erased stays erased.

use std::collections::BTreeSet;

use super::{answer, commit, loaded, log_is_sound};
use crate::domain::change::{ChangeSet, Committed, Operation, Outcome, OwnerErasure, Refusal};
use crate::domain::id::{JobId, TenantId};
use crate::domain::item_outcome::ItemOutcome;
use crate::domain::item_outcome::ItemOutcome::{Conflicting, Created, Erased, Existing};
use crate::domain::job::Job;
use crate::domain::name::Name;
use crate::domain::scope::Owner;
use crate::domain::turn::Session;
use crate::store::Store;
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, keyed_request, owner};

/// Set of turns with keys.
fn keyed(fixtures: &Fixtures, owner: &Owner, turns: &[(&str, &str)]) -> ChangeSet {
    let texts: Vec<&str> = turns.iter().map(|(_, text)| *text).collect();
    let mut set = fixtures.saying(owner, "s", &texts);
    for ((turn, _), (key, _)) in set.turns.as_mut().unwrap().turns.iter_mut().zip(turns) {
        turn.key = Some(Name::new(key).unwrap());
    }
    set
}

/// Set of turns with their positions, from 0.
fn placed(fixtures: &Fixtures, owner: &Owner, texts: &[&str]) -> ChangeSet {
    let mut set = fixtures.saying(owner, "s", texts);
    for ((turn, _), position) in set.turns.as_mut().unwrap().turns.iter_mut().zip(0..) {
        turn.position = Some(position);
    }
    set
}

fn fact(fixtures: &Fixtures, owner: &Owner, key: &str, text: &str) -> ChangeSet {
    let mut new = fixtures.fact(text);
    new.key = Some(Name::new(key).unwrap());
    fixtures.adding(owner, vec![new])
}

fn again(set: ChangeSet) -> ChangeSet {
    ChangeSet { again: true, ..set }
}

async fn sessions(store: &dyn Store, of: &Committed) -> Vec<Session> {
    store.sessions(of.partition, 0, 10).await.unwrap()
}

/// Ordinals and texts of the turns of the first session.
async fn said(store: &dyn Store, of: &Committed) -> Vec<(u32, String)> {
    let Some(session) = sessions(store, of).await.first().cloned() else { return Vec::new() };
    let turns = store.turns(session.id, 0, 100).await.unwrap();
    assert_eq!(session.turn_count as usize, turns.len(), "the session counts what is there");
    turns.into_iter().map(|turn| (turn.seq, turn.text)).collect()
}

fn texts(turns: &[(u32, &str)]) -> Vec<(u32, String)> {
    turns.iter().map(|(seq, text)| (*seq, (*text).to_owned())).collect()
}

/// A conversation that has grown from two turns to four has four, whether they are known by their keys or by their
/// positions, and the answer has the ids of all.
pub async fn a_grown_conversation_gets_only_its_new_turns(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let short = [("1", "yes"), ("2", "no")];
    let long = [("1", "yes"), ("2", "no"), ("3", "yes"), ("4", "no")];
    let unkeyed = |set: &[(&str, &'static str)]| set.iter().map(|(_, text)| *text).collect::<Vec<_>>();
    let sets = [
        (keyed(&fixtures, &ann, &short), keyed(&fixtures, &ann, &long), keyed(&fixtures, &ann, &long)),
        (
            placed(&fixtures, &bob, &unkeyed(&[("", "yes"), ("", "no")])),
            placed(&fixtures, &bob, &["yes", "no", "yes", "no"]),
            placed(&fixtures, &bob, &["yes", "no", "yes", "no"]),
        ),
    ];
    for (short, long, repeated) in sets {
        let first = commit(store, &short).await;
        let second = commit(store, &long).await;
        assert_eq!(second.created.outcomes, [Existing, Existing, Created, Created]);
        assert_eq!(second.created.turns[..2], first.created.turns);
        assert_eq!(second.created.memories[..2], first.created.memories);
        assert_eq!(second.created.session, first.created.session);
        let third = commit(store, &repeated).await;
        assert_eq!(third.created.outcomes, [Existing; 4]);
        assert_eq!((&third.created.memories, third.appended), (&second.created.memories, None));
        assert_eq!(third.seq_before, third.seq_after, "nothing is written");
        assert_eq!(said(store, &third).await, texts(&[(0, "yes"), (1, "no"), (2, "yes"), (3, "no")]));
        log_is_sound(store, third.partition).await;
    }
}

/// Turns without key and position are new each time, however equal they are.
pub async fn turns_without_an_identity_are_never_merged(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    for _ in 0..2 {
        let committed = commit(store, &fixtures.saying(&ann, "s", &["yes"])).await;
        assert_eq!(committed.created.outcomes, []);
    }
    let committed = commit(store, &fixtures.saying(&ann, "s", &["yes", "yes"])).await;
    assert_eq!(said(store, &committed).await.len(), 4);
    // The same text at another position is another turn, and so is another text at the same position.
    let committed = commit(store, &placed(&fixtures, &owner("bob"), &["yes", "no"])).await;
    let other = commit(store, &placed(&fixtures, &owner("bob"), &["no", "no"])).await;
    assert_eq!(other.created.outcomes, [Created, Existing]);
    assert_eq!(said(store, &committed).await, texts(&[(0, "yes"), (1, "no"), (2, "no")]));
}

/// A turn under a key that belongs to another one is answered with that one, as a conflict; the rest of the set is written.
pub async fn another_content_under_a_key_is_a_conflict(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let first = commit(store, &keyed(&fixtures, &ann, &[("1", "tea")])).await;
    let set = keyed(&fixtures, &ann, &[("1", "coffee"), ("2", "milk"), ("2", "milk"), ("2", "sugar")]);
    let second = commit(store, &set).await;
    // The second and third turn of the set differ in their speaker.
    assert_eq!(second.created.outcomes, [Conflicting, Created, Conflicting, Conflicting]);
    assert_eq!(second.created.turns[0], first.created.turns[0]);
    assert_eq!(second.created.turns[1..], [second.created.turns[1]; 3]);
    assert_eq!(said(store, &second).await, texts(&[(0, "tea"), (1, "milk")]));
    log_is_sound(store, second.partition).await;
}

/// Identities of erased items outlive an owner that merely has no memory left, and go with the erasure of the owner.
pub async fn what_was_erased_stays_erased_when_nothing_is_left(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let sent = || placed(&fixtures, &ann, &["one", "two"]);
    for bring_back in [false, true] {
        let first = commit(store, &sent()).await;
        assert_eq!(first.created.memories.len(), 2);
        for memory in first.created.memories {
            commit(store, &fixtures.erasing(&ann, vec![memory])).await;
        }
        assert_eq!(store.partition_of(TenantId::DEFAULT, &ann).await.unwrap(), None);
        assert_eq!(store.recognised(&sent()).await.unwrap(), BTreeSet::from([0, 1]));
        let second = commit(store, &sent()).await;
        assert_eq!(second.created.outcomes, [Erased, Erased]);
        assert_eq!(second.created.memories, []);
        assert_eq!(store.owners(TenantId::DEFAULT, None, 10).await.unwrap(), [], "it has no memory");
        // The same turns of another owner are others.
        let other = commit(store, &placed(&fixtures, &bob, &["one", "two"])).await;
        assert_eq!(other.created.memories.len(), 2);
        if bring_back {
            assert_eq!(commit(store, &again(sent())).await.created.memories.len(), 2);
        }
        let extent = store.owner_extent(TenantId::DEFAULT, &ann).await.unwrap();
        for owner in [&ann, &bob] {
            let extent = store.owner_extent(TenantId::DEFAULT, owner).await.unwrap();
            let (memories, newest) = extent.map_or((0, None), |extent| (extent.memories, extent.newest));
            let erasure = OwnerErasure { memories, newest, job: JobId(fixtures.id()), settings: Vec::new() };
            commit(store, &ChangeSet { erases_owner: Some(erasure), ..fixtures.set(owner) }).await;
        }
        assert_eq!(extent.is_some(), bring_back);
        assert_eq!(store.recognised(&sent()).await.unwrap(), BTreeSet::new(), "nothing is remembered");
    }
    assert_eq!(commit(store, &sent()).await.created.memories.len(), 2);
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// Erased turns and memories are left out of what is sent again, until they are asked for.
pub async fn what_was_erased_stays_erased_until_it_is_asked_for(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let makers: [fn(&Fixtures) -> ChangeSet; 3] = [
        |fixtures| keyed(fixtures, &owner("keys"), &[("1", "secret"), ("2", "harmless")]),
        |fixtures| placed(fixtures, &owner("places"), &["secret", "harmless"]),
        |fixtures| {
            let mut set = fact(fixtures, &owner("facts"), "1", "secret");
            set.memories.extend(fact(fixtures, &owner("facts"), "2", "harmless").memories);
            set
        },
    ];
    for make in makers {
        let set = make(&fixtures);
        let first = commit(store, &set).await;
        commit(store, &fixtures.erasing(&set.owner, vec![first.created.memories[0]])).await;
        let sent = make(&fixtures);
        assert_eq!(store.recognised(&sent).await.unwrap(), BTreeSet::from([0, 1]));
        let second = commit(store, &sent).await;
        assert_eq!(second.created.outcomes, [Erased, Existing], "{:?}", set.owner);
        assert_eq!(second.created.memories, [first.created.memories[1]]);
        let third = commit(store, &again(make(&fixtures))).await;
        assert_eq!(third.created.outcomes, [Created, Existing]);
        let fourth = commit(store, &make(&fixtures)).await;
        assert_eq!(fourth.created.outcomes, [Existing, Existing], "and it is no longer an erased one");
        assert_eq!(fourth.created.memories, third.created.memories);
        log_is_sound(store, third.partition).await;
    }
}

/// All turns of a session erased: they are left out, and the session is not made again for nothing.
pub async fn a_session_that_was_erased_is_not_made_again_for_nothing(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let first = commit(store, &placed(&fixtures, &ann, &["a", "b"])).await;
    commit(store, &fixtures.erasing(&ann, first.created.memories.clone())).await;
    let second = commit(store, &placed(&fixtures, &ann, &["a", "b"])).await;
    assert_eq!(second.created.outcomes, [Erased, Erased]);
    assert_eq!((second.created.session, sessions(store, &second).await), (None, vec![]));
    assert_eq!(commit(store, &again(placed(&fixtures, &ann, &["a", "b"]))).await.created.outcomes, []);
}

/// Erasing a turn lowers the count of its session and frees no ordinal.
pub async fn a_session_counts_the_turns_that_are_there(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let first = commit(store, &fixtures.saying(&ann, "s", &["a", "b", "c", "d", "e"])).await;
    let erased = first.created.memories[1..].to_vec();
    // Both in one transaction: the counters are written at its end.
    let sets = [fixtures.erasing(&ann, erased), fixtures.saying(&ann, "s", &["f"])];
    for outcome in store.commit(&sets).await.unwrap() {
        outcome.unwrap();
    }
    assert_eq!(sessions(store, &first).await[0].turn_count, 2);
    assert_eq!(said(store, &first).await, texts(&[(0, "a"), (5, "f")]));
    log_is_sound(store, first.partition).await;
}

/// Two imports of one file at the same time write each turn once, in one transaction and in several.
pub async fn imports_at_the_same_time_write_each_item_once(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let set = || {
        let mut set = keyed(&fixtures, &ann, &[("1", "a"), ("2", "b")]);
        set.memories = fact(&fixtures, &ann, "f", "a fact").memories;
        set
    };
    let placed = || placed(&fixtures, &ann, &["c", "d"]);
    let groups = [[set(), placed()], [placed(), set()], [set(), set()], [placed(), placed()]];
    let [a, b, c, d] = &groups;
    let (a, b, c, d) = tokio::join!(store.commit(a), store.commit(b), store.commit(c), store.commit(d));
    let commits = [a, b, c, d];
    let mut outcomes: Vec<ItemOutcome> = Vec::new();
    let mut partition = None;
    for outcome in commits.into_iter().flat_map(Result::unwrap) {
        let Ok(Outcome::Committed(committed)) = outcome else {
            panic!("a set was not committed: {outcome:?}")
        };
        let all = committed.created.memories.len();
        partition = Some(committed.partition);
        match committed.created.outcomes.is_empty() {
            true => outcomes.extend(vec![Created; all]),
            false => outcomes.extend(committed.created.outcomes),
        }
    }
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Created).count(), 5);
    assert_eq!(loaded(store, partition.unwrap()).await.1.len(), 5);
    log_is_sound(store, partition.unwrap()).await;
}

/// A memory is known by its own key, and one that comes back from an export of this store by its id.
pub async fn memories_are_recognised_by_key_and_by_id(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let first = commit(store, &fact(&fixtures, &ann, "k", "tea")).await.created.memories[0];
    let outcomes = async |set: ChangeSet| {
        let created = commit(store, &set).await.created;
        (created.outcomes, created.memories)
    };
    assert_eq!(outcomes(fact(&fixtures, &ann, "k", "tea")).await, (vec![Existing], vec![first]));
    assert_eq!(outcomes(fact(&fixtures, &ann, "k", "coffee")).await, (vec![Conflicting], vec![first]));
    let by_id = fact(&fixtures, &ann, &first.0.to_string(), "tea");
    assert_eq!(outcomes(by_id).await, (vec![Existing], vec![first]));
    // Another owner's memories are others.
    assert_eq!(outcomes(fact(&fixtures, &owner("bob"), "k", "tea")).await.0, []);
    let document = |text| {
        let mut new = fixtures.document("n", "d", text);
        new.key = Some(Name::new("doc").unwrap());
        fixtures.adding(&ann, vec![new])
    };
    let unkeyed = fixtures.adding(&ann, vec![fixtures.document("n", "d", "old")]);
    let id = outcomes(unkeyed).await.1[0];
    assert_eq!(
        outcomes(document("new")).await,
        (vec![], vec![id]),
        "a new version, under the key from now on"
    );
    assert_eq!(outcomes(document("new")).await, (vec![Existing], vec![id]));
    commit(store, &fixtures.erasing(&ann, vec![first])).await;
    let by_id = fact(&fixtures, &ann, &first.0.to_string(), "tea");
    assert_eq!(outcomes(by_id).await, (vec![Erased], vec![]));
}

/// Turns that are there bring no work of thinking; those that are new do.
pub async fn turns_that_are_there_are_not_thought_about_again(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let asking = |texts: &[&str]| {
        let mut set = placed(&fixtures, &ann, texts);
        set.queue_for.push("m");
        let id = JobId(fixtures.id());
        set.jobs.push(Job::new(id, TenantId::DEFAULT, "facts", String::new(), START));
        (set, id)
    };
    let (set, first) = asking(&["a"]);
    commit(store, &set).await;
    let (set, second) = asking(&["a"]);
    commit(store, &set).await;
    let (set, third) = asking(&["a", "b"]);
    commit(store, &set).await;
    let mut asked = Vec::new();
    for id in [first, second, third] {
        asked.push(store.job(TenantId::DEFAULT, id).await.unwrap().is_some());
    }
    assert_eq!(asked, [true, false, true]);
    assert_eq!(store.count_pending().await.unwrap(), [("m".to_owned(), 2)]);
}

/// A set whose items were there when it was prepared is refused if one of them has to be written after all. A repetition
/// under one idempotency key has the outcomes of the first.
pub async fn an_item_without_rows_is_never_written(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let first = commit(store, &keyed(&fixtures, &ann, &[("1", "a")])).await;
    let sent = || {
        let mut set = keyed(&fixtures, &ann, &[("1", "a"), ("2", "b")]);
        set.unprepared = [0].into();
        set
    };
    let mut repeated = sent();
    repeated.idempotency = Some(keyed_request(Operation::AddTurns, "key", 1));
    let created = commit(store, &repeated).await.created;
    assert_eq!(created.outcomes, [Existing, Created]);
    assert_eq!(answer(store, &repeated).await, Ok(Outcome::Repeated(created)));
    commit(store, &fixtures.erasing(&ann, vec![first.created.memories[0]])).await;
    assert_eq!(answer(store, &again(sent())).await, Err(Refusal::Outdated));
    assert_eq!(commit(store, &sent()).await.created.outcomes, [Erased, Existing]);
    log_is_sound(store, first.partition).await;
}
