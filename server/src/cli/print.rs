//! Output of results: JSON for programs, lines for people.
//!
//! Control characters are removed from memory texts shown to people: a memory must not control the reader's terminal.

use std::io::{self, Write};

use engrain::wire;
use memory_core::domain::time::Timestamp;
use memory_core::domain::zone::Zone;
use serde::Serialize;

use super::failure::Failure;

/// Prints one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?;
    text(&format!("{line}\n"))
}

/// Prints a text verbatim. A closed pipe (`| head`) is not a failure.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Prints a memory: a line with its time in a zone, speaker and id, then its text indented.
pub(super) fn memory(memory: &wire::Memory, lead: &str, zone: &Zone) -> String {
    let indented = printable(&memory.text).replace('\n', "\n    ");
    let tags = if memory.tags.is_empty() { String::new() } else { format!("  #{}", memory.tags.join(" #")) };
    let when = when(&memory.happened_at, zone);
    let head = format!("{lead}{when}  {}  {}{}", who(memory), memory.id, printable(&tags));
    format!("{head}\n    {indented}\n")
}

/// Speaker of a turn, or kind of another memory.
fn who(memory: &wire::Memory) -> String {
    match (&memory.origin, &memory.document) {
        (Some(wire::Origin { author: Some(author), .. }), _) => printable(author),
        (Some(origin), _) => match origin.role {
            wire::Role::User => "user",
            wire::Role::Assistant => "assistant",
            wire::Role::System => "system",
            wire::Role::Tool => "tool",
        }
        .to_owned(),
        (None, Some(name)) => printable(&format!("{}/{}", name.namespace, name.key)),
        (None, None) => match memory.kind {
            wire::Kind::Turn => "turn",
            wire::Kind::Fact => "fact",
            wire::Kind::Thought => "thought",
            wire::Kind::Note => "note",
            wire::Kind::Document => "document",
        }
        .to_owned(),
    }
}

/// Zone of the times that are printed: that of this machine, or UTC where it has none.
pub(super) fn zone(is_utc: bool) -> Zone {
    if is_utc { Zone::UTC } else { Zone::from(jiff::tz::TimeZone::system()) }
}

/// Local time of a moment: `2023-05-20 (Sat) 02:21`.
pub(super) fn when(moment: &str, zone: &Zone) -> String {
    Timestamp::parse(moment).map_or_else(|| moment.to_owned(), |at| zone.for_readers(at))
}

/// Replaces control characters except line breaks and tabs, and the characters that break a line or turn the direction of
/// writing: a memory must neither control the terminal nor look like another one.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_text_are_not_printed() {
        assert_eq!(printable("a\u{1b}[2Jb\n\tc\u{9b}"), "a\u{fffd}[2Jb\n\tc\u{fffd}");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{2028}d"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(printable("שלום \u{200f}!"), "שלום \u{200f}!");
    }

    #[test]
    fn a_memory_is_printed_with_time_speaker_and_text() {
        let turn: wire::Memory = serde_json::from_value(serde_json::json!({
            "id": "01890a5d-ac96-774b-bcce-b30209900003", "version": 1, "kind": "turn", "text": "one\ntwo",
            "tokens": 2, "visibility": "owner", "tags": ["x"], "happened_at": "2023-05-20T02:21:00Z",
            "recorded_at": "2023-05-20T02:21:00Z", "created_at": "2023-05-20T02:21:00Z", "importance": 0.5,
            "origin": {
                "turn_id": "01890a5d-ac96-774b-bcce-b30209900004", "session": "s", "seq": 0, "role": "user",
                "session_id": "01890a5d-ac96-774b-bcce-b30209900005"
            }
        }))
        .expect("a memory");
        let expected =
            "1. 2023-05-20 (Sat) 02:21  user  01890a5d-ac96-774b-bcce-b30209900003  #x\n    one\n    two\n";
        assert_eq!(memory(&turn, "1. ", &Zone::UTC), expected);
        let shanghai = Zone::parse("Asia/Shanghai").expect("a zone");
        assert!(memory(&turn, "", &shanghai).starts_with("2023-05-20 (Sat) 10:21  user"));
    }
}
