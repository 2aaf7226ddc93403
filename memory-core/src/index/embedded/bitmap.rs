//! A bitmap: sets of ordinals or rows, in which filters are evaluated.

/// Bits 0 to `len`, packed in words of 64, the lowest first. Bits beyond `len` are never set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    pub(super) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    pub(super) fn all(len: usize) -> Self {
        let mut all = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        all.clear_tail();
        all
    }

    /// The bitmap of `len` bits with these words; none if they are too many, too few, or have bits beyond `len`.
    pub(super) fn from_words(words: Vec<u64>, len: usize) -> Option<Self> {
        let mut bits = Self { words, len };
        let last = bits.words.last().copied();
        bits.clear_tail();
        (bits.words.len() == len.div_ceil(64) && bits.words.last().copied() == last).then_some(bits)
    }

    /// The bits for which `holds` is true.
    pub(super) fn of(len: usize, mut holds: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::none(len);
        for (word_index, word) in bits.words.iter_mut().enumerate() {
            let first = word_index * 64;
            for bit in 0..64.min(len - first) {
                *word |= u64::from(holds(first + bit)) << bit;
            }
        }
        bits
    }

    /// Appends a bit.
    pub(super) fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        if bit {
            self.set(self.len - 1);
        }
    }

    pub(super) fn set(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub(super) fn clear(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    pub(super) fn and(&mut self, other: &Bitmap) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(super) fn or(&mut self, other: &Bitmap) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    pub(super) fn negate(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The indexes of the set bits, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    index * 64 + bit
                })
            })
        })
    }

    pub(super) fn bytes(&self) -> usize {
        super::heap_size::of_vec(&self.words)
    }

    fn clear_tail(&mut self) {
        let used = self.len % 64;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_behaves_like_a_set() {
        for len in [0, 1, 63, 64, 65, 200] {
            let threes = Bitmap::of(len, |index| index % 3 == 0);
            let expected: Vec<usize> = (0..len).filter(|index| index % 3 == 0).collect();
            assert_eq!(threes.iter().collect::<Vec<_>>(), expected);
            let mut others = threes.clone();
            others.negate();
            assert_eq!(others.iter().count() + threes.iter().count(), len);
            let mut both = others.clone();
            both.and(&threes);
            assert_eq!(both, Bitmap::none(len));
            others.or(&threes);
            assert_eq!(others, Bitmap::all(len));
        }
        let mut grown = Bitmap::default();
        (0..130).for_each(|index| grown.push(index % 2 == 0));
        assert_eq!(grown, Bitmap::of(130, |index| index % 2 == 0));
        let words = grown.words().to_vec();
        assert_eq!(Bitmap::from_words(words.clone(), 130), Some(grown.clone()));
        assert_eq!(Bitmap::from_words(words.clone(), 128), None);
        assert_eq!(Bitmap::from_words(words, 129), Some(Bitmap::of(129, |index| index % 2 == 0)));
        assert_eq!(Bitmap::from_words(vec![2], 1), None, "a bit beyond the end");
        grown.clear(2);
        assert!(!grown.contains(2) && grown.contains(4) && !grown.contains(1_000));
    }
}
