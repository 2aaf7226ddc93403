//! Pages of memories and turns: they end early when their texts reach the bound, and together they have everything.

use memory_core::domain::filter::Filter;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::limits::Limits;
use memory_core::memories::request::ListMemories;
use memory_core::testing::{CALLER, TestEngine, turn, turns, user};

#[tokio::test]
async fn a_page_ends_early_when_its_texts_reach_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { page_text_bytes: 100, ..Limits::default() };
    let engine = TestEngine::limited(directory.path(), limits).await.unwrap().engine;
    let ann = user("ann").unwrap();
    let text = |at: usize| format!("{at:02} {}", "tea ".repeat(if at == 7 { 60 } else { 6 }));
    let said = (0..20).map(|at| turn(Role::User, &text(at), Timestamp::from_micros(at as i64))).collect();
    let session =
        engine.remember_turns(&CALLER, turns(&ann, "s", said).unwrap()).await.unwrap().session.unwrap();

    let (mut after, mut listed) = (None, Vec::new());
    loop {
        let scope = ann.clone();
        let request =
            ListMemories { scope, filter: Filter::everything(), newest_first: false, limit: 1_000, after };
        let page = engine.list(&CALLER, request).await.unwrap();
        let all_but_last = page.memories.split_last().unwrap().1;
        assert!(all_but_last.iter().map(|memory| memory.text.len()).sum::<usize>() < 100);
        assert_eq!(page.total, 20);
        listed.extend(page.memories.into_iter().map(|memory| memory.text));
        after = page.last;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(listed, (0..20).map(text).collect::<Vec<_>>());

    let (mut from, mut listed) = (0, Vec::new());
    loop {
        let (_, page, has_more) = engine.session_turns(&CALLER, session, from, 1_000).await.unwrap();
        assert!(page.len() <= 4, "{} turns", page.len());
        from += u32::try_from(page.len()).unwrap();
        listed.extend(page.into_iter().map(|turn| turn.text));
        if !has_more {
            break;
        }
    }
    assert_eq!(listed, (0..20).map(text).collect::<Vec<_>>());
    let (_, page, has_more) = engine.session_turns(&CALLER, session, 0, 2).await.unwrap();
    assert_eq!((page.len(), has_more), (2, true));
}
