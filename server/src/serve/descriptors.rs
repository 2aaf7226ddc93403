//! File descriptors: the limit of the operating system (RLIMIT_NOFILE), and what of it connections may take.

/// Descriptors left to the store, segment files, models and backups.
const RESERVED: u64 = 256;
/// Connections in any case.
const FEWEST_CONNECTIONS: usize = 16;

/// Raises the limit of this process to the maximum that it may set, and returns the limit; `None` if there is none.
#[cfg(unix)]
pub(crate) fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum;
    }
    current
}

#[cfg(not(unix))]
pub(crate) fn raise_limit() -> Option<u64> {
    None
}

/// Number of connections, of those configured, that leave descriptors for all else.
pub(crate) fn connections_within(limit: Option<u64>, configured: usize) -> usize {
    let Some(limit) = limit else { return configured };
    let left = usize::try_from(limit.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
    configured.min(left.max(FEWEST_CONNECTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_store() {
        assert_eq!(connections_within(None, 1_024), 1_024);
        assert_eq!(connections_within(Some(1 << 20), 1_024), 1_024);
        assert_eq!(connections_within(Some(1_024), 1_024), 768);
        assert_eq!(connections_within(Some(64), 1_024), FEWEST_CONNECTIONS);
        assert_eq!(connections_within(Some(64), 4), 4);
    }
}
