//! Admission to working memory, pure: which items of a session fit into its budget.
//!
//! Items compete as in PMI (a shared memory of bounded size that is written competitively) by the sum of relevance, recency and
//! importance, each 0 to 1 and of equal weight (Park et al. 2023, Generative Agents, arXiv 2304.03442). They are admitted best
//! first; one that does not fit is passed over. Invariants: the budget is kept; the order of the items does not matter; and of
//! the items that one of two budgets admits and the other does not, the larger budget admits the best.

use std::cmp::Ordering;

use uuid::Uuid;

/// Number of steps in which recency halves: of turns, or of recalls.
const HALF_LIFE_STEPS: f64 = 8.0;

/// Item that competes for a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item {
    /// Id of its memory, which decides between equals.
    pub id: Uuid,
    /// Relevance to what the session is about now, 0 to 1.
    pub relevance: f64,
    /// Recency, 0 to 1 ([`recency`]).
    pub recency: f64,
    /// Importance, 0 to 1.
    pub importance: f64,
    /// Length in tokens.
    pub tokens: u32,
}

impl Item {
    /// Value: the sum of relevance, recency and importance, 0 to 3. Numbers outside their range count as its bounds.
    pub fn value(&self) -> f64 {
        let part = |part: f64| if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
        part(self.relevance) + part(self.recency) + part(self.importance)
    }
}

/// Recency of what lies `steps` turns or recalls back: 1 for the newest, halved with every 8 steps.
pub fn recency(steps: usize) -> f64 {
    let steps = f64::from(u32::try_from(steps).unwrap_or(u32::MAX));
    (-steps / HALF_LIFE_STEPS).exp2()
}

/// Positions of the admitted items, best first.
pub fn admit(items: &[Item], budget_tokens: u32) -> Vec<usize> {
    let mut order: Vec<(usize, &Item)> = items.iter().enumerate().collect();
    order.sort_by(|(at, one), (other_at, other)| better(one, other).then(at.cmp(other_at)));
    let mut room = budget_tokens;
    let mut admitted = Vec::new();
    for (position, item) in order {
        if let Some(left) = room.checked_sub(item.tokens) {
            room = left;
            admitted.push(position);
        }
    }
    admitted
}

/// Order of admission: by value, then the shorter one, then by id.
fn better(one: &Item, other: &Item) -> Ordering {
    let by_value = other.value().total_cmp(&one.value());
    by_value.then(one.tokens.cmp(&other.tokens)).then(one.id.cmp(&other.id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn item(id: u128, value: f64, tokens: u32) -> Item {
        Item { id: Uuid::from_u128(id), relevance: value, recency: 0.0, importance: 0.0, tokens }
    }

    #[test]
    fn the_best_items_are_admitted_and_one_that_does_not_fit_is_passed_over() {
        let items = [item(1, 0.2, 10), item(2, 0.9, 50), item(3, 0.5, 60), item(4, 0.4, 40)];
        assert_eq!(admit(&items, 100), [1, 3, 0]);
        assert_eq!(admit(&items, 49), [3]);
        assert_eq!(admit(&items, 0), [0; 0]);
    }

    #[test]
    fn recency_halves_with_every_eight_steps() {
        assert_eq!([recency(0), recency(8), recency(16)], [1.0, 0.5, 0.25]);
        assert!(recency(usize::MAX) >= 0.0);
    }

    #[test]
    fn numbers_out_of_range_count_as_bounds() {
        let odd = Item { relevance: f64::NAN, recency: f64::INFINITY, importance: -3.0, ..item(1, 0.0, 1) };
        assert_eq!(odd.value(), 1.0);
    }

    fn any_items() -> impl Strategy<Value = Vec<Item>> {
        let part = || prop_oneof![0.0..1.0_f64, Just(0.5)];
        let one = (part(), part(), part(), 0_u32..40);
        proptest::collection::vec(one, 0..24).prop_map(|parts| {
            let items = parts.into_iter().zip(1..).map(|((relevance, recency, importance, tokens), id)| {
                Item { id: Uuid::from_u128(id), relevance, recency, importance, tokens }
            });
            items.collect()
        })
    }

    fn ids(items: &[Item], admitted: &[usize]) -> Vec<Uuid> {
        admitted.iter().map(|position| items[*position].id).collect()
    }

    proptest! {
        #[test]
        fn the_budget_is_kept(items in any_items(), budget_tokens in 0_u32..300) {
            let admitted = admit(&items, budget_tokens);
            let tokens: u32 = admitted.iter().map(|position| items[*position].tokens).sum();
            prop_assert!(tokens <= budget_tokens);
        }

        #[test]
        fn the_order_of_the_items_does_not_matter(
            items in any_items(), budget_tokens in 0_u32..300, turn in 0_usize..24
        ) {
            let mut turned = items.clone();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
                turned.reverse();
            }
            let one = ids(&items, &admit(&items, budget_tokens));
            prop_assert_eq!(one, ids(&turned, &admit(&turned, budget_tokens)));
        }

        #[test]
        fn a_larger_budget_never_loses_an_item_without_a_better_one(
            items in any_items(), budget_tokens in 0_u32..300, more in 0_u32..100
        ) {
            let (small, large) = (admit(&items, budget_tokens), admit(&items, budget_tokens + more));
            let (small, large) = (BTreeSet::from_iter(small), BTreeSet::from_iter(large));
            let differing = small.symmetric_difference(&large).copied();
            let best = differing.min_by(|one, other| better(&items[*one], &items[*other]));
            prop_assert!(best.is_none_or(|best| large.contains(&best)));
        }
    }
}
