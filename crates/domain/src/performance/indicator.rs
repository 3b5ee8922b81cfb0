//! An indicator (指标): a quantity with a target, measured period by period and judged at the end.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Amount, Claim, Context, Facts, Id, Kind, Need, Period, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    id::GlobalId,
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    performance::{
        attainment::{self, Baseline, Comparator, Measure, Point, Target},
        report::Report,
        survey::{Survey, SurveyStatus},
    },
    policy::By,
    programme::{
        plan::{OPEN_STATES, Plan},
        task::{Evidence, Task, check_evidence},
    },
    text,
};

vocabulary! {
    /// Where an indicator stands (指标状态).
    pub enum IndicatorStatus {
        Defined = "DEFINED", "已设定";
        Active = "ACTIVE", "监测中";
        JudgedAttained = "JUDGED_ATTAINED", "判定完成";
        JudgedMissed = "JUDGED_MISSED", "判定未完成";
        Retired = "RETIRED", "已停用";
    }
}
status!(IndicatorStatus);
use IndicatorStatus::{Active, Defined, JudgedAttained, JudgedMissed, Retired};

vocabulary! {
    /// What in the document the target rests on (目标依据).
    pub enum TargetBasis {
        Numeric = "NUMERIC", "印有数值";
        Totality = "TOTALITY", "全部、全覆盖、杜绝";
        Trend = "TREND", "只写趋势";
        Counted = "COUNTED", "按列举计数";
    }
}

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const MEASURER: &[By] = &[By::InRegion(Role::LeadingGroupOffice), By::InRegion(Role::UnitOfficer)];
const LIFE: Step<IndicatorStatus> = Step {
    action: "",
    term: "",
    from: &[Defined, Active],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<IndicatorStatus>] = &[
    Step {
        action: "defineIndicator",
        term: "设定指标",
        from: &[],
        to: To::State(Defined),
        parent: Some(Parent { kind: Kind::Plan, states: OPEN_STATES }),
        ..LIFE
    },
    Step { action: "setBaseline", term: "设定基期值", ..LIFE },
    Step { action: "reviseTarget", term: "调整目标", requires: &[Requirement::Reason], ..LIFE },
    Step {
        action: "recordMeasurement", term: "录入监测值", to: To::State(Active), by: MEASURER, ..LIFE
    },
    Step {
        action: "recordSurveyMeasurement",
        term: "以调查结果录入监测值",
        to: To::State(Active),
        by: MEASURER,
        ..LIFE
    },
    Step {
        action: "correctMeasurement",
        term: "更正监测值",
        from: &[Active, JudgedAttained, JudgedMissed],
        to: To::State(Active),
        by: MEASURER,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "judgeIndicator",
        term: "判定指标",
        from: &[Active],
        to: To::OneOf(&[JudgedAttained, JudgedMissed]),
        ..LIFE
    },
    Step {
        action: "retireIndicator",
        term: "停用指标",
        to: To::State(Retired),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of an indicator.
    IndicatorCommand {
        create DefineIndicator = "defineIndicator";
        on SetBaseline = "setBaseline";
        on ReviseTarget = "reviseTarget" (reason);
        on RecordMeasurement = "recordMeasurement";
        on RecordSurveyMeasurement = "recordSurveyMeasurement";
        on CorrectMeasurement = "correctMeasurement" (reason);
        on JudgeIndicator = "judgeIndicator";
        on RetireIndicator = "retireIndicator" (reason);
    }
}

/// Defines an indicator of a plan (设定指标). Its code is unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DefineIndicator {
    /// The plan that sets the target.
    pub plan_id: Id<Plan>,
    /// The task it belongs to.
    pub task_id: Option<Id<Task>>,
    /// A code unique over all plans, such as `GS11-6_2-01`: letters, digits, `-` and `_`, at most 60.
    pub code: String,
    /// What is measured, at most 200 characters.
    pub name: String,
    /// The unit of the numbers, such as `%`, `百分点`, `个`.
    pub unit: String,
    /// What sort of quantity it is.
    pub measure: Measure,
    /// What is to be reached.
    pub target: Target,
    /// What in the document the target rests on.
    pub basis: TargetBasis,
    /// The value before the programme began.
    pub baseline: Option<Baseline>,
    /// To what it applies.
    pub scope: Option<String>,
    /// The region it is about.
    pub region_code: RegionCode,
    /// Exact words of the document, for audit.
    pub source_phrase: Option<String>,
    /// Doubts.
    pub note: Option<String>,
}

/// Sets or replaces the baseline (设定基期值).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct SetBaseline {
    /// The indicator.
    pub id: Id<Indicator>,
    /// The value before the programme began.
    pub baseline: Baseline,
}

/// Revises the target (调整目标).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReviseTarget {
    /// The indicator.
    pub id: Id<Indicator>,
    /// What is to be reached from now on.
    pub target: Target,
    /// Why.
    pub reason: String,
}

/// Records a measured value (录入监测值). Periods of one region do not overlap. An officer records the
/// indicators of tasks that the own unit leads or supports, and those of no task or of one without units; and nothing of a
/// period in which a report of that unit in the plan is locked.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RecordMeasurement {
    /// The indicator.
    pub id: Id<Indicator>,
    /// The period it holds for.
    pub period: Period,
    /// The region it holds for: the indicator's own or one inside it; its own when left out.
    pub region_code: Option<RegionCode>,
    /// The value, in the indicator's unit.
    pub value: Amount,
    /// What shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
    /// A remark.
    pub note: Option<String>,
}

/// Records the score of an accepted survey as a measured value (以调查结果录入监测值). Whoever hands it in looks up what the
/// survey says; the evidence of the measurement names the survey and its version.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordSurveyMeasurement {
    /// The indicator.
    pub id: Id<Indicator>,
    /// The survey: accepted or published, of the same plan.
    pub survey_id: Id<Survey>,
    /// The version of the survey that was looked at.
    pub survey_version: i64,
    /// What the survey is called.
    pub title: String,
    /// The indicator that the survey names.
    pub names: Option<Id<Indicator>>,
    /// The period of the survey.
    pub period: Period,
    /// The region of the survey.
    pub region_code: RegionCode,
    /// Its score.
    pub score: Amount,
    /// A remark.
    pub note: Option<String>,
}

impl RecordSurveyMeasurement {
    /// The measurement that it is, when the survey may be rested on.
    fn measured(self, plan: Id<Plan>, facts: &Facts) -> Result<RecordMeasurement, Rejection> {
        let survey = facts.first(Kind::Survey, "surveyId")?;
        if survey.belongs_to != Some(plan.uuid()) {
            return Err(Rejection::invalid("surveyId", "belongs to another plan"));
        }
        if self.names.is_some_and(|named| named != self.id) {
            return Err(Rejection::invalid("surveyId", "names another indicator"));
        }
        if !SurveyStatus::SETTLED.iter().any(|status| status.as_str() == survey.status) {
            let message = "only the result of a survey that was accepted is a measured value";
            return Err(Rejection::rule("a-survey-is-accepted-first", message, None));
        }
        let reference = format!("{} v{}", self.survey_id, self.survey_version);
        Ok(RecordMeasurement {
            id: self.id,
            period: self.period,
            region_code: Some(self.region_code),
            value: self.score,
            evidence: vec![Evidence { title: self.title, reference: Some(reference) }],
            note: self.note,
        })
    }
}

/// Corrects a measured value (更正监测值). The earlier value stays readable. A correction has no number and is not itself
/// corrected: the measurement is, again, and `formerValue` says which of its values is meant. Who may record it may correct
/// it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CorrectMeasurement {
    /// The indicator.
    pub id: Id<Indicator>,
    /// Number of the measurement to correct.
    pub number: i32,
    /// The right value.
    pub value: Amount,
    /// The value that is corrected. When it is not the present one any more, somebody else corrected it first, and this
    /// correction is refused; not asked when left out.
    pub former_value: Option<Amount>,
    /// Why.
    pub reason: String,
}

/// Judges the indicator by its measurements (判定指标).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct JudgeIndicator {
    /// The indicator.
    pub id: Id<Indicator>,
    /// A remark.
    pub note: Option<String>,
}

/// Retires an indicator (停用指标).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RetireIndicator {
    /// The indicator.
    pub id: Id<Indicator>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to an indicator.
    #[expect(clippy::large_enum_variant, reason = "an event is folded and let go")]
    pub enum IndicatorEvent {
        /// 指标已设定
        Defined(DefineIndicator),
        /// 基期值已设定
        BaselineSet { baseline: Baseline },
        /// 目标已调整
        TargetRevised { target: Target, reason: String },
        /// 监测值已录入
        MeasurementRecorded {
            number: i32,
            period: Period,
            region_code: RegionCode,
            value: Amount,
            reported_by: Option<Id<Unit>>,
            evidence: Vec<Evidence>,
            note: Option<String>,
        },
        /// 监测值已更正
        MeasurementCorrected {
            number: i32,
            period: Period,
            region_code: RegionCode,
            value: Amount,
            former_value: Amount,
            reason: String,
        },
        /// 指标已判定
        Judged { attained: bool, value: Amount, note: Option<String> },
        /// 指标已停用
        Retired { reason: String },
    }
}

impl IndicatorEvent {
    /// Where the indicator stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<IndicatorStatus> {
        match self {
            Self::Defined(_) => Some(Defined),
            Self::BaselineSet { .. } | Self::TargetRevised { .. } => None,
            Self::MeasurementRecorded { .. } | Self::MeasurementCorrected { .. } => Some(Active),
            Self::Judged { attained: true, .. } => Some(JudgedAttained),
            Self::Judged { attained: false, .. } => Some(JudgedMissed),
            Self::Retired { .. } => Some(Retired),
        }
    }
}

/// What an indicator must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Indicator {
    status: Option<IndicatorStatus>,
    region: Option<RegionCode>,
    definition: Option<DefineIndicator>,
    /// Period, region and value of each measurement, by number from 1.
    measured: Vec<(Period, RegionCode, Amount)>,
}

impl Indicator {
    /// The claim of an indicator's code.
    pub const CODE: &'static str = "indicator.code";

    /// Points of the indicator's own region, which are judged.
    fn points(&self) -> Vec<Point> {
        let own = self.measured.iter().filter(|(_, region, _)| Some(*region) == self.region);
        own.map(|(period, _, value)| Point { period: *period, value: *value }).collect()
    }
}

impl Indicator {
    fn record(
        &self,
        definition: &DefineIndicator,
        own_region: RegionCode,
        command: RecordMeasurement,
        context: &Context<'_>,
    ) -> Result<IndicatorEvent, Rejection> {
        let RecordMeasurement { period, region_code, value, evidence, note, .. } = command;
        let region_code = region_code.unwrap_or(own_region);
        if !own_region.covers(region_code) {
            return Err(Rejection::invalid("regionCode", "lies outside the indicator's region"));
        }
        if !context.viewer.region.covers(region_code) {
            return Err(Rejection::invalid("regionCode", "lies outside the viewer's region"));
        }
        Self::check_measurer(definition, "recordMeasurement", period, context)?;
        check_value(definition.measure, &definition.unit, value)?;
        check_evidence(&evidence)?;
        text::maybe("note", note.as_ref(), text::LONG)?;
        let clash = |(known, region, _): &&(Period, RegionCode, Amount)| {
            *region == region_code && known.overlaps(period)
        };
        if let Some((known, ..)) = self.measured.iter().find(clash) {
            let message = format!("{known} is measured already: correct that measurement");
            return Err(Rejection::rule("periods-do-not-overlap", message, None));
        }
        if self.measured.len() >= MOST_MEASUREMENTS {
            return Err(Rejection::rule("measurements-are-bounded", "the indicator is full", None));
        }
        let number = i32::try_from(self.measured.len() + 1).unwrap_or(i32::MAX);
        let reported_by = context.viewer.units.first().copied();
        Ok(IndicatorEvent::MeasurementRecorded {
            number,
            period,
            region_code,
            value,
            reported_by,
            evidence,
            note,
        })
    }

    fn correct(
        &self,
        definition: &DefineIndicator,
        command: CorrectMeasurement,
        context: &Context<'_>,
    ) -> Result<IndicatorEvent, Rejection> {
        let CorrectMeasurement { number, value, former_value: expected, reason, .. } = command;
        text::required("reason", &reason, text::LONG)?;
        check_value(definition.measure, &definition.unit, value)?;
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let Some((period, region_code, former_value)) = at.and_then(|at| self.measured.get(at)).copied()
        else {
            return Err(Rejection::invalid("number", "is not the number of a measurement of this indicator"));
        };
        if !context.viewer.region.covers(region_code) {
            return Err(Rejection::invalid("number", "lies outside the viewer's region"));
        }
        if let Some(expected) = expected.filter(|expected| *expected != former_value) {
            let message = format!(
                "measurement {number} was {expected} once and was corrected since: it is {former_value} now, correct that"
            );
            return Err(Rejection::rule("the-present-value-is-corrected", message, None));
        }
        Self::check_measurer(definition, "correctMeasurement", period, context)?;
        if former_value == value {
            return Err(Rejection::invalid("value", "is the present value"));
        }
        Ok(IndicatorEvent::MeasurementCorrected { number, period, region_code, value, former_value, reason })
    }
}

impl Indicator {
    /// Whether whoever measures answers for the figure, and no report of theirs about it is locked.
    ///
    /// The office measures anything in its region. An officer measures, of an indicator that belongs to a task whose units are
    /// known, what the own unit leads or supports; of another one whatever lies in the own region.
    fn check_measurer(
        definition: &DefineIndicator,
        action: &'static str,
        period: Period,
        context: &Context<'_>,
    ) -> Result<(), Rejection> {
        let viewer = context.viewer;
        if viewer.roles.contains(&Role::LeadingGroupOffice) {
            return Ok(());
        }
        let named: Vec<_> = context
            .facts
            .of_kind(Kind::Unit)
            .filter(|unit| unit.belongs_to == definition.task_id.map(Id::uuid))
            .collect();
        let answers = named.iter().any(|unit| viewer.units.iter().any(|own| own.uuid() == unit.id));
        if !named.is_empty() && !answers {
            return Err(Rejection::NotPermitted {
                action,
                reason: "the viewer's unit neither leads nor supports the task of this indicator".into(),
                roles: MEASURER.iter().map(|by| by.role()).collect(),
            });
        }
        match context.facts.of_kind(Kind::Report).next() {
            None => Ok(()),
            Some(lock) => {
                let report = GlobalId { kind: Kind::Report, uuid: lock.id };
                let message = format!(
                    "{period} is locked for this unit by its report {report}: ask the leading group's office to unlock it"
                );
                Err(Rejection::rule(Report::LOCKED, message, None))
            }
        }
    }

    /// The units of the indicator's task, and locked reports of the viewer's unit in the plan that share a day with the
    /// period.
    fn needs_to_measure(&self, period: Option<Period>) -> Vec<Need> {
        let Some(definition) = &self.definition else { return Vec::new() };
        let units = definition.task_id.map(|task| Need::Named {
            kind: Kind::Unit,
            by: task.uuid(),
            relations: Task::UNITS,
        });
        let locks = period.map(|period| Report::locks(definition.plan_id, period));
        units.into_iter().chain(locks).collect()
    }
}

impl DefineIndicator {
    fn check(&self, facts: &Facts) -> Result<(), Rejection> {
        let allowed = self.code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if self.code.is_empty() || self.code.len() > 60 || !allowed {
            return Err(Rejection::invalid(
                "code",
                "is not 1 to 60 letters, digits, hyphens and underscores",
            ));
        }
        text::required("name", &self.name, text::TITLE)?;
        text::required("unit", &self.unit, text::SHORT)?;
        text::maybe("scope", self.scope.as_ref(), text::TITLE)?;
        text::maybe("sourcePhrase", self.source_phrase.as_ref(), text::LONG)?;
        text::maybe("note", self.note.as_ref(), text::LONG)?;
        check_target(&self.target, self.baseline.as_ref())?;
        let task = self.task_id.and_then(|id| facts.object(id.uuid()));
        if task.is_some_and(|task| task.belongs_to != Some(self.plan_id.uuid())) {
            return Err(Rejection::invalid("taskId", "belongs to another plan"));
        }
        Ok(())
    }
}

fn check_target(target: &Target, baseline: Option<&Baseline>) -> Result<(), Rejection> {
    text::maybe("target.text", target.text.as_ref(), text::SHORT)?;
    if target.upper.is_some_and(|upper| upper < target.value) {
        return Err(Rejection::invalid("target.upper", "lies below the target"));
    }
    if target.comparator == Comparator::IncreaseBy && baseline.is_none() {
        return Err(Rejection::invalid(
            "target.comparator",
            "an increase needs a baseline (its value may come later)",
        ));
    }
    text::maybe("baseline.note", baseline.and_then(|baseline| baseline.note.as_ref()), text::LONG)
}

fn check_value(measure: Measure, unit: &str, value: Amount) -> Result<(), Rejection> {
    let percent = Amount::from(0)..=Amount::from(100);
    if measure == Measure::Ratio && unit.trim() == "%" && !percent.contains(&value) {
        return Err(Rejection::invalid("value", "a ratio lies between 0 and 100 %"));
    }
    Ok(())
}

/// Most measurements of one indicator.
const MOST_MEASUREMENTS: usize = 100_000;

impl Aggregate for Indicator {
    const KIND: Kind = Kind::Indicator;
    type Status = IndicatorStatus;
    type Command = IndicatorCommand;
    type Event = IndicatorEvent;
    const STEPS: &'static [Step<IndicatorStatus>] = STEPS;

    fn status(&self) -> Option<IndicatorStatus> {
        self.status
    }

    fn subject(&self, command: Option<&IndicatorCommand>, _: &Facts) -> Subject {
        let region = match command {
            Some(IndicatorCommand::DefineIndicator(indicator)) => Some(indicator.region_code),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &IndicatorCommand) -> Vec<Need> {
        let indicator = match command {
            IndicatorCommand::DefineIndicator(indicator) => indicator,
            IndicatorCommand::RecordSurveyMeasurement(measured) => {
                let (kind, id) = (Kind::Survey, measured.survey_id.uuid());
                let survey = Need::Object { kind, id, field: "surveyId".into() };
                let others = self.needs_to_measure(Some(measured.period));
                return std::iter::once(survey).chain(others).collect();
            }
            IndicatorCommand::RecordMeasurement(command) => {
                return self.needs_to_measure(Some(command.period));
            }
            IndicatorCommand::CorrectMeasurement(command) => {
                let measured = usize::try_from(command.number).ok().and_then(|number| number.checked_sub(1));
                let measured = measured.and_then(|at| self.measured.get(at));
                return self.needs_to_measure(measured.map(|(period, ..)| *period));
            }
            _ => return Vec::new(),
        };
        let plan = Need::Object { kind: Kind::Plan, id: indicator.plan_id.uuid(), field: "planId".into() };
        let task = indicator.task_id.map(|id| Need::Object {
            kind: Kind::Task,
            id: id.uuid(),
            field: "taskId".into(),
        });
        std::iter::once(plan).chain(task).collect()
    }

    fn decide(
        &self,
        command: IndicatorCommand,
        context: &Context<'_>,
    ) -> Result<Vec<IndicatorEvent>, Rejection> {
        let command = match command {
            IndicatorCommand::DefineIndicator(indicator) => {
                indicator.check(context.facts)?;
                return Ok(vec![IndicatorEvent::Defined(indicator)]);
            }
            other => other,
        };
        let (Some(definition), Some(own_region)) = (&self.definition, self.region) else {
            return Err(Rejection::NotFound { kind: Kind::Indicator, field: "id".into() });
        };
        Ok(vec![match command {
            IndicatorCommand::DefineIndicator(_) => return Ok(Vec::new()),
            IndicatorCommand::SetBaseline(SetBaseline { baseline, .. }) => {
                text::maybe("baseline.note", baseline.note.as_ref(), text::LONG)?;
                IndicatorEvent::BaselineSet { baseline }
            }
            IndicatorCommand::ReviseTarget(ReviseTarget { target, reason, .. }) => {
                check_target(&target, definition.baseline.as_ref())?;
                text::required("reason", &reason, text::LONG)?;
                IndicatorEvent::TargetRevised { target, reason }
            }
            IndicatorCommand::RecordMeasurement(command) => {
                self.record(definition, own_region, command, context)?
            }
            IndicatorCommand::RecordSurveyMeasurement(command) => {
                let command = command.measured(definition.plan_id, context.facts)?;
                // What is wrong with the survey's figures is wrong with the survey that was named.
                self.record(definition, own_region, command, context).map_err(|refusal| match refusal {
                    Rejection::Invalid { field, reason } if field != "note" => {
                        Rejection::invalid("surveyId", reason)
                    }
                    other => other,
                })?
            }
            IndicatorCommand::CorrectMeasurement(command) => self.correct(definition, command, context)?,
            IndicatorCommand::JudgeIndicator(JudgeIndicator { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                let (target, baseline) = (&definition.target, definition.baseline.as_ref());
                let points = self.points();
                let judged =
                    attainment::attainment(target, definition.measure, &definition.unit, baseline, &points)
                        .ok_or_else(|| {
                        Rejection::rule(
                            "judged-by-own-region",
                            "the indicator's own region is not measured",
                            None,
                        )
                    })?;
                let attained = judged.met.ok_or_else(|| {
                    Rejection::rule(
                        "increase-needs-baseline",
                        judged.unjudged_because.unwrap_or("cannot be judged"),
                        None,
                    )
                })?;
                IndicatorEvent::Judged { attained, value: judged.value, note }
            }
            IndicatorCommand::RetireIndicator(RetireIndicator { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                IndicatorEvent::Retired { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &IndicatorEvent, _: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            IndicatorEvent::Defined(definition) => {
                self.region = Some(definition.region_code);
                self.definition = Some(definition.clone());
            }
            IndicatorEvent::BaselineSet { baseline } => {
                if let Some(definition) = &mut self.definition {
                    definition.baseline = Some(baseline.clone());
                }
            }
            IndicatorEvent::TargetRevised { target, .. } => {
                if let Some(definition) = &mut self.definition {
                    definition.target = target.clone();
                }
            }
            IndicatorEvent::MeasurementRecorded { period, region_code, value, .. } => {
                self.measured.push((*period, *region_code, *value));
            }
            IndicatorEvent::MeasurementCorrected { number, value, .. } => {
                let at = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
                if let Some(entry) = at.and_then(|at| self.measured.get_mut(at)) {
                    entry.2 = *value;
                }
            }
            IndicatorEvent::Judged { .. } | IndicatorEvent::Retired { .. } => {}
        }
    }

    fn claims(&self, event: &IndicatorEvent) -> Vec<Claim> {
        match event {
            IndicatorEvent::Defined(indicator) => vec![Claim::take(Self::CODE, &indicator.code, "code")],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
