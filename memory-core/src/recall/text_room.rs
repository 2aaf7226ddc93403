//! Bound on the texts of one recall, pure: each text gets the room that those before it left over.
//!
//! Texts are fitted in order of rank, so that the best ones stay whole. A share is kept for each text that is still to come.
//! Invariant: the texts of one room are at most as long together as the room, if it has 4 bytes for each of them.

use super::excerpt::{self, Excerpt};

/// Bytes that are kept for each text that is still to come, at most.
pub(super) const SHARE_BYTES: usize = 16 * 1024;

/// Room for the texts of one answer.
#[derive(Debug)]
pub(super) struct TextRoom {
    /// Bytes that are left.
    left: usize,
    /// Texts that are still to come.
    coming: usize,
    /// Bytes kept for each of these.
    share: usize,
}

impl TextRoom {
    /// Room of so many bytes for so many texts.
    pub(super) fn new(bytes: usize, texts: usize) -> Self {
        // An excerpt may need 4 bytes for one character.
        Self { left: bytes, coming: texts, share: SHARE_BYTES.min(bytes / texts.max(1)).max(4) }
    }

    /// Cuts the next text to its room, and to `most` bytes. `before` is the excerpt that the text is already; `best_span` is
    /// a place in the whole text. Returns the excerpt that the text is then, `None` for a whole text.
    pub(super) fn fit(
        &mut self,
        text: &mut String,
        before: Option<Excerpt>,
        best_span: Option<(u32, u32)>,
        most: usize,
    ) -> Option<Excerpt> {
        self.coming = self.coming.saturating_sub(1);
        let kept = self.share.saturating_mul(self.coming);
        let room = self.left.saturating_sub(kept).max(self.share).min(most);
        let cut = excerpt::cut(text, local_span(best_span, before), room);
        self.left = self.left.saturating_sub(text.len());
        match (before, cut) {
            (Some(before), Some(cut)) => {
                let (from, to) = cut.span;
                let at = before.span.0;
                let span = (from.saturating_add(at), to.saturating_add(at));
                Some(Excerpt { span, of_bytes: before.of_bytes })
            }
            (before, cut) => cut.or(before),
        }
    }
}

/// Place in an excerpt of a place in the whole text.
pub(super) fn local_span(span: Option<(u32, u32)>, excerpt: Option<Excerpt>) -> Option<(u32, u32)> {
    let at = excerpt.map_or(0, |excerpt| excerpt.span.0);
    span.map(|(from, to)| (from.saturating_sub(at), to.saturating_sub(at)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_texts_stay_whole_and_later_ones_get_shorter_excerpts() {
        let mut room = TextRoom::new(200 * 1024, 4);
        let lengths: Vec<usize> = (0..4)
            .map(|_| {
                let mut text = "x".repeat(100 * 1024);
                let excerpt = room.fit(&mut text, None, None, usize::MAX);
                assert_eq!(excerpt.is_some(), text.len() < 100 * 1024);
                text.len()
            })
            .collect();
        assert_eq!(lengths, [100 * 1024, 68 * 1024, 16 * 1024, 16 * 1024]);
    }

    #[test]
    fn an_excerpt_that_is_cut_again_keeps_its_place_in_the_whole_text() {
        let whole: String = (0..400).map(|number| format!("{number:03} ")).collect();
        let mut text = whole.clone();
        let span = Some((800, 803));
        let first = TextRoom::new(400, 1).fit(&mut text, None, span, usize::MAX);
        let second = TextRoom::new(100, 1).fit(&mut text, first, span, usize::MAX).expect("an excerpt");
        let (from, to) = second.span;
        assert_eq!((&whole[from as usize..to as usize], second.of_bytes), (text.as_str(), 1_600));
        assert!(text.len() <= 100 && text.contains("200"), "{text}");
    }

    proptest! {
        #[test]
        fn all_texts_together_fit_the_room(
            lengths in proptest::collection::vec(0_usize..3_000, 1..40),
            bytes in 200_usize..20_000,
        ) {
            let mut room = TextRoom::new(bytes, lengths.len());
            let mut together = 0;
            for length in &lengths {
                let mut text = "ä ".repeat(*length);
                let excerpt = room.fit(&mut text, None, None, usize::MAX);
                prop_assert_eq!(excerpt.is_some(), text.len() < 3 * length);
                together += text.len();
            }
            prop_assert!(together <= bytes, "{together} of {bytes}");
        }
    }
}
