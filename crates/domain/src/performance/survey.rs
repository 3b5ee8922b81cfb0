//! A survey (满意度调查): what a population says of a service industry, or enterprises of themselves, scored on a scale.
//!
//! Results are numbered and never overwritten: a correction is a result of its own that names the one it corrects, and is
//! accepted anew. The unit that carries a survey out does not accept it.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Fact, Facts, Id, Kind, Need, Period, RegionCode, Rejection, Role,
    Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    performance::indicator::Indicator,
    policy::By,
    programme::{
        plan::{OPEN_STATES, Plan},
        task::{Evidence, check_evidence},
    },
    text,
};

pub mod result;
use result::MOST_RESULTS;
pub use result::{AnswerScale, SurveyGroup, SurveyResult};

vocabulary! {
    /// Where a survey stands (调查状态).
    pub enum SurveyStatus {
        Planned = "PLANNED", "已计划";
        InField = "IN_FIELD", "调查中";
        ResultRecorded = "RESULT_RECORDED", "已报结果";
        Returned = "RETURNED", "已退回";
        Accepted = "ACCEPTED", "已验收";
        Published = "PUBLISHED", "已公布";
        Withdrawn = "WITHDRAWN", "已撤回";
        Cancelled = "CANCELLED", "已取消";
    }
}
status!(SurveyStatus);
use SurveyStatus::{Accepted, Cancelled, InField, Planned, Published, ResultRecorded, Returned, Withdrawn};

impl SurveyStatus {
    /// Where its result stands for others to rest on.
    pub const SETTLED: &'static [Self] = &[Accepted, Published];
}

vocabulary! {
    /// What sort of survey it is (调查类别).
    pub enum SurveyKind {
        Satisfaction = "SATISFACTION", "满意度测评";
        Status = "STATUS", "质量状况调查";
    }
}

vocabulary! {
    /// How answers are gathered (调查方式).
    pub enum SurveyMethod {
        Online = "ONLINE", "网络调查";
        Telephone = "TELEPHONE", "电话调查";
        Interview = "INTERVIEW", "面访";
        Mail = "MAIL", "邮寄问卷";
        Mixed = "MIXED", "多种方式";
    }
}

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const SURVEYOR: &[By] = &[
    By::InLeadUnit(Role::UnitOfficer),
    By::InLeadUnit(Role::UnitApprover),
    By::InRegion(Role::LeadingGroupOffice),
];
const LIFE: Step<SurveyStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<SurveyStatus>] = &[
    Step {
        action: "planSurvey",
        term: "计划调查",
        to: To::State(Planned),
        parent: Some(Parent { kind: Kind::Plan, states: OPEN_STATES }),
        ..LIFE
    },
    Step {
        action: "fieldSurvey",
        term: "开展调查",
        from: &[Planned, InField],
        to: To::State(InField),
        by: SURVEYOR,
        ..LIFE
    },
    Step {
        action: "recordSurveyResult",
        term: "报送调查结果",
        from: &[InField, Returned],
        to: To::State(ResultRecorded),
        by: SURVEYOR,
        ..LIFE
    },
    Step {
        action: "correctSurveyResult",
        term: "更正调查结果",
        from: &[ResultRecorded, Accepted, Published],
        to: To::State(ResultRecorded),
        by: SURVEYOR,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "returnSurveyResult",
        term: "退回调查结果",
        from: &[ResultRecorded],
        to: To::State(Returned),
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "acceptSurveyResult",
        term: "验收调查结果",
        from: &[ResultRecorded],
        to: To::State(Accepted),
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "publishSurvey",
        term: "公布调查结果",
        from: &[Accepted],
        to: To::State(Published),
        ..LIFE
    },
    Step {
        action: "withdrawSurvey",
        term: "撤回调查结果",
        from: &[Accepted, Published],
        to: To::State(Withdrawn),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "cancelSurvey",
        term: "取消调查",
        from: &[Planned, InField, ResultRecorded, Returned],
        to: To::State(Cancelled),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of a survey.
    SurveyCommand {
        create PlanSurvey = "planSurvey";
        on FieldSurvey = "fieldSurvey";
        on RecordSurveyResult = "recordSurveyResult";
        on CorrectSurveyResult = "correctSurveyResult" (reason);
        on ReturnSurveyResult = "returnSurveyResult" (reason);
        on AcceptSurveyResult = "acceptSurveyResult";
        on PublishSurvey = "publishSurvey";
        on WithdrawSurvey = "withdrawSurvey" (reason);
        on CancelSurvey = "cancelSurvey" (reason);
    }
}

/// Plans a survey (计划调查). Unique by plan, title and period.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct PlanSurvey {
    /// The plan that it serves.
    pub plan_id: Id<Plan>,
    /// What sort of survey it is.
    pub kind: SurveyKind,
    /// What it is called, at most 200 characters, such as 游客满意度测评.
    pub title: String,
    /// What is asked, at most 5,000 characters.
    pub question: String,
    /// The service industry or population that is surveyed, at most 200 characters (调查对象).
    pub population: String,
    /// The unit that carries it out (调查单位), such as a third party.
    pub unit_id: Id<Unit>,
    /// How answers are gathered.
    pub method: SurveyMethod,
    /// The region it is about: the plan's own or one inside it; its own when left out.
    pub region_code: Option<RegionCode>,
    /// The period it is about.
    pub period: Period,
    /// How many valid answers are planned, at least 1.
    pub planned_sample_size: i32,
    /// The scale of the scores; 0 to 100 when left out.
    pub scale: Option<AnswerScale>,
    /// The indicator of the same plan that its score can be recorded for.
    pub indicator_id: Option<Id<Indicator>>,
}

/// Says when answers are gathered (开展调查). As long as no result is recorded it may be said anew.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct FieldSurvey {
    /// The survey.
    pub id: Id<Survey>,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

/// Records what a survey found (报送调查结果), not before its last day in the field, or again after it was returned.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RecordSurveyResult {
    /// The survey.
    pub id: Id<Survey>,
    /// What it found.
    pub result: SurveyResult,
    /// The report of the survey and what shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
}

/// Corrects the last result (更正调查结果). The earlier one stays readable; the new one is accepted anew.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CorrectSurveyResult {
    /// The survey.
    pub id: Id<Survey>,
    /// What it found in truth.
    pub result: SurveyResult,
    /// What shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
    /// Why.
    pub reason: String,
}

/// Returns a result for more work (退回调查结果).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReturnSurveyResult {
    /// The survey.
    pub id: Id<Survey>,
    /// What is wrong or missing.
    pub reason: String,
}

/// Accepts a result (验收调查结果): another person than the one who recorded it, and not of the unit that carried it out.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AcceptSurveyResult {
    /// The survey.
    pub id: Id<Survey>,
    /// A remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Publishes an accepted result (公布调查结果): everybody sees it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct PublishSurvey {
    /// The survey.
    pub id: Id<Survey>,
}

/// Withdraws an accepted or published survey (撤回调查结果): nothing rests on it any more.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct WithdrawSurvey {
    /// The survey.
    pub id: Id<Survey>,
    /// Why.
    pub reason: String,
}

/// Cancels a survey that was not accepted (取消调查).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CancelSurvey {
    /// The survey.
    pub id: Id<Survey>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a survey.
    pub enum SurveyEvent {
        /// 调查已计划
        Planned {
            plan_id: Id<Plan>,
            kind: SurveyKind,
            title: String,
            question: String,
            population: String,
            unit_id: Id<Unit>,
            method: SurveyMethod,
            region_code: RegionCode,
            period: Period,
            planned_sample_size: i32,
            scale: AnswerScale,
            indicator_id: Option<Id<Indicator>>,
        },
        /// 调查已开展
        Fielded { from: Date, to: Date },
        /// 调查结果已报送
        ResultRecorded {
            /// Its number in the survey, from 1.
            number: i32,
            result: SurveyResult,
            evidence: Vec<Evidence>,
        },
        /// 调查结果已更正
        ResultCorrected {
            /// Its number in the survey.
            number: i32,
            /// The number of the result that it corrects.
            corrects: i32,
            result: SurveyResult,
            evidence: Vec<Evidence>,
            reason: String,
        },
        /// 调查结果已退回
        ResultReturned { reason: String },
        /// 调查结果已验收
        ResultAccepted { note: Option<String> },
        /// 调查结果已公布
        Published,
        /// 调查结果已撤回
        Withdrawn { reason: String },
        /// 调查已取消
        Cancelled { reason: String },
    }
}

impl SurveyEvent {
    /// Where the survey stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<SurveyStatus> {
        match self {
            Self::Planned { .. } => Some(Planned),
            Self::Fielded { .. } => Some(InField),
            Self::ResultRecorded { .. } | Self::ResultCorrected { .. } => Some(ResultRecorded),
            Self::ResultReturned { .. } => Some(Returned),
            Self::ResultAccepted { .. } => Some(Accepted),
            Self::Published => Some(Published),
            Self::Withdrawn { .. } => Some(Withdrawn),
            Self::Cancelled { .. } => Some(Cancelled),
        }
    }
}

/// What a survey must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Survey {
    status: Option<SurveyStatus>,
    region: Option<RegionCode>,
    unit: Option<Id<Unit>>,
    /// The key of its claim.
    key: String,
    planned_sample_size: i32,
    scale: Option<AnswerScale>,
    /// The last day in the field.
    fielded_until: Option<Date>,
    /// How many results there are.
    results: i32,
    /// The last one.
    result: Option<SurveyResult>,
    /// Who recorded or corrected it.
    recorded_by: Option<String>,
}

impl Survey {
    /// The claim of one survey a plan, title and period; given back when it is cancelled or withdrawn.
    pub const TITLE: &'static str = "survey.title";

    fn check_result(
        &self,
        result: &SurveyResult,
        evidence: &[Evidence],
        today: Date,
    ) -> Result<i32, Rejection> {
        result.check(self.scale.unwrap_or_else(AnswerScale::usual), self.planned_sample_size)?;
        check_evidence(evidence)?;
        if let Some(last) = self.fielded_until.filter(|last| *last > today) {
            let message = format!("answers are gathered until {last}: there is no result before");
            return Err(Rejection::rule("fieldwork-ends-before-the-result", message, None));
        }
        if self.results >= MOST_RESULTS {
            let message = format!("a survey has at most {MOST_RESULTS} results");
            return Err(Rejection::rule("results-are-bounded", message, None));
        }
        Ok(self.results + 1)
    }
}

impl PlanSurvey {
    fn check(&self, facts: &Facts) -> Result<RegionCode, Rejection> {
        text::required("title", &self.title, text::TITLE)?;
        text::required("question", &self.question, text::LONG)?;
        text::required("population", &self.population, text::TITLE)?;
        if self.planned_sample_size < 1 {
            return Err(Rejection::invalid("plannedSampleSize", "is less than 1"));
        }
        if self.scale.is_some_and(|scale| scale.lowest >= scale.highest) {
            return Err(Rejection::invalid("scale.highest", "is not above the lowest score"));
        }
        Unit::check_active("unitId", self.unit_id, facts)?;
        let plans = facts.first(Kind::Plan, "planId")?.region.unwrap_or(RegionCode::COUNTRY);
        let region = self.region_code.unwrap_or(plans);
        if !plans.covers(region) {
            return Err(Rejection::invalid("regionCode", "lies outside the plan's region"));
        }
        if let Some(indicator) = self.indicator_id.and_then(|id| facts.object(id.uuid())) {
            self.check_indicator(indicator, region)?;
        }
        Ok(region)
    }

    fn check_indicator(&self, indicator: &Fact, region: RegionCode) -> Result<(), Rejection> {
        if indicator.belongs_to != Some(self.plan_id.uuid()) {
            return Err(Rejection::invalid("indicatorId", "belongs to another plan"));
        }
        if !indicator.region.is_some_and(|whole| whole.covers(region)) {
            return Err(Rejection::invalid(
                "indicatorId",
                "is about a region that does not hold the survey's",
            ));
        }
        Ok(())
    }
}

impl Aggregate for Survey {
    const KIND: Kind = Kind::Survey;
    type Status = SurveyStatus;
    type Command = SurveyCommand;
    type Event = SurveyEvent;
    const STEPS: &'static [Step<SurveyStatus>] = STEPS;

    fn status(&self) -> Option<SurveyStatus> {
        self.status
    }

    fn subject(&self, command: Option<&SurveyCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(SurveyCommand::PlanSurvey(survey)) => {
                survey.region_code.or_else(|| facts.region_of(Kind::Plan))
            }
            _ => self.region,
        };
        Subject {
            region,
            lead_units: self.unit.into_iter().collect(),
            checked_person: self.recorded_by.clone(),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &SurveyCommand) -> Vec<Need> {
        let SurveyCommand::PlanSurvey(survey) = command else { return Vec::new() };
        let object = |kind, id, field: &str| Need::Object { kind, id, field: field.into() };
        let mut needs = vec![
            object(Kind::Plan, survey.plan_id.uuid(), "planId"),
            object(Kind::Unit, survey.unit_id.uuid(), "unitId"),
        ];
        needs.extend(survey.indicator_id.map(|id| object(Kind::Indicator, id.uuid(), "indicatorId")));
        needs
    }

    fn decide(&self, command: SurveyCommand, context: &Context<'_>) -> Result<Vec<SurveyEvent>, Rejection> {
        Ok(vec![match command {
            SurveyCommand::PlanSurvey(survey) => {
                let region_code = survey.check(context.facts)?;
                let PlanSurvey { plan_id, kind, title, question, population, unit_id, method, .. } = survey;
                SurveyEvent::Planned {
                    plan_id,
                    kind,
                    title,
                    question,
                    population,
                    unit_id,
                    method,
                    region_code,
                    period: survey.period,
                    planned_sample_size: survey.planned_sample_size,
                    scale: survey.scale.unwrap_or_else(AnswerScale::usual),
                    indicator_id: survey.indicator_id,
                }
            }
            SurveyCommand::FieldSurvey(FieldSurvey { from, to, .. }) => {
                if to < from {
                    return Err(Rejection::invalid("to", "lies before the first day"));
                }
                SurveyEvent::Fielded { from, to }
            }
            SurveyCommand::RecordSurveyResult(RecordSurveyResult { result, evidence, .. }) => {
                let number = self.check_result(&result, &evidence, context.today())?;
                SurveyEvent::ResultRecorded { number, result, evidence }
            }
            SurveyCommand::CorrectSurveyResult(CorrectSurveyResult { result, evidence, reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                let number = self.check_result(&result, &evidence, context.today())?;
                if self.result.as_ref() == Some(&result) {
                    return Err(Rejection::invalid("result", "is the present result"));
                }
                SurveyEvent::ResultCorrected { number, corrects: self.results, result, evidence, reason }
            }
            SurveyCommand::ReturnSurveyResult(ReturnSurveyResult { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                SurveyEvent::ResultReturned { reason }
            }
            SurveyCommand::AcceptSurveyResult(AcceptSurveyResult { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                SurveyEvent::ResultAccepted { note }
            }
            SurveyCommand::PublishSurvey(_) => SurveyEvent::Published,
            SurveyCommand::WithdrawSurvey(WithdrawSurvey { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                SurveyEvent::Withdrawn { reason }
            }
            SurveyCommand::CancelSurvey(CancelSurvey { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                SurveyEvent::Cancelled { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &SurveyEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            SurveyEvent::Planned {
                plan_id,
                title,
                period,
                region_code,
                unit_id,
                scale,
                planned_sample_size,
                ..
            } => {
                self.key = key(*plan_id, title, *period);
                self.region = Some(*region_code);
                self.unit = Some(*unit_id);
                self.scale = Some(*scale);
                self.planned_sample_size = *planned_sample_size;
            }
            SurveyEvent::Fielded { to, .. } => self.fielded_until = Some(*to),
            SurveyEvent::ResultRecorded { number, result, .. }
            | SurveyEvent::ResultCorrected { number, result, .. } => {
                self.results = *number;
                self.result = Some(result.clone());
                self.recorded_by = Some(stamp.actor.clone());
            }
            SurveyEvent::ResultReturned { .. }
            | SurveyEvent::ResultAccepted { .. }
            | SurveyEvent::Published
            | SurveyEvent::Withdrawn { .. }
            | SurveyEvent::Cancelled { .. } => {}
        }
    }

    fn claims(&self, event: &SurveyEvent) -> Vec<Claim> {
        match event {
            SurveyEvent::Planned { plan_id, title, period, .. } => {
                vec![Claim::take(Self::TITLE, key(*plan_id, title, *period), "title")]
            }
            SurveyEvent::Withdrawn { .. } | SurveyEvent::Cancelled { .. } => {
                vec![Claim::release(Self::TITLE, &self.key, "title")]
            }
            _ => Vec::new(),
        }
    }
}

fn key(plan: Id<Plan>, title: &str, period: Period) -> String {
    format!("{}|{period}|{title}", plan.uuid())
}

#[cfg(test)]
mod tests;
