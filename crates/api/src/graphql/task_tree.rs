//! The task tree of a plan as of a day (任务树), and who answered for a task when (责任沿革).
use std::collections::{HashMap, HashSet};

use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::{
    Date,
    id::Key,
    programme::task::{self as domain, TaskEvent},
};
use zhixing_event_store::store::AsOf;

use super::{
    connection::Narrow,
    context::Ask,
    error,
    event::Event,
    found::Found,
    plan::Plan,
    task::Task,
    unit::Unit,
    view::{self, Told, nothing},
};

/// Most tasks that a tree is made of.
const MOST: u64 = 20_000;
/// Most rows of a page.
const MOST_SHOWN: i32 = 100;
/// Most events of one task that are looked through for assignments.
const MOST_EVENTS: u32 = 2_000;

/// A task in its tree.
#[derive(Clone, Debug, SimpleObject)]
pub struct TaskTreeRow {
    /// How deep it stands: 0 at the root.
    pub depth: i32,
    /// How many tasks stand directly under it.
    pub children: i32,
    /// The task as it was at the end of that day.
    /// The units that answered for it then are its `leadUnits` and `supportingUnits`.
    pub task: Found<Task>,
}

/// A page of the task tree of a plan as of a day (任务树).
#[derive(Clone, Debug, SimpleObject)]
pub struct TaskTree {
    /// The day, to the end of which everything is told.
    pub on: Date,
    /// The rows of this page, parents before their children, by number.
    pub rows: Vec<TaskTreeRow>,
    /// How many rows there are on all pages.
    pub total_rows: i32,
}

impl TaskTree {
    /// So many rows of a plan's tree.
    ///
    /// # Errors
    /// When an argument breaks its form, the plan is too large, or the database fails.
    pub async fn of(ctx: &Context<'_>, plan: &Plan, on: Option<Date>, first: i32, skip: i32) -> Result<Self> {
        if !(1..=MOST_SHOWN).contains(&first) {
            return Err(error::invalid("first", "is not between 1 and 100"));
        }
        let skip = usize::try_from(skip).map_err(|_| error::invalid("skip", "is less than 0"))?;
        let today = Date::of(ctx.store().clock().now());
        let on = on.unwrap_or(today);
        // What was registered later was not there yet.
        let known = Condition::all()
            .has("plan_id", Some(plan.life.id))
            .add(Expr::col("created_at").lte(Expr::value(last_instant(on))));
        // What was drafted before the plan was public is told to those only who see it from inside.
        let since = Self::told_since(ctx, plan).await?;
        let known = if since.is_none_or(|since| since > last_instant(on)) { nothing() } else { known };
        let tasks: Vec<Task> = ctx.store().pool().all(known, MOST + 1).await.map_err(error::fault)?;
        if tasks.len() as u64 > MOST {
            return Err(error::invalid("taskTree", "has more than 20,000 tasks"));
        }
        let ordered = in_tree_order(tasks);
        let total_rows = i32::try_from(ordered.len()).unwrap_or(i32::MAX);
        let mut rows = Vec::new();
        for Placed { depth, children, task } in
            ordered.into_iter().skip(skip).take(usize::try_from(first).unwrap_or_default())
        {
            // What has not changed since is as it was.
            let then = if task.life.updated_at <= last_instant(on) {
                Some(task)
            } else {
                let until = AsOf::Time(last_instant(on));
                ctx.store().as_of::<Task>(task.life.id.0, until).boxed().await.map_err(error::fault)?
            };
            let Some(task) = then else { continue };
            rows.push(TaskTreeRow { depth, children, task: Found::new(task) });
        }
        Ok(Self { on, rows, total_rows })
    }

    /// Since when the viewer is told of the plan; `None` when they may not see it.
    async fn told_since(ctx: &Context<'_>, plan: &Plan) -> Result<Option<DateTime<Utc>>> {
        let since = view::since::<Plan>(ctx.session(), plan.life.id.0.uuid()).await;
        match since.map_err(|fault| error::shared_fault(&fault))? {
            None => Ok(None),
            Some(0) => Ok(Some(DateTime::<Utc>::MIN_UTC)),
            Some(position) => {
                let event = ctx.store().pool().read_log(position - 1, 1).await.map_err(error::fault)?.pop();
                Ok(event.map(|event| event.recorded_at))
            }
        }
    }
}

/// The last instant of a day in China that the log can tell from the next day.
fn last_instant(day: Date) -> DateTime<Utc> {
    day.next().begins() - TimeDelta::microseconds(1)
}

/// A task and its place in the tree.
struct Placed {
    depth: i32,
    children: i32,
    task: Task,
}

/// Parents before their children, by number. A parent always exists before its child, so there is no ring; a task whose
/// parent is not there stands at the root.
fn in_tree_order(mut tasks: Vec<Task>) -> Vec<Placed> {
    tasks.sort_by(|one, other| one.number_order.cmp(&other.number_order));
    let known: HashSet<Uuid> = tasks.iter().map(|task| task.life.id.0.uuid()).collect();
    let mut under: HashMap<Option<Uuid>, Vec<Task>> = HashMap::new();
    for task in tasks {
        let parent = task.parent_id.map(|id| id.0.uuid()).filter(|id| known.contains(id));
        under.entry(parent).or_default().push(task);
    }
    let mut placed = Vec::with_capacity(known.len());
    let mut open: Vec<(i32, Task)> =
        under.remove(&None).unwrap_or_default().into_iter().rev().map(|task| (0, task)).collect();
    while let Some((depth, task)) = open.pop() {
        let children = under.remove(&Some(task.life.id.0.uuid())).unwrap_or_default();
        let count = i32::try_from(children.len()).unwrap_or(i32::MAX);
        open.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        placed.push(Placed { depth, children: count, task });
    }
    placed
}

/// Who answered for a task from an event on, until the next (责任沿革).
#[derive(Clone, Debug, SimpleObject)]
pub struct TaskAssignment {
    /// The day on which it began.
    pub from: Date,
    /// The day on which the next one began; null when it still holds.
    pub until: Option<Date>,
    /// Units that led the task (牵头).
    pub lead_units: Vec<Found<Unit>>,
    /// Units that supported it (配合).
    pub supporting_units: Vec<Found<Unit>>,
    /// What brought it about: assigned, reassigned, arbitrated or transferred.
    pub event: Event,
}

/// Who answered for a task, first to last.
///
/// # Errors
/// When the task has more than 2,000 events, or the database fails.
pub async fn assignments_of(
    ctx: &Context<'_>,
    id: Key<domain::Task>,
    version: i64,
) -> Result<Vec<TaskAssignment>> {
    let Told { untold, .. } = Told::of::<Task>(ctx, id.0.uuid()).await?;
    let events =
        ctx.store().pool().read_stream(id.0.uuid(), untold, MOST_EVENTS).await.map_err(error::fault)?;
    let mut found: Vec<TaskAssignment> = Vec::new();
    for event in events.into_iter().filter(|event| event.version <= version) {
        let decoded = event.decode::<domain::Task>().map_err(error::fault)?;
        let assigns = matches!(
            decoded,
            TaskEvent::UnitsAssigned { .. }
                | TaskEvent::UnitsReassigned { .. }
                | TaskEvent::Arbitrated { .. }
                | TaskEvent::UnitsTransferred { .. }
        );
        if !assigns {
            continue;
        }
        let from = Date::of(event.recorded_at);
        let until = AsOf::Version(event.version);
        let then = ctx.store().as_of::<Task>(id.0, until).boxed().await.map_err(error::fault)?;
        let Some(task) = then else { continue };
        if let Some(before) = found.last_mut() {
            before.until = Some(from);
        }
        found.push(TaskAssignment {
            from,
            until: None,
            lead_units: ctx.load_all(&task.lead_unit_ids).await?,
            supporting_units: ctx.load_all(&task.supporting_unit_ids).await?,
            event: Event(event.into()),
        });
    }
    Ok(found)
}
