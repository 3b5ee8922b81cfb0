//! The dispatch of a task (交办、退办、裁定): how it comes to a unit that takes it.
//!
//! A lead unit may decline with a ground, and the office then dispatches it elsewhere. So that no task is handed round for
//! ever, it is declined three times at most in its life; then only an arbitration dispatches it, by somebody else than
//! who dispatched it last, and nobody declines what was arbitrated.
//!
//! The clock of acceptance runs from the first dispatch and no hop restarts it: otherwise units that pass a task round would
//! never be late. An arbitration does restart it, once, because the unit that it names may be a new one and cannot decline.
use serde::{Deserialize, Serialize};

use super::{Responsibility, Task};
use crate::{Date, Facts, Id, Need, Rejection, Viewer, organisation::unit::Unit, text};

vocabulary! {
    /// Why a unit declines a task (退办理由).
    pub enum DeclineGround {
        NotOurDuty = "NOT_OUR_DUTY", "非本单位职责";
        Duplicate = "DUPLICATE", "重复交办";
        LacksBasis = "LACKS_BASIS", "依据不足";
        Other = "OTHER", "其他";
    }
}

/// Most times that one task is declined; then it is arbitrated.
pub const MOST_HOPS: u32 = 3;

/// Declines a task on behalf of a lead unit (退办).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DeclineTask {
    /// The task.
    pub id: Id<Task>,
    /// On which ground.
    pub ground: DeclineGround,
    /// Why, in words.
    pub reason: String,
    /// The unit whose task it should be, when that is known: one that does not lead it.
    pub suggested_unit_id: Option<Id<Unit>>,
}

/// Arbitrates who answers for a task that was declined (裁定). It is not declined again.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ArbitrateTask {
    /// The task.
    pub id: Id<Task>,
    /// Who answers for it; it may be who declined it.
    pub responsibility: Responsibility,
    /// Why.
    pub reason: String,
}

/// What a task remembers of its dispatch to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Dispatch {
    /// Who dispatched it last.
    pub(super) by: Option<String>,
    declines: u32,
    arbitrated: bool,
}

impl Dispatch {
    pub(super) fn assigned(&mut self, actor: &str) {
        self.by = Some(actor.to_owned());
    }
    pub(super) fn declined(&mut self) {
        self.declines += 1;
    }
    pub(super) fn arbitrated(&mut self, actor: &str) {
        self.assigned(actor);
        self.arbitrated = true;
    }

    /// The lead unit for which somebody declines.
    pub(super) fn check_decline(
        &self,
        command: &DeclineTask,
        leads: &[Id<Unit>],
        viewer: &Viewer,
        facts: &Facts,
    ) -> Result<Id<Unit>, Rejection> {
        text::required("reason", &command.reason, text::LONG)?;
        if self.arbitrated {
            let message = "who answers for this task was arbitrated: ask the leading group's office";
            return Err(Rejection::rule("arbitrated-tasks-are-not-declined", message, None));
        }
        if let Some(unit) = command.suggested_unit_id {
            if leads.contains(&unit) {
                return Err(Rejection::invalid("suggestedUnitId", "is a lead unit of this task"));
            }
            Unit::check_active("suggestedUnitId", unit, facts)?;
        }
        let own = viewer.units.iter().find(|unit| leads.contains(unit));
        own.copied().ok_or_else(|| Rejection::invalid("id", "is not a task that the viewer's unit leads"))
    }

    /// Whether the office may dispatch it anew without an arbitration.
    pub(super) fn check_hop(&self, declined: bool) -> Result<(), Rejection> {
        if declined && is_contested(self.declines) {
            let message = format!("this task was declined {MOST_HOPS} times: arbitrate who answers for it");
            return Err(Rejection::rule("contested-tasks-are-arbitrated", message, None));
        }
        Ok(())
    }
}

/// Whether a task that was declined so often is dispatched by arbitration only.
pub const fn is_contested(declines: u32) -> bool {
    declines >= MOST_HOPS
}

impl DeclineTask {
    pub(super) fn needs(&self) -> Vec<Need> {
        let unit = |id: Id<Unit>| Need::Object {
            kind: crate::Kind::Unit,
            id: id.uuid(),
            field: "suggestedUnitId".into(),
        };
        self.suggested_unit_id.map(unit).into_iter().collect()
    }
}

/// The days on which a task was dispatched and taken, from which its time limits are counted (交办时点).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DispatchDays {
    /// When its present dispatch began: the first one, the arbitration, or the first one after it had been accepted.
    pub dispatched_on: Option<Date>,
    /// When that dispatch was accepted.
    pub accepted_on: Option<Date>,
    /// Since when only an arbitration can dispatch it.
    pub contested_on: Option<Date>,
    /// When it was arbitrated.
    pub arbitrated_on: Option<Date>,
}

impl DispatchDays {
    /// It is assigned: a hop before anybody accepted goes on with the same clock.
    pub fn assigned(&mut self, on: Date) {
        if self.dispatched_on.is_none() || self.accepted_on.is_some() {
            self.dispatched_on = Some(on);
            self.accepted_on = None;
        }
    }
    /// It is accepted.
    pub fn accepted(&mut self, on: Date) {
        self.accepted_on = Some(on);
    }
    /// It is declined, so many times by now.
    pub fn declined(&mut self, on: Date, declines: u32) {
        if is_contested(declines) {
            self.contested_on = self.contested_on.or(Some(on));
        }
    }
    /// It is arbitrated.
    pub fn arbitrated(&mut self, on: Date) {
        self.arbitrated_on = Some(on);
        self.dispatched_on = Some(on);
        self.accepted_on = None;
    }
}

#[cfg(test)]
mod tests;
