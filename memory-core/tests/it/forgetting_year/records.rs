//! Comparison of what the engine tells and stores with the model: rows, previews, and retention in explanations.

use std::collections::BTreeMap;

use memory_core::domain::forgotten::{Forgotten, Reason};
use memory_core::domain::id::MemoryId;
use memory_core::domain::memory::Kind;
use memory_core::domain::time::Timestamp;
use memory_core::domain::uses::Uses;
use memory_core::forgetting::plan::Change;
use memory_core::forgetting::request::{PreviewedSweep, SweepCounts};
use memory_core::store::RetentionRow;

use super::model::{Model, Swept, threshold};

/// Rounding of a moment at which a curve is inverted in closed form.
const MOMENT_US: i64 = 1_000;
const ROUNDING: f64 = 1e-9;

pub(super) fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= ROUNDING * expected.abs().max(1.0)
}

/// Equality up to rounding.
pub(super) fn assert_record(found: Option<&Forgotten>, expected: Option<&Forgotten>, what: &str) {
    let (Some(found), Some(expected)) = (found, expected) else {
        assert_eq!(found, expected, "{what}");
        return;
    };
    let exact = |record: &Forgotten| (record.recorded_at, record.reason, record.effect, record.curve.clone());
    assert_eq!(exact(found), exact(expected), "{what}");
    let apart_us = (found.since.as_micros() - expected.since.as_micros()).abs();
    assert!(apart_us <= MOMENT_US, "{what}: {found:?} for {expected:?}");
    assert!(
        near(found.retention, expected.retention) && near(found.threshold, expected.threshold),
        "{what}: {found:?} for {expected:?}"
    );
}

/// Change from one record to another. Records that the model keeps are equal to themselves.
fn change(before: Option<&Forgotten>, after: Option<&Forgotten>) -> Option<Change> {
    match (before, after) {
        (None, Some(_)) => Some(Change::Forget),
        (Some(_), None) => Some(Change::Remember),
        (Some(before), Some(after)) => (before != after).then_some(Change::Renew),
        (None, None) => None,
    }
}

/// Numbers of a sweep.
pub(super) fn counts(model: &Model, swept: &Swept) -> SweepCounts {
    let wanted = &swept.records;
    let changed = |of: Change, reason: Option<Reason>, kind: Option<Kind>| {
        let counted = model.items.iter().filter(|(id, item)| {
            let after = wanted[*id].as_ref();
            change(item.record.as_ref(), after) == Some(of)
                && (reason.is_none() || after.map(|record| record.reason) == reason)
                && kind.is_none_or(|kind| kind == item.kind)
        });
        counted.count() as u64
    };
    let by_kind = Kind::ALL.map(|kind| (kind, changed(Change::Forget, None, Some(kind))));
    SweepCounts {
        memories: model.items.len() as u64,
        live: wanted.values().filter(|after| after.is_none()).count() as u64,
        faded: changed(Change::Forget, Some(Reason::Faded), None),
        evicted: changed(Change::Forget, Some(Reason::Evicted), None),
        drawn: 0,
        by_kind: by_kind.into_iter().filter(|(_, count)| *count > 0).collect(),
        remembered: changed(Change::Remember, None, None),
        renewed: changed(Change::Renew, None, None),
        erased: swept.erased.len() as u64,
    }
}

/// The preview, with the entries of all pages, is what the model is going to change.
pub(super) fn assert_preview(preview: &PreviewedSweep, model: &Model, swept: &Swept, what: &str) {
    assert_eq!(preview.counts, counts(model, swept), "{what}");
    let wanted = &swept.records;
    let change_of = |id: &MemoryId, before: Option<&Forgotten>| {
        if swept.erased.contains(id) { Some(Change::Erase) } else { change(before, wanted[id].as_ref()) }
    };
    let expected: Vec<(MemoryId, Change)> = model
        .items
        .iter()
        .filter_map(|(id, item)| Some((*id, change_of(id, item.record.as_ref())?)))
        .collect();
    let found: Vec<(MemoryId, Change)> =
        preview.entries.iter().map(|entry| (entry.memory, entry.change)).collect();
    assert_eq!(found, expected, "{what}");
    for entry in &preview.entries {
        let item = &model.items[&entry.memory];
        let record = wanted[&entry.memory].as_ref().or(item.record.as_ref());
        assert_record(entry.record.as_ref(), record, what);
        assert_eq!(entry.kind, item.kind, "{what}");
        assert!(near(entry.retention, model.retention(item, preview.now)), "{what}: {entry:?}");
        assert!(near(entry.strength, model.strength(item)), "{what}: {entry:?}");
        assert!(near(entry.threshold, threshold(entry.memory)), "{what}: {entry:?}");
    }
}

/// The rows of the store are the model.
pub(super) fn assert_rows(rows: &[RetentionRow], model: &Model, what: &str) {
    let found: Vec<MemoryId> = rows.iter().map(|row| row.memory).collect();
    assert_eq!(found, model.items.keys().copied().collect::<Vec<_>>(), "{what}");
    for row in rows {
        let (item, strength) = (&model.items[&row.memory], &row.strength);
        let what = format!("{what}, {:?}", row.memory);
        let stored = (row.kind, strength.importance, strength.learned_at, strength.pinned, strength.strength);
        assert_eq!(stored, (item.kind, item.importance, item.learned_at, item.pinned, 1.0), "{what}");
        assert_eq!(strength.uses, uses(model, row.memory), "{what}");
        assert_record(row.forgotten.as_ref(), item.record.as_ref(), &what);
    }
}

pub(super) fn has_uses_of(rows: &[RetentionRow], model: &Model) -> bool {
    rows.iter().all(|row| row.strength.uses == uses(model, row.memory))
}

fn uses(model: &Model, id: MemoryId) -> Uses {
    let item = &model.items[&id];
    Uses::new(item.earlier, item.uses.clone()).unwrap()
}

/// Content of a record, without the sweep that wrote it.
pub(super) type Since = (Timestamp, Reason);

pub(super) fn forgotten_since(rows: &[RetentionRow]) -> BTreeMap<MemoryId, Since> {
    let since = |row: &RetentionRow| {
        let record = row.forgotten.as_ref()?;
        Some((row.memory, (record.since, record.reason)))
    };
    rows.iter().filter_map(since).collect()
}
