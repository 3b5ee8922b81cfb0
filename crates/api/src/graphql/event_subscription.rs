//! Event subscriptions, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::Condition;
use sqlx::types::Json;
use zhixing_domain::{
    Id, Kind, RegionCode, Viewer,
    id::{GlobalId, Key},
    integration::event_subscription::{
        CancelSubscription, ChangeFilter, DeliveryMethod, EnvelopeForm, EventSubscription as Domain,
        EventSubscriptionEvent as Event, EventSubscriptionStatus, MoveEndpoint, PauseSubscription,
        ResumeSubscription, RetryDeliveries, SignatureScheme, SigningKey, SuspensionCause,
    },
    organisation::unit,
};

use super::{
    command::mutations,
    connection::{By, Holds, Narrow, Paging, connection, page},
    context::Ask,
    delivery_attempt::{self, DeliveryAttemptConnection, DeliveryWhere},
    event::Position,
    found::Found,
    region::Region,
    subscription_command::{
        ChangeSubscriptionInput, CreateSubscriptionInput, EventSubscriptionPayload, RewindSubscriptionInput,
        RotateSigningSecretInput,
    },
    subscription_progress::{self, SubscriptionProgress, Undelivered},
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, inside, named, view},
};

view! {
    /// Which changes another system gets, how, and on whose account (事件订阅).
    pub struct EventSubscription of Domain, in "event_subscriptions" {
        /// Where it stands.
        status: EventSubscriptionStatus,
        /// It sees this region and all inside it.
        region_code: RegionCode,
        /// What it is called.
        name: String,
        #[graphql(skip)]
        unit_id: Key<unit::Unit>,
        #[graphql(skip)]
        filter: Json<ChangeFilter>,
        #[graphql(skip)]
        begins_after: i64,
        /// How much of an event is told. Of confidential kinds never more than THIN.
        envelope: EnvelopeForm,
        /// How its events reach its system.
        method: DeliveryMethod,
        /// Where a webhook is sent to.
        url: Option<String>,
        #[graphql(skip)]
        signing_key: Option<Json<SigningKey>>,
        #[graphql(skip)]
        former_key: Option<Json<SigningKey>>,
        /// Until when the former signing secret signs beside the present one.
        former_key_until: Option<DateTime<Utc>>,
        /// Why the service itself suspended it.
        suspension_cause: Option<SuspensionCause>,
        /// Why it was paused, suspended or cancelled.
        stopped_reason: Option<String>,
    }
}

impl Fold for EventSubscription {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Created { name, unit_id, region_code, filter, after, envelope, method, endpoint } = event
        else {
            return None;
        };
        Some(Self {
            life,
            status: EventSubscriptionStatus::Unverified,
            region_code: *region_code,
            name: name.clone(),
            unit_id: Key(*unit_id),
            filter: Json(filter.clone()),
            begins_after: *after,
            envelope: *envelope,
            method: *method,
            url: endpoint.as_ref().map(|endpoint| endpoint.url.clone()),
            signing_key: endpoint.as_ref().map(|endpoint| Json(endpoint.key.clone())),
            former_key: None,
            former_key_until: None,
            suspension_cause: None,
            stopped_reason: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        let stopped = match event {
            Event::Paused { reason } | Event::Cancelled { reason } => Some((None, Some(reason.clone()))),
            Event::Suspended { cause, reason } => Some((Some(*cause), Some(reason.clone()))),
            Event::Resumed { .. } | Event::EndpointMoved { .. } => Some((None, None)),
            _ => None,
        };
        if let Some(stopped) = stopped {
            (self.suspension_cause, self.stopped_reason) = stopped;
        }
        match event {
            Event::Changed { name, filter, envelope } => {
                self.name = name.as_ref().unwrap_or(&self.name).clone();
                self.filter = filter.as_ref().map_or_else(|| self.filter.clone(), |filter| Json(filter.clone()));
                self.envelope = envelope.unwrap_or(self.envelope);
            }
            Event::EndpointMoved { url } => self.url = Some(url.clone()),
            Event::SigningSecretRotated { key, former_until } => {
                self.former_key = self.signing_key.replace(Json(key.clone()));
                self.former_key_until = Some(*former_until);
            }
            _ => {}
        }
    }

    fn names(&self) -> Vec<zhixing_event_store::Link> {
        vec![zhixing_event_store::Link { relation: SUBSCRIBER, target_id: self.unit_id.0.uuid() }]
    }
}

/// As what a subscription names the unit that answers for its system.
const SUBSCRIBER: &str = "subscriber";

impl Visible for EventSubscription {
    const RELATIONS: &'static [&'static str] = &["unit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "unit" {
            wanted.units.push(self.unit_id.0.uuid());
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        inside(viewer, Kind::EventSubscription, named(viewer, "id", &[SUBSCRIBER]))
    }
}

/// Which changes a subscription is for; what is empty does not narrow.
#[derive(Clone, Debug, SimpleObject)]
pub struct SubscriptionFilter {
    /// Kinds of subjects.
    pub kinds: Vec<Kind>,
    /// Types of events.
    pub types: Vec<String>,
    /// Subjects.
    pub subjects: Vec<GlobalId>,
    /// Units that acted.
    pub units: Vec<Id<unit::Unit>>,
    /// The region whose subtree the subject lies in.
    pub region: Option<RegionCode>,
    /// Only events that changed where their subject stands.
    pub status_changes_only: bool,
}

#[ComplexObject]
impl EventSubscription {
    /// The unit that answers for the system.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.unit_id.0).await
    }
    /// The region at whose borders its sight ends.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// Which changes it is for.
    async fn filter(&self) -> SubscriptionFilter {
        let ChangeFilter { kinds, types, subjects, units, region, status_changes_only } = self.filter.0.clone();
        SubscriptionFilter { kinds, types, subjects, units, region, status_changes_only }
    }
    /// How deliveries are signed.
    async fn signature_scheme(&self) -> Option<SignatureScheme> {
        self.signing_key.as_ref().map(|key| key.scheme)
    }
    /// What checks the signatures, for ED25519: `whpk_` and base64, by Standard Webhooks.
    async fn public_key(&self) -> Option<&str> {
        self.signing_key.as_ref()?.public_key.as_deref()
    }
    /// What checks the signatures of the former secret while both sign.
    async fn former_public_key(&self) -> Option<&str> {
        self.former_key.as_ref()?.public_key.as_deref()
    }
    /// What was tried for its webhook and what came of it, latest first; kept for 30 days.
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<DeliveryWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<DeliveryAttemptConnection> {
        let paging = Paging { first, after, last, before };
        let wanted = r#where.unwrap_or_default();
        delivery_attempt::attempts(ctx, self.life.id.0.uuid(), wanted, paging).boxed().await
    }
    /// What it is for and has not acknowledged, behind a position, in the order of the log: for comparing what both sides have.
    async fn undelivered(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this position.")] after: Option<Position>,
    ) -> Result<Undelivered> {
        let (limit, _) = Paging { first, ..Paging::default() }.size()?;
        subscription_progress::undelivered(ctx, self, limit, after.map_or(0, |after| after.0)).boxed().await
    }
    /// How far it has got.
    async fn progress(&self, ctx: &Context<'_>) -> Result<SubscriptionProgress> {
        subscription_progress::progress(ctx, self).await
    }
}

connection!(EventSubscription, EventSubscriptionConnection, EventSubscriptionEdge, "event subscriptions");

/// Which event subscriptions; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct EventSubscriptionWhere {
    /// Of this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// Where they stand.
    pub status: Option<Vec<EventSubscriptionStatus>>,
    /// How their events travel.
    pub method: Option<Vec<DeliveryMethod>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
}

/// Questions about event subscriptions.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "EventSubscriptionQueries")]
impl Queries {
    /// The event subscription with this id. For the systems of its unit, administrators and auditors.
    async fn event_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<EventSubscription>>> {
        ctx.load(id).await
    }

    /// Event subscriptions, by name. For the systems of their units, administrators and auditors.
    async fn event_subscriptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<EventSubscriptionWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<EventSubscriptionConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .has("unit_id", wanted.unit)
            .one_of("status", wanted.status)?
            .one_of("method", wanted.method)?
            .in_region(wanted.region);
        let paging = Paging { first, after, last, before };
        Ok(EventSubscriptionConnection(page(ctx, filter, By::column("name", Holds::Text), paging).await?))
    }
}

mutations! {
    "EventSubscriptionMutations" -> EventSubscriptionPayload by EventSubscriptionPayload::carried:
    /// Creates an event subscription; a shared signing secret is in the answer, this once (创建订阅).
    create_subscription(CreateSubscriptionInput);
    /// Changes what an event subscription is called and for (变更订阅).
    change_subscription(ChangeSubscriptionInput);
    /// Sends a webhook to another address, which must answer a challenge first (变更接收地址).
    move_endpoint(MoveEndpoint);
    /// Makes a new signing secret; the former one signs beside it for a while (轮换签名密钥).
    rotate_signing_secret(RotateSigningSecretInput);
    /// Pauses an event subscription; nothing is lost (暂停订阅).
    pause_subscription(PauseSubscription);
    /// Goes on where it stands; a webhook answers a challenge again (恢复订阅).
    resume_subscription(ResumeSubscription);
    /// Sends an event subscription back, or plays the events of one subject again (回退订阅位置).
    rewind_subscription(RewindSubscriptionInput);
    /// Tries at once what failed and waits, or was given up (重试投递).
    retry_deliveries(RetryDeliveries);
    /// Cancels an event subscription for good (取消订阅).
    cancel_subscription(CancelSubscription);
}
