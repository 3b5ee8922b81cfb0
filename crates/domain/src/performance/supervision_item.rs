//! A supervision item (督办件): a matter that the leading group's office follows up until it is settled (督查督办).
//!
//! It is opened, the supervised units are notified, they answer with evidence, and the office closes it or returns the
//! answer with a new due date. No answer in time: it is escalated to a unit above, and still waits for the answer of the
//! same units. Several supervised units answer together: one writes for all, what is missing is what a return is for.
//!
//! An answer is owed from the opening on, not from the notice: an item that nobody was notified of becomes overdue too,
//! so that it is not forgotten. Once answered, its clock stands; only a return sets it going again.
//!
//! Nowhere enforced: that a supervised unit lies in the item's region. Vertically managed units are supervised where
//! they work, wherever they are registered.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Fact, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Holding, Stamp, commands},
    id::GlobalId,
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    performance::report::ReportStatus,
    policy::By,
    programme::{
        plan::{Plan, PlanStatus},
        task::{Evidence, TaskStatus, check_evidence},
    },
    text,
    time::{AppliedLimit, CalendarVersion, DueClock, DueSoon, due},
};

vocabulary! {
    /// Where a supervision item stands (督办状态).
    pub enum SupervisionStatus {
        Opened = "OPENED", "已立项";
        Notified = "NOTIFIED", "已通知";
        Escalated = "ESCALATED", "已升级";
        Answered = "ANSWERED", "已答复";
        Returned = "RETURNED", "已退回";
        Closed = "CLOSED", "已办结";
        Withdrawn = "WITHDRAWN", "已撤销";
    }
}
status!(SupervisionStatus);
use SupervisionStatus::{Answered, Closed, Escalated, Notified, Opened, Returned, Withdrawn};

impl SupervisionStatus {
    /// States in which the supervised units were told and owe an answer.
    pub const ASKED: &'static [Self] = &[Notified, Escalated, Returned];
    /// States from which the clock escalates an item whose answer stays out.
    pub const ESCALATED_BY_RULE: &'static [Self] = &[Notified, Returned];
    /// States in which an answer is still to come; its clock runs.
    pub const UNANSWERED: &'static [Self] = &[Opened, Notified, Escalated, Returned];
}

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const SUPERVISED: &[By] = &[By::InLeadUnit(Role::UnitOfficer), By::InLeadUnit(Role::UnitApprover)];
const CLOCK: &[By] = &[By::InRegion(Role::Scheduler)];
const LIFE: Step<SupervisionStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<SupervisionStatus>] = &[
    Step {
        action: "openSupervisionItem",
        term: "立项督办",
        to: To::State(Opened),
        parent: Some(Parent {
            kind: Kind::Plan,
            states: &[PlanStatus::Issued.as_str(), PlanStatus::InForce.as_str()],
        }),
        ..LIFE
    },
    Step {
        action: "openSupervisionItemByRule",
        term: "逾期立项",
        to: To::State(Opened),
        by: CLOCK,
        parent: Some(Parent { kind: Kind::Plan, states: &[PlanStatus::InForce.as_str()] }),
        ..LIFE
    },
    Step {
        action: "notifySupervisedUnits", term: "通知", from: &[Opened], to: To::State(Notified), ..LIFE
    },
    Step {
        action: "answerSupervisionItem",
        term: "答复",
        from: SupervisionStatus::ASKED,
        to: To::State(Answered),
        by: SUPERVISED,
        requires: &[Requirement::Evidence],
        ..LIFE
    },
    Step {
        action: "returnSupervisionAnswer",
        term: "退回答复",
        from: &[Answered],
        to: To::State(Returned),
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "closeSupervisionItem",
        term: "办结",
        from: &[Answered],
        to: To::State(Closed),
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    // Once more while it is escalated: further up.
    Step {
        action: "escalateSupervisionItem",
        term: "升级",
        from: SupervisionStatus::ASKED,
        to: To::State(Escalated),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "escalateSupervisionItemByRule",
        term: "逾期升级",
        from: SupervisionStatus::ESCALATED_BY_RULE,
        to: To::State(Escalated),
        by: CLOCK,
        ..LIFE
    },
    Step {
        action: "extendSupervisionItem",
        term: "延期",
        from: SupervisionStatus::UNANSWERED,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "withdrawSupervisionItem",
        term: "撤销督办",
        from: &[Opened, Notified, Escalated, Answered, Returned],
        to: To::State(Withdrawn),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "announceSupervisionItemDueSoon",
        term: "提醒到期",
        from: SupervisionStatus::UNANSWERED,
        by: CLOCK,
        ..LIFE
    },
    Step {
        action: "announceSupervisionItemOverdue",
        term: "登记逾期",
        from: SupervisionStatus::UNANSWERED,
        by: CLOCK,
        ..LIFE
    },
];

commands! {
    /// What may be asked of a supervision item.
    SupervisionItemCommand {
        create OpenSupervisionItem = "openSupervisionItem";
        create OpenSupervisionItemByRule = "openSupervisionItemByRule";
        on NotifySupervisedUnits = "notifySupervisedUnits";
        on AnswerSupervisionItem = "answerSupervisionItem" (evidence);
        on ReturnSupervisionAnswer = "returnSupervisionAnswer" (reason);
        on CloseSupervisionItem = "closeSupervisionItem";
        on EscalateSupervisionItem = "escalateSupervisionItem" (reason);
        on EscalateSupervisionItemByRule = "escalateSupervisionItemByRule";
        on ExtendSupervisionItem = "extendSupervisionItem" (reason);
        on WithdrawSupervisionItem = "withdrawSupervisionItem" (reason);
        on AnnounceSupervisionItemDueSoon = "announceSupervisionItemDueSoon";
        on AnnounceSupervisionItemOverdue = "announceSupervisionItemOverdue";
    }
}

/// Opens a supervision item by hand (立项督办). Unique by region and number.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct OpenSupervisionItem {
    /// The plan that is followed up: issued or in force.
    pub plan_id: Id<Plan>,
    /// The region whose office supervises: that of the plan, or one inside it; the plan's when left out.
    pub region_code: Option<RegionCode>,
    /// The number of the supervision letter (督办函文号), at most 100 characters, unique in the region.
    pub number: String,
    /// A short heading, at most 200 characters.
    pub title: String,
    /// What it is about: a task, a report, an indicator or a local plan of the plan, or the plan itself.
    pub subject_id: Option<GlobalId>,
    /// The supervised units, 1 to 200, that answer together (被督办单位).
    pub unit_ids: Vec<Id<Unit>>,
    /// The unit above that it is escalated to when the answer stays out; without one only the office escalates it.
    pub escalation_unit_id: Option<Id<Unit>>,
    /// What is demanded, at most 5,000 characters (督办要求).
    pub demand: String,
    /// By when it is to be answered: not before today.
    pub answer_due_on: Date,
    /// What it rests on, such as an instruction or a passage of the plan, at most 5,000 characters (督办依据).
    pub basis: Option<String>,
}

/// Why the clock opened an item, and how the days were counted (逾期立项规则).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(rename_all = "camelCase")]
pub struct OpenedByRule {
    /// The due date that the subject had missed.
    pub subject_due_on: Date,
    /// How long it may be overdue.
    pub after_overdue: AppliedLimit,
    /// How long the units have to answer.
    pub answer: AppliedLimit,
    /// The versions of the calendars that the answer's due date was counted with.
    pub calendars: Vec<CalendarVersion>,
}

/// Opens a supervision item because a task or report stays overdue (逾期立项): once for its due date. Only the scheduler does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenSupervisionItemByRule {
    /// The plan of the task or report.
    pub plan_id: Id<Plan>,
    /// The task or report.
    pub subject_id: GlobalId,
    /// What it is called.
    pub title: String,
    /// The units that owe it.
    pub unit_ids: Vec<Id<Unit>>,
    /// The unit above: the issuer of the plan, when it is known.
    pub escalation_unit_id: Option<Id<Unit>>,
    /// What is demanded.
    pub demand: String,
    /// By when it is to be answered.
    pub answer_due_on: Date,
    /// How that came about.
    pub by_rule: OpenedByRule,
}

/// Notifies the supervised units (通知): they owe an answer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct NotifySupervisedUnits {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// How they were notified, or another remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Answers a supervision item on behalf of the supervised units (答复), with evidence.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AnswerSupervisionItem {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// What was done, at most 5,000 characters.
    pub summary: String,
    /// What shows it: at least one piece.
    pub evidence: Vec<Evidence>,
}

/// Returns an answer that does not suffice (退回答复).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReturnSupervisionAnswer {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// By when it is to be answered again: not before today.
    pub answer_due_on: Date,
    /// What is missing.
    pub reason: String,
}

/// Closes an item whose answer suffices (办结).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CloseSupervisionItem {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// What was found, at most 5,000 characters.
    pub note: Option<String>,
}

/// Escalates an item to a unit above (升级).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct EscalateSupervisionItem {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// The unit above.
    pub unit_id: Id<Unit>,
    /// Why.
    pub reason: String,
}

/// Why the clock escalated an item, and how the days were counted (逾期升级规则).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EscalatedByRule {
    /// When the answer was due.
    pub answer_due_on: Date,
    /// How long the answer may be overdue.
    pub limit: AppliedLimit,
    /// The versions of the calendars that it was counted with.
    pub calendars: Vec<CalendarVersion>,
}

/// Escalates an item whose answer stays out (逾期升级) to the unit that was named for it. Only the scheduler does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EscalateSupervisionItemByRule {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// How that came about.
    pub by_rule: EscalatedByRule,
}

/// Extends the time for the answer (延期).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ExtendSupervisionItem {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// By when it is to be answered: later than before, and not before today.
    pub answer_due_on: Date,
    /// Why.
    pub reason: String,
}

/// Withdraws an item (撤销督办): nothing is demanded any more.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct WithdrawSupervisionItem {
    /// The item.
    pub id: Id<SupervisionItem>,
    /// Why.
    pub reason: String,
}

/// Announces that an answer is due soon (提醒到期).
pub type AnnounceSupervisionItemDueSoon = due::AnnounceDueSoon<SupervisionItem>;
/// Announces that an answer has become overdue (登记逾期).
pub type AnnounceSupervisionItemOverdue = due::AnnounceOverdue<SupervisionItem>;

events! {
    /// What has happened to a supervision item.
    pub enum SupervisionItemEvent {
        /// 督办件已立项
        Opened {
            plan_id: Id<Plan>,
            region_code: RegionCode,
            /// None when it was opened by rule: no letter has gone out.
            number: Option<String>,
            title: String,
            subject_id: Option<GlobalId>,
            unit_ids: Vec<Id<Unit>>,
            escalation_unit_id: Option<Id<Unit>>,
            demand: String,
            answer_due_on: Date,
            basis: Option<String>,
            by_rule: Option<OpenedByRule>,
        },
        /// 被督办单位已通知
        Notified { note: Option<String> },
        /// 督办件已答复
        Answered {
            /// The supervised unit that writes for all.
            unit_id: Option<Id<Unit>>,
            summary: String,
            evidence: Vec<Evidence>,
        },
        /// 答复已退回
        Returned { answer_due_on: Date, reason: String },
        /// 督办件已升级
        Escalated {
            unit_id: Id<Unit>,
            /// None when it was escalated by rule.
            reason: Option<String>,
            by_rule: Option<EscalatedByRule>,
        },
        /// 督办件已延期
        Extended { answer_due_on: Date, former_answer_due_on: Date, reason: String },
        /// 督办件已办结
        Closed { note: Option<String> },
        /// 督办件已撤销
        Withdrawn { reason: String },
        /// 督办件答复即将到期
        DueSoon(DueSoon),
        /// 督办件答复已逾期
        BecameOverdue { due_on: Date },
    }
}

impl SupervisionItemEvent {
    /// Where the item stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<SupervisionStatus> {
        match self {
            Self::Opened { .. } => Some(Opened),
            Self::Notified { .. } => Some(Notified),
            Self::Answered { .. } => Some(Answered),
            Self::Returned { .. } => Some(Returned),
            Self::Escalated { .. } => Some(Escalated),
            Self::Closed { .. } => Some(Closed),
            Self::Withdrawn { .. } => Some(Withdrawn),
            Self::Extended { .. } | Self::DueSoon(_) | Self::BecameOverdue { .. } => None,
        }
    }
}

/// What a supervision item must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SupervisionItem {
    status: Option<SupervisionStatus>,
    region: Option<RegionCode>,
    units: Vec<Id<Unit>>,
    escalation_unit: Option<Id<Unit>>,
    escalated_to: Option<Id<Unit>>,
    answer_due_on: Option<Date>,
    /// Who answered last.
    answered_by: Option<String>,
    answers: usize,
    /// What was announced of its due date.
    clock: DueClock,
}

/// Most answers of one item, those that were returned among them.
const MOST_ANSWERS: usize = 100;

/// What an item can be about.
const SUBJECTS: &[Kind] = &[Kind::Task, Kind::Report, Kind::Indicator, Kind::LocalPlan, Kind::Plan];

impl SupervisionItem {
    /// The claim of an item's number in its region.
    pub const NUMBER: &'static str = "supervisionItem.number";
    /// The claim of one item by rule for a subject and the due date that it missed.
    pub const OVERDUE: &'static str = "supervisionItem.overdue";
    /// States of a task in which its units have something to do: not those in which it waits for the office.
    pub const OWED_TASKS: &'static [TaskStatus] =
        &[TaskStatus::Assigned, TaskStatus::Accepted, TaskStatus::InProgress, TaskStatus::Returned];
    /// States of a report in which it was never handed in.
    pub const OWED_REPORTS: &'static [ReportStatus] = &[ReportStatus::Open];

    fn set_due(&mut self, answer_due_on: Date, stamp: &Stamp) {
        self.answer_due_on = Some(answer_due_on);
        self.clock.set(Some(answer_due_on), stamp.at);
    }

    fn answer(
        &self,
        command: AnswerSupervisionItem,
        context: &Context<'_>,
    ) -> Result<SupervisionItemEvent, Rejection> {
        let AnswerSupervisionItem { summary, evidence, .. } = command;
        text::required("summary", &summary, text::LONG)?;
        check_evidence(&evidence)?;
        if self.answers >= MOST_ANSWERS {
            let message = format!("an item takes at most {MOST_ANSWERS} answers");
            return Err(Rejection::rule("answers-are-bounded", message, None));
        }
        let unit_id = context.viewer.units.iter().copied().find(|unit| self.units.contains(unit));
        Ok(SupervisionItemEvent::Answered { unit_id, summary, evidence })
    }

    fn escalate(
        &self,
        command: EscalateSupervisionItem,
        context: &Context<'_>,
    ) -> Result<SupervisionItemEvent, Rejection> {
        let EscalateSupervisionItem { unit_id, reason, .. } = command;
        text::required("reason", &reason, text::LONG)?;
        check_above("unitId", unit_id, &self.units, context.facts)?;
        if self.status == Some(Escalated) && self.escalated_to == Some(unit_id) {
            return Err(Rejection::invalid("unitId", "has the item already"));
        }
        Ok(SupervisionItemEvent::Escalated { unit_id, reason: Some(reason), by_rule: None })
    }

    fn escalate_by_rule(
        &self,
        by_rule: EscalatedByRule,
        today: Date,
    ) -> Result<SupervisionItemEvent, Rejection> {
        text::count("byRule.calendars", by_rule.calendars.len())?;
        let due_on = by_rule.answer_due_on;
        if self.answer_due_on != Some(due_on) {
            return Err(Rejection::invalid("byRule.answerDueOn", "is not when the answer is due"));
        }
        if today <= due_on {
            let message = format!("the last day for the answer, {due_on}, has not passed");
            return Err(Rejection::rule("escalated-after-the-last-day", message, None));
        }
        let unit_id = self.escalation_unit.ok_or_else(|| {
            Rejection::rule("escalated-to-a-named-unit", "no unit above was named for this item", None)
        })?;
        Ok(SupervisionItemEvent::Escalated { unit_id, reason: None, by_rule: Some(by_rule) })
    }

    fn extend(&self, command: ExtendSupervisionItem, today: Date) -> Result<SupervisionItemEvent, Rejection> {
        let ExtendSupervisionItem { answer_due_on, reason, .. } = command;
        text::required("reason", &reason, text::LONG)?;
        check_due(answer_due_on, today)?;
        let Some(former) = self.answer_due_on.filter(|former| *former < answer_due_on) else {
            return Err(Rejection::invalid("answerDueOn", "is not later than before"));
        };
        Ok(SupervisionItemEvent::Extended { answer_due_on, former_answer_due_on: former, reason })
    }
}

impl OpenSupervisionItem {
    fn decide(self, context: &Context<'_>) -> Result<SupervisionItemEvent, Rejection> {
        let plan = context.facts.first(Kind::Plan, "planId")?;
        let plan_region = plan.region.unwrap_or(RegionCode::COUNTRY);
        let region_code = self.region_code.unwrap_or(plan_region);
        if !plan_region.covers(region_code) {
            return Err(Rejection::invalid("regionCode", "lies outside the plan's region"));
        }
        text::required("number", &self.number, text::SHORT)?;
        if self.number.trim() != self.number {
            return Err(Rejection::invalid("number", "begins or ends with a blank"));
        }
        text::required("title", &self.title, text::TITLE)?;
        text::required("demand", &self.demand, text::LONG)?;
        text::maybe("basis", self.basis.as_ref(), text::LONG)?;
        if let Some(subject) = self.subject_id {
            check_subject(subject, SUBJECTS, self.plan_id, context.facts)?;
        }
        check_units(&self.unit_ids, context.facts)?;
        if let Some(above) = self.escalation_unit_id {
            check_above("escalationUnitId", above, &self.unit_ids, context.facts)?;
        }
        check_due(self.answer_due_on, context.today())?;
        Ok(SupervisionItemEvent::Opened {
            plan_id: self.plan_id,
            region_code,
            number: Some(self.number),
            title: self.title,
            subject_id: self.subject_id,
            unit_ids: self.unit_ids,
            escalation_unit_id: self.escalation_unit_id,
            demand: self.demand,
            answer_due_on: self.answer_due_on,
            basis: self.basis,
            by_rule: None,
        })
    }
}

impl OpenSupervisionItemByRule {
    fn decide(self, context: &Context<'_>) -> Result<SupervisionItemEvent, Rejection> {
        let plan = context.facts.first(Kind::Plan, "planId")?;
        let region_code = plan.region.unwrap_or(RegionCode::COUNTRY);
        text::required("title", &self.title, text::TITLE)?;
        text::required("demand", &self.demand, text::LONG)?;
        text::count("byRule.calendars", self.by_rule.calendars.len())?;
        check_subject(self.subject_id, &[Kind::Task, Kind::Report], self.plan_id, context.facts)?;
        check_units(&self.unit_ids, context.facts)?;
        if let Some(above) = self.escalation_unit_id {
            check_above("escalationUnitId", above, &self.unit_ids, context.facts)?;
        }
        if context.today() <= self.by_rule.subject_due_on {
            return Err(Rejection::rule("supervised-when-overdue", "its due date has not passed", None));
        }
        if !is_owed(self.subject_id, context.facts) {
            return Err(Rejection::rule("supervised-while-owed", "no unit owes it any more", None));
        }
        Ok(SupervisionItemEvent::Opened {
            plan_id: self.plan_id,
            region_code,
            number: None,
            title: self.title,
            subject_id: Some(self.subject_id),
            unit_ids: self.unit_ids,
            escalation_unit_id: self.escalation_unit_id,
            demand: self.demand,
            answer_due_on: self.answer_due_on,
            basis: None,
            by_rule: Some(self.by_rule),
        })
    }
}

/// What it is about is of a kind that can be supervised, and belongs to the plan. A report is found as one of its duty, and
/// once more as one of the plan.
fn check_subject(subject: GlobalId, kinds: &[Kind], plan: Id<Plan>, facts: &Facts) -> Result<(), Rejection> {
    if !kinds.contains(&subject.kind) {
        let terms: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        return Err(Rejection::invalid("subjectId", format!("is not one of {}", terms.join(", "))));
    }
    let of_plan = |fact: &Fact| fact.id == plan.uuid() || fact.belongs_to == Some(plan.uuid());
    if facts.objects.iter().any(|fact| fact.id == subject.uuid && of_plan(fact)) {
        return Ok(());
    }
    Err(Rejection::invalid("subjectId", "belongs to another plan"))
}

/// Whether a task or report still is for its units to do.
fn is_owed(subject: GlobalId, facts: &Facts) -> bool {
    let Some(Fact { kind, status, .. }) = facts.object(subject.uuid) else { return false };
    match kind {
        Kind::Task => SupervisionItem::OWED_TASKS.iter().any(|owed| owed.as_str() == status),
        Kind::Report => SupervisionItem::OWED_REPORTS.iter().any(|owed| owed.as_str() == status),
        _ => false,
    }
}

fn check_units(units: &[Id<Unit>], facts: &Facts) -> Result<(), Rejection> {
    if units.is_empty() {
        return Err(Rejection::invalid("unitIds", "names no unit"));
    }
    text::count("unitIds", units.len())?;
    for (at, unit) in units.iter().enumerate() {
        let field = format!("unitIds[{at}]");
        if units[..at].contains(unit) {
            return Err(Rejection::invalid(field, "stands twice"));
        }
        Unit::check_active(&field, *unit, facts)?;
    }
    Ok(())
}

/// A unit is not above itself.
fn check_above(field: &str, above: Id<Unit>, units: &[Id<Unit>], facts: &Facts) -> Result<(), Rejection> {
    if units.contains(&above) {
        return Err(Rejection::invalid(field, "is a supervised unit"));
    }
    Unit::check_active(field, above, facts)
}

fn check_due(answer_due_on: Date, today: Date) -> Result<(), Rejection> {
    if answer_due_on < today {
        return Err(Rejection::invalid("answerDueOn", format!("lies before today, {today}")));
    }
    Ok(())
}

/// The plan first: it says in which region the item is opened.
fn needs_to_open(
    plan: Id<Plan>,
    subject: Option<GlobalId>,
    units: &[Id<Unit>],
    above: Option<Id<Unit>>,
) -> Vec<Need> {
    let object = |kind, id, field: String| Need::Object { kind, id, field };
    let unit = |(at, id): (usize, &Id<Unit>)| object(Kind::Unit, id.uuid(), format!("unitIds[{at}]"));
    let subject = subject.filter(|subject| SUBJECTS.contains(&subject.kind));
    // A report belongs to its duty; that it is of the plan stands in its row.
    let of_plan = subject.filter(|subject| subject.kind == Kind::Report).map(|report| Need::Having {
        kind: Kind::Report,
        belongs_to: Some(plan.uuid()),
        columns: vec![("id", Holding::Id(report.uuid)), ("plan_id", Holding::Id(plan.uuid()))],
    });
    std::iter::once(object(Kind::Plan, plan.uuid(), "planId".into()))
        .chain(subject.map(|subject| object(subject.kind, subject.uuid, "subjectId".into())))
        .chain(of_plan)
        .chain(units.iter().take(text::LIST).enumerate().map(unit))
        .chain(above.map(|above| object(Kind::Unit, above.uuid(), "escalationUnitId".into())))
        .collect()
}

impl Aggregate for SupervisionItem {
    const KIND: Kind = Kind::SupervisionItem;
    type Status = SupervisionStatus;
    type Command = SupervisionItemCommand;
    type Event = SupervisionItemEvent;
    const STEPS: &'static [Step<SupervisionStatus>] = STEPS;

    fn status(&self) -> Option<SupervisionStatus> {
        self.status
    }

    fn subject(&self, command: Option<&SupervisionItemCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(SupervisionItemCommand::OpenSupervisionItem(item)) => {
                item.region_code.or_else(|| facts.region_of(Kind::Plan))
            }
            Some(SupervisionItemCommand::OpenSupervisionItemByRule(_)) => facts.region_of(Kind::Plan),
            _ => self.region,
        };
        Subject {
            region,
            lead_units: self.units.clone(),
            checked_person: self.answered_by.clone(),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &SupervisionItemCommand) -> Vec<Need> {
        match command {
            SupervisionItemCommand::OpenSupervisionItem(item) => {
                needs_to_open(item.plan_id, item.subject_id, &item.unit_ids, item.escalation_unit_id)
            }
            SupervisionItemCommand::OpenSupervisionItemByRule(item) => {
                needs_to_open(item.plan_id, Some(item.subject_id), &item.unit_ids, item.escalation_unit_id)
            }
            SupervisionItemCommand::EscalateSupervisionItem(item) => {
                vec![Need::Object { kind: Kind::Unit, id: item.unit_id.uuid(), field: "unitId".into() }]
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: SupervisionItemCommand,
        context: &Context<'_>,
    ) -> Result<Vec<SupervisionItemEvent>, Rejection> {
        Ok(vec![match command {
            SupervisionItemCommand::OpenSupervisionItem(item) => item.decide(context)?,
            SupervisionItemCommand::OpenSupervisionItemByRule(item) => item.decide(context)?,
            SupervisionItemCommand::NotifySupervisedUnits(NotifySupervisedUnits { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                SupervisionItemEvent::Notified { note }
            }
            SupervisionItemCommand::AnswerSupervisionItem(answer) => self.answer(answer, context)?,
            SupervisionItemCommand::ReturnSupervisionAnswer(ReturnSupervisionAnswer {
                answer_due_on,
                reason,
                ..
            }) => {
                text::required("reason", &reason, text::LONG)?;
                check_due(answer_due_on, context.today())?;
                SupervisionItemEvent::Returned { answer_due_on, reason }
            }
            SupervisionItemCommand::CloseSupervisionItem(CloseSupervisionItem { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                SupervisionItemEvent::Closed { note }
            }
            SupervisionItemCommand::EscalateSupervisionItem(command) => self.escalate(command, context)?,
            SupervisionItemCommand::EscalateSupervisionItemByRule(command) => {
                self.escalate_by_rule(command.by_rule, context.today())?
            }
            SupervisionItemCommand::ExtendSupervisionItem(command) => {
                self.extend(command, context.today())?
            }
            SupervisionItemCommand::WithdrawSupervisionItem(WithdrawSupervisionItem { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                SupervisionItemEvent::Withdrawn { reason }
            }
            SupervisionItemCommand::AnnounceSupervisionItemDueSoon(AnnounceSupervisionItemDueSoon {
                due_soon,
                ..
            }) => {
                self.clock.check_due_soon(&due_soon)?;
                SupervisionItemEvent::DueSoon(due_soon)
            }
            SupervisionItemCommand::AnnounceSupervisionItemOverdue(AnnounceSupervisionItemOverdue {
                due_on,
                ..
            }) => {
                self.clock.check_overdue(due_on, context.today())?;
                SupervisionItemEvent::BecameOverdue { due_on }
            }
        }])
    }

    fn evolve(&mut self, event: &SupervisionItemEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            SupervisionItemEvent::Opened {
                region_code, unit_ids, escalation_unit_id, answer_due_on, ..
            } => {
                self.region = Some(*region_code);
                self.units.clone_from(unit_ids);
                self.escalation_unit = *escalation_unit_id;
                self.set_due(*answer_due_on, stamp);
            }
            SupervisionItemEvent::Answered { .. } => {
                self.answered_by = Some(stamp.actor.clone());
                self.answers += 1;
            }
            SupervisionItemEvent::Returned { answer_due_on, .. }
            | SupervisionItemEvent::Extended { answer_due_on, .. } => self.set_due(*answer_due_on, stamp),
            SupervisionItemEvent::Escalated { unit_id, .. } => self.escalated_to = Some(*unit_id),
            SupervisionItemEvent::DueSoon(_) => self.clock.said_due_soon(),
            SupervisionItemEvent::BecameOverdue { .. } => self.clock.said_overdue(),
            SupervisionItemEvent::Notified { .. }
            | SupervisionItemEvent::Closed { .. }
            | SupervisionItemEvent::Withdrawn { .. } => {}
        }
    }

    fn claims(&self, event: &SupervisionItemEvent) -> Vec<Claim> {
        let SupervisionItemEvent::Opened { region_code, number, subject_id, by_rule, .. } = event else {
            return Vec::new();
        };
        let number = number
            .as_ref()
            .map(|number| Claim::take(Self::NUMBER, format!("{region_code}|{number}"), "number"));
        let overdue = subject_id.zip(by_rule.as_ref()).map(|(subject, rule)| {
            Claim::take(Self::OVERDUE, format!("{subject}|{}", rule.subject_due_on), "subjectId")
        });
        number.into_iter().chain(overdue).collect()
    }
}

#[cfg(test)]
mod tests;
