//! Events of several versions in one stream, of an aggregate that only stands here.
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use zhixing_domain::{
    Aggregate, Context, Event, Fact, Id, Kind, RegionCode, Rejection, Subject, Viewer,
    aggregate::{Facts, Stamp, Upcast},
    id::Key,
    lifecycle::Step,
    organisation::unit::{Unit, UnitCommand, UnitStatus},
};

use super::{
    contract,
    database::Database,
    raw::{event, fresh, verified},
    units::renaming,
};
use crate::{
    Error, EventStore, Meta, Order, Receipt, Row, SystemClock, Table, View,
    append::{Append, Extension},
    store::AsOf,
    view::Known,
};

contract! {
    every_version_of_an_event_is_read_and_the_last_is_written
    an_event_of_a_newer_release_stops_its_object_and_no_other
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum ParcelEvent {
    Weighed { grams: i64, by: Option<String> },
}
impl Event for ParcelEvent {
    const TYPES: &'static [(&'static str, &'static str)] = &[("Weighed", "已称重")];
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Parcel {
    grams: Option<i64>,
}

impl Aggregate for Parcel {
    const KIND: Kind = Kind::Unit;
    type Status = UnitStatus;
    type Command = UnitCommand;
    type Event = ParcelEvent;
    const STEPS: &'static [Step<UnitStatus>] = <Unit as Aggregate>::STEPS;
    const UPCASTS: &'static [Upcast] = &[
        Upcast {
            event: "Weighed",
            from: 1,
            step: |data| json!({ "grams": data["kilograms"].as_i64().map(|kg| kg * 1_000) }),
        },
        Upcast {
            event: "Weighed",
            from: 2,
            step: |data| json!({ "grams": data["grams"], "by": Value::Null }),
        },
    ];
    fn status(&self) -> Option<UnitStatus> {
        self.grams.map(|_| UnitStatus::Active)
    }
    fn subject(&self, _: Option<&UnitCommand>, _: &Facts) -> Subject {
        Subject { region: Some(RegionCode::COUNTRY), ..Subject::default() }
    }
    /// Adds a gram.
    fn decide(&self, _: UnitCommand, context: &Context<'_>) -> Result<Vec<ParcelEvent>, Rejection> {
        let by = Some(context.viewer.actor.clone());
        Ok(vec![ParcelEvent::Weighed { grams: self.grams.unwrap_or_default() + 1, by }])
    }
    fn evolve(&mut self, event: &ParcelEvent, _: &Stamp) {
        let ParcelEvent::Weighed { grams, .. } = event;
        self.grams = Some(*grams);
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
struct ParcelRow {
    id: Key<Parcel>,
    version: i64,
    grams: i64,
    weigher: Option<String>,
}
impl Row for ParcelRow {
    const TABLE: &'static Table = &Table { name: "parcels", columns: &["id", "version", "grams", "weigher"] };
    fn key(&self) -> Uuid {
        self.id.0.uuid()
    }
}
impl View for ParcelRow {
    type Of = Parcel;
    fn version(&self) -> i64 {
        self.version
    }
    fn fact(&self) -> Fact {
        Fact { kind: Kind::Unit, id: self.key(), status: "ACTIVE".into(), region: None, belongs_to: None }
    }
    fn project(_: Option<Self>, event: &ParcelEvent, meta: &Meta<Parcel>) -> Option<Self> {
        let ParcelEvent::Weighed { grams, by } = event.clone();
        Some(Self { id: Key(meta.id), version: meta.version, grams, weigher: by })
    }
}

/// A store, and a stream of two events that older releases wrote.
async fn old_stream(db: &Database) -> (EventStore, Id<Parcel>) {
    db.by_hand("create table parcels (id uuid primary key, version bigint not null, grams bigint not null, weigher text)").await;
    let store = open(db).await;
    let id = fresh();
    let old = |version, data: &str| crate::Recorded {
        r#type: "UnitWeighed".into(),
        schema_version: i32::try_from(version).unwrap(),
        ..event(id, version, data)
    };
    let events = vec![old(1, "{ \"kilograms\": 2 }"), old(2, "{\"grams\":2500}")];
    let stream = Extension { stream_id: id, expected: 0, events, claims: Vec::new() };
    store.writer().append(Append { streams: vec![stream], ..Append::default() }).await.unwrap();
    (store, Id::new(id))
}

async fn open(db: &Database) -> EventStore {
    EventStore::open(db.pool().await, Arc::new(SystemClock), vec![Known::of::<ParcelRow>()]).await.unwrap()
}

async fn weigh(store: &EventStore, id: Id<Parcel>) -> Result<Receipt<ParcelRow>, Error> {
    let order = Order {
        viewer: Viewer::system(),
        command: renaming(Id::new(id.uuid()), "称重").into(),
        command_id: None,
        expected_version: None,
        dry_run: false,
    };
    store.execute::<ParcelRow>(order).await
}

async fn every_version_of_an_event_is_read_and_the_last_is_written(db: &Database) {
    let (store, id) = old_stream(db).await;
    let receipt = weigh(&store, id).await.unwrap();
    assert_eq!((receipt.object.version, receipt.object.grams), (3, 2_501));
    assert_eq!(receipt.events[0].schema_version, 3);
    for (version, grams, weigher) in
        [(1, 2_000, None), (2, 2_500, None), (3, 2_501, Some("system".to_owned()))]
    {
        let row = store.as_of::<ParcelRow>(id, AsOf::Version(version)).await.unwrap().unwrap();
        assert_eq!((row.version, row.grams, row.weigher), (version, grams, weigher));
    }
    // A rebuild reads them too, and finds the row as it was written.
    for difference in store.rebuild(Kind::Unit, false, |_| {}).await.unwrap().iter().take(1) {
        assert!(difference.is_none(), "{difference:?}");
    }
    // Nothing stored was touched: the bytes are those that were hashed.
    let stored = store.pool().read_log(0, 10).await.unwrap();
    let forms: Vec<(i32, &str)> = stored.iter().map(|event| (event.schema_version, &*event.data)).collect();
    assert_eq!(
        forms,
        [(1, "{ \"kilograms\": 2 }"), (2, "{\"grams\":2500}"), (3, r#"{"grams":2501,"by":"system"}"#)]
    );
    assert_eq!(verified(&store).await, 3);
}

async fn an_event_of_a_newer_release_stops_its_object_and_no_other(db: &Database) {
    let (store, id) = old_stream(db).await;
    weigh(&store, id).await.unwrap();
    db.by_hand("update events set schema_version = 4 where position = 3").await;
    let older = open(db).await;
    match weigh(&older, id).await.unwrap_err() {
        Error::Unreadable { position: 3, event_type, reason } => {
            assert_eq!(event_type, "UnitWeighed");
            assert_eq!(
                reason,
                "it was written by a newer release: its payload has version 4, this release reads up to 3"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(older.as_of::<ParcelRow>(id, AsOf::Version(2)).await.unwrap().unwrap().grams, 2_500);
    assert_eq!(db.number("select count(*) from events").await, 3);
}
