//! `engrain grant`: gives, lists and revokes grants, and shows their audit log.

use engrain::GrantQuery;
use engrain::wire::{GiveGrant, Grant, GrantDirection, GrantEvent, Principal};

use super::args::{GiveArgs, Global, GrantCommand, GrantListArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::print;
use super::query::filter;

/// Runs a command on grants.
pub(super) async fn grant(global: &Global, command: GrantCommand) -> Result<(), Failure> {
    match command {
        GrantCommand::Give(args) => give(global, args).await,
        GrantCommand::List(args) => list(global, args).await,
        GrantCommand::Log { id, limit } => {
            with_server(global, async |server| {
                let page = server.client.grant_events(id, Some(limit), None).await?;
                if global.json {
                    return print::json(&page);
                }
                let lines = page.events.iter().map(|event| event_line(event, global.utc));
                print::text(&lines.collect::<String>())
            })
            .await
        }
        GrantCommand::Revoke { id } => {
            with_server(global, async |server| {
                let grant = server.client.revoke_grant(id).await?;
                if global.json { print::json(&grant) } else { print::text(&line(&grant, global.utc)) }
            })
            .await
        }
    }
}

async fn give(global: &Global, args: GiveArgs) -> Result<(), Failure> {
    let request = GiveGrant {
        scope: args.scope.scope(),
        to: args.to.scope(),
        memory_ids: (!args.memories.is_empty()).then_some(args.memories),
        tag: args.tag,
        filter: filter(&args.filter)?,
        expires_at: args.until,
    };
    with_server(global, async |server| {
        let grant = server.client.give_grant(&request).await?;
        if global.json { print::json(&grant) } else { print::text(&line(&grant, global.utc)) }
    })
    .await
}

async fn list(global: &Global, args: GrantListArgs) -> Result<(), Failure> {
    let direction = if args.received { GrantDirection::Received } else { GrantDirection::Given };
    let query = GrantQuery {
        scope: args.scope.scope(),
        direction,
        all: args.all,
        limit: Some(args.limit),
        cursor: args.cursor,
    };
    with_server(global, async |server| {
        let page = server.client.grants(&query).await?;
        if global.json {
            return print::json(&page);
        }
        print::text(&page.grants.iter().map(|grant| line(grant, global.utc)).collect::<String>())?;
        if let Some(cursor) = &page.next_cursor {
            print::note(&format!("more with --cursor {cursor}"));
        }
        Ok(())
    })
    .await
}

/// One line for a grant.
fn line(grant: &Grant, is_utc: bool) -> String {
    let opens = match (&grant.memory_ids, &grant.tag) {
        (Some(ids), _) => format!("{} memories", ids.len()),
        (None, Some(tag)) => format!("tag {}", print::printable(tag)),
        (None, None) => "filter".to_owned(),
    };
    let zone = print::zone(is_utc);
    let until = match (&grant.revoked_at, &grant.expires_at) {
        (Some(at), _) => format!("  revoked {}", print::when(at, &zone)),
        (None, Some(at)) => format!("  until {}", print::when(at, &zone)),
        (None, None) => String::new(),
    };
    let (giver, grantee) = (named(&grant.giver), named(&grant.grantee));
    format!("{}  {:<7}  {giver} -> {grantee}  {opens}{until}\n", grant.id, grant.state.as_str())
}

fn named(principal: &Principal) -> String {
    print::printable(&format!("{} {}", principal.kind, principal.id)).replace('\n', " ")
}

/// One line for an entry of the audit log.
fn event_line(event: &GrantEvent, is_utc: bool) -> String {
    let at = print::when(&event.at, &print::zone(is_utc));
    let recall = event
        .recall_id
        .map_or_else(String::new, |recall| format!("  {} memories by recall {recall}", event.memories));
    format!("{at}  {:<7}  caller {}{recall}\n", event.kind, event.caller)
}

#[cfg(test)]
mod tests {
    use engrain::wire::GrantState;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_grant_is_one_line_whatever_its_names_are() {
        let principal = |kind: &str, id: &str| Principal { kind: kind.to_owned(), id: id.to_owned() };
        let grant = Grant {
            id: Uuid::nil(),
            giver: principal("user", "ann"),
            grantee: principal("agent", "pla\u{1b}[2Jnner"),
            memory_ids: Some(vec![Uuid::nil()]),
            tag: None,
            filter: None,
            state: GrantState::Open,
            given_at: "2023-05-20T02:21:00Z".to_owned(),
            given_by: Uuid::nil(),
            expires_at: None,
            revoked_at: None,
            revoked_by: None,
        };
        let line = line(&grant, true);
        assert!(line.contains("open     user ann -> agent pla"), "{line}");
        assert!(line.ends_with("1 memories\n") && !line.contains('\u{1b}'), "{line}");
    }
}
