//! The CPU back end: rows in host memory, scanned by the calling threads.

use std::io::{self, Read, Write};

use half::f16;

use crate::backend::{BatchScan, ScanBackend};
use crate::rows::{Decay, ImageError, ImageRow, Row, Rows, RowsError};
use crate::scoring::Weights;
use crate::search::{Answer, Batch, Scored, SearchError, SharedSearch};

impl ScanBackend for Rows {
    fn add_group(&mut self, id: u128) -> Result<u32, RowsError> {
        Self::add_group(self, id)
    }

    fn push(&mut self, row: &Row<'_>) -> Result<u32, RowsError> {
        Self::push(self, row)
    }

    fn delete(&mut self, row: u32) -> Result<bool, RowsError> {
        Self::delete(self, row)
    }

    fn set_decay(&mut self, row: u32, decay: Decay) -> Result<(), RowsError> {
        Self::set_decay(self, row, decay)
    }

    fn decay(&self, row: u32) -> Option<Decay> {
        Self::decay(self, row)
    }

    fn vector(&self, row: u32) -> Option<Vec<f16>> {
        Self::vector(self, row).map(<[f16]>::to_vec)
    }

    fn dims(&self) -> usize {
        Self::dims(self)
    }

    fn bytes(&self) -> usize {
        Self::bytes(self)
    }

    fn export(&self, rows: &[ImageRow], out: &mut dyn Write) -> io::Result<()> {
        Self::export(self, rows, out)
    }

    fn import(&mut self, groups: Vec<u128>, rows: u32, input: &mut dyn Read) -> Result<(), ImageError> {
        Self::import(self, groups, rows, input)
    }

    fn begin<'a>(&'a self, batch: &Batch<'a>) -> Result<Box<dyn BatchScan + 'a>, SearchError> {
        Ok(Box::new(self.share(batch)?))
    }

    fn score_rows(
        &self,
        vector: &[f32],
        weights: Weights,
        now_us: i64,
        rows: &[u32],
        retentions: Option<&[f32]>,
    ) -> Result<Vec<Scored>, SearchError> {
        Self::score_rows(self, vector, weights, now_us, rows, retentions)
    }
}

/// Threads that join take runs of tiles; `finish` scans the runs that nobody took.
impl BatchScan for SharedSearch<'_> {
    fn join(&self) {
        Self::join(self);
    }

    fn finish(self: Box<Self>) -> Result<Vec<Answer>, SearchError> {
        Ok(Self::finish(*self))
    }
}
