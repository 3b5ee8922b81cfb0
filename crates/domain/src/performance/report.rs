//! A report (报告): what one unit owes to one addressee for one period of a [`ReportingDuty`].
//!
//! Timely means handed in for the first time no later than the due date; a report that is returned and handed in again
//! stays timely. A locked period takes no more reports and gives none back: figures that were published stay as they are. For the
//! same reason officers of a unit record and correct no measurement of a plan in a period that one of its reports shares and
//! that is locked; the office, which locks and unlocks, still does.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, Period, RegionCode, Rejection, Role, Subject,
    aggregate::{Holding, Stamp, Upcast, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    performance::reporting_duty::{ReportSubject, ReportingDuty, ReportingDutyStatus, asks_for_other},
    policy::By,
    programme::{
        plan::Plan,
        task::{Evidence, check_evidence},
    },
    text,
    time::{DueClock, DueSoon, due},
};

vocabulary! {
    /// Where a report stands (报告状态).
    pub enum ReportStatus {
        Open = "OPEN", "待报";
        Submitted = "SUBMITTED", "已报送";
        Returned = "RETURNED", "已退回";
        Accepted = "ACCEPTED", "已接收";
        Waived = "WAIVED", "已免报";
    }
}
status!(ReportStatus);
use ReportStatus::{Accepted, Open, Returned, Submitted, Waived};

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const REPORTER: &[By] = &[By::InLeadUnit(Role::UnitOfficer), By::InLeadUnit(Role::UnitApprover)];
const ADDRESSEE: &[By] = &[
    By::InAddressee(Role::UnitOfficer),
    By::InAddressee(Role::UnitApprover),
    By::InRegion(Role::LeadingGroupOffice),
];
const CLOCK: &[By] = &[By::InRegion(Role::Scheduler)];
const LIFE: Step<ReportStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const ANY: &[ReportStatus] = &[Open, Submitted, Returned, Accepted, Waived];
const STEPS: &[Step<ReportStatus>] = &[
    Step {
        action: "openReport",
        term: "生成待报",
        to: To::State(Open),
        by: CLOCK,
        parent: Some(Parent { kind: Kind::ReportingDuty, states: &[ReportingDutyStatus::Active.as_str()] }),
        ..LIFE
    },
    Step {
        action: "submitReport",
        term: "报送",
        from: &[Open, Returned],
        to: To::State(Submitted),
        by: REPORTER,
        ..LIFE
    },
    Step {
        action: "returnReport",
        term: "退回",
        from: &[Submitted],
        to: To::State(Returned),
        by: ADDRESSEE,
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "acceptReport",
        term: "接收",
        from: &[Submitted],
        to: To::State(Accepted),
        by: ADDRESSEE,
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "waiveReport",
        term: "免报",
        from: &[Open, Returned],
        to: To::State(Waived),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step { action: "lockReport", term: "锁定", from: ANY, requires: &[Requirement::Reason], ..LIFE },
    Step { action: "unlockReport", term: "解锁", from: ANY, requires: &[Requirement::Reason], ..LIFE },
    Step { action: "announceReportDueSoon", term: "提醒到期", from: &[Open], by: CLOCK, ..LIFE },
    Step { action: "announceReportOverdue", term: "登记逾期", from: &[Open], by: CLOCK, ..LIFE },
];

commands! {
    /// What may be asked of a report.
    ReportCommand {
        create OpenReport = "openReport";
        on SubmitReport = "submitReport";
        on ReturnReport = "returnReport" (reason);
        on AcceptReport = "acceptReport";
        on WaiveReport = "waiveReport" (reason);
        on LockReport = "lockReport" (reason);
        on UnlockReport = "unlockReport" (reason);
        on AnnounceReportDueSoon = "announceReportDueSoon";
        on AnnounceReportOverdue = "announceReportOverdue";
    }
}

/// Opens a report (生成待报): it is owed from now on. Only the scheduler does, with the period of the duty.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenReport {
    /// The duty.
    pub duty_id: Id<ReportingDuty>,
    /// The plan of the duty.
    pub plan_id: Id<Plan>,
    /// The unit that reports.
    pub reporter_id: Id<Unit>,
    /// The unit that it reports to.
    pub addressee_id: Id<Unit>,
    /// What is reported.
    pub what: String,
    /// What sort of document it is.
    pub asks_for: ReportSubject,
    /// For which period.
    pub period: Period,
    /// When it is due.
    pub due_on: Date,
}

/// Hands in a report (报送), for the first time or again after it was returned.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct SubmitReport {
    /// The report.
    pub id: Id<Report>,
    /// What it says, at most 5,000 characters.
    pub summary: String,
    /// The report itself and what shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
}

/// Returns a report for more work (退回).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReturnReport {
    /// The report.
    pub id: Id<Report>,
    /// What is missing.
    pub reason: String,
}

/// Accepts a report (接收).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AcceptReport {
    /// The report.
    pub id: Id<Report>,
    /// A remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Waives a report (免报): it is no longer owed and counts in no rate.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct WaiveReport {
    /// The report.
    pub id: Id<Report>,
    /// Why.
    pub reason: String,
}

/// Locks a report (锁定): its period is closed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct LockReport {
    /// The report.
    pub id: Id<Report>,
    /// Why, such as that the figures of the period were published.
    pub reason: String,
}

/// Unlocks a report (解锁).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct UnlockReport {
    /// The report.
    pub id: Id<Report>,
    /// Why.
    pub reason: String,
}

/// Announces that a report is due soon (提醒到期).
pub type AnnounceReportDueSoon = due::AnnounceDueSoon<Report>;
/// Announces that a report has become overdue (登记逾期).
pub type AnnounceReportOverdue = due::AnnounceOverdue<Report>;

events! {
    /// What has happened to a report.
    pub enum ReportEvent {
        /// 报告已生成
        Opened {
            duty_id: Id<ReportingDuty>,
            plan_id: Id<Plan>,
            reporter_id: Id<Unit>,
            addressee_id: Id<Unit>,
            /// The region of the reporting unit.
            region_code: RegionCode,
            what: String,
            asks_for: ReportSubject,
            period: Period,
            due_on: Date,
        },
        /// 报告已报送
        Submitted { summary: String, evidence: Vec<Evidence> },
        /// 报告已退回
        Returned { reason: String },
        /// 报告已接收
        Accepted { note: Option<String> },
        /// 报告已免报
        Waived { reason: String },
        /// 报告已锁定
        Locked { reason: String },
        /// 报告已解锁
        Unlocked { reason: String },
        /// 报告即将到期
        DueSoon(DueSoon),
        /// 报告已逾期
        BecameOverdue { due_on: Date },
    }
}

impl ReportEvent {
    /// Where the report stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<ReportStatus> {
        match self {
            Self::Opened { .. } => Some(Open),
            Self::Submitted { .. } => Some(Submitted),
            Self::Returned { .. } => Some(Returned),
            Self::Accepted { .. } => Some(Accepted),
            Self::Waived { .. } => Some(Waived),
            Self::Locked { .. } | Self::Unlocked { .. } | Self::DueSoon(_) | Self::BecameOverdue { .. } => {
                None
            }
        }
    }
}

/// What a report must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    status: Option<ReportStatus>,
    region: Option<RegionCode>,
    reporter: Option<Id<Unit>>,
    addressee: Option<Id<Unit>>,
    period: Option<Period>,
    locked: bool,
    /// Who handed it in last.
    submitted_by: Option<String>,
    /// What was announced of its due date.
    clock: DueClock,
}

impl Report {
    /// The claim of one report a duty, reporting unit, addressee and period.
    pub const PERIOD: &'static str = "report.period";

    /// The rule that closes a period.
    pub const LOCKED: &'static str = "the-period-is-locked";

    /// Locked reports of the viewer's units in a plan whose periods share a day with this one.
    pub fn locks(plan: Id<Plan>, period: Period) -> Need {
        let periods = period.overlapping().iter().map(Period::to_string).collect();
        let columns = vec![
            ("plan_id", Holding::Id(plan.uuid())),
            ("reporter_id", Holding::ViewersUnit),
            ("period", Holding::OneOf(periods)),
            ("locked", Holding::Yes),
        ];
        Need::Having { kind: Kind::Report, belongs_to: None, columns }
    }

    /// Nothing is handed in or given back in a period that is closed.
    fn check_open(&self) -> Result<(), Rejection> {
        if !self.locked {
            return Ok(());
        }
        let period = self.period.map(|period| period.to_string()).unwrap_or_default();
        let message = format!("{period} is locked: ask the leading group's office to unlock it");
        Err(Rejection::rule(Self::LOCKED, message, None))
    }
}

impl Aggregate for Report {
    const KIND: Kind = Kind::Report;
    type Status = ReportStatus;
    type Command = ReportCommand;
    type Event = ReportEvent;
    const STEPS: &'static [Step<ReportStatus>] = STEPS;
    const UPCASTS: &'static [Upcast] = &[Upcast { event: "Opened", from: 1, step: asks_for_other }];

    fn status(&self) -> Option<ReportStatus> {
        self.status
    }

    fn subject(&self, command: Option<&ReportCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(ReportCommand::OpenReport(_)) => facts.region_of(Kind::Unit),
            _ => self.region,
        };
        Subject {
            region,
            lead_units: self.reporter.into_iter().collect(),
            addressees: self.addressee.into_iter().collect(),
            checked_person: self.submitted_by.clone(),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &ReportCommand) -> Vec<Need> {
        match command {
            ReportCommand::OpenReport(report) => {
                let object = |kind, id, field: &str| Need::Object { kind, id, field: field.into() };
                vec![
                    object(Kind::ReportingDuty, report.duty_id.uuid(), "dutyId"),
                    object(Kind::Unit, report.reporter_id.uuid(), "reporterId"),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn decide(&self, command: ReportCommand, context: &Context<'_>) -> Result<Vec<ReportEvent>, Rejection> {
        Ok(vec![match command {
            ReportCommand::OpenReport(OpenReport {
                duty_id,
                plan_id,
                reporter_id,
                addressee_id,
                what,
                asks_for,
                period,
                due_on,
            }) => {
                text::required("what", &what, text::SHORT)?;
                let reporter = context.facts.first(Kind::Unit, "reporterId")?;
                let region_code = reporter.region.unwrap_or(RegionCode::COUNTRY);
                ReportEvent::Opened {
                    duty_id,
                    plan_id,
                    reporter_id,
                    addressee_id,
                    region_code,
                    what,
                    asks_for,
                    period,
                    due_on,
                }
            }
            ReportCommand::SubmitReport(SubmitReport { summary, evidence, .. }) => {
                self.check_open()?;
                text::required("summary", &summary, text::LONG)?;
                check_evidence(&evidence)?;
                ReportEvent::Submitted { summary, evidence }
            }
            ReportCommand::ReturnReport(ReturnReport { reason, .. }) => {
                self.check_open()?;
                text::required("reason", &reason, text::LONG)?;
                ReportEvent::Returned { reason }
            }
            ReportCommand::AcceptReport(AcceptReport { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                ReportEvent::Accepted { note }
            }
            ReportCommand::WaiveReport(WaiveReport { reason, .. }) => {
                self.check_open()?;
                text::required("reason", &reason, text::LONG)?;
                ReportEvent::Waived { reason }
            }
            // Locked twice, or unlocked twice, is nothing new.
            ReportCommand::LockReport(_) if self.locked => return Ok(Vec::new()),
            ReportCommand::UnlockReport(_) if !self.locked => return Ok(Vec::new()),
            ReportCommand::LockReport(LockReport { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                ReportEvent::Locked { reason }
            }
            ReportCommand::UnlockReport(UnlockReport { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                ReportEvent::Unlocked { reason }
            }
            ReportCommand::AnnounceReportDueSoon(AnnounceReportDueSoon { due_soon, .. }) => {
                self.clock.check_due_soon(&due_soon)?;
                ReportEvent::DueSoon(due_soon)
            }
            ReportCommand::AnnounceReportOverdue(AnnounceReportOverdue { due_on, .. }) => {
                self.clock.check_overdue(due_on, context.today())?;
                ReportEvent::BecameOverdue { due_on }
            }
        }])
    }

    fn evolve(&mut self, event: &ReportEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            ReportEvent::Opened { reporter_id, addressee_id, region_code, period, due_on, .. } => {
                self.reporter = Some(*reporter_id);
                self.addressee = Some(*addressee_id);
                self.region = Some(*region_code);
                self.period = Some(*period);
                self.clock.set(Some(*due_on), stamp.at);
            }
            ReportEvent::Submitted { .. } => self.submitted_by = Some(stamp.actor.clone()),
            ReportEvent::Locked { .. } => self.locked = true,
            ReportEvent::Unlocked { .. } => self.locked = false,
            ReportEvent::DueSoon(_) => self.clock.said_due_soon(),
            ReportEvent::BecameOverdue { .. } => self.clock.said_overdue(),
            ReportEvent::Returned { .. } | ReportEvent::Accepted { .. } | ReportEvent::Waived { .. } => {}
        }
    }

    fn claims(&self, event: &ReportEvent) -> Vec<Claim> {
        match event {
            ReportEvent::Opened { duty_id, reporter_id, addressee_id, period, .. } => {
                let key =
                    format!("{}|{}|{}|{period}", duty_id.uuid(), reporter_id.uuid(), addressee_id.uuid());
                vec![Claim::take(Self::PERIOD, key, "period")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
