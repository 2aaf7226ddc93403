//! placeholder
pub mod domain;
pub mod store;
