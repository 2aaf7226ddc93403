//! Clauses of the contract about retention: by decays, and by the column of a query.

use gpu_retrieval::{Batch, Decay, MAX_K, Query, ScanBackend, SearchError};

use super::{FUSED, NOW_US, Random, bits, filled, plain, search, two_rows};

pub(crate) fn decay_is_evaluated_at_the_instant_of_the_batch<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let mut rows = two_rows(open);
    let decay = Decay { t0_us: 1000, rate_per_us: 0.25, shape: 0.0, importance: 0.0 };
    rows.set_decay(1, decay).unwrap();
    assert_eq!((rows.decay(0), rows.decay(1)), (Some(Decay::default()), Some(decay)));
    for (now_us, retention) in [(i64::MIN, 1.0), (1000, 1.0), (1004, 0.5), (1008, 0.25), (i64::MAX, 0.0)] {
        let hit = search(&rows, now_us, &[plain(&[0.0, 1.0], 1)])[0].hits[0];
        assert_eq!((hit.row, hit.retention), (1, retention), "at {now_us}");
    }
}

pub(crate) fn a_column_of_what_the_decays_give_changes_no_bit<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let twin = filled(open, 64, 3000);
    let column = twin.retentions(NOW_US);
    let vector = Random(5).direction(64);
    for k in [1, 10, MAX_K] {
        let by_decay = Query { weights: FUSED, ..plain(&vector, k) };
        let by_column = Query { retention: Some(&column), ..by_decay };
        let hits = search(&twin.rows, NOW_US, &[by_decay]).remove(0).hits;
        // The clock of the batch means nothing to a column.
        for now_us in [NOW_US, 0] {
            assert_eq!(bits(&search(&twin.rows, now_us, &[by_column])[0].hits), bits(&hits));
        }
        let rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
        let given: Vec<f32> = hits.iter().map(|hit| hit.retention).collect();
        let scored = twin.rows.score_rows(&vector, FUSED, NOW_US, &rows, None).unwrap();
        assert_eq!(twin.rows.score_rows(&vector, FUSED, 0, &rows, Some(&given)), Ok(scored));
    }
}

pub(crate) fn a_column_is_the_retention_of_its_query_alone<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let rows = two_rows(open);
    let vector = [1.0, 1.0];
    let fine = Query { weights: FUSED, ..plain(&vector, 1) };
    let columns = [[1.0, 0.0], [0.0, 0.5]];
    let queries = columns.each_ref().map(|column| Query { retention: Some(column), ..fine });
    let answers = search(&rows, 0, &[queries[0], fine, queries[1]]);
    let best: Vec<_> = answers.iter().map(|answer| (answer.hits[0].row, answer.hits[0].retention)).collect();
    assert_eq!(best, [(0, 1.0), (0, 1.0), (1, 0.5)]);
}

pub(crate) fn columns_that_are_no_shares_are_refused_with_their_place<B: ScanBackend>(
    open: impl Fn(usize) -> B,
) {
    let rows = two_rows(open);
    let vector = [1.0, 1.0];
    let fine = plain(&vector, 1);
    let refused = |column: &[f32]| {
        let queries = [fine, Query { retention: Some(column), ..fine }];
        rows.search(&Batch { now_us: 0, queries: &queries }).unwrap_err()
    };
    let value = SearchError::Retention { query: 1, index: 1 };
    assert_eq!([refused(&[1.0, f32::NAN]), refused(&[0.0, -0.5]), refused(&[0.5, 1.5])], [value; 3]);
    assert_eq!(refused(&[1.0]), SearchError::RetentionLength { query: 1, expected: 2, given: 1 });
    let scored = rows.score_rows(&[1.0, 1.0], FUSED, 0, &[1], Some(&[2.0]));
    assert_eq!(scored, Err(SearchError::Retention { query: 0, index: 0 }));
    let scored = rows.score_rows(&[1.0, 1.0], FUSED, 0, &[1], Some(&[1.0, 1.0]));
    assert_eq!(scored, Err(SearchError::RetentionLength { query: 0, expected: 1, given: 2 }));
}
