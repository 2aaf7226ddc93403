//! The image of the columns in a segment file: the live memories alone, numbered anew in their order. Texts that only dead
//! memories have are left out, so that a segment written after an erasure has nothing of what was erased.

use std::collections::HashMap;
use std::io;

use super::{Columns, Datum, Extent, NEVER, TEXT_FIELDS, TIME_FIELDS};
use crate::domain::filter::Field;
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::domain::number::Number;
use crate::index::TurnPosition;
use crate::index::embedded::bitmap::Bitmap;
use crate::index::embedded::extent::ExtentTimes;
use crate::index::embedded::interner::{Interner, Symbol};
use crate::index::embedded::segment::live::LiveOrdinals;
use crate::index::embedded::segment::stream::{SectionReader, SectionWriter, damaged};

/// Forms of a datum, beyond those of a number.
const TEXT: u32 = 16;
const BOOL: u32 = 17;

impl Columns {
    /// Writes the columns of the live memories.
    pub(in crate::index::embedded) fn write(
        &self,
        live: &LiveOrdinals,
        out: &mut SectionWriter<'_>,
    ) -> io::Result<()> {
        let symbols = self.write_texts(live, out)?;
        for column in &self.texts {
            write_column(column, live, out, |symbol| symbols.image_of(*symbol))?;
        }
        for column in &self.times {
            write_column(column, live, out, |time| *time)?;
        }
        write_column(&self.offsets, live, out, |offset| *offset)?;
        write_column(&self.importance, live, out, |importance| *importance)?;
        write_column(&self.version, live, out, |version| *version)?;
        self.write_positions(live, out)?;
        let extent = self.extent();
        write_bitmap(&extent.shared, live, out)?;
        // Without an audience there is no such bitmap.
        write_bitmap(&extent.confided, live, out)?;
        for lists in [&self.tags, &self.subjects, &self.audience] {
            write_lists(lists, &symbols, live, out)?;
        }
        self.write_metadata(&symbols, live, out)?;
        self.write_contradictions(live, out)
    }

    /// The columns of the memories with these ids, in the order of their ordinals.
    pub(in crate::index::embedded) fn read(ids: &[u128], input: &mut SectionReader<'_>) -> io::Result<Self> {
        let len = ids.len();
        let mut columns = Self { alive: Bitmap::all(len), ..Self::default() };
        columns.read_ids(ids)?;
        columns.interner = read_texts(input)?;
        for index in 0..TEXT_FIELDS.len() {
            let symbols = read_symbols(&columns.interner, len, input)?;
            *columns.texts.get_mut(index).ok_or_else(damaged)? = symbols;
        }
        for index in 0..TIME_FIELDS.len() {
            *columns.times.get_mut(index).ok_or_else(damaged)? = input.vec(len)?;
        }
        columns.offsets = input.vec(len)?;
        columns.importance = input.vec(len)?;
        columns.version = input.vec(len)?;
        columns.read_positions(len, input)?;
        let (shared, confided) = (read_bitmap(len, input)?, read_bitmap(len, input)?);
        let confided = if confided == Bitmap::none(len) { Bitmap::default() } else { confided };
        columns.extent = columns.extent_of(shared, confided);
        columns.tags = read_lists(&columns.interner, len, input)?;
        columns.subjects = read_lists(&columns.interner, len, input)?;
        columns.audience = read_lists(&columns.interner, len, input)?;
        columns.read_metadata(len, input)?;
        columns.read_contradictions(len, input)?;
        Ok(columns)
    }

    fn read_ids(&mut self, ids: &[u128]) -> io::Result<()> {
        self.ids = ids.iter().map(|id| MemoryId(uuid::Uuid::from_u128(*id))).collect();
        self.ordinals.reserve(ids.len());
        for (ordinal, id) in (0..).zip(&self.ids) {
            if self.ordinals.insert(*id, ordinal).is_some() {
                return Err(damaged());
            }
        }
        Ok(())
    }

    /// Writes the texts that live memories have.
    fn write_texts(&self, live: &LiveOrdinals, out: &mut SectionWriter<'_>) -> io::Result<SymbolMap> {
        let mut used = SymbolMap(vec![Symbol::NONE.number(); self.interner.len()]);
        for ordinal in live.ordinals() {
            let of_memory = self.texts.iter().filter_map(|column| column.get(ordinal as usize));
            of_memory.for_each(|symbol| used.mark(*symbol));
        }
        for lists in [&self.tags, &self.subjects, &self.audience] {
            let is_live = |list: &&Vec<u32>| list.iter().any(|ordinal| live.image_of(*ordinal).is_some());
            lists.iter().filter(|(_, list)| is_live(list)).for_each(|(symbol, _)| used.mark(*symbol));
        }
        for (ordinal, datum) in self.metadata.values().flatten() {
            if let (Datum::Text(symbol), Some(_)) = (datum, live.image_of(*ordinal)) {
                used.mark(*symbol);
            }
        }
        let texts = used.number();
        out.put_len(texts.len())?;
        let text = |number: &u32| self.interner.symbol(*number).and_then(|symbol| self.interner.text(symbol));
        for text in texts.iter().filter_map(text) {
            write_text(text, out)?;
        }
        Ok(used)
    }

    /// Which memories have a position, which of them are found by it, and the positions.
    fn write_positions(&self, live: &LiveOrdinals, out: &mut SectionWriter<'_>) -> io::Result<()> {
        let positions: Vec<_> = live.ordinals().map(|ordinal| (ordinal, self.position(ordinal))).collect();
        let at = |index: usize| positions.get(index).copied();
        let has = Bitmap::of(positions.len(), |index| at(index).is_some_and(|(_, at)| at.is_some()));
        let is_found = Bitmap::of(positions.len(), |index| {
            at(index).is_some_and(|(ordinal, position)| {
                position.is_some_and(|position| self.positions.get(&position) == Some(&ordinal))
            })
        });
        out.put_all(has.words())?;
        out.put_all(is_found.words())?;
        positions
            .iter()
            .filter_map(|(_, position)| *position)
            .try_for_each(|TurnPosition { session, seq }| out.put([session, seq]))
    }

    fn read_positions(&mut self, len: usize, input: &mut SectionReader<'_>) -> io::Result<()> {
        let (has, is_found) = (read_bitmap(len, input)?, read_bitmap(len, input)?);
        let count = has.iter().count();
        self.position_of = vec![None; len];
        self.positions.reserve(is_found.iter().count());
        let mut ordinals = has.iter();
        input.each(count, |[session, seq]: [u32; 2]| {
            let ordinal = ordinals.next().ok_or_else(damaged)?;
            let position = TurnPosition { session, seq };
            *self.position_of.get_mut(ordinal).ok_or_else(damaged)? = Some(position);
            if is_found.contains(ordinal) {
                self.positions.insert(position, u32::try_from(ordinal).map_err(|_| damaged())?);
            }
            Ok(())
        })
    }

    /// The extent follows from the columns.
    fn extent_of(&self, shared: Bitmap, confided: Bitmap) -> Extent {
        let mut extent = Extent::of(shared, confided, self.len());
        let turn = self.interner.find(Kind::Turn.as_str());
        let kinds = self.text_column(&Field::Kind).unwrap_or_default();
        let [happened, recorded, created, start, end, expires] = &self.times;
        let times = happened.iter().zip(recorded).zip(created).zip(start).zip(end).zip(expires);
        for ((((((happened, recorded), created), start), end), expires), kind) in times.zip(kinds) {
            let known = |at: &i64| Some(*at).filter(|at| *at != NEVER);
            extent.put_times(&ExtentTimes {
                expires: known(expires),
                begins: known(start),
                ends: known(end),
                said: Some(*happened).filter(|_| Some(*kind) == turn),
                recorded: *recorded.max(created),
            });
        }
        extent
    }

    fn write_metadata(
        &self,
        symbols: &SymbolMap,
        live: &LiveOrdinals,
        out: &mut SectionWriter<'_>,
    ) -> io::Result<()> {
        let mut columns: Vec<(&String, Vec<[u64; 2]>)> = Vec::new();
        for (path, column) in &self.metadata {
            let datum = |(ordinal, datum): &(u32, Datum)| {
                let (form, bits) = match datum {
                    Datum::Text(symbol) => (TEXT, u64::from(symbols.image_of(*symbol))),
                    Datum::Bool(is) => (BOOL, u64::from(*is)),
                    Datum::Number(number) => {
                        let (form, bits) = number.to_bits();
                        (u32::from(form), bits)
                    }
                };
                live.image_of(*ordinal).map(|ordinal| [u64::from(form) << 32 | u64::from(ordinal), bits])
            };
            let data: Vec<[u64; 2]> = column.iter().filter_map(datum).collect();
            if !data.is_empty() {
                columns.push((path, data));
            }
        }
        columns.sort_unstable();
        out.put_len(columns.len())?;
        for (path, data) in columns {
            write_text(path, out)?;
            out.put_len(data.len())?;
            out.put_all(&data)?;
        }
        Ok(())
    }

    fn read_metadata(&mut self, len: usize, input: &mut SectionReader<'_>) -> io::Result<()> {
        let mut text = Vec::new();
        for _ in 0..input.next_len()? {
            let path = read_text(&mut text, input)?.to_owned();
            let count = input.next_len()?;
            let mut column = Vec::new();
            input.each(count, |[place, bits]: [u64; 2]| {
                let [form, ordinal] = [place >> 32, place & u64::from(u32::MAX)];
                let ordinal = u32::try_from(ordinal).map_err(|_| damaged())?;
                let form = u32::try_from(form).map_err(|_| damaged())?;
                let datum = self.datum(form, bits).filter(|_| (ordinal as usize) < len);
                column.push((ordinal, datum.ok_or_else(damaged)?));
                Ok(())
            })?;
            self.metadata.insert(path, column);
        }
        Ok(())
    }

    fn datum(&self, form: u32, bits: u64) -> Option<Datum> {
        match form {
            TEXT => {
                let symbol = self.interner.symbol(u32::try_from(bits).ok()?)?;
                (symbol != Symbol::NONE).then_some(Datum::Text(symbol))
            }
            BOOL => (bits <= 1).then_some(Datum::Bool(bits == 1)),
            form => Number::from_bits(u8::try_from(form).ok()?, bits).map(Datum::Number),
        }
    }

    fn write_contradictions(&self, live: &LiveOrdinals, out: &mut SectionWriter<'_>) -> io::Result<()> {
        let targets = &self.contradictions.targets;
        let of_live = |(ordinal, targets)| live.image_of(ordinal).map(|ordinal| (ordinal, targets));
        let mut live_targets: Vec<(u32, &Vec<MemoryId>)> =
            targets.iter().map(|(ordinal, targets)| (*ordinal, targets)).filter_map(of_live).collect();
        live_targets.sort_unstable();
        out.put_len(live_targets.len())?;
        for (ordinal, targets) in live_targets {
            out.put(ordinal)?;
            out.put_len(targets.len())?;
            targets.iter().try_for_each(|target| out.put(target.0.as_u128()))?;
        }
        Ok(())
    }

    fn read_contradictions(&mut self, len: usize, input: &mut SectionReader<'_>) -> io::Result<()> {
        for _ in 0..input.next_len()? {
            let ordinal: u32 = input.next()?;
            let count = input.next_len()?;
            if ordinal as usize >= len || self.contradictions.targets.contains_key(&ordinal) {
                return Err(damaged());
            }
            let mut targets = Vec::new();
            input.each(count, |target: u128| {
                targets.push(MemoryId(uuid::Uuid::from_u128(target)));
                Ok(())
            })?;
            for target in &targets {
                self.contradictions.sources.entry(*target).or_default().push(ordinal);
            }
            self.contradictions.targets.insert(ordinal, targets);
        }
        Ok(())
    }
}

/// The numbers that texts have in the image, by the numbers that they have in memory.
struct SymbolMap(Vec<u32>);

impl SymbolMap {
    /// Marks a text as needed, before the numbers are given.
    fn mark(&mut self, symbol: Symbol) {
        if let Some(number) = self.0.get_mut(symbol.number() as usize) {
            *number = 0;
        }
    }

    /// Numbers the marked texts in their order; returns their numbers in memory.
    fn number(&mut self) -> Vec<u32> {
        let mut texts = Vec::new();
        for (old, number) in (0..).zip(&mut self.0) {
            if *number != Symbol::NONE.number() {
                *number = u32::try_from(texts.len()).unwrap_or(u32::MAX);
                texts.push(old);
            }
        }
        texts
    }

    fn image_of(&self, symbol: Symbol) -> u32 {
        self.0.get(symbol.number() as usize).copied().unwrap_or(Symbol::NONE.number())
    }
}

fn write_column<T, U: bytemuck::NoUninit>(
    column: &[T],
    live: &LiveOrdinals,
    out: &mut SectionWriter<'_>,
    image_of: impl Fn(&T) -> U,
) -> io::Result<()> {
    for ordinal in live.ordinals() {
        out.put(image_of(column.get(ordinal as usize).ok_or_else(damaged)?))?;
    }
    Ok(())
}

fn write_bitmap(bits: &Bitmap, live: &LiveOrdinals, out: &mut SectionWriter<'_>) -> io::Result<()> {
    out.put_all(live.image_of_bits(bits).words())
}

/// The bitmap of so many bits.
fn read_bitmap(len: usize, input: &mut SectionReader<'_>) -> io::Result<Bitmap> {
    Bitmap::from_words(input.vec(len.div_ceil(64))?, len).ok_or_else(damaged)
}

fn write_text(text: &str, out: &mut SectionWriter<'_>) -> io::Result<()> {
    out.put_len(text.len())?;
    out.put_all(text.as_bytes())
}

/// Reads a text by way of `bytes`, which keeps its allocation.
fn read_text<'a>(bytes: &'a mut Vec<u8>, input: &mut SectionReader<'_>) -> io::Result<&'a str> {
    bytes.clear();
    let len = input.next_len()?;
    input.append(len, bytes)?;
    std::str::from_utf8(bytes).map_err(|_| damaged())
}

fn read_texts(input: &mut SectionReader<'_>) -> io::Result<Interner> {
    let mut interner = Interner::default();
    let texts = input.next_len()?;
    // Each has a length before it.
    input.check_room::<u32>(texts)?;
    interner.reserve(texts);
    let mut bytes = Vec::new();
    for number in 0..texts {
        let symbol = interner.intern(read_text(&mut bytes, input)?);
        if symbol.number() as usize != number {
            return Err(damaged());
        }
    }
    Ok(interner)
}

fn read_symbols(interner: &Interner, len: usize, input: &mut SectionReader<'_>) -> io::Result<Vec<Symbol>> {
    let numbers: Vec<u32> = input.vec(len)?;
    numbers.into_iter().map(|number| interner.symbol(number).ok_or_else(damaged)).collect()
}

fn write_lists(
    lists: &HashMap<Symbol, Vec<u32>>,
    symbols: &SymbolMap,
    live: &LiveOrdinals,
    out: &mut SectionWriter<'_>,
) -> io::Result<()> {
    let image = |(symbol, list): (&Symbol, &Vec<u32>)| {
        let list: Vec<u32> = list.iter().filter_map(|ordinal| live.image_of(*ordinal)).collect();
        (symbols.image_of(*symbol), list)
    };
    let mut lists: Vec<(u32, Vec<u32>)> =
        lists.iter().map(image).filter(|(_, list)| !list.is_empty()).collect();
    lists.sort_unstable();
    out.put_len(lists.len())?;
    for (symbol, list) in lists {
        out.put(symbol)?;
        out.put_len(list.len())?;
        out.put_all(&list)?;
    }
    Ok(())
}

fn read_lists(
    interner: &Interner,
    len: usize,
    input: &mut SectionReader<'_>,
) -> io::Result<HashMap<Symbol, Vec<u32>>> {
    let count = input.next_len()?;
    // Each has a symbol and a length before it.
    input.check_room::<u64>(count)?;
    let mut lists = HashMap::with_capacity(count);
    for _ in 0..count {
        let symbol = interner.symbol(input.next()?).filter(|symbol| *symbol != Symbol::NONE);
        let ordinals = input.next_len()?;
        let list: Vec<u32> = input.vec(ordinals)?;
        if !list.is_sorted() || list.last().is_some_and(|ordinal| *ordinal as usize >= len) {
            return Err(damaged());
        }
        lists.insert(symbol.ok_or_else(damaged)?, list);
    }
    Ok(lists)
}
