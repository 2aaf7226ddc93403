//! Identifiers. All except the partition's are time-ordered UUIDs (version 7, RFC 9562): newer ids sort last, and ids
//! of adjacent moments are adjacent on disk. The partition's is a small number that is internal to the process.

use std::fmt;

use uuid::Uuid;

use super::time::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id!(/** A tenant: the wall that nothing crosses. */ TenantId);
id!(/** Who makes a request, among the callers of a tenant. */ CallerId);
id!(/** A conversation, or any other ordered run of turns. */ SessionId);
id!(/** One immutable utterance. */ TurnId);
id!(/** One memory, over all its versions. */ MemoryId);
id!(/** The record of how a memory came to be. */ DerivationId);
id!(/** A durable job. */ JobId);
id!(/** A grant of read access. */ GrantId);
id!(/** An entry in the audit log of a grant. */ GrantEventId);
id!(/** One recall, as the access log and the answer name it. */ RecallId);

impl TenantId {
    /// Tenant of a single-tenant server. It is the nil UUID, so that it exists without being created.
    pub const DEFAULT: TenantId = TenantId(Uuid::nil());
    /// Tenant of partitions whose owner was erased, and of no caller: all reads name a tenant, so that none finds them.
    pub const ERASED: TenantId = TenantId(Uuid::max());
}

impl CallerId {
    /// Caller of a server without authentication.
    pub const ANYONE: CallerId = CallerId(Uuid::nil());
}

/// Partition: all memories of one owner in one tenant. It is the unit of loading, search and eviction, and its number
/// never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub i64);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Source of ids, as a parameter, so that tests are deterministic.
///
/// Contract: ids are unique. An id sorts after all earlier ids of the same source, as long as `now` does not move
/// back by more than the resolution of the source's clock.
pub trait IdSource: Send + Sync {
    /// New time-ordered UUID for the moment `now`.
    fn next(&self, now: Timestamp) -> Uuid;
}

/// UUIDs of version 7 with a counter and a random tail. For servers.
#[derive(Debug, Default)]
pub struct RandomIds {
    context: parking_lot::Mutex<uuid::ContextV7>,
}

impl IdSource for RandomIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let micros = now.as_micros().max(0).unsigned_abs();
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
        let context = self.context.lock();
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, micros / 1_000_000, nanos))
    }
}

/// Ids that count upwards. For tests with reproducible snapshots.
#[derive(Debug, Default)]
pub struct CountingIds {
    next: std::sync::atomic::AtomicU64,
}

impl IdSource for CountingIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let count = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let millis = now.as_micros().max(0).unsigned_abs() / 1_000;
        let mut tail = [0u8; 10];
        tail[2..].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids = RandomIds::default();
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let made: Vec<Uuid> = (0..1_000).map(|step| ids.next(now.plus_micros(step * 10))).collect();
        assert!(made.is_sorted(), "a later id sorted before an earlier one");
        assert_eq!(made[0].get_version_num(), 7);
    }

    #[test]
    fn counted_ids_are_reproducible() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let first: Vec<Uuid> = {
            let ids = CountingIds::default();
            (0..3).map(|_| ids.next(now)).collect()
        };
        let again: Vec<Uuid> = {
            let ids = CountingIds::default();
            (0..3).map(|_| ids.next(now)).collect()
        };
        assert_eq!(first, again);
        assert!(first.is_sorted());
    }
}
