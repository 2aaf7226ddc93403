//! Search as of a record time: the index holds present versions only, so the candidates that were revised since are judged
//! by their version of that time. Hidden ones leave the candidates before fusion, and the search is repeated with more
//! candidates while they leave too few.
//!
//! Limits (ADR 0026): a memory is found by its present text and vectors, whatever its text was; an erased memory is gone.

use std::collections::HashMap;

use super::query::MAX_CANDIDATES;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Memory;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::error::Error;
use crate::index::{Answer, Candidate, Exactness, IndexQuery, View};

/// Maximum number of versions that one recall judges per partition; further revised memories are left out.
const MAX_VERSIONS_JUDGED: usize = 1_024;
/// Factor by which a repeated search asks for more candidates.
const MORE_CANDIDATES: usize = 4;

/// Candidates of one partition, all visible.
pub(super) struct FoundInPartition {
    pub(super) candidates: Vec<Candidate>,
    pub(super) memories: u64,
    pub(super) exactness: Exactness,
    /// Versions at the record time of the candidates that were revised since.
    pub(super) versions: HashMap<MemoryId, Memory>,
    /// True if a bound was met, so that visible memories may be missing.
    pub(super) versions_left_out: bool,
}

/// Versions at the record time that were judged so far; `None` for a hidden one.
type Judged = HashMap<MemoryId, Option<Memory>>;

impl Engine {
    /// Step 3 in one partition.
    pub(super) async fn search_partition(
        &self,
        partition: PartitionId,
        mut query: IndexQuery,
    ) -> Result<FoundInPartition, Error> {
        let wanted = query.candidates;
        let mut judged = Judged::new();
        loop {
            let mut answer = self.index.search(partition, &query).await?;
            let found = retrieved(&answer);
            let is_complete = self.judge(partition, &query.view, &mut answer, &mut judged).await?;
            let left = retrieved(&answer);
            let has_all = left == found || left >= wanted || found < query.candidates;
            if has_all || !is_complete || query.candidates >= MAX_CANDIDATES as usize {
                let versions = judged.into_iter().filter_map(|(id, version)| Some((id, version?)));
                return Ok(FoundInPartition {
                    candidates: answer.candidates,
                    memories: answer.memories,
                    exactness: answer.exactness,
                    versions: versions.collect(),
                    versions_left_out: !is_complete || !has_all,
                });
            }
            query.candidates = (query.candidates * MORE_CANDIDATES).min(MAX_CANDIDATES as usize);
        }
    }

    /// Removes the revised candidates whose version at the record time is hidden, and gives the others that version's
    /// time. False if [`MAX_VERSIONS_JUDGED`] was met: the rest of the revised candidates is then removed.
    async fn judge(
        &self,
        partition: PartitionId,
        view: &View,
        answer: &mut Answer,
        judged: &mut Judged,
    ) -> Result<bool, Error> {
        let Some(known_at) = view.known_at else { return Ok(true) };
        let unknown = answer.revised.iter().filter(|id| !judged.contains_key(id));
        let unknown: Vec<MemoryId> = unknown.copied().collect();
        let room = MAX_VERSIONS_JUDGED.saturating_sub(judged.len()).min(unknown.len());
        let (now, never) = unknown.split_at(room);
        let versions = self.versions_as_recorded(partition, now, known_at).await?;
        judged.extend(now.iter().map(|id| (*id, None)));
        let visible = versions.into_iter().filter(|version| view.hides(version).is_none());
        judged.extend(visible.map(|version| (version.id, Some(version))));
        answer.candidates.retain_mut(|candidate| match judged.get(&candidate.memory) {
            Some(Some(version)) => {
                candidate.happened_at = version.happened.at;
                candidate.utc_offset = version.happened.offset;
                true
            }
            Some(None) => false,
            None => !never.contains(&candidate.memory),
        });
        Ok(never.is_empty())
    }

    /// Memories as they were recorded at a time: for each of `ids`, its last version recorded by then; none for a memory
    /// that was recorded later. At most [`MAX_VERSIONS_JUDGED`] ids.
    pub(super) async fn versions_as_recorded(
        &self,
        partition: PartitionId,
        ids: &[MemoryId],
        known_at: Timestamp,
    ) -> Result<Vec<Memory>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.store.versions_at(partition, ids, known_at).await?)
    }
}

fn retrieved(answer: &Answer) -> usize {
    answer.candidates.iter().filter(|candidate| candidate.retrieved).count()
}
