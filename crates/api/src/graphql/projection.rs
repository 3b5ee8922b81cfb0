//! Projections, as the API shows them: how far they have come, and the timeline.
use std::time::Duration;

use async_graphql::{
    ComplexObject, Context, Enum, ErrorExtensions, InputObject, Object, Result, SimpleObject,
};
use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait, Query};
use zhixing_domain::{Kind, RegionCode, Role, Viewer, id::GlobalId};
use zhixing_event_store::{Projector, projector};

use super::{
    connection::{By, Holds, Narrow, OrderDirection, PageInfo, Paging, page},
    context::Ask,
    error,
    event::Position,
    node::{self, Node},
    task::{LEAD, SUPPORT},
    view::{Visible, named, of_both},
};
use crate::projections::timeline::{self, Entry};

/// How a build of a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProjectionState {
    /// It serves.
    Active,
    /// It is being built beside the one that serves.
    Warming,
}

/// A read model that is folded from the log beside the commands (投影).
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Projection {
    /// Its name.
    pub name: String,
    /// Which build of it, from 1.
    pub generation: i32,
    /// Version of its form.
    pub version: i32,
    /// Whether it serves.
    pub state: ProjectionState,
    /// Everything up to here is in it.
    pub position: Position,
    /// How many events it is behind the log.
    pub lag: i64,
    /// When it last moved; null before it ever did.
    pub progressed_at: Option<DateTime<Utc>>,
    /// How many events it could not take.
    pub parked_count: i64,
    /// What last went wrong; null once it goes on.
    pub last_error: Option<String>,
}

/// An event that a projection could not take (搁置事件).
#[derive(Clone, Debug, SimpleObject)]
pub struct ParkedEvent {
    /// Where it stands in the log.
    pub position: Position,
    /// Why it was not taken.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
}

const MOST_PARKED: u32 = 100;

#[ComplexObject]
impl Projection {
    /// The first hundred events that the serving build could not take.
    async fn parked(&self, ctx: &Context<'_>) -> Result<Vec<ParkedEvent>> {
        let parked = projector_of(ctx)?.parked(&self.name, MOST_PARKED).await.map_err(error::fault)?;
        let shown = |parked: projector::Parked| ParkedEvent {
            position: Position(parked.position),
            error: parked.error,
            attempts: parked.attempts,
        };
        Ok(parked.into_iter().map(shown).collect())
    }
}

fn projector_of<'c>(ctx: &'c Context<'_>) -> Result<&'c Projector> {
    ctx.data::<Projector>()
}

/// How long a reader waits for a projection to reach a position.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until `name` holds everything up to `at_least`, or up to the end of the log as it is now.
///
/// # Errors
/// `PROJECTION_LAGGING` with the position reached, or when the database fails.
pub async fn reach(ctx: &Context<'_>, name: &str, at_least: Option<Position>) -> Result<Position> {
    let wanted = at_least.map_or_else(|| ctx.store().head(), |position| position.0);
    if wanted > ctx.store().head() {
        return Err(error::invalid("atLeast", "lies behind the end of the log"));
    }
    let reached = projector_of(ctx)?.wait(name, wanted, PATIENCE).await.map_err(error::fault)?;
    if reached >= wanted {
        return Ok(Position(reached));
    }
    let message =
        format!("{name} has come to position {reached}, not yet to {wanted}: ask again, or for less");
    Err(async_graphql::Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", "PROJECTION_LAGGING");
        extensions.set("position", reached);
        extensions.set("atLeast", wanted);
    }))
}

impl Visible for Entry {
    fn seen_by(viewer: &Viewer) -> Condition {
        let links = || {
            let units = viewer.units.iter().map(|unit| unit.uuid());
            let links = Query::select()
                .column("source_id")
                .from("links")
                .and_where(Expr::col("target_id").is_in(units.clone()))
                .to_owned();
            // Surveys and indicators have no links of their own: the one says its unit, the other its task.
            let surveys = Query::select()
                .column("id")
                .from("surveys")
                .and_where(Expr::col("unit_id").is_in(units))
                .to_owned();
            let own = Condition::any()
                .add(Expr::col("subject_id").in_subquery(links))
                .add(Expr::col("subject_id").in_subquery(surveys));
            let indicators = named(viewer, "task_id", &[LEAD, SUPPORT]).map(|of_tasks| {
                let of_tasks =
                    Query::select().column("id").from("indicators").cond_where(of_tasks).to_owned();
                Expr::col("subject_id").in_subquery(of_tasks)
            });
            Some(Condition::all().add(own.add_option(indicators)))
        };
        // Grants and keys have their own readers.
        let kept = Expr::col("kind").is_not_in([Kind::RoleGrant, Kind::ServiceKey, Kind::EventSubscription]);
        Condition::all().add(of_both(viewer, "kind", links)).add(kept)
    }
}

/// Something that happened, as the timeline tells it (动态).
#[derive(Clone, Debug)]
pub struct TimelineEntry(pub Entry);

/// Something that happened, as the timeline tells it (动态).
#[Object]
impl TimelineEntry {
    /// Its place in the log.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }
    /// What it is called, such as `TaskAccepted`.
    async fn r#type(&self) -> &str {
        &self.0.event_type
    }
    /// Of what kind its subject is.
    async fn kind(&self) -> Kind {
        self.0.kind
    }
    /// Id of its subject.
    async fn subject_id(&self) -> GlobalId {
        GlobalId { kind: self.0.kind, uuid: self.0.subject_id }
    }
    /// Its subject, as it is now.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        node::load(ctx, GlobalId { kind: self.0.kind, uuid: self.0.subject_id }).await
    }
    /// Where its subject stood before.
    async fn status_from(&self) -> Option<&str> {
        self.0.status_from.as_deref()
    }
    /// Where its subject stands after.
    async fn status_to(&self) -> Option<&str> {
        self.0.status_to.as_deref()
    }
    /// Who caused it.
    async fn actor(&self) -> &str {
        &self.0.actor
    }
    /// The region its subject lies in.
    async fn region_code(&self) -> Option<RegionCode> {
        self.0.region_code
    }
    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime<Utc> {
        self.0.recorded_at
    }
}

/// A page of the timeline.
#[derive(Clone, Debug, SimpleObject)]
pub struct TimelineConnection {
    /// The entries with their cursors.
    pub edges: Vec<TimelineEdge>,
    /// The entries.
    pub nodes: Vec<TimelineEntry>,
    /// Where the page lies.
    pub page_info: PageInfo,
    /// How many entries there are on all pages.
    pub total_count: i64,
    /// Everything up to here is in it.
    pub position: Position,
}

/// An entry of the timeline, with its cursor.
#[derive(Clone, Debug, SimpleObject)]
pub struct TimelineEdge {
    /// Its place.
    pub cursor: String,
    /// The entry.
    pub node: TimelineEntry,
}

/// Which entries; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct TimelineWhere {
    /// Kinds of subjects.
    pub kind: Option<Vec<Kind>>,
    /// Types of events, such as `TaskAccepted`.
    pub r#type: Option<Vec<String>>,
    /// One subject.
    pub subject: Option<GlobalId>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// Part of what people wrote, at most 100 characters.
    pub text: Option<String>,
}

/// Questions about projections.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ProjectionQueries")]
impl Queries {
    /// How far every read model beside the views has come. For officials.
    async fn projections(&self, ctx: &Context<'_>) -> Result<Vec<Projection>> {
        if !ctx.viewer().is_official() {
            return Err(error::not_permitted("projections are shown to officials: sign in"));
        }
        let head = ctx.store().head();
        let builds = projector_of(ctx)?.progress().await.map_err(error::fault)?;
        let shown = |build: projector::Progress| Projection {
            name: build.name,
            generation: build.generation,
            version: build.version,
            state: if build.state == "ACTIVE" { ProjectionState::Active } else { ProjectionState::Warming },
            position: Position(build.position),
            lag: Ord::max(head - build.position, 0),
            progressed_at: DateTime::from_timestamp_micros(build.progressed_at)
                .filter(|_| build.position > 0),
            parked_count: build.parked,
            last_error: build.last_error,
        };
        Ok(builds.into_iter().map(shown).collect())
    }

    /// What happened, over all objects, latest first. For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<TimelineWhere>,
        #[graphql(
            desc = "Wait until everything up to this position is in; the end of the log when left out."
        )]
        at_least: Option<Position>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<TimelineConnection> {
        let position = reach(ctx, timeline::NAME, at_least).await?;
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .one_of("kind", wanted.kind)?
            .one_of("event_type", wanted.r#type)?
            .has("subject_id", wanted.subject.map(|id| id.uuid))
            .in_region(wanted.region)
            .containing(&["words"], wanted.text.as_ref())?;
        let by = By::column("position", Holds::Number).directed(OrderDirection::Desc);
        let page = page::<Entry>(ctx, filter, by, Paging { first, after, last, before }).await?;
        let total_count =
            ctx.store().pool().count::<Entry>(page.filter.clone()).await.map_err(error::fault)?;
        let edges: Vec<TimelineEdge> = page
            .rows
            .into_iter()
            .map(|entry| {
                Ok(TimelineEdge { cursor: by.cursor(&*entry)?, node: TimelineEntry(entry.into_inner()) })
            })
            .collect::<Result<_>>()?;
        let nodes = edges.iter().map(|edge| edge.node.clone()).collect();
        Ok(TimelineConnection { edges, nodes, page_info: page.info, total_count, position })
    }
}

/// What can be done about projections. They hold nothing that the log does not, so this is no event.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "ProjectionMutations")]
impl Mutations {
    /// Tries the parked events of a projection again; how many remain. For administrators.
    async fn retry_parked_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this projection.")] name: String,
    ) -> Result<i64> {
        if !ctx.viewer().roles.contains(&Role::Administrator) {
            return Err(error::not_permitted("parked events are retried by administrators"));
        }
        projector_of(ctx)?.retry(&name).await.map_err(error::fault)
    }
}
