//! Validation: which input is refused, with which error, and that a refused write or search changes nothing.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use gpu_retrieval::{
    Batch, Decay, InstructionSet, MAX_DIMS, MAX_K, MAX_QUERIES, Pass, PassChoice, Query, Row, Rows,
    RowsError, SearchError, SearchOptions, VectorError, Weights, unit_fp16,
};
use half::f16;

fn two_rows() -> Rows {
    let mut rows = Rows::new(2).unwrap();
    let group = rows.add_group(1).unwrap();
    for direction in [[1.0, 0.0], [0.0, 1.0]] {
        let vector = unit_fp16(&direction).unwrap();
        rows.push(&Row { vector: &vector, group, ordinal: 0, decay: Decay::default() }).unwrap();
    }
    rows
}

fn query(vector: &[f32]) -> Query<'_> {
    Query { vector, k: 1, weights: Weights::SIMILARITY, retention: None, mask: None, ranges: None }
}

#[test]
fn shapes_out_of_range() {
    for dims in [0, MAX_DIMS + 1] {
        assert_eq!(Rows::new(dims).err(), Some(RowsError::Dims));
    }
    assert!(Rows::new(MAX_DIMS).is_ok());
}

#[test]
fn rows_that_could_make_a_nan_or_break_the_bound() {
    let mut rows = two_rows();
    let (one, zero) = (f16::ONE, f16::ZERO);
    let push = |rows: &mut Rows, vector: &[f16], group: u32, decay: Decay| {
        rows.push(&Row { vector, group, ordinal: 0, decay }).unwrap_err()
    };
    let fine = Decay::default();
    let vectors: [(&[f16], VectorError); 4] = [
        (&[one], VectorError::Dims { expected: 2, given: 1 }),
        (&[one, f16::NAN], VectorError::NotFinite { index: 1 }),
        (&[zero, zero], VectorError::NotUnit { squared_norm: 0.0 }),
        (&[one, one], VectorError::NotUnit { squared_norm: 2.0 }),
    ];
    for (vector, reason) in vectors {
        assert_eq!(push(&mut rows, vector, 0, fine), RowsError::Vector(reason));
    }
    assert_eq!(push(&mut rows, &[one, zero], 1, fine), RowsError::NoSuchGroup(1));
    for decay in [
        Decay { rate_per_us: f32::INFINITY, ..fine },
        Decay { rate_per_us: -1.0, ..fine },
        Decay { shape: -0.5, ..fine },
        Decay { shape: f32::INFINITY, ..fine },
        Decay { importance: f32::NEG_INFINITY, ..fine },
    ] {
        assert_eq!(push(&mut rows, &[one, zero], 0, decay), RowsError::Decay(decay));
        assert_eq!(rows.set_decay(0, decay), Err(RowsError::Decay(decay)));
    }
    let nan = Decay { importance: f32::NAN, ..fine };
    assert!(matches!(push(&mut rows, &[one, zero], 0, nan), RowsError::Decay(_)));
    assert_eq!((rows.len(), rows.live(), rows.decay(0)), (2, 2, Some(fine)));
}

#[test]
fn row_numbers_without_a_live_row() {
    let mut rows = two_rows();
    assert_eq!(rows.delete(2), Err(RowsError::NoSuchRow(2)));
    assert_eq!((rows.delete(1), rows.delete(1)), (Ok(true), Ok(false)));
    assert_eq!((rows.len(), rows.live()), (2, 1));
    for row in [1, 2, u32::MAX] {
        assert_eq!(rows.set_decay(row, Decay::default()), Err(RowsError::NoSuchRow(row)));
        let scored = rows.score_rows(&[1.0, 0.0], Weights::SIMILARITY, 0, &[0, row], None);
        assert_eq!(scored, Err(SearchError::NoSuchRow(row)));
        assert_eq!((rows.vector(row), rows.decay(row), rows.group(row)), (None, None, None));
    }
}

#[test]
fn queries_that_make_no_sense() {
    let rows = two_rows();
    let refusal = |query: Query<'_>| {
        let fine = Query { vector: &[1.0, 0.0], ..query };
        let fine = Query { k: 1, weights: Weights::SIMILARITY, ranges: None, ..fine };
        rows.search(&Batch { now_us: 0, queries: &[fine, query] }).unwrap_err()
    };
    let fine = query(&[1.0, 1.0]);
    for k in [0, MAX_K + 1] {
        assert_eq!(refusal(Query { k, ..fine }), SearchError::K { query: 1 });
    }
    let weights = Weights { importance: f32::NAN, ..Weights::SIMILARITY };
    assert_eq!(refusal(Query { weights, ..fine }), SearchError::Weights { query: 1 });
    let (overlap, backwards) = ([0..2, 1..3], [std::ops::Range { start: 2, end: 1 }]);
    for ranges in [&overlap[..], &backwards[..]] {
        assert_eq!(refusal(Query { ranges: Some(ranges), ..fine }), SearchError::Ranges { query: 1 });
    }
    for (vector, reason) in [
        (&[1.0][..], VectorError::Dims { expected: 2, given: 1 }),
        (&[0.0, 0.0][..], VectorError::Zero),
        (&[0.0, f32::NAN][..], VectorError::NotFinite { index: 1 }),
    ] {
        assert_eq!(refusal(query(vector)), SearchError::Vector { query: 1, reason });
    }
    let many = vec![fine; MAX_QUERIES + 1];
    let refused = rows.search(&Batch { now_us: 0, queries: &many });
    assert_eq!(refused, Err(SearchError::TooManyQueries));
    let most = rows.search(&Batch { now_us: 0, queries: &many[1..] }).unwrap();
    assert!(most.len() == MAX_QUERIES && most.iter().all(|answer| answer.hits.len() == 1));
}

#[test]
fn retentions_that_are_no_share_or_too_few() {
    let rows = two_rows();
    let fine = query(&[1.0, 1.0]);
    let search = |retention: &[f32]| {
        let queries =
            [Query { retention: Some(&[0.5, 0.5]), ..fine }, Query { retention: Some(retention), ..fine }];
        rows.search(&Batch { now_us: 0, queries: &queries })
    };
    let score =
        |retention: &[f32]| rows.score_rows(&[1.0, 1.0], Weights::SIMILARITY, 0, &[1, 0], Some(retention));
    for bad in [-f32::MIN_POSITIVE, 1.0f32.next_up(), f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(search(&[1.0, bad]), Err(SearchError::Retention { query: 1, index: 1 }), "{bad}");
        assert_eq!(score(&[bad, bad]), Err(SearchError::Retention { query: 0, index: 0 }), "{bad}");
    }
    for short in [&[][..], &[0.5]] {
        let refused = |query| SearchError::RetentionLength { query, expected: 2, given: short.len() };
        assert_eq!(search(short), Err(refused(1)));
        assert_eq!(score(short), Err(refused(0)));
    }
    assert_eq!(score(&[0.5; 3]), Err(SearchError::RetentionLength { query: 0, expected: 2, given: 3 }));
    let hit = search(&[-0.0, -0.0, f32::NAN]).unwrap()[1].hits[0];
    assert_eq!(hit.retention.to_bits(), 0, "−0 counts as 0, and what is beyond the rows is not read");
    assert_eq!(score(&[-0.0, 1.0]).unwrap()[0].retention.to_bits(), 0);
}

#[test]
fn a_defect_deep_in_a_column_is_told_by_its_row() {
    let mut rows = two_rows();
    let vector = unit_fp16(&[1.0, 0.0]).unwrap();
    for _ in rows.len()..5000 {
        rows.push(&Row { vector: &vector, group: 0, ordinal: 0, decay: Decay::default() }).unwrap();
    }
    let mut column = vec![1.0; 5000];
    (column[4097], column[4999]) = (f32::NAN, -1.0);
    let queries = [Query { retention: Some(&column), ..query(&[1.0, 1.0]) }];
    let refused = rows.search(&Batch { now_us: 0, queries: &queries });
    assert_eq!(refused, Err(SearchError::Retention { query: 0, index: 4097 }));
}

#[test]
fn instructions_of_another_machine() {
    let rows = two_rows();
    for set in InstructionSet::ALL.into_iter().filter(|set| !set.is_available()) {
        let options = SearchOptions { instruction_set: set, pass: PassChoice::Forced(Pass::Certified) };
        let refused = rows.search_with(&Batch { now_us: 0, queries: &[query(&[1.0, 0.0])] }, &options);
        assert_eq!(refused, Err(SearchError::InstructionSet(set)));
    }
}

#[test]
fn an_empty_store_and_an_empty_batch_have_empty_answers() {
    let rows = Rows::new(2).unwrap();
    assert_eq!(rows.search(&Batch { now_us: 0, queries: &[] }), Ok(Vec::new()));
    let answers = rows.search(&Batch { now_us: 0, queries: &[query(&[1.0, 0.0])] }).unwrap();
    assert!(answers[0].hits.is_empty() && answers[0].rows_scanned == 0);
    assert!(rows.bytes() < 1024);
}

#[test]
fn searches_of_many_threads_agree() {
    let rows = two_rows();
    let vector = [0.3, 0.8];
    let batch = Batch { now_us: 0, queries: &[query(&vector)] };
    let expected = rows.search(&batch).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| rows.search(&batch).unwrap())).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}
