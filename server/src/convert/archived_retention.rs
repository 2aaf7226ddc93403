//! Conversion of what an export keeps of the retention of a memory: its uses, and the record of its forgetting.

use engrain::wire::{ForgottenRecord, MemoryUse, MemoryUses};
use memory_core::domain::forgotten::{Effect, Forgotten, Reason};
use memory_core::domain::uses::{Use, UseKind, Uses};
use memory_core::domain::zone::Zone;
use memory_core::error::Error;

use super::fields;

/// Uses of a memory; none for one that was never used.
pub(super) fn uses(uses: &Uses) -> Option<MemoryUses> {
    if uses.count() == 0 {
        return None;
    }
    let newest = uses.newest().iter();
    let newest = newest.map(|one| MemoryUse { at: one.at.to_string(), kind: one.kind.as_str().to_owned() });
    Some(MemoryUses { earlier: uses.earlier(), newest: newest.collect() })
}

/// Uses of a record of an import.
pub(super) fn uses_of(uses: MemoryUses, path: &dyn Fn(&str) -> String) -> Result<Uses, Error> {
    let newest = uses.newest.into_iter().enumerate().map(|(index, one)| {
        let at = fields::time(&one.at, &Zone::UTC, &path(&format!("newest[{index}].at")))?;
        let kind = UseKind::parse(&one.kind)
            .ok_or_else(|| Error::invalid(path(&format!("newest[{index}].kind")), "is no kind of use"))?;
        Ok(Use { at, kind })
    });
    Uses::new(uses.earlier, newest.collect::<Result<_, Error>>()?)
        .map_err(|error| Error::invalid(path("newest"), error))
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

#[cfg(test)]
mod tests {
    use memory_core::domain::time::Timestamp;

    use super::*;

    fn path(field: &str) -> String {
        field.to_owned()
    }

    #[test]
    fn uses_and_records_of_forgetting_come_back_as_they_were() {
        let at = |us| Timestamp::from_micros(1_700_000_000_000_000 + us);
        let kinds = UseKind::ALL.into_iter().enumerate();
        let newest = kinds.map(|(index, kind)| Use { at: at(i64::try_from(index).unwrap()), kind }).collect();
        let used = Uses::new(7, newest).unwrap();
        assert_eq!(uses_of(uses(&used).unwrap(), &path).unwrap(), used);
        assert_eq!(uses(&Uses::default()), None);
        for (reason, effect) in Effect::ALL.into_iter().flat_map(|it| Reason::ALL.map(|reason| (reason, it)))
        {
            let record = Forgotten {
                since: at(1),
                recorded_at: at(2),
                reason,
                effect,
                curve: "wixted".to_owned(),
                retention: 0.1,
                threshold: 0.3,
            };
            assert_eq!(forgotten_of(forgotten(&record), &path).unwrap(), record);
        }
    }

    #[test]
    fn uses_that_do_not_ascend_in_time_are_refused() {
        let one = MemoryUse { at: "2023-05-20T02:21:00Z".to_owned(), kind: "cited".to_owned() };
        let refused = uses_of(MemoryUses { earlier: 0, newest: vec![one.clone(), one] }, &path);
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == "newest"));
    }

    #[test]
    fn an_unknown_kind_of_use_is_named_by_its_path() {
        let one = MemoryUse { at: "2023-05-20T02:21:00Z".to_owned(), kind: "seen".to_owned() };
        let refused = uses_of(MemoryUses { earlier: 0, newest: vec![one] }, &path);
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == "newest[0].kind"));
    }
}
