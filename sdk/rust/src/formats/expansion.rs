//! Bound on the expansion of compressed files: a small file must not become hours of reading.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Maximum ratio of decompressed to compressed bytes, beyond [`FREE_BYTES`]. JSON text has about 5 to 20.
const MAX_EXPANSION: u64 = 200;

/// Decompressed bytes up to which no ratio is asked for.
const FREE_BYTES: u64 = 64 << 20;

/// Counter of compressed bytes.
pub(super) struct Counted<R> {
    source: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Counted<R> {
    /// `source`, and its counter for [`Bounded`].
    pub(super) fn new(source: R) -> (Self, Arc<AtomicU64>) {
        let bytes = Arc::new(AtomicU64::new(0));
        (Self { source, bytes: Arc::clone(&bytes) }, bytes)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Decompressed bytes within the ratio. Reading beyond it fails.
pub(super) struct Bounded<R> {
    source: R,
    packed: Arc<AtomicU64>,
    bytes: u64,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(source: R, packed: Arc<AtomicU64>) -> Self {
        Self { source, packed, bytes: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes = self.bytes.saturating_add(count as u64);
        let allowed = self.packed.load(Ordering::Relaxed).saturating_mul(MAX_EXPANSION).max(FREE_BYTES);
        if self.bytes > allowed {
            let told = format!("it expands to more than {MAX_EXPANSION} times its size");
            return Err(io::Error::new(io::ErrorKind::InvalidData, told));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::read::{GzDecoder, GzEncoder};

    use super::*;

    /// Number of decompressed bytes that are read of `count` equal ones, and the error that ended reading.
    fn read(count: u64) -> (u64, Option<String>) {
        let (packed, bytes) = Counted::new(GzEncoder::new(io::repeat(b' ').take(count), Compression::fast()));
        let mut bounded = Bounded::new(GzDecoder::new(packed), bytes);
        let told = io::copy(&mut bounded, &mut io::sink()).err().map(|error| error.to_string());
        (bounded.bytes, told)
    }

    #[test]
    fn what_expands_beyond_the_ratio_is_not_read_to_its_end() {
        assert_eq!(read(FREE_BYTES), (FREE_BYTES, None));
        let (bytes, told) = read(4 * FREE_BYTES);
        assert!(bytes < FREE_BYTES + (1 << 20), "{bytes}");
        assert_eq!(told.as_deref(), Some("it expands to more than 200 times its size"));
    }
}
