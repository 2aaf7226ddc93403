//! Store contract, erasure of owners: detachment at once, deletion in steps, and what an owner leaves behind.

use super::{answer, commit, loaded};
use crate::domain::change::{ChangeSet, Operation, Outcome, OwnerErasure, Refusal};
use crate::domain::derivation::Source;
use crate::domain::id::{JobId, PartitionId, RecallId, TenantId};
use crate::domain::job::{Job, JobFilter, JobState};
use crate::domain::memory::Visibility;
use crate::domain::scope::{Owner, OwnerKind};
use crate::store::{DetachedStep, RecallRecord, SharedPartitions, Store, Usage, UsageEntry};
use crate::testing::START;
use crate::testing::fixtures::{Fixtures, hit, keyed_request, link, name, owner};

/// Erasure of an owner as it is.
async fn erasing(store: &dyn Store, fixtures: &Fixtures, owner: &Owner) -> ChangeSet {
    let extent = store.owner_extent(TenantId::DEFAULT, owner).await.unwrap();
    let (memories, newest) = extent.map_or((0, None), |extent| (extent.memories, extent.newest));
    let mut set = fixtures.set(owner);
    let job = JobId(fixtures.id());
    set.erases_owner = Some(OwnerErasure { memories, newest, job, settings: Vec::new() });
    set
}

/// An owner with turns, facts, earlier versions, links, groups, a queue, usage, recalls and a job.
async fn rich(store: &dyn Store, fixtures: &Fixtures, who: &Owner) -> PartitionId {
    let mut set = fixtures.saying(who, "s", &["a", "b", "c"]);
    set.queue_for.push("facts");
    set.jobs.push(job_of(fixtures, who));
    let said = commit(store, &set).await;
    let mut fact = fixtures.made_of(fixtures.ornate(), &[Source::Turn(said.created.turns[0])]);
    fact.memory.links = vec![link(said.created.memories[1], "about", 1.0)];
    (fact.memory.agent, fact.memory.visibility) = (Some(name("agent")), Visibility::Shared);
    let mut keyed = fixtures.adding(who, vec![fact, fixtures.document("n", "k", "one")]);
    keyed.idempotency = Some(keyed_request(Operation::AddMemories, "rich", 9));
    commit(store, &keyed).await;
    commit(store, &fixtures.adding(who, vec![fixtures.document("n", "k", "two")])).await;
    let hits = vec![hit(said.created.memories[0], 0.5)];
    let recall = RecallRecord {
        id: RecallId(fixtures.id()),
        partition: said.partition,
        session: None,
        recalled_at: START,
        hits,
    };
    store.record_recalls(&[recall], 10).await.unwrap();
    store.add_usage(said.partition, &[usage()]).await.unwrap();
    said.partition
}

fn usage() -> UsageEntry {
    let usage = Usage { calls: 1, ..Usage::default() };
    UsageEntry { day: 1, task: "facts".to_owned(), model: "m".to_owned(), usage }
}

fn job_of(fixtures: &Fixtures, owner: &Owner) -> Job {
    let job = Job::new(JobId(fixtures.id()), TenantId::DEFAULT, "facts", "{}".to_owned(), START);
    Job { owner: Some(owner.clone()), ..job }
}

async fn jobs(store: &dyn Store) -> Vec<String> {
    let jobs = store.jobs(TenantId::DEFAULT, &JobFilter::default(), None, 10).await.unwrap();
    jobs.into_iter().map(|job| job.kind).collect()
}

/// Deletes a detached partition; returns the number of its memories and of the steps.
async fn deleted(store: &dyn Store, partition: PartitionId) -> (u64, u32) {
    let (mut memories, mut steps) = (0, 0);
    loop {
        assert_eq!(store.check(false).await.unwrap(), [], "the store keeps its rules between two steps");
        let step = store.erase_detached(partition, START).await.unwrap();
        memories += step.memories;
        steps += 1;
        if step.is_done {
            return (memories, steps);
        }
    }
}

/// An owner whose last memory is erased, in whatever way, is an owner no longer: partition, entries by agent and jobs go with
/// it. What it writes afterwards is in a partition with another number, whose log begins anew.
pub async fn an_owner_without_memories_is_forgotten(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut fact = fixtures.fact("shared");
    (fact.memory.agent, fact.memory.visibility) = (Some(name("agent")), Visibility::Shared);
    let mut set = fixtures.adding(&ann, vec![fact, fixtures.fact("another")]);
    set.jobs.push(job_of(&fixtures, &ann));
    let first = commit(store, &set).await;
    assert!(!first.is_detached);
    let partial = commit(store, &fixtures.erasing(&ann, vec![first.created.memories[0]])).await;
    assert!(!partial.is_detached, "a memory is left");
    let last = commit(store, &fixtures.erasing(&ann, vec![first.created.memories[1]])).await;
    assert!(last.is_detached);
    assert_eq!(store.partition_of(TenantId::DEFAULT, &ann).await.unwrap(), None);
    assert_eq!(store.owners(TenantId::DEFAULT, None, 10).await.unwrap(), []);
    let agent = [(OwnerKind::Agent, name("agent"))];
    let reached = store.partitions_with(TenantId::DEFAULT, &agent, 10).await.unwrap();
    assert_eq!(reached, SharedPartitions::default());
    assert_eq!(jobs(store).await, [""; 0]);
    assert_eq!(store.detached_partitions(10).await.unwrap(), [], "a small one is deleted at once");
    assert_eq!(store.check(false).await.unwrap(), []);
    // In one transaction with a new beginning.
    let again = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("again")])).await;
    assert!(again.partition > first.partition, "a number is never given twice");
    assert_eq!((again.seq_before, again.seq_after), (0, 1));
    let sets = [
        fixtures.erasing(&ann, again.created.memories.clone()),
        fixtures.adding(&ann, vec![fixtures.fact("anew")]),
    ];
    let answers = store.commit(&sets).await.unwrap();
    let Ok(Outcome::Committed(anew)) = &answers[1] else { panic!("refused: {answers:?}") };
    assert!(anew.partition > again.partition);
    assert_eq!(store.partition_of(TenantId::DEFAULT, &ann).await.unwrap(), Some(anew.partition));
    assert_eq!(loaded(store, anew.partition).await.1.len(), 1);
    // A set without writes makes no owner.
    commit(store, &fixtures.set(&owner("nobody"))).await;
    assert_eq!(store.owners(TenantId::DEFAULT, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// From the commit on, no read by tenant finds anything of an erased owner, and other owners keep everything.
pub async fn an_erased_owner_is_found_by_no_read(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob) = (owner("ann"), owner("bob"));
    let partition = rich(store, &fixtures, &ann).await;
    let of_bob = rich(store, &fixtures, &bob).await;
    let before = loaded(store, of_bob).await;
    let ids: Vec<_> = loaded(store, partition).await.1.into_iter().map(|one| one.memory.id).collect();
    let sessions = store.sessions(partition, 0, 10).await.unwrap();
    let erased = commit(store, &erasing(store, &fixtures, &ann).await).await;
    assert!(erased.is_detached && erased.created.job.is_some());
    assert_eq!(erased.created.matched, 5);
    for id in ids {
        assert_eq!(store.memory(TenantId::DEFAULT, id).await.unwrap(), None);
    }
    assert_eq!(store.session(TenantId::DEFAULT, sessions[0].id).await.unwrap(), None);
    assert_eq!(store.partition_of(TenantId::DEFAULT, &ann).await.unwrap(), None);
    assert_eq!(store.owner_extent(TenantId::DEFAULT, &ann).await.unwrap(), None);
    let owners = store.owners(TenantId::DEFAULT, None, 10).await.unwrap();
    assert_eq!(owners.iter().map(|entry| &entry.owner).collect::<Vec<_>>(), [&bob]);
    let pending = store.partitions_with_pending("facts", None, 10).await.unwrap();
    assert_eq!(pending.iter().map(|entry| &entry.owner).collect::<Vec<_>>(), [&bob]);
    let agent = [(OwnerKind::Agent, name("agent"))];
    let reached = store.partitions_with(TenantId::DEFAULT, &agent, 10).await.unwrap();
    assert_eq!(reached.partitions, [of_bob]);
    assert_eq!(jobs(store).await, [Job::ERASE_OWNER, "facts"]);
    assert_eq!(store.detached_partitions(10).await.unwrap(), [(TenantId::DEFAULT, partition)]);
    // The owner begins anew while the old partition is being deleted.
    let anew = commit(store, &fixtures.saying(&ann, "s", &["d"])).await;
    assert!(anew.partition > of_bob);
    deleted(store, partition).await;
    assert_eq!(loaded(store, anew.partition).await.1.len(), 1);
    assert_eq!(loaded(store, of_bob).await, before);
}

/// The deletion takes a partition of any size in bounded steps, may be repeated, and never touches one that has an owner.
pub async fn an_erased_owner_is_deleted_in_steps(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let partition = rich(store, &fixtures, &ann).await;
    let many = (0..1_100).map(|number| fixtures.fact(&format!("fact {number}"))).collect();
    commit(store, &fixtures.adding(&ann, many)).await;
    let nothing = DetachedStep { memories: 0, is_done: true };
    assert_eq!(store.erase_detached(partition, START).await.unwrap(), nothing, "it has an owner");
    assert_eq!(loaded(store, partition).await.1.len(), 1_105);
    commit(store, &erasing(store, &fixtures, &ann).await).await;
    let (memories, steps) = deleted(store, partition).await;
    assert_eq!(memories, 1_105);
    assert!(steps > 4, "{steps} steps");
    assert_eq!(store.erase_detached(partition, START).await.unwrap(), nothing, "a repetition finds nothing");
    assert_eq!(store.detached_partitions(10).await.unwrap(), []);
    assert!(loaded(store, partition).await.1.is_empty());
    assert_eq!(store.recalls(partition, 10).await.unwrap(), []);
    assert_eq!(store.changes(partition, 0, 10).await.unwrap(), []);
    let again = commit(store, &fixtures.saying(&ann, "s", &["d"])).await;
    assert!(again.partition > partition, "the number of a deleted partition is never given again");
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// An erasure of an owner that has other memories than those that were confirmed is refused, and nothing is erased.
pub async fn an_owner_is_erased_as_confirmed_or_not_at_all(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let first = commit(store, &fixtures.adding(&ann, vec![fixtures.fact("one"), fixtures.fact("two")])).await;
    let set = erasing(store, &fixtures, &ann).await;
    // In one transaction: the look is at the state that the erasure finds.
    let mut swap = fixtures.adding(&ann, vec![fixtures.fact("three")]);
    swap.erasures = vec![first.created.memories[0]];
    let answers = store.commit(&[swap, set.clone()]).await.unwrap();
    assert_eq!(answers[1], Err(Refusal::OtherErasures), "as many, but another newest one");
    assert_eq!(loaded(store, first.partition).await.1.len(), 2);
    let outdated = erasing(store, &fixtures, &ann).await;
    commit(store, &erasing(store, &fixtures, &ann).await).await;
    assert_eq!(answer(store, &outdated).await, Err(Refusal::OtherErasures), "it is erased already");
}

/// A repeated request gets the first answer although its owner is gone, whichever erasure was the last.
pub async fn the_answer_to_an_erasure_outlives_its_owner(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let mut adding = fixtures.adding(&ann, vec![fixtures.fact("one"), fixtures.fact("two")]);
    adding.idempotency = Some(keyed_request(Operation::AddMemories, "k", 1));
    let added = commit(store, &adding).await.created.memories;
    let mut first = fixtures.erasing(&ann, vec![added[0]]);
    first.idempotency = Some(keyed_request(Operation::DeleteMemory, "k", 2));
    let first_answer = commit(store, &first).await.created;
    let mut second = fixtures.erasing(&ann, vec![added[1]]);
    second.idempotency = Some(keyed_request(Operation::DeleteMatching, "k", 3));
    let second_answer = commit(store, &second).await.created;
    let mut third = erasing(store, &fixtures, &ann).await;
    third.idempotency = Some(keyed_request(Operation::DeleteOwner, "k", 4));
    let third_answer = commit(store, &third).await.created;
    assert_eq!(third_answer.job, None, "there was nothing left");
    for _ in 0..2 {
        assert_eq!(answer(store, &first).await, Ok(Outcome::Repeated(first_answer.clone())));
        assert_eq!(answer(store, &second).await, Ok(Outcome::Repeated(second_answer.clone())));
        assert_eq!(answer(store, &third).await, Ok(Outcome::Repeated(third_answer.clone())));
        // The next pass is with an owner of the name again.
        commit(store, &fixtures.adding(&ann, vec![fixtures.fact("three")])).await;
    }
    let mut fourth = erasing(store, &fixtures, &ann).await;
    fourth.idempotency = Some(keyed_request(Operation::DeleteOwner, "another", 5));
    let fourth_answer = commit(store, &fourth).await.created;
    assert_eq!((fourth_answer.matched, fourth_answer.job.is_some()), (2, true));
    assert_eq!(answer(store, &fourth).await, Ok(Outcome::Repeated(fourth_answer)));
    adding.memories[0].memory.id = crate::domain::id::MemoryId(fixtures.id());
    adding.memories[1].memory.id = crate::domain::id::MemoryId(fixtures.id());
    assert!(
        matches!(answer(store, &adding).await, Ok(Outcome::Committed(_))),
        "its record went with what it made"
    );
    assert_eq!(store.check(false).await.unwrap(), []);
}

/// Recalls and usage that are recorded late leave nothing in the partition of an erased owner.
pub async fn a_late_record_leaves_no_trace_of_an_erased_owner(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    let partition = rich(store, &fixtures, &ann).await;
    commit(store, &erasing(store, &fixtures, &ann).await).await;
    let recall = |partition| RecallRecord {
        id: RecallId(fixtures.id()),
        partition,
        session: None,
        recalled_at: START,
        hits: Vec::new(),
    };
    store.record_recalls(&[recall(partition)], 10).await.unwrap();
    deleted(store, partition).await;
    store.record_recalls(&[recall(partition)], 10).await.unwrap();
    store.add_usage(partition, &[usage()]).await.unwrap();
    assert_eq!(store.recalls(partition, 10).await.unwrap(), []);
    assert_eq!(store.usage(TenantId::ERASED, Some(partition), 0).await.unwrap(), []);
}

/// Settings and jobs that name an owner without memories go with its erasure.
pub async fn names_of_an_owner_without_memories_are_erased_too(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let ann = owner("ann");
    store.put_setting("names", "ann, bob").await.unwrap();
    let bob = owner("bob");
    commit(store, &fixtures.adding(&bob, vec![fixtures.fact("bob's")])).await;
    store.enqueue(job_of(&fixtures, &ann)).await.unwrap();
    store.enqueue(job_of(&fixtures, &bob)).await.unwrap();
    let mut set = erasing(store, &fixtures, &ann).await;
    if let Some(erasure) = &mut set.erases_owner {
        erasure.settings.push(("names".to_owned(), "bob".to_owned()));
    }
    let erased = commit(store, &set).await;
    assert_eq!((erased.is_detached, erased.created.job), (false, None));
    assert_eq!(store.setting("names").await.unwrap().as_deref(), Some("bob"));
    assert_eq!(jobs(store).await, ["facts"]);
    let owners = store.owners(TenantId::DEFAULT, None, 10).await.unwrap();
    assert_eq!(owners.into_iter().map(|one| one.owner).collect::<Vec<_>>(), [bob]);
}

/// A job that is asked for just after the erasure of its owner leaves no name behind: it is answered as done. The same holds of
/// an owner whose last memory was erased, and of one that never was.
pub async fn a_job_of_an_owner_without_memories_is_done_and_not_stored(store: &dyn Store) {
    let fixtures = Fixtures::for_store(store).await.unwrap();
    let (ann, bob, carl) = (owner("ann"), owner("bob"), owner("carl"));
    let partition = rich(store, &fixtures, &ann).await;
    let created = commit(store, &fixtures.adding(&bob, vec![fixtures.fact("bob's")])).await.created;
    let keyed = |owner| Job { unique_key: Some("only".to_owned()), ..job_of(&fixtures, owner) };
    assert_eq!(store.enqueue(keyed(&bob)).await.unwrap().state, JobState::Waiting);
    commit(store, &erasing(store, &fixtures, &ann).await).await;
    commit(store, &fixtures.erasing(&bob, created.memories)).await;
    for erased in [&ann, &bob, &carl] {
        let asked = keyed(erased);
        let job = store.enqueue(asked.clone()).await.unwrap();
        assert_eq!((job.id, job.state), (asked.id, JobState::Done), "{erased}");
        assert_eq!(store.job(TenantId::DEFAULT, asked.id).await.unwrap(), None, "{erased}");
    }
    assert!(jobs(store).await.iter().all(|kind| kind == Job::ERASE_OWNER));
    deleted(store, partition).await;
}
