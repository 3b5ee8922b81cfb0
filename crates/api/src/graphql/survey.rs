//! Surveys, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Amount, Date, Id, Kind, Period, RegionCode, Rejection, Viewer,
    id::Key,
    organisation::unit,
    performance::{
        indicator::{self, RecordSurveyMeasurement},
        survey::{
            AcceptSurveyResult, AnswerScale, CancelSurvey, CorrectSurveyResult, FieldSurvey, PlanSurvey,
            PublishSurvey, RecordSurveyResult, ReturnSurveyResult, Survey as Domain, SurveyEvent as Event,
            SurveyKind, SurveyMethod, SurveyResult, SurveyStatus, WithdrawSurvey,
        },
    },
    programme::{plan, task::Evidence},
};

use super::{
    command::{How, Outcome, carry_out, mutations},
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::Found,
    indicator::{Indicator, IndicatorPayload},
    plan::{Plan, of_visible_plans},
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, view, visible, in_public},
};

view! {
    /// What a population says of a service industry, or enterprises of themselves, scored on a scale (满意度调查).
    pub struct Survey of Domain, in "surveys" under "plan_id" {
        /// Where it stands.
        status: SurveyStatus,
        /// The region it is about.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        /// What sort of survey it is.
        kind: SurveyKind,
        /// What it is called.
        title: String,
        /// What is asked.
        question: String,
        /// The service industry or population that is surveyed (调查对象).
        population: String,
        #[graphql(skip)]
        unit_id: Key<unit::Unit>,
        /// How answers are gathered.
        method: SurveyMethod,
        /// The period it is about.
        period: Period,
        /// How many valid answers are planned.
        planned_sample_size: i32,
        #[graphql(skip)]
        scale: Json<AnswerScale>,
        #[graphql(skip)]
        indicator_id: Option<Key<indicator::Indicator>>,
        /// The first day on which answers were gathered.
        fielded_from: Option<Date>,
        /// The last day on which answers were gathered.
        fielded_to: Option<Date>,
        #[graphql(skip)]
        results: Json<Vec<RecordedSurveyResult>>,
        /// When the last result was accepted; null while it is not.
        accepted_on: Option<Date>,
        /// What was said when it was accepted.
        accepted_note: Option<String>,
        /// Why the last result was returned; null once another was recorded.
        returned_reason: Option<String>,
        /// When the last result was published; null while it is not.
        published_on: Option<Date>,
        /// Why it was withdrawn.
        withdrawn_reason: Option<String>,
        /// Why it was cancelled.
        cancelled_reason: Option<String>,
    }
}

/// A result as it was recorded, or as it corrects an earlier one (调查结果). Nothing is overwritten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, SimpleObject)]
#[graphql(complex)]
pub struct RecordedSurveyResult {
    /// Its number in the survey, from 1.
    pub number: i32,
    /// The number of the result that it corrects.
    pub corrects: Option<i32>,
    /// Why it was corrected.
    pub reason: Option<String>,
    #[graphql(flatten)]
    result: SurveyResult,
    /// The report of the survey and what shows it.
    pub evidence: Vec<Evidence>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

#[ComplexObject]
impl RecordedSurveyResult {
    /// Who answered of those asked, in percent to two places (回收率).
    async fn response_rate(&self) -> Amount {
        self.result.response_rate()
    }
}

impl Survey {
    fn add(&mut self, number: i32, result: &SurveyResult, evidence: &[Evidence], corrected: Option<(i32, &str)>) {
        self.results.push(RecordedSurveyResult {
            number,
            corrects: corrected.map(|(corrects, _)| corrects),
            reason: corrected.map(|(_, reason)| reason.to_owned()),
            result: result.clone(),
            evidence: evidence.to_vec(),
            recorded_at: self.life.updated_at,
        });
        self.accepted_on = None;
        self.accepted_note = None;
        self.returned_reason = None;
        self.published_on = None;
    }
}

impl Fold for Survey {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Planned {
            plan_id,
            kind,
            title,
            question,
            population,
            unit_id,
            method,
            region_code,
            period,
            planned_sample_size,
            scale,
            indicator_id,
        } = event
        else {
            return None;
        };
        Some(Self {
            life,
            status: SurveyStatus::Planned,
            region_code: *region_code,
            plan_id: Key(*plan_id),
            kind: *kind,
            title: title.clone(),
            question: question.clone(),
            population: population.clone(),
            unit_id: Key(*unit_id),
            method: *method,
            period: *period,
            planned_sample_size: *planned_sample_size,
            scale: Json(*scale),
            indicator_id: indicator_id.map(Key),
            fielded_from: None,
            fielded_to: None,
            results: Json(Vec::new()),
            accepted_on: None,
            accepted_note: None,
            returned_reason: None,
            published_on: None,
            withdrawn_reason: None,
            cancelled_reason: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        let today = Date::of(self.life.updated_at);
        match event {
            Event::Planned { .. } => {}
            Event::Fielded { from, to } => {
                self.fielded_from = Some(*from);
                self.fielded_to = Some(*to);
            }
            Event::ResultRecorded { number, result, evidence } => self.add(*number, result, evidence, None),
            Event::ResultCorrected { number, corrects, result, evidence, reason } => {
                self.add(*number, result, evidence, Some((*corrects, reason)));
            }
            Event::ResultReturned { reason } => self.returned_reason = Some(reason.clone()),
            Event::ResultAccepted { note } => {
                self.accepted_on = Some(today);
                self.accepted_note.clone_from(note);
            }
            Event::Published => self.published_on = Some(today),
            Event::Withdrawn { reason } => self.withdrawn_reason = Some(reason.clone()),
            Event::Cancelled { reason } => self.cancelled_reason = Some(reason.clone()),
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }
}

impl Visible for Survey {
    const RELATIONS: &'static [&'static str] = &["plan", "unit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "unit" => wanted.units.push(self.unit_id.0.uuid()),
            _ => {}
        }
    }

    fn own(viewer: &Viewer) -> Option<Condition> {
        let units = viewer.units.iter().map(|unit| unit.uuid());
        Some(Condition::all().add(Expr::col("unit_id").is_in(units)))
    }

    fn published_with(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        let published = of_visible_plans(viewer).add(in_public(Kind::Survey));
        visible(viewer, Kind::Survey, published, Self::own(viewer))
    }
}

#[ComplexObject]
impl Survey {
    /// The plan that it serves.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The unit that carries it out (调查单位).
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.unit_id.0).await
    }
    /// The region it is about.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The indicator that its score can be recorded for.
    async fn indicator(&self, ctx: &Context<'_>) -> Result<Option<Found<Indicator>>> {
        match self.indicator_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The scale of the scores (评分区间).
    async fn scale(&self) -> &AnswerScale {
        &self.scale
    }
    /// What it found last; null before that.
    async fn result(&self) -> Option<&RecordedSurveyResult> {
        self.results.last()
    }
    /// Every result, the first one first, corrected ones too, at most 100.
    async fn results(&self) -> &[RecordedSurveyResult] {
        &self.results
    }
}

connection!(Survey, SurveyConnection, SurveyEdge, "surveys");

/// Which surveys; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SurveyWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// That name this indicator.
    pub indicator: Option<Id<indicator::Indicator>>,
    /// Where they stand.
    pub status: Option<Vec<SurveyStatus>>,
    /// Of these sorts.
    pub kind: Option<Vec<SurveyKind>>,
    /// By these methods.
    pub method: Option<Vec<SurveyMethod>>,
    /// Carried out by this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// About these periods.
    pub period: Option<Vec<Period>>,
    /// About this region and all inside it.
    pub region: Option<RegionCode>,
    /// Part of the title, the question or the population, at most 100 characters.
    pub text: Option<String>,
}

/// What surveys are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SurveyOrderField {
    /// By the time they were planned here.
    Created,
    /// By the period they are about.
    Period,
}

/// An order of surveys.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct SurveyOrder {
    /// By what.
    pub field: SurveyOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<SurveyOrder>) -> By {
    let order = order.unwrap_or(SurveyOrder { field: SurveyOrderField::Period, direction: OrderDirection::Asc });
    match order.field {
        SurveyOrderField::Created => By::column("id", Holds::Key),
        SurveyOrderField::Period => By::column("period", Holds::Text),
    }
    .directed(order.direction)
}

/// A page of the surveys that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<SurveyWhere>,
    order_by: Option<SurveyOrder>,
    paging: Paging,
) -> Result<SurveyConnection> {
    let wanted = wanted.unwrap_or_default();
    let filter = own
        .has("plan_id", wanted.plan)
        .has("indicator_id", wanted.indicator)
        .one_of("status", wanted.status)?
        .one_of("kind", wanted.kind)?
        .one_of("method", wanted.method)?
        .has("unit_id", wanted.unit)
        .one_of("period", wanted.period)?
        .in_region(wanted.region)
        .containing(&["title", "question", "population"], wanted.text.as_ref())?;
    Ok(SurveyConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// Questions about surveys.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "SurveyQueries")]
impl Queries {
    /// The survey with this id. Everybody sees it once it is published, officials before.
    async fn survey(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<Domain>) -> Result<Option<Found<Survey>>> {
        ctx.load(id).await
    }

    /// Surveys of all plans, by period unless ordered otherwise. Everybody sees those that are published, officials all.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn surveys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<SurveyWhere>,
        #[graphql(desc = "In which order.")] order_by: Option<SurveyOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<SurveyConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    Survey, SurveyPayload { survey } "SurveyMutations":
    /// Plans a survey (计划调查).
    plan_survey(PlanSurvey);
    /// Says when answers are gathered (开展调查).
    field_survey(FieldSurvey);
    /// Records what a survey found, not before its last day in the field (报送调查结果).
    record_survey_result(RecordSurveyResult);
    /// Corrects the last result; the earlier one stays readable, the new one is accepted anew (更正调查结果).
    correct_survey_result(CorrectSurveyResult);
    /// Returns a result for more work (退回调查结果).
    return_survey_result(ReturnSurveyResult);
    /// Accepts a result: somebody else than the person and the unit that found it (验收调查结果).
    accept_survey_result(AcceptSurveyResult);
    /// Publishes an accepted result: everybody sees it (公布调查结果).
    publish_survey(PublishSurvey);
    /// Withdraws an accepted or published survey: nothing rests on it any more (撤回调查结果).
    withdraw_survey(WithdrawSurvey);
    /// Cancels a survey that was not accepted (取消调查).
    cancel_survey(CancelSurvey);
}

/// Records the score of an accepted survey as a measured value of an indicator (以调查结果录入监测值).
#[derive(Clone, Debug, InputObject)]
#[graphql(name = "RecordSurveyMeasurement")]
pub struct RecordSurveyMeasurementInput {
    /// The indicator: that which the survey names, or any of its plan when it names none.
    pub id: Id<indicator::Indicator>,
    /// The survey: accepted or published. Its score, period and region are those of the measured value.
    pub survey_id: Id<Domain>,
    /// A remark.
    pub note: Option<String>,
}

/// What surveys do for indicators.
#[derive(Debug, Default)]
pub struct MeasurementMutations;

#[Object(name = "SurveyMeasurementMutations")]
impl MeasurementMutations {
    /// Records the score of an accepted survey as a measured value of an indicator; the evidence names the survey and its
    /// version (以调查结果录入监测值).
    async fn record_survey_measurement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: RecordSurveyMeasurementInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<IndicatorPayload> {
        let RecordSurveyMeasurementInput { id, survey_id, note } = input;
        let found = ctx.load::<Survey>(survey_id).await?;
        let Some((survey, last)) = found.as_ref().and_then(|survey| Some((survey, survey.results.last()?))) else {
            return Ok(refused(match found {
                Some(_) => Rejection::invalid("surveyId", "has no result"),
                None => Rejection::NotFound { kind: Kind::Survey, field: "surveyId".into() },
            }));
        };
        let command = RecordSurveyMeasurement {
            id,
            survey_id,
            survey_version: survey.life.version,
            title: survey.title.clone(),
            names: survey.indicator_id.map(|id| id.0),
            period: survey.period,
            region_code: survey.region_code,
            score: last.result.score,
            note,
        };
        let how = How { command_id, expected_version, dry_run };
        let Outcome { object, events, position, errors } = carry_out::<Indicator>(ctx, command, how).await?;
        Ok(IndicatorPayload { indicator: object, events, position, errors })
    }
}

fn refused(rejection: Rejection) -> IndicatorPayload {
    IndicatorPayload { indicator: None, events: Vec::new(), position: None, errors: vec![rejection.into()] }
}
