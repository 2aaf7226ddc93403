//! Byte source of conversation files: buffered, with gzip decoded where the content begins like gzip.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::FormatError;

/// First bytes of every gzip file (RFC 1952).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Buffered bytes of a file, decompressed.
pub(super) type Source = Box<dyn BufRead + Send>;

/// `source` with a buffer, and without gzip around it.
pub(super) fn unpacked(source: impl Read + Send + 'static, name: &str) -> Result<Source, FormatError> {
    let unreadable = |source| FormatError::Read { file: name.to_owned(), source };
    // The two bytes are read separately, because a source may return them one by one.
    let mut source = source;
    let mut magic = Vec::with_capacity(2);
    source.by_ref().take(2).read_to_end(&mut magic).map_err(unreadable)?;
    let is_gzip = magic == GZIP_MAGIC;
    let source = BufReader::with_capacity(64 << 10, std::io::Cursor::new(magic).chain(source));
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(source))) } else { Box::new(source) })
}
