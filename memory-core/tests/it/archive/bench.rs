//! A store that changes in random steps, its archive, and the import of an archive into it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use memory_core::archive::request::{Archived, MemoryToRestore, RestoreMemories};
use memory_core::domain::change::{ChangeSet, Forgetting, Pin};
use memory_core::domain::derivation::Source;
use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::{MemoryId, TenantId};
use memory_core::domain::memory::Memory;
use memory_core::domain::restoration::{Restored, RestoredTurn};
use memory_core::domain::scope::Scope;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::UtcOffset;
use memory_core::memories::request::Edit;
use memory_core::retention::Policy;
use memory_core::store::{Derivations as _, Erasures as _, Memories as _};
use memory_core::testing::fixtures::{Fixtures, forgotten, link, name, owner, revised, touch};
use memory_core::testing::{CALLER, START, TestEngine, fact, memories, turn, turns, user};
use proptest::prelude::*;

/// An engine with the archive of ann, in a directory of its own.
pub(super) struct Bench {
    _directory: tempfile::TempDir,
    pub(super) test: TestEngine,
    pub(super) fixtures: Fixtures,
    /// Memories that were written, erased ones included.
    pub(super) ids: Vec<MemoryId>,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let test = TestEngine::open(directory.path()).await.unwrap();
        // So that archives have cosines.
        let policy = Policy { surprise_gain: 4.0, ..Policy::default() };
        test.engine.set_forgetting_policy(&CALLER, &ann(), Some(policy)).await.unwrap();
        let fixtures = Fixtures::default();
        // The engine counts its ids from 0 too.
        for _ in 0..10_000 {
            fixtures.id();
        }
        Self { _directory: directory, test, fixtures, ids: Vec::new() }
    }

    pub(super) fn set(&self) -> ChangeSet {
        ChangeSet::new(TenantId::DEFAULT, owner("ann"), START)
    }

    pub(super) async fn present(&self, id: MemoryId) -> Option<Memory> {
        let stored = self.test.store.memory(TenantId::DEFAULT, id).await.unwrap();
        stored.filter(|stored| stored.owner == owner("ann")).map(|stored| stored.memory)
    }

    /// Existing memory by a number.
    pub(super) async fn pick(&self, number: usize) -> Option<Memory> {
        for at in 0..self.ids.len() {
            let id = self.ids[(number + at) % self.ids.len()];
            if let Some(memory) = self.present(id).await {
                return Some(memory);
            }
        }
        None
    }

    pub(super) async fn sources(&self, numbers: &[usize]) -> Vec<Source> {
        let mut sources = Vec::new();
        for number in numbers {
            let Some(memory) = self.pick(*number).await else { continue };
            let turn =
                memory.origin.as_ref().filter(|_| number.is_multiple_of(2)).map(|it| Source::Turn(it.turn));
            let source = turn.unwrap_or(Source::Memory(memory.id));
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }

    pub(super) async fn say(&mut self, number: usize, count: usize) {
        let session = format!("s{}", number % 3);
        let said = (0..count).map(|at| {
            let mut turn = turn(Role::User, &format!("words {} of turn", (number + at) % 7), START);
            match number % 3 {
                0 => turn.key = Some(name(&format!("k{number}-{at}"))),
                1 => turn.position = Some(u32::try_from(number * 10 + at).unwrap()),
                _ => {}
            }
            turn.participants = vec![name("bob")];
            turn.utc_offset = UtcOffset::from_minutes(480);
            turn
        });
        let request = turns(&ann(), &session, said.collect()).unwrap();
        self.ids.extend(self.test.engine.remember_turns(&CALLER, request).await.unwrap().memories);
    }

    pub(super) async fn tell(&mut self, number: usize) {
        let mut new = fact(&format!("fact number {}", number % 5));
        new.key = (number.is_multiple_of(2)).then(|| name(&format!("fact-{number}")));
        new.audience = vec![name("bob")];
        new.importance = Some(0.1);
        let request = memories(&ann(), vec![new]);
        self.ids.extend(self.test.engine.remember_memories(&CALLER, request).await.unwrap().memories);
    }

    pub(super) async fn derive(&mut self, number: usize, of: &[usize]) {
        let sources = self.sources(of).await;
        if sources.is_empty() {
            return;
        }
        let mut new = self.fixtures.fact(&format!("derived {number}"));
        new.rows.iter_mut().for_each(|row| row.vector = None);
        let new = self.fixtures.made_of(new, &sources);
        self.ids.push(new.memory.id);
        self.test.commit(ChangeSet { memories: vec![new], ..self.set() }).await.unwrap();
    }

    pub(super) async fn rethink(&self, number: usize, of: &[usize]) {
        let sources = self.sources(of).await;
        if let (Some(memory), false) = (self.pick(number).await, sources.is_empty()) {
            let mut revision = revised(&memory, None);
            revision.memory.tags = vec![name(&format!("tag{number}"))];
            let revision = self.fixtures.revised_from(revision, &sources);
            self.test.commit(ChangeSet { revisions: vec![revision], ..self.set() }).await.unwrap();
        }
    }

    pub(super) async fn edit(&self, number: usize, edit: Edit) {
        if let Some(memory) = self.pick(number).await {
            self.test.engine.edit(&CALLER, memory.id, edit, None).await.unwrap();
        }
    }

    pub(super) async fn link(&self, from: usize, to: usize) {
        if let (Some(from), Some(to)) = (self.pick(from).await, self.pick(to).await)
            && from.id != to.id
        {
            let links = Some(vec![link(to.id, "supports", 0.3)]);
            let edit = Edit { links, ..Edit::default() };
            self.test.engine.edit(&CALLER, from.id, edit, None).await.unwrap();
        }
    }

    pub(super) async fn run(&mut self, step: &Step) {
        self.test.clock.advance_micros(1_234_567);
        match step {
            Step::Say(number, count) => self.say(*number, *count).await,
            Step::Tell(number) => self.tell(*number).await,
            Step::Derive(number, of) => self.derive(*number, of).await,
            Step::Rethink(number, of) => self.rethink(*number, of).await,
            Step::Edit(number) => {
                let text = Some(format!("edited {number}"));
                self.edit(*number, Edit { text, ..Edit::default() }).await;
            }
            Step::Link(from, to) => self.link(*from, *to).await,
            Step::Erase(number) => {
                if let Some(memory) = self.pick(*number).await {
                    self.test.engine.erase(&CALLER, memory.id, None).await.unwrap();
                }
            }
            Step::Touch(number) => {
                if let Some(memory) = self.pick(*number).await {
                    let day = i64::try_from(*number % 9).unwrap();
                    let touches = vec![touch(memory.id, day)];
                    self.test.commit(ChangeSet { touches, ..self.set() }).await.unwrap();
                }
            }
            Step::Pin(number) => {
                if let Some(memory) = self.pick(*number).await {
                    let pins = vec![Pin { memory: memory.id, pinned: !number.is_multiple_of(3) }];
                    self.test.commit(ChangeSet { pins, ..self.set() }).await.unwrap();
                }
            }
            Step::Forget(number) => {
                if let Some(memory) = self.pick(*number).await {
                    let effect = Effect::ALL[*number % Effect::ALL.len()];
                    let forgettings = vec![Forgetting { memory: memory.id, record: forgotten(effect, 2) }];
                    self.test.commit(ChangeSet { forgettings, ..self.set() }).await.unwrap();
                }
            }
        }
    }

    pub(super) async fn archive(&self) -> Vec<Archived> {
        archive(&self.test, &ann()).await
    }

    /// Restores memories in batches, once.
    pub(super) async fn restore(
        &self,
        scope: &Scope,
        archived: &[Archived],
        batch: usize,
        again: bool,
    ) -> Vec<Restored> {
        let mut restored = Vec::new();
        for some in archived.chunks(batch) {
            let memories = some.iter().map(to_restore).collect();
            let request = RestoreMemories { scope: scope.clone(), memories, again, checked_at: None };
            restored.extend(self.test.engine.restore_memories(&CALLER, request).await.unwrap());
        }
        restored
    }

    /// Closure of the erasure of each memory of ann.
    pub(super) async fn closures(&self) -> Vec<BTreeSet<MemoryId>> {
        let partition = self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
        let Some(partition) = partition else { return Vec::new() };
        let mut closures = Vec::new();
        for one in self.archive().await {
            let root = [one.memory.id];
            let closure = self.test.store.erasure_closure(partition, &root, &[], 10_000);
            closures.push(closure.await.unwrap().unwrap().into_iter().collect());
        }
        closures
    }

    pub(super) async fn last_change(&self) -> u64 {
        let partition = self.test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
        match partition {
            Some(partition) => self.test.store.last_change(partition).await.unwrap(),
            None => 0,
        }
    }

    pub(super) async fn is_sound(&self) {
        let report = self.test.engine.check(&CALLER, false).await.unwrap();
        assert!(report.damage.is_empty(), "{:?}", report.damage);
    }
}

pub(super) fn ann() -> Scope {
    user("ann").unwrap()
}

/// Archive of a scope, without what an import counts anew: ordinals of sessions, and lengths in tokens.
pub(crate) async fn archive(test: &TestEngine, scope: &Scope) -> Vec<Archived> {
    let (mut all, mut after, mut sessions) = (Vec::new(), None, Vec::new());
    loop {
        let page = test.engine.archive_page(&CALLER, scope, after, 3).await.unwrap();
        let read = test.engine.archived(&CALLER, scope, &page.ids, &mut sessions).await.unwrap();
        assert_eq!(read.unreadable, 0);
        all.extend(read.memories);
        after = page.ids.last().copied();
        if !page.has_more {
            break;
        }
    }
    for one in &mut all {
        for version in one.earlier.iter_mut().chain([&mut one.memory]) {
            version.tokens = 0;
            version.origin.iter_mut().for_each(|origin| origin.session_ordinal = 0);
        }
        one.turn.iter_mut().for_each(|(_, session)| session.ordinal = 0);
    }
    all
}

pub(crate) fn to_restore(archived: &Archived) -> MemoryToRestore {
    let Archived { memory, key, turn, is_pending, earlier, derivations } = archived.clone();
    let turn = turn.map(|(turn, session)| RestoredTurn {
        turn,
        session_key: session.key,
        session: session.id,
        started_at: session.started_at,
        session_recorded_at: session.recorded_at,
        is_pending,
    });
    MemoryToRestore { strength: Some(memory.strength.strength), memory, key, turn, earlier, derivations }
}

/// Step in the life of a store.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Say(usize, usize),
    Tell(usize),
    Derive(usize, Vec<usize>),
    Rethink(usize, Vec<usize>),
    Edit(usize),
    Link(usize, usize),
    Erase(usize),
    Touch(usize),
    Pin(usize),
    Forget(usize),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let number = 0_usize..40;
    let some = prop::collection::vec(0_usize..40, 1..4);
    prop_oneof![
        3 => (number.clone(), 1_usize..4).prop_map(|(number, count)| Step::Say(number, count)),
        2 => number.clone().prop_map(Step::Tell),
        4 => (number.clone(), some.clone()).prop_map(|(number, of)| Step::Derive(number, of)),
        3 => (number.clone(), some).prop_map(|(number, of)| Step::Rethink(number, of)),
        2 => number.clone().prop_map(Step::Edit),
        2 => (number.clone(), number.clone()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => number.clone().prop_map(Step::Erase),
        1 => number.clone().prop_map(Step::Touch),
        1 => number.clone().prop_map(Step::Pin),
        1 => number.prop_map(Step::Forget),
    ]
}

impl Bench {
    /// Another fact, so that the owner has a memory left.
    pub(super) async fn tell_other(&self) {
        let request = memories(&ann(), vec![fact("another fact")]);
        self.test.engine.remember_memories(&CALLER, request).await.unwrap();
    }
}
