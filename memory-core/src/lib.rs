//! Remember and recall: the mechanisms of Engrain behind small ports.

pub mod index;
pub mod text;
