//! Deadlines (期限届满日): derived from what happened to a clock, never stored. A clock starts, pauses, resumes, is extended
//! and stops.
//!
//! How days are counted: the day on which a clock starts or resumes is not counted (民法典第二百零一条); a month ends on the
//! day of the same number, or on the last one of a shorter month (第二百零二条); a limit in calendar days, months or years
//! that ends on a day of rest ends on the next working day (第二百零三条); limits in working days count those only
//! (行政许可法第八十二条). Of a pause the day on which it begins is counted and the day on which it ends is not.
use chrono::Months;

use super::{
    Calendar, CalendarVersion, TimeError, TimeLimit, TimeLimits, TimeUnit,
    calendar::{MOST_DAYS, next},
};
use crate::Date;

/// Most facts of one clock.
pub const MOST_FACTS: usize = 1_000;

/// Something that happened to a clock, on a day in China.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockFact {
    /// It starts (起算), under a time limit.
    Started {
        /// When.
        on: Date,
        /// The code of the time limit.
        code: String,
    },
    /// It is paused (中止): testing, a hearing. Nothing when it is paused already.
    Paused {
        /// When.
        on: Date,
    },
    /// It goes on (恢复). Nothing when it is running.
    Resumed {
        /// When.
        on: Date,
    },
    /// It is extended (延长) by another time limit, from the old due date.
    Extended {
        /// When.
        on: Date,
        /// The code of the time limit that it is extended by.
        code: String,
    },
    /// It stops (终止): what was to be done is done.
    Stopped {
        /// When.
        on: Date,
    },
}

impl ClockFact {
    const fn on(&self) -> Date {
        match self {
            Self::Started { on, .. }
            | Self::Paused { on }
            | Self::Resumed { on }
            | Self::Extended { on, .. }
            | Self::Stopped { on } => *on,
        }
    }
}

/// Days that are not counted: those behind `from`, up to and with `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    from: Date,
    /// None while it lasts.
    to: Option<Date>,
}

impl Pause {
    fn holds(self, day: Date) -> bool {
        self.from < day && self.to.is_none_or(|to| day <= to)
    }
}

/// When something is due, and how that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The last day; none while the clock is paused.
    pub due_on: Option<Date>,
    /// The day on which the clock started.
    pub started_on: Date,
    /// The day on which it stopped.
    pub stopped_on: Option<Date>,
    /// Since when it is paused.
    pub paused_on: Option<Date>,
    /// Calendar days that were not counted.
    pub paused_days: u32,
    /// The version of the time limit, and of those that it was extended by.
    pub limits: Vec<TimeLimit>,
    /// The versions of the calendars that it was counted with.
    pub calendars: Vec<CalendarVersion>,
    /// The last day, if it were not paused now.
    end: Date,
    pauses: Vec<Pause>,
}

impl Deadline {
    /// Working days that remain on a day; negative when the last day has passed. While a clock is paused, or stopped, as
    /// many as remained then.
    ///
    /// # Errors
    /// [`TimeError::CalendarMissing`].
    pub fn remaining_working_days(&self, on: Date, calendar: &Calendar) -> Result<i64, TimeError> {
        let halted = self.paused_on.or(self.stopped_on);
        let on = halted.map_or(on, |halted| on.min(halted)).max(self.started_on);
        if on >= self.end {
            return calendar.working_days(on, self.end);
        }
        let paused = self.pauses.iter().filter(|pause| pause.to.is_some());
        let mut remaining = calendar.working_days(on, self.end)?;
        for pause in paused {
            let (from, to) = (pause.from.max(on), pause.to.unwrap_or(pause.from).min(self.end));
            remaining -= if from < to { calendar.working_days(from, to)? } else { 0 };
        }
        Ok(remaining)
    }
}

/// The deadline that follows from the facts of one clock, in the order in which they happened. Time limits are those in
/// force on the day the clock started.
///
/// # Errors
/// [`TimeError::Facts`] when they cannot have happened so; [`TimeError::LimitMissing`], [`TimeError::CalendarMissing`].
pub fn deadline(
    facts: &[ClockFact],
    limits: &TimeLimits,
    calendar: &Calendar,
) -> Result<Deadline, TimeError> {
    let Some(ClockFact::Started { on: started_on, code }) = facts.first() else {
        return Err(TimeError::Facts { at: 0, reason: "is not the start of the clock" });
    };
    if facts.len() > MOST_FACTS {
        return Err(TimeError::Facts { at: MOST_FACTS, reason: "is one too many" });
    }
    let started_on = *started_on;
    let mut used = vec![limits.on(code, started_on)?.clone()];
    let mut pauses: Vec<Pause> = Vec::new();
    let mut stopped_on = None;
    for (at, pair) in facts.windows(2).enumerate() {
        let wrong = |reason| TimeError::Facts { at: at + 1, reason };
        if pair[1].on() < pair[0].on() {
            return Err(wrong("happened before the one in front of it"));
        }
        if stopped_on.is_some() {
            return Err(wrong("happened after the clock had stopped"));
        }
        let lasting = pauses.last_mut().filter(|pause| pause.to.is_none());
        match (&pair[1], lasting) {
            (ClockFact::Started { .. }, _) => return Err(wrong("starts the clock again")),
            (ClockFact::Paused { on }, None) => pauses.push(Pause { from: *on, to: None }),
            (ClockFact::Resumed { on }, Some(pause)) => pause.to = Some(*on),
            (ClockFact::Extended { code, .. }, _) => used.push(limits.on(code, started_on)?.clone()),
            (ClockFact::Stopped { on }, _) => stopped_on = Some(*on),
            (ClockFact::Paused { .. } | ClockFact::Resumed { .. }, _) => {}
        }
    }
    // A pause that lasts ends nowhere, so the days are counted as if it had not begun.
    let open = pauses.last().filter(|pause| pause.to.is_none()).map(|pause| pause.from);
    let ended: Vec<Pause> = pauses.iter().copied().filter(|pause| pause.to.is_some()).collect();
    let mut end = started_on;
    let mut counting = Counting { calendar, pauses: &ended, skipped: 0, calendars: Vec::new() };
    for limit in &used {
        end = counting.add(end, limit)?;
    }
    let paused_on = open.filter(|since| *since < end);
    Ok(Deadline {
        due_on: if paused_on.is_some() { None } else { Some(end) },
        started_on,
        stopped_on,
        paused_on,
        paused_days: counting.skipped,
        limits: used,
        calendars: counting.calendars,
        end,
        pauses,
    })
}

/// Days being counted over pauses.
struct Counting<'c> {
    calendar: &'c Calendar,
    pauses: &'c [Pause],
    /// Days that were not counted.
    skipped: u32,
    /// Versions of the calendars that were asked.
    calendars: Vec<CalendarVersion>,
}

impl Counting<'_> {
    /// The day to which a limit leads from `from`, which is not counted itself.
    fn add(&mut self, from: Date, limit: &TimeLimit) -> Result<Date, TimeError> {
        let (end, asked) = if limit.unit == TimeUnit::WorkingDays {
            let end = self.walk(from, limit.value, Calendar::is_working_day)?;
            (end, self.calendar.versions(next(from)?, end))
        } else {
            let last = self.walk(from, calendar_days(from, limit)?, |_, _| Ok(true))?;
            let end = self.calendar.working_day_from(last)?;
            (end, self.calendar.versions(last, end))
        };
        self.calendars.extend(asked);
        self.calendars.sort_unstable();
        self.calendars.dedup();
        Ok(end)
    }

    fn walk(
        &mut self,
        from: Date,
        days: u32,
        counts: impl Fn(&Calendar, Date) -> Result<bool, TimeError>,
    ) -> Result<Date, TimeError> {
        let (mut day, mut left) = (from, days);
        while left > 0 {
            day = next(day)?;
            if self.pauses.iter().any(|pause| pause.holds(day)) {
                self.skipped += 1;
                if self.skipped > MOST_DAYS {
                    return Err(TimeError::TooFar { field: "paused" });
                }
            } else if counts(self.calendar, day)? {
                left -= 1;
            }
        }
        Ok(day)
    }
}

/// How many days a limit in calendar days, months or years is, from this day on.
fn calendar_days(from: Date, limit: &TimeLimit) -> Result<u32, TimeError> {
    let too_far = TimeError::TooFar { field: "value" };
    let months = match limit.unit {
        TimeUnit::Months => limit.value,
        TimeUnit::Years => limit.value.saturating_mul(12),
        TimeUnit::WorkingDays | TimeUnit::CalendarDays => return Ok(limit.value),
    };
    let end = from.naive().checked_add_months(Months::new(months)).ok_or_else(|| too_far.clone())?;
    u32::try_from(Date::from(end).days_since(from)).map_err(|_| too_far)
}

#[cfg(test)]
mod tests;
