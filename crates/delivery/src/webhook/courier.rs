//! The work of one subscription: claim, send, settle, until told to stop.
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;
use zhixing_domain::{id::GlobalId, integration::event_subscription::EnvelopeForm};
use zhixing_event_store::{
    Consumer, Error, EventStore, Recorded,
    consumer::{Batch, Outcome, Settled, Wanted},
};

use super::{
    breaker::Breaker,
    patience,
    sender::{Attempt, Sender, Verdict},
};
use crate::{cloud_event::CloudEvent, standard_webhooks::Secret};

/// Subjects that are sent to one endpoint at the same time.
const PARALLEL: usize = 64;
/// Events that are claimed at once.
const CLAIMED: usize = 500;
/// How long what was claimed is ours, unless that is said again: so long it waits for others when a process is killed.
const HOLD: Duration = Duration::from_secs(30);
/// How often it is said again while it is being sent.
const RENEW: Duration = Duration::from_secs(10);
/// How long a claim that found nothing is not repeated, though the log has grown: what comes together is claimed together.
const GATHER: Duration = Duration::from_millis(2);
/// How long a courier waits at most while something waits to be acknowledged: what others hold, they may give back before
/// their time, and nobody is told of that.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long after a failure of the database it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where events are sent to, and how.
#[derive(Debug)]
pub struct Destination {
    /// The address.
    pub url: String,
    /// What signs: more than one while secrets overlap.
    pub secrets: Vec<Secret>,
    /// How much is told of kinds that are not confidential.
    pub envelope: EnvelopeForm,
    /// The `source` of every event.
    pub source: String,
}

/// One line of the delivery log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Of which event.
    pub event: Uuid,
    /// Its position.
    pub position: i64,
    /// Its subject.
    pub subject: GlobalId,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// What was tried and what came of it.
    pub attempt: Attempt,
}

/// Where attempts are written down.
pub trait Journal: Send + Sync + 'static {
    /// Writes these down. What fails here fails for itself: a delivery does not depend on its log.
    fn record(&self, entries: Vec<Entry>) -> impl Future<Output = ()> + Send;
}

/// Why a courier ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It was told to.
    Stopped,
    /// The endpoint says that it is no more.
    Gone(String),
    /// The endpoint has taken nothing for as long as is enough.
    Failing(String),
}

/// Brings the events of one subscription to its endpoint.
#[derive(Debug)]
pub struct Courier<W, J> {
    /// The log.
    pub store: EventStore,
    /// How far the subscription has got.
    pub consumer: Consumer,
    /// Which events it is for.
    pub wanted: W,
    /// Where they go.
    pub destination: Arc<Destination>,
    /// What sends.
    pub sender: Sender,
    /// Where attempts are written down.
    pub journal: J,
}

/// What came of a batch.
struct Done {
    settled: Settled,
    entries: Vec<Entry>,
    halt: Option<Halt>,
}

/// What all tasks of a courier share.
#[derive(Clone)]
struct Shared {
    breaker: Arc<Mutex<Breaker>>,
    /// What was claimed and not yet settled: the token of each subject.
    held: Arc<Mutex<HashMap<Uuid, Uuid>>>,
    stop: watch::Receiver<bool>,
}

impl Shared {
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, Uuid>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn must_rest(&self) -> bool {
        *self.stop.borrow() || self.breaker().open_until(Instant::now()).is_some()
    }
}

impl<W: Wanted, J: Journal> Courier<W, J> {
    /// Works until `stop` says so or the endpoint is no more. What is on its way is awaited and settled; what was claimed and not
    /// sent is given back.
    ///
    /// # Errors
    /// When the subscription has no consumer or an event cannot be read; a database that fails is waited for.
    pub async fn run(&self, stop: watch::Receiver<bool>) -> Result<Halt, Error> {
        let shared = Shared { breaker: Arc::default(), held: Arc::default(), stop: stop.clone() };
        let mut renew_at = Instant::now() + RENEW;
        let mut heads = self.store.heads();
        let mut sending: JoinSet<Done> = JoinSet::new();
        let mut waiting: VecDeque<Batch> = VecDeque::new();
        let mut halt = None;
        while halt.is_none() {
            let ended = *stop.borrow() || stop.has_changed().is_err();
            if ended && sending.is_empty() {
                break;
            }
            if shared.must_rest() {
                let back: Vec<Settled> = waiting.drain(..).map(|batch| batch.back()).collect();
                self.settle(&shared, &back).await;
            }
            if Instant::now() >= renew_at {
                self.renew(&shared).await;
                renew_at = Instant::now() + RENEW;
            }
            heads.mark_unchanged();
            let mut wake = None;
            if !ended && waiting.is_empty() && sending.len() < PARALLEL {
                match self.next(&shared, sending.is_empty()).await {
                    Ok((batches, next)) => {
                        shared.held().extend(batches.iter().map(|batch| (batch.subject, batch.token)));
                        waiting.extend(batches);
                        wake = next;
                    }
                    Err(error @ (Error::NoConsumer | Error::Unreadable { .. } | Error::Broken { .. })) => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a subscription cannot be read: trying again");
                        wake = Some(PAUSE);
                    }
                }
            }
            while sending.len() < PARALLEL
                && let Some(batch) = waiting.pop_front()
            {
                sending.spawn(deliver(
                    batch,
                    self.destination.clone(),
                    self.sender.clone(),
                    self.store.clone(),
                    shared.clone(),
                ));
            }
            if !shared.held().is_empty() {
                let renew_in = renew_at.saturating_duration_since(Instant::now());
                wake = Some(wake.map_or(renew_in, |wake| wake.min(renew_in)));
            }
            halt = self.wait(&shared, &mut sending, &mut heads, wake).await;
        }
        let back: Vec<Settled> = waiting.drain(..).map(|batch| batch.back()).collect();
        self.settle(&shared, &back).await;
        while let Some(done) = sending.join_next().await {
            let _ = self.finish(&shared, done.into_iter().collect()).await;
        }
        Ok(halt.unwrap_or(Halt::Stopped))
    }

    /// What can be sent next, and when something more can be, should nothing happen before.
    async fn next(&self, shared: &Shared, idle: bool) -> Result<(Vec<Batch>, Option<Duration>), Error> {
        let now = Instant::now();
        let (open_until, on_trial) = {
            let breaker = shared.breaker();
            (breaker.open_until(now), breaker.is_on_trial())
        };
        if let Some(until) = open_until {
            return Ok((Vec::new(), Some(until - now)));
        }
        if on_trial && !idle {
            return Ok((Vec::new(), None));
        }
        let most = if on_trial { 1 } else { CLAIMED };
        let claimed = self.consumer.claim(&self.wanted, most, HOLD).await?;
        let in_time =
            |at: DateTime<Utc>| (at - self.store.clock().now()).to_std().unwrap_or(GATHER).max(GATHER);
        Ok((claimed.batches, claimed.next.map(|at| in_time(at).min(LOOK_AGAIN))))
    }

    /// Waits until something is done, written, due or over.
    async fn wait(
        &self,
        shared: &Shared,
        sending: &mut JoinSet<Done>,
        heads: &mut watch::Receiver<i64>,
        wake: Option<Duration>,
    ) -> Option<Halt> {
        let mut stop = shared.stop.clone();
        let due = async {
            match wake {
                Some(wake) => tokio::time::sleep(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(done) = sending.join_next() => {
                let mut all: Vec<Done> = done.into_iter().collect();
                while let Some(done) = sending.try_join_next() {
                    all.extend(done);
                }
                return self.finish(shared, all).await;
            }
            moved = heads.changed() => {
                if moved.is_err() {
                    return Some(Halt::Stopped);
                }
                tokio::time::sleep(GATHER).await;
            }
            () = due => {}
            _ = stop.changed() => {}
        }
        None
    }

    /// Writes down what came of batches and settles them.
    async fn finish(&self, shared: &Shared, done: Vec<Done>) -> Option<Halt> {
        let (mut settled, mut entries, mut halt) = (Vec::with_capacity(done.len()), Vec::new(), None);
        for done in done {
            settled.push(done.settled);
            entries.extend(done.entries);
            halt = halt.or(done.halt);
        }
        self.journal.record(entries).await;
        self.settle(shared, &settled).await;
        halt
    }

    /// Says that what is being sent is still being sent. Who cannot say so goes on: what was handed to others meanwhile comes
    /// twice.
    async fn renew(&self, shared: &Shared) {
        let held: Vec<(Uuid, Uuid)> =
            shared.held().iter().map(|(subject, token)| (*subject, *token)).collect();
        if !held.is_empty()
            && let Err(error) = self.consumer.hold(&held, HOLD).await
        {
            tracing::warn!(%error, "what is being delivered cannot be held any longer");
        }
    }

    /// What cannot be settled is handed out again when its time is over: nothing is lost, something comes twice.
    async fn settle(&self, shared: &Shared, settled: &[Settled]) {
        {
            let mut held = shared.held();
            for settled in settled {
                held.remove(&settled.subject);
            }
        }
        if !settled.is_empty()
            && let Err(error) = self.consumer.settle(settled).await
        {
            tracing::warn!(%error, "deliveries cannot be settled: they will be repeated");
        }
    }
}

/// Sends the events of one subject in order, until one is not taken.
async fn deliver(
    batch: Batch,
    destination: Arc<Destination>,
    sender: Sender,
    store: EventStore,
    shared: Shared,
) -> Done {
    let mut done =
        Done { settled: batch.taken(), entries: Vec::with_capacity(batch.events.len()), halt: None };
    done.settled.up_to = 0;
    for event in &batch.events {
        if shared.must_rest() {
            return done;
        }
        let now = store.clock().now();
        let body = match body(event, &destination) {
            Ok(body) => body,
            Err(error) => {
                done.settled.outcome = Outcome::Parked { reason: error.to_string() };
                return done;
            }
        };
        let id = event.id.to_string();
        let sent = sender.send(&destination.url, &id, CONTENT_TYPE, body, &destination.secrets, now);
        let attempt = sent.await;
        // What was taken before in this batch began a new count.
        let progressed = done.settled.up_to > 0;
        let number = if progressed { 1 } else { batch.attempts + 1 };
        let verdict = attempt.verdict();
        let subject = GlobalId { kind: event.kind, uuid: event.stream_id };
        done.entries.push(Entry { event: event.id, position: event.position, subject, number, attempt });
        if verdict == Verdict::Taken {
            shared.breaker().succeeded();
            done.settled.up_to = event.position;
            continue;
        }
        let since = batch.failing_since.filter(|_| !progressed).unwrap_or(now);
        (done.settled.outcome, done.halt) = judge(verdict, number, since, now, &shared);
        return done;
    }
    done.settled.up_to = batch.through;
    done
}

/// What follows from an attempt that failed.
fn judge(
    verdict: Verdict,
    number: u32,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    shared: &Shared,
) -> (Outcome, Option<Halt>) {
    let later = |wait: Duration, reason| {
        let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        Outcome::Later { not_before: now.checked_add_signed(wait).unwrap_or(now), reason }
    };
    let at = Instant::now();
    match verdict {
        Verdict::Gone => {
            let reason = "it answered 410".to_owned();
            (Outcome::Later { not_before: now, reason: reason.clone() }, Some(Halt::Gone(reason)))
        }
        Verdict::Later(wait, reason) => {
            shared.breaker().rest(at, wait);
            (later(wait, reason), None)
        }
        Verdict::Failed(reason) => {
            let mut breaker = shared.breaker();
            if breaker.failed(at) {
                tracing::warn!(reason, "an endpoint fails: it is left alone for a while");
            }
            if patience::is_enough(since, now) {
                let halt = breaker.is_on_trial().then(|| Halt::Failing(reason.clone()));
                return (Outcome::Parked { reason }, halt);
            }
            (later(patience::wait(number, chance()), reason), None)
        }
        Verdict::Taken => (Outcome::Taken, None),
    }
}

/// The format of the events.
const CONTENT_TYPE: &str = "application/cloudevents+json";

fn body(event: &Recorded, destination: &Destination) -> Result<bytes::Bytes, Error> {
    let told = CloudEvent::told(event, &destination.source, destination.envelope)?;
    Ok(serde_json::to_vec(&told)?.into())
}

/// A number between 0 and 1; without randomness the one in the middle.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
