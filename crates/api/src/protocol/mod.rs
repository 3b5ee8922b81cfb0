//! GraphQL on the wire: thin layers of our own around the executor, by the published specifications (GraphQL
//! over HTTP, GraphQL over WebSocket `graphql-transport-ws`, GraphQL over SSE in both its modes).
//!
//! Architecture invariant: nothing in here knows the domain. An [`Endpoint`] takes any executor, any
//! [`Authenticator`], and a [`Guard`] made from the schema's SDL; every request of every transport passes the
//! guard before the executor sees it, and every answer leaves through one place that hides our insides.

pub(crate) mod clients;
pub mod error;
pub mod guard;
mod http;
mod limits;
mod media;
mod reply;
mod request;
mod single;
mod stream;
#[cfg(test)]
mod tests;
mod ws;

pub use clients::Address;
pub use guard::{Checked, Documents, DocumentsError, Guard, GuardError, Introspection, ScalarCheck, Scalars};
pub use limits::Limits;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request, ServerError, Value};
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::routing::any;
use clients::{Client, Clients, Held, Place, REFUSED};
use futures_util::future::BoxFuture;
use futures_util::stream::{self as streams, BoxStream};
use futures_util::{FutureExt, StreamExt};
use guard::{Ids, Order};
use limits::millis;
use reply::Reply;
use request::Params;
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What a request says of who is asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// In which of their capacities they act; in the usual one when left out.
    pub acting_for: Option<String>,
}

impl Said {
    /// What the headers of a request say.
    ///
    /// # Errors
    /// When one of them is no text.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let text = |name: HeaderName, refused: fn(&str) -> Refused| match headers.get(&name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
                Err(_) => Err(refused(&format!("the header {name} is not text"))),
            },
        };
        Ok(Self {
            authorization: text(header::AUTHORIZATION, Refused::token)?,
            acting_for: text(HeaderName::from_static(ACTING_FOR), Refused::capacity)?,
        })
    }
}

/// Finds out who is asking.
pub trait Authenticator: Send + Sync + 'static {
    /// Who is asking; put into the data of each request.
    type Viewer: Clone + PartialEq + Send + Sync + 'static;

    /// The viewer behind what a request says; without an `Authorization`, whoever may come unnamed.
    fn authenticate(&self, said: &Said) -> impl Future<Output = Result<Self::Viewer, Refused>> + Send;

    /// Who signed in, by a name of bounded length that tells clients apart; without one their address does.
    fn name(viewer: &Self::Viewer) -> Option<&str>;

    /// Comes when what `viewer` was let in for by what was said no longer holds; never, for those who came unnamed.
    fn changed(&self, _said: &Said, _viewer: &Self::Viewer) -> BoxFuture<'static, AccessChanged> {
        pending().boxed()
    }
}

/// Somebody who is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Why; told to the client.
    pub reason: String,
    /// What is refused.
    pub what: RefusedWhat,
}

/// What is refused of who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedWhat {
    /// The token.
    Token,
    /// Nothing: it cannot be told now who it is, and the token may be good later.
    Unavailable,
    /// The capacity: they are who they say, but may not act for that.
    Capacity,
}

impl RefusedWhat {
    /// The status of HTTP.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Capacity => StatusCode::FORBIDDEN,
        }
    }
}

impl Refused {
    /// A token that is not taken.
    pub fn token(reason: &str) -> Self {
        Self { reason: reason.to_owned(), what: RefusedWhat::Token }
    }
    /// A token of which nothing can be said now.
    pub fn later(reason: &str) -> Self {
        Self { reason: reason.to_owned(), what: RefusedWhat::Unavailable }
    }
    /// A capacity that is not theirs.
    pub fn capacity(reason: &str) -> Self {
        Self { reason: reason.to_owned(), what: RefusedWhat::Capacity }
    }
}

/// Why a stream ends that was open to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChanged {
    /// The token has expired.
    Expired,
    /// The token or key is no longer taken.
    Revoked,
    /// They have other roles, units or another region now.
    RolesChanged,
}

impl AccessChanged {
    /// As clients read it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::RolesChanged => "ROLES_CHANGED",
        }
    }
    /// The error that ends a stream.
    pub(crate) fn error(self) -> ServerError {
        let message = match self {
            Self::Expired => "the token has expired: sign in again and go on from the last position",
            Self::Revoked => "the token is no longer taken",
            Self::RolesChanged => "what you may see has changed: subscribe again from the last position",
        };
        let mut error = error::error(error::ACCESS_CHANGED, message);
        error::set(&mut error, "reason", self.reason());
        error
    }
}

/// Adds data to each request, such as the rows it has read.
pub type Prepare = Arc<dyn Fn(Request) -> Request + Send + Sync>;

/// Gives each request without an `x-request-id` one.
pub type RequestIds = Arc<dyn Fn() -> String + Send + Sync>;

/// The header that names a request.
pub const REQUEST_ID: &str = "x-request-id";
/// The header that chooses among the capacities of whoever is asking.
pub const ACTING_FOR: &str = "zhixing-acting-for";
/// How long a browser may remember what an allowed origin may send.
const PREFLIGHT: Duration = Duration::from_hours(1);
/// Characters of a request id at most.
const REQUEST_ID_CHARS: usize = 64;

/// A GraphQL endpoint over HTTP, WebSocket and server-sent events. Clones share everything.
pub struct Endpoint<E, A> {
    inner: Arc<Inner<E, A>>,
}

impl<E, A> Clone for Endpoint<E, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<E, A> {
    executor: E,
    authenticator: A,
    guard: Arc<Guard>,
    prepare: Prepare,
    request_ids: RequestIds,
    shutdown: watch::Receiver<bool>,
    clients: Arc<Clients>,
    streams: Arc<single::Streams>,
}

/// Lets clients pay for what they ask for beside the endpoint, out of the same budget. Clones share everything.
#[derive(Clone)]
pub struct Till {
    clients: Arc<Clients>,
    guard: Arc<Guard>,
}

impl std::fmt::Debug for Till {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Till")
    }
}

/// One thing that a client asks for; it counts as an operation at work until it is dropped.
pub struct Purchase {
    client: Arc<Client>,
    guard: Arc<Guard>,
    paid: u64,
    _place: Place,
}

/// That a client has to wait: why, and for how many seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Why.
    pub reason: String,
    /// How long.
    pub seconds: u64,
}

impl From<ServerError> for Later {
    fn from(error: ServerError) -> Self {
        let seconds = clients::retry_after(std::slice::from_ref(&error)).unwrap_or(1);
        Self { reason: error.message, seconds }
    }
}

impl Till {
    /// Begins with something that costs so much at least.
    ///
    /// # Errors
    /// When the client has to wait.
    pub fn open(&self, name: Option<&str>, address: Option<Address>, cost: u64) -> Result<Purchase, Later> {
        let limits = self.guard.limits();
        let client = self.clients.of(name, address, limits);
        client.pay(cost, 0, limits)?;
        let place = client.hold(Held::Operation, limits)?;
        Ok(Purchase { client, guard: self.guard.clone(), paid: cost, _place: place })
    }

    /// The same for something that goes on: it counts as a subscription.
    ///
    /// # Errors
    /// When the client has to wait.
    pub fn follow(&self, name: Option<&str>, address: Option<Address>, cost: u64) -> Result<Purchase, Later> {
        let limits = self.guard.limits();
        let client = self.clients.of(name, address, limits);
        client.pay(cost, 0, limits)?;
        let place = client.hold(Held::Subscription, limits)?;
        Ok(Purchase { client, guard: self.guard.clone(), paid: cost, _place: place })
    }
}

impl Purchase {
    /// Pays the rest, when it is known what it costs.
    ///
    /// # Errors
    /// When the client has to wait.
    pub fn settle(&self, cost: u64) -> Result<(), Later> {
        let cost = cost.max(self.paid);
        self.client.pay(cost, self.paid, self.guard.limits()).map(drop).map_err(Later::from)
    }
}

/// An operation that passed the guard, ready to run.
struct Operation {
    kind: OperationType,
    request: Request,
    cost: Option<Value>,
    order: Arc<Order>,
    ids: Ids,
    request_id: String,
    /// Held until the operation ends.
    place: Place,
}

impl<E: Executor, A: Authenticator> Endpoint<E, A> {
    /// An endpoint. Long-lived connections end when `shutdown` becomes true.
    pub fn new(
        executor: E,
        authenticator: A,
        guard: Arc<Guard>,
        prepare: Prepare,
        request_ids: RequestIds,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let clients = Arc::new(Clients::new());
        let streams = Arc::default();
        let inner =
            Inner { executor, authenticator, guard, prepare, request_ids, shutdown, clients, streams };
        Self { inner: Arc::new(inner) }
    }

    /// `/graphql` for POST, GET, WebSocket and SSE. Pages of other sites may not read, but for the allowed origins.
    pub fn router(&self) -> Router {
        let router = Router::new().route("/graphql", any(http::handle::<E, A>)).with_state(self.clone());
        let origins: Vec<HeaderValue> =
            self.limits().allowed_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
        // The library refuses a list with this in it by a panic; and it is not what the setting promises.
        if origins.is_empty() || origins.iter().any(|origin| origin == "*") {
            return router;
        }
        // Without credentials: who asks is said by a header that no browser sends by itself.
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                HeaderName::from_static(REQUEST_ID),
                HeaderName::from_static(ACTING_FOR),
                HeaderName::from_static(single::TOKEN),
            ])
            .expose_headers([header::RETRY_AFTER, HeaderName::from_static(REQUEST_ID)])
            .max_age(PREFLIGHT);
        router.layer(cors)
    }

    /// Where clients pay for what they ask for beside the endpoint.
    pub fn till(&self) -> Till {
        Till { clients: self.inner.clients.clone(), guard: self.inner.guard.clone() }
    }

    fn limits(&self) -> &Limits {
        self.inner.guard.limits()
    }

    /// The id the client gave the request, if it is well-formed, else a new one.
    fn request_id(&self, headers: &HeaderMap) -> String {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let is_id = |id: &&str| {
            (1..=REQUEST_ID_CHARS).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
        };
        given.filter(is_id).map_or_else(|| (self.inner.request_ids)(), ToOwned::to_owned)
    }

    /// The client whose requests are counted together.
    fn client(&self, viewer: &A::Viewer, address: Option<Address>) -> Arc<Client> {
        self.inner.clients.of(A::name(viewer), address, self.limits())
    }

    /// Passes the guard, pays for the operation and makes the request.
    fn admit(
        &self,
        params: Params,
        viewer: A::Viewer,
        client: &Arc<Client>,
        request_id: String,
    ) -> Result<Operation, Vec<ServerError>> {
        let limits = self.limits();
        // In advance, so that refused documents are not free; the guard's work is bounded, but it is work.
        client.pay(REFUSED, 0, limits).map_err(|error| vec![error])?;
        let name = params.operation_name.as_deref();
        let guard = &self.inner.guard;
        let query = guard.document(params.query, params.document_id.as_deref());
        let query = query.map_err(|error| vec![error])?;
        let mut checked = guard.check(&query, name, params.variables)?;
        guard.may_change(&checked).map_err(|error| vec![error])?;
        guard.may_introspect(&checked, A::name(&viewer).is_some()).map_err(|error| vec![error])?;
        let left = client.pay(checked.cost, REFUSED, limits).map_err(|error| vec![error])?;
        let held = match checked.kind {
            OperationType::Subscription => Held::Subscription,
            OperationType::Query | OperationType::Mutation => Held::Operation,
        };
        let place = client.hold(held, limits).map_err(|error| vec![error])?;
        let (order, ids) = (checked.order.clone(), std::mem::take(&mut checked.ids));
        let (kind, cost, depth) = (checked.kind, checked.cost, checked.depth);
        tracing::debug!(request_id, %kind, operation = checked.operation_name, cost, depth, "admitted");
        let cost = limits.report_cost.then(|| match left {
            None => async_graphql::value!({ "requested": cost, "limit": limits.cost, "depth": depth }),
            Some(left) => async_graphql::value!({
                "requested": cost,
                "limit": limits.cost,
                "depth": depth,
                "remaining": left,
                "perSecond": limits.client_cost_per_second,
            }),
        });
        let request = (self.inner.prepare)(checked.into_request().data(viewer));
        Ok(Operation { kind, request, cost, order, ids, request_id, place })
    }

    /// Runs a query or a mutation.
    async fn run(&self, operation: Operation) -> Reply {
        let Operation { request, cost, order, ids, request_id, place: _place, .. } = operation;
        let execution = AssertUnwindSafe(self.inner.executor.execute(request)).catch_unwind();
        match tokio::time::timeout(millis(self.limits().execution_timeout_ms), execution).await {
            Ok(Ok(response)) => {
                let mut reply = Reply::of(response, &order, &ids, &request_id);
                reply.extensions.extend(cost.map(|cost| ("cost".to_owned(), cost)));
                reply
            }
            Ok(Err(_)) => panicked(&request_id),
            Err(_) => {
                tracing::warn!(request_id, "an operation ran too long");
                let message = "the operation ran too long and was stopped";
                let mut timeout = error::error(error::EXECUTION_TIMEOUT, message);
                error::set(&mut timeout, "requestId", request_id);
                Reply::fault(StatusCode::SERVICE_UNAVAILABLE, timeout)
            }
        }
    }

    /// Runs anything: a query or a mutation yields one reply, a subscription one for each event.
    fn stream(&self, operation: Operation) -> BoxStream<'static, Reply> {
        if operation.kind != OperationType::Subscription {
            let endpoint = self.clone();
            return streams::once(async move { endpoint.run(operation).await }).boxed();
        }
        let Operation { request, order, ids, request_id, place, .. } = operation;
        let events = self.inner.executor.execute_stream(request, None);
        let replies = AssertUnwindSafe(events).catch_unwind().map(move |event| {
            let _held = &place;
            match event {
                Ok(response) => Reply::of(response, &order, &ids, &request_id),
                Err(_) => panicked(&request_id),
            }
        });
        replies.boxed()
    }

    /// Waits for the shutdown.
    async fn stopped(&self) {
        let mut shutdown = self.inner.shutdown.clone();
        if shutdown.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left to stop us.
            pending::<()>().await;
        }
    }
}

fn panicked(request_id: &str) -> Reply {
    tracing::error!(request_id, "a resolver panicked");
    Reply::fault(StatusCode::INTERNAL_SERVER_ERROR, error::internal(request_id))
}
