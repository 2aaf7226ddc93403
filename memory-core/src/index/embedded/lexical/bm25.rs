//! BM25, in the form of Lucene 8 and later.
//!
//! A term adds `idf * count / (count + k1 * (1 - b + b * length / average_length))` to a document's score,
//! with `idf = ln(1 + (N - df + 0.5) / (df + 0.5))`. The classic numerator `k1 + 1` is left out: it scales
//! all scores alike, and without it a term adds less than its idf. Source: Robertson and Zaragoza, "The
//! Probabilistic Relevance Framework: BM25 and Beyond" (2009), and Lucene's `BM25Similarity`. Invariant:
//! a term's contribution is positive, grows with its count and shrinks with the document's length.

/// The parameters of BM25.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm25 {
    k1: f32,
    b: f32,
}

impl Bm25 {
    /// `k1` is the saturation of term counts (0: repeats do not count), `b` the strength of length normalisation
    /// (0: none, 1: in proportion). `None` unless `k1` is finite and not negative and `b` is
    /// within 0 and 1.
    pub fn new(k1: f32, b: f32) -> Option<Self> {
        (k1.is_finite() && k1 >= 0.0 && (0.0..=1.0).contains(&b)).then_some(Self { k1, b })
    }

    /// The length norm in a collection of `average_length` tokens per document.
    pub(super) fn length_norm(self, average_length: f64) -> LengthNorm {
        let base = self.k1 * (1.0 - self.b);
        let per_token =
            if average_length > 0.0 { f64::from(self.k1) * f64::from(self.b) / average_length } else { 0.0 };
        LengthNorm { base, per_token: per_token as f32 }
    }
}

impl Default for Bm25 {
    /// `k1` = 1.2 and `b` = 0.75, Lucene's defaults.
    fn default() -> Self {
        Self { k1: 1.2, b: 0.75 }
    }
}

/// Inverse document frequency of a term that `df` of `documents` have, in nats.
pub(super) fn idf(documents: usize, df: u32) -> f32 {
    let (n, df) = (documents as f64, f64::from(df));
    (1.0 + (n - df + 0.5) / (df + 0.5)).ln() as f32
}

/// `k1 * (1 - b + b * length / average_length)` as a linear function of the length.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LengthNorm {
    base: f32,
    per_token: f32,
}

impl LengthNorm {
    /// The share of its idf that a term contributes, in (0, 1].
    #[inline]
    pub(super) fn saturation(self, count: f32, length_tokens: u32) -> f32 {
        count / (count + self.base + self.per_token * length_tokens as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_equals_lucenes() {
        // By hand: ln(1 + (10 - 2 + 0.5) / 2.5) = ln 4.4; 3 / (3 + 1.2 * (0.25 + 0.75 * 20 / 10)) = 3 / 5.1.
        assert!((idf(10, 2) - 4.4_f32.ln()).abs() < 1e-6);
        let norm = Bm25::default().length_norm(10.0);
        assert!((norm.saturation(3.0, 20) - 3.0 / 5.1).abs() < 1e-6);
    }

    #[test]
    fn a_term_in_every_document_has_a_positive_idf() {
        assert!(idf(10, 10) > 0.0);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        assert!(Bm25::new(-1.0, 0.5).is_none());
        assert!(Bm25::new(f32::NAN, 0.5).is_none());
        assert!(Bm25::new(1.2, 1.5).is_none());
        assert_eq!(Bm25::new(1.2, 0.75), Some(Bm25::default()));
    }
}
