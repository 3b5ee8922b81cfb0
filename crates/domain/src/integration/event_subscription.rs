//! An event subscription (事件订阅): which changes another system gets, how, and on whose account.
//!
//! It works for one unit in one region with the sight of a connected system, whoever made it. How far it has got is no
//! event (it moves thousands of times a second); that somebody sends it back is one. A webhook is told nothing before its
//! endpoint has answered a challenge, so nobody can point the service at an address that is not theirs. The secret that
//! signs is sealed: the log has it for ever, and cancelling destroys its key.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Context, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Sealed, Subject,
    aggregate::{Stamp, commands},
    id::GlobalId,
    lifecycle::{Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    sealed::Confidential,
    text,
};

mod filter;

pub use filter::ChangeFilter;

vocabulary! {
    /// Where an event subscription stands (订阅状态).
    pub enum EventSubscriptionStatus {
        Unverified = "UNVERIFIED", "待验证";
        Active = "ACTIVE", "生效";
        Paused = "PAUSED", "已暂停";
        Suspended = "SUSPENDED", "已中止";
        Cancelled = "CANCELLED", "已取消";
    }
}
status!(EventSubscriptionStatus);
use EventSubscriptionStatus::{Active, Cancelled, Paused, Suspended, Unverified};

vocabulary! {
    /// How the events of a subscription reach its system (投递方式).
    pub enum DeliveryMethod {
        Pull = "PULL", "拉取";
        Webhook = "WEBHOOK", "推送";
    }
}

vocabulary! {
    /// How a delivery is signed, by Standard Webhooks (签名方式).
    pub enum SignatureScheme {
        Ed25519 = "ED25519", "Ed25519";
        HmacSha256 = "HMAC_SHA256", "HMAC-SHA256";
    }
}

vocabulary! {
    /// How much of an event is told (内容形式).
    pub enum EnvelopeForm {
        Full = "FULL", "完整内容";
        Thin = "THIN", "仅索引";
    }
}

vocabulary! {
    /// Why the service itself suspended a subscription (中止原因).
    pub enum SuspensionCause {
        EndpointGone = "ENDPOINT_GONE", "接收端已下线";
        EndpointFailing = "ENDPOINT_FAILING", "接收端持续失败";
        ChallengeFailed = "CHALLENGE_FAILED", "接收端未通过验证";
        AccountEnded = "ACCOUNT_ENDED", "对接账号失效";
    }
}

/// The secret that signs the deliveries of a subscription.
#[derive(Debug)]
pub enum SigningSecret {}
impl Confidential for SigningSecret {
    const FIELD: &'static str = "eventSubscription.signingSecret";
}

const MANAGES: &[By] = &[By::InLeadUnit(Role::Integrator), By::InRegion(Role::Administrator)];
const SERVICE: &[By] = &[By::InRegion(Role::Scheduler)];
const LIVING: &[EventSubscriptionStatus] = &[Unverified, Active, Paused, Suspended];
const LIFE: Step<EventSubscriptionStatus> = Step {
    action: "",
    term: "",
    from: LIVING,
    to: To::Same,
    by: MANAGES,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<EventSubscriptionStatus>] = &[
    Step {
        action: "createSubscription",
        term: "创建订阅",
        from: &[],
        to: To::OneOf(&[Unverified, Active]),
        by: &[By::InRegion(Role::Integrator), By::InRegion(Role::Administrator)],
        ..LIFE
    },
    Step { action: "changeSubscription", term: "变更订阅", ..LIFE },
    Step {
        action: "moveEndpoint",
        term: "变更接收地址",
        from: &[Unverified, Active, Suspended],
        to: To::State(Unverified),
        ..LIFE
    },
    Step { action: "rotateSigningSecret", term: "轮换签名密钥", ..LIFE },
    Step {
        action: "confirmEndpoint",
        term: "验证接收端",
        from: &[Unverified],
        to: To::State(Active),
        by: SERVICE,
        ..LIFE
    },
    Step {
        action: "pauseSubscription",
        term: "暂停订阅",
        from: &[Unverified, Active],
        to: To::State(Paused),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "suspendSubscription",
        term: "中止订阅",
        from: &[Unverified, Active],
        to: To::State(Suspended),
        by: SERVICE,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "resumeSubscription",
        term: "恢复订阅",
        from: &[Paused, Suspended],
        to: To::OneOf(&[Unverified, Active]),
        ..LIFE
    },
    Step {
        action: "rewindSubscription", term: "回退订阅位置", requires: &[Requirement::Reason], ..LIFE
    },
    Step { action: "retryDeliveries", term: "重试投递", ..LIFE },
    Step {
        action: "cancelSubscription",
        term: "取消订阅",
        to: To::State(Cancelled),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of an event subscription.
    EventSubscriptionCommand {
        create CreateSubscription = "createSubscription";
        on ChangeSubscription = "changeSubscription";
        on MoveEndpoint = "moveEndpoint";
        on RotateSigningSecret = "rotateSigningSecret";
        on ConfirmEndpoint = "confirmEndpoint";
        on PauseSubscription = "pauseSubscription" (reason);
        on SuspendSubscription = "suspendSubscription" (reason);
        on ResumeSubscription = "resumeSubscription";
        on RewindSubscription = "rewindSubscription" (reason);
        on RetryDeliveries = "retryDeliveries";
        on CancelSubscription = "cancelSubscription" (reason);
    }
}

/// Most characters of the address of an endpoint.
pub const ADDRESS: usize = 2_000;
/// Most hours for which the former signing secret goes on signing beside the new one: a week.
pub const MOST_OVERLAP_HOURS: i32 = 168;
/// Most webhooks of one service. One that stands still may go on at any time, so all count that are not cancelled.
pub const MOST_WEBHOOKS: i64 = 1_000;

/// Where a webhook is sent to, and what signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its address: https, or http where the operator allows it.
    pub url: String,
    /// What signs.
    pub key: SigningKey,
}

/// What signs the deliveries of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// How.
    pub scheme: SignatureScheme,
    /// With what.
    pub secret: Sealed<SigningSecret>,
    /// What checks it, for ED25519: `whpk_` and base64.
    pub public_key: Option<String>,
}

/// Creates an event subscription (创建订阅).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSubscription {
    /// What it is called, at most 100 characters.
    pub name: String,
    /// The unit that answers for the system.
    pub unit_id: Id<Unit>,
    /// It sees this region and all inside it.
    pub region_code: RegionCode,
    /// Which changes.
    #[serde(rename = "where")]
    pub filter: ChangeFilter,
    /// It begins behind this position; now, when left out.
    pub after: Option<i64>,
    /// Now: the end of the log. A retry need not repeat it.
    #[serde(skip)]
    pub head: i64,
    /// How much is told.
    pub envelope: EnvelopeForm,
    /// Where to; pulled when there is none.
    pub endpoint: Option<NewEndpoint>,
}

/// Where a new webhook is sent to. Its secret is made by whoever asks and is no part of what a retry must repeat.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewEndpoint {
    /// Its address.
    pub url: String,
    /// What signs.
    #[serde(skip)]
    pub key: SigningKey,
    /// How many other webhooks there are that are not cancelled.
    #[serde(skip)]
    pub others: i64,
}

/// Changes what a subscription is called and for (变更订阅). What is left out stays. What lies behind its position is judged by
/// the new filter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSubscription {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// What it is called.
    pub name: Option<String>,
    /// Which changes.
    #[serde(rename = "where")]
    pub filter: Option<ChangeFilter>,
    /// How much is told.
    pub envelope: Option<EnvelopeForm>,
}

/// Sends a webhook to another address, which must answer a challenge first (变更接收地址).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct MoveEndpoint {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// The new address.
    pub url: String,
}

/// Makes a new signing secret (轮换签名密钥); the former one goes on signing beside it for a while.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotateSigningSecret {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// For how many hours both sign, 0 to 168.
    pub overlap_hours: i32,
    /// What signs from now on.
    #[serde(skip)]
    pub key: SigningKey,
}

/// Says that the endpoint has answered its challenge (验证接收端). By the service itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmEndpoint {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// The address that was asked: it may have changed meanwhile.
    pub url: String,
}

/// Pauses a subscription (暂停订阅). Nothing is lost: it goes on from where it stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct PauseSubscription {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// Why.
    pub reason: String,
}

/// Suspends a subscription (中止订阅). By the service itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuspendSubscription {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// What for.
    pub cause: SuspensionCause,
    /// What was seen, such as the last answer of the endpoint.
    pub reason: String,
}

/// Goes on where it stands (恢复订阅); a webhook answers a challenge again.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ResumeSubscription {
    /// The subscription.
    pub id: Id<EventSubscription>,
}

/// Sends a subscription back, or plays the events of one subject again (回退订阅位置).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewindSubscription {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// Behind which position it begins again.
    pub after: i64,
    /// Only for this subject; for everything when left out.
    pub subject_id: Option<GlobalId>,
    /// Why.
    pub reason: String,
}

/// Tries at once what failed and waits, or was given up (重试投递).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RetryDeliveries {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// Only of this subject; of all when left out.
    pub subject_id: Option<GlobalId>,
}

/// Cancels a subscription for good (取消订阅). Its signing secret can never be read again.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct CancelSubscription {
    /// The subscription.
    pub id: Id<EventSubscription>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to an event subscription.
    pub enum EventSubscriptionEvent {
        /// 订阅已创建
        Created {
            name: String,
            unit_id: Id<Unit>,
            region_code: RegionCode,
            filter: ChangeFilter,
            after: i64,
            envelope: EnvelopeForm,
            method: DeliveryMethod,
            endpoint: Option<Endpoint>,
        },
        /// 订阅已变更
        Changed { name: Option<String>, filter: Option<ChangeFilter>, envelope: Option<EnvelopeForm> },
        /// 接收地址已变更
        EndpointMoved { url: String },
        /// 接收端已验证
        EndpointConfirmed { url: String },
        /// 签名密钥已轮换
        SigningSecretRotated { key: SigningKey, former_until: DateTime<Utc> },
        /// 订阅已暂停
        Paused { reason: String },
        /// 订阅已中止
        Suspended { cause: SuspensionCause, reason: String },
        /// 订阅已恢复
        Resumed { method: DeliveryMethod },
        /// 订阅位置已回退
        Rewound { after: i64, subject_id: Option<GlobalId>, reason: String },
        /// 已要求重试投递
        RetryRequested { subject_id: Option<GlobalId> },
        /// 订阅已取消
        Cancelled { reason: String },
    }
}

impl EventSubscriptionEvent {
    /// Where the subscription stands after this event.
    pub const fn status(&self) -> Option<EventSubscriptionStatus> {
        /// A webhook is told nothing before its endpoint has answered.
        const fn begun(method: DeliveryMethod) -> EventSubscriptionStatus {
            match method {
                DeliveryMethod::Pull => Active,
                DeliveryMethod::Webhook => Unverified,
            }
        }
        match self {
            Self::Created { method, .. } | Self::Resumed { method } => Some(begun(*method)),
            Self::EndpointMoved { .. } => Some(Unverified),
            Self::EndpointConfirmed { .. } => Some(Active),
            Self::Paused { .. } => Some(Paused),
            Self::Suspended { .. } => Some(Suspended),
            Self::Cancelled { .. } => Some(Cancelled),
            Self::Changed { .. }
            | Self::SigningSecretRotated { .. }
            | Self::Rewound { .. }
            | Self::RetryRequested { .. } => None,
        }
    }
}

/// What an event subscription must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EventSubscription {
    status: Option<EventSubscriptionStatus>,
    unit: Option<Id<Unit>>,
    region: Option<RegionCode>,
    /// The address of a webhook.
    url: Option<String>,
}

impl EventSubscription {
    fn method(&self) -> DeliveryMethod {
        if self.url.is_some() { DeliveryMethod::Webhook } else { DeliveryMethod::Pull }
    }

    /// What only webhooks have.
    fn endpoint(&self) -> Result<&str, Rejection> {
        let message = "a subscription that is pulled has no endpoint";
        self.url.as_deref().ok_or_else(|| Rejection::rule("webhook-only", message, None))
    }
}

/// An address that a webhook can be sent to, as far as its form goes.
fn check_address(field: &str, url: &str) -> Result<(), Rejection> {
    text::required(field, url, ADDRESS)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next());
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains('#');
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') && plain => Ok(()),
        _ => Err(Rejection::invalid(
            field,
            "is not an https:// address in ASCII, without a name, a password or a fragment",
        )),
    }
}

/// A position can be far ahead only by mistake.
fn check_position(field: &str, position: i64) -> Result<(), Rejection> {
    if position < 0 { Err(Rejection::invalid(field, "is less than 0")) } else { Ok(()) }
}

impl Aggregate for EventSubscription {
    const KIND: Kind = Kind::EventSubscription;
    type Status = EventSubscriptionStatus;
    type Command = EventSubscriptionCommand;
    type Event = EventSubscriptionEvent;
    const STEPS: &'static [Step<EventSubscriptionStatus>] = STEPS;

    fn status(&self) -> Option<EventSubscriptionStatus> {
        self.status
    }

    fn subject(&self, command: Option<&EventSubscriptionCommand>, _facts: &Facts) -> Subject {
        let (region, unit) = match command {
            Some(EventSubscriptionCommand::CreateSubscription(create)) => {
                (Some(create.region_code), Some(create.unit_id))
            }
            _ => (self.region, self.unit),
        };
        Subject { region, lead_units: unit.into_iter().collect(), ..Subject::default() }
    }

    fn needs(&self, command: &EventSubscriptionCommand) -> Vec<Need> {
        match command {
            EventSubscriptionCommand::CreateSubscription(create) => {
                vec![Need::Object { kind: Kind::Unit, id: create.unit_id.uuid(), field: "unitId".into() }]
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: EventSubscriptionCommand,
        context: &Context<'_>,
    ) -> Result<Vec<EventSubscriptionEvent>, Rejection> {
        use EventSubscriptionCommand as Command;
        use EventSubscriptionEvent as Happened;
        Ok(vec![match command {
            Command::CreateSubscription(create) => {
                let CreateSubscription {
                    name,
                    unit_id,
                    region_code,
                    filter,
                    after,
                    head,
                    envelope,
                    endpoint,
                } = create;
                text::required("name", &name, text::SHORT)?;
                Unit::check_active("unitId", unit_id, context.facts)?;
                let viewer = context.viewer;
                if !viewer.roles.contains(&Role::Administrator) && !viewer.units.contains(&unit_id) {
                    return Err(Rejection::invalid("unitId", "is not a unit that the viewer works for"));
                }
                let filter = filter.checked("where")?;
                let after = after.unwrap_or(head);
                check_position("after", after)?;
                let (method, endpoint) = match endpoint {
                    Some(NewEndpoint { url, key, others }) => {
                        check_address("endpoint.url", &url)?;
                        if others >= MOST_WEBHOOKS {
                            let message = format!(
                                "there are {others} webhooks, as many as can be served: pull, or cancel one first"
                            );
                            return Err(Rejection::rule("most-webhooks", message, None));
                        }
                        (DeliveryMethod::Webhook, Some(Endpoint { url, key }))
                    }
                    None => (DeliveryMethod::Pull, None),
                };
                Happened::Created { name, unit_id, region_code, filter, after, envelope, method, endpoint }
            }
            Command::ChangeSubscription(ChangeSubscription { name, filter, envelope, .. }) => {
                text::maybe("name", name.as_ref(), text::SHORT)?;
                let filter = filter.map(|filter| filter.checked("where")).transpose()?;
                if name.is_none() && filter.is_none() && envelope.is_none() {
                    return Err(Rejection::invalid(
                        "name",
                        "is left out like everything else: nothing changes",
                    ));
                }
                Happened::Changed { name, filter, envelope }
            }
            Command::MoveEndpoint(MoveEndpoint { url, .. }) => {
                self.endpoint()?;
                check_address("url", &url)?;
                Happened::EndpointMoved { url }
            }
            Command::ConfirmEndpoint(ConfirmEndpoint { url, .. }) => {
                if self.endpoint()? != url {
                    let message = "the endpoint has another address now";
                    return Err(Rejection::rule("current-endpoint", message, None));
                }
                Happened::EndpointConfirmed { url }
            }
            Command::RotateSigningSecret(RotateSigningSecret { overlap_hours, key, .. }) => {
                self.endpoint()?;
                if !(0..=MOST_OVERLAP_HOURS).contains(&overlap_hours) {
                    return Err(Rejection::invalid("overlapHours", "is not between 0 and 168"));
                }
                let former_until = context.now + TimeDelta::hours(overlap_hours.into());
                Happened::SigningSecretRotated { key, former_until }
            }
            Command::PauseSubscription(PauseSubscription { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                Happened::Paused { reason }
            }
            Command::SuspendSubscription(SuspendSubscription { cause, reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                Happened::Suspended { cause, reason }
            }
            Command::ResumeSubscription(_) => Happened::Resumed { method: self.method() },
            Command::RewindSubscription(RewindSubscription { after, subject_id, reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                check_position("after", after)?;
                Happened::Rewound { after, subject_id, reason }
            }
            Command::RetryDeliveries(RetryDeliveries { subject_id, .. }) => {
                Happened::RetryRequested { subject_id }
            }
            Command::CancelSubscription(CancelSubscription { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                Happened::Cancelled { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &EventSubscriptionEvent, _stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            EventSubscriptionEvent::Created { unit_id, region_code, endpoint, .. } => {
                self.unit = Some(*unit_id);
                self.region = Some(*region_code);
                self.url = endpoint.as_ref().map(|endpoint| endpoint.url.clone());
            }
            EventSubscriptionEvent::EndpointMoved { url } => self.url = Some(url.clone()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
