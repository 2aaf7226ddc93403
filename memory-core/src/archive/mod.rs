//! Archive: exports that have all that is needed to make the same store again, and their import (ADR 0041).

mod check;
mod read;
pub mod request;
mod restore;
