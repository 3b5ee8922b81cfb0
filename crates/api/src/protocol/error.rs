//! The one way to make a GraphQL error: a message, a stable `extensions.code`, bounded in length.

use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value};

/// The document is not GraphQL.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The document does not fit the schema.
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// A variable or an argument has a value that its type does not take.
pub const INVALID_INPUT: &str = "INVALID_INPUT";
/// A limit was passed; `extensions.limit` names it and `extensions.maximum` is its value.
pub const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";
/// The request is not a GraphQL request.
pub const BAD_REQUEST: &str = "BAD_REQUEST";
/// Several operations were sent as one JSON array.
pub const BATCHING_NOT_SUPPORTED: &str = "BATCHING_NOT_SUPPORTED";
/// Only the id of a document was sent, and none is registered here.
pub const PERSISTED_QUERY_NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
/// The id of a document was sent that is not registered.
pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
/// Only registered documents are run here, and this is none.
pub const DOCUMENT_NOT_TRUSTED: &str = "DOCUMENT_NOT_TRUSTED";
/// The log behind the service is a copy of another one: nothing is changed here.
pub const READ_ONLY: &str = "READ_ONLY";
/// The viewer may not ask what the schema holds.
pub const INTROSPECTION_NOT_ALLOWED: &str = "INTROSPECTION_NOT_ALLOWED";
/// The token was refused.
pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
/// Who is asking cannot be found out now.
pub const IDENTITY_UNAVAILABLE: &str = "IDENTITY_UNAVAILABLE";
/// Whoever is asking does not act in the capacity that they chose.
pub const CAPACITY_NOT_HELD: &str = "CAPACITY_NOT_HELD";
/// A stream ended because what it was let in for no longer holds; `extensions.reason` says why.
pub const ACCESS_CHANGED: &str = "ACCESS_CHANGED";
/// The page that opens the socket comes from somewhere else.
pub const FORBIDDEN_ORIGIN: &str = "FORBIDDEN_ORIGIN";
/// The request is to another host than this machine, and development tokens are taken here.
pub const HOST_NOT_LOCAL: &str = "HOST_NOT_LOCAL";
/// No stream is reserved under this token, or it is another client's.
pub const STREAM_NOT_FOUND: &str = "STREAM_NOT_FOUND";
/// The stream has a reader already.
pub const STREAM_ALREADY_OPEN: &str = "STREAM_ALREADY_OPEN";
/// Another operation of the stream has the same id.
pub const OPERATION_ALREADY_RUNNING: &str = "OPERATION_ALREADY_RUNNING";
/// The HTTP method does not fit.
pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
/// No media type of `Accept` can be served.
pub const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";
/// The body is not JSON in UTF-8.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
/// The body is too large.
pub const PAYLOAD_TOO_LARGE: &str = "PAYLOAD_TOO_LARGE";
/// The body did not arrive in time.
pub const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
/// The operation ran too long.
pub const EXECUTION_TIMEOUT: &str = "EXECUTION_TIMEOUT";
/// Too many operations are at work on one socket, or too many subscriptions of one client.
pub const TOO_MANY_SUBSCRIPTIONS: &str = "TOO_MANY_SUBSCRIPTIONS";
/// The client has too many queries and mutations at work; `extensions.retryAfterSeconds` says when to come back.
pub const TOO_MANY_OPERATIONS: &str = "TOO_MANY_OPERATIONS";
/// The client has too many WebSockets open.
pub const TOO_MANY_SOCKETS: &str = "TOO_MANY_SOCKETS";
/// The client asked for too much in a while; `extensions.retryAfterSeconds` says when to come back.
pub const RATE_LIMITED: &str = "RATE_LIMITED";
/// A fault of the service; `extensions.requestId` finds it in its log.
pub const INTERNAL: &str = "INTERNAL";

/// Characters of a message at most, so that no input is echoed at length.
const MESSAGE_CHARS: usize = 300;

/// An error with a code.
pub fn error(code: &str, message: impl AsRef<str>) -> ServerError {
    with_code(ServerError::new(message.as_ref(), None), code)
}

/// An error with a code, at a place in the document.
pub fn error_at(code: &str, message: impl AsRef<str>, pos: Pos) -> ServerError {
    with_code(ServerError::new(message.as_ref(), Some(pos)), code)
}

/// A value that its type does not take; `field` is its path without the leading `variables.`.
pub fn invalid_input(message: impl AsRef<str>, field: &str) -> ServerError {
    let mut error = error(INVALID_INPUT, message);
    set(&mut error, "field", shorten(field));
    error
}

/// A limit that was passed.
pub fn limit(name: &str, maximum: u64) -> ServerError {
    let mut error = error(LIMIT_EXCEEDED, format!("the limit of {maximum} for {name} is exceeded"));
    set(&mut error, "limit", name);
    set(&mut error, "maximum", maximum);
    error
}

/// A fault of ours: nothing of its cause is told, the request id finds it in the log.
pub fn internal(request_id: &str) -> ServerError {
    let mut error = error(INTERNAL, "internal error");
    set(&mut error, "requestId", request_id);
    error
}

/// The code of an error, if it has one.
pub fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        Value::Enum(code) => Some(code),
        _ => None,
    }
}

/// The error with a code and its message shortened.
pub(super) fn with_code(mut error: ServerError, code: &str) -> ServerError {
    error.message = shorten(&error.message);
    set(&mut error, "code", code);
    error
}

pub(super) fn set(error: &mut ServerError, name: &str, value: impl Into<Value>) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set(name, value);
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
