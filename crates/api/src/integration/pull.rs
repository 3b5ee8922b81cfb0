//! Pulling the events of a subscription (拉取): members of a group claim, work, and say how it went.
//!
//! * `POST /subscriptions/ID/claim` hands out events, subject by subject, for a time.
//! * `POST /subscriptions/ID/settle` says up to where a subject's events were taken, and what becomes of the rest.
//! * `POST /subscriptions/ID/hold` asks for more time.
//!
//! While a member has events of a subject, nobody gets later ones of it. What is not settled in time is handed to others.
use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State, rejection::JsonRejection},
    http::StatusCode,
    routing::post,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::time::Instant;
use uuid::Uuid;
use zhixing_delivery::cloud_event::CloudEvent;
use zhixing_domain::{
    Id, Role,
    id::GlobalId,
    integration::event_subscription::{DeliveryMethod, EventSubscription as Domain, EventSubscriptionStatus},
};
use zhixing_event_store::{
    Consumer,
    consumer::{Batch, MOST_CLAIMED, Outcome, Settled},
};

use super::account;
use crate::{
    downloads::Caller,
    feed::Feed,
    graphql::{context::Session, event_subscription::EventSubscription},
    identity::Identity,
    problem::Problem,
    protocol::{Authenticator, Said},
    server::read_only,
};

/// Bytes of a body.
const BODY: usize = 1 << 20;
/// Longest time for which events are handed out, in seconds.
const LONGEST_HOLD: u64 = 3_600;
/// Longest wait for the next event, in seconds.
const LONGEST_WAIT: u64 = 55;
/// Longest time after which events are handed out again, in seconds: three days.
const LONGEST_REST: u64 = 259_200;
/// How long a claim waits at most before it looks again, while others hold something: they may give it back.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What a request costs.
const COST: u64 = 1_000;

/// The three requests.
pub fn router(feed: Feed) -> Router {
    Router::new()
        .route("/subscriptions/{id}/claim", post(claim))
        .route("/subscriptions/{id}/settle", post(settle))
        .route("/subscriptions/{id}/hold", post(hold))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(feed)
}

fn hundred() -> usize {
    100
}
fn minute() -> u64 {
    60
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claim {
    /// Events, about so many at most.
    #[serde(default = "hundred")]
    most: usize,
    /// For how long nobody else gets them.
    #[serde(default = "minute")]
    hold_seconds: u64,
    /// How long to wait for the next event when there is none.
    #[serde(default)]
    wait: u64,
}

/// Events of one subject, to be taken in order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Handed {
    subject: String,
    token: Uuid,
    attempts: u32,
    events: Vec<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct Claimed {
    batches: Vec<Handed>,
}

/// How the events of one subject went.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Went {
    subject: GlobalId,
    token: Uuid,
    /// Position of the last event that was taken; 0 when none was.
    up_to: i64,
    /// What is left is handed out again after so long; at once when left out.
    retry_after_seconds: Option<u64>,
    /// What is left is handed out only when somebody asks for it (`retryDeliveries`).
    #[serde(default)]
    park: bool,
    /// Why not all was taken.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    settled: Vec<Went>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    subject: GlobalId,
    token: Uuid,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hold {
    held: Vec<Held>,
    #[serde(default = "minute")]
    hold_seconds: u64,
}

/// The subjects whose events are no longer held by the token that was given.
#[derive(Debug, Serialize)]
struct Lost {
    lost: Vec<String>,
}

type Asked<T> = Result<Json<T>, JsonRejection>;
type Answer<T> = Result<Json<T>, Problem>;

fn read<T: DeserializeOwned>(asked: Asked<T>) -> Result<T, Problem> {
    let Json(asked) = asked.map_err(|rejection| {
        let problem = Problem::of_field("body", rejection.body_text());
        problem.with_status(rejection.status())
    })?;
    Ok(asked)
}

fn within<T: PartialOrd + Copy>(field: &str, value: T, least: T, most: T, said: &str) -> Result<T, Problem> {
    if value < least || value > most { Err(Problem::of_field(field, said)) } else { Ok(value) }
}

fn seconds(field: &str, seconds: u64) -> Result<Duration, Problem> {
    within(field, seconds, 1, LONGEST_HOLD, "is not between 1 and 3600").map(Duration::from_secs)
}

/// The subscription, if whoever asks is one of its systems and it is to be pulled.
async fn open(feed: &Feed, caller: &Caller, id: &str) -> Result<(EventSubscription, Consumer), Problem> {
    let said = Said::of(caller.headers())?;
    let visitor = feed.identity.authenticate(&said).await?;
    drop(feed.till.open(Identity::name(&visitor), caller.address(), COST)?);
    if let Some(origin) = feed.store.origin() {
        // How far a group has got is known where the subscription was made.
        return Err(Problem::new(StatusCode::CONFLICT, "READ_ONLY", read_only(origin)));
    }
    let id: Id<Domain> = id.parse().map_err(|reason: String| Problem::of_field("id", reason))?;
    let session = Session::new(feed.store.clone(), visitor.clone());
    let rows = session.rows().load::<EventSubscription>(vec![id.uuid()]).await;
    let row = rows.map_err(|error| Problem::fault(&error))?.pop();
    let viewer = &visitor.viewer;
    let own = |row: &EventSubscription| {
        viewer.roles.contains(&Role::Integrator) && viewer.units.contains(&row.unit_id.0)
    };
    let row = row.map(crate::graphql::found::Found::into_inner).filter(own);
    let missing =
        || Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such subscription of yours");
    let row = row.ok_or_else(missing)?;
    if row.method != DeliveryMethod::Pull || row.status != EventSubscriptionStatus::Active {
        let detail = format!("the subscription is {} by {}: it is not to be pulled", row.status, row.method);
        return Err(Problem::new(StatusCode::CONFLICT, "NOT_ALLOWED_IN_STATE", detail));
    }
    let consumer = account::consumer(&feed.store, &row).await.map_err(|error| Problem::fault(&error))?;
    Ok((row, consumer))
}

async fn claim(
    State(feed): State<Feed>,
    caller: Caller,
    Path(id): Path<String>,
    asked: Asked<Claim>,
) -> Answer<Claimed> {
    let (row, consumer) = open(&feed, &caller, &id).await?;
    let Claim { most, hold_seconds, wait } = read(asked)?;
    let most = within("most", most, 1, MOST_CLAIMED, "is not between 1 and 1000")?;
    let hold = seconds("holdSeconds", hold_seconds)?;
    let wait = within("wait", wait, 0, LONGEST_WAIT, "is more than 55 seconds")?;
    let wanted = account::InSight::of(&feed.store, &row);
    let deadline = Instant::now() + Duration::from_secs(wait);
    let (mut heads, mut shutdown) = (feed.store.heads(), feed.shutdown.clone());
    loop {
        heads.mark_unchanged();
        let claimed = consumer.claim(&wanted, most, hold).await.map_err(|error| Problem::fault(&error))?;
        if !claimed.batches.is_empty() || Instant::now() >= deadline {
            let hand = |batch: &Batch| hand(batch, &row, &feed.source);
            let batches = claimed.batches.iter().map(hand).collect::<Result<_, _>>()?;
            return Ok(Json(Claimed { batches }));
        }
        let again = if claimed.next.is_some() { LOOK_AGAIN } else { Duration::from_secs(LONGEST_WAIT) };
        let again = Instant::now() + again;
        tokio::select! {
            _ = heads.changed() => {}
            () = tokio::time::sleep_until(again.min(deadline)) => {}
            _ = shutdown.changed() => return Ok(Json(Claimed { batches: Vec::new() })),
        }
    }
}

fn hand(batch: &Batch, row: &EventSubscription, source: &str) -> Result<Handed, Problem> {
    let mut events = Vec::with_capacity(batch.events.len());
    let mut subject = String::new();
    for event in &batch.events {
        let told = CloudEvent::told(event, source, row.envelope).map_err(|error| Problem::fault(&error))?;
        subject.clone_from(&told.subject);
        events.push(serde_json::value::to_raw_value(&told).map_err(|error| Problem::fault(&error.into()))?);
    }
    Ok(Handed { subject, token: batch.token, attempts: batch.attempts, events })
}

async fn settle(
    State(feed): State<Feed>,
    caller: Caller,
    Path(id): Path<String>,
    asked: Asked<Settle>,
) -> Answer<Lost> {
    let (_, consumer) = open(&feed, &caller, &id).await?;
    let Settle { settled } = read(asked)?;
    within("settled", settled.len(), 0, MOST_CLAIMED, "has more than 1000 entries")?;
    let now = feed.store.clock().now();
    let mut all = Vec::with_capacity(settled.len());
    for went in &settled {
        let Went { subject, token, up_to, retry_after_seconds, park, reason } = went;
        let rest = retry_after_seconds.unwrap_or(0);
        within("retryAfterSeconds", rest, 0, LONGEST_REST, "is more than 259200 (three days)")?;
        let outcome = match (park, rest) {
            (true, _) => Outcome::Parked { reason: reason.clone() },
            (false, 0) if reason.is_empty() => Outcome::Taken,
            (false, rest) => {
                let rest = TimeDelta::seconds(i64::try_from(rest).unwrap_or(0));
                Outcome::Later { not_before: now + rest, reason: reason.clone() }
            }
        };
        all.push(Settled { subject: subject.uuid, token: *token, up_to: *up_to, outcome });
    }
    let lost = consumer.settle(&all).await.map_err(|error| Problem::fault(&error))?;
    let is_lost = |went: &&Went| lost.contains(&went.subject.uuid);
    Ok(Json(Lost { lost: settled.iter().filter(is_lost).map(|went| went.subject.to_string()).collect() }))
}

async fn hold(
    State(feed): State<Feed>,
    caller: Caller,
    Path(id): Path<String>,
    asked: Asked<Hold>,
) -> Answer<Lost> {
    let (_, consumer) = open(&feed, &caller, &id).await?;
    let Hold { held, hold_seconds } = read(asked)?;
    within("held", held.len(), 0, MOST_CLAIMED, "has more than 1000 entries")?;
    let longer = seconds("holdSeconds", hold_seconds)?;
    let pairs: Vec<(Uuid, Uuid)> = held.iter().map(|held| (held.subject.uuid, held.token)).collect();
    let lost = consumer.hold(&pairs, longer).await.map_err(|error| Problem::fault(&error))?;
    let is_lost = |held: &&Held| lost.contains(&held.subject.uuid);
    Ok(Json(Lost { lost: held.iter().filter(is_lost).map(|held| held.subject.to_string()).collect() }))
}
