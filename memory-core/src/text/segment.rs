//! Segmentation of a text into tokens: normalisation and word boundaries.
//!
//! Text is first normalised (NFKC, lower case, one apostrophe, one hyphen), then split at white space, and each piece
//! is split according to its form:
//!
//! | piece                      | tokens                                                       |
//! |----------------------------|--------------------------------------------------------------|
//! | `walking`, `don't`         | the word (Unicode word boundaries, UAX #29)                  |
//! | `東京都`, `ไทย`, `한국어`  | pairs of characters; a single one when it stands alone       |
//! | `2023`, `1990s`, `4o`      | the whole, never stemmed                                     |
//! | `1,234.50`                 | the number without thousands separators                      |
//! | `d8:6`, `2023-05-20`, `gpt-4o`, `snake_case`, `at&t`, `example.com` | the whole and its parts |
//! | `u.s.a.`                   | the letters together, `usa`                                  |
//! | `e-mail`                   | both parts and the word joined, `email`                      |
//! | `and/or`, `state-of-the-art` | the parts                                                  |
//! | `c++`, `c#`                | the whole and the letter                                     |
//! | `ann@example.com`          | the address, its domain, the parts                           |
//! | `https://www.x.org/a?b=1`  | the address without scheme and `www.`, its host, the parts   |
//!
//! Invariant: time and the number of tokens are linear in the text, for any text.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

use super::script::Script;

/// Piece of normalised text that becomes one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Word of a language: it can be a stop word, and it is stemmed.
    Word(&'a str),
    /// Number, id, address or character bigram: the term is the text itself.
    Verbatim(&'a str),
}

/// Times by which a text may grow in its normal form.
const MAX_GROWTH: usize = 2;
/// Bytes by which a text may grow in any case. Names and usual queries are shorter than what it takes to reach them.
const GROWTH_ALLOWED: usize = 8 * 1024;

/// Normal form of `text`, on which all matching is done.
///
/// NFKC turns one letter into up to 18 (U+FDFA). A text that would grow beyond [`MAX_GROWTH`] is of such letters, and no
/// language's: it is normalised by NFC, which keeps them, so that the cost of a text follows from its length. The identity of
/// the tokenizer does not depend on it: whatever the normal form of such a text, queries in usual length find its other words.
pub(super) fn normalize(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let most = text.len().saturating_mul(MAX_GROWTH).saturating_add(GROWTH_ALLOWED);
    match lower_case(text.nfkc(), text.len(), most) {
        Some(normalized) => normalized,
        // NFC makes at most 3 times as many bytes.
        None => lower_case(text.nfc(), text.len(), usize::MAX).unwrap_or_default(),
    }
}

/// Lower case of normalised letters, with one apostrophe and one hyphen; `None` beyond `most` bytes.
fn lower_case(letters: impl Iterator<Item = char>, length: usize, most: usize) -> Option<String> {
    let mut normalized = String::with_capacity(length);
    for c in letters {
        match c {
            // Soft hyphen, zero-width space and joiners, word joiner, byte order mark: invisible characters.
            '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' => {}
            '\u{2018}' | '\u{2019}' | '\u{2BC}' => normalized.push('\''),
            '\u{2010}' | '\u{2011}' => normalized.push('-'),
            // Its lower case is an "i" with a dot above, which the Turkish stemmer does not handle.
            'İ' => normalized.push('i'),
            _ => normalized.extend(c.to_lowercase()),
        }
        if normalized.len() > most {
            return None;
        }
    }
    Some(normalized)
}

/// Passes every token of `normalized` text to `emit`, in the order of the text.
pub(super) fn for_each_token(normalized: &str, mut emit: impl FnMut(Token<'_>)) {
    for piece in normalized.split_whitespace() {
        if piece.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            emit(Token::Word(piece));
        } else {
            piece_tokens(piece, &mut emit);
        }
    }
}

type Emit<'e> = dyn FnMut(Token<'_>) + 'e;

fn piece_tokens(piece: &str, emit: &mut Emit<'_>) {
    let mut rest = piece;
    while let Some((before, address, after)) = split_at_url(rest) {
        run_tokens(before, emit);
        url_tokens(address, emit);
        rest = after;
    }
    run_tokens(rest, emit);
}

/// Splits a piece into runs of paired scripts and runs of everything else.
fn run_tokens(piece: &str, emit: &mut Emit<'_>) {
    let mut rest = piece;
    while let Some(first) = rest.chars().next() {
        let paired = is_paired(first);
        let end = rest.find(|c| is_paired(c) != paired).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if paired {
            pair_tokens(run, emit);
        } else {
            run.split(|c| !is_word_char(c) && !is_joiner(c)).for_each(|part| segment_tokens(part, run, emit));
        }
        rest = after;
    }
}

/// Character bigrams of a run; the character itself for a run of one.
fn pair_tokens(run: &str, emit: &mut Emit<'_>) {
    let starts = || run.char_indices().map(|(at, _)| at);
    let ends = || starts().skip(1).chain([run.len()]);
    if ends().nth(1).is_none() {
        return emit(Token::Verbatim(run));
    }
    for (start, end) in starts().zip(ends().skip(1)) {
        emit(Token::Verbatim(&run[start..end]));
    }
}

/// Tokens of a segment: word characters and joiners only.
fn segment_tokens(segment: &str, run: &str, emit: &mut Emit<'_>) {
    let trimmed = segment.trim_matches(|c| !is_word_char(c));
    if trimmed.is_empty() {
        return;
    }
    if is_c_like(trimmed, segment) {
        emit(Token::Verbatim(segment.trim_start_matches(|c| !is_word_char(c))));
    }
    if let Some(number) = grouped_number(trimmed) {
        return emit(Token::Verbatim(&number));
    }
    for part in trimmed.split(',').filter(|part| !part.is_empty()) {
        let is_plain = part.chars().all(|c| (is_word_char(c) && !c.is_numeric()) || c == '\'');
        if is_plain {
            words(part, "", emit);
        } else {
            compound_tokens(part.trim_matches(|c| !is_word_char(c)), run, emit);
        }
    }
}

/// Tokens of a segment with digits or joiners inside.
fn compound_tokens(compound: &str, run: &str, emit: &mut Emit<'_>) {
    let has_digit = compound.chars().any(char::is_numeric);
    let has = |joiner: char| compound.contains(joiner);
    let is_mail =
        compound.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
    if is_mail {
        emit(Token::Verbatim(compound));
        if let Some((_, domain)) = compound.rsplit_once('@') {
            emit(Token::Verbatim(domain));
        }
        return words(compound, compound, emit);
    }
    if has('.') && compound.split('.').all(|letter| letter.chars().count() == 1) && !has_digit {
        return emit(Token::Verbatim(&compound.replace('.', "")));
    }
    if has_digit || has('_') || has('.') || has('&') || has('@') {
        emit(Token::Verbatim(compound));
        let is_number = compound.chars().all(|c| c.is_numeric() || c == '.');
        if is_number && compound.matches('.').count() <= 1 {
            return;
        }
    } else if let Some((left, right)) = compound.split_once('-')
        && !right.contains('-')
        && !has('/')
        && run.len() <= MAX_JOINED_BYTES
    {
        emit(Token::Word(&format!("{left}{right}")));
    }
    words(compound, compound, emit);
}

/// Words of `text` by Unicode boundaries, except for `whole`, which was emitted already.
fn words(text: &str, whole: &str, emit: &mut Emit<'_>) {
    // UAX #29 does not split "end.start" and "snake_case".
    for word in text.unicode_words().flat_map(|word| word.split(['.', '_', ':'])) {
        if word.is_empty() || word == whole {
            continue;
        }
        let is_verbatim = word.chars().any(char::is_numeric);
        emit(if is_verbatim { Token::Verbatim(word) } else { Token::Word(word) });
    }
}

/// The text before the first URL in `piece`, the URL, and the text after it.
fn split_at_url(piece: &str) -> Option<(&str, &str, &str)> {
    let start = ["https://", "http://"].iter().filter_map(|scheme| piece.find(scheme)).min();
    let start = start.or_else(|| piece.starts_with("www.").then_some(0))?;
    let (before, url) = piece.split_at(start);
    let address = url.trim_start_matches("https://").trim_start_matches("http://");
    let end = address.find(['<', '>', '"', '\'', '(', ')', '[', ']', '{', '}', '|']);
    let (address, after) = address.split_at(end.unwrap_or(address.len()));
    Some((before, address, after))
}

fn url_tokens(address: &str, emit: &mut Emit<'_>) {
    let address = address.strip_prefix("www.").unwrap_or(address).trim_end_matches(|c| !is_word_char(c));
    if address.is_empty() {
        return;
    }
    emit(Token::Verbatim(address));
    let host = address.split(['/', '?', '#', ':']).next().unwrap_or(address);
    if !host.is_empty() && host != address {
        emit(Token::Verbatim(host));
    }
    words(address, address, emit);
}

/// "1,234,567.89" without its commas; `None` unless every comma is a thousands separator.
fn grouped_number(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = whole.contains(',')
        && (1..=3).contains(&first.len())
        && is_digits(first)
        && groups.all(|group| group.len() == 3 && is_digits(group))
        && is_digits(fraction);
    is_number.then(|| text.replace(',', ""))
}

/// True for "c++", "c#", "f#", "g++" and the like, which are names of programming languages.
fn is_c_like(trimmed: &str, segment: &str) -> bool {
    let Some(after) = segment.trim_start_matches(|c| !is_word_char(c)).strip_prefix(trimmed) else {
        return false;
    };
    trimmed.len() <= 2
        && trimmed.bytes().all(|byte| byte.is_ascii_alphabetic())
        && matches!(after, "++" | "#")
}

/// Maximum length of a hyphenated run that is indexed as one joined word as well, in bytes.
const MAX_JOINED_BYTES: usize = 64;

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

fn is_paired(c: char) -> bool {
    Script::of(c) == Script::Paired && is_word_char(c)
}

/// True for punctuation that joins the parts of an id or a word.
fn is_joiner(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ':' | '/' | '\'' | '+' | '#' | '&' | '@' | ',')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(text: &str) -> String {
        let mut all = Vec::new();
        for_each_token(&normalize(text), |token| {
            all.push(match token {
                Token::Word(word) => word.to_owned(),
                Token::Verbatim(whole) => format!("[{whole}]"),
            });
        });
        all.join(" ")
    }

    #[test]
    fn ids_are_indexed_whole_and_by_part() {
        assert_eq!(tokens("(D8:6)"), "[d8:6] [d8] [6]");
        assert_eq!(tokens("2023-05-20."), "[2023-05-20] [2023] [05] [20]");
        assert_eq!(tokens("GPT-4o"), "[gpt-4o] gpt [4o]");
        assert_eq!(tokens("snake_case, AT&T"), "[snake_case] snake case [at&t] at t");
        assert_eq!(tokens("1990s"), "[1990s]");
    }

    #[test]
    fn numbers_are_one_token() {
        assert_eq!(tokens("$1,234.50 3.14 10,000,000"), "[1234.50] [3.14] [10000000]");
        assert_eq!(tokens("1,2,3"), "[1] [2] [3]");
    }

    #[test]
    fn addresses_are_indexed_whole_by_host_and_by_part() {
        assert_eq!(tokens("Ann.Lee@Example.com"), "[ann.lee@example.com] [example.com] ann lee example com");
        assert_eq!(tokens("[doc](https://www.x.org/a?b=1)"), "doc [x.org/a?b=1] [x.org] x org a b [1]");
    }

    #[test]
    fn words_with_joiners_are_indexed_joined_or_by_part() {
        assert_eq!(tokens("e-mail and/or state-of-the-art"), "email e mail and or state of the art");
        assert_eq!(tokens("U.S.A. end.Start"), "[usa] [end.start] end start");
        assert_eq!(tokens("C++ C# g++!"), "[c++] c [c#] c [g++] g");
        assert_eq!(tokens("don\u{2019}t 'quoted' Ｆｕｌｌ co\u{AD}operate"), "don't quoted full cooperate");
    }

    #[test]
    fn unspaced_scripts_are_indexed_by_character_bigrams() {
        assert_eq!(tokens("東京都に3日"), "[東京] [京都] [都に] [3] [日]");
        assert_eq!(tokens("한국어 ﾃｽﾄ"), "[한국] [국어] [テス] [スト]");
    }

    #[test]
    fn a_text_of_letters_that_stand_for_many_keeps_them() {
        assert_eq!(tokens("\u{FDFA}"), "صلى الله عليه وسلم", "one of them is spelt out");
        let many = "\u{FDFA} ".repeat(8_000);
        assert_eq!(normalize(&many), many);
        for text in ["\u{FDFA}".repeat(100_000), "\u{FDFA} Ⅷ ½ ㎏ ".repeat(9_000), "İ\u{1E9E}".repeat(9_000)]
        {
            let normalized = normalize(&text);
            assert!(normalized.len() <= 3 * text.len(), "{} of {}", normalized.len(), text.len());
        }
    }

    proptest! {
        /// Tokens are never empty, and their number is bounded by the number of characters.
        #[test]
        fn any_text_gives_bounded_tokens(text in "\\PC{0,200}") {
            let normalized = normalize(&text);
            let mut count = 0;
            for_each_token(&normalized, |token| {
                let (Token::Word(token) | Token::Verbatim(token)) = token;
                assert!(!token.is_empty());
                count += 1;
            });
            prop_assert!(count <= 3 * normalized.chars().count());
        }
    }
}
