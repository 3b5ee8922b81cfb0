//! A beginning for a report (报告草稿): what the unit's tasks have come to since its report before.
use std::collections::HashMap;
use std::fmt::Write;

use async_graphql::{Context, Result, SimpleObject};
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::Date;

use super::{
    connection::{By, Holds, Narrow, OrderDirection, Paging, page},
    context::Ask,
    error,
    found::Found,
    projection::{self, TimelineEntry},
    report::Report,
    task::{self, Task},
};
use crate::projections::timeline::{self, Entry};

/// Most tasks of one unit in one plan that a draft looks at.
const MOST_TASKS: u64 = 500;
/// Most things that happened which a draft tells.
const MOST_ENTRIES: u64 = 1_000;

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

/// A beginning for a report (报告草稿).
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportDraft {
    /// From which day on it tells: that of the report before, or the first day of the period.
    pub since: Date,
    /// The unit's tasks in the plan to which something happened, by number.
    pub tasks: Vec<ReportDraftTask>,
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
        Ok(Self { since, tasks: told, text })
    }
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
