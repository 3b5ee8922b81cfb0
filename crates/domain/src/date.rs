//! Dates that the law counts: calendar days in China, without a time of day.
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A date in `Asia/Shanghai` (no daylight saving since 1991), written `2018-12-31`. What is read from outside lies in the
/// years 1900 to 2200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Date(NaiveDate);

const FIRST_YEAR: i32 = 1900;
const LAST_YEAR: i32 = 2200;
const SHANGHAI_SECONDS: i32 = 8 * 3600;

impl Date {
    /// The date with this year, month and day, when there is one.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(Self)
    }
    /// The date in China at this instant.
    pub fn of(instant: DateTime<Utc>) -> Self {
        // Eight hours east is always a valid offset; UTC is what remains if it ever were not.
        let offset = FixedOffset::east_opt(SHANGHAI_SECONDS);
        Self(offset.map_or_else(|| instant.date_naive(), |zone| instant.with_timezone(&zone).date_naive()))
    }
    /// Midnight in China at which it begins.
    pub fn begins(self) -> DateTime<Utc> {
        let here = self.0.and_time(NaiveTime::MIN);
        here.checked_sub_signed(TimeDelta::seconds(SHANGHAI_SECONDS.into())).unwrap_or(here).and_utc()
    }
    /// The day after; itself on the last day that there is.
    #[must_use]
    pub fn next(self) -> Self {
        self.0.succ_opt().map_or(self, Self)
    }
    /// So many days later, or earlier when negative; itself where there is no such day.
    #[must_use]
    pub fn plus(self, days: i32) -> Self {
        self.0.checked_add_signed(TimeDelta::days(days.into())).map_or(self, Self)
    }
    /// The calendar date inside.
    pub const fn naive(self) -> NaiveDate {
        self.0
    }
    /// Days from `earlier` to this date; negative when this date comes first.
    pub fn days_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).num_days()
    }
}

impl From<NaiveDate> for Date {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl FromStr for Date {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use chrono::Datelike;
        const REASON: &str = "is not a date such as 2018-12-31 between 1900 and 2200";
        let well_formed = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match text.parse::<NaiveDate>() {
            Ok(date) if well_formed && (FIRST_YEAR..=LAST_YEAR).contains(&date.year()) => Ok(Self(date)),
            _ => Err(REASON),
        }
    }
}

newtype!(Date as NaiveDate, into: |date| date.0, from: |date| Ok(Self(date)));
string_scalar!(
    Date,
    "Date",
    "A calendar date in China (Asia/Shanghai), written `2018-12-31`.",
    r"^\d{4}-\d{2}-\d{2}$"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_day_begins_in_china() {
        let instant = "2018-12-30T16:00:00Z".parse().unwrap();
        assert_eq!(Date::of(instant).to_string(), "2018-12-31");
        assert_eq!(Date::of(instant).begins(), instant);
    }
    #[test]
    fn only_real_dates_are_read() {
        for text in
            ["2018-02-29", "2018-2-1", "20180201", "0001-01-01", "2018-12-31T00:00:00Z", "", "２０１８-12-31"]
        {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        assert!("2020-02-29".parse::<Date>().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(text in "(1[89]|2[0-3])[0-9]{2}-[01][0-9]-[0-3][0-9]|[-+0-9/ T:Z]{0,12}|.{0,12}") {
            if let Ok(date) = text.parse::<Date>() {
                prop_assert_eq!(date.to_string(), text);
                prop_assert_eq!(Date::of(date.begins()), date);
            }
        }

        /// Any date that a calendar can hold, for reckoning goes beyond the years that are read.
        #[test]
        fn reckoning_never_leaves_the_calendar(days: i32, year in -262_142..=262_141_i32, plus: i32) {
            for date in [Date::new(year, 1, 1).unwrap(), Date::new(2018, 12, 31).unwrap().plus(days)] {
                let moved = date.plus(plus);
                prop_assert!(moved == date || moved.days_since(date) == i64::from(plus));
                prop_assert!(date.next() >= date);
                let _ = Date::of(date.begins());
            }
        }
    }
}
