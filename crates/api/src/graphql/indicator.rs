//! Indicators, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Alias, Condition, Expr, ExprTrait, Query};
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Amount, Date, Id, Kind, Period, RegionCode, Viewer,
    id::Key,
    organisation::unit,
    performance::{
        attainment::{self, Baseline, Light, Measure, Point, Target},
        indicator::{
            CorrectMeasurement, DefineIndicator, Indicator as Domain, IndicatorEvent as Event, IndicatorStatus,
            JudgeIndicator, RecordMeasurement, RetireIndicator, ReviseTarget, SetBaseline, TargetBasis,
        },
    },
    programme::{plan, task},
};
use zhixing_event_store::{Error, Meta, Row, Table, view::WriteRow};

use super::{
    found::Found,
    command::mutations,
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    counted::Counted,
    indicator_series::{self, IndicatorSeries},
    plan::{Plan, in_visible_plan, of_visible_plans},
    region::Region,
    survey::{self, SurveyConnection, SurveyOrder, SurveyWhere},
    task::{LEAD, SUPPORT, Task},
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, names, view, visible},
};

view! {
    /// A quantity with a target, measured period by period and judged at the end (指标).
    pub struct Indicator of Domain, in "indicators" under "plan_id" {
        /// Where it stands.
        status: IndicatorStatus,
        /// The region it is about.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        #[graphql(skip)]
        task_id: Option<Key<task::Task>>,
        /// A code unique over all plans, such as `GS11-6_2-01`.
        code: String,
        /// What is measured.
        name: String,
        /// The unit of the numbers, such as `%`, `百分点`, `个`.
        unit: String,
        /// What sort of quantity it is.
        measure: Measure,
        #[graphql(skip)]
        target: Json<Target>,
        /// When the target is due.
        due_on: Date,
        /// What in the document the target rests on.
        basis: TargetBasis,
        #[graphql(skip)]
        baseline: Option<Json<Baseline>>,
        /// To what it applies.
        scope: Option<String>,
        /// Exact words of the document, for audit.
        source_phrase: Option<String>,
        #[graphql(skip)]
        points: Json<Vec<Counted>>,
        /// How many values were measured, corrections not counted.
        #[graphql(name = "measuredCount")]
        measured: i32,
        /// The value by which it was judged.
        judged_value: Option<Amount>,
        /// Why it was retired.
        retired_reason: Option<String>,
        /// Doubts.
        note: Option<String>,
    }
}

impl Indicator {
    /// What its measurements say about the target.
    pub fn attained(&self) -> Option<attainment::Attainment> {
        let points: Vec<Point> = self.points.iter().map(|counted| counted.point).collect();
        attainment::attainment(&self.target, self.measure, &self.unit, self.baseline(), &points)
    }
    /// The value before the programme began.
    pub fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_ref().map(|Json(baseline)| baseline)
    }
    /// The first day that counts: of the baseline, or of the plan's period.
    pub fn counts_from(&self, plan: Option<Date>) -> Option<Date> {
        self.baseline().and_then(|baseline| baseline.as_of).or(plan)
    }
    /// Its light on this day; `from` is the first day of the plan's period.
    pub fn light_on(&self, from: Option<Date>, today: Date) -> Light {
        attainment::light(&self.target, self.baseline(), self.attained().as_ref(), self.counts_from(from), today)
    }
}

impl Fold for Indicator {
    type Of = Domain;
    const ENTRIES: Option<&'static Table> = Some(Measurement::TABLE);

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Defined(definition) = event else { return None };
        let DefineIndicator { plan_id, task_id, code, name, unit, measure, target, basis, .. } = definition.clone();
        Some(Self {
            life,
            status: IndicatorStatus::Defined,
            region_code: definition.region_code,
            plan_id: Key(plan_id),
            task_id: task_id.map(Key),
            code,
            name,
            unit,
            measure,
            due_on: target.due_on,
            target: Json(target),
            basis,
            baseline: definition.baseline.clone().map(Json),
            scope: definition.scope.clone(),
            source_phrase: definition.source_phrase.clone(),
            points: Json(Vec::new()),
            measured: 0,
            judged_value: None,
            retired_reason: None,
            note: definition.note.clone(),
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Defined(_) => {}
            Event::BaselineSet { baseline } => self.baseline = Some(Json(baseline.clone())),
            Event::TargetRevised { target, .. } => {
                self.due_on = target.due_on;
                self.target = Json(target.clone());
            }
            Event::MeasurementRecorded { number, period, region_code, value, .. } => {
                self.measured = *number;
                if *region_code == self.region_code {
                    let point = Point { period: *period, value: *value };
                    self.points.push(Counted { number: *number, point });
                }
            }
            Event::MeasurementCorrected { number, value, .. } => {
                self.judged_value = None;
                if let Some(counted) = self.points.iter_mut().find(|counted| counted.number == *number) {
                    counted.point.value = *value;
                }
            }
            Event::Judged { value, .. } => self.judged_value = Some(*value),
            Event::Retired { reason } => self.retired_reason = Some(reason.clone()),
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn adds(event: &Event, meta: &Meta<Domain>) -> Result<Vec<WriteRow>, Error> {
        Measurement::of(event, meta).iter().map(WriteRow::of).collect()
    }
}

impl Visible for Indicator {
    const RELATIONS: &'static [&'static str] = &["plan", "task"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "task" => wanted.tasks.extend(self.task_id.map(|id| id.0.uuid())),
            _ => {}
        }
    }

    fn own(viewer: &Viewer) -> Option<Condition> {
        named(viewer, "task_id", &[LEAD, SUPPORT])
    }

    fn published_with(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::Indicator, in_visible_plan(viewer), names(viewer, "task_id", &[LEAD, SUPPORT]))
    }
    fn seen_of_all_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::Indicator, of_visible_plans(viewer), Self::own(viewer))
    }
}

/// How far an indicator has come, derived exactly from its measurements (完成情况).
#[derive(Clone, Debug, SimpleObject)]
pub struct Attainment {
    /// The value compared with the target: the sum of a flow, the last value otherwise; of the last year measured when
    /// the target holds for every year.
    pub value: Amount,
    /// Last day of the period of the last measurement.
    pub as_of: Date,
    /// Whether the target is met so far; null when it cannot be judged.
    pub met: Option<bool>,
    /// Why it cannot be judged.
    pub unjudged_because: Option<String>,
}

impl From<attainment::Attainment> for Attainment {
    fn from(found: attainment::Attainment) -> Self {
        let attainment::Attainment { value, as_of, met, unjudged_because } = found;
        Self { value, as_of, met, unjudged_because: unjudged_because.map(Into::into) }
    }
}

/// Where an indicator will stand on the due date if it goes on as it did (趋势预测).
#[derive(Clone, Debug, SimpleObject)]
pub struct Forecast {
    /// The value on the due date, to two places: a flow goes on at its rate since the plan's first day, everything else along
    /// the line from the baseline, or the first value, to the last.
    pub value: Amount,
    /// When the target is due.
    pub due_on: Date,
    /// Whether it would meet the target; null when that cannot be judged.
    pub met: Option<bool>,
}

#[ComplexObject]
impl Indicator {
    /// The plan that sets the target.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The task it belongs to.
    async fn task(&self, ctx: &Context<'_>) -> Result<Option<Found<Task>>> {
        match self.task_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The region it is about.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// What is to be reached.
    async fn target(&self) -> &Target {
        &self.target
    }
    /// The value before the programme began.
    #[graphql(name = "baseline")]
    async fn shown_baseline(&self) -> Option<&Baseline> {
        self.baseline()
    }
    /// How far it has come; null without any measurement of its own region.
    async fn attainment(&self) -> Option<Attainment> {
        self.attained().map(Into::into)
    }
    /// Where it will stand on the due date if it goes on as it did (趋势预测); null when there is nothing to go by: too few
    /// values, the due date measured already, or a target of every year.
    async fn forecast(&self, ctx: &Context<'_>) -> Result<Option<Forecast>> {
        let plan = ctx.load::<Plan>(self.plan_id.0).await?;
        let from = plan.and_then(|plan| plan.period_start);
        let points: Vec<Point> = self.points.iter().map(|counted| counted.point).collect();
        let forecast =
            attainment::forecast(&self.target, self.measure, &self.unit, self.baseline(), &points, from);
        Ok(forecast.map(|attainment::Forecast { value, met }| Forecast { value, met, due_on: self.due_on }))
    }
    /// Its light today (亮灯): attained, on track, at risk, missed or no data.
    async fn light(&self, ctx: &Context<'_>) -> Result<Light> {
        let plan = ctx.load::<Plan>(self.plan_id.0).await?;
        let today = Date::of(ctx.store().clock().now());
        Ok(self.light_on(plan.and_then(|plan| plan.period_start), today))
    }
    /// Its measured values region by region, each beside the target (指标曲线): its own region first, then those inside it,
    /// by code. At most 5,000 values; narrow them by `region` when there are more.
    async fn series(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this region and all inside it.")] region: Option<RegionCode>,
        #[graphql(default = true, desc = "Also the regions inside the indicator's own.")] parts: bool,
    ) -> Result<Vec<IndicatorSeries>> {
        indicator_series::of(ctx, self, region, parts).boxed().await
    }
    /// Surveys whose score can be recorded for it, by period unless ordered otherwise (满意度调查).
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn surveys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<SurveyWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<SurveyOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<SurveyConnection> {
        let own = Condition::all().has("indicator_id", Some(self.life.id));
        survey::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Its measured values, by end of period.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn measurements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<MeasurementWhere>,
        #[graphql(default_with = "OrderDirection::Asc", desc = "First to last, or last to first.")]
        direction: OrderDirection,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<MeasurementConnection> {
        let wanted = r#where.unwrap_or_default();
        // Entries behind the version of this object belong to a later time than it shows.
        let mut filter = Condition::all()
            .has("indicator_id", Some(self.life.id))
            .in_region(wanted.region)
            .add(Expr::col("version").lte(self.life.version));
        if !wanted.include_corrected {
            let later = Query::select()
                .expr(Expr::val(1))
                .from_as(Measurement::TABLE.name, Alias::new("later"))
                .and_where(Expr::col(("later", "indicator_id")).equals(("measurements", "indicator_id")))
                .and_where(Expr::col(("later", "number")).equals(("measurements", "number")))
                .and_where(Expr::col(("later", "version")).gt(Expr::col(("measurements", "version"))))
                .and_where(Expr::col(("later", "version")).lte(self.life.version))
                .to_owned();
            filter = filter.add(Expr::exists(later).not());
        }
        let by = By::column("period_end", Holds::Date).directed(direction);
        Ok(MeasurementConnection(page(ctx, filter, by, Paging { first, after, last, before }).await?))
    }
}

/// A value that was measured or corrected (监测值). Nothing is overwritten: a correction is an entry of its own.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
#[expect(missing_docs, reason = "columns that are not shown are named by what they hold")]
pub struct Measurement {
    #[graphql(skip)]
    pub id: Uuid,
    #[graphql(skip)]
    pub indicator_id: Key<Domain>,
    #[graphql(skip)]
    pub version: i64,
    /// Its number in the indicator, from 1; a correction has the number of what it corrects.
    pub number: i32,
    /// The period it holds for.
    pub period: Period,
    #[graphql(skip)]
    pub period_end: Date,
    /// The region it holds for.
    pub region_code: RegionCode,
    /// The value, in the indicator's unit.
    pub value: Amount,
    /// The value that a correction replaces.
    pub former_value: Option<Amount>,
    /// Why it was corrected.
    pub reason: Option<String>,
    #[graphql(skip)]
    pub reported_by_id: Option<Key<unit::Unit>>,
    #[graphql(skip)]
    pub evidence: Json<Vec<task::Evidence>>,
    /// A remark.
    pub note: Option<String>,
    #[graphql(skip)]
    pub actor: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl Row for Measurement {
    const TABLE: &'static Table = &Table {
        name: "measurements",
        columns: &[
            "id",
            "indicator_id",
            "version",
            "number",
            "period",
            "period_end",
            "region_code",
            "value",
            "former_value",
            "reason",
            "reported_by_id",
            "evidence",
            "note",
            "actor",
            "recorded_at",
        ],
    };
    fn key(&self) -> Uuid {
        self.id
    }
}

impl Visible for Measurement {
    fn seen_by(_: &Viewer) -> Condition {
        // It is reached only through an indicator that the viewer may see.
        Condition::all()
    }
}

impl Measurement {
    /// The entry that an event adds.
    fn of(event: &Event, meta: &Meta<Domain>) -> Option<Self> {
        let entry = |number: i32, period: Period, region_code: RegionCode, value: Amount| Self {
            // The same event always makes the same row, however often the view is folded anew.
            id: Uuid::new_v5(&meta.id.uuid(), &meta.version.to_be_bytes()),
            indicator_id: Key(meta.id),
            version: meta.version,
            number,
            period,
            period_end: period.end(),
            region_code,
            value,
            former_value: None,
            reason: None,
            reported_by_id: None,
            evidence: Json(Vec::new()),
            note: None,
            actor: meta.actor.clone(),
            recorded_at: meta.at,
        };
        match event {
            Event::MeasurementRecorded { number, period, region_code, value, reported_by, evidence, note } => {
                Some(Self {
                    reported_by_id: reported_by.map(Key),
                    evidence: Json(evidence.clone()),
                    note: note.clone(),
                    ..entry(*number, *period, *region_code, *value)
                })
            }
            Event::MeasurementCorrected { number, period, region_code, value, former_value, reason } => Some(Self {
                former_value: Some(*former_value),
                reason: Some(reason.clone()),
                ..entry(*number, *period, *region_code, *value)
            }),
            _ => None,
        }
    }
}

#[ComplexObject]
impl Measurement {
    /// The region it holds for.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The unit that reported it.
    async fn reported_by(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.reported_by_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// What shows it.
    async fn evidence(&self) -> &[task::Evidence] {
        &self.evidence
    }
    /// Who recorded it; only officials see this.
    async fn actor(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.viewer().is_official().then_some(self.actor.as_str())
    }
}

connection!(Measurement, MeasurementConnection, MeasurementEdge, "measured values");

/// Which measured values; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct MeasurementWhere {
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// Also values that were corrected since.
    #[graphql(default)]
    pub include_corrected: bool,
}

connection!(Indicator, IndicatorConnection, IndicatorEdge, "indicators");

/// Which indicators; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct IndicatorWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Of this task.
    pub task: Option<Id<task::Task>>,
    /// Where they stand.
    pub status: Option<Vec<IndicatorStatus>>,
    /// What sort of quantity they are.
    pub measure: Option<Vec<Measure>>,
    /// What their targets rest on.
    pub basis: Option<Vec<TargetBasis>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// Due in this range.
    pub due: Option<DateRange>,
    /// The exact code.
    pub code: Option<String>,
    /// Part of the name, the code or the scope, at most 100 characters.
    pub text: Option<String>,
}

/// What indicators are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum IndicatorOrderField {
    /// By time of definition.
    Created,
    /// By code.
    Code,
    /// By due date.
    DueOn,
}

/// An order of indicators.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct IndicatorOrder {
    /// By what.
    pub field: IndicatorOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<IndicatorOrder>) -> By {
    let usual = IndicatorOrder { field: IndicatorOrderField::Code, direction: OrderDirection::Asc };
    let order = order.unwrap_or(usual);
    match order.field {
        IndicatorOrderField::Created => By::column("id", Holds::Key),
        IndicatorOrderField::Code => By::column("code", Holds::Text),
        IndicatorOrderField::DueOn => By::column("due_on", Holds::Date),
    }
    .directed(order.direction)
}

/// A page of the indicators that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<IndicatorWhere>,
    order_by: Option<IndicatorOrder>,
    paging: Paging,
) -> Result<IndicatorConnection> {
    let wanted = wanted.unwrap_or_default();
    let filter = own
        .has("plan_id", wanted.plan)
        .has("task_id", wanted.task)
        .one_of("status", wanted.status)?
        .one_of("measure", wanted.measure)?
        .one_of("basis", wanted.basis)?
        .in_region(wanted.region)
        .in_range("due_on", wanted.due)
        .has("code", wanted.code)
        .containing(&["name", "code", "scope"], wanted.text.as_ref())?;
    Ok(IndicatorConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// Questions about indicators.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "IndicatorQueries")]
impl Queries {
    /// The indicator with this id.
    async fn indicator(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<Domain>) -> Result<Option<Found<Indicator>>> {
        ctx.load(id).await
    }

    /// Indicators of all plans, by code unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn indicators(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<IndicatorWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<IndicatorOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<IndicatorConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    Indicator, IndicatorPayload { indicator } "IndicatorMutations":
    /// Defines an indicator of a plan (设定指标).
    define_indicator(DefineIndicator);
    /// Sets or replaces the baseline (设定基期值).
    set_baseline(SetBaseline);
    /// Revises the target (调整目标).
    revise_target(ReviseTarget);
    /// Records a measured value (录入监测值).
    record_measurement(RecordMeasurement);
    /// Corrects a measured value; the earlier one stays readable (更正监测值).
    correct_measurement(CorrectMeasurement);
    /// Judges the indicator by its measurements (判定指标).
    judge_indicator(JudgeIndicator);
    /// Retires an indicator (停用指标).
    retire_indicator(RetireIndicator);
}
