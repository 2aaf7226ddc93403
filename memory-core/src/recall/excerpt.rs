//! Excerpts of long texts in the results of recall, pure: the best-matching span with what surrounds it, cut at words.

use std::ops::Range;

/// Excerpt of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Byte range of the excerpt in the whole text.
    pub span: (u32, u32),
    /// Length of the whole text in bytes.
    pub of_bytes: u32,
}

/// Cuts a text to at most `max_bytes` around `best_span`; `None`, and the text is unchanged, if it is short enough.
pub(super) fn cut(text: &mut String, best_span: Option<(u32, u32)>, max_bytes: usize) -> Option<Excerpt> {
    if text.len() <= max_bytes {
        return None;
    }
    let of_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let kept = range(text, best_span, max_bytes);
    let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let span = (bound(kept.start), bound(kept.end));
    *text = text.get(kept).unwrap_or_default().to_owned();
    Some(Excerpt { span, of_bytes })
}

/// Byte range to keep. The span comes first: if it fits, all of it is kept, with as much before it as after it; if it does
/// not, its beginning is.
fn range(text: &str, best_span: Option<(u32, u32)>, max_bytes: usize) -> Range<usize> {
    let (from, to) = best_span.map_or((0, 0), |(from, to)| (from as usize, to as usize));
    let from = text.floor_char_boundary(from.min(text.len()));
    let to = text.ceil_char_boundary(to.clamp(from, text.len()));
    if to - from >= max_bytes {
        let end = text.floor_char_boundary(from + max_bytes);
        return from..end_of_word(text, from, end);
    }
    let spare = max_bytes - (to - from);
    let start = from.saturating_sub(spare / 2).min(text.len() - max_bytes);
    let end = text.floor_char_boundary(start + max_bytes);
    let start = start_of_word(text, text.ceil_char_boundary(start), from);
    start..end_of_word(text, to.max(start), end)
}

/// First start of a word from `at` on, at most `latest`; `at` itself in a text without white space.
fn start_of_word(text: &str, at: usize, latest: usize) -> usize {
    let is_start = |at: usize| at == 0 || text[..at].ends_with(char::is_whitespace);
    let mut starts = text[at..latest].char_indices().map(|(offset, _)| at + offset);
    starts.find(|at| is_start(*at)).unwrap_or(if is_start(latest) { latest } else { at })
}

/// Last end of a word up to `at`, at least `earliest`; `at` itself in a text without white space.
fn end_of_word(text: &str, earliest: usize, at: usize) -> usize {
    if text[at..].chars().next().is_none_or(char::is_whitespace) {
        return at;
    }
    match text[earliest..at].rfind(char::is_whitespace) {
        Some(offset) => earliest + offset,
        None => at,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excerpt(text: &str, span: Option<(u32, u32)>, max_bytes: usize) -> (String, Option<(u32, u32)>) {
        let mut text = text.to_owned();
        let cut = cut(&mut text, span, max_bytes);
        (text, cut.map(|cut| cut.span))
    }

    #[test]
    fn a_long_text_is_cut_at_words_around_the_span() {
        let text = "one two three four five six seven";
        assert_eq!(excerpt(text, None, 33), (text.to_owned(), None));
        assert_eq!(excerpt(text, None, 9), ("one two".to_owned(), Some((0, 7))));
        assert_eq!(excerpt(text, Some((14, 18)), 16), ("three four five".to_owned(), Some((8, 23))));
        assert_eq!(excerpt(text, Some((28, 33)), 12), ("six seven".to_owned(), Some((24, 33))));
        assert_eq!(excerpt(text, Some((4, 23)), 11), ("two three".to_owned(), Some((4, 13))));
    }

    #[test]
    fn a_text_without_white_space_is_cut_between_characters() {
        assert_eq!(excerpt("日本語日本語", Some((9, 12)), 7), ("日".to_owned(), Some((9, 12))));
        assert_eq!(excerpt(&"x".repeat(100), None, 7), ("xxxxxxx".to_owned(), Some((0, 7))));
    }

    proptest! {
        #[test]
        fn an_excerpt_is_within_the_bound_and_has_the_span_if_it_fits(
            text in "[ aé日\u{1f642}\n]{0,60}",
            span in proptest::option::of((0u32..300, 0u32..300)),
            max_bytes in 4usize..80,
        ) {
            let mut shown = text.clone();
            match cut(&mut shown, span, max_bytes) {
                None => prop_assert!(text.len() <= max_bytes && shown == text),
                Some(Excerpt { span: (from, to), of_bytes }) => {
                    prop_assert_eq!(&text[from as usize..to as usize], shown.as_str());
                    prop_assert_eq!(of_bytes as usize, text.len());
                    prop_assert!(shown.len() <= max_bytes);
                    let is_span = |(a, b): &(u32, u32)| {
                        a < b && text.get(*a as usize..*b as usize).is_some_and(|it| it.len() < max_bytes)
                    };
                    if let Some((a, b)) = span.filter(is_span) {
                        prop_assert!(from <= a && b <= to, "{:?} is not in {:?}", (a, b), (from, to));
                    }
                }
            }
        }
    }
}
