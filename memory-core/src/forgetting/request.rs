//! Requests and results of forgetting, as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::Change;
use crate::domain::forgotten::{Forgotten, Reason};
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::retention::Policy;
use crate::store::RETENTION_ROWS_AT_MOST;

/// Memories that one call restores at most: a page of the list of forgotten ones.
pub const RESTORED_PER_CALL: u32 = RETENTION_ROWS_AT_MOST;

/// Request for a preview of a sweep.
#[derive(Clone, Debug)]
pub struct PreviewSweep {
    /// Scope, whose owner counts.
    pub scope: Scope,
    /// Policy, which need not be stored; `None` for the one in use.
    pub policy: Option<Policy>,
    /// Moment of the sweep; `None` for the present.
    pub now: Option<Timestamp>,
    /// Maximum number of entries.
    pub limit: u32,
    /// Memory after which the entries begin, in the order of ids.
    pub after: Option<MemoryId>,
}

/// Numbers of memories that a sweep changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepCounts {
    /// Memories looked at.
    pub memories: u64,
    /// Memories that are not forgotten after the sweep, erased ones not counted.
    pub live: u64,
    /// Newly forgotten because they faded.
    pub faded: u64,
    /// Newly forgotten because the owner has more memories than its quota.
    pub evicted: u64,
    /// Newly forgotten by a draw.
    pub drawn: u64,
    /// Newly forgotten, by kind, in the order of [`Kind::ALL`]; without kinds that have none.
    pub by_kind: Vec<(Kind, u64)>,
    /// Forgotten no longer.
    pub remembered: u64,
    /// Forgotten anew: with another effect, or after they were used and faded again.
    pub renewed: u64,
    /// Erased.
    pub erased: u64,
}

impl SweepCounts {
    /// Counts a memory that is looked at, with the record that it is to have.
    pub(crate) fn count(&mut self, kind: Kind, change: Option<Change>, wanted: Option<&Forgotten>) {
        self.memories += 1;
        self.live += u64::from(wanted.is_none());
        match change {
            Some(Change::Forget) => {
                match wanted.map(|record| record.reason) {
                    Some(Reason::Evicted) => self.evicted += 1,
                    Some(Reason::Drawn) => self.drawn += 1,
                    Some(Reason::Faded) | None => self.faded += 1,
                }
                match self.by_kind.iter_mut().find(|(of, _)| *of == kind) {
                    Some((_, count)) => *count += 1,
                    None => self.by_kind.push((kind, 1)),
                }
            }
            Some(Change::Remember) => self.remembered += 1,
            Some(Change::Renew) => self.renewed += 1,
            Some(Change::Erase) | None => {}
        }
    }

    /// The counts as the result of a job; the keys are the names of the fields.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let Self { memories, live, faded, evicted, drawn, by_kind, remembered, renewed, erased } = self;
        let by_kind: BTreeMap<_, _> = by_kind.iter().map(|(kind, count)| (kind.as_str(), count)).collect();
        serde_json::json!({
            "memories": memories, "live": live, "faded": faded, "evicted": evicted, "drawn": drawn, "by_kind": by_kind,
            "remembered": remembered, "renewed": renewed, "erased": erased,
        })
    }

    /// The same, with the kinds in their order.
    pub(crate) fn in_order(mut self) -> Self {
        self.by_kind.sort_by_key(|(kind, _)| Kind::ALL.iter().position(|of| of == kind));
        self
    }
}

/// Memory that a sweep changes.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptMemory {
    /// Memory.
    pub memory: MemoryId,
    /// Kind.
    pub kind: Kind,
    /// Beginning of its text.
    pub excerpt: String,
    /// Change; an erasure counts before all others.
    pub change: Change,
    /// Record of its forgetting after the sweep, or before it for one that is remembered again.
    pub record: Option<Forgotten>,
    /// Retention at the moment of the sweep, 0 to 1.
    pub retention: f64,
    /// Strength as the curve of the policy defines it; see [`crate::retention::State::strength`].
    pub strength: f64,
    /// Threshold below which it is forgotten, 0 to 1: that of the memory, or of the check under the rule of conditional draws.
    pub threshold: f64,
}

/// Preview of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewedSweep {
    /// Moment of the sweep.
    pub now: Timestamp,
    /// Policy of the sweep.
    pub policy: Arc<Policy>,
    /// Numbers, exact.
    pub counts: SweepCounts,
    /// Page of the memories that change, in the order of ids.
    pub entries: Vec<SweptMemory>,
    /// True if more follow.
    pub has_more: bool,
}

/// Request to restore forgotten memories.
#[derive(Clone, Debug)]
pub struct RestoreForgotten {
    /// Scope, whose owner counts.
    pub scope: Scope,
    /// Memories; `None` for all that are forgotten, those found last first.
    pub memories: Option<Vec<MemoryId>>,
    /// Moment of the restoration, not in the future; `None` for the present.
    pub now: Option<Timestamp>,
    /// True to record a use of each, from which its curve begins anew; without it a memory that has faded is forgotten again
    /// at once.
    pub reinforce: bool,
}

/// Effect of a restoration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoredMemories {
    /// Memories that were forgotten and are so no longer, in the order of ids.
    pub restored: Vec<MemoryId>,
    /// Number of memories of the owner that are still forgotten.
    pub left: u64,
}

/// Forgotten memory in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ForgottenMemory {
    /// Memory.
    pub memory: MemoryId,
    /// Kind; `None` if the memory cannot be decoded.
    pub kind: Option<Kind>,
    /// Beginning of its text.
    pub excerpt: String,
    /// Record of its forgetting.
    pub record: Forgotten,
}
