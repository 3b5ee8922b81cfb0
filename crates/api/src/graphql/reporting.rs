//! Reporting as a whole: how complete and timely (报送率), and the calendar of who owes what when (报送日历).
//!
//! Both are counted from the rows of reports, each read once and as of a day: what was handed in behind that day, or is
//! due behind it, does not count. A figure is explained by the reports it counts.
use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use rust_decimal::Decimal;
use sea_query::{Expr, ExprTrait};
use serde::Serialize;
use uuid::Uuid;
use zhixing_domain::{
    Amount, Date, Id, Period, RegionCode, Rejection,
    id::Key,
    organisation::unit,
    performance::{
        report::{self, LockReport, ReportStatus},
        reporting_duty as duty,
    },
    programme::plan,
};
use zhixing_event_store::{Error, Row, Table};

use super::{
    command::{answered, together},
    connection::{DateRange, Narrow},
    context::Ask,
    error::{self, UserError},
    event::Position,
    found::Found,
    region::Region,
    report::Report,
    reporting_duty::ReportingDuty,
    unit::Unit,
    view::Visible,
};

/// Most reports that one figure or calendar is counted from.
const MOST: u64 = 20_000;
/// Most rows of a calendar.
const MOST_ROWS: i32 = 100;
/// Most reports that are locked at once.
const MOST_LOCKED: u64 = 2_000;

/// What a rate needs of a report.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
struct Counted {
    id: Key<report::Report>,
    status: ReportStatus,
    region_code: RegionCode,
    duty_id: Key<duty::ReportingDuty>,
    reporter_id: Key<unit::Unit>,
    addressee_id: Key<unit::Unit>,
    period: Period,
    due_on: Date,
    first_submitted_on: Option<Date>,
    locked: bool,
}

impl Row for Counted {
    const TABLE: &'static Table = &Table {
        name: "reports",
        columns: &[
            "id",
            "status",
            "region_code",
            "duty_id",
            "reporter_id",
            "addressee_id",
            "period",
            "due_on",
            "first_submitted_on",
            "locked",
        ],
    };
    fn key(&self) -> Uuid {
        self.id.0.uuid()
    }
}

/// Which reports a figure or calendar is counted from; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ReportingWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Owed by this duty.
    pub duty: Option<Id<duty::ReportingDuty>>,
    /// Of this unit.
    pub reporter: Option<Id<unit::Unit>>,
    /// Of units of this region and all inside it.
    pub region: Option<RegionCode>,
    /// Of these periods.
    pub period: Option<Vec<Period>>,
    /// Due in this range.
    pub due: Option<DateRange>,
}

async fn counted(ctx: &Context<'_>, wanted: ReportingWhere) -> Result<Vec<Counted>> {
    let filter = Report::visible_to(ctx.viewer())
        .has("plan_id", wanted.plan)
        .has("duty_id", wanted.duty)
        .has("reporter_id", wanted.reporter)
        .in_region(wanted.region)
        .one_of("period", wanted.period)?
        .in_range("due_on", wanted.due);
    let rows: Vec<Counted> = ctx.store().pool().all(filter, MOST + 1).await.map_err(error::fault)?;
    if rows.len() as u64 > MOST {
        return Err(error::invalid("where", "admits more than 20,000 reports: narrow it"));
    }
    Ok(rows)
}

/// What rates are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ReportingRateBy {
    /// All in one.
    All,
    /// By the unit that reports.
    Unit,
    /// By the region of the unit that reports.
    Region,
    /// By period.
    Period,
    /// By duty.
    Duty,
}

/// How complete and timely reports were (报送率). Waived reports do not count.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct ReportingRate {
    /// The unit, when told apart by it.
    pub unit: Option<Found<Unit>>,
    /// The region, when told apart by it.
    pub region: Option<Region>,
    /// The period, when told apart by it.
    pub period: Option<Period>,
    /// The duty, when told apart by it.
    pub duty: Option<Found<ReportingDuty>>,
    /// Reports whose due date had passed, or that were handed in, by that day.
    pub owed: i32,
    /// Of those, handed in by that day.
    pub submitted: i32,
    /// Of those, handed in no later than the due date.
    pub timely: i32,
    /// Of those, accepted by now.
    pub accepted: i32,
    /// Percent handed in, to two places (完整率); null when nothing was owed.
    pub completeness: Option<Amount>,
    /// Percent handed in in time, to two places (及时率); null when nothing was owed.
    pub timeliness: Option<Amount>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    owed: i32,
    submitted: i32,
    timely: i32,
    accepted: i32,
}

impl Sum {
    fn add(&mut self, report: &Counted, as_of: Date) {
        let handed_in = report.first_submitted_on.filter(|day| *day <= as_of);
        if report.status == ReportStatus::Waived || handed_in.is_none() && report.due_on >= as_of {
            return;
        }
        self.owed += 1;
        self.submitted += i32::from(handed_in.is_some());
        self.timely += i32::from(handed_in.is_some_and(|day| day <= report.due_on));
        self.accepted += i32::from(handed_in.is_some() && report.status == ReportStatus::Accepted);
    }
    fn percent(&self, part: i32) -> Option<Amount> {
        let share = Decimal::from(part * 100).checked_div(self.owed.into())?;
        Some(share.round_dp(2).into())
    }
    fn rate(&self) -> ReportingRate {
        ReportingRate {
            owed: self.owed,
            submitted: self.submitted,
            timely: self.timely,
            accepted: self.accepted,
            completeness: self.percent(self.submitted),
            timeliness: self.percent(self.timely),
            ..ReportingRate::default()
        }
    }
}

fn sums<K: Ord>(rows: &[Counted], as_of: Date, key: impl Fn(&Counted) -> K) -> BTreeMap<K, Sum> {
    let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
    for row in rows {
        sums.entry(key(row)).or_default().add(row, as_of);
    }
    sums
}

/// A report in a calendar.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct ReportingCell {
    /// The report.
    pub id: Key<report::Report>,
    /// Where it stands.
    pub status: ReportStatus,
    /// When it is due.
    pub due_on: Date,
    /// When it was handed in for the first time.
    pub first_submitted_on: Option<Date>,
    /// Whether it is owed although the due date has passed.
    pub is_overdue: bool,
    /// Whether its period is closed.
    pub locked: bool,
}

/// The reports of one unit to one addressee.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportingCalendarRow {
    /// The duty.
    pub duty: Option<Found<ReportingDuty>>,
    /// The unit that reports.
    pub reporter: Option<Found<Unit>>,
    /// The unit that it reports to.
    pub addressee: Option<Found<Unit>>,
    /// A cell for each of the calendar's periods, in their order; null where no report is owed.
    pub cells: Vec<Option<ReportingCell>>,
}

/// Who owes what when: a row for each reporting unit and addressee of a duty, a column for each period (报送日历).
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportingCalendar {
    /// The columns, by their first day, longer ones first.
    pub periods: Vec<Period>,
    /// The rows of this page, by duty, region and reporting unit.
    pub rows: Vec<ReportingCalendarRow>,
    /// How many rows there are on all pages.
    pub total_rows: i32,
}

/// Closes a period (锁定报告期).
#[derive(Clone, Debug, InputObject)]
pub struct LockReportingPeriod {
    /// The plan.
    pub plan_id: Id<plan::Plan>,
    /// The period.
    pub period: Period,
    /// Only the reports of this unit; those of all units when left out.
    pub reporter_id: Option<Id<unit::Unit>>,
    /// Why, such as that the figures of the period were published.
    pub reason: String,
}

/// What came of closing a period.
#[derive(Debug, Default, SimpleObject)]
pub struct LockReportingPeriodPayload {
    /// How many reports were locked now; those that were locked before do not count.
    pub locked: i32,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

/// Questions about reporting as a whole.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ReportingQueries")]
impl Queries {
    /// How complete and timely reports were on a day. For officials; at most 20,000 reports are counted.
    async fn reporting_rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Counted from which reports; from all when left out.")] r#where: Option<
            ReportingWhere,
        >,
        #[graphql(desc = "Told apart by what.")] by: ReportingRateBy,
        #[graphql(desc = "On which day; today when left out.")] as_of: Option<Date>,
    ) -> Result<Vec<ReportingRate>> {
        let as_of = as_of.unwrap_or_else(|| Date::of(ctx.store().clock().now()));
        let rows = counted(ctx, r#where.unwrap_or_default()).await?;
        let mut rates = Vec::new();
        match by {
            ReportingRateBy::All => {
                let sum = sums(&rows, as_of, |_| ()).remove(&()).unwrap_or_default();
                rates.push(sum.rate());
            }
            ReportingRateBy::Unit => {
                for (unit, sum) in sums(&rows, as_of, |row| (row.region_code, row.reporter_id.0.uuid())) {
                    rates.push(ReportingRate { unit: ctx.load(Id::new(unit.1)).await?, ..sum.rate() });
                }
            }
            ReportingRateBy::Region => {
                for (region, sum) in sums(&rows, as_of, |row| row.region_code) {
                    rates.push(ReportingRate { region: Region::find(region), ..sum.rate() });
                }
            }
            ReportingRateBy::Period => {
                for (period, sum) in sums(&rows, as_of, |row| (row.period.days().0, row.period)) {
                    rates.push(ReportingRate { period: Some(period.1), ..sum.rate() });
                }
            }
            ReportingRateBy::Duty => {
                for (duty, sum) in sums(&rows, as_of, |row| row.duty_id.0.uuid()) {
                    rates.push(ReportingRate { duty: ctx.load(Id::new(duty)).await?, ..sum.rate() });
                }
            }
        }
        Ok(rates)
    }

    /// Who owes what when. For officials; at most 20,000 reports are shown.
    async fn reporting_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Made of which reports; of all when left out.")] r#where: Option<ReportingWhere>,
        #[graphql(default = 50, desc = "At most so many rows, 1 to 100.")] first: i32,
        #[graphql(default, desc = "Rows behind the first so many.")] skip: i32,
    ) -> Result<ReportingCalendar> {
        if !(1..=MOST_ROWS).contains(&first) {
            return Err(error::invalid("first", "is not between 1 and 100"));
        }
        let skip = usize::try_from(skip).map_err(|_| error::invalid("skip", "is less than 0"))?;
        let today = Date::of(ctx.store().clock().now());
        let reports = counted(ctx, r#where.unwrap_or_default()).await?;
        let columns: BTreeSet<(Date, std::cmp::Reverse<Date>, Period)> = reports
            .iter()
            .map(|report| {
                let (from, to) = report.period.days();
                (from, std::cmp::Reverse(to), report.period)
            })
            .collect();
        let periods: Vec<Period> = columns.into_iter().map(|(.., period)| period).collect();
        let mut lines: BTreeMap<(Uuid, RegionCode, Uuid, Uuid), Vec<Option<ReportingCell>>> = BTreeMap::new();
        for report in &reports {
            let key = (
                report.duty_id.0.uuid(),
                report.region_code,
                report.reporter_id.0.uuid(),
                report.addressee_id.0.uuid(),
            );
            let cells = lines.entry(key).or_insert_with(|| vec![None; periods.len()]);
            let Some(at) = periods.iter().position(|period| *period == report.period) else { continue };
            cells[at] = Some(ReportingCell {
                id: report.id,
                status: report.status,
                due_on: report.due_on,
                first_submitted_on: report.first_submitted_on,
                is_overdue: report.status == ReportStatus::Open && report.due_on < today,
                locked: report.locked,
            });
        }
        let total_rows = i32::try_from(lines.len()).unwrap_or(i32::MAX);
        let mut rows = Vec::new();
        let page = lines.into_iter().skip(skip).take(usize::try_from(first).unwrap_or_default());
        for ((duty, _, reporter, addressee), cells) in page {
            rows.push(ReportingCalendarRow {
                duty: ctx.load(Id::new(duty)).await?,
                reporter: ctx.load(Id::new(reporter)).await?,
                addressee: ctx.load(Id::new(addressee)).await?,
                cells,
            });
        }
        Ok(ReportingCalendar { periods, rows, total_rows })
    }
}

/// What is done to many reports at once.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "ReportingMutations")]
impl Mutations {
    /// Closes a period: all its reports of a plan, or of one unit, are locked together (锁定报告期). May be repeated: what
    /// is locked stays so. At most 2,000 reports. As long as a report of a unit is locked, its officers also record and correct
    /// no measurement of the plan in a period that shares a day with it.
    async fn lock_reporting_period(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: LockReportingPeriod,
    ) -> Result<LockReportingPeriodPayload> {
        answered(ctx, lock(ctx, input).await)
    }
}
together!(LockReportingPeriodPayload);

async fn lock(ctx: &Context<'_>, input: LockReportingPeriod) -> Result<LockReportingPeriodPayload, Error> {
    let LockReportingPeriod { plan_id, period, reporter_id, reason } = input;
    let filter = Report::visible_to(ctx.viewer())
        .add(Expr::col("plan_id").eq(plan_id.uuid()))
        .add(Expr::col("period").eq(Expr::value(period)))
        .add(Expr::col("locked").eq(false))
        .has("reporter_id", reporter_id);
    let open: Vec<Counted> = ctx.store().pool().all(filter, MOST_LOCKED + 1).await?;
    if open.len() as u64 > MOST_LOCKED {
        let reason = "has more than 2,000 reports to lock: name a unit";
        return Err(Rejection::invalid("period", reason).into());
    }
    let mut work = ctx.store().begin(ctx.viewer(), None);
    for report in &open {
        let command = LockReport { id: report.id.0, reason: reason.clone() };
        work.run::<Report>(report.id.0, None, command).await?;
    }
    let events = work.commit(None).await?;
    Ok(LockReportingPeriodPayload {
        locked: i32::try_from(events.len()).unwrap_or(i32::MAX),
        position: events.last().map(|event| Position(event.position)),
        errors: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(due: &str, handed_in: Option<&str>, status: ReportStatus) -> Counted {
        Counted {
            id: Key(Id::new(Uuid::nil())),
            status,
            region_code: RegionCode::COUNTRY,
            duty_id: Key(Id::new(Uuid::nil())),
            reporter_id: Key(Id::new(Uuid::nil())),
            addressee_id: Key(Id::new(Uuid::nil())),
            period: "2011Q2".parse().unwrap(),
            due_on: due.parse().unwrap(),
            first_submitted_on: handed_in.map(|day| day.parse().unwrap()),
            locked: false,
        }
    }

    #[test]
    fn rates_count_what_was_owed_on_the_day() {
        let reports = [
            report("2011-06-30", Some("2011-06-30"), ReportStatus::Accepted),
            report("2011-06-30", Some("2011-07-01"), ReportStatus::Returned),
            report("2011-06-30", None, ReportStatus::Open),
            report("2011-06-30", None, ReportStatus::Waived),
        ];
        let on = |day: &str| {
            let sum = sums(&reports, day.parse().unwrap(), |_| ()).remove(&()).unwrap();
            let percent = |part| sum.percent(part).map(|percent| percent.to_string());
            (sum.owed, sum.submitted, sum.timely, sum.accepted, percent(sum.timely))
        };
        assert_eq!(on("2011-06-29"), (0, 0, 0, 0, None));
        // On the last day only what was handed in counts: the others are not late yet.
        assert_eq!(on("2011-06-30"), (1, 1, 1, 1, Some("100".into())));
        assert_eq!(on("2011-07-01"), (3, 2, 1, 1, Some("33.33".into())));
    }
}
