//! `engrain recall`, `list` and `show`: commands that read memories.

use engrain::wire::{Filter, ListMemories, ListOrder, RecallRequest};

use super::args::{FilterArg, Global, ListArgs, RecallArgs, ShowArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::json_argument::json_argument;
use super::print;
use super::remember::text_or_input;

/// Recalls memories and prints them or the context block.
pub(super) async fn recall(global: &Global, args: RecallArgs) -> Result<(), Failure> {
    let request = RecallRequest {
        scope: args.scope.scope(),
        query: text_or_input(args.query)?,
        limit: args.limit,
        filter: filter(&args.filter)?,
        budget_tokens: args.budget.or((!args.context && !global.json).then_some(0)),
        rerank: args.rerank.then_some(true),
        include_digests: args.digests.then_some(true),
        timezone: args.timezone,
        now: args.now,
        reinforce: args.no_reinforce.then_some(false),
        forgetting_curve: args.forgetting_curve,
        include_forgotten: args.include_forgotten,
        ..RecallRequest::default()
    };
    let zone = print::zone(global.utc);
    with_server(global, async |server| {
        let answer = server.client.recall(&request).await?;
        if global.json {
            return print::json(&answer);
        }
        for part in &answer.degraded {
            print::note(&format!("engrain: the recall went without something: {part}"));
        }
        if !answer.memories.is_empty() {
            print::note(&format!("recall {}", answer.recall_id));
        }
        if args.context {
            return print::text(&format!("{}\n", print::printable(&answer.context.text)));
        }
        if answer.memories.is_empty() {
            print::note("nothing is remembered that bears on it");
        }
        for (at, found) in answer.memories.iter().enumerate() {
            let whose = found.granted_by.as_ref().map_or_else(String::new, |granted| {
                let whose = format!("[from {} {}] ", granted.owner.kind, granted.owner.id);
                print::printable(&whose).replace('\n', " ")
            });
            let lead = format!("{:>3}. {:.3}  {whose}", at + 1, found.score);
            print::text(&print::memory(&found.memory, &lead, &zone))?;
        }
        Ok(())
    })
    .await
}

/// Lists memories.
pub(super) async fn list(global: &Global, args: ListArgs) -> Result<(), Failure> {
    let order = if args.oldest_first { ListOrder::OldestFirst } else { ListOrder::NewestFirst };
    let request = ListMemories {
        scope: args.scope.scope(),
        filter: filter(&args.filter)?,
        order: Some(order),
        limit: Some(args.limit),
        cursor: args.cursor,
    };
    let zone = print::zone(global.utc);
    with_server(global, async |server| {
        let page = server.client.list_memories(&request).await?;
        if global.json {
            return print::json(&page);
        }
        for memory in &page.memories {
            print::text(&print::memory(memory, "", &zone))?;
        }
        print::note(&format!("{} of {}", page.memories.len(), page.total));
        if let Some(cursor) = &page.next_cursor {
            print::note(&format!("more with --cursor {cursor}"));
        }
        Ok(())
    })
    .await
}

/// Shows a memory or all its versions.
pub(super) async fn show(global: &Global, args: ShowArgs) -> Result<(), Failure> {
    let zone = print::zone(global.utc);
    with_server(global, async |server| {
        if args.history {
            let history = server.client.history(args.id).await?;
            if global.json {
                return print::json(&history);
            }
            for version in &history.versions {
                print::text(&print::memory(version, &format!("version {}  ", version.version), &zone))?;
            }
            return Ok(());
        }
        let memory = server.client.memory(args.id).await?;
        if global.json {
            return print::json(&memory);
        }
        print::text(&print::memory(&memory, &format!("version {}  ", memory.version), &zone))
    })
    .await
}

/// Parses the filter, if one is given.
pub(super) fn filter(argument: &FilterArg) -> Result<Option<Filter>, Failure> {
    argument.filter.as_deref().map(|text| json_argument("--filter", text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_strictly() {
        let read = |text: &str| filter(&FilterArg { filter: Some(text.to_owned()) });
        assert!(matches!(read(r#"{"field": "tags", "contains": "x"}"#), Ok(Some(_))));
        assert_eq!(read(r#"{"field": "tags", "has": "x"}"#).map_err(|f| f.exit_status()).err(), Some(2));
        for text in ["[]", r#"[null,null,null,"kind"]"#, r#"{"not": [null]}"#, "null", ""] {
            assert_eq!(read(text).map_err(|f| f.exit_status()).err(), Some(2), "{text}");
        }
        assert!(matches!(filter(&FilterArg::default()), Ok(None)));
    }
}
