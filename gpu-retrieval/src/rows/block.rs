//! One block of rows: planes of a fixed capacity that never move.
//!
//! It exists so that growth copies nothing and so that a scan walks few, long, aligned runs of memory. The
//! invariant: every plane has room for all rows of the block from the start, zeroed (the system lends the pages
//! when they are first written), each row begins at a multiple of 64 bytes, and a row is found by a search only if
//! its alive bit is set.

use half::f16;

use super::quantise::{Quantised, quantise_row};
use super::{Row, TILE_ROWS, Terms};

/// What the scan needs of a row beside its vector: one half of a cache line.
#[derive(Debug, Clone, Copy, Default, bytemuck::Zeroable)]
#[repr(C, align(32))]
pub(crate) struct Entry {
    pub(crate) t0_us: i64,
    pub(crate) rate_per_us: f32,
    pub(crate) shape: f32,
    pub(crate) importance: f32,
    pub(crate) group: u32,
    pub(crate) ordinal: u32,
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

pub(crate) struct Block {
    halves: Plane,
    levels: Plane,
    quantised: Vec<Quantised>,
    entries: Vec<Entry>,
    alive: Vec<u64>,
    /// Elements from one row to the next.
    stride: usize,
}

impl Block {
    /// Room for `capacity` rows (a multiple of [`TILE_ROWS`]) of `stride` elements (a multiple of 64).
    pub(crate) fn new(capacity: usize, stride: usize) -> Self {
        Self {
            halves: Plane::zeroed(capacity * stride * size_of::<f16>()),
            levels: Plane::zeroed(capacity * stride),
            quantised: bytemuck::zeroed_vec(capacity),
            entries: bytemuck::zeroed_vec(capacity),
            alive: vec![0; capacity / TILE_ROWS],
            stride,
        }
    }

    /// Fills row `at`; `row.vector` is at most `stride` long, its rest stays zero.
    pub(crate) fn write(&mut self, at: usize, row: &Row<'_>) {
        let start = at * self.stride;
        let halves = &mut self.halves.as_mut::<f16>()[start..start + row.vector.len()];
        halves.copy_from_slice(row.vector);
        let levels = &mut self.levels.as_mut::<i8>()[start..start + row.vector.len()];
        self.quantised[at] = quantise_row(row.vector, levels);
        let entry = &mut self.entries[at];
        entry.group = row.group;
        entry.ordinal = row.ordinal;
        entry.set_terms(row.terms);
        self.alive[at / TILE_ROWS] |= 1 << (at % TILE_ROWS);
    }

    /// Copies row `from` of another block of the same stride, which spares quantising it again.
    pub(crate) fn copy_row(&mut self, at: usize, source: &Self, from: usize, group: u32) {
        let (to, start) = (at * self.stride, from * source.stride);
        self.halves.as_mut::<f16>()[to..to + self.stride]
            .copy_from_slice(&source.halves.as_ref::<f16>()[start..start + source.stride]);
        self.levels.as_mut::<i8>()[to..to + self.stride]
            .copy_from_slice(&source.levels.as_ref::<i8>()[start..start + source.stride]);
        self.quantised[at] = source.quantised[from];
        self.entries[at] = Entry { group, ..source.entries[from] };
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
        &self.halves.as_ref()[at * self.stride..(at + 1) * self.stride]
    }

    /// The int8 image of row `at` with its padding.
    pub(crate) fn level_row(&self, at: usize) -> &[i8] {
        &self.levels.as_ref()[at * self.stride..(at + 1) * self.stride]
    }

    /// The int8 images of a tile's [`TILE_ROWS`] rows, one after the other.
    pub(crate) fn level_tile(&self, tile: usize) -> &[i8] {
        let length = TILE_ROWS * self.stride;
        &self.levels.as_ref()[tile * length..(tile + 1) * length]
    }

    pub(crate) fn quantised(&self) -> &[Quantised] {
        &self.quantised
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn entry_mut(&mut self, at: usize) -> &mut Entry {
        &mut self.entries[at]
    }

    /// Bytes reserved; those of rows not yet written cost no memory on systems that lend pages on demand.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.halves.0.as_slice())
            + size_of_val(self.levels.0.as_slice())
            + size_of_val(self.quantised.as_slice())
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.alive.as_slice())
    }
}

/// Zeroed memory that begins at a multiple of 64 bytes.
struct Plane(Vec<Line>);

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Plane {
    fn zeroed(bytes: usize) -> Self {
        Self(bytemuck::zeroed_vec(bytes.div_ceil(size_of::<Line>())))
    }

    fn as_ref<T: bytemuck::AnyBitPattern>(&self) -> &[T] {
        bytemuck::cast_slice(&self.0)
    }

    fn as_mut<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}
