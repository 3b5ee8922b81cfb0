//! Plans, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait, Query};
use sqlx::types::Json;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Viewer,
    id::Key,
    organisation::unit,
    policy,
    programme::plan::{
        AmendPlan, Basis, BringPlanIntoForce, ConcludePlan, DraftPlan, EnterPlanPhase, IssuePlan, OneOffDuty, Phase,
        Plan as Domain, PlanContent, PlanEvent as Event, PlanStatus, RecordPlanDuties, RepealPlan, StatedReportingDuty,
        SupersedePlan,
    },
};

use crate::task_table::TaskTable;

use super::{
    found::Found,
    cockpit::Cockpit,
    command::mutations,
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    event::Position,
    indicator::{self, IndicatorConnection, IndicatorOrder, IndicatorWhere},
    leading_group::{self, LeadingGroupConnection, LeadingGroupOrder, LeadingGroupWhere},
    local_plan::{self, LocalPlanConnection, LocalPlanOrder, LocalPlanWhere},
    region::Region,
    survey::{self, SurveyConnection, SurveyOrder, SurveyWhere},
    task::{self, TaskConnection, TaskOrder, TaskWhere},
    task_tree::TaskTree,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, in_public, one_of, view, visible},
};

view! {
    /// A government document that sets tasks and indicators for a period (质量工作方案).
    pub struct Plan of Domain, in "plans" {
        /// Where it stands.
        status: PlanStatus,
        /// The region it holds for.
        region_code: RegionCode,
        /// A stable code given by us, such as `GS-2011-QUALITY`.
        code: String,
        /// Document number (文号), when it has one.
        document_number: Option<String>,
        /// The title.
        title: String,
        /// Whether the title was given by us because the document has none.
        title_is_assigned: bool,
        /// Who issues it, in words.
        issuer: String,
        #[graphql(skip)]
        issuer_id: Option<Key<unit::Unit>>,
        /// Whether the issuer was inferred from the text.
        issuer_is_inferred: bool,
        /// Date of issue, when it is known.
        issued_on: Option<Date>,
        /// In force from, when it is known.
        effective_from: Option<Date>,
        /// Whether that date was assumed because the document is silent.
        effective_from_is_assumed: bool,
        /// First day of the planning period, when it is stated.
        period_start: Option<Date>,
        /// Last day of the planning period.
        period_end: Date,
        /// How an unstated period was fixed.
        period_note: Option<String>,
        #[graphql(skip)]
        phases: Json<Vec<Phase>>,
        /// The phase last entered.
        current_phase: Option<String>,
        #[graphql(skip)]
        basis: Json<Vec<Basis>>,
        /// The guiding idea in one sentence.
        guidance: Option<String>,
        #[graphql(skip)]
        reporting_duties: Json<Vec<StatedReportingDuty>>,
        #[graphql(skip)]
        one_off_duties: Json<Vec<OneOffDuty>>,
        #[graphql(skip)]
        superseded_by_id: Option<Key<Domain>>,
    }
}

impl Plan {
    fn say(&mut self, content: &PlanContent) {
        self.document_number.clone_from(&content.document_number);
        self.title.clone_from(&content.title);
        self.title_is_assigned = content.title_is_assigned;
        self.issuer.clone_from(&content.issuer);
        self.issuer_id = content.issuer_id.map(Key);
        self.issuer_is_inferred = content.issuer_is_inferred;
        self.period_start = content.period_start;
        self.period_end = content.period_end;
        self.period_note.clone_from(&content.period_note);
        self.phases = Json(content.phases.clone());
        self.basis = Json(content.basis.clone());
        self.guidance.clone_from(&content.guidance);
    }
}

impl Fold for Plan {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Drafted { code, region_code, content } = event else { return None };
        Some(Self {
            life,
            status: PlanStatus::Draft,
            region_code: *region_code,
            code: code.clone(),
            document_number: None,
            title: String::new(),
            title_is_assigned: false,
            issuer: String::new(),
            issuer_id: None,
            issuer_is_inferred: false,
            issued_on: None,
            effective_from: None,
            effective_from_is_assumed: false,
            period_start: None,
            period_end: content.period_end,
            period_note: None,
            phases: Json(Vec::new()),
            current_phase: None,
            basis: Json(Vec::new()),
            guidance: None,
            reporting_duties: Json(Vec::new()),
            one_off_duties: Json(Vec::new()),
            superseded_by_id: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Drafted { content, .. } | Event::Amended { content, .. } => self.say(content),
            Event::DutiesRecorded { reporting_duties, one_off_duties } => {
                self.reporting_duties = Json(reporting_duties.clone());
                self.one_off_duties = Json(one_off_duties.clone());
            }
            Event::Issued { issued_on } => self.issued_on = *issued_on,
            Event::TookEffect { effective_from, effective_from_is_assumed } => {
                self.effective_from = *effective_from;
                self.effective_from_is_assumed = *effective_from_is_assumed;
            }
            Event::PhaseEntered { phase } => self.current_phase = Some(phase.clone()),
            Event::Superseded { by, .. } => self.superseded_by_id = Some(Key(*by)),
            Event::Concluded { .. } | Event::Repealed { .. } => {}
        }
    }
}

impl Visible for Plan {
    const RELATIONS: &'static [&'static str] = &["issuerUnit", "supersededBy"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "issuerUnit" => wanted.units.extend(self.issuer_id.map(|id| id.0.uuid())),
            "supersededBy" => wanted.plans.extend(self.superseded_by_id.map(|id| id.0.uuid())),
            _ => {}
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::Plan, in_public(Kind::Plan), Self::own(viewer))
    }
}

/// Rows whose plan the viewer may see, looked up for each row by itself: a page does not wait for a list of all plans.
pub fn in_visible_plan(viewer: &Viewer) -> Condition {
    if policy::sight(viewer, Kind::Plan).is_whole() {
        return Condition::all();
    }
    let plan = Query::select()
        .expr(Expr::val(1))
        .from("plans")
        .and_where(Expr::col(("plans", "id")).eq(Expr::col("plan_id")))
        .cond_where(Plan::visible_to(viewer))
        .to_owned();
    Condition::all().add(one_of(plan))
}

/// Rows that belong to a plan that the viewer may see.
pub fn of_visible_plans(viewer: &Viewer) -> Condition {
    if policy::sight(viewer, Kind::Plan).is_whole() {
        return Condition::all();
    }
    let plans = Query::select().column("id").from("plans").cond_where(Plan::visible_to(viewer)).to_owned();
    Condition::all().add(Expr::col("plan_id").in_subquery(plans))
}

#[ComplexObject]
impl Plan {
    /// The region it holds for.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The issuing unit, when it is registered.
    async fn issuer_unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.issuer_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// Its dated phases (实施阶段).
    async fn phases(&self) -> &[Phase] {
        &self.phases
    }
    /// Superior documents that it cites (依据).
    async fn basis(&self) -> &[Basis] {
        &self.basis
    }
    /// Duties to report at a cadence (定期报告义务).
    async fn reporting_duties(&self) -> &[StatedReportingDuty] {
        &self.reporting_duties
    }
    /// Duties without a cadence (一次性或随事件的义务).
    async fn one_off_duties(&self) -> &[OneOffDuty] {
        &self.one_off_duties
    }
    /// The plan that took its place.
    async fn superseded_by(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        match self.superseded_by_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// Its task breakdown table (任务分解表), as documents print it; also as CSV and XLSX at `/plans/CODE/tasks.csv` and
    /// `…/tasks.xlsx`. Cancelled tasks do not stand in it. A plan of more than 20,000 tasks has none.
    async fn task_table(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 100, desc = "At most so many rows, 1 to 500.")] first: i32,
        #[graphql(default, desc = "Rows behind the first so many.")] skip: i32,
    ) -> Result<TaskTable> {
        TaskTable::of(ctx, self, first, skip).boxed().await
    }
    /// Its tasks as a tree, each as it was at the end of a day, with the units that answered for it then (任务树). A plan of
    /// more than 20,000 tasks has none.
    async fn task_tree(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today when left out.")] on: Option<Date>,
        #[graphql(default = 50, desc = "At most so many rows, 1 to 100.")] first: i32,
        #[graphql(default, desc = "Rows behind the first so many.")] skip: i32,
    ) -> Result<TaskTree> {
        TaskTree::of(ctx, self, on, first, skip).boxed().await
    }
    /// How the plan is doing today.
    async fn cockpit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Wait until everything up to this position is in; the end of the log when left out.")]
        at_least: Option<Position>,
    ) -> Result<Cockpit> {
        Cockpit::of(ctx, self, at_least).boxed().await
    }
    /// Its tasks, by number unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<TaskWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<TaskOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<TaskConnection> {
        let own = Condition::all().has("plan_id", Some(self.life.id));
        task::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Its indicators, by code unless ordered otherwise.
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
        let own = Condition::all().has("plan_id", Some(self.life.id));
        indicator::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Local plans that it demands of units, by due date unless ordered otherwise (各单位具体方案). For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn local_plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<LocalPlanWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<LocalPlanOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<LocalPlanConnection> {
        let own = Condition::all().has("plan_id", Some(self.life.id));
        local_plan::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Surveys that serve it, by period unless ordered otherwise (满意度调查).
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
        let own = Condition::all().has("plan_id", Some(self.life.id));
        survey::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Leading groups that were established for it, by region unless ordered otherwise (领导小组).
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn leading_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<LeadingGroupWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<LeadingGroupOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<LeadingGroupConnection> {
        let own = Condition::all().has("plan_id", Some(self.life.id));
        leading_group::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

connection!(Plan, PlanConnection, PlanEdge, "plans");

/// Which plans; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PlanWhere {
    /// Where they stand.
    pub status: Option<Vec<PlanStatus>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// The exact code.
    pub code: Option<String>,
    /// The exact document number.
    pub document_number: Option<String>,
    /// Issued in this range.
    pub issued: Option<DateRange>,
    /// Part of the title, the document number or the issuer, at most 100 characters.
    pub text: Option<String>,
}

/// What plans are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum PlanOrderField {
    /// By time of drafting here.
    Created,
    /// By code.
    Code,
    /// By date of issue.
    IssuedOn,
    /// By end of the planning period.
    PeriodEnd,
}

/// An order of plans.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct PlanOrder {
    /// By what.
    pub field: PlanOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<PlanOrder>) -> By {
    let order = order.unwrap_or(PlanOrder { field: PlanOrderField::IssuedOn, direction: OrderDirection::Asc });
    match order.field {
        PlanOrderField::Created => By::column("id", Holds::Key),
        PlanOrderField::Code => By::column("code", Holds::Text),
        PlanOrderField::IssuedOn => By::nullable("issued_on", Holds::Date),
        PlanOrderField::PeriodEnd => By::column("period_end", Holds::Date),
    }
    .directed(order.direction)
}

/// Questions about plans.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "PlanQueries")]
impl Queries {
    /// The plan with this id.
    async fn plan(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<Domain>) -> Result<Option<Found<Plan>>> {
        ctx.load(id).await
    }

    /// Plans, by date of issue unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<PlanWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<PlanOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<PlanConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .one_of("status", wanted.status)?
            .in_region(wanted.region)
            .has("code", wanted.code)
            .has("document_number", wanted.document_number)
            .in_range("issued_on", wanted.issued)
            .containing(&["title", "document_number", "issuer"], wanted.text.as_ref())?;
        Ok(PlanConnection(page(ctx, filter, order(order_by), Paging { first, after, last, before }).await?))
    }
}

mutations! {
    Plan, PlanPayload { plan } "PlanMutations":
    /// Drafts a plan (起草方案).
    draft_plan(DraftPlan);
    /// Amends what a plan says of itself (修订方案).
    amend_plan(AmendPlan);
    /// Records the duties to report that a plan states (登记报告义务).
    record_plan_duties(RecordPlanDuties);
    /// Issues a plan (印发方案).
    issue_plan(IssuePlan);
    /// Brings a plan into force (方案施行).
    bring_plan_into_force(BringPlanIntoForce);
    /// Enters a dated phase (进入阶段).
    enter_plan_phase(EnterPlanPhase);
    /// Concludes a plan (总结方案).
    conclude_plan(ConcludePlan);
    /// Marks a plan as superseded by another (方案被替代).
    supersede_plan(SupersedePlan);
    /// Repeals a plan (废止方案).
    repeal_plan(RepealPlan);
}
