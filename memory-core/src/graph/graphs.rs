//! Graphs of partitions in memory: loaded when they are asked for, brought up to date from the change log at each use, and
//! evicted under a budget.
//!
//! Invariant: a graph that is handed out has every change that was committed before it was asked for. Edges of a memory
//! change only with an entry of the change log for it, so that only the memories of new entries are read again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::partition_graph::PartitionGraph;
use crate::domain::id::{MemoryId, PartitionId};
use crate::error::Error;
use crate::store::{ChangeOp, Store, StoreError};

/// Memories that are read at once during a load.
const MEMORIES_PER_PAGE: u32 = 2_048;
/// Entries of the change log that are read at once.
const ENTRIES_PER_PAGE: u32 = 2_048;
/// Changes up to which a graph is brought up to date in any case.
const FEW_CHANGES: u64 = 1_024;
/// Share of the memories up to which it is: one in so many. With more changes the graph is loaded anew.
const CHANGED_SHARE: u64 = 8;
/// Times that a load or an update looks for what was committed meanwhile.
const MAX_ROUNDS: usize = 8;

/// Graphs of partitions.
#[derive(Debug)]
pub(crate) struct Graphs {
    cache: Arc<Cache>,
}

#[derive(Debug)]
struct Cache {
    store: Arc<dyn Store>,
    slots: Mutex<Slots>,
    budget_bytes: usize,
    uses: AtomicU64,
}

/// The slots with their total size, behind one lock so that the total is always the sum.
#[derive(Debug, Default)]
struct Slots {
    by_id: HashMap<PartitionId, Arc<Slot>>,
    total_bytes: usize,
}

impl Slots {
    fn remove(&mut self, partition: PartitionId) -> Option<Arc<Slot>> {
        let removed = self.by_id.remove(&partition)?;
        self.total_bytes -= removed.bytes.load(Ordering::Relaxed);
        Some(removed)
    }
}

/// A partition whose graph is loaded or being loaded.
#[derive(Debug, Default)]
struct Slot {
    graph: RwLock<Option<Arc<PartitionGraph>>>,
    /// Held by the one load or update.
    updating: tokio::sync::Mutex<()>,
    bytes: AtomicUsize,
    last_used: AtomicU64,
}

impl Graphs {
    /// Graphs over a store, within a number of bytes together.
    pub(crate) fn new(store: Arc<dyn Store>, budget_bytes: usize) -> Self {
        let (slots, uses) = (Mutex::default(), AtomicU64::new(0));
        Self { cache: Arc::new(Cache { store, slots, budget_bytes, uses }) }
    }

    /// Graph of a partition, with all changes committed so far. One load serves all callers, and goes on without them.
    ///
    /// # Errors
    /// [`Error::OverLimit`] if the graph is larger than the budget, and failures of the store.
    pub(crate) async fn of(&self, partition: PartitionId) -> Result<Arc<PartitionGraph>, Error> {
        let slot = self.cache.touch(partition);
        let last = self.cache.store.extent(partition).await?.last_seq;
        if let Some(graph) = slot.at(last) {
            return Ok(graph);
        }
        let cache = Arc::clone(&self.cache);
        let update = tokio::spawn(async move {
            let _one = slot.updating.lock().await;
            let graph = match slot.at(last) {
                Some(graph) => graph,
                None => {
                    let updated = cache.updated(partition, slot.take()).await;
                    let graph = updated.inspect_err(|_| cache.remove(partition))?;
                    *slot.graph.write() = Some(Arc::clone(&graph));
                    cache.measure(partition, &slot, graph.bytes());
                    graph
                }
            };
            Ok(graph)
        });
        update
            .await
            .unwrap_or_else(|_| Err(Error::Store(StoreError::Unavailable("the load of a graph".into()))))
    }

    /// Drops the graph of a partition, whose owner was erased.
    pub(crate) fn forget(&self, partition: PartitionId) {
        self.cache.remove(partition);
    }

    /// Bytes of all graphs in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.cache.slots.lock().total_bytes
    }
}

impl Slot {
    /// The graph, if it has the changes up to a number.
    fn at(&self, last: u64) -> Option<Arc<PartitionGraph>> {
        self.graph.read().as_ref().filter(|graph| graph.seq() >= last).map(Arc::clone)
    }

    fn take(&self) -> Option<Arc<PartitionGraph>> {
        self.graph.write().take()
    }
}

impl Cache {
    fn touch(&self, partition: PartitionId) -> Arc<Slot> {
        let slot = Arc::clone(self.slots.lock().by_id.entry(partition).or_default());
        slot.last_used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        slot
    }

    fn remove(&self, partition: PartitionId) {
        let removed = self.slots.lock().remove(partition);
        drop(removed);
    }

    /// Notes the size of a graph, and evicts those that were used least recently until all fit.
    fn measure(&self, partition: PartitionId, slot: &Slot, bytes: usize) {
        let mut slots = self.slots.lock();
        // It may have been evicted meanwhile.
        if !slots.by_id.get(&partition).is_some_and(|kept| std::ptr::eq(&raw const **kept, slot)) {
            return;
        }
        let before = slot.bytes.swap(bytes, Ordering::Relaxed);
        slots.total_bytes = slots.total_bytes - before + bytes;
        let mut evicted = Vec::new();
        while slots.total_bytes > self.budget_bytes {
            let others = slots.by_id.iter().filter(|(id, _)| **id != partition);
            let loaded = others.filter(|(_, slot)| slot.bytes.load(Ordering::Relaxed) > 0);
            let oldest =
                loaded.min_by_key(|(_, slot)| slot.last_used.load(Ordering::Relaxed)).map(|(id, _)| *id);
            let Some(oldest) = oldest else { break };
            evicted.extend(slots.remove(oldest));
        }
        drop(slots);
        // Dropped after the lock is released: large graphs take their time.
        drop(evicted);
    }

    /// The graph with all changes, from an earlier one if that is not too old.
    async fn updated(
        &self,
        partition: PartitionId,
        earlier: Option<Arc<PartitionGraph>>,
    ) -> Result<Arc<PartitionGraph>, Error> {
        let mut graph = match earlier {
            Some(earlier) => earlier,
            None => Arc::new(self.loaded(partition).await?),
        };
        for _ in 0..MAX_ROUNDS {
            let last = self.store.extent(partition).await?.last_seq;
            if last == graph.seq() {
                break;
            }
            let memories = u64::try_from(graph.memories()).unwrap_or(u64::MAX);
            let bound = FEW_CHANGES.max(memories / CHANGED_SHARE);
            let is_near = last.checked_sub(graph.seq()).is_some_and(|behind| behind <= bound);
            if !is_near || graph.is_worn() {
                drop(graph);
                graph = Arc::new(self.loaded(partition).await?);
                continue;
            }
            // Readers keep the graph that they have: it is copied if there are any.
            self.replay(partition, Arc::make_mut(&mut graph)).await?;
        }
        Ok(graph)
    }

    /// The graph as it is read from the store. Changes during the read have larger numbers, and are replayed.
    async fn loaded(&self, partition: PartitionId) -> Result<PartitionGraph, Error> {
        let seq = self.store.extent(partition).await?.last_seq;
        let mut graph = PartitionGraph::default();
        let mut after = None;
        loop {
            let page = self.store.node_page(partition, after, MEMORIES_PER_PAGE).await?;
            page.nodes.iter().for_each(|node| graph.put(node));
            self.check_size(&graph)?;
            after = page.last;
            if after.is_none() {
                break;
            }
        }
        graph.set_seq(seq);
        Ok(graph)
    }

    /// Replays the change log from the graph's number on, up to its end.
    async fn replay(&self, partition: PartitionId, graph: &mut PartitionGraph) -> Result<(), Error> {
        loop {
            let entries = self.store.changes(partition, graph.seq(), ENTRIES_PER_PAGE).await?;
            let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(()) };
            // A touch changes nothing that a node has.
            let seen = entries.iter().filter(|entry| entry.op != ChangeOp::Touch);
            let mut changed: BTreeSet<MemoryId> = seen.map(|entry| entry.memory).collect();
            let ids: Vec<MemoryId> = changed.iter().copied().collect();
            let nodes = self.store.nodes(partition, &ids).await?;
            for node in &nodes {
                changed.remove(&node.id);
            }
            // Erased, or not readable any more.
            changed.iter().for_each(|id| graph.erase(*id));
            nodes.iter().for_each(|node| graph.put(node));
            self.check_size(graph)?;
            graph.set_seq(last);
            if entries.len() < ENTRIES_PER_PAGE as usize {
                return Ok(());
            }
        }
    }

    fn check_size(&self, graph: &PartitionGraph) -> Result<(), Error> {
        if graph.bytes() <= self.budget_bytes {
            return Ok(());
        }
        let limit = u64::try_from(self.budget_bytes).unwrap_or(u64::MAX);
        Err(Error::OverLimit { field: "scope".to_owned(), what: "the size of a graph in bytes", limit })
    }
}
