//! The catalogue of events as documents for programs: a JSON Schema for each type, one for the envelope, and an AsyncAPI
//! description of the ways on which events leave.
mod compatibility;

use std::{collections::BTreeMap, fs, io, path::Path, sync::LazyLock};

use axum::{
    Router,
    extract::Path as Named,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use zhixing_domain::{
    Kind,
    catalogue::{EventType, event_types},
};

/// What a document is called below `schemas/`, and its text.
pub type Documents = BTreeMap<String, String>;

/// Every document, made once.
pub fn documents() -> &'static Documents {
    static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
        let mut documents: BTreeMap<String, Value> =
            event_types().iter().map(|known| (file_name(known), known.document())).collect();
        documents.insert("envelope.json".into(), envelope());
        documents.insert("asyncapi.json".into(), asyncapi());
        let text = |document: Value| serde_json::to_string_pretty(&document).unwrap_or_default() + "\n";
        documents.into_iter().map(|(name, document)| (name, text(document))).collect()
    });
    &DOCUMENTS
}

/// Why the documents were not written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// A file cannot be read or written.
    #[error("{0} cannot be read or written: {1}")]
    File(String, io::Error),
    /// Readers would miss something.
    #[error(
        "{file}: {reason}. What was told in one form stays so: give the event a new version and an upcaster"
    )]
    Breaks {
        /// The document.
        file: String,
        /// What they would miss.
        reason: String,
    },
}

/// Writes every document into a directory, or none of them: one that is there already may only be added to.
///
/// # Errors
/// [`NotWritten`].
pub fn write(directory: &Path) -> Result<usize, NotWritten> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error| NotWritten::File(path, error)
    };
    for (name, text) in documents().iter().filter(|(name, _)| name.starts_with("events/")) {
        let path = directory.join(name);
        let before = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(failed(&path))?,
        };
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        if let Some(reason) = compatibility::break_of(&parsed(&before), &parsed(text)) {
            return Err(NotWritten::Breaks { file: path.display().to_string(), reason });
        }
    }
    for (name, text) in documents() {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(documents().len())
}

/// Where the documents are served.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/asyncapi.json", get(async || serve("asyncapi.json")))
        .route("/schemas/{*name}", get(async |Named(name): Named<String>| serve(&name)))
}

fn serve(name: &str) -> Response {
    let Some(text) = documents().get(name) else {
        return (StatusCode::NOT_FOUND, "there is no such schema: /asyncapi.json names them all")
            .into_response();
    };
    let media = if name == "asyncapi.json" { "application/json" } else { "application/schema+json" };
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-cache")], text.as_str()).into_response()
}

fn file_name(known: &EventType) -> String {
    format!("events/{}.v{}.json", known.name, known.version)
}

/// The envelope: CloudEvents 1.0 in the JSON format, with the attributes that are added here. Attributes that are absent are
/// left out.
fn envelope() -> Value {
    let text = |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    let id = |description: &str| json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{24}$", "description": description });
    let uuid = |description: &str| json!({ "type": "string", "format": "uuid", "description": description });
    let instant =
        |description: &str| json!({ "type": "string", "format": "date-time", "description": description });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:zhixing:envelope:v1",
        "title": "Envelope",
        "description": "An event as it leaves the service: CloudEvents 1.0, JSON format. A thin envelope has no data: of \
            confidential kinds other systems hear only that something happened.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "sequence", "partitionkey",
            "correlationid", "subjectversion", "happenedat"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": uuid("Identity of the event."),
            "source": { "type": "string", "format": "uri-reference", "minLength": 1, "description": "Which log it comes from." },
            "type": { "type": "string", "pattern": r"^cn\.zhixing\.[A-Za-z]+\.v[1-9][0-9]*$",
                "description": "What happened, and in which version of its form it is told." },
            "subject": id("Global id of the object it happened to, as GraphQL knows it."),
            "time": instant("When it was recorded."),
            "datacontenttype": { "const": "application/json" },
            "dataschema": { "type": "string", "pattern": "^urn:zhixing:event:[A-Za-z]+:v[1-9][0-9]*$",
                "description": "The $id of the schema of the data." },
            "sequence": { "type": "string", "pattern": "^[0-9]{19}$",
                "description": "Position in the log, padded so that it sorts as text: the place to go on from." },
            "partitionkey": id("The subject: events of one subject stay in order."),
            "correlationid": uuid("What belongs to one request shares this."),
            "causationid": uuid("The event that led to this one."),
            "subjectversion": { "type": "string", "pattern": "^[1-9][0-9]*$",
                "description": "Its number in the life of its subject, from 1." },
            "statusfrom": text("Where its subject stood before."),
            "statusto": text("Where its subject stands after."),
            "regioncode": { "type": "string", "pattern": "^[0-9]{6}$", "description": "Where its subject lies (GB/T 2260)." },
            "unitid": id("The unit that acted."),
            "happenedat": instant("When it happened in the world."),
            "data": { "description": "What happened, in the form that dataschema names." },
        },
    })
}

/// The ways on which events leave. Where they lead is the operator's: no servers are named.
fn asyncapi() -> Value {
    let messages: serde_json::Map<String, Value> = event_types().iter().map(message).collect();
    let all: serde_json::Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
        .collect();
    let channel = |address: Value, title: &str, description: &str| json!({ "address": address, "title": title, "description": description, "messages": all });
    let mut nats = channel(
        json!("zhixing.events.{region}.{kind}"),
        "NATS JetStream",
        "The whole log as a stream: the event at position N is message number N. Nats-Msg-Id is the id of the event.",
    );
    let kinds: Vec<String> = Kind::ALL.iter().map(|kind| kind.as_str().to_ascii_lowercase()).collect();
    nats["parameters"] = json!({
        "region": { "description": "Six-digit code of the region (GB/T 2260), `none` where there is none.",
            "examples": ["440800", "none"] },
        "kind": { "description": "The kind of the subject in lower case.", "enum": kinds },
    });
    let operation = |action: &str, channel: &str, summary: &str| json!({ "action": action, "channel": { "$ref": format!("#/channels/{channel}") }, "summary": summary });
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Zhixing events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every change of a public quality programme, in one order, on every transport: CloudEvents 1.0 \
                with the position in the log as `sequence`. Delivered at least once; events of one subject come in order.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "feed": channel(json!("/events"), "HTTP feed",
                "Server-sent events with Last-Event-ID, NDJSON, or pages that wait for what comes; ?after=POSITION goes on \
                 behind a position."),
            "groups": channel(json!("/subscriptions/{subscription}/claim"), "Groups that pull",
                "Several workers share one subscription; each subject's events stay in order."),
            "webhooks": channel(Value::Null, "Webhooks",
                "Standard Webhooks: POST to the address of the subscription, signed (webhook-id, webhook-timestamp, \
                 webhook-signature), until it answers 2xx."),
            "nats": nats,
        },
        "operations": {
            "follow": operation("send", "feed", "The service tells whoever follows."),
            "hand-out": operation("send", "groups", "The service hands out what is next."),
            "deliver": operation("send", "webhooks", "The service delivers to an address."),
            "publish": operation("send", "nats", "The service publishes the log."),
        },
        "components": { "messages": messages },
    })
}

fn message(known: &EventType) -> (String, Value) {
    let name = format!("{}.v{}", known.name, known.version);
    let form = json!({
        "allOf": [
            { "$ref": "/schemas/envelope.json" },
            {
                "properties": {
                    "type": { "const": known.envelope_type() },
                    "data": { "$ref": format!("/schemas/{}", file_name(known)) },
                },
            },
        ],
    });
    let message = json!({
        "name": known.envelope_type(),
        "title": known.term,
        "summary": known.description,
        "contentType": "application/cloudevents+json",
        "payload": form,
        "x-classification": known.classification.as_str(),
    });
    (name, message)
}
