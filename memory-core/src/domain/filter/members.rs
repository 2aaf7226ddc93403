//! Values of an `in`, sorted once, so that a test of membership takes a binary search.

use super::Scalar;
use crate::domain::number::Number;
use crate::domain::time::Timestamp;

/// Set of scalars, by type and value. 1 and 1.0 are one number, as everywhere in filters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    texts: Box<[String]>,
    numbers: Box<[Number]>,
    truths: Box<[bool]>,
    times: Box<[Timestamp]>,
}

impl Members {
    /// Number of distinct values.
    pub fn len(&self) -> usize {
        self.texts.len() + self.numbers.len() + self.truths.len() + self.times.len()
    }

    /// True without any value. Nothing is equal to one of no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The texts among the values, in byte order.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// All values.
    pub fn scalars(&self) -> impl Iterator<Item = Scalar> {
        let texts = self.texts.iter().cloned().map(Scalar::Text);
        let numbers = self.numbers.iter().copied().map(Scalar::Number);
        let truths = self.truths.iter().copied().map(Scalar::Bool);
        let times = self.times.iter().copied().map(Scalar::Time);
        texts.chain(numbers).chain(truths).chain(times)
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        self.texts.binary_search_by(|member| member.as_str().cmp(text)).is_ok()
    }

    pub(super) fn has_number(&self, number: Number) -> bool {
        self.numbers.binary_search(&number).is_ok()
    }

    pub(super) fn has_bool(&self, truth: bool) -> bool {
        self.truths.contains(&truth)
    }

    pub(super) fn has_time(&self, time: Timestamp) -> bool {
        self.times.binary_search(&time).is_ok()
    }
}

impl FromIterator<Scalar> for Members {
    fn from_iter<I: IntoIterator<Item = Scalar>>(scalars: I) -> Self {
        let (mut texts, mut numbers, mut truths, mut times) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for scalar in scalars {
            match scalar {
                Scalar::Text(text) => texts.push(text),
                Scalar::Number(number) => numbers.push(number),
                Scalar::Bool(truth) => truths.push(truth),
                Scalar::Time(time) => times.push(time),
            }
        }
        Self { texts: sorted(texts), numbers: sorted(numbers), truths: sorted(truths), times: sorted(times) }
    }
}

impl<const N: usize> From<[Scalar; N]> for Members {
    fn from(scalars: [Scalar; N]) -> Self {
        scalars.into_iter().collect()
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Box<[T]> {
    values.sort_unstable();
    values.dedup();
    values.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::filter::Test;

    /// Numbers in the neighbourhood of 2^53 and 2^63, where doubles and integers differ.
    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            (-3_i64..3).prop_map(Number::from),
            (0_i64..4).prop_map(|n| Number::from((1_i64 << 53) + n)),
            (0_u64..4).prop_map(|n| Number::from((1_u64 << 63) + n)),
            (-8_i32..8).prop_filter_map("finite", |n| Number::from_f64(f64::from(n) / 4.0)),
            (0_i32..4)
                .prop_filter_map("finite", |n| Number::from_f64(9_007_199_254_740_992.0 + f64::from(n))),
        ]
    }

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            "[a-cé]{0,2}".prop_map(Scalar::Text),
            number().prop_map(Scalar::Number),
            any::<bool>().prop_map(Scalar::Bool),
            (-3_i64..3).prop_map(|at| Scalar::Time(Timestamp::from_micros(at))),
        ]
    }

    proptest! {
        #[test]
        fn a_value_is_a_member_exactly_if_it_equals_one_of_the_values(
            values in proptest::collection::vec(scalar(), 0..24),
            tried in proptest::collection::vec(scalar(), 24),
        ) {
            let test = Test::In(values.iter().cloned().collect());
            for one in tried.iter().chain(&values) {
                let holds = match one {
                    Scalar::Text(text) => test.holds_for_text(text),
                    Scalar::Number(number) => test.holds_for_number(*number),
                    Scalar::Bool(truth) => test.holds_for_bool(*truth),
                    Scalar::Time(time) => test.holds_for_time(*time),
                };
                prop_assert_eq!(holds, values.contains(one), "{:?} in {:?}", one, values);
            }
        }
    }
}
