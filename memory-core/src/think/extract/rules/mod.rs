//! Extraction by rules, the deterministic counterpart of extraction by a language model: first-person statements of
//! identity, work, relations, possessions, preferences, plans and events become candidate facts.
//!
//! A wrong attribution is worse than a miss. Questions, conditions, wishes, quotations and reported speech are therefore
//! left out, as are statements whose object points at the conversation ("I like that idea"). Statements of system and
//! tool turns are never taken, and of assistant turns only those with a named author. The rules are data ([`english`]);
//! another language gets tables of its own. Invariant: the result depends on the turns only, and every text can be read
//! without its conversation.

mod clause;
mod confidence;
mod english;
mod object;
mod pattern;
mod rewrite;
mod rule;
mod sentence;
mod speech;
mod tokens;
mod when;
mod words;

use crate::domain::turn::Role;
use crate::text::{STATEMENT_BYTES, sentences};
use crate::think::candidate::{CandidateFact, SourceTurn};
use sentence::Reader;

/// Maximum number of candidates of one turn.
pub const MAX_CANDIDATES_PER_TURN: usize = 12;
/// Maximum number of sentences of one turn that are read.
pub const MAX_SENTENCES_PER_TURN: usize = 64;

/// Candidate facts of turns, in their order: at most [`MAX_CANDIDATES_PER_TURN`] a turn.
pub fn candidates(turns: &[SourceTurn]) -> Vec<CandidateFact> {
    let mut found = Vec::new();
    for (position, turn) in turns.iter().enumerate().filter(|(_, turn)| may_speak(turn)) {
        let after =
            turns.iter().skip(position + 1).find(|next| next.role == turn.role && next.author == turn.author);
        let of_turn = turn_candidates(
            turn,
            position,
            after.is_some_and(|next| confidence::opens_with_request(&next.text)),
        );
        found.extend(of_turn);
    }
    found
}

/// True for a turn whose first person is a known one.
fn may_speak(turn: &SourceTurn) -> bool {
    match turn.role {
        Role::User => true,
        Role::Assistant => turn.author.is_some(),
        Role::System | Role::Tool => false,
    }
}

fn turn_candidates(turn: &SourceTurn, position: usize, is_confidential: bool) -> Vec<CandidateFact> {
    let spans = sentences(&turn.text);
    let texts: Vec<&str> = spans.iter().filter_map(|span| turn.text.get(span.clone())).collect();
    let own = speech::own_sentences(&turn.text, &texts);
    let is_secret = is_confidential || confidence::has_request(&turn.text);
    let mut found: Vec<CandidateFact> = Vec::new();
    for sentence in
        own.iter().take(MAX_SENTENCES_PER_TURN).filter(|text| STATEMENT_BYTES.contains(&text.len()))
    {
        for mut fact in Reader::new(turn, position, sentence).facts() {
            fact.is_confidential = is_secret;
            let is_new = found.iter().all(|known| {
                known.text != fact.text || known.statement.attribute != fact.statement.attribute
            });
            if is_new && found.len() < MAX_CANDIDATES_PER_TURN {
                found.push(fact);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
