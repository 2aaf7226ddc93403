//! Every rule of the store's contract, over the SQL store: on SQLite in a directory of its own, and on
//! PostgreSQL in a schema of its own, if `ENGRAIN_TEST_POSTGRES_URL` names a server.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use memory_core::store::Store;
use memory_core::store::sql::{SqlStore, StoreOptions};

async fn sqlite() -> (tempfile::TempDir, Arc<dyn Store>) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqlStore::open(directory.path(), StoreOptions::default()).await.unwrap();
    (directory, Arc::new(store))
}

memory_core::store_contract!(sqlite);

#[cfg(feature = "postgres")]
mod on_postgres {
    use memory_core::store::sql::postgres;
    use sqlx::Connection as _;

    use super::{Arc, Store};

    /// Names the database of a server that the tests may make schemas in.
    const SERVER: &str = "ENGRAIN_TEST_POSTGRES_URL";

    /// A schema that goes with the test.
    struct Schema {
        server: String,
        name: String,
    }

    impl Schema {
        async fn new(server: String) -> Self {
            let name = format!("engrain_{}", uuid::Uuid::now_v7().simple());
            let schema = Self { server, name };
            schema.run(format!("CREATE SCHEMA {}", schema.name)).await;
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

    async fn server() -> Option<(Schema, Arc<dyn Store>)> {
        let Ok(server) = std::env::var(SERVER) else {
            eprintln!("SKIPPED: {SERVER} names no PostgreSQL server");
            return None;
        };
        let schema = Schema::new(server).await;
        let joint = if schema.server.contains('?') { '&' } else { '?' };
        let url = format!("{}{joint}options[search_path]={}", schema.server, schema.name);
        let store = postgres::SqlStore::connect(&url, postgres::StoreOptions::default()).await.unwrap();
        Some((schema, Arc::new(store)))
    }

    memory_core::store_contract!(server);
}
