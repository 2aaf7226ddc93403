//! Facts that the rules extract from a conversation file, to be read by a person: one JSON object a line with the sentence.
//!
//! `cargo run -p memory-core --example extract_facts -- FILE.json` for a LongMemEval or LoCoMo file; `-` reads stdin.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use std::io::Read as _;

use memory_core::domain::id::{MemoryId, SessionId, TurnId};
use memory_core::domain::name::Name;
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::domain::zone::Zone;
use memory_core::think::candidate::SourceTurn;
use memory_core::think::extract::rules::candidates;
use serde_json::{Value, json};

/// Time of a turn without a readable one.
const NO_TIME: &str = "2023-05-30";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("the first argument is a file, or - for stdin")?;
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file)?;
    }
    let data: Value = serde_json::from_str(&text)?;
    let sessions: Vec<Vec<SourceTurn>> = data.as_array().into_iter().flatten().flat_map(sessions).collect();
    let (mut turns, mut facts) = (0, 0);
    for session in sessions {
        turns += session.len();
        for fact in candidates(&session) {
            facts += 1;
            let source = fact.evidence.first().and_then(|at| session.get(*at));
            let statement = &fact.statement;
            let line = json!({
                "text": fact.text, "subject": statement.subject.as_str(),
                "relation": statement.relation.as_ref().map(Name::as_str),
                "object": statement.object.as_ref().map(Name::as_str),
                "attribute": statement.attribute.as_ref().map(ToString::to_string),
                "confidence": statement.confidence, "is_ended": fact.is_ended, "is_confidential": fact.is_confidential,
                "happened": day(fact.happened.at), "valid": fact.valid.start.map(day),
                "source": source.map(|turn| turn.text.as_str()), "said_at": source.map(|turn| day(turn.said_at)),
            });
            println!("{line}");
        }
    }
    eprintln!("{facts} candidates of {turns} turns");
    Ok(())
}

/// Sessions of one entry: a question with its haystack (LongMemEval), or a conversation (LoCoMo).
fn sessions(entry: &Value) -> Vec<Vec<SourceTurn>> {
    if let Some(haystack) = entry.get("haystack_sessions").and_then(Value::as_array) {
        let dates = entry.get("haystack_dates").and_then(Value::as_array);
        return haystack
            .iter()
            .enumerate()
            .map(|(nth, session)| {
                let date = dates.and_then(|dates| dates.get(nth)).and_then(Value::as_str).unwrap_or_default();
                let date = date.get(..10).map(|date| date.replace('/', "-")).unwrap_or_default();
                turns(session, "content", &date)
            })
            .collect();
    }
    let Some(conversation) = entry.get("conversation").and_then(Value::as_object) else { return Vec::new() };
    conversation
        .values()
        .filter(|value| value.is_array())
        .map(|session| turns(session, "text", NO_TIME))
        .collect()
}

fn day(at: Timestamp) -> String {
    Zone::UTC.date(at).to_string()
}

fn turns(session: &Value, text: &str, date: &str) -> Vec<SourceTurn> {
    let said_at = Timestamp::parse(date).or_else(|| Timestamp::parse(NO_TIME)).unwrap_or(Timestamp::MIN);
    let word = |turn: &Value, key: &str| turn.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = uuid::Uuid::from_u128;
    let read = |(seq, turn): (usize, &Value)| SourceTurn {
        turn: TurnId(id(1)),
        memory: MemoryId(id(2)),
        session: SessionId(id(3)),
        seq: u32::try_from(seq).unwrap_or(u32::MAX),
        role: word(turn, "role").and_then(|role| Role::parse(&role)).unwrap_or(Role::User),
        author: word(turn, "speaker").and_then(|name| Name::new(&name).ok()),
        participants: Vec::new(),
        text: word(turn, text).unwrap_or_default(),
        said_at,
        utc_offset: None,
        zone: Zone::UTC,
        audience: Vec::new(),
    };
    session.as_array().into_iter().flatten().enumerate().map(read).collect()
}
