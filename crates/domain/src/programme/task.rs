//! A task (任务): one numbered piece of work of a plan, with units that answer for it.
//!
//! Tempting but false, so nowhere enforced: a task is due before its plan ends; a child before its parent; a task
//! has a lead unit (a parent may have none when its children have, and 按职责分工负责 knows only responsible units).
use serde::{Deserialize, Serialize};

use self::dispatch::Dispatch;
use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    programme::plan::{OPEN_STATES, Plan},
    text,
    time::{DueClock, DueSoon, due},
};

pub mod dispatch;
pub mod transfer;
pub use dispatch::{ArbitrateTask, DeclineGround, DeclineTask};
pub use transfer::TransferTaskUnits;

vocabulary! {
    /// Where a task stands (任务状态).
    pub enum TaskStatus {
        Registered = "REGISTERED", "已登记";
        Assigned = "ASSIGNED", "已交办";
        Declined = "DECLINED", "已退办";
        Accepted = "ACCEPTED", "已接收";
        InProgress = "IN_PROGRESS", "推进中";
        CompletionReported = "COMPLETION_REPORTED", "已报完成";
        Returned = "RETURNED", "已退回";
        Verified = "VERIFIED", "已核验";
        Cancelled = "CANCELLED", "已取消";
    }
}
status!(TaskStatus);
use TaskStatus::{
    Accepted, Assigned, Cancelled, CompletionReported, Declined, InProgress, Registered, Returned, Verified,
};

vocabulary! {
    /// What sort of entry of a plan it is (条目类别).
    pub enum TaskKind {
        Goal = "GOAL", "目标";
        Task = "TASK", "任务";
        Safeguard = "SAFEGUARD", "保障措施";
        Requirement = "REQUIREMENT", "工作要求";
    }
}

vocabulary! {
    /// How the document names the units (责任分工方式).
    pub enum Assignment {
        Explicit = "EXPLICIT", "明确牵头和配合单位";
        Joint = "JOINT", "按职责分工负责";
        Implied = "IMPLIED", "由发文机关或上下文推定";
        None = "NONE", "未写明";
    }
}

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const LEAD: &[By] = &[By::InLeadUnit(Role::UnitOfficer), By::InLeadUnit(Role::UnitApprover)];
const RESPONSIBLE: &[By] =
    &[By::InResponsibleUnit(Role::UnitOfficer), By::InResponsibleUnit(Role::UnitApprover)];
const CLOCK: &[By] = &[By::InRegion(Role::Scheduler)];
const LIFE: Step<TaskStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const OPEN: &[TaskStatus] =
    &[Registered, Assigned, Declined, Accepted, InProgress, CompletionReported, Returned];
const STEPS: &[Step<TaskStatus>] = &[
    Step {
        action: "registerTask",
        term: "登记任务",
        to: To::State(Registered),
        parent: Some(Parent { kind: Kind::Plan, states: OPEN_STATES }),
        ..LIFE
    },
    Step { action: "amendTask", term: "修订任务", from: OPEN, ..LIFE },
    Step { action: "assignTaskUnits", term: "交办", from: &[Registered], to: To::State(Assigned), ..LIFE },
    Step {
        action: "reassignTaskUnits",
        term: "改派",
        from: &[Assigned, Declined, Accepted, InProgress, Returned],
        to: To::State(Assigned),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "declineTask",
        term: "退办",
        from: &[Assigned],
        to: To::State(Declined),
        by: LEAD,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "arbitrateTask",
        term: "裁定",
        from: &[Declined],
        to: To::State(Assigned),
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "transferTaskUnits",
        term: "移交",
        from: &[Assigned, Declined, Accepted, InProgress, CompletionReported, Returned],
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "acceptTask", term: "接收", from: &[Assigned], to: To::State(Accepted), by: LEAD, ..LIFE
    },
    Step {
        action: "reportTaskProgress",
        term: "报告进展",
        from: &[Accepted, InProgress, Returned],
        to: To::State(InProgress),
        by: RESPONSIBLE,
        ..LIFE
    },
    Step {
        action: "reportTaskCompletion",
        term: "报告完成",
        from: &[Accepted, InProgress],
        to: To::State(CompletionReported),
        by: LEAD,
        requires: &[Requirement::Evidence],
        ..LIFE
    },
    Step {
        action: "returnTask",
        term: "退回",
        from: &[CompletionReported],
        to: To::State(Returned),
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "verifyTaskCompletion",
        term: "核验完成",
        from: &[CompletionReported],
        to: To::State(Verified),
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "cancelTask",
        term: "取消",
        from: OPEN,
        to: To::State(Cancelled),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step { action: "announceTaskDueSoon", term: "提醒到期", from: OPEN, by: CLOCK, ..LIFE },
    Step { action: "announceTaskOverdue", term: "登记逾期", from: OPEN, by: CLOCK, ..LIFE },
];

commands! {
    /// What may be asked of a task.
    TaskCommand {
        create RegisterTask = "registerTask";
        on AmendTask = "amendTask";
        on AssignTaskUnits = "assignTaskUnits";
        on ReassignTaskUnits = "reassignTaskUnits" (reason);
        on DeclineTask = "declineTask" (reason);
        on ArbitrateTask = "arbitrateTask" (reason);
        on TransferTaskUnits = "transferTaskUnits" (reason);
        on AcceptTask = "acceptTask";
        on ReportTaskProgress = "reportTaskProgress";
        on ReportTaskCompletion = "reportTaskCompletion" (evidence);
        on ReturnTask = "returnTask" (reason);
        on VerifyTaskCompletion = "verifyTaskCompletion";
        on CancelTask = "cancelTask" (reason);
        on AnnounceTaskDueSoon = "announceTaskDueSoon";
        on AnnounceTaskOverdue = "announceTaskOverdue";
    }
}

/// A piece of evidence (佐证材料): what it is and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "EvidenceInput"))]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What it shows, at most 200 characters.
    pub title: String,
    /// Where it is kept: a document number or an address.
    pub reference: Option<String>,
}

/// Checks a list of evidence.
pub(crate) fn check_evidence(evidence: &[Evidence]) -> Result<(), Rejection> {
    text::count("evidence", evidence.len())?;
    for (at, piece) in evidence.iter().enumerate() {
        text::required(&format!("evidence[{at}].title"), &piece.title, text::TITLE)?;
        text::maybe(&format!("evidence[{at}].reference"), piece.reference.as_ref(), text::LONG)?;
    }
    Ok(())
}

/// What a task says of itself (任务内容).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct TaskContent {
    /// The number as printed, such as `(四)3`, when it is printed.
    pub label: Option<String>,
    /// What sort of entry it is.
    pub kind: TaskKind,
    /// A short heading, at most 200 characters (工作任务).
    pub title: String,
    /// What is to be done, at most 5,000 characters (主要内容).
    pub summary: String,
    /// When it is due, when that is said.
    pub due_on: Option<Date>,
    /// A remark.
    pub note: Option<String>,
}

/// Who answers for a task (责任分工). A unit does not both lead and support.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct Responsibility {
    /// Units that lead, at most 200 (牵头单位); with JOINT, the units responsible side by side.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub lead_unit_ids: Vec<Id<Unit>>,
    /// Units that support, at most 200 (配合单位).
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub supporting_unit_ids: Vec<Id<Unit>>,
    /// Whether the list ends with 等 or names an open group.
    #[serde(default)]
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub open_ended: bool,
}

/// Registers a task of a plan (登记任务). Unique by plan and number.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RegisterTask {
    /// The plan it belongs to.
    pub plan_id: Id<Plan>,
    /// The task it is a part of.
    pub parent_id: Option<Id<Task>>,
    /// A number unique in the plan, ASCII, at most 40 characters, such as `4.1` or `A20`; numbers as printed repeat.
    pub number: String,
    /// What it says.
    pub content: TaskContent,
    /// How the document names its units.
    pub assignment: Assignment,
}

/// Amends what a task says (修订任务).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AmendTask {
    /// The task.
    pub id: Id<Task>,
    /// What it says from now on.
    pub content: TaskContent,
    /// Why, at most 5,000 characters.
    pub reason: Option<String>,
}

/// Assigns a task to its units (交办).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AssignTaskUnits {
    /// The task.
    pub id: Id<Task>,
    /// Who answers for it.
    pub responsibility: Responsibility,
}

/// Reassigns a task to other units (改派), as after a reform of institutions.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReassignTaskUnits {
    /// The task.
    pub id: Id<Task>,
    /// Who answers for it from now on.
    pub responsibility: Responsibility,
    /// Why.
    pub reason: String,
}

/// Accepts a task on behalf of a lead unit (接收).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AcceptTask {
    /// The task.
    pub id: Id<Task>,
}

/// Reports progress (报告进展).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReportTaskProgress {
    /// The task.
    pub id: Id<Task>,
    /// How far it has come, 0 to 100 percent.
    pub percent: i32,
    /// What was done, at most 5,000 characters.
    pub note: String,
    /// What shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
}

/// Reports a task as completed (报告完成), with evidence.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReportTaskCompletion {
    /// The task.
    pub id: Id<Task>,
    /// What was achieved, at most 5,000 characters.
    pub note: String,
    /// What shows it: at least one piece.
    pub evidence: Vec<Evidence>,
}

/// Returns a completion report (退回) for more work.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReturnTask {
    /// The task.
    pub id: Id<Task>,
    /// What is missing.
    pub reason: String,
}

/// Verifies that a task is completed (核验完成).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct VerifyTaskCompletion {
    /// The task.
    pub id: Id<Task>,
    /// What was found, at most 5,000 characters.
    pub note: Option<String>,
}

/// Cancels a task (取消).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CancelTask {
    /// The task.
    pub id: Id<Task>,
    /// Why.
    pub reason: String,
}

/// Announces that a task is due soon (提醒到期).
pub type AnnounceTaskDueSoon = due::AnnounceDueSoon<Task>;
/// Announces that a task has become overdue (登记逾期).
pub type AnnounceTaskOverdue = due::AnnounceOverdue<Task>;

events! {
    /// What has happened to a task.
    pub enum TaskEvent {
        /// 任务已登记
        Registered {
            plan_id: Id<Plan>,
            parent_id: Option<Id<Task>>,
            number: String,
            content: TaskContent,
            assignment: Assignment,
            region_code: RegionCode,
        },
        /// 任务已修订
        Amended { content: TaskContent, reason: Option<String> },
        /// 任务已交办
        UnitsAssigned { responsibility: Responsibility },
        /// 任务已改派
        UnitsReassigned { responsibility: Responsibility, reason: String },
        /// 任务已退办
        Declined {
            ground: DeclineGround,
            reason: String,
            /// The lead unit that declined.
            unit_id: Id<Unit>,
            suggested_unit_id: Option<Id<Unit>>,
        },
        /// 任务已裁定
        Arbitrated { responsibility: Responsibility, reason: String },
        /// 任务已移交
        UnitsTransferred { from: Id<Unit>, to: Id<Unit>, reason: String },
        /// 任务已接收
        Accepted,
        /// 进展已报告
        ProgressReported { percent: i32, note: String, evidence: Vec<Evidence> },
        /// 完成已报告
        CompletionReported { note: String, evidence: Vec<Evidence> },
        /// 任务已退回
        Returned { reason: String },
        /// 完成已核验
        CompletionVerified { note: Option<String> },
        /// 任务已取消
        Cancelled { reason: String },
        /// 任务即将到期
        DueSoon(DueSoon),
        /// 任务已逾期
        BecameOverdue { due_on: Date },
    }
}

impl TaskEvent {
    /// Where the task stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<TaskStatus> {
        match self {
            Self::Registered { .. } => Some(Registered),
            Self::Amended { .. }
            | Self::UnitsTransferred { .. }
            | Self::DueSoon(_)
            | Self::BecameOverdue { .. } => None,
            Self::UnitsAssigned { .. } | Self::UnitsReassigned { .. } | Self::Arbitrated { .. } => {
                Some(Assigned)
            }
            Self::Declined { .. } => Some(Declined),
            Self::Accepted => Some(Accepted),
            Self::ProgressReported { .. } => Some(InProgress),
            Self::CompletionReported { .. } => Some(CompletionReported),
            Self::Returned { .. } => Some(Returned),
            Self::CompletionVerified { .. } => Some(Verified),
            Self::Cancelled { .. } => Some(Cancelled),
        }
    }
}

/// What a task must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Task {
    status: Option<TaskStatus>,
    region: Option<RegionCode>,
    content: Option<TaskContent>,
    responsibility: Responsibility,
    dispatch: Dispatch,
    /// Who reported the completion that is to be checked.
    reported_by: Option<String>,
    /// Pieces of evidence brought so far.
    evidence: usize,
    /// What was announced of its due date.
    clock: DueClock,
}

/// Most pieces of evidence of one task.
const MOST_EVIDENCE: usize = 1_000;

impl Task {
    /// As what a task names the units that lead it.
    pub const LEAD: &'static str = "lead";
    /// As what a task names the units that support it.
    pub const SUPPORT: &'static str = "support";
    /// As what a task names units.
    pub const UNITS: &'static [&'static str] = &[Self::LEAD, Self::SUPPORT];
    /// The claim of a task's number in its plan.
    pub const NUMBER: &'static str = "task.number";
    /// The key of that claim.
    pub fn number_key(plan: Id<Plan>, number: &str) -> String {
        format!("{}|{number}", plan.uuid())
    }

    fn check_evidence(&self, evidence: &[Evidence]) -> Result<(), Rejection> {
        check_evidence(evidence)?;
        if self.evidence + evidence.len() > MOST_EVIDENCE {
            let message = format!("a task holds at most {MOST_EVIDENCE} pieces of evidence");
            return Err(Rejection::rule("evidence-is-bounded", message, None));
        }
        Ok(())
    }
}

impl TaskContent {
    fn check(&self) -> Result<(), Rejection> {
        text::maybe("content.label", self.label.as_ref(), text::SHORT)?;
        text::required("content.title", &self.title, text::TITLE)?;
        text::required("content.summary", &self.summary, text::LONG)?;
        text::maybe("content.note", self.note.as_ref(), text::LONG)
    }
}

impl Responsibility {
    fn check(&self, facts: &Facts) -> Result<(), Rejection> {
        let (leads, supporters) = (&self.lead_unit_ids, &self.supporting_unit_ids);
        if leads.is_empty() && supporters.is_empty() {
            return Err(Rejection::invalid("responsibility.leadUnitIds", "names no unit"));
        }
        text::count("responsibility.leadUnitIds", leads.len())?;
        text::count("responsibility.supportingUnitIds", supporters.len())?;
        for (at, unit) in leads.iter().enumerate() {
            let field = format!("responsibility.leadUnitIds[{at}]");
            check_unit(&field, *unit, &leads[..at], facts)?;
        }
        for (at, unit) in supporters.iter().enumerate() {
            let field = format!("responsibility.supportingUnitIds[{at}]");
            if leads.contains(unit) {
                return Err(Rejection::invalid(field, "is a lead unit of this task"));
            }
            check_unit(&field, *unit, &supporters[..at], facts)?;
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let list = |name: &'static str, units: &[Id<Unit>]| {
            let unit = move |(at, id): (usize, &Id<Unit>)| Need::Object {
                kind: Kind::Unit,
                id: id.uuid(),
                field: format!("responsibility.{name}[{at}]"),
            };
            units.iter().take(text::LIST).enumerate().map(unit).collect::<Vec<_>>()
        };
        let mut needs = list("leadUnitIds", &self.lead_unit_ids);
        needs.extend(list("supportingUnitIds", &self.supporting_unit_ids));
        needs
    }
}

fn check_unit(field: &str, unit: Id<Unit>, before: &[Id<Unit>], facts: &Facts) -> Result<(), Rejection> {
    if before.contains(&unit) {
        return Err(Rejection::invalid(field, "stands twice"));
    }
    Unit::check_active(field, unit, facts)
}

fn check_number(number: &str) -> Result<(), Rejection> {
    let allowed = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if number.is_empty() || number.len() > 40 || !allowed {
        return Err(Rejection::invalid(
            "number",
            "is not 1 to 40 letters, digits, dots, hyphens and underscores",
        ));
    }
    Ok(())
}

impl Aggregate for Task {
    const KIND: Kind = Kind::Task;
    type Status = TaskStatus;
    type Command = TaskCommand;
    type Event = TaskEvent;
    const STEPS: &'static [Step<TaskStatus>] = STEPS;

    fn status(&self) -> Option<TaskStatus> {
        self.status
    }

    fn subject(&self, command: Option<&TaskCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(TaskCommand::RegisterTask(_)) => facts.region_of(Kind::Plan),
            _ => self.region,
        };
        // An arbitration checks who dispatched the task last, everything else who reported its completion.
        let checked_person = match self.status {
            Some(Declined) => &self.dispatch.by,
            _ => &self.reported_by,
        };
        Subject {
            region,
            lead_units: self.responsibility.lead_unit_ids.clone(),
            supporting_units: self.responsibility.supporting_unit_ids.clone(),
            checked_person: checked_person.clone(),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &TaskCommand) -> Vec<Need> {
        match command {
            TaskCommand::RegisterTask(task) => {
                let plan = Need::Object { kind: Kind::Plan, id: task.plan_id.uuid(), field: "planId".into() };
                let parent = task.parent_id.map(|id| Need::Object {
                    kind: Kind::Task,
                    id: id.uuid(),
                    field: "parentId".into(),
                });
                std::iter::once(plan).chain(parent).collect()
            }
            TaskCommand::AssignTaskUnits(task) => task.responsibility.needs(),
            TaskCommand::ReassignTaskUnits(task) => task.responsibility.needs(),
            TaskCommand::DeclineTask(task) => task.needs(),
            TaskCommand::ArbitrateTask(task) => task.responsibility.needs(),
            TaskCommand::TransferTaskUnits(task) => task.needs(),
            _ => Vec::new(),
        }
    }

    fn decide(&self, command: TaskCommand, context: &Context<'_>) -> Result<Vec<TaskEvent>, Rejection> {
        Ok(vec![match command {
            TaskCommand::RegisterTask(RegisterTask { plan_id, parent_id, number, content, assignment }) => {
                check_number(&number)?;
                content.check()?;
                let parent = parent_id.and_then(|id| context.facts.object(id.uuid()));
                if parent.is_some_and(|parent| parent.belongs_to != Some(plan_id.uuid())) {
                    return Err(Rejection::invalid("parentId", "belongs to another plan"));
                }
                let plan = context.facts.first(Kind::Plan, "planId")?;
                let region_code = plan.region.unwrap_or(RegionCode::COUNTRY);
                TaskEvent::Registered { plan_id, parent_id, number, content, assignment, region_code }
            }
            TaskCommand::AmendTask(AmendTask { content, reason, .. }) => {
                content.check()?;
                text::maybe("reason", reason.as_ref(), text::LONG)?;
                if self.content.as_ref() == Some(&content) {
                    return Ok(Vec::new());
                }
                TaskEvent::Amended { content, reason }
            }
            TaskCommand::AssignTaskUnits(AssignTaskUnits { responsibility, .. }) => {
                responsibility.check(context.facts)?;
                TaskEvent::UnitsAssigned { responsibility }
            }
            TaskCommand::ReassignTaskUnits(ReassignTaskUnits { responsibility, reason, .. }) => {
                responsibility.check(context.facts)?;
                text::required("reason", &reason, text::LONG)?;
                self.dispatch.check_hop(self.status == Some(Declined))?;
                if responsibility == self.responsibility {
                    return Err(Rejection::invalid("responsibility", "is what it was"));
                }
                TaskEvent::UnitsReassigned { responsibility, reason }
            }
            TaskCommand::DeclineTask(command) => {
                let leads = &self.responsibility.lead_unit_ids;
                let unit_id = self.dispatch.check_decline(&command, leads, context.viewer, context.facts)?;
                let DeclineTask { ground, reason, suggested_unit_id, .. } = command;
                TaskEvent::Declined { ground, reason, unit_id, suggested_unit_id }
            }
            TaskCommand::ArbitrateTask(ArbitrateTask { responsibility, reason, .. }) => {
                responsibility.check(context.facts)?;
                text::required("reason", &reason, text::LONG)?;
                TaskEvent::Arbitrated { responsibility, reason }
            }
            TaskCommand::TransferTaskUnits(command) => {
                command.check(&self.responsibility, context.facts)?;
                let TransferTaskUnits { from_unit_id: from, to_unit_id: to, reason, .. } = command;
                TaskEvent::UnitsTransferred { from, to, reason }
            }
            TaskCommand::AcceptTask(_) => TaskEvent::Accepted,
            TaskCommand::ReportTaskProgress(ReportTaskProgress { percent, note, evidence, .. }) => {
                if !(0..=100).contains(&percent) {
                    return Err(Rejection::invalid("percent", "is not between 0 and 100"));
                }
                text::required("note", &note, text::LONG)?;
                self.check_evidence(&evidence)?;
                TaskEvent::ProgressReported { percent, note, evidence }
            }
            TaskCommand::ReportTaskCompletion(ReportTaskCompletion { note, evidence, .. }) => {
                text::required("note", &note, text::LONG)?;
                self.check_evidence(&evidence)?;
                TaskEvent::CompletionReported { note, evidence }
            }
            TaskCommand::ReturnTask(ReturnTask { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                TaskEvent::Returned { reason }
            }
            TaskCommand::VerifyTaskCompletion(VerifyTaskCompletion { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                TaskEvent::CompletionVerified { note }
            }
            TaskCommand::CancelTask(CancelTask { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                TaskEvent::Cancelled { reason }
            }
            TaskCommand::AnnounceTaskDueSoon(AnnounceTaskDueSoon { due_soon, .. }) => {
                self.clock.check_due_soon(&due_soon)?;
                TaskEvent::DueSoon(due_soon)
            }
            TaskCommand::AnnounceTaskOverdue(AnnounceTaskOverdue { due_on, .. }) => {
                self.clock.check_overdue(due_on, context.today())?;
                TaskEvent::BecameOverdue { due_on }
            }
        }])
    }

    fn evolve(&mut self, event: &TaskEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            TaskEvent::Registered { region_code, content, .. } => {
                self.region = Some(*region_code);
                self.content = Some(content.clone());
                self.clock.set(content.due_on, stamp.at);
            }
            TaskEvent::Amended { content, .. } => {
                self.content = Some(content.clone());
                self.clock.set(content.due_on, stamp.at);
            }
            TaskEvent::DueSoon(_) => self.clock.said_due_soon(),
            TaskEvent::BecameOverdue { .. } => self.clock.said_overdue(),
            TaskEvent::UnitsAssigned { responsibility }
            | TaskEvent::UnitsReassigned { responsibility, .. } => {
                self.responsibility.clone_from(responsibility);
                self.dispatch.assigned(&stamp.actor);
            }
            TaskEvent::UnitsTransferred { from, to, .. } => self.responsibility.transfer(*from, *to),
            TaskEvent::Declined { .. } => self.dispatch.declined(),
            TaskEvent::Arbitrated { responsibility, .. } => {
                self.responsibility.clone_from(responsibility);
                self.dispatch.arbitrated(&stamp.actor);
            }
            TaskEvent::ProgressReported { evidence, .. } => self.evidence += evidence.len(),
            TaskEvent::CompletionReported { evidence, .. } => {
                self.evidence += evidence.len();
                self.reported_by = Some(stamp.actor.clone());
            }
            _ => {}
        }
    }

    fn claims(&self, event: &TaskEvent) -> Vec<Claim> {
        match event {
            TaskEvent::Registered { plan_id, number, .. } => {
                vec![Claim::take(Self::NUMBER, Self::number_key(*plan_id, number), "number")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
