//! The integration tests of the crate. One program, because linking is what takes time.

mod architecture;
mod backend_contract;
mod backends;
mod exactness;
mod growth;
#[expect(dead_code, reason = "the lenient form is for memory-core")]
mod module_graph;
mod oracle;
mod random_stores;
mod refusals;
mod split_mix;
