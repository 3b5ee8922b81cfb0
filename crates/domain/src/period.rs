//! Reporting periods: a year, half-year, quarter or month.
use chrono::Datelike;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

use crate::Date;

/// A calendar period, written `2018`, `2018H1`, `2018Q3` or `2018-05`. Weeks are none: a week may lie in two years, and the
/// programmes report by month at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    year: i32,
    /// Length in months: 12, 6, 3 or 1.
    months: u32,
    /// Which one of its length in the year, from 1.
    number: u32,
}

impl Period {
    /// Years that can be written.
    pub const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

    /// The period of this length, 12, 6, 3 or 1 months, in which a day lies.
    pub fn around(day: Date, months: u32) -> Self {
        let day = day.naive();
        Self { year: day.year(), months, number: day.month0() / months + 1 }
    }
    /// The one of the same length behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.number * self.months < 12 {
            Self { number: self.number + 1, ..self }
        } else {
            Self { year: self.year + 1, number: 1, ..self }
        }
    }
    /// The year it lies in.
    pub const fn year(self) -> i32 {
        self.year
    }
    /// First and last day.
    pub fn days(self) -> (Date, Date) {
        let first_month = (self.number - 1) * self.months;
        let next = first_month + self.months;
        let (next_year, next_month) = if next == 12 { (self.year + 1, 0) } else { (self.year, next) };
        let day = |year, month| Date::new(year, month + 1, 1).map_or(chrono::NaiveDate::MAX, Date::naive);
        let last = day(next_year, next_month).pred_opt().unwrap_or(chrono::NaiveDate::MAX);
        (day(self.year, first_month).into(), last.into())
    }
    /// The last day.
    pub fn end(self) -> Date {
        self.days().1
    }
    /// Every period that shares a day with it, itself among them: at most 19.
    pub fn overlapping(self) -> Vec<Self> {
        let of_length = |months: u32| (1..=12 / months).map(move |number| Self { months, number, ..self });
        [12, 6, 3, 1].into_iter().flat_map(of_length).filter(|other| self.overlaps(*other)).collect()
    }
    /// Whether the two share a day.
    pub fn overlaps(self, other: Self) -> bool {
        let ((from, to), (other_from, other_to)) = (self.days(), other.days());
        from <= other_to && other_from <= to
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.months {
            12 => write!(f, "{:04}", self.year),
            6 => write!(f, "{:04}H{}", self.year, self.number),
            3 => write!(f, "{:04}Q{}", self.year, self.number),
            _ => write!(f, "{:04}-{:02}", self.year, self.number),
        }
    }
}
impl FromStr for Period {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REASON: &str =
            "is not a period such as 2018, 2018H1, 2018Q3 or 2018-05 between 1900 and 2200; weeks are none";
        let digits = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten()
        };
        let (year, rest) = text.split_at_checked(4).ok_or(REASON)?;
        let year =
            digits(year).and_then(|year| i32::try_from(year).ok()).filter(|year| Self::YEARS.contains(year));
        let year = year.ok_or(REASON)?;
        let (months, number) = match rest.split_at_checked(1) {
            _ if rest.is_empty() => (12, 1),
            Some(("H", half)) if half.len() == 1 => (6, digits(half).ok_or(REASON)?),
            Some(("Q", quarter)) if quarter.len() == 1 => (3, digits(quarter).ok_or(REASON)?),
            Some(("-", month)) if month.len() == 2 => (1, digits(month).ok_or(REASON)?),
            _ => return Err(REASON),
        };
        if number == 0 || number > 12 / months {
            return Err(REASON);
        }
        Ok(Self { year, months, number })
    }
}
impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

newtype!(Period as String, into: |period| period.to_string(), from: |text| Ok(text.parse::<Period>()?));
string_scalar!(
    Period,
    "Period",
    "A calendar period: `2018` (year), `2018H1` (half-year), `2018Q3` (quarter) or `2018-05` (month). Weeks are none.",
    r"^\d{4}(H[12]|Q[1-4]|-(0[1-9]|1[0-2]))?$"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn know_their_days() {
        for (period, from, to) in [
            ("2018", "2018-01-01", "2018-12-31"),
            ("2018H2", "2018-07-01", "2018-12-31"),
            ("2018Q1", "2018-01-01", "2018-03-31"),
            ("2020-02", "2020-02-01", "2020-02-29"),
        ] {
            let (first, last) = period.parse::<Period>().unwrap().days();
            assert_eq!((first.to_string().as_str(), last.to_string().as_str()), (from, to));
        }
    }

    #[test]
    fn weeks_are_no_periods() {
        // 2015, 2020 and 2026 have a week 53.
        for text in ["2020W53", "2020-W53", "2020-W53-5", "2015W01", "2026-53", "202053"] {
            let told = text.parse::<Period>().unwrap_err();
            assert!(
                told.contains("2018, 2018H1, 2018Q3 or 2018-05") && told.contains("weeks"),
                "{text}: {told}"
            );
        }
    }

    #[test]
    fn overlapping_periods_are_all_that_share_a_day() {
        for text in ["2020", "2020H1", "2020Q2", "2020-02"] {
            let period = text.parse::<Period>().unwrap();
            let all: Vec<Period> = "2020".parse::<Period>().unwrap().overlapping();
            assert_eq!(all.len(), 19);
            let wanted: Vec<Period> = all.into_iter().filter(|other| other.overlaps(period)).collect();
            assert_eq!(period.overlapping(), wanted, "{text}");
        }
        let of = |text: &str| {
            text.parse::<Period>().unwrap().overlapping().iter().map(Period::to_string).collect()
        };
        let quarter: Vec<String> = of("2020Q2");
        assert_eq!(quarter, ["2020", "2020H1", "2020Q2", "2020-04", "2020-05", "2020-06"]);
    }

    /// Years of 53 weeks (2015, 2020, 2026) and leap years (2016, 2020): every day is in one quarter, half-year and month.
    #[test]
    fn the_parts_of_a_year_are_the_year() {
        for year in 2015..=2026 {
            let whole = year.to_string().parse::<Period>().unwrap();
            for (sign, parts) in [("H", 2), ("Q", 4), ("-", 12)] {
                let mut first = whole.days().0;
                for number in 1..=parts {
                    let number = if sign == "-" { format!("{number:02}") } else { number.to_string() };
                    let part = format!("{year}{sign}{number}").parse::<Period>().unwrap();
                    assert_eq!(part.days().0, first, "{part}");
                    first = part.end().naive().succ_opt().unwrap().into();
                }
                assert_eq!(first, (year + 1).to_string().parse::<Period>().unwrap().days().0, "{year}{sign}");
            }
        }
    }

    #[test]
    fn periods_follow_each_other() {
        for year in ["2015", "2016", "2020"] {
            for months in [1, 3, 6, 12] {
                let mut period = Period::around(format!("{year}-01-01").parse().unwrap(), months);
                for _ in 0..30 {
                    let (first, last) = period.days();
                    assert_eq!(
                        (Period::around(first, months), Period::around(last, months)),
                        (period, period)
                    );
                    assert_eq!(period.next().days().0, last.next());
                    assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
                    period = period.next();
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(text in "(19|20)[0-9]{2}(H[0-9]|Q[0-9]|-[0-9]{2})?") {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert_eq!(period.to_string(), text);
            }
        }
        #[test]
        fn no_text_breaks_the_reader(text in ".{0,12}") {
            let _ = text.parse::<Period>();
        }
    }
}
