//! Local plans, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Rejection, Viewer,
    id::Key,
    organisation::unit,
    programme::{
        local_plan::{
            AcceptLocalPlan, DemandLocalPlan, FileLocalPlan, LocalPlan as Domain, LocalPlanEvent as Event,
            LocalPlanStatus, ReturnLocalPlan, WaiveLocalPlan,
        },
        plan,
        task::Evidence,
    },
    text,
    time::DueClock,
};
use zhixing_event_store::{Error, Link};

use super::{
    command::{answered, mutations, together},
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    error::UserError,
    event::Position,
    found::Found,
    plan::Plan,
    region::Region,
    reporting_duty::ADDRESSEE,
    time::Deadline,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, nothing, view, visible},
};

view! {
    /// How one unit will carry out a plan, which it must file with another (具体方案).
    pub struct LocalPlan of Domain, in "local_plans" under "plan_id" {
        /// Where it stands.
        status: LocalPlanStatus,
        /// The region of its plan.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        #[graphql(skip)]
        filing_unit_id: Key<unit::Unit>,
        #[graphql(skip)]
        addressee_id: Key<unit::Unit>,
        /// What is demanded.
        what: String,
        /// When it is due, when that is said.
        due_on: Option<Date>,
        /// When it was filed for the first time: that decides whether it was in time.
        first_filed_on: Option<Date>,
        /// When it was last filed.
        filed_on: Option<Date>,
        /// How often it was filed.
        filings: i32,
        /// Its title, as it was filed.
        title: Option<String>,
        /// Its document number (文号), when it has one.
        document_number: Option<String>,
        /// When it was issued.
        issued_on: Option<Date>,
        /// What it says.
        summary: Option<String>,
        #[graphql(skip)]
        evidence: Json<Vec<Evidence>>,
        /// What was said when it was accepted.
        note: Option<String>,
        /// Why it was returned; null once it was filed again.
        returned_reason: Option<String>,
        /// Why it is no longer owed.
        waived_reason: Option<String>,
        #[graphql(skip)]
        due_set_at: Option<DateTime<Utc>>,
        #[graphql(skip)]
        due_soon_pending: Option<Date>,
        #[graphql(skip)]
        overdue_pending: Option<Date>,
    }
}

/// As what a local plan names the unit that files it.
pub const FILER: &str = "filer";

impl LocalPlan {
    /// Whether it was never filed and is still owed.
    pub fn is_owed(&self) -> bool {
        self.status == LocalPlanStatus::Due
    }
    fn announce_nothing(&mut self) {
        self.due_soon_pending = None;
        self.overdue_pending = None;
    }
}

impl Fold for LocalPlan {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Demanded { plan_id, region_code, filing_unit_id, addressee_id, what, due_on } = event
        else {
            return None;
        };
        let mut clock = DueClock::default();
        clock.set(*due_on, life.updated_at);
        Some(Self {
            life,
            status: LocalPlanStatus::Due,
            region_code: *region_code,
            plan_id: Key(*plan_id),
            filing_unit_id: Key(*filing_unit_id),
            addressee_id: Key(*addressee_id),
            what: what.clone(),
            due_on: *due_on,
            first_filed_on: None,
            filed_on: None,
            filings: 0,
            title: None,
            document_number: None,
            issued_on: None,
            summary: None,
            evidence: Json(Vec::new()),
            note: None,
            returned_reason: None,
            waived_reason: None,
            due_set_at: clock.set_at(),
            due_soon_pending: clock.due_soon_pending(),
            overdue_pending: clock.overdue_pending(),
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Filed { title, document_number, issued_on, summary, evidence } => {
                let today = Date::of(self.life.updated_at);
                self.first_filed_on = self.first_filed_on.or(Some(today));
                self.filed_on = Some(today);
                self.filings += 1;
                self.title = Some(title.clone());
                self.document_number.clone_from(document_number);
                self.issued_on = *issued_on;
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
            Event::DueSoon(_) => self.due_soon_pending = None,
            Event::BecameOverdue { .. } => self.overdue_pending = None,
            Event::Demanded { .. } => {}
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        let link = |relation, id: Key<unit::Unit>| Link { relation, target_id: id.0.uuid() };
        vec![link(FILER, self.filing_unit_id), link(ADDRESSEE, self.addressee_id)]
    }
}

impl Visible for LocalPlan {
    const RELATIONS: &'static [&'static str] = &["plan", "filingUnit", "addressee"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "filingUnit" => wanted.units.push(self.filing_unit_id.0.uuid()),
            "addressee" => wanted.units.push(self.addressee_id.0.uuid()),
            _ => {}
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::LocalPlan, nothing(), named(viewer, "id", &[FILER, ADDRESSEE]))
    }
}

#[ComplexObject]
impl LocalPlan {
    /// The plan that demands it.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The unit that files it (报备单位).
    async fn filing_unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.filing_unit_id.0).await
    }
    /// The unit that it is filed with (报备对象).
    async fn addressee(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.addressee_id.0).await
    }
    /// The region of its plan.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The document itself and what belongs to it.
    async fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
    /// Whether it was filed for the first time no later than the due date; null before it was filed, and when no date is
    /// said.
    async fn is_timely(&self) -> Option<bool> {
        Some(self.first_filed_on? <= self.due_on?)
    }
    /// Whether it is owed although the due date has passed. Derived today; nothing stale is stored.
    async fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        self.is_owed() && self.due_on.is_some_and(|due| Date::of(ctx.store().clock().now()) > due)
    }
    /// When it is due, and how that was counted (期限); null when no date is said.
    async fn deadline(&self) -> Option<Deadline> {
        self.due_on.map(|due| Deadline::of_plan(due, self.is_owed()))
    }
}

connection!(LocalPlan, LocalPlanConnection, LocalPlanEdge, "local plans");

/// Which local plans; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct LocalPlanWhere {
    /// Demanded by this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Where they stand.
    pub status: Option<Vec<LocalPlanStatus>>,
    /// Of this unit.
    pub filing_unit: Option<Id<unit::Unit>>,
    /// With this unit.
    pub addressee: Option<Id<unit::Unit>>,
    /// Of plans of this region and all inside it.
    pub region: Option<RegionCode>,
    /// Due in this range.
    pub due: Option<DateRange>,
    /// Only owed ones whose due date has passed (true), or only others (false).
    pub is_overdue: Option<bool>,
    /// Part of what is demanded, the title or the document number, at most 100 characters.
    pub text: Option<String>,
}

/// What local plans are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum LocalPlanOrderField {
    /// By the time they were demanded.
    Created,
    /// By due date.
    DueOn,
}

/// An order of local plans.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct LocalPlanOrder {
    /// By what.
    pub field: LocalPlanOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<LocalPlanOrder>) -> By {
    let by_due = LocalPlanOrder { field: LocalPlanOrderField::DueOn, direction: OrderDirection::Asc };
    let order = order.unwrap_or(by_due);
    match order.field {
        LocalPlanOrderField::Created => By::column("id", Holds::Key),
        LocalPlanOrderField::DueOn => By::nullable("due_on", Holds::Date),
    }
    .directed(order.direction)
}

/// A page of the local plans that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<LocalPlanWhere>,
    order_by: Option<LocalPlanOrder>,
    paging: Paging,
) -> Result<LocalPlanConnection> {
    let wanted = wanted.unwrap_or_default();
    let today = Date::of(ctx.store().clock().now());
    let overdue = || {
        let owed = Condition::all().add(Expr::col("status").eq(LocalPlanStatus::Due));
        owed.add(Expr::col("due_on").is_not_null()).add(Expr::col("due_on").lt(Expr::value(today)))
    };
    let filter = own
        .has("plan_id", wanted.plan)
        .one_of("status", wanted.status)?
        .has("filing_unit_id", wanted.filing_unit)
        .has("addressee_id", wanted.addressee)
        .in_region(wanted.region)
        .in_range("due_on", wanted.due)
        .add_option(wanted.is_overdue.map(|yes| if yes { overdue() } else { overdue().not() }))
        .containing(&["what", "title", "document_number"], wanted.text.as_ref())?;
    Ok(LocalPlanConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// Questions about local plans.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "LocalPlanQueries")]
impl Queries {
    /// The local plan with this id. For officials.
    async fn local_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<LocalPlan>>> {
        ctx.load(id).await
    }

    /// Local plans that all plans demand, by due date unless ordered otherwise. For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn local_plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<LocalPlanWhere>,
        #[graphql(desc = "In which order.")] order_by: Option<LocalPlanOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<LocalPlanConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    LocalPlan, LocalPlanPayload { local_plan } "LocalPlanMutations":
    /// Demands a local plan of a unit (要求报备具体方案).
    demand_local_plan(DemandLocalPlan);
    /// Files a local plan, for the first time or again after it was returned (报备具体方案).
    file_local_plan(FileLocalPlan);
    /// Returns a local plan for more work (退回具体方案).
    return_local_plan(ReturnLocalPlan);
    /// Accepts a local plan: somebody of the addressee, or of the leading group's office (接收具体方案).
    accept_local_plan(AcceptLocalPlan);
    /// Waives a local plan: it is no longer owed (免报具体方案).
    waive_local_plan(WaiveLocalPlan);
}

/// Demands the same local plan of many units (要求各单位报备具体方案).
#[derive(Clone, Debug, InputObject)]
pub struct DemandLocalPlans {
    /// The plan that demands them.
    pub plan_id: Id<plan::Plan>,
    /// The units that file one each, 1 to 200.
    pub filing_unit_ids: Vec<Id<unit::Unit>>,
    /// The unit that they are filed with.
    pub addressee_id: Id<unit::Unit>,
    /// What is demanded, at most 100 characters, such as 本地区具体方案.
    pub what: String,
    /// When they are due, when that is said.
    pub due_on: Option<Date>,
}

/// What came of demanding local plans of many units.
#[derive(Debug, Default, SimpleObject)]
pub struct DemandLocalPlansPayload {
    /// One for each unit, in their order; empty when it was refused.
    pub local_plans: Vec<LocalPlan>,
    /// Position of the last event; null when it was refused.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

/// What is done to many local plans at once.
#[derive(Debug, Default)]
pub struct BulkMutations;

#[Object(name = "LocalPlanBulkMutations")]
impl BulkMutations {
    /// Demands the same local plan of many units together, at most 200: of all of them or of none (要求各单位报备具体方案).
    async fn demand_local_plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: DemandLocalPlans,
    ) -> Result<DemandLocalPlansPayload> {
        answered(ctx, demand_all(ctx, input).await)
    }
}
together!(DemandLocalPlansPayload);

async fn demand_all(ctx: &Context<'_>, input: DemandLocalPlans) -> Result<DemandLocalPlansPayload, Error> {
    let DemandLocalPlans { plan_id, filing_unit_ids: units, addressee_id, what, due_on } = input;
    if units.is_empty() {
        return Err(Rejection::invalid("filingUnitIds", "names no unit").into());
    }
    text::count("filingUnitIds", units.len())?;
    let mut work = ctx.store().begin(ctx.viewer(), None);
    let mut local_plans = Vec::with_capacity(units.len());
    for (at, filing_unit_id) in units.iter().copied().enumerate() {
        if units[..at].contains(&filing_unit_id) {
            return Err(Rejection::invalid(format!("filingUnitIds[{at}]"), "stands twice").into());
        }
        let id = Id::new(ctx.store().clock().new_id());
        let demand = DemandLocalPlan { plan_id, filing_unit_id, addressee_id, what: what.clone(), due_on };
        let row = work.run::<LocalPlan>(id, None, demand).await.map_err(|error| of_unit(error, at))?;
        local_plans.push(row);
    }
    let events = work.commit(None).await?;
    let position = events.last().map(|event| Position(event.position));
    Ok(DemandLocalPlansPayload { local_plans, position, errors: Vec::new() })
}

/// A refusal of one demand names the place of its unit in the list.
fn of_unit(error: Error, at: usize) -> Error {
    let place = |field: String| {
        if field == "filingUnitId" { format!("filingUnitIds[{at}]") } else { field }
    };
    match error {
        Error::Rejected(Rejection::Invalid { field, reason }) => Rejection::invalid(place(field), reason).into(),
        Error::Rejected(Rejection::NotFound { kind, field }) => {
            Rejection::NotFound { kind, field: place(field) }.into()
        }
        other => other,
    }
}
