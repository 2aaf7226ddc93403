//! Set of the numbers of pages, one bit each: of a database of 1 TiB it takes 16 MiB.

/// Number of bits of a word.
const BITS: usize = 64;

/// Set of page numbers.
#[derive(Debug, Default)]
pub(super) struct PageSet {
    words: Vec<u64>,
    count: usize,
}

impl PageSet {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn insert(&mut self, page: u32) {
        let Ok(bit) = usize::try_from(page) else { return };
        if self.words.len() <= bit / BITS {
            self.words.resize(bit / BITS + 1, 0);
        }
        if let Some(word) = self.words.get_mut(bit / BITS) {
            let mask = 1 << (bit % BITS);
            self.count += usize::from(*word & mask == 0);
            *word |= mask;
        }
    }

    pub(super) fn remove(&mut self, page: u32) {
        let Ok(bit) = usize::try_from(page) else { return };
        if let Some(word) = self.words.get_mut(bit / BITS) {
            let mask = 1 << (bit % BITS);
            self.count -= usize::from(*word & mask != 0);
            *word &= !mask;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The first pages, in ascending order, at most so many.
    pub(super) fn first(&self, at_most: usize) -> Vec<u32> {
        let words = (0_u32..).step_by(BITS).zip(&self.words).filter(|(_, word)| **word != 0);
        let pages = words.flat_map(|(start, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| start + bit)
        });
        pages.take(at_most).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    proptest::proptest! {
        #[test]
        fn a_page_set_is_a_set(
            changes in proptest::collection::vec((proptest::bool::ANY, 0_u32..300), 0..200), at_most in 0_usize..90,
        ) {
            let (mut set, mut expected) = (PageSet::default(), BTreeSet::new());
            for (is_inserted, page) in changes {
                if is_inserted {
                    set.insert(page);
                    expected.insert(page);
                } else {
                    set.remove(page);
                    expected.remove(&page);
                }
                proptest::prop_assert_eq!(set.is_empty(), expected.is_empty());
            }
            proptest::prop_assert_eq!(set.first(at_most), Vec::from_iter(expected.into_iter().take(at_most)));
        }
    }
}
