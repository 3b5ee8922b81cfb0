//! How far an event subscription has got, and what it has not acknowledged (投递进度).
use std::collections::HashMap;

use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;
use zhixing_domain::id::GlobalId;
use zhixing_event_store::{
    Consumer,
    consumer::{self, Wanted as _},
};

use super::{
    context::Ask,
    error,
    event::{self, Position},
    event_subscription::EventSubscription,
};
use crate::integration::account::InSight;

/// How far a subscription has got.
#[derive(Clone, Debug, SimpleObject)]
pub struct SubscriptionProgress {
    /// Every event up to here was handed out, or was not wanted.
    pub position: Position,
    /// How many events the log has behind that, wanted or not.
    pub lag: i64,
    /// Subjects of which something was handed out and is not acknowledged, those that wait longest first; at most 100.
    pub behind: Vec<SubjectBehind>,
    /// How many such subjects there are, up to 10,000.
    pub behind_count: i32,
    /// How many of them were given up, until somebody retries them.
    pub parked_count: i32,
}

/// A subject of which a subscription has not acknowledged something.
#[derive(Clone, Debug, SimpleObject)]
pub struct SubjectBehind {
    /// Which one.
    pub subject_id: GlobalId,
    /// Its events up to here are acknowledged.
    pub acknowledged: Position,
    /// Its events up to here are to be delivered.
    pub through: Position,
    /// How often in a row nothing was acknowledged.
    pub attempts: i32,
    /// Since when that is so.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it is tried again; null when it was given up.
    pub ready_at: Option<DateTime<Utc>>,
    /// Whether it was given up until somebody retries it.
    pub parked: bool,
    /// Why the last attempt failed.
    pub reason: Option<String>,
}

/// Most subjects shown.
const MOST_SHOWN: usize = 100;

impl SubjectBehind {
    fn of(row: &consumer::Behind) -> Self {
        Self {
            subject_id: GlobalId { kind: row.kind, uuid: row.subject_id },
            acknowledged: Position(row.acked),
            through: Position(row.latest),
            attempts: row.attempts,
            failing_since: row.failing_since(),
            ready_at: row.ready_at(),
            parked: row.parked,
            reason: row.reason.clone(),
        }
    }
}

/// How far a subscription has got.
///
/// # Errors
/// When the database fails.
pub async fn progress(ctx: &Context<'_>, subscription: &EventSubscription) -> Result<SubscriptionProgress> {
    let store = ctx.store();
    let consumer = Consumer::new(store.clone(), subscription.life.id.0.uuid());
    let standing = consumer.standing().await.map_err(error::fault)?;
    let position = standing.map_or(subscription.begins_after, |standing| standing.position);
    let behind = consumer.behind(consumer::MOST_BEHIND).await.map_err(error::fault)?;
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(SubscriptionProgress {
        position: Position(position),
        lag: Ord::max(store.head() - position, 0),
        behind_count: count(behind.len()),
        parked_count: count(behind.iter().filter(|row| row.parked).count()),
        behind: behind.iter().take(MOST_SHOWN).map(SubjectBehind::of).collect(),
    })
}

/// Events that a subscription is for and has not acknowledged.
#[derive(Clone, Debug, SimpleObject)]
pub struct Undelivered {
    /// The events, in the order of the log.
    pub events: Vec<event::Event>,
    /// The log has been looked through up to here: ask again behind it.
    pub through: Position,
    /// Whether there may be more.
    pub has_more: bool,
}

/// Events that are looked through at once for those that were not acknowledged.
const LOOKED_THROUGH: usize = 20_000;

/// What a subscription is for and has not acknowledged, so many events behind a position.
///
/// # Errors
/// When the database fails.
pub async fn undelivered(
    ctx: &Context<'_>,
    subscription: &EventSubscription,
    limit: u64,
    after: i64,
) -> Result<Undelivered> {
    let store = ctx.store();
    let consumer = Consumer::new(store.clone(), subscription.life.id.0.uuid());
    let standing = consumer.standing().await.map_err(error::fault)?;
    let position = standing.map_or(subscription.begins_after, |standing| standing.position);
    let behind = consumer.behind(consumer::MOST_BEHIND).await.map_err(error::fault)?;
    let least = behind.iter().map(|row| row.acked).fold(position, Ord::min);
    let behind: HashMap<Uuid, i64> = behind.iter().map(|row| (row.subject_id, row.acked)).collect();
    let wanted = InSight::of(store, subscription);
    let (head, mut through, mut events, mut looked) = (store.head(), Ord::max(after, least), Vec::new(), 0);
    while through < head && (events.len() as u64) < limit && looked < LOOKED_THROUGH {
        for read in store.pool().read_log(through, 500).await.map_err(error::fault)? {
            (through, looked) = (read.position, looked + 1);
            let open =
                through > position || behind.get(&read.stream_id).is_some_and(|acked| through > *acked);
            if open && wanted.wants(&read).await.map_err(error::fault)? {
                events.push(event::Event(read.into()));
            }
            if events.len() as u64 == limit {
                break;
            }
        }
    }
    Ok(Undelivered { events, through: Position(through), has_more: through < head })
}
