//! The feed of changes (变更推送): `GET /events`, by server-sent events or page by page, for whoever follows the log without
//! GraphQL. One cursor everywhere: the position. Whoever keeps it goes on from there years later.
//!
//! * `text/event-stream`: everything behind `after` (or `Last-Event-ID`), then live. The id of each message is a position.
//!   `caught-up` says that the past is over, `heartbeat` how far has been looked while nothing was wanted, and `end` why it
//!   ends.
//! * `application/x-ndjson`: what there is behind `after`, one CloudEvent a line; with `snapshot` lines of where everything
//!   stands, to go on behind.
//! * `application/json`: the same as one page with the position to go on behind; `wait` lets it wait for the next event.
use std::{convert::Infallible, fmt::Write as _, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use zhixing_delivery::cloud_event::CloudEvent;
use zhixing_domain::integration::event_subscription::EnvelopeForm;
use zhixing_event_store::{EventStore, event::Shared};

use crate::{
    downloads::Caller,
    graphql::context::Session,
    identity::Identity,
    problem::Problem,
    protocol::{AccessChanged, Authenticator, Purchase, Said, Till},
};

mod follower;
mod query;
pub mod snapshot;

use follower::admits;
pub use follower::{Following, Told};
use query::{Wanted, Wish};
use snapshot::{NoSnapshot, ObjectState, Snapshot};

/// Events of a page unless said otherwise, and at most.
const PAGE: usize = 500;
const MOST: usize = 5_000;
/// Events that are looked through for one page.
const LOOKED_THROUGH: i64 = 50_000;
/// Longest wait for the next event, in seconds: shorter than proxies keep a silent request.
const LONGEST_WAIT: u64 = 55;
/// Events that are put into one write when many are there.
const TOGETHER: usize = 256;
/// How many such parts are read ahead.
const AHEAD: usize = 4;
/// What a request costs; whoever follows pays once.
const COST: u64 = 1_000;
/// Says up to where an answer in lines has looked.
const THROUGH: HeaderName = HeaderName::from_static("zhixing-through");

/// What the feed is made of.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The log.
    pub store: EventStore,
    /// Who is at the door.
    pub identity: Identity,
    /// Where they pay.
    pub till: Till,
    /// The `source` of every event.
    pub source: std::sync::Arc<str>,
    /// How often a silent stream says that it is there.
    pub heartbeat: Duration,
    /// Becomes true when the service stops.
    pub shutdown: watch::Receiver<bool>,
}

/// `GET /events`.
pub fn router(feed: Feed) -> Router {
    Router::new().route("/events", get(answer)).with_state(feed)
}

async fn answer(
    State(feed): State<Feed>,
    caller: Caller,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    feed.answer(&caller, wish).await.unwrap_or_else(IntoResponse::into_response)
}

impl Feed {
    async fn answer(
        self,
        caller: &Caller,
        wish: Result<Query<Wish>, QueryRejection>,
    ) -> Result<Response, Problem> {
        let said = Said::of(caller.headers())?;
        let visitor = self.identity.authenticate(&said).await?;
        if !visitor.viewer.is_official() {
            let detail = "changes are for officials and integrators: sign in";
            let signed_in = visitor.viewer.is_somebody();
            let status = if signed_in { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
            return Err(Problem::new(status, "NOT_PERMITTED", detail));
        }
        let Query(wish) = wish.map_err(|rejection| Problem::of_field("query", rejection.body_text()))?;
        let form = form(caller.headers())?;
        let wanted = wish.read(caller.headers(), form == Form::Stream)?;
        let name = Identity::name(&visitor).map(ToOwned::to_owned);
        let paid = match form {
            Form::Stream => self.till.follow(name.as_deref(), caller.address(), COST)?,
            Form::Lines | Form::Page => self.till.open(name.as_deref(), caller.address(), COST)?,
        };
        let mut head = self.head(wanted.after).await?;
        let mut after = wanted.after.unwrap_or(head);
        let session = Session::new(self.store.clone(), visitor.clone());
        let mut snapshot = Vec::new();
        if wanted.snapshot {
            snapshot = snapshot::snapshot(&self.store, &session, &wanted.filter)
                .await
                .map_err(|none| no_snapshot(&none))?;
            after = snapshot.first().map_or(head, |part| part.position);
            head = after;
        }
        Ok(match form {
            Form::Stream => {
                let ends = self.ends(self.identity.changed(&said, &visitor));
                let following = Following {
                    store: self.store.clone(),
                    session,
                    filter: wanted.filter,
                    snapshot,
                    after,
                    head,
                    heartbeat: self.heartbeat,
                    ends,
                };
                stream(following, self.source, paid)
            }
            Form::Lines => self.lines(session, wanted, snapshot, after, head, paid),
            Form::Page => self.page(session, wanted, snapshot, after, head).await?,
        })
    }

    /// The end of the log, at which `after` is not ahead.
    async fn head(&self, after: Option<i64>) -> Result<i64, Problem> {
        let mut head = self.store.head();
        if after.is_some_and(|after| after > head) {
            // Another process may have written what this one has not heard of yet.
            head = self.store.pool().head().await.map_err(|error| Problem::fault(&error))?;
        }
        match after {
            Some(after) if after > head => Err(Problem::of_field("after", "lies behind the end of the log")),
            _ => Ok(head),
        }
    }

    /// Is ready when access ends or the service does, and says why.
    fn ends(&self, changed: BoxFuture<'static, AccessChanged>) -> BoxFuture<'static, &'static str> {
        let mut shutdown = self.shutdown.clone();
        Box::pin(async move {
            tokio::select! {
                biased;
                changed = changed => changed.reason(),
                _ = shutdown.changed() => "SHUTTING_DOWN",
            }
        })
    }

    /// Everything that there is now, one event a line; before it, if that was asked for, where everything stands.
    fn lines(
        self,
        session: Session,
        wanted: Wanted,
        snapshot: Vec<Snapshot>,
        after: i64,
        head: i64,
        paid: Purchase,
    ) -> Response {
        let (limit, filter, source) =
            (wanted.limit.unwrap_or(usize::MAX), wanted.filter, self.source.clone());
        let past = self.store.follow(after).take_while(move |event| {
            let within = event.as_ref().is_ok_and(|event| event.position <= head);
            std::future::ready(within || event.is_err())
        });
        // What follows waits for ever behind the head: the past ends there.
        let past = past.take(usize::try_from(head - after).unwrap_or(usize::MAX));
        let whose = std::sync::Arc::new((session, filter));
        let lines = ahead(past).filter_map(move |event| {
            let whose = whose.clone();
            async move {
                match event {
                    Ok(event) => match admits(&whose.0, &whose.1, &event).await {
                        Ok(true) => Some(Ok(event)),
                        Ok(false) => None,
                        Err(()) => Some(Err(())),
                    },
                    Err(error) => {
                        tracing::error!(%error, "a feed ends");
                        Some(Err(()))
                    }
                }
            }
        });
        let written = lines.take(limit).ready_chunks(TOGETHER).map(move |all| {
            let _held = &paid;
            let mut lines = Vec::new();
            for event in all {
                // An answer that breaks off is cut, so that nobody takes it for whole.
                let event = event.map_err(|()| std::io::Error::other("the log cannot be read"))?;
                write_event(&mut lines, &event, &source)?;
                lines.push(b'\n');
            }
            Ok::<_, std::io::Error>(Bytes::from(lines))
        });
        let standings = futures_util::stream::iter(snapshot).map(|part| {
            let mut line = serde_json::to_vec(&part)?;
            line.push(b'\n');
            Ok(Bytes::from(line))
        });
        let written = standings.chain(written);
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (THROUGH, head.into()),
        ];
        (headers, Body::from_stream(written)).into_response()
    }

    /// One page.
    async fn page(
        &self,
        session: Session,
        wanted: Wanted,
        snapshot: Vec<Snapshot>,
        after: i64,
        head: i64,
    ) -> Result<Response, Problem> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            /// Where everything stood at the beginning, if that was asked for.
            #[serde(skip_serializing_if = "Option::is_none")]
            snapshot: Option<Vec<ObjectState>>,
            events: Vec<Box<serde_json::value::RawValue>>,
            /// Go on behind this one.
            position: i64,
            head: i64,
            caught_up: bool,
        }
        let limit = wanted.limit.unwrap_or(PAGE).min(MOST);
        let (mut events, mut position, mut head) = (Vec::new(), after, head);
        let deadline = Instant::now() + Duration::from_secs(wanted.wait);
        let mut heads = self.store.heads();
        loop {
            let begun = position;
            while position < head && events.len() < limit && position - begun < LOOKED_THROUGH {
                let page = self
                    .store
                    .pool()
                    .read_log(position, 500)
                    .await
                    .map_err(|error| Problem::fault(&error))?;
                if page.is_empty() {
                    break;
                }
                for event in page {
                    position = event.position;
                    let event = Shared::from(event);
                    let wanted = admits(&session, &wanted.filter, &event).await;
                    if wanted.map_err(|()| {
                        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
                    })? {
                        let mut text = Vec::new();
                        write_event(&mut text, &event, &self.source).map_err(|error| {
                            tracing::error!(%error, "an event cannot be written");
                            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
                        })?;
                        let text = String::from_utf8_lossy(&text).into_owned();
                        events.extend(serde_json::value::RawValue::from_string(text));
                    }
                    if events.len() == limit {
                        break;
                    }
                }
            }
            if !events.is_empty() || position < head || Instant::now() >= deadline {
                break;
            }
            let mut shutdown = self.shutdown.clone();
            tokio::select! {
                moved = heads.changed() => if moved.is_err() { break },
                () = tokio::time::sleep_until(deadline) => {}
                _ = shutdown.changed() => break,
            }
            head = self.store.head().max(head);
        }
        let snapshot = wanted.snapshot.then(|| snapshot.into_iter().flat_map(|part| part.objects).collect());
        let page = Page { snapshot, events, position, head, caught_up: position >= head };
        let body = serde_json::to_vec(&page).map_err(|error| Problem::fault(&error.into()))?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((headers, body).into_response())
    }
}

/// Server-sent events without end.
fn stream(following: Following, source: std::sync::Arc<str>, paid: Purchase) -> Response {
    let told = following.told();
    let written = told.ready_chunks(TOGETHER).map(move |all| {
        let mut text = String::new();
        for told in &all {
            write_message(&mut text, told, &source);
        }
        let _held = &paid;
        Ok::<_, Infallible>(Bytes::from(text))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that gather answers would keep what is due now.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(written)).into_response()
}

/// The same, read ahead by a task of its own: while some are written, the next are read. It ends when nobody takes any more.
fn ahead<T: Send + 'static>(stream: impl Stream<Item = T> + Send + 'static) -> impl Stream<Item = T> + Send {
    let (tell, told) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let mut all = std::pin::pin!(stream.ready_chunks(TOGETHER));
        while let Some(some) = all.next().await {
            if tell.send(some).await.is_err() {
                break;
            }
        }
    });
    ReceiverStream::new(told).flat_map(futures_util::stream::iter)
}

/// Why there is no snapshot, as a problem.
fn no_snapshot(none: &NoSnapshot) -> Problem {
    match none {
        NoSnapshot::OfEvents(part) => Problem::of_field(part, none.reason()),
        NoSnapshot::TooMany => Problem::of_field("snapshot", none.reason()),
        NoSnapshot::Failed(error) => Problem::fault(error),
    }
}

/// One event as JSON; of confidential kinds only that something happened.
fn write_event(text: &mut Vec<u8>, event: &Shared, source: &str) -> Result<(), std::io::Error> {
    let told = CloudEvent::told(event, source, EnvelopeForm::Full).map_err(std::io::Error::other)?;
    Ok(serde_json::to_writer(text, &told)?)
}

/// One message of an event stream.
fn write_message(text: &mut String, told: &Told, source: &str) {
    // Writing to a string cannot fail.
    match told {
        Told::Event(event) => {
            let mut data = Vec::new();
            let Ok(()) = write_event(&mut data, event, source) else {
                let _ = write!(text, "event: end\ndata: {{\"code\":\"INTERNAL\"}}\n\n");
                return;
            };
            let _ = write!(text, "id: {}\ndata: {}\n\n", event.position, String::from_utf8_lossy(&data));
        }
        // Without an id: whoever is cut off before the last part begins anew.
        Told::Snapshot(snapshot) => {
            let data = serde_json::to_string(snapshot).unwrap_or_default();
            let _ = write!(text, "event: snapshot\ndata: {data}\n\n");
        }
        Told::CaughtUp(at) => {
            let _ = write!(text, "id: {at}\nevent: caught-up\ndata: {{\"position\":{at}}}\n\n");
        }
        Told::Heartbeat { position: at, head } => {
            let _ =
                write!(text, "id: {at}\nevent: heartbeat\ndata: {{\"position\":{at},\"head\":{head}}}\n\n");
        }
        Told::End(code) => {
            let _ = write!(text, "event: end\ndata: {{\"code\":\"{code}\"}}\n\n");
        }
    }
}

/// In which form somebody wants the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Stream,
    Lines,
    Page,
}

/// The first form that is named and there is; a page when nothing is said.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let known = |range: &str| match range.split(';').next().unwrap_or_default().trim() {
        "text/event-stream" => Some(Form::Stream),
        "application/x-ndjson" | "application/jsonl" => Some(Form::Lines),
        "application/json" | "application/*" | "*/*" => Some(Form::Page),
        _ => None,
    };
    accept.split(',').find_map(known).ok_or_else(|| {
        let detail = "there are text/event-stream, application/x-ndjson and application/json";
        Problem::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", detail)
    })
}

#[cfg(test)]
mod tests;
