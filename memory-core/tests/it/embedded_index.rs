//! The embedded index behind an engine: which requests read a partition into memory. The rules that every index keeps are
//! in `contracts.rs`.

use memory_core::domain::filter::{Field, Filter, Test};
use memory_core::index::Index;
use memory_core::memories::request::ListMemories;
use memory_core::testing::{CALLER, TestEngine, fact, memories, question, user};

/// Listing and previewing an erasure read the store: a partition that nobody searches is not read into memory.
#[tokio::test]
async fn lists_and_previews_leave_the_partition_unread() {
    let directory = tempfile::tempdir().unwrap();
    let scope = user("ann").unwrap();
    let test_engine = TestEngine::open(directory.path()).await.unwrap();
    let facts = (0..50).map(|number| fact(&format!("beagle {number}"))).collect();
    test_engine.engine.remember_memories(&CALLER, memories(&scope, facts)).await.unwrap();
    test_engine.index.clear_cache().await;
    let tagged = Filter::Field(Field::Tags, Test::IsNull(true));
    for filter in [Filter::everything(), tagged] {
        let request = ListMemories {
            scope: scope.clone(),
            filter: filter.clone(),
            newest_first: true,
            limit: 10,
            after: None,
        };
        let page = test_engine.engine.list(&CALLER, request).await.unwrap();
        assert_eq!((page.memories.len(), page.total, page.has_more), (10, 50, true));
        assert_eq!(page.memories[0].text, "beagle 49");
        let preview = test_engine.engine.preview_erasure(&CALLER, &scope, filter).await.unwrap();
        assert_eq!(preview.matched, 50);
    }
    assert_eq!(test_engine.index.in_memory(), (0, 0));
    test_engine.engine.recall(&CALLER, question(&scope, "beagle")).await.unwrap();
    assert_eq!(test_engine.index.in_memory().1, 1);
}
