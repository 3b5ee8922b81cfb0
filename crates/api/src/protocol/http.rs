//! GraphQL over HTTP: methods, media types, statuses.

use super::media::{self, Accepted, Json};
use super::reply::Reply;
use super::request::Params;
use super::{
    Address, Authenticator, Endpoint, REQUEST_ID, Refused, RefusedWhat, Said, clients, error, millis, single,
    stream, ws,
};
use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, ServerError};
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

/// What is served, as `Allow` lists it.
const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";
/// Draft status for an answer with both data and errors.
const PARTIAL_SUCCESS: u16 = 294;

/// A request that is not run: status, error, and what else the status asks for.
pub(super) struct Refusal {
    status: StatusCode,
    error: Box<ServerError>,
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: ServerError) -> Self {
        Self { status, error: Box::new(error), header: None }
    }

    fn method(allow: &'static str, message: &str) -> Self {
        let error = Box::new(error::error(error::METHOD_NOT_ALLOWED, message));
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            error,
            header: Some((header::ALLOW, HeaderValue::from_static(allow))),
        }
    }

    fn unauthenticated(reason: &str) -> Self {
        let error = Box::new(error::error(error::UNAUTHENTICATED, reason));
        let header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        Self { status: StatusCode::UNAUTHORIZED, error, header }
    }

    /// The client has to wait.
    pub(super) fn later(seconds: u64, error: ServerError) -> Self {
        let header = Some((header::RETRY_AFTER, HeaderValue::from(seconds)));
        Self { status: StatusCode::TOO_MANY_REQUESTS, error: Box::new(error), header }
    }

    pub(super) fn respond(self, json: Json) -> Response {
        let mut response = write(&Reply::refused(vec![*self.error]), self.status, json);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Every request to the endpoint.
pub(super) async fn handle<E: Executor, A: Authenticator>(
    State(endpoint): State<Endpoint<E, A>>,
    request: Request,
) -> Response {
    let request_id = endpoint.request_id(request.headers());
    let mut response = if ws::is_upgrade(request.headers()) {
        ws::upgrade(endpoint, request, request_id.clone()).await
    } else {
        let accepted = Accepted::of(request.headers());
        match answer(&endpoint, request, accepted, &request_id).await {
            Ok(response) => response,
            Err(refusal) => refusal.respond(accepted.json()),
        }
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn answer<E: Executor, A: Authenticator>(
    endpoint: &Endpoint<E, A>,
    request: Request,
    accepted: Accepted,
    request_id: &str,
) -> Result<Response, Refusal> {
    let method = request.method().clone();
    if method == Method::OPTIONS {
        return Ok((StatusCode::NO_CONTENT, [(header::ALLOW, METHODS)]).into_response());
    }
    if ![Method::GET, Method::POST, Method::PUT, Method::DELETE].contains(&method) {
        return Err(Refusal::method(
            METHODS,
            "GraphQL is served over GET and POST, streams also over PUT and DELETE",
        ));
    }
    let stream = single::token(request.headers(), request.uri());
    if let (&Method::GET, Some(token)) = (&method, &stream) {
        return single::open(endpoint, token.clone());
    }
    if accepted.is_empty() && stream.is_none() {
        let message = "served are application/graphql-response+json, application/json, text/event-stream and \
                       multipart/mixed";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, error::error(error::NOT_ACCEPTABLE, message)));
    }
    let authenticator = &endpoint.inner.authenticator;
    let said = Said::of(request.headers()).map_err(unknown)?;
    let viewer = authenticator.authenticate(&said).await.map_err(unknown)?;
    // Asked for before anything runs, so that no change falls in between.
    let changed = authenticator.changed(&said, &viewer);
    let client = endpoint.client(&viewer, address(&request));
    match (&method, &stream) {
        (&Method::PUT, _) => return endpoint.inner.streams.reserve(endpoint, &client, changed),
        (&Method::DELETE, Some(token)) => return endpoint.inner.streams.stop(token, request.uri(), &client),
        (&Method::DELETE, None) => {
            let message = "which stream is meant is said by the header `X-GraphQL-Event-Stream-Token`";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, error::error(error::BAD_REQUEST, message)));
        }
        _ => {}
    }
    let (parts, body) = request.into_parts();
    let limits = endpoint.limits();
    let most = match A::name(&viewer) {
        Some(_) => limits.body_bytes,
        None => limits.anonymous_body_bytes.min(limits.body_bytes),
    };
    let params = if method == Method::GET {
        from_uri(endpoint, &parts.uri)
    } else {
        from_body(endpoint, &parts, body, most).await
    }?;
    let operation_id = params.operation_id.clone();
    let operation = match endpoint.admit(params, viewer, &client, request_id.to_owned()) {
        Ok(operation) => operation,
        Err(mut errors) => {
            if let Some(seconds) = clients::retry_after(&errors) {
                return Err(Refusal::later(seconds, errors.swap_remove(0)));
            }
            let reply = Reply::refused(errors);
            if stream.is_some() {
                return Ok(write(&reply, StatusCode::BAD_REQUEST, accepted.json()));
            }
            return Ok(match (accepted.json, accepted.for_subscription()) {
                (None, Some(framing)) => stream::respond(
                    endpoint,
                    framing,
                    false,
                    futures_util::stream::once(async { reply }).boxed(),
                    changed,
                ),
                (json, _) => single(endpoint, &reply, json.map_or(Json::Plain, |(json, _)| json)),
            });
        }
    };
    if method == Method::GET && operation.kind == OperationType::Mutation {
        return Err(Refusal::method("POST", "a mutation changes something: send it with POST"));
    }
    if let Some(token) = stream {
        return single::run(endpoint, &token, &client, operation_id, operation, changed);
    }
    let is_subscription = operation.kind == OperationType::Subscription;
    let framing = if is_subscription { accepted.for_subscription() } else { accepted.for_single() };
    match framing {
        Some(framing) => {
            let replies = endpoint.stream(operation);
            Ok(stream::respond(endpoint, framing, is_subscription, replies, changed))
        }
        None if is_subscription => {
            let message =
                "a subscription needs `Accept: text/event-stream`, `multipart/mixed` or a WebSocket";
            Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, error::error(error::NOT_ACCEPTABLE, message)))
        }
        None => Ok(single(endpoint, &endpoint.run(operation).await, accepted.json())),
    }
}

/// Where the request comes from, if whoever accepted it said so.
pub(super) fn address(request: &Request) -> Option<Address> {
    request.extensions().get::<Address>().copied()
}

fn from_uri<E: Executor, A: Authenticator>(endpoint: &Endpoint<E, A>, uri: &Uri) -> Result<Params, Refusal> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0).unwrap_or_default();
    Params::from_query_string(uri.query().unwrap_or_default(), pairs, endpoint.limits()).map_err(malformed)
}

async fn from_body<E: Executor, A: Authenticator>(
    endpoint: &Endpoint<E, A>,
    parts: &Parts,
    body: Body,
    most: usize,
) -> Result<Params, Refusal> {
    if !media::is_json(&parts.headers) {
        let message = "the body must be `Content-Type: application/json` in UTF-8";
        let error = error::error(error::UNSUPPORTED_MEDIA_TYPE, message);
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    let limits = endpoint.limits();
    let reading = read(&parts.headers, body, most);
    let late = || {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            error::error(error::REQUEST_TIMEOUT, "the body came too slowly"),
        )
    };
    let body = tokio::time::timeout(millis(limits.body_timeout_ms), reading).await.map_err(|_| late())??;
    Params::from_body(&body, limits).map_err(malformed)
}

/// Who did not get in.
pub(super) fn unknown(Refused { reason, what }: Refused) -> Refusal {
    let code = match what {
        RefusedWhat::Token => return Refusal::unauthenticated(&reason),
        RefusedWhat::Unavailable => error::IDENTITY_UNAVAILABLE,
        RefusedWhat::Capacity => error::CAPACITY_NOT_HELD,
    };
    Refusal::new(what.status(), error::error(code, reason))
}

fn malformed(error: ServerError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error)
}

/// A body of `limit` bytes at most.
async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    let too_large = || {
        let message = format!("the body has more than {limit} bytes, the most that you may send");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error::error(error::PAYLOAD_TOO_LARGE, message))
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut read = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| malformed(error::error(error::BAD_REQUEST, "the body broke off")))?;
        if read.len() + chunk.len() > limit {
            return Err(too_large());
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

/// One answer as JSON.
fn single<E: Executor, A: Authenticator>(endpoint: &Endpoint<E, A>, reply: &Reply, json: Json) -> Response {
    let partial = endpoint.limits().partial_success_status && !reply.errors.is_empty();
    let has_data = reply.data.as_ref().is_some_and(|data| *data != async_graphql::Value::Null);
    let status = match (reply.fault, json) {
        (Some(fault), _) => fault,
        (None, Json::GraphQl) if reply.is_refusal() => StatusCode::BAD_REQUEST,
        (None, Json::GraphQl) if partial && has_data => {
            StatusCode::from_u16(PARTIAL_SUCCESS).unwrap_or(StatusCode::OK)
        }
        (None, _) => StatusCode::OK,
    };
    write(reply, status, json)
}

fn write(reply: &Reply, status: StatusCode, json: Json) -> Response {
    let mut response = (status, reply.to_json()).into_response();
    let headers = response.headers_mut();
    headers.extend(reply.headers.clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(json.content_type()));
    // What a viewer may see is nobody else's to keep.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization, zhixing-acting-for"));
    response
}
