//! Media types: what a client accepts and what it sends.

use axum::http::{HeaderMap, header};
use std::cmp::Reverse;

/// How a single answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    /// `application/json`: status 200 for every well-formed request.
    Plain,
    /// `application/graphql-response+json`: the status tells whether the request could be run.
    GraphQl,
}

impl Json {
    /// The `Content-Type` of an answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "application/json; charset=utf-8",
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// How several answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// `text/event-stream`, distinct connections mode of GraphQL over SSE.
    Events,
    /// `multipart/mixed`, with the payload envelope of the multipart subscription protocol.
    Multipart,
}

/// What the `Accept` header leaves to choose from, each with its quality in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) json: Option<(Json, u16)>,
    pub(super) stream: Option<(Stream, u16)>,
    /// Whether anything goes: then a subscription is answered with events.
    pub(super) anything: bool,
}

impl Accepted {
    /// Reads the `Accept` headers; none means that anything goes.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self { json: None, stream: None, anything: false };
        let mut values =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
        if values.peek().is_none() {
            return Self { json: Some((Json::Plain, 1000)), stream: None, anything: true };
        }
        let (mut plain, mut graphql, mut any) = (None, None, None);
        let mut streams = Vec::new();
        for range in values.flat_map(|value| value.split(',')) {
            let (name, quality) = range_of(range);
            match name.as_str() {
                "application/json" => plain = Some(quality),
                "application/graphql-response+json" => graphql = Some(quality),
                "text/event-stream" => streams.push((Stream::Events, quality)),
                "multipart/mixed" => streams.push((Stream::Multipart, quality)),
                "*/*" => {
                    any = any.max(Some(quality));
                    accepted.anything |= quality > 0;
                }
                "application/*" => any = any.max(Some(quality)),
                _ => {}
            }
        }
        // A name weighs more than a wildcard; at equal quality the type made for GraphQL is better.
        accepted.json = match (plain.or(graphql.is_none().then_some(any).flatten()), graphql) {
            (Some(plain), Some(graphql)) if graphql >= plain => Some((Json::GraphQl, graphql)),
            (Some(plain), _) => Some((Json::Plain, plain)),
            (None, Some(graphql)) => Some((Json::GraphQl, graphql)),
            (None, None) => None,
        };
        accepted.json = accepted.json.filter(|(_, quality)| *quality > 0);
        // The first of those the client likes best.
        streams.sort_by_key(|(_, quality)| Reverse(*quality));
        accepted.stream = streams.into_iter().find(|(_, quality)| *quality > 0);
        accepted
    }

    /// Whether anything can be served at all.
    pub(super) fn is_empty(&self) -> bool {
        self.json.is_none() && self.stream.is_none() && !self.anything
    }

    /// How refusals are written.
    pub(super) fn json(&self) -> Json {
        self.json.map_or(Json::Plain, |(json, _)| json)
    }

    /// The stream for a subscription.
    pub(super) fn for_subscription(&self) -> Option<Stream> {
        self.stream.map(|(stream, _)| stream).or(self.anything.then_some(Stream::Events))
    }

    /// The stream for a query or mutation: only if the client likes it better than JSON.
    pub(super) fn for_single(&self) -> Option<Stream> {
        match (self.stream, self.json) {
            (Some((stream, quality)), Some((_, json))) if quality > json => Some(stream),
            (Some((stream, _)), None) => Some(stream),
            _ => None,
        }
    }
}

/// The name of a media range and its quality in thousandths.
fn range_of(range: &str) -> (String, u16) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1000, thousandths))
}

/// `0.5` as 500; what cannot be read counts as 1.
fn thousandths(quality: &str) -> u16 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.get(..3).and_then(|digits| digits.parse::<u16>().ok())) {
        ("0", Some(thousandths)) => thousandths,
        _ => 1000,
    }
}

/// Whether the body is JSON in UTF-8. Anything a web page may send without asking first is not.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(Ok(value)), None) = (values.next().map(|value| value.to_str()), values.next()) else {
        return false;
    };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let name = parts.next().unwrap_or_default();
    let charset_fits = |part: String| match part.strip_prefix("charset=") {
        Some(charset) => matches!(charset.trim_matches('"'), "utf-8" | "utf8"),
        None => true,
    };
    name == "application/json" && parts.all(charset_fits)
}
