//! The integration tests of the crate. One program, because linking is what takes time.

mod architecture;
mod backend_contract;
mod backends;
mod exactness;
mod growth;
mod module_graph;
mod oracle;
mod refusals;
