//! Made-up vectors for the benchmarks, seeded.
//!
//! They resemble sentence embeddings, since uniform noise would flatter the first pass: a common direction with
//! a few large elements, a thousand centres, and noise. Two sorts: `spread` has noise of varying strength, best
//! cosines of 0.6 to 0.9 and a middle near 0.2; `squeezed` has a strong common direction, a middle of 0.5 and best
//! cosines near 0.8, as bge-small's vectors of sentences lie.

#[path = "../../tests/it/split_mix.rs"]
mod split_mix;

pub(crate) const DIMS: usize = 384;
const CENTRES: usize = 1000;

/// Random numbers of a seed, so that a run can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        split_mix::next(&mut self.0)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Nearly normal (four uniform numbers), standard deviation 1 / √DIMS.
    pub(crate) fn noise(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * (3.0 / DIMS as f32).sqrt()
    }

    pub(crate) fn direction(&mut self) -> Vec<f32> {
        (0..DIMS).map(|_| self.noise()).collect()
    }
}

/// Distribution of the vectors: the weights of their components, each of about unit length.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) common: f32,
    /// Added to three elements of the common direction.
    pub(crate) outliers: f32,
    pub(crate) centre: f32,
    /// From the least to the most.
    pub(crate) noise: (f32, f32),
}

pub(crate) const SHAPES: [Shape; 2] = [
    Shape { name: "spread", common: 0.5, outliers: 0.35, centre: 1.0, noise: (0.4, 1.2) },
    Shape { name: "squeezed", common: 0.7, outliers: 0.35, centre: 0.45, noise: (0.5, 0.5) },
];

/// The source of rows and queries alike.
pub(crate) struct Embeddings {
    pub(crate) shape: Shape,
    pub(crate) common: Vec<f32>,
    pub(crate) centres: Vec<Vec<f32>>,
    pub(crate) random: Random,
}

impl Embeddings {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut random = Random(7);
        let mut common = random.direction();
        for outlier in [17, 130, 301] {
            common[outlier] += shape.outliers;
        }
        let centres = (0..CENTRES).map(|_| random.direction()).collect();
        Self { shape, common, centres, random }
    }

    pub(crate) fn draw(&mut self) -> Vec<f32> {
        let Shape { common, centre, noise: (least, most), .. } = self.shape;
        let chosen = &self.centres[self.random.below(CENTRES as u64) as usize];
        let noise = least + (most - least) * self.random.unit();
        let parts = self.common.iter().zip(chosen);
        parts.map(|(shared, own)| common * shared + centre * own + noise * self.random.noise()).collect()
    }
}
