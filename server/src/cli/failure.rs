//! Failures of commands: an exit status for scripts, a sentence for people.

use engrain::formats::ImportError;
use memory_core::store::StoreError;

use crate::config::LoadError;
use crate::problem::causes;
use crate::serve::ServeError;
use crate::wiring::StartError;

/// Cause of a failed command.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Exit status 1: the operation failed.
    #[error("{0}")]
    Failed(String),
    /// Exit status 2: invalid arguments or configuration, also if it is the server that refuses them.
    #[error("{0}")]
    Usage(String),
    /// Exit status 3: no server answers, or the store is in use or busy.
    #[error("{0}")]
    Unreachable(String),
    /// Exit status 6: the store is damaged, incomplete or of a newer version; `engrain doctor` says more.
    #[error("{0}")]
    Damaged(String),
    /// Exit status 4: the object does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Exit status 5: the import is complete, except for records that were skipped.
    #[error("{0}")]
    Incomplete(String),
}

impl Failure {
    /// Exit status of the process.
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
            Failure::NotFound(_) => 4,
            Failure::Incomplete(_) => 5,
            Failure::Damaged(_) => 6,
        }
    }

    /// Failure of the file system.
    pub(super) fn io(what: &str, error: &std::io::Error) -> Self {
        Failure::Failed(format!("{what}: {error}"))
    }
}

impl Failure {
    /// Failure of an import.
    pub(super) fn of_import(error: ImportError) -> Self {
        match error {
            ImportError::Format(error) => Failure::Failed(causes(&error)),
            conflict @ ImportError::Conflicting { .. } => Failure::Failed(causes(&conflict)),
            ImportError::Add { location, source } => Failure::at(&location.to_string(), source),
            ImportError::Restore { location, owner, source } => {
                Failure::at(&format!("{location}, the records of {owner}"), source)
            }
        }
    }

    /// Failure to add what is at a place of a file.
    fn at(place: &str, error: engrain::Error) -> Self {
        match Failure::from(error) {
            Failure::Unreachable(why) => {
                Failure::Unreachable(format!("{place}: {why}; run it again to go on"))
            }
            // The file is at fault, not the arguments.
            Failure::Failed(why) | Failure::Usage(why) => Failure::Failed(format!("{place}: {why}")),
            other => other,
        }
    }
}

impl From<engrain::Error> for Failure {
    fn from(error: engrain::Error) -> Self {
        let sentence = match &error {
            engrain::Error::Problem(problem) => match &problem.field {
                Some(field) => format!("{field}: {}", problem.detail),
                None => problem.detail.clone(),
            },
            other => causes(other),
        };
        match (error.code(), error.status()) {
            (Some("not_found"), _) => Failure::NotFound(sentence),
            // The request was made of the arguments.
            (
                Some("invalid_request" | "missing_field" | "wrong_type" | "unknown_field" | "over_limit"),
                _,
            ) => Failure::Usage(sentence),
            (Some("store_damaged"), _) => Failure::Damaged(sentence),
            (_, Some(429 | 503)) => Failure::Unreachable(sentence),
            (_, Some(_)) => Failure::Failed(sentence),
            (_, None) if error.is_temporary() => Failure::Unreachable(sentence),
            (_, None) => match error {
                engrain::Error::Transport(_) | engrain::Error::TimedOut(_) => Failure::Unreachable(sentence),
                engrain::Error::InvalidUrl { .. } => Failure::Usage(sentence),
                _ => Failure::Failed(sentence),
            },
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Failure::Usage(causes(&error))
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let in_use = matches!(&error, ServeError::Start(StartError::Store(StoreError::InUse { .. })));
        let sentence = causes(&error);
        // Damage is met when the store is opened, or when the engine first reads from it.
        if let ServeError::Start(
            StartError::Store(error) | StartError::Engine(memory_core::Error::Store(error)),
        ) = &error
            && is_damage(error)
        {
            return Failure::Damaged(sentence);
        }
        if in_use || matches!(error, ServeError::Listen { .. }) {
            Failure::Unreachable(sentence)
        } else {
            Failure::Failed(sentence)
        }
    }
}

/// True if the store itself must be repaired, replaced or completed before it can be used.
const fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Damaged(_)
            | StoreError::Corrupt { .. }
            | StoreError::Incomplete { .. }
            | StoreError::NewerVersion(_)
    )
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let sentence = causes(&error);
        match error {
            StoreError::InUse { .. } => Failure::Unreachable(sentence),
            error if is_damage(&error) => Failure::Damaged(sentence),
            _ => Failure::Failed(sentence),
        }
    }
}

#[cfg(feature = "local-models")]
impl From<memory_core::model::ModelError> for Failure {
    fn from(error: memory_core::model::ModelError) -> Self {
        Failure::Failed(causes(&error))
    }
}

#[cfg(feature = "hub")]
impl From<memory_core::model::hub::HubError> for Failure {
    fn from(error: memory_core::model::hub::HubError) -> Self {
        use memory_core::model::hub::HubError;

        let sentence = causes(&error);
        match error {
            HubError::Unknown { .. } => Failure::NotFound(sentence),
            HubError::Pinned { .. } | HubError::Setting { .. } => Failure::Usage(sentence),
            later if later.is_transient() => Failure::Unreachable(sentence),
            _ => Failure::Failed(sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_decides_the_exit_status() {
        let problem = |status: u16, code: &str, field: Option<&str>| {
            let problem = engrain::wire::Problem {
                kind: String::new(),
                title: String::new(),
                status,
                code: code.to_owned(),
                detail: "because".to_owned(),
                field: field.map(ToOwned::to_owned),
                memory_ids: Vec::new(),
                request_id: String::new(),
            };
            Failure::from(engrain::Error::Problem(Box::new(problem)))
        };
        assert_eq!(problem(404, "not_found", None).exit_status(), 4);
        assert_eq!(problem(429, "busy", None).exit_status(), 3);
        assert_eq!(problem(503, "stopping", None).exit_status(), 3);
        let refused = problem(422, "invalid_request", Some("scope.user_id"));
        assert_eq!((refused.exit_status(), refused.to_string().as_str()), (2, "scope.user_id: because"));
        assert_eq!(problem(409, "version_conflict", None).exit_status(), 1);
        let in_use = StoreError::InUse { path: "d".to_owned() };
        assert_eq!(Failure::from(ServeError::Start(StartError::Store(in_use))).exit_status(), 3);
        assert_eq!(problem(500, "store_damaged", None).exit_status(), 6);
        let setting =
            StoreError::Corrupt { table: "settings", column: "value", row: "embedder_in_use".to_owned() };
        let undecodable = Failure::from(ServeError::Start(StartError::Store(setting)));
        assert_eq!(undecodable.exit_status(), 6);
        assert!(undecodable.to_string().contains("settings.value of embedder_in_use"), "{undecodable}");
        let damaged = || StoreError::Damaged("x".into());
        for start in [StartError::Store(damaged()), StartError::Engine(memory_core::Error::Store(damaged()))]
        {
            assert_eq!(Failure::from(ServeError::Start(start)).exit_status(), 6);
        }
    }
}
