//! An event as it leaves the service for other programs: CloudEvents 1.0, in the JSON format.
//!
//! The type is `cn.zhixing.<EventType>.v<schema version>`. Version and data are those that were recorded, never upcast:
//! the bytes are the ones that were hashed, and an event leaves the same in every release. `sequence` is the position, padded with zeros so that it
//! sorts as text; together with `source` it is the place to go on from. Attributes that are absent are left out.
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use zhixing_domain::{
    Kind,
    id::GlobalId,
    integration::event_subscription::EnvelopeForm,
    policy::{Classification, classification},
};
use zhixing_event_store::{Error, Recorded};

/// What every envelope begins with, byte for byte.
pub const BEGINNING: &str = r#"{"specversion":"1.0","id":""#;
/// What an envelope is called where contents are named by their type.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Digits of a sequence: enough for every position.
pub const SEQUENCE_DIGITS: usize = 19;
/// The source unless it is set.
pub const SOURCE: &str = "/zhixing";

/// The envelope around one event. Its field order is the order in JSON.
#[derive(Clone, Debug, Serialize)]
pub struct CloudEvent<'e> {
    specversion: &'static str,
    /// Its own identity (UUID).
    pub id: String,
    /// Which log it comes from.
    pub source: &'e str,
    /// What happened, and in which form it is told.
    pub r#type: String,
    /// Global id of the object it happened to, as GraphQL knows it.
    pub subject: String,
    /// When it was recorded.
    pub time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'static str>,
    /// Name of the form of the data; it stands for a form, not for a place in the net.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataschema: Option<String>,
    /// Its position in the log.
    pub sequence: String,
    /// Events of one subject stay in order.
    pub partitionkey: String,
    /// What belongs to one request shares this.
    pub correlationid: String,
    /// The event that led to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    /// Its number in the life of its subject, from 1.
    pub subjectversion: String,
    /// Where its subject stood before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statusfrom: Option<&'e str>,
    /// Where its subject stands after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statusto: Option<&'e str>,
    /// Where its subject lies (GB/T 2260).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regioncode: Option<&'e str>,
    /// The unit that acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unitid: Option<String>,
    /// When it happened in the world.
    pub happenedat: String,
    /// What happened, byte for byte as it was recorded; not there when the envelope is thin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'e RawValue>,
}

impl<'e> CloudEvent<'e> {
    /// The envelope of this event.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when its payload is no JSON.
    pub fn of(event: &'e Recorded, source: &'e str) -> Result<Self, Error> {
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let time = instant(event.recorded_at);
        // Mostly the same, and to spell an instant takes as long as all the rest.
        let same = event.happened_at == event.recorded_at;
        let happenedat = if same { time.clone() } else { instant(event.happened_at) };
        let subject = GlobalId { kind: event.kind, uuid: event.stream_id }.to_string();
        let data = serde_json::from_str(&event.data).map_err(|error| Error::Unreadable {
            position: event.position,
            event_type: event.r#type.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            specversion: "1.0",
            id: event.id.to_string(),
            source,
            r#type: format!("cn.zhixing.{}.v{}", event.r#type, event.schema_version),
            partitionkey: subject.clone(),
            subject,
            time,
            datacontenttype: Some("application/json"),
            dataschema: Some(format!("urn:zhixing:event:{}:v{}", event.r#type, event.schema_version)),
            sequence: sequence(event.position),
            correlationid: event.correlation_id.to_string(),
            causationid: event.causation_id.map(|id| id.to_string()),
            subjectversion: event.version.to_string(),
            statusfrom: event.status_from.as_deref(),
            statusto: event.status_to.as_deref(),
            regioncode: event.region_code.as_ref().map(zhixing_domain::RegionCode::as_str),
            unitid: event.actor_unit.map(|uuid| GlobalId { kind: Kind::Unit, uuid }.to_string()),
            happenedat,
            data: Some(data),
        })
    }

    /// The envelope as it leaves for another system, the one rule of how much is told: of confidential kinds never more than
    /// that something happened, without what happened in detail. Whoever gets it asks for the rest.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when its payload is no JSON.
    pub fn told(event: &'e Recorded, source: &'e str, form: EnvelopeForm) -> Result<Self, Error> {
        let whole = Self::of(event, source)?;
        if form == EnvelopeForm::Thin || classification(event.kind) == Classification::Confidential {
            return Ok(Self { datacontenttype: None, dataschema: None, data: None, ..whole });
        }
        Ok(whole)
    }
}

/// A position as `sequence` spells it.
pub fn sequence(position: i64) -> String {
    format!("{position:0SEQUENCE_DIGITS$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn event() -> Recorded {
        Recorded {
            position: 42,
            kind: Kind::Task,
            stream_id: Uuid::from_u128(1),
            version: 3,
            id: Uuid::from_u128(2),
            r#type: "TaskAccepted".into(),
            schema_version: 1,
            data: r#"{"amount":1.10,"note":"质"}"#.into(),
            actor: "ann".into(),
            actor_unit: None,
            method: "token".into(),
            region_code: None,
            status_from: Some("REPORTED".into()),
            status_to: Some("ACCEPTED".into()),
            correlation_id: Uuid::from_u128(3),
            causation_id: None,
            command_id: None,
            happened_at: DateTime::from_timestamp_micros(1).unwrap(),
            recorded_at: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
            hash: vec![0; 32],
        }
    }

    #[test]
    fn the_envelope_is_spelled_so_for_ever() {
        let event = event();
        let json = serde_json::to_string(&CloudEvent::of(&event, SOURCE).unwrap()).unwrap();
        assert!(json.starts_with(BEGINNING));
        assert_eq!(
            json,
            concat!(
                r#"{"specversion":"1.0","id":"00000000-0000-0000-0000-000000000002","source":"/zhixing","#,
                r#""type":"cn.zhixing.TaskAccepted.v1","subject":"AQMAAAAAAAAAAAAAAAAAAAAB","#,
                r#""time":"2023-11-14T22:13:20.000001Z","datacontenttype":"application/json","#,
                r#""dataschema":"urn:zhixing:event:TaskAccepted:v1","sequence":"0000000000000000042","#,
                r#""partitionkey":"AQMAAAAAAAAAAAAAAAAAAAAB","correlationid":"00000000-0000-0000-0000-000000000003","#,
                r#""subjectversion":"3","statusfrom":"REPORTED","statusto":"ACCEPTED","#,
                r#""happenedat":"1970-01-01T00:00:00.000001Z","data":{"amount":1.10,"note":"质"}}"#,
            )
        );
    }

    #[test]
    fn names_of_attributes_keep_the_rules_of_the_format() {
        let mut event = event();
        event.causation_id = Some(Uuid::from_u128(9));
        event.region_code = Some("440800".parse().unwrap());
        event.actor_unit = Some(Uuid::from_u128(5));
        let json = serde_json::to_value(CloudEvent::of(&event, SOURCE).unwrap()).unwrap();
        let names: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 19);
        for name in names {
            assert!(name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
        }
    }

    #[test]
    fn sequences_sort_as_positions_do() {
        assert!(sequence(9) < sequence(10) && sequence(10) < sequence(i64::MAX));
        assert_eq!(sequence(i64::MAX).len(), SEQUENCE_DIGITS);
    }

    #[test]
    fn a_payload_that_is_no_json_is_named() {
        let bad = Recorded { data: "{".into(), ..event() };
        assert!(matches!(CloudEvent::of(&bad, SOURCE), Err(Error::Unreadable { position: 42, .. })));
    }
}
