//! One block of rows: planes of a fixed capacity.
//!
//! It exists so that growth copies little and so that a scan walks few, long, aligned runs of memory. The
//! invariant: planes are zeroed and have room for every row that was written, each row begins at a multiple of 64
//! bytes, and a row is found by a search only if its alive bit is set. A block has room for all of its rows from the
//! start, except for the vectors of one of a single tile: it begins with eight and doubles, since most stores have
//! few rows, and there are many of them.

use half::f16;

use super::quantise::{Quantised, quantise_row};
use super::zeroed::Zeroed;
use super::{Row, TILE_ROWS, Terms};

/// What the scan needs of a row beside its vector: one half of a cache line.
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) t0_us: i64,
    pub(crate) rate_per_us: f32,
    pub(crate) shape: f32,
    pub(crate) importance: f32,
    pub(crate) group: u32,
    pub(crate) ordinal: u32,
    /// Fills it up to 32 bytes, so that no entry lies across two cache lines.
    pub(crate) unused: u32,
}

impl Entry {
    pub(crate) fn terms(&self) -> Terms {
        let Self { t0_us, rate_per_us, shape, importance, .. } = *self;
        Terms { t0_us, rate_per_us, shape, importance }
    }

    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.t0_us = terms.t0_us;
        self.rate_per_us = terms.rate_per_us;
        self.shape = terms.shape;
        self.importance = terms.importance;
    }
}

/// Vectors for which a block of one tile has room at first.
const FIRST_VECTORS: usize = 8;

/// All that is kept of its rows lies in one piece of memory: first the fp16 rows, then their int8 images, the
/// entries, and what the images are worth.
pub(crate) struct Block {
    memory: Zeroed,
    /// One word per tile of rows.
    alive: Vec<u64>,
    capacity: usize,
    /// Rows for whose vectors there is room: an even number, since kernels take two at a time.
    vectors: usize,
    /// Elements from one row to the next.
    stride: usize,
}

impl Block {
    /// Room for `capacity` rows (a multiple of [`TILE_ROWS`]) of `stride` elements (a multiple of 64).
    pub(crate) fn new(capacity: usize, stride: usize) -> Self {
        let vectors = if capacity == TILE_ROWS { FIRST_VECTORS } else { capacity };
        Self::with_vectors(capacity, vectors, stride)
    }

    fn with_vectors(capacity: usize, vectors: usize, stride: usize) -> Self {
        let of_vectors = vectors * stride * (size_of::<f16>() + 1);
        let memory = Zeroed::new(of_vectors + capacity * (size_of::<Entry>() + size_of::<Quantised>()));
        Self { memory, alive: vec![0; capacity / TILE_ROWS], capacity, vectors, stride }
    }

    /// Makes room for the vector of row `at`.
    fn make_room(&mut self, at: usize) {
        if at < self.vectors {
            return;
        }
        let vectors = (at + 1).next_power_of_two().min(self.capacity);
        let mut larger = Self::with_vectors(self.capacity, vectors, self.stride);
        let Planes { halves, levels, entries, quantised } = larger.planes_mut();
        halves[..self.vectors * self.stride].copy_from_slice(self.halves());
        levels[..self.vectors * self.stride].copy_from_slice(self.levels());
        entries.copy_from_slice(self.entries());
        quantised.copy_from_slice(self.quantised());
        larger.alive.copy_from_slice(&self.alive);
        *self = larger;
    }

    /// Fills row `at`; `row.vector` is at most `stride` long, its rest stays zero.
    pub(crate) fn write(&mut self, at: usize, row: &Row<'_>) {
        self.make_room(at);
        let start = at * self.stride;
        let Planes { halves, levels, entries, quantised } = self.planes_mut();
        halves[start..start + row.vector.len()].copy_from_slice(row.vector);
        quantised[at] = quantise_row(row.vector, &mut levels[start..start + row.vector.len()]);
        let entry = &mut entries[at];
        entry.group = row.group;
        entry.ordinal = row.ordinal;
        entry.set_terms(row.terms);
        self.alive[at / TILE_ROWS] |= 1 << (at % TILE_ROWS);
    }

    /// Copies row `from` of another block of the same stride, which spares quantising it again.
    pub(crate) fn copy_row(&mut self, at: usize, source: &Self, from: usize, group: u32) {
        self.make_room(at);
        let row = at * self.stride..(at + 1) * self.stride;
        let Planes { halves, levels, entries, quantised } = self.planes_mut();
        halves[row.clone()].copy_from_slice(source.half_row(from));
        levels[row].copy_from_slice(source.level_row(from));
        quantised[at] = source.quantised()[from];
        entries[at] = Entry { group, ..source.entries()[from] };
        self.alive[at / TILE_ROWS] |= 1 << (at % TILE_ROWS);
    }

    /// Clears the alive bit; whether it was set.
    pub(crate) fn kill(&mut self, at: usize) -> bool {
        let (word, bit) = (&mut self.alive[at / TILE_ROWS], 1 << (at % TILE_ROWS));
        let was_alive = *word & bit != 0;
        *word &= !bit;
        was_alive
    }

    pub(crate) fn is_alive(&self, at: usize) -> bool {
        self.alive[at / TILE_ROWS] >> (at % TILE_ROWS) & 1 != 0
    }

    /// One word per tile of rows.
    pub(crate) fn alive(&self) -> &[u64] {
        &self.alive
    }

    /// Row `at` with its padding.
    pub(crate) fn half_row(&self, at: usize) -> &[f16] {
        &self.halves()[at * self.stride..(at + 1) * self.stride]
    }

    /// The int8 image of row `at` with its padding.
    pub(crate) fn level_row(&self, at: usize) -> &[i8] {
        &self.levels()[at * self.stride..(at + 1) * self.stride]
    }

    /// The int8 images of a tile's rows, one after the other: of all [`TILE_ROWS`], or of those for which there is room.
    pub(crate) fn level_tile(&self, tile: usize) -> &[i8] {
        let length = TILE_ROWS * self.stride;
        let levels = self.levels();
        &levels[tile * length..levels.len().min((tile + 1) * length)]
    }

    pub(crate) fn entry_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.planes_mut().entries[at]
    }

    /// Bytes reserved. Of large blocks, rows that were never written cost no memory yet.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.memory.bytes().len() + size_of_val(self.alive.as_slice())
    }

    pub(crate) fn quantised(&self) -> &[Quantised] {
        let start = self.quantised_start();
        bytemuck::cast_slice(&self.memory.bytes()[start..start + self.capacity * size_of::<Quantised>()])
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        bytemuck::cast_slice(&self.memory.bytes()[self.entries_start()..self.quantised_start()])
    }

    fn levels(&self) -> &[i8] {
        bytemuck::cast_slice(&self.memory.bytes()[self.levels_start()..self.entries_start()])
    }

    fn halves(&self) -> &[f16] {
        bytemuck::cast_slice(&self.memory.bytes()[..self.levels_start()])
    }

    fn planes_mut(&mut self) -> Planes<'_> {
        let (halves, levels) = (self.levels_start(), self.vectors * self.stride);
        let (entries, quantised) =
            (self.capacity * size_of::<Entry>(), self.capacity * size_of::<Quantised>());
        let (halves, rest) = self.memory.bytes_mut().split_at_mut(halves);
        let (levels, rest) = rest.split_at_mut(levels);
        let (entries, rest) = rest.split_at_mut(entries);
        Planes {
            halves: bytemuck::cast_slice_mut(halves),
            levels: bytemuck::cast_slice_mut(levels),
            entries: bytemuck::cast_slice_mut(entries),
            quantised: bytemuck::cast_slice_mut(&mut rest[..quantised]),
        }
    }

    /// Where the planes begin in memory, in bytes: always at a multiple of 64, since strides are.
    fn levels_start(&self) -> usize {
        self.vectors * self.stride * size_of::<f16>()
    }

    fn entries_start(&self) -> usize {
        self.levels_start() + self.vectors * self.stride
    }

    fn quantised_start(&self) -> usize {
        self.entries_start() + self.capacity * size_of::<Entry>()
    }
}

/// A block's memory, cut up for writing.
struct Planes<'a> {
    halves: &'a mut [f16],
    levels: &'a mut [i8],
    entries: &'a mut [Entry],
    quantised: &'a mut [Quantised],
}
