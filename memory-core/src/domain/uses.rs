//! Uses of a memory after it was learned: when it was recalled, and what then showed that it was needed.
//!
//! Forgetting curves are functions of this trace (`retention`, ADR 0048). It is bounded: the newest [`MAX_USES`] uses have
//! their times, older ones are a number. Kept uses ascend strictly in time.

use super::time::Timestamp;

/// Most uses of a memory whose times are kept.
pub const MAX_USES: usize = 64;

/// Most bytes of [`Uses::encode`]: version, two numbers, and for each use a difference of times and a kind.
pub const MAX_ENCODED_BYTES: usize = 1 + 5 + 1 + MAX_USES * 11;

/// First byte of the encoding.
const ENCODING: u8 = 1;

/// Evidence that a recalled memory was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UseKind {
    /// A recall returned it.
    Returned,
    /// It was put into the context of a language model.
    InContext,
    /// The answer cited it.
    Cited,
    /// The user confirmed or repeated it.
    Confirmed,
    /// The user contradicted it.
    Contradicted,
}

impl UseKind {
    /// All kinds, by their codes; from the weakest evidence of need to the strongest, then the contradiction.
    pub const ALL: [Self; 5] =
        [Self::Returned, Self::InContext, Self::Cited, Self::Confirmed, Self::Contradicted];

    /// Number in the store, 1 to 5.
    pub const fn code(self) -> u8 {
        match self {
            Self::Returned => 1,
            Self::InContext => 2,
            Self::Cited => 3,
            Self::Confirmed => 4,
            Self::Contradicted => 5,
        }
    }

    /// The kind with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Name on the wire and in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::InContext => "in_context",
            Self::Cited => "cited",
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// True if this kind replaces `before` for one and the same use. A contradiction replaces everything.
    pub const fn outweighs(self, before: Self) -> bool {
        self.code() > before.code()
    }
}

/// Use of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Time of the use.
    pub at: Timestamp,
    /// Strongest evidence of it.
    pub kind: UseKind,
}

/// Uses of a memory: the newest with their times, earlier ones as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    earlier: u32,
    newest: Vec<Use>,
}

/// Reason why something is no [`Uses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsesError {
    /// Written by a later program.
    #[error("encoding {0} of uses is unknown")]
    Encoding(u8),
    /// The bytes end early, go on after the last use, or hold a number that is too large.
    #[error("the encoding of uses is damaged")]
    Damaged,
    /// A code without a kind.
    #[error("kind {0} of a use is unknown")]
    Kind(u8),
    /// More than [`MAX_USES`] uses with times, or earlier uses without later ones.
    #[error("{0} uses with times, of at most {MAX_USES}")]
    Count(usize),
    /// Times that do not ascend.
    #[error("uses do not ascend in time")]
    Order,
}

impl Uses {
    /// No use.
    pub const NONE: Self = Self { earlier: 0, newest: Vec::new() };

    /// No use, to borrow.
    pub fn none() -> &'static Self {
        static NONE: Uses = Uses::NONE;
        &NONE
    }

    /// From the number of earlier uses and the newest ones, oldest first.
    ///
    /// # Errors
    /// If there are more than [`MAX_USES`], none although there are earlier ones, or if they do not ascend strictly.
    pub fn new(earlier: u32, newest: Vec<Use>) -> Result<Self, UsesError> {
        if newest.len() > MAX_USES || (newest.is_empty() && earlier > 0) {
            return Err(UsesError::Count(newest.len()));
        }
        if !newest.is_sorted_by(|a, b| a.at < b.at) {
            return Err(UsesError::Order);
        }
        Ok(Self { earlier, newest })
    }

    /// Records a use; returns true if anything changed.
    ///
    /// A use within `refractory_us` after the newest one, or at the same instant, is the same use with more evidence: it
    /// keeps its time, and its kind becomes the new one if that [outweighs](UseKind::outweighs) it. A use before the
    /// newest one is ignored. So a repeated record changes nothing.
    pub fn record(&mut self, one: Use, refractory_us: u64) -> bool {
        if let Some(newest) = self.newest.last_mut() {
            let Some(gap_us) = gap_us(newest.at, one.at) else { return false };
            if gap_us == 0 || gap_us < refractory_us {
                let outweighs = one.kind.outweighs(newest.kind);
                if outweighs {
                    newest.kind = one.kind;
                }
                return outweighs;
            }
        }
        if self.newest.len() >= MAX_USES {
            self.newest.remove(0);
            self.earlier = self.earlier.saturating_add(1);
        }
        self.newest.push(one);
        true
    }

    /// Number of all uses.
    pub fn count(&self) -> u64 {
        u64::from(self.earlier) + self.newest.len() as u64
    }

    /// Number of uses whose times are not kept. They lie before the kept ones.
    pub fn earlier(&self) -> u32 {
        self.earlier
    }

    /// Uses with times, oldest first.
    pub fn newest(&self) -> &[Use] {
        &self.newest
    }

    /// Newest use.
    pub fn last(&self) -> Option<Use> {
        self.newest.last().copied()
    }

    /// Uses with times that are not after `now`, oldest first: the trace as it was then.
    pub fn until(&self, now: Timestamp) -> &[Use] {
        let count = self.newest.partition_point(|one| one.at <= now);
        self.newest.get(..count).unwrap_or_default()
    }

    /// Number of earlier uses that are known to lie before `now`: all of them from the oldest kept use on. Of the time
    /// before that nothing is known, and none is assumed.
    pub fn earlier_until(&self, now: Timestamp) -> u32 {
        if self.until(now).is_empty() { 0 } else { self.earlier }
    }

    /// Bytes for the store: none without uses, else at most [`MAX_ENCODED_BYTES`].
    ///
    /// Byte 1 (the encoding), then as LEB128 the number of earlier uses, then the number of uses as a byte, then for each
    /// use the µs since the use before it (the first: since [`Timestamp::MIN`]) as LEB128 and the code of its kind.
    pub fn encode(&self) -> Vec<u8> {
        let Ok(count) = u8::try_from(self.newest.len()) else { return Vec::new() };
        if count == 0 {
            return Vec::new();
        }
        let mut bytes = vec![ENCODING];
        put_number(&mut bytes, u64::from(self.earlier));
        bytes.push(count);
        let mut before = Timestamp::MIN;
        for one in &self.newest {
            put_number(&mut bytes, gap_us(before, one.at).unwrap_or(0));
            bytes.push(one.kind.code());
            before = one.at;
        }
        bytes
    }

    /// Reads [`Uses::encode`].
    ///
    /// # Errors
    /// For any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, UsesError> {
        let Some((&encoding, mut rest)) = bytes.split_first() else { return Ok(Self::NONE) };
        if encoding != ENCODING {
            return Err(UsesError::Encoding(encoding));
        }
        let earlier = u32::try_from(take_number(&mut rest)?).map_err(|_| UsesError::Damaged)?;
        let count = usize::from(take_byte(&mut rest)?);
        if count > MAX_USES {
            return Err(UsesError::Count(count));
        }
        let mut newest = Vec::with_capacity(count);
        let mut at_us = Timestamp::MIN.as_micros();
        for _ in 0..count {
            let gap_us = i64::try_from(take_number(&mut rest)?).map_err(|_| UsesError::Damaged)?;
            at_us = at_us
                .checked_add(gap_us)
                .filter(|at| *at <= Timestamp::MAX.as_micros())
                .ok_or(UsesError::Damaged)?;
            let code = take_byte(&mut rest)?;
            let kind = UseKind::from_code(code).ok_or(UsesError::Kind(code))?;
            newest.push(Use { at: Timestamp::from_micros(at_us), kind });
        }
        if !rest.is_empty() {
            return Err(UsesError::Damaged);
        }
        Self::new(earlier, newest)
    }
}

/// Microseconds from `from` to `to`; `None` if `to` is earlier.
fn gap_us(from: Timestamp, to: Timestamp) -> Option<u64> {
    u64::try_from(to.as_micros().saturating_sub(from.as_micros())).ok()
}

/// Appends a number as LEB128.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number in LEB128 of at most 9 bytes.
fn take_number(bytes: &mut &[u8]) -> Result<u64, UsesError> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = take_byte(bytes)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(UsesError::Damaged)
}

fn take_byte(bytes: &mut &[u8]) -> Result<u8, UsesError> {
    let (&first, rest) = bytes.split_first().ok_or(UsesError::Damaged)?;
    *bytes = rest;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE_US: u64 = 60_000_000;

    fn use_at(at_us: i64, kind: UseKind) -> Use {
        Use { at: Timestamp::from_micros(at_us), kind }
    }

    fn kind() -> impl Strategy<Value = UseKind> {
        proptest::sample::select(UseKind::ALL.to_vec())
    }

    #[test]
    fn kinds_return_from_their_codes_and_names() {
        for (code, kind) in (1..).zip(UseKind::ALL) {
            assert_eq!((kind.code(), UseKind::from_code(code)), (code, Some(kind)));
            assert_eq!(UseKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(
            (UseKind::from_code(0), UseKind::from_code(6), UseKind::parse("Cited")),
            (None, None, None)
        );
    }

    #[test]
    fn uses_in_a_refractory_interval_are_one_with_the_strongest_evidence() {
        let mut uses = Uses::default();
        assert!(uses.record(use_at(0, UseKind::InContext), MINUTE_US));
        assert!(!uses.record(use_at(1, UseKind::Returned), MINUTE_US), "weaker evidence");
        assert!(uses.record(use_at(0, UseKind::Cited), 0), "more evidence of the same instant");
        assert!(uses.record(use_at(59_999_999, UseKind::Contradicted), MINUTE_US));
        assert!(!uses.record(use_at(59_999_999, UseKind::Confirmed), MINUTE_US), "a contradiction stays");
        assert_eq!(uses.newest(), [use_at(0, UseKind::Contradicted)]);
        assert!(uses.record(use_at(60_000_000, UseKind::Returned), MINUTE_US), "the interval is over");
        assert!(!uses.record(use_at(30_000_000, UseKind::Confirmed), MINUTE_US), "before the newest");
        assert_eq!((uses.count(), uses.last()), (2, Some(use_at(60_000_000, UseKind::Returned))));
    }

    #[test]
    fn uses_beyond_the_bound_are_counted_without_their_times() {
        let mut uses = Uses::default();
        for at_us in 0..100 {
            assert!(uses.record(use_at(at_us, UseKind::Cited), 0));
        }
        assert_eq!((uses.count(), uses.earlier(), uses.newest().len()), (100, 36, MAX_USES));
        assert_eq!(uses.until(Timestamp::from_micros(36)), [use_at(36, UseKind::Cited)]);
        assert_eq!(
            (uses.earlier_until(Timestamp::from_micros(35)), uses.earlier_until(Timestamp::MAX)),
            (0, 36)
        );
    }

    #[test]
    fn encodings_that_no_trace_has_are_refused() {
        assert_eq!(Uses::decode(&[]), Ok(Uses::NONE));
        assert_eq!(Uses::decode(&[2, 0, 0]), Err(UsesError::Encoding(2)));
        assert_eq!(Uses::decode(&[1, 0, 65]), Err(UsesError::Count(65)));
        assert_eq!(Uses::decode(&[1, 3, 0]), Err(UsesError::Count(0)));
        assert_eq!(Uses::decode(&[1, 0, 1, 5, 9]), Err(UsesError::Kind(9)));
        assert_eq!(Uses::decode(&[1, 0, 2, 5, 1, 0, 1]), Err(UsesError::Order));
        assert_eq!(Uses::decode(&[1, 0, 1, 5, 1, 0]), Err(UsesError::Damaged));
        assert_eq!(
            Uses::decode(&[1, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            Err(UsesError::Damaged)
        );
    }

    proptest! {
        #[test]
        fn uses_return_from_their_encoding(
            uses in proptest::collection::vec((any::<i64>(), kind()), 0..200),
            refractory_us in prop_oneof![Just(0), any::<u64>()],
        ) {
            let mut uses: Vec<Use> = uses.into_iter().map(|(at, kind)| use_at(at, kind)).collect();
            uses.sort_by_key(|one| one.at);
            let mut recorded = Uses::default();
            for one in &uses {
                recorded.record(*one, refractory_us);
                let before = recorded.clone();
                prop_assert!(!recorded.record(*one, refractory_us), "a repeated record changed something");
                prop_assert_eq!(&recorded, &before);
            }
            prop_assert!(recorded.newest().is_sorted_by(|a, b| a.at < b.at));
            let bytes = recorded.encode();
            prop_assert!(bytes.len() <= MAX_ENCODED_BYTES);
            prop_assert_eq!(Uses::decode(&bytes), Ok(recorded));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            tail in proptest::collection::vec(any::<u8>(), 0..200), head in proptest::sample::select(vec![0u8, 1, 2]),
        ) {
            let bytes: Vec<u8> = std::iter::once(head).chain(tail).collect();
            if let Ok(uses) = Uses::decode(&bytes) {
                prop_assert_eq!(Uses::decode(&uses.encode()), Ok(uses));
            }
        }
    }
}
