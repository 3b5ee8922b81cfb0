//! Where everything stands at one moment (快照): the beginning of a copy, instead of a life told from its first event.
use chrono::{DateTime, SecondsFormat, Utc};
use sea_query::{Condition, Expr, ExprTrait};
use serde::{Serialize, Serializer};
use zhixing_domain::{RegionCode, id::GlobalId};
use zhixing_event_store::{Error, EventFilter, EventStore, standing::Standing};

use crate::graphql::{self, context::Session};

/// Most objects of a snapshot.
pub const MOST: usize = 10_000;
/// Objects that are told together.
const TOGETHER: usize = 500;

/// A part of a snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The position of the last event that the objects have lived through.
    pub position: i64,
    /// The objects, in the order of their kinds.
    pub objects: Vec<ObjectState>,
    /// How many objects come in later parts.
    pub remaining: usize,
}

/// Where an object stands.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectState {
    /// Its global id.
    #[serde(serialize_with = "as_text")]
    pub subject: GlobalId,
    /// How many events it has lived through; one with a higher `subjectversion` is news.
    #[serde(rename = "subjectversion")]
    pub version: i64,
    /// Its status.
    pub status: String,
    /// Where it lies.
    #[serde(rename = "regioncode", skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionCode>,
    /// When it last changed.
    #[serde(rename = "time", serialize_with = "as_instant")]
    pub updated_at: DateTime<Utc>,
}

fn as_text<S: Serializer>(id: &GlobalId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
fn as_instant<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Why there is no snapshot.
#[derive(Debug)]
pub enum NoSnapshot {
    /// The filter says what no object has: the part of it.
    OfEvents(&'static str),
    /// There are too many objects.
    TooMany,
    /// The database failed.
    Failed(Error),
}

impl NoSnapshot {
    /// What to say to whoever asked, but of a failure.
    pub fn reason(&self) -> String {
        match self {
            Self::OfEvents(part) => format!("a snapshot is of objects: {part} narrow only events"),
            Self::TooMany => format!("there are more than {MOST} objects: narrow kinds, region or subjects"),
            Self::Failed(_) => "internal error".into(),
        }
    }
}

/// Where the objects stand that somebody sees and whose events they want, at one moment, in parts; at least one part.
///
/// # Errors
/// [`NoSnapshot`].
pub async fn snapshot(
    store: &EventStore,
    session: &Session,
    filter: &EventFilter,
) -> Result<Vec<Snapshot>, NoSnapshot> {
    if !filter.types.is_empty() {
        return Err(NoSnapshot::OfEvents("types"));
    }
    if !filter.units.is_empty() {
        return Err(NoSnapshot::OfEvents("units"));
    }
    let mut wanted = Condition::all();
    if !filter.subjects.is_empty() {
        wanted = wanted.add(Expr::col("id").is_in(filter.subjects.iter().copied()));
    }
    if let Some(region) = filter.region {
        wanted = wanted.add(Expr::col("region_code").like(format!("{}%", region.prefix())));
    }
    let of = graphql::standings(&session.viewer)
        .into_iter()
        .filter(|of| filter.kinds.is_empty() || filter.kinds.contains(&of.kind))
        .map(|mut of| {
            of.filter = Condition::all().add(of.filter).add(wanted.clone());
            of
        });
    let (position, standings) =
        store.pool().standings(of.collect(), MOST).await.map_err(NoSnapshot::Failed)?;
    let objects: Vec<ObjectState> = standings.ok_or(NoSnapshot::TooMany)?.into_iter().map(state).collect();
    let mut remaining = objects.len();
    let mut parts: Vec<Snapshot> = objects
        .chunks(TOGETHER)
        .map(|part| {
            remaining -= part.len();
            Snapshot { position, objects: part.to_vec(), remaining }
        })
        .collect();
    if parts.is_empty() {
        parts.push(Snapshot { position, objects: Vec::new(), remaining: 0 });
    }
    Ok(parts)
}

fn state(standing: Standing) -> ObjectState {
    let Standing { kind, id, version, status, region_code, updated_at } = standing;
    ObjectState { subject: GlobalId { kind, uuid: id }, version, status, region: region_code, updated_at }
}
