//! A local plan (具体方案): how one unit will carry out a plan, which it must file with another.
//!
//! Plans demand them in one sentence for very many units (各市州、各部门于2011年4月底前报领导小组办公室); a due date is not
//! always said. Timely means filed for the first time no later than the due date: one that is returned and filed again
//! stays timely. The authority over it is that of the plan: the office of the filing unit's own region cannot waive it.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    programme::{
        plan::{OPEN_STATES, Plan},
        task::{Evidence, check_evidence},
    },
    text,
    time::{DueClock, DueSoon, due},
};

vocabulary! {
    /// Where a local plan stands (具体方案状态).
    pub enum LocalPlanStatus {
        Due = "DUE", "待报备";
        Filed = "FILED", "已报备";
        Returned = "RETURNED", "已退回";
        Accepted = "ACCEPTED", "已接收";
        Waived = "WAIVED", "已免报";
    }
}
status!(LocalPlanStatus);
use LocalPlanStatus::{Accepted, Due, Filed, Returned, Waived};

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const FILING_UNIT: &[By] = &[By::InLeadUnit(Role::UnitOfficer), By::InLeadUnit(Role::UnitApprover)];
const ADDRESSEE: &[By] = &[
    By::InAddressee(Role::UnitOfficer),
    By::InAddressee(Role::UnitApprover),
    By::InRegion(Role::LeadingGroupOffice),
];
const CLOCK: &[By] = &[By::InRegion(Role::Scheduler)];
const LIFE: Step<LocalPlanStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<LocalPlanStatus>] = &[
    Step {
        action: "demandLocalPlan",
        term: "要求报备具体方案",
        to: To::State(Due),
        parent: Some(Parent { kind: Kind::Plan, states: OPEN_STATES }),
        ..LIFE
    },
    Step {
        action: "fileLocalPlan",
        term: "报备具体方案",
        from: &[Due, Returned],
        to: To::State(Filed),
        by: FILING_UNIT,
        ..LIFE
    },
    Step {
        action: "returnLocalPlan",
        term: "退回具体方案",
        from: &[Filed],
        to: To::State(Returned),
        by: ADDRESSEE,
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "acceptLocalPlan",
        term: "接收具体方案",
        from: &[Filed],
        to: To::State(Accepted),
        by: ADDRESSEE,
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "waiveLocalPlan",
        term: "免报具体方案",
        from: &[Due, Returned],
        to: To::State(Waived),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step { action: "announceLocalPlanDueSoon", term: "提醒到期", from: &[Due], by: CLOCK, ..LIFE },
    Step { action: "announceLocalPlanOverdue", term: "登记逾期", from: &[Due], by: CLOCK, ..LIFE },
];

commands! {
    /// What may be asked of a local plan.
    LocalPlanCommand {
        create DemandLocalPlan = "demandLocalPlan";
        on FileLocalPlan = "fileLocalPlan";
        on ReturnLocalPlan = "returnLocalPlan" (reason);
        on AcceptLocalPlan = "acceptLocalPlan";
        on WaiveLocalPlan = "waiveLocalPlan" (reason);
        on AnnounceLocalPlanDueSoon = "announceLocalPlanDueSoon";
        on AnnounceLocalPlanOverdue = "announceLocalPlanOverdue";
    }
}

/// Demands a local plan of a unit (要求报备具体方案). Unique by plan, unit and name.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DemandLocalPlan {
    /// The plan that demands it.
    pub plan_id: Id<Plan>,
    /// The unit that files it.
    pub filing_unit_id: Id<Unit>,
    /// The unit that it is filed with.
    pub addressee_id: Id<Unit>,
    /// What is demanded, at most 100 characters, such as 本地区具体方案.
    pub what: String,
    /// When it is due, when that is said.
    pub due_on: Option<Date>,
}

/// Files a local plan (报备具体方案), for the first time or again after it was returned.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct FileLocalPlan {
    /// The local plan.
    pub id: Id<LocalPlan>,
    /// Its title, at most 200 characters.
    pub title: String,
    /// Its document number (文号), when it has one.
    pub document_number: Option<String>,
    /// When it was issued, when it was: a day that has come.
    pub issued_on: Option<Date>,
    /// What it says, at most 5,000 characters.
    pub summary: String,
    /// The document itself and what belongs to it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
}

/// Returns a local plan for more work (退回具体方案).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReturnLocalPlan {
    /// The local plan.
    pub id: Id<LocalPlan>,
    /// What is missing.
    pub reason: String,
}

/// Accepts a local plan (接收具体方案).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AcceptLocalPlan {
    /// The local plan.
    pub id: Id<LocalPlan>,
    /// A remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Waives a local plan (免报具体方案): it is no longer owed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct WaiveLocalPlan {
    /// The local plan.
    pub id: Id<LocalPlan>,
    /// Why.
    pub reason: String,
}

/// Announces that a local plan is due soon (提醒到期).
pub type AnnounceLocalPlanDueSoon = due::AnnounceDueSoon<LocalPlan>;
/// Announces that a local plan has become overdue (登记逾期).
pub type AnnounceLocalPlanOverdue = due::AnnounceOverdue<LocalPlan>;

events! {
    /// What has happened to a local plan.
    pub enum LocalPlanEvent {
        /// 具体方案已要求
        Demanded {
            plan_id: Id<Plan>,
            /// The region of the plan.
            region_code: RegionCode,
            filing_unit_id: Id<Unit>,
            addressee_id: Id<Unit>,
            what: String,
            due_on: Option<Date>,
        },
        /// 具体方案已报备
        Filed {
            title: String,
            document_number: Option<String>,
            issued_on: Option<Date>,
            summary: String,
            evidence: Vec<Evidence>,
        },
        /// 具体方案已退回
        Returned { reason: String },
        /// 具体方案已接收
        Accepted { note: Option<String> },
        /// 具体方案已免报
        Waived { reason: String },
        /// 具体方案即将到期
        DueSoon(DueSoon),
        /// 具体方案已逾期
        BecameOverdue { due_on: Date },
    }
}

impl LocalPlanEvent {
    /// Where the local plan stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<LocalPlanStatus> {
        match self {
            Self::Demanded { .. } => Some(Due),
            Self::Filed { .. } => Some(Filed),
            Self::Returned { .. } => Some(Returned),
            Self::Accepted { .. } => Some(Accepted),
            Self::Waived { .. } => Some(Waived),
            Self::DueSoon(_) | Self::BecameOverdue { .. } => None,
        }
    }
}

/// What a local plan must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LocalPlan {
    status: Option<LocalPlanStatus>,
    region: Option<RegionCode>,
    filing_unit: Option<Id<Unit>>,
    addressee: Option<Id<Unit>>,
    /// Who filed it last.
    filed_by: Option<String>,
    /// What was announced of its due date.
    clock: DueClock,
}

impl LocalPlan {
    /// The claim of one local plan a plan, unit and name.
    pub const WHAT: &'static str = "localPlan.what";
}

impl Aggregate for LocalPlan {
    const KIND: Kind = Kind::LocalPlan;
    type Status = LocalPlanStatus;
    type Command = LocalPlanCommand;
    type Event = LocalPlanEvent;
    const STEPS: &'static [Step<LocalPlanStatus>] = STEPS;

    fn status(&self) -> Option<LocalPlanStatus> {
        self.status
    }

    fn subject(&self, command: Option<&LocalPlanCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(LocalPlanCommand::DemandLocalPlan(_)) => facts.region_of(Kind::Plan),
            _ => self.region,
        };
        Subject {
            region,
            lead_units: self.filing_unit.into_iter().collect(),
            addressees: self.addressee.into_iter().collect(),
            checked_person: self.filed_by.clone(),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &LocalPlanCommand) -> Vec<Need> {
        match command {
            LocalPlanCommand::DemandLocalPlan(demand) => {
                let object = |kind, id, field: &str| Need::Object { kind, id, field: field.into() };
                vec![
                    object(Kind::Plan, demand.plan_id.uuid(), "planId"),
                    object(Kind::Unit, demand.filing_unit_id.uuid(), "filingUnitId"),
                    object(Kind::Unit, demand.addressee_id.uuid(), "addresseeId"),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: LocalPlanCommand,
        context: &Context<'_>,
    ) -> Result<Vec<LocalPlanEvent>, Rejection> {
        Ok(vec![match command {
            LocalPlanCommand::DemandLocalPlan(DemandLocalPlan {
                plan_id,
                filing_unit_id,
                addressee_id,
                what,
                due_on,
            }) => {
                text::required("what", &what, text::SHORT)?;
                if filing_unit_id == addressee_id {
                    return Err(Rejection::invalid("addresseeId", "is the filing unit"));
                }
                Unit::check_active("filingUnitId", filing_unit_id, context.facts)?;
                Unit::check_active("addresseeId", addressee_id, context.facts)?;
                let plan = context.facts.first(Kind::Plan, "planId")?;
                let region_code = plan.region.unwrap_or(RegionCode::COUNTRY);
                LocalPlanEvent::Demanded { plan_id, region_code, filing_unit_id, addressee_id, what, due_on }
            }
            LocalPlanCommand::FileLocalPlan(FileLocalPlan {
                title,
                document_number,
                issued_on,
                summary,
                evidence,
                ..
            }) => {
                text::required("title", &title, text::TITLE)?;
                text::maybe("documentNumber", document_number.as_ref(), text::SHORT)?;
                text::required("summary", &summary, text::LONG)?;
                check_evidence(&evidence)?;
                if issued_on.is_some_and(|day| day > context.today()) {
                    return Err(Rejection::invalid("issuedOn", "lies in the future"));
                }
                LocalPlanEvent::Filed { title, document_number, issued_on, summary, evidence }
            }
            LocalPlanCommand::ReturnLocalPlan(ReturnLocalPlan { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                LocalPlanEvent::Returned { reason }
            }
            LocalPlanCommand::AcceptLocalPlan(AcceptLocalPlan { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                LocalPlanEvent::Accepted { note }
            }
            LocalPlanCommand::WaiveLocalPlan(WaiveLocalPlan { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                LocalPlanEvent::Waived { reason }
            }
            LocalPlanCommand::AnnounceLocalPlanDueSoon(AnnounceLocalPlanDueSoon { due_soon, .. }) => {
                self.clock.check_due_soon(&due_soon)?;
                LocalPlanEvent::DueSoon(due_soon)
            }
            LocalPlanCommand::AnnounceLocalPlanOverdue(AnnounceLocalPlanOverdue { due_on, .. }) => {
                self.clock.check_overdue(due_on, context.today())?;
                LocalPlanEvent::BecameOverdue { due_on }
            }
        }])
    }

    fn evolve(&mut self, event: &LocalPlanEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            LocalPlanEvent::Demanded { region_code, filing_unit_id, addressee_id, due_on, .. } => {
                self.region = Some(*region_code);
                self.filing_unit = Some(*filing_unit_id);
                self.addressee = Some(*addressee_id);
                self.clock.set(*due_on, stamp.at);
            }
            LocalPlanEvent::Filed { .. } => self.filed_by = Some(stamp.actor.clone()),
            LocalPlanEvent::DueSoon(_) => self.clock.said_due_soon(),
            LocalPlanEvent::BecameOverdue { .. } => self.clock.said_overdue(),
            LocalPlanEvent::Returned { .. }
            | LocalPlanEvent::Accepted { .. }
            | LocalPlanEvent::Waived { .. } => {}
        }
    }

    fn claims(&self, event: &LocalPlanEvent) -> Vec<Claim> {
        match event {
            LocalPlanEvent::Demanded { plan_id, filing_unit_id, what, .. } => {
                let key = format!("{}|{}|{what}", plan_id.uuid(), filing_unit_id.uuid());
                vec![Claim::take(Self::WHAT, key, "what")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
