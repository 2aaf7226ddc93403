//! The live memories of a partition and the ordinals that they have in its image.

use crate::index::embedded::bitmap::Bitmap;

/// Ordinals in memory to ordinals in the image, which has no dead ones.
pub(in crate::index::embedded) struct LiveOrdinals {
    live: Vec<u32>,
    images: Vec<u32>,
}

/// The image of a dead ordinal. No live one has it: ordinals are counted with 32 bits.
const DEAD: u32 = u32::MAX;

impl LiveOrdinals {
    /// Of `len` ordinals, of which these are alive.
    pub(in crate::index::embedded) fn new(len: usize, alive: &Bitmap) -> Self {
        let live: Vec<u32> = alive.iter().filter_map(|ordinal| u32::try_from(ordinal).ok()).collect();
        let mut images = vec![DEAD; len];
        for (image, ordinal) in (0..).zip(&live) {
            if let Some(place) = images.get_mut(*ordinal as usize) {
                *place = image;
            }
        }
        Self { live, images }
    }

    /// Number of live memories.
    pub(in crate::index::embedded) fn len(&self) -> usize {
        self.live.len()
    }

    /// The live ordinals, ascending: the one at place `n` has the ordinal `n` in the image.
    pub(in crate::index::embedded) fn ordinals(&self) -> impl Iterator<Item = u32> + '_ {
        self.live.iter().copied()
    }

    /// The ordinal in the image; none for a dead one.
    pub(in crate::index::embedded) fn image_of(&self, ordinal: u32) -> Option<u32> {
        self.images.get(ordinal as usize).copied().filter(|image| *image != DEAD)
    }

    /// A bitmap of ordinals in the image.
    pub(in crate::index::embedded) fn image_of_bits(&self, bits: &Bitmap) -> Bitmap {
        let is_set = |index| self.live.get(index).is_some_and(|ordinal| bits.contains(*ordinal as usize));
        Bitmap::of(self.live.len(), is_set)
    }
}
