//! Writes about the consolidation of sessions (ADR 0046): a session is closed, its digest is asked for, or a request for it is
//! answered.

use super::id::SessionId;
use super::job::Job;

/// Namespace of the document names of the digests of sessions; the key is that of the session.
pub const SESSION_DIGESTS: &str = "digests/session";

/// Session of which a digest was asked for, and the last number of the change log of its partition at that time. A later
/// request has another number, unless nothing was written in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Session.
    pub session: SessionId,
    /// Last number of the change log when it was asked for.
    pub seq: u64,
}

/// Request for the digests of the sessions that a set closes, fills or takes turns from.
#[derive(Clone, Debug)]
pub struct Consolidation {
    /// Number of turns: a session asks for a digest with every turn that makes its number of turns a multiple of it.
    pub turns: u32,
    /// Job that makes the digests. It is enqueued if the set asks for one.
    pub job: Job,
}

/// Writes of a change set about the consolidation of sessions.
///
/// With a [`Consolidation`], the set asks for the digest of a session that it closes; of one whose turns reach a multiple of
/// [`Consolidation::turns`]; and of one that has lost turns and is closed or has reached that number, since its digest was
/// erased with them.
#[derive(Clone, Debug, Default)]
pub struct SessionWrites {
    /// Session to close. A new turn opens it again.
    pub closes: Option<SessionId>,
    /// Request for digests; `None` where no digest is made.
    pub asks: Option<Consolidation>,
    /// Request that the set answers, with or without a digest. A later request for the same session stays.
    pub answers: Option<Asked>,
}
