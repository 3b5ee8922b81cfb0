//! Two processes run one projection: whatever happens between them, one of them writes.
use std::{sync::atomic::Ordering, time::Duration};

use super::{
    contract,
    database::{Database, until},
    raw::{append, fresh},
    sums::{NAME, Sums, TIMING, active, assert_exact, caught_up, start},
};
use crate::EventStore;

contract! {
    a_process_that_slept_past_its_lease_writes_nothing
    a_process_that_stops_hands_over_at_once
    a_process_that_dies_is_replaced_after_its_lease
    many_processes_write_once
}

async fn write(store: &EventStore, events: i64) {
    for _ in 0..events {
        store.writer().append(append(fresh(), 0, 1)).await.unwrap();
    }
}

async fn a_process_that_slept_past_its_lease_writes_nothing(db: &Database) {
    let (store, sleeping) = (db.store().await, Sums::new());
    let first = start(&store, &sleeping).await;
    write(&store, 5).await;
    caught_up(&first, 5).await;
    for round in 1..=3 {
        // The owner falls asleep between reading a batch and writing it.
        sleeping.waiting.store(0, Ordering::SeqCst);
        sleeping.paused.store(true, Ordering::SeqCst);
        write(&store, 10).await;
        until("the owner sleeps", || async { sleeping.waiting.load(Ordering::SeqCst) > 0 }).await;
        let other = db.store().await;
        let second = start(&other, &Sums::new()).await;
        let head = 4 + round * 11;
        caught_up(&second, head).await;
        assert_exact(db).await;
        sleeping.paused.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(active(&first).await.position, head);
        assert_exact(db).await;
        // The other process goes, and the sleeper owns it again.
        second.stop().await.unwrap();
        other.pool().close().await;
        write(&store, 1).await;
        db.by_hand("update projections set lease_until = 0").await;
        caught_up(&first, head + 1).await;
    }
}

async fn a_process_that_stops_hands_over_at_once(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let first = start(&here, &Sums::new()).await;
    write(&here, 5).await;
    caught_up(&first, 5).await;
    here.pool().ping().await.unwrap();
    first.stop().await.unwrap();
    here.pool().close().await;
    let second = start(&there, &Sums::new()).await;
    write(&there, 5).await;
    let reached = second.wait(NAME, 10, TIMING.lease).await.unwrap();
    assert_eq!(reached, 10, "the new owner waited for the end of a lease that was given back");
    assert_exact(db).await;
}

async fn a_process_that_dies_is_replaced_after_its_lease(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let first = start(&here, &Sums::new()).await;
    write(&here, 5).await;
    caught_up(&first, 5).await;
    here.pool().close().await;
    let second = start(&there, &Sums::new()).await;
    write(&there, 5).await;
    caught_up(&second, 10).await;
    assert_exact(db).await;
}

async fn many_processes_write_once(db: &Database) {
    let stores = [db.store().await, db.store().await, db.store().await, db.store().await];
    let (sums, mut projectors) = (Sums::new(), Vec::new());
    projectors.extend(futures_util::future::join_all(stores.iter().map(|store| start(store, &sums))).await);
    for round in 1..=6 {
        write(&stores[round % 4], 20).await;
        // The owners give up in turn.
        projectors[round % 4].stop().await.unwrap();
    }
    caught_up(&projectors[0], 120).await;
    assert_exact(db).await;
    let builds = projectors[0].progress().await.unwrap();
    assert_eq!(builds.len(), 1, "one build, whoever started first: {builds:?}");
}
