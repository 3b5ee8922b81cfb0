//! Refusals of what is no GraphQL.
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use zhixing_event_store::Error;

use crate::protocol::{Later, Refused};

/// A refusal: a problem by RFC 9457.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A refusal with a code and what is to be said of it.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, retry_after: None }
    }
    /// The request is at fault, in this part.
    pub fn of_field(field: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "INVALID_INPUT", detail);
        Self { field: Some(field.to_owned()), ..problem }
    }
    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
    /// The service is at fault: its log says how, the answer does not.
    pub fn fault(error: &Error) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
    }
}

impl From<Refused> for Problem {
    fn from(Refused { reason, what }: Refused) -> Self {
        Self::new(what.status(), "UNAUTHENTICATED", reason)
    }
}

impl From<Later> for Problem {
    fn from(later: Later) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", later.reason);
        Self { retry_after: Some(later.seconds), ..problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, field, retry_after } = self;
        let body = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "code": code,
            "detail": detail, "field": field });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, body.to_string()).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
