//! Contract of the store over PostgreSQL, in a schema of its own, if `ENGRAIN_TEST_POSTGRES_URL` names a server. Without
//! one, each test prints that it is skipped.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use memory_core::domain::change::{Operation, Outcome};
use memory_core::store::sql::postgres;
use memory_core::store::{Commit as _, Store};
use memory_core::testing::fixtures::{Fixtures, keyed_request, owner};
use sqlx::Connection as _;

/// Names the database of a server that the tests may make schemas in.
const SERVER: &str = "ENGRAIN_TEST_POSTGRES_URL";

/// A schema that goes with the test.
struct Schema {
    server: String,
    name: String,
}

impl Schema {
    async fn new(server: String) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("engrain_test_{}_{number}", std::process::id());
        let schema = Self { server, name };
        // A test that was killed may have left one of this name.
        schema.run(format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", schema.name)).await;
        schema
    }

    async fn run(&self, statement: String) {
        let mut connection = sqlx::PgConnection::connect(&self.server).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self.run(format!("DROP SCHEMA {} CASCADE", self.name)));
            });
        });
    }
}

async fn connect(schema: &Schema) -> postgres::SqlStore {
    let joint = if schema.server.contains('?') { '&' } else { '?' };
    let url = format!("{}{joint}options[search_path]={}", schema.server, schema.name);
    postgres::SqlStore::connect(&url, postgres::StoreOptions::default()).await.unwrap()
}

async fn server() -> Option<(Schema, Arc<dyn Store>)> {
    let Ok(server) = std::env::var(SERVER) else {
        eprintln!("SKIPPED: {SERVER} names no PostgreSQL server");
        return None;
    };
    let schema = Schema::new(server).await;
    let store = connect(&schema).await;
    Some((schema, Arc::new(store)))
}

/// Two stores over one database, as two processes have them, commit to the same owners, who are new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_commit_at_the_same_time_share_owners_and_keys() {
    const OWNERS: usize = 5;
    const ROUNDS: usize = 8;
    let Some((schema, store)) = server().await else { return };
    let fixtures = Arc::new(Fixtures::for_store(&*store).await.unwrap());
    let mut at_work = tokio::task::JoinSet::new();
    for process in 0..2 {
        let (store, fixtures) = (connect(&schema).await, fixtures.clone());
        at_work.spawn(async move {
            let (mut committed, mut repeated) = (0, 0);
            for round in 0..ROUNDS {
                // Each begins with another owner, to meet in every order.
                let owners = (0..OWNERS).map(|at| (at + process * 2 + round) % OWNERS);
                let sets = owners.map(|at| {
                    let mut set = fixtures.adding(&owner(&format!("o{at}")), vec![fixtures.fact("x")]);
                    let key = format!("key-{round}");
                    set.idempotency = Some(keyed_request(Operation::AddMemories, &key, 1));
                    set
                });
                for set in sets.collect::<Vec<_>>() {
                    match store.commit(&[set]).await.unwrap().remove(0).unwrap() {
                        Outcome::Committed(_) => committed += 1,
                        Outcome::Repeated(_) => repeated += 1,
                    }
                }
            }
            store.close().await;
            (committed, repeated)
        });
    }
    let done = at_work.join_all().await;
    let sums = done.iter().fold((0, 0), |(a, b), (committed, repeated)| (a + committed, b + repeated));
    assert_eq!(sums, (OWNERS * ROUNDS, OWNERS * ROUNDS), "each key made something once: {done:?}");
    assert_eq!(store.check(false).await.unwrap(), [], "no gap in a log, no wrong count");
}

memory_core::store_contract!(server);
