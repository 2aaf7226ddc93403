//! Retention columns of queries: checked, and with the largest number of each tile.
//!
//! Both are found in one pass over the column, which is as long as the store. The largest numbers let the certified pass
//! prune a tile without reading the column again.

use std::sync::Arc;

use super::request::Query;
use super::validate::{SearchError, are_bits_of_share, check_shares};
use crate::rows::TILE_ROWS;
use crate::simd::Kernels;

/// The retention of every row for a query.
#[derive(Debug)]
pub(super) struct Column<'a> {
    /// By row number, one for each row, each in [0, 1].
    retentions: &'a [f32],
    /// The largest of each tile.
    most: Vec<f32>,
}

impl<'a> Column<'a> {
    /// The checked columns of a batch for so many rows, parallel to its queries. A column that follows itself is checked
    /// once: queries of a batch mostly share theirs.
    pub(super) fn of_batch(
        queries: &[Query<'a>],
        rows: usize,
        kernels: &Kernels,
    ) -> Result<Vec<Option<Arc<Self>>>, SearchError> {
        let mut columns: Vec<Option<Arc<Self>>> = Vec::with_capacity(queries.len());
        let mut latest: Option<(&[f32], Arc<Self>)> = None;
        for (query, asked) in queries.iter().enumerate() {
            let column = match (asked.retention, &latest) {
                (None, _) => None,
                (Some(given), Some((before, column))) if std::ptr::eq(*before, given) => Some(column.clone()),
                (Some(given), _) => {
                    let column = Arc::new(Self::new(query, given, rows, kernels)?);
                    latest = Some((given, column.clone()));
                    Some(column)
                }
            };
            columns.push(column);
        }
        Ok(columns)
    }

    fn new(query: usize, given: &'a [f32], rows: usize, kernels: &Kernels) -> Result<Self, SearchError> {
        let too_short = SearchError::RetentionLength { query, expected: rows, given: given.len() };
        let retentions = given.get(..rows).ok_or(too_short)?;
        let (tiles, rest) = retentions.as_chunks::<TILE_ROWS>();
        let mut last = [0.0; TILE_ROWS];
        last.iter_mut().zip(rest).for_each(|(last, value)| *last = *value);
        let last = (!rest.is_empty()).then_some(&last);
        let (mut most, mut most_bits) = (Vec::with_capacity(rows.div_ceil(TILE_ROWS)), 0);
        for tile in tiles.iter().chain(last) {
            let bits = (kernels.tile_largest_bits)(tile);
            most.push(f32::from_bits(bits));
            most_bits = most_bits.max(bits);
        }
        if !are_bits_of_share(most_bits) {
            check_shares(query, retentions)?;
        }
        Ok(Self { retentions, most })
    }

    /// The number of a row, with a +0 for a −0.
    pub(super) fn of_row(&self, row: usize) -> Option<f32> {
        self.retentions.get(row).map(|retention| retention + 0.0)
    }

    /// The numbers from a row on.
    pub(super) fn rest_at(&self, row: usize) -> &[f32] {
        self.retentions.get(row..).unwrap_or_default()
    }

    /// A number that the retention of no row of a tile exceeds; tiles are counted over all blocks.
    pub(super) fn most_of_tile(&self, tile: usize) -> f32 {
        self.most.get(tile).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scoring::Weights;
    use crate::simd::InstructionSet;

    fn kernels() -> &'static Kernels {
        InstructionSet::best().kernels().unwrap()
    }

    fn asking(retention: Option<&[f32]>) -> Query<'_> {
        Query { vector: &[], k: 1, weights: Weights::SIMILARITY, retention, mask: None, ranges: None }
    }

    proptest! {
        #[test]
        fn no_row_exceeds_the_largest_number_of_its_tile(
            given in prop::collection::vec(prop_oneof![0.0f32..=1.0, Just(-0.0f32)], 0..300), beyond in 0usize..70
        ) {
            let rows = given.len().saturating_sub(beyond);
            let column = Column::new(0, &given, rows, kernels()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            for tile in 0..rows.div_ceil(TILE_ROWS) {
                let of_tile = &given[tile * TILE_ROWS..rows.min((tile + 1) * TILE_ROWS)];
                let most = of_tile.iter().fold(0.0f32, |most, value| most.max(*value));
                prop_assert_eq!(column.most_of_tile(tile), most);
            }
            prop_assert!((0..rows).all(|row| column.of_row(row).is_some_and(|value| value == given[row])));
            prop_assert_eq!(column.of_row(rows), None);
        }

        #[test]
        fn the_first_number_that_is_no_share_is_told(
            rows in 1usize..300, places in prop::collection::vec(any::<prop::sample::Index>(), 1..3),
            bad in prop_oneof![
                Just(f32::NAN), Just(-f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(1.0f32.next_up()),
                Just(-f32::from_bits(1)), 1.001f32..1e30, -1e30f32..-1e-30
            ],
        ) {
            let mut given = vec![1.0; rows];
            places.iter().for_each(|place| given[place.index(rows)] = bad);
            let index = given.iter().position(|value| *value != 1.0).unwrap_or(rows);
            prop_assert_eq!(Column::new(3, &given, rows, kernels()).err(), Some(SearchError::Retention { query: 3, index }));
        }
    }

    #[test]
    fn queries_that_point_to_one_column_share_its_check() {
        let (one, other) = (vec![0.5; 70], vec![0.25; 70]);
        let queries = [asking(Some(&one)), asking(None), asking(Some(&one)), asking(Some(&other))];
        let columns = Column::of_batch(&queries, 70, kernels()).unwrap_or_default();
        let [Some(first), None, Some(second), Some(third)] = columns.as_slice() else {
            panic!("columns are parallel to the queries: {columns:?}")
        };
        assert!(Arc::ptr_eq(first, second) && !Arc::ptr_eq(first, third));
    }
}
