//! `engrain remember`: add one text.

use std::io::Read;

use engrain::wire::{AddMemories, AddTurns, Indexing, NewMemory, NewTurn};

use super::args::{Global, RememberArgs};
use super::connect::with_server;
use super::failure::Failure;
use super::print;

/// Maximum length of a text from standard input, in bytes; the server's own limit is lower.
const MAX_INPUT_BYTES: u64 = 16 << 20;

/// Adds a text as a fact, or as a turn if a role is given.
pub(super) async fn remember(global: &Global, args: RememberArgs) -> Result<(), Failure> {
    let text = text_or_input(args.text)?;
    let scope = args.scope.scope();
    let (tags, importance) = (args.tags, args.importance);
    let at = args.at.or_else(|| local_time(&jiff::ZonedDateTime::now()));
    with_server(global, async |server| match args.role {
        Some(role) => {
            let turn = NewTurn { said_at: at, tags, importance, ..NewTurn::new(role.into(), text) };
            let request = AddTurns { scope, session: args.session, turns: vec![turn], ..AddTurns::default() };
            let added = server.client.add_turns(&request).await?;
            tell_indexing(added.indexing);
            if global.json { print::json(&added) } else { print_ids(&added.memory_ids) }
        }
        None => {
            let memory = NewMemory { text, happened_at: at, tags, importance, ..NewMemory::default() };
            let added = server
                .client
                .add_memories(&AddMemories { scope, memories: vec![memory], ..AddMemories::default() })
                .await?;
            tell_indexing(added.indexing);
            if global.json { print::json(&added) } else { print_ids(&added.memory_ids) }
        }
    })
    .await
}

/// The present time with the offset of this machine, which tells the local day (ADR 0040).
///
/// None in a zone without an offset: a machine that runs in UTC seldom stands there, and the zone of the owner must hold then.
fn local_time(now: &jiff::ZonedDateTime) -> Option<String> {
    let has_offset = !now.offset().is_zero();
    has_offset.then(|| now.timestamp().display_with_offset(now.offset()).to_string())
}

/// Says on standard error that the text is found by its words alone so far.
fn tell_indexing(indexing: Indexing) {
    if indexing == Indexing::Lexical {
        print::note("engrain: found by its words alone so far: its vectors are made in the background");
    }
}

fn print_ids(ids: &[uuid::Uuid]) -> Result<(), Failure> {
    ids.iter().try_for_each(|id| print::text(&format!("{id}\n")))
}

/// Text of the argument, or of standard input for `-`.
pub(super) fn text_or_input(argument: String) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_INPUT_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 > MAX_INPUT_BYTES => {
            Err(Failure::Usage(format!("standard input has more than {MAX_INPUT_BYTES} bytes")))
        }
        Ok(_) => Ok(text.trim_end_matches('\n').to_owned()),
        Err(error) => Err(Failure::io("cannot read standard input", &error)),
    }
}

#[cfg(test)]
mod tests {
    use memory_core::domain::zone::UtcOffset;

    use super::*;

    fn now_in(zone: &str) -> jiff::ZonedDateTime {
        let now: jiff::Timestamp = "2026-03-01T23:00:00.123456789Z".parse().unwrap();
        now.in_tz(zone).unwrap()
    }

    #[test]
    fn a_machine_away_from_utc_tells_its_local_day() {
        let said_at = local_time(&now_in("Asia/Shanghai")).unwrap();
        assert_eq!(said_at, "2026-03-02T07:00:00.123456789+08:00");
        assert_eq!(UtcOffset::of_text(&said_at), UtcOffset::from_minutes(480), "the server reads it");
    }

    #[test]
    fn a_machine_that_runs_in_utc_tells_no_place() {
        assert_eq!(local_time(&now_in("UTC")), None);
    }
}
