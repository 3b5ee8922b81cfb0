//! Event subscriptions, as the API shows and takes them. A shared signing secret is shown once, when it is made.
use std::collections::HashMap;

use async_graphql::{ComplexObject, Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_delivery::standard_webhooks::Secret;
use zhixing_domain::{
    Id, Kind, RegionCode, Viewer,
    id::{GlobalId, Key},
    integration::event_subscription::{
        CancelSubscription, ChangeFilter, ChangeSubscription, CreateSubscription, DeliveryMethod,
        EnvelopeForm, EventSubscription as Domain, EventSubscriptionEvent as Event, EventSubscriptionStatus,
        MoveEndpoint, NewEndpoint, PauseSubscription, ResumeSubscription, RetryDeliveries,
        RewindSubscription, RotateSigningSecret, SignatureScheme, SigningKey, SuspensionCause,
    },
    organisation::unit,
};
use zhixing_event_store::{
    Consumer,
    consumer::{self, Wanted as _},
};
use zhixing_vault::{Place, Plain, VaultError};

use super::{
    command::{How, Outcome, carry_out},
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    error::{self, UserError},
    event::{self, ChangeWhere, Position},
    found::Found,
    informer::Keys,
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, for_officials, inside, named, view},
};
use crate::integration::{
    account::{self, InSight}, journal::DeliveryAttempt};

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
        let wanted = r#where.unwrap_or_default();
        let taken = Condition::all().add(Expr::col("status").between(200, 299));
        let failed = Condition::any().add(Expr::col("status").is_null()).add(taken.clone().not());
        let filter = Condition::all()
            .add(Expr::col("subscription_id").eq(self.life.id.0.uuid()))
            .add_option(wanted.subject.map(|subject| Expr::col("subject_id").eq(subject.uuid)))
            .add_option(wanted.event.map(|event| Expr::col("event_id").eq(event)))
            .add_option(wanted.is_taken.map(|yes| if yes { taken } else { failed }));
        let paging = Paging { first, after, last, before };
        let order = By::column("id", Holds::Key).directed(OrderDirection::Desc);
        Ok(DeliveryAttemptConnection(page(ctx, filter, order, paging).boxed().await?))
    }
    /// What it is for and has not acknowledged, behind a position, in the order of the log: for comparing what both sides have.
    async fn undelivered(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this position.")] after: Option<Position>,
    ) -> Result<Undelivered> {
        let (limit, _) = Paging { first, ..Paging::default() }.size()?;
        undelivered(ctx, self, limit, after.map_or(0, |after| after.0)).boxed().await
    }
    /// How far it has got.
    async fn progress(&self, ctx: &Context<'_>) -> Result<SubscriptionProgress> {
        let store = ctx.store();
        let consumer = Consumer::new(store.clone(), self.life.id.0.uuid());
        let standing = consumer.standing().await.map_err(error::fault)?;
        let position = standing.map_or(self.begins_after, |standing| standing.position);
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

async fn undelivered(
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
            let open = through > position || behind.get(&read.stream_id).is_some_and(|acked| through > *acked);
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

/// Which attempts; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DeliveryWhere {
    /// Of this subject.
    pub subject: Option<GlobalId>,
    /// Of this event.
    pub event: Option<Uuid>,
    /// Only those that were taken (true), or only others (false).
    pub is_taken: Option<bool>,
}

impl Visible for DeliveryAttempt {
    /// They are reached through their subscription only.
    fn seen_by(viewer: &Viewer) -> Condition {
        for_officials(viewer)
    }
}

/// One attempt to deliver an event to a webhook (投递记录).
#[Object]
impl DeliveryAttempt {
    /// Of which event: the `webhook-id`.
    async fn event_id(&self) -> Uuid {
        self.event_id
    }
    /// Where the event stands in the log.
    async fn position(&self) -> Position {
        Position(self.position)
    }
    /// The event's subject.
    async fn subject_id(&self) -> GlobalId {
        GlobalId { kind: self.kind, uuid: self.subject_id }
    }
    /// Which attempt it was since the last that was taken, from 1.
    async fn number(&self) -> i32 {
        self.number
    }
    /// Where it was sent to.
    async fn url(&self) -> &str {
        &self.url
    }
    /// When it was signed and sent: the `webhook-timestamp`.
    async fn at(&self) -> DateTime<Utc> {
        self.at
    }
    /// The `webhook-signature`.
    async fn signatures(&self) -> &str {
        &self.signatures
    }
    /// How long it took, in microseconds.
    async fn took_micros(&self) -> i64 {
        self.took_micros
    }
    /// The status of the answer; null when none came.
    async fn status(&self) -> Option<i32> {
        self.status
    }
    /// The beginning of the answer's body.
    async fn answer(&self) -> Option<&str> {
        self.answer.as_deref()
    }
    /// Why no answer came.
    async fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

connection!(DeliveryAttempt, DeliveryAttemptConnection, DeliveryAttemptEdge, "attempts to deliver");
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

/// Where a webhook is sent to.
#[derive(Clone, Debug, InputObject)]
pub struct EndpointInput {
    /// Its address: https, not inside a private network unless the operator allows it.
    pub url: String,
    /// How deliveries are signed.
    #[graphql(default_with = "SignatureScheme::Ed25519")]
    pub signature_scheme: SignatureScheme,
}

/// What is asked for a new event subscription.
#[derive(Clone, Debug, InputObject)]
pub struct CreateSubscriptionInput {
    /// What it is called, at most 100 characters.
    pub name: String,
    /// The unit that answers for the system.
    pub unit_id: Id<unit::Unit>,
    /// It sees this region and all inside it.
    pub region_code: RegionCode,
    /// Which changes; all that a connected system may see when left out.
    pub r#where: Option<ChangeWhere>,
    /// It begins behind this position; now, when left out.
    pub after: Option<Position>,
    /// How much of an event is told.
    #[graphql(default_with = "EnvelopeForm::Full")]
    pub envelope: EnvelopeForm,
    /// Where it is sent to; left out, the system pulls.
    pub endpoint: Option<EndpointInput>,
}

/// What is to be changed of an event subscription; what is left out stays.
#[derive(Clone, Debug, InputObject)]
pub struct ChangeSubscriptionInput {
    /// The subscription.
    pub id: Id<Domain>,
    /// What it is called.
    pub name: Option<String>,
    /// Which changes.
    pub r#where: Option<ChangeWhere>,
    /// How much of an event is told.
    pub envelope: Option<EnvelopeForm>,
}

/// A new signing secret for an event subscription.
#[derive(Clone, Debug, InputObject)]
pub struct RotateSigningSecretInput {
    /// The subscription.
    pub id: Id<Domain>,
    /// How deliveries are signed from now on.
    #[graphql(default_with = "SignatureScheme::Ed25519")]
    pub signature_scheme: SignatureScheme,
    /// For how many hours the former secret signs too, 0 to 168.
    #[graphql(default = 24)]
    pub overlap_hours: i32,
}

/// Where an event subscription begins again: give either `after` or `time`.
#[derive(Clone, Debug, InputObject)]
pub struct RewindSubscriptionInput {
    /// The subscription.
    pub id: Id<Domain>,
    /// Behind this position.
    pub after: Option<Position>,
    /// With what was recorded at this instant, and for safety up to a minute before.
    pub time: Option<DateTime<Utc>>,
    /// Only for this subject; for everything when left out.
    pub subject_id: Option<GlobalId>,
    /// Why.
    pub reason: String,
}

/// What came of a command to an event subscription.
#[derive(Debug, SimpleObject)]
pub struct EventSubscriptionPayload {
    /// The subscription after the command; null when it was refused.
    pub event_subscription: Option<EventSubscription>,
    /// For HMAC_SHA256, the secret that both sides share (`whsec_…`). It is shown in this answer and never again; null in the
    /// answer to a retry and in a dry run.
    pub signing_secret: Option<String>,
    /// What happened; in a dry run, what would happen.
    pub events: Vec<event::Event>,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

impl EventSubscriptionPayload {
    /// The secret is told only in the answer to the command that it was kept by.
    fn of(outcome: Outcome<EventSubscription>, made: Option<&Made>) -> Self {
        let Outcome { object, events, position, errors } = outcome;
        let kept = |subscription: &EventSubscription| {
            let key = subscription.signing_key.as_ref().map(|key| &key.secret);
            position.is_some() && key == made.map(|made| &made.key.secret)
        };
        let told = made.filter(|made| made.key.scheme == SignatureScheme::HmacSha256);
        let told = told.filter(|_| object.as_ref().is_some_and(kept));
        let signing_secret = told.map(|made| made.secret.reveal().to_string());
        Self { event_subscription: object, signing_secret, events, position, errors }
    }
}

/// A secret that was made, and how it is kept.
struct Made {
    secret: Secret,
    key: SigningKey,
}

/// What seals the secrets of subscriptions: the key store, under a key for each subscription's secret.
async fn make(ctx: &Context<'_>, scheme: SignatureScheme) -> Result<Made> {
    let unavailable = |error: VaultError| error::internal(&error.to_string());
    let vault = ctx.data_unchecked::<Keys>().0.as_ref();
    let vault = vault.ok_or_else(|| error::internal("there is no key store"))?;
    let secret = Secret::generate(scheme).map_err(|error| error::internal(&error.to_string()))?;
    let key = vault.new_key(Kind::EventSubscription).await.map_err(unavailable)?;
    let plain = Plain::new(secret.reveal().to_string());
    let sealed = key.seal(place(key.id()), &plain).map_err(unavailable)?;
    let key = SigningKey { scheme, secret: sealed, public_key: secret.public() };
    Ok(Made { secret, key })
}

/// The object that the secret under this key is sealed for: a subscription has no id yet when its secret is made.
pub fn place(key: Uuid) -> Place {
    Place { kind: Kind::EventSubscription, id: key }
}

/// How far the clocks of processes may be apart when a time is looked for in the log.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(1);

/// One mutation for each command.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "EventSubscriptionMutations")]
impl Mutations {
    /// Creates an event subscription; a shared signing secret is in the answer, this once (创建订阅).
    async fn create_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: CreateSubscriptionInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version: None, dry_run };
        let CreateSubscriptionInput { name, unit_id, region_code, r#where, after, envelope, endpoint } = input;
        let filter = r#where.unwrap_or_default().into();
        let head = ctx.store().head();
        let made = match &endpoint {
            Some(endpoint) => Some(make(ctx, endpoint.signature_scheme).await?),
            None => None,
        };
        let key = made.as_ref().map(|made| made.key.clone());
        let endpoint = endpoint.zip(key).map(|(endpoint, key)| NewEndpoint { url: endpoint.url, key });
        let after = after.map(|position| position.0);
        if after.is_some_and(|after| after > head) {
            return Err(error::invalid("input.after", "lies behind the end of the log"));
        }
        let command =
            CreateSubscription { name, unit_id, region_code, filter, after, head, envelope, endpoint };
        let outcome = carry_out::<EventSubscription>(ctx, command, how).await?;
        if let Some(made) = outcome.object.as_ref().filter(|_| outcome.position.is_some()) {
            // From here on it has a place in the log.
            account::consumer(ctx.store(), made).await.map_err(error::fault)?;
        }
        Ok(EventSubscriptionPayload::of(outcome, made.as_ref()))
    }

    /// Changes what an event subscription is called and for (变更订阅).
    async fn change_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: ChangeSubscriptionInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        let ChangeSubscriptionInput { id, name, r#where, envelope } = input;
        let command = ChangeSubscription { id, name, filter: r#where.map(Into::into), envelope };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, command, how).await?, None))
    }

    /// Sends a webhook to another address, which must answer a challenge first (变更接收地址).
    async fn move_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: MoveEndpoint,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, input, how).await?, None))
    }

    /// Makes a new signing secret; the former one signs beside it for a while (轮换签名密钥).
    async fn rotate_signing_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: RotateSigningSecretInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        let RotateSigningSecretInput { id, signature_scheme, overlap_hours } = input;
        let made = make(ctx, signature_scheme).await?;
        let command = RotateSigningSecret { id, overlap_hours, key: made.key.clone() };
        let outcome = carry_out::<EventSubscription>(ctx, command, how).await?;
        Ok(EventSubscriptionPayload::of(outcome, Some(&made)))
    }

    /// Pauses an event subscription; nothing is lost (暂停订阅).
    async fn pause_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: PauseSubscription,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, input, how).await?, None))
    }

    /// Goes on where it stands; a webhook answers a challenge again (恢复订阅).
    async fn resume_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: ResumeSubscription,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, input, how).await?, None))
    }

    /// Sends an event subscription back, or plays the events of one subject again (回退订阅位置).
    async fn rewind_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: RewindSubscriptionInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        let RewindSubscriptionInput { id, after, time, subject_id, reason } = input;
        let after = match (after, time) {
            (Some(after), None) => after.0,
            (None, Some(time)) => {
                ctx.store().pool().position_before(time, CLOCKS_DIFFER).await.map_err(error::fault)?
            }
            _ => return Err(error::invalid("input.after", "give either after or time")),
        };
        if after > ctx.store().head() {
            return Err(error::invalid("input.after", "lies behind the end of the log"));
        }
        let command = RewindSubscription { id, after, subject_id, reason };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, command, how).await?, None))
    }

    /// Tries at once what failed and waits, or was given up (重试投递).
    async fn retry_deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: RetryDeliveries,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, input, how).await?, None))
    }

    /// Cancels an event subscription for good (取消订阅).
    async fn cancel_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: CancelSubscription,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<EventSubscriptionPayload> {
        let how = How { command_id, expected_version, dry_run };
        Ok(EventSubscriptionPayload::of(carry_out::<EventSubscription>(ctx, input, how).await?, None))
    }
}
