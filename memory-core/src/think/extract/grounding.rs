//! Grounding of extracted facts, pure: a fact must say what its evidence says.
//!
//! The guard is lexical. Each number of the fact is in the evidence or in a date of the fact, and at least one content word
//! of its object (or of its text) is in the evidence. It catches invented values, not wrong relations.

use std::collections::HashSet;

use crate::text::Tokenizer;

/// True if the fact is grounded in its evidence. `dates` are the dates that the fact names, in any form.
pub fn is_grounded(text: &str, object: Option<&str>, evidence: &[&str], dates: &[&str]) -> bool {
    let allowed: Vec<&str> = evidence.iter().chain(dates).copied().collect();
    if !has_only_numbers_of(text, &allowed) {
        return false;
    }
    let known: HashSet<u64> = evidence.iter().flat_map(|text| terms(text)).collect();
    let about = object.filter(|object| !terms(object).is_empty()).unwrap_or(text);
    let wanted = terms(about);
    wanted.is_empty() || wanted.iter().any(|term| known.contains(term))
}

/// True if each number of the text is in one of these.
pub fn has_only_numbers_of(text: &str, allowed: &[&str]) -> bool {
    let allowed: HashSet<&str> = allowed.iter().flat_map(|text| numbers(text)).collect();
    numbers(text).all(|number| allowed.contains(number))
}

/// Runs of ASCII digits, without leading zeros.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_digit())
        .map(|digits| digits.trim_start_matches('0'))
        .filter(|digits| !digits.is_empty())
}

/// Terms of the tokenizer of the word index, so that inflected forms agree.
fn terms(text: &str) -> Vec<u64> {
    Tokenizer.document(text).terms().iter().map(|term| u64::from(term.hash)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_values_are_not_grounded() {
        let said = ["I moved to Lisbon with my 2 cats last week"];
        assert!(is_grounded("The user moved to Lisbon.", Some("Lisbon"), &said, &[]));
        assert!(is_grounded("The user has 2 cats.", Some("2 cats"), &said, &[]));
        assert!(!is_grounded("The user moved to Porto.", Some("Porto"), &said, &[]));
        assert!(!is_grounded("The user has 3 cats.", Some("cats"), &said, &[]));
    }

    #[test]
    fn dates_of_the_fact_need_not_be_in_the_evidence() {
        let said = ["I moved to Lisbon yesterday"];
        let text = "The user moved to Lisbon on 2023-05-09.";
        assert!(is_grounded(text, Some("Lisbon"), &said, &["2023-05-09"]));
        assert!(!is_grounded(text, Some("Lisbon"), &said, &[]));
    }
}
