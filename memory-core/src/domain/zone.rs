//! Time zones: which calendar day a moment is on, for whom.
//!
//! Moments are stored in UTC; days are counted in a zone. The rules of named zones come from the IANA time-zone database,
//! which is compiled into the program, so that the answer does not depend on the machine.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::time::Timestamp;

/// Offset of local time from UTC in whole minutes, as a time in RFC 3339 has it. Positive east of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// Greatest distance from UTC that RFC 3339 can write: 23:59.
    pub const MAX_MINUTES: i16 = 23 * 60 + 59;
    /// No distance from UTC.
    pub const ZERO: Self = Self(0);

    /// Offset of so many minutes; `None` beyond [`UtcOffset::MAX_MINUTES`].
    pub fn from_minutes(minutes: i64) -> Option<Self> {
        let minutes = i16::try_from(minutes).ok()?;
        (-Self::MAX_MINUTES..=Self::MAX_MINUTES).contains(&minutes).then_some(Self(minutes))
    }

    /// Minutes.
    pub const fn minutes(self) -> i16 {
        self.0
    }

    /// Offset that a time is written with.
    ///
    /// `None` for `Z` and `-00:00`, which name a moment and no local time (RFC 3339, section 4.3; RFC 9557, section 2),
    /// and for a text that [`Timestamp::parse`] refuses. A bare date has the offset zero, in which [`Timestamp::parse`]
    /// reads it, so that it remains the day that was given; one of a request has the offset of its zone
    /// ([`super::given_time::GivenTime`]). Seconds of an offset are cut off.
    pub fn of_text(text: &str) -> Option<Self> {
        Timestamp::parse(text)?;
        let pieces = Pieces::parse(text).ok()?;
        if pieces.time().is_none() {
            return Some(Self::ZERO);
        }
        match pieces.offset()? {
            PiecesOffset::Numeric(numeric) if !(numeric.is_negative() && numeric.offset().is_zero()) => {
                Self::from_minutes(i64::from(numeric.offset().seconds() / 60))
            }
            _ => None,
        }
    }

    fn micros(self) -> i64 {
        i64::from(self.0) * 60_000_000
    }
}

impl fmt::Display for UtcOffset {
    /// As in RFC 3339: `+05:45`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, minutes) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Time zone: a named one with its rules, or a fixed offset. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Fixed(UtcOffset),
    Named(TimeZone),
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl From<UtcOffset> for Zone {
    fn from(offset: UtcOffset) -> Self {
        Self(Kind::Fixed(offset))
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Self {
        if zone.is_unknown() { Self::UTC } else { Self(Kind::Named(zone)) }
    }
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Kind::Fixed(UtcOffset::ZERO));
    /// Greatest length of the name of a zone in bytes. The longest of the database has 32.
    pub const MAX_NAME_BYTES: usize = 64;

    /// Zone of a name of the IANA database in any case (`Asia/Shanghai`), of an offset as in RFC 3339 (`+08:00`), or of `Z`.
    /// `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_NAME_BYTES {
            return None;
        }
        if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
            return Some(Self::UTC);
        }
        if text.starts_with(['+', '-']) {
            return fixed(text).map(Self::from);
        }
        let named = jiff::tz::TimeZoneDatabase::bundled().get(text).ok()?;
        // The database has a name for an unknown zone, which is none.
        (!named.is_unknown()).then(|| Self::from(named))
    }

    /// Name in the database, `UTC`, or the offset.
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Fixed(UtcOffset::ZERO) => "UTC".to_owned(),
            Kind::Fixed(offset) => offset.to_string(),
            Kind::Named(zone) => zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }

    /// Zone of a time with an offset of its own, and this zone for a time without.
    #[must_use]
    pub fn or_own(&self, own: Option<UtcOffset>) -> Self {
        own.map_or_else(|| self.clone(), Self::from)
    }

    /// Offset of local time at a moment, without its seconds, which only times before 1972 have.
    pub fn offset(&self, at: Timestamp) -> UtcOffset {
        UtcOffset::from_minutes(self.offset_us(at) / 60_000_000).unwrap_or(UtcOffset::ZERO)
    }

    /// Local calendar day of a moment, as days since 1970-01-01.
    pub fn day(&self, at: Timestamp) -> i64 {
        self.local(at).day()
    }

    /// Local calendar date of a moment.
    pub fn date(&self, at: Timestamp) -> Date {
        self.local(at).civil().map_or(Date::ZERO, |civil| civil.date())
    }

    /// Local year, month, day, weekday, hour and minute, for prompts: `2023-05-20 (Sat) 02:21`.
    pub fn for_readers(&self, at: Timestamp) -> String {
        self.shown(at, "%Y-%m-%d (%a) %H:%M")
    }

    /// Local year, month, day and weekday, for headings: `2023-05-20 (Sat)`.
    pub fn day_for_readers(&self, at: Timestamp) -> String {
        self.shown(at, "%Y-%m-%d (%a)")
    }

    /// First moment of a local date. `None` for a date that begins outside the range of [`Timestamp`].
    pub fn start_of(&self, date: Date) -> Option<Timestamp> {
        let civil = date.to_datetime(Time::MIN);
        let midnight = Timestamp::of_civil(civil)?;
        let micros = match &self.0 {
            Kind::Fixed(offset) => midnight.as_micros().checked_sub(offset.micros())?,
            Kind::Named(zone) => match first_moment(zone, civil) {
                Some(start) => start.as_microsecond(),
                None => midnight.as_micros().checked_sub(self.offset_us(midnight))?,
            },
        };
        let start = Timestamp::from_micros(micros);
        (start.as_micros() == micros)
            .then(|| if date >= LAST_DATE { start.min(Timestamp::LAST_DAY) } else { start })
    }

    /// Moment that a bare date means: the first of its day, at least [`Timestamp::MIN`], and [`Timestamp::LAST_DAY`] for
    /// 9999-12-31 in every zone.
    pub fn beginning(&self, date: Date) -> Timestamp {
        if date >= LAST_DATE {
            return Timestamp::LAST_DAY;
        }
        self.start_of(date).unwrap_or(Timestamp::MIN)
    }

    /// Offset in which the [`Zone::beginning`] of a date is on that date. It is that of the zone, in whole minutes rounded up,
    /// because local mean times have seconds. A date that the zone skipped (30 December 2011 in Samoa) has the offset before.
    pub fn offset_of(&self, date: Date) -> UtcOffset {
        let start = self.beginning(date);
        let offsets = [start, start.plus_micros(-1)].map(|at| {
            let minutes = self.offset_us(at).saturating_neg().div_euclid(60_000_000).saturating_neg();
            UtcOffset::from_minutes(minutes).unwrap_or(UtcOffset::ZERO)
        });
        let [first, _] = offsets;
        offsets.into_iter().find(|offset| Self::from(*offset).date(start) == date).unwrap_or(first)
    }

    /// Last microsecond of a local date, whose days have 23 to 25 hours where clocks are changed.
    pub fn end_of(&self, date: Date) -> Option<Timestamp> {
        match date.tomorrow().ok().filter(|next| next.year() <= 9999) {
            Some(next) => Some(self.start_of(next)?.plus_micros(-1)),
            None => Some(Timestamp::MAX),
        }
    }

    fn shown(&self, at: Timestamp, form: &str) -> String {
        self.local(at).civil().map_or_else(String::new, |civil| civil.strftime(form).to_string())
    }

    /// The moment whose civil time in UTC is the local one of `at`. The last day is the last one in every zone.
    fn local(&self, at: Timestamp) -> Timestamp {
        let local = at.plus_micros(self.offset_us(at));
        if at >= Timestamp::LAST_DAY { local.max(Timestamp::LAST_DAY) } else { local }
    }

    fn offset_us(&self, at: Timestamp) -> i64 {
        match &self.0 {
            Kind::Fixed(offset) => offset.micros(),
            Kind::Named(zone) => {
                // The moments of the database end a day before the year 9999 does.
                let latest = jiff::Timestamp::MAX.as_microsecond();
                let moment = jiff::Timestamp::from_microsecond(at.as_micros().min(latest));
                let offset = moment.map_or(Offset::UTC, |moment| zone.to_offset(moment));
                i64::from(offset.seconds()) * 1_000_000
            }
        }
    }
}

/// Last date of the calendar, which stands for "for ever".
const LAST_DATE: Date = Date::constant(9999, 12, 31);

/// First moment whose local time is not before `civil`. Where the clocks skip that time, it is the moment at which they do.
fn first_moment(zone: &TimeZone, civil: DateTime) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    let is_skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.compatible().ok()?;
    if !is_skipped {
        return Some(earlier);
    }
    // A skipped time is read with the offset before the change, and thus lies after it by what it is late.
    let after = earlier.checked_add(jiff::SignedDuration::from_micros(1)).ok()?;
    Some(zone.preceding(after).next().map_or(earlier, |change| change.timestamp()))
}

/// Offset of the form `+08:00`.
fn fixed(text: &str) -> Option<UtcOffset> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let number = |digits: &str, most: i64| {
        let is_two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|number| is_two && *number <= most)
    };
    let minutes = number(hours, 23)? * 60 + number(minutes, 59)?;
    UtcOffset::from_minutes(if text.starts_with('-') { -minutes } else { minutes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn zone(text: &str) -> Zone {
        Zone::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_moment_is_on_different_days_on_both_sides_of_midnight_of_each_zone() {
        for (name, before, after, day_before, day_after) in [
            ("+08:00", "2026-03-01T15:59:59Z", "2026-03-01T16:00:00Z", "2026-03-01", "2026-03-02"),
            ("Asia/Shanghai", "2026-03-01T15:59:59Z", "2026-03-01T16:00:00Z", "2026-03-01", "2026-03-02"),
            ("-05:00", "2026-03-02T04:59:59Z", "2026-03-02T05:00:00Z", "2026-03-01", "2026-03-02"),
            ("+05:45", "2026-03-01T18:14:59Z", "2026-03-01T18:15:00Z", "2026-03-01", "2026-03-02"),
            ("Asia/Kathmandu", "2026-03-01T18:14:59Z", "2026-03-01T18:15:00Z", "2026-03-01", "2026-03-02"),
            ("utc", "2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z", "2026-03-01", "2026-03-02"),
        ] {
            let zone = zone(name);
            let dates = [before, after].map(|text| zone.date(at(text)).to_string());
            assert_eq!(dates, [day_before, day_after], "{name}");
            assert_eq!(zone.day(at(before)) + 1, zone.day(at(after)), "{name}");
            assert_eq!(zone.start_of(zone.date(at(after))), Some(at(after)), "{name}");
        }
    }

    #[test]
    fn days_on_which_clocks_are_changed_have_23_or_25_hours() {
        for (name, date, start, hours) in [
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23),
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25),
            ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", 23),
            ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", 25),
            // Clocks went forward at midnight: the day began at one o'clock.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 23),
        ] {
            let zone = zone(name);
            let date: Date = date.parse().unwrap();
            let (first, last) = (zone.start_of(date).unwrap(), zone.end_of(date).unwrap());
            assert_eq!(first, at(start), "{name}");
            assert_eq!(last, first.plus_micros(hours * 3_600_000_000 - 1), "{name} {date}");
            assert_eq!((zone.date(first), zone.date(last)), (date, date), "{name}");
            assert_ne!(zone.day(first.plus_micros(-1)), zone.day(first), "{name}");
        }
    }

    #[test]
    fn only_numeric_offsets_and_bare_dates_tell_a_local_day() {
        for (text, minutes) in [
            ("2026-03-02T07:00:00+08:00", Some(480)),
            ("2026-03-02T07:00:00-05:00", Some(-300)),
            ("2026-03-02T07:00:00+05:45", Some(345)),
            ("2026-03-02T07:00:00+00:00", Some(0)),
            ("2026-03-02", Some(0)),
            ("2026-03-02T07:00:00Z", None),
            ("2026-03-02T07:00:00-00:00", None),
            ("2026-03-02T07:00:00", None),
            ("tomorrow", None),
        ] {
            assert_eq!(UtcOffset::of_text(text).map(UtcOffset::minutes), minutes, "{text}");
        }
    }

    #[test]
    fn names_and_offsets_return_and_other_texts_are_no_zones() {
        for (text, name) in [
            ("Asia/Shanghai", "Asia/Shanghai"),
            ("america/new_york", "America/New_York"),
            ("+08:00", "+08:00"),
            ("-00:30", "-00:30"),
            ("+00:00", "UTC"),
            ("z", "UTC"),
        ] {
            assert_eq!(zone(text).name(), name);
            assert_eq!(Zone::parse(name), Some(zone(text)), "{name} does not return");
        }
        for text in ["", "Mars/Olympus", "+8", "+24:00", "+08:60", "+0800", "08:00", "+é8:00", "Etc/Unknown"]
        {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
        assert_eq!(Zone::parse(&"a".repeat(Zone::MAX_NAME_BYTES + 1)), None);
    }

    #[test]
    fn the_ends_of_time_are_in_every_zone() {
        for name in ["UTC", "+23:59", "-23:59", "Asia/Shanghai", "America/New_York"] {
            let zone = zone(name);
            for moment in [Timestamp::MIN, Timestamp::MAX] {
                assert!((1..=9999).contains(&zone.date(moment).year()), "{name}");
                assert!(!zone.for_readers(moment).is_empty(), "{name}");
            }
            assert!(zone.end_of(Date::constant(9999, 12, 31)).is_some());
        }
    }

    proptest! {
        #[test]
        fn utc_counts_days_as_they_were_counted_before_zones(micros in any::<i64>()) {
            let moment = Timestamp::from_micros(micros);
            let shown = moment.to_string();
            let date = shown.split('T').next();
            for zone in [Zone::UTC, zone("Etc/UTC"), zone("+00:00"), Zone::UTC.or_own(None)] {
                prop_assert_eq!(zone.day(moment), moment.as_micros().div_euclid(86_400_000_000));
                let counted = zone.date(moment).to_string();
                prop_assert_eq!(Some(counted.as_str()), date);
                prop_assert_eq!(zone.start_of(zone.date(moment)), Timestamp::parse(&zone.date(moment).to_string()));
            }
        }

        #[test]
        fn a_moment_lies_within_its_day_in_every_zone(
            micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000,
            name in prop::sample::select(vec![
                "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "+05:45", "-05:00",
            ]),
        ) {
            let (zone, moment) = (zone(name), Timestamp::from_micros(micros));
            let date = zone.date(moment);
            let (first, last) = (zone.start_of(date).unwrap(), zone.end_of(date).unwrap());
            prop_assert!(first <= moment, "{} {}", first, moment);
            // A clock that was put back across midnight gives a day two parts.
            prop_assert!(moment <= last.plus_micros(24 * 3_600_000_000), "{} {}", last, moment);
        }

        #[test]
        fn any_text_is_a_zone_or_none(text in any::<String>()) {
            let _ = (Zone::parse(&text), UtcOffset::of_text(&text));
        }
    }
}
