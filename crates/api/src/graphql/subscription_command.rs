//! What is asked of an event subscription, and the secrets that sign its webhooks (签名密钥): a shared one is shown once, in
//! the answer to the command that made it.
use async_graphql::{Context, InputObject, Result, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_delivery::standard_webhooks::Secret;
use zhixing_domain::{
    Id, Kind, RegionCode,
    id::GlobalId,
    integration::event_subscription::{
        ChangeSubscription, CreateSubscription, DeliveryMethod, EnvelopeForm, EventSubscription as Domain,
        EventSubscriptionCommand, EventSubscriptionStatus, NewEndpoint, RewindSubscription,
        RotateSigningSecret, SignatureScheme, SigningKey,
    },
    organisation::unit,
};
use zhixing_vault::{PersonalKey, Place, Plain, Vault, VaultError};

use super::{
    command::{How, Outcome, carry_out},
    context::Ask,
    error::{self, UserError},
    event::{self, ChangeWhere, Position},
    event_subscription::EventSubscription,
    informer::Keys,
};
use crate::integration::account;

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

/// A secret that was made, and how it is kept.
pub struct Made {
    secret: Secret,
    key: SigningKey,
    /// Where its key goes back to, if nothing comes of it.
    vault: Vault,
    personal: PersonalKey,
}

/// Makes a secret and seals it under a key of its own.
async fn make(ctx: &Context<'_>, scheme: SignatureScheme) -> Result<Made> {
    let unavailable = |error: VaultError| error::internal(&error.to_string());
    let vault = ctx.data_unchecked::<Keys>().0.clone();
    let vault = vault.ok_or_else(|| error::internal("there is no key store"))?;
    let secret = Secret::generate(scheme).map_err(|error| error::internal(&error.to_string()))?;
    let personal = vault.new_key(Kind::EventSubscription).await.map_err(unavailable)?;
    let plain = Plain::new(secret.reveal().to_string());
    let sealed = personal.seal(place(personal.id()), &plain).map_err(unavailable)?;
    let key = SigningKey { scheme, secret: sealed, public_key: secret.public() };
    Ok(Made { secret, key, vault, personal })
}

/// The object that the secret under this key is sealed for: a subscription has no id yet when its secret is made.
pub fn place(key: Uuid) -> Place {
    Place { kind: Kind::EventSubscription, id: key }
}

/// How many webhooks there are that are not cancelled.
async fn webhooks(ctx: &Context<'_>) -> Result<i64> {
    let living = Condition::all()
        .add(Expr::col("method").eq(DeliveryMethod::Webhook))
        .add(Expr::col("status").ne(EventSubscriptionStatus::Cancelled));
    ctx.store().pool().count::<EventSubscription>(living).await.map_err(error::fault)
}

/// How far the clocks of processes may be apart when a time is looked for in the log.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(1);

/// What a subscription can be asked: a command, or what becomes one here, with the secret that was made for it.
pub trait Asked: Send {
    /// The command.
    fn command(
        self,
        ctx: &Context<'_>,
    ) -> impl Future<Output = Result<(EventSubscriptionCommand, Option<Made>)>> + Send;
}

impl<C: Into<EventSubscriptionCommand> + Send> Asked for C {
    async fn command(self, _: &Context<'_>) -> Result<(EventSubscriptionCommand, Option<Made>)> {
        Ok((self.into(), None))
    }
}

impl Asked for CreateSubscriptionInput {
    async fn command(self, ctx: &Context<'_>) -> Result<(EventSubscriptionCommand, Option<Made>)> {
        let Self { name, unit_id, region_code, r#where, after, envelope, endpoint } = self;
        let filter = r#where.unwrap_or_default().into();
        let head = ctx.store().head();
        let after = after.map(|position| position.0);
        if after.is_some_and(|after| after > head) {
            return Err(error::invalid("input.after", "lies behind the end of the log"));
        }
        let (endpoint, made) = match endpoint {
            Some(EndpointInput { url, signature_scheme }) => {
                let (made, others) = (make(ctx, signature_scheme).await?, webhooks(ctx).await?);
                (Some(NewEndpoint { url, key: made.key.clone(), others }), Some(made))
            }
            None => (None, None),
        };
        let command =
            CreateSubscription { name, unit_id, region_code, filter, after, head, envelope, endpoint };
        Ok((command.into(), made))
    }
}

impl Asked for ChangeSubscriptionInput {
    async fn command(self, _: &Context<'_>) -> Result<(EventSubscriptionCommand, Option<Made>)> {
        let Self { id, name, r#where, envelope } = self;
        let command = ChangeSubscription { id, name, filter: r#where.map(Into::into), envelope };
        Ok((command.into(), None))
    }
}

impl Asked for RotateSigningSecretInput {
    async fn command(self, ctx: &Context<'_>) -> Result<(EventSubscriptionCommand, Option<Made>)> {
        let Self { id, signature_scheme, overlap_hours } = self;
        let made = make(ctx, signature_scheme).await?;
        Ok((RotateSigningSecret { id, overlap_hours, key: made.key.clone() }.into(), Some(made)))
    }
}

impl Asked for RewindSubscriptionInput {
    async fn command(self, ctx: &Context<'_>) -> Result<(EventSubscriptionCommand, Option<Made>)> {
        let Self { id, after, time, subject_id, reason } = self;
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
        Ok((RewindSubscription { id, after, subject_id, reason }.into(), None))
    }
}

impl EventSubscriptionPayload {
    /// Carries out what was asked. A secret that was made is told only in the answer to the command that it was kept by.
    pub(super) async fn carried(ctx: &Context<'_>, asked: impl Asked, how: How) -> Result<Self> {
        let (command, made) = asked.command(ctx).await?;
        let outcome = carry_out::<EventSubscription>(ctx, command, how).await?;
        let Outcome { object, events, position, errors } = outcome;
        let recorded = object.as_ref().filter(|_| position.is_some());
        if let Some(new) = recorded.filter(|subscription| subscription.life.version == 1) {
            // From here on it has a place in the log.
            account::consumer(ctx.store(), new).await.map_err(error::fault)?;
        }
        let signing_secret = made.and_then(|made| {
            let kept = recorded.and_then(|subscription| subscription.signing_key.as_ref());
            if kept.is_none_or(|key| key.secret != made.key.secret) {
                // What it sealed goes nowhere: it can be the next one's.
                made.vault.give_back(Kind::EventSubscription, made.personal);
                return None;
            }
            (made.key.scheme == SignatureScheme::HmacSha256).then(|| made.secret.reveal().to_string())
        });
        Ok(Self { event_subscription: object, signing_secret, events, position, errors })
    }
}
