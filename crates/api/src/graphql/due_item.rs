//! What is due, over all kinds, as one list (到期与逾期清单), and what lies on a unit's desk (本单位工作台).
use async_graphql::{Context, Enum, InputObject, Object, Result};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use serde::Serialize;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Viewer,
    id::{GlobalId, Key},
    organisation::unit,
    performance::{report::ReportStatus, supervision_item::SupervisionStatus},
    programme::{local_plan::LocalPlanStatus, plan},
};
use zhixing_event_store::{Row, Table};

use super::{
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::Found,
    local_plan::{self, FILER, LocalPlanConnection},
    node::{self, Node},
    plan::Plan,
    region::Region,
    report::{self, ReportConnection},
    reporting_duty::{ADDRESSEE, REPORTER},
    supervision_item::{self, SUPERVISED, SupervisionItemConnection},
    task::{self, LEAD, SUPPORT, TaskConnection},
    view::{Visible, named, of_both},
};

/// Something open that has a due date.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns")]
pub struct DueItem {
    pub id: Uuid,
    pub kind: Kind,
    pub region_code: RegionCode,
    pub plan_id: Option<Key<plan::Plan>>,
    pub title: String,
    pub due_on: Date,
}

impl Row for DueItem {
    const TABLE: &'static Table =
        &Table { name: "due_items", columns: &["id", "kind", "region_code", "plan_id", "title", "due_on"] };
    fn key(&self) -> Uuid {
        self.id
    }
}

impl Visible for DueItem {
    fn seen_by(viewer: &Viewer) -> Condition {
        of_both(viewer, "kind", || named(viewer, "id", DOERS))
    }
}

fn today(ctx: &Context<'_>) -> Date {
    Date::of(ctx.store().clock().now())
}

/// Something open that has a due date (待办事项).
#[Object]
impl DueItem {
    /// The object's id.
    async fn id(&self) -> GlobalId {
        GlobalId { kind: self.kind, uuid: self.id }
    }
    /// Of what kind it is.
    async fn kind(&self) -> Kind {
        self.kind
    }
    /// The object itself.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        node::load(ctx, GlobalId { kind: self.kind, uuid: self.id }).boxed().await
    }
    /// What it is called.
    async fn title(&self) -> &str {
        &self.title
    }
    /// When it is due.
    async fn due_on(&self) -> Date {
        self.due_on
    }
    /// Calendar days since the due date; 0 on that day and before.
    async fn days_overdue(&self, ctx: &Context<'_>) -> i64 {
        Ord::max(today(ctx).days_since(self.due_on), 0)
    }
    /// The region it concerns.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The plan it belongs to; null for what belongs to none.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        match self.plan_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
}

connection!(DueItem, DueItemConnection, DueItemEdge, "what is due");

/// Which items; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DueItemWhere {
    /// Of these kinds.
    pub kind: Option<Vec<Kind>>,
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// Which this unit has to do: tasks that it leads or supports, reports and local plans that it owes, supervision
    /// items that it answers.
    pub unit: Option<Id<unit::Unit>>,
    /// Due in this range.
    pub due: Option<DateRange>,
    /// Only those whose due date has passed (true), or only others (false).
    pub is_overdue: Option<bool>,
}

impl DueItemWhere {
    /// The condition, as of this day.
    ///
    /// # Errors
    /// When a list is too long.
    pub fn filter(self, today: Date) -> Result<Condition> {
        let overdue = Expr::col("due_on").lt(Expr::value(today));
        let overdue = self.is_overdue.map(|yes| if yes { overdue } else { overdue.not() });
        Ok(Condition::all()
            .one_of("kind", self.kind)?
            .has("plan_id", self.plan)
            .in_region(self.region)
            .names(self.unit.map(Id::uuid), DOERS)
            .in_range("due_on", self.due)
            .add_option(overdue))
    }
}

/// As what those who have something to do are named.
pub const DOERS: &[&str] = &[LEAD, SUPPORT, REPORTER, FILER, SUPERVISED];

async fn list(
    ctx: &Context<'_>,
    wanted: DueItemWhere,
    direction: OrderDirection,
    paging: Paging,
) -> Result<DueItemConnection> {
    let filter = wanted.filter(today(ctx))?;
    let by = By::column("due_on", Holds::Date).directed(direction);
    Ok(DueItemConnection(page(ctx, filter, by, paging).await?))
}

/// What a part of a desk shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DeskTasks {
    /// Tasks that the unit leads (牵头).
    Led,
    /// Tasks that it supports (配合).
    Supported,
}

/// What lies on a unit's desk today (本单位工作台).
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    unit: Id<unit::Unit>,
}

impl Desk {
    /// The desk of this unit.
    pub fn of(unit: Id<unit::Unit>) -> Self {
        Self { unit }
    }
}

/// What lies on a unit's desk today (本单位工作台). For officials.
#[Object]
impl Desk {
    /// Open tasks that the unit leads or supports, those due first at the top.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Led or supported.")] part: DeskTasks,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<TaskConnection> {
        let relation = match part {
            DeskTasks::Led => LEAD,
            DeskTasks::Supported => SUPPORT,
        };
        let own = Condition::all()
            .names(Some(self.unit.uuid()), &[relation])
            .add(Expr::col("status").is_not_in(Kind::Task.lifecycle().finals));
        let by_due = task::TaskOrder { field: task::TaskOrderField::DueOn, direction: OrderDirection::Asc };
        task::list(ctx, own, None, Some(by_due), Paging { first, after, last, before }).boxed().await
    }
    /// Reports that the unit owes, or has to mend, and that are due within so many days.
    async fn reports_due(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 30, desc = "Calendar days from today on; what is overdue is always there.")] days: i32,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ReportConnection> {
        let own = Condition::all()
            .names(Some(self.unit.uuid()), &[REPORTER])
            .add(Expr::col("status").is_in([ReportStatus::Open, ReportStatus::Returned]))
            .add(Expr::col("due_on").lte(Expr::value(today(ctx).plus(days))));
        report::list(ctx, own, None, None, Paging { first, after, last, before }).boxed().await
    }
    /// Reports that were handed to the unit and wait to be accepted or returned.
    async fn reports_to_check(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ReportConnection> {
        let own = Condition::all()
            .names(Some(self.unit.uuid()), &[ADDRESSEE])
            .add(Expr::col("status").eq(ReportStatus::Submitted));
        report::list(ctx, own, None, None, Paging { first, after, last, before }).boxed().await
    }
    /// Supervision items that the unit was notified of and owes an answer to, those due first at the top (待答复督办件).
    async fn supervision_to_answer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<SupervisionItemConnection> {
        let own = Condition::all()
            .names(Some(self.unit.uuid()), &[SUPERVISED])
            .add(Expr::col("status").is_in(SupervisionStatus::ASKED.iter().copied()));
        supervision_item::list(ctx, own, None, None, Paging { first, after, last, before }).boxed().await
    }
    /// Local plans that the unit has to file, or to mend, and that are due within so many days or on no day that is said.
    async fn local_plans_due(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 30, desc = "Calendar days from today on; what is overdue is always there.")] days: i32,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<LocalPlanConnection> {
        let due = Expr::col("due_on").lte(Expr::value(today(ctx).plus(days)));
        let own = Condition::all()
            .names(Some(self.unit.uuid()), &[FILER])
            .add(Expr::col("status").is_in([LocalPlanStatus::Due, LocalPlanStatus::Returned]))
            .add(Condition::any().add(due).add(Expr::col("due_on").is_null()));
        local_plan::list(ctx, own, None, None, Paging { first, after, last, before }).boxed().await
    }
    /// Everything that the unit has to do and that is overdue, longest first.
    async fn overdue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<DueItemConnection> {
        let wanted =
            DueItemWhere { unit: Some(self.unit), is_overdue: Some(true), ..DueItemWhere::default() };
        list(ctx, wanted, OrderDirection::Asc, Paging { first, after, last, before }).boxed().await
    }
}

/// Questions about what is due.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "DueItemQueries")]
impl Queries {
    /// Everything open that has a due date, over all kinds, earliest first. For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn due_items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<DueItemWhere>,
        #[graphql(default_with = "OrderDirection::Asc", desc = "Earliest or latest due date first.")]
        direction: OrderDirection,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<DueItemConnection> {
        let paging = Paging { first, after, last, before };
        list(ctx, r#where.unwrap_or_default(), direction, paging).boxed().await
    }
}
