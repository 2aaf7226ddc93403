//! Index around another one that a test can let answer otherwise, fail or hang, at the operations that its hooks name.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::id::{MemoryId, PartitionId};
use crate::index::{
    Answer, Association, ErasureGuard, Index, IndexError, IndexQuery, Inspection, Nearest, TurnPosition,
    Update, View,
};

/// What a test changes of an index. Hooks that are left out change nothing.
#[async_trait]
pub trait Hooks: Send + Sync + Debug {
    /// Answer to a search, in place of that of the inner index.
    fn answer(&self, found: Answer) -> Answer {
        found
    }

    /// Called before a search for nearest memories, which fails with the error.
    async fn before_nearest(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// Called before an update is applied, which fails with the error.
    async fn before_apply(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// Called before a partition is cleared.
    fn before_clear_partition(&self) {}
}

/// Index with hooks: all else is done by the inner one.
#[derive(Debug)]
pub struct HookedIndex<I: ?Sized, H> {
    /// Index that does the work.
    pub inner: Arc<I>,
    /// Hooks.
    pub hooks: H,
}

#[async_trait]
impl<I: Index + ?Sized, H: Hooks> Index for HookedIndex<I, H> {
    async fn ready(&self, partition: PartitionId) -> Result<(), IndexError> {
        self.inner.ready(partition).await
    }

    async fn search(&self, partition: PartitionId, query: &IndexQuery) -> Result<Answer, IndexError> {
        self.inner.search(partition, query).await.map(|found| self.hooks.answer(found))
    }

    async fn inspect(
        &self,
        partition: PartitionId,
        memory: MemoryId,
        query: &IndexQuery,
    ) -> Result<Option<Inspection>, IndexError> {
        self.inner.inspect(partition, memory, query).await
    }

    async fn nearest(
        &self,
        partition: PartitionId,
        vectors: &[Arc<[f32]>],
        view: &View,
        k: usize,
    ) -> Result<Vec<Vec<Nearest>>, IndexError> {
        self.hooks.before_nearest().await?;
        self.inner.nearest(partition, vectors, view, k).await
    }

    async fn associations(
        &self,
        partition: PartitionId,
        seeds: &[MemoryId],
        among: &[MemoryId],
    ) -> Result<Vec<Association>, IndexError> {
        self.inner.associations(partition, seeds, among).await
    }

    async fn turns_at(
        &self,
        partition: PartitionId,
        positions: &[TurnPosition],
        view: &View,
    ) -> Result<Vec<(TurnPosition, MemoryId)>, IndexError> {
        self.inner.turns_at(partition, positions, view).await
    }

    async fn contradictions(
        &self,
        partition: PartitionId,
        memories: &[MemoryId],
        view: &View,
    ) -> Result<Vec<(MemoryId, MemoryId)>, IndexError> {
        self.inner.contradictions(partition, memories, view).await
    }

    async fn begin_erasure(&self, partition: PartitionId) -> Result<ErasureGuard, IndexError> {
        self.inner.begin_erasure(partition).await
    }

    async fn apply(&self, partition: PartitionId, update: Update) -> Result<(), IndexError> {
        self.hooks.before_apply().await?;
        self.inner.apply(partition, update).await
    }

    async fn clear_partition(&self, partition: PartitionId) {
        self.hooks.before_clear_partition();
        self.inner.clear_partition(partition).await;
    }

    async fn clear_cache(&self) {
        self.inner.clear_cache().await;
    }

    async fn differences(&self, partition: PartitionId) -> Result<u64, IndexError> {
        self.inner.differences(partition).await
    }

    async fn settle(&self) {
        self.inner.settle().await;
    }
}
