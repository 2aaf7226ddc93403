//! Extractive summaries, pure: central texts by the cosine of their vectors to the centroid, without repetition (maximal
//! marginal relevance, Carbonell and Goldstein 1998), within a budget of tokens.

use std::sync::Arc;

use crate::domain::time::Timestamp;
use crate::text::count_tokens;

/// Weight of relevance against novelty in maximal marginal relevance.
const RELEVANCE: f32 = 0.7;
/// Maximum number of texts that are compared; the latest ones of more.
const COMPARED_AT_MOST: usize = 2_048;

/// Text with its vector.
#[derive(Clone, Debug)]
pub(in crate::think) struct Sentence {
    /// Unit vector; `None` for a text that has none yet.
    pub(in crate::think) vector: Option<Arc<[f32]>>,
    pub(in crate::think) text: String,
    pub(in crate::think) at: Timestamp,
}

/// Positions of the central texts that fit into the budget together, in the order of time. Texts without a vector come
/// after all others. At least one position for a list that is not empty, so that a long text has a summary.
pub(in crate::think) fn central(sentences: &[Sentence], budget_tokens: u32) -> Vec<usize> {
    let mut open: Vec<usize> = (0..sentences.len()).collect();
    open.sort_by_key(|at| sentences.get(*at).map(|one| std::cmp::Reverse(one.at)));
    open.truncate(COMPARED_AT_MOST);
    open.sort_unstable();
    let vector = |at: usize| sentences.get(at).and_then(|one| one.vector.as_deref());
    let centre = centroid(open.iter().filter_map(|at| vector(*at)));
    let relevance: Vec<(usize, f32)> =
        open.iter().map(|at| (*at, vector(*at).map_or(-1.0, |one| dot(one, &centre)))).collect();
    let mut nearest: Vec<f32> = vec![0.0; relevance.len()];
    let (mut chosen, mut is_seen) = (Vec::new(), vec![false; relevance.len()]);
    let mut left = budget_tokens;
    for _ in 0..relevance.len() {
        let scores = relevance.iter().zip(&nearest).zip(&is_seen).enumerate();
        let best = scores
            .filter(|(_, (_, is_seen))| !**is_seen)
            .map(|(place, (((at, relevance), near), _))| {
                (RELEVANCE * relevance - (1.0 - RELEVANCE) * near, place, *at)
            })
            .max_by(|one, other| one.0.total_cmp(&other.0).then(other.2.cmp(&one.2)));
        let Some((_, place, at)) = best else { break };
        if let Some(seen) = is_seen.get_mut(place) {
            *seen = true;
        }
        let tokens = sentences.get(at).map_or(0, |one| count_tokens(&one.text));
        if tokens > left && !chosen.is_empty() {
            continue;
        }
        left = left.saturating_sub(tokens);
        chosen.push(at);
        if left == 0 {
            break;
        }
        if let Some(new) = vector(at) {
            for ((other, _), near) in relevance.iter().zip(&mut nearest) {
                *near = near.max(vector(*other).map_or(0.0, |other| dot(new, other)));
            }
        }
    }
    chosen.sort_by_key(|at| (sentences.get(*at).map(|one| one.at), *at));
    chosen
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}

/// Unit vector of the sum; empty without vectors.
fn centroid<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in vectors {
        sum.resize(sum.len().max(vector.len()), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    sum.iter_mut().for_each(|x| *x /= norm);
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sentence(vector: Option<[f32; 2]>, text: &str, at: i64) -> Sentence {
        let vector = vector.map(|vector| Arc::from(vector.as_slice()));
        Sentence { vector, text: text.to_owned(), at: Timestamp::from_micros(at) }
    }

    #[test]
    fn central_texts_come_first_and_repetitions_last() {
        let sentences = [
            sentence(Some([0.0, -1.0]), "odd one", 0),
            sentence(Some([1.0, 0.0]), "the same", 1),
            sentence(Some([1.0, 0.0]), "the same", 2),
            sentence(Some([0.8, 0.6]), "a new one", 3),
            sentence(None, "no vector", 4),
        ];
        let one = count_tokens("the same");
        assert_eq!(central(&sentences, one), [1]);
        assert_eq!(central(&sentences, 2 * one + 2), [1, 3], "the repetition adds nothing");
        assert_eq!(central(&sentences, 1_000), [0, 1, 2, 3, 4]);
        assert!(central(&[], 10).is_empty());
        assert_eq!(central(&sentences, 0).len(), 1);
    }

    proptest! {
        #[test]
        fn the_choice_is_within_the_budget_in_the_order_of_time_and_repeatable(
            vectors in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0, 0i64..50, "[a-z ]{1,40}"), 1..30),
            budget in 0u32..60,
        ) {
            let sentences: Vec<Sentence> =
                vectors.iter().map(|(x, y, at, text)| sentence(Some([*x, *y]), text, *at)).collect();
            let chosen = central(&sentences, budget);
            prop_assert_eq!(&chosen, &central(&sentences, budget));
            let total: u32 = chosen.iter().map(|at| count_tokens(&sentences[*at].text)).sum();
            prop_assert!(chosen.len() == 1 || total <= budget);
            let times: Vec<Timestamp> = chosen.iter().map(|at| sentences[*at].at).collect();
            prop_assert!(times.is_sorted());
        }
    }
}
