//! Retention of a single memory: its curve as points, its uses, and when it fades.

use crate::domain::forgotten::Forgotten;
use crate::domain::id::MemoryId;
use crate::domain::memory::Strength;
use crate::domain::scope::Caller;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::engine::{Engine, needs_read};
use crate::error::Error;
use crate::retention::{Curve as _, CurveId, Point, Trace, as_of, forgotten_at, points, threshold};

/// Bounds of the number of points of a curve.
pub const POINTS_BOUNDS: (u32, u32) = (2, 512);
/// Default number of points.
pub const POINTS: u32 = 96;
/// Days of the curve after the present, or the last use, if the request names no end.
const DAYS_AHEAD: i64 = 30;

/// Request for the retention of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRetention {
    /// Curve; `None` for that of the owner's policy.
    pub curve: Option<CurveId>,
    /// First moment of the points; `None` for the time at which the memory was learned.
    pub from: Option<Timestamp>,
    /// Last moment; `None` for 30 days after `now` or the last use.
    pub to: Option<Timestamp>,
    /// Number of points, within [`POINTS_BOUNDS`].
    pub points: u32,
    /// Reference time of the state; `None` for the clock's.
    pub now: Option<Timestamp>,
}

/// Retention of a memory under a curve, with the initial strengths of the owner's policy.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryRetention {
    /// Memory.
    pub memory: MemoryId,
    /// Curve.
    pub curve: CurveId,
    /// Reference time.
    pub now: Timestamp,
    /// R at `now`.
    pub retention: f64,
    /// S at `now`, as the curve defines it; strengths of two curves are not comparable.
    pub curve_strength: f64,
    /// Time of the last refresh before `now`.
    pub refreshed_at: Timestamp,
    /// Threshold u of the memory.
    pub threshold: f64,
    /// Moment from which R is below the threshold, if it is not used any more after `now`; `None` for never.
    pub fades_at: Option<Timestamp>,
    /// Input of the curve, with all uses.
    pub strength: Strength,
    /// Record of its forgetting; `None` while it is not forgotten.
    pub forgotten: Option<Forgotten>,
    /// R at evenly spaced moments.
    pub points: Vec<Point>,
}

impl Engine {
    /// Zone in which the bare dates of a read of a memory are read: that of its owner, else that of the settings.
    ///
    /// # Errors
    /// [`Error`] when the caller lacks the right to read, the memory does not exist for the caller, or the store fails.
    pub async fn zone_of_read_memory(&self, caller: &Caller, id: MemoryId) -> Result<Zone, Error> {
        needs_read(caller)?;
        let owner = self.stored_memory(caller, id).await?.owner;
        Ok(self.zone_of_owner(caller.tenant, &owner))
    }

    /// Retention of a memory: under any curve, at any moment, exactly. It does not depend on the effect of the policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown memory; [`Error::Invalid`] for an empty interval; [`Error::OverLimit`] or
    /// [`Error::Invalid`] for a number of points out of its bounds; [`Error`] when the caller lacks the right to read, or the
    /// store fails.
    pub async fn memory_retention(
        &self,
        caller: &Caller,
        id: MemoryId,
        request: ReadRetention,
    ) -> Result<MemoryRetention, Error> {
        needs_read(caller)?;
        let (least, most) = POINTS_BOUNDS;
        if request.points < least {
            return Err(Error::invalid("points", format!("must be at least {least}")));
        }
        if request.points > most {
            let (field, what, limit) = ("points".to_owned(), "the number of points of a curve", most.into());
            return Err(Error::OverLimit { field, what, limit });
        }
        let stored = self.stored_memory(caller, id).await?;
        let (kind, strength, forgotten) =
            (stored.memory.kind, stored.memory.strength, stored.memory.forgotten);
        let policy = self.policy_of(caller.tenant, &stored.owner);
        let curve = request.curve.unwrap_or(policy.curve);
        let now = request.now.unwrap_or_else(|| self.now());
        let trace = policy.trace(kind, &strength);
        let window = window(&request, &trace, now)?;
        let points = points(&curve, &trace, window, request.points);
        let then = as_of(&strength, now);
        let then = policy.trace(kind, &then);
        let (state, u) = (curve.state(&then, now), threshold(id));
        Ok(MemoryRetention {
            memory: id,
            curve,
            now,
            retention: curve.retention(&then, now),
            curve_strength: state.strength,
            refreshed_at: state.refreshed_at,
            threshold: u,
            fades_at: forgotten_at(&curve, &then, u),
            points,
            strength,
            forgotten,
        })
    }
}

/// First and last moment of the points.
fn window(
    request: &ReadRetention,
    trace: &Trace<'_>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Error> {
    let (from, to) = match (request.from, request.to) {
        (Some(from), Some(to)) => (from, to),
        (None, Some(to)) if to <= trace.learned_at => (to.plus_days(-DAYS_AHEAD), to),
        (from, to) => {
            let from = from.unwrap_or(trace.learned_at);
            let ahead = now.max(trace.last_event()).max(from).plus_days(DAYS_AHEAD);
            (from, to.unwrap_or(ahead))
        }
    };
    if from >= to {
        return Err(Error::invalid("to", "must be after `from`"));
    }
    Ok((from, to))
}
