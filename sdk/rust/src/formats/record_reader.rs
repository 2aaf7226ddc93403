//! Interface of the per-format record readers. It stands apart from the dispatch in [`super::reader`], which names every
//! reader, so that no reader has to name the dispatch.

use super::batch::Batcher;
use super::error::{FormatError, SourceLocation};

/// Converter of one format's records into turns and memories.
pub(super) trait RecordReader {
    /// Adds the content of `record` to `batcher`. After an error, the rest of the record is skipped.
    fn record(
        &mut self,
        record: &[u8],
        location: &SourceLocation,
        batcher: &mut Batcher,
    ) -> Result<(), FormatError>;

    /// Takes note of a record that is not JSON, and so did not reach [`RecordReader::record`].
    fn lost(&mut self, _batcher: &mut Batcher) {}

    /// Checks the end of the file, after the record at `_location`.
    fn finish(&mut self, _location: &SourceLocation) -> Result<(), FormatError> {
        Ok(())
    }
}
