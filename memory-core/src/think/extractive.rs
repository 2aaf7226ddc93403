//! Extractive summary, pure: the central sentences of a text by their vectors, without repetition, in the order of time.
//!
//! Centrality is the cosine to the centroid of all sentences (Radev et al. 2004, centroid-based summarization); sentences are
//! chosen by maximal marginal relevance (Carbonell and Goldstein 1998), so that one thing is said once. Invariants: the result
//! fits the budget, depends on the sentences and not on their order, and is the same on every machine that adds floats alike.

use crate::text::count_tokens;

/// Maximum number of sentences that are chosen.
pub(in crate::think) const CENTRAL_AT_MOST: usize = 32;
/// Weight of centrality against dissimilarity to what is chosen already, 0 to 1 (lambda of maximal marginal relevance).
const CENTRALITY: f32 = 0.7;

/// Sentence, or another unit of text that is taken whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::think) struct Sentence<'a> {
    /// Unit vector; `None` if it has none, which counts as similar to nothing.
    pub(in crate::think) vector: Option<&'a [f32]>,
    /// Text.
    pub(in crate::think) text: &'a str,
    /// Place in time: a moment in microseconds, or an ordinal.
    pub(in crate::think) at: i64,
}

/// Positions of the central sentences that fit into `budget_tokens` together, in the order of time; at most
/// [`CENTRAL_AT_MOST`]. A sentence that does not fit is passed over. Time is linear in the number of sentences.
pub(in crate::think) fn central(sentences: &[Sentence<'_>], budget_tokens: u32) -> Vec<usize> {
    let units = in_time(sentences);
    let centroid = centroid(&units);
    let centrality: Vec<f32> = units.iter().map(|unit| cosine(unit.vector, Some(&centroid))).collect();
    let mut repeated = vec![f32::MIN; units.len()];
    let mut is_open = vec![true; units.len()];
    let (mut chosen, mut room) = (Vec::new(), budget_tokens);
    while chosen.len() < CENTRAL_AT_MOST {
        let value = |index: usize| {
            let central = centrality.get(index).copied().unwrap_or_default();
            let repeats = repeated.get(index).copied().unwrap_or_default().max(0.0);
            CENTRALITY * central - (1.0 - CENTRALITY) * repeats
        };
        let fits = |index: &usize| {
            is_open.get(*index).copied().unwrap_or_default()
                && units.get(*index).is_some_and(|unit| unit.tokens <= room)
        };
        // Of equals the earlier one.
        let best = (0..units.len()).filter(fits).min_by(|one, other| value(*other).total_cmp(&value(*one)));
        let Some((index, unit)) = best.and_then(|index| Some((index, units.get(index)?))) else { break };
        room = room.saturating_sub(unit.tokens);
        if let Some(open) = is_open.get_mut(index) {
            *open = false;
        }
        for (other, repeats) in units.iter().zip(&mut repeated) {
            let is_same = other.text == unit.text;
            let similarity = if is_same { 1.0 } else { cosine(other.vector, unit.vector) };
            *repeats = repeats.max(similarity);
        }
        // The same words again say nothing new.
        for (other, open) in units.iter().zip(&mut is_open) {
            *open = *open && other.text != unit.text;
        }
        chosen.push(index);
    }
    chosen.sort_unstable();
    chosen.into_iter().filter_map(|index| Some(units.get(index)?.position)).collect()
}

/// Sentence with its position among those given.
struct Unit<'a> {
    position: usize,
    vector: Option<&'a [f32]>,
    text: &'a str,
    tokens: u32,
}

/// The sentences that have words, in the order of time and of their texts, so that sums of floats do not depend on the caller.
fn in_time<'a>(sentences: &[Sentence<'a>]) -> Vec<Unit<'a>> {
    let mut order: Vec<(usize, &Sentence<'a>)> = sentences.iter().enumerate().collect();
    order.sort_by_key(|(position, sentence)| (sentence.at, sentence.text, *position));
    let has_words = |sentence: &Sentence<'_>| sentence.text.chars().any(char::is_alphanumeric);
    let units = order.into_iter().filter(|(_, sentence)| has_words(sentence));
    let units = units.map(|(position, sentence)| Unit {
        position,
        vector: sentence.vector.filter(|vector| vector.iter().all(|component| component.is_finite())),
        text: sentence.text,
        tokens: count_tokens(sentence.text).max(1),
    });
    units.collect()
}

/// Mean of the vectors, with length 1; empty without vectors.
fn centroid(units: &[Unit<'_>]) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in units.iter().filter_map(|unit| unit.vector) {
        sum.resize(sum.len().max(vector.len()), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, component)| *sum += component);
    }
    let length = sum.iter().map(|component| component * component).sum::<f32>().sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|component| *component /= length);
    }
    sum
}

/// Cosine of two unit vectors; 0 if one of them is missing.
fn cosine(one: Option<&[f32]>, other: Option<&[f32]>) -> f32 {
    match (one, other) {
        (Some(one), Some(other)) => one.iter().zip(other).map(|(x, y)| x * y).sum(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sentences by vector, text and place.
    type Given = Vec<(Vec<f32>, String, i64)>;

    fn sentences(given: &Given) -> Vec<Sentence<'_>> {
        given.iter().map(|(vector, text, at)| Sentence { vector: Some(vector), text, at: *at }).collect()
    }

    fn texts(given: &Given, budget_tokens: u32) -> Vec<&str> {
        let found = central(&sentences(given), budget_tokens);
        found.into_iter().map(|position| given[position].1.as_str()).collect()
    }

    #[test]
    fn the_central_sentences_come_first_and_repetitions_last() {
        let given: Given = vec![
            (vec![0.0, 1.0], "It rained.".to_owned(), 0),
            (vec![1.0, 0.0], "Ann moves to Lisbon.".to_owned(), 1),
            (vec![0.999, 0.045], "Ann is moving to Lisbon.".to_owned(), 2),
            (vec![0.9, 0.436], "The flat is in Alfama.".to_owned(), 3),
        ];
        assert_eq!(texts(&given, 0), [""; 0]);
        let one = texts(&given, 8);
        assert_eq!(one, ["The flat is in Alfama."], "nearest to the centroid of all");
        assert_eq!(texts(&given, 1_000).len(), 4);
    }

    #[test]
    fn without_vectors_the_earliest_sentences_are_taken() {
        let text = ["One thing.", "Another thing.", "A third thing."];
        let given: Vec<Sentence<'_>> =
            text.iter().zip(0..).map(|(text, at)| Sentence { vector: None, text, at }).collect();
        assert_eq!(central(&given, 7), [0, 1]);
        assert_eq!(central(&[Sentence { vector: None, text: "?!", at: 0 }], 100), [0; 0]);
    }

    fn any_sentences() -> impl Strategy<Value = Given> {
        let vector = proptest::collection::vec(-1.0_f32..1.0, 4).prop_map(|vector| {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-3);
            vector.into_iter().map(|x| x / length).collect()
        });
        proptest::collection::vec((vector, "[a-z?]{1,6}( [a-z]{1,6}){0,4}", 0_i64..9), 0..24)
    }

    proptest! {
        #[test]
        fn the_result_fits_is_in_the_order_of_time_and_says_nothing_twice(
            given in any_sentences(), budget_tokens in 0_u32..60
        ) {
            let found = central(&sentences(&given), budget_tokens);
            let tokens: u32 = found.iter().map(|position| count_tokens(&given[*position].1)).sum();
            prop_assert!(tokens <= budget_tokens);
            prop_assert!(found.len() <= CENTRAL_AT_MOST);
            prop_assert!(found.windows(2).all(|pair| given[pair[0]].2 <= given[pair[1]].2));
            let mut said: Vec<&str> = found.iter().map(|position| given[*position].1.as_str()).collect();
            said.sort_unstable();
            prop_assert!(said.windows(2).all(|pair| pair[0] != pair[1]));
        }

        #[test]
        fn the_order_of_the_sentences_does_not_matter(
            given in any_sentences(), budget_tokens in 0_u32..60, turn in 0_usize..24
        ) {
            let mut turned = given.clone();
            turned.dedup_by(|one, other| (&one.1, one.2) == (&other.1, other.2));
            turned.sort_by(|one, other| one.1.cmp(&other.1));
            turned.dedup_by(|one, other| one.1 == other.1);
            let ordered = turned.clone();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
            }
            prop_assert_eq!(texts(&ordered, budget_tokens), texts(&turned, budget_tokens));
        }
    }
}
