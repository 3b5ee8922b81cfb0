//! The single connection mode of GraphQL over server-sent events: one stream carries the answers of all operations.
//!
//! `PUT` reserves a stream and answers with its token, `GET` with the token opens it, `POST` with the token and an
//! `operationId` among the extensions runs an operation whose answers come over the stream, `DELETE` stops one. Every
//! operation is authenticated, guarded and paid by itself; only the client that reserved a stream may use it.
use super::reply::Reply;
use super::{
    AccessChanged, Authenticator, Endpoint, Operation, clients::Client, clients::Held, clients::Place, error,
    http::Refusal, millis,
};
use async_graphql::Executor;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// The header that says which stream is meant; the parameter `token` does the same.
pub(super) const TOKEN: &str = "x-graphql-event-stream-token";
/// How long a reservation waits for its stream.
const UNUSED: Duration = Duration::from_secs(30);
/// Messages that wait for a slow reader; then operations wait.
const WAITING: usize = 16;
/// Characters of an operation's id.
const ID: usize = 100;

/// Every stream that is reserved or open.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<String, Arc<Reserved>>>);

/// A stream of one client.
struct Reserved {
    client: Arc<Client>,
    made: Instant,
    messages: mpsc::Sender<String>,
    /// Taken by whoever opens the stream.
    ends: Mutex<Option<Ends>>,
    /// What runs; without a handle while it is being started.
    operations: Mutex<HashMap<String, Option<AbortHandle>>>,
    _place: Place,
}

struct Ends {
    messages: mpsc::Receiver<String>,
    changed: BoxFuture<'static, AccessChanged>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(status: StatusCode, code: &'static str, message: &str) -> Refusal {
    Refusal::new(status, error::error(code, message))
}

/// Which stream a request means.
pub(super) fn token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = headers.get(TOKEN).and_then(|token| token.to_str().ok()).map(ToOwned::to_owned);
    header.or_else(|| parameter(uri, "token"))
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

impl Streams {
    /// The stream of this client.
    fn of(&self, token: &str, client: &Arc<Client>) -> Result<Arc<Reserved>, Refusal> {
        let found = held(&self.0).get(token).cloned();
        found.filter(|reserved| Arc::ptr_eq(&reserved.client, client)).ok_or_else(|| {
            refused(
                StatusCode::NOT_FOUND,
                error::STREAM_NOT_FOUND,
                "there is no such stream of yours: reserve one",
            )
        })
    }

    /// `PUT`: makes a reservation.
    pub(super) fn reserve<E: Executor, A: Authenticator>(
        &self,
        endpoint: &Endpoint<E, A>,
        client: &Arc<Client>,
        changed: BoxFuture<'static, AccessChanged>,
    ) -> Result<Response, Refusal> {
        let place = client.hold(Held::Socket, endpoint.limits()).map_err(|error| {
            let seconds = super::clients::retry_after(std::slice::from_ref(&error)).unwrap_or(1);
            Refusal::later(seconds, error)
        })?;
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            let message = "the machine gives no random numbers";
            return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, error::INTERNAL, message));
        }
        let token = hex::encode(bytes);
        let (messages, receiver) = mpsc::channel(WAITING);
        let reserved = Reserved {
            client: client.clone(),
            made: Instant::now(),
            messages,
            ends: Mutex::new(Some(Ends { messages: receiver, changed })),
            operations: Mutex::default(),
            _place: place,
        };
        let mut all = held(&self.0);
        all.retain(|_, other| other.made.elapsed() < UNUSED || held(&other.ends).is_none());
        all.insert(token.clone(), Arc::new(reserved));
        let headers =
            [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        Ok((StatusCode::CREATED, headers, token).into_response())
    }

    /// `DELETE`: stops an operation. What does not run is stopped already.
    pub(super) fn stop(&self, token: &str, uri: &Uri, client: &Arc<Client>) -> Result<Response, Refusal> {
        let reserved = self.of(token, client)?;
        let id = parameter(uri, "operationId").ok_or_else(|| {
            refused(StatusCode::BAD_REQUEST, error::BAD_REQUEST, "the parameter `operationId` is missing")
        })?;
        if let Some(Some(task)) = held(&reserved.operations).remove(&id) {
            task.abort();
        }
        Ok(StatusCode::OK.into_response())
    }
}

/// `GET` with a token: the stream itself. The token is the ticket, because browsers send nothing else with it.
pub(super) fn open<E: Executor, A: Authenticator>(
    endpoint: &Endpoint<E, A>,
    token: String,
) -> Result<Response, Refusal> {
    let missing =
        || refused(StatusCode::NOT_FOUND, error::STREAM_NOT_FOUND, "there is no such stream: reserve one");
    let reserved = held(&endpoint.inner.streams.0).get(&token).cloned().ok_or_else(missing)?;
    let ends = held(&reserved.ends).take();
    let Ends { messages, changed } = ends.ok_or_else(|| {
        refused(StatusCode::CONFLICT, error::STREAM_ALREADY_OPEN, "the stream is open already")
    })?;
    let waiting = endpoint.clone();
    let state = Stream {
        opened: false,
        messages,
        changed,
        stopped: async move { waiting.stopped().await }.boxed(),
        keep_alive: millis(endpoint.limits().sse_keep_alive_ms),
        _given_up: GivenUp { streams: endpoint.inner.streams.clone(), token },
    };
    let mut response = Body::from_stream(stream::unfold(state, step)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// An open stream.
struct Stream {
    opened: bool,
    messages: mpsc::Receiver<String>,
    changed: BoxFuture<'static, AccessChanged>,
    stopped: BoxFuture<'static, ()>,
    keep_alive: Duration,
    _given_up: GivenUp,
}

async fn step(mut stream: Stream) -> Option<(Result<Bytes, Infallible>, Stream)> {
    let text = if stream.opened {
        tokio::select! {
            biased;
            () = &mut stream.stopped => return None,
            // The operations tell why, each by itself; the stream of who may not be here ends.
            _ = &mut stream.changed => return None,
            message = stream.messages.recv() => message?,
            () = tokio::time::sleep(stream.keep_alive) => ":\n\n".to_owned(),
        }
    } else {
        stream.opened = true;
        ":\n\n".to_owned()
    };
    Some((Ok(Bytes::from(text)), stream))
}

/// Ends what runs for a stream when nobody reads it any more.
struct GivenUp {
    streams: Arc<Streams>,
    token: String,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(reserved) = held(&self.streams.0).remove(&self.token) {
            held(&reserved.operations).drain().filter_map(|(_, task)| task).for_each(|task| task.abort());
        }
    }
}

/// `POST` with a token: runs an operation whose answers come over the stream.
pub(super) fn run<E: Executor, A: Authenticator>(
    endpoint: &Endpoint<E, A>,
    token: &str,
    client: &Arc<Client>,
    id: Option<String>,
    operation: Operation,
    changed: BoxFuture<'static, AccessChanged>,
) -> Result<Response, Refusal> {
    let reserved = endpoint.inner.streams.of(token, client)?;
    let id = id.filter(|id| !id.is_empty() && id.chars().count() <= ID).ok_or_else(|| {
        let message = "`extensions.operationId` is missing or has more than 100 characters";
        refused(StatusCode::BAD_REQUEST, error::BAD_REQUEST, message)
    })?;
    {
        let mut operations = held(&reserved.operations);
        if operations.len() >= endpoint.limits().subscriptions {
            let message = "too many operations run on this stream";
            return Err(refused(StatusCode::TOO_MANY_REQUESTS, error::TOO_MANY_OPERATIONS, message));
        }
        if operations.contains_key(&id) {
            let message = "an operation with this id runs already";
            return Err(refused(StatusCode::CONFLICT, error::OPERATION_ALREADY_RUNNING, message));
        }
        operations.insert(id.clone(), None);
    }
    let task = tokio::spawn(answer(reserved.clone(), id.clone(), endpoint.stream(operation), changed));
    // One that has ended meanwhile took its place away.
    if let Some(place) = held(&reserved.operations).get_mut(&id) {
        *place = Some(task.abort_handle());
    }
    Ok((StatusCode::ACCEPTED, [(header::CACHE_CONTROL, "no-store")]).into_response())
}

/// Puts the answers of an operation on its stream, then says that they are complete.
async fn answer(
    reserved: Arc<Reserved>,
    id: String,
    mut replies: stream::BoxStream<'static, Reply>,
    mut changed: BoxFuture<'static, AccessChanged>,
) {
    let quoted = serde_json::Value::from(id.as_str());
    loop {
        let (reply, last) = tokio::select! {
            biased;
            why = &mut changed => (Reply::refused(vec![why.error()]), true),
            reply = replies.next() => match reply {
                Some(reply) => (reply, false),
                None => break,
            },
        };
        let message = format!("event: next\ndata: {{\"id\":{quoted},\"payload\":{}}}\n\n", reply.to_json());
        if reserved.messages.send(message).await.is_err() || last {
            break;
        }
    }
    held(&reserved.operations).remove(&id);
    // Nobody there is nobody to tell.
    let _ = reserved.messages.send(format!("event: complete\ndata: {{\"id\":{quoted}}}\n\n")).await;
}
