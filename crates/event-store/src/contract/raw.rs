//! Appends without an aggregate.
use uuid::Uuid;
use zhixing_domain::{Claim, Clock, Kind};

use super::database::{Database, in_time};
use crate::{
    EventStore, Recorded, SystemClock,
    append::{Append, CommandKey, Extension, Outcome},
};

pub(super) fn fresh() -> Uuid {
    SystemClock.new_id()
}

/// An event before it is written.
pub(super) fn event(stream: Uuid, version: i64, data: &str) -> Recorded {
    let now = SystemClock.now();
    Recorded {
        position: 0,
        kind: Kind::Unit,
        stream_id: stream,
        version,
        id: fresh(),
        r#type: "UnitNoted".into(),
        schema_version: 1,
        data: data.into(),
        actor: "ann".into(),
        actor_unit: (version % 2 == 0).then(fresh),
        method: "SYSTEM".into(),
        region_code: (version % 3 != 0).then(|| "430000".parse().unwrap()),
        status_from: (version > 1).then(|| "ACTIVE".into()),
        status_to: Some("ACTIVE".into()),
        correlation_id: fresh(),
        causation_id: (version % 2 == 1).then(fresh),
        command_id: None,
        happened_at: now,
        recorded_at: now,
        hash: Vec::new(),
    }
}

/// So many events behind `expected`.
pub(super) fn extension(stream: Uuid, expected: i64, events: i64) -> Extension {
    let events = (1..=events).map(|n| event(stream, expected + n, &format!("{{\"n\":{n}}}"))).collect();
    Extension { stream_id: stream, expected, events, claims: Vec::new() }
}

/// An append to one stream.
pub(super) fn append(stream: Uuid, expected: i64, events: i64) -> Append {
    Append { streams: vec![extension(stream, expected, events)], ..Append::default() }
}

/// The same with claims.
pub(super) fn claiming(stream: Uuid, expected: i64, claims: Vec<Claim>) -> Append {
    Append { streams: vec![Extension { claims, ..extension(stream, expected, 1) }], ..Append::default() }
}

pub(super) fn take(key: &str) -> Claim {
    Claim::take("test.key", key, "key")
}
pub(super) fn give_back(key: &str) -> Claim {
    Claim::release("test.key", key, "key")
}

pub(super) fn command(id: &str, payload: u8) -> CommandKey {
    CommandKey { actor: "ann".into(), id: id.into(), fingerprint: vec![payload; 32] }
}

/// How many events there are, after the chain of hashes over all of them was recomputed.
pub(super) async fn verified(store: &EventStore) -> i64 {
    store.pool().verify(&[], &[], |_| {}).await.unwrap().position
}

/// Appends all of these in one transaction, in this order when they are few: the log is held until every one of them
/// waits behind another append.
pub(super) async fn together(db: &Database, store: &EventStore, appends: Vec<Append>) -> Vec<Outcome> {
    const TO_QUEUE: std::time::Duration = std::time::Duration::from_millis(100);
    let held = db.hold().await;
    let first = tokio::spawn({
        let writer = store.writer().clone();
        async move { writer.append(append(fresh(), 0, 1)).await }
    });
    tokio::time::sleep(TO_QUEUE).await;
    let all = futures_util::future::join_all(appends.into_iter().map(|append| store.writer().append(append)));
    let release = async {
        tokio::time::sleep(TO_QUEUE).await;
        held.release().await;
    };
    let (outcomes, ()) = in_time(futures_util::future::join(all, release)).await;
    first.await.unwrap().unwrap();
    outcomes
}
