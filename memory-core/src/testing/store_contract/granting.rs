//! Store contract, grants: what is open to whom, revocation, audit log, and what goes with owners and memories.

use super::{answer, commit};
use crate::domain::change::{ChangeSet, Operation, Outcome, OwnerErasure};
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::grant::{Grant, GrantEventKind, Revocation, Selection};
use crate::domain::id::{CallerId, GrantEventId, GrantId, JobId, MemoryId, PartitionId, RecallId, TenantId};
use crate::domain::scope::Owner;
use crate::domain::time::Timestamp;
use crate::store::{Given, GrantBounds, GrantPage, GrantParty, GrantRefusal, GrantUse, NewGrant, Store};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, keyed_request, name, owner};

const BOUNDS: GrantBounds = GrantBounds { per_giver: 3, per_grantee: 5 };
const TENANT: TenantId = TenantId::DEFAULT;

fn new(fixtures: &Fixtures, from: &str, to: &str, selection: Selection) -> NewGrant {
    let grant = Grant {
        id: GrantId(fixtures.id()),
        giver: owner(from),
        grantee: owner(to),
        selection,
        given_at: START,
        given_by: CallerId::ANYONE,
        expires_at: None,
        revoked: None,
    };
    NewGrant { grant, event: GrantEventId(fixtures.id()), idempotency: None }
}

async fn given(store: &dyn Store, new: &NewGrant) -> Grant {
    match store.give(TENANT, new, BOUNDS).await.unwrap() {
        Given::New(grant) => grant,
        other => panic!("not given: {other:?}"),
    }
}

async fn refusal(store: &dyn Store, new: &NewGrant) -> GrantRefusal {
    match store.give(TENANT, new, BOUNDS).await.unwrap() {
        Given::Refused(refusal) => refusal,
        other => panic!("given: {other:?}"),
    }
}

async fn revoke(store: &dyn Store, fixtures: &Fixtures, id: GrantId) -> Option<Grant> {
    let revocation = Revocation { at: START, by: CallerId::ANYONE };
    store.revoke(TENANT, id, revocation, GrantEventId(fixtures.id())).await.unwrap()
}

async fn open(store: &dyn Store, to: &str, at: Timestamp) -> Vec<GrantId> {
    let grants = store.open_grants(TENANT, &[owner("nobody"), owner(to)], at).await.unwrap();
    grants.into_iter().map(|grant| grant.id).collect()
}

fn tag(text: &str) -> Selection {
    Selection::Tag(name(text))
}

async fn two_facts(store: &dyn Store, fixtures: &Fixtures, who: &str) -> (PartitionId, Vec<MemoryId>) {
    let set = fixtures.adding(&owner(who), vec![fixtures.fact("a"), fixtures.fact("b")]);
    let added = commit(store, &set).await;
    (added.partition, added.created.memories)
}

/// A grant is read as it was given, is open to its grantee alone, and is listed for both parties.
pub async fn a_grant_is_open_to_its_grantee_until_it_ends(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (partition, ids) = two_facts(store, &fixtures, "ann").await;
    let filter = Filter::Or(vec![
        Filter::Field(Field::HappenedAt, Test::Eq(Scalar::Time(START))),
        Filter::Not(Box::new(Filter::Field(Field::Tags, Test::Contains("\u{0}é".to_owned())))),
    ]);
    let by_id = given(store, &new(&fixtures, "ann", "bob", Selection::Memories(ids.clone()))).await;
    let mut until = new(&fixtures, "ann", "bob", Selection::Filter(filter));
    until.grant.expires_at = Some(START.plus_micros(5));
    let until = given(store, &until).await;
    let other = given(store, &new(&fixtures, "ann", "eve", tag("x"))).await;
    for grant in [&by_id, &until, &other] {
        assert_eq!(store.grant(TENANT, grant.id).await.unwrap().as_ref(), Some(grant));
        assert_eq!(store.grant(TenantId(fixtures.id()), grant.id).await.unwrap(), None);
    }
    assert_eq!(open(store, "bob", START).await, [by_id.id, until.id]);
    assert_eq!(open(store, "bob", START.plus_micros(5)).await, [by_id.id], "its time is over");
    assert_eq!(open(store, "ann", START).await, []);
    assert_eq!(store.open_grants(TENANT, &[], START).await.unwrap(), []);
    let granted = store.open_grants(TENANT, &[owner("eve")], START).await.unwrap().remove(0);
    assert_eq!((granted.partition, granted.giver, granted.selection), (partition, owner("ann"), tag("x")));
    let page = |open_at, after, limit| GrantPage { open_at, after, limit };
    let of_ann = GrantParty::Giver(owner("ann"));
    let listed = store.grants(TENANT, &of_ann, page(None, None, 2)).await.unwrap();
    assert_eq!(listed, [by_id.clone(), until.clone()]);
    let listed = store.grants(TENANT, &of_ann, page(None, Some(until.id), 2)).await.unwrap();
    assert_eq!(listed, [other]);
    revoke(store, &fixtures, by_id.id).await;
    let of_bob = GrantParty::Grantee(owner("bob"));
    let open_then = |at| store.grants(TENANT, &of_bob, page(Some(at), None, 9));
    assert_eq!(open_then(START).await.unwrap(), std::slice::from_ref(&until));
    assert_eq!(open_then(START.plus_micros(5)).await.unwrap(), []);
    assert_eq!(store.grants(TENANT, &of_bob, page(None, None, 9)).await.unwrap().len(), 2);
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// A revocation holds at any time, is made once, and is noted.
pub async fn a_revoked_grant_is_open_at_no_time(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    two_facts(store, &fixtures, "ann").await;
    let grant = given(store, &new(&fixtures, "ann", "bob", tag("x"))).await;
    let revoked = revoke(store, &fixtures, grant.id).await.unwrap();
    assert!(revoked.revoked.is_some());
    assert_eq!(revoke(store, &fixtures, grant.id).await, Some(revoked));
    assert_eq!(revoke(store, &fixtures, GrantId(fixtures.id())).await, None);
    for at in [START.plus_days(-1_000), START, START.plus_days(1_000)] {
        assert_eq!(open(store, "bob", at).await, []);
    }
    let events = store.grant_events(TENANT, grant.id, None, 9).await.unwrap().unwrap();
    let kinds: Vec<GrantEventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [GrantEventKind::Revoked, GrantEventKind::Given]);
    assert_eq!(store.grant_events(TenantId(fixtures.id()), grant.id, None, 9).await.unwrap(), None);
}

/// A grant is given once per key, names memories that are there, and keeps to the bounds.
pub async fn a_grant_is_given_whole_or_not_at_all(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (_, ids) = two_facts(store, &fixtures, "ann").await;
    let missing = MemoryId(fixtures.id());
    let named = new(&fixtures, "ann", "bob", Selection::Memories(vec![ids[0], missing]));
    assert_eq!(refusal(store, &named).await, GrantRefusal::NoMemory(missing));
    assert_eq!(refusal(store, &new(&fixtures, "eve", "bob", tag("x"))).await, GrantRefusal::NoGiver);
    let mut keyed = new(&fixtures, "ann", "bob", tag("x"));
    keyed.idempotency = Some(keyed_request(Operation::GiveGrant, "key", 1));
    let first = given(store, &keyed).await;
    let mut again = new(&fixtures, "ann", "bob", tag("x"));
    again.idempotency = keyed.idempotency.clone();
    assert_eq!(store.give(TENANT, &again, BOUNDS).await.unwrap(), Given::Repeated(first.clone()));
    again.idempotency = Some(keyed_request(Operation::GiveGrant, "key", 2));
    assert_eq!(refusal(store, &again).await, GrantRefusal::KeyReused);
    let mut over = new(&fixtures, "ann", "bob", tag("x"));
    over.grant.expires_at = Some(START);
    assert_eq!(refusal(store, &over).await, GrantRefusal::Over);
    given(store, &new(&fixtures, "ann", "bob", tag("y"))).await;
    given(store, &new(&fixtures, "ann", "bob", tag("z"))).await;
    let fourth = new(&fixtures, "ann", "bob", tag("w"));
    assert_eq!(refusal(store, &fourth).await, GrantRefusal::GiverFull);
    revoke(store, &fixtures, first.id).await;
    given(store, &fourth).await;
    assert_eq!(store.grant(TENANT, first.id).await.unwrap(), None, "the ended one gave way");
    two_facts(store, &fixtures, "eve").await;
    given(store, &new(&fixtures, "eve", "bob", tag("x"))).await;
    given(store, &new(&fixtures, "eve", "bob", tag("y"))).await;
    assert_eq!(refusal(store, &new(&fixtures, "eve", "bob", tag("z"))).await, GrantRefusal::GranteeFull);
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// The newest reads of each grant are kept, with its beginning and its end; reads through grants that are gone are not noted.
pub async fn reads_through_grants_are_noted_and_bounded(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (partition, _) = two_facts(store, &fixtures, "ann").await;
    let grant = given(store, &new(&fixtures, "ann", "bob", tag("x"))).await;
    let used = |grant, memories| GrantUse {
        grant,
        partition,
        event: GrantEventId(fixtures.id()),
        at: START,
        caller: CallerId::ANYONE,
        recall: RecallId(fixtures.id()),
        memories,
    };
    let gone = GrantId(fixtures.id());
    let uses: Vec<GrantUse> = (1..=4).map(|count| used(grant.id, count)).chain([used(gone, 9)]).collect();
    store.record_grant_uses(&uses, 2).await.unwrap();
    let events = store.grant_events(TENANT, grant.id, None, 9).await.unwrap().unwrap();
    let told: Vec<(GrantEventKind, u32)> = events.iter().map(|event| (event.kind, event.memories)).collect();
    assert_eq!(told, [(GrantEventKind::Used, 4), (GrantEventKind::Used, 3), (GrantEventKind::Given, 0)]);
    let page = store.grant_events(TENANT, grant.id, Some(events[0].id), 1).await.unwrap().unwrap();
    assert_eq!(page, events[1..2]);
    assert_eq!(store.check(false).await.unwrap(), []);
}

async fn erasing(store: &dyn Store, fixtures: &Fixtures, who: &Owner) -> ChangeSet {
    let extent = store.owner_extent(TENANT, who).await.unwrap();
    let (memories, newest) = extent.map_or((0, None), |extent| (extent.memories, extent.newest));
    let mut set = fixtures.set(who);
    let job = JobId(fixtures.id());
    set.erases_owner = Some(OwnerErasure { memories, newest, job, settings: Vec::new() });
    set
}

/// An erased memory leaves its grants; an erased owner takes those that it has given and received along.
pub async fn grants_go_with_what_they_name(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (partition, ids) = two_facts(store, &fixtures, "ann").await;
    two_facts(store, &fixtures, "eve").await;
    let named = given(store, &new(&fixtures, "ann", "bob", Selection::Memories(ids.clone()))).await;
    let to_eve = given(store, &new(&fixtures, "ann", "eve", tag("x"))).await;
    let from_eve = given(store, &new(&fixtures, "eve", "bob", tag("x"))).await;
    commit(store, &fixtures.erasing(&owner("ann"), vec![ids[0]])).await;
    let left = store.grant(TENANT, named.id).await.unwrap().unwrap();
    assert_eq!(left.selection, Selection::Memories(vec![ids[1]]));
    // Bob has no memories, and is erased all the same.
    assert!(matches!(
        answer(store, &erasing(store, &fixtures, &owner("bob")).await).await,
        Ok(Outcome::Committed(_))
    ));
    assert_eq!(store.grant(TENANT, named.id).await.unwrap(), None);
    assert_eq!(store.grant(TENANT, from_eve.id).await.unwrap(), None);
    assert_eq!(store.grant(TENANT, to_eve.id).await.unwrap(), Some(to_eve.clone()));
    assert_eq!(store.check(false).await.unwrap(), []);
    let again = given(store, &new(&fixtures, "ann", "bob", Selection::Memories(vec![ids[1]]))).await;
    commit(store, &erasing(store, &fixtures, &owner("ann")).await).await;
    for grant in [again.id, to_eve.id] {
        assert_eq!(store.grant(TENANT, grant).await.unwrap(), None);
    }
    assert_eq!(open(store, "bob", START).await, []);
    assert_eq!(store.check(false).await.unwrap(), []);
    while !store.erase_detached(partition, START).await.unwrap().is_done {
        assert_eq!(store.check(false).await.unwrap(), [], "between two steps");
    }
    assert_eq!(store.check(false).await.unwrap(), []);
}
