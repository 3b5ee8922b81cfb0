//! The work of publishing: one process at a time, for as long as the service runs.
use std::{convert::Infallible, pin::pin, time::Duration};

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use futures_util::{StreamExt, stream::FuturesOrdered};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use zhixing_event_store::{Error, EventStore, Lease};

use super::{
    link::{Link, wait},
    message,
    settings::Settings,
    stream::{self, Refusal},
};

/// Names the work among those that one of several processes does.
const NAME: &str = "nats";
/// After so long a silence another process publishes.
const LEASE: Duration = Duration::from_secs(15);
/// Messages on their way that are not yet acknowledged.
const WINDOW: usize = 256;
/// Bytes of such messages behind which no further one is sent: what waits on a slow line must not outwait its acknowledgement.
const WINDOW_BYTES: usize = 1 << 20;
/// The longest wait after a failure.
const LONGEST: Duration = Duration::from_secs(5);
/// How long after a refusal it is looked again whether somebody helped.
const REFUSED: Duration = Duration::from_secs(10);

/// How it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Another process publishes, or it is not yet known.
    #[default]
    Waiting,
    /// This process publishes.
    Publishing,
    /// It does not work at present, and is tried again.
    Failing(String),
    /// Somebody has to look.
    Refused(Refusal),
}

/// Where a publisher stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How it goes.
    pub state: State,
    /// The stream holds the log up to here, as far as this process knows.
    pub position: i64,
    /// How often the connection broke off.
    pub reconnects: u64,
}

/// Why a publisher stopped, until it goes on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another process publishes.
    NotOurTurn,
    /// Something fails that may work again.
    Failed(String),
    /// Somebody has to look.
    Refused(Refusal),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(format!("the log cannot be read: {error}"))
    }
}

/// Brings the log into a stream.
#[derive(Debug)]
pub struct Publisher {
    store: EventStore,
    settings: Settings,
    /// The `source` of every event.
    source: String,
    lease: Lease,
    renewal: Duration,
    standing: watch::Sender<Standing>,
}

impl Publisher {
    /// A publisher that does nothing yet.
    pub fn new(store: EventStore, settings: Settings, source: String) -> Self {
        Self::with_lease(store, settings, source, LEASE)
    }

    /// The same, which another may take over from after so long a silence.
    pub(super) fn with_lease(
        store: EventStore,
        settings: Settings,
        source: String,
        length: Duration,
    ) -> Self {
        let lease = Lease::new(store.clone(), NAME, length);
        let renewal = (length / 3).max(Duration::from_millis(100));
        Self { store, settings, source, lease, renewal, standing: watch::Sender::default() }
    }

    /// Hears of every change of where it stands.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Publishes until the service stops. Whatever fails is tried again.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut stopped = pin!(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        });
        let (mut link, mut failures) = (None, 0);
        loop {
            // Cut off in the middle, nothing is half done: the next one looks where the stream ends.
            let trouble = tokio::select! {
                () = &mut stopped => break,
                done = self.work(&mut link, &mut failures) => match done { Err(trouble) => trouble, Ok(never) => match never {} },
            };
            failures += 1;
            let pause = self.pause(trouble, failures).await;
            self.measure();
            tokio::select! {
                () = &mut stopped => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.release().await;
    }

    /// Says what is the matter, lets others try, and how long to wait.
    async fn pause(&self, trouble: Trouble, failures: usize) -> Duration {
        let (state, pause) = match trouble {
            Trouble::NotOurTurn => (State::Waiting, self.renewal),
            Trouble::Failed(reason) => (State::Failing(reason), wait(failures, LONGEST)),
            Trouble::Refused(refusal) => (State::Refused(refusal), REFUSED),
        };
        if state != State::Waiting {
            self.release().await;
        }
        self.enter(&state);
        pause
    }

    /// Others need not wait for the end of the lease. When that fails they do.
    async fn release(&self) {
        if let Err(error) = self.lease.release().await {
            tracing::debug!(%error, "the next publisher waits until the lease of this one ends");
        }
    }

    /// Says a change once.
    fn enter(&self, state: &State) {
        let kind = std::mem::discriminant::<State>;
        let mut before = state.clone();
        self.standing.send_modify(|standing| std::mem::swap(&mut standing.state, &mut before));
        match state {
            State::Refused(refusal) if before != *state => {
                tracing::error!(%refusal, "nothing is published to NATS");
            }
            State::Failing(reason) if kind(&before) != kind(state) => {
                tracing::warn!(reason, "publishing to NATS fails: trying again");
            }
            State::Publishing if kind(&before) != kind(state) => {
                tracing::info!(stream = self.settings.stream, "the log is published to NATS");
            }
            _ => {}
        }
    }

    /// Publishes for as long as all goes well.
    async fn work(&self, link: &mut Option<Link>, failures: &mut usize) -> Result<Infallible, Trouble> {
        if !self.lease.hold().await? {
            return Err(Trouble::NotOurTurn);
        }
        let link = match link {
            Some(link) => link,
            None => link.insert(Link::connect(&self.settings).await?),
        };
        link.connected().await?;
        let mut lost = pin!(link.lost());
        self.note_reconnects(link);
        let stream = stream::open(&link.context, &self.settings).await?;
        let begin = stream::end(&stream, &self.store, &self.settings.stream, &self.source).await?;
        self.reached(begin);
        let mut renewal = tokio::time::interval_at(Instant::now() + self.renewal, self.renewal);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut events = pin!(self.store.follow(begin));
        let (mut under_way, mut bytes) = (FuturesOrdered::new(), 0);
        if begin >= self.store.head() {
            self.enter(&State::Publishing);
        }
        loop {
            tokio::select! {
                biased;
                () = &mut lost => return Err(Trouble::Failed("the connection broke off".into())),
                _ = renewal.tick() => {
                    if !self.lease.hold().await? {
                        return Err(Trouble::NotOurTurn);
                    }
                    self.measure();
                }
                Some((position, size, acknowledged)) = under_way.next() => {
                    bytes -= size;
                    self.judge(position, acknowledged)?;
                    *failures = 0;
                    self.reached(position);
                    self.enter(&State::Publishing);
                }
                event = events.next(), if under_way.len() < WINDOW && bytes < WINDOW_BYTES => {
                    let Some(event) = event else {
                        return Err(Trouble::Failed("the log is closed".into()));
                    };
                    let event = event?;
                    let message = message::message(&event, &self.settings.stream, &self.source)?;
                    let size = event.data.len();
                    let sent = link.context.send_publish(message::subject(&event), message).await;
                    let sent = sent.map_err(|error| match error.kind() {
                        PublishErrorKind::MaxPayloadExceeded => {
                            Refusal::TooLarge { position: event.position, most: link.max_payload() }.into()
                        }
                        _ => not_taken(event.position, &error),
                    })?;
                    let position = event.position;
                    bytes += size;
                    under_way.push_back(async move { (position, size, sent.await) });
                }
            }
        }
    }

    /// Whether the server has put the event where it belongs.
    fn judge(
        &self,
        position: i64,
        acknowledged: Result<async_nats::jetstream::publish::PublishAck, PublishError>,
    ) -> Result<(), Trouble> {
        let acknowledged = acknowledged.map_err(|error| not_taken(position, &error))?;
        if i64::try_from(acknowledged.sequence) != Ok(position) || acknowledged.stream != self.settings.stream
        {
            return Err(Trouble::Failed(format!(
                "the event at position {position} became message {} of {}",
                acknowledged.sequence, acknowledged.stream
            )));
        }
        Ok(())
    }

    fn reached(&self, position: i64) {
        self.standing.send_modify(|standing| standing.position = position);
        if position >= self.store.head() || position % 1_000 == 0 {
            self.measure();
        }
    }

    fn note_reconnects(&self, link: &Link) {
        let lost = link.lost_so_far();
        self.standing.send_if_modified(|standing| {
            let more = lost.saturating_sub(standing.reconnects);
            standing.reconnects += more;
            metrics::counter!("zhixing_nats_reconnects_total").increment(more);
            more > 0
        });
    }

    /// Tells the measurements where it stands.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float by the format")]
    fn measure(&self) {
        let Standing { state, position, .. } = self.standing.borrow().clone();
        let publishing = state == State::Publishing;
        // Whoever waits does not lag: another process does the work.
        let lag = if state == State::Waiting { 0 } else { (self.store.head() - position).max(0) };
        metrics::gauge!("zhixing_nats_publishing").set(f64::from(u8::from(publishing)));
        metrics::gauge!("zhixing_nats_position").set(position as f64);
        metrics::gauge!("zhixing_nats_lag").set(lag as f64);
    }
}

fn not_taken(position: i64, error: &PublishError) -> Trouble {
    Trouble::Failed(format!("the event at position {position} was not taken: {error}"))
}
