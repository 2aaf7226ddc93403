//! Outcome of an item of a request: written, there already, or left out.

/// Outcome of an item of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemOutcome {
    /// It was written.
    Created,
    /// It was there already, with the same content; nothing was written.
    Existing,
    /// Its key belongs to an item with other content, which stays as it is; nothing was written.
    Conflicting,
    /// It was erased earlier and left out; nothing was written.
    Erased,
}

impl ItemOutcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Created, Self::Existing, Self::Conflicting, Self::Erased];

    /// Name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Existing => "existing",
            Self::Conflicting => "conflicting",
            Self::Erased => "erased",
        }
    }

    /// Outcome with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}
