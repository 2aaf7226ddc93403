//! Replies to the contracts of A-MEM, mutated.
