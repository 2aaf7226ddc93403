//! Requests of working memory, in domain types.

use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;

/// Request to read the working memory of a session.
#[derive(Clone, Debug)]
pub struct ReadWorkingMemory {
    /// Scope of the session.
    pub scope: Scope,
    /// Key of the session.
    pub session: Name,
    /// Maximum length of the context block, and of what is admitted to it, in LLM tokens; 0 for nothing.
    pub budget_tokens: u32,
    /// Conversation partner for whom it is read: memories with an audience that does not name the partner are hidden.
    pub partner: Option<Name>,
    /// Reference time for expiry and validity; `None` for the clock's.
    pub now: Option<Timestamp>,
    /// Zone in which the days of the context block are counted, for memories whose time has no offset.
    pub zone: Zone,
}
