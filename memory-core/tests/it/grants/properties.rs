//! Random grants, revocations, edits, erasures and times: a recall of each principal returns exactly what a naive model
//! allows. `make test-long` tries more seeds.

use std::collections::BTreeMap;

use memory_core::domain::grant::Selection;
use memory_core::domain::id::{GrantId, MemoryId, TenantId};
use memory_core::domain::scope::{Caller, Scope};
use memory_core::domain::time::Timestamp;
use memory_core::grants::request::GiveGrant;
use memory_core::memories::request::Edit;
use memory_core::recall::request::Recall;
use memory_core::testing::fixtures::name;
use memory_core::testing::rng::Rng;
use memory_core::testing::seeds::seeds;
use memory_core::testing::{CALLER, START, fact, memories, question, user};
use std::collections::BTreeSet;

use super::{Ann, giving};

const PEOPLE: [&str; 3] = ["ann", "bob", "eve"];
const TAGS: [&str; 3] = ["x", "y", "z"];
const STEPS: usize = 60;

/// Memory of the model.
struct Known {
    tenant: usize,
    owner: &'static str,
    tags: BTreeSet<&'static str>,
    is_confided: bool,
}

/// Grant of the model: memories by id, or a tag.
struct Given {
    tenant: usize,
    giver: &'static str,
    grantee: &'static str,
    ids: BTreeSet<MemoryId>,
    tag: Option<&'static str>,
    until: Option<Timestamp>,
}

#[derive(Default)]
struct Model {
    memories: BTreeMap<MemoryId, Known>,
    grants: BTreeMap<GrantId, Given>,
}

impl Model {
    fn ids_of(&self, tenant: usize, owner: &str) -> Vec<MemoryId> {
        let of_owner = self.memories.iter().filter(|(_, one)| one.tenant == tenant && one.owner == owner);
        of_owner.map(|(id, _)| *id).collect()
    }

    fn sees(&self, tenant: usize, reader: &str, now: Timestamp) -> BTreeSet<MemoryId> {
        let visible = self.memories.iter().filter(|(id, memory)| {
            let is_granted = self.grants.values().any(|grant| {
                (grant.tenant, grant.giver, grant.grantee) == (tenant, memory.owner, reader)
                    && grant.until.is_none_or(|until| until > now)
                    && (grant.ids.contains(id)
                        || !memory.is_confided && grant.tag.is_some_and(|tag| memory.tags.contains(tag)))
            });
            memory.tenant == tenant && (memory.owner == reader || is_granted)
        });
        visible.map(|(id, _)| *id).collect()
    }

    /// Without the grants of owners that have no memory left.
    fn forget_empty(&mut self, tenant: usize, owner: &str) {
        if self.ids_of(tenant, owner).is_empty() {
            self.grants.retain(|_, grant| (grant.tenant, grant.giver) != (tenant, owner));
        }
    }
}

fn callers() -> [Caller; 2] {
    [CALLER, Caller { tenant: TenantId(uuid::Uuid::from_u128(7)), ..CALLER }]
}

fn scope(who: &str) -> Scope {
    user(who).unwrap()
}

#[tokio::test]
async fn a_recall_returns_exactly_what_the_grants_allow() {
    for seed in seeds(4, 60) {
        let mut rng = Rng::new(seed);
        let (ann, mut model) = (Ann::new().await, Model::default());
        for step in 0..STEPS {
            change(&mut rng, &ann, &mut model, step).await;
            for (tenant, caller) in callers().iter().enumerate() {
                let who = *rng.pick(&PEOPLE);
                let asked = Recall { limit: 200, ..question(&scope(who), "word") };
                let recalled = ann.test.engine.recall(caller, asked).await.unwrap();
                let found: BTreeSet<MemoryId> = recalled.memories.iter().map(|one| one.memory.id).collect();
                let expected = model.sees(tenant, who, now(&ann));
                assert_eq!(found, expected, "seed {seed}, step {step}, {who} of tenant {tenant}");
                for one in recalled.memories {
                    let known = &model.memories[&one.memory.id];
                    let granted = one.granted.map(|granted| granted.owner.id.to_string());
                    assert_eq!(granted.as_deref(), (known.owner != who).then_some(known.owner));
                }
            }
        }
    }
}

fn now(ann: &Ann) -> Timestamp {
    use memory_core::domain::clock::Clock as _;
    ann.test.clock.now()
}

async fn change(rng: &mut Rng, ann: &Ann, model: &mut Model, step: usize) {
    let tenant = usize::from(rng.chance(30));
    let caller = callers()[tenant];
    let engine = &ann.test.engine;
    let who = *rng.pick(&PEOPLE);
    let ids = model.ids_of(tenant, who);
    match rng.below(10) {
        0..=3 => {
            let mut new = fact(&format!("word {step}"));
            let tags: BTreeSet<&str> = (0..rng.below(3)).map(|_| *rng.pick(&TAGS)).collect();
            new.tags = tags.iter().map(|tag| name(tag)).collect();
            let is_confided = rng.chance(20);
            new.audience = if is_confided { vec![name("carl")] } else { Vec::new() };
            let added = engine.remember_memories(&caller, memories(&scope(who), vec![new])).await.unwrap();
            model.memories.insert(added.memories[0], Known { tenant, owner: who, tags, is_confided });
        }
        4..=6 if !ids.is_empty() => {
            let grantee = *rng.pick(&PEOPLE);
            if grantee == who {
                return;
            }
            let named: BTreeSet<MemoryId> = (0..=rng.below(3)).map(|_| *rng.pick(&ids)).collect();
            let tag = rng.chance(50).then(|| *rng.pick(&TAGS));
            let selection = match tag {
                Some(tag) => Selection::Tag(name(tag)),
                None => Selection::Memories(named.iter().copied().collect()),
            };
            let until = rng.chance(30).then(|| now(ann).plus_micros(1 + rng.below(40) as i64));
            let request = GiveGrant { expires_at: until, ..giving(who, &scope(grantee), selection) };
            let (grant, _) = engine.give_grant(&caller, request).await.unwrap();
            let ids = if tag.is_some() { BTreeSet::new() } else { named };
            model.grants.insert(grant.id, Given { tenant, giver: who, grantee, ids, tag, until });
        }
        7 => {
            let given: Vec<GrantId> = model.grants.keys().copied().collect();
            if let Some(id) = (!given.is_empty()).then(|| *rng.pick(&given)) {
                let revoked = engine.revoke_grant(&callers()[model.grants[&id].tenant], id).await;
                revoked.unwrap();
                model.grants.remove(&id);
            }
        }
        8 if !ids.is_empty() => {
            let id = *rng.pick(&ids);
            if rng.chance(50) {
                engine.erase(&caller, id, None).await.unwrap();
                model.memories.remove(&id);
                model.forget_empty(tenant, who);
            } else {
                let tags: BTreeSet<&str> = (0..rng.below(3)).map(|_| *rng.pick(&TAGS)).collect();
                let edit = Edit { tags: Some(tags.iter().map(|tag| name(tag)).collect()), ..Edit::default() };
                engine.edit(&caller, id, edit, None).await.unwrap();
                model.memories.get_mut(&id).unwrap().tags = tags;
            }
        }
        9 if rng.chance(40) => {
            let preview = engine.preview_owner_erasure(&caller, &scope(who)).await.unwrap();
            engine.erase_owner(&caller, &scope(who), &preview.confirmation, None).await.unwrap();
            model.memories.retain(|_, one| (one.tenant, one.owner) != (tenant, who));
            model.grants.retain(|_, one| one.tenant != tenant || one.giver != who && one.grantee != who);
        }
        _ => ann.test.clock.advance_micros(1 + rng.below(30) as i64),
    }
    assert!(now(ann) >= START);
}
