//! Conversion of derivations.

use engrain::wire::{DerivationInput, DerivationRecord, Provenance};
use memory_core::domain::derivation::{Derivation, Input, Source};

/// Response of `GET /v1/memories/{id}/provenance`.
pub(crate) fn provenance(derivation: Option<Derivation>) -> Provenance {
    Provenance { derivation: derivation.map(record) }
}

/// Derivation on the wire.
pub(super) fn record(derivation: Derivation) -> DerivationRecord {
    DerivationRecord {
        maker: derivation.maker.name,
        model: derivation.maker.model,
        prompt: derivation.maker.prompt,
        job_id: derivation.job.map(|job| job.0),
        made_at: derivation.made_at.to_string(),
        inputs: derivation.inputs.into_iter().map(input).collect(),
    }
}

fn input(Input { source, is_evidence }: Input) -> DerivationInput {
    let (turn_id, memory_id) = match source {
        Source::Turn(turn) => (Some(turn.0), None),
        Source::Memory(memory) => (None, Some(memory.0)),
    };
    DerivationInput { turn_id, memory_id, is_evidence }
}
