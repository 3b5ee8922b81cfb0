//! An event as the log holds it, and the chain of hashes over all of them.
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zhixing_domain::{Aggregate, Kind, RegionCode, aggregate, integration::event_subscription::ChangeFilter};

use crate::Error;

/// An event as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recorded {
    /// Contiguous and in commit order, from 1.
    pub position: i64,
    /// Of what kind its subject is.
    pub kind: Kind,
    /// Its subject.
    pub stream_id: Uuid,
    /// Number of the event in its subject's life, from 1.
    pub version: i64,
    /// Its own identity (UUIDv7).
    pub id: Uuid,
    /// What it is called, such as `TaskAccepted`.
    pub r#type: String,
    /// Version of its payload's form.
    pub schema_version: i32,
    /// The payload as JSON text, byte for byte as written.
    pub data: String,
    /// Who caused it.
    pub actor: String,
    /// The unit they acted for.
    pub actor_unit: Option<Uuid>,
    /// How they proved who they are.
    pub method: String,
    /// Where its subject lies.
    pub region_code: Option<RegionCode>,
    /// Where its subject stood before.
    pub status_from: Option<String>,
    /// Where its subject stands after.
    pub status_to: Option<String>,
    /// What belongs to one request shares this.
    pub correlation_id: Uuid,
    /// The event that led to this one.
    pub causation_id: Option<Uuid>,
    /// The caller's id for the command.
    pub command_id: Option<String>,
    /// When it happened in the world.
    pub happened_at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Hash of the event before and of this one.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
}

/// The columns of [`Recorded`], in its order.
pub(crate) const COLUMNS: &str = "position, kind, stream_id, version, id, type, schema_version, data, actor, actor_unit, \
     method, region_code, status_from, status_to, correlation_id, causation_id, command_id, happened_at, recorded_at, hash";

impl Recorded {
    /// The typed event inside, whichever version of its payload is stored.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a newer release wrote it, or its payload does not fit its type.
    pub fn decode<A: Aggregate>(&self) -> Result<A::Event, Error> {
        aggregate::decode::<A>(&self.r#type, self.schema_version, &self.data).map_err(|error| {
            Error::Unreadable {
                position: self.position,
                event_type: self.r#type.clone(),
                reason: error.to_string(),
            }
        })
    }

    /// Whether the event changed where its subject stands.
    pub fn changes_status(&self) -> bool {
        self.status_from != self.status_to
    }

    /// Its hash, given the hash of the event before it.
    ///
    /// SHA-256 over the former hash and every field but the hash itself, in the order of the struct; texts are preceded
    /// by their length, absent values by a mark, so that no two events share their bytes.
    pub fn chained(&self, before: &[u8]) -> Vec<u8> {
        fn text(hasher: &mut Sha256, text: &str) {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        fn maybe<T>(hasher: &mut Sha256, value: Option<&T>, write: impl FnOnce(&mut Sha256, &T)) {
            hasher.update([u8::from(value.is_some())]);
            if let Some(value) = value {
                write(hasher, value);
            }
        }
        let mut hasher = Sha256::new();
        hasher.update(before);
        hasher.update(self.position.to_be_bytes());
        text(&mut hasher, self.kind.as_str());
        hasher.update(self.stream_id);
        hasher.update(self.version.to_be_bytes());
        hasher.update(self.id);
        text(&mut hasher, &self.r#type);
        hasher.update(self.schema_version.to_be_bytes());
        text(&mut hasher, &self.data);
        text(&mut hasher, &self.actor);
        maybe(&mut hasher, self.actor_unit.as_ref(), |hasher, unit| hasher.update(unit));
        text(&mut hasher, &self.method);
        maybe(&mut hasher, self.region_code.as_ref(), |hasher, code| text(hasher, code.as_str()));
        maybe(&mut hasher, self.status_from.as_ref(), |hasher, word| text(hasher, word));
        maybe(&mut hasher, self.status_to.as_ref(), |hasher, word| text(hasher, word));
        hasher.update(self.correlation_id);
        maybe(&mut hasher, self.causation_id.as_ref(), |hasher, id| hasher.update(id));
        maybe(&mut hasher, self.command_id.as_ref(), |hasher, id| text(hasher, id));
        hasher.update(self.happened_at.timestamp_micros().to_be_bytes());
        hasher.update(self.recorded_at.timestamp_micros().to_be_bytes());
        hasher.finalize().to_vec()
    }
}

/// Which events somebody wants to follow; an empty list means all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Kinds of subjects.
    pub kinds: Vec<Kind>,
    /// Types of events.
    pub types: Vec<String>,
    /// Subjects.
    pub subjects: Vec<Uuid>,
    /// Units that acted.
    pub units: Vec<Uuid>,
    /// The region whose subtree the subject lies in.
    pub region: Option<RegionCode>,
    /// Only events that changed where their subject stands.
    pub only_status_changes: bool,
}

impl From<&ChangeFilter> for EventFilter {
    fn from(filter: &ChangeFilter) -> Self {
        Self {
            kinds: filter.kinds.clone(),
            types: filter.types.clone(),
            subjects: filter.subjects.iter().map(|id| id.uuid).collect(),
            units: filter.units.iter().map(|id| id.uuid()).collect(),
            region: filter.region,
            only_status_changes: filter.status_changes_only,
        }
    }
}

impl EventFilter {
    /// Whether the event is wanted.
    pub fn admits(&self, event: &Recorded) -> bool {
        let among = |empty: bool, found: bool| empty || found;
        among(self.kinds.is_empty(), self.kinds.contains(&event.kind))
            && among(self.types.is_empty(), self.types.contains(&event.r#type))
            && among(self.subjects.is_empty(), self.subjects.contains(&event.stream_id))
            && among(self.units.is_empty(), event.actor_unit.is_some_and(|unit| self.units.contains(&unit)))
            && self.region.is_none_or(|region| event.region_code.is_some_and(|code| region.covers(code)))
            && (!self.only_status_changes || event.changes_status())
    }
}

/// An event shared by all who follow the log.
pub type Shared = Arc<Recorded>;
