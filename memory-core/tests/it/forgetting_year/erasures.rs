//! Erasures in a year of use: by request, and by sweeps under the effect `delete`, with kills in the middle of them; and proof that
//! no recall, list, export or read finds anything of an erased memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use memory_core::domain::filter::Filter;
use memory_core::domain::forgotten::Effect;
use memory_core::domain::id::{JobId, MemoryId, TenantId};
use memory_core::error::Error;
use memory_core::memories::request::ListMemories;
use memory_core::recall::request::Recall;
use memory_core::store::{ForgottenFilter, ForgottenPlace, IndexSource as _, Jobs as _, Memories as _};
use memory_core::testing::fixtures::owner;
use memory_core::testing::{CALLER, TestEngine, question};

use super::ann;
use super::model::Swept;
use super::year::Year;

const MEMORIES_PER_PAGE: u32 = 500;
/// Erased memories whose texts are asked for after a sweep.
const ASKED_FOR: usize = 3;
const RECALL_LIMIT: u32 = 200;

/// Numbers of the marks in a text: each text of the year has one of its own.
fn marks(text: &str) -> BTreeSet<usize> {
    let number = |rest: &str| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    text.split("mark").skip(1).filter_map(number).collect()
}

async fn memories_of_ann(test: &TestEngine) -> u64 {
    let partition = test.store.partition_of(TenantId::DEFAULT, &owner("ann")).await.unwrap();
    test.store.extent(partition.unwrap()).await.unwrap().memories
}

/// Ids and texts of the memories on all pages of the list.
async fn listed(test: &TestEngine) -> BTreeMap<MemoryId, String> {
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let request = ListMemories {
            scope: ann(),
            filter: Filter::everything(),
            newest_first: false,
            limit: MEMORIES_PER_PAGE,
            after,
        };
        let page = test.engine.list(&CALLER, request).await.unwrap();
        all.extend(page.memories.into_iter().map(|memory| (memory.id, memory.text)));
        after = page.last;
        if !page.has_more {
            assert_eq!(page.total, all.len() as u64);
            return all;
        }
    }
}

/// Ids of the memories on all pages of the list of forgotten ones, with the beginnings of their texts.
async fn listed_forgotten(test: &TestEngine) -> BTreeMap<MemoryId, String> {
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let page = test
            .engine
            .forgotten(&CALLER, &ann(), ForgottenFilter::default(), after, MEMORIES_PER_PAGE)
            .await
            .unwrap();
        let last = page.last();
        after = last.map(|it| ForgottenPlace { recorded_at: it.record.recorded_at, memory: it.memory });
        all.extend(page.into_iter().map(|it| (it.memory, it.excerpt)));
        if after.is_none() {
            return all;
        }
    }
}

/// Ids in an export, and the marks of everything in it.
async fn exported(test: &TestEngine) -> (BTreeSet<MemoryId>, BTreeSet<usize>) {
    let (mut ids, mut found, mut after, mut sessions) = (BTreeSet::new(), BTreeSet::new(), None, Vec::new());
    loop {
        let page = test.engine.archive_page(&CALLER, &ann(), after, MEMORIES_PER_PAGE).await.unwrap();
        let read = test.engine.archived(&CALLER, &ann(), &page.ids, &mut sessions).await.unwrap();
        assert_eq!((read.unreadable, page.unreadable), (0, 0));
        for one in &read.memories {
            ids.insert(one.memory.id);
            found.append(&mut marks(&format!("{one:?}")));
        }
        after = page.last;
        if !page.has_more {
            return (ids, found);
        }
    }
}

impl Year {
    pub(super) fn erase(&mut self) {
        let id = self.some_memory();
        let expected = self.model.closure(id);
        let erased = self.life.run(async |test| test.engine.erase(&CALLER, id, None).await.unwrap());
        assert_eq!(erased.into_iter().collect::<BTreeSet<_>>(), expected, "{}", self.what);
        self.erased(&expected);
        self.events.erased += 1;
    }

    /// Takes erased memories out of the model.
    pub(super) fn erased(&mut self, ids: &BTreeSet<MemoryId>) {
        for id in ids {
            let item = self.model.items.remove(id).unwrap();
            self.gone.insert(*id, item.text);
        }
        for (_, evidence) in &mut self.recalls {
            evidence.retain(|id, _| !ids.contains(id));
        }
        self.recalls.retain(|(_, evidence)| !evidence.is_empty());
    }

    /// True if the memory waits for its erasure.
    pub(super) fn is_in_grace(&self, id: MemoryId) -> bool {
        let record = self.model.items[&id].record.as_ref();
        self.model.rules.effect == Some(Effect::Delete)
            && record.is_some_and(|record| record.effect == Effect::Delete)
    }

    /// Counts what a sweep does about grace periods.
    pub(super) fn count_grace(&mut self, swept: &Swept) {
        let deletes = |id: &MemoryId| {
            let wanted = swept.records[id].as_ref();
            wanted.is_some_and(|record| record.effect == Effect::Delete)
        };
        let had = |id: &MemoryId| {
            let record = self.model.items[id].record.as_ref();
            record.is_some_and(|record| record.effect == Effect::Delete)
        };
        self.events.let_off += swept.records.keys().filter(|id| had(id) && !deletes(id)).count();
        self.events.swept_away += swept.erased.len();
        self.events.waited += swept.due.difference(&swept.erased).count();
    }

    /// Kills the engine some time after the request of a sweep; of one that erases, at once or as soon as something is erased.
    pub(super) fn kill_in_sweep(&mut self, job: JobId, swept: &Swept) {
        let erases = swept.erased.len() as u64;
        if erases > 0 && self.rng.chance(50) {
            let (before, patience) = (self.model.items.len() as u64, super::PATIENCE);
            let left = self.life.run(async |test| {
                let begun = async {
                    loop {
                        let left = memories_of_ann(test).await;
                        let job = test.store.job(TenantId::DEFAULT, job).await.unwrap().unwrap();
                        if left < before || job.state.is_over() {
                            break left;
                        }
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(patience, begun).await.unwrap()
            });
            self.events.half_erased += usize::from(left > before - erases);
        } else {
            let wait = Duration::from_micros(u64::try_from(self.rng.below(20_000)).unwrap());
            self.life.run(async |_| tokio::time::sleep(wait).await);
        }
        self.life.kill();
        self.events.kills += 1;
    }

    /// Nothing of an erased memory is in lists, exports and the answers of recalls, and all of the others is.
    pub(super) fn assert_that_erased_are_nowhere(&mut self) {
        let asked: Vec<(MemoryId, String)> = {
            let all: Vec<_> = self.gone.iter().collect();
            let some = (0..ASKED_FOR.min(all.len())).map(|_| *self.rng.pick(&all));
            some.map(|(id, text)| (*id, text.clone())).collect()
        };
        let (what, items) = (&self.what, &self.model.items);
        let texts: BTreeMap<MemoryId, String> =
            items.iter().map(|(id, item)| (*id, item.text.clone())).collect();
        let recorded: BTreeMap<MemoryId, String> = texts
            .iter()
            .filter(|(id, _)| items[*id].record.is_some())
            .map(|(id, text)| (*id, text.clone()))
            .collect();
        let present: BTreeSet<usize> = texts.values().flat_map(|text| marks(text)).collect();
        self.life.run(async |test| {
            assert_eq!(listed(test).await, texts, "{what}");
            assert_eq!(listed_forgotten(test).await, recorded, "{what}");
            assert_eq!(exported(test).await, (texts.keys().copied().collect(), present.clone()), "{what}");
            for (id, text) in &asked {
                let read = test.engine.memory(&CALLER, *id).await;
                assert!(matches!(read, Err(Error::NotFound { .. })), "{what}: {read:?}");
                let versions = test.engine.history(&CALLER, *id).await;
                assert!(matches!(versions, Err(Error::NotFound { .. })), "{what}: {versions:?}");
                let recall = Recall {
                    limit: RECALL_LIMIT,
                    include_forgotten: true,
                    include_superseded: true,
                    reinforce: Some(false),
                    ..question(&ann(), text)
                };
                let recalled = test.engine.recall(&CALLER, recall).await.unwrap();
                assert!(recalled.memories.iter().all(|one| texts.contains_key(&one.memory.id)), "{what}");
                let mut told = marks(&recalled.context.text);
                told.extend(recalled.memories.iter().flat_map(|one| marks(&one.memory.text)));
                assert!(told.is_subset(&present), "{what}: {told:?}");
            }
        });
    }
}
