//! What a new calendar or a new version of a rule moves (期限变动).
use serde::{Deserialize, Serialize};

use super::{CalendarYear, ClockFact, TimeError, TimeLimit, TimeReference, TimeUnit, deadline};
use crate::Date;

/// A day that follows from working days and time limits, and what it is counted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The last day of a clock.
    Clock(Vec<ClockFact>),
    /// The first day on which it is said that something is due soon (提醒日): so many working days before its due date, by
    /// the version of the rule that is in force on that first day.
    DueSoon {
        /// The code of the time limit.
        code: String,
        /// When it is due.
        due_on: Date,
    },
    /// The day on which something has been overdue for so many calendar days (立项督办日), by the version in force on its
    /// due date.
    CalendarDaysOverdue {
        /// The code of the time limit.
        code: String,
        /// When it was due.
        due_on: Date,
    },
    /// The day on which something has been overdue for so many working days (升级日), by the version in force on its due
    /// date.
    WorkingDaysOverdue {
        /// The code of the time limit.
        code: String,
        /// When it was due.
        due_on: Date,
        /// The day from which the days are counted: the due date, or a later one.
        from: Date,
    },
}

impl Counted {
    /// The code of the time limit that it is counted by.
    pub fn code(&self) -> &str {
        match self {
            Self::Clock(facts) => match facts.first() {
                Some(ClockFact::Started { code, .. }) => code,
                _ => "",
            },
            Self::DueSoon { code, .. }
            | Self::CalendarDaysOverdue { code, .. }
            | Self::WorkingDaysOverdue { code, .. } => code,
        }
    }

    /// The day; none while the clock is paused.
    ///
    /// # Errors
    /// Why it cannot be counted.
    pub fn day(&self, by: &TimeReference) -> Result<Option<Date>, TimeError> {
        match self {
            Self::Clock(facts) => deadline(facts, &by.limits, &by.calendar).map(|deadline| deadline.due_on),
            Self::DueSoon { code, due_on } => due_soon(code, *due_on, by),
            Self::CalendarDaysOverdue { code, due_on } => {
                let limit = limit(code, *due_on, TimeUnit::CalendarDays, by)?;
                Ok(Some(due_on.plus(i32::try_from(limit.value).unwrap_or(i32::MAX))))
            }
            Self::WorkingDaysOverdue { code, due_on, from } => {
                let limit = limit(code, *due_on, TimeUnit::WorkingDays, by)?;
                by.calendar.add_working_days(*from, limit.value).map(Some)
            }
        }
    }
}

/// The version of a day; one in another unit than it is counted in is none.
fn limit<'r>(
    code: &str,
    on: Date,
    unit: TimeUnit,
    by: &'r TimeReference,
) -> Result<&'r TimeLimit, TimeError> {
    let limit = by.limits.on(code, on)?;
    if limit.unit == unit { Ok(limit) } else { Err(TimeError::LimitMissing { code: code.into(), on }) }
}

/// The first day on which the version of that day reaches to the due date.
fn due_soon(code: &str, due_on: Date, by: &TimeReference) -> Result<Option<Date>, TimeError> {
    for limit in by.limits.versions(code).iter().filter(|limit| limit.unit == TimeUnit::WorkingDays) {
        let first = by.calendar.first_within(due_on, limit.value)?.max(limit.valid_from);
        if first <= due_on && limit.is_in_force(first) {
            return Ok(Some(first));
        }
    }
    Err(TimeError::LimitMissing { code: code.into(), on: due_on })
}

/// A day that is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved<K> {
    /// Whose it is.
    pub key: K,
    /// The day as it was counted before, or why there was none; none while the clock is paused.
    pub before: Result<Option<Date>, TimeError>,
    /// The day as it is counted now, or why there is none any more.
    pub after: Result<Option<Date>, TimeError>,
}

/// Every one of these days that differs between two states of the reference data.
pub fn moved<K>(
    counted: impl IntoIterator<Item = (K, Counted)>,
    before: &TimeReference,
    after: &TimeReference,
) -> Vec<Moved<K>> {
    let compare = |(key, counted): (K, Counted)| {
        let (before, after) = (counted.day(before), counted.day(after));
        (before != after).then_some(Moved { key, before, after })
    };
    counted.into_iter().filter_map(compare).collect()
}

/// A calendar that differs between two states of the reference data (工作日历变动).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
pub struct CalendarChange {
    /// Of which year.
    pub year: i32,
    /// Its version before; null when the year was not known.
    pub before: Option<u32>,
    /// Its version now; null when the year is not known any more.
    pub after: Option<u32>,
}

/// A version of a time limit that differs between two states of the reference data (时限规则变动).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
pub struct TimeLimitChange {
    /// Its code.
    pub code: String,
    /// The version before; null when it is new.
    pub before: Option<TimeLimit>,
    /// The version now; null when it is gone.
    pub after: Option<TimeLimit>,
}

/// What differs between two states of the reference data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Years whose calendars do.
    pub calendars: Vec<CalendarChange>,
    /// Versions of time limits that do, each by its code and first day of force.
    pub limits: Vec<TimeLimitChange>,
}

impl Difference {
    /// What differs between these two.
    pub fn between(before: &TimeReference, after: &TimeReference) -> Self {
        let mut years: Vec<i32> =
            before.calendar.years().chain(after.calendar.years()).map(|year| year.year).collect();
        years.sort_unstable();
        years.dedup();
        let calendars = years
            .into_iter()
            .filter_map(|year| {
                let (before, after) = (before.calendar.year(year), after.calendar.year(year));
                let number = |of: Option<&CalendarYear>| of.map(|year| year.version);
                (before != after).then(|| CalendarChange {
                    year,
                    before: number(before),
                    after: number(after),
                })
            })
            .collect();
        let mut versions: Vec<(&str, Date)> = before
            .limits
            .all()
            .chain(after.limits.all())
            .map(|limit| (&*limit.code, limit.valid_from))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        let limits = versions
            .into_iter()
            .filter_map(|(code, from)| {
                let (before, after) = (before.limits.version(code, from), after.limits.version(code, from));
                (before != after).then(|| TimeLimitChange {
                    code: code.to_owned(),
                    before: before.cloned(),
                    after: after.cloned(),
                })
            })
            .collect();
        Self { calendars, limits }
    }
}

#[cfg(test)]
mod tests;
