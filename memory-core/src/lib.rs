//! placeholder
pub mod domain;
pub mod error;
pub mod limits;
pub mod store;
pub mod recall { //! placeholder
    pub mod request; }
pub mod remember { //! placeholder
    pub mod request; }
pub mod curate { //! placeholder
    pub mod request; }
pub mod index { //! placeholder
    /// placeholder
    #[derive(Debug, thiserror::Error)]
    #[error("placeholder")]
    pub struct IndexError; }
pub mod model { //! placeholder
    /// placeholder
    #[derive(Debug, thiserror::Error)]
    #[error("placeholder")]
    pub struct ModelError;
    /// placeholder
    pub trait Embedder: Send + Sync + std::fmt::Debug {} }
