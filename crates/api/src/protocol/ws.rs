//! GraphQL over WebSocket: the `graphql-transport-ws` protocol, one task per socket.

use super::clients::{self, Address, Held, Place};
use super::http::{self, Refusal};
use super::media::Json;
use super::reply::Reply;
use super::request::Params;
use super::{ACTING_FOR, AccessChanged, Authenticator, Endpoint, Limits, RefusedWhat, Said, error, millis};
use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, ServerError};
use axum::RequestExt;
use axum::extract::Request;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The one subprotocol served.
const PROTOCOL: &str = "graphql-transport-ws";
/// Bytes read at once, and buffered before a write: what clients say is short, a message is flushed at once anyway, and idle
/// sockets are many.
const BUFFER: usize = 1 << 10;
/// Characters of an operation id.
const ID_CHARS: usize = 128;
/// How long a closed socket waits for the other side to close too.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a socket stays open for the other side to hear why it is cut in the middle of a message.
const HEARD: Duration = Duration::from_millis(500);
/// Close code for what may work later (RFC 6455 registry).
const TRY_AGAIN: u16 = 1013;
/// Pings without any sign of life before a socket is cut.
const SILENT_PINGS: u32 = 3;

/// Whether the request wants to become a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Checks where the request comes from and what it wants to speak, then hands the socket to its task.
pub(super) async fn upgrade<E: Executor, A: Authenticator>(
    endpoint: Endpoint<E, A>,
    mut request: Request,
    request_id: String,
) -> Response {
    let upgrade = request.extract_parts::<WebSocketUpgrade>().await;
    let checked =
        upgrade.map_err(|_| bad_upgrade("the WebSocket handshake is malformed")).and_then(|upgrade| {
            same_origin(request.headers(), endpoint.limits())?;
            if !upgrade.requested_protocols().any(|protocol| protocol == PROTOCOL) {
                return Err(bad_upgrade("the subprotocol must be graphql-transport-ws"));
            }
            Ok((upgrade, Said::of(request.headers()).map_err(http::unknown)?))
        });
    let address = http::address(&request);
    let checked = checked.and_then(|(upgrade, said)| {
        // Whose it is will be known when it is initialised; until then it counts for the address.
        let client = endpoint.inner.clients.of(None, address, endpoint.limits());
        let place = client.hold(Held::Socket, endpoint.limits());
        let place = place.map_err(|error| {
            Refusal::later(clients::retry_after(std::slice::from_ref(&error)).unwrap_or(1), error)
        })?;
        Ok((upgrade, said, place))
    });
    let (upgrade, said, place) = match checked {
        Ok(checked) => checked,
        Err(refusal) => return refusal.respond(Json::Plain),
    };
    let limits = endpoint.limits();
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(limits.ws_message_bytes)
        .max_frame_size(limits.ws_message_bytes)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        // One message and its frame header: each is flushed before the next.
        .max_write_buffer_size(limits.ws_outgoing_bytes.max(BUFFER) + BUFFER)
        .on_upgrade(move |socket| async move {
            let mut connection = Connection {
                endpoint,
                socket,
                said,
                address,
                place,
                viewer: None,
                changed: pending().boxed(),
                lapsed: None,
                initialised: false,
                operations: HashMap::new(),
                running: FuturesUnordered::new(),
                next_turn: 0,
            };
            let close = connection.serve().await;
            tracing::debug!(request_id, ?close, "a socket ends");
            connection.farewell(close).await;
        })
}

fn bad_upgrade(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error::error(error::BAD_REQUEST, message))
}

/// A page of another site may not open a socket with the cookies or the network place of its reader.
fn same_origin(headers: &HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
    if own || limits.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    let error = error::error(error::FORBIDDEN_ORIGIN, "this origin may not open a WebSocket here");
    Err(Refusal::new(StatusCode::FORBIDDEN, error))
}

/// Why a socket ends.
#[derive(Debug)]
enum Close {
    /// With a code and a reason.
    With(u16, String),
    /// The other side closes and waits for the answer: without one it takes the end for a failure.
    Asked,
    /// The other side is gone already.
    Gone,
}

fn close(code: u16, reason: impl Into<String>) -> Close {
    Close::With(code, reason.into())
}

/// What a client may send; the payload is looked at later.
#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
}

/// An operation at work.
struct Active {
    abort: AbortHandle,
    /// Tells an operation from an earlier one with the same id.
    number: u64,
}

/// One step of an operation.
struct Turn {
    id: String,
    number: u64,
    reply: Option<Reply>,
    /// What is left of the operation, to be asked again once the reply is written.
    rest: BoxStream<'static, Reply>,
    is_subscription: bool,
    is_first: bool,
}

struct Connection<E, A: Authenticator> {
    endpoint: Endpoint<E, A>,
    socket: WebSocket,
    /// What the headers of the upgrade request say; what `connection_init` says goes before it.
    said: Said,
    address: Option<Address>,
    /// Held while the socket is open.
    place: Place,
    viewer: Option<A::Viewer>,
    /// Comes when what the viewer was let in for no longer holds.
    changed: BoxFuture<'static, AccessChanged>,
    /// Why that was, and by when it must be renewed.
    lapsed: Option<(AccessChanged, Instant)>,
    initialised: bool,
    operations: HashMap<String, Active>,
    running: FuturesUnordered<BoxFuture<'static, Option<Turn>>>,
    next_turn: u64,
}

impl<E: Executor, A: Authenticator> Connection<E, A> {
    /// Reads, runs and writes by turns until the socket ends. While a message is being written nothing else
    /// is asked for, so a slow reader slows its own operations; each operation gets one turn before any gets
    /// another.
    async fn serve(&mut self) -> Close {
        let endpoint = self.endpoint.clone();
        let limits = endpoint.limits();
        let ping = millis(limits.ws_ping_ms);
        let init_by = Instant::now() + millis(limits.connection_init_timeout_ms);
        let mut next_ping = Instant::now() + ping;
        let mut silent = 0;
        let stopped = endpoint.stopped();
        tokio::pin!(stopped);
        // What is done is on the heap while it is done: sockets are many, and most of the time they wait.
        loop {
            let done = tokio::select! {
                () = &mut stopped => Err(close(close_code::AWAY, "the service is stopping")),
                message = self.socket.recv() => {
                    silent = 0;
                    Box::pin(self.receive(message)).await
                }
                Some(turn) = self.running.next(), if !self.running.is_empty() => match turn {
                    Some(turn) => Box::pin(self.deliver(turn)).await,
                    None => Ok(()),
                },
                why = &mut self.changed => Box::pin(self.lapse(why)).await,
                () = sleep_until(self.lapsed.map_or(init_by, |(_, until)| until)), if self.lapsed.is_some() => {
                    Err(close(4403, "Access changed"))
                }
                () = sleep_until(init_by), if self.viewer.is_none() && self.lapsed.is_none() => {
                    Err(close(4408, "Connection initialisation timeout"))
                }
                () = sleep_until(next_ping) => {
                    next_ping = Instant::now() + ping;
                    silent += 1;
                    if silent > SILENT_PINGS {
                        Err(Close::Gone)
                    } else {
                        Box::pin(self.write(Message::Ping(axum::body::Bytes::new()))).await
                    }
                }
            };
            if let Err(close) = done {
                return close;
            }
        }
    }

    /// Writes a message, or gives the reader up.
    async fn write(&mut self, message: Message) -> Result<(), Close> {
        let patience = millis(self.endpoint.limits().ws_write_timeout_ms);
        match timeout(patience, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Close::Gone),
            Err(_) => Err(close(4408, "Write timeout")),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Close> {
        self.write(Message::Text(text.into())).await
    }

    async fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Close> {
        match message {
            Some(Ok(Message::Text(text))) => self.message(text.as_str()).await,
            Some(Ok(Message::Binary(_))) => Err(close(4400, "Invalid message: binary")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => Err(Close::Asked),
            None => Err(Close::Gone),
            Some(Err(problem)) => Err(unreadable(&problem)),
        }
    }

    async fn message(&mut self, text: &str) -> Result<(), Close> {
        let Ok(message) = serde_json::from_str::<Incoming<'_>>(text) else {
            return Err(close(4400, "Invalid message"));
        };
        let payload = message.payload.map(RawValue::get).filter(|raw| *raw != "null");
        if !matches!(message.kind.as_str(), "subscribe") && payload.is_some_and(|raw| !raw.starts_with('{')) {
            return Err(close(4400, "Invalid message: the payload must be an object"));
        }
        match (message.kind.as_str(), message.id) {
            ("connection_init", _) => self.initialise(payload).await,
            ("ping", _) => match said(payload)? {
                said if self.initialised && said.authorization.is_some() => self.renew(said).await,
                _ => self.send(r#"{"type":"pong"}"#.to_owned()).await,
            },
            ("pong", _) => Ok(()),
            ("subscribe", Some(id)) if is_id(&id) => self.subscribe(id, payload).await,
            ("complete", Some(id)) if is_id(&id) => {
                if let Some(active) = self.operations.remove(&id) {
                    active.abort.abort();
                }
                Ok(())
            }
            ("subscribe" | "complete", _) => {
                Err(close(4400, "Invalid message: the id must be a short string"))
            }
            _ => Err(close(4400, "Invalid message: unknown type")),
        }
    }

    async fn initialise(&mut self, payload: Option<&str>) -> Result<(), Close> {
        if std::mem::replace(&mut self.initialised, true) {
            return Err(close(4429, "Too many initialisation requests"));
        }
        let given = said(payload)?;
        self.let_in(given).await?;
        self.send(r#"{"type":"connection_ack"}"#.to_owned()).await
    }

    /// Finds out who it is, and watches over it from then on. What is not said is as it was said before.
    async fn let_in(&mut self, given: Said) -> Result<(), Close> {
        let said = Said {
            authorization: given.authorization.or_else(|| self.said.authorization.clone()),
            acting_for: given.acting_for.or_else(|| self.said.acting_for.clone()),
        };
        let patience = millis(self.endpoint.limits().connection_init_timeout_ms);
        let authenticator = &self.endpoint.inner.authenticator;
        match timeout(patience, authenticator.authenticate(&said)).await {
            Ok(Ok(viewer)) => {
                if A::name(&viewer).is_some() {
                    // From now on the socket counts for whoever signed in.
                    let client = self.endpoint.client(&viewer, self.address);
                    self.place.move_to(&client, self.endpoint.limits()).map_err(too_many)?;
                }
                self.changed = authenticator.changed(&said, &viewer);
                self.viewer = Some(viewer);
                self.said = said;
                self.lapsed = None;
                Ok(())
            }
            Ok(Err(refused)) => Err(match refused.what {
                RefusedWhat::Unavailable => close(TRY_AGAIN, "Identity unavailable"),
                RefusedWhat::Token => close(4403, "Forbidden"),
                RefusedWhat::Capacity => close(4403, "Capacity not held"),
            }),
            Err(_) => Err(close(4408, "Connection initialisation timeout")),
        }
    }

    /// Takes a new token over an open socket. What runs goes on when it is the same viewer, otherwise it ends.
    async fn renew(&mut self, given: Said) -> Result<(), Close> {
        let before = self.viewer.clone();
        self.let_in(given).await?;
        if before.is_some() && before != self.viewer {
            self.end_all(AccessChanged::RolesChanged).await?;
        }
        self.send(r#"{"type":"pong","payload":{"access":"RENEWED"}}"#.to_owned()).await
    }

    /// What the viewer was let in for no longer holds: everything ends, and a new token is waited for.
    async fn lapse(&mut self, why: AccessChanged) -> Result<(), Close> {
        self.changed = pending().boxed();
        self.viewer = None;
        let patience = millis(self.endpoint.limits().connection_init_timeout_ms);
        self.lapsed = Some((why, Instant::now() + patience));
        self.end_all(why).await
    }

    async fn end_all(&mut self, why: AccessChanged) -> Result<(), Close> {
        let ended: Vec<(String, Active)> = self.operations.drain().collect();
        for (id, active) in ended {
            active.abort.abort();
            self.refuse(&id, &[why.error()]).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self, id: String, payload: Option<&str>) -> Result<(), Close> {
        if let Some((why, _)) = self.lapsed {
            return self.refuse(&id, &[why.error()]).await;
        }
        let Some(viewer) = self.viewer.clone() else { return Err(close(4401, "Unauthorized")) };
        if self.operations.contains_key(&id) {
            return Err(close(4409, format!("Subscriber for {id} already exists")));
        }
        let limits = self.endpoint.limits();
        let params = match Params::from_json(payload.unwrap_or_default(), limits) {
            Ok(params) => params,
            Err(problem)
                if matches!(
                    error::code(&problem),
                    Some(error::BAD_REQUEST | error::BATCHING_NOT_SUPPORTED)
                ) =>
            {
                return Err(close(4400, format!("Invalid message: {}", problem.message)));
            }
            Err(problem) => return self.refuse(&id, &[problem]).await,
        };
        if self.operations.len() >= limits.subscriptions {
            let message = format!("a socket runs {} operations at most", limits.subscriptions);
            let problem = error::error(error::TOO_MANY_SUBSCRIPTIONS, message);
            return self.refuse(&id, &[problem]).await;
        }
        let request_id = (self.endpoint.inner.request_ids)();
        let client = self.endpoint.client(&viewer, self.address);
        match self.endpoint.admit(params, viewer, &client, request_id) {
            Err(errors) => self.refuse(&id, &errors).await,
            Ok(operation) => {
                let is_subscription = operation.kind == OperationType::Subscription;
                let rest = self.endpoint.stream(operation);
                self.next_turn += 1;
                let number = self.next_turn;
                self.ask(Turn { id, number, reply: None, rest, is_subscription, is_first: true });
                Ok(())
            }
        }
    }

    /// Lets an operation have its next turn.
    fn ask(&mut self, mut turn: Turn) {
        let (abort, registration) = AbortHandle::new_pair();
        self.operations.insert(turn.id.clone(), Active { abort, number: turn.number });
        let next = async move {
            turn.reply = turn.rest.next().await;
            turn
        };
        self.running.push(Abortable::new(next, registration).map(Result::ok).boxed());
    }

    /// Writes what an operation came up with.
    async fn deliver(&mut self, mut turn: Turn) -> Result<(), Close> {
        if self.operations.get(&turn.id).is_none_or(|active| active.number != turn.number) {
            // Completed by the client meanwhile.
            return Ok(());
        }
        let Some(reply) = turn.reply.take() else {
            self.operations.remove(&turn.id);
            return self.send(format!(r#"{{"id":{},"type":"complete"}}"#, quoted(&turn.id))).await;
        };
        let failed_start = turn.is_subscription && turn.is_first && reply.is_failed_start();
        if reply.is_refusal() || failed_start {
            self.operations.remove(&turn.id);
            return self.refuse(&turn.id, &reply.errors).await;
        }
        let text = format!(r#"{{"id":{},"type":"next","payload":{}}}"#, quoted(&turn.id), reply.to_json());
        if text.len() > self.endpoint.limits().ws_outgoing_bytes {
            self.operations.remove(&turn.id);
            let limit = self.endpoint.limits().ws_outgoing_bytes as u64;
            return self.refuse(&turn.id, &[error::limit("ws_outgoing_bytes", limit)]).await;
        }
        self.send(text).await?;
        turn.is_first = false;
        self.ask(turn);
        Ok(())
    }

    /// Tells why an operation does not run, or no longer.
    async fn refuse(&mut self, id: &str, errors: &[ServerError]) -> Result<(), Close> {
        let errors = serde_json::to_string(errors).unwrap_or_else(|_| "[]".to_owned());
        self.send(format!(r#"{{"id":{},"type":"error","payload":{errors}}}"#, quoted(id))).await
    }

    /// Ends all operations, says why, and waits a little for the other side to hear it.
    async fn farewell(mut self, close: Close) {
        self.running.clear();
        let unread =
            matches!(close, Close::With(close_code::SIZE | close_code::INVALID | close_code::PROTOCOL, _));
        let goodbye = async {
            let said = match close {
                Close::With(code, reason) => {
                    // A close frame has room for 123 bytes.
                    let reason = reason[..reason.floor_char_boundary(120)].to_owned();
                    let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                    self.socket.send(frame).await.is_ok()
                }
                // The library has an answer ready and writes it when it is asked again.
                Close::Asked => true,
                Close::Gone => false,
            };
            if said {
                while let Some(Ok(_)) = self.socket.recv().await {}
                if unread {
                    // Dropped now, what was never read would take the close frame with it.
                    sleep(HEARD).await;
                }
            }
        };
        // Whether they heard it or not, the socket is dropped now.
        let _ = timeout(FAREWELL, goodbye).await;
    }
}

/// The close code for a client that has too many sockets.
fn too_many(error: ServerError) -> Close {
    close(close_code::AGAIN, error.message)
}

/// The close code for a message that could not be read.
fn unreadable(problem: &axum::Error) -> Close {
    let text = problem.to_string();
    if text.contains("too long") || text.contains("too large") {
        return close(close_code::SIZE, "Message too large");
    }
    if text.contains("UTF-8") || text.contains("utf-8") {
        return close(close_code::INVALID, "Invalid UTF-8");
    }
    if text.contains("protocol error") {
        return close(close_code::PROTOCOL, "Protocol error");
    }
    Close::Gone
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= ID_CHARS
}

fn quoted(id: &str) -> String {
    serde_json::Value::from(id).to_string()
}

/// Who the payload of `connection_init` says it is, at the top or under `headers`.
fn said(payload: Option<&str>) -> Result<Said, Close> {
    let invalid = || close(4400, "Invalid message: the token and the capacity must be strings");
    let Some(payload) = payload else { return Ok(Said::default()) };
    let payload: serde_json::Value = serde_json::from_str(payload).map_err(|_| invalid())?;
    let find = |names: [&str; 2]| {
        for place in [Some(&payload), payload.get("headers")].into_iter().flatten() {
            for name in names {
                match place.get(name) {
                    None | Some(serde_json::Value::Null) => {}
                    Some(serde_json::Value::String(text)) => return Ok(Some(text.clone())),
                    Some(_) => return Err(invalid()),
                }
            }
        }
        Ok(None)
    };
    Ok(Said {
        authorization: find(["Authorization", "authorization"])?,
        acting_for: find(["Zhixing-Acting-For", ACTING_FOR])?,
    })
}
