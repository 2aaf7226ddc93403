//! What things take in memory, about: the budget is kept by it, and `tests/index_memory.rs` holds it against what the
//! allocator gives out. Most partitions are small, so what an allocator adds to each piece counts.

use std::collections::HashMap;

/// What an allocator adds to a piece, and rounds up.
pub(super) const PIECE_BYTES: usize = 16;

/// What a vector has reserved.
pub(super) fn of_vec<T>(vec: &Vec<T>) -> usize {
    vec.capacity() * size_of::<T>() + PIECE_BYTES
}

/// What a hash table has reserved: it keeps an eighth of its places free, and a byte for each.
pub(super) fn of_table<K, V>(table: &HashMap<K, V>) -> usize {
    let places = (table.capacity() * 8 / 7).next_power_of_two();
    places * (size_of::<(K, V)>() + 1) + 2 * PIECE_BYTES
}

/// What so many bytes behind an `Arc` take, its two counts included.
pub(super) fn of_arc(bytes: usize) -> usize {
    bytes + 2 * size_of::<usize>() + PIECE_BYTES
}
