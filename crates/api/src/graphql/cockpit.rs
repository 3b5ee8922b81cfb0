//! The cockpit of a plan (方案驾驶舱): how it is doing today.
use async_graphql::{Context, Result, SimpleObject};
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Date, Kind,
    performance::attainment::Light,
    programme::{plan::Phase, task::TaskStatus},
};

use zhixing_event_store::Row;

use super::{
    connection::{By, Holds, Narrow, Paging, page},
    context::Ask,
    due_item::DueItem,
    error,
    event::Position,
    found::Found,
    indicator::Indicator,
    local_plan::LocalPlan,
    plan::Plan,
    projection,
    report::Report,
    supervision_item::SupervisionItem,
    task::Task,
    view::Visible,
};
use crate::projections::plan_progress::{self, TaskCount};

/// How many tasks stand somewhere.
#[derive(Clone, Debug, SimpleObject)]
pub struct TaskStatusCount {
    /// Where.
    pub status: TaskStatus,
    /// How many.
    pub count: i64,
}

/// How many indicators show a light.
#[derive(Clone, Debug, SimpleObject)]
pub struct LightCount {
    /// Which light.
    pub light: Light,
    /// How many.
    pub count: usize,
}

/// How many objects of a kind stand somewhere.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatusCount {
    /// Where, in the words of the kind's lifecycle.
    pub status: String,
    /// How many.
    pub count: i64,
}

/// How many objects of a kind are overdue.
#[derive(Clone, Debug, SimpleObject)]
pub struct OverdueCount {
    /// Of what kind.
    pub kind: Kind,
    /// How many.
    pub count: i64,
}

/// How a plan is doing today.
#[derive(Clone, Debug, SimpleObject)]
pub struct Cockpit {
    /// Everything up to here is in it.
    pub position: Position,
    /// The date in China that it is about.
    pub today: Date,
    /// The phase that today lies in, by its dates.
    pub phase: Option<Phase>,
    /// Days until the plan's end; negative when it is over.
    pub remaining_days: i64,
    /// Tasks by where they stand; every status, also with none.
    pub tasks_by_status: Vec<TaskStatusCount>,
    /// Open tasks whose due date has passed.
    pub overdue_tasks: i64,
    /// Indicators by light; every light, also with none. Retired ones are left out.
    pub indicators_by_light: Vec<LightCount>,
    /// The next ten open tasks to fall due.
    pub next_deadlines: Vec<Found<Task>>,
    /// Reports by where they stand; for officials, null to others.
    pub reports_by_status: Option<Vec<StatusCount>>,
    /// Local plans by where they stand; for officials, null to others.
    pub local_plans_by_status: Option<Vec<StatusCount>>,
    /// Supervision items by where they stand; for officials, null to others.
    pub supervision_items_by_status: Option<Vec<StatusCount>>,
    /// What is overdue, by kind; for officials, null to others. Query `dueItems` lists it.
    pub overdue_by_kind: Option<Vec<OverdueCount>>,
}

/// Most indicators of one plan that are counted; an import takes no more.
const MOST_INDICATORS: u64 = 5_000;
const NEXT: i32 = 10;
/// More than a task has states.
const MOST_STATES: u64 = 100;

/// How many rows of the plan stand where, in the order of the words; nothing for those who may not see them.
async fn tally<R: Row + Visible>(ctx: &Context<'_>, plan: &Plan) -> Result<Option<Vec<StatusCount>>> {
    if !ctx.viewer().is_official() {
        return Ok(None);
    }
    let of_plan = Condition::all().add(R::visible_to(ctx.viewer())).has("plan_id", Some(plan.life.id));
    let mut counts = ctx.store().pool().tally::<R>("status", of_plan).await.map_err(error::fault)?;
    counts.sort();
    Ok(Some(counts.into_iter().map(|(status, count)| StatusCount { status, count }).collect()))
}

async fn overdue_by_kind(ctx: &Context<'_>, plan: &Plan, today: Date) -> Result<Option<Vec<OverdueCount>>> {
    if !ctx.viewer().is_official() {
        return Ok(None);
    }
    let overdue = Condition::all()
        .add(DueItem::visible_to(ctx.viewer()))
        .has("plan_id", Some(plan.life.id))
        .add(Expr::col("due_on").lt(Expr::value(today)));
    let counts = ctx.store().pool().tally::<DueItem>("kind", overdue).await.map_err(error::fault)?;
    let of = |kind: &Kind| {
        let (_, count) = counts.iter().find(|(word, _)| word == kind.as_str())?;
        Some(OverdueCount { kind: *kind, count: *count })
    };
    Ok(Some(Kind::ALL.iter().filter_map(of).collect()))
}

impl Cockpit {
    /// The cockpit of this plan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(ctx: &Context<'_>, plan: &Plan, at_least: Option<Position>) -> Result<Self> {
        let today = Date::of(ctx.store().clock().now());
        let pool = ctx.store().pool();
        let of_plan = || Condition::all().has("plan_id", Some(plan.life.id));
        let open = || of_plan().add(Expr::col("status").is_not_in(Kind::Task.lifecycle().finals));

        let position = projection::reach(ctx, plan_progress::NAME, at_least).await?;
        let counts: Vec<TaskCount> = pool.all(of_plan(), MOST_STATES).await.map_err(error::fault)?;
        let count = |status: &TaskStatus| {
            counts.iter().find(|count| count.status == status.as_str()).map_or(0, |count| count.tasks)
        };
        let tasks_by_status = TaskStatus::ALL
            .iter()
            .map(|status| TaskStatusCount { status: *status, count: count(status) })
            .collect();
        let overdue = open().add(Expr::col("due_on").lt(Expr::value(today)));
        let overdue_tasks = pool.count::<Task>(overdue).await.map_err(error::fault)?;

        let kept = of_plan().add(Expr::col("status").ne("RETIRED"));
        let indicators: Vec<Indicator> = pool.all(kept, MOST_INDICATORS).await.map_err(error::fault)?;
        let lights: Vec<Light> =
            indicators.iter().map(|indicator| indicator.light_on(plan.period_start, today)).collect();
        let shown = |light: &Light| LightCount {
            light: *light,
            count: lights.iter().filter(|l| *l == light).count(),
        };

        let coming = open().add(Expr::col("due_on").gte(Expr::value(today)));
        let paging = Paging { first: Some(NEXT), ..Paging::default() };
        let next = page::<Task>(ctx, coming, By::nullable("due_on", Holds::Date), paging).await?;
        Ok(Self {
            position,
            today,
            phase: plan.phases.iter().find(|phase| phase.from <= today && today <= phase.to).cloned(),
            remaining_days: plan.period_end.days_since(today),
            tasks_by_status,
            overdue_tasks,
            indicators_by_light: Light::ALL.iter().map(shown).collect(),
            next_deadlines: next.rows,
            reports_by_status: tally::<Report>(ctx, plan).await?,
            local_plans_by_status: tally::<LocalPlan>(ctx, plan).await?,
            supervision_items_by_status: tally::<SupervisionItem>(ctx, plan).await?,
            overdue_by_kind: overdue_by_kind(ctx, plan, today).await?,
        })
    }
}
