//! On whose account a subscription works: what it sees, whether it still may, and how far it has got.
use std::sync::Arc;

use zhixing_domain::{
    Date, Id, Role, Viewer,
    access::service_key::{ServiceKey as Key, ServiceKeyStatus},
    id::GlobalId,
    integration::event_subscription::{EventSubscription as Domain, EventSubscriptionEvent as Event},
    policy::AuthenticationMethod,
};
use zhixing_event_store::{
    Consumer, Error, EventFilter, EventStore, Recorded,
    consumer::{Change, Wanted},
};

use crate::{
    graphql::{context::Session, event, event_subscription::EventSubscription, service_key::ServiceKey},
    identity::Visitor,
};

/// Events of a subscription's life that are carried out at once.
const LIFE: u32 = 1_000;

/// Which events a subscription gets: those of its filter that a connected system of its unit and region may see.
pub struct InSight {
    filter: EventFilter,
    session: Session,
}

impl std::fmt::Debug for InSight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InSight").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl InSight {
    /// What this subscription gets.
    pub fn of(store: &EventStore, subscription: &EventSubscription) -> Self {
        let viewer = Viewer {
            actor: format!("subscription:{}", subscription.life.id.0),
            roles: vec![Role::Integrator],
            units: vec![subscription.unit_id.0],
            region: subscription.region_code,
            method: AuthenticationMethod::System,
        };
        let visitor = Visitor { viewer, capacities: Arc::new([]) };
        Self {
            filter: EventFilter::from(&subscription.filter.0),
            session: Session::new(store.clone(), visitor),
        }
    }
}

impl Wanted for InSight {
    async fn wants(&self, event: &Recorded) -> Result<bool, Error> {
        if !self.filter.admits(event) {
            return Ok(false);
        }
        // Subjects are judged as they are now.
        self.session.forget();
        event::sees(&self.session, event).await.map_err(|error| {
            tracing::warn!(error.message, "whether a subscription may see an event cannot be found out");
            Error::Undecided
        })
    }
}

/// The consumer of a subscription, after everything was carried out that happened to the subscription.
///
/// # Errors
/// When the database fails.
pub async fn consumer(store: &EventStore, subscription: &EventSubscription) -> Result<Consumer, Error> {
    let id = subscription.life.id.0.uuid();
    let consumer = Consumer::new(store.clone(), id);
    let mut applied = if let Some(standing) = consumer.standing().await? {
        standing.applied
    } else {
        consumer.create(subscription.begins_after, 1).await?;
        1
    };
    while applied < subscription.life.version {
        let events = store.pool().read_stream(id, applied, LIFE).await?;
        let Some(last) = events.last().map(|event| event.version) else { break };
        let mut changes = Vec::new();
        for event in &events {
            changes.extend(change(&event.decode::<Domain>()?));
        }
        consumer.apply(applied, last, &changes).await?;
        applied = last;
    }
    Ok(consumer)
}

/// What an event of a subscription's life means for how far it has got.
fn change(event: &Event) -> Option<Change> {
    let replay =
        |subject: &GlobalId, after| Change::Replay { kind: subject.kind, subject: subject.uuid, after };
    match event {
        Event::Rewound { after, subject_id: Some(subject), .. } => Some(replay(subject, *after)),
        Event::Rewound { after, subject_id: None, .. } => Some(Change::Rewind(*after)),
        Event::RetryRequested { subject_id } => Some(Change::Retry(subject_id.map(|subject| subject.uuid))),
        // What failed before, may not fail again.
        Event::Resumed { .. } | Event::EndpointMoved { .. } => Some(Change::Retry(None)),
        Event::Created { .. }
        | Event::Changed { .. }
        | Event::EndpointConfirmed { .. }
        | Event::SigningSecretRotated { .. }
        | Event::Paused { .. }
        | Event::Suspended { .. }
        | Event::Cancelled { .. } => None,
    }
}

/// Why the account on which a subscription was made lets nobody in any more; `None` when it does. What a person made stands
/// until somebody cancels it.
///
/// # Errors
/// When the database fails.
pub async fn ended(store: &EventStore, subscription: &EventSubscription) -> Result<Option<String>, Error> {
    let first = store.pool().read_stream(subscription.life.id.0.uuid(), 0, 1).await?;
    let key = first.first().and_then(|event| event.actor.strip_prefix("key:"));
    let Some(key) = key.and_then(|id| id.parse::<Id<Key>>().ok()) else { return Ok(None) };
    let row: Option<ServiceKey> = store.pool().many(&[key.uuid()]).await?.pop();
    let today = Date::of(store.clock().now());
    Ok(match row {
        None => Some("the service key that made it does not exist".into()),
        Some(row) if row.status == ServiceKeyStatus::Revoked => {
            Some("the service key that made it was revoked".into())
        }
        Some(row) if row.expires_on < today => Some("the service key that made it has expired".into()),
        Some(_) => None,
    })
}
