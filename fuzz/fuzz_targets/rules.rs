//! Turns that the rules of extraction read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memory_core::domain::id::{MemoryId, SessionId, TurnId};
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::think::candidate::SourceTurn;
use memory_core::think::extract::rules::candidates;

fuzz_target!(|text: String| {
    let turn = SourceTurn {
        turn: TurnId(uuid::Uuid::nil()),
        memory: MemoryId(uuid::Uuid::nil()),
        session: SessionId(uuid::Uuid::nil()),
        seq: 0,
        role: Role::User,
        author: None,
        participants: Vec::new(),
        text,
        said_at: Timestamp::from_micros(0),
        audience: Vec::new(),
    };
    for candidate in candidates(&[turn]) {
        assert!(!candidate.text.trim().is_empty() && candidate.evidence == [0]);
    }
});
