//! Replies to the prompts of forgetting and merging: edits name shown thoughts only, and never remove all of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memory_core::think::tim::replies::{parse_forget, parse_merge};

const HEADS: [&str; 4] = ["Ann", "the sister", "Ann's", "Bob"];

fuzz_target!(|reply: &str| {
    if let Ok(reply) = parse_forget(reply, HEADS.len()) {
        assert!(reply.drops.len() < HEADS.len());
        assert!(reply.drops.iter().all(|drop| (1..=HEADS.len()).contains(&drop.id)));
    }
    if let Ok(reply) = parse_merge(reply, &HEADS) {
        assert!(reply.merges.iter().all(|merge| merge.ids.len() >= 2));
    }
});
