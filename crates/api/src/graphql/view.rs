//! `view!`: one struct is the row, the columns and the GraphQL object.
use async_graphql::{Context, Object, OutputType, TypeName};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use uuid::Uuid;
use zhixing_domain::{
    Aggregate, Kind, Viewer,
    id::Key,
    policy::{self, Seen},
};
use zhixing_event_store::{Error, Link, Meta, Row, Table, View, store::AsOf, view::WriteRow};

use super::{
    action::{Action, actions_of},
    connection::{Narrow, Paging},
    context::{Ask, Session},
    error,
    event::{EventConnection, history},
    plan::Plan,
};

/// An aggregate that is shown as a GraphQL object.
pub trait Shown: Aggregate {
    /// Its row and object.
    type View: View<Of = Self> + OutputType + Visible;
}

/// Which rows a viewer may see: a condition pushed into every query, never a filter afterwards.
pub trait Visible: Row {
    /// Fields that lead to other rows by [`Ask::load`]; see [`super::found`].
    const RELATIONS: &'static [&'static str] = &[];
    /// Adds the keys of the rows that one of [`Self::RELATIONS`] leads to.
    fn related(&self, _relation: &str, _wanted: &mut Wanted) {}
    /// The rows that name one of the viewer's units, which see them from inside.
    fn own(_viewer: &Viewer) -> Option<Condition> {
        None
    }
    /// The plan without which it is not public.
    fn published_with(&self) -> Option<Uuid> {
        None
    }
    /// What each view says for itself; asked through [`Self::visible_to`] only.
    fn seen_by(viewer: &Viewer) -> Condition;
    /// The condition, to which more can be added that must hold as well. (To add to a condition of alternatives adds an
    /// alternative.)
    fn visible_to(viewer: &Viewer) -> Condition {
        together(Self::seen_by(viewer))
    }
    /// The same rows for a question that looks at all of them: a count. A view whose condition is made for a page, which
    /// looks at few, says another one here.
    fn seen_of_all_by(viewer: &Viewer) -> Condition {
        Self::seen_by(viewer)
    }
    /// [`Self::visible_to`] for a count.
    fn counted_for(viewer: &Viewer) -> Condition {
        together(Self::seen_of_all_by(viewer))
    }
}

fn together(seen: Condition) -> Condition {
    if seen.is_empty() { seen } else { Condition::all().add(seen) }
}

/// From which place in the log on the viewer sees the life of an object, by [`policy::sight`]; `None` when they do not see
/// the object. What was public before its plan is public with the plan.
///
/// # Errors
/// When the database fails.
pub async fn since<V: View + Visible>(session: &Session, key: Uuid) -> Result<Option<i64>, Arc<Error>> {
    let (kind, viewer, rows) = (V::Of::KIND, &session.viewer, session.rows());
    let sight = policy::sight(viewer, kind);
    if sight.is_whole() {
        return Ok(Some(0));
    }
    let Some(row) = rows.load::<V>(vec![key]).await?.pop() else { return Ok(None) };
    if !sight.published {
        // Then nobody sees it but from inside.
        return Ok(Some(0));
    }
    let pool = rows.store().pool();
    let mut seen = Seen { region: row.fact().region, ..Seen::default() };
    if let Some(own) = V::own(viewer).filter(|_| !sight.units.is_empty()) {
        let own = Condition::all().add(own).add(Expr::col("id").eq(key));
        if pool.count::<V>(own).await? > 0 {
            seen.units.clone_from(&sight.units);
        }
    }
    if !sight.is_inside(&seen) {
        seen.published = pool.entered(key, &policy::public_states(kind)).await?;
        if let Some(plan) = row.published_with() {
            // Whoever sees the plan from inside, sees what belongs to it as far as it goes.
            let plan = Box::pin(since::<Plan>(session, plan)).await?;
            seen.published = seen.published.zip(plan).map(|(own, plan)| Ord::max(own, plan));
        }
    }
    Ok(sight.since(&seen))
}

/// What of an object's life a viewer sees who has the object in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// How many events are not told.
    pub untold: i64,
    /// The first version whose state is told: what it was when it became public.
    pub least: i64,
}

impl Told {
    /// What the viewer sees of the life of an object of this view.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of<V: View + Visible>(ctx: &Context<'_>, key: Uuid) -> async_graphql::Result<Self> {
        const WHOLE: Told = Told { untold: 0, least: 0 };
        let session = ctx.session();
        // What is never published came into this hand from inside.
        if !policy::sight(&session.viewer, V::Of::KIND).published {
            return Ok(WHOLE);
        }
        let pool = ctx.store().pool();
        let since = since::<V>(session, key).await.map_err(|fault| error::shared_fault(&fault))?;
        // Who may not see it any more, or not yet, is told nothing of its past.
        let since = since.unwrap_or(i64::MAX);
        if since == 0 {
            return Ok(WHOLE);
        }
        let untold = pool.count_before(key, since).await.map_err(error::fault)?;
        // Unless an event of its own made it public, what it was just before is what became public.
        let next = pool.read_stream(key, untold, 1).await.map_err(error::fault)?;
        let by_own = next.first().is_some_and(|event| event.position == since);
        Ok(Self { untold, least: if by_own { untold + 1 } else { untold } })
    }
}

/// Rows without a place that only those see who work for the government.
pub fn for_officials(viewer: &Viewer) -> Condition {
    if viewer.is_official() { Condition::all() } else { nothing() }
}

/// The rows of a kind that a viewer sees, by [`policy::sight`]: what is published, their region, and rows of `own`.
pub fn visible(viewer: &Viewer, kind: Kind, published: Condition, own: Option<Condition>) -> Condition {
    let sight = policy::sight(viewer, kind);
    if sight.is_whole() {
        return Condition::all();
    }
    let published = if sight.published { published } else { nothing() };
    Condition::any().add(published).add(inside(viewer, kind, own))
}

/// Rows in a state in which their kind is published, by [`policy::public_states`].
pub fn in_public(kind: Kind) -> Condition {
    Condition::all().add(Expr::col("status").is_in(policy::public_states(kind)))
}

/// The rows of a kind that a viewer sees although they are not published.
pub fn inside(viewer: &Viewer, kind: Kind, own: Option<Condition>) -> Condition {
    let sight = policy::sight(viewer, kind);
    if sight.is_whole() {
        return Condition::all();
    }
    let region = sight.region.map(|region| Condition::all().in_region(Some(region)));
    let own = own.filter(|_| !sight.units.is_empty());
    match (region, own) {
        (None, None) => nothing(),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(region), Some(own)) => Condition::any().add(region).add(own),
    }
}

/// The rows of a list over many kinds that a viewer sees: those that are open to officials in scope, and confidential ones.
pub fn of_both(viewer: &Viewer, kind: &'static str, own: impl Fn() -> Option<Condition>) -> Condition {
    let confidential = Kind::ViolationReport;
    let others =
        Condition::all().add(inside(viewer, Kind::Report, own())).add(Expr::col(kind).ne(confidential));
    let these =
        Condition::all().add(inside(viewer, confidential, own())).add(Expr::col(kind).eq(confidential));
    Condition::any().add(others).add(these)
}

/// No row at all.
pub fn nothing() -> Condition {
    Condition::all().add(Expr::val(1).eq(0))
}

/// Rows whose `column` is an object that names one of the viewer's units so.
pub fn named(viewer: &Viewer, column: &'static str, relations: &[&'static str]) -> Option<Condition> {
    let links = Query::select()
        .column("source_id")
        .from("links")
        .and_where(Expr::col("target_id").is_in(viewer.units.iter().map(|unit| unit.uuid())))
        .and_where(Expr::col("relation").is_in(relations.iter().copied()))
        .to_owned();
    let names = || Condition::all().add(Expr::col(column).in_subquery(links));
    (!viewer.units.is_empty()).then(names)
}

/// The same, looked up for each row by itself. Where most rows of a page are seen for another reason, a unit that is named
/// by very many costs such a page nothing; where this is the only reason, [`named`] leads to the rows.
pub fn names(viewer: &Viewer, column: &'static str, relations: &[&'static str]) -> Option<Condition> {
    let links = Query::select()
        .expr(Expr::val(1))
        .from("links")
        .and_where(Expr::col(("links", "source_id")).eq(Expr::col(column)))
        .and_where(Expr::col("target_id").is_in(viewer.units.iter().map(|unit| unit.uuid())))
        .and_where(Expr::col("relation").is_in(relations.iter().copied()))
        .to_owned();
    (!viewer.units.is_empty()).then(|| Condition::all().add(one_of(links)))
}

/// Whether there is such a row. With an offset PostgreSQL takes the question as it is put, and does not gather all rows
/// that could answer it before it looks at the first.
pub fn one_of(mut rows: SelectStatement) -> Expr {
    Expr::exists(rows.limit(1).offset(0).to_owned())
}

/// Keys of rows that a page leads to.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Units.
    pub units: Vec<Uuid>,
    /// Plans.
    pub plans: Vec<Uuid>,
    /// Tasks.
    pub tasks: Vec<Uuid>,
}

/// What every object has in common: its age, its history, what can be done with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Life<T: Aggregate> {
    /// The object's id.
    pub id: Key<T>,
    /// Number of events so far.
    pub version: i64,
    /// When the first event was recorded.
    pub created_at: DateTime<Utc>,
    /// When the last event was recorded.
    pub updated_at: DateTime<Utc>,
}

impl<T: Aggregate> PartialEq for Life<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.version, self.created_at, self.updated_at)
            == (other.id, other.version, other.created_at, other.updated_at)
    }
}

impl<T: Aggregate> TypeName for Life<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Life", T::KIND.name()).into()
    }
}

#[Object(name_type)]
impl<T: Shown> Life<T> {
    /// The object's id, unique over all kinds.
    async fn id(&self) -> Key<T> {
        self.id
    }
    /// Number of events in the object's life so far; pass it as `expectedVersion` to be told of rivals.
    async fn version(&self) -> i64 {
        self.version
    }
    /// When the first event was recorded.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
    /// When the last event was recorded.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
    /// The object as it was after `version` events, or at the instant `time`; null when it did not exist yet, or was not
    /// public yet and is seen only because it is.
    async fn as_of(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "After so many events.")] version: Option<i64>,
        #[graphql(desc = "At this instant.")] time: Option<DateTime<Utc>>,
    ) -> async_graphql::Result<Option<T::View>> {
        let until = match (version, time) {
            (Some(version), None) if version >= 0 => AsOf::Version(version),
            (Some(_), None) => return Err(error::invalid("version", "is less than 0")),
            (None, Some(time)) => AsOf::Time(time),
            _ => return Err(error::invalid("version", "give either version or time")),
        };
        let told = Told::of::<T::View>(ctx, self.id.0.uuid()).boxed().await?;
        let then = ctx.store().as_of::<T::View>(self.id.0, until).boxed().await.map_err(error::fault)?;
        Ok(then.filter(|row| row.version() >= told.least))
    }
    /// The events of the object's life, oldest first; since it became public, for those who see it only because it is.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many events, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Events behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many events, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Events before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<EventConnection> {
        let told = Told::of::<T::View>(ctx, self.id.0.uuid()).boxed().await?;
        let paging = Paging { first, after, last, before };
        history(ctx, self.id.0.uuid(), (told.untold, self.version), paging).boxed().await
    }
    /// Every action of this object's lifecycle and of what can be created under it: whether the viewer may take it now,
    /// and if not, why.
    async fn available_actions(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Action>> {
        actions_of::<T>(ctx, self.id.0).boxed().await
    }
}

/// Declares a view: the row's columns after the common ones, which are GraphQL fields unless skipped.
macro_rules! view {
    ($(#[$meta:meta])* pub struct $name:ident of $of:ty, in $table:literal $(under $parent:literal)? {
        $($(#[$fmeta:meta])* $field:ident: $ty:ty),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, async_graphql::SimpleObject)]
        #[graphql(complex)]
        #[expect(missing_docs, reason = "columns that are not shown are named by what they hold")]
        pub struct $name {
            #[graphql(flatten)]
            #[serde(flatten)]
            pub life: $crate::graphql::view::Life<$of>,
            $($(#[$fmeta])* pub $field: $ty),+
        }

        impl zhixing_event_store::Row for $name {
            const TABLE: &'static zhixing_event_store::Table = &zhixing_event_store::Table {
                name: $table,
                columns: &["id", "version", "created_at", "updated_at", $(stringify!($field)),+],
            };
            fn key(&self) -> uuid::Uuid {
                self.life.id.0.uuid()
            }
        }

        /// By number, in the order of the table: to find each column by its name costs as much as to read it.
        impl<'r, R> sqlx::FromRow<'r, R> for $name
        where
            R: sqlx::Row,
            usize: sqlx::ColumnIndex<R>,
            zhixing_domain::id::Key<$of>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            chrono::DateTime<chrono::Utc>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
            $($ty: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>),+
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                let life = $crate::graphql::view::Life {
                    id: row.try_get(0)?,
                    version: row.try_get(1)?,
                    created_at: row.try_get(2)?,
                    updated_at: row.try_get(3)?,
                };
                let mut column = 3;
                let mut next = || {
                    column += 1;
                    column
                };
                Ok(Self { life, $($field: row.try_get(next())?),+ })
            }
        }

        impl zhixing_event_store::View for $name {
            type Of = $of;
            $(const PARENT: Option<&'static str> = Some($parent);)?
            const ENTRIES: Option<&'static zhixing_event_store::Table> =
                <Self as $crate::graphql::view::Fold>::ENTRIES;
            fn version(&self) -> i64 {
                self.life.version
            }
            fn fact(&self) -> zhixing_domain::Fact {
                zhixing_domain::Fact {
                    kind: <$of as zhixing_domain::Aggregate>::KIND,
                    id: self.life.id.0.uuid(),
                    status: self.status.as_str().to_owned(),
                    region: Some(self.region_code),
                    belongs_to: $crate::graphql::view::Fold::belongs_to(self),
                }
            }
            fn links(&self) -> Vec<zhixing_event_store::Link> {
                $crate::graphql::view::Fold::names(self)
            }
            fn entries(
                event: &<$of as zhixing_domain::Aggregate>::Event,
                meta: &zhixing_event_store::Meta<$of>,
            ) -> Result<Vec<zhixing_event_store::view::WriteRow>, zhixing_event_store::Error> {
                <Self as $crate::graphql::view::Fold>::adds(event, meta)
            }
            fn project(
                row: Option<Self>,
                event: &<$of as zhixing_domain::Aggregate>::Event,
                meta: &zhixing_event_store::Meta<$of>,
            ) -> Option<Self> {
                let life = $crate::graphql::view::Life {
                    id: zhixing_domain::id::Key(meta.id),
                    version: meta.version,
                    created_at: row.as_ref().map_or(meta.at, |row| row.life.created_at),
                    updated_at: meta.at,
                };
                let mut row = match row {
                    Some(row) => row,
                    None => <Self as $crate::graphql::view::Fold>::born(event, life.clone())?,
                };
                row.status = event.status().unwrap_or(row.status);
                row.life = life;
                $crate::graphql::view::Fold::fold(&mut row, event);
                Some(row)
            }
        }

        impl $crate::graphql::view::Shown for $of {
            type View = $name;
        }

        impl $name {
            /// The object's id, as the `Node` interface asks for it.
            ///
            /// # Errors
            /// Never.
            pub async fn id(&self, _: &async_graphql::Context<'_>) -> async_graphql::Result<async_graphql::ID> {
                Ok(self.life.id.into())
            }
        }
    };
}
pub(crate) use view;

/// How a row is folded from events: what each view says for itself.
pub trait Fold: Sized {
    /// The aggregate whose life it tells.
    type Of: Aggregate;
    /// The table of the rows beside its own.
    const ENTRIES: Option<&'static Table> = None;
    /// The row that the first event makes; `None` when it is not a first event.
    fn born(event: &<Self::Of as Aggregate>::Event, life: Life<Self::Of>) -> Option<Self>;
    /// What every event, the first too, changes in the row. Status and life (so the time of the event) are set already.
    fn fold(&mut self, event: &<Self::Of as Aggregate>::Event);
    /// The object it belongs to.
    fn belongs_to(&self) -> Option<Uuid> {
        None
    }
    /// The objects it names.
    fn names(&self) -> Vec<Link> {
        Vec::new()
    }
    /// Rows beside its own that the event adds.
    ///
    /// # Errors
    /// When a row cannot be written as JSON.
    fn adds(_event: &<Self::Of as Aggregate>::Event, _meta: &Meta<Self::Of>) -> Result<Vec<WriteRow>, Error> {
        Ok(Vec::new())
    }
}
