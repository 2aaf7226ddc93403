//! Whose memories: who asks ([`Caller`]), and for which user, agent, app or run ([`Scope`]).
//!
//! A scope's *owner* decides the partition; the other ids are columns of each memory. The tenant is never part of a
//! request: it comes from the caller's credentials.

use std::fmt;

use super::id::{CallerId, TenantId};
use super::name::Name;

/// Who asks, and what they may do. Made by the door that let them in, never from a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The wall they live behind.
    pub tenant: TenantId,
    /// Which of the tenant's callers they are: idempotency keys are each caller's own.
    pub id: CallerId,
    /// What they may do there.
    pub rights: Rights,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Recall, list, show.
    pub read: bool,
    /// Remember and edit.
    pub write: bool,
    /// Erase.
    pub delete: bool,
    /// Look after the store: backup, re-index, repair.
    pub admin: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Rights = Rights { read: true, write: true, delete: true, admin: true };
}

/// The kinds of owner, in the order in which a scope's ids are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// A person, mostly.
    User,
    /// An agent's own memories, when no user is named.
    Agent,
    /// An application's, when neither is.
    App,
    /// A single run's, when it is all there is.
    Run,
}

impl OwnerKind {
    /// All kinds, in order of precedence.
    pub const ALL: [OwnerKind; 4] = [OwnerKind::User, OwnerKind::Agent, OwnerKind::App, OwnerKind::Run];

    /// The name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            OwnerKind::User => "user",
            OwnerKind::Agent => "agent",
            OwnerKind::App => "app",
            OwnerKind::Run => "run",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The one to whom a partition belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// What they are.
    pub kind: OwnerKind,
    /// Their id, chosen by the application.
    pub id: Name,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// The ids that a request names. At least one, for anything that touches memories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The person.
    pub user: Option<Name>,
    /// The agent.
    pub agent: Option<Name>,
    /// The application.
    pub app: Option<Name>,
    /// The run.
    pub run: Option<Name>,
}

impl Scope {
    /// The owner: the user if there is one, else the agent, the app, the run.
    pub fn owner(&self) -> Option<Owner> {
        OwnerKind::ALL.into_iter().find_map(|kind| Some(Owner { kind, id: self.id_of(kind)?.clone() }))
    }

    /// The id of that kind, if the scope names one.
    pub fn id_of(&self, kind: OwnerKind) -> Option<&Name> {
        match kind {
            OwnerKind::User => self.user.as_ref(),
            OwnerKind::Agent => self.agent.as_ref(),
            OwnerKind::App => self.app.as_ref(),
            OwnerKind::Run => self.run.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_named_owns() {
        let name = |text| Some(Name::new(text).expect("a name"));
        let mut scope = Scope { run: name("r"), app: name("p"), agent: name("a"), user: name("u") };
        let mut owners = Vec::new();
        owners.push(scope.owner().expect("owner").to_string());
        scope.user = None;
        owners.push(scope.owner().expect("owner").to_string());
        scope.agent = None;
        owners.push(scope.owner().expect("owner").to_string());
        scope.app = None;
        owners.push(scope.owner().expect("owner").to_string());
        scope.run = None;
        assert_eq!(owners, ["user:u", "agent:a", "app:p", "run:r"]);
        assert_eq!(scope.owner(), None);
    }
}
