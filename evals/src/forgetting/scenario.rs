//! Scenario of a forgetting experiment: what a user is told and when, which of it is asked for on the way, and what is asked at
//! the end. Names of what is needed stay on this side; they are never sent.

use std::collections::BTreeSet;

use engrain::wire::{AddTurns, NewMemory, Scope};
use jiff::{SignedDuration, Timestamp};

/// Scenario of one user.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// User.
    pub(crate) scope: Scope,
    /// Content that the user's memory is told. All of it is written first; recalls with an earlier clock do not see what comes later.
    pub(crate) told: Told,
    /// Questions on the way, in the order of time.
    pub(crate) rehearsals: Vec<Need>,
    /// Questions at the end.
    pub(crate) tests: Vec<Need>,
    /// Pairs for questions about order, the earlier one first: texts that are told once.
    pub(crate) pairs: Vec<(String, String)>,
    /// Time of the tests.
    pub(crate) end: Timestamp,
}

impl Scenario {
    /// Id of the user.
    pub(crate) fn user(&self) -> &str {
        self.scope.user_id.as_deref().unwrap_or_default()
    }
}

/// Content that a memory is told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Turns of conversations. They are needed by their key.
    Turns(Vec<AddTurns>),
    /// Facts. They are needed by their [`NAME`].
    Facts(Vec<NewMemory>),
}

/// Member of the metadata of a fact with its name.
pub(crate) const NAME: &str = "name";

impl Told {
    /// Number of memories.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Turns(batches) => batches.iter().map(|batch| batch.turns.len()).sum(),
            Self::Facts(facts) => facts.len(),
        }
    }
}

/// Question with what it needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Need {
    /// Time at which it is asked.
    pub(crate) at: Timestamp,
    /// Text.
    pub(crate) query: String,
    /// Groups of names: of each group, one of the memories with these names.
    pub(crate) needed: Vec<BTreeSet<String>>,
}

impl Need {
    /// Question that needs one memory.
    pub(crate) fn of(at: Timestamp, query: String, needed: &str) -> Self {
        Self { at, query, needed: vec![BTreeSet::from([needed.to_owned()])] }
    }
}

impl Need {
    /// True if these memories are all that is needed.
    pub(crate) fn is_met_by(&self, found: &BTreeSet<&str>) -> bool {
        self.needed.iter().all(|group| group.iter().any(|name| found.contains(name.as_str())))
    }
}

/// Moment after a number of days.
pub(crate) fn after_days(start: Timestamp, days: f64) -> Timestamp {
    let span = SignedDuration::from_secs((days * 86_400.0) as i64);
    start.checked_add(span).unwrap_or(start)
}

/// Fact with a name, told and true from a moment on.
pub(crate) fn fact(name: &str, text: String, at: Timestamp, importance: f64) -> NewMemory {
    let mut fact = NewMemory { text, key: Some(name.to_owned()), ..NewMemory::default() };
    fact.happened_at = Some(at.to_string());
    fact.valid_from = Some(at.to_string());
    fact.importance = Some(importance);
    fact.metadata.insert(NAME.to_owned(), name.into());
    fact
}
