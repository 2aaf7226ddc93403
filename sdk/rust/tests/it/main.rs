//! The integration tests of the crate. One program, because linking is what takes time.

#[cfg(feature = "client")]
mod client;
#[cfg(all(feature = "client", feature = "formats"))]
mod formats;
#[cfg(feature = "client")]
mod script;
