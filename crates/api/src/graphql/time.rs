//! Working days, time limits and deadlines, as the API shows them.
use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, Object, Result, SimpleObject};
use zhixing_domain::{
    Date, TimeReference,
    time::{CalendarVersion, CalendarYear, TimeLimit},
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
    /// Calendar days that were not counted.
    pub paused_days: u32,
    /// The version of the time limit; null when the due date is written in the plan.
    pub rule: Option<TimeLimit>,
    /// Whether anything remains to be done by it.
    #[graphql(skip)]
    pub open: bool,
}

impl Deadline {
    /// The deadline of something whose due date is written in the plan.
    pub fn of_plan(due_on: Date, open: bool) -> Self {
        let source = DeadlineSource::Plan;
        Self { due_on: Some(due_on), source, started_on: None, paused_days: 0, rule: None, open }
    }

    /// The last day, while anything remains to be done by it.
    fn ahead(&self) -> Option<Date> {
        self.due_on.filter(|_| self.open)
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
    /// done. An error `CALENDAR_MISSING` when a year in between is not known.
    async fn remaining_working_days(&self, ctx: &Context<'_>) -> Result<Option<i64>> {
        let remaining = self.ahead().map(|due| reference(ctx).calendar.working_days(today(ctx), due));
        remaining.transpose().map_err(|error| error::time(&error))
    }
    /// The versions of the calendars that the remaining days are counted with.
    async fn calendars(&self, ctx: &Context<'_>) -> Vec<CalendarVersion> {
        self.ahead().map_or_else(Vec::new, |due| reference(ctx).calendar.versions(today(ctx), due))
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
