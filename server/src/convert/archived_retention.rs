//! Conversion of what an export keeps of the retention of a memory: its uses, and the record of its forgetting.

use engrain::wire::{ForgottenRecord, MemoryUse, MemoryUses};
use memory_core::domain::forgotten::{Effect, Forgotten, Reason};
use memory_core::domain::uses::{Use, UseKind, Uses};
use memory_core::domain::zone::Zone;
use memory_core::error::Error;

use super::fields;

/// Uses of a memory; none for one that was never used.
pub(super) fn uses(uses: &Uses) -> Option<MemoryUses> {
    if uses.newest.is_empty() && uses.earlier == 0 {
        return None;
    }
    let newest = uses.newest.iter();
    let newest = newest.map(|one| MemoryUse { at: one.at.to_string(), kind: one.kind.as_str().to_owned() });
    Some(MemoryUses { earlier: uses.earlier, newest: newest.collect() })
}

/// Uses of a record of an import. Their order and number are checked with the other bounds.
pub(super) fn uses_of(uses: MemoryUses, path: &dyn Fn(&str) -> String) -> Result<Uses, Error> {
    let newest = uses.newest.into_iter().enumerate().map(|(index, one)| {
        let at = fields::time(&one.at, &Zone::UTC, &path(&format!("newest[{index}].at")))?;
        let kind = UseKind::parse(&one.kind)
            .ok_or_else(|| Error::invalid(path(&format!("newest[{index}].kind")), "is no kind of use"))?;
        Ok(Use { at, kind })
    });
    Ok(Uses { earlier: uses.earlier, newest: newest.collect::<Result<_, Error>>()? })
}

/// Record of the forgetting of a memory.
pub(super) fn forgotten(record: &Forgotten) -> ForgottenRecord {
    ForgottenRecord {
        since: record.since.to_string(),
        recorded_at: record.recorded_at.to_string(),
        reason: record.reason.as_str().to_owned(),
        effect: record.effect.as_str().to_owned(),
        curve: record.curve.clone(),
        retention: record.retention,
        threshold: record.threshold,
    }
}

/// Record of forgetting of a record of an import.
pub(super) fn forgotten_of(
    record: ForgottenRecord,
    path: &dyn Fn(&str) -> String,
) -> Result<Forgotten, Error> {
    let reason = Reason::parse(&record.reason)
        .ok_or_else(|| Error::invalid(path("reason"), "is no reason of forgetting"))?;
    let effect = Effect::parse(&record.effect)
        .ok_or_else(|| Error::invalid(path("effect"), "is no effect of forgetting"))?;
    Ok(Forgotten {
        since: fields::time(&record.since, &Zone::UTC, &path("since"))?,
        recorded_at: fields::time(&record.recorded_at, &Zone::UTC, &path("recorded_at"))?,
        reason,
        effect,
        curve: record.curve,
        retention: record.retention,
        threshold: record.threshold,
    })
}
