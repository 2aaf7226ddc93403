//! A block: fixed-capacity column storage for consecutive rows.
//!
//! One allocation holds four columns: fp16 vectors, int8 codes, row metadata and int8 parameters. Invariants: unwritten
//! memory is zero; each vector begins at a multiple of 64 bytes; a search finds a row only if its live bit is set.
//! A block reserves its full capacity at once. The exception is a block of one tile: its vectors begin with room for
//! eight rows and double, because most stores have few rows and there are many stores.

use half::f16;

use super::block_sizes::TILE_ROWS;
use super::decay_bounds::DecayBounds;
use super::quantise::{Int8Params, quantise_row};
use super::row::{Decay, Row};
use super::zeroed::Zeroed;

/// The metadata of a row: its decay, group and ordinal. Half a cache line.
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct RowMeta {
    pub(crate) t0_us: i64,
    pub(crate) rate_per_us: f32,
    pub(crate) shape: f32,
    pub(crate) importance: f32,
    pub(crate) group: u32,
    pub(crate) ordinal: u32,
    /// Padding to 32 bytes, so that no element crosses a cache line.
    pub(crate) unused: u32,
}

impl RowMeta {
    /// Of a row that has only a decay.
    pub(crate) fn of(decay: Decay) -> Self {
        let mut meta = Self::default();
        meta.set_decay(decay);
        meta
    }

    pub(crate) fn decay(&self) -> Decay {
        let Self { t0_us, rate_per_us, shape, importance, .. } = *self;
        Decay { t0_us, rate_per_us, shape, importance }
    }

    pub(crate) fn set_decay(&mut self, decay: Decay) {
        self.t0_us = decay.t0_us;
        self.rate_per_us = decay.rate_per_us;
        self.shape = decay.shape;
        self.importance = decay.importance;
    }
}

/// Vectors for which a block of one tile has room initially.
const FIRST_VECTORS: usize = 8;

/// Columns of consecutive rows in one allocation, in this order: fp16 vectors, int8 codes, metadata, int8 parameters.
pub(crate) struct Block {
    memory: Zeroed,
    /// One word per tile of rows.
    alive: Vec<u64>,
    /// One per tile of rows.
    decay_bounds: Vec<DecayBounds>,
    capacity: usize,
    /// Capacity for vectors, in rows: an even number, since kernels take two at a time.
    vectors: usize,
    /// Elements from one row to the next.
    stride: usize,
}

impl Block {
    /// An empty block for `capacity` rows (a multiple of [`TILE_ROWS`]) of `stride` elements (a multiple of 64).
    pub(crate) fn new(capacity: usize, stride: usize) -> Self {
        let vectors = if capacity == TILE_ROWS { FIRST_VECTORS } else { capacity };
        Self::with_vectors(capacity, vectors, stride)
    }

    /// An empty block with memory reserved for the vectors of its first `rows` rows.
    pub(crate) fn with_room(capacity: usize, rows: usize, stride: usize) -> Self {
        let vectors = if capacity == TILE_ROWS {
            rows.next_power_of_two().clamp(FIRST_VECTORS, capacity)
        } else {
            capacity
        };
        Self::with_vectors(capacity, vectors, stride)
    }

    fn with_vectors(capacity: usize, vectors: usize, stride: usize) -> Self {
        let of_vectors = vectors * stride * (size_of::<f16>() + 1);
        let memory = Zeroed::new(of_vectors + capacity * (size_of::<RowMeta>() + size_of::<Int8Params>()));
        let tiles = capacity / TILE_ROWS;
        let (alive, decay_bounds) = (vec![0; tiles], vec![DecayBounds::EMPTY; tiles]);
        Self { memory, alive, decay_bounds, capacity, vectors, stride }
    }

    /// Reserves memory for the vector of row `at`.
    fn make_room(&mut self, at: usize) {
        if at < self.vectors {
            return;
        }
        let vectors = (at + 1).next_power_of_two().min(self.capacity);
        let mut larger = Self::with_vectors(self.capacity, vectors, self.stride);
        let Columns { fp16, codes, metadata, int8_params } = larger.columns_mut();
        fp16[..self.vectors * self.stride].copy_from_slice(self.fp16());
        codes[..self.vectors * self.stride].copy_from_slice(self.codes());
        metadata.copy_from_slice(self.metadata());
        int8_params.copy_from_slice(self.int8_params());
        larger.alive.copy_from_slice(&self.alive);
        larger.decay_bounds.copy_from_slice(&self.decay_bounds);
        *self = larger;
    }

    /// Writes row `at`; `row.vector` is at most `stride` long, its rest stays zero.
    pub(crate) fn write(&mut self, at: usize, row: &Row<'_>) {
        self.make_room(at);
        let start = at * self.stride;
        let Columns { fp16, codes, metadata, int8_params } = self.columns_mut();
        fp16[start..start + row.vector.len()].copy_from_slice(row.vector);
        int8_params[at] = quantise_row(row.vector, &mut codes[start..start + row.vector.len()]);
        let meta = &mut metadata[at];
        meta.group = row.group;
        meta.ordinal = row.ordinal;
        meta.set_decay(row.decay);
        self.decay_bounds[at / TILE_ROWS].include(row.decay);
        self.alive[at / TILE_ROWS] |= 1 << (at % TILE_ROWS);
    }

    /// Copies row `from` of another block of the same stride, codes included.
    pub(crate) fn copy_row(&mut self, at: usize, source: &Self, from: usize, group: u32) {
        self.make_room(at);
        let row = at * self.stride..(at + 1) * self.stride;
        let Columns { fp16, codes, metadata, int8_params } = self.columns_mut();
        fp16[row.clone()].copy_from_slice(source.fp16_row(from));
        codes[row].copy_from_slice(source.code_row(from));
        int8_params[at] = source.int8_params()[from];
        let meta = RowMeta { group, ..source.metadata()[from] };
        metadata[at] = meta;
        self.decay_bounds[at / TILE_ROWS].include(meta.decay());
        self.alive[at / TILE_ROWS] |= 1 << (at % TILE_ROWS);
    }

    /// Clears the live bit; returns whether it was set.
    pub(crate) fn delete(&mut self, at: usize) -> bool {
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
    pub(crate) fn fp16_row(&self, at: usize) -> &[f16] {
        &self.fp16()[at * self.stride..(at + 1) * self.stride]
    }

    /// The int8 codes of row `at` with their padding.
    pub(crate) fn code_row(&self, at: usize) -> &[i8] {
        &self.codes()[at * self.stride..(at + 1) * self.stride]
    }

    /// The int8 codes of a tile, row after row: of all [`TILE_ROWS`], or of those for which memory is reserved.
    pub(crate) fn code_tile(&self, tile: usize) -> &[i8] {
        let length = TILE_ROWS * self.stride;
        let codes = self.codes();
        &codes[tile * length..codes.len().min((tile + 1) * length)]
    }

    pub(crate) fn set_decay(&mut self, at: usize, decay: Decay) {
        self.columns_mut().metadata[at].set_decay(decay);
        self.decay_bounds[at / TILE_ROWS].include(decay);
    }

    /// Includes the decays of the first `rows` rows in the bounds, after they were written as columns.
    pub(crate) fn bound_decays(&mut self, rows: usize) {
        for at in 0..rows {
            let decay = self.metadata()[at].decay();
            self.decay_bounds[at / TILE_ROWS].include(decay);
        }
    }

    /// Upper bounds of the decays of a tile.
    pub(crate) fn decay_bounds(&self, tile: usize) -> &DecayBounds {
        &self.decay_bounds[tile]
    }

    /// Bytes reserved. Unwritten rows of large blocks are not resident yet.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.memory.bytes().len()
            + size_of_val(self.alive.as_slice())
            + size_of_val(self.decay_bounds.as_slice())
    }

    pub(crate) fn int8_params(&self) -> &[Int8Params] {
        let start = self.int8_params_start();
        bytemuck::cast_slice(&self.memory.bytes()[start..start + self.capacity * size_of::<Int8Params>()])
    }

    pub(crate) fn metadata(&self) -> &[RowMeta] {
        bytemuck::cast_slice(&self.memory.bytes()[self.metadata_start()..self.int8_params_start()])
    }

    fn codes(&self) -> &[i8] {
        bytemuck::cast_slice(&self.memory.bytes()[self.codes_start()..self.metadata_start()])
    }

    fn fp16(&self) -> &[f16] {
        bytemuck::cast_slice(&self.memory.bytes()[..self.codes_start()])
    }

    /// Elements from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    fn columns_mut(&mut self) -> Columns<'_> {
        self.parts_mut().0
    }

    /// The columns, and the live bits: one word per tile of rows.
    pub(crate) fn parts_mut(&mut self) -> (Columns<'_>, &mut [u64]) {
        let (fp16, codes) = (self.codes_start(), self.vectors * self.stride);
        let (metadata, int8_params) =
            (self.capacity * size_of::<RowMeta>(), self.capacity * size_of::<Int8Params>());
        let (fp16, rest) = self.memory.bytes_mut().split_at_mut(fp16);
        let (codes, rest) = rest.split_at_mut(codes);
        let (metadata, rest) = rest.split_at_mut(metadata);
        let columns = Columns {
            fp16: bytemuck::cast_slice_mut(fp16),
            codes: bytemuck::cast_slice_mut(codes),
            metadata: bytemuck::cast_slice_mut(metadata),
            int8_params: bytemuck::cast_slice_mut(&mut rest[..int8_params]),
        };
        (columns, &mut self.alive)
    }

    /// Byte offset of a column: always a multiple of 64, since strides are.
    fn codes_start(&self) -> usize {
        self.vectors * self.stride * size_of::<f16>()
    }

    fn metadata_start(&self) -> usize {
        self.codes_start() + self.vectors * self.stride
    }

    fn int8_params_start(&self) -> usize {
        self.metadata_start() + self.capacity * size_of::<RowMeta>()
    }
}

/// The columns of a block, for writing.
pub(crate) struct Columns<'a> {
    pub(crate) fp16: &'a mut [f16],
    pub(crate) codes: &'a mut [i8],
    pub(crate) metadata: &'a mut [RowMeta],
    pub(crate) int8_params: &'a mut [Int8Params],
}
