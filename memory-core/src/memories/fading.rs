//! Memories of an owner that are about to fade and are worth refreshing.

use std::collections::BTreeMap;

use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::memory::Kind;
use crate::domain::scope::{Caller, Scope};
use crate::domain::time::Timestamp;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::field_checks;
use crate::retention::{Curve as _, CurveId, Policy, Rule, as_of, forgotten_at, threshold};
use crate::scope::owner;
use crate::store::RetentionRow;

/// Maximum number of days ahead.
pub const FADING_DAYS_AT_MOST: u32 = 36_500;
/// Importance from which a memory is worth refreshing.
pub const WORTH_IMPORTANCE: f64 = 0.7;
/// Number of uses from which a memory is worth refreshing, whatever its importance: it was needed, and again.
pub const WORTH_USES: u64 = 2;
/// Retention at the end of the window below which a memory is listed under [`Rule::ConditionalDraw`], where no moment of fading
/// is known: it is then more likely forgotten than not.
pub const LOW_RETENTION: f64 = 0.5;
/// Memories that are read at a time. Their curves are evaluated between two waits of the task, so that requests go on.
const ROWS_PER_READ: u32 = 1_000;

/// Request for the memories that are about to fade.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadFading {
    /// Scope whose owner has the memories.
    pub scope: Scope,
    /// Days ahead, 1 to [`FADING_DAYS_AT_MOST`].
    pub within_days: u32,
    /// Maximum number of memories.
    pub limit: u32,
    /// Reference time; `None` for the clock's.
    pub now: Option<Timestamp>,
}

/// Memories that are about to fade.
#[derive(Clone, Debug, PartialEq)]
pub struct FadingMemories {
    /// Memories that fade first, soonest first; under [`Rule::ConditionalDraw`] those with the lowest retention, lowest first.
    pub memories: Vec<Fading>,
    /// Number of all that fade in the window and are worth refreshing.
    pub total: u64,
    /// Curve of the owner's policy.
    pub curve: CurveId,
    /// Reference time.
    pub now: Timestamp,
    /// End of the window, included.
    pub until: Timestamp,
}

/// Memory that is about to fade.
#[derive(Clone, Debug, PartialEq)]
pub struct Fading {
    /// Memory.
    pub memory: MemoryId,
    /// Kind.
    pub kind: Kind,
    /// Beginning of its text; empty if the memory cannot be decoded.
    pub excerpt: String,
    /// Moment from which its retention is below its threshold, if it is not used any more; `None` under
    /// [`Rule::ConditionalDraw`], where a sweep draws.
    pub fades_at: Option<Timestamp>,
    /// R at the reference time.
    pub retention: f64,
    /// S at the reference time, as the curve defines it.
    pub curve_strength: f64,
    /// Importance, 0 to 1.
    pub importance: f64,
    /// Number of uses.
    pub uses: u64,
}

impl Engine {
    /// Memories of a scope's owner that fade within some days under the curve of its policy, whatever its effect, and are
    /// worth refreshing: those of an importance of at least [`WORTH_IMPORTANCE`], and those with at least [`WORTH_USES`] uses.
    /// Those that are forgotten already are left out. It looks at every memory of the owner, in pages.
    ///
    /// Under [`Rule::ConditionalDraw`] nobody knows when a memory will be forgotten: those are listed whose retention is below
    /// [`LOW_RETENTION`] at the end of the window.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::OverLimit`] for a number out of its bounds; [`Error`] when the scope is invalid, the
    /// caller lacks the right to read, or the store fails.
    pub async fn fading(&self, caller: &Caller, request: ReadFading) -> Result<FadingMemories, Error> {
        needs_read(caller)?;
        let limit = field_checks::page(request.limit, &self.limits)? as usize;
        let days = request.within_days as usize;
        field_checks::count("within_days", days, "the number of days ahead", FADING_DAYS_AT_MOST as usize)?;
        let owner = owner(&request.scope)?;
        let policy = self.policy_of(caller.tenant, &owner);
        let now = request.now.unwrap_or_else(|| self.now());
        let until = now.plus_days(request.within_days.into());
        let mut soonest: BTreeMap<(u64, MemoryId), Fading> = BTreeMap::new();
        let (mut total, mut after) = (0, None);
        let partition = self.store.partition_of(caller.tenant, &owner).await?;
        if let Some(partition) = partition {
            loop {
                let page = self.store.retention_page(partition, after, ROWS_PER_READ).await?;
                for one in page.rows.iter().filter_map(|row| fading(row, &policy, now, until)) {
                    total += 1;
                    soonest.insert((place(&one), one.memory), one);
                    if soonest.len() > limit {
                        soonest.pop_last();
                    }
                }
                after = page.last;
                if after.is_none() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let mut memories: Vec<Fading> = soonest.into_values().collect();
        if let Some(partition) = partition {
            self.add_excerpts(partition, &mut memories).await?;
        }
        Ok(FadingMemories { memories, total, curve: policy.curve, now, until })
    }

    /// Adds the beginnings of the texts, in one read.
    async fn add_excerpts(&self, partition: PartitionId, fading: &mut [Fading]) -> Result<(), Error> {
        let ids: Vec<MemoryId> = fading.iter().map(|one| one.memory).collect();
        let mut excerpts = self.excerpts(partition, &ids).await?;
        for one in fading {
            one.excerpt = excerpts.remove(&one.memory).unwrap_or_default();
        }
        Ok(())
    }
}

/// Place of a memory in the list: by its moment, or else by its retention.
fn place(one: &Fading) -> u64 {
    // Moments, of either sign, in their order; fractions are in the order of their bits.
    let of_moment = |at: Timestamp| at.as_micros().cast_unsigned() ^ (1 << 63);
    one.fades_at.map_or(one.retention.max(0.0).to_bits(), of_moment)
}

/// A memory, if it fades after `now` and not after `until`, and is worth refreshing.
fn fading(row: &RetentionRow, policy: &Policy, now: Timestamp, until: Timestamp) -> Option<Fading> {
    let strength = as_of(&row.strength, now);
    let uses = strength.uses.count();
    let is_worth = strength.importance >= WORTH_IMPORTANCE || uses >= WORTH_USES;
    if row.forgotten.is_some() || strength.pinned || !is_worth {
        return None;
    }
    let (trace, u, curve) = (policy.trace(row.kind, &strength), threshold(row.memory), policy.curve);
    let state = curve.state(&trace, now);
    let fades_at = if policy.rule == Rule::ConditionalDraw {
        if state.fall.at(until) >= LOW_RETENTION {
            return None;
        }
        None
    } else {
        // R falls from now on: its values at the ends of the window say whether it is to be looked for in it.
        if state.fall.at(now) < u || state.fall.at(until) >= u {
            return None;
        }
        Some(forgotten_at(&curve, &trace, u)?)
    };
    Some(Fading {
        memory: row.memory,
        kind: row.kind,
        excerpt: String::new(),
        fades_at,
        retention: curve.retention(&trace, now),
        curve_strength: state.strength,
        importance: strength.importance,
        uses,
    })
}
