//! Plans of every statement that the store contract makes SQLite run: none reads a table that grows from its start, sorts
//! it, or reads a whole owner, apart from the exceptions below.
//!
//! sqlx traces the text of each statement; a subscriber of the whole process collects them, and `EXPLAIN QUERY PLAN` says
//! what the database does with each. Statements that are added are covered as soon as a rule of the contract runs them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};

use memory_core::store::Store;
use memory_core::store::sql::{DATABASE_FILE, SqlStore, StoreOptions};
use sqlx::Connection as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Statements with a plan that would otherwise be refused: a part of the statement, the beginning of the step of the plan,
/// and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "UPDATE durable_jobs SET state = 'running'",
        "USE TEMP B-TREE FOR ORDER BY",
        "two jobs of each kind at most",
    ),
    (
        "FROM durable_jobs j WHERE j.state IN",
        "SCAN j",
        "once an hour, on a reader, in the order of ids up to the limit",
    ),
    (
        "SET state = 'waiting', lease_until_us",
        "SCAN durable_jobs USING INDEX durable_jobs_running",
        "an index of what runs",
    ),
    (
        "FROM durable_jobs GROUP BY kind, state",
        "SCAN durable_jobs USING COVERING INDEX",
        "counts all, for the metrics",
    ),
    (
        "FROM thinking_queue GROUP BY mechanism",
        "SCAN thinking_queue USING COVERING INDEX",
        "counts all, for the metrics",
    ),
    ("FROM model_usage u", "USE TEMP B-TREE", "sums: one row per day, task and model"),
    ("SELECT DISTINCT p.id, p.owner_kind", "USE TEMP B-TREE", "the owners of the derivations of one job"),
    ("WITH page AS", "USE TEMP B-TREE", "one page of derivations"),
    (
        "CASE WHEN typeof(partitions.",
        "SEARCH counted USING PRIMARY KEY (partition_id=?)",
        "only where the counter of a partition is damaged",
    ),
    ("SELECT EXISTS (SELECT 1 FROM partitions) OR EXISTS", "SCAN", "the first row, when a store is opened"),
    (
        "SELECT derivation_id, source_id, source_kind",
        "USE TEMP B-TREE",
        "the inputs of at most 512 derivations",
    ),
    ("SELECT memory_id, version, MIN(seq)", "USE TEMP B-TREE", "the changes of at most 512 memories"),
    ("AND vector IS NULL LIMIT", "SCAN listed", "the rows of a list that is bounded by its limit"),
    (
        "SELECT DISTINCT p.tenant_id",
        "USE TEMP B-TREE",
        "at the start: tenants of the rows whose vectors are missing",
    ),
    (
        "FROM recalls WHERE partition_id",
        "SEARCH recalls USING PRIMARY KEY (partition_id=?)",
        "bounded per owner",
    ),
    (
        "UPDATE recalls SET session_key",
        "SEARCH recalls USING PRIMARY KEY (partition_id=?)",
        "bounded per owner",
    ),
    (
        "SELECT count(*) FROM memories m WHERE m.partition_id",
        "SEARCH m USING",
        "counts all matches of a filter",
    ),
    (
        "FROM memories m LEFT JOIN turns t",
        "SEARCH m USING PRIMARY KEY (partition_id=?)",
        "steps of a scan by a filter",
    ),
    (
        "SELECT m.id FROM memories m WHERE m.partition_id",
        "SEARCH m USING PRIMARY KEY (partition_id=?)",
        "the first page of a list",
    ),
    ("SELECT DISTINCT session_id FROM turns", "USE TEMP B-TREE", "the sessions of at most 512 turns"),
    ("WHERE partition_id = $1 LIMIT $2)", "SEARCH", "a step of the deletion of an owner"),
    (
        "(SELECT seq FROM changes",
        "SEARCH changes USING PRIMARY KEY (partition_id=?)",
        "a step of the deletion of an owner, in the order of the key",
    ),
    (
        "SELECT id, turn_id, derivation_id FROM memories",
        "SEARCH memories USING PRIMARY KEY (partition_id=?)",
        "a step of the deletion of an owner, in the order of the key",
    ),
    (
        "SELECT id FROM memories WHERE partition_id = $1 ORDER BY id DESC LIMIT 1",
        "SEARCH memories USING PRIMARY KEY (partition_id=?)",
        "the newest memory, in the order of the key",
    ),
    ("DELETE FROM turns", "SEARCH turns USING PRIMARY KEY (partition_id=?)", "left by damage: the last step"),
    (
        "DELETE FROM memory_versions",
        "SEARCH memory_versions USING PRIMARY KEY (partition_id=?)",
        "left by damage: the last step of the deletion of an owner",
    ),
    (
        "DELETE FROM index_rows WHERE partition_id = $1",
        "SEARCH index_rows USING PRIMARY KEY (partition_id=?)",
        "left by damage: the last step of the deletion of an owner",
    ),
];

/// Ends of the statements without parameters with which the check decodes each table once.
const DECODED: [&str; 22] = [
    " FROM forgotten f",
    " LEFT JOIN sessions s ON s.id = t.session_id",
    " FROM memory_versions v",
    " FROM turns",
    " FROM sessions",
    " FROM partitions",
    " FROM derivations",
    " FROM recalls",
    " FROM durable_jobs",
    " FROM model_usage",
    " FROM request_records",
    " FROM index_rows",
    " FROM scope_partitions",
    " FROM changes",
    " FROM memory_groups",
    " FROM thinking_queue",
    " FROM request_items",
    " FROM link_targets",
    " FROM derivation_inputs",
    " FROM grants",
    " FROM grant_memories",
    " FROM grant_events",
];

/// Scans of what never grows: lists of parameters, results of inner statements, and tables of a few rows.
const SMALL: [&str; 19] = [
    "removed_partitions",
    "CONSTANT ROW",
    "kinds",
    "due",
    "waiting",
    "page",
    "made",
    "newest",
    "members",
    "touch",
    "settings",
    "row_recipes",
    "e",
    "keyed_requests",
    "counted",
    "some",
    "ids",
    "(subquery",
    "json_each",
];

/// Tables of which one owner or session has many rows: its id alone is no way to find one.
const OF_ONE_OWNER: [&str; 6] = [
    "USING INDEX turns_in_order (session_id=?)",
    "PRIMARY KEY (partition_id=?)",
    "of_memory (partition_id=?)",
    "by_turn (partition_id=?)",
    "by_document (partition_id=?)",
    "by_derivation (partition_id=?)",
];

static SEEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Collects the statements that sqlx traces.
struct Statements;

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let text = if statement.whole.trim().is_empty() { statement.summary } else { statement.whole };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        SEEN.lock().unwrap().insert(text);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Text of a traced statement. The summary is the statement itself if that is short.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

async fn sqlite() -> (tempfile::TempDir, Arc<dyn Store>) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap();
    (directory, Arc::new(store))
}

memory_core::store_contract!(all: sqlite);

/// Steps of the plan of a statement.
async fn plan(connection: &mut sqlx::SqliteConnection, statement: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(connection).await.unwrap();
    rows.into_iter().map(|(.., step)| step).collect()
}

/// True if a step of a plan reads a table that grows, or all rows of an owner, or sorts.
fn is_long(step: &str) -> bool {
    if let Some(scanned) = step.strip_prefix("SCAN ") {
        return !scanned.ends_with("-ROW VALUES CLAUSE")
            && !SMALL
                .iter()
                .any(|small| scanned.starts_with(small) && !scanned[small.len()..].starts_with('_'));
    }
    step.starts_with("USE TEMP B-TREE")
        || step.starts_with("SEARCH") && OF_ONE_OWNER.iter().any(|owner| step.ends_with(owner))
}

/// True for statements of the schema, transactions, and the integrity check, which looks at everything once.
fn is_apart(statement: &str) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    begins(&[
        "--",
        "PRAGMA",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "CREATE",
        "ALTER",
        "DROP",
        "VACUUM",
    ]) || statement.contains("_sqlx_migrations")
        || statement.contains("pragma_table_info")
        || statement.contains("sqlite_master")
        || statement.contains("sqlite_schema")
}

#[tokio::test]
async fn no_statement_reads_a_big_table_from_its_start_or_sorts_it() {
    tracing::subscriber::set_global_default(Statements).unwrap();
    every_rule().await;
    let (directory, store) = sqlite().await;
    drop(store);
    let url = format!("sqlite://{}", directory.path().join(DATABASE_FILE).display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    // As the store has it: the plans of its inserts check no references.
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut connection).await.unwrap();
    let statements = SEEN.lock().unwrap().clone();
    let statements: Vec<&String> = statements.iter().filter(|statement| !is_apart(statement)).collect();
    assert!(statements.len() > 100, "sqlx traces its statements no more: {}", statements.len());
    let (mut long, mut used) = (Vec::new(), BTreeSet::new());
    for statement in statements {
        let steps = plan(&mut connection, statement).await;
        let is_check = !statement.contains(['$', '?'])
            && (statement.starts_with("SELECT count(*) FROM")
                || statement.starts_with("SELECT COALESCE(SUM(NOT (") // the types of all values of a table
                || DECODED.iter().any(|table| statement.ends_with(table)));
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| is_long(step)) {
            // The check reads each table once: what it looks up for a row has to come from an index.
            if is_check && (at == 0 || !step.starts_with("SCAN") || steps[0].starts_with("CO-ROUTINE")) {
                continue;
            }
            let excused = EXCEPTIONS
                .iter()
                .position(|(part, begins, _)| statement.contains(part) && step.starts_with(begins));
            match excused {
                Some(exception) => drop(used.insert(exception)),
                None => long.push(format!("{step}\n    {statement}\n    {steps:?}")),
            }
        }
    }
    let unused: Vec<_> =
        (0..EXCEPTIONS.len()).filter(|at| !used.contains(at)).map(|at| EXCEPTIONS[at].0).collect();
    assert!(
        long.is_empty() && unused.is_empty(),
        "{} steps:\n{}\nexceptions of no statement: {unused:?}",
        long.len(),
        long.join("\n")
    );
}
