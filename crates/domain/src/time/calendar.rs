//! Working days (工作日历): what the State Council publishes every year, as data. A new year is a file, not a release.
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::RangeInclusive,
};

use chrono::{Datelike, Weekday};
use serde::{Deserialize, Serialize};

use super::{FileError, ReferenceFile, TimeError};
use crate::{Date, text};

/// Most working days that are added or counted at once.
pub const MOST_DAYS: u32 = 10_000;
/// Most holidays, and most make-up days, of a year.
const MOST_ENTRIES: usize = 100;
/// Years that a calendar may be of.
const YEARS: RangeInclusive<i32> = 1900..=2200;

/// Where the facts of a calendar come from (来源).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalendarSource {
    /// The notice, or the package that the facts were taken from.
    pub package: String,
    /// Its licence.
    pub licence: String,
    /// When they were taken.
    pub retrieved_on: Date,
}

/// A holiday (节假日): days of rest, weekends among them, first and last included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Its name.
    pub name: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

/// A day of a weekend that is worked (调休上班日).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(deny_unknown_fields)]
pub struct MakeUpDay {
    /// Which day.
    pub date: Date,
    /// The holiday that it makes up for.
    pub name: String,
}

/// The working days of one year (年度工作日历).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[cfg_attr(feature = "graphql", graphql(name = "WorkingDayCalendar"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalendarYear {
    /// Which year.
    pub year: i32,
    /// 1, and higher for every correction.
    pub version: u32,
    /// Where the facts come from.
    pub source: CalendarSource,
    /// Why it was corrected.
    pub note: Option<String>,
    /// Days of rest.
    pub holidays: Vec<Holiday>,
    /// Weekend days that are worked.
    pub working_days: Vec<MakeUpDay>,
}

/// Which version of a year something was counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
pub struct CalendarVersion {
    /// The year.
    pub year: i32,
    /// Its version.
    pub version: u32,
}

impl CalendarYear {
    /// Reads a file.
    fn read(file: &ReferenceFile) -> Result<Self, FileError> {
        let year: Self =
            serde_json::from_str(&file.text).map_err(|error| FileError::unreadable(&file.name, &error))?;
        year.check().map_err(|(place, reason)| FileError::new(&file.name, place, reason))?;
        Ok(year)
    }

    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |place: String, reason: &str| Err((place, reason.to_owned()));
        if !YEARS.contains(&self.year) {
            return wrong("year".into(), "is not between 1900 and 2200");
        }
        if self.version == 0 {
            return wrong("version".into(), "is not 1 or higher");
        }
        for (list, entries) in [("holidays", self.holidays.len()), ("workingDays", self.working_days.len())] {
            if entries > MOST_ENTRIES {
                return wrong(list.into(), "has more than 100 entries");
            }
        }
        for (at, holiday) in self.holidays.iter().enumerate() {
            let place = |field: &str| format!("holidays[{at}].{field}");
            text::required(&place("name"), &holiday.name, text::SHORT)
                .map_err(|rejection| (place("name"), rejection.to_string()))?;
            for (field, date) in [("from", holiday.from), ("to", holiday.to)] {
                if date.naive().year() != self.year {
                    return wrong(place(field), "lies outside of the year");
                }
            }
            if holiday.to < holiday.from {
                return wrong(place("to"), "comes before its beginning");
            }
            let overlaps = |other: &&Holiday| other.from <= holiday.to && holiday.from <= other.to;
            if let Some(other) = self.holidays[..at].iter().find(overlaps) {
                return Err((place("from"), format!("overlaps {} from {}", other.name, other.from)));
            }
        }
        for (at, day) in self.working_days.iter().enumerate() {
            let place = format!("workingDays[{at}].date");
            if day.date.naive().year() != self.year {
                return wrong(place, "lies outside of the year");
            }
            if !is_weekend(day.date) {
                return wrong(place, "is no day of a weekend: it is worked anyway");
            }
            if self.working_days[..at].iter().any(|other| other.date == day.date) {
                return wrong(place, "stands twice");
            }
            if self.holiday(day.date).is_some() {
                return wrong(place, "is a holiday too");
            }
        }
        Ok(())
    }

    /// The holiday that a day belongs to.
    pub fn holiday(&self, date: Date) -> Option<&Holiday> {
        self.holidays.iter().find(|holiday| holiday.from <= date && date <= holiday.to)
    }

    fn is_working_day(&self, date: Date) -> bool {
        if is_weekend(date) {
            return self.working_days.iter().any(|day| day.date == date);
        }
        self.holiday(date).is_none()
    }
}

fn is_weekend(date: Date) -> bool {
    matches!(date.naive().weekday(), Weekday::Sat | Weekday::Sun)
}

/// The day after.
pub(crate) fn next(date: Date) -> Result<Date, TimeError> {
    date.naive().succ_opt().map(Date::from).ok_or(TimeError::TooFar { field: "date" })
}

fn previous(date: Date) -> Result<Date, TimeError> {
    date.naive().pred_opt().map(Date::from).ok_or(TimeError::TooFar { field: "date" })
}

/// How far a number of working days certainly reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The last day to which it is certainly no more than so many working days.
    pub until: Date,
    /// The year whose calendar would be needed to say more.
    pub missing: Option<i32>,
}

/// The working days of every year that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    years: BTreeMap<i32, CalendarYear>,
}

macro_rules! embedded {
    ($($year:literal)+) => {
        &[$((
            concat!($year, ".json"),
            include_str!(concat!("../../../../reference/calendars/", $year, ".json")),
        )),+]
    };
}
const EMBEDDED: &[(&str, &str)] = embedded!(
    2009 2010 2011 2012 2013 2014 2015 2016 2017 2018 2019 2020 2021 2022 2023 2024 2025 2026
);

impl Calendar {
    /// The years that are compiled in.
    ///
    /// # Errors
    /// Never: a test reads every one.
    pub fn embedded() -> Result<Self, FileError> {
        let file = |(name, text): &(&str, &str)| ReferenceFile { name: (*name).into(), text: (*text).into() };
        Self::default().with(&EMBEDDED.iter().map(file).collect::<Vec<_>>())
    }

    /// These years and those of more files. Of one year the highest version counts.
    ///
    /// # Errors
    /// The first file that cannot be used: then none is.
    pub fn with(&self, files: &[ReferenceFile]) -> Result<Self, FileError> {
        let mut read: BTreeMap<(i32, u32), &str> = BTreeMap::new();
        let mut years = self.years.clone();
        for file in files {
            let year = CalendarYear::read(file)?;
            if let Some(other) = read.insert((year.year, year.version), &file.name) {
                let reason = format!("{other} has version {} of {} too", year.version, year.year);
                return Err(FileError::new(&file.name, "version", reason));
            }
            match years.entry(year.year) {
                Entry::Vacant(place) => {
                    place.insert(year);
                }
                Entry::Occupied(mut known) if year.version > known.get().version => {
                    known.insert(year);
                }
                Entry::Occupied(known) if year.version == known.get().version && year != *known.get() => {
                    let reason = format!(
                        "differs from version {} that is known: a correction has a higher version",
                        year.version
                    );
                    return Err(FileError::new(&file.name, "version", reason));
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(Self { years })
    }

    /// One year.
    pub fn year(&self, year: i32) -> Option<&CalendarYear> {
        self.years.get(&year)
    }

    /// Every year that is known.
    pub fn years(&self) -> impl Iterator<Item = &CalendarYear> {
        self.years.values()
    }

    /// The versions of the years from one day to another.
    pub fn versions(&self, from: Date, to: Date) -> Vec<CalendarVersion> {
        let (from, to) = (from.min(to).naive().year(), from.max(to).naive().year());
        let version = |year: &CalendarYear| CalendarVersion { year: year.year, version: year.version };
        self.years.range(from..=to).map(|(_, year)| version(year)).collect()
    }

    /// Whether a day is worked.
    ///
    /// # Errors
    /// [`TimeError::CalendarMissing`].
    pub fn is_working_day(&self, date: Date) -> Result<bool, TimeError> {
        let year = date.naive().year();
        let calendar = self.years.get(&year).ok_or(TimeError::CalendarMissing { year })?;
        Ok(calendar.is_working_day(date))
    }

    /// The day itself when it is worked, else the next one that is.
    ///
    /// # Errors
    /// [`TimeError::CalendarMissing`].
    pub fn working_day_from(&self, date: Date) -> Result<Date, TimeError> {
        let mut day = date;
        while !self.is_working_day(day)? {
            day = next(day)?;
        }
        Ok(day)
    }

    /// The working day that is so many behind `from`, which is not counted itself.
    ///
    /// # Errors
    /// [`TimeError::CalendarMissing`]; [`TimeError::TooFar`] beyond [`MOST_DAYS`].
    pub fn add_working_days(&self, from: Date, days: u32) -> Result<Date, TimeError> {
        if days > MOST_DAYS {
            return Err(TimeError::TooFar { field: "days" });
        }
        let mut day = from;
        for _ in 0..days {
            day = self.working_day_from(next(day)?)?;
        }
        Ok(day)
    }

    /// Working days behind `from` up to and with `to`; negative when `to` comes first.
    ///
    /// # Errors
    /// [`TimeError::CalendarMissing`]; [`TimeError::TooFar`] beyond [`MOST_DAYS`].
    pub fn working_days(&self, from: Date, to: Date) -> Result<i64, TimeError> {
        let (mut day, end) = (from.min(to), from.max(to));
        let mut count = 0;
        while day < end {
            day = next(day)?;
            count += i64::from(self.is_working_day(day)?);
            if count > i64::from(MOST_DAYS) {
                return Err(TimeError::TooFar { field: "to" });
            }
        }
        Ok(if from <= to { count } else { -count })
    }

    /// The first day from which it is no more than so many working days to `until`.
    ///
    /// # Errors
    /// [`TimeError::CalendarMissing`]; [`TimeError::TooFar`] beyond [`MOST_DAYS`].
    pub fn first_within(&self, until: Date, days: u32) -> Result<Date, TimeError> {
        if days > MOST_DAYS {
            return Err(TimeError::TooFar { field: "days" });
        }
        let (mut day, mut left) = (until, days);
        // Stepping back over a working day leaves it between the day and `until`.
        loop {
            if self.is_working_day(day)? {
                if left == 0 {
                    return Ok(day);
                }
                left -= 1;
            }
            day = previous(day)?;
        }
    }

    /// The last day to which it is certainly no more than so many working days: never further than the calendar is known.
    pub fn reach(&self, from: Date, days: u32) -> Reach {
        let (mut until, mut count) = (from, 0);
        loop {
            let Ok(day) = next(until) else { return Reach { until, missing: None } };
            match self.is_working_day(day) {
                Ok(worked) => count += u32::from(worked),
                Err(_) => return Reach { until, missing: Some(day.naive().year()) },
            }
            if count > days {
                return Reach { until, missing: None };
            }
            until = day;
        }
    }
}

#[cfg(test)]
mod tests;
