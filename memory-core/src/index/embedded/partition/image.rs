//! The image of a partition in a segment file, in four sections that can be read by several threads: ids, vectors, columns
//! with row entries, and lexical index. It has the live memories of the resident
//! tier, and of the cold ones what is known of them there.

use std::io;
use std::sync::Arc;

use gpu_retrieval::{ImageError, ImageRow, ScanBackend};

use super::{Partition, RowEntry, Tier, scan_backend};
use crate::index::embedded::bitmap::Bitmap;
use crate::index::embedded::cold::ColdMemories;
use crate::index::embedded::columns::Columns;
use crate::index::embedded::lexical::LexicalIndex;
use crate::index::embedded::segment::live::LiveOrdinals;
use crate::index::embedded::segment::stream::{SectionReader, SectionWriter, damaged};
use crate::retention::Policy;

/// A partition as its image sees it.
pub(in crate::index::embedded) struct PartitionImage<'a> {
    partition: &'a Partition,
    live: LiveOrdinals,
    rows: Vec<ImageRow>,
}

/// Columns, row entries and their likes, as read.
pub(in crate::index::embedded) struct ReadColumns {
    columns: Columns,
    first_row: Vec<u32>,
    rows: Vec<RowEntry>,
    ends_with_question: Bitmap,
    cold: ColdMemories,
}

impl<'a> PartitionImage<'a> {
    pub(in crate::index::embedded) fn of(partition: &'a Partition) -> Self {
        let live = LiveOrdinals::new(partition.columns.len(), partition.columns.alive());
        let rows_of = |(group, ordinal)| partition.rows_of(ordinal).map(move |row| ImageRow { row, group });
        let rows = (0..).zip(live.ordinals()).flat_map(rows_of).collect();
        Self { partition, live, rows }
    }

    pub(in crate::index::embedded) fn memories(&self) -> usize {
        self.live.len()
    }

    pub(in crate::index::embedded) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(in crate::index::embedded) fn write_ids(&self, out: &mut SectionWriter<'_>) -> io::Result<()> {
        let ids = self.live.ordinals().filter_map(|ordinal| self.partition.columns.id(ordinal));
        for id in ids {
            out.put(id.0.as_u128())?;
        }
        Ok(())
    }

    pub(in crate::index::embedded) fn write_vectors(&self, out: &mut SectionWriter<'_>) -> io::Result<()> {
        self.partition.dense.export(&self.rows, out)
    }

    pub(in crate::index::embedded) fn write_columns(&self, out: &mut SectionWriter<'_>) -> io::Result<()> {
        let Self { partition, live, rows } = self;
        for ordinal in live.ordinals() {
            out.put_len(partition.rows_of(ordinal).len())?;
        }
        let entry = |row: &ImageRow| partition.rows.get(row.row as usize).copied().ok_or_else(damaged);
        for row in rows {
            let (start, end) = entry(row)?.span;
            out.put([start, end])?;
        }
        let has_vector =
            |index: usize| rows.get(index).is_some_and(|row| entry(row).is_ok_and(|e| e.has_vector));
        out.put_all(Bitmap::of(rows.len(), has_vector).words())?;
        out.put_all(live.image_of_bits(&partition.ends_with_question).words())?;
        partition.columns.write(live, out)?;
        partition.columns.traces.write(live, out)?;
        partition.cold.write(out)
    }

    pub(in crate::index::embedded) fn write_lexical(&self, out: &mut SectionWriter<'_>) -> io::Result<()> {
        if self.partition.lexical.len() != self.rows.len() {
            return Err(damaged());
        }
        self.partition.lexical.write(out)
    }
}

/// The ids of so many memories.
pub(in crate::index::embedded) fn read_ids(
    memories: usize,
    input: &mut SectionReader<'_>,
) -> io::Result<Vec<u128>> {
    input.vec(memories)
}

/// The vectors of so many rows of the memories with these ids.
pub(in crate::index::embedded) fn read_vectors(
    dimension: usize,
    ids: Vec<u128>,
    rows: usize,
    input: &mut SectionReader<'_>,
) -> io::Result<Box<dyn ScanBackend>> {
    let rows = u32::try_from(rows).map_err(|_| damaged())?;
    let mut dense = scan_backend(dimension).map_err(|_| damaged())?;
    match dense.import(ids, rows, input) {
        Ok(()) => Ok(dense),
        Err(ImageError::Read(error)) => Err(error),
        Err(_) => Err(damaged()),
    }
}

impl ReadColumns {
    /// Columns and row entries of the memories with these ids, which have so many rows.
    pub(in crate::index::embedded) fn read(
        ids: &[u128],
        rows: usize,
        input: &mut SectionReader<'_>,
    ) -> io::Result<Self> {
        let mut first_row = Vec::new();
        let mut next = 0_u32;
        input.check_room::<u32>(ids.len())?;
        first_row.reserve_exact(ids.len());
        input.each(ids.len(), |count: u32| {
            first_row.push(next);
            next = next.checked_add(count).ok_or_else(damaged)?;
            Ok(())
        })?;
        if next as usize != rows {
            return Err(damaged());
        }
        let spans: Vec<[u32; 2]> = input.vec(rows)?;
        let has_vector = read_bitmap(rows, input)?;
        let entry = |(row, [start, end]): (usize, [u32; 2])| RowEntry {
            span: (start, end),
            has_vector: has_vector.contains(row),
        };
        let rows = spans.into_iter().enumerate().map(entry).collect();
        let ends_with_question = read_bitmap(ids.len(), input)?;
        let mut columns = Columns::read(ids, input)?;
        columns.read_traces(input)?;
        let cold = ColdMemories::read(input)?;
        Ok(Self { columns, first_row, rows, ends_with_question, cold })
    }

    /// The group of each row.
    pub(in crate::index::embedded) fn groups(&self) -> Vec<u32> {
        let mut groups = Vec::with_capacity(self.rows.len());
        let all = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let ends = self.first_row.iter().skip(1).copied().chain([all]);
        for ((group, start), end) in (0_u32..).zip(&self.first_row).zip(ends) {
            groups.extend((*start..end).map(|_| group));
        }
        groups
    }

    /// The partition at this number of the change log.
    pub(in crate::index::embedded) fn into_partition(
        self,
        seq: u64,
        dense: Box<dyn ScanBackend>,
        lexical: LexicalIndex,
        policy: Arc<Policy>,
    ) -> Partition {
        let Self { columns, first_row, rows, ends_with_question, cold } = self;
        let tier = Tier::Resident;
        let row_alive = Bitmap::all(rows.len());
        Partition {
            seq,
            tier,
            cold,
            columns,
            dense,
            lexical,
            rows,
            row_alive,
            ends_with_question,
            first_row,
            policy,
        }
    }
}

fn read_bitmap(len: usize, input: &mut SectionReader<'_>) -> io::Result<Bitmap> {
    Bitmap::from_words(input.vec(len.div_ceil(64))?, len).ok_or_else(damaged)
}
