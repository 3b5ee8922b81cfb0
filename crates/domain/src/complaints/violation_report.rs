//! A report of a violation (举报线索): somebody tells of a breach of law, by name or not, and follows what comes of it.
//!
//! Who the informer is stands sealed in the first event (举报保密): each field under a key of this report, kept apart from the
//! log. It is opened by one person after another one approved, within a day, and every opening is an event that the
//! informer can see. Erasure is told in two events: that it was ordered, which ends all opening, and that the key is gone.
//!
//! The last day for the decision is counted once, when the report is received, and stored with the versions that it was
//! counted with: the informer is given it with the number.
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    text,
    time::{AppliedLimit, CalendarVersion, DueClock, DueSoon, due},
};

pub mod identity;
use identity::Request;
pub use identity::{
    ApproveInformerIdentity, ConfirmInformerIdentityErased, EraseInformerIdentity, Informer, InformerAddress,
    InformerIdentity, InformerName, InformerPhone, MOST_OPENINGS, MOST_REQUESTS, OpenInformerIdentity,
    RequestInformerIdentity,
};

vocabulary! {
    /// Where a report of a violation stands (举报状态).
    pub enum ViolationReportStatus {
        Received = "RECEIVED", "已接收";
        Accepted = "ACCEPTED", "已受理";
        NotAccepted = "NOT_ACCEPTED", "不予受理";
        Transferred = "TRANSFERRED", "已移送";
        Handled = "HANDLED", "已办结";
        Closed = "CLOSED", "已归档";
    }
}
status!(ViolationReportStatus);
use ViolationReportStatus::{Accepted, Closed, Handled, NotAccepted, Received, Transferred};

vocabulary! {
    /// What a report is about (举报类别).
    pub enum ViolationCategory {
        ProductQuality = "PRODUCT_QUALITY", "产品质量";
        FoodSafety = "FOOD_SAFETY", "食品安全";
        Counterfeit = "COUNTERFEIT", "假冒伪劣";
        Metrology = "METROLOGY", "计量";
        SpecialEquipment = "SPECIAL_EQUIPMENT", "特种设备";
        Licensing = "LICENSING", "无证生产经营";
        ServiceQuality = "SERVICE_QUALITY", "服务质量";
        EngineeringQuality = "ENGINEERING_QUALITY", "工程质量";
        Other = "OTHER", "其他";
    }
}

vocabulary! {
    /// By which way a report came (举报渠道).
    pub enum IntakeChannel {
        Web = "WEB", "网络";
        Hotline12345 = "HOTLINE_12345", "12345热线";
        Hotline12365 = "HOTLINE_12365", "12365热线";
        Hotline12315 = "HOTLINE_12315", "12315热线";
        Visit = "VISIT", "来访";
        Letter = "LETTER", "来信";
    }
}

const BASIS: Option<&str> = Some("市场监督管理投诉举报处理暂行办法（国家市场监督管理总局令第20号）");
const ANYBODY: &[By] = &[
    By::InRegion(Role::Public),
    By::InRegion(Role::Enterprise),
    By::InRegion(Role::UnitOfficer),
    By::InRegion(Role::Inspector),
    By::InRegion(Role::LeadingGroupOffice),
];
const DECIDER: &[By] = &[By::InRegion(Role::Inspector), By::InRegion(Role::LeadingGroupOffice)];
const HANDLER: &[By] = &[
    By::InAddressee(Role::UnitOfficer),
    By::InAddressee(Role::UnitApprover),
    By::InRegion(Role::Inspector),
    By::InRegion(Role::LeadingGroupOffice),
];
const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const CLOCK: &[By] = &[By::InRegion(Role::Scheduler)];
const LIFE: Step<ViolationReportStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: DECIDER,
    requires: &[],
    parent: None,
    basis: BASIS,
};
const ANY: &[ViolationReportStatus] = &[Received, Accepted, NotAccepted, Transferred, Handled, Closed];
const STEPS: &[Step<ViolationReportStatus>] = &[
    Step { action: "submitViolationReport", term: "举报", to: To::State(Received), by: ANYBODY, ..LIFE },
    Step {
        action: "acceptViolationReport",
        term: "受理",
        from: &[Received],
        to: To::State(Accepted),
        ..LIFE
    },
    Step {
        action: "rejectViolationReport",
        term: "不予受理",
        from: &[Received],
        to: To::State(NotAccepted),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "transferViolationReport",
        term: "移送",
        from: &[Accepted, Transferred],
        to: To::State(Transferred),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "handleViolationReport",
        term: "办结",
        from: &[Accepted, Transferred],
        to: To::State(Handled),
        by: HANDLER,
        ..LIFE
    },
    Step {
        action: "closeViolationReport",
        term: "归档",
        from: &[NotAccepted, Handled],
        to: To::State(Closed),
        ..LIFE
    },
    Step {
        action: "requestInformerIdentity",
        term: "申请查阅举报人身份",
        from: ANY,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "approveInformerIdentity",
        term: "批准查阅举报人身份",
        from: ANY,
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    Step { action: "openInformerIdentity", term: "查阅举报人身份", from: ANY, ..LIFE },
    Step {
        action: "eraseInformerIdentity",
        term: "销毁举报人身份",
        from: ANY,
        by: OFFICE,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "announceViolationReportDueSoon",
        term: "提醒到期",
        from: &[Received],
        by: CLOCK,
        basis: None,
        ..LIFE
    },
    Step {
        action: "announceViolationReportOverdue",
        term: "登记逾期",
        from: &[Received],
        by: CLOCK,
        basis: None,
        ..LIFE
    },
    Step { action: "confirmInformerIdentityErased", term: "确认销毁", from: ANY, by: CLOCK, ..LIFE },
];

commands! {
    /// What may be asked of a report of a violation.
    ViolationReportCommand {
        create SubmitViolationReport = "submitViolationReport";
        on AcceptViolationReport = "acceptViolationReport";
        on RejectViolationReport = "rejectViolationReport" (reason);
        on TransferViolationReport = "transferViolationReport" (reason);
        on HandleViolationReport = "handleViolationReport";
        on CloseViolationReport = "closeViolationReport";
        on RequestInformerIdentity = "requestInformerIdentity" (reason);
        on ApproveInformerIdentity = "approveInformerIdentity";
        on OpenInformerIdentity = "openInformerIdentity";
        on EraseInformerIdentity = "eraseInformerIdentity" (reason);
        on ConfirmInformerIdentityErased = "confirmInformerIdentityErased";
        on AnnounceViolationReportDueSoon = "announceViolationReportDueSoon";
        on AnnounceViolationReportOverdue = "announceViolationReportOverdue";
    }
}

/// By when it is decided whether a report is accepted, and how that was counted (受理期限).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecisionDue {
    /// The last day.
    pub due_on: Date,
    /// The time limit.
    pub limit: AppliedLimit,
    /// The versions of the calendars.
    pub calendars: Vec<CalendarVersion>,
}

/// Tells of a violation (举报). Number and secret come from the service; what identifies the informer comes sealed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitViolationReport {
    /// The number that the informer is given.
    pub number: String,
    /// SHA-256 of the secret that the informer is given with it, in hexadecimal digits.
    pub secret_digest: String,
    /// By which way it came.
    pub channel: IntakeChannel,
    /// What it is about.
    pub category: ViolationCategory,
    /// In one line, at most 200 characters.
    pub subject: String,
    /// What happened, at most 5,000 characters.
    pub details: String,
    /// Who is said to have done it, at most 200 characters.
    pub respondent: Option<String>,
    /// When it happened.
    pub occurred_on: Option<Date>,
    /// Where it happened.
    pub region_code: RegionCode,
    /// Who tells of it.
    pub informer: Option<Box<Informer>>,
    /// By when it is decided whether it is accepted.
    pub decision_due: Option<Box<DecisionDue>>,
}

/// Accepts a report of a violation (受理).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AcceptViolationReport {
    /// The report.
    pub id: Id<ViolationReport>,
    /// A remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Does not accept a report of a violation (不予受理).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RejectViolationReport {
    /// The report.
    pub id: Id<ViolationReport>,
    /// Why.
    pub reason: String,
}

/// Transfers a report of a violation to the unit that is competent (移送).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct TransferViolationReport {
    /// The report.
    pub id: Id<ViolationReport>,
    /// To which unit.
    pub unit_id: Id<Unit>,
    /// Why.
    pub reason: String,
}

/// Says what came of a report of a violation (办结).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct HandleViolationReport {
    /// The report.
    pub id: Id<ViolationReport>,
    /// What was found and done, at most 5,000 characters.
    pub result: String,
}

/// Closes a report of a violation (归档).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CloseViolationReport {
    /// The report.
    pub id: Id<ViolationReport>,
    /// A remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Announces that the decision on a report is due soon (提醒到期).
pub type AnnounceViolationReportDueSoon = due::AnnounceDueSoon<ViolationReport>;
/// Announces that the decision on a report has become overdue (登记逾期).
pub type AnnounceViolationReportOverdue = due::AnnounceOverdue<ViolationReport>;

events! {
    /// What has happened to a report of a violation.
    pub enum ViolationReportEvent {
        /// 举报已接收
        Received {
            number: String,
            secret_digest: String,
            channel: IntakeChannel,
            category: ViolationCategory,
            subject: String,
            details: String,
            respondent: Option<String>,
            occurred_on: Option<Date>,
            region_code: RegionCode,
            informer: Option<Box<Informer>>,
            decision_due: Option<Box<DecisionDue>>,
        },
        /// 举报已受理
        Accepted { note: Option<String> },
        /// 举报不予受理
        NotAccepted { reason: String },
        /// 举报已移送
        Transferred { unit_id: Id<Unit>, reason: String },
        /// 举报已办结
        Handled { result: String },
        /// 举报已归档
        Closed { note: Option<String> },
        /// 已申请查阅举报人身份
        IdentityRequested { request: i32, reason: String },
        /// 已批准查阅举报人身份
        IdentityApproved { request: i32 },
        /// 举报人身份已被查阅
        IdentityOpened {
            request: i32,
            /// The unit of the person who opened it.
            unit_id: Option<Id<Unit>>,
            /// The person who approved.
            approved_by: String,
            reason: String,
        },
        /// 已决定销毁举报人身份
        IdentityErasureOrdered { key_id: Uuid, reason: String },
        /// 举报人身份已销毁
        IdentityErased { key_id: Uuid },
        /// 受理决定即将到期
        DueSoon(DueSoon),
        /// 受理决定已逾期
        BecameOverdue { due_on: Date },
    }
}

impl ViolationReportEvent {
    /// Where the report stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<ViolationReportStatus> {
        match self {
            Self::Received { .. } => Some(Received),
            Self::Accepted { .. } => Some(Accepted),
            Self::NotAccepted { .. } => Some(NotAccepted),
            Self::Transferred { .. } => Some(Transferred),
            Self::Handled { .. } => Some(Handled),
            Self::Closed { .. } => Some(Closed),
            Self::IdentityRequested { .. }
            | Self::IdentityApproved { .. }
            | Self::IdentityOpened { .. }
            | Self::IdentityErasureOrdered { .. }
            | Self::IdentityErased { .. }
            | Self::DueSoon(_)
            | Self::BecameOverdue { .. } => None,
        }
    }
}

/// What a report of a violation must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ViolationReport {
    status: Option<ViolationReportStatus>,
    region: Option<RegionCode>,
    /// The unit that it was transferred to last.
    unit: Option<Id<Unit>>,
    key: Option<Uuid>,
    identity: Option<InformerIdentity>,
    /// The first has the number 1.
    requests: Vec<Request>,
    /// What was announced of the last day for the decision.
    clock: DueClock,
}

impl ViolationReport {
    /// The claim of one report a number.
    pub const NUMBER: &'static str = "violationReport.number";
}

/// What a submitted report must say.
fn submitted(
    command: SubmitViolationReport,
    official: bool,
    today: Date,
) -> Result<ViolationReportEvent, Rejection> {
    let SubmitViolationReport {
        number,
        secret_digest,
        channel,
        category,
        subject,
        details,
        respondent,
        occurred_on,
        region_code,
        informer,
        decision_due,
    } = command;
    if channel != IntakeChannel::Web && !official {
        return Err(Rejection::invalid("channel", "is for officials who write down what they were told"));
    }
    text::required("number", &number, text::SHORT)?;
    if secret_digest.len() != 64 || !secret_digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Rejection::invalid("secretDigest", "is not a SHA-256 in hexadecimal digits"));
    }
    text::required("subject", &subject, text::TITLE)?;
    text::required("details", &details, text::LONG)?;
    text::maybe("respondent", respondent.as_ref(), text::TITLE)?;
    if occurred_on.is_some_and(|day| day > today) {
        return Err(Rejection::invalid("occurredOn", "lies in the future"));
    }
    if informer.as_ref().is_some_and(|informer| !informer.is_of_one_key()) {
        return Err(Rejection::invalid("informer", "is not sealed under one key"));
    }
    if let Some(due) = &decision_due {
        text::required("decisionDue.limit.code", &due.limit.code, text::SHORT)?;
        text::count("decisionDue.calendars", due.calendars.len())?;
    }
    Ok(ViolationReportEvent::Received {
        number,
        secret_digest,
        channel,
        category,
        subject,
        details,
        respondent,
        occurred_on,
        region_code,
        informer,
        decision_due,
    })
}

impl Aggregate for ViolationReport {
    const KIND: Kind = Kind::ViolationReport;
    type Status = ViolationReportStatus;
    type Command = ViolationReportCommand;
    type Event = ViolationReportEvent;
    const STEPS: &'static [Step<ViolationReportStatus>] = STEPS;

    fn status(&self) -> Option<ViolationReportStatus> {
        self.status
    }

    fn subject(&self, command: Option<&ViolationReportCommand>, _: &Facts) -> Subject {
        let region = match command {
            Some(ViolationReportCommand::SubmitViolationReport(report)) => Some(report.region_code),
            _ => self.region,
        };
        let asked = match command {
            Some(ViolationReportCommand::ApproveInformerIdentity(approval)) => self.request(approval.request),
            _ => None,
        };
        Subject {
            region,
            addressees: self.unit.into_iter().collect(),
            checked_person: asked.map(|request| request.by.clone()),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &ViolationReportCommand) -> Vec<Need> {
        match command {
            ViolationReportCommand::TransferViolationReport(transfer) => {
                vec![Need::Object { kind: Kind::Unit, id: transfer.unit_id.uuid(), field: "unitId".into() }]
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: ViolationReportCommand,
        context: &Context<'_>,
    ) -> Result<Vec<ViolationReportEvent>, Rejection> {
        Ok(vec![match command {
            ViolationReportCommand::SubmitViolationReport(report) => {
                submitted(report, context.viewer.is_official(), context.today())?
            }
            ViolationReportCommand::AcceptViolationReport(AcceptViolationReport { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                ViolationReportEvent::Accepted { note }
            }
            ViolationReportCommand::RejectViolationReport(RejectViolationReport { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                ViolationReportEvent::NotAccepted { reason }
            }
            ViolationReportCommand::TransferViolationReport(TransferViolationReport {
                unit_id,
                reason,
                ..
            }) => {
                text::required("reason", &reason, text::LONG)?;
                Unit::check_active("unitId", unit_id, context.facts)?;
                if self.unit == Some(unit_id) {
                    return Err(Rejection::invalid("unitId", "has it already"));
                }
                ViolationReportEvent::Transferred { unit_id, reason }
            }
            ViolationReportCommand::HandleViolationReport(HandleViolationReport { result, .. }) => {
                text::required("result", &result, text::LONG)?;
                ViolationReportEvent::Handled { result }
            }
            ViolationReportCommand::CloseViolationReport(CloseViolationReport { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                ViolationReportEvent::Closed { note }
            }
            ViolationReportCommand::RequestInformerIdentity(RequestInformerIdentity { reason, .. }) => {
                self.ask(reason)?
            }
            ViolationReportCommand::ApproveInformerIdentity(ApproveInformerIdentity { request, .. }) => {
                return Ok(self.approve(request)?.into_iter().collect());
            }
            ViolationReportCommand::OpenInformerIdentity(OpenInformerIdentity { request, .. }) => {
                self.open(request, context)?
            }
            ViolationReportCommand::EraseInformerIdentity(EraseInformerIdentity { reason, .. }) => {
                return Ok(self.erase(reason)?.into_iter().collect());
            }
            ViolationReportCommand::AnnounceViolationReportDueSoon(AnnounceViolationReportDueSoon {
                due_soon,
                ..
            }) => {
                self.clock.check_due_soon(&due_soon)?;
                ViolationReportEvent::DueSoon(due_soon)
            }
            ViolationReportCommand::AnnounceViolationReportOverdue(AnnounceViolationReportOverdue {
                due_on,
                ..
            }) => {
                self.clock.check_overdue(due_on, context.today())?;
                ViolationReportEvent::BecameOverdue { due_on }
            }
            ViolationReportCommand::ConfirmInformerIdentityErased(_) => {
                return Ok(self.confirm_erased()?.into_iter().collect());
            }
        }])
    }

    fn evolve(&mut self, event: &ViolationReportEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        self.evolve_identity(event, stamp);
        match event {
            ViolationReportEvent::Received { region_code, decision_due, .. } => {
                self.region = Some(*region_code);
                self.clock.set(decision_due.as_ref().map(|due| due.due_on), stamp.at);
            }
            ViolationReportEvent::Transferred { unit_id, .. } => self.unit = Some(*unit_id),
            ViolationReportEvent::DueSoon(_) => self.clock.said_due_soon(),
            ViolationReportEvent::BecameOverdue { .. } => self.clock.said_overdue(),
            _ => {}
        }
    }

    fn claims(&self, event: &ViolationReportEvent) -> Vec<Claim> {
        match event {
            ViolationReportEvent::Received { number, .. } => {
                vec![Claim::take(Self::NUMBER, number.clone(), "number")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
