//! Estimates of heap sizes, by which the cache keeps its budget. `tests/index_memory.rs` compares them with what the
//! allocator hands out. Most partitions are small, so the allocator's overhead per allocation counts.

use std::collections::HashMap;

/// Overhead of an allocation, rounding included.
pub(super) const PIECE_BYTES: usize = 16;

/// Size of a vector's allocation.
pub(super) fn of_vec<T>(vec: &Vec<T>) -> usize {
    vec.capacity() * size_of::<T>() + PIECE_BYTES
}

/// Size of a hash table's allocation: an eighth of its slots stays free, and each has a control byte.
pub(super) fn of_table<K, V>(table: &HashMap<K, V>) -> usize {
    let slots = (table.capacity() * 8 / 7).next_power_of_two();
    slots * (size_of::<(K, V)>() + 1) + 2 * PIECE_BYTES
}

/// Size of an `Arc` of so many bytes, its two counters included.
pub(super) fn of_arc(bytes: usize) -> usize {
    bytes + 2 * size_of::<usize>() + PIECE_BYTES
}
