//! Working days, time limits and deadlines, as the API shows them.
use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use zhixing_domain::{
    Date, TimeReference,
    time::{self, CalendarVersion, CalendarYear, ClockFact, TimeLimit},
};

use super::{context::Ask, error};

/// Where a due date comes from (期限来源).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DeadlineSource {
    /// It is written in the plan (方案载明).
    Plan,
    /// It follows from a time limit (时限规则).
    Rule,
}

/// When something is due, and how that was counted (期限).
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Deadline {
    /// The last day; null while the clock is paused.
    pub due_on: Option<Date>,
    /// Where it comes from.
    pub source: DeadlineSource,
    /// The day on which the clock started, which is not counted; null when the due date is written in the plan.
    pub started_on: Option<Date>,
    /// Since when the clock is paused.
    pub paused_on: Option<Date>,
    /// Calendar days that were not counted.
    pub paused_days: u32,
    /// The version of the time limit; null when the due date is written in the plan.
    pub rule: Option<TimeLimit>,
    /// The versions of the time limits that it was extended by, in order.
    pub extensions: Vec<TimeLimit>,
    #[graphql(skip)]
    rest: Rest,
}

/// What the remaining days are counted to.
#[derive(Clone, Debug)]
enum Rest {
    /// Nothing remains to be done.
    Nothing,
    /// To a day.
    To(Date),
    /// To the end of a clock.
    Clock(Box<time::Deadline>),
}

impl Deadline {
    /// The deadline of something whose due date is written in the plan; `open` while it remains to be done.
    pub fn of_plan(due_on: Date, open: bool) -> Self {
        Self {
            due_on: Some(due_on),
            source: DeadlineSource::Plan,
            started_on: None,
            paused_on: None,
            paused_days: 0,
            rule: None,
            extensions: Vec::new(),
            rest: if open { Rest::To(due_on) } else { Rest::Nothing },
        }
    }

    /// The deadline of a clock.
    pub fn of_clock(deadline: time::Deadline) -> Self {
        let mut limits = deadline.limits.iter().cloned();
        Self {
            due_on: deadline.due_on,
            source: DeadlineSource::Rule,
            started_on: Some(deadline.started_on),
            paused_on: deadline.paused_on,
            paused_days: deadline.paused_days,
            rule: limits.next(),
            extensions: limits.collect(),
            rest: Rest::Clock(Box::new(deadline)),
        }
    }

    /// The deadline of a clock that starts on a day under the time limit of this code, and stops when that is said.
    ///
    /// # Errors
    /// When the time limit or a calendar is missing.
    pub fn of_rule(ctx: &Context<'_>, code: &str, from: Date, until: Option<Date>) -> Result<Self> {
        let TimeReference { calendar, limits } = reference(ctx);
        let started = ClockFact::Started { on: from, code: code.to_owned() };
        let facts: Vec<ClockFact> =
            std::iter::once(started).chain(until.map(|on| ClockFact::Stopped { on })).collect();
        time::deadline(&facts, limits, calendar).map(Self::of_clock).map_err(|error| error::time(&error))
    }
}

fn today(ctx: &Context<'_>) -> Date {
    Date::of(ctx.store().clock().now())
}

fn reference<'c>(ctx: &Context<'c>) -> &'c TimeReference {
    ctx.data_unchecked::<Arc<TimeReference>>()
}

#[ComplexObject]
impl Deadline {
    /// Working days that remain today, the last day counted; negative when it has passed, null when nothing remains to be
    /// done. While a clock is paused, or stopped, as many as remained then. An error `CALENDAR_MISSING` when a year in
    /// between is not known.
    async fn remaining_working_days(&self, ctx: &Context<'_>) -> Result<Option<i64>> {
        let (calendar, today) = (&reference(ctx).calendar, today(ctx));
        let remaining = match &self.rest {
            Rest::Nothing => return Ok(None),
            Rest::To(due) => calendar.working_days(today, *due),
            Rest::Clock(deadline) => deadline.remaining_working_days(today, calendar),
        };
        remaining.map(Some).map_err(|error| error::time(&error))
    }
    /// The versions of the calendars that the last day, or to it, was counted with.
    async fn calendars(&self, ctx: &Context<'_>) -> Vec<CalendarVersion> {
        match &self.rest {
            Rest::Nothing => Vec::new(),
            Rest::To(due) => reference(ctx).calendar.versions(today(ctx), *due),
            Rest::Clock(deadline) => deadline.calendars.clone(),
        }
    }
}

/// What can happen to a clock (计时事项).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ClockFactKind {
    /// It starts, under a time limit (起算).
    Started,
    /// It is paused (中止).
    Paused,
    /// It goes on (恢复).
    Resumed,
    /// It is extended by another time limit, from the old last day (延长).
    Extended,
    /// It stops (终止).
    Stopped,
}

/// Something that happened to a clock.
#[derive(Clone, Debug, InputObject)]
pub struct ClockFactInput {
    /// What.
    pub kind: ClockFactKind,
    /// When.
    pub on: Date,
    /// The code of the time limit that it starts under or is extended by.
    pub code: Option<String>,
}

impl ClockFactInput {
    fn fact(self, at: usize) -> Result<ClockFact> {
        let on = self.on;
        let named = self.code.is_some();
        if named != matches!(self.kind, ClockFactKind::Started | ClockFactKind::Extended) {
            let reason =
                if named { "belongs to STARTED and EXTENDED only" } else { "must name a time limit" };
            return Err(error::invalid(&format!("facts[{at}].code"), reason));
        }
        let code = self.code.unwrap_or_default();
        Ok(match self.kind {
            ClockFactKind::Started => ClockFact::Started { on, code },
            ClockFactKind::Paused => ClockFact::Paused { on },
            ClockFactKind::Resumed => ClockFact::Resumed { on },
            ClockFactKind::Extended => ClockFact::Extended { on, code },
            ClockFactKind::Stopped => ClockFact::Stopped { on },
        })
    }
}

/// A number of working days between two days.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkingDays {
    /// The day from which it is counted; it is not counted itself.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// How many days behind `from`, up to and with `to`, are worked; negative when `to` comes first.
    pub count: i64,
    /// The versions of the calendars that it was counted with.
    pub calendars: Vec<CalendarVersion>,
}

/// Questions about time.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "TimeQueries")]
impl Queries {
    /// Holidays and make-up working days of a year (工作日历); null when they are not known.
    async fn calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which year.")] year: i32,
    ) -> Option<CalendarYear> {
        reference(ctx).calendar.year(year).cloned()
    }

    /// How many working days lie behind `from`, up to and with `to`. An error `CALENDAR_MISSING` when a year in between is
    /// not known.
    async fn working_days(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day from which it is counted; it is not counted itself.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
    ) -> Result<WorkingDays> {
        let calendar = &reference(ctx).calendar;
        let count = calendar.working_days(from, to).map_err(|error| error::time(&error))?;
        Ok(WorkingDays { from, to, count, calendars: calendar.versions(from, to) })
    }

    /// The working day that is so many working days behind `from`. An error `CALENDAR_MISSING` when a year in between is
    /// not known.
    async fn add_working_days(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day from which it is counted; it is not counted itself.")] from: Date,
        #[graphql(desc = "How many, 0 to 10,000.")] days: i32,
    ) -> Result<WorkingDays> {
        let calendar = &reference(ctx).calendar;
        let days = u32::try_from(days).map_err(|_| error::invalid("days", "is less than 0"))?;
        let to = calendar.add_working_days(from, days).map_err(|error| error::time(&error))?;
        Ok(WorkingDays { from, to, count: i64::from(days), calendars: calendar.versions(from, to) })
    }

    /// The deadline that follows from what happened to a clock, in order; nothing is recorded. An error
    /// `CALENDAR_MISSING` or `TIME_LIMIT_MISSING` when it cannot be counted.
    async fn deadline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What happened, at most 1,000 facts; the first is the start.")] facts: Vec<
            ClockFactInput,
        >,
    ) -> Result<Deadline> {
        let TimeReference { calendar, limits } = reference(ctx);
        let facts = facts.into_iter().enumerate().map(|(at, fact)| fact.fact(at));
        let facts = facts.collect::<Result<Vec<ClockFact>>>()?;
        let deadline = time::deadline(&facts, limits, calendar).map_err(|error| error::time(&error))?;
        Ok(Deadline::of_clock(deadline))
    }

    /// Time limits in all their versions (时限规则), by code, oldest first.
    async fn time_limits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this code, such as `COMPLAINT_ACCEPTANCE`; all when left out.")] code: Option<
            String,
        >,
        #[graphql(desc = "Only versions in force on this day.")] on: Option<Date>,
    ) -> Vec<TimeLimit> {
        let wanted = |limit: &&TimeLimit| {
            code.as_ref().is_none_or(|code| *code == limit.code) && on.is_none_or(|on| limit.is_in_force(on))
        };
        reference(ctx).limits.all().filter(wanted).cloned().collect()
    }
}
