//! Cross-polytope hash of `TiM`: `F(x) = argmax over [xR; -xR]`, with a Gaussian matrix `R` of `d` rows and `b / 2` columns.
//!
//! `F` is the angular hash of Andoni et al. 2015 ("Practical and Optimal LSH for Angular Distance") with a Gaussian
//! projection onto `b / 2` directions in place of a rotation: the bucket is the direction of the largest absolute
//! projection, with its sign. Properties: `F(cx) = F(x)` for `c > 0`, and `F(-x)` is the paired bucket `i + b / 2` of `i`.
//! Invariant: the same parameters and dimension give the same buckets on every platform and instruction set. Draws are
//! counter-based ([`super::gaussian`]), and each projection is a sum in double precision in the order of the components,
//! without fused operations.

use super::gaussian::{Position, standard_normal};

/// Buckets of a table at most.
pub const MAX_BUCKETS: u32 = 1_024;
/// Tables at most.
pub const MAX_TABLES: u32 = 64;
/// Components of a vector at most.
pub const MAX_DIMENSION: usize = 8_192;
/// Draws of all matrices at most: 64 MiB.
pub const MAX_DRAWS: usize = 8 * 1_024 * 1_024;
/// Thoughts that one recall returns at most.
pub const MAX_K: usize = 1_024;

/// Parameters of the hash and of a search with it. The default is that of the paper (one table, one probe,
/// k = 5); the paper does not state b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LshParameters {
    /// Number of buckets b of a table: even, 2 to [`MAX_BUCKETS`].
    pub buckets: u32,
    /// Seed of the matrices, fixed for the life of a store.
    pub seed: u64,
    /// Independent tables, 1 to [`MAX_TABLES`].
    pub tables: u32,
    /// Buckets that a search reads in each table, 1 to b.
    pub probes: u32,
    /// Thoughts that a search returns, 1 to [`MAX_K`].
    pub k: usize,
}

impl Default for LshParameters {
    fn default() -> Self {
        Self { buckets: 32, seed: 0, tables: 1, probes: 1, k: 5 }
    }
}

/// Reasons to refuse parameters or a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LshError {
    /// The number of buckets is odd or out of range.
    #[error("the number of buckets is even, 2 to {MAX_BUCKETS}")]
    Buckets,
    /// The number of tables is out of range.
    #[error("the number of tables is 1 to {MAX_TABLES}")]
    Tables,
    /// The number of probes is out of range.
    #[error("the number of probes is 1 to the number of buckets")]
    Probes,
    /// k is out of range.
    #[error("k is 1 to {MAX_K}")]
    K,
    /// The dimension is out of range, or the matrices would have more than [`MAX_DRAWS`] draws.
    #[error("the matrices have 1 to {MAX_DIMENSION} rows and {MAX_DRAWS} draws at most")]
    Size,
    /// No table has this number.
    #[error("there is no table {0}")]
    NoSuchTable(u32),
    /// The vector has another dimension.
    #[error("a vector has {found} components, not {expected}")]
    Dimension {
        /// Components of the vectors of this hash.
        expected: usize,
        /// Components of the vector that was given.
        found: usize,
    },
    /// A component is infinite or no number.
    #[error("a component of the vector is not finite")]
    NotFinite,
    /// The vector has no direction.
    #[error("a vector of zeros has no direction")]
    Zero,
}

/// The hash functions of a store, with their matrices.
#[derive(Clone, Debug)]
pub struct Lsh {
    parameters: LshParameters,
    dimension: usize,
    /// By table, then by row: `b / 2` draws. Row by row, a projection runs over memory in order, and the sums of different
    /// columns can share vector instructions without a change of any.
    draws: Vec<f64>,
}

impl Lsh {
    /// The hash functions for vectors of `dimension` components. Draws of a direction do not depend on b: with fewer
    /// buckets, the directions are the first ones.
    ///
    /// # Errors
    /// [`LshError`] if a parameter is out of range.
    pub fn new(parameters: LshParameters, dimension: usize) -> Result<Self, LshError> {
        let LshParameters { buckets, seed, tables, probes, k } = parameters;
        if !(2..=MAX_BUCKETS).contains(&buckets) || buckets % 2 != 0 {
            return Err(LshError::Buckets);
        }
        if !(1..=MAX_TABLES).contains(&tables) {
            return Err(LshError::Tables);
        }
        if !(1..=buckets).contains(&probes) {
            return Err(LshError::Probes);
        }
        if !(1..=MAX_K).contains(&k) {
            return Err(LshError::K);
        }
        let rows = u32::try_from(dimension).map_err(|_| LshError::Size)?;
        let directions = buckets / 2;
        let all = dimension.saturating_mul(tables as usize).saturating_mul(directions as usize);
        if !(1..=MAX_DIMENSION).contains(&dimension) || all > MAX_DRAWS {
            return Err(LshError::Size);
        }
        let mut draws = Vec::with_capacity(all);
        for table in 0..tables {
            for row in 0..rows {
                let draw = |column| standard_normal(seed, Position { table, row, column });
                draws.extend((0..directions).map(draw));
            }
        }
        Ok(Self { parameters, dimension, draws })
    }

    /// The parameters.
    pub const fn parameters(&self) -> &LshParameters {
        &self.parameters
    }

    /// Components of the vectors.
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// The bucket of a vector of any length in a table, 0 to b - 1.
    ///
    /// # Errors
    /// [`LshError`] if the table is not there or the vector has no direction or another dimension.
    pub fn bucket(&self, table: u32, vector: &[f32]) -> Result<u32, LshError> {
        let best = best_entries(&self.projections(table, vector)?, 1);
        // A projection has at least one direction, so that there is a best entry.
        Ok(best.first().copied().unwrap_or(0))
    }

    /// The `count` best buckets of a vector in a table, the best first: the entries of `[xR; -xR]` by descending value, the
    /// lowest index first among equal ones. The first is [`Lsh::bucket`]. The first b / 2 are one bucket per direction, by
    /// descending absolute projection, each with the sign of the vector's projection; after them come the buckets of the
    /// opposite sign, by ascending absolute projection. At most b are returned.
    ///
    /// # Errors
    /// Those of [`Lsh::bucket`].
    pub fn probes(&self, table: u32, vector: &[f32], count: usize) -> Result<Vec<u32>, LshError> {
        Ok(best_entries(&self.projections(table, vector)?, count))
    }

    /// `xR`.
    fn projections(&self, table: u32, vector: &[f32]) -> Result<Vec<f64>, LshError> {
        if table >= self.parameters.tables {
            return Err(LshError::NoSuchTable(table));
        }
        if vector.len() != self.dimension {
            return Err(LshError::Dimension { expected: self.dimension, found: vector.len() });
        }
        if vector.iter().any(|component| !component.is_finite()) {
            return Err(LshError::NotFinite);
        }
        if vector.iter().all(|component| *component == 0.0) {
            return Err(LshError::Zero);
        }
        let directions = self.parameters.buckets as usize / 2;
        let rows = self.draws.chunks_exact(directions).skip(table as usize * self.dimension);
        let mut sums = vec![0.0; directions];
        for (component, row) in vector.iter().zip(rows) {
            let component = f64::from(*component);
            for (sum, draw) in sums.iter_mut().zip(row) {
                *sum += component * draw;
            }
        }
        Ok(sums)
    }
}

/// Indices of the `count` largest entries of `[p; -p]`, descending; the lowest index first among equal entries.
fn best_entries(projections: &[f64], count: usize) -> Vec<u32> {
    let entries = projections.iter().copied().chain(projections.iter().map(|projection| -projection));
    let count = count.min(2 * projections.len());
    let mut best: Vec<(f64, u32)> = Vec::with_capacity(count + 1);
    for (entry, index) in entries.zip(0..) {
        if best.len() < count || best.last().is_some_and(|(least, _)| entry > *least) {
            let place = best.partition_point(|(better, _)| *better >= entry);
            best.insert(place, (entry, index));
            best.truncate(count);
        }
    }
    best.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
