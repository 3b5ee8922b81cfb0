//! Phases of plans: each is entered when its first day has come.
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Date,
    programme::plan::{EnterPlanPhaseByDate, Phase, PlanStatus},
};
use zhixing_event_store::{
    Error, Listing, Order, Sort,
    listing::{Cursor, Slice},
};

use super::Scheduler;
use crate::graphql::plan::Plan;

/// Plans read at once.
const PAGE: u64 = 100;

impl Scheduler {
    /// Enters the phase of every plan in force in which today lies, unless it was entered before; how many were.
    pub(super) async fn enter_phases(&self, today: Date) -> Result<usize, Error> {
        let sort = Sort { column: "id", nullable: false, descending: false };
        let filter = Condition::all().add(Expr::col("status").eq(PlanStatus::InForce));
        let (mut after, mut entered) = (None, 0);
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.store.pool().page::<Plan>(listing).await?;
            after = rows.last().map(|plan| Cursor { value: None, key: plan.life.id.0.uuid() });
            for plan in &rows {
                let now = plan.phases.iter().find(|phase| phase.from <= today && today <= phase.to);
                let now = now.filter(|phase| plan.current_phase.as_ref() != Some(&phase.name));
                if let Some(phase) = now {
                    entered += usize::from(self.enter(plan, phase).await?);
                }
            }
            if !more || !self.lease.hold().await? {
                return Ok(entered);
            }
        }
    }

    async fn enter(&self, plan: &Plan, phase: &Phase) -> Result<bool, Error> {
        let command = EnterPlanPhaseByDate { id: plan.life.id.0, phase: phase.name.clone() };
        let order = Order {
            viewer: self.viewer.clone(),
            command: command.into(),
            command_id: None,
            expected_version: None,
            dry_run: false,
        };
        let happened_at = std::cmp::max(phase.from.begins(), plan.life.created_at);
        match self.store.execute_at::<Plan>(order, Some(happened_at)).await {
            Ok(receipt) => Ok(receipt.position.is_some()),
            Err(Error::Rejected(rejection)) => {
                tracing::debug!(%rejection, "a plan has moved on");
                Ok(false)
            }
            Err(Error::Busy) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
