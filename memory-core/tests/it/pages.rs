//! Pages of memories and turns: they end early when their texts reach the bound, and together they have everything. The texts of a
//! recall share the same bound.

use memory_core::domain::filter::Filter;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::limits::Limits;
use memory_core::memories::request::{Edit, ListMemories};
use memory_core::recall::request::Recall;
use memory_core::testing::{CALLER, TestEngine, question, turn, turns, user};

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

#[tokio::test]
async fn a_page_of_a_history_ends_early_when_its_texts_reach_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { page_text_bytes: 100, ..Limits::default() };
    let engine = TestEngine::limited(directory.path(), limits).await.unwrap().engine;
    let ann = user("ann").unwrap();
    let text = |at: usize| format!("{at:02} {}", "tea ".repeat(if at == 7 { 60 } else { 6 }));
    let said = vec![turn(Role::User, &text(0), Timestamp::from_micros(0))];
    let id = engine.remember_turns(&CALLER, turns(&ann, "s", said).unwrap()).await.unwrap().memories[0];
    for at in 1..12 {
        let edit = Edit { text: Some(text(at)), ..Edit::default() };
        engine.edit(&CALLER, id, edit, None).await.unwrap();
    }
    let (mut from, mut listed, mut pages) = (0, Vec::new(), 0);
    loop {
        let (page, has_more) = engine.history_page(&CALLER, id, from, 1_000).await.unwrap();
        assert!(page.len() <= 4, "{} versions", page.len());
        from = page.last().unwrap().version + 1;
        listed.extend(page.into_iter().map(|version| version.text));
        pages += 1;
        if !has_more {
            break;
        }
    }
    assert_eq!(listed, (0..12).map(text).collect::<Vec<_>>());
    assert!(pages >= 3, "{pages} pages");
    let (page, has_more) = engine.history_page(&CALLER, id, 3, 2).await.unwrap();
    assert_eq!((page[0].version, page.len(), has_more), (3, 2, true));
    assert!(engine.history_page(&CALLER, id, 0, 1_001).await.is_err());
}

#[tokio::test]
async fn the_texts_of_a_recall_share_a_bound_and_later_ones_are_shorter_excerpts() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { page_text_bytes: 100_000, ..Limits::default() };
    let engine = TestEngine::limited(directory.path(), limits).await.unwrap().engine;
    let ann = user("ann").unwrap();
    let text = |at: usize| format!("{at:02} {}", "green tea leaves ".repeat(2_500));
    let said = (0..40).map(|at| turn(Role::User, &text(at), Timestamp::from_micros(at as i64))).collect();
    engine.remember_turns(&CALLER, turns(&ann, "s", said).unwrap()).await.unwrap();

    for budget_tokens in [0, 2_000, 100_000] {
        let request =
            Recall { limit: 200, max_text_bytes: Some(1_048_576), budget_tokens, ..question(&ann, "tea") };
        let recalled = engine.recall(&CALLER, request).await.unwrap();
        assert_eq!(recalled.memories.len(), 40);
        let together: usize = recalled.memories.iter().map(|one| one.memory.text.len()).sum();
        assert!((50_000..=100_000).contains(&together), "{together} bytes");
        for one in &recalled.memories {
            let at: usize = one.memory.origin.as_ref().unwrap().seq as usize;
            let excerpt = one.excerpt.expect("all are too long");
            let (from, to) = excerpt.span;
            assert_eq!(&text(at)[from as usize..to as usize], one.memory.text);
            assert_eq!(excerpt.of_bytes as usize, text(at).len());
        }
    }
    let few = Recall { limit: 2, max_text_bytes: Some(1_048_576), ..question(&ann, "tea") };
    let recalled = engine.recall(&CALLER, few).await.unwrap();
    assert!(recalled.memories.iter().all(|one| one.excerpt.is_none()), "two fit the bound");
}
