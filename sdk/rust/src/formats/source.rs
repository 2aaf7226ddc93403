//! Byte source of conversation files: buffered, with gzip and UTF-16 decoded where the content begins like them.

use std::io::{BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::FormatError;
use super::expansion::{Bounded, Counted};
use super::utf16::{ByteOrder, Utf16};

/// First bytes of every gzip file (RFC 1952).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// First bytes of a ZIP archive that has a member.
pub(super) const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// Number of bytes that tell encodings apart.
const MAGIC_BYTES: usize = 4;

/// Buffered bytes of a file, decompressed.
pub(super) type Source = Box<dyn BufRead + Send>;

type Bytes = Box<dyn Read + Send>;

/// `source` with a buffer, without gzip around it, in UTF-8.
pub(super) fn unpacked(source: impl Read + Send + 'static, name: &str) -> Result<Source, FormatError> {
    let unreadable = |source| FormatError::Read { file: name.to_owned(), source };
    let (magic, mut source) = peeked(Box::new(source)).map_err(unreadable)?;
    if magic.starts_with(ZIP_MAGIC) {
        let detail = "a ZIP archive, whose members must be opened one by one".to_owned();
        return Err(FormatError::Archive { file: name.to_owned(), detail });
    }
    let mut beginning = magic;
    if beginning.starts_with(GZIP_MAGIC) {
        let (counted, packed) = Counted::new(source);
        let decoder = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, counted));
        (beginning, source) = peeked(Box::new(Bounded::new(decoder, packed))).map_err(unreadable)?;
    }
    Ok(match ByteOrder::of(&beginning) {
        Some(order) => Box::new(BufReader::with_capacity(64 << 10, Utf16::new(source, order))),
        None => Box::new(BufReader::with_capacity(64 << 10, source)),
    })
}

/// The first bytes of `source`, and the whole of it.
fn peeked(mut source: Bytes) -> std::io::Result<(Vec<u8>, Bytes)> {
    // A source may return its bytes one by one.
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    source.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic)?;
    Ok((magic.clone(), Box::new(Cursor::new(magic).chain(source))))
}
