//! `feed`: changes with marks, and where everything stands before them (变更推送).
use std::{ops::RangeInclusive, time::Duration};

use async_graphql::{Context, Object, Result, SimpleObject, Subscription, Union};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use zhixing_domain::{Kind, RegionCode, id::GlobalId};

use super::{
    context::Ask,
    error,
    event::{ChangeWhere, Event, Position, beginning, filter_of},
    node::{self, Node},
};
use crate::feed::{
    Following, Told,
    snapshot::{NoSnapshot, ObjectState, Snapshot, snapshot},
};

/// How often a silent feed may say that it is there, in seconds.
const HEARTBEATS: RangeInclusive<u64> = 1..=300;

/// What `feed` tells. Every message has a `position`, of one type in all, so that it can be asked for in one breath; only an
/// event of a dry run, which is never told here, has none.
#[derive(Union)]
pub enum FeedMessage {
    /// Something happened.
    Event(Event),
    /// Where objects stood at the beginning.
    Snapshot(FeedSnapshot),
    /// The past is over.
    CaughtUp(CaughtUp),
    /// Nothing wanted has happened.
    Heartbeat(Heartbeat),
}

/// A part of where everything stands at one moment (快照); the events behind its position follow.
#[derive(SimpleObject)]
pub struct FeedSnapshot {
    /// Where objects stand, at most 500.
    pub objects: Vec<ObjectStanding>,
    /// The position of the last event that they have lived through.
    pub position: Option<Position>,
    /// How many objects come in later parts.
    pub remaining: i32,
}

/// Where an object stands (当前状态).
pub struct ObjectStanding(ObjectState);

/// Where an object stands (当前状态).
#[Object]
impl ObjectStanding {
    /// Its kind.
    async fn kind(&self) -> Kind {
        self.0.subject.kind
    }
    /// The region it lies in.
    async fn region_code(&self) -> Option<RegionCode> {
        self.0.region
    }
    /// Its status.
    async fn status(&self) -> &str {
        &self.0.status
    }
    /// The object itself, as it is now.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        node::load(ctx, self.0.subject).await
    }
    /// Its id.
    async fn subject_id(&self) -> GlobalId {
        self.0.subject
    }
    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
    /// How many events it has lived through; an event of it with a higher version is news.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

/// Everything that was there at the beginning has been told.
#[derive(SimpleObject)]
pub struct CaughtUp {
    /// This far.
    pub position: Option<Position>,
}

/// Nothing that is wanted has happened for a while.
#[derive(SimpleObject)]
pub struct Heartbeat {
    /// Where the log ends.
    pub head: Position,
    /// How far it has been looked through: the place to go on from.
    pub position: Option<Position>,
}

/// What can be followed.
#[derive(Debug, Default)]
pub struct Subscriptions;

/// What can be followed.
#[Subscription(name = "FeedSubscription")]
impl Subscriptions {
    /// `changes` with marks: `CaughtUp` when the past is over, `Heartbeat` while nothing wanted happens. With
    /// `snapshot` it begins with where every object that is seen stands at one moment, at most 10,000, and goes on with the
    /// events behind that. For officials and integrators.
    async fn feed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Begin behind this position; now, when left out.")] after: Option<Position>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<ChangeWhere>,
        #[graphql(desc = "Begin with where everything stands; then there is no `after`.", default)] snapshot: bool,
        #[graphql(desc = "Seconds of silence before a `Heartbeat`, from 1 to 300.", default = 15)]
        heartbeat_seconds: i32,
    ) -> Result<impl Stream<Item = Result<FeedMessage>> + use<>> {
        let filter = filter_of(r#where)?;
        let heartbeat = u64::try_from(heartbeat_seconds).ok().filter(|seconds| HEARTBEATS.contains(seconds));
        let heartbeat =
            heartbeat.ok_or_else(|| error::invalid("heartbeatSeconds", "is not between 1 and 300"))?;
        let (mut after_position, mut head) = beginning(ctx, after).await?;
        let session = ctx.session().clone();
        let parts = if snapshot {
            if after.is_some() {
                return Err(error::invalid("after", "is not for a feed that begins with a snapshot"));
            }
            let parts = self::snapshot(ctx.store(), &session, &filter).await.map_err(|none| match none {
                NoSnapshot::OfEvents(part) => error::invalid(&format!("where.{part}"), &none.reason()),
                NoSnapshot::TooMany => error::invalid("where", &none.reason()),
                NoSnapshot::Failed(error) => error::fault(error),
            })?;
            after_position = parts.first().map_or(head, |part| part.position);
            head = after_position;
            parts
        } else {
            Vec::new()
        };
        let following = Following {
            store: ctx.store().clone(),
            session,
            filter,
            snapshot: parts,
            after: after_position,
            head,
            heartbeat: Duration::from_secs(heartbeat),
            // The connection itself ends what runs on it, and says why.
            ends: Box::pin(std::future::pending()),
        };
        Ok(following.told().map(message))
    }
}

fn message(told: Told) -> Result<FeedMessage> {
    Ok(match told {
        Told::Event(event) => FeedMessage::Event(Event(event)),
        Told::Snapshot(Snapshot { position, objects, remaining }) => FeedMessage::Snapshot(FeedSnapshot {
            objects: objects.into_iter().map(ObjectStanding).collect(),
            position: Some(Position(position)),
            remaining: i32::try_from(remaining).unwrap_or(i32::MAX),
        }),
        Told::CaughtUp(position) => FeedMessage::CaughtUp(CaughtUp { position: Some(Position(position)) }),
        Told::Heartbeat { position, head } => {
            FeedMessage::Heartbeat(Heartbeat { head: Position(head), position: Some(Position(position)) })
        }
        Told::End(_) => return Err(error::internal("the feed ended")),
    })
}
