//! Output of results: JSON for programs, lines for people; and of notes, on standard error.
//!
//! Invariants: a text from elsewhere does not control the reader's terminal: lines have replacement characters in the place
//! of such characters, and JSON escapes them. Nothing panics when an output is closed or its disk is full.

use std::io::{self, Write};

use engrain::wire;
use memory_core::domain::time::Timestamp;
use memory_core::domain::zone::Zone;
use serde::Serialize;

use super::failure::Failure;

/// Prints one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line = Vec::new();
    write_json(&mut line, value).map_err(|error| Failure::Failed(error.to_string()))?;
    line.push(b'\n');
    text(&String::from_utf8_lossy(&line))
}

/// Writes JSON in which the characters are escaped that [`printable`] replaces.
pub(super) fn write_json(out: impl Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Escaping))
}

/// Formatter of [`write_json`].
struct Escaping;

impl serde_json::ser::Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for piece in fragment.split_inclusive(controls) {
            match piece.char_indices().next_back().filter(|(_, last)| controls(*last)) {
                Some((at, last)) => {
                    write!(out, "{}\\u{:04x}", piece.get(..at).unwrap_or_default(), u32::from(last))?;
                }
                None => out.write_all(piece.as_bytes())?,
            }
        }
        Ok(())
    }
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

/// Prints a line on standard error. Its failure is ignored: there is nowhere left to tell it.
pub(super) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// Prints a question on standard error, without a line break. Its failure is ignored as that of [`note`] is.
pub(super) fn question(question: &str) {
    let mut out = io::stderr();
    let _ = write!(out, "{} ", printable(question)).and_then(|()| out.flush());
}

/// Prints a memory: a line with its time in a zone, speaker and id, and with its pin and its forgetting if it has them, then its
/// text indented.
pub(super) fn memory(memory: &wire::Memory, lead: &str, zone: &Zone) -> String {
    let indented = printable(&memory.text).replace('\n', "\n    ");
    let tags = if memory.tags.is_empty() { String::new() } else { format!("  #{}", memory.tags.join(" #")) };
    let when = when(&memory.happened_at, zone);
    let head = format!("{lead}{when}  {}  {}{}", who(memory), memory.id, printable(&tags));
    format!("{head}{}\n    {indented}\n", state(memory, zone))
}

/// Pin and forgetting of a memory; empty without them.
fn state(memory: &wire::Memory, zone: &Zone) -> String {
    let mut state = if memory.pinned { "  [pinned]".to_owned() } else { String::new() };
    if let Some(wire::ForgottenState { since, reason, effect }) = &memory.forgotten {
        let since = when(since, zone);
        state.push_str(
            &printable(&format!("  [forgotten since {since}: {reason}, {effect}]")).replace('\n', " "),
        );
    }
    state
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
            wire::Kind::Digest => "digest",
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
    text.chars().map(|c| if controls(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// True for a character that controls the terminal, breaks a line, or turns the direction of writing.
fn controls(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_text_are_not_printed() {
        assert_eq!(printable("a\u{1b}[2Jb\n\tc\u{9b}"), "a\u{fffd}[2Jb\n\tc\u{fffd}");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{2028}d"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(printable("a\r\u{85}\u{7f}b"), "a\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(printable("שלום \u{200f}!"), "שלום \u{200f}!");
    }

    #[test]
    fn json_has_escapes_for_control_characters_and_stays_the_same_value() {
        for text in [
            "",
            "\u{9b}",
            "a\u{9b}2J\u{202e}\u{2028}",
            "\u{7f}b\u{85}\n\t\"\\\u{1b}",
            "שלום \u{200f}\u{10ffff}",
        ] {
            let mut line = Vec::new();
            write_json(&mut line, &text).unwrap();
            let line = String::from_utf8(line).unwrap();
            assert!(!line.chars().any(controls), "{line:?}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
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
        let mut shown = turn;
        shown.pinned = true;
        assert!(memory(&shown, "", &Zone::UTC).contains("  #x  [pinned]\n"));
        shown.pinned = false;
        shown.forgotten = Some(wire::ForgottenState {
            since: "2023-05-21T01:00:00Z".to_owned(),
            reason: "faded".to_owned(),
            effect: "exclude".to_owned(),
        });
        let printed = memory(&shown, "", &Zone::UTC);
        assert!(
            printed.contains("  #x  [forgotten since 2023-05-21 (Sun) 01:00: faded, exclude]\n"),
            "{printed}"
        );
    }
}
