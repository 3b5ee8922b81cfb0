//! A plan (质量工作方案): a government document that sets tasks and indicators for a period.
//!
//! Tempting but false, so nowhere enforced: a phase starts after issue; a plan has a document number; the issue
//! date is known; no task is due after the plan's end.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    text,
};

vocabulary! {
    /// Where a plan stands (方案状态).
    pub enum PlanStatus {
        Draft = "DRAFT", "草案";
        Issued = "ISSUED", "已印发";
        InForce = "IN_FORCE", "实施中";
        Concluded = "CONCLUDED", "已总结";
        Superseded = "SUPERSEDED", "已被替代";
        Repealed = "REPEALED", "已废止";
    }
}
status!(PlanStatus);
use PlanStatus::{Concluded, Draft, InForce, Issued, Repealed, Superseded};

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const LIFE: Step<PlanStatus> = Step {
    action: "",
    term: "",
    from: &[Issued, InForce],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<PlanStatus>] = &[
    Step { action: "draftPlan", term: "起草方案", from: &[], to: To::State(Draft), ..LIFE },
    Step { action: "amendPlan", term: "修订方案", from: &[Draft, Issued, InForce], ..LIFE },
    Step { action: "recordPlanDuties", term: "登记报告义务", from: &[Draft, Issued, InForce], ..LIFE },
    Step { action: "issuePlan", term: "印发方案", from: &[Draft], to: To::State(Issued), ..LIFE },
    Step {
        action: "bringPlanIntoForce", term: "方案施行", from: &[Issued], to: To::State(InForce), ..LIFE
    },
    Step { action: "enterPlanPhase", term: "进入阶段", from: &[InForce], ..LIFE },
    Step {
        action: "enterPlanPhaseByDate",
        term: "按期进入阶段",
        from: &[InForce],
        by: &[By::InRegion(Role::Scheduler)],
        ..LIFE
    },
    Step { action: "concludePlan", term: "总结方案", from: &[InForce], to: To::State(Concluded), ..LIFE },
    Step {
        action: "supersedePlan",
        term: "方案被替代",
        to: To::State(Superseded),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "repealPlan",
        term: "废止方案",
        to: To::State(Repealed),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

/// States of a plan in which tasks and indicators may be added.
pub(crate) const OPEN_STATES: &[&str] = &[Draft.as_str(), Issued.as_str(), InForce.as_str()];

commands! {
    /// What may be asked of a plan.
    PlanCommand {
        create DraftPlan = "draftPlan";
        on AmendPlan = "amendPlan";
        on RecordPlanDuties = "recordPlanDuties";
        on IssuePlan = "issuePlan";
        on BringPlanIntoForce = "bringPlanIntoForce";
        on EnterPlanPhase = "enterPlanPhase";
        on EnterPlanPhaseByDate = "enterPlanPhaseByDate";
        on ConcludePlan = "concludePlan" (reason);
        on SupersedePlan = "supersedePlan" (reason);
        on RepealPlan = "repealPlan" (reason);
    }
}

/// A dated phase of a plan (实施阶段). Phases lie inside the plan's period and do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "PhaseInput"))]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// What it is called, such as 启动阶段.
    pub name: String,
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
}

/// A superior document that a plan cites (依据).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "BasisInput"))]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// Its document number (文号), when it has one.
    pub document_number: Option<String>,
    /// Its title.
    pub title: String,
    /// Who issued it, when that is said.
    pub issuer: Option<String>,
}

vocabulary! {
    /// How often a report is due (报送周期).
    pub enum Cadence {
        Monthly = "MONTHLY", "每月";
        Quarterly = "QUARTERLY", "每季度";
        SemiAnnual = "SEMI_ANNUAL", "每半年";
        Annual = "ANNUAL", "每年";
    }
}

impl Cadence {
    /// Length of its periods in months.
    pub const fn months(self) -> u32 {
        match self {
            Self::Monthly => 1,
            Self::Quarterly => 3,
            Self::SemiAnnual => 6,
            Self::Annual => 12,
        }
    }
}

/// A duty to report at a cadence as a plan states it in words (定期报告义务). A report with two addressees is two duties.
/// Which units owe which reports is said by a [reporting duty](crate::performance::reporting_duty).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "StatedReportingDutyInput"))]
#[serde(rename_all = "camelCase")]
pub struct StatedReportingDuty {
    /// The unit or group of units that reports, as the plan names it.
    pub who: String,
    /// The addressee, as the plan names it.
    pub to: String,
    /// How often.
    pub cadence: Cadence,
    /// What is reported.
    pub what: String,
    /// When it is due for the first time, when that is known.
    pub first_due: Option<Date>,
    /// Whether the first due date stands in the document or was inferred.
    pub first_due_is_inferred: bool,
    /// A remark.
    pub note: Option<String>,
}

vocabulary! {
    /// What brings a duty without a cadence about (触发方式).
    pub enum DutyTrigger {
        Once = "ONCE", "一次性";
        OnEvent = "ON_EVENT", "事件触发";
        AsNeeded = "AS_NEEDED", "及时";
        PeriodicUnspecified = "PERIODIC_UNSPECIFIED", "定期（未定周期）";
    }
}

/// A duty without a cadence (一次性或随事件的义务).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "OneOffDutyInput"))]
#[serde(rename_all = "camelCase")]
pub struct OneOffDuty {
    /// Who has the duty, as the plan names it.
    pub who: String,
    /// To whom, as the plan names it; 社会公众 and 企业 are possible.
    pub to: String,
    /// What brings it about.
    pub trigger: DutyTrigger,
    /// What is to be done.
    pub what: String,
    /// When it is due, when the plan says so.
    pub due_on: Option<Date>,
    /// A remark.
    pub note: Option<String>,
}

/// What a plan says of itself (方案要素). Used when it is drafted and when it is amended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct PlanContent {
    /// Document number (文号) with 〔〕 brackets, such as 甘政办发〔2011〕58号; unique when there is one.
    pub document_number: Option<String>,
    /// The title, at most 200 characters.
    pub title: String,
    /// Whether the title was given by us because the document has none.
    #[serde(default)]
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub title_is_assigned: bool,
    /// Who issues it, in words.
    pub issuer: String,
    /// The issuing unit, when it is registered.
    pub issuer_id: Option<Id<Unit>>,
    /// Whether the issuer was inferred from the text.
    #[serde(default)]
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub issuer_is_inferred: bool,
    /// First day of the planning period, when it is stated.
    pub period_start: Option<Date>,
    /// Last day of the planning period.
    pub period_end: Date,
    /// How an unstated period was fixed.
    pub period_note: Option<String>,
    /// Dated phases.
    #[serde(default)]
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub phases: Vec<Phase>,
    /// Superior documents cited.
    #[serde(default)]
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub basis: Vec<Basis>,
    /// The guiding idea in one sentence.
    pub guidance: Option<String>,
}

/// Drafts a plan (起草方案). Its code is unique.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DraftPlan {
    /// A stable code given by us, such as `GS-2011-QUALITY`: capitals, digits and hyphens, at most 60.
    pub code: String,
    /// The region it holds for.
    pub region_code: RegionCode,
    /// What it says of itself.
    pub content: PlanContent,
}

/// Amends a plan (修订方案): replaces what it says of itself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AmendPlan {
    /// The plan.
    pub id: Id<Plan>,
    /// What it says from now on.
    pub content: PlanContent,
    /// Why; needed once the plan is issued.
    pub reason: Option<String>,
}

/// Records the duties to report that a plan states (登记报告义务). Replaces the former lists.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RecordPlanDuties {
    /// The plan.
    pub id: Id<Plan>,
    /// Duties at a cadence, at most 200.
    pub reporting_duties: Vec<StatedReportingDuty>,
    /// Other duties, at most 200.
    pub one_off_duties: Vec<OneOffDuty>,
}

/// Issues a plan (印发方案).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct IssuePlan {
    /// The plan.
    pub id: Id<Plan>,
    /// The date of issue, when it is known.
    pub issued_on: Option<Date>,
}

/// Brings a plan into force (方案施行).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct BringPlanIntoForce {
    /// The plan.
    pub id: Id<Plan>,
    /// From when, when it is known.
    pub effective_from: Option<Date>,
    /// Whether that date was assumed because the document is silent.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub effective_from_is_assumed: bool,
}

/// Enters a dated phase (进入阶段).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct EnterPlanPhase {
    /// The plan.
    pub id: Id<Plan>,
    /// The name of one of its phases.
    pub phase: String,
}

/// Enters a phase because its first day has come (按期进入阶段): once for each phase, so that what the office decided before
/// stands. Only the scheduler does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnterPlanPhaseByDate {
    /// The plan.
    pub id: Id<Plan>,
    /// The name of one of its phases.
    pub phase: String,
}

/// Concludes a plan (总结方案). With open tasks it needs a reason.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ConcludePlan {
    /// The plan.
    pub id: Id<Plan>,
    /// Why it is concluded although tasks are open.
    pub reason: Option<String>,
}

/// Marks a plan as superseded by another (方案被替代).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct SupersedePlan {
    /// The plan.
    pub id: Id<Plan>,
    /// The plan that takes its place.
    pub by_id: Id<Plan>,
    /// Why.
    pub reason: String,
}

/// Repeals a plan (废止方案).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RepealPlan {
    /// The plan.
    pub id: Id<Plan>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a plan.
    pub enum PlanEvent {
        /// 方案已起草
        Drafted { code: String, region_code: RegionCode, content: PlanContent },
        /// 方案已修订
        Amended { content: PlanContent, reason: Option<String> },
        /// 报告义务已登记
        DutiesRecorded { reporting_duties: Vec<StatedReportingDuty>, one_off_duties: Vec<OneOffDuty> },
        /// 方案已印发
        Issued { issued_on: Option<Date> },
        /// 方案已施行
        TookEffect { effective_from: Option<Date>, effective_from_is_assumed: bool },
        /// 已进入阶段
        PhaseEntered { phase: String },
        /// 方案已总结
        Concluded { open_tasks: u64, reason: Option<String> },
        /// 方案已被替代
        Superseded { by: Id<Plan>, reason: String },
        /// 方案已废止
        Repealed { reason: String },
    }
}

impl PlanEvent {
    /// Where the plan stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<PlanStatus> {
        match self {
            Self::Drafted { .. } => Some(Draft),
            Self::Issued { .. } => Some(Issued),
            Self::TookEffect { .. } => Some(InForce),
            Self::Concluded { .. } => Some(Concluded),
            Self::Superseded { .. } => Some(Superseded),
            Self::Repealed { .. } => Some(Repealed),
            Self::Amended { .. } | Self::DutiesRecorded { .. } | Self::PhaseEntered { .. } => None,
        }
    }
}

/// What a plan must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    status: Option<PlanStatus>,
    region: Option<RegionCode>,
    document_number: Option<String>,
    phases: Vec<Phase>,
    phase: Option<String>,
    /// Phases that were entered, in this order.
    #[serde(default)]
    entered: Vec<String>,
}

impl Plan {
    /// The claim of a plan's code.
    pub const CODE: &'static str = "plan.code";
    /// The claim of a document number.
    pub const DOCUMENT_NUMBER: &'static str = "plan.documentNumber";
}

impl PlanContent {
    fn check(&self) -> Result<(), Rejection> {
        let field = |name: &str| format!("content.{name}");
        text::maybe(&field("documentNumber"), self.document_number.as_ref(), text::SHORT)?;
        text::required(&field("title"), &self.title, text::TITLE)?;
        text::required(&field("issuer"), &self.issuer, text::TITLE)?;
        text::maybe(&field("periodNote"), self.period_note.as_ref(), text::LONG)?;
        text::maybe(&field("guidance"), self.guidance.as_ref(), text::LONG)?;
        if self.period_start.is_some_and(|start| start > self.period_end) {
            return Err(Rejection::invalid(field("periodEnd"), "lies before the period's start"));
        }
        text::count(&field("basis"), self.basis.len())?;
        for (at, basis) in self.basis.iter().enumerate() {
            text::required(&field(&format!("basis[{at}].title")), &basis.title, text::TITLE)?;
            text::maybe(
                &field(&format!("basis[{at}].documentNumber")),
                basis.document_number.as_ref(),
                text::SHORT,
            )?;
            text::maybe(&field(&format!("basis[{at}].issuer")), basis.issuer.as_ref(), text::TITLE)?;
        }
        self.check_phases()
    }

    fn check_phases(&self) -> Result<(), Rejection> {
        text::count("content.phases", self.phases.len())?;
        for (at, phase) in self.phases.iter().enumerate() {
            let field = |name: &str| format!("content.phases[{at}].{name}");
            text::required(&field("name"), &phase.name, text::SHORT)?;
            if phase.from > phase.to {
                return Err(Rejection::invalid(field("to"), "lies before the phase's start"));
            }
            let outside =
                self.period_start.is_some_and(|start| phase.from < start) || phase.to > self.period_end;
            if outside {
                return Err(Rejection::invalid(field("from"), "lies outside the plan's period"));
            }
            let clashes =
                |other: &Phase| other.name == phase.name || other.from <= phase.to && phase.from <= other.to;
            if self.phases[..at].iter().any(clashes) {
                return Err(Rejection::invalid(field("from"), "overlaps another phase or has its name"));
            }
        }
        Ok(())
    }
}

fn check_duties(command: &RecordPlanDuties) -> Result<(), Rejection> {
    text::count("reportingDuties", command.reporting_duties.len())?;
    text::count("oneOffDuties", command.one_off_duties.len())?;
    for (at, duty) in command.reporting_duties.iter().enumerate() {
        let field = |name: &str| format!("reportingDuties[{at}].{name}");
        text::required(&field("who"), &duty.who, text::SHORT)?;
        text::required(&field("to"), &duty.to, text::SHORT)?;
        text::required(&field("what"), &duty.what, text::TITLE)?;
        text::maybe(&field("note"), duty.note.as_ref(), text::LONG)?;
    }
    for (at, duty) in command.one_off_duties.iter().enumerate() {
        let field = |name: &str| format!("oneOffDuties[{at}].{name}");
        text::required(&field("who"), &duty.who, text::SHORT)?;
        text::required(&field("to"), &duty.to, text::SHORT)?;
        text::required(&field("what"), &duty.what, text::TITLE)?;
        text::maybe(&field("note"), duty.note.as_ref(), text::LONG)?;
    }
    Ok(())
}

fn check_code(code: &str) -> Result<(), Rejection> {
    let letters = code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
    if code.is_empty() || code.len() > 60 || !letters {
        return Err(Rejection::invalid("code", "is not 1 to 60 capitals, digits and hyphens"));
    }
    Ok(())
}

impl Aggregate for Plan {
    const KIND: Kind = Kind::Plan;
    type Status = PlanStatus;
    type Command = PlanCommand;
    type Event = PlanEvent;
    const STEPS: &'static [Step<PlanStatus>] = STEPS;

    fn status(&self) -> Option<PlanStatus> {
        self.status
    }

    fn subject(&self, command: Option<&PlanCommand>, _: &Facts) -> Subject {
        let region = match command {
            Some(PlanCommand::DraftPlan(plan)) => Some(plan.region_code),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &PlanCommand) -> Vec<Need> {
        let issuer = |content: &PlanContent| {
            let unit = |id: Id<Unit>| Need::Object {
                kind: Kind::Unit,
                id: id.uuid(),
                field: "content.issuerId".into(),
            };
            content.issuer_id.map(unit).into_iter().collect()
        };
        match command {
            PlanCommand::DraftPlan(plan) => issuer(&plan.content),
            PlanCommand::AmendPlan(plan) => issuer(&plan.content),
            PlanCommand::ConcludePlan(plan) => {
                vec![Need::OpenChildren { kind: Kind::Task, parent: plan.id.uuid() }]
            }
            PlanCommand::SupersedePlan(plan) => {
                vec![Need::Object { kind: Kind::Plan, id: plan.by_id.uuid(), field: "byId".into() }]
            }
            _ => Vec::new(),
        }
    }

    fn decide(&self, command: PlanCommand, context: &Context<'_>) -> Result<Vec<PlanEvent>, Rejection> {
        Ok(vec![match command {
            PlanCommand::DraftPlan(DraftPlan { code, region_code, content }) => {
                check_code(&code)?;
                content.check()?;
                PlanEvent::Drafted { code, region_code, content }
            }
            PlanCommand::AmendPlan(AmendPlan { content, reason, .. }) => {
                content.check()?;
                text::maybe("reason", reason.as_ref(), text::LONG)?;
                if self.status != Some(Draft) && reason.is_none() {
                    return Err(Rejection::invalid("reason", "must say why an issued plan is amended"));
                }
                PlanEvent::Amended { content, reason }
            }
            PlanCommand::RecordPlanDuties(duties) => {
                check_duties(&duties)?;
                let RecordPlanDuties { reporting_duties, one_off_duties, .. } = duties;
                PlanEvent::DutiesRecorded { reporting_duties, one_off_duties }
            }
            PlanCommand::IssuePlan(IssuePlan { issued_on, .. }) => PlanEvent::Issued { issued_on },
            PlanCommand::BringPlanIntoForce(plan) => PlanEvent::TookEffect {
                effective_from: plan.effective_from,
                effective_from_is_assumed: plan.effective_from_is_assumed,
            },
            PlanCommand::EnterPlanPhase(EnterPlanPhase { phase, .. }) => {
                if !self.phases.iter().any(|known| known.name == phase) {
                    return Err(Rejection::invalid("phase", "is not a phase of this plan"));
                }
                if self.phase.as_ref() == Some(&phase) {
                    return Err(Rejection::rule(
                        "phase-entered-once",
                        "the plan is in this phase already",
                        None,
                    ));
                }
                PlanEvent::PhaseEntered { phase }
            }
            PlanCommand::EnterPlanPhaseByDate(EnterPlanPhaseByDate { phase, .. }) => {
                let today = context.today();
                let now = |known: &&Phase| known.from <= today && today <= known.to;
                if !self.phases.iter().filter(now).any(|known| known.name == phase) {
                    return Err(Rejection::invalid(
                        "phase",
                        "is not a phase of this plan in which today lies",
                    ));
                }
                if self.entered.contains(&phase) {
                    let message = "the plan has been in this phase";
                    return Err(Rejection::rule("phase-entered-once", message, None));
                }
                PlanEvent::PhaseEntered { phase }
            }
            PlanCommand::ConcludePlan(ConcludePlan { reason, .. }) => {
                let open_tasks = context.facts.open(Kind::Task);
                text::maybe("reason", reason.as_ref(), text::LONG)?;
                if open_tasks > 0 && reason.is_none() {
                    let message =
                        format!("{open_tasks} tasks are open: say in `reason` why the plan is concluded");
                    return Err(Rejection::rule("open-tasks-need-a-reason", message, None));
                }
                PlanEvent::Concluded { open_tasks, reason }
            }
            PlanCommand::SupersedePlan(SupersedePlan { id, by_id, reason }) => {
                text::required("reason", &reason, text::LONG)?;
                if by_id == id {
                    return Err(Rejection::invalid("byId", "is the plan itself"));
                }
                PlanEvent::Superseded { by: by_id, reason }
            }
            PlanCommand::RepealPlan(RepealPlan { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                PlanEvent::Repealed { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &PlanEvent, _: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            PlanEvent::Drafted { region_code, content, .. } => {
                self.region = Some(*region_code);
                self.document_number.clone_from(&content.document_number);
                self.phases.clone_from(&content.phases);
            }
            PlanEvent::Amended { content, .. } => {
                self.document_number.clone_from(&content.document_number);
                self.phases.clone_from(&content.phases);
                self.phase.take_if(|phase| !content.phases.iter().any(|known| known.name == *phase));
            }
            PlanEvent::PhaseEntered { phase } => {
                self.phase = Some(phase.clone());
                self.entered.push(phase.clone());
            }
            _ => {}
        }
    }

    fn claims(&self, event: &PlanEvent) -> Vec<Claim> {
        let number = |number: &Option<String>, change: fn(&'static str, String, &'static str) -> Claim| {
            number.clone().map(|number| change(Self::DOCUMENT_NUMBER, number, "content.documentNumber"))
        };
        match event {
            PlanEvent::Drafted { code, content, .. } => {
                let code = Claim::take(Self::CODE, code, "code");
                std::iter::once(code).chain(number(&content.document_number, Claim::take)).collect()
            }
            PlanEvent::Amended { content, .. } if content.document_number != self.document_number => {
                number(&self.document_number, Claim::release)
                    .into_iter()
                    .chain(number(&content.document_number, Claim::take))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
