//! The log in partitions, on PostgreSQL.
use std::sync::Arc;

use futures_util::StreamExt;
use sqlx::PgPool;

use super::{
    database::{Database, in_time},
    raw::{append, fresh, verified},
    units::{assert_views_hold, register, rename},
};
use crate::{Error, EventStore, Pool, SystemClock, partitions};

const COUNT: &str = "select count(*) from pg_inherits where inhparent = 'events'::regclass";

fn server(store: &EventStore) -> PgPool {
    let Pool::Postgres(db) = store.pool() else { unreachable!("it is a server") };
    db.clone()
}

/// A first partition of so few positions in the place of the one that is there, before there are events.
async fn small(db: &Database, positions: i64) {
    db.by_hand(&format!(
        "alter table events detach partition events_1; \
         alter table events attach partition events_1 for values from (1) to ({})",
        positions + 1
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_runs_through_many_partitions() {
    let db = Database::postgres().await;
    let store = db.store().await;
    assert_eq!(db.number(COUNT).await, 1);
    small(&db, 64).await;
    let ids = [register(&store, "甲").await, register(&store, "乙").await];
    for n in 1..=190 {
        for (which, id) in ids.into_iter().enumerate() {
            rename(&store, id, &format!("名{n}之{which}")).await;
        }
    }
    // 382 events: partitions of 64, then of a quarter of the log.
    let partitions = db.number(COUNT).await;
    assert!((5..=8).contains(&partitions), "{partitions}");
    assert_eq!(verified(&store).await, 382);
    assert_eq!(store.pool().count_stream(ids[0].uuid()).await.unwrap(), 191);
    // A store that remembers nothing reads through all of them.
    let fresh_store = db.store().await;
    let row = rename(&fresh_store, ids[0], "末").await;
    assert_eq!((row.version, row.name.as_str()), (192, "末"));
    assert_views_hold(&fresh_store).await;
    let positions = store.follow(0).take(383).map(|event| event.unwrap().position);
    let positions: Vec<i64> = in_time(positions.collect()).await;
    assert_eq!(positions, (1..=383).collect::<Vec<_>>());
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn partitions_are_made_ahead_by_several_processes_at_once() {
    let db = Database::postgres().await;
    let stores = [db.store().await, db.store().await, db.store().await];
    small(&db, 100).await;
    let writing = stores.clone().map(|store| async move {
        for _ in 0..100 {
            store.writer().append(append(fresh(), 0, 10)).await.unwrap();
        }
    });
    in_time(futures_util::future::join_all(writing)).await;
    assert_eq!(verified(&stores[0]).await, 3_000);
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_larger_the_log_the_larger_the_next_partition() {
    let db = Database::postgres().await;
    let store = db.store().await;
    let mut head = 0;
    // A thousand million events, without writing them.
    while head < 1_000_000_000 {
        head = partitions::ensure(&server(&store), head).await.unwrap();
    }
    let count = db.number(COUNT).await;
    assert!(count <= 14, "{count} partitions");
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_from_before_partitions_becomes_the_first_of_them() {
    let db = Database::postgres().await;
    let store = db.store().await;
    // As the first two migrations left it, with events in it.
    db.by_hand(
        "create table plain (like events including all); drop table events; alter table plain rename to events; \
         alter index plain_pkey rename to events_pkey; alter table events add unique (stream_id, version); \
         create unique index events_id on events (id); delete from _sqlx_migrations where version = 3",
    )
    .await;
    let id = register(&store, "甲").await;
    for n in 1..=30 {
        rename(&store, id, &format!("名{n}")).await;
    }
    store.pool().close().await;
    let store = db.store().await;
    assert_eq!(db.number(COUNT).await, 1);
    assert_eq!(db.number("select count(*) from events_1").await, 31);
    assert_eq!(rename(&store, id, "末").await.version, 32);
    assert_eq!(verified(&store).await, 32);
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_partition_that_is_detached_is_missed_by_name_and_taken_back() {
    let db = Database::postgres().await;
    let store = db.store().await;
    small(&db, 64).await;
    let id = register(&store, "甲").await;
    for n in 1..=99 {
        rename(&store, id, &format!("名{n}")).await;
    }
    db.by_hand("alter table events detach partition events_1").await;
    let missed = store.pool().verify(&[], &[], |_| {}).await;
    assert!(
        matches!(missed, Err(Error::Broken { position: 1, reason: "the event is missing" })),
        "{missed:?}"
    );
    let folded = db.store().await.state::<super::units::UnitRow>(id).await;
    assert!(matches!(folded, Err(Error::Broken { position: 65, .. })), "{folded:?}");
    db.by_hand("alter table events attach partition events_1 for values from (1) to (65)").await;
    assert_eq!(verified(&store).await, 100);
    // The last one is taken back by whoever opens the log; if it is lost, that is told at once.
    db.by_hand("alter table events detach partition events_65").await;
    assert_eq!(verified(&db.store().await).await, 100);
    db.by_hand("drop table events_65").await;
    let opened = EventStore::open(db.pool().await, Arc::new(SystemClock), Vec::new()).await.map(|_| ());
    assert!(matches!(opened, Err(Error::Broken { position: 65, .. })), "{opened:?}");
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_append_that_finds_no_partition_makes_one() {
    let db = Database::postgres().await;
    let store = db.store().await;
    small(&db, 100).await;
    store.writer().append(append(fresh(), 0, 50)).await.unwrap();
    // Larger than what is there, and than what would be made ahead.
    store.writer().append(append(fresh(), 0, 1_000)).await.unwrap();
    assert_eq!(verified(&store).await, 1_050);
    db.discard().await;
}
