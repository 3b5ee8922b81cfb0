//! Several answers in one HTTP response: server-sent events and multipart.

use super::media::Stream as Framing;
use super::reply::Reply;
use super::{AccessChanged, Authenticator, Endpoint, millis};
use async_graphql::Executor;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use std::convert::Infallible;
use std::time::Duration;

struct State {
    replies: BoxStream<'static, Reply>,
    stopped: BoxFuture<'static, ()>,
    changed: BoxFuture<'static, AccessChanged>,
    keep_alive: Duration,
    framing: Framing,
    /// Events of a subscription stand in an envelope when they are parts of a multipart answer.
    envelope: bool,
    phase: Phase,
}

enum Phase {
    Opening,
    Running,
    Closing,
    Done,
}

/// The response that carries `replies` until they end, the client goes or the service stops. Nothing is asked
/// of `replies` while the client has not taken what it was sent.
pub(super) fn respond<E: Executor, A: Authenticator>(
    endpoint: &Endpoint<E, A>,
    framing: Framing,
    envelope: bool,
    replies: BoxStream<'static, Reply>,
    changed: BoxFuture<'static, AccessChanged>,
) -> Response {
    let waiting = endpoint.clone();
    let state = State {
        replies,
        stopped: async move { waiting.stopped().await }.boxed(),
        changed,
        keep_alive: millis(endpoint.limits().sse_keep_alive_ms),
        framing,
        envelope,
        phase: Phase::Opening,
    };
    let mut response = Body::from_stream(stream::unfold(state, step)).into_response();
    let content_type = match framing {
        Framing::Events => "text/event-stream; charset=utf-8",
        Framing::Multipart if envelope => "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=1.0",
        Framing::Multipart => "multipart/mixed; boundary=\"graphql\"",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

type Step = Option<(Result<Bytes, Infallible>, State)>;

async fn step(mut state: State) -> Step {
    let text = match state.phase {
        Phase::Done => return None,
        Phase::Opening => {
            state.phase = Phase::Running;
            state.opening()
        }
        Phase::Closing => {
            state.phase = Phase::Done;
            state.closing()
        }
        Phase::Running => {
            let State { replies, stopped, changed, keep_alive, .. } = &mut state;
            tokio::select! {
                biased;
                // Without a closing event: the client comes back to another process.
                () = stopped => return None,
                why = changed => {
                    state.phase = Phase::Closing;
                    state.item(&Reply::refused(vec![why.error()]))
                }
                reply = replies.next() => if let Some(reply) = reply { state.item(&reply) } else {
                    state.phase = Phase::Done;
                    state.closing()
                },
                () = tokio::time::sleep(*keep_alive) => state.heartbeat(),
            }
        }
    };
    Some((Ok(Bytes::from(text)), state))
}

impl State {
    /// Something at once, so that the client and what is between sees an open stream.
    fn opening(&self) -> String {
        match self.framing {
            Framing::Events => ":\n\n".to_owned(),
            Framing::Multipart => "--graphql".to_owned(),
        }
    }

    fn heartbeat(&self) -> String {
        match self.framing {
            Framing::Events => ":\n\n".to_owned(),
            Framing::Multipart if self.envelope => part("{}"),
            // A single answer comes within the execution timeout.
            Framing::Multipart => String::new(),
        }
    }

    fn item(&self, reply: &Reply) -> String {
        let json = reply.to_json();
        match self.framing {
            Framing::Events => format!("event: next\ndata: {json}\n\n"),
            Framing::Multipart if !self.envelope => part(&json),
            Framing::Multipart if reply.is_refusal() => {
                let errors = serde_json::to_string(&reply.errors).unwrap_or_else(|_| "[]".to_owned());
                part(&format!("{{\"payload\":null,\"errors\":{errors}}}"))
            }
            Framing::Multipart => part(&format!("{{\"payload\":{json}}}")),
        }
    }

    fn closing(&self) -> String {
        match self.framing {
            Framing::Events => "event: complete\ndata:\n\n".to_owned(),
            Framing::Multipart => "--\r\n".to_owned(),
        }
    }
}

/// A part, with the delimiter that ends it: clients show a part when they have seen the next delimiter.
fn part(json: &str) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{json}\r\n--graphql")
}
