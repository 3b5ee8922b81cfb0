//! Events as clients see them: the history of an object and the changes of everything.
use async_graphql::{
    Context, InputObject, InputValueError, InputValueResult, Json, Object, Result, Scalar, ScalarType,
    SimpleObject, Subscription, Value,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use uuid::Uuid;
use zhixing_domain::{
    Id, Kind, RegionCode, Rejection,
    id::GlobalId,
    integration::event_subscription::ChangeFilter,
    organisation::unit,
    policy::{self, Seen},
};
use zhixing_event_store::{EventFilter, Recorded, event::Shared};

use super::{
    connection::{PageInfo, Paging},
    context::{Ask, Session},
    error,
    found::Found,
    node::{self, Node},
    unit::Unit,
};

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(pub i64);

/// A place in the log of events: a whole number, contiguous and in commit order, from 1; 0 is before everything.
#[Scalar]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number.as_i64().filter(|number| *number >= 0).map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::custom("is not a whole number from 0"))
    }
    fn to_value(&self) -> Value {
        self.0.into()
    }
}

/// Something that happened. Events never change.
#[derive(Clone, Debug)]
pub struct Event(pub Shared);

/// Something that happened. Events never change.
#[Object]
impl Event {
    /// Its own identity (UUID), for recognising one that arrives twice.
    async fn id(&self) -> Uuid {
        self.0.id
    }
    /// Its place in the log; null for what a dry run says would happen.
    async fn position(&self) -> Option<Position> {
        (self.0.position > 0).then_some(Position(self.0.position))
    }
    /// What it is called, such as `TaskAccepted`.
    async fn r#type(&self) -> &str {
        &self.0.r#type
    }
    /// Version of the form of `data`.
    async fn schema_version(&self) -> i32 {
        self.0.schema_version
    }
    /// Of what kind its subject is.
    async fn kind(&self) -> Kind {
        self.0.kind
    }
    /// Id of its subject.
    async fn subject_id(&self) -> GlobalId {
        GlobalId { kind: self.0.kind, uuid: self.0.stream_id }
    }
    /// Its subject, as it is now.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        node::load(ctx, GlobalId { kind: self.0.kind, uuid: self.0.stream_id }).await
    }
    /// Its number in the life of its subject, from 1.
    async fn version(&self) -> i64 {
        self.0.version
    }
    /// What happened, in detail.
    async fn data(&self) -> Result<Json<serde_json::Value>> {
        serde_json::from_str(&self.0.data).map(Json).map_err(|fault| error::fault(fault.into()))
    }
    /// Where its subject stood before.
    async fn status_from(&self) -> Option<&str> {
        self.0.status_from.as_deref()
    }
    /// Where its subject stands after.
    async fn status_to(&self) -> Option<&str> {
        self.0.status_to.as_deref()
    }
    /// Who caused it; only officials see this.
    async fn actor(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.viewer().is_official().then_some(self.0.actor.as_str())
    }
    /// The unit they acted for; only officials see this.
    async fn actor_unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.0.actor_unit.filter(|_| ctx.viewer().is_official()) {
            Some(unit) => ctx.load::<Unit>(Id::new(unit)).await,
            None => Ok(None),
        }
    }
    /// How they proved who they are; only officials see this.
    async fn authentication_method(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.viewer().is_official().then_some(self.0.method.as_str())
    }
    /// The region its subject lies in.
    async fn region_code(&self) -> Option<RegionCode> {
        self.0.region_code
    }
    /// What belongs to one request shares this.
    async fn correlation_id(&self) -> Uuid {
        self.0.correlation_id
    }
    /// When it happened.
    async fn happened_at(&self) -> DateTime<Utc> {
        self.0.happened_at
    }
    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime<Utc> {
        self.0.recorded_at
    }
    /// Its link in the chain of hashes over the whole log (SHA-256, hexadecimal); null in a dry run.
    async fn hash(&self) -> Option<String> {
        (!self.0.hash.is_empty()).then(|| hex::encode(&self.0.hash))
    }
}

/// A page of events of one object.
#[derive(Clone, Debug, SimpleObject)]
pub struct EventConnection {
    /// The events with their cursors.
    pub edges: Vec<EventEdge>,
    /// The events.
    pub nodes: Vec<Event>,
    /// Where the page lies.
    pub page_info: PageInfo,
    /// How many events there are on all pages.
    pub total_count: i64,
}

/// An event of one object, with its cursor.
#[derive(Clone, Debug, SimpleObject)]
pub struct EventEdge {
    /// Its place in the object's life.
    pub cursor: String,
    /// The event.
    pub node: Event,
}

fn cursor(version: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("v{version}"))
}

fn version(field: &str, cursor: &str) -> Result<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let number = text.as_deref().and_then(|text| text.strip_prefix('v')).and_then(|text| text.parse().ok());
    number.ok_or_else(|| error::invalid(field, "is not a cursor of this connection"))
}

/// Events of an object behind a version and up to another. Versions have no gaps, so a page is a range of them.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn history(
    ctx: &Context<'_>,
    stream: Uuid,
    (untold, last_version): (i64, i64),
    paging: Paging,
) -> Result<EventConnection> {
    let (limit, from_end) = paging.size()?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let last_version = last_version.max(untold);
    let behind = paging.after.as_deref().map_or(Ok(0), |text| version("after", text))?;
    let behind = behind.clamp(untold, last_version);
    let before = paging.before.as_deref().map_or(Ok(last_version + 1), |text| version("before", text))?;
    let before = before.clamp(behind + 1, last_version + 1);
    let (start, end) = if from_end {
        (behind.max(before - 1 - limit), before - 1)
    } else {
        (behind, (before - 1).min(behind + limit))
    };
    let count = u32::try_from(end - start).unwrap_or(0);
    let events = ctx.store().pool().read_stream(stream, start, count).await.map_err(error::fault)?;
    let nodes: Vec<Event> = events.into_iter().map(|event| Event(event.into())).collect();
    let edges: Vec<EventEdge> = nodes
        .iter()
        .map(|event| EventEdge { cursor: cursor(event.0.version), node: event.clone() })
        .collect();
    let page_info = PageInfo {
        has_previous_page: start > untold,
        has_next_page: end < last_version,
        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: edges.last().map(|edge| edge.cursor.clone()),
    };
    Ok(EventConnection { edges, nodes, page_info, total_count: last_version - untold })
}

/// Which changes to follow; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ChangeWhere {
    /// Kinds of subjects, at most 100.
    pub kinds: Option<Vec<Kind>>,
    /// Types of events, such as `TaskAccepted`, at most 100.
    pub types: Option<Vec<String>>,
    /// Subjects, at most 100.
    pub subjects: Option<Vec<GlobalId>>,
    /// Units that acted, at most 100.
    pub units: Option<Vec<Id<unit::Unit>>>,
    /// The region whose subtree the subject lies in.
    pub region: Option<RegionCode>,
    /// Only events that changed where their subject stands.
    #[graphql(default)]
    pub status_changes_only: bool,
}

impl From<ChangeWhere> for ChangeFilter {
    fn from(wanted: ChangeWhere) -> Self {
        let ChangeWhere { kinds, types, subjects, units, region, status_changes_only } = wanted;
        Self {
            kinds: kinds.unwrap_or_default(),
            types: types.unwrap_or_default(),
            subjects: subjects.unwrap_or_default(),
            units: units.unwrap_or_default(),
            region,
            status_changes_only,
        }
    }
}

/// The filter as the log applies it.
///
/// # Errors
/// When a list of it is too long or a type cannot be.
pub(super) fn filter_of(wanted: Option<ChangeWhere>) -> Result<EventFilter> {
    let filter = ChangeFilter::from(wanted.unwrap_or_default()).checked("where");
    filter.map(|filter| EventFilter::from(&filter)).map_err(|rejection| match rejection {
        Rejection::Invalid { field, reason } => error::invalid(&field, &reason),
        other => error::internal(&other.to_string()),
    })
}

/// Whether the viewer may see an event: what it is about, and not from before it became public for them. Its region
/// answers for most; the rest is looked up.
///
/// # Errors
/// When the database fails.
pub async fn sees(session: &Session, event: &Recorded) -> Result<bool> {
    let sight = policy::sight(&session.viewer, event.kind);
    let by_region = Seen { region: event.region_code, ..Seen::default() };
    if sight.is_inside(&by_region) {
        return Ok(true);
    }
    let since = node::since(session, GlobalId { kind: event.kind, uuid: event.stream_id }).await?;
    Ok(since.is_some_and(|since| event.position >= since))
}

/// Behind which position somebody begins to follow, and where the log ends.
///
/// # Errors
/// When they may not follow, or the place is not in the log.
pub(super) async fn beginning(ctx: &Context<'_>, after: Option<Position>) -> Result<(i64, i64)> {
    if !ctx.viewer().is_official() {
        return Err(error::not_permitted("changes are for officials and integrators: sign in"));
    }
    let mut head = ctx.store().head();
    let after = after.map_or(head, |position| position.0);
    if after > head {
        // Another process may have written what this one has not heard of yet.
        head = ctx.store().pool().head().await.map_err(error::fault)?;
    }
    if after > head {
        return Err(error::invalid("after", "lies behind the end of the log"));
    }
    Ok((after, head))
}

/// What can be followed.
#[derive(Debug, Default)]
pub struct Subscriptions;

/// What can be followed.
#[Subscription(name = "ChangeSubscription")]
impl Subscriptions {
    /// Every change behind `after`, in order, without hole or repetition: first what was recorded before, then live. Keep
    /// the position of the last event and pass it as `after` to go on, even years later. Without `after` it begins now.
    /// For officials and integrators.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Begin behind this position; now, when left out.")] after: Option<Position>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<ChangeWhere>,
    ) -> Result<impl Stream<Item = Result<Event>> + use<>> {
        let filter = filter_of(r#where)?;
        let (after, _) = beginning(ctx, after).await?;
        let session = ctx.session().clone();
        Ok(ctx.store().follow(after).filter_map(move |event| {
            // The subject of an event is shown as it is now, not as it was when another event came.
            session.forget();
            let event = event.map_err(error::fault).map(|event| filter.admits(&event).then_some(event));
            let session = session.clone();
            async move {
                match event {
                    Ok(None) => None,
                    Ok(Some(event)) => match sees(&session, &event).await {
                        Ok(true) => Some(Ok(Event(event))),
                        Ok(false) => None,
                        Err(error) => Some(Err(error)),
                    },
                    Err(error) => Some(Err(error)),
                }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_event(number: i64, noise in "v?[-+0-9]{0,22}|.{0,20}") {
            prop_assert_eq!(version("after", &cursor(number)).unwrap(), number);
            for text in [URL_SAFE_NO_PAD.encode(&noise), noise] {
                if let Ok(number) = version("after", &text) {
                    prop_assert_eq!(version("after", &cursor(number)).unwrap(), number);
                }
            }
        }
    }
}
