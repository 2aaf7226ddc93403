//! Replies to the prompt of extraction: facts name shown turns only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memory_core::domain::id::{MemoryId, SessionId, TurnId};
use memory_core::domain::time::Timestamp;
use memory_core::domain::turn::Role;
use memory_core::model::language_model::ask::Contract;
use memory_core::think::candidate::SourceTurn;
use memory_core::think::extract::contract::{FACTS_AT_MOST, FactContract};

fuzz_target!(|reply: &str| {
    let Ok(json) = serde_json::from_str(reply) else { return };
    let turn = SourceTurn {
        turn: TurnId(uuid::Uuid::nil()),
        memory: MemoryId(uuid::Uuid::nil()),
        session: SessionId(uuid::Uuid::nil()),
        seq: 0,
        role: Role::User,
        author: None,
        participants: Vec::new(),
        text: "I moved to Lisbon in March 2023 and work at Acme.".to_owned(),
        said_at: Timestamp::from_micros(0),
        audience: Vec::new(),
    };
    let turns = [turn.clone(), turn];
    if let Ok(extraction) = FactContract::new(&turns).parse(json) {
        assert!(extraction.candidates.len() <= FACTS_AT_MOST);
        for candidate in &extraction.candidates {
            assert!(!candidate.evidence.is_empty());
            assert!(candidate.evidence.iter().all(|at| *at < turns.len()));
        }
    }
});
