//! Numbers of filters and metadata: the integers from -2^63 to 2^64 - 1 and all finite doubles, in one exact total
//! order.
//!
//! JSON does not distinguish integers from fractions, so 1 and 1.0 are the same number, as are 0 and -0.0. No
//! comparison rounds: an integer beyond 2^53 differs from the adjacent double.

use std::cmp::Ordering;

/// Finite number. Equality, order and hash are those of its mathematical value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(Form);

/// Canonical form: each value has exactly one, so that derived equality is numeric equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// From -2^63 to 2^63 - 1.
    Signed(i64),
    /// From 2^63 to 2^64 - 1.
    Unsigned(u64),
    /// Bits of a finite double that is not an integer of the two ranges above.
    Double(u64),
}

/// 2^53: doubles of at least this magnitude are integers.
const INTEGERS_FROM: f64 = 9_007_199_254_740_992.0;
/// 2^63: the first double beyond `i64`.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;
/// 2^64: the first double beyond `u64`.
const BEYOND_U64: f64 = 18_446_744_073_709_551_616.0;

impl Number {
    /// Number equal to a double; `None` for NaN and the infinities.
    pub fn from_f64(double: f64) -> Option<Self> {
        if !double.is_finite() {
            return None;
        }
        let form = if double.trunc() != double || !(-BEYOND_I64..BEYOND_U64).contains(&double) {
            Form::Double(double.to_bits())
        } else if double < BEYOND_I64 {
            Form::Signed(whole(double))
        } else {
            Form::Unsigned(whole_unsigned(double))
        };
        Some(Self(form))
    }

    /// Number equal to a JSON number; `None` beyond the range of doubles. A number that is not a 64-bit integer becomes
    /// the nearest double, as in stored metadata.
    pub fn from_json(number: &serde_json::Number) -> Option<Self> {
        let signed = number.as_i64().map(Self::from);
        let integer = signed.or_else(|| number.as_u64().map(Self::from));
        integer.or_else(|| number.as_f64().and_then(Self::from_f64))
    }

    /// JSON number of the same value.
    pub fn to_json(self) -> serde_json::Value {
        match self.0 {
            Form::Signed(value) => value.into(),
            Form::Unsigned(value) => value.into(),
            Form::Double(bits) => f64::from_bits(bits).into(),
        }
    }
}

/// Forms of a number in [`Number::to_bits`].
const SIGNED: u8 = 0;
const UNSIGNED: u8 = 1;
const DOUBLE: u8 = 2;

impl Number {
    /// The number as a form and 64 bits, for a file of this process's own.
    pub(crate) fn to_bits(self) -> (u8, u64) {
        match self.0 {
            Form::Signed(integer) => (SIGNED, integer.cast_unsigned()),
            Form::Unsigned(integer) => (UNSIGNED, integer),
            Form::Double(bits) => (DOUBLE, bits),
        }
    }

    /// The number that [`to_bits`](Self::to_bits) told; `None` for what it never tells.
    pub(crate) fn from_bits(form: u8, bits: u64) -> Option<Self> {
        let number = match form {
            SIGNED => Self::from(bits.cast_signed()),
            UNSIGNED => Self::from(bits),
            DOUBLE => Self::from_f64(f64::from_bits(bits))?,
            _ => return None,
        };
        (number.to_bits() == (form, bits)).then_some(number)
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(Form::Signed(integer))
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        Self(i64::try_from(integer).map_or(Form::Unsigned(integer), Form::Signed))
    }
}

impl From<u32> for Number {
    fn from(integer: u32) -> Self {
        Self(Form::Signed(i64::from(integer)))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Form::Signed(one), Form::Signed(other)) => one.cmp(&other),
            (Form::Unsigned(one), Form::Unsigned(other)) => one.cmp(&other),
            (Form::Signed(_), Form::Unsigned(_)) => Ordering::Less,
            (Form::Unsigned(_), Form::Signed(_)) => Ordering::Greater,
            // Finite, and never zero: zero is an integer.
            (Form::Double(one), Form::Double(other)) => f64::from_bits(one).total_cmp(&f64::from_bits(other)),
            (Form::Double(one), integer) => against_integer(f64::from_bits(one), integer),
            (integer, Form::Double(other)) => against_integer(f64::from_bits(other), integer).reverse(),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Order of a double that is not a 64-bit integer relative to one that is; never equal.
fn against_integer(double: f64, integer: Form) -> Ordering {
    if double.abs() >= INTEGERS_FROM {
        // An integer outside both ranges: the sign decides.
        return if double > 0.0 { Ordering::Greater } else { Ordering::Less };
    }
    match integer {
        // A fraction is above an integer exactly if its floor is at least that integer.
        Form::Signed(integer) if whole(double.floor()) >= integer => Ordering::Greater,
        _ => Ordering::Less,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an integer within the range of i64, by the callers")]
fn whole(double: f64) -> i64 {
    double as i64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an integer within the range of u64, by the caller"
)]
fn whole_unsigned(double: f64) -> u64 {
    double as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn number(json: &str) -> Number {
        let Ok(Value::Number(number)) = serde_json::from_str(json) else { panic!("no number: {json}") };
        Number::from_json(&number).expect("finite")
    }

    /// Full decimal expansion of a JSON number as it is stored: sign, and digits around the point. Rust prints the
    /// exact value of a double when given enough digits.
    fn expansion(json: &serde_json::Number) -> (bool, Vec<u8>) {
        let text = if json.is_f64() {
            format!("{:.1100}", json.as_f64().expect("a double"))
        } else {
            format!("{json}.{}", "0".repeat(1100))
        };
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, &*text), |digits| (true, digits));
        let padded = format!("{digits:0>1500}");
        let is_zero = padded.bytes().all(|digit| matches!(digit, b'0' | b'.'));
        (is_negative && !is_zero, padded.into_bytes())
    }

    fn exact_order(one: &serde_json::Number, other: &serde_json::Number) -> Ordering {
        let ((one_negative, one), (other_negative, other)) = (expansion(one), expansion(other));
        match (one_negative, other_negative) {
            (false, false) => one.cmp(&other),
            (true, true) => other.cmp(&one),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// Integers and doubles of all magnitudes, with many at the boundaries between the two.
    fn any_number() -> impl Strategy<Value = serde_json::Number> {
        let edges = [0.0, -0.0, 1.0, 0.5, INTEGERS_FROM, BEYOND_I64, BEYOND_U64, 1e308, 5e-324, f64::MAX];
        let step = |double: f64, by: i8| {
            (0..by.unsigned_abs()).fold(double, |double, _| match by > 0 {
                true => double.next_up(),
                false => double.next_down(),
            })
        };
        let near = (proptest::sample::select(edges.to_vec()), any::<bool>(), -2..=2_i8)
            .prop_map(move |(edge, negated, by)| step(if negated { -edge } else { edge }, by));
        let edges = [0, 1 << 53, i128::from(i64::MIN), i128::from(i64::MAX), i128::from(u64::MAX)];
        let near_integer = (proptest::sample::select(edges.to_vec()), any::<bool>(), -3..=3_i128)
            .prop_map(|(edge, negated, by)| if negated { by - edge } else { edge + by });
        let integer = |integer: i128| serde_json::Number::from_i128(integer);
        let integers = near_integer.prop_filter_map("of 64 bits", integer);
        prop_oneof![
            integers,
            any::<i64>().prop_map(serde_json::Number::from),
            any::<u64>().prop_map(serde_json::Number::from),
            near.prop_filter_map("finite", serde_json::Number::from_f64),
            any::<f64>().prop_filter_map("finite", serde_json::Number::from_f64),
            any::<i64>().prop_filter_map("finite", |whole| serde_json::Number::from_f64(whole as f64)),
        ]
    }

    proptest! {
        #[test]
        fn numbers_compare_as_their_decimal_expansions(one in any_number(), other in any_number()) {
            let compared = Number::from_json(&one).cmp(&Number::from_json(&other));
            prop_assert_eq!(compared, exact_order(&one, &other));
            let is_equal = Number::from_json(&one) == Number::from_json(&other);
            prop_assert_eq!(is_equal, compared.is_eq());
        }

        #[test]
        fn the_order_of_numbers_is_total(numbers in proptest::collection::vec(any_number(), 3..12)) {
            let mut sorted: Vec<Number> = numbers.iter().filter_map(Number::from_json).collect();
            prop_assert_eq!(sorted.len(), numbers.len());
            sorted.sort();
            for (place, one) in sorted.iter().enumerate() {
                prop_assert!(sorted[place..].iter().all(|later| one <= later));
            }
        }
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (one, other) in [
            ("1", "1.0"),
            ("1", "10e-1"),
            ("0", "-0.0"),
            ("-0", "0"),
            ("9223372036854775808", "9223372036854775808.0"),
            ("18446744073709551616", "18446744073709551616.0"),
            ("-9223372036854775808", "-9223372036854775808.0"),
            ("1e308", "10e307"),
        ] {
            assert_eq!(number(one), number(other), "{one} and {other}");
        }
    }

    #[test]
    fn integers_that_round_to_one_double_stay_different() {
        let ascending = [
            "-1e308",
            "-9223372036854775809e1",
            "-9223372036854775808",
            "-9223372036854775807",
            "-9007199254740993",
            "-9007199254740992.0",
            "-0.5",
            "-5e-324",
            "0",
            "5e-324",
            "0.9",
            "1",
            "1.0000000000000002",
            "9007199254740992.0",
            "9007199254740993",
            "1234567890123456788",
            "1234567890123456789",
            "9223372036854775807",
            "9223372036854775808.0",
            "9223372036854775809",
            "18446744073709551615",
            "18446744073709551616",
            "1e308",
        ];
        for pair in ascending.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{} < {}", pair[0], pair[1]);
            assert_ne!(number(pair[0]), number(pair[1]));
        }
    }

    #[test]
    fn non_finite_doubles_are_refused() {
        for double in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Number::from_f64(double), None);
        }
    }
}
