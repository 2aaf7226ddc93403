//! Golden test of the tokenizer: its output for some forty lines in a dozen languages.
//!
//! Stored term vectors outlive a build, so any change of output must be noticed. Invariant: when this test fails
//! because rules or data changed, [`Tokenizer::IDENTITY`](super::Tokenizer::IDENTITY) gets a new number in the same
//! commit as the new golden file, and stored vectors are built again.

use super::Tokenizer;

/// Lines of `language TAB terms TAB text`; a line that starts with `#` is a comment.
const GOLDEN: &str = include_str!("golden.tsv");

#[test]
fn terms_agree_with_the_golden_file() {
    let mut actual = String::new();
    for line in GOLDEN.lines() {
        match line.rsplit_once('\t') {
            Some((_, text)) if !line.starts_with('#') => {
                let (language, terms) = Tokenizer.terms(text);
                actual.push_str(&format!("{}\t{}\t{text}\n", language.code(), terms.join(" ")));
            }
            _ => actual.push_str(&format!("{line}\n")),
        }
    }
    assert!(actual == GOLDEN, "terms changed; the file would now be:\n{actual}");
    assert!(GOLDEN.starts_with(&format!("# {}\n", Tokenizer::IDENTITY)), "the file is of another identity");
}

#[test]
fn the_file_covers_many_languages() {
    let languages: std::collections::BTreeSet<&str> = GOLDEN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert!(languages.len() >= 10, "{languages:?}");
    assert!(GOLDEN.lines().count() >= 40);
}
