//! What goes back to the client, whatever the transport: well-formed, and nothing of our insides in it.

use super::error;
use super::guard::{Ids, Order};
use async_graphql::{PathSegment, Response, ServerError, Value};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of one operation, or one event of a subscription.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<ServerError>,
    /// Absent when nothing was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) extensions: BTreeMap<String, Value>,
    /// The status of a fault; other statuses follow from the media type.
    #[serde(skip)]
    pub(super) fault: Option<StatusCode>,
    /// What resolvers add to the HTTP answer.
    #[serde(skip)]
    pub(super) headers: HeaderMap,
}

impl Reply {
    /// Nothing was run.
    pub(super) fn refused(errors: Vec<ServerError>) -> Self {
        let (extensions, headers) = (BTreeMap::new(), HeaderMap::new());
        Self { errors, data: None, extensions, fault: None, headers }
    }

    /// Something broke on our side.
    pub(super) fn fault(status: StatusCode, error: ServerError) -> Self {
        Self { fault: Some(status), ..Self::refused(vec![error]) }
    }

    /// What the executor answered.
    pub(super) fn of(mut response: Response, order: &Order, ids: &Ids, request_id: &str) -> Self {
        // The executor says null where nothing ran; its errors about the request as a whole have no path.
        let refused =
            response.data == Value::Null && response.errors.iter().any(|error| error.path.is_empty());
        let errors = response.errors.into_iter().map(|error| clean(error, ids, request_id)).collect();
        order.arrange(&mut response.data);
        let data = (!refused).then_some(response.data);
        Self { errors, data, extensions: response.extensions, fault: None, headers: response.http_headers }
    }

    /// Whether the request was refused as a whole: no `data`.
    pub(super) fn is_refusal(&self) -> bool {
        self.data.is_none()
    }

    /// Whether a subscription failed before its first event: the error is that of its root field itself.
    pub(super) fn is_failed_start(&self) -> bool {
        let at_root = |error: &ServerError| error.path.len() <= 1;
        !self.errors.is_empty()
            && matches!(self.data, None | Some(Value::Null))
            && self.errors.iter().all(at_root)
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|problem| {
            tracing::error!(%problem, "an answer cannot be written as JSON");
            format!(
                r#"{{"errors":[{{"message":"internal error","extensions":{{"code":"{}"}}}}]}}"#,
                error::INTERNAL
            )
        })
    }
}

/// The words of the scalar itself, without the library's around them. The guard has looked at every value before, so
/// what is left are refusals of types that share a scalar: the id of another kind of object.
fn reason(message: &str) -> &str {
    let words = message.split_once("\": ").map_or("", |(_, words)| words);
    let words = words.split_once(" (occurred").map_or(words, |(words, _)| words);
    if words.starts_with("is ") { words } else { "has an invalid value" }
}

/// Errors with a code are meant for the client; of all others it learns the kind and the request id.
fn clean(error: ServerError, ids: &Ids, request_id: &str) -> ServerError {
    if error::code(&error).is_some() {
        let mut coded = error;
        error::set(&mut coded, "requestId", request_id);
        return coded;
    }
    if error.path.is_empty() {
        return error::with_code(error, error::VALIDATION_FAILED);
    }
    // The library's words for a value that a type or a validator refused.
    let is_input =
        ["Failed to parse \"", "Expected input type \""].iter().any(|start| error.message.starts_with(start));
    let mut cleaned = if is_input {
        tracing::debug!(request_id, error = %error.message, "an argument was refused during execution");
        let reason = reason(&error.message);
        // The words end with the id in question; the guard knows where it stands.
        let at = ids.iter().rev().find(|(id, _)| reason.ends_with(id.as_str()));
        let mut names = error.path.iter().filter_map(|segment| match segment {
            PathSegment::Field(name) => Some(name.as_str()),
            PathSegment::Index(_) => None,
        });
        let field = at.map_or_else(|| names.next_back().unwrap_or_default(), |(_, field)| field);
        error::invalid_input(format!("{field} {reason}"), field)
    } else {
        tracing::error!(request_id, error = %error.message, path = ?error.path, "a resolver failed");
        error::internal(request_id)
    };
    cleaned.path = error.path;
    cleaned.locations = error.locations;
    cleaned
}
