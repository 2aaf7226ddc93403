//! Audience of a fact: the partners to whom it may be told (EMMA, arXiv 2410.02503).
//!
//! Invariant: a fact is never told to somebody to whom one of its sources may not be told. An empty audience stands for
//! anybody, so that an intersection without members is replaced by the user alone.

use std::collections::BTreeSet;

use crate::domain::name::Name;
use crate::domain::statement::Statement;
use crate::think::candidate::{CandidateFact, SourceTurn};

/// Audience of a candidate: those to whom all its evidence may be told and, if it was said in confidence, only its speaker
/// or, without a name, those present. Sorted; empty for anybody.
pub(in crate::think) fn audience(fact: &CandidateFact, evidence: &[&SourceTurn]) -> Vec<Name> {
    let mut audience: Option<BTreeSet<Name>> = None;
    let mut restrict = |names: BTreeSet<Name>| {
        audience = Some(match audience.take() {
            Some(before) => before.intersection(&names).cloned().collect(),
            None => names,
        });
    };
    for turn in evidence {
        if !turn.audience.is_empty() {
            restrict(turn.audience.iter().cloned().collect());
        }
        if fact.is_confidential {
            let present = || turn.participants.iter().cloned().collect();
            restrict(turn.author.clone().map_or_else(present, |author| BTreeSet::from([author])));
        }
    }
    match audience {
        None => Vec::new(),
        Some(names) if names.is_empty() => Name::new(Statement::USER).into_iter().collect(),
        Some(names) => names.into_iter().collect(),
    }
}
