//! Changes of calendars and time limits, and the deadlines that each moved (期限变动清单).
use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait, Query};
use zhixing_domain::{
    Date, Kind, Viewer,
    id::GlobalId,
    policy,
    time::moved::{CalendarChange, TimeLimitChange},
};

use super::{
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    due_item::DueItem,
    error,
    node::{self, Node},
    view::{Visible, for_officials},
};
use zhixing_event_store::Row;

use crate::time_change::{Change, MovedDeadline};

impl Visible for Change {
    fn seen_by(viewer: &Viewer) -> Condition {
        for_officials(viewer)
    }
}
impl Visible for MovedDeadline {
    fn seen_by(viewer: &Viewer) -> Condition {
        // What is open and due lies somewhere and names units; of the rest only those are told who see everything.
        let due = Query::select()
            .column("id")
            .from(DueItem::TABLE.name)
            .cond_where(DueItem::visible_to(viewer))
            .to_owned();
        let whole = policy::sight(viewer, Kind::Report).is_whole();
        Condition::all().add_option((!whole).then(|| Expr::col("object_id").in_subquery(due)))
    }
}

/// That the service runs with other calendars or time limits than before (时间参考数据变更).
#[Object(name = "TimeReferenceChange")]
impl Change {
    /// Its number, from 1.
    async fn number(&self) -> i64 {
        self.number
    }
    /// When the service was first started with them.
    async fn changed_at(&self) -> DateTime<Utc> {
        self.changed_at
    }
    /// The calendars that differ, by year, at most 301.
    async fn calendars(&self) -> &[CalendarChange] {
        &self.calendars
    }
    /// The versions of time limits that differ, by code and first day of force, at most 4,000.
    async fn time_limits(&self) -> &[TimeLimitChange] {
        &self.limits
    }
    /// How many deadlines of open objects moved.
    async fn moved_count(&self) -> i64 {
        self.moved_deadlines
    }
    /// The deadlines that moved, at most 100,000: by kind, in the order in which the objects were made.
    async fn moved_deadlines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<MovedDeadlineConnection> {
        let own = Condition::all().has("change_id", Some(self.id));
        let by = By::column("place", Holds::Number);
        Ok(MovedDeadlineConnection(page(ctx, own, by, Paging { first, after, last, before }).await?))
    }
}

/// A day of an open object that is another one since calendars or time limits changed (变动的期限).
#[Object]
impl MovedDeadline {
    /// The object, as it is now.
    async fn object(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        node::load(ctx, GlobalId { kind: self.kind, uuid: self.object_id }).boxed().await
    }
    /// Id of the object.
    async fn object_id(&self) -> GlobalId {
        GlobalId { kind: self.kind, uuid: self.object_id }
    }
    /// Of what kind it is.
    async fn kind(&self) -> Kind {
        self.kind
    }
    /// What it was called then.
    async fn title(&self) -> &str {
        &self.title
    }
    /// Code of the time limit that the day is counted by, such as `TASK_ACCEPTANCE`. By one whose code ends with `_DUE_SOON`
    /// it is the day from which it is said that the object is due soon; by `SUPERVISION_ESCALATION` that on which it is
    /// escalated; by `SUPERVISION_AFTER_OVERDUE` that on which it is supervised, where that is switched on.
    async fn clock(&self) -> &str {
        &self.clock
    }
    /// The day as it was counted before; null when it could not be.
    async fn before(&self) -> Option<Date> {
        self.before_on
    }
    /// Why it could not be counted before.
    async fn problem_before(&self) -> Option<&str> {
        self.before_problem.as_deref()
    }
    /// The day as it is counted since; null when it cannot be.
    async fn after(&self) -> Option<Date> {
        self.after_on
    }
    /// Why it cannot be counted any more.
    async fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

connection!(
    Change,
    TimeReferenceChangeConnection,
    TimeReferenceChangeEdge,
    "changes of calendars and time limits"
);
connection!(MovedDeadline, MovedDeadlineConnection, MovedDeadlineEdge, "deadlines that moved");

/// Questions about changes of calendars and time limits.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "TimeChangeQueries")]
impl Queries {
    /// When the service began to run with other calendars or time limits, and which deadlines that moved; latest first. For
    /// officials.
    async fn time_reference_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<TimeReferenceChangeConnection> {
        if !ctx.viewer().is_official() {
            return Err(error::not_permitted("changes of time limits are shown to officials: sign in"));
        }
        // Number 0 is what the service first ran with, no change.
        let changes = Condition::all().add(Expr::col("number").gt(0));
        let by = By::column("number", Holds::Number).directed(OrderDirection::Desc);
        Ok(TimeReferenceChangeConnection(
            page(ctx, changes, by, Paging { first, after, last, before }).await?,
        ))
    }
}
