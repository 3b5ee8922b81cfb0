//! Supervision by rule: what stays overdue is supervised, and what stays unanswered is escalated; each once.
//!
//! An item is opened as of the day on which the rule says so. The time for the answer begins on the day on which it is
//! recorded: nobody can be asked to answer by a day that had passed before the question was there.
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use sea_query::{Condition, Expr, ExprTrait, Query};
use uuid::Uuid;
use zhixing_domain::{
    Date, Id,
    id::GlobalId,
    organisation::unit::{self, UnitStatus},
    performance::supervision_item::{
        EscalateSupervisionItemByRule, EscalatedByRule, OpenSupervisionItemByRule, OpenedByRule,
        SupervisionItem as Domain, SupervisionItemCommand, SupervisionStatus,
    },
    programme::plan::{self, PlanStatus},
    time::{AppliedLimit, CalendarVersion, TimeError, TimeLimit, TimeUnit},
};
use zhixing_event_store::{
    Error, Listing, Sort,
    listing::{Cursor, Slice},
};

use super::{
    Scheduler,
    announce::{AT_ONCE, Clocked},
};
use crate::graphql::{plan::Plan, report::Report, supervision_item::SupervisionItem, task::Task, unit::Unit};

/// Objects read at once.
const PAGE: u64 = 100;
/// How long something may be overdue, in calendar days.
pub(crate) const AFTER_OVERDUE: &str = "SUPERVISION_AFTER_OVERDUE";
/// How long the units have to answer, in working days.
const ANSWER: &str = "SUPERVISION_ANSWER";
/// How long an answer may be overdue, in working days.
pub(crate) const ESCALATION: &str = "SUPERVISION_ESCALATION";

/// What is supervised by rule when it stays overdue.
pub(crate) trait Supervised: Clocked {
    /// Which of them are still for their units to do.
    fn owed() -> Condition;
    /// When it was due.
    fn due_on(&self) -> Option<Date>;
    /// Its plan.
    fn plan(&self) -> Id<plan::Plan>;
    /// The units that owe it.
    fn owing(&self) -> Vec<Id<unit::Unit>>;
    /// What it is called.
    fn called(&self) -> String;
}

impl Supervised for Task {
    fn owed() -> Condition {
        let owed = Domain::OWED_TASKS.iter().copied();
        Condition::all().add(Expr::col("status").is_in(owed))
    }
    fn due_on(&self) -> Option<Date> {
        self.due_on
    }
    fn plan(&self) -> Id<plan::Plan> {
        self.plan_id.0
    }
    fn owing(&self) -> Vec<Id<unit::Unit>> {
        // Some plans know only supporting units.
        let (leads, supporters) = (&self.lead_unit_ids.0, &self.supporting_unit_ids.0);
        if leads.is_empty() { supporters.clone() } else { leads.clone() }
    }
    fn called(&self) -> String {
        format!("逾期任务：{} {}", self.number, self.title)
    }
}

impl Supervised for Report {
    fn owed() -> Condition {
        let owed = Domain::OWED_REPORTS.iter().copied();
        Condition::all().add(Expr::col("status").is_in(owed))
    }
    fn due_on(&self) -> Option<Date> {
        Some(self.due_on)
    }
    fn plan(&self) -> Id<plan::Plan> {
        self.plan_id.0
    }
    fn owing(&self) -> Vec<Id<unit::Unit>> {
        vec![self.reporter_id()]
    }
    fn called(&self) -> String {
        format!("逾期报告：{} {}", self.what, self.period)
    }
}

/// Most characters of a heading.
const TITLE: usize = zhixing_domain::text::TITLE;

/// By when is answered what is opened today, and how that was counted.
struct Answer {
    due_on: Date,
    limit: AppliedLimit,
    calendars: Vec<CalendarVersion>,
}

impl Scheduler {
    /// Opens an item for every object that has been overdue for the days of the rule; how many were opened.
    pub(super) async fn supervise_overdue<V: Supervised>(&self, today: Date) -> Result<usize, Error> {
        let Some(shortest) = self.time.limits.versions(AFTER_OVERDUE).iter().map(|limit| limit.value).min()
        else {
            return Ok(0);
        };
        let filter = overdue::<V>(today.plus(-i32::try_from(shortest).unwrap_or(i32::MAX)));
        let sort = Sort { column: "due_on", nullable: false, descending: false };
        let (mut after, mut opened) = (None, 0);
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.store.pool().page::<V>(listing).await?;
            // Nothing is asked of the calendar while nothing is overdue.
            if rows.is_empty() {
                return Ok(opened);
            }
            let answer = match self.answer(today) {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(%error, "what is overdue waits to be supervised");
                    return Ok(opened);
                }
            };
            after =
                rows.last().map(|row| Cursor { value: row.due_on().map(Into::into), key: row.id().uuid() });
            opened += self.tell_all(self.openings(&rows, &answer, today).await?).await?;
            if !more || !self.lease.hold().await? {
                return Ok(opened);
            }
        }
    }

    fn answer(&self, today: Date) -> Result<Answer, TimeError> {
        let limit = self.limit(ANSWER, today, TimeUnit::WorkingDays)?;
        let due_on = self.time.calendar.add_working_days(today, limit.value)?;
        let calendars = self.time.calendar.versions(today.next(), due_on);
        Ok(Answer { due_on, limit: limit.into(), calendars })
    }

    /// The rule of a day; one in another unit than it is counted in is none.
    fn limit(&self, code: &str, on: Date, unit: TimeUnit) -> Result<&TimeLimit, TimeError> {
        let limit = self.time.limits.on(code, on)?;
        if limit.unit == unit { Ok(limit) } else { Err(TimeError::LimitMissing { code: code.into(), on }) }
    }

    /// What is to be opened of a page of overdue objects.
    async fn openings<V: Supervised>(
        &self,
        rows: &[V],
        answer: &Answer,
        today: Date,
    ) -> Result<Vec<(SupervisionItemCommand, DateTime<Utc>)>, Error> {
        let issuers = self.issuers(rows.iter().map(Supervised::plan)).await?;
        let units = rows.iter().flat_map(Supervised::owing).chain(issuers.values().copied());
        let active = self.active(units).await?;
        let mut nobody = 0;
        let mut openings = Vec::new();
        for row in rows {
            let Some(due_on) = row.due_on() else { continue };
            let after = match self.limit(AFTER_OVERDUE, due_on, TimeUnit::CalendarDays) {
                Ok(after) => after,
                Err(error) => {
                    tracing::warn!(%error, "what is overdue is not supervised");
                    continue;
                }
            };
            let day = due_on.plus(i32::try_from(after.value).unwrap_or(i32::MAX));
            if today < day {
                continue;
            }
            let unit_ids: Vec<_> = row.owing().into_iter().filter(|id| active.contains(&id.uuid())).collect();
            if unit_ids.is_empty() {
                nobody += 1;
                continue;
            }
            let above = issuers.get(&row.plan().uuid()).copied();
            let above = above.filter(|id| active.contains(&id.uuid()) && !unit_ids.contains(id));
            let command = OpenSupervisionItemByRule {
                plan_id: row.plan(),
                subject_id: GlobalId::from(row.id()),
                title: row.called().chars().take(TITLE).collect(),
                unit_ids,
                escalation_unit_id: above,
                demand: format!(
                    "应于{due_on}完成，逾期已满{}日。请说明原因、整改措施和完成时限，并附佐证材料。",
                    after.value
                ),
                answer_due_on: answer.due_on,
                by_rule: OpenedByRule {
                    subject_due_on: due_on,
                    after_overdue: after.into(),
                    answer: answer.limit.clone(),
                    calendars: answer.calendars.clone(),
                },
            };
            openings.push((command.into(), row.since(day)));
        }
        if nobody > 0 {
            tracing::warn!(objects = nobody, "overdue, but the units that owe them no longer exist");
        }
        Ok(openings)
    }

    /// The issuers of these plans, as far as they are known as units.
    async fn issuers(
        &self,
        plans: impl Iterator<Item = Id<plan::Plan>>,
    ) -> Result<HashMap<Uuid, Id<unit::Unit>>, Error> {
        let plans: BTreeSet<Uuid> = plans.map(Id::uuid).collect();
        let plans = self.store.pool().many::<Plan>(&Vec::from_iter(plans)).await?;
        Ok(plans.iter().filter_map(|plan| Some((plan.life.id.0.uuid(), plan.issuer_id?.0))).collect())
    }

    /// Those of these units that still exist.
    async fn active(&self, units: impl Iterator<Item = Id<unit::Unit>>) -> Result<BTreeSet<Uuid>, Error> {
        let units: BTreeSet<Uuid> = units.map(Id::uuid).collect();
        let units = self.store.pool().many::<Unit>(&Vec::from_iter(units)).await?;
        let active = units.iter().filter(|unit| unit.status == UnitStatus::Active);
        Ok(active.map(|unit| unit.life.id.0.uuid()).collect())
    }

    /// Escalates every item whose answer has been overdue for the working days of the rule; how many were.
    pub(super) async fn escalate_overdue(&self, today: Date) -> Result<usize, Error> {
        let sort = Sort { column: "answer_due_on", nullable: false, descending: false };
        let filter = Condition::all()
            .add(Expr::col("status").is_in(SupervisionStatus::ESCALATED_BY_RULE.iter().copied()))
            .add(Expr::col("escalation_unit_id").is_not_null())
            .add(Expr::col("answer_due_on").lt(Expr::value(today)));
        let (mut after, mut escalated) = (None, 0);
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.store.pool().page::<SupervisionItem>(listing).await?;
            after = rows
                .last()
                .map(|item| Cursor { value: Some(item.answer_due_on.into()), key: item.life.id.0.uuid() });
            let mut due = Vec::new();
            for item in &rows {
                match self.escalation(item, today) {
                    Ok(found) => due.extend(found),
                    Err(error) => tracing::warn!(%error, "an overdue answer waits to be escalated"),
                }
            }
            escalated += self.tell_all(due).await?;
            if !more || !self.lease.hold().await? {
                return Ok(escalated);
            }
        }
    }

    /// The escalation of an item, once its day has come.
    fn escalation(
        &self,
        item: &SupervisionItem,
        today: Date,
    ) -> Result<Option<(SupervisionItemCommand, DateTime<Utc>)>, TimeError> {
        let limit = self.limit(ESCALATION, item.answer_due_on, TimeUnit::WorkingDays)?;
        let from = escalated_from(item);
        let day = self.time.calendar.add_working_days(from, limit.value)?;
        if today < day {
            return Ok(None);
        }
        let by_rule = EscalatedByRule {
            answer_due_on: item.answer_due_on,
            limit: limit.into(),
            calendars: self.time.calendar.versions(from.next(), day),
        };
        let command = EscalateSupervisionItemByRule { id: item.life.id.0, by_rule };
        Ok(Some((command.into(), item.since(day))))
    }

    /// Tells all of these; how many were new.
    async fn tell_all(&self, commands: Vec<(SupervisionItemCommand, DateTime<Utc>)>) -> Result<usize, Error> {
        let commands: Vec<_> =
            commands.into_iter().map(|(command, at)| self.tell::<SupervisionItem>(command, at)).collect();
        let (mut told, mut new) = (stream::iter(commands).buffer_unordered(AT_ONCE), 0);
        while let Some(done) = told.next().await {
            new += usize::from(done?);
        }
        Ok(new)
    }
}

/// The day from which the working days of an escalation are counted: units that were notified late have their days from then
/// on.
pub(crate) fn escalated_from(item: &SupervisionItem) -> Date {
    item.notified_on.map_or(item.answer_due_on, |told| std::cmp::max(told, item.answer_due_on))
}

/// Objects of plans in force that are owed, were due by `until`, and have no item for that due date.
fn overdue<V: Supervised>(until: Date) -> Condition {
    unsupervised::<V>().add(Expr::col("due_on").lte(Expr::value(until)))
}

/// Objects of plans in force that are owed and have no item for their due date.
pub(crate) fn unsupervised<V: Supervised>() -> Condition {
    let table = V::TABLE.name;
    let in_force = Query::select()
        .column("id")
        .from("plans")
        .and_where(Expr::col("status").eq(PlanStatus::InForce))
        .to_owned();
    let supervised = Query::select()
        .expr(Expr::val(1))
        .from("supervision_items")
        .and_where(Expr::col("subject_id").eq(Expr::col((table, "id"))))
        .and_where(Expr::col("subject_due_on").eq(Expr::col((table, "due_on"))))
        .to_owned();
    V::owed().add(Expr::col("plan_id").in_subquery(in_force)).add(Expr::not_exists(supervised))
}
