//! The transfer of tasks (任务移交): another unit takes the place of one that was merged, renamed or relieved.
//!
//! What was done stays done: unlike a reassignment it keeps the status, and the new unit goes on where the old one stood.
use serde::Serialize;

use super::{Responsibility, Task};
use crate::{Facts, Id, Kind, Need, Rejection, organisation::unit::Unit, text};

/// Puts one unit in the place of another in a task (移交). The status stays.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct TransferTaskUnits {
    /// The task.
    pub id: Id<Task>,
    /// The unit that leaves; it leads or supports the task.
    pub from_unit_id: Id<Unit>,
    /// The unit that takes its place.
    pub to_unit_id: Id<Unit>,
    /// Why, such as the document of the reform.
    pub reason: String,
}

impl TransferTaskUnits {
    pub(super) fn needs(&self) -> Vec<Need> {
        vec![Need::Object { kind: Kind::Unit, id: self.to_unit_id.uuid(), field: "toUnitId".into() }]
    }

    pub(super) fn check(&self, responsibility: &Responsibility, facts: &Facts) -> Result<(), Rejection> {
        text::required("reason", &self.reason, text::LONG)?;
        if self.from_unit_id == self.to_unit_id {
            return Err(Rejection::invalid("toUnitId", "is the unit that leaves"));
        }
        if !responsibility.names(self.from_unit_id) {
            return Err(Rejection::invalid("fromUnitId", "neither leads nor supports this task"));
        }
        Unit::check_active("toUnitId", self.to_unit_id, facts)
    }
}

impl Responsibility {
    fn names(&self, unit: Id<Unit>) -> bool {
        self.lead_unit_ids.contains(&unit) || self.supporting_unit_ids.contains(&unit)
    }

    /// The same with `to` in the place of `from`. Who comes to lead does not support any more, and nobody stands twice.
    pub fn transfer(&mut self, from: Id<Unit>, to: Id<Unit>) {
        let put = |units: &mut Vec<Id<Unit>>, welcome: bool| {
            let known = !welcome || units.contains(&to);
            for unit in units.iter_mut().filter(|unit| **unit == from && !known) {
                *unit = to;
            }
            units.retain(|unit| *unit != from);
        };
        put(&mut self.lead_unit_ids, true);
        let leads = self.lead_unit_ids.contains(&to);
        put(&mut self.supporting_unit_ids, !leads);
        self.supporting_unit_ids.retain(|unit| *unit != to || !leads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn one_unit_takes_the_place_of_another() {
        let units =
            |numbers: &[u128]| numbers.iter().map(|n| Id::new(Uuid::from_u128(*n))).collect::<Vec<_>>();
        let transferred = |leads: &[u128], supporters: &[u128]| {
            let mut responsibility = Responsibility {
                lead_unit_ids: units(leads),
                supporting_unit_ids: units(supporters),
                open_ended: true,
            };
            responsibility.transfer(units(&[1])[0], units(&[9])[0]);
            assert!(responsibility.open_ended);
            (responsibility.lead_unit_ids, responsibility.supporting_unit_ids)
        };
        assert_eq!(transferred(&[2, 1, 3], &[4]), (units(&[2, 9, 3]), units(&[4])), "in its place");
        assert_eq!(transferred(&[2], &[4, 1]), (units(&[2]), units(&[4, 9])));
        assert_eq!(transferred(&[1, 9], &[4]), (units(&[9]), units(&[4])), "it led already");
        assert_eq!(transferred(&[1], &[9, 4]), (units(&[9]), units(&[4])), "it supported and leads now");
        assert_eq!(
            transferred(&[9], &[1, 4]),
            (units(&[9]), units(&[4])),
            "it leads and does not support too"
        );
    }
}
