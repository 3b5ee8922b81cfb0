//! One event as a message: CloudEvents in the JSON format, structured, as their binding for NATS has it.
use async_nats::{HeaderMap, jetstream::message::PublishMessage};
use zhixing_domain::integration::event_subscription::EnvelopeForm;
use zhixing_event_store::{Error, Recorded};

use crate::cloud_event::{CONTENT_TYPE, CloudEvent};

/// What all subjects begin with; then come the region (`none` without one) and the kind: `zhixing.events.440800.task`.
pub const SUBJECTS: &str = "zhixing.events";
/// The header with the position in the log, which is also the number of the message in the stream.
pub const POSITION: &str = "Zhixing-Position";
/// The header with the source, as the attributes of CloudEvents are called in headers.
pub(super) const SOURCE: &str = "ce-source";

/// All subjects.
pub(super) fn all_subjects() -> String {
    format!("{SUBJECTS}.>")
}

/// The subject that the event is published under.
pub(super) fn subject(event: &Recorded) -> String {
    let region = event.region_code.as_ref().map_or("none", zhixing_domain::RegionCode::as_str);
    format!("{SUBJECTS}.{region}.{kind}", kind = event.kind.as_str().to_ascii_lowercase())
}

/// The message, which the server takes only behind the event before.
///
/// # Errors
/// When the payload of the event is no JSON.
pub(super) fn message(event: &Recorded, stream: &str, source: &str) -> Result<PublishMessage, Error> {
    let envelope = CloudEvent::told(event, source, EnvelopeForm::Full)?;
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", CONTENT_TYPE);
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", envelope.id.as_str());
    headers.insert("ce-type", envelope.r#type.as_str());
    headers.insert(SOURCE, source);
    headers.insert(POSITION, event.position.to_string());
    let before = u64::try_from(event.position - 1).unwrap_or_default();
    let body = serde_json::to_vec(&envelope)?;
    let message = PublishMessage::build().payload(body.into()).headers(headers).message_id(&envelope.id);
    Ok(message.expected_stream(stream).expected_last_sequence(before))
}
