//! The contract of a scan back end: one function per clause, run by [`backend_contract!`] on an implementation.
//!
//! `backend_contract!(name, open)` makes a test of each; `open` gives an empty back end of so many dimensions.

#![expect(clippy::unwrap_used, reason = "a broken contract is a panic")]

use gpu_retrieval::{
    Answer, Batch, Decay, Hit, ImageError, ImageRow, MAX_K, MAX_QUERIES, Query, Row, RowsError, ScanBackend,
    SearchError, VectorError, Weights, unit_fp16,
};
use half::f16;

use crate::oracle::Twin;
use crate::split_mix;

mod retention;

pub(crate) use retention::{
    a_column_is_the_retention_of_its_query_alone, a_column_of_what_the_decays_give_changes_no_bit,
    columns_that_are_no_shares_are_refused_with_their_place, decay_is_evaluated_at_the_instant_of_the_batch,
};

macro_rules! backend_contract {
    ($name:ident, $open:expr, $($clause:ident),+ $(,)?) => {
        mod $name {
            $(
                #[test]
                fn $clause() {
                    crate::backend_contract::$clause($open);
                }
            )+
        }
    };
    ($name:ident, $open:expr) => {
        backend_contract!(
            $name,
            $open,
            answers_are_the_oracles_bit_for_bit,
            answers_depend_neither_on_the_batch_nor_on_threads,
            scores_of_chosen_rows_are_those_of_their_hits,
            ties_go_to_the_lower_id_ordinal_and_row,
            decay_is_evaluated_at_the_instant_of_the_batch,
            a_column_of_what_the_decays_give_changes_no_bit,
            a_column_is_the_retention_of_its_query_alone,
            columns_that_are_no_shares_are_refused_with_their_place,
            deleted_rows_are_not_found_and_their_numbers_not_reused,
            refused_writes_change_nothing,
            queries_that_make_no_sense_are_refused_with_their_place,
            an_abandoned_scan_leaves_the_rows_writable,
            an_empty_store_and_an_empty_batch_have_empty_answers,
            an_image_has_the_bits_of_every_score,
            a_damaged_image_is_refused_or_harmless_and_changes_nothing,
        );
    };
}
pub(crate) use backend_contract;

const FUSED: Weights = Weights { similarity: 1.0, retention: 0.3, importance: 0.2 };
const NOW_US: i64 = 1 << 40;

/// Random numbers of a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    fn direction(&mut self, dims: usize) -> Vec<f32> {
        (0..dims).map(|_| (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 0.7).collect()
    }

    /// In [0, 1], both ends often.
    fn share(&mut self) -> f32 {
        ((self.next() >> 40) as f32 / (1u64 << 23) as f32 - 0.5).clamp(0.0, 1.0)
    }

    fn decay(&mut self) -> Decay {
        Decay {
            t0_us: (self.next() >> 23).cast_signed(),
            rate_per_us: [0.0, 1e-12, 1e-9, f32::MAX][(self.next() % 4) as usize],
            shape: [0.0, 0.5, 2.5][(self.next() % 3) as usize],
            importance: [0.0, 0.5, -1.0][(self.next() % 3) as usize],
        }
    }
}

/// Rows in groups of three, a seventh of them deleted, some pairs of equal vectors.
fn filled<B: ScanBackend>(open: impl Fn(usize) -> B, dims: usize, rows: u32) -> Twin<B> {
    let (mut twin, mut random) = (Twin::over(open(dims)), Random(u64::from(rows)));
    let mut vector = Vec::new();
    for row in 0..rows {
        if row % 3 == 0 {
            twin.add_group(u128::from(random.next()) << 32 | u128::from(row));
        }
        if row % 5 != 4 {
            vector = unit_fp16(&random.direction(dims)).unwrap();
        }
        twin.push(vector.clone(), row / 3, row % 2, random.decay());
    }
    for row in (0..rows).step_by(7) {
        twin.delete(row);
    }
    for row in (1..rows).step_by(7) {
        twin.set_decay(row, random.decay());
    }
    twin
}

fn plain(vector: &[f32], k: usize) -> Query<'_> {
    Query { vector, k, weights: Weights::SIMILARITY, retention: None, mask: None, ranges: None }
}

fn bits(hits: &[Hit]) -> Vec<(u32, u32, u128, [u32; 3])> {
    let numbers = |hit: &Hit| [hit.score, hit.similarity, hit.retention].map(f32::to_bits);
    hits.iter().map(|hit| (hit.row, hit.group, hit.group_id, numbers(hit))).collect()
}

fn search<B: ScanBackend>(rows: &B, now_us: i64, queries: &[Query<'_>]) -> Vec<Answer> {
    rows.search(&Batch { now_us, queries }).unwrap()
}

/// Two rows at right angles, in one group.
fn two_rows<B: ScanBackend>(open: impl Fn(usize) -> B) -> B {
    let mut rows = open(2);
    let group = rows.add_group(1).unwrap();
    for vector in [[f16::ONE, f16::ZERO], [f16::ZERO, f16::ONE]] {
        rows.push(&Row { vector: &vector, group, ordinal: 0, decay: Decay::default() }).unwrap();
    }
    rows
}

pub(crate) fn answers_are_the_oracles_bit_for_bit<B: ScanBackend>(open: impl Fn(usize) -> B) {
    for (dims, rows) in [(1, 40), (3, 700), (64, 2000), (130, 500), (384, 1500)] {
        let twin = filled(&open, dims, rows);
        let mut random = Random(9);
        let vectors: Vec<_> = (0..4).map(|_| random.direction(dims)).collect();
        let mask: Vec<u64> = (0..rows.div_ceil(64)).map(|_| random.next() & random.next()).collect();
        let column: Vec<f32> = (0..rows).map(|_| random.share()).collect();
        let (short, ranges) = (&mask[..mask.len() / 2], [5..37, 64..64, 70..70 + rows / 2]);
        let queries = [
            plain(&vectors[0], 10),
            Query { weights: FUSED, mask: Some(&mask), ..plain(&vectors[1], 1) },
            Query { weights: FUSED, ranges: Some(&ranges), mask: Some(short), ..plain(&vectors[2], MAX_K) },
            Query { weights: Weights { similarity: 0.0, ..FUSED }, ..plain(&vectors[3], 50) },
            Query { mask: Some(&[]), ..plain(&vectors[3], 5) },
            Query { weights: FUSED, retention: Some(&column), ..plain(&vectors[0], 10) },
            Query {
                weights: FUSED,
                retention: Some(&column),
                mask: Some(&mask),
                ..plain(&vectors[1], MAX_K)
            },
            Query { retention: Some(&column), ranges: Some(&ranges), ..plain(&vectors[2], 3) },
        ];
        for (query, answer) in queries.iter().zip(search(&twin.rows, NOW_US, &queries)) {
            let (hits, rows_scanned) = twin.expected(query, NOW_US);
            assert_eq!(bits(&answer.hits), bits(&hits), "{dims} elements, {rows} rows");
            assert_eq!(answer.rows_scanned, rows_scanned);
        }
    }
}

pub(crate) fn answers_depend_neither_on_the_batch_nor_on_threads<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let twin = filled(open, 64, 3000);
    let mut random = Random(3);
    let vectors: Vec<_> = (0..40).map(|_| random.direction(64)).collect();
    let queries: Vec<_> =
        vectors.iter().map(|vector| Query { weights: FUSED, ..plain(vector, 20) }).collect();
    let alone: Vec<_> = queries
        .iter()
        .map(|query| bits(&search(&twin.rows, NOW_US, std::slice::from_ref(query))[0].hits))
        .collect();
    for threads in [0, 1, 3] {
        let scan = twin.rows.begin(&Batch { now_us: NOW_US, queries: &queries }).unwrap();
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| scan.join()))));
        let together: Vec<_> = scan.finish().unwrap().iter().map(|answer| bits(&answer.hits)).collect();
        assert_eq!(together, alone, "{threads} threads");
    }
}

pub(crate) fn scores_of_chosen_rows_are_those_of_their_hits<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let twin = filled(open, 70, 400);
    let vector = Random(4).direction(70);
    let hits = search(&twin.rows, NOW_US, &[Query { weights: FUSED, ..plain(&vector, 30) }]).remove(0).hits;
    let rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
    let scored = twin.rows.score_rows(&vector, FUSED, NOW_US, &rows, None).unwrap();
    assert_eq!(scored.len(), hits.len());
    for (scored, hit) in scored.iter().zip(&hits) {
        assert_eq!(scored.row, hit.row);
        let of_row = [scored.score, scored.similarity, scored.retention].map(f32::to_bits);
        assert_eq!(of_row, [hit.score, hit.similarity, hit.retention].map(f32::to_bits));
    }
}

pub(crate) fn ties_go_to_the_lower_id_ordinal_and_row<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let mut rows = open(2);
    let vector = [f16::ONE, f16::ZERO];
    for id in [30, 10, 20] {
        let group = rows.add_group(id).unwrap();
        for ordinal in [2, 1, 1] {
            rows.push(&Row { vector: &vector, group, ordinal, decay: Decay::default() }).unwrap();
        }
    }
    let hits = search(&rows, 0, &[plain(&[1.0, 0.0], 2)]).remove(0).hits;
    let order: Vec<_> = hits.iter().map(|hit| (hit.group_id, hit.group, hit.row)).collect();
    assert_eq!(order, [(10, 1, 4), (20, 2, 7)]);
}

pub(crate) fn deleted_rows_are_not_found_and_their_numbers_not_reused<B: ScanBackend>(
    open: impl Fn(usize) -> B,
) {
    let mut rows = two_rows(open);
    assert_eq!((rows.delete(1), rows.delete(1)), (Ok(true), Ok(false)));
    assert_eq!(rows.delete(2), Err(RowsError::NoSuchRow(2)));
    assert_eq!(rows.decay(1), None);
    assert_eq!(rows.set_decay(1, Decay::default()), Err(RowsError::NoSuchRow(1)));
    let scored = rows.score_rows(&[1.0, 0.0], Weights::SIMILARITY, 0, &[0, 1], None);
    assert_eq!(scored, Err(SearchError::NoSuchRow(1)));
    let vector = [f16::ZERO, f16::ONE];
    assert_eq!(rows.push(&Row { vector: &vector, group: 0, ordinal: 0, decay: Decay::default() }), Ok(2));
    let answer = search(&rows, 0, &[plain(&[0.0, 1.0], 1)]).remove(0);
    assert_eq!((answer.hits[0].row, answer.rows_scanned), (2, 2));
}

pub(crate) fn refused_writes_change_nothing<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let mut rows = two_rows(open);
    let (one, zero, fine) = (f16::ONE, f16::ZERO, Decay::default());
    let bad = Decay { shape: -0.5, ..fine };
    let refused: [(&[f16], u32, Decay, RowsError); 5] = [
        (&[one], 0, fine, VectorError::Dims { expected: 2, given: 1 }.into()),
        (&[one, f16::INFINITY], 0, fine, VectorError::NotFinite { index: 1 }.into()),
        (&[one, one], 0, fine, VectorError::NotUnit { squared_norm: 2.0 }.into()),
        (&[one, zero], 1, fine, RowsError::NoSuchGroup(1)),
        (&[one, zero], 0, bad, RowsError::Decay(bad)),
    ];
    for (vector, group, decay, error) in refused {
        assert_eq!(rows.push(&Row { vector, group, ordinal: 0, decay }), Err(error));
    }
    assert_eq!(rows.set_decay(0, bad), Err(RowsError::Decay(bad)));
    assert_eq!((rows.dims(), rows.decay(0), rows.decay(2)), (2, Some(fine), None));
    assert_eq!(search(&rows, 0, &[plain(&[1.0, 0.0], 5)])[0].rows_scanned, 2);
}

pub(crate) fn queries_that_make_no_sense_are_refused_with_their_place<B: ScanBackend>(
    open: impl Fn(usize) -> B,
) {
    let rows = two_rows(open);
    let fine = plain(&[1.0, 0.0], 1);
    let (weights, overlap) = (Weights { importance: f32::NAN, ..FUSED }, [0..2, 1..3]);
    let vector = |vector, reason| (Query { vector, ..fine }, SearchError::Vector { query: 1, reason });
    for (query, error) in [
        (Query { k: 0, ..fine }, SearchError::K { query: 1 }),
        (Query { k: MAX_K + 1, ..fine }, SearchError::K { query: 1 }),
        (Query { weights, ..fine }, SearchError::Weights { query: 1 }),
        (Query { ranges: Some(&overlap), ..fine }, SearchError::Ranges { query: 1 }),
        vector(&[1.0], VectorError::Dims { expected: 2, given: 1 }),
        vector(&[0.0, 0.0], VectorError::Zero),
    ] {
        assert_eq!(rows.search(&Batch { now_us: 0, queries: &[fine, query] }), Err(error));
    }
    let many = vec![fine; MAX_QUERIES + 1];
    let refused = rows.search(&Batch { now_us: 0, queries: &many });
    assert_eq!(refused, Err(SearchError::TooManyQueries));
    assert_eq!(search(&rows, 0, &many[1..]).len(), MAX_QUERIES);
}

pub(crate) fn an_abandoned_scan_leaves_the_rows_writable<B: ScanBackend>(open: impl Fn(usize) -> B) {
    let mut rows = two_rows(open);
    let queries = [plain(&[1.0, 0.0], 1)];
    drop(rows.begin(&Batch { now_us: 0, queries: &queries }).unwrap());
    assert_eq!(rows.delete(0), Ok(true));
    assert_eq!(search(&rows, 0, &queries)[0].hits[0].row, 1);
}

pub(crate) fn an_empty_store_and_an_empty_batch_have_empty_answers<B: ScanBackend>(
    open: impl Fn(usize) -> B,
) {
    let rows = open(2);
    assert_eq!(search(&rows, 0, &[]), []);
    let answer = search(&rows, 0, &[plain(&[1.0, 0.0], 1)]).remove(0);
    assert!(answer.hits.is_empty() && answer.rows_scanned == 0);
}

/// The image of some rows, live and deleted, in other groups, and an empty back end that has read it.
fn imaged<B: ScanBackend>(rows: &B, chosen: &[ImageRow], groups: Vec<u128>, mut empty: B) -> (Vec<u8>, B) {
    let mut image = Vec::new();
    rows.export(chosen, &mut image).unwrap();
    let count = u32::try_from(chosen.len()).unwrap();
    empty.import(groups, count, &mut image.as_slice()).unwrap();
    (image, empty)
}

pub(crate) fn an_image_has_the_bits_of_every_score<B: ScanBackend>(open: impl Fn(usize) -> B) {
    for (dims, rows) in [(1, 0), (3, 5), (3, 700), (64, 40), (130, 500), (384, 1500)] {
        let twin = filled(&open, dims, rows);
        // Every third row is left out, and the groups are numbered backwards.
        let groups = u32::try_from(twin.group_ids.len()).unwrap();
        let chosen: Vec<ImageRow> = (0..rows)
            .filter(|row| row % 3 != 1)
            .map(|row| ImageRow { row, group: groups - 1 - row / 3 })
            .collect();
        let ids = twin.group_ids.iter().rev().copied().collect();
        let (_, mut copy) = imaged(&twin.rows, &chosen, ids, open(dims));
        let mut mask = vec![0_u64; rows.div_ceil(64) as usize];
        for ImageRow { row, .. } in &chosen {
            mask[*row as usize / 64] |= 1 << (row % 64);
        }
        let mut random = Random(3);
        for weights in [Weights::SIMILARITY, FUSED] {
            let vector = random.direction(dims);
            let query = Query { weights, ..plain(&vector, 40) };
            let [original] =
                search(&twin.rows, NOW_US, &[Query { mask: Some(&mask), ..query }]).try_into().unwrap();
            let [read] = search(&copy, NOW_US, &[query]).try_into().unwrap();
            assert_eq!(read.rows_scanned, original.rows_scanned);
            let in_image = |hit: &Hit| chosen.iter().position(|row| row.row == hit.row).unwrap();
            let expected: Vec<Hit> = original
                .hits
                .iter()
                .map(|hit| Hit {
                    row: u32::try_from(in_image(hit)).unwrap(),
                    group: chosen[in_image(hit)].group,
                    ..*hit
                })
                .collect();
            assert_eq!(bits(&read.hits), bits(&expected), "{dims} elements, {rows} rows");
        }
        let (next_group, next_row) = (copy.add_group(1).unwrap(), u32::try_from(chosen.len()).unwrap());
        assert_eq!(next_group, groups);
        let vector = unit_fp16(&random.direction(dims)).unwrap();
        let row = Row { vector: &vector, group: next_group, ordinal: 0, decay: Decay::default() };
        assert_eq!(copy.push(&row), Ok(next_row));
        let full = copy.import(Vec::new(), 0, &mut [].as_slice());
        assert!(matches!(full, Err(ImageError::NotEmpty)));
    }
}

pub(crate) fn a_damaged_image_is_refused_or_harmless_and_changes_nothing<B: ScanBackend>(
    open: impl Fn(usize) -> B,
) {
    let (dims, rows) = (5, 150);
    let twin = filled(&open, dims, rows);
    let chosen: Vec<ImageRow> = (0..rows).map(|row| ImageRow { row, group: row / 3 }).collect();
    let (image, _) = imaged(&twin.rows, &chosen, twin.group_ids.clone(), open(dims));
    let mut random = Random(11);
    let vector = random.direction(dims);
    for length in (0..image.len()).step_by(97) {
        let mut empty = open(dims);
        let read = empty.import(twin.group_ids.clone(), rows, &mut &image[..length]);
        assert!(matches!(read, Err(ImageError::Read(_))), "{length} of {} bytes", image.len());
        assert_eq!(empty.add_group(1), Ok(0), "groups of an image that was not read");
    }
    for _ in 0..2_000 {
        let mut damaged = image.clone();
        let at = usize::try_from(random.next()).unwrap() % damaged.len();
        damaged[at] = random.next().to_le_bytes()[0];
        let mut copy = open(dims);
        if copy.import(twin.group_ids.clone(), rows, &mut damaged.as_slice()).is_ok() {
            let query = Query { weights: FUSED, ..plain(&vector, 1_000) };
            let [answer] = search(&copy, NOW_US, &[query]).try_into().unwrap();
            assert!(answer.hits.iter().all(|hit| !hit.score.is_nan()));
        }
    }
    let one_group = open(dims).import(vec![1], rows, &mut image.as_slice());
    assert!(matches!(one_group, Err(ImageError::Damaged)), "rows of groups that are not there");
    let past_the_end = [ImageRow { row: rows, group: 0 }];
    assert!(twin.rows.export(&past_the_end, &mut Vec::new()).is_err());
}
