//! Every rule of the store's contract, over the SQL store in a directory of its own.
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
