//! Columnar storage of the fields that filters test: one array per field, indexed by ordinal.
//!
//! Ordinals number the memories in the order of insertion. A new version of a memory gets a new ordinal; the old one is
//! dead until the partition is read anew.

mod image;

use std::collections::HashMap;

use serde_json::Value;

use super::bitmap::Bitmap;
use super::extent::Extent;
use super::heap_size;
use super::interner::{Interner, Symbol};
use super::traces::Traces;
use crate::domain::filter::Field;
use crate::domain::id::MemoryId;
use crate::domain::link::Link;
use crate::domain::memory::Memory;
use crate::domain::name::Name;
use crate::domain::number::Number;
use crate::domain::time::Timestamp;
use crate::domain::zone::UtcOffset;
use crate::index::TurnPosition;

/// The value of a time field that a memory lacks.
pub(super) const NEVER: i64 = i64::MIN;

/// The offset of a memory whose time has none.
const NO_OFFSET: i16 = i16::MIN;

/// The columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    ids: Vec<MemoryId>,
    ordinals: HashMap<MemoryId, u32>,
    positions: HashMap<TurnPosition, u32>,
    position_of: Vec<Option<TurnPosition>>,
    alive: Bitmap,
    extent: Extent,
    contradictions: Contradictions,
    interner: Interner,
    texts: [Vec<Symbol>; TEXT_FIELDS.len()],
    times: [Vec<i64>; TIME_FIELDS.len()],
    /// Minutes from UTC of the local time of the event, or [`NO_OFFSET`].
    offsets: Vec<i16>,
    importance: Vec<f64>,
    version: Vec<u32>,
    tags: HashMap<Symbol, Vec<u32>>,
    subjects: HashMap<Symbol, Vec<u32>>,
    audience: HashMap<Symbol, Vec<u32>>,
    metadata: HashMap<String, Vec<(u32, Datum)>>,
    pub(super) traces: Traces,
}

/// The fields with one text per memory, in the order of `Columns::texts`.
pub(super) const TEXT_FIELDS: [Field; 9] = [
    Field::Kind,
    Field::Role,
    Field::Author,
    Field::Agent,
    Field::App,
    Field::Run,
    Field::Session,
    Field::Namespace,
    Field::Key,
];

/// The fields with one time per memory, in the order of `Columns::times`.
pub(super) const TIME_FIELDS: [Field; 6] = [
    Field::HappenedAt,
    Field::RecordedAt,
    Field::CreatedAt,
    Field::ValidFrom,
    Field::ValidTo,
    Field::ExpiresAt,
];

/// Links by which memories contradict each other, by both ends. Few memories have any.
#[derive(Debug, Default)]
struct Contradictions {
    /// Targets by the ordinal of the memory that has the links.
    targets: HashMap<u32, Vec<MemoryId>>,
    /// Ordinals of the memories that have the links, by target.
    sources: HashMap<MemoryId, Vec<u32>>,
}

/// A scalar of the metadata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Datum {
    Text(Symbol),
    Number(Number),
    Bool(bool),
}

impl Columns {
    /// Adds a memory. Returns its ordinal, and that of its earlier version, which is dead from now on.
    pub(super) fn put(&mut self, memory: &Memory) -> (u32, Option<u32>) {
        let ordinal = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let replaced = self.ordinals.insert(memory.id, ordinal);
        if let Some(replaced) = replaced {
            self.alive.clear(replaced as usize);
            self.traces.remove(replaced);
        }
        self.traces.push(memory.kind, &memory.strength, memory.forgotten.as_ref());
        self.ids.push(memory.id);
        self.alive.push(true);
        self.extent.put(memory);
        for link in memory.links.iter().filter(|link| link.relation.as_str() == Link::CONTRADICTS) {
            self.contradictions.targets.entry(ordinal).or_default().push(link.to);
            self.contradictions.sources.entry(link.to).or_default().push(ordinal);
        }
        let position = memory
            .origin
            .as_ref()
            .map(|origin| TurnPosition { session: origin.session_ordinal, seq: origin.seq });
        self.position_of.push(position);
        if let Some(position) = position {
            self.positions.insert(position, ordinal);
        }
        self.put_texts(memory);
        let micros = |at: Option<Timestamp>| at.map_or(NEVER, Timestamp::as_micros);
        let times = [
            memory.happened.at.as_micros(),
            memory.recorded_at.as_micros(),
            memory.created_at.as_micros(),
            micros(memory.valid.start),
            micros(memory.valid.end),
            micros(memory.expires_at),
        ];
        self.times.iter_mut().zip(times).for_each(|(column, at)| column.push(at));
        self.offsets.push(memory.happened.offset.map_or(NO_OFFSET, UtcOffset::minutes));
        self.importance.push(memory.strength.importance);
        self.version.push(memory.version);
        for tag in &memory.tags {
            self.tags.entry(self.interner.intern(tag.as_str())).or_default().push(ordinal);
        }
        for subject in &memory.subjects {
            self.subjects.entry(self.interner.intern(subject.as_str())).or_default().push(ordinal);
        }
        for partner in &memory.audience {
            self.audience.entry(self.interner.intern(partner.as_str())).or_default().push(ordinal);
        }
        for (path, value) in memory.metadata.scalars() {
            let datum = match value {
                Value::String(text) => Datum::Text(self.interner.intern(text)),
                Value::Number(number) => match Number::from_json(number) {
                    Some(number) => Datum::Number(number),
                    None => continue,
                },
                Value::Bool(bool) => Datum::Bool(*bool),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            self.metadata.entry(path).or_default().push((ordinal, datum));
        }
        (ordinal, replaced)
    }

    fn put_texts(&mut self, memory: &Memory) {
        let origin = memory.origin.as_ref();
        let document = memory.document.as_ref();
        let name = |name: Option<&Name>| name.map(|name| name.as_str().to_owned());
        let texts: [Option<String>; TEXT_FIELDS.len()] = [
            Some(memory.kind.as_str().to_owned()),
            origin.map(|origin| origin.role.as_str().to_owned()),
            name(memory.author()),
            name(memory.agent.as_ref()),
            name(memory.app.as_ref()),
            name(memory.run.as_ref()),
            name(origin.map(|origin| &origin.session_key)),
            name(document.map(|document| &document.namespace)),
            name(document.map(|document| &document.key)),
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text.map_or(Symbol::NONE, |text| self.interner.intern(&text)));
        }
    }

    /// Removes a memory; returns its ordinal, which is dead from now on.
    pub(super) fn erase(&mut self, id: MemoryId) -> Option<u32> {
        let ordinal = self.ordinals.remove(&id)?;
        self.alive.clear(ordinal as usize);
        self.traces.remove(ordinal);
        Some(ordinal)
    }

    /// Number of ordinals, dead ones included.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Number of memories.
    pub(super) fn live(&self) -> usize {
        self.ordinals.len()
    }

    pub(super) fn id(&self, ordinal: u32) -> Option<MemoryId> {
        self.ids.get(ordinal as usize).copied()
    }

    pub(super) fn ordinal(&self, id: MemoryId) -> Option<u32> {
        self.ordinals.get(&id).copied()
    }

    pub(super) fn version(&self, ordinal: u32) -> u32 {
        self.version.get(ordinal as usize).copied().unwrap_or(0)
    }

    pub(super) fn happened_at(&self, ordinal: u32) -> Timestamp {
        let [happened, ..] = &self.times;
        Timestamp::from_micros(happened.get(ordinal as usize).copied().unwrap_or(0))
    }

    pub(super) fn utc_offset(&self, ordinal: u32) -> Option<UtcOffset> {
        self.offsets.get(ordinal as usize).and_then(|minutes| UtcOffset::from_minutes((*minutes).into()))
    }

    pub(super) fn position(&self, ordinal: u32) -> Option<TurnPosition> {
        self.position_of.get(ordinal as usize).copied().flatten()
    }

    pub(super) fn turn_at(&self, position: TurnPosition) -> Option<u32> {
        self.positions.get(&position).copied().filter(|ordinal| self.alive.contains(*ordinal as usize))
    }

    pub(super) fn alive(&self) -> &Bitmap {
        &self.alive
    }

    /// Values that decide which rules of visibility can hide anything.
    pub(super) fn extent(&self) -> &Extent {
        &self.extent
    }

    /// True if a memory is linked to another by a contradiction.
    pub(super) fn has_contradictions(&self) -> bool {
        !self.contradictions.targets.is_empty()
    }

    /// Ordinals of the live memories that contradict this one or that this one contradicts, in any order, some of them
    /// twice.
    pub(super) fn contradicting(&self, id: MemoryId) -> impl Iterator<Item = u32> + '_ {
        let own = self.ordinal(id).and_then(|ordinal| self.contradictions.targets.get(&ordinal));
        let targets = own.into_iter().flatten().filter_map(|target| self.ordinal(*target));
        let sources = self.contradictions.sources.get(&id).into_iter().flatten().copied();
        targets.chain(sources.filter(|ordinal| self.alive.contains(*ordinal as usize)))
    }

    pub(super) fn text_column(&self, field: &Field) -> Option<&[Symbol]> {
        Some(&self.texts[TEXT_FIELDS.iter().position(|known| known == field)?])
    }

    pub(super) fn time_column(&self, field: &Field) -> Option<&[i64]> {
        Some(&self.times[TIME_FIELDS.iter().position(|known| known == field)?])
    }

    pub(super) fn importance_column(&self) -> &[f64] {
        &self.importance
    }

    pub(super) fn version_column(&self) -> &[u32] {
        &self.version
    }

    pub(super) fn set_column(&self, field: &Field) -> Option<&HashMap<Symbol, Vec<u32>>> {
        match field {
            Field::Tags => Some(&self.tags),
            Field::Subjects => Some(&self.subjects),
            Field::Audience => Some(&self.audience),
            _ => None,
        }
    }

    pub(super) fn metadata_column(&self, path: &str) -> &[(u32, Datum)] {
        self.metadata.get(path).map_or(&[], Vec::as_slice)
    }

    pub(super) fn interner(&self) -> &Interner {
        &self.interner
    }

    /// Approximate heap size in bytes.
    pub(super) fn bytes(&self) -> usize {
        let lists = [&self.tags, &self.subjects, &self.audience];
        let lists = lists
            .map(|lists| heap_size::of_table(lists) + lists.values().map(heap_size::of_vec).sum::<usize>());
        let named = |(name, column): (&String, &Vec<_>)| {
            heap_size::of_vec(column) + name.capacity() + heap_size::PIECE_BYTES
        };
        let metadata = heap_size::of_table(&self.metadata) + self.metadata.iter().map(named).sum::<usize>();
        let Contradictions { targets, sources } = &self.contradictions;
        let contradictions = heap_size::of_table(targets)
            + targets.values().map(heap_size::of_vec).sum::<usize>()
            + heap_size::of_table(sources)
            + sources.values().map(heap_size::of_vec).sum::<usize>();
        let bitmaps = self.alive.bytes() + self.extent.bytes();
        heap_size::of_vec(&self.ids)
            + heap_size::of_table(&self.ordinals)
            + heap_size::of_table(&self.positions)
            + heap_size::of_vec(&self.position_of)
            + self.texts.iter().map(heap_size::of_vec).sum::<usize>()
            + self.times.iter().map(heap_size::of_vec).sum::<usize>()
            + heap_size::of_vec(&self.offsets)
            + heap_size::of_vec(&self.importance)
            + heap_size::of_vec(&self.version)
            + lists.iter().sum::<usize>()
            + metadata
            + contradictions
            + bitmaps
            + self.interner.bytes()
            + self.traces.bytes()
    }
}
