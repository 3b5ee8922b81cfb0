//! Reports, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, Period, RegionCode, Viewer,
    id::Key,
    organisation::unit,
    performance::{
        report::{
            AcceptReport, LockReport, Report as Domain, ReportEvent as Event, ReportStatus, ReturnReport,
            SubmitReport, UnlockReport, WaiveReport,
        },
        reporting_duty::{self as duty, ReportSubject},
    },
    programme::{plan, task::Evidence},
    time::DueClock,
};
use zhixing_event_store::Link;

use super::{
    command::mutations,
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::Found,
    plan::Plan,
    region::Region,
    report_draft::ReportDraft,
    reporting_duty::{ADDRESSEE, REPORTER, ReportingDuty},
    supervision_item::{self, SupervisionItemConnection, SupervisionItemOrder, SupervisionItemWhere},
    time::Deadline,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, nothing, view, visible},
};

view! {
    /// What one unit owes to one addressee for one period of a reporting duty (报告).
    pub struct Report of Domain, in "reports" under "duty_id" {
        /// Where it stands.
        status: ReportStatus,
        /// The region of the unit that reports.
        region_code: RegionCode,
        #[graphql(skip)]
        duty_id: Key<duty::ReportingDuty>,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        #[graphql(skip)]
        reporter_id: Key<unit::Unit>,
        #[graphql(skip)]
        addressee_id: Key<unit::Unit>,
        /// What is reported.
        what: String,
        /// What sort of document it is.
        asks_for: ReportSubject,
        /// For which period.
        period: Period,
        /// When it is due.
        due_on: Date,
        /// When it was handed in for the first time: that decides whether it was in time.
        first_submitted_on: Option<Date>,
        /// When it was last handed in.
        submitted_on: Option<Date>,
        /// How often it was handed in.
        submissions: i32,
        /// What it says.
        summary: Option<String>,
        #[graphql(skip)]
        evidence: Json<Vec<Evidence>>,
        /// What was said when it was accepted.
        note: Option<String>,
        /// Why it was returned; null once it was handed in again.
        returned_reason: Option<String>,
        /// Why it is no longer owed.
        waived_reason: Option<String>,
        /// Whether its period is closed: nothing is handed in or given back.
        locked: bool,
        #[graphql(skip)]
        due_set_at: Option<DateTime<Utc>>,
        #[graphql(skip)]
        due_soon_pending: Option<Date>,
        #[graphql(skip)]
        overdue_pending: Option<Date>,
    }
}

impl Report {
    /// The unit that reports.
    pub fn reporter_id(&self) -> Id<unit::Unit> {
        self.reporter_id.0
    }
    /// The unit that it reports to.
    pub fn addressee_id(&self) -> Id<unit::Unit> {
        self.addressee_id.0
    }
    /// Whether it was never handed in and is still owed.
    pub fn is_owed(&self) -> bool {
        self.status == ReportStatus::Open
    }
    fn announce_nothing(&mut self) {
        self.due_soon_pending = None;
        self.overdue_pending = None;
    }
}

impl Fold for Report {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Opened {
            duty_id,
            plan_id,
            reporter_id,
            addressee_id,
            region_code,
            what,
            asks_for,
            period,
            due_on,
        } = event
        else {
            return None;
        };
        let mut clock = DueClock::default();
        clock.set(Some(*due_on), life.updated_at);
        Some(Self {
            life,
            status: ReportStatus::Open,
            region_code: *region_code,
            duty_id: Key(*duty_id),
            plan_id: Key(*plan_id),
            reporter_id: Key(*reporter_id),
            addressee_id: Key(*addressee_id),
            what: what.clone(),
            asks_for: *asks_for,
            period: *period,
            due_on: *due_on,
            first_submitted_on: None,
            submitted_on: None,
            submissions: 0,
            summary: None,
            evidence: Json(Vec::new()),
            note: None,
            returned_reason: None,
            waived_reason: None,
            locked: false,
            due_set_at: clock.set_at(),
            due_soon_pending: clock.due_soon_pending(),
            overdue_pending: clock.overdue_pending(),
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Submitted { summary, evidence } => {
                let today = Date::of(self.life.updated_at);
                self.first_submitted_on = self.first_submitted_on.or(Some(today));
                self.submitted_on = Some(today);
                self.submissions += 1;
                self.summary = Some(summary.clone());
                self.evidence = Json(evidence.clone());
                self.returned_reason = None;
                self.announce_nothing();
            }
            Event::Returned { reason } => self.returned_reason = Some(reason.clone()),
            Event::Accepted { note } => self.note.clone_from(note),
            Event::Waived { reason } => {
                self.waived_reason = Some(reason.clone());
                self.announce_nothing();
            }
            Event::Locked { .. } => self.locked = true,
            Event::Unlocked { .. } => self.locked = false,
            Event::DueSoon(_) => self.due_soon_pending = None,
            Event::BecameOverdue { .. } => self.overdue_pending = None,
            Event::Opened { .. } => {}
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.duty_id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        let link = |relation, id: Key<unit::Unit>| Link { relation, target_id: id.0.uuid() };
        vec![link(REPORTER, self.reporter_id), link(ADDRESSEE, self.addressee_id)]
    }
}

impl Visible for Report {
    const RELATIONS: &'static [&'static str] = &["plan", "reporter", "addressee"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "reporter" => wanted.units.push(self.reporter_id.0.uuid()),
            "addressee" => wanted.units.push(self.addressee_id.0.uuid()),
            _ => {}
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::Report, nothing(), named(viewer, "id", &[REPORTER, ADDRESSEE]))
    }
}

#[ComplexObject]
impl Report {
    /// The duty that it is owed by.
    async fn duty(&self, ctx: &Context<'_>) -> Result<Option<Found<ReportingDuty>>> {
        ctx.load(self.duty_id.0).await
    }
    /// The plan of the duty.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The unit that reports (报送单位).
    async fn reporter(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.reporter_id.0).await
    }
    /// The unit that it reports to (报送对象).
    async fn addressee(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.addressee_id.0).await
    }
    /// The region of the unit that reports.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The year that it plans for, when it is a yearly work plan: the one after its period (年度工作计划所属年度).
    async fn planned_year(&self) -> Option<i32> {
        self.asks_for.planned_year(self.period)
    }
    /// The report itself and what shows it.
    async fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
    /// Whether it was handed in for the first time no later than the due date; null before it was handed in.
    async fn is_timely(&self) -> Option<bool> {
        self.first_submitted_on.map(|day| day <= self.due_on)
    }
    /// Whether it is owed although the due date has passed. Derived today; nothing stale is stored.
    async fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        self.is_owed() && Date::of(ctx.store().clock().now()) > self.due_on
    }
    /// When it is due, and how that was counted (期限).
    async fn deadline(&self) -> Deadline {
        Deadline::of_plan(self.due_on, self.is_owed())
    }
    /// What the unit's tasks in this plan have come to since its report before (报告草稿): a beginning for whoever writes
    /// the report. Nothing of it is kept.
    async fn draft(&self, ctx: &Context<'_>) -> Result<ReportDraft> {
        ReportDraft::of(ctx, self).boxed().await
    }
    /// Supervision items about this report, by the due date of the answer unless ordered otherwise (督办件). For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn supervision_items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<SupervisionItemWhere>,
        #[graphql(desc = "In which order.")] order_by: Option<SupervisionItemOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<SupervisionItemConnection> {
        let paging = Paging { first, after, last, before };
        supervision_item::about(ctx, self.life.id.0.uuid(), r#where, order_by, paging).boxed().await
    }
}

connection!(Report, ReportConnection, ReportEdge, "reports");

/// Which reports; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ReportWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Owed by this duty.
    pub duty: Option<Id<duty::ReportingDuty>>,
    /// What sort of document they are.
    pub asks_for: Option<Vec<ReportSubject>>,
    /// Where they stand.
    pub status: Option<Vec<ReportStatus>>,
    /// Of these periods.
    pub period: Option<Vec<Period>>,
    /// Of this unit.
    pub reporter: Option<Id<unit::Unit>>,
    /// To this unit.
    pub addressee: Option<Id<unit::Unit>>,
    /// Of units of this region and all inside it.
    pub region: Option<RegionCode>,
    /// Due in this range.
    pub due: Option<DateRange>,
    /// Only owed reports whose due date has passed (true), or only others (false).
    pub is_overdue: Option<bool>,
    /// Only locked ones (true), or only others (false).
    pub locked: Option<bool>,
}

/// What reports are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ReportOrderField {
    /// By the time they were opened.
    Created,
    /// By due date.
    DueOn,
}

/// An order of reports.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ReportOrder {
    /// By what.
    pub field: ReportOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<ReportOrder>) -> By {
    let order = order.unwrap_or(ReportOrder { field: ReportOrderField::DueOn, direction: OrderDirection::Asc });
    match order.field {
        ReportOrderField::Created => By::column("id", Holds::Key),
        ReportOrderField::DueOn => By::column("due_on", Holds::Date),
    }
    .directed(order.direction)
}

/// Which reports `wanted` admits.
///
/// # Errors
/// When an argument breaks its form.
pub fn admitted(ctx: &Context<'_>, own: Condition, wanted: ReportWhere) -> Result<Condition> {
    let today = Date::of(ctx.store().clock().now());
    let overdue = || {
        let owed = Condition::all().add(Expr::col("status").eq(ReportStatus::Open));
        owed.add(Expr::col("due_on").lt(Expr::value(today)))
    };
    Ok(own
        .has("plan_id", wanted.plan)
        .has("duty_id", wanted.duty)
        .one_of("asks_for", wanted.asks_for)?
        .one_of("status", wanted.status)?
        .one_of("period", wanted.period)?
        .has("reporter_id", wanted.reporter)
        .has("addressee_id", wanted.addressee)
        .in_region(wanted.region)
        .in_range("due_on", wanted.due)
        .add_option(wanted.is_overdue.map(|yes| if yes { overdue() } else { overdue().not() }))
        .has("locked", wanted.locked))
}

/// A page of the reports that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<ReportWhere>,
    order_by: Option<ReportOrder>,
    paging: Paging,
) -> Result<ReportConnection> {
    let filter = admitted(ctx, own, wanted.unwrap_or_default())?;
    Ok(ReportConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// Questions about reports.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ReportQueries")]
impl Queries {
    /// The report with this id. For officials.
    async fn report(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<Domain>) -> Result<Option<Found<Report>>> {
        ctx.load(id).await
    }

    /// Reports of all plans, by due date unless ordered otherwise. For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<ReportWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<ReportOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ReportConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    Report, ReportPayload { report } "ReportMutations":
    /// Hands in a report, for the first time or again after it was returned (报送).
    submit_report(SubmitReport);
    /// Returns a report for more work (退回).
    return_report(ReturnReport);
    /// Accepts a report: somebody of the addressee, or of the leading group's office (接收).
    accept_report(AcceptReport);
    /// Waives a report: it is no longer owed and counts in no rate (免报).
    waive_report(WaiveReport);
    /// Locks a report: its period is closed (锁定).
    lock_report(LockReport);
    /// Unlocks a report (解锁).
    unlock_report(UnlockReport);
}
