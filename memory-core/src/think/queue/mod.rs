//! Queue of thinking: who asks for it, which turns wait, and how far it is.

pub(in crate::think) mod batch;
pub(in crate::think) mod request;
pub(in crate::think) mod run;
pub mod state;
pub(crate) mod switch;
