//! Scopes and callers: the caller of a request ([`Caller`]), and the user, agent, app or run that it names ([`Scope`]).
//!
//! The *owner* of a scope selects the partition; the other ids are columns of each memory. The tenant is never part
//! of a request: it comes from the caller's credentials.

use std::fmt;

use super::id::{CallerId, TenantId};
use super::name::Name;

/// Authenticated caller with its rights. Made from credentials, never from the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Tenant.
    pub tenant: TenantId,
    /// Id within the tenant. Idempotency keys are unique per caller.
    pub id: CallerId,
    /// Rights within the tenant.
    pub rights: Rights,
}

/// Rights of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Right to recall, list and show.
    pub read: bool,
    /// Right to remember and edit.
    pub write: bool,
    /// Right to erase.
    pub delete: bool,
    /// Right to maintain the store: backup, re-index, repair.
    pub admin: bool,
}

impl Rights {
    /// All rights.
    pub const ALL: Rights = Rights { read: true, write: true, delete: true, admin: true };
}

/// Kinds of owner, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// User of the application, usually a person.
    User,
    /// Agent: owns the memories of a scope without a user.
    Agent,
    /// Application: owns the memories of a scope without user and agent.
    App,
    /// Run: owns the memories of a scope with a run alone.
    Run,
}

impl OwnerKind {
    /// All kinds, in order of precedence.
    pub const ALL: [OwnerKind; 4] = [OwnerKind::User, OwnerKind::Agent, OwnerKind::App, OwnerKind::Run];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            OwnerKind::User => "user",
            OwnerKind::Agent => "agent",
            OwnerKind::App => "app",
            OwnerKind::Run => "run",
        }
    }

    /// Kind with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Owner of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Kind.
    pub kind: OwnerKind,
    /// Id, chosen by the application.
    pub id: Name,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// Ids that a request names. Operations on memories need at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// User.
    pub user: Option<Name>,
    /// Agent.
    pub agent: Option<Name>,
    /// Application.
    pub app: Option<Name>,
    /// Run.
    pub run: Option<Name>,
}

impl Scope {
    /// Owner: the user if there is one, else the agent, the app, the run; `None` for an empty scope.
    pub fn owner(&self) -> Option<Owner> {
        OwnerKind::ALL.into_iter().find_map(|kind| Some(Owner { kind, id: self.id_of(kind)?.clone() }))
    }

    /// Id of this kind; `None` if the scope does not name one.
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
    fn the_first_id_in_order_of_precedence_is_the_owner() {
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
