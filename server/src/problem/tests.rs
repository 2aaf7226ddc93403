//! Tests of the problems: every code has its own name, and none has internal text.

use super::*;

#[test]
fn every_code_has_its_own_name_and_title() {
    let names: BTreeSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
    let titles: BTreeSet<&str> = Code::ALL.into_iter().map(Code::title).collect();
    assert_eq!((names.len(), titles.len()), (Code::ALL.len(), Code::ALL.len()));
    assert!(Code::ALL.is_sorted_by_key(Code::status_number), "the table is in the order of status");
    for code in Code::ALL {
        assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        assert_eq!(code.status().as_u16(), code.row().1, "{code:?}");
    }
}

impl Code {
    fn status_number(&self) -> u16 {
        self.row().1
    }
}

/// The engine's own codes and the table must agree, because programs may see either.
#[test]
fn the_engines_errors_keep_their_codes() {
    let broken = || StoreError::Unavailable("disk I/O error in /secret/path".into());
    let errors = [
        Error::invalid("turns[3].said_at", "is not a time"),
        Error::OverLimit { field: "turns".to_owned(), what: "the number of turns", limit: 1_000 },
        Error::NotFound { what: "memory", id: "x".to_owned() },
        Error::Forbidden { right: "write" },
        Error::VersionConflict { id: "x".to_owned(), expected: 1, present: 2 },
        Error::IdempotencyKeyReused,
        Error::ConfirmationStale,
        Error::EmbedderMismatch { stored: "a".to_owned(), configured: "b".to_owned() },
        Error::ReindexInProgress { embedder: "a".to_owned(), job: "x".to_owned() },
        Error::LeaseLost { job: "x".to_owned() },
        Error::JobNotOver { job: "x".to_owned(), state: "running" },
        Error::UndoHasDependents { dependents: Vec::new() },
        Error::ScopeChanged,
        Error::Busy,
        Error::Store(broken()),
        Error::Store(StoreError::Corrupt { table: "t", column: "c", row: "r".to_owned() }),
        Error::Store(StoreError::Damaged("page 3 of /secret/path".into())),
        Error::Store(StoreError::Full("/secret/path".into())),
        Error::Store(StoreError::ReadOnly("/secret/path".into())),
        Error::from(memory_core::index::IndexError::from(StoreError::Damaged("/secret/path".into()))),
        Error::Interrupted,
        Error::LanguageModel { code: "timeout" },
        Error::BudgetExhausted { code: "budget_of_calls_exhausted" },
        Error::Stopping,
    ];
    for error in errors {
        let expected = error.code();
        let problem = Problem::from(error);
        assert_eq!(problem.code.as_str(), expected);
        if problem.code.status().is_server_error() {
            assert!(!problem.detail.contains("secret"), "{}", problem.detail);
        }
    }
}

#[test]
fn a_problem_names_its_field_outside_the_detail() {
    let problem = Problem::from(Error::invalid("turns[3].said_at", "is not a time")).to_wire("r-1");
    assert_eq!(problem.field.as_deref(), Some("turns[3].said_at"));
    assert_eq!((problem.detail.as_str(), problem.status), ("is not a time", 422));
    assert_eq!(problem.request_id, "r-1");
}

#[test]
fn a_long_detail_is_cut_at_a_character_boundary() {
    let problem = Problem::new(Code::InvalidRequest, "é".repeat(5_000));
    assert!(problem.detail.len() < MAX_DETAIL_BYTES + 5 && problem.detail.ends_with("é…"));
}

#[test]
fn damage_and_a_full_disk_are_no_temporary_problems() {
    for (error, code, status) in [
        (StoreError::Damaged("x".into()), "store_damaged", 500),
        (StoreError::Full("x".into()), "storage_full", 507),
        (StoreError::ReadOnly("x".into()), "store_read_only", 507),
    ] {
        let error = Error::from(memory_core::index::IndexError::from(error));
        let problem = Problem::from(error);
        assert_eq!((problem.code.as_str(), problem.code.status().as_u16()), (code, status));
        assert!(problem.fault.is_some());
        assert!(!problem.into_response().headers().contains_key(header::RETRY_AFTER), "{code}");
    }
}
