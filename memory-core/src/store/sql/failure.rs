//! Failures of the database as kinds of [`StoreError`]: the one place where errors of sqlx are told apart.

use std::error::Error;

use sqlx::migrate::MigrateError;

use super::{StoreError, failure_kind, refuses_data};
use crate::store::FailureKind;

/// Maps an error of the database, of a migration or of the file system; the details are for the log.
pub(in super::super) fn unavailable(error: impl Error + Send + Sync + 'static) -> StoreError {
    let cause: Box<dyn Error + Send + Sync> = Box::new(error);
    if let Some(error) = cause.downcast_ref::<sqlx::Error>() {
        if let Some(position) = undecodable(error) {
            let row = format!("a row: {position}");
            return StoreError::Corrupt { table: "a table", column: "a column", row };
        }
        return StoreError::of(kind_of(error), cause);
    }
    let kind = match cause.downcast_ref::<MigrateError>() {
        Some(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => FailureKind::NewerVersion,
        Some(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => kind_of(error),
        Some(_) => FailureKind::Unavailable,
        None => cause.downcast_ref::<std::io::Error>().map_or(FailureKind::Unavailable, FailureKind::of_io),
    };
    StoreError::of(kind, cause)
}

/// True if the database works, but refuses the data of a statement.
pub(super) fn is_refused_data(error: &StoreError) -> bool {
    let StoreError::Unavailable(cause) = error else { return false };
    let cause = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    cause.is_some_and(|error| {
        let is_constraint = !matches!(error.kind(), sqlx::error::ErrorKind::Other);
        is_constraint || error.code().is_some_and(|code| refuses_data(&code))
    })
}

fn kind_of(error: &sqlx::Error) -> FailureKind {
    match error {
        sqlx::Error::Io(error) => FailureKind::of_io(error),
        error => {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            code.map_or(FailureKind::Unavailable, |code| failure_kind(&code))
        }
    }
}

/// Position of a value that cannot be decoded, if the error is about one.
fn undecodable(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::ColumnDecode { index, .. } => Some(format!("position {index}")),
        sqlx::Error::Decode(_) => Some("an unknown position".to_owned()),
        _ => None,
    }
}
