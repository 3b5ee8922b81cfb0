//! Somebody who follows the log: first, when they ask for it, where everything stands at one moment; then every event behind
//! it that they want and may see, with marks in between. The same over server-sent events and GraphQL.
use std::time::Duration;

use futures_util::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::time::Instant;
use zhixing_event_store::{Error, EventFilter, EventStore, event::Shared};

use super::snapshot::Snapshot;
use crate::graphql::{context::Session, event};

/// One thing that a follower is told.
#[derive(Debug)]
pub enum Told {
    /// Where everything stands at the beginning, in parts.
    Snapshot(Snapshot),
    /// Something that is wanted happened.
    Event(Shared),
    /// All that was there at the beginning has been told; this far.
    CaughtUp(i64),
    /// Nothing wanted has happened up to here.
    Heartbeat {
        /// How far has been looked.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// It ends, and why.
    End(&'static str),
}

/// What somebody follows.
pub struct Following {
    /// The log.
    pub store: EventStore,
    /// Who follows.
    pub session: Session,
    /// Which events they want.
    pub filter: EventFilter,
    /// Where everything stands, told first; the events behind it follow.
    pub snapshot: Vec<Snapshot>,
    /// The place behind which they begin.
    pub after: i64,
    /// The end of the log at the beginning.
    pub head: i64,
    /// How often a silent stream says that it is there.
    pub heartbeat: Duration,
    /// Is ready when it must end, and says why.
    pub ends: BoxFuture<'static, &'static str>,
}

impl Following {
    /// What they are told, in order, to the end.
    pub fn told(self) -> impl Stream<Item = Told> + Send + 'static {
        let Self { store, session, filter, snapshot, after, head, heartbeat, ends } = self;
        let events = store.follow(after).boxed();
        let beat = Instant::now() + heartbeat;
        let follower = Follower {
            store,
            session,
            filter,
            events,
            ends,
            heartbeat,
            beat,
            at: after,
            begun_at: Some(head),
        };
        let live = stream::unfold(Some(follower), async |follower| {
            let mut follower = follower?;
            let told = follower.next().await;
            let over = matches!(told, Told::End(_));
            Some((told, Some(follower).filter(|_| !over)))
        });
        stream::iter(snapshot).map(Told::Snapshot).chain(live)
    }
}

struct Follower {
    store: EventStore,
    session: Session,
    filter: EventFilter,
    events: BoxStream<'static, Result<Shared, Error>>,
    ends: BoxFuture<'static, &'static str>,
    heartbeat: Duration,
    beat: Instant,
    /// How far the log has been looked through.
    at: i64,
    /// The end of the log at the beginning, until that has been reached.
    begun_at: Option<i64>,
}

impl Follower {
    async fn next(&mut self) -> Told {
        loop {
            if self.begun_at.is_some_and(|head| self.at >= head) {
                self.begun_at = None;
                return Told::CaughtUp(self.at);
            }
            let event = tokio::select! {
                // Whose access has ended is told nothing more.
                biased;
                reason = &mut self.ends => return Told::End(reason),
                event = self.events.next() => event,
                () = tokio::time::sleep_until(self.beat) => {
                    self.beat = Instant::now() + self.heartbeat;
                    return Told::Heartbeat { position: self.at, head: self.store.head().max(self.at) };
                }
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    tracing::error!(%error, "a feed ends");
                    return Told::End("INTERNAL");
                }
                None => return Told::End("SHUTTING_DOWN"),
            };
            let Ok(wanted) = admits(&self.session, &self.filter, &event).await else {
                return Told::End("INTERNAL");
            };
            self.at = event.position;
            if wanted {
                self.beat = Instant::now() + self.heartbeat;
                return Told::Event(event);
            }
        }
    }
}

/// Whether an event is wanted and may be seen.
pub(super) async fn admits(session: &Session, filter: &EventFilter, event: &Shared) -> Result<bool, ()> {
    if !filter.admits(event) {
        return Ok(false);
    }
    // Subjects are judged as they are now, not as they were when another event came.
    session.forget();
    event::sees(session, event).await.map_err(|error| tracing::error!(error.message, "a feed ends"))
}
