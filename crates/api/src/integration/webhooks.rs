//! A courier for every webhook (事件推送): challenged first, then at work while its subscription is active.
//!
//! The list of subscriptions is read again when one of them or a service key changes, and now and then for what days bring
//! about. A courier works by the subscription as it was when it was started; a change replaces it. Couriers of several
//! processes share the work, because each claims what it sends.
use std::{collections::HashMap, io, sync::Arc, time::Duration};

use futures_util::StreamExt;
use sea_query::{Condition, Expr, ExprTrait};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;
use zhixing_delivery::{
    name_servers::NameServers,
    public_address::PublicOnly,
    standard_webhooks::Secret,
    webhook::{Courier, Destination, Halt, Sender, Verdict, patience},
};
use zhixing_domain::{
    Kind, Viewer,
    integration::event_subscription::{
        ConfirmEndpoint, DeliveryMethod, EventSubscriptionCommand, EventSubscriptionStatus, SigningKey,
        SuspendSubscription, SuspensionCause,
    },
};
use zhixing_event_store::{Error, EventStore, Order};
use zhixing_vault::Vault;

use super::{
    DeliverySettings, account,
    journal::{self, Attempts},
};
use crate::graphql::{event_subscription::EventSubscription, subscription_command::place};

/// Most subscriptions that are looked through: twice as many as there may be webhooks, because those that were made at the same
/// time on the brink are served too.
const LOOKED_THROUGH: u64 = 2_000;
/// How often the list is read though nothing changed: keys expire, secrets end, attempts grow old.
const EVERY: Duration = Duration::from_mins(1);
/// How often an endpoint is challenged before its subscription is suspended.
const CHALLENGES: u32 = 6;
/// The `type` of a challenge.
const CHALLENGE: &str = "cn.zhixing.endpoint.challenge";

/// What sends webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    store: EventStore,
    vault: Vault,
    sender: Sender,
    source: Arc<str>,
}

/// Somebody at work for one subscription as it was at a version.
struct AtWork {
    version: i64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl AtWork {
    /// Tells them to stop. What is on its way is awaited by them, not here.
    fn end(self) -> JoinHandle<()> {
        self.stop.send_replace(true);
        self.task
    }
}

/// Who is at work for which subscription, and who was told to stop.
#[derive(Default)]
struct Staff {
    at_work: HashMap<Uuid, AtWork>,
    ending: Vec<(Uuid, JoinHandle<()>)>,
}

impl Staff {
    fn end(&mut self, id: Uuid) {
        let Some(work) = self.at_work.remove(&id) else { return };
        self.ending.retain(|(_, task)| !task.is_finished());
        self.ending.push((id, work.end()));
    }
    /// Those who worked for a subscription and may still have something to give back.
    fn former(&mut self, id: Uuid) -> Vec<JoinHandle<()>> {
        self.ending.extract_if(.., |(whose, _)| *whose == id).map(|(_, task)| task).collect()
    }
}

impl Webhooks {
    /// What sends webhooks over this log.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the name servers cannot be asked.
    pub fn new(store: EventStore, vault: Vault, settings: &DeliverySettings) -> io::Result<Self> {
        let allowed = settings.allow_networks.clone();
        let addresses = if settings.name_servers.is_empty() {
            PublicOnly::new(allowed)
        } else {
            PublicOnly::with_names(allowed, NameServers::new(&settings.name_servers)?)
        };
        let sender = Sender::new(addresses, settings.allow_http).map_err(io::Error::other)?;
        Ok(Self { store, vault, sender, source: settings.source.as_str().into() })
    }

    /// Works until the service stops; what is on its way then is awaited.
    pub fn start(self, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(async move { self.run(stopped).await })
    }

    async fn run(&self, mut stopped: watch::Receiver<bool>) {
        let mut staff = Staff::default();
        // From before the list is read, so that no change falls in between.
        let mut changes = std::pin::pin!(self.store.follow(self.store.head()).filter(|event| {
            let kinds = [Kind::EventSubscription, Kind::ServiceKey];
            std::future::ready(event.as_ref().is_ok_and(|event| kinds.contains(&event.kind)))
        }));
        loop {
            if let Err(error) = self.look(&mut staff).await {
                tracing::warn!(%error, "the list of webhooks cannot be read: trying again");
            }
            tokio::select! {
                () = over(&mut stopped) => break,
                _ = changes.next() => {}
                () = tokio::time::sleep(EVERY) => {
                    if let Err(error) = journal::forget(&self.store).await {
                        tracing::warn!(%error, "old attempts to deliver stay for now");
                    }
                }
            }
        }
        let Staff { at_work, ending } = staff;
        let all = at_work.into_values().map(AtWork::end).chain(ending.into_iter().map(|(_, task)| task));
        futures_util::future::join_all(all).await;
    }

    /// Lets those work that should, and ends those that should not.
    async fn look(&self, staff: &mut Staff) -> Result<(), Error> {
        let wanted = Condition::all().add(Expr::col("method").eq(DeliveryMethod::Webhook)).add(
            Expr::col("status").is_in([EventSubscriptionStatus::Unverified, EventSubscriptionStatus::Active]),
        );
        let subscriptions: Vec<EventSubscription> = self.store.pool().all(wanted, LOOKED_THROUGH).await?;
        let current = |id: &Uuid, work: &AtWork| {
            let same = |subscription: &EventSubscription| {
                subscription.life.id.0.uuid() == *id && subscription.life.version == work.version
            };
            subscriptions.iter().any(same) && !work.task.is_finished()
        };
        let ended: Vec<Uuid> =
            staff.at_work.iter().filter(|(id, work)| !current(id, work)).map(|(id, _)| *id).collect();
        for id in ended {
            staff.end(id);
        }
        for subscription in subscriptions {
            let id = subscription.life.id.0.uuid();
            if let Some(reason) = account::ended(&self.store, &subscription).await? {
                staff.end(id);
                self.suspend(&subscription, SuspensionCause::AccountEnded, reason).await;
            } else if !staff.at_work.contains_key(&id) {
                let (stop, stopped) = watch::channel(false);
                let version = subscription.life.version;
                let this = self.clone();
                let former = staff.former(id);
                let task = tokio::spawn(async move {
                    // What they hold would else be waited for until its time is over.
                    futures_util::future::join_all(former).await;
                    this.serve(&subscription, stopped).await;
                });
                staff.at_work.insert(id, AtWork { version, stop, task });
            }
        }
        self.clear_away().await
    }

    /// Forgets what cancelled subscriptions leave behind, their secrets first.
    async fn clear_away(&self) -> Result<(), Error> {
        let cancelled = Condition::all().add(Expr::col("status").eq(EventSubscriptionStatus::Cancelled)).add(
            Expr::col("id").in_subquery(sea_query::Query::select().column("id").from("consumers").to_owned()),
        );
        for subscription in self.store.pool().all::<EventSubscription>(cancelled, LOOKED_THROUGH).await? {
            let keys = [&subscription.signing_key, &subscription.former_key];
            let mut destroyed = true;
            for key in keys.into_iter().flatten() {
                if let Err(error) = self.vault.destroy(key.secret.key()).await {
                    tracing::warn!(%error, "the secret of a cancelled subscription stays for now");
                    destroyed = false;
                }
            }
            if destroyed {
                account::consumer(&self.store, &subscription).await?.remove().await?;
            }
        }
        Ok(())
    }

    /// Works for one subscription as it is now.
    async fn serve(&self, subscription: &EventSubscription, stopped: watch::Receiver<bool>) {
        let secrets = match self.secrets(subscription).await {
            Ok(secrets) => secrets,
            Err(error) => {
                tracing::warn!(%error, "a webhook cannot be signed: trying again in a while");
                return;
            }
        };
        if subscription.status == EventSubscriptionStatus::Unverified {
            self.challenge(subscription, &secrets, stopped).await;
            return;
        }
        let consumer = match account::consumer(&self.store, subscription).await {
            Ok(consumer) => consumer,
            Err(error) => {
                tracing::warn!(%error, "how far a webhook has got cannot be read: trying again in a while");
                return;
            }
        };
        let courier = Courier {
            store: self.store.clone(),
            consumer,
            wanted: account::InSight::of(&self.store, subscription),
            destination: Arc::new(Destination {
                url: subscription.url.clone().unwrap_or_default(),
                secrets,
                envelope: subscription.envelope,
                source: self.source.to_string(),
            }),
            sender: self.sender.clone(),
            journal: Attempts { store: self.store.clone(), subscription: subscription.life.id.0.uuid() },
        };
        match courier.run(stopped).await {
            Ok(Halt::Stopped) => {}
            Ok(Halt::Gone(reason)) => {
                self.suspend(subscription, SuspensionCause::EndpointGone, reason).await;
            }
            Ok(Halt::Failing(reason)) => {
                self.suspend(subscription, SuspensionCause::EndpointFailing, reason).await;
            }
            Err(error) => tracing::error!(%error, "a webhook stands still: trying again in a while"),
        }
    }

    /// What signs now: the present secret, and the former one until its time is over.
    async fn secrets(&self, subscription: &EventSubscription) -> Result<Vec<Secret>, String> {
        let overlaps = subscription.former_key_until.is_some_and(|until| until > self.store.clock().now());
        let former = subscription.former_key.as_ref().filter(|_| overlaps);
        let mut secrets = Vec::with_capacity(2);
        for key in subscription.signing_key.as_ref().into_iter().chain(former) {
            secrets.push(self.open(key).await?);
        }
        if secrets.is_empty() { Err("it has no secret".into()) } else { Ok(secrets) }
    }

    async fn open(&self, key: &SigningKey) -> Result<Secret, String> {
        let sealed = &key.secret;
        let personal = self.vault.key(sealed.key()).await.map_err(|error| error.to_string())?;
        let plain = personal.open(place(sealed.key()), sealed).map_err(|error| error.to_string())?;
        Secret::read(plain.reveal()).map_err(|error| error.to_string())
    }

    /// Asks an endpoint whether it wants to be told: it answers with the challenge.
    async fn challenge(
        &self,
        subscription: &EventSubscription,
        secrets: &[Secret],
        mut stopped: watch::Receiver<bool>,
    ) {
        let url = subscription.url.clone().unwrap_or_default();
        let mut last = String::new();
        for number in 1..=CHALLENGES {
            let challenge = self.store.clock().new_id().simple().to_string();
            let id = self.store.clock().new_id().to_string();
            let body =
                serde_json::json!({ "type": CHALLENGE, "challenge": challenge, "source": &*self.source });
            let body = body.to_string().into_bytes().into();
            let now = self.store.clock().now();
            let attempt = self.sender.send(&url, &id, "application/json", body, secrets, now).await;
            last = match (attempt.verdict(), &attempt.result) {
                (Verdict::Taken, Ok(answer)) if is_answer(&answer.body, &challenge) => {
                    let confirm = ConfirmEndpoint { id: subscription.life.id.0, url };
                    self.tell(confirm).await;
                    return;
                }
                (Verdict::Taken, _) => "it did not answer with the challenge".into(),
                (Verdict::Gone, _) => "it answered 410".into(),
                (Verdict::Later(_, reason) | Verdict::Failed(reason), _) => reason,
            };
            if number < CHALLENGES {
                tokio::select! {
                    () = over(&mut stopped) => return,
                    () = tokio::time::sleep(patience::wait(number, 0.5)) => {}
                }
            }
        }
        self.suspend(subscription, SuspensionCause::ChallengeFailed, last).await;
    }

    async fn suspend(&self, subscription: &EventSubscription, cause: SuspensionCause, reason: String) {
        tracing::warn!(subscription = %subscription.life.id.0, cause = cause.as_str(), reason, "a webhook is suspended");
        self.tell(SuspendSubscription { id: subscription.life.id.0, cause, reason }).await;
    }

    /// Tells a subscription what has happened; it may have changed meanwhile, and then it refuses.
    async fn tell(&self, command: impl Into<EventSubscriptionCommand>) {
        let order = Order {
            viewer: Viewer::scheduler(),
            command: command.into(),
            command_id: None,
            expected_version: None,
            dry_run: false,
        };
        match self.store.execute::<EventSubscription>(order).await {
            Ok(_) | Err(Error::Rejected(_)) => {}
            Err(error) => {
                tracing::warn!(%error, "what happened to a webhook cannot be recorded: trying again");
            }
        }
    }
}

/// Comes when it is over.
async fn over(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// The challenge itself, or as the member `challenge` of an object.
fn is_answer(body: &str, challenge: &str) -> bool {
    let object = || serde_json::from_str::<serde_json::Value>(body).ok();
    body.trim() == challenge || object().is_some_and(|body| body["challenge"] == challenge)
}
