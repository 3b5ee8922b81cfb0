//! A reporting duty (报告义务): units report to others at a cadence, as a plan says.
//!
//! A plan names who reports in words (县市区主管部门); a duty names the units themselves. Each pair of a reporting unit
//! and an addressee owes one report a period: a report with two addressees is two reports (甘政办发〔2011〕58号: the
//! county reports to its own government and to the department above it).
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, Period, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, Upcast, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    programme::plan::{Cadence, OPEN_STATES, Plan},
    text,
};

vocabulary! {
    /// Where a reporting duty stands (义务状态).
    pub enum ReportingDutyStatus {
        Active = "ACTIVE", "生效";
        Ended = "ENDED", "已终止";
    }
}
status!(ReportingDutyStatus);
use ReportingDutyStatus::{Active, Ended};

vocabulary! {
    /// What sort of document a duty asks for (报送内容).
    pub enum ReportSubject {
        StatusAnalysis = "STATUS_ANALYSIS", "质量状况分析报告";
        Statistics = "STATISTICS", "统计报告";
        AnnualAnalysis = "ANNUAL_ANALYSIS", "综合分析报告";
        Feedback = "FEEDBACK", "信息反馈";
        WorkPlan = "WORK_PLAN", "年度工作计划";
        Other = "OTHER", "其他";
    }
}

impl ReportSubject {
    /// The year that a work plan handed in for this period plans for: the one after it (于每年12月底前将下一年度工作计划报送).
    pub fn planned_year(self, period: Period) -> Option<i32> {
        (self == Self::WorkPlan).then(|| period.year() + 1)
    }
}

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const LIFE: Step<ReportingDutyStatus> = Step {
    action: "",
    term: "",
    from: &[Active],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<ReportingDutyStatus>] = &[
    Step {
        action: "establishReportingDuty",
        term: "确立报告义务",
        from: &[],
        to: To::State(Active),
        parent: Some(Parent { kind: Kind::Plan, states: OPEN_STATES }),
        ..LIFE
    },
    Step {
        action: "changeReportingParties", term: "调整报送单位", requires: &[Requirement::Reason], ..LIFE
    },
    Step {
        action: "openReportingPeriod", term: "开启报告期", by: &[By::InRegion(Role::Scheduler)], ..LIFE
    },
    Step {
        action: "endReportingDuty",
        term: "终止报告义务",
        to: To::State(Ended),
        by: &[By::InRegion(Role::LeadingGroupOffice), By::InRegion(Role::Scheduler)],
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of a reporting duty.
    ReportingDutyCommand {
        create EstablishReportingDuty = "establishReportingDuty";
        on ChangeReportingParties = "changeReportingParties" (reason);
        on OpenReportingPeriod = "openReportingPeriod";
        on EndReportingDuty = "endReportingDuty" (reason);
    }
}

/// Who reports to whom (报送单位与报送对象).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(name = "ReportingPartyInput"))]
#[serde(rename_all = "camelCase")]
pub struct ReportingParty {
    /// The unit that reports.
    pub reporter_id: Id<Unit>,
    /// The unit that it reports to.
    pub addressee_id: Id<Unit>,
}

/// When the reports of a duty are due and open (报送时间).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReportingSchedule {
    /// How often.
    pub cadence: Cadence,
    /// Calendar days from the last day of the period to the due date, -366 to 366: 0 when it is due on that last day
    /// (于每年12月底前), 10 when ten days behind it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub due_days: i32,
    /// Calendar days before the due date from which the report can be handed in, 0 to 366.
    #[cfg_attr(feature = "graphql", graphql(default = 30))]
    pub open_days: i32,
    /// The first day of the duty: no report is owed that would be due before it.
    pub holds_from: Date,
    /// The last day of the duty: no report is owed that would be due behind it. The plan's last day, as a rule.
    pub holds_until: Date,
}

impl ReportingSchedule {
    /// When the report of a period is due.
    pub fn due_on(&self, period: Period) -> Date {
        period.end().plus(self.due_days)
    }
    /// The day on which it opens.
    pub fn opens_on(&self, period: Period) -> Date {
        self.due_on(period).plus(-self.open_days)
    }
    /// The first period whose report is owed.
    pub fn first(&self) -> Option<Period> {
        // Whatever the due days are, it lies within a good year of the first day.
        let early = Period::around(self.holds_from.plus(-MOST_DAYS - 31), self.cadence.months());
        let mut periods = std::iter::successors(Some(early), |period| Some(period.next())).take(MOST_TRIED);
        periods.find(|period| self.due_on(*period) >= self.holds_from).and_then(|period| self.owed(period))
    }
    /// The period after this one, when its report is owed.
    pub fn after(&self, period: Period) -> Option<Period> {
        self.owed(period.next())
    }
    fn owed(&self, period: Period) -> Option<Period> {
        let told = Period::YEARS.contains(&period.year());
        Some(period).filter(|period| told && self.due_on(*period) <= self.holds_until)
    }

    fn check(&self) -> Result<(), Rejection> {
        let field = |name: &str| format!("schedule.{name}");
        if !(-MOST_DAYS..=MOST_DAYS).contains(&self.due_days) {
            return Err(Rejection::invalid(field("dueDays"), "is not between -366 and 366"));
        }
        if !(0..=MOST_DAYS).contains(&self.open_days) {
            return Err(Rejection::invalid(field("openDays"), "is not between 0 and 366"));
        }
        if self.first().is_none() {
            return Err(Rejection::invalid(
                field("holdsUntil"),
                "leaves no period whose report would be due",
            ));
        }
        Ok(())
    }
}

/// Most days between a period's end, its due date and its opening.
const MOST_DAYS: i32 = 366;
/// More months than lie between the earliest and the latest period that can be the first.
const MOST_TRIED: usize = 40;

/// Establishes a reporting duty (确立报告义务). Unique by plan and name.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct EstablishReportingDuty {
    /// The plan that says so.
    pub plan_id: Id<Plan>,
    /// What is reported, at most 100 characters, unique in the plan.
    pub what: String,
    /// What sort of document it is.
    #[cfg_attr(feature = "graphql", graphql(default_with = "ReportSubject::Other"))]
    pub asks_for: ReportSubject,
    /// When.
    pub schedule: ReportingSchedule,
    /// Who reports to whom, 1 to 200 pairs.
    pub parties: Vec<ReportingParty>,
    /// The passage it rests on, or another remark.
    pub note: Option<String>,
}

/// Says anew who reports to whom (调整报送单位), as after a reform of institutions. Open reports stay as they are.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ChangeReportingParties {
    /// The duty.
    pub id: Id<ReportingDuty>,
    /// Who reports to whom from the next period on, 1 to 200 pairs.
    pub parties: Vec<ReportingParty>,
    /// Why.
    pub reason: String,
}

/// Opens a period (开启报告期): every party owes a report from now on. Only the scheduler does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenReportingPeriod {
    /// The duty.
    pub id: Id<ReportingDuty>,
    /// The period: the next one of the duty.
    pub period: Period,
}

/// Ends a reporting duty (终止报告义务). Reports that are open stay owed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct EndReportingDuty {
    /// The duty.
    pub id: Id<ReportingDuty>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a reporting duty.
    pub enum ReportingDutyEvent {
        /// 报告义务已确立
        Established {
            plan_id: Id<Plan>,
            region_code: RegionCode,
            what: String,
            asks_for: ReportSubject,
            schedule: ReportingSchedule,
            parties: Vec<ReportingParty>,
            note: Option<String>,
        },
        /// 报送单位已调整
        PartiesChanged { parties: Vec<ReportingParty>, reason: String },
        /// 报告期已开启
        PeriodOpened { period: Period, due_on: Date },
        /// 报告义务已终止
        Ended { reason: String },
    }
}

impl ReportingDutyEvent {
    /// Where the duty stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<ReportingDutyStatus> {
        match self {
            Self::Established { .. } => Some(Active),
            Self::Ended { .. } => Some(Ended),
            Self::PartiesChanged { .. } | Self::PeriodOpened { .. } => None,
        }
    }
}

/// Duties and reports of version 1 did not say what sort of document they ask for.
pub(crate) fn asks_for_other(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("asksFor".into(), ReportSubject::Other.as_str().into());
    }
    data
}

/// What a reporting duty must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReportingDuty {
    status: Option<ReportingDutyStatus>,
    region: Option<RegionCode>,
    schedule: Option<ReportingSchedule>,
    parties: Vec<ReportingParty>,
    /// The period to open next; none when there is no more.
    next: Option<Period>,
}

impl ReportingDuty {
    /// The claim of a duty's name in its plan.
    pub const WHAT: &'static str = "reportingDuty.what";

    fn check_opening(&self, period: Period, today: Date) -> Result<Date, Rejection> {
        let Some(schedule) = self.schedule.filter(|_| self.next == Some(period)) else {
            let message = format!("{period} is not the next period of this duty");
            return Err(Rejection::rule("periods-open-in-order", message, None));
        };
        let opens_on = schedule.opens_on(period);
        if today < opens_on {
            let message = format!("{period} opens on {opens_on}");
            return Err(Rejection::rule("periods-open-on-their-day", message, None));
        }
        Ok(schedule.due_on(period))
    }
}

fn check_parties(parties: &[ReportingParty], facts: &Facts) -> Result<(), Rejection> {
    if parties.is_empty() {
        return Err(Rejection::invalid("parties", "names no unit"));
    }
    text::count("parties", parties.len())?;
    for (at, party) in parties.iter().enumerate() {
        if party.reporter_id == party.addressee_id {
            return Err(Rejection::invalid(format!("parties[{at}].addresseeId"), "is the reporting unit"));
        }
        if parties[..at].contains(party) {
            return Err(Rejection::invalid(format!("parties[{at}]"), "stands twice"));
        }
        Unit::check_active(&format!("parties[{at}].reporterId"), party.reporter_id, facts)?;
        Unit::check_active(&format!("parties[{at}].addresseeId"), party.addressee_id, facts)?;
    }
    Ok(())
}

fn units_of(parties: &[ReportingParty]) -> Vec<Need> {
    let unit = |id: Id<Unit>, field: String| Need::Object { kind: Kind::Unit, id: id.uuid(), field };
    let both = |(at, party): (usize, &ReportingParty)| {
        [
            unit(party.reporter_id, format!("parties[{at}].reporterId")),
            unit(party.addressee_id, format!("parties[{at}].addresseeId")),
        ]
    };
    parties.iter().take(text::LIST).enumerate().flat_map(both).collect()
}

impl Aggregate for ReportingDuty {
    const KIND: Kind = Kind::ReportingDuty;
    type Status = ReportingDutyStatus;
    type Command = ReportingDutyCommand;
    type Event = ReportingDutyEvent;
    const STEPS: &'static [Step<ReportingDutyStatus>] = STEPS;
    const UPCASTS: &'static [Upcast] = &[Upcast { event: "Established", from: 1, step: asks_for_other }];

    fn status(&self) -> Option<ReportingDutyStatus> {
        self.status
    }

    fn subject(&self, command: Option<&ReportingDutyCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(ReportingDutyCommand::EstablishReportingDuty(_)) => facts.region_of(Kind::Plan),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &ReportingDutyCommand) -> Vec<Need> {
        match command {
            ReportingDutyCommand::EstablishReportingDuty(duty) => {
                let plan = Need::Object { kind: Kind::Plan, id: duty.plan_id.uuid(), field: "planId".into() };
                std::iter::once(plan).chain(units_of(&duty.parties)).collect()
            }
            ReportingDutyCommand::ChangeReportingParties(change) => units_of(&change.parties),
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: ReportingDutyCommand,
        context: &Context<'_>,
    ) -> Result<Vec<ReportingDutyEvent>, Rejection> {
        Ok(vec![match command {
            ReportingDutyCommand::EstablishReportingDuty(EstablishReportingDuty {
                plan_id,
                what,
                asks_for,
                schedule,
                parties,
                note,
            }) => {
                text::required("what", &what, text::SHORT)?;
                text::maybe("note", note.as_ref(), text::LONG)?;
                schedule.check()?;
                check_parties(&parties, context.facts)?;
                let plan = context.facts.first(Kind::Plan, "planId")?;
                let region_code = plan.region.unwrap_or(RegionCode::COUNTRY);
                ReportingDutyEvent::Established {
                    plan_id,
                    region_code,
                    what,
                    asks_for,
                    schedule,
                    parties,
                    note,
                }
            }
            ReportingDutyCommand::ChangeReportingParties(ChangeReportingParties {
                parties, reason, ..
            }) => {
                text::required("reason", &reason, text::LONG)?;
                check_parties(&parties, context.facts)?;
                if parties == self.parties {
                    return Err(Rejection::invalid("parties", "is what it was"));
                }
                ReportingDutyEvent::PartiesChanged { parties, reason }
            }
            ReportingDutyCommand::OpenReportingPeriod(OpenReportingPeriod { period, .. }) => {
                let due_on = self.check_opening(period, context.today())?;
                ReportingDutyEvent::PeriodOpened { period, due_on }
            }
            ReportingDutyCommand::EndReportingDuty(EndReportingDuty { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                ReportingDutyEvent::Ended { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &ReportingDutyEvent, _stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            ReportingDutyEvent::Established { region_code, schedule, parties, .. } => {
                self.region = Some(*region_code);
                self.next = schedule.first();
                self.schedule = Some(*schedule);
                self.parties.clone_from(parties);
            }
            ReportingDutyEvent::PartiesChanged { parties, .. } => self.parties.clone_from(parties),
            ReportingDutyEvent::PeriodOpened { period, .. } => {
                self.next = self.schedule.and_then(|schedule| schedule.after(*period));
            }
            ReportingDutyEvent::Ended { .. } => self.next = None,
        }
    }

    fn claims(&self, event: &ReportingDutyEvent) -> Vec<Claim> {
        match event {
            ReportingDutyEvent::Established { plan_id, what, .. } => {
                vec![Claim::take(Self::WHAT, format!("{}|{what}", plan_id.uuid()), "what")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
