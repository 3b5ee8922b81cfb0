//! A beginning for a report (报告草稿): what the unit's tasks have come to, and what it measured, since its report before.
use std::collections::HashMap;
use std::fmt::Write;

use async_graphql::{Context, Result, SimpleObject};
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::{Amount, Date};

use super::{
    connection::{By, Holds, Narrow, OrderDirection, Paging, page},
    context::Ask,
    error,
    found::Found,
    indicator::{Indicator, Measurement},
    projection::{self, TimelineEntry},
    region::Region,
    report::Report,
    task::{self, Task},
};
use crate::projections::timeline::{self, Entry};

/// Most tasks of one unit in one plan that a draft looks at.
const MOST_TASKS: u64 = 500;
/// Most things that happened which a draft tells.
const MOST_ENTRIES: u64 = 1_000;
/// Most values that a draft looks at: measured by the unit, and corrected by anybody.
const MOST_VALUES: u64 = 1_000;

/// What an official tells of a task, as a draft says it.
const TOLD: [(&str, &str); 6] = [
    ("TaskAccepted", "接收任务"),
    ("TaskProgressReported", "报告进展"),
    ("TaskCompletionReported", "报告完成"),
    ("TaskReturned", "退回"),
    ("TaskCompletionVerified", "核验完成"),
    ("TaskBecameOverdue", "逾期"),
];

/// What happened to one task.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportDraftTask {
    /// The task, as it is now.
    pub task: Found<Task>,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
}

/// A value that the unit measured.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportDraftMeasurement {
    /// Of what.
    pub indicator: Found<Indicator>,
    /// As it was recorded.
    pub measurement: Measurement,
    /// The value as it is now: it may have been corrected since.
    pub present_value: Amount,
}

/// A beginning for a report (报告草稿).
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportDraft {
    /// From which day on it tells: that of the report before, or the first day of the period.
    pub since: Date,
    /// The unit's tasks in the plan to which something happened, by number.
    pub tasks: Vec<ReportDraftTask>,
    /// What the unit measured of the plan's indicators, by indicator and period.
    pub measurements: Vec<ReportDraftMeasurement>,
    /// The same in words, for a text field; empty when nothing happened.
    pub text: String,
}

impl ReportDraft {
    /// The draft of this report.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(ctx: &Context<'_>, report: &Report) -> Result<Self> {
        let pool = ctx.store().pool();
        projection::reach(ctx, timeline::NAME, None).await?;
        let since = since(ctx, report).await?;
        let own = Condition::all()
            .has("plan_id", Some(report.plan_id))
            .names(Some(report.reporter_id().uuid()), &[task::LEAD, task::SUPPORT]);
        let mut tasks: Vec<Task> = pool.all(own, MOST_TASKS).await.map_err(error::fault)?;
        tasks.sort_by(|one, other| one.number_order.cmp(&other.number_order));
        let told = Condition::all()
            .add(Expr::col("subject_id").is_in(tasks.iter().map(|task| task.life.id.0.uuid())))
            .add(Expr::col("event_type").is_in(TOLD.map(|(event, _)| event)))
            .add(Expr::col("recorded_at").gte(Expr::value(since.begins())));
        let mut entries: Vec<Entry> = pool.all(told, MOST_ENTRIES).await.map_err(error::fault)?;
        entries.sort_by_key(|entry| entry.position);
        let mut of_task: HashMap<Uuid, Vec<Entry>> = HashMap::new();
        for entry in entries {
            of_task.entry(entry.subject_id).or_default().push(entry);
        }
        let mut text = String::new();
        let mut told = Vec::new();
        for task in tasks {
            let Some(entries) = of_task.remove(&task.life.id.0.uuid()) else { continue };
            tell(&mut text, &task, &entries);
            told.push(ReportDraftTask {
                task: Found::new(task),
                entries: entries.into_iter().map(TimelineEntry).collect(),
            });
        }
        let measurements = measured(ctx, report, since).await?;
        for ReportDraftMeasurement {
            indicator,
            measurement: Measurement { period, region_code, .. },
            present_value,
        } in &measurements
        {
            let elsewhere = Region::find(*region_code).filter(|_| *region_code != indicator.region_code);
            let place = elsewhere.map(|region| format!(" {}", region.0.name)).unwrap_or_default();
            let _ = writeln!(text, "{}{place} {period}：{present_value}{}", indicator.name, indicator.unit);
        }
        Ok(Self { since, tasks: told, measurements, text })
    }
}

/// What the unit measured since then, with the values as they are now.
async fn measured(ctx: &Context<'_>, report: &Report, since: Date) -> Result<Vec<ReportDraftMeasurement>> {
    let pool = ctx.store().pool();
    let since = || Expr::col("recorded_at").gte(Expr::value(since.begins()));
    let own = Condition::all().has("reported_by_id", Some(report.reporter_id)).add(since());
    let own: Vec<Measurement> = pool.all(own, MOST_VALUES).await.map_err(error::fault)?;
    let ids = || own.iter().map(|value| value.indicator_id.0.uuid());
    let of_plan = Condition::all().has("plan_id", Some(report.plan_id)).add(Expr::col("id").is_in(ids()));
    let indicators: Vec<Indicator> = pool.all(of_plan, MOST_VALUES).await.map_err(error::fault)?;
    let indicators: HashMap<Uuid, Found<Indicator>> =
        indicators.into_iter().map(|indicator| (indicator.life.id.0.uuid(), Found::new(indicator))).collect();
    // Whoever corrected a value did so after it was recorded.
    let corrected = Condition::all()
        .add(Expr::col("indicator_id").is_in(indicators.keys().copied()))
        .add(Expr::col("former_value").is_not_null())
        .add(since());
    let mut corrected: Vec<Measurement> = pool.all(corrected, MOST_VALUES).await.map_err(error::fault)?;
    corrected.sort_by_key(|value| value.version);
    let present: HashMap<(Uuid, i32), Amount> =
        corrected.iter().map(|value| ((value.indicator_id.0.uuid(), value.number), value.value)).collect();
    let mut measured: Vec<ReportDraftMeasurement> = own
        .into_iter()
        .filter_map(|measurement| {
            let id = measurement.indicator_id.0.uuid();
            let indicator = indicators.get(&id)?.clone();
            let present_value = present.get(&(id, measurement.number)).copied().unwrap_or(measurement.value);
            Some(ReportDraftMeasurement { indicator, measurement, present_value })
        })
        .collect();
    measured.sort_by(|one, other| {
        let by = |value: &ReportDraftMeasurement| {
            let Measurement { period_end, region_code, number, .. } = value.measurement;
            (value.indicator.code.clone(), period_end, region_code, number)
        };
        by(one).cmp(&by(other))
    });
    Ok(measured)
}

/// The day of the report before, from the same unit to the same addressee; else the first day of the period.
async fn since(ctx: &Context<'_>, report: &Report) -> Result<Date> {
    let former = Condition::all()
        .has("duty_id", Some(report.duty_id))
        .has("reporter_id", Some(report.reporter_id))
        .has("addressee_id", Some(report.addressee_id))
        .add(Expr::col("due_on").lt(Expr::value(report.due_on)))
        .add(Expr::col("submitted_on").is_not_null());
    let last = By::column("due_on", Holds::Date).directed(OrderDirection::Desc);
    let paging = Paging { first: Some(1), ..Paging::default() };
    let former = page::<Report>(ctx, former, last, paging).await?.rows.pop();
    Ok(former.and_then(|former| former.submitted_on).unwrap_or(report.period.days().0))
}

/// `4.2 推进标准化（60%）` and a line for each thing that happened.
fn tell(text: &mut String, task: &Task, entries: &[Entry]) {
    let _ = writeln!(text, "{} {}（{}%）", task.number, task.title, task.progress_percent);
    for entry in entries {
        let what = TOLD.iter().find(|(event, _)| *event == entry.event_type).map_or("", |(_, term)| term);
        let words: Vec<&str> = entry.words.lines().filter(|line| !line.trim().is_empty()).collect();
        let mark = if words.is_empty() { "" } else { "：" };
        let _ = writeln!(text, "  {} {what}{mark}{}", Date::of(entry.recorded_at), words.join("；"));
    }
}
