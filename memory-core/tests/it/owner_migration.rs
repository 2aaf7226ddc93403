//! Owners of stores from before migration 9: those of whom nothing is left are forgotten, and jobs get their owners.

use memory_core::domain::id::{JobId, TenantId};
use memory_core::domain::job::Job;
use memory_core::store::{Erasures, Jobs, Maintenance, Memories};
use memory_core::testing::START;
use memory_core::testing::fixtures::owner;

use crate::earlier_schemas::{BEFORE_ERASED_OWNERS, BEFORE_IDENTITIES, BEFORE_KEYED_RECORDS};
use crate::sql_store::{alter, filled, open};

/// Schema of a store before migration 9, with an owner of whom nothing is left and a job that names another one.
const BEFORE_EMPTY_OWNERS_WENT: &str = r#"
    ALTER TABLE durable_jobs DROP COLUMN owner_kind;
    ALTER TABLE durable_jobs DROP COLUMN owner_id;
    UPDATE durable_jobs SET payload = '{"owner_kind":"user","owner_id":"ann"}' WHERE kind = 'facts';
    INSERT INTO partitions (tenant_id, owner_kind, owner_id, created_us) VALUES (zeroblob(16), 'user', 'gone', 0);
    INSERT INTO keyed_requests VALUES (zeroblob(16), 'k', 'add_turns', zeroblob(16), 'user', 'gone', x'00', '', 0);
    DELETE FROM _sqlx_migrations WHERE version >= 9;"#;

#[tokio::test]
async fn owners_of_earlier_stores_without_memories_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = filled(directory.path()).await;
    let job = Job::new(JobId(uuid::Uuid::from_u128(9)), TenantId::DEFAULT, "facts", "{}".to_owned(), START);
    store.enqueue(job.clone()).await.unwrap();
    let before = store.owners(TenantId::DEFAULT, None, 100).await.unwrap();
    store.close().await;
    drop(store);
    alter(
        directory.path(),
        &[BEFORE_IDENTITIES, BEFORE_KEYED_RECORDS, BEFORE_ERASED_OWNERS, BEFORE_EMPTY_OWNERS_WENT].concat(),
    )
    .await;

    let store = open(directory.path()).await;
    assert_eq!(store.owners(TenantId::DEFAULT, None, 100).await.unwrap(), before);
    let detached = store.detached_partitions(10).await.unwrap();
    assert_eq!(detached.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>(), [TenantId::DEFAULT]);
    assert!(store.erase_detached(detached[0].1, START).await.unwrap().is_done);
    let job = store.job(TenantId::DEFAULT, job.id).await.unwrap().unwrap();
    assert_eq!(job.owner, Some(owner("ann")));
    assert_eq!(store.forget_requests(START.plus_days(1)).await.unwrap(), 0, "its records are gone");
    assert_eq!(store.check(false).await.unwrap(), []);
}
