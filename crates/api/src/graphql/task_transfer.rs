//! The transfer of all open tasks of a unit to another (任务移交), as after a merger.
use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use sea_query::{Expr, ExprTrait};
use zhixing_domain::{
    Id, Kind, Rejection,
    organisation::unit,
    programme::{plan, task::TransferTaskUnits},
};
use zhixing_event_store::Error;

use super::{
    command::{answered, together},
    connection::Narrow,
    context::Ask,
    error::UserError,
    event::Position,
    task::{LEAD, SUPPORT, Task},
    view::Visible,
};

/// Most tasks that are transferred together.
const MOST_TRANSFERRED: u64 = 500;

/// Puts one unit in the place of another in all its open tasks (移交任务).
#[derive(Clone, Debug, InputObject)]
pub struct TransferTasks {
    /// The unit that leaves.
    pub from_unit_id: Id<unit::Unit>,
    /// The unit that takes its place.
    pub to_unit_id: Id<unit::Unit>,
    /// Only tasks of this plan; those of all plans when left out.
    pub plan_id: Option<Id<plan::Plan>>,
    /// Why, such as the document of the reform.
    pub reason: String,
}

/// What came of a transfer of tasks.
#[derive(Debug, Default, SimpleObject)]
pub struct TransferTasksPayload {
    /// How many tasks were transferred.
    pub transferred: i32,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

/// What is done to many tasks at once.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "TaskTransferMutations")]
impl Mutations {
    /// Puts one unit in the place of another in all open tasks that it leads or supports, at most 500: in all of them or in
    /// none (移交任务). Each task keeps its status. May be repeated: what was transferred is passed over.
    async fn transfer_tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: TransferTasks,
    ) -> Result<TransferTasksPayload> {
        answered(ctx, transfer(ctx, input).await)
    }
}
together!(TransferTasksPayload);

async fn transfer(ctx: &Context<'_>, input: TransferTasks) -> Result<TransferTasksPayload, Error> {
    let TransferTasks { from_unit_id, to_unit_id, plan_id, reason } = input;
    let filter = Task::visible_to(ctx.viewer())
        .names(Some(from_unit_id.uuid()), &[LEAD, SUPPORT])
        .has("plan_id", plan_id)
        .add(Expr::col("status").is_not_in(Kind::Task.lifecycle().finals));
    let tasks: Vec<Task> = ctx.store().pool().all(filter, MOST_TRANSFERRED + 1).await?;
    if tasks.len() as u64 > MOST_TRANSFERRED {
        let (field, reason) = match plan_id {
            Some(_) => ("planId", "has more than 500 open tasks of this unit: transfer them one by one"),
            None => ("fromUnitId", "has more than 500 open tasks: name a plan"),
        };
        return Err(Rejection::invalid(field, reason).into());
    }
    let mut work = ctx.store().begin(ctx.viewer(), None);
    for task in &tasks {
        let id = task.life.id.0;
        let command = TransferTaskUnits { id, from_unit_id, to_unit_id, reason: reason.clone() };
        work.run::<Task>(id, None, command).await?;
    }
    // Somebody changed one of them meanwhile: nothing was transferred, and it may be asked again.
    let events = work.commit(None).await?;
    Ok(TransferTasksPayload {
        transferred: i32::try_from(events.len()).unwrap_or(i32::MAX),
        position: events.last().map(|event| Position(event.position)),
        errors: Vec::new(),
    })
}
